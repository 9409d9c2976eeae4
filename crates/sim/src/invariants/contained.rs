//! contained: no stream stands still without cause; a bad entry stops its site's stream at its victim and nothing
//! else: the victim lives on, serves, and the others hear it.

use crate::world::World;

/// Streams that stand still are those that were poisoned.
pub(crate) fn check(world: &World) -> Result<(), String> {
    for node in world.nodes.values() {
        for (site, head) in &node.disk.tables().heads {
            let poisoned = world.poisoned.is_some_and(|p| p.victim == node.region && p.site == *site);
            if let Some(why) = head.stopped.as_ref().filter(|_| !poisoned) {
                return Err(format!("region {} stopped the stream of {site}: {why}", node.region));
            }
        }
    }
    Ok(())
}

/// A bad entry that arrived has stopped its stream, durably, and its victim still runs.
pub(crate) fn at_the_end(world: &World) -> Result<(), String> {
    let Some(poisoned) = world.poisoned.filter(|p| p.delivered) else { return Ok(()) };
    let victim = world.node(poisoned.victim);
    let stopped = victim.disk.tables().heads.get(&poisoned.site).is_some_and(|h| h.stopped.is_some());
    if !stopped {
        return Err(format!("region {} took a bad entry of {}", poisoned.victim, poisoned.site));
    }
    if victim.process.is_none() {
        return Err(format!("region {} died of a bad entry of {}", poisoned.victim, poisoned.site));
    }
    Ok(())
}
