//! Tickets (ESCROW.md 2.10, Q2): what a region called pending is on its disk, is never placed by it while it is, and is
//! resolved by itself once all is healed. Looks at disks, the true logs and what clients were told.

use engine::door::Request;
use model::limits::HANDED_KEPT_MS;
use model::{Answer, Command, MintedId, WagerAnswer};

use crate::node::Node;
use crate::oracle::Call;
use crate::world::World;

/// Every `pending` of an answer is on the disk of the region that gave it.
pub(crate) fn promised(world: &World, region: u16, call: &Call, answer: &Answer) -> Result<(), String> {
    let (Request::Command(Command::Place(items)), Answer::Placed(answers)) = (&call.request, answer) else {
        return Ok(());
    };
    let mut pending = items.iter().zip(answers).filter(|(_, a)| matches!(a, WagerAnswer::Ticket(_)));
    pending.try_for_each(|(item, _)| written(world, region, item.id))
}

fn written(world: &World, region: u16, id: MintedId) -> Result<(), String> {
    let tables = world.node(region).disk.tables();
    let standing = tables.tickets.get(&id).is_some_and(|t| t.ended_ms.is_none());
    // Resolved in the same group, after the answer was made.
    let known = tables.wagers.contains_key(&id) || tables.postings.contains_key(&id) || closed(world, region, id);
    if standing || known { Ok(()) } else { Err(format!("region {region} calls {id} pending and holds no ticket")) }
}

/// No region decides an id while it holds a ticket for it.
pub(crate) fn never_place(world: &World) -> Result<(), String> {
    for node in world.nodes.values() {
        for id in node.disk.tables().tickets.keys() {
            if world.ghost.wagers.get(id).is_some_and(|w| w.owner == node.site) {
                return Err(format!("region {} holds a ticket for {id} and has decided it", node.region));
            }
        }
    }
    Ok(())
}

/// No ticket stands, and every id that a client was told is pending has its fate in the region that said so.
pub(crate) fn resolved(world: &World, exempt: &[u16]) -> Result<(), String> {
    for node in world.nodes.values().filter(|n| !exempt.contains(&n.region)) {
        let tables = node.disk.tables();
        let mut standing = tables.tickets.iter().filter(|(_, t)| t.ended_ms.is_none());
        if let Some((id, _)) = standing.find(|(id, _)| !out_of_reach(world, **id)) {
            return Err(format!("region {} still calls {id} pending", node.region));
        }
    }
    for (region, id) in world.oracle.promised.iter().filter(|(region, _)| !exempt.contains(region)) {
        if out_of_reach(world, *id) {
            continue;
        }
        let tables = world.node(*region).disk.tables();
        let expired = tables.tickets.contains_key(id);
        // Clocks jump: by then tombstones and the owner's word are forgotten, and the owner refuses the id by its time.
        let owner_ms = tables.meta.as_ref().map_or(0, |m| m.owner_ms);
        let forgotten = id.place_by_ms() + HANDED_KEPT_MS < owner_ms;
        let decided = tables.wagers.contains_key(id) || tables.postings.contains_key(id);
        if !expired && !decided && !forgotten && !closed(world, *region, *id) {
            return Err(format!("region {region} has lost {id}, which it called pending"));
        }
        if world.ghost.wagers.get(id).is_some_and(|w| w.owner.region == *region) {
            return Err(format!("region {region} called {id} pending and decided it itself"));
        }
    }
    Ok(())
}

/// Whether nobody can say what became of an id: who may decide it is gone, or does not know that it may.
fn out_of_reach(world: &World, id: MintedId) -> bool {
    // Handed on in a stream that stands still at the one that it was handed to.
    let unheard = world.poisoned.is_some_and(|p| {
        let handed = |node: &Node| {
            let tables = node.disk.tables();
            tables
                .handed
                .iter()
                .any(|((of, by), h)| *of == id && *by == p.site && h.to.is_some_and(|to| to.region == p.victim))
        };
        world.nodes.values().any(handed)
    });
    unheard || with_the_gone(world, id)
}

/// Whether an id may be decided by a machine that is gone for good, or was handed on to it: it never answers.
fn with_the_gone(world: &World, id: MintedId) -> bool {
    let Some(gone) = world.gone() else { return false };
    let handed_on = |node: &Node| {
        let tables = node.disk.tables();
        tables.handed.iter().any(|((of, _), h)| *of == id && h.to.is_some_and(|to| to.region == gone))
    };
    id.region() == gone || world.nodes.values().any(handed_on)
}

fn closed(world: &World, region: u16, id: MintedId) -> bool {
    world.node(region).disk.tables().handed.iter().any(|((of, _), h)| *of == id && h.to.is_none())
}
