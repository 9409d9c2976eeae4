//! What a region behind the cut of a log is given instead of entries: every replicated record as it stood at one
//! vector, page by page. Pure; the same code serves in `node`, in `sim` and in the tests.
//!
//! A snapshot is read from a *pinned* state ([`Pinned`]), so all its pages show one vector V, and a site's records in
//! it are exactly what the first V(site) entries of its log say. A snapshot read from the live state could not be told
//! from the entries that follow it: a settlement would be heard twice, and a grant that lies beyond V would count
//! before its entry is in the taker's prefix (ESCROW.md 2.5, T3). What holds for each kind: a row, a wager, a posting
//! and a hand-over are written by the log of one site alone, so whoever knows more of that log keeps its own; a result
//! register and an account's home are joins over all logs, in any order.
//!
//! A kind of record is one line each in [`Kind`], in [`Record`], in [`Record::of`], in a store's `Pinned`, and in
//! `ledger::snapshot`.

use crdt::{Row, Site, Vector};
use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};
use model::limits::{SNAPSHOT_PAGE_BYTES_MAX, SNAPSHOT_PAGE_RECORDS_MAX};
use model::{
    AccountId, Hash16, MarketKey, MintedId, Posting, Received, ReferenceDecision, ResultRegister, ResultScope,
    SessionRecord,
};

use crate::ledger::Exclusion;
use crate::log::{SharedWager, hash16, sum16};
use crate::port::{AccountHead, Handed, Kind, LogHead, Pinned, Write};
use crate::wire::{PeerMessage, SnapshotAsk, SnapshotPage, SnapshotWord};

/// One replicated record.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum Record {
    /// An account's opening facts and its home.
    #[n(0)]
    Account(#[n(0)] AccountId, #[n(1)] AccountHead),
    /// A site's row of an account.
    #[n(1)]
    Row(#[n(0)] AccountId, #[n(1)] Site, #[n(2)] Row),
    /// A wager as its owner's log has it.
    #[n(2)]
    Wager(#[n(0)] SharedWager),
    /// A posting as its site's log has it.
    #[n(3)]
    Posting(#[n(0)] Posting),
    /// A result register.
    #[n(4)]
    Result(#[n(0)] MarketKey, #[n(1)] ResultScope, #[n(2)] ResultRegister),
    /// What a site did with a wager id instead of deciding it.
    #[n(5)]
    Handed(#[n(0)] MintedId, #[n(1)] Site, #[n(2)] Handed),
    /// A decided payment reference.
    #[n(6)]
    Reference(#[n(0)] ReferenceDecision),
    /// A payment reference that a site has taken in and that is undecided.
    #[n(7)]
    Received(#[n(0)] Site, #[n(1)] Received),
    /// A session.
    #[n(8)]
    Session(#[n(0)] MintedId, #[n(1)] SessionRecord),
    /// Per site up to where its prepared wagers are confirmed. The first record of every snapshot; no store's own.
    #[n(9)]
    Confirmed(#[n(0)] Vector),
    /// A site's row of an account's suspensions.
    #[n(22)]
    Exclusion(#[n(0)] AccountId, #[n(1)] Site, #[n(2)] Exclusion),
}

impl Record {
    /// What of a stored record is replicated.
    #[must_use]
    pub fn of(write: Write) -> Option<Self> {
        Some(match write {
            Write::Account(account, head) => Self::Account(account, head),
            Write::Row(account, site, row) => Self::Row(account, site, row),
            Write::Wager(wager) => Self::Wager(SharedWager(wager)),
            Write::Posting(posting) => Self::Posting(posting),
            Write::Result(market, scope, register) => Self::Result(market, scope, register),
            Write::Handed(id, site, Some(handed)) => Self::Handed(id, site, handed),
            Write::Reference(decision) => Self::Reference(decision),
            Write::Received(_, site, Some(received)) => Self::Received(site, received),
            Write::Session(id, Some(record)) => Self::Session(id, record),
            Write::Exclusion(account, site, row) => Self::Exclusion(account, site, row),
            _ => return None,
        })
    }

    /// Reads a record of a page.
    ///
    /// # Errors
    /// The decoder's words, also for bytes after its end.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        let mut d = minicbor::Decoder::new(bytes);
        let record = d.decode().map_err(|e: minicbor::decode::Error| e.to_string())?;
        if d.position() == bytes.len() { Ok(record) } else { Err("bytes after a record".to_owned()) }
    }
}

/// Order-free sum of the hashes of records.
#[must_use]
pub fn sum_of(records: &[ByteVec]) -> Hash16 {
    records.iter().fold(Hash16::default(), |sum, r| sum16(sum, hash16(r)))
}

/// Hash of what the end of a snapshot states.
#[must_use]
pub fn check_of(id: u64, pages: u64, sum: Hash16, heads: &[(Site, u64, Hash16, Hash16)]) -> Hash16 {
    hash16(&minicbor::to_vec((id, pages, sum, heads)).expect("writing to memory cannot fail"))
}

/// A snapshot that is being served to one peer, over a state that whoever holds this keeps pinned. Holds no page.
#[derive(Clone, Debug)]
pub struct Served {
    id: u64,
    page: u64,
    /// Before the page asked for last, and after it.
    at: Mark,
    next: Mark,
    heads: Vec<(Site, u64, Hash16, Hash16)>,
    confirmed: Vector,
}

#[derive(Clone, Debug, Default)]
struct Mark {
    /// Index into [`Kind::ALL`].
    kind: usize,
    after: Option<Write>,
    sum: Hash16,
}

impl Served {
    /// Begins to serve a pinned state. `None` while a snapshot is being taken over in it: then it is of no one vector.
    #[must_use]
    pub fn begin(id: u64, pinned: &dyn Pinned) -> Option<Self> {
        let head = |(site, h): (Site, LogHead)| (site, h.index, h.hash, h.digest);
        let heads = pinned.heads().into_iter().map(head).collect();
        let meta = pinned.meta();
        let confirmed = meta.confirmed;
        let begun = Self { id, page: 0, at: Mark::default(), next: Mark::default(), heads, confirmed };
        meta.taking.is_none().then_some(begun)
    }

    /// Whether a question begins a snapshot, so that the state must be pinned anew.
    #[must_use]
    pub fn is_begun_by(ask: SnapshotAsk, served: Option<&Self>) -> bool {
        ask.page == 0 && served.is_none_or(|s| s.id != ask.id)
    }

    /// The answer that there is no such snapshot here.
    #[must_use]
    pub const fn unknown(id: u64) -> PeerMessage {
        PeerMessage::SnapshotWord(SnapshotWord::Unknown { id })
    }

    /// Answers a question: a page, or the end. The same question again gets the same answer; one that was overtaken by
    /// the next gets none.
    #[must_use]
    pub fn answer(&mut self, ask: SnapshotAsk, pinned: &dyn Pinned) -> Option<PeerMessage> {
        if ask.id == self.id && ask.page == self.page + 1 {
            (self.at, self.page) = (self.next.clone(), ask.page);
        }
        if ask.id == self.id && ask.page < self.page {
            return None;
        }
        if (ask.id, ask.page) != (self.id, self.page) {
            return Some(Self::unknown(ask.id));
        }
        let (mut mark, mut records, mut bytes) = (self.at.clone(), Vec::new(), 0);
        let put = |mark: &mut Mark, records: &mut Vec<ByteVec>, record: &Record| {
            let record = minicbor::to_vec(record).expect("writing to memory cannot fail");
            let size = record.len();
            mark.sum = sum16(mark.sum, hash16(&record));
            records.push(ByteVec::from(record));
            size
        };
        if ask.page == 0 {
            bytes += put(&mut mark, &mut records, &Record::Confirmed(self.confirmed.clone()));
        }
        while let Some(kind) = Kind::ALL.get(mark.kind) {
            let count = SNAPSHOT_PAGE_RECORDS_MAX.saturating_sub(records.len());
            let room = SNAPSHOT_PAGE_BYTES_MAX.saturating_sub(bytes);
            if count == 0 || room == 0 {
                break;
            }
            let found = pinned.records(*kind, mark.after.as_ref(), count, room);
            if found.is_empty() {
                (mark.kind, mark.after) = (mark.kind + 1, None);
            }
            for write in found {
                mark.after = Some(write.clone());
                let record = Record::of(write).expect("a pinned state shows replicated records only");
                bytes += put(&mut mark, &mut records, &record);
            }
        }
        self.next = mark;
        let id = self.id;
        if records.is_empty() {
            let (pages, sum, heads) = (self.page, self.at.sum, self.heads.clone());
            let check = check_of(id, pages, sum, &heads);
            return Some(PeerMessage::SnapshotWord(SnapshotWord::End { id, pages, sum, heads, check }));
        }
        let sum = sum_of(&records);
        Some(PeerMessage::SnapshotPage(SnapshotPage { id, page: ask.page, records, sum }))
    }
}
