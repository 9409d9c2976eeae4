//! What a run comes to: figures when all held, or which promise broke, when, and how to see it again.
//! Knows texts only.

use std::fmt;

/// A broken promise.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Breach {
    /// The invariant's name.
    pub invariant: &'static str,
    /// What was seen.
    pub detail: String,
}

impl Breach {
    pub(crate) const fn new(invariant: &'static str, detail: String) -> Self {
        Self { invariant, detail }
    }
}

/// A failed run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// What broke.
    pub breach: Breach,
    /// The seed.
    pub seed: u64,
    /// Virtual time, ms.
    pub at_ms: u64,
    /// The run's options, for people.
    pub options: String,
    /// The last events.
    pub events: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {} broke {} at {} ms: {}", self.seed, self.breach.invariant, self.at_ms, self.breach.detail)?;
        writeln!(f, "options: {}", self.options)?;
        for line in &self.events {
            writeln!(f, "  {line}")?;
        }
        write!(f, "reproduce: cargo run -p stakehold-sim --bin soak -- --seed {}", self.seed)
    }
}

/// Figures of a run in which everything held.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// Hash over all events: the same for the same seed, always.
    pub trace: u64,
    /// Events.
    pub events: u64,
    /// Groups that engines ran.
    pub groups: u64,
    /// Virtual time when all regions were equal, ms.
    pub quiet_ms: u64,
    /// Process deaths.
    pub crashes: u64,
    /// Wagers accepted.
    pub accepted: u64,
    /// Wagers rejected for good.
    pub rejected: u64,
    /// Grants of rights between regions.
    pub grants: u64,
    /// Settlements, cash-outs and cancels posted.
    pub settlements: u64,
    /// Parts of wagers cashed out.
    pub cashed_out: u64,
    /// Cancels of accepted wagers, in part or as a whole.
    pub revoked: u64,
    /// Legs that ended void because they were taken after their market had closed.
    pub past_posted: u64,
    /// Deposits posted.
    pub deposits: u64,
    /// Homes that have moved.
    pub homes: u64,
    /// Wager ids handed to another region or closed undecided.
    pub handed: u64,
    /// Requests and answers that third regions passed on round a cut link.
    pub passed_on: u64,
    /// Withdrawals confirmed or released.
    pub resolved: u64,
    /// Wagers prepared at level `geo`.
    pub prepared: u64,
    /// Answers that called one pending.
    pub pending: u64,
    /// Payment references decided.
    pub references: u64,
    /// Payment references taken in away from their birth sites.
    pub received: u64,
    /// Sessions ended.
    pub sessions: u64,
    /// Suspensions written.
    pub suspensions: u64,
    /// Suspensions written of scopes wider than a market.
    pub wide: u64,
    /// Answers that a wager waits for a market's delay.
    pub delayed: u64,
    /// Wagers accepted after a delay.
    pub waited: u64,
    /// Old copies of a directory that came back while there was load.
    pub old_copies: u64,
    /// Stakes that such copies took until they were noticed, minor units.
    pub respent: u64,
    /// Ids that such copies decided again.
    pub decided_again: u64,
    /// Wager ids that a region said were pending, because their owner could not be heard.
    pub tickets: u64,
    /// Segments of logs sealed.
    pub segments: u64,
    /// Snapshots taken over.
    pub snapshots: u64,
    /// Wager ids that three living regions were asked to place in one moment.
    pub everywhere: u64,
    /// Those of them that were accepted.
    pub once: u64,
    /// Accounts whose whole rest one region was granted when all was equal.
    pub rests: u64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "trace {:016x} events {} groups {} crashes {} accepted {} rejected {} grants {} settlements {} cashed out {} revoked {} past posted {} deposits {} \
             homes {} handed {} passed on {} resolved {} prepared {} pending {} references {} received {} sessions {} \
             suspensions {} wide {} delayed {} waited {} old copies {} respent {} decided again {} tickets {} segments {} snapshots {} everywhere {} once {} rests {} equal at {} ms",
            self.trace,
            self.events,
            self.groups,
            self.crashes,
            self.accepted,
            self.rejected,
            self.grants,
            self.settlements,
            self.cashed_out,
            self.revoked,
            self.past_posted,
            self.deposits,
            self.homes,
            self.handed,
            self.passed_on,
            self.resolved,
            self.prepared,
            self.pending,
            self.references,
            self.received,
            self.sessions,
            self.suspensions,
            self.wide,
            self.delayed,
            self.waited,
            self.old_copies,
            self.respent,
            self.decided_again,
            self.tickets,
            self.segments,
            self.snapshots,
            self.everywhere,
            self.once,
            self.rests,
            self.quiet_ms
        )
    }
}
