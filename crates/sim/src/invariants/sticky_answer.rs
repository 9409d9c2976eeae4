//! sticky_answer: a final answer never changes. Each answer is compared when it is heard (`oracle`); here every answer
//! that clients remember is compared with the true log once more.

use crate::world::World;

pub(crate) fn check(world: &World) -> Result<(), String> {
    for shown in world.oracle.decisions() {
        let truth = world.ghost.wagers.get(&shown.id);
        if truth.is_none_or(|t| t.decision != shown.decision || t.stake != shown.stake || t.legs != shown.legs) {
            return Err(format!("wager {} was shown as {:?} and is {truth:?}", shown.id, shown.decision));
        }
    }
    Ok(())
}
