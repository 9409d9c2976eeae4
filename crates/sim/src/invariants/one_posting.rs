//! one_posting: a deposit's id is posted at most once in the world (the ghost refuses a second one in any log), by the
//! site that its stamp names, and every copy is that posting. The same for payment providers' references, which carry no
//! stamp: their accounts' names say who decides.

use model::{Answer, Posting, ReferenceOutcome, WithdrawalState};

use crate::world::World;

pub(crate) fn check(world: &World) -> Result<(), String> {
    for (id, posting) in &world.ghost.postings {
        if posting.site.region != id.region() {
            return Err(format!("deposit {id} was posted by {}", posting.site));
        }
    }
    references(world)?;
    for node in world.nodes.values() {
        for (id, copy) in &node.disk.tables().postings {
            // A copy may not have heard yet how a withdrawal ended.
            let behind = copy.withdrawal().is_some_and(|w| w.state == WithdrawalState::Prepared);
            let truth = world.ghost.postings.get(id);
            let same = truth == Some(copy) || (behind && truth.map(|t| &t.body) == Some(&copy.body));
            if !same {
                return Err(format!("region {} holds deposit {id} otherwise than its owner's log", node.region));
            }
        }
    }
    Ok(())
}

/// A payment reference is decided by the region in its account's name (the ghost refuses a second decision in any log),
/// its one posting is in that log, and every copy is that decision.
fn references(world: &World) -> Result<(), String> {
    for (reference, decision) in &world.ghost.references {
        let birth = crate::world::REGIONS.iter().find(|(_, name)| *name == reference.region());
        if birth.map(|(n, _)| *n) != Some(decision.site.region) {
            return Err(format!("payment {reference} was decided by {}", decision.site));
        }
        if let ReferenceOutcome::Posted(id) = decision.outcome
            && world.ghost.postings.get(&id).and_then(Posting::reference) != Some(reference)
        {
            return Err(format!("payment {reference} is said to be posted as {id}"));
        }
    }
    for node in world.nodes.values() {
        let copies = &node.disk.tables().references;
        if let Some((reference, _)) = copies.iter().find(|(r, copy)| world.ghost.references.get(*r) != Some(*copy)) {
            return Err(format!("region {} holds payment {reference} otherwise than its birth site", node.region));
        }
    }
    Ok(())
}

/// What a client is told of a payment reference: `received` is durable in a log, and a refusal is the decision.
pub(crate) fn answered(world: &World, answer: &Answer, site: crdt::Site) -> Result<(), String> {
    match answer {
        Answer::Received(received) if !world.ghost.received.contains(&(received.reference.clone(), site)) => {
            Err(format!("payment {} is said to be received and is not in the log of {site}", received.reference))
        }
        Answer::ReferenceRefused { decision, .. }
            if world.ghost.references.get(&decision.received.reference) != Some(decision) =>
        {
            Err(format!("payment {} was shown refused and is not in its log", decision.received.reference))
        }
        _ => Ok(()),
    }
}

/// A withdrawal that a client is shown is in its origin's log, and ended there as shown.
pub(crate) fn shown(world: &World, posting: &Posting) -> Result<(), String> {
    let truth = world.ghost.postings.get(&posting.id);
    let prepared = posting.withdrawal().is_some_and(|w| w.state == WithdrawalState::Prepared);
    // A client whose answer waited behind an end of the same group may still be shown it prepared.
    let same = truth == Some(posting) || (prepared && truth.map(|t| &t.body) == Some(&posting.body));
    if same { Ok(()) } else { Err(format!("withdrawal {posting:?} was shown, its log says {truth:?}")) }
}

/// Money that clients were told has left is the money that has left, when they have asked for all of it.
pub(crate) fn left(world: &World) -> Result<(), String> {
    let counts = |region: u16| world.gone() != Some(region);
    let heard = world.oracle.withdrawals.confirmed(|id| counts(id.region()));
    let sums = world.ghost.sums.iter().filter(|((_, site), _)| counts(site.region));
    let truth: u64 = sums.map(|(_, sums)| sums.withdrawals[1]).sum();
    if heard == truth { Ok(()) } else { Err(format!("clients were told that {heard} have left, the logs say {truth}")) }
}

/// P12: a withdrawal is shown as held, or as gone, only once another region than its origin holds its entry.
pub(crate) fn held(world: &World, posting: &Posting) -> Result<(), String> {
    let entry = posting.withdrawal().map_or(u64::MAX, |w| w.entry);
    let holds = |n: &crate::node::Node| {
        n.site != posting.site && n.disk.tables().heads.get(&posting.site).is_some_and(|h| h.index >= entry)
    };
    if world.nodes.values().any(holds) {
        Ok(())
    } else {
        Err(format!("withdrawal {} is held nowhere else", posting.id))
    }
}
