//! Operators' suspensions as the world saw them made: which write had seen which, region by region; the yardstick of
//! `suspension_wins`. Reads registers' living values, never their contexts: those are what is under test.

use std::collections::{BTreeMap, BTreeSet};

use crdt::Dot;
use engine::odds::Plane;
use model::{MarketKey, MarketStatus};

/// One operator's write on a market's status.
#[derive(Clone, Debug)]
struct Act {
    suspends: bool,
    /// Writes that its region had seen.
    seen: BTreeSet<Dot>,
}

/// What keeps a market off sale at a region.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Held {
    /// Living operator suspensions.
    pub(crate) operators: BTreeSet<Dot>,
    /// The only producer's slot, when it does not sell.
    pub(crate) feed: Option<Dot>,
    /// The only producer, when it is a desk: its region's name.
    pub(crate) desk: Option<String>,
}

/// All acts and all knowledge of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stops {
    acts: BTreeMap<MarketKey, BTreeMap<Dot, Act>>,
    known: BTreeMap<(u16, MarketKey), BTreeSet<Dot>>,
    pub(crate) held: BTreeMap<(u16, MarketKey), Held>,
    pub(crate) suspensions: u64,
}

impl Stops {
    /// Looks at a region's plane after a group that held at most one status act. Fails when a suspension is gone that
    /// no act had seen.
    pub(crate) fn look(&mut self, region: u16, plane: &Plane) -> Result<(), String> {
        for (market, state) in plane.markets() {
            let key = (region, market.clone());
            let operator = &state.status.operator;
            let known = self.known.entry(key.clone()).or_default();
            let acts = self.acts.entry(market.clone()).or_default();
            for (dot, value) in operator.values.iter().filter(|(dot, _)| dot.site.region == region) {
                if !acts.contains_key(dot) {
                    let suspends = value.value == Some(MarketStatus::Suspended);
                    self.suspensions += u64::from(suspends);
                    acts.insert(*dot, Act { suspends, seen: known.clone() });
                }
            }
            known.extend(operator.values.keys().copied());
            let only = state.status.feeds.first_key_value().filter(|_| state.status.feeds.len() == 1);
            let held = Held {
                operators: operator.held().map(|(dot, _, _)| dot).collect(),
                feed: only.filter(|(_, slot)| slot.value != MarketStatus::Active).map(|(_, slot)| slot.dot),
                desk: only.and_then(|(producer, _)| producer.desk_region()).map(str::to_owned),
            };
            let before = self.held.insert(key, held.clone()).unwrap_or_default();
            for dot in before.operators.difference(&held.operators) {
                let lifted = self.acts.get(market).is_some_and(|acts| acts.values().any(|a| a.seen.contains(dot)));
                if !lifted {
                    return Err(format!(
                        "suspension {dot:?} of {market} is gone at {region}; nobody who saw it lifted it"
                    ));
                }
            }
        }
        Ok(())
    }

    /// Suspensions that no later act of a region that had seen them replaced.
    pub(crate) fn standing(&self, market: &MarketKey) -> BTreeSet<Dot> {
        let Some(acts) = self.acts.get(market) else { return BTreeSet::new() };
        let seen: BTreeSet<Dot> = acts.values().flat_map(|a| a.seen.iter().copied()).collect();
        acts.iter().filter(|(dot, act)| act.suspends && !seen.contains(dot)).map(|(dot, _)| *dot).collect()
    }

    /// Markets on which an operator ever acted.
    pub(crate) fn markets(&self) -> impl Iterator<Item = &MarketKey> {
        self.acts.keys()
    }
}
