//! What a region answers: decisions, views and refusals, as data. A refusal is not an error.
//! Knows no HTTP; `api` gives every variant its status code.

use std::sync::Arc;

use crdt::{Dot, Hlc, Site, Vector};

use crate::escrow::ShareView;
use crate::trading_views::{DelayView, EventView, SuspensionView, TicketView};
use crate::{
    AccountId, CashOutQuote, Currency, Definition, EscrowView, EventKey, Hash16, MarketKey, MarketStatus, Mint,
    MintedId, Odds, OutcomeKey, OutcomeResult, Posting, Problem, ProducerId, QuoteView, Received, ReferenceDecision,
    RejectCode, Session, SessionView, Text, WagerRecord,
};

/// Why nothing was decided or changed. Nothing is recorded for any of these.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// A field's value is wrong (422).
    Malformed {
        /// Path of the field.
        field: Text,
        /// What is wrong with it.
        why: Text,
    },
    /// The id is decided with another body (409).
    IdReused,
    /// Another region decides this id (503, same id, there).
    NotOwner {
        /// Number of that region.
        region: u16,
    },
    /// `place_by` lies beyond the horizon (422).
    IdHorizon,
    /// The id was closed before it was decided: final (200, `not_placed`).
    IdClosed,
    /// The wager is accepted; cancelling it is another act (409).
    WagerAccepted,
    /// No such wager is known here (404).
    WagerUnknown,
    /// The wager is not open: there is nothing to cash out, or nothing to cancel a part of (409).
    WagerNotOpen {
        /// Its state, or what it is instead.
        state: &'static str,
    },
    /// A leg that is still open is not on sale now, or has no price (409).
    CashOutUnavailable {
        /// All legs at fault, with the code that admission has for them.
        problems: Vec<Problem>,
    },
    /// The quote holds no longer: time, prices or the wager itself have moved on (409).
    QuoteExpired {
        /// What holds now.
        quote: CashOutQuote,
        /// For writing it.
        currency: Currency,
    },
    /// `place_by` has passed at its owner: final, though not recorded (200).
    IdExpired,
    /// Money exists, but not enough of it here, and it could not be fetched in time (503).
    InsufficientLocalFunds {
        /// Spendable here, minor units.
        spendable_here: u64,
        /// Known elsewhere or in transfer, minor units.
        elsewhere: u64,
        /// For writing both.
        currency: Currency,
    },
    /// The money is here, but other regions do not know yet of enough that was spent or credited here (503).
    ReplicationWindow {
        /// What a wager could take here now, minor units.
        spendable_here: u64,
        /// For writing it.
        currency: Currency,
    },
    /// The region that has to act cannot be reached (503).
    RegionUnreachable {
        /// Its name.
        region: Text,
    },
    /// The token's cut was not reached in time (503).
    TokenAhead,
    /// The token names a site this region has never heard of (422).
    TokenUnknownSite,
    /// The node may not serve this yet, or any more (503).
    NotReady {
        /// Why.
        why: Text,
    },
    /// A bound was reached (503).
    Overloaded {
        /// Which.
        what: Text,
    },
    /// May merely not have arrived (404).
    AccountUnknown,
    /// May merely not have arrived (404).
    MarketUnknown,
    /// May merely not have arrived (404).
    SelectionUnknown,
    /// The account exists in another currency (409).
    CurrencyDiffers {
        /// The currency it has.
        has: Currency,
    },
    /// The replay clock does not go back (409).
    ClockBack {
        /// Where it stands, Unix ms.
        now_ms: u64,
    },
    /// Only with `--clock replay` (409).
    ClockNotReplay,
    /// The account owes money, which comes before any withdrawal (409).
    DebtOutstanding,
    /// May merely not have arrived (404).
    WithdrawalUnknown,
    /// May merely not have arrived (404).
    SessionUnknown,
    /// The withdrawal's entry is not durable in enough regions yet: confirm or release later (409).
    NotHeldYet,
    /// The withdrawal was confirmed and is not released any more (409).
    WithdrawalConfirmed,
    /// The withdrawal was released and is not confirmed any more (409).
    WithdrawalReleased,
    /// The withdrawal was refused for good: there is nothing to confirm or release (409).
    WithdrawalRefused,
    /// A source time older than what the slot holds, where a write says nothing new (409).
    SourceOlder,
}

/// Answer to one wager of a place command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum WagerAnswer {
    /// Decided: by this call, or earlier with the same body.
    Decided {
        /// The record.
        record: Arc<WagerRecord>,
        /// Whether it was decided before this call.
        replayed: bool,
    },
    /// Prepared: admitted and recorded, its money reserved. It counts as accepted once enough other regions hold it,
    /// and then for good; nothing but the loss of this region can come between.
    AwaitingAck {
        /// The record.
        record: Arc<WagerRecord>,
        /// Whether it was recorded before this call.
        replayed: bool,
    },
    /// Not decided: the region that may decide the id cannot be heard. Recorded here, with no money set aside.
    Ticket(TicketView),
    /// Recorded, its money set aside; it is judged once its markets' in-play delay is over.
    Delayed(DelayView),
    /// Not decided.
    Refused(Refusal),
}

/// What is known of a wager id here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum WagerView {
    /// Decided, and the decision is here.
    Known(Arc<WagerRecord>),
    /// Prepared, and not known here to be durable in enough regions yet.
    AwaitingAck(Arc<WagerRecord>),
    /// This region decides it, and it was not placed; `definitive` once it no longer can be.
    NotPlaced {
        /// Whether `place_by` has passed in this owner's time.
        definitive: bool,
    },
    /// Another region decides it, and nothing has arrived from there.
    Unknown {
        /// Number of that region.
        owner: u16,
    },
    /// Another region decides it, and this one has promised to find out as soon as it can.
    Ticket(TicketView),
    /// This region decides it, once its markets' in-play delay is over.
    Delayed(DelayView),
}

/// An account as this region knows it. Amounts in minor units.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccountView {
    /// The account.
    pub account: AccountId,
    /// Its currency.
    pub currency: Currency,
    /// Free money everywhere, in transfer included.
    pub balance: i128,
    /// What a wager may take here at once.
    pub spendable_here: i128,
    /// What a wager may take here if it waits for rights.
    pub spendable_with_wait: i128,
    /// Reserved for open wagers, everywhere.
    pub reserved: i128,
    /// On its way between regions.
    pub in_transfer: i128,
    /// Set aside for withdrawals, everywhere.
    pub held: i128,
    /// Debt everywhere.
    pub debt: i128,
    /// The home's site.
    pub home: Site,
    /// Whether it is suspended: it takes no wagers.
    pub excluded: bool,
    /// Shares by site.
    pub shares: Vec<ShareView>,
}

/// One outcome as this region sells it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OutcomeView {
    /// Its key.
    pub key: OutcomeKey,
    /// Name for people.
    pub name: Text,
    /// Whether a wager on it would pass admission now.
    pub sellable: bool,
    /// Why not.
    pub refusal: Option<RejectCode>,
    /// Odds on offer.
    pub odds: Option<Odds>,
    /// Whether an operator pinned them.
    pub pinned: bool,
    /// The write they come from.
    pub dot: Option<Dot>,
    /// Result, if any.
    pub result: Option<OutcomeResult>,
}

/// A runner of an exchange market. Numbers as exact decimal texts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExchangeRunnerView {
    /// Selection id.
    pub id: u64,
    /// Handicap.
    pub hc: String,
    /// The stream's status; `None` without a definition.
    pub status: Option<String>,
    /// Adjustment factor.
    pub adjustment_factor: Option<String>,
    /// Starting price.
    pub bsp: Option<String>,
    /// Last traded price.
    pub ltp: Option<String>,
    /// Best price to back: price, size.
    pub best_back: Option<(String, String)>,
    /// Best price to lay: price, size.
    pub best_lay: Option<(String, String)>,
    /// Levels left in `atb`.
    pub back_levels: usize,
    /// Levels left in `atl`.
    pub lay_levels: usize,
}

/// The exchange's own view of a market, in the region its stream enters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExchangeView {
    /// The stream's status.
    pub status: String,
    /// In play.
    pub in_play: bool,
    /// Delay in s.
    pub bet_delay: u32,
    /// Active runners.
    pub active_runners: u32,
    /// Whether starting prices are reconciled.
    pub bsp_reconciled: bool,
    /// The definition's version.
    pub version: u64,
    /// Runners by (id, handicap).
    pub runners: Vec<ExchangeRunnerView>,
}

/// A market as this region sells it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MarketView {
    /// Its key.
    pub market: MarketKey,
    /// What it is.
    pub definition: Definition,
    /// Effective status.
    pub status: MarketStatus,
    /// Whether an operator holds it suspended.
    pub held: bool,
    /// The producer it follows.
    pub producer: Option<ProducerId>,
    /// Whether anything of it is sold here now.
    pub sellable: bool,
    /// Why not.
    pub refusal: Option<RejectCode>,
    /// Newest hybrid time of its registers.
    pub version: Hlc,
    /// Outcomes in display order.
    pub outcomes: Vec<OutcomeView>,
    /// Only where its exchange stream enters.
    pub exchange: Option<ExchangeView>,
}

/// A refused item of an odds call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OddsReport {
    /// Items written.
    pub applied: usize,
    /// Items that said nothing newer than what is held.
    pub ignored: usize,
    /// Items refused by themselves.
    pub refused: Vec<(usize, Refusal)>,
}

/// A refused line of a feed call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LineRefusal {
    /// Line, from 1.
    pub line: usize,
    /// Stable code.
    pub code: &'static str,
    /// What to do.
    pub detail: String,
}

/// What became of a feed call.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FeedReport {
    /// Messages read.
    pub messages: usize,
    /// Applied.
    pub applied: usize,
    /// Known and not used.
    pub ignored: usize,
    /// Refused, each by itself.
    pub refused: Vec<LineRefusal>,
}

/// Liveness of a producer here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProducerView {
    /// The producer.
    pub producer: ProducerId,
    /// Whether its odds are sold here.
    pub up: bool,
    /// Why not.
    pub refusal: Option<RejectCode>,
    /// Age of the newest sign of life, ms; `None` if never heard since start.
    pub age_ms: Option<u64>,
}

/// One link to another region.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LinkView {
    /// Region number.
    pub region: u16,
    /// Region name.
    pub name: Text,
    /// Whether its `Hello` stands.
    pub connected: bool,
    /// Its site, once known.
    pub site: Option<Site>,
    /// Entries of our log it has acknowledged.
    pub acked: u64,
    /// Odds values waiting for it.
    pub odds_dirty: usize,
}

/// A region and its links.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RegionView {
    /// Region number.
    pub region: u16,
    /// Region name.
    pub name: Text,
    /// Whether this is the region that answers.
    pub here: bool,
    /// Whether it is connected.
    pub connected: bool,
    /// If it is not: the region that requests to it go through.
    pub reached_through: Option<Text>,
}

/// The cluster as seen from here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RegionsView {
    /// Cluster name.
    pub cluster: Text,
    /// This site.
    pub site: Site,
    /// All regions.
    pub regions: Vec<RegionView>,
}

/// One site's log as known here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogView {
    /// The site.
    pub site: Site,
    /// Contiguous index.
    pub index: u64,
    /// Chain hash at that index.
    pub hash: Hash16,
    /// Order-free sum of entry hashes.
    pub digest: Hash16,
    /// Why its stream was stopped, if it was.
    pub stopped: Option<Text>,
}

/// Replication as seen from here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReplicationView {
    /// Ack floor of the own log: durable at enough other regions.
    pub ack_floor: u64,
    /// Logs by site.
    pub logs: Vec<LogView>,
    /// Links by region.
    pub links: Vec<LinkView>,
    /// Odds vector.
    pub odds: Vector,
    /// Index up to which each log has been cut here; 0: it is whole.
    pub cuts: Vec<(Site, u64)>,
    /// The snapshot that this region takes, if it takes one.
    pub snapshot: Option<SnapshotView>,
}

/// A snapshot under way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SnapshotView {
    /// The region that serves it; `None` once it is here as a whole.
    pub from: Option<u16>,
    /// Pages received.
    pub pages: u64,
    /// Pages taken over; `None` while they come in.
    pub taken: Option<u64>,
}

/// Digests of the replicated state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DigestView {
    /// Logs by site.
    pub logs: Vec<LogView>,
    /// Odds vector.
    pub odds: Vector,
    /// Digest of all odds registers.
    pub odds_digest: Hash16,
    /// Digest of all merged account rows.
    pub ledger_digest: Hash16,
}

/// The region's own time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClockView {
    /// Owner's time, Unix ms (the replay clock's time with `--clock replay`).
    pub now_ms: u64,
    /// Whether the clock is the replay clock.
    pub replay: bool,
    /// Greatest lead of a peer's hybrid time seen so far, ms.
    pub peer_ahead_ms_max: u64,
    /// For minting ids.
    pub mint: Mint,
}

/// Readiness by function; `None` is ready, else why not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReadyView {
    /// May take wagers and postings.
    pub money: Option<Text>,
    /// May sell odds.
    pub odds: Option<Text>,
    /// Hears the others.
    pub replication: Option<Text>,
}

/// Everything a region answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// An account opened by this call, or there before.
    AccountOpened {
        /// How it stands.
        view: AccountView,
        /// Whether this call created it.
        created: bool,
    },
    /// An account.
    Account(AccountView),
    /// A deposit or an adjustment decided by this call, or before with the same body.
    Deposited {
        /// The posting.
        posting: Posting,
        /// For writing amounts.
        currency: Currency,
        /// Whether it was decided before this call.
        replayed: bool,
    },
    /// A payment provider's word is durably here, and the account's birth site has not decided it yet.
    Received(Received),
    /// A payment provider's reference was refused for good.
    ReferenceRefused {
        /// The decision.
        decision: ReferenceDecision,
        /// Whether it was made before this call.
        replayed: bool,
    },
    /// A session opened by this call, or before with the same body.
    Session(SessionView),
    /// A session that is ended, for good.
    SessionEnded {
        /// The session.
        session: Session,
        /// When it was.
        at: Hlc,
        /// Whether it was before this call.
        replayed: bool,
    },
    /// A withdrawal as it stands.
    Withdrawal {
        /// The posting.
        posting: Posting,
        /// For writing amounts.
        currency: Currency,
        /// Whether its rights are held: durable in enough other regions, and neither confirmed nor released.
        held: bool,
        /// Whether this call changed nothing.
        replayed: bool,
    },
    /// Answers to a place command, in order.
    Placed(Vec<WagerAnswer>),
    /// What is known of a wager id.
    Wager {
        /// The id asked for.
        id: MintedId,
        /// What is known.
        view: WagerView,
    },
    /// A market, read or just written.
    Market(Box<MarketView>),
    /// Markets, read.
    Markets {
        /// As this region sells them.
        list: Vec<MarketView>,
        /// Those asked for by name that are unknown here: they may merely not have arrived.
        unknown: Vec<MarketKey>,
        /// After which market the next page begins; `None`: there is none.
        next: Option<MarketKey>,
    },
    /// Events, read.
    Events {
        /// In order of their keys.
        list: Vec<EventView>,
        /// After which event the next page begins; `None`: there is none.
        next: Option<EventKey>,
    },
    /// What became of price writes.
    Odds(OddsReport),
    /// What became of feed lines.
    Feed(FeedReport),
    /// What placing would come to.
    Quote(Box<QuoteView>),
    /// A scope just suspended or lifted, as it stands.
    Suspended(SuspensionView),
    /// Suspensions in force, and whether there are more.
    Suspensions {
        /// In order.
        list: Vec<SuspensionView>,
        /// Whether the list was cut off.
        more: bool,
    },
    /// What a cash-out would pay.
    CashOutQuoted {
        /// The offer.
        quote: CashOutQuote,
        /// For writing it.
        currency: Currency,
    },
    /// A cash-out decided by this call, or before with the same body.
    CashedOut {
        /// Its decision.
        posting: Posting,
        /// The wager as it stands.
        record: Arc<WagerRecord>,
        /// Whether it was decided before this call.
        replayed: bool,
    },
    /// Liveness of producers.
    Producers(Vec<ProducerView>),
    /// Regions.
    Regions(RegionsView),
    /// Replication.
    Replication(ReplicationView),
    /// The rights of an account.
    Escrow(Box<EscrowView>),
    /// Digests.
    Digest(DigestView),
    /// Time.
    Clock(ClockView),
    /// Readiness.
    Ready(ReadyView),
    /// Nothing was decided or changed.
    Refused(Refusal),
}
