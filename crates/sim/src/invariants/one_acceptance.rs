//! one_acceptance: an id is decided by the site that its stamp names, or by the one that the right was handed to, and
//! at most once (the ghost refuses a second decision in any log, a decision by a site that gave the id away, and one
//! without the hand-over in the decider's prefix); and every copy anywhere is that decision.

use crate::world::World;

pub(crate) fn check(world: &World) -> Result<(), String> {
    for (id, record) in &world.ghost.wagers {
        let handed = || world.ghost.handed.iter().any(|((of, _), to)| of == id && *to == Some(record.owner));
        if record.owner.region != id.region() && !handed() {
            return Err(format!("wager {id} was decided by {}", record.owner));
        }
    }
    for (id, _) in world.ghost.handed.iter().filter(|(_, to)| to.is_none()).map(|((id, site), _)| (id, site)) {
        if world.ghost.wagers.contains_key(id) {
            return Err(format!("wager {id} was decided and closed"));
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
