//! The lines of a wager as they are asked for: legs, stakes, systems, each-way. Read alike for placing and quoting.

use model::limits::LEGS_MAX;
use model::settlement::{System, lines_of};
use model::{Leg, MarketKey, OddsPolicy, OutcomeKey};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::strict::{self, Faults, List, Obj, Str};

/// One leg.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = Leg)]
#[serde(deny_unknown_fields)]
pub(crate) struct LegIn<'a> {
    /// Market key.
    #[serde(borrow)]
    #[schema(value_type = String, required, example = "betfair:1.197931750")]
    market: Option<Str<'a>>,
    /// Outcome key.
    #[schema(value_type = String, required, example = "36276560")]
    outcome: Option<Str<'a>>,
    /// Odds the player saw: `"7.4"`, `"8/13"` or `"-110"`.
    #[schema(value_type = String, required, example = "7.4")]
    odds: Option<Str<'a>>,
}

/// A system: every combination of so many legs beside the bankers is a line.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = System)]
#[serde(deny_unknown_fields)]
pub(crate) struct SystemIn {
    /// How many legs beside the bankers make a line: `[2,3]` of three legs is a Trixie.
    #[schema(value_type = Vec<u8>, required)]
    sizes: Option<List<u8, LEGS_MAX>>,
    /// Legs that stand in every line, by index from 0.
    #[schema(value_type = Option<Vec<u8>>)]
    bankers: Option<List<u8, LEGS_MAX>>,
}

/// A system as taken.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SystemTaken)]
pub(crate) struct SystemOut<'a> {
    sizes: &'a [u8],
    bankers: &'a [u8],
}

impl<'a> SystemOut<'a> {
    pub(crate) fn of(system: &'a System) -> Self {
        Self { sizes: system.sizes(), bankers: system.bankers() }
    }
}

/// What is asked for, before it is checked.
pub(crate) struct LinesIn<'a, 'b> {
    pub(crate) unit_stake: Option<&'b Str<'a>>,
    pub(crate) total_stake: Option<&'b Str<'a>>,
    pub(crate) system: Option<Obj<SystemIn>>,
    pub(crate) each_way: Option<bool>,
    pub(crate) legs: Option<List<Obj<LegIn<'a>>, LEGS_MAX>>,
    pub(crate) odds_policy: Option<&'b Str<'a>>,
}

/// Lines that fit each other.
#[derive(Debug)]
pub(crate) struct Lines {
    pub(crate) unit_stake: Decimal,
    pub(crate) total_stake: Option<Decimal>,
    pub(crate) system: Option<System>,
    pub(crate) each_way: bool,
    pub(crate) legs: Vec<Leg>,
    pub(crate) policy: OddsPolicy,
}

impl LinesIn<'_, '_> {
    /// Checks the values; `None` only if a fault was added.
    pub(crate) fn parse(self, faults: &mut Faults) -> Option<Lines> {
        let unit_stake = faults.need("unit_stake", self.unit_stake, strict::amount);
        let total_stake = faults.may("total_stake", self.total_stake, strict::amount);
        let each_way = self.each_way.unwrap_or(false);
        let legs = legs(self.legs, faults);
        let system = match (self.system, &legs) {
            (None, _) => Some(None),
            (Some(system), Some(legs)) => read_system(system.0, legs.len(), faults).map(Some),
            (Some(_), None) => None,
        };
        if let (Some(unit), Some(Some(total)), Some(legs), Some(system)) = (unit_stake, total_stake, &legs, &system) {
            let lines = lines_of(system.as_ref(), legs.len(), each_way);
            if unit.checked_mul(Decimal::from(lines)) != Some(total) {
                let why = format_args!("is not unit_stake times the number of lines, which is {lines}");
                faults.add_as("stake_mismatch", "total_stake", why);
            }
        }
        let policy = faults.may("odds_policy", self.odds_policy, policy);
        Some(Lines {
            unit_stake: unit_stake?,
            total_stake: total_stake?,
            system: system?,
            each_way,
            legs: legs?,
            policy: policy?.unwrap_or_default(),
        })
    }
}

fn read_system(input: SystemIn, legs: usize, faults: &mut Faults) -> Option<System> {
    let Some(List(sizes)) = input.sizes else {
        faults.add("system.sizes", "is missing");
        return None;
    };
    let bankers = input.bankers.map_or_else(Vec::new, |list| list.0);
    System::new(legs, sizes, bankers).map_err(|why| faults.add("system", why)).ok()
}

fn legs(input: Option<List<Obj<LegIn<'_>>, LEGS_MAX>>, faults: &mut Faults) -> Option<Vec<Leg>> {
    let Some(List(input)) = input else {
        faults.add("legs", "is missing");
        return None;
    };
    if input.is_empty() {
        faults.add("legs", "is empty; a wager has at least one leg");
        return None;
    }
    let read =
        |(n, leg): (usize, Obj<LegIn<'_>>)| faults.below(format_args!("legs[{n}]"), |faults| leg_of(&leg.0, faults));
    let legs: Vec<Option<Leg>> = input.into_iter().enumerate().map(read).collect();
    legs.into_iter().collect()
}

fn leg_of(input: &LegIn<'_>, faults: &mut Faults) -> Option<Leg> {
    let market = faults.need("market", input.market.as_ref(), MarketKey::new);
    let outcome = faults.need("outcome", input.outcome.as_ref(), OutcomeKey::new);
    let odds = faults.need("odds", input.odds.as_ref(), strict::odds);
    Some(Leg { market: market?, outcome: outcome?, odds: odds? })
}

fn policy(text: &str) -> Result<OddsPolicy, &'static str> {
    match text {
        "none" => Ok(OddsPolicy::None),
        "higher" => Ok(OddsPolicy::Higher),
        "any" => Ok(OddsPolicy::Any),
        _ => Err("is none of none, higher, any"),
    }
}
