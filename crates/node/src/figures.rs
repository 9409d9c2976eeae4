//! Figures of a running node: published by the driver after a group, read off when somebody asks for metrics.
//! Nothing is pushed from inside the engine. Knows the metrics facade, not how metrics are rendered.

use std::sync::{Arc, Mutex, PoisonError};

use engine::stats::Stats;
use metrics::{counter, gauge};
use net::{LaneStats, Net};
use store::Usage;

use crate::handle::NodeHandle;
use crate::watch::Watch;

/// Histogram: inputs in one group.
pub const METRIC_GROUP_INPUTS: &str = "stakehold_group_inputs";
/// Histogram: seconds from the first input of a group to its last effect, groups that wrote something only.
pub const METRIC_COMMIT_SECONDS: &str = "stakehold_commit_seconds";
/// Bounds for [`METRIC_GROUP_INPUTS`].
pub const GROUP_INPUTS_BUCKETS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];
/// Bounds for [`METRIC_COMMIT_SECONDS`].
pub const COMMIT_SECONDS_BUCKETS: &[f64] =
    &[1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0];

/// What the driver publishes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Published {
    pub(crate) engine: Stats,
    pub(crate) store: Usage,
    pub(crate) groups: u64,
    pub(crate) commits: u64,
    pub(crate) writes: u64,
    pub(crate) frames_dropped: u64,
    pub(crate) waiting: usize,
}

/// Where it publishes.
pub(crate) type Board = Arc<Mutex<Published>>;

/// All figures of a node; clone it freely.
#[derive(Clone, Debug)]
pub struct Figures {
    board: Board,
    handle: NodeHandle,
    net: Option<Net>,
    watch: Arc<Watch>,
}

/// Counters by the fields of a struct; a new field does not compile until it is listed.
macro_rules! counters {
    ($prefix:literal, $of:ident = $from:expr, [$($field:ident),* $(,)?]) => {{
        let $of { $($field),* } = $from;
        $( counter!(concat!($prefix, stringify!($field), "_total")).absolute($field); )*
    }};
}

impl Figures {
    pub(crate) const fn new(board: Board, handle: NodeHandle, net: Option<Net>, watch: Arc<Watch>) -> Self {
        Self { board, handle, net, watch }
    }

    /// Hands the figures as they stand to the process' metrics recorder.
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float; 53 bits are plenty for a size")]
    pub fn export(&self) {
        let now = *self.board.lock().unwrap_or_else(PoisonError::into_inner);
        export_engine(now.engine);
        counter!("stakehold_groups_total").absolute(now.groups);
        counter!("stakehold_commits_total").absolute(now.commits);
        counter!("stakehold_store_writes_total").absolute(now.writes);
        counter!("stakehold_frames_dropped_total").absolute(now.frames_dropped);
        gauge!("stakehold_requests_waiting").set(now.waiting as f64);
        gauge!("stakehold_requests_queued").set(self.handle.queued() as f64);
        gauge!("stakehold_step_seconds").set(self.watch.busy().as_secs_f64());
        export_store(now.store);
        if let Some(net) = &self.net {
            export_net(net);
        }
    }
}

fn export_engine(stats: Stats) {
    counters!(
        "stakehold_engine_",
        Stats = stats,
        [
            inputs,
            wagers_accepted,
            wagers_rejected,
            wagers_replayed,
            wagers_delayed,
            wagers_undecided,
            deposits,
            references_received,
            references_decided,
            references_refused,
            sessions_opened,
            sessions_ended,
            settlements,
            entries_written,
            entries_applied,
            entries_repeated,
            streams_stopped,
            pulls,
            odds_writes,
            odds_merged,
            odds_frames,
            odds_refused,
            feed_messages,
            acquires,
            requests_relayed,
            requests_passed_on,
            grants,
            tickets_opened,
            tickets_resolved,
            homes_asked,
            homes_moved,
            windows_bound,
            windows_differ,
            frames_refused,
            quarantines,
            entries_cut,
            snapshot_pages_asked,
            snapshot_pages,
            snapshots_taken,
            snapshots_refused,
        ]
    );
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float; 53 bits are plenty for a size")]
fn export_store(usage: Usage) {
    let Usage {
        sst_bytes,
        memtable_bytes,
        block_cache_bytes,
        compaction_pending_bytes,
        level0_files_max,
        background_errors,
        is_write_stalled,
    } = usage;
    gauge!("stakehold_store_sst_bytes").set(sst_bytes as f64);
    gauge!("stakehold_store_memtable_bytes").set(memtable_bytes as f64);
    gauge!("stakehold_store_block_cache_bytes").set(block_cache_bytes as f64);
    gauge!("stakehold_store_compaction_pending_bytes").set(compaction_pending_bytes as f64);
    gauge!("stakehold_store_level0_files_max").set(level0_files_max as f64);
    counter!("stakehold_store_background_errors_total").absolute(background_errors);
    gauge!("stakehold_store_write_stalled").set(f64::from(u8::from(is_write_stalled)));
}

fn export_net(net: &Net) {
    let stats = net.stats();
    counter!("stakehold_net_refused_total").absolute(stats.refused);
    for (region, peer) in stats.peers {
        let region = region.to_string();
        gauge!("stakehold_link_up", "peer" => region.clone()).set(f64::from(u8::from(peer.connected)));
        let rtt_s = peer.rtt.map_or(f64::NAN, |rtt| rtt.as_secs_f64());
        gauge!("stakehold_link_rtt_seconds", "peer" => region.clone()).set(rtt_s);
        counter!("stakehold_link_connects_total", "peer" => region.clone()).absolute(peer.connects);
        counter!("stakehold_link_refused_total", "peer" => region.clone()).absolute(peer.refused);
        counter!("stakehold_link_dial_failures_total", "peer" => region.clone()).absolute(peer.dial_failures);
        for lane in net::Lane::ALL {
            export_lane(&region, lane, *peer.lanes.get(lane));
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float; 53 bits are plenty for a size")]
fn export_lane(region: &str, lane: net::Lane, of: LaneStats) {
    let lane = match lane {
        net::Lane::Odds => "odds",
        net::Lane::Requests => "requests",
        net::Lane::Log => "log",
        net::Lane::Bulk => "bulk",
    };
    let labels = [("peer", region.to_owned()), ("lane", lane.to_owned())];
    counter!("stakehold_lane_frames_sent_total", &labels).absolute(of.frames_sent);
    counter!("stakehold_lane_bytes_sent_total", &labels).absolute(of.bytes_sent);
    counter!("stakehold_lane_frames_received_total", &labels).absolute(of.frames_received);
    counter!("stakehold_lane_bytes_received_total", &labels).absolute(of.bytes_received);
    gauge!("stakehold_lane_queued_frames", &labels).set(of.queued_frames as f64);
    gauge!("stakehold_lane_queued_bytes", &labels).set(of.queued_bytes as f64);
}
