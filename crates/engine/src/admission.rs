//! Admission: reads the odds plane once for a wager and says what it saw, or why not. Takes no money and writes
//! nothing; the ledger's guard runs afterwards on what admission produced.

use model::limits::{AMOUNT_MINOR_MAX, LEGS_MAX};
use model::settlement::{System, lines_of, potential};
use model::{
    AccountId, Amount, Currency, Hash16, Leg, LegTaken, MarketKey, MoneyError, OddsPolicy, OutcomeKey, Problem,
    ProducerId, Refusal, RejectCode, Share, Text, WagerRequest,
};
use rust_decimal::Decimal;

use crate::door::Now;
use crate::engine::Engine;
use crate::ledger::{Admitted, Shape};
use crate::log::hash16;
use crate::odds::{Market, taken};
use crate::requests::bad_amount;

/// What of a request bears on admission: the same whether it is placed or only quoted.
pub(crate) struct Asking<'a> {
    pub(crate) account: &'a AccountId,
    pub(crate) unit_stake: Decimal,
    pub(crate) total_stake: Option<Decimal>,
    pub(crate) system: Option<&'a System>,
    pub(crate) each_way: bool,
    pub(crate) legs: &'a [Leg],
    pub(crate) policy: OddsPolicy,
}

/// All that admission saw.
pub(crate) struct Seen {
    pub(crate) currency: Currency,
    pub(crate) lines: u64,
    pub(crate) unit: Amount,
    pub(crate) stake: Amount,
    pub(crate) legs: Vec<LegTaken>,
    /// Each leg's place fraction.
    pub(crate) places: Option<Vec<Share>>,
    pub(crate) potential: u64,
    pub(crate) problems: Vec<Problem>,
}

impl Engine {
    /// Sees a wager against the odds of this moment. A refusal is undecided or malformed: nothing is recorded.
    pub(crate) fn admit(&self, now: Now, item: &WagerRequest) -> Result<Admitted, Refusal> {
        let seen = self.see(
            now,
            &Asking {
                account: &item.account,
                unit_stake: item.unit_stake,
                total_stake: item.total_stake,
                system: item.system.as_ref(),
                each_way: item.each_way,
                legs: &item.legs,
                policy: item.policy,
            },
        )?;
        Ok(Admitted {
            id: item.id,
            account: item.account.clone(),
            currency: seen.currency,
            body: body_of(item),
            stake: seen.stake,
            legs: seen.legs,
            policy: item.policy,
            client_ref: item.client_ref.clone(),
            durability: item.durability,
            delay_ms: self.delay_of(&item.legs),
            asked_ms: None,
            shape: Shape {
                unit: (seen.lines > 1).then_some(seen.unit),
                system: item.system.clone(),
                each_way: seen.places,
                rounding: self.config.rules.rounding,
            },
            problems: seen.problems,
        })
    }

    /// The checks of admission, in the order of the contract: lines and stakes, then every leg, then what it may pay.
    pub(crate) fn see(&self, now: Now, asked: &Asking<'_>) -> Result<Seen, Refusal> {
        let currency = self.ledger.account_head(asked.account).ok_or(Refusal::AccountUnknown)?.currency;
        if asked.legs.is_empty() || asked.legs.len() > LEGS_MAX {
            return Err(malformed("legs", "must have 1 to 30 legs"));
        }
        if let Some(Err(why)) = asked.system.map(|system| system.check(asked.legs.len())) {
            return Err(malformed("system", &why.to_string()));
        }
        let lines = lines_of(asked.system, asked.legs.len(), asked.each_way);
        let unit = Amount::from_decimal(asked.unit_stake, currency).map_err(|e| bad_amount("unit_stake", e))?;
        if asked.total_stake.is_some_and(|total| asked.unit_stake.checked_mul(Decimal::from(lines)) != Some(total)) {
            let why = format!("does not equal unit_stake times the number of lines ({lines})");
            return Err(malformed("total_stake", &why));
        }
        let stake = unit.minor().checked_mul(lines).and_then(|n| Amount::from_minor(n).ok());
        let stake = stake.ok_or_else(|| bad_amount("unit_stake", MoneyError::TooLarge))?;
        let mut legs = Vec::with_capacity(asked.legs.len());
        let mut problems = Vec::new();
        if self.ledger.is_excluded(asked.account) {
            problems.push(Problem { leg: None, code: RejectCode::AccountExcluded, odds: None });
        }
        for (index, leg) in asked.legs.iter().enumerate() {
            let (seen, problem) = self.admit_leg(now, leg, asked.policy)?;
            legs.push(seen);
            let problem =
                if self.combines(asked.legs, index) { problem } else { Some((RejectCode::LegsNotCombinable, None)) };
            if let Some((code, odds)) = problem {
                problems.push(Problem { leg: u8::try_from(index).ok(), code, odds });
            }
        }
        let places = if asked.each_way { Some(self.places(asked.legs)?) } else { None };
        let place = |n: usize| places.as_ref().and_then(|all| all.get(n).copied());
        let odds = legs.iter().enumerate().map(|(n, leg)| (leg.odds, place(n)));
        let potential = potential(unit.minor(), asked.system, odds, self.config.rules.rounding);
        let potential = potential
            .filter(|p| *p <= AMOUNT_MINOR_MAX)
            .ok_or_else(|| malformed("unit_stake", "could pay out more than can be represented"))?;
        Ok(Seen { currency, lines, unit, stake, legs, places, potential, problems })
    }

    /// Whether a leg may stand beside all the others: no other is of its event, unless both markets say that they
    /// combine. Never twice the same market.
    fn combines(&self, legs: &[Leg], index: usize) -> bool {
        let definition = |leg: &Leg| self.plane.markets().get(&leg.market).and_then(Market::shown_definition);
        let combinable = |d: &model::Definition| d.terms.is_some_and(|t| t.combinable);
        let Some(this) = legs.get(index) else { return true };
        let what = if legs.len() > 1 { definition(this) } else { None };
        legs.iter().enumerate().filter(|(n, _)| *n != index).all(|(_, other)| {
            if other.market == this.market {
                return false;
            }
            match (what, definition(other)) {
                (Some(a), Some(b)) => a.event != b.event || (combinable(a) && combinable(b)),
                // Without a definition nothing of it is known, least of all its event.
                _ => true,
            }
        })
    }

    /// Each leg's place fraction.
    fn places(&self, legs: &[Leg]) -> Result<Vec<Share>, Refusal> {
        let place = |(n, leg): (usize, &Leg)| {
            let definition = self.plane.markets().get(&leg.market).and_then(Market::shown_definition);
            let terms = definition.and_then(|d| d.terms).and_then(|t| t.each_way);
            terms.map(|t| t.fraction).ok_or_else(|| {
                let why = format!("is not on offer: the market of leg {n} states no each-way terms");
                malformed("each_way", &why)
            })
        };
        legs.iter().enumerate().map(place).collect()
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
        if let Some(code) =
            self.market_refusal(now, &leg.market, market).or_else(|| market.offer_refusal(&leg.outcome, &offer))
        {
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
    pub(crate) fn leg_refusal(
        &self,
        now: Now,
        key: &MarketKey,
        market: &Market,
        outcome: &OutcomeKey,
    ) -> Option<RejectCode> {
        self.market_refusal(now, key, market).or_else(|| market.outcome_refusal(outcome))
    }

    /// First reason not to sell anything of a market.
    pub(crate) fn market_refusal(&self, now: Now, key: &MarketKey, market: &Market) -> Option<RejectCode> {
        let stale = match market.current_producer() {
            Some(producer) => self.producer_refusal(now, producer),
            None => Some(RejectCode::ProducerDown),
        };
        stale.or_else(|| market.market_refusal(self.plane.held_wider(key, market)))
    }

    /// Why a producer's odds are not sold here now.
    pub(crate) fn producer_refusal(&self, now: Now, producer: &ProducerId) -> Option<RejectCode> {
        let register = self.plane.producers().get(producer);
        let word = register.and_then(|r| r.feeds.get(producer));
        if producer.is_uof() {
            return self.uof_refusal(now, producer);
        }
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
    // Words that are no market's key: they cannot be taken for another leg. Plain wagers keep the hash they had.
    if item.each_way {
        field(b"each way");
    }
    if let Some(system) = &item.system {
        field(b"of sizes");
        field(system.sizes());
        field(system.bankers());
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
