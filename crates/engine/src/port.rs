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

pub use crate::delayed::Delayed;
pub use crate::ledger::Exclusion;
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
    /// Where the log begins here: everything up to it has been cut. `None`: it is whole.
    #[n(4)]
    pub cut: Option<Cut>,
}

/// The front of a log that is kept: entries up to `index` are here no longer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Encode, Decode)]
pub struct Cut {
    /// Index of the last entry that was cut.
    #[n(0)]
    pub index: u64,
    /// Its hash: what the first kept entry is chained to.
    #[n(1)]
    pub hash: Hash16,
    /// Order-free sum of the hashes of all entries up to it.
    #[n(2)]
    pub digest: Hash16,
}

impl LogHead {
    /// Index of the last entry that is not kept; 0 while the log is whole.
    #[must_use]
    pub fn cut_index(&self) -> u64 {
        self.cut.map_or(0, |cut| cut.index)
    }
}

/// A snapshot that has arrived whole, is durable page by page, and is being taken over (`engine::snapshot`).
#[derive(Clone, PartialEq, Eq, Hash, Debug, Encode, Decode)]
pub struct Taking {
    /// The logs that it brings further than they were known here, as they stand in it.
    #[n(0)]
    pub heads: Vec<(Site, LogHead)>,
    /// Pages in all.
    #[n(1)]
    pub pages: u64,
    /// The next one to be taken over.
    #[n(2)]
    pub next: u64,
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
    /// A snapshot being taken over.
    #[n(13)]
    pub taking: Option<Taking>,
    /// Pages of a snapshot may lie in the store.
    #[n(14)]
    #[cbor(default)]
    pub staged: bool,
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
    Meta(Box<Meta>),
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
    /// A site's row of an account's suspensions.
    Exclusion(AccountId, Site, Exclusion),
    /// A wager that waits for its markets' in-play delay; `None` forgets it. This region's own note, in no log.
    Delayed(MintedId, Option<Delayed>),
    /// Removes the entries of a log up to this one. They lie in a sealed segment, or the log has been replaced by a
    /// snapshot's.
    Cut(Site, u64),
    /// A page of a snapshot, as received, by its number.
    Staged(u64, Bytes),
    /// Removes all pages of snapshots.
    Unstage,
}

/// The kinds of record that a snapshot consists of, in the order in which they are read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// Accounts and rows.
    Rows,
    /// Wagers.
    Wagers,
    /// Postings.
    Postings,
    /// Result registers.
    Results,
    /// Hand-overs of wager ids.
    Handed,
    /// Decided payment references.
    References,
    /// Payment references that are taken in and undecided.
    Received,
    /// Sessions.
    Sessions,
    /// Rows of accounts' suspensions.
    Exclusions,
}

impl Kind {
    /// All of them, in order.
    pub const ALL: [Self; 9] = [
        Self::Rows,
        Self::Wagers,
        Self::Postings,
        Self::Results,
        Self::Handed,
        Self::References,
        Self::Received,
        Self::Sessions,
        Self::Exclusions,
    ];
}

/// Durable state as it was at one moment, whatever has been committed since. Reads cannot fail, as with [`View`].
pub trait Pinned {
    /// Records of a kind in key order, after the one given (or from the first), at most `count_max` and about
    /// `bytes_max` (at least one if there is one).
    fn records(&self, kind: Kind, after: Option<&Write>, count_max: usize, bytes_max: usize) -> Vec<Write>;
    /// All log heads.
    fn heads(&self) -> Vec<(Site, LogHead)>;
    /// The engine's own numbers.
    fn meta(&self) -> Meta;
}

/// What a store can do beside the commits: from any thread, and at any length.
pub trait Archive {
    /// Shows durable state as it is now for as long as `read` lasts.
    fn pinned(&self, read: &mut dyn FnMut(&dyn Pinned));
    /// Seals entries `first..=last` of a log into a segment and makes it durable. Repeating it is harmless.
    ///
    /// # Errors
    /// [`StoreError`]: there is no such segment; the entries are where they were.
    fn seal(&self, site: Site, first: u64, last: u64) -> Result<Seal, StoreError>;
    /// The entries of a sealed segment, every one checked against its chain and the segment's checksum.
    ///
    /// # Errors
    /// [`StoreError`]: there is no such segment, or it is damaged.
    fn segment(&self, site: Site, first: u64, last: u64) -> Result<Vec<Bytes>, StoreError>;
}

/// What a sealed segment ends with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seal {
    /// Hash of its last entry.
    pub hash: Hash16,
    /// Order-free sum of the hashes of its entries.
    pub sum: Hash16,
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
    /// A page of a snapshot.
    fn staged(&self, page: u64) -> Option<Bytes>;
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
    /// `Book`, `Granted`, `Handed`, `Ticket`, `Received`, `Session`, `Exclusion`, `Delayed` and `Meta`. In any order; `Log`, wagers, postings, decided
    /// references, results, indexes and staged pages stay on disk.
    fn load(&self, visit: &mut dyn FnMut(Write));
    /// Writes a batch as a whole and makes it durable. Later writes of the same key in a batch win.
    ///
    /// # Errors
    /// [`StoreError`]: nothing of the batch may be acknowledged, and the store must not be used again.
    fn commit(&mut self, batch: &[Write]) -> Result<(), StoreError>;
}
