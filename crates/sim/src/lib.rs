//! The deterministic world: three real engines with the real commit loop in virtual time, over a lying network and
//! crashing disks, with clients that remember everything. One seed is one trace.
//!
//! A map of the code:
//! * [`Options`]: what a seed brings; `draw`: chance; `clock`: wall and steady clocks;
//! * `world`: the events; `node`: a machine; `network`: connections and frames; [`disk`]: what was synced;
//! * `load`: what clients do; `travel`: where players are; `oracle` and `withdrawals`: what clients remember; `ghost` and `stops`: the truth, read off the true logs;
//! * `fork`: a second history of a site, by an old copy of its directory or by a twin, and what it may do;
//! * `invariants`: one file each, named as the promises of the house; `poison`: bad entries;
//! * [`mutations`]: forbidden shortcuts that the invariants must catch.
//!
//! It must not know how the engine decides anything: it only compares what regions say with what is true.

mod cash_outs;
mod clock;
pub mod disk;
mod draw;
mod fork;
mod ghost;
mod invariants;
mod load;
pub mod mutations;
mod network;
mod node;
mod options;
mod oracle;
mod poison;
mod report;
mod stops;
mod trace;
mod travel;
mod withdrawals;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

pub use options::{OldDisk, Options};
pub use report::{Breach, Failure, Report};

use world::World;

/// Runs a seed with its swarm options.
///
/// # Errors
/// [`Failure`]: the first promise that broke, a panic of the engine included.
pub fn run_seed(seed: u64) -> Result<Report, Box<Failure>> {
    run(Options::of_seed(seed))
}

/// Runs given options.
///
/// # Errors
/// [`Failure`]: the first promise that broke, a panic of the engine included.
pub fn run(options: Options) -> Result<Report, Box<Failure>> {
    let mut world = World::new(options);
    let result = catch_unwind(AssertUnwindSafe(|| world.run()));
    let breach = match result {
        Ok(Ok(report)) => return Ok(report),
        Ok(Err(breach)) => breach,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
            Breach { invariant: "no_panic", detail: text.unwrap_or_else(|| "a panic without words".to_owned()) }
        }
    };
    Err(Box::new(Failure {
        breach,
        seed: world.options.seed,
        at_ms: world.now_ms,
        options: format!("{:?}", world.options),
        events: world.trace.lines(),
    }))
}
