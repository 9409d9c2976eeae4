//! suspension_wins: a region sells nothing of a market while a suspension is known to it, nor on odds older than the
//! freshness limit; and only an act that has seen a suspension lifts it.

use engine::door::{Input, Request};
use model::{Answer, MarketKey, Query, WagerRecord};

use crate::report::Breach;
use crate::stops::{Held, Subject};
use crate::world::{REGIONS, World};

/// Clocks drift and ms are rounded: so much may an age be understated, ms.
const SLACK_MS: u64 = 100;

/// A wager with a leg on `market` was accepted in a group that began with `held`; what still stood at its end stood all along.
pub(crate) fn sold(
    world: &World,
    region: u16,
    wager: &WagerRecord,
    market: &MarketKey,
    held: &Held,
) -> Result<(), String> {
    let after = world.stops.held_at(region, market);
    if let Some(dot) = held.operators.intersection(&after.operators).next() {
        return Err(format!("region {region} sold {} of {market} under suspension {dot:?}", wager.id));
    }
    if held.feed.is_some() && held.feed == after.feed {
        return Err(format!("region {region} sold {} of {market}, which its only producer holds", wager.id));
    }
    // With the replay clock a desk is always alive.
    let desk = held.desk.as_ref().filter(|desk| after.desk.as_ref() == Some(desk) && !world.options.replay);
    let desk = desk.and_then(|name| REGIONS.iter().find(|(n, r)| r == name && *n != region));
    if let Some((desk, _)) = desk {
        let heard = world.node(region).causal.get(desk).copied().unwrap_or(0);
        let age = world.now_ms.saturating_sub(heard);
        if age > world.options.freshness_ms + SLACK_MS + age / 50 {
            return Err(format!("region {region} sold {} on odds of {desk} that are {age} ms old", wager.id));
        }
    }
    Ok(())
}

/// All is equal: exactly the suspensions that nobody who saw them has lifted stand, and what they hold is not sold.
pub(crate) fn at_the_end(world: &mut World) -> Result<(), String> {
    let subjects: Vec<_> = world.stops.subjects().cloned().collect();
    for subject in subjects {
        let standing = world.stops.standing(&subject);
        let gone = world.gone();
        for (region, _) in REGIONS.into_iter().filter(|(n, _)| Some(*n) != gone) {
            let held = world.stops.alone(region, &subject);
            // What a machine that is gone wrote last, a lifting too, may have been lost with it.
            let lost = |dot: &crdt::Dot| gone == Some(dot.site.region);
            let same = if gone.is_none() {
                held.operators == standing
            } else {
                standing.iter().all(|dot| lost(dot) || held.operators.contains(dot))
            };
            if !same {
                let text = format!("{subject:?} at {region}: held by {:?}, should be {standing:?}", held.operators);
                return Err(text);
            }
            if !standing.iter().any(|dot| !lost(dot)) {
                continue;
            }
            for market in world.markets_in(region, &subject) {
                if world.sells(region, &market) {
                    return Err(format!("{market} is sellable at {region} under {standing:?} of {subject:?}"));
                }
            }
        }
    }
    Ok(())
}

impl World {
    /// Nobody who was suspended at a region all along has bet there.
    pub(crate) fn look_at_accounts(&mut self, region: u16, accepted: &[WagerRecord], died: bool) -> Result<(), Breach> {
        let node = self.nodes.get(&region).expect("regions are 1 to 3");
        let still = match node.ledger() {
            _ if died => self.stops.look_at_accounts(region, node.opened().engine().ledger()),
            Some(ledger) => self.stops.look_at_accounts(region, ledger),
            None => return Ok(()),
        };
        match accepted.iter().find(|wager| still.contains(&wager.account)) {
            Some(wager) => {
                let detail = format!("region {region} sold {} to {}, who is suspended", wager.id, wager.account);
                Err(Breach::new("suspension_wins", detail))
            }
            None => Ok(()),
        }
    }

    /// Markets that a suspension takes off sale at a region.
    fn markets_in(&self, region: u16, subject: &Subject) -> Vec<MarketKey> {
        let wide = match subject {
            Subject::Market(market) => return vec![market.clone()],
            Subject::Wide(scope) => scope,
        };
        let Some(plane) = self.node(region).plane() else { return Vec::new() };
        let hit = |market: &&MarketKey| {
            *wide == model::SaleScope::All || self.stops.alone(region, &Subject::Market((*market).clone())).is_in(wide)
        };
        plane.markets().keys().filter(hit).cloned().collect()
    }

    /// Whether a region says that it sells a market.
    fn sells(&mut self, region: u16, market: &MarketKey) -> bool {
        let query = Request::Query(Query::Market(market.clone()));
        let input = Input::Request { id: u64::MAX, request: query, token: None, wait_ms: 0 };
        let now_ms = self.now_ms;
        let Some(node) = self.nodes.get_mut(&region) else { return false };
        let Some(stepped) = node.step(now_ms, vec![input], crate::disk::CrashPlan::None) else { return false };
        stepped.effects.iter().any(|(effect, _)| match effect {
            engine::door::Effect::Reply { answer, .. } => match answer.as_ref() {
                Answer::Market(view) => view.sellable || view.outcomes.iter().any(|o| o.sellable),
                _ => false,
            },
            _ => false,
        })
    }
}
