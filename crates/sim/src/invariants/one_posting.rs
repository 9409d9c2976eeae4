//! one_posting: a deposit's id is posted at most once in the world (the ghost refuses a second one in any log), by the
//! site that its stamp names, and every copy is that posting.

use crate::world::World;

pub(crate) fn check(world: &World) -> Result<(), String> {
    for (id, posting) in &world.ghost.postings {
        if posting.site.region != id.region() {
            return Err(format!("deposit {id} was posted by {}", posting.site));
        }
    }
    for node in world.nodes.values() {
        for (id, copy) in &node.disk.tables().postings {
            if world.ghost.postings.get(id) != Some(copy) {
                return Err(format!("region {} holds deposit {id} otherwise than its owner's log", node.region));
            }
        }
    }
    Ok(())
}
