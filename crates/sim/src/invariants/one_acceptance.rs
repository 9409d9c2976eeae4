//! one_acceptance: an id is decided by the site that its stamp names and by no other, at most once (the ghost refuses a
//! second decision in any log), and every copy anywhere is that decision.

use crate::world::World;

pub(crate) fn check(world: &World) -> Result<(), String> {
    for (id, record) in &world.ghost.wagers {
        if record.owner.region != id.region() {
            return Err(format!("wager {id} was decided by {}", record.owner));
        }
    }
    for node in world.nodes.values() {
        for (id, copy) in &node.disk.tables().wagers {
            let truth = world.ghost.wagers.get(id);
            let same = truth.is_some_and(|t| {
                (&t.decision, t.stake, t.entry, &t.account) == (&copy.decision, copy.stake, copy.entry, &copy.account)
            });
            if !same {
                return Err(format!("region {} holds wager {id} otherwise than its owner's log", node.region));
            }
        }
    }
    Ok(())
}
