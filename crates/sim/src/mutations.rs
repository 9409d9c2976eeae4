//! The forbidden shortcuts of DESIGN.md section 3 and ESCROW.md section 5, each listed once: what forbids it, which
//! promise must catch it, and what the seeds need for it to show. `make mutations` prints them; `tests/planted.rs` runs
//! them with every test run. Knows the world from outside only.

use engine::planted::Planted;

use crate::{Failure, Options, run};

/// Seeds tried for one bug.
pub const SEEDS_MAX: u64 = 60;

/// One forbidden shortcut that the engine can be told to take.
#[derive(Clone, Copy, Debug)]
pub struct Mutation {
    /// The bug.
    pub bug: Planted,
    /// Where it is forbidden, and in which words.
    pub forbidden: &'static str,
    /// Promises, one of which must break.
    pub by: &'static [&'static str],
    /// What a seed's options need so that the shortcut is ever taken.
    pub shape: fn(&mut Options),
}

const fn row(bug: Planted, forbidden: &'static str, by: &'static [&'static str], shape: fn(&mut Options)) -> Mutation {
    Mutation { bug, forbidden, by, shape }
}

const fn any(_: &mut Options) {}

/// Every bug that can be planted: one line each.
pub const MUTATIONS: &[Mutation] = &[
    // Peers, too, are told of what is lost: then they hold entries that their writer does not.
    row(Planted::AckBeforeSync, "acknowledge before fsync (3)", &["durable_ack", "convergence", "no_overdraft"], |o| {
        o.crash_ppm = 5_000;
    }),
    row(Planted::NotSticky, "let a reject be retried into an accept (3)", &["one_acceptance"], any),
    row(Planted::RegrantRepeats, "grant a request twice (ESCROW 1.5)", &["one_grant"], any),
    row(Planted::GrantFromReply, "use an RPC reply before its log entry (3)", &["no_overdraft"], any),
    row(Planted::GapApplied, "apply a log across a gap (ESCROW 4.3)", &["convergence", "contained"], any),
    row(Planted::UptoEarly, "say `upto` before its values (4)", &["convergence"], any),
    row(Planted::ResumeClearsAll, "clear a suspension unseen (4)", &["suspension_wins"], any),
    row(Planted::GrantKept, "spend what was granted away (ESCROW 1.3)", &["conservation"], any),
    row(Planted::DropS2, "spend beyond the account's window (ESCROW 2.4 S2)", &["window"], |o| {
        (o.exposure_per_account, o.exposure_per_region) = (1_000, 0);
    }),
    row(Planted::DropS3, "spend unreplicated credits (3)", &["window"], any),
    row(Planted::DropS4, "spend beyond the region's window (3, S4)", &["window"], |o| {
        (o.exposure_per_account, o.exposure_per_region) = (0, 2_000);
    }),
    row(Planted::ResumeOldDirectory, "resume an old data directory (3)", &["quarantine"], |o| {
        o.old_disk = Some(crate::OldDisk::Copy);
    }),
    row(Planted::AcceptWithoutFence, "decide a foreign id unasked (ESCROW 2.10 O0)", &["one_acceptance"], any),
    // A reply that tells of a decision is misread as well: then the final answers differ.
    row(Planted::FenceFromReply, "use a fence reply out of band (ESCROW 5)", &["one_acceptance", "sticky_answer"], any),
    row(Planted::QueryWithoutFence, "query without fence (ESCROW 2.10 O0'')", &["one_acceptance"], any),
    // Whoever says pending and places in the same group holds no ticket for what it has promised.
    row(Planted::TicketPlaces, "place a pending id late (ESCROW 2.10)", &["one_acceptance", "durable_ack"], |o| {
        o.cut_every_ms = 1_000
    }),
    row(Planted::HeldEarly, "release a withdrawal before its ack (ESCROW 5 P12)", &["held_when_safe"], any),
    row(Planted::GeoEarly, "answer at level geo before the floor has passed (ESCROW 2.4)", &["durable_ack"], any),
    row(Planted::RefundOnTimeout, "take back a grant on time-out (3)", &["contained", "conservation"], any),
    row(Planted::IncrementDeltas, "ship increments (3)", &["no_overdraft"], |o| o.duplicate_ppm = 50_000),
    row(Planted::RefDedupeLocal, "decide a reference away from its birth site (3)", &["one_posting"], any),
    row(Planted::GuardWithoutOverlay, "check funds outside `apply` (3)", &["no_overdraft"], any),
];

/// Shortcuts that show only once a region can be declared lost: named here so that the table stays whole.
pub const NOT_YET: &[(&str, &str)] = &[
    ("SealOnlyHeir", "seal only the heir (3)"),
    ("RefundInFlightOnLoss", "refund a grant in flight on loss (ESCROW 1.4 F8)"),
    ("ReclaimWithoutSuspense", "reclaim a lost region's rights whole (ESCROW 1.4 F7)"),
    ("ResetWithoutGeneration", "reset counters without a generation (ESCROW 1.4 F9)"),
    ("OffsetCreditHard", "count offset credits as hard (ESCROW 3)"),
];

/// How a bug was caught.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Caught {
    /// The promise that broke.
    pub by: &'static str,
    /// The seed that showed it.
    pub seed: u64,
    /// When, in virtual time.
    pub at_ms: u64,
    /// What was seen, shortened.
    pub detail: String,
}

impl Mutation {
    /// The table's row of a bug.
    #[must_use]
    pub fn of(bug: Planted) -> Option<&'static Self> {
        MUTATIONS.iter().find(|m| m.bug == bug)
    }

    /// Tries seeds until a promise breaks; the same seed must hold without the bug.
    ///
    /// # Errors
    /// Says why the bug counts as a survivor: unnoticed, caught by another promise, or not the cause.
    pub fn hunt(&self) -> Result<Caught, String> {
        let bug = self.bug;
        for seed in 0..SEEDS_MAX {
            let Some(failure) = self.try_seed(seed, bug) else { continue };
            let (by, at_ms) = (failure.breach.invariant, failure.at_ms);
            if by == "no_panic" {
                // An assertion of the engine was faster; another seed shows the promise itself break.
                continue;
            }
            if let Some(control) = self.try_seed(seed, Planted::Nothing) {
                return Err(format!("{bug:?} is not what broke seed {seed}: it breaks without it\n{control}"));
            }
            if !self.by.contains(&by) {
                return Err(format!("{bug:?} broke {by}, not one of {:?}:\n{failure}", self.by));
            }
            return Ok(Caught { by, seed, at_ms, detail: failure.breach.detail.chars().take(120).collect() });
        }
        Err(format!("{bug:?} went unnoticed in {SEEDS_MAX} seeds"))
    }

    fn try_seed(&self, seed: u64, planted: Planted) -> Option<Box<Failure>> {
        let mut options = Options::of_seed(seed);
        options.planted = planted;
        // A second history is judged by its allowance, not by the promises; a shape may ask for one.
        (options.old_copy, options.twins) = (None, false);
        (self.shape)(&mut options);
        run(options).err()
    }
}
