//! The one door's words: what comes in, what goes out, and the topology a region is told at start.
//! Closed enums; nothing else reaches the engine and nothing else leaves it.

use bytes::Bytes;
use crdt::Site;
use feeds::betfair::McmMessage;
use feeds::uof::UofMessage;
use model::limits::{LOG_KEPT_ENTRIES_DEFAULT, LOG_TAIL_ENTRIES_DEFAULT, SKEW_ALLOWANCE_MS_DEFAULT};
use model::settlement::Rounding;
use model::{Answer, Command, Query, Share, Text, Token};

use crate::ledger::Exposure;
use crate::port::{Seal, Write};
use crate::wire::SnapshotAsk;

/// Time as the driver sees it at one input.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Now {
    /// Wall clock, Unix ms. May jump; the engine never trusts it backwards.
    pub wall_ms: u64,
    /// Steady clock, ms since an arbitrary point of this process.
    pub steady_ms: u64,
}

/// Names a request until it is answered; unique within the process.
pub type RequestId = u64;

/// What a client asks, parsed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Request {
    /// Something that writes.
    Command(Command),
    /// Something that reads.
    Query(Query),
    /// Lines of an exchange stream that parsed; the API reports the others itself.
    Feed(Vec<FeedLine>),
    /// Messages of the Unified Odds Feed that parsed.
    Uof(Vec<UofLine>),
}

/// One parsed message of the Unified Odds Feed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UofLine {
    /// Line of its call that it begins on, from 1.
    pub line: usize,
    /// The message.
    pub message: UofMessage,
}

/// One parsed line of an exchange stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FeedLine {
    /// Line number in its call, from 1.
    pub line: usize,
    /// The message.
    pub message: McmMessage,
}

/// Streams between regions; each is a QUIC stream of its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Lane {
    /// New log entries and acks, in order.
    Log,
    /// Odds frames: at most one handed over at a time per peer.
    Odds,
    /// Requests between engines and their answers.
    Requests,
    /// Catch-up of logs.
    Bulk,
}

/// Everything that can happen to a region.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// First input after the load: derives what must happen from state.
    Started {
        /// Random per process start; another process with this identity shows another one.
        boot_nonce: u64,
    },
    /// A client's request.
    Request {
        /// For the answer.
        id: RequestId,
        /// What is asked.
        request: Request,
        /// Wait until this much is known here.
        token: Option<Token>,
        /// Longest wait for the token or for rights, in ms from now. 0: answer with what is here.
        wait_ms: u64,
    },
    /// A link to a region stands.
    PeerUp {
        /// Region number, as its certificate says.
        region: u16,
    },
    /// A link is gone.
    PeerDown {
        /// Region number.
        region: u16,
    },
    /// A frame from a region.
    Peer {
        /// Region number, as its certificate says.
        region: u16,
        /// The lane it came by.
        lane: Lane,
        /// The frame.
        frame: Bytes,
    },
    /// The odds frame handed over last has been written to its stream.
    OddsSent {
        /// Region number.
        region: u16,
    },
    /// Entries of a log have been sealed into a segment, as [`Effect::Archive`] wished. When that fails nothing is
    /// said, and it is wished again.
    Archived {
        /// Whose log.
        site: Site,
        /// First entry.
        first: u64,
        /// Last entry.
        last: u64,
        /// What the segment ends with.
        seal: Seal,
    },
    /// The deadline has passed.
    Tick,
}

/// What must happen once the batch is durable. An effect may be lost in a crash.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Answer a request.
    Reply {
        /// Which.
        id: RequestId,
        /// The answer.
        answer: Box<Answer>,
    },
    /// Hand a frame to the network. It may be dropped when the lane is full or the link is gone: pulls repair logs,
    /// and a lost odds frame is found by its number.
    Send {
        /// To which region.
        region: u16,
        /// By which lane.
        lane: Lane,
        /// The frame.
        frame: Bytes,
    },
    /// Seal these entries of a log into a segment, beside the commits, and say [`Input::Archived`].
    Archive {
        /// Whose log.
        site: Site,
        /// First entry.
        first: u64,
        /// Last entry.
        last: u64,
    },
    /// A peer asks for a page of a snapshot: answer it beside the commits, by [`crate::snapshot::Served`]. A state
    /// pinned for an earlier snapshot of that region is let go.
    Snapshot {
        /// The peer's region.
        region: u16,
        /// What it asks; `None`: it is gone.
        ask: Option<SnapshotAsk>,
    },
    /// This site is in quarantine, now or still: an operator must know at once. The node goes on serving reads.
    Quarantine {
        /// Why, and what a person can do.
        why: String,
    },
    /// Something an operator should see; it is counted and logged by the driver.
    Alarm {
        /// Stable name.
        code: &'static str,
        /// In words.
        detail: String,
    },
}

/// What one input comes to. `then` may run only after `batch` is durable.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Output {
    /// Durable changes.
    pub batch: Vec<Write>,
    /// Effects.
    pub then: Vec<Effect>,
}

/// A region of the topology.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RegionConfig {
    /// Number, 1 to 4095, never reused.
    pub number: u16,
    /// Name, as in account names.
    pub name: Text,
}

/// What a region is told at start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// Cluster name; frames of another cluster are refused.
    pub cluster: Text,
    /// This region's number.
    pub region: u16,
    /// Incarnation of the data directory.
    pub incarnation: u32,
    /// All regions, this one included.
    pub regions: Vec<RegionConfig>,
    /// Regions other than the writer that must hold an entry before it counts for the ack floor (`q_a`).
    pub ack_quorum: usize,
    /// Odds older than this are not sold, ms.
    pub freshness_ms: u64,
    /// Time is the replay clock.
    pub replay: bool,
    /// A new directory may write at once, without having heard the other regions.
    pub first_start: bool,
    /// Longest silence between two `Have` messages to a peer, ms.
    pub gossip_ms: u64,
    /// Exposure windows, by currency in ascending order, each at most once; a currency not named has none.
    pub windows: Vec<Exposure>,
    /// How much of each log is kept.
    pub kept: Kept,
    /// Wagers on markets in play wait for those markets' delay.
    pub bet_delays: bool,
    /// How the house settles.
    pub rules: Rules,
}

/// How the house settles and cashes out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rules {
    /// How much later than its market closed a leg may have been taken, ms; 0 with the replay clock.
    pub skew_allowance_ms: u64,
    /// The rule of the one rounding of wagers that are placed here; it is stored with each.
    pub rounding: Rounding,
    /// What the house keeps of the fair price of a cash-out.
    pub cash_out_margin: Share,
}

impl Default for Rules {
    fn default() -> Self {
        let cash_out_margin = Share::new(5, 100).expect("a part of a whole");
        Self { skew_allowance_ms: SKEW_ALLOWANCE_MS_DEFAULT, rounding: Rounding::default(), cash_out_margin }
    }
}

/// How much of each log is kept when other regions hold it, in entries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kept {
    /// So many at the end of a log are always kept.
    pub tail: u64,
    /// A region that lacks more than so many does not hold a log's cut back: it is given a snapshot. Not less than
    /// `tail` counts.
    pub max: u64,
}

impl Default for Kept {
    fn default() -> Self {
        Self { tail: LOG_TAIL_ENTRIES_DEFAULT, max: LOG_KEPT_ENTRIES_DEFAULT }
    }
}
