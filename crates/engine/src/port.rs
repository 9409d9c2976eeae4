//! The engine's port to durable state: what it writes, what it reads back, and what it loads at start.
//! Typed, so that the engine knows no bytes on disk and a store needs no betting.
//! Knows no RocksDB; `store` and the simulator's disk both stand behind it and run the same conformance suite.

use std::sync::Arc;

use bytes::Bytes;
use crdt::{Hlc, Row, Site, Vector};
use feeds::betfair::Book;
use minicbor::{Decode, Encode};
use model::{
    AccountId, Currency, Hash16, MarketKey, MintedId, Posting, Received, Reference, ReferenceDecision, ResultRegister,
    ResultScope, SessionRecord, Text, WagerRecord,
};

use crate::ledger::{Announced, Tenure};
use crate::odds::{RegisterKey, RegisterValue};

/// Head of an account: opened by its birth site, moved by its homes.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Encode, Decode)]
pub struct AccountHead {
    /// Currency, for good.
    #[n(0)]
    pub currency: Currency,
    /// Where all its rights live; the birth site until the home moves.
    #[n(1)]
    pub home: Site,
    /// How the home came to be there; `None` at the birth site.
    #[n(2)]
    pub tenure: Option<Tenure>,
    /// Set while only a move has been heard of and not the opening: its currency is another site's word, which the
    /// birth site's own overrules. This region's own note; what a peer says here is not taken.
    #[n(3)]
    pub hearsay: Option<bool>,
}

/// How far one site's log is known here.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Encode, Decode)]
pub struct LogHead {
    /// Contiguous index; 0 before the first entry.
    #[n(0)]
    pub index: u64,
    /// Hash of the entry at that index.
    #[n(1)]
    pub hash: Hash16,
    /// Order-free sum of the hashes of all entries up to it.
    #[n(2)]
    pub digest: Hash16,
    /// Set when an entry of this site was refused: its stream stands still until a person decides.
    #[n(3)]
    pub stopped: Option<Text>,
}

/// Everything else a region must remember, written once per group.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Encode, Decode)]
pub struct Meta {
    /// Owner's time, Unix ms: never goes back.
    #[n(0)]
    pub owner_ms: u64,
    /// Hybrid clock.
    #[n(1)]
    pub hlc: Hlc,
    /// Odds-plane vector, own component included.
    #[n(2)]
    pub odds: Vector,
    /// Ack floor used by the last batch.
    #[n(4)]
    pub ack_floor: u64,
    /// Numbers of acquire requests up to this one may have been used.
    #[n(5)]
    pub acquires: u64,
    /// Whether this directory may write: all other regions have said `Hello` once, or `--first-start`.
    #[n(6)]
    pub joined: bool,
    /// Windows in the own log: the newest acknowledged announcement and all later ones.
    #[n(11)]
    #[cbor(default)]
    pub windows: Vec<Announced>,
    /// How much of the own log each other site has acknowledged. (Number 3 held them by region: who acknowledged was
    /// not told from its later incarnations, so those are heard anew.)
    #[n(7)]
    #[cbor(default)]
    pub acks: Vec<(Site, u64)>,
    /// Sites whose acks count no more, for good.
    #[n(8)]
    #[cbor(default)]
    pub lost: Vec<Site>,
    /// Why this directory must never write again under its incarnation.
    #[n(9)]
    pub quarantine: Option<Text>,
    /// Per site up to where its prepared wagers are confirmed: of the own log the highest ack floor ever reached, which
    /// never falls; of others what their logs have said.
    #[n(12)]
    #[cbor(default)]
    pub confirmed: Vector,
}

/// One durable change. A batch of them is written as a whole or not at all.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Write {
    /// A log entry as the bytes received. Also its place in the chain.
    Log(Site, u64, Bytes),
    /// How far a log is known.
    LogHead(Site, LogHead),
    /// An account's opening facts.
    Account(AccountId, AccountHead),
    /// A site's row of an account.
    Row(AccountId, Site, Row),
    /// A wager, decided or settled; replaces the one of its id.
    Wager(Arc<WagerRecord>),
    /// Index: the account's wagers.
    AccountWager(AccountId, MintedId),
    /// Index: accepted wagers of a market that this site owns.
    MarketWager(MarketKey, MintedId),
    /// A decided deposit.
    Posting(Posting),
    /// A result register.
    Result(MarketKey, ResultScope, ResultRegister),
    /// A market whose wagers wait to be settled, and after which id; `None` removes the mark.
    Settle(MarketKey, Option<SettleCursor>),
    /// An odds-plane register.
    Odds(RegisterKey, RegisterValue),
    /// An exchange ladder.
    Book(MarketKey, Arc<Book>),
    /// The last acquire request of a site that was granted here, per account: a repeat grants nothing.
    Granted(Site, AccountId, u64),
    /// Everything else.
    Meta(Meta),
    /// A site gave an undecided wager id away or closed it, by its own log; `None` forgets it.
    Handed(MintedId, Site, Option<Handed>),
    /// A wager id of a region that could not be heard when a client asked for it here; `None` forgets it. This region's
    /// own note, in no log.
    Ticket(MintedId, Option<Ticket>),
    /// A decided payment reference.
    Reference(ReferenceDecision),
    /// A payment reference that a site has taken in and that is not decided, as far as is known here; `None` forgets it.
    Received(Reference, Site, Option<Received>),
    /// A session; `None` forgets it.
    Session(MintedId, Option<SessionRecord>),
}

/// What a site did with an undecided wager id instead of deciding it. Final at that site.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Encode, Decode)]
pub struct Handed {
    /// Index of its log entry.
    #[n(0)]
    pub entry: u64,
    /// The site that may decide from then on; `None`: nobody ever may, a tombstone.
    #[n(1)]
    pub to: Option<Site>,
}

/// What this region noted of a wager whose id it could not decide.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Encode, Decode)]
pub struct Ticket {
    /// Whose money.
    #[n(0)]
    pub account: AccountId,
    /// Hash of the parsed body: another one is not answered by this ticket.
    #[n(1)]
    pub body: Hash16,
    /// When it was written, Unix ms of this region's own time.
    #[n(2)]
    pub opened_ms: u64,
    /// An operator has cancelled the id meanwhile, and why.
    #[n(3)]
    pub reason: Option<Text>,
    /// When the owner said that the id has expired undecided, Unix ms of this region's own time; `None`: it stands.
    #[n(4)]
    pub ended_ms: Option<u64>,
}

/// How far the settlement of a market has come.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Encode, Decode)]
pub struct SettleCursor {
    /// Last wager looked at.
    #[n(0)]
    pub after: Option<MintedId>,
}

/// Durable state as the engine reads it. What it shows must include every batch returned since the last commit.
///
/// Reads cannot fail from the engine's point of view: a store that meets a disk error stops the process.
pub trait View {
    /// A decided wager.
    fn wager(&self, id: MintedId) -> Option<Arc<WagerRecord>>;
    /// A decided deposit.
    fn posting(&self, id: MintedId) -> Option<Posting>;
    /// A decided payment reference.
    fn reference(&self, reference: &Reference) -> Option<ReferenceDecision>;
    /// Entries of a log from index `from` on, in order, without a hole, at most `count_max` and about `bytes_max`
    /// (at least one if there is one).
    fn log(&self, site: Site, from: u64, count_max: usize, bytes_max: usize) -> Vec<Bytes>;
    /// Own accepted wagers of a market with an id greater than `after`, in id order.
    fn market_wagers(&self, market: &MarketKey, after: Option<MintedId>, count_max: usize) -> Vec<MintedId>;
    /// Wagers of an account with an id below `before`, newest `place_by` first.
    fn account_wagers(&self, account: &AccountId, before: Option<MintedId>, count_max: usize) -> Vec<MintedId>;
    /// All result registers of a market.
    fn results(&self, market: &MarketKey) -> Vec<(ResultScope, ResultRegister)>;
}

/// Why a store could not write. The process must stop: what was acknowledged is safe, what was not may be lost.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to {place}: {why}")]
pub struct StoreError {
    /// The data directory.
    pub place: String,
    /// The disk's own words.
    pub why: String,
}

/// A store: a [`View`] of what is durable, atomic batches, and the load at start.
pub trait Durable: View {
    /// Shows every record of the tables an engine keeps in memory: `LogHead`, `Account`, `Row`, `Settle`, `Odds`,
    /// `Book`, `Granted`, `Handed`, `Ticket`, `Received`, `Session` and `Meta`. In any order; `Log`, wagers, postings, decided
    /// references, results and indexes stay on disk.
    fn load(&self, visit: &mut dyn FnMut(Write));
    /// Writes a batch as a whole and makes it durable. Later writes of the same key in a batch win.
    ///
    /// # Errors
    /// [`StoreError`]: nothing of the batch may be acknowledged, and the store must not be used again.
    fn commit(&mut self, batch: &[Write]) -> Result<(), StoreError>;
}
