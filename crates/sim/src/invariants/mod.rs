//! The invariants, one file each, named as the promises of DESIGN.md section 1. Each compares true committed state
//! with the ghosts and the clients' memory. This file says when each is looked at.

pub(crate) mod conservation;
pub(crate) mod contained;
pub(crate) mod convergence;
pub(crate) mod durable_ack;
pub(crate) mod geo;
pub(crate) mod no_overdraft;
pub(crate) mod one_acceptance;
pub(crate) mod one_posting;
pub(crate) mod quarantine;
mod settle_once;
pub(crate) mod sticky_answer;
pub(crate) mod suspension_wins;
pub(crate) mod tickets;
pub(crate) mod window;

use model::{Answer, MarketKey, Posting, WagerRecord};

use crate::oracle::Call;
use crate::report::Breach;
use crate::stops::Held;
use crate::world::World;

fn named(invariant: &'static str, result: Result<(), String>) -> Result<(), Breach> {
    result.map_err(|detail| Breach::new(invariant, detail))
}

/// After every group of a region: what is cheap.
pub(crate) fn after_group(world: &World, region: u16) -> Result<(), Breach> {
    named("no_overdraft", no_overdraft::at(world, region))?;
    named("conservation", conservation::at(world, region))?;
    named("window", window::at(world, region))?;
    named("durable_ack", durable_ack::shown(world, region))
}

/// Now and then and at the end: everything.
pub(crate) fn deep(world: &World) -> Result<(), Breach> {
    named("no_overdraft", no_overdraft::everywhere(world))?;
    named("conservation", conservation::everywhere(world))?;
    named("one_acceptance", one_acceptance::check(world))?;
    named("one_posting", one_posting::check(world))?;
    named("sticky_answer", sticky_answer::check(world))?;
    named("durable_ack", durable_ack::check(world))?;
    named("window", window::memory(world))?;
    named("one_acceptance", tickets::never_place(world))?;
    named("contained", contained::check(world))?;
    named("convergence", convergence::prefixes(world))
}

/// A client was shown wagers.
pub(crate) fn wagers_shown(world: &World, answer: &Answer) -> Result<(), Breach> {
    named("durable_ack", geo::shown(world, answer))
}

/// A client was answered: what the region then promises to find out is on its disk.
pub(crate) fn promised(world: &World, region: u16, call: &Call, answer: &Answer) -> Result<(), Breach> {
    named("durable_ack", tickets::promised(world, region, call, answer))
}

/// A client was shown a withdrawal.
pub(crate) fn withdrawal_shown(world: &World, posting: &Posting, held: bool) -> Result<(), Breach> {
    named("one_posting", one_posting::shown(world, posting))?;
    let left = posting.withdrawal().is_some_and(|w| w.state == model::WithdrawalState::Confirmed);
    named("held_when_safe", if held || left { one_posting::held(world, posting) } else { Ok(()) })
}

/// A client was told something of a payment reference.
pub(crate) fn reference_answered(world: &World, answer: &Answer, site: crdt::Site) -> Result<(), Breach> {
    named("one_posting", one_posting::answered(world, answer, site))
}

/// A wager was accepted in a group that began with `held`.
pub(crate) fn sold(
    world: &World,
    region: u16,
    wager: &WagerRecord,
    market: &MarketKey,
    held: &Held,
) -> Result<(), Breach> {
    named("suspension_wins", suspension_wins::sold(world, region, wager, market, held))
}
