//! durable_ack: what was acknowledged is on the owner's disk, now and after every crash; and what a process believes
//! is what it would believe if it came up from its disk this moment.

use std::collections::BTreeMap;

use engine::ledger::Ledger;
use engine::odds::{Plane, RegisterKey, RegisterValue};

use crate::world::World;

/// Tokens that a region has shown never claim more than its disk holds.
pub(crate) fn shown(world: &World, region: u16) -> Result<(), String> {
    let node = world.node(region);
    let tables = node.disk.tables();
    let Some((log, odds)) = world.oracle.shown.get(&node.site) else { return Ok(()) };
    let held = tables.heads.get(&node.site).map_or(0, |h| h.index);
    let dots = tables.meta.as_ref().map_or(0, |m| m.odds.get(node.site));
    if held < *log || dots < *odds {
        return Err(format!("region {region} showed ({log}, {odds}), its disk holds ({held}, {dots})"));
    }
    Ok(())
}

/// Everything acknowledged is there; memory and disk agree.
pub(crate) fn check(world: &World) -> Result<(), String> {
    for shown in world.oracle.decisions() {
        let owner = world.node(shown.owner.region);
        let tables = owner.disk.tables();
        let held = tables.wagers.get(&shown.id).is_some_and(|w| w.decision == shown.decision);
        if !held || !tables.keeps(shown.owner, shown.entry) {
            return Err(format!("wager {} was acknowledged and is not on its owner's disk", shown.id));
        }
    }
    for (id, posting) in &world.oracle.deposits {
        if world.node(posting.site.region).disk.tables().postings.get(id) != Some(posting) {
            return Err(format!("deposit {id} was acknowledged and is not on its owner's disk"));
        }
    }
    world.nodes.values().filter(|n| n.process.is_some()).try_for_each(memory_is_disk)
}

fn registers(plane: &Plane) -> BTreeMap<RegisterKey, RegisterValue> {
    let mut all = BTreeMap::new();
    plane.visit(|key, value| {
        all.insert(key, value);
    });
    all
}

fn memory_is_disk(node: &crate::node::Node) -> Result<(), String> {
    let Some(process) = &node.process else { return Ok(()) };
    let fresh = node.opened();
    let (now, then) = (process.engine().ledger(), fresh.engine().ledger());
    let region = node.region;
    // What lies beyond the ack floor is found again by the first input; `window` looks at it.
    let stored = |l: &Ledger| -> Vec<_> {
        l.accounts.iter().map(|(id, a)| (id.clone(), a.head.clone(), a.rows.clone())).collect()
    };
    if stored(now) != stored(then) {
        return Err(format!("region {region}: accounts in memory are not those on disk"));
    }
    if (&now.logs, &now.granted, &now.settling) != (&then.logs, &then.granted, &then.settling) {
        return Err(format!("region {region}: logs, grants or settlements in memory are not those on disk"));
    }
    if (&now.taken, &now.sessions) != (&then.taken, &then.sessions) {
        return Err(format!("region {region}: undecided references or sessions in memory are not those on disk"));
    }
    if now.exclusion_rows() != then.exclusion_rows() {
        return Err(format!("region {region}: suspended accounts in memory are not those on disk"));
    }
    if !process.engine().delayed().eq(fresh.engine().delayed()) {
        return Err(format!("region {region}: wagers that wait for a delay in memory are not those on disk"));
    }
    let (now, then) = (process.engine().plane(), fresh.engine().plane());
    if now.vector().get(node.site) != then.vector().get(node.site) || registers(now) != registers(then) {
        return Err(format!("region {region}: odds in memory are not those on disk"));
    }
    Ok(())
}
