//! Operators' suspensions as the world saw them made: which write had seen which, region by region; the yardstick of
//! `suspension_wins`. Of markets and of wider scopes it reads registers' living values, never their contexts: those are
//! what is under test. Of accounts it keeps what stood at each region when it was looked at last.

use std::collections::{BTreeMap, BTreeSet};

use crdt::{Dot, Hlc, OperatorSlot, Site};
use engine::ledger::Ledger;
use engine::odds::{Market, Plane};
use model::{AccountId, MarketKey, MarketStatus, SaleScope};

/// What an operator's register is about.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Subject {
    Market(MarketKey),
    Wide(SaleScope),
}

/// One operator's write on a status.
#[derive(Clone, Debug)]
struct Act {
    suspends: bool,
    /// Writes that its region had seen.
    seen: BTreeSet<Dot>,
}

/// What keeps a market off sale at a region.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Held {
    /// Living operator suspensions, those of wider scopes that the market is in included.
    pub(crate) operators: BTreeSet<Dot>,
    /// The only producer's slot, when it does not sell.
    pub(crate) feed: Option<Dot>,
    /// The only producer, when it is a desk: its region's name.
    pub(crate) desk: Option<String>,
    /// Events and sports that are stated of it.
    scopes: BTreeSet<SaleScope>,
}

impl Held {
    /// Whether a scope is stated of the market.
    pub(crate) fn is_in(&self, scope: &SaleScope) -> bool {
        self.scopes.contains(scope)
    }
}

/// All acts and all knowledge of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stops {
    acts: BTreeMap<Subject, BTreeMap<Dot, Act>>,
    known: BTreeMap<(u16, Subject), BTreeSet<Dot>>,
    held: BTreeMap<(u16, Subject), Held>,
    accounts: BTreeMap<u16, BTreeMap<AccountId, BTreeSet<(Site, Hlc)>>>,
    pub(crate) suspensions: u64,
    /// Those of them that are of a wider scope.
    pub(crate) wide: u64,
}

impl Stops {
    /// Looks at a region's plane after a group that held at most one status act. Fails when a suspension is gone that
    /// no act had seen.
    pub(crate) fn look(&mut self, region: u16, plane: &Plane) -> Result<(), String> {
        for (market, state) in plane.markets() {
            let only = state.status.feeds.first_key_value().filter(|_| state.status.feeds.len() == 1);
            let held = Held {
                operators: BTreeSet::new(),
                feed: only.filter(|(_, slot)| slot.value != MarketStatus::Active).map(|(_, slot)| slot.dot),
                desk: only.and_then(|(producer, _)| producer.desk_region()).map(str::to_owned),
                scopes: scopes_of(state),
            };
            self.look_at(region, Subject::Market(market.clone()), &state.status.operator, held)?;
        }
        for (scope, register) in plane.holds().scopes() {
            self.look_at(region, Subject::Wide(scope.clone()), &register.operator, Held::default())?;
        }
        Ok(())
    }

    fn look_at(
        &mut self,
        region: u16,
        subject: Subject,
        operator: &OperatorSlot<MarketStatus>,
        held: Held,
    ) -> Result<(), String> {
        let key = (region, subject.clone());
        let known = self.known.entry(key.clone()).or_default();
        let acts = self.acts.entry(subject.clone()).or_default();
        for (dot, value) in operator.values.iter().filter(|(dot, _)| dot.site.region == region) {
            if !acts.contains_key(dot) {
                let suspends = value.value == Some(MarketStatus::Suspended);
                self.suspensions += u64::from(suspends);
                self.wide += u64::from(suspends && matches!(subject, Subject::Wide(_)));
                acts.insert(*dot, Act { suspends, seen: known.clone() });
            }
        }
        known.extend(operator.values.keys().copied());
        let held = Held { operators: operator.held().map(|(dot, _, _)| dot).collect(), ..held };
        let before = self.held.insert(key, held.clone()).unwrap_or_default();
        for dot in before.operators.difference(&held.operators) {
            let lifted = self.acts.get(&subject).is_some_and(|acts| acts.values().any(|a| a.seen.contains(dot)));
            if !lifted {
                return Err(format!(
                    "suspension {dot:?} of {subject:?} is gone at {region}; nobody who saw it lifted it"
                ));
            }
        }
        Ok(())
    }

    /// What kept a market off sale at a region when it was looked at last, wider scopes included.
    pub(crate) fn held_at(&self, region: u16, market: &MarketKey) -> Held {
        let mut held = self.alone(region, &Subject::Market(market.clone()));
        for scope in held.scopes.iter().chain([&SaleScope::All]).cloned().collect::<Vec<_>>() {
            held.operators.extend(self.alone(region, &Subject::Wide(scope)).operators);
        }
        held
    }

    /// What is held at a region of one subject by itself.
    pub(crate) fn alone(&self, region: u16, subject: &Subject) -> Held {
        self.held.get(&(region, subject.clone())).cloned().unwrap_or_default()
    }

    /// Suspensions that no later act of a region that had seen them replaced.
    pub(crate) fn standing(&self, subject: &Subject) -> BTreeSet<Dot> {
        let Some(acts) = self.acts.get(subject) else { return BTreeSet::new() };
        let seen: BTreeSet<Dot> = acts.values().flat_map(|a| a.seen.iter().copied()).collect();
        acts.iter().filter(|(dot, act)| act.suspends && !seen.contains(dot)).map(|(dot, _)| *dot).collect()
    }

    /// What an operator ever acted on.
    pub(crate) fn subjects(&self) -> impl Iterator<Item = &Subject> {
        self.acts.keys()
    }

    /// Looks at the suspended accounts of a region; those that stood before and stand still are given back.
    pub(crate) fn look_at_accounts(&mut self, region: u16, ledger: &Ledger) -> BTreeSet<AccountId> {
        let now: BTreeMap<AccountId, BTreeSet<(Site, Hlc)>> =
            ledger.excluded_accounts(None).map(|a| (a.clone(), ledger.excluded_by(a).collect())).collect();
        let before = self.accounts.insert(region, now.clone()).unwrap_or_default();
        let still = |(account, by): (AccountId, BTreeSet<(Site, Hlc)>)| {
            before.get(&account).is_some_and(|was| was.intersection(&by).next().is_some()).then_some(account)
        };
        now.into_iter().filter_map(still).collect()
    }
}

/// Scopes that a market is in by what is stated of it, `all` aside.
fn scopes_of(market: &Market) -> BTreeSet<SaleScope> {
    let stated = market.definition.feeds.values().map(|slot| &slot.value);
    let scopes = stated.flat_map(|d| {
        let sport = model::Sport::new(d.sport.as_str()).ok().map(SaleScope::Sport);
        sport.into_iter().chain([SaleScope::Event(d.event.clone())])
    });
    scopes.collect()
}
