//! Admission: reads the odds plane once for a wager and says what it saw, or why not. Takes no money and writes
//! nothing; the ledger's guard runs afterwards on what admission produced.

use model::limits::{AMOUNT_MINOR_MAX, LEGS_MAX};
use model::{
    Amount, Hash16, Leg, LegTaken, MarketKey, OddsPolicy, OutcomeKey, Problem, ProducerId, Refusal, RejectCode, Text,
    WagerRequest,
};
use rust_decimal::Decimal;

use crate::door::Now;
use crate::engine::Engine;
use crate::ledger::Admitted;
use crate::log::hash16;
use crate::odds::{Market, taken};
use crate::requests::bad_amount;

impl Engine {
    /// Sees a wager against the odds of this moment. A refusal is undecided or malformed: nothing is recorded.
    pub(crate) fn admit(&self, now: Now, item: &WagerRequest) -> Result<Admitted, Refusal> {
        let head = self.ledger.account_head(&item.account).ok_or(Refusal::AccountUnknown)?;
        if item.legs.is_empty() || item.legs.len() > LEGS_MAX {
            return Err(malformed("legs", "must have 1 to 30 legs"));
        }
        if item.legs.len() > 1 {
            return Err(malformed("legs", "accumulators are not taken yet: send one leg"));
        }
        let stake = Amount::from_decimal(item.unit_stake, head.currency).map_err(|e| bad_amount("unit_stake", e))?;
        if item.total_stake.is_some_and(|total| total != item.unit_stake) {
            return Err(malformed("total_stake", "does not equal unit_stake times the number of lines (1)"));
        }
        let mut legs = Vec::with_capacity(item.legs.len());
        let mut problems = Vec::new();
        for (index, leg) in item.legs.iter().enumerate() {
            let (seen, problem) = self.admit_leg(now, leg, item.policy)?;
            legs.push(seen);
            if let Some((code, odds)) = problem {
                problems.push(Problem { leg: u8::try_from(index).ok(), code, odds });
            }
        }
        let potential = legs.iter().map(|l| l.odds.payout_floor(stake.minor())).max().unwrap_or(0);
        if potential > AMOUNT_MINOR_MAX {
            return Err(malformed("unit_stake", "could pay out more than can be represented"));
        }
        Ok(Admitted {
            id: item.id,
            account: item.account.clone(),
            currency: head.currency,
            body: body_of(item),
            stake,
            legs,
            policy: item.policy,
            client_ref: item.client_ref.clone(),
            durability: item.durability,
            problems,
        })
    }

    /// One leg: what was seen, and the first check that fails.
    #[expect(clippy::type_complexity, reason = "a pair with an optional pair reads better than a struct used once")]
    fn admit_leg(
        &self,
        now: Now,
        leg: &Leg,
        policy: OddsPolicy,
    ) -> Result<(LegTaken, Option<(RejectCode, Option<model::Odds>)>), Refusal> {
        let market = self.plane.markets().get(&leg.market).ok_or(Refusal::MarketUnknown)?;
        let offer = market.offer(&leg.outcome).ok_or(Refusal::SelectionUnknown)?;
        let mut seen = LegTaken {
            market: leg.market.clone(),
            outcome: leg.outcome.clone(),
            odds: leg.odds,
            version: market.version,
            price_dot: offer.dot,
        };
        if let Some(code) = self.leg_refusal(now, market, &leg.outcome) {
            return Ok((seen, Some((code, None))));
        }
        let on_offer = offer.odds.expect("an outcome without odds was refused");
        match taken(policy, leg.odds, on_offer) {
            Some(odds) => {
                seen.odds = odds;
                Ok((seen, None))
            }
            None => Ok((seen, Some((RejectCode::OddsChanged, Some(on_offer))))),
        }
    }

    /// First reason not to sell a leg, in the order of API.md; the price itself aside.
    pub(crate) fn leg_refusal(&self, now: Now, market: &Market, outcome: &OutcomeKey) -> Option<RejectCode> {
        self.market_refusal(now, market).or_else(|| market.outcome_refusal(outcome))
    }

    /// First reason not to sell anything of a market.
    pub(crate) fn market_refusal(&self, now: Now, market: &Market) -> Option<RejectCode> {
        let stale = match market.current_producer() {
            Some(producer) => self.producer_refusal(now, producer),
            None => Some(RejectCode::ProducerDown),
        };
        stale.or_else(|| market.market_refusal())
    }

    /// Why a producer's odds are not sold here now.
    pub(crate) fn producer_refusal(&self, now: Now, producer: &ProducerId) -> Option<RejectCode> {
        let register = self.plane.producers().get(producer);
        let word = register.and_then(|r| r.feeds.get(producer));
        let desk = producer.desk_region();
        if self.config.replay {
            if desk.is_some() {
                return None;
            }
            let fresh = self.fresh.covered_word(producer).is_some_and(|(time_ms, state)| {
                state == model::ProducerState::Up
                    && self.plane.clock_ms().saturating_sub(time_ms) <= self.config.freshness_ms
            });
            return (!fresh).then_some(RejectCode::ProducerDown);
        }
        if desk.is_some_and(|name| self.region_number(name) == Some(self.site.region)) {
            return None;
        }
        if word.is_some_and(|w| w.value == model::ProducerState::Down) {
            return Some(RejectCode::ProducerDown);
        }
        self.fresh.refusal(producer, now.steady_ms, self.config.freshness_ms)
    }

    /// The market a key names, for writers that need it to exist.
    pub(crate) fn known_market(&self, market: &MarketKey) -> Result<&Market, Refusal> {
        self.plane.markets().get(market).ok_or(Refusal::MarketUnknown)
    }
}

/// Hash of a wager's parsed body: what "the same request" means. Durability and waiting are no part of it.
pub(crate) fn body_of(item: &WagerRequest) -> Hash16 {
    let mut bytes = Vec::with_capacity(256);
    let mut field = |part: &[u8]| {
        bytes.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend_from_slice(part);
    };
    field(item.account.as_str().as_bytes());
    field(&decimal(item.unit_stake));
    field(item.total_stake.map(decimal).as_ref().map_or(&[], |d| d.as_slice()));
    field(item.client_ref.as_ref().map_or("", Text::as_str).as_bytes());
    field(match item.policy {
        OddsPolicy::None => b"none",
        OddsPolicy::Higher => b"higher",
        OddsPolicy::Any => b"any",
    });
    for leg in &item.legs {
        field(leg.market.as_str().as_bytes());
        field(leg.outcome.as_str().as_bytes());
        field(&leg.odds.num().to_be_bytes());
        field(&leg.odds.den().to_be_bytes());
    }
    hash16(&bytes)
}

/// Equal amounts have equal bytes, however many zeros they were written with.
fn decimal(d: Decimal) -> [u8; 16] {
    d.normalize().serialize()
}

pub(crate) fn malformed(field: &str, why: &str) -> Refusal {
    Refusal::Malformed { field: Text::new(field), why: Text::new(why) }
}
