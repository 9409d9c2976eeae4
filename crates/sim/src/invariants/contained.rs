//! contained: no stream stands still without cause; a bad entry stops its site's stream at its victim and nothing
//! else: the victim lives on, serves, and the others hear it.

use crate::world::World;

/// Streams that stand still are those that were poisoned.
pub(crate) fn check(world: &World) -> Result<(), String> {
    for node in world.nodes.values() {
        for (site, head) in &node.disk.tables().heads {
            let poisoned = world.poisoned.is_some_and(|p| p.victim == node.region && p.site == *site);
            let forked = world.forked() == Some(*site);
            if let Some(why) = head.stopped.as_ref().filter(|_| !poisoned && !forked) {
                return Err(format!("region {} stopped the stream of {site}: {why}", node.region));
            }
        }
    }
    Ok(())
}

/// What two histories of one site have done to the others: nothing. They run, write, hear each other, and none of them
/// is in quarantine.
pub(crate) fn among_the_others(world: &World, forked: crdt::Site) -> Result<(), String> {
    let others: Vec<_> = world.nodes.values().filter(|n| n.site != forked).collect();
    for node in &others {
        let tables = node.disk.tables();
        if node.process.is_none() || tables.meta.as_ref().is_none_or(|m| m.quarantine.is_some()) {
            return Err(format!("region {} does not go on beside two of {forked}", node.region));
        }
        for (site, head) in tables.heads.iter().filter(|(site, _)| **site != forked) {
            let poisoned = world.poisoned.is_some_and(|p| p.victim == node.region && p.site == *site);
            if head.stopped.is_some() && !poisoned {
                return Err(format!("region {} stopped {site} because of {forked}", node.region));
            }
        }
    }
    Ok(())
}

/// A bad entry that arrived has stopped its stream, durably, and its victim still runs.
pub(crate) fn at_the_end(world: &World) -> Result<(), String> {
    let Some(poisoned) = world.poisoned.filter(|p| p.delivered) else { return Ok(()) };
    let victim = world.node(poisoned.victim);
    if world.gone() == Some(poisoned.victim) {
        return Ok(());
    }
    let stopped = victim.disk.tables().heads.get(&poisoned.site).is_some_and(|h| h.stopped.is_some());
    if !stopped {
        return Err(format!("region {} took a bad entry of {}", poisoned.victim, poisoned.site));
    }
    if victim.process.is_none() {
        return Err(format!("region {} died of a bad entry of {}", poisoned.victim, poisoned.site));
    }
    Ok(())
}
