//! What is on sale: effective status, the current producer, prices on offer, and the first reason not to sell.
//! The one code that admission, market views and `sellable` share. Knows no money and no freshness of links; a
//! producer's liveness is told to it.

use crdt::Dot;
use model::{
    MarketStatus, Odds, OddsPolicy, OutcomeKey, OutcomeResult, ProducerId, RejectCode, ResultScope, SettlementCall,
};

use super::plane::Market;

/// A slot more than this behind the newest `handed over` no longer counts, ms.
const HANDOVER_MS_MAX: u64 = 20_000;

/// A price on offer and where it comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Offer {
    pub(crate) active: bool,
    pub(crate) odds: Option<Odds>,
    pub(crate) dot: Option<Dot>,
    pub(crate) pinned: bool,
}

impl Market {
    /// The producer whose slot counts: greatest source time among those not handed over; a desk only where there is
    /// no feed. `None` when nobody has stated a status.
    pub(crate) fn current_producer(&self) -> Option<&ProducerId> {
        if self.status.feeds.len() <= 1 {
            // Whatever it says, there is no other.
            return self.status.feeds.keys().next();
        }
        let slots = || self.status.feeds.iter().filter(|(p, _)| p.desk_region().is_none());
        let newest_handover =
            slots().filter(|(_, s)| s.value == MarketStatus::HandedOver).map(|(_, s)| s.time_ms).max();
        let counts = |time_ms: u64| newest_handover.is_none_or(|h| time_ms.saturating_add(HANDOVER_MS_MAX) >= h);
        let feed = slots()
            .filter(|(_, s)| s.value != MarketStatus::HandedOver && counts(s.time_ms))
            .max_by_key(|(p, s)| (s.time_ms, s.seq, std::cmp::Reverse((*p).clone())))
            .or_else(|| slots().max_by_key(|(_, s)| s.time_ms));
        let desk = || self.status.feeds.iter().max_by_key(|(_, s)| (s.at, s.dot.site));
        feed.or_else(desk).map(|(p, _)| p)
    }

    /// The most restrictive of what operators hold and what the current producer says, its stops included. `wider` is
    /// what operators' suspensions of wider scopes come to for it.
    pub(crate) fn effective_status(&self, wider: Option<MarketStatus>) -> Option<MarketStatus> {
        let slot = self.current_producer().and_then(|p| self.status.feeds.get(p).map(|s| (p, s)));
        let feed = slot.map(|(producer, s)| match s.value {
            MarketStatus::Active => self.stopped.status(producer, s.time_ms),
            other => other,
        });
        let operator = self.status.operator.held().map(|(_, _, s)| *s).max();
        feed.max(operator).max(wider)
    }

    /// Whether an operator holds it off sale.
    pub(crate) fn is_held(&self) -> bool {
        self.status.operator.held().next().is_some()
    }

    /// The definition shown: an operator's, else the current producer's, else the newest.
    pub(crate) fn shown_definition(&self) -> Option<&model::Definition> {
        let operator = self.definition.operator.held().max_by_key(|(dot, at, _)| (*at, dot.site)).map(|(_, _, d)| d);
        let current = || self.current_producer().and_then(|p| self.definition.feeds.get(p)).map(|s| &s.value);
        let newest = || self.definition.feeds.values().max_by_key(|s| (s.time_ms, s.seq)).map(|s| &s.value);
        operator.or_else(current).or_else(newest)
    }

    /// The price on offer of an outcome.
    pub(crate) fn offer(&self, outcome: &OutcomeKey) -> Option<Offer> {
        let register = self.prices.get(outcome)?;
        let pin = register.operator.held().max_by_key(|(dot, at, _)| (*at, dot.site));
        if let Some((dot, _, price)) = pin {
            return Some(Offer { active: price.active, odds: price.odds, dot: Some(dot), pinned: true });
        }
        let current = self.current_producer().and_then(|p| register.feeds.get(p));
        Some(match current {
            Some(s) => {
                let active = s.value.active && !self.has_dropped(outcome, s.time_ms);
                Offer { active, odds: s.value.odds, dot: Some(s.dot), pinned: false }
            }
            None => Offer { active: true, odds: None, dot: None, pinned: false },
        })
    }

    /// Whether the feed's producer has listed the market's outcomes since a price of that time, without this one: what it
    /// lists are all its current outcomes.
    fn has_dropped(&self, outcome: &OutcomeKey, price_ms: u64) -> bool {
        let listing = self.current_producer().filter(|p| p.is_uof()).and_then(|p| self.definition.feeds.get(p));
        let newer = listing.filter(|slot| slot.time_ms > price_ms);
        newer.is_some_and(|slot| !slot.value.outcomes.iter().any(|o| o.key == *outcome))
    }

    /// Whether a cancel in force reaches into the future: what would be sold now would be void.
    pub(crate) fn has_open_cancel(&self) -> bool {
        self.resulted.iter().any(|(scope, twin)| match scope {
            ResultScope::Window(window) => {
                window.end_ms.is_none() && SettlementCall::resolve(Some(&twin.results), None) != SettlementCall::Open
            }
            ResultScope::Market | ResultScope::Outcome(_) => false,
        })
    }

    /// What results come to for one outcome.
    pub(crate) fn result_of(&self, outcome: &OutcomeKey) -> SettlementCall {
        let own = self.resulted.get(&ResultScope::Outcome(outcome.clone())).map(|t| &t.results);
        SettlementCall::resolve(own, self.resulted.get(&ResultScope::Market).map(|t| &t.results))
    }

    /// Whether any result closes the market, even a disputed one.
    pub(crate) fn has_result(&self) -> bool {
        let market = self.resulted.get(&ResultScope::Market).map(|t| &t.results);
        self.resulted.iter().any(|(scope, twin)| {
            let register = &twin.results;
            let (own, star) = match scope {
                ResultScope::Market => (None, Some(register)),
                ResultScope::Outcome(_) => (Some(register), market),
                ResultScope::Window(_) => return false,
            };
            match SettlementCall::resolve(own, star) {
                SettlementCall::Open => false,
                SettlementCall::Disputed => true,
                SettlementCall::Result(r) => r.closes_market(),
            }
        })
    }

    /// First reason not to sell the market at all.
    pub(crate) fn market_refusal(&self, wider: Option<MarketStatus>) -> Option<RejectCode> {
        match self.effective_status(wider) {
            None | Some(MarketStatus::Inactive) => Some(RejectCode::MarketInactive),
            Some(MarketStatus::Cancelled) => Some(RejectCode::MarketCancelled),
            Some(MarketStatus::Settled) => Some(RejectCode::MarketSettled),
            Some(MarketStatus::HandedOver) => Some(RejectCode::MarketHandedOver),
            _ if self.has_result() => Some(RejectCode::MarketSettled),
            _ if self.has_open_cancel() => Some(RejectCode::MarketCancelled),
            Some(MarketStatus::Suspended) => Some(RejectCode::MarketSuspended),
            Some(MarketStatus::Active) => None,
        }
    }

    /// First reason not to sell one outcome of a market that is on sale.
    pub(crate) fn outcome_refusal(&self, outcome: &OutcomeKey) -> Option<RejectCode> {
        self.offer(outcome).map_or(Some(RejectCode::NoPrice), |offer| self.offer_refusal(outcome, &offer))
    }

    /// The same, of an offer that has been looked up.
    pub(crate) fn offer_refusal(&self, outcome: &OutcomeKey, offer: &Offer) -> Option<RejectCode> {
        let withdrawn = SettlementCall::Result(OutcomeResult::Withdrawn);
        if !offer.active || self.result_of(outcome) == withdrawn {
            return Some(RejectCode::SelectionInactive);
        }
        offer.odds.is_none().then_some(RejectCode::NoPrice)
    }
}

/// Odds at which a leg is taken, or `None` when the policy does not allow what is on offer.
pub(crate) fn taken(policy: OddsPolicy, requested: Odds, offered: Odds) -> Option<Odds> {
    let agreed = match policy {
        OddsPolicy::None => offered == requested,
        OddsPolicy::Higher => offered >= requested,
        OddsPolicy::Any => true,
    };
    agreed.then_some(offered)
}
