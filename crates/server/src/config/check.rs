//! From what was written to what can be run: values held against their ranges, against each other, and against the
//! machine (files). Opens no socket and no store.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use api::ApiConfig;
use engine::door;
use engine::ledger::Exposure;
use model::settlement::Rounding;
use model::{Amount, Currency, MoneyError, Share, Text};
use net::{PeerConfig, Timing, check_name};
use node::NodeConfig;
use store::StoreOptions;

use super::files::{BetDelay, GossipTable, LimitsTable, RegionEntry, RegionFile, TopologyFile, WindowTable};
use super::source::{ConfigError, Source};

/// What the command line may say otherwise.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overrides {
    /// Instead of `data_dir`; relative to the working directory.
    pub(crate) data_dir: Option<PathBuf>,
    /// Instead of `http.listen`.
    pub(crate) listen_http: Option<SocketAddr>,
    /// A listener that is not loopback is wanted.
    pub(crate) insecure_http: bool,
    /// Time is the replay clock.
    pub(crate) replay: bool,
    /// A new directory may write at once.
    pub(crate) first_start: bool,
    /// Incarnation of the directory; 1 unless given.
    pub(crate) incarnation: Option<u32>,
}

/// A region that can be started.
#[derive(Debug)]
pub(crate) struct Setting {
    /// Its name.
    pub(crate) name: String,
    /// For the node.
    pub(crate) node: NodeConfig,
    /// For the HTTP side.
    pub(crate) api: ApiConfig,
    /// Where HTTP listens.
    pub(crate) listen_http: SocketAddr,
}

/// The regions of a cluster, checked.
#[derive(Debug)]
pub(crate) struct Topology {
    file: TopologyFile,
}

impl Topology {
    /// Name of the cluster.
    pub(crate) fn cluster(&self) -> &str {
        &self.file.cluster
    }

    /// Number and name of every region.
    pub(crate) fn regions(&self) -> impl Iterator<Item = (u16, &str)> {
        self.file.regions.iter().map(|r| (r.number, r.name.as_str()))
    }
}

/// Reads and checks a topology file.
///
/// # Errors
/// [`ConfigError`] with the first fault.
pub(crate) fn load_topology(path: &Path) -> Result<Topology, ConfigError> {
    let source = Source::read(path)?;
    let file: TopologyFile = source.parse()?;
    check_name(&file.cluster).map_err(|e| source.at("cluster", e))?;
    if file.regions.is_empty() {
        return Err(source.at("regions", "a cluster has at least one region"));
    }
    let (mut numbers, mut names) = (BTreeSet::new(), BTreeSet::new());
    for (i, region) in file.regions.iter().enumerate() {
        let at = |key: &str, why: String| Err(source.at(&format!("regions[{i}].{key}"), why));
        if !(net::REGION_MIN..=net::REGION_MAX).contains(&region.number) {
            return at("number", format!("must be {} to {}", net::REGION_MIN, net::REGION_MAX));
        }
        if let Err(e) = check_name(&region.name) {
            return at("name", e.to_string());
        }
        if !numbers.insert(region.number) {
            return at("number", format!("region number {} is taken by another region", region.number));
        }
        if !names.insert(region.name.clone()) {
            return at("name", format!("region {:?} is listed twice", region.name));
        }
        if !is_host_port(&region.gossip) {
            return at("gossip", format!("{:?} is not host:port", region.gossip));
        }
        if !region.http.starts_with("http://") && !region.http.starts_with("https://") {
            return at("http", format!("{:?} is not a URL such as http://127.0.0.1:8101", region.http));
        }
    }
    within(&source, "freshness_ms", file.freshness_ms, 100..=3_600_000)?;
    within(&source, "gossip_ms", file.gossip_ms, 10..=10_000)?;
    within(&source, "log_tail_entries", file.log_tail_entries, 1..=1 << 40)?;
    within(&source, "log_kept_entries_max", file.log_kept_entries_max, file.log_tail_entries..=1 << 50)?;
    within(&source, "skew_allowance_ms", file.skew_allowance_ms, 0..=3_600_000)?;
    rules(&file).map_err(|(key, why)| source.at(key, why))?;
    exposures(&file).map_err(|(key, why)| source.at(&key, why))?;
    let others = file.regions.len() - 1;
    if let Some(quorum) = file.ack_quorum
        && (quorum > others || (quorum == 0 && others > 0))
    {
        let why = match others {
            0 => "must be 0, because there is no other region".to_owned(),
            _ => format!("must be 1 to {others}, the number of other regions"),
        };
        return Err(source.at("ack_quorum", why));
    }
    Ok(Topology { file })
}

/// Reads and checks a region's file, its topology and its certificate files.
///
/// # Errors
/// [`ConfigError`] with the first fault.
pub(crate) fn load(path: &Path, overrides: &Overrides) -> Result<Setting, ConfigError> {
    let source = Source::read(path)?;
    let file: RegionFile = source.parse()?;
    let topology_path = source.resolve(&file.topology);
    if !topology_path.is_file() {
        return Err(source.at("topology", format!("there is no file {}", topology_path.display())));
    }
    let topology = load_topology(&topology_path)?;
    let Some(own) = topology.file.regions.iter().find(|r| r.name == file.region) else {
        let names: Vec<&str> = topology.regions().map(|(_, name)| name).collect();
        let why = format!("{:?} is not in {}, which has {}", file.region, topology_path.display(), names.join(", "));
        return Err(source.at("region", why));
    };
    let listen_http = overrides.listen_http.unwrap_or(file.http.listen);
    if !listen_http.ip().is_loopback() && !overrides.insecure_http {
        let why = format!(
            "{listen_http} can be reached from other machines, and there is no client authentication yet: listen on \
             127.0.0.1, or accept that with --insecure-http"
        );
        return Err(source.at("http.listen", why));
    }
    let limits = limits(&source, &file)?;
    let net = match &file.gossip {
        Some(gossip) => Some(net_config(&source, gossip, own, &topology)?),
        None if topology.file.regions.len() == 1 => None,
        None => return Err(source.at("gossip", "is missing: the topology has other regions")),
    };
    let node = NodeConfig {
        engine: engine_config(&topology, own, overrides),
        data_dir: overrides.data_dir.clone().unwrap_or_else(|| source.resolve(&file.data_dir)),
        store: store_options(&source, &file)?,
        net,
        queue_depth_max: file.limits.queue_depth_max,
    };
    let api = ApiConfig {
        regions: topology.regions().map(|(number, name)| (number, name.to_owned())).collect(),
        urls: topology.file.regions.iter().map(|r| (r.number, r.http.clone())).collect(),
        cors_origins: file.http.cors_origins.clone(),
        ..limits
    };
    api.origins().map_err(|e| source.at("http.cors_origins", e))?;
    Ok(Setting { name: file.region, node, api, listen_http })
}

/// The exposure windows, in the engine's order; or the key that is wrong, and why.
fn exposures(file: &TopologyFile) -> Result<Vec<Exposure>, (String, String)> {
    let one = |(code, table): (&String, &WindowTable)| {
        let fault = |key: String| move |e: MoneyError| (key, e.to_string());
        let currency = Currency::new(code).map_err(fault(format!("windows.{code}")))?;
        let window = |name: &str, text: &Option<String>| {
            let amount = |text: &String| Amount::parse(text, currency).map(Amount::minor);
            text.as_ref().map(amount).transpose().map_err(fault(format!("windows.{code}.{name}")))
        };
        Ok::<_, (String, String)>(Exposure {
            currency,
            per_account: window("exposure_per_account", &table.exposure_per_account)?,
            per_region: window("exposure_per_region", &table.exposure_per_region)?,
        })
    };
    let mut all = file.windows.iter().map(one).collect::<Result<Vec<_>, _>>()?;
    all.sort_unstable();
    Ok(all)
}

/// How the house settles; or the key that is wrong, and why.
fn rules(file: &TopologyFile) -> Result<door::Rules, (&'static str, String)> {
    let rounding = match file.rounding.as_str() {
        "floor" => Rounding::Floor,
        "nearest" => Rounding::HalfUp,
        other => return Err(("rounding", format!("must be floor or nearest, not {other:?}"))),
    };
    let margin = Share::parse(&file.cash_out_margin).map_err(|e| ("cash_out_margin", e.to_string()))?;
    if margin == Share::ONE {
        return Err(("cash_out_margin", "must be below 1: nothing would be paid".to_owned()));
    }
    Ok(door::Rules { skew_allowance_ms: file.skew_allowance_ms, rounding, cash_out_margin: margin })
}

fn engine_config(topology: &Topology, own: &RegionEntry, overrides: &Overrides) -> door::Config {
    let regions = topology.regions().map(|(number, name)| door::RegionConfig { number, name: Text::new(name) });
    door::Config {
        cluster: Text::new(topology.cluster()),
        region: own.number,
        incarnation: overrides.incarnation.unwrap_or(1),
        regions: regions.collect(),
        ack_quorum: topology.file.ack_quorum.unwrap_or(usize::from(topology.file.regions.len() > 1)),
        freshness_ms: topology.file.freshness_ms,
        replay: overrides.replay,
        first_start: overrides.first_start,
        gossip_ms: topology.file.gossip_ms,
        windows: exposures(&topology.file).expect("checked when the topology was read"),
        bet_delays: topology.file.bet_delay.map_or(!overrides.replay, |delay| delay == BetDelay::Market),
        kept: door::Kept { tail: topology.file.log_tail_entries, max: topology.file.log_kept_entries_max },
        rules: rules(&topology.file).expect("checked when the topology was read"),
    }
}

fn net_config(
    source: &Source,
    gossip: &GossipTable,
    own: &RegionEntry,
    topology: &Topology,
) -> Result<net::Config, ConfigError> {
    let pem = |key: &str, path: &Path| {
        let path = source.resolve(path);
        std::fs::read_to_string(&path).map_err(|e| {
            let why = format!("cannot read {}: {e}; `stakehold certs` makes certificates", path.display());
            source.at(&format!("gossip.{key}"), why)
        })
    };
    let peer = |r: &RegionEntry| PeerConfig { region: r.number, name: r.name.clone(), address: r.gossip.clone() };
    Ok(net::Config {
        cluster: topology.cluster().to_owned(),
        region: own.number,
        name: own.name.clone(),
        listen: gossip.listen,
        peers: topology.file.regions.iter().filter(|r| r.number != own.number).map(peer).collect(),
        ca_pem: pem("ca", &gossip.ca)?,
        cert_pem: pem("certificate", &gossip.certificate)?,
        key_pem: pem("key", &gossip.key)?,
        timing: Timing::default(),
    })
}

fn limits(source: &Source, file: &RegionFile) -> Result<ApiConfig, ConfigError> {
    const GIB: usize = 1 << 30;
    let LimitsTable {
        queue_depth_max,
        connections_max,
        body_bytes_max,
        bulk_bytes_max,
        held_bytes_max,
        body_ms_max,
        wait_ms_default,
        wait_ms_max,
    } = file.limits;
    within(source, "limits.queue_depth_max", queue_depth_max, 1..=1_000_000)?;
    within(source, "limits.connections_max", connections_max, 1..=1_000_000)?;
    within(source, "limits.body_bytes_max", body_bytes_max, 1024..=GIB)?;
    within(source, "limits.bulk_bytes_max", bulk_bytes_max, body_bytes_max..=GIB)?;
    within(source, "limits.held_bytes_max", held_bytes_max, bulk_bytes_max..=usize::MAX)?;
    within(source, "limits.body_ms_max", body_ms_max, 100..=600_000)?;
    within(source, "limits.wait_ms_max", wait_ms_max, 0..=600_000)?;
    within(source, "limits.wait_ms_default", wait_ms_default, 0..=wait_ms_max)?;
    Ok(ApiConfig {
        body_bytes_max,
        bulk_bytes_max,
        held_bytes_max,
        body_ms_max,
        wait_ms_default,
        wait_ms_max,
        connections_max,
        ..ApiConfig::default()
    })
}

fn store_options(source: &Source, file: &RegionFile) -> Result<StoreOptions, ConfigError> {
    let store = &file.store;
    within(source, "store.block_cache_bytes", store.block_cache_bytes, 1 << 20..=1 << 40)?;
    within(source, "store.write_buffer_bytes", store.write_buffer_bytes, 1 << 16..=1 << 32)?;
    within(source, "store.wal_bytes_max", store.wal_bytes_max, 1 << 20..=1 << 36)?;
    Ok(StoreOptions {
        block_cache_bytes: store.block_cache_bytes,
        write_buffer_bytes: store.write_buffer_bytes,
        wal_bytes_max: store.wal_bytes_max,
        ..StoreOptions::default()
    })
}

fn within<T: PartialOrd + std::fmt::Display>(
    source: &Source,
    key: &str,
    value: T,
    range: RangeInclusive<T>,
) -> Result<(), ConfigError> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(source.at(key, format!("must be {} to {}, not {value}", range.start(), range.end())))
}

fn is_host_port(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|p| p > 0))
}
