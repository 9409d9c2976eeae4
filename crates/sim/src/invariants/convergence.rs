//! convergence: healed and left alone, all regions hold the same: logs, rows, wagers, deposits, results and odds;
//! nothing is in transfer, waiting or unsettled. And at all times every copy of a log is a prefix of the true one, whole
//! from its cut on; and the own log is whole, in itself and in its segments.

use std::collections::BTreeMap;

use crdt::Site;
use engine::odds::{RegisterKey, RegisterValue};
use engine::port::LogHead;
use model::SettlementCall;

use crate::node::Node;
use crate::world::World;

/// Every region's copy of every log is a prefix of the true one.
pub(crate) fn prefixes(world: &World) -> Result<(), String> {
    for node in world.nodes.values() {
        for (site, head) in &node.disk.tables().heads {
            let truth = world.ghost.chain.get(&(*site, head.index)).copied().unwrap_or_default();
            if truth != (head.hash, head.digest) {
                return Err(format!(
                    "region {} holds a log of {site} up to {} that {site} does not",
                    node.region, head.index
                ));
            }
            cut(world, node, *site, head)?;
        }
    }
    Ok(())
}

/// A log lies whole above its cut, the cut is where the true log has it, and what the owner cut lies in segments.
fn cut(world: &World, node: &Node, site: Site, head: &LogHead) -> Result<(), String> {
    let (tables, region, from) = (node.disk.tables(), node.region, head.cut_index());
    let truth = world.ghost.chain.get(&(site, from)).copied().unwrap_or_default();
    if head.cut.is_some_and(|cut| (cut.hash, cut.digest) != truth) {
        return Err(format!("region {region} cut the log of {site} at {from}, where it is otherwise"));
    }
    let kept = tables.log.range((site, 0)..=(site, u64::MAX));
    if !kept.map(|((_, index), _)| *index).eq(from + 1..=head.index) {
        return Err(format!("region {region} does not keep the log of {site} from {from} to {}", head.index));
    }
    match (1..=from).find(|index| site == node.site && !tables.keeps(site, *index)) {
        Some(index) => Err(format!("region {region} has cut its entry {index} and no segment has it")),
        None => Ok(()),
    }
}

fn odds(node: &Node) -> BTreeMap<RegisterKey, RegisterValue> {
    let mut all = BTreeMap::new();
    if let Some(plane) = node.plane() {
        plane.visit(|key, value| {
            all.insert(key, value);
        });
    }
    all
}

/// Whether all regions are equal; else the first thing that is not.
pub(crate) fn check(world: &World) -> Result<(), String> {
    let poisoned = |node: &Node, site| world.poisoned.is_some_and(|p| p.victim == node.region && p.site == site);
    let gone = world.gone();
    let exempt: Vec<u16> = world.poisoned.map(|p| p.victim).into_iter().chain(gone).collect();
    for node in world.nodes.values().filter(|n| Some(n.region) != gone) {
        let region = node.region;
        let Some(process) = &node.process else { return Err(format!("region {region} is down")) };
        if node.links.len() < 2 {
            return Err(format!("region {region} has {} links", node.links.len()));
        }
        let engine = process.engine();
        for other in world.nodes.values() {
            let (held, true_length) = (engine.ledger().head(other.site).index, world.ghost.length(other.site));
            let reachable = Some(other.region) != gone;
            if held != true_length && reachable && !poisoned(node, other.site) {
                return Err(format!("region {region} holds {held} of {true_length} entries of {}", other.site));
            }
        }
        // A region that does not hear a site does not hear its answers' entries either.
        let deaf = world.poisoned.is_some() || gone.is_some();
        if let Some(what) = engine.waits_for().filter(|_| !deaf) {
            return Err(format!("region {region} waits for {what}"));
        }
        if !engine.ledger().settling.is_empty() {
            return Err(format!("region {region} has not settled {:?}", engine.ledger().settling.keys().next()));
        }
    }
    if world.oracle.waiting() > 0 {
        return Err(format!("{} calls wait for an answer", world.oracle.waiting()));
    }
    world.second_is_noticed()?;
    same_odds(world)?;
    same_money(world, &exempt)?;
    referenced(world)?;
    sessions(world, &exempt)?;
    exclusions(world, &exempt)?;
    closed(world, &exempt)?;
    super::tickets::resolved(world, &exempt)?;
    super::settle_once::settled(world, &exempt)?;
    super::geo::confirmed(world)
}

/// Whether a site's stream stands still at any region that it does not belong to.
fn stands(world: &World, site: Site) -> bool {
    let mut others = world.nodes.values().filter(|n| n.site != site);
    others.any(|n| n.disk.tables().heads.get(&site).is_some_and(|h| h.stopped.is_some()))
}

fn same_odds(world: &World) -> Result<(), String> {
    let mut first: Option<(u16, BTreeMap<RegisterKey, RegisterValue>, crdt::Vector)> = None;
    for node in world.nodes.values().filter(|n| Some(n.region) != world.gone()) {
        let vector = node.plane().map(|p| p.vector().clone()).unwrap_or_default();
        let all = odds(node);
        let Some((region, other, other_vector)) = &first else {
            first = Some((node.region, all, vector));
            continue;
        };
        if *other_vector != vector {
            return Err(format!("odds vectors of {region} and {}: {other_vector:?}, {vector:?}", node.region));
        }
        let differs = |key: &&RegisterKey| all.get(key) != other.get(key);
        if let Some(key) = all.keys().chain(other.keys()).find(differs) {
            let (a, b) = (other.get(key), all.get(key));
            return Err(format!("{key:?} at {region} is {a:?}, at {} {b:?}", node.region));
        }
    }
    Ok(())
}

fn same_money(world: &World, exempt: &[u16]) -> Result<(), String> {
    let mut first: Option<&Node> = None;
    // A stream that stands still at one region stands where it was there: the rest of it may be known to the other.
    let parted = world.gone().map(|region| Site::new(region, 1)).filter(|site| stands(world, *site));
    for node in world.nodes.values().filter(|n| !exempt.contains(&n.region) && parted.is_none()) {
        let Some(other) = first else {
            first = Some(node);
            continue;
        };
        let digest = |n: &Node| n.process.as_ref().map(|p| p.engine().ledger().digest());
        let between = format!("{} and {}", other.region, node.region);
        if digest(node) != digest(other) {
            return Err(format!("ledger digests of {between}"));
        }
        let (a, b) = (node.disk.tables(), other.disk.tables());
        let differs = a.wagers.iter().find(|(id, w)| b.wagers.get(*id) != Some(*w));
        if let Some((id, wager)) = differs {
            return Err(format!("wagers of {between}: {wager:?} and {:?}", b.wagers.get(id)));
        }
        if a.wagers.len() != b.wagers.len() || a.account_wagers != b.account_wagers {
            return Err(format!("wagers or their index of {between}"));
        }
        if (&a.postings, &a.results, &a.references) != (&b.postings, &b.results, &b.references) {
            return Err(format!("deposits, references or results of {between}"));
        }
    }
    let reached = |to: Site| !exempt.contains(&to.region);
    for account in &world.ghost.accounts {
        let rows = super::conservation::true_rows(world, account);
        // What a machine that is gone had sent may have been lost with it.
        for (site, row) in rows.iter().filter(|(site, _)| Some(site.region) != world.gone()) {
            for (to, sent) in row.sent.iter().filter(|(to, _)| reached(**to)) {
                let taken = rows.get(to).and_then(|r| r.recv.get(site)).copied().unwrap_or(0);
                if taken != *sent {
                    return Err(format!("{account}: {} in transfer from {site} to {to}", sent.saturating_sub(taken)));
                }
            }
        }
    }
    Ok(())
}

/// No payment reference that was taken in stays undecided. Where a stream was poisoned, its victim does not hear what
/// that site has taken in, nor what it decides.
fn referenced(world: &World) -> Result<(), String> {
    let victim = world.poisoned.map(|p| (p.victim, p.site));
    let gone = world.gone();
    let hears = |n: &&Node| victim.is_none_or(|(v, _)| v != n.region) && Some(n.region) != gone;
    for node in world.nodes.values().filter(hears) {
        for (reference, site) in node.disk.tables().received.keys() {
            let birth = crate::world::REGIONS.iter().find(|(_, name)| *name == reference.region()).map(|(n, _)| *n);
            if gone.is_some() && birth == gone {
                continue; // A machine that is gone for good decides nothing.
            }
            if victim.is_none_or(|(v, poisoned)| (birth, *site) != (Some(v), poisoned)) {
                return Err(format!("payment {reference}, taken in by {site}, is undecided at {}", node.region));
            }
        }
    }
    Ok(())
}

/// Every session is known everywhere, and one that was ended anywhere is ended everywhere.
fn sessions(world: &World, exempt: &[u16]) -> Result<(), String> {
    let of = |n: &Node| n.disk.tables().sessions.clone();
    let mut nodes = world.nodes.values().filter(|n| !exempt.contains(&n.region));
    let Some(first) = nodes.next() else { return Ok(()) };
    let all = of(first);
    let known = |(id, record): (&model::MintedId, &model::SessionRecord)| {
        (*id, (record.opened.is_some(), record.ended.is_some()))
    };
    let shown: BTreeMap<_, _> = all.iter().map(known).collect();
    // A poisoned stream may hold back what was opened or ended in it from its victim alone.
    // What a machine that is gone wrote last may be known to nobody.
    if world.gone().is_none() && shown != world.ghost.sessions {
        return Err(format!("sessions at {}: {shown:?}, in the logs {:?}", first.region, world.ghost.sessions));
    }
    match nodes.find(|n| of(n) != all) {
        Some(other) => Err(format!("sessions of {} and {}", first.region, other.region)),
        None => Ok(()),
    }
}

/// Every row of a suspended account is known everywhere.
fn exclusions(world: &World, exempt: &[u16]) -> Result<(), String> {
    let mut nodes = world.nodes.values().filter(|n| !exempt.contains(&n.region));
    let Some(first) = nodes.next() else { return Ok(()) };
    match nodes.find(|n| n.disk.tables().exclusions != first.disk.tables().exclusions) {
        Some(other) => Err(format!("suspended accounts of {} and {}", first.region, other.region)),
        None => Ok(()),
    }
}

/// A market that results close is off sale, and only then: what the log says and its twin in the odds plane agree.
fn closed(world: &World, exempt: &[u16]) -> Result<(), String> {
    for node in world.nodes.values().filter(|n| !exempt.contains(&n.region)) {
        let tables = node.disk.tables();
        for ((market, scope), logged) in &tables.results {
            let twin = tables.odds.get(&RegisterKey::Resulted(market.clone(), scope.clone()));
            let Some(RegisterValue::Resulted(twin)) = twin else {
                return Err(format!("the result of {market} {scope:?} has no twin at {}", node.region));
            };
            // A result may have come by the odds lane while its entry was lost with the machine that wrote it.
            let lost = |site: Site| twin.results.greatest_of(site) > tables.heads.get(&site).map_or(0, |h| h.index);
            if world.gone().is_some_and(|region| lost(Site::new(region, 1))) {
                continue;
            }
            let (a, b) =
                (SettlementCall::resolve(Some(logged), None), SettlementCall::resolve(Some(&twin.results), None));
            if a != b {
                return Err(format!("{market} {scope:?} at {}: settled as {a:?}, sold as {b:?}", node.region));
            }
        }
    }
    Ok(())
}
