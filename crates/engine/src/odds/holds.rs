//! Operators' suspensions of everything, a sport or an event, and what they come to for one market. Each scope is one
//! register, never spread over markets: another region may know markets that the one where it is written does not.
//! Knows no lanes and no wagers.

use std::collections::{BTreeMap, BTreeSet};

use crdt::{Dot, Joined, Register};
use model::limits::SCOPES_MAX;
use model::{EventKey, MarketKey, MarketStatus, ProducerId, SaleScope, Sport};

use super::events::{Events, event_in};
use super::plane::{Market, join_in};
use super::register::RegisterKey;

/// All suspensions of wider scopes, lifted ones included.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Holds {
    scopes: BTreeMap<SaleScope, Register<ProducerId, MarketStatus>>,
    /// Those in force; worked out from the registers.
    in_force: BTreeSet<SaleScope>,
}

impl Holds {
    /// A scope's register.
    #[must_use]
    pub fn get(&self, scope: &SaleScope) -> Option<&Register<ProducerId, MarketStatus>> {
        self.scopes.get(scope)
    }

    /// All registers.
    #[must_use]
    pub const fn scopes(&self) -> &BTreeMap<SaleScope, Register<ProducerId, MarketStatus>> {
        &self.scopes
    }

    /// Scopes that are off sale.
    #[must_use]
    pub const fn in_force(&self) -> &BTreeSet<SaleScope> {
        &self.in_force
    }

    /// Whether a register of that name is known here or may be made.
    pub(crate) fn has_room(&self, key: &RegisterKey) -> bool {
        match key {
            RegisterKey::Held(scope) => self.scopes.contains_key(scope) || self.scopes.len() < SCOPES_MAX,
            _ => true,
        }
    }

    pub(super) fn join(
        &mut self,
        scope: &SaleScope,
        other: &Register<ProducerId, MarketStatus>,
    ) -> (Joined, Vec<Dot>, Vec<Dot>) {
        let register = self.scopes.entry(scope.clone()).or_default();
        let joined = join_in(register, other);
        if register.operator.held().next().is_some() {
            self.in_force.insert(scope.clone());
        } else {
            self.in_force.remove(scope);
        }
        joined
    }

    /// What they come to for a market: the most restrictive of those that hit it. In doubt they do: a market whose
    /// definition has not come is of any event and sport. One whose event nobody has stated a sport of is of none.
    pub(crate) fn of(&self, key: &MarketKey, market: &Market, events: &Events) -> Option<MarketStatus> {
        if self.in_force.is_empty() {
            return None;
        }
        let mut worst = self.status(&SaleScope::All);
        let undefined = market.definition.is_empty();
        let named = event_in(key);
        let stated: BTreeSet<&EventKey> = market.definitions().map(|d| &d.event).chain(&named).collect();
        if undefined {
            let hits = |scope: &SaleScope| match scope {
                SaleScope::All => false,
                SaleScope::Sport(_) => true,
                SaleScope::Event(_) => stated.is_empty(),
            };
            let doubtful = self.in_force.iter().filter(|scope| hits(scope)).filter_map(|scope| self.status(scope));
            worst = worst.max(doubtful.max());
        }
        for event in stated {
            worst = worst.max(self.status(&SaleScope::Event(event.clone())));
            let sports = events.sports(event).filter_map(|sport| Sport::new(sport).ok());
            worst = worst.max(sports.filter_map(|sport| self.status(&SaleScope::Sport(sport))).max());
        }
        worst
    }

    fn status(&self, scope: &SaleScope) -> Option<MarketStatus> {
        self.scopes.get(scope)?.operator.held().map(|(_, _, status)| *status).max()
    }
}
