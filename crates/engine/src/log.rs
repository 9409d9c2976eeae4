//! A site's log: what an entry holds, its bytes and its place in the hash chain.
//! Knows encoding and chaining; knows no merge rules and no peers.

use std::sync::Arc;

use bytes::Bytes;
use crdt::{Hlc, Row, Site};
use minicbor::decode::Decoder;
use minicbor::encode::{Encoder, Write};
use minicbor::{Decode, Encode};
use model::{
    AccountId, Amount, Hash16, MarketKey, MintedId, Posting, Received, ReferenceDecision, ResultRegister, ResultScope,
    Session, Text, WagerRecord, WagerState,
};

use crate::ledger::{Exclusion, Exposure};
use crate::port::{AccountHead, LogHead, Seal};

/// One committed step of one site. Kept and relayed as the bytes received.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Entry {
    /// The writer.
    #[n(0)]
    pub site: Site,
    /// Its index, from 1, without holes.
    #[n(1)]
    pub seq: u64,
    /// Hash of the entry before it; zero for the first.
    #[n(2)]
    pub prev: Hash16,
    /// Hybrid time.
    #[n(3)]
    pub at: Hlc,
    /// Who did it.
    #[n(4)]
    pub by: Cause,
    /// What happened, in order; rows stand last and are absolute.
    #[n(5)]
    pub events: Vec<Event>,
}

/// Who made an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum Cause {
    /// A client's request.
    #[n(0)]
    Client,
    /// A feed.
    #[n(1)]
    Feed,
    /// An operator.
    #[n(2)]
    Operator,
    /// Settlement, following results.
    #[n(3)]
    Settlement,
    /// Another region: its request for rights, or rights that came from it.
    #[n(4)]
    Peer,
}

/// What can happen in a log.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum Event {
    /// An account was opened by its birth site.
    #[n(0)]
    Account(#[n(0)] AccountId, #[n(1)] AccountHead),
    /// The writer's row of an account after this entry.
    #[n(1)]
    Row(#[n(0)] AccountId, #[n(1)] Row),
    /// A wager was decided by its owner.
    #[n(2)]
    Wager(#[n(0)] SharedWager),
    /// A wager's money followed a result.
    #[n(3)]
    Settled(#[n(0)] Settled),
    /// A deposit was decided by its owner.
    #[n(4)]
    Posting(#[n(0)] Posting),
    /// A result register after this entry, whole.
    #[n(5)]
    Result(#[n(0)] MarketKey, #[n(1)] ResultScope, #[n(2)] ResultRegister),
    /// Rights were granted on a request; the row of this entry carries them.
    #[n(6)]
    Grant(#[n(0)] Grant),
    /// A payment reference was decided by the account's birth site; the posting that it credits stands before it.
    #[n(11)]
    Referenced(#[n(0)] ReferenceDecision),
    /// A payment reference was taken in for its birth site.
    #[n(12)]
    Received(#[n(0)] Received),
    /// A session was opened by the region in its id.
    #[n(16)]
    Session(#[n(0)] Session),
    /// A session was ended, for good.
    #[n(18)]
    SessionEnded(#[n(0)] SessionEnded),
    /// A withdrawal was confirmed or released by its origin.
    #[n(10)]
    Resolved(#[n(0)] Resolved),
    /// An account's home has moved; the rights move with it, in this entry.
    #[n(13)]
    Home(#[n(0)] AccountId, #[n(1)] AccountHead),
    /// The writer's exposure windows from here on, whole.
    #[n(7)]
    Windows(#[n(0)] Vec<Exposure>),
    /// Every prepared wager of the writer up to this index of its log is durable in enough other regions: accepted, for
    /// good. Written in the group that first says so to a client, so that the answer's token covers it.
    #[n(14)]
    Confirmed(#[n(0)] u64),
    /// The writer gave up the right to decide a wager id, in favour of one other site.
    #[n(8)]
    Fenced(#[n(0)] Fenced),
    /// The writer closed an undecided wager id: nobody may decide it any more.
    #[n(9)]
    Cancelled(#[n(0)] Cancelled),
    /// The writer's row of an account's suspensions after this entry, whole.
    #[n(22)]
    Excluded(#[n(0)] AccountId, #[n(1)] Exclusion),
    /// A part of a wager was cashed out.
    #[n(19)]
    CashedOut(#[n(0)] CashedOut),
    /// An operator said which part of an accepted wager is cancelled, in all.
    #[n(20)]
    Revoked(#[n(0)] Revoked),
}

/// A cash-out: its posting, and how the wager stands after it.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct CashedOut {
    /// The decision under the cash-out's own id.
    #[n(0)]
    pub posting: Posting,
    /// The wager after it.
    #[n(1)]
    pub settled: Settled,
    /// Stake of the wager consumed in all after it.
    #[n(2)]
    pub burned: Amount,
}

/// A cancel of an accepted wager, in part or as a whole, and how the wager stands after it.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Revoked {
    /// The wager after it.
    #[n(0)]
    pub settled: Settled,
    /// What part of the original stake, in all, and why.
    #[n(1)]
    pub cancelled: model::Cancelled,
    /// Stake of the wager consumed in all after it.
    #[n(2)]
    pub burned: Amount,
}

/// The hand-over of an undecided wager id.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Fenced {
    /// The wager id.
    #[n(0)]
    pub id: MintedId,
    /// Who may decide it, once this entry is in its prefix.
    #[n(1)]
    pub to: Site,
    /// Hash of the body that it was asked for with.
    #[n(2)]
    pub body: Hash16,
}

/// The tombstone of an undecided wager id; who wanted it is the entry's cause.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Cancelled {
    /// The wager id.
    #[n(0)]
    pub id: MintedId,
    /// An operator's reason.
    #[n(1)]
    pub reason: Option<Text>,
}

/// A wager record shared between the entry that carries it and the batch that stores it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SharedWager(pub Arc<WagerRecord>);

impl<C> Encode<C> for SharedWager {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, ctx: &mut C) -> Result<(), minicbor::encode::Error<W::Error>> {
        self.0.encode(e, ctx)
    }
}

impl<'b, C> Decode<'b, C> for SharedWager {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        WagerRecord::decode(d, ctx).map(|record| Self(Arc::new(record)))
    }
}

/// A settlement of one wager: absolute, so that a repeat is harmless.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Settled {
    /// The wager.
    #[n(0)]
    pub id: MintedId,
    /// Number of this settlement, from 1, strictly rising.
    #[n(1)]
    pub version: u32,
    /// How the wager stands after it.
    #[n(2)]
    pub state: WagerState,
    /// Paid in all after it, minor units.
    #[n(3)]
    pub paid: u64,
    /// Legs, by index, that are void because they were taken after their market had closed; `None`: none.
    #[n(4)]
    pub past_posted: Option<Vec<u8>>,
}

/// The end of a withdrawal.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Resolved {
    /// The withdrawal.
    #[n(0)]
    pub id: MintedId,
    /// Whether the money has gone, rather than come back.
    #[n(1)]
    pub confirmed: bool,
}

/// The end of a session.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct SessionEnded {
    /// The session.
    #[n(0)]
    pub id: MintedId,
    /// Hybrid time of the end; of several the earliest stands.
    #[n(1)]
    pub at: Hlc,
}

/// A grant of rights.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Grant {
    /// To whom.
    #[n(0)]
    pub to: Site,
    /// Whose rights.
    #[n(1)]
    pub account: AccountId,
    /// How many, minor units.
    #[n(2)]
    pub amount: u64,
    /// The requester's number; 0 for a push without request, and for rights that go with a wager id handed over by the
    /// same entry.
    #[n(3)]
    pub request: u64,
}

/// Why bytes cannot follow a log. Nothing was applied.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EntryError {
    /// Not an entry.
    #[error("the entry's bytes cannot be read: {0}")]
    Undecodable(String),
    /// Of another site than stated.
    #[error("the entry belongs to site {0}")]
    OtherSite(Site),
    /// Does not follow the hash chain.
    #[error("the entry does not follow the hash chain at index {0}")]
    Forked(u64),
    /// An event breaks a rule of the ledger.
    #[error("{0}")]
    Refused(String),
}

impl Entry {
    /// The entry's bytes.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        Bytes::from(minicbor::to_vec(self).expect("writing to memory cannot fail"))
    }

    /// Reads an entry.
    ///
    /// # Errors
    /// [`EntryError::Undecodable`], also for bytes after its end.
    pub fn decode(bytes: &[u8]) -> Result<Self, EntryError> {
        let mut d = Decoder::new(bytes);
        let entry = d.decode().map_err(|e: minicbor::decode::Error| EntryError::Undecodable(e.to_string()))?;
        if d.position() == bytes.len() { Ok(entry) } else { Err(EntryError::Undecodable("bytes after its end".into())) }
    }
}

/// First 16 bytes of the BLAKE3 hash: finds faults, not forgery.
#[must_use]
pub fn hash16(bytes: &[u8]) -> Hash16 {
    let hash = blake3::hash(bytes);
    let mut out = [0; 16];
    out.copy_from_slice(hash.as_bytes().first_chunk::<16>().expect("a BLAKE3 hash has 32 bytes"));
    Hash16(out)
}

impl LogHead {
    /// The head after one more entry of these bytes.
    #[must_use]
    pub fn after(&self, bytes: &[u8]) -> Self {
        let hash = hash16(bytes);
        Self { index: self.index + 1, hash, digest: sum16(self.digest, hash), stopped: None, cut: self.cut }
    }
}

/// What consecutive entries of a log end with, every one checked against the chain.
///
/// # Errors
/// [`EntryError`] of the first that does not follow the one before it.
pub fn seal_of(site: Site, first: u64, entries: &[Bytes]) -> Result<Seal, EntryError> {
    let mut seal = Seal { hash: Hash16::default(), sum: Hash16::default() };
    for (seq, bytes) in (first..).zip(entries) {
        let entry = Entry::decode(bytes)?;
        if entry.site != site {
            return Err(EntryError::OtherSite(entry.site));
        }
        if entry.seq != seq || (seq > first && entry.prev != seal.hash) {
            return Err(EntryError::Forked(seq));
        }
        seal.hash = hash16(bytes);
        seal.sum = sum16(seal.sum, seal.hash);
    }
    Ok(seal)
}

/// Order-free sum of hashes, modulo 2^128.
#[must_use]
pub fn sum16(a: Hash16, b: Hash16) -> Hash16 {
    Hash16(u128::from_be_bytes(a.0).wrapping_add(u128::from_be_bytes(b.0)).to_be_bytes())
}
