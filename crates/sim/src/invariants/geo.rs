//! durable_ack at level `geo`: a prepared wager is called accepted only once its entry has been durable at another site,
//! and when all is healed and equal every region calls it so.

use model::{Answer, WagerAnswer, WagerRecord, WagerView};

use crate::world::World;

/// A client hears that prepared wagers are accepted.
pub(crate) fn shown(world: &World, answer: &Answer) -> Result<(), String> {
    match answer {
        Answer::Placed(answers) => answers.iter().try_for_each(|answer| match answer {
            WagerAnswer::Decided { record, .. } => counts(world, record),
            _ => Ok(()),
        }),
        Answer::Wager { view: WagerView::Known(record), .. } => counts(world, record),
        _ => Ok(()),
    }
}

fn counts(world: &World, record: &WagerRecord) -> Result<(), String> {
    let held = world.ghost.elsewhere.get(&record.owner).copied().unwrap_or(0);
    if !record.is_prepared() || record.entry <= held {
        return Ok(());
    }
    let (id, entry, owner) = (record.id, record.entry, record.owner);
    Err(format!("wager {id} counts by entry {entry} of {owner}, of which others have held {held}"))
}

/// Healed, and all have all logs: nothing is pending any more, except where a stream stands still.
pub(crate) fn confirmed(world: &World) -> Result<(), String> {
    let gone = world.gone();
    for node in world.nodes.values().filter(|n| Some(n.region) != gone) {
        let Some(process) = &node.process else { continue };
        let ledger = process.engine().ledger();
        let follows = |owner| world.poisoned.is_none_or(|p| p.victim != node.region || p.site != owner);
        // A site in quarantine confirms nothing more, and one that nobody follows is acknowledged by nobody.
        let acked = |owner: crdt::Site| gone.is_none() || world.poisoned.is_none_or(|p| p.site != owner);
        let speaks = |owner: crdt::Site| Some(owner.region) != gone && follows(owner) && acked(owner);
        let mut own = world.ghost.wagers.values().filter(|w| w.is_prepared() && speaks(w.owner));
        if let Some(wager) = own.find(|w| !ledger.is_confirmed(w)) {
            return Err(format!("wager {} of {} is still pending at {}", wager.id, wager.owner, node.region));
        }
    }
    Ok(())
}
