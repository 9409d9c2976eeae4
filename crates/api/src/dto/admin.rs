//! What a region tells operators of itself and the others: regions, replication, digests, clock, readiness.

use std::collections::BTreeMap;

use model::{ClockView, DigestView, LinkView, LogView, ReadyView, RegionsView, ReplicationView};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::config::ApiConfig;
use crate::dto::ids::MintOut;
use crate::dto::shown::Time;
use crate::strict::{self, Body, Faults, Str};

/// The cluster as seen from here. Sites are written `region.incarnation.shard`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Regions)]
pub(crate) struct RegionsOut<'a> {
    cluster: &'a str,
    /// This site.
    site: String,
    regions: Vec<RegionOut<'a>>,
}

/// A region of the topology.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Region)]
pub(crate) struct RegionOut<'a> {
    number: u16,
    name: &'a str,
    /// Whether it is the one that answers.
    here: bool,
    connected: bool,
    /// The region that requests to it go through while it is not connected; null: none.
    reached_through: Option<&'a str>,
}

impl<'a> RegionsOut<'a> {
    pub(crate) fn of(view: &'a RegionsView) -> Self {
        let region = |r: &'a model::RegionView| RegionOut {
            number: r.region,
            name: r.name.as_str(),
            here: r.here,
            connected: r.connected,
            reached_through: r.reached_through.as_ref().map(model::Text::as_str),
        };
        Self {
            cluster: view.cluster.as_str(),
            site: view.site.to_string(),
            regions: view.regions.iter().map(region).collect(),
        }
    }
}

/// Replication as seen from here.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Replication)]
pub(crate) struct ReplicationOut<'a> {
    /// Index of the own log up to which enough other regions hold it durably.
    ack_floor: u64,
    /// Logs by site.
    logs: BTreeMap<String, LogOut<'a>>,
    links: Vec<LinkOut<'a>>,
    /// Odds writes known, by site.
    odds: BTreeMap<String, u64>,
    /// Index up to which each log has been cut here, by site; 0: it is whole. What was cut lies in segments.
    cuts: BTreeMap<String, u64>,
    /// The snapshot that this region takes because it was behind the others' cuts; null if it takes none.
    snapshot: Option<SnapshotOut>,
}

/// A snapshot under way.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Snapshot)]
pub(crate) struct SnapshotOut {
    /// Number of the region that serves it; null once all of it is here.
    from: Option<u16>,
    /// Pages received.
    pages: u64,
    /// Pages taken over; null while they come in.
    taken: Option<u64>,
}

/// One site's log as known here.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Log)]
pub(crate) struct LogOut<'a> {
    /// Contiguous index.
    index: u64,
    /// Chain hash at that index.
    hash: String,
    /// Order-free sum of entry hashes.
    digest: String,
    /// Why its stream was stopped; null if it was not.
    stopped: Option<&'a str>,
}

/// A link to another region.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Link)]
pub(crate) struct LinkOut<'a> {
    number: u16,
    name: &'a str,
    connected: bool,
    /// Its site, once known.
    site: Option<String>,
    /// Entries of our log it has acknowledged.
    acked: u64,
    /// Odds values waiting for it.
    odds_dirty: usize,
}

impl<'a> LogOut<'a> {
    fn all(logs: &'a [LogView]) -> BTreeMap<String, Self> {
        let log = |log: &'a LogView| {
            let out = Self {
                index: log.index,
                hash: log.hash.to_string(),
                digest: log.digest.to_string(),
                stopped: log.stopped.as_ref().map(model::Text::as_str),
            };
            (log.site.to_string(), out)
        };
        logs.iter().map(log).collect()
    }
}

impl<'a> ReplicationOut<'a> {
    pub(crate) fn of(view: &'a ReplicationView) -> Self {
        let link = |link: &'a LinkView| LinkOut {
            number: link.region,
            name: link.name.as_str(),
            connected: link.connected,
            site: link.site.map(|site| site.to_string()),
            acked: link.acked,
            odds_dirty: link.odds_dirty,
        };
        Self {
            ack_floor: view.ack_floor,
            logs: LogOut::all(&view.logs),
            links: view.links.iter().map(link).collect(),
            odds: view.odds.iter().map(|(site, n)| (site.to_string(), n)).collect(),
            cuts: view.cuts.iter().map(|(site, n)| (site.to_string(), *n)).collect(),
            snapshot: view.snapshot.map(|s| SnapshotOut { from: s.from, pages: s.pages, taken: s.taken }),
        }
    }
}

/// Digests of the replicated state: equal everywhere once healed and quiet.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Digest)]
pub(crate) struct DigestOut<'a> {
    /// Logs by site.
    log: BTreeMap<String, LogOut<'a>>,
    odds: OddsDigest,
    ledger: LedgerDigest,
}

/// Digest of the odds plane.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OddsDigest {
    /// Odds writes known, by site.
    vector: BTreeMap<String, u64>,
    digest: String,
}

/// Digest of all merged account rows.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LedgerDigest {
    digest: String,
}

impl<'a> DigestOut<'a> {
    pub(crate) fn of(view: &'a DigestView) -> Self {
        Self {
            log: LogOut::all(&view.logs),
            odds: OddsDigest {
                vector: view.odds.iter().map(|(site, n)| (site.to_string(), n)).collect(),
                digest: view.odds_digest.to_string(),
            },
            ledger: LedgerDigest { digest: view.ledger_digest.to_string() },
        }
    }
}

/// Moves the replay clock.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = SetClock)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClockIn<'a> {
    /// Not before the clock's own time.
    #[serde(borrow)]
    #[schema(value_type = String, required, format = DateTime)]
    now: Option<Str<'a>>,
}

/// Reads the new time.
pub(crate) struct ClockBody;

impl Body for ClockBody {
    type In<'a> = ClockIn<'a>;
    type Parsed = u64;

    fn parse(input: ClockIn<'_>, faults: &mut Faults) -> Option<u64> {
        faults.need("now", input.now.as_ref(), strict::time)
    }
}

/// The region's own time.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Clock)]
pub(crate) struct ClockOut {
    #[schema(value_type = String, format = DateTime)]
    now: Time,
    /// The same in Unix ms.
    now_ms: u64,
    /// Whether time is the replay clock.
    replay: bool,
    /// Greatest lead of a peer's clock seen so far, in ms.
    peer_ahead_ms_max: u64,
    mint: MintOut,
}

impl ClockOut {
    pub(crate) fn of(view: &ClockView, config: &ApiConfig) -> Self {
        Self {
            now: Time(view.now_ms),
            now_ms: view.now_ms,
            replay: view.replay,
            peer_ahead_ms_max: view.peer_ahead_ms_max,
            mint: MintOut::of(view.mint, config),
        }
    }
}

/// Readiness by function.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Ready)]
pub(crate) struct ReadyOut<'a> {
    /// All three.
    pub(crate) ready: bool,
    /// May take wagers and postings.
    money: FunctionOut<'a>,
    /// May sell odds.
    odds: FunctionOut<'a>,
    /// Hears the others.
    replication: FunctionOut<'a>,
}

/// Readiness of one function.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Function)]
pub(crate) struct FunctionOut<'a> {
    ready: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a str>,
}

impl<'a> ReadyOut<'a> {
    pub(crate) fn of(view: &'a ReadyView) -> Self {
        fn function(why: &Option<model::Text>) -> FunctionOut<'_> {
            FunctionOut { ready: why.is_none(), why: why.as_ref().map(model::Text::as_str) }
        }
        let (money, odds, replication) = (function(&view.money), function(&view.odds), function(&view.replication));
        Self { ready: money.ready && odds.ready && replication.ready, money, odds, replication }
    }
}

/// The process runs.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Live)]
pub(crate) struct LiveOut {
    /// Always `live`.
    pub(crate) status: &'static str,
}
