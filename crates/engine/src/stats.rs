//! Figures of one engine since its start: counted where things happen, read off by the driver, never pushed.

/// Counters; all only rise.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// Inputs handled.
    pub inputs: u64,
    /// Wagers accepted by this site.
    pub wagers_accepted: u64,
    /// Wagers rejected by this site.
    pub wagers_rejected: u64,
    /// Answers repeated for an id decided before.
    pub wagers_replayed: u64,
    /// Wagers that were taken in and waited for an in-play delay.
    pub wagers_delayed: u64,
    /// Wagers answered without a decision.
    pub wagers_undecided: u64,
    /// Deposits posted.
    pub deposits: u64,
    /// Payment references taken in for their birth sites.
    pub references_received: u64,
    /// Payment references decided by this site.
    pub references_decided: u64,
    /// Payment references that this site has refused for good.
    pub references_refused: u64,
    /// Sessions opened here.
    pub sessions_opened: u64,
    /// Sessions ended here.
    pub sessions_ended: u64,
    /// Settlements posted by this site.
    pub settlements: u64,
    /// Own log entries.
    pub entries_written: u64,
    /// Foreign log entries applied.
    pub entries_applied: u64,
    /// Foreign log entries heard before.
    pub entries_repeated: u64,
    /// Streams of other sites stopped by a bad entry.
    pub streams_stopped: u64,
    /// Gaps asked for.
    pub pulls: u64,
    /// Odds-plane writes of this site.
    pub odds_writes: u64,
    /// Odds values taken over from peers.
    pub odds_merged: u64,
    /// Odds frames received.
    pub odds_frames: u64,
    /// Odds values or frames of peers that were refused.
    pub odds_refused: u64,
    /// Feed messages applied.
    pub feed_messages: u64,
    /// Requests for rights sent.
    pub acquires: u64,
    /// Requests and answers sent round a cut link.
    pub requests_relayed: u64,
    /// Requests and answers of others passed on round a cut link.
    pub requests_passed_on: u64,
    /// Grants given.
    pub grants: u64,
    /// Tickets written: wagers whose owner could not be heard.
    pub tickets_opened: u64,
    /// Tickets whose ids are decided or closed, or have expired by their owners' word.
    pub tickets_resolved: u64,
    /// Homes asked to move here, because their player bets here.
    pub homes_asked: u64,
    /// Homes that this site has moved away.
    pub homes_moved: u64,
    /// Wagers that were short only of their exposure windows when they were looked at.
    pub windows_bound: u64,
    /// `Hello`s of peers whose exposure windows differ.
    pub windows_differ: u64,
    /// Peer frames that could not be read.
    pub frames_refused: u64,
    /// 1 once this process has found itself in quarantine.
    pub quarantines: u64,
    /// Log entries cut at the front, sealed before.
    pub entries_cut: u64,
    /// Pages of snapshots that peers have asked for here.
    pub snapshot_pages_asked: u64,
    /// Pages of snapshots received.
    pub snapshot_pages: u64,
    /// Snapshots taken over as a whole.
    pub snapshots_taken: u64,
    /// Snapshots given up: they did not add up, or their server had lost them.
    pub snapshots_refused: u64,
}
