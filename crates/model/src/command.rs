//! What a region can be asked: commands that write and queries that read, already parsed.
//! Amounts stay decimals until the account's currency is known. Decides nothing.

use rust_decimal::Decimal;

use crate::settlement::System;
use crate::{
    AccountId, AdjustmentKind, CashOutQuote, Currency, Definition, Durability, EventKey, Leg, MarketKey, MarketStatus,
    MintedId, Odds, OddsPolicy, OutcomeKey, OutcomeResult, ProducerId, Reference, ResultScope, Share, Suspension, Text,
};

/// A wager as a client asks for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WagerRequest {
    /// Minted id.
    pub id: MintedId,
    /// Whose money.
    pub account: AccountId,
    /// Stake per line (each-way: per line and part), in the account's currency.
    pub unit_stake: Decimal,
    /// Stated total, checked when given.
    pub total_stake: Option<Decimal>,
    /// Its lines; `None`: all legs are one accumulator.
    pub system: Option<System>,
    /// Whether every line has a place part as well.
    pub each_way: bool,
    /// Legs.
    pub legs: Vec<Leg>,
    /// What the player agrees to when odds have moved.
    pub policy: OddsPolicy,
    /// The client's own reference, at most 200 bytes.
    pub client_ref: Option<Text>,
    /// What must have happened before it counts. No part of the body's hash: a repeat may ask otherwise.
    pub durability: Durability,
}

/// A wager that is only thought of: everything but what identifies it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QuoteRequest {
    /// Whose money it would be.
    pub account: AccountId,
    /// As in [`WagerRequest`].
    pub unit_stake: Decimal,
    /// As in [`WagerRequest`].
    pub total_stake: Option<Decimal>,
    /// As in [`WagerRequest`].
    pub system: Option<System>,
    /// As in [`WagerRequest`].
    pub each_way: bool,
    /// As in [`WagerRequest`].
    pub legs: Vec<Leg>,
    /// As in [`WagerRequest`].
    pub policy: OddsPolicy,
}

/// A market made by hand.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MarketDraft {
    /// Its key.
    pub market: MarketKey,
    /// What it is.
    pub definition: Definition,
    /// Status of this region's desk slot.
    pub status: MarketStatus,
}

/// What a price write says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OddsChange {
    /// New odds; the selection is active.
    Odds(Odds),
    /// The selection is on sale (true, odds kept) or not (false).
    Active(bool),
}

/// One price write. Without a producer it goes to the operator slot: a pin.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OddsWrite {
    /// Market.
    pub market: MarketKey,
    /// Outcome.
    pub outcome: OutcomeKey,
    /// What it says.
    pub change: OddsChange,
    /// The producer whose slot it is; `None` pins.
    pub producer: Option<ProducerId>,
    /// Source time, Unix ms; the region's time when absent.
    pub source_time_ms: Option<u64>,
    /// Source sequence.
    pub source_seq: u32,
}

/// An operator's act on a market's status.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StatusAct {
    /// Take it off sale.
    Suspend,
    /// Lift every operator's suspension that this region has seen.
    Resume,
}

/// One result of a result call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ResultWrite {
    /// Which outcome, or all.
    pub scope: ResultScope,
    /// What happened. `None` clears the operator slot, so that feeds count again.
    pub result: OutcomeResult,
}

/// Everything that writes, except feed lines (those are `feeds`' own types).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Create an account at the region in its name.
    OpenAccount {
        /// The account.
        account: AccountId,
        /// Its currency, for good.
        currency: Currency,
    },
    /// Credit money, once per id.
    Deposit {
        /// Minted id.
        id: MintedId,
        /// The account.
        account: AccountId,
        /// Amount in its currency.
        amount: Decimal,
    },
    /// Credit money that a payment provider says it has, once per reference.
    DepositByReference {
        /// The provider's reference, at the region in the account's name.
        reference: Reference,
        /// The account.
        account: AccountId,
        /// Amount in its currency.
        amount: Decimal,
    },
    /// An operator gives or takes money, once per id.
    Adjust {
        /// Minted id.
        id: MintedId,
        /// The account.
        account: AccountId,
        /// Amount in its currency: below zero is taken.
        amount: Decimal,
        /// What for.
        kind: AdjustmentKind,
        /// In the operator's words.
        reason: Text,
    },
    /// Set money aside for a payment out, once per id.
    Withdraw {
        /// Minted id.
        id: MintedId,
        /// The account.
        account: AccountId,
        /// Amount in its currency.
        amount: Decimal,
    },
    /// The payment was made, or will not be.
    ResolveWithdrawal {
        /// The withdrawal.
        id: MintedId,
        /// Whose it is.
        account: AccountId,
        /// Whether it was made.
        confirm: bool,
    },
    /// Open a session, which asks the account's home to come here.
    OpenSession {
        /// Minted id; its `place_by` is when the session expires.
        id: MintedId,
        /// Whose it is.
        account: AccountId,
        /// Where the player is.
        channel: Text,
    },
    /// End a session, for good.
    EndSession {
        /// Its id.
        id: MintedId,
    },
    /// Place wagers, in order, each by itself.
    Place(Vec<WagerRequest>),
    /// Make or remake a market by hand.
    PutMarket(Box<MarketDraft>),
    /// Write prices.
    WriteOdds(Vec<OddsWrite>),
    /// Suspend or resume a market.
    SetStatus {
        /// The market.
        market: MarketKey,
        /// The act.
        act: StatusAct,
    },
    /// Take a scope off sale, or lift what this region has seen of its suspensions.
    Suspend {
        /// The scope.
        scope: Suspension,
        /// Whether it is lifted.
        lift: bool,
    },
    /// An operator's results.
    WriteResults {
        /// The market.
        market: MarketKey,
        /// Results by outcome.
        results: Vec<ResultWrite>,
        /// When the market had closed, Unix ms: legs taken later are void. The result's own time when absent.
        closed_ms: Option<u64>,
    },
    /// A producer's sign of life.
    Alive {
        /// The producer.
        producer: ProducerId,
        /// Source time, Unix ms; the region's time when absent.
        source_time_ms: Option<u64>,
    },
    /// Make sure that a wager is not placed: a tombstone if it is undecided.
    CloseWager {
        /// Its id.
        id: MintedId,
        /// An operator's reason; `None`: the player abandons it.
        reason: Option<Text>,
    },
    /// Cancel an accepted wager, in part or as a whole; an undecided one is closed.
    CancelWager {
        /// Its id.
        id: MintedId,
        /// In the operator's words.
        reason: Text,
        /// Part of the original stake, in all: it replaces what was said before. `None`: all of it.
        share: Option<Share>,
    },
    /// Cash a part of an open wager out, once per id.
    CashOut {
        /// The wager.
        wager: MintedId,
        /// Minted id of the cash-out.
        id: MintedId,
        /// The quote that the player agrees to.
        quote: CashOutQuote,
    },
    /// Moves the replay clock.
    SetClock {
        /// Unix ms; a lower time than now is refused.
        now_ms: u64,
    },
}

/// Which events.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct EventsQuery {
    /// Of this sport.
    pub sport: Option<Text>,
    /// Starting at this time or later, Unix ms.
    pub from_ms: Option<u64>,
    /// Starting before this time, Unix ms.
    pub to_ms: Option<u64>,
    /// In play, or not.
    pub in_play: Option<bool>,
    /// After this one.
    pub after: Option<EventKey>,
    /// At most so many.
    pub limit: usize,
}

/// Which account.
pub type AccountQuery = AccountId;

/// Everything that reads.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Query {
    /// An account's money.
    Account(AccountQuery),
    /// A wager by id.
    Wager(MintedId),
    /// What placing a wager would come to here and now.
    Quote(Box<QuoteRequest>),
    /// What cashing out a part of a wager's original stake would pay; `None`: all that is in play.
    CashOut(MintedId, Option<Share>),
    /// A withdrawal of an account.
    Withdrawal(AccountId, MintedId),
    /// A market as this region sells it.
    Market(MarketKey),
    /// Events by what is stated of them.
    Events(Box<EventsQuery>),
    /// Markets of an event, in order of their keys.
    EventMarkets {
        /// The event.
        event: EventKey,
        /// After this one.
        after: Option<MarketKey>,
        /// At most so many.
        limit: usize,
    },
    /// Markets by name.
    Markets(Vec<MarketKey>),
    /// Suspensions in force after one, in order.
    Suspensions {
        /// After which.
        after: Option<Suspension>,
        /// At most so many.
        limit: usize,
    },
    /// Liveness of producers.
    Producers,
    /// Regions, links and windows.
    Regions,
    /// Logs, acks, gaps, stopped streams.
    Replication,
    /// Everything about the rights of an account, for operators.
    Escrow(AccountId),
    /// Digests of the replicated state.
    Digest,
    /// The region's own time and mint block.
    Clock,
    /// The same, to mint ids by: refused while this region may not write.
    Mint,
    /// Whether each function is ready.
    Ready,
}
