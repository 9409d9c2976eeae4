//! The keys of the two configuration files, with their defaults. `schemas/region.schema.json` is generated from here.
//! Decides nothing about whether values fit together.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

/// The regions of a cluster; the same file for all of them.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TopologyFile {
    /// Name of the cluster: lowercase letters, digits and `-`, at most 40. Regions of another cluster are refused.
    pub(crate) cluster: String,
    /// Regions other than the writer that must hold an entry before it counts as acknowledged. Must be below the
    /// number of regions; 0 with one region.
    #[serde(default)]
    pub(crate) ack_quorum: Option<usize>,
    /// Odds older than this are not sold, ms; 100 to 3,600,000.
    #[serde(default = "freshness_ms")]
    pub(crate) freshness_ms: u64,
    /// Longest silence between two reports of progress to a peer, ms; 10 to 10,000.
    #[serde(default = "gossip_ms")]
    pub(crate) gossip_ms: u64,
    /// Entries at the end of every log that are always kept. What lies before them and is held by every other region
    /// is sealed into segments and cut; at least 1.
    #[serde(default = "log_tail_entries")]
    pub(crate) log_tail_entries: u64,
    /// Entries of a log kept for a region that is silent; one that lacks more is given a snapshot. At least
    /// `log_tail_entries`.
    #[serde(default = "log_kept_entries_max")]
    pub(crate) log_kept_entries_max: u64,
    /// Whether a wager waits for the delay that its markets state while they are in play: `market` or `off`. Without it
    /// wagers wait, except with the replay clock: a recording decides at the moment that it tells of.
    #[serde(default)]
    pub(crate) bet_delay: Option<BetDelay>,
    /// How much later than its market closed a leg may have been taken and still count, ms; at most 3,600,000. Such legs
    /// are void (`past_posted`). 0 with the replay clock, whatever stands here.
    #[serde(default = "skew_allowance_ms")]
    pub(crate) skew_allowance_ms: u64,
    /// The rule of the one rounding of what a wager pays: `floor`, or `nearest` (a half up). It is stored with the wager.
    #[serde(default = "rounding")]
    pub(crate) rounding: String,
    /// What the house keeps of the fair price of a cash-out, such as `"0.05"`; below 1.
    #[serde(default = "cash_out_margin")]
    pub(crate) cash_out_margin: String,
    /// All regions.
    pub(crate) regions: Vec<RegionEntry>,
    /// Exposure windows by currency code: what a region may take in stakes that no other region knows of yet. No
    /// default crosses currencies: one that is not named here has no window.
    #[serde(default)]
    pub(crate) windows: BTreeMap<String, WindowTable>,
}

/// What becomes of a market's in-play delay.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum BetDelay {
    /// Wagers wait as long as their markets say.
    Market,
    /// Nothing waits.
    Off,
}

/// The exposure windows of one currency, `[windows.GBP]`. One that is absent is unlimited.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WindowTable {
    /// Of one account, in this currency, such as `"500.00"`. No single stake can be greater.
    #[serde(default)]
    pub(crate) exposure_per_account: Option<String>,
    /// Of all accounts of a region together, such as `"250000.00"`.
    #[serde(default)]
    pub(crate) exposure_per_region: Option<String>,
}

/// One region of the topology.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RegionEntry {
    /// Number, 1 to 4095; never reused for another region.
    pub(crate) number: u16,
    /// Name, as in account names (`anna@eu-west`): lowercase letters, digits and `-`, at most 40.
    pub(crate) name: String,
    /// Where the other regions find it, `host:port` (UDP).
    pub(crate) gossip: String,
    /// Where clients find it, `http://host:port` or `https://host`.
    pub(crate) http: String,
}

/// One region's own file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RegionFile {
    /// Which region of the topology this is.
    pub(crate) region: String,
    /// The topology file; relative to this file.
    pub(crate) topology: PathBuf,
    /// Data directory; relative to this file. Created when it is not there.
    pub(crate) data_dir: PathBuf,
    /// The HTTP listener.
    pub(crate) http: HttpTable,
    /// The listener for other regions. May be absent in a cluster of one region.
    #[serde(default)]
    pub(crate) gossip: Option<GossipTable>,
    /// Bounds; every one has a default.
    #[serde(default)]
    pub(crate) limits: LimitsTable,
    /// Sizes of the store; every one has a default.
    #[serde(default)]
    pub(crate) store: StoreTable,
}

/// `[http]`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HttpTable {
    /// Address and port, such as `127.0.0.1:8101`. Any other than loopback needs `--insecure-http`.
    pub(crate) listen: SocketAddr,
    /// Origins whose pages may call this region, such as `https://desk.example`.
    #[serde(default)]
    pub(crate) cors_origins: Vec<String>,
}

/// `[gossip]`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GossipTable {
    /// Address and port (UDP), such as `127.0.0.1:9101`.
    pub(crate) listen: SocketAddr,
    /// The cluster's authority, PEM; relative to this file. `stakehold certs` makes all three.
    pub(crate) ca: PathBuf,
    /// This region's certificate, PEM; relative to this file.
    pub(crate) certificate: PathBuf,
    /// Its private key, PEM; relative to this file.
    pub(crate) key: PathBuf,
}

/// `[limits]`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LimitsTable {
    /// Requests that wait before the engine; more are answered 503 `overloaded`. 1 to 1,000,000.
    pub(crate) queue_depth_max: usize,
    /// HTTP connections served at a time. 1 to 1,000,000.
    pub(crate) connections_max: usize,
    /// Longest body of a single request, bytes. 1,024 to 1 GiB.
    pub(crate) body_bytes_max: usize,
    /// Longest body of a batch or a feed call, bytes; at least `body_bytes_max`, at most 1 GiB.
    pub(crate) bulk_bytes_max: usize,
    /// Bytes of request bodies held at a time over all connections; at least `bulk_bytes_max`.
    pub(crate) held_bytes_max: usize,
    /// Longest time a client may take to send a body, ms. 100 to 600,000.
    pub(crate) body_ms_max: u64,
    /// `Stakehold-Wait-Ms` of a request that states none, ms; at most `wait_ms_max`.
    pub(crate) wait_ms_default: u64,
    /// The greatest `Stakehold-Wait-Ms` that is honoured, ms. At most 600,000.
    pub(crate) wait_ms_max: u64,
}

/// `[store]`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct StoreTable {
    /// Blocks, filters and indexes kept in memory, bytes. 1 MiB to 1 TiB.
    pub(crate) block_cache_bytes: usize,
    /// Writes gathered in memory before a table is written out, bytes. 64 KiB to 4 GiB.
    pub(crate) write_buffer_bytes: usize,
    /// Write-ahead log kept at most, bytes; bounds what a start after a crash must replay. 1 MiB to 64 GiB.
    pub(crate) wal_bytes_max: u64,
}

impl Default for LimitsTable {
    fn default() -> Self {
        let api = api::ApiConfig::default();
        Self {
            queue_depth_max: node::QUEUE_DEPTH_DEFAULT,
            connections_max: api.connections_max,
            body_bytes_max: api.body_bytes_max,
            bulk_bytes_max: api.bulk_bytes_max,
            held_bytes_max: api.held_bytes_max,
            body_ms_max: api.body_ms_max,
            wait_ms_default: api.wait_ms_default,
            wait_ms_max: api.wait_ms_max,
        }
    }
}

impl Default for StoreTable {
    fn default() -> Self {
        let store::StoreOptions { block_cache_bytes, write_buffer_bytes, wal_bytes_max, .. } = Default::default();
        Self { block_cache_bytes, write_buffer_bytes, wal_bytes_max }
    }
}

const fn freshness_ms() -> u64 {
    model::limits::FRESHNESS_MS_DEFAULT
}

const fn skew_allowance_ms() -> u64 {
    model::limits::SKEW_ALLOWANCE_MS_DEFAULT
}

fn rounding() -> String {
    "floor".to_owned()
}

fn cash_out_margin() -> String {
    "0.05".to_owned()
}

const fn gossip_ms() -> u64 {
    200
}

const fn log_tail_entries() -> u64 {
    model::limits::LOG_TAIL_ENTRIES_DEFAULT
}

const fn log_kept_entries_max() -> u64 {
    model::limits::LOG_KEPT_ENTRIES_DEFAULT
}

/// Both kinds of files in one schema.
#[cfg(test)]
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "only its schema is wanted")]
pub(crate) enum ConfigFile {
    /// `regions/<region>.toml`
    Region(RegionFile),
    /// `regions/topology.toml`
    Topology(TopologyFile),
}
