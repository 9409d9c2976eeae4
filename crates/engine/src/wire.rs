//! What regions say to each other: numbered fields, one message a frame.
//! Knows the words and their encoding; who says what when is `replication`, `ledger` and `odds`.

use bytes::Bytes;
use crdt::{Site, Vector};
use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};
use model::{AccountId, Currency, Hash16, MintedId, Posting, ProducerId, Refusal, Text};

use crate::ledger::Exposure;

/// Protocol version of this build; a peer of another one is refused.
pub const PROTOCOL: u16 = 1;

/// A message between regions.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum PeerMessage {
    /// First on every new link, both ways.
    #[n(0)]
    Hello(#[n(0)] Hello),
    /// Consecutive entries of a site's log, from `first` on.
    #[n(1)]
    Entries(#[n(0)] Entries),
    /// What is durable here: cumulative acks, and how a peer finds its gaps.
    #[n(2)]
    Have(#[n(0)] Have),
    /// Asks for entries of a site's log.
    #[n(3)]
    Pull {
        /// Whose log.
        #[n(0)]
        site: Site,
        /// First index wanted.
        #[n(1)]
        from: u64,
    },
    /// Asks a holder of rights for some.
    #[n(4)]
    Acquire(#[n(0)] Acquire),
    /// The holder's answer. Information only: the rights themselves come in-stream.
    #[n(5)]
    Acquired(#[n(0)] Acquired),
    /// Odds values and how far they reach.
    #[n(6)]
    Odds(#[n(0)] OddsFrame),
    /// The receiver lost an odds frame: start again from this vector.
    #[n(7)]
    OddsFrom {
        /// What is known here.
        #[n(0)]
        vector: Vector,
    },
    /// Asks the region in an account's name to open it.
    #[n(8)]
    OpenAccount {
        /// The account.
        #[n(0)]
        account: AccountId,
        /// Its currency.
        #[n(1)]
        currency: Currency,
    },
    /// Asks a withdrawal's origin to confirm or release it.
    #[n(11)]
    Resolve(#[n(0)] Resolve),
    /// The origin's answer.
    #[n(12)]
    Resolved(#[n(0)] ResolveReply),
    /// Asks the home of an account to let it move here, where the player bets.
    #[n(15)]
    ComeHome {
        /// The account.
        #[n(0)]
        account: AccountId,
        /// The number of the present home as the asker knows it: a late repeat is told by it.
        #[n(1)]
        epoch: u64,
    },
    /// A request or its answer, round a cut link.
    #[n(16)]
    Relayed(#[n(0)] Relayed),
    /// Two running processes have said `Hello` as this site by turns.
    #[n(14)]
    Twins {
        /// The site concerned: the listener's own.
        #[n(0)]
        site: Site,
    },
    /// Asks who decides a wager id, or for the right to.
    #[n(9)]
    FenceOrFetch(#[n(0)] FenceOrFetch),
    /// The answer. Information only: decisions and hand-overs count in-stream.
    #[n(10)]
    Fetched(#[n(0)] Fetched),
    /// Asks for a page of a snapshot.
    #[n(17)]
    SnapshotAsk(#[n(0)] SnapshotAsk),
    /// The page.
    #[n(18)]
    SnapshotPage(#[n(0)] SnapshotPage),
    /// What else is said of snapshots.
    #[n(21)]
    SnapshotWord(#[n(0)] SnapshotWord),
}

/// A question for a page of a snapshot: of a new one if it is page 0, else of the one that is under way.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct SnapshotAsk {
    /// Names the snapshot; another one is another attempt.
    #[n(0)]
    pub id: u64,
    /// The page: the one asked for last, or the one after it.
    #[n(1)]
    pub page: u64,
}

/// A page of a snapshot.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct SnapshotPage {
    /// The snapshot.
    #[n(0)]
    pub id: u64,
    /// Its number, from 0.
    #[n(1)]
    pub page: u64,
    /// Its records, each an encoded [`crate::snapshot::Record`].
    #[n(2)]
    pub records: Vec<ByteVec>,
    /// Order-free sum of the records' hashes.
    #[n(3)]
    pub sum: Hash16,
}

/// What else is said of snapshots.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum SnapshotWord {
    /// The answer to a pull of entries that are not kept: the log begins after `cut`.
    #[n(0)]
    Behind {
        /// Whose log.
        #[n(0)]
        site: Site,
        /// Index of the last entry that was cut.
        #[n(1)]
        cut: u64,
    },
    /// The answer to a question for the page after the last.
    #[n(1)]
    End {
        /// The snapshot.
        #[n(0)]
        id: u64,
        /// Pages in all.
        #[n(1)]
        pages: u64,
        /// Order-free sum of the hashes of all records.
        #[n(2)]
        sum: Hash16,
        /// How far every log reaches in it: index, hash and digest.
        #[n(3)]
        heads: Vec<(Site, u64, Hash16, Hash16)>,
        /// Hash of all this.
        #[n(4)]
        check: Hash16,
    },
    /// There is no such snapshot here (any more), or none can be given now: to be asked for anew.
    #[n(2)]
    Unknown {
        /// The snapshot.
        #[n(0)]
        id: u64,
    },
}

/// A request or an answer on its way through a third region.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Relayed {
    /// Who speaks: proved to the middle by its `Hello`.
    #[n(0)]
    pub from: Site,
    /// Number of the region that is spoken to.
    #[n(1)]
    pub to: u16,
    /// The message's own frame.
    #[n(2)]
    pub frame: ByteVec,
}

/// A question about a wager id, to the site that may decide it.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct FenceOrFetch {
    /// Names the question within the asker's process.
    #[n(0)]
    pub n: u64,
    /// The wager id.
    #[n(1)]
    pub id: MintedId,
    /// What is wanted.
    #[n(2)]
    pub want: Want,
}

/// What is wanted of an undecided wager id.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum Want {
    /// Only to know. Changes nothing.
    #[n(0)]
    Look,
    /// To decide it at the asker.
    #[n(1)]
    Place {
        /// Hash of the parsed body.
        #[n(0)]
        body: Hash16,
        /// Whose money.
        #[n(1)]
        account: AccountId,
        /// What the stake takes more than is free at the asker, minor units; `None`: nothing, or not known there.
        #[n(2)]
        need: Option<u64>,
        /// What would be good to have with it, minor units.
        #[n(3)]
        want: Option<u64>,
    },
    /// That nobody decides it any more.
    #[n(2)]
    Close {
        /// An operator asks, and why; `None`: the player.
        #[n(0)]
        reason: Option<Text>,
    },
}

/// How a wager id stands.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Fetched {
    /// The question's number.
    #[n(0)]
    pub n: u64,
    /// The wager id.
    #[n(1)]
    pub id: MintedId,
    /// How it stands.
    #[n(2)]
    pub state: WagerStanding,
}

/// How a wager id stands at the site that was asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub enum WagerStanding {
    /// Decided, handed to the asker, or closed: by that entry of that log, which the asker waits for.
    #[n(0)]
    Written {
        /// Whose log.
        #[n(0)]
        site: Site,
        /// Index.
        #[n(1)]
        entry: u64,
    },
    /// Not decided, and too late for it; the time that says so is durable.
    #[n(1)]
    Expired,
    /// Not decided so far. No permission.
    #[n(2)]
    Absent,
    /// The right has moved on.
    #[n(3)]
    Moved {
        /// To that region.
        #[n(0)]
        region: u16,
    },
    /// The id is a posting's.
    #[n(4)]
    Posting,
}

/// Who a region is and what it knows.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Hello {
    /// Cluster name.
    #[n(0)]
    pub cluster: Text,
    /// The speaker's site.
    #[n(1)]
    pub site: Site,
    /// Random per process start.
    #[n(2)]
    pub boot_nonce: u64,
    /// Protocol version.
    #[n(3)]
    pub protocol: u16,
    /// Region numbers and names of the speaker's topology.
    #[n(4)]
    pub regions: Vec<(u16, Text)>,
    /// Every log it knows: index and hash there.
    #[n(5)]
    pub logs: Vec<(Site, u64, Hash16)>,
    /// Its odds vector.
    #[n(6)]
    pub odds: Vector,
    /// The speaker's steady clock, ms, for the echo of freshness.
    #[n(7)]
    pub stamp_ms: u64,
    /// Whether the speaker has heard the listener's `Hello` on this link; if not, the listener says it again.
    #[n(8)]
    pub heard: bool,
    /// Exposure windows of the speaker's topology: a difference is only alarmed.
    #[n(11)]
    #[cbor(default)]
    pub windows: Vec<Exposure>,
    /// The speaker is in quarantine: what it acknowledges does not count.
    #[n(9)]
    #[cbor(default)]
    pub quarantined: bool,
}

/// Consecutive entries, as the bytes received.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Entries {
    /// Whose log.
    #[n(0)]
    pub site: Site,
    /// Index of the first.
    #[n(1)]
    pub first: u64,
    /// The entries.
    #[n(2)]
    pub items: Vec<ByteVec>,
}

/// What is durable at the speaker.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Have {
    /// Contiguous index per log.
    #[n(0)]
    pub log: Vector,
    /// Odds vector.
    #[n(1)]
    pub odds: Vector,
    /// The speaker's steady clock, ms.
    #[n(2)]
    pub stamp_ms: u64,
    /// Regions it is linked with itself: what comes from the others, it needs relayed.
    #[n(3)]
    pub linked: Vec<u16>,
    /// What each site that the speaker is linked with said last that it holds: acks for those who cannot hear it.
    #[n(9)]
    #[cbor(default)]
    pub acks: Vec<(Site, Vector)>,
    /// The speaker is in quarantine: what it acknowledges does not count.
    #[n(10)]
    #[cbor(default)]
    pub quarantined: bool,
}

/// A request for rights.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Acquire {
    /// Rises with every request of this site; a repeat is told by it.
    #[n(0)]
    pub n: u64,
    /// Whose rights.
    #[n(1)]
    pub account: AccountId,
    /// What is missing, minor units.
    #[n(2)]
    pub need: u64,
    /// What would be good to have, minor units.
    #[n(3)]
    pub want: u64,
    /// What for, where that matters.
    #[n(4)]
    pub purpose: Option<Purpose>,
}

/// What rights are asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum Purpose {
    /// A withdrawal: the home answers whether it knows of debt, also when nothing is needed.
    #[n(0)]
    Withdraw,
}

/// Confirms or releases a withdrawal.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Resolve {
    /// Rises with every request of this site.
    #[n(0)]
    pub n: u64,
    /// Whose withdrawal.
    #[n(1)]
    pub account: AccountId,
    /// Which.
    #[n(2)]
    pub id: MintedId,
    /// Whether the payment was made.
    #[n(3)]
    pub confirm: bool,
}

/// What the origin says of it.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct ResolveReply {
    /// The request's number.
    #[n(0)]
    pub n: u64,
    /// Index of the origin's log at which this holds.
    #[n(1)]
    pub seq: u64,
    /// How the withdrawal stands, if it stands as asked.
    #[n(2)]
    pub posting: Option<Posting>,
    /// Whether it stood so before.
    #[n(3)]
    pub replayed: bool,
    /// Why it does not stand as asked.
    #[n(4)]
    pub refused: Option<ResolveRefusal>,
}

/// Why a withdrawal is not confirmed or released.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum ResolveRefusal {
    /// There is none of this id and account.
    #[n(0)]
    Unknown,
    /// Its entry is not acknowledged yet.
    #[n(1)]
    NotHeldYet,
    /// It was confirmed.
    #[n(2)]
    Confirmed,
    /// It was released.
    #[n(3)]
    Released,
    /// It was refused when it was decided.
    #[n(4)]
    Refused,
}

impl ResolveRefusal {
    pub(crate) const fn of(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::NotHeldYet => Self::NotHeldYet,
            Refusal::WithdrawalConfirmed => Self::Confirmed,
            Refusal::WithdrawalReleased => Self::Released,
            Refusal::WithdrawalRefused => Self::Refused,
            _ => Self::Unknown,
        }
    }

    pub(crate) const fn refusal(self) -> Refusal {
        match self {
            Self::Unknown => Refusal::WithdrawalUnknown,
            Self::NotHeldYet => Refusal::NotHeldYet,
            Self::Confirmed => Refusal::WithdrawalConfirmed,
            Self::Released => Refusal::WithdrawalReleased,
            Self::Refused => Refusal::WithdrawalRefused,
        }
    }
}

/// The answer to a request for rights.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Acquired {
    /// The request's number.
    #[n(0)]
    pub n: u64,
    /// Whose rights.
    #[n(1)]
    pub account: AccountId,
    /// Granted, minor units.
    #[n(2)]
    pub granted: u64,
    /// Index of the giver's log at which this holds.
    #[n(3)]
    pub seq: u64,
    /// To a request for a withdrawal: whether the giver knows of debt. Then nothing was granted.
    #[n(4)]
    pub debt: Option<bool>,
}

/// Odds values, numbered, so that a lost frame is noticed.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct OddsFrame {
    /// Changes whenever the sender starts again.
    #[n(0)]
    pub session: u64,
    /// From 1, without holes.
    #[n(1)]
    pub number: u64,
    /// Whole registers, each an encoded `(RegisterKey, RegisterValue)`: one that cannot be read spoils no other.
    #[n(2)]
    pub values: Vec<ByteVec>,
    /// Set when all values of a round have been sent.
    #[n(3)]
    pub upto: Option<Upto>,
}

/// The end of a round.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Upto {
    /// Every write up to it has been sent, or was overtaken by a newer one.
    #[n(0)]
    pub vector: Vector,
    /// The receiver's own stamp that the sender had seen when it noted the vector.
    #[n(1)]
    pub echo_ms: Option<u64>,
    /// Producers alive as of that vector.
    #[n(2)]
    pub alive: Vec<AliveAge>,
}

/// Age of a producer's last sign of life.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct AliveAge {
    /// The producer.
    #[n(0)]
    pub producer: ProducerId,
    /// The site that reads it.
    #[n(1)]
    pub reader: Site,
    /// Age when the frame was made, ms, relays added up.
    #[n(2)]
    pub age_ms: u64,
}

impl PeerMessage {
    /// The frame's bytes.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        Bytes::from(minicbor::to_vec(self).expect("writing to memory cannot fail"))
    }

    /// Reads a frame.
    ///
    /// # Errors
    /// The decoder's words; nothing was applied.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        let mut d = minicbor::Decoder::new(bytes);
        let message = d.decode().map_err(|e: minicbor::decode::Error| e.to_string())?;
        if d.position() == bytes.len() { Ok(message) } else { Err("bytes after the message".into()) }
    }
}
