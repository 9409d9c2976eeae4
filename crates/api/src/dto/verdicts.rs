//! How an outcome ended, where won, lost and void do not say it: factors, places and deductions; and a market's
//! terms that such results are of use for.

use std::fmt::Display;

use model::{
    Deduction, DeductionFrom, Deductions, EachWayTerms, MarketTerms, OutcomeResult, Share, Verdict,
    limits::DEDUCTIONS_MAX,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::dto::shown::{Shown, Time};
use crate::strict::{self, Faults, List, Obj, Str};

/// What a withdrawn runner costs the wagers on another.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = Deduction)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeductionIn<'a> {
    /// How much: `"0.25"` or `"1/4"`.
    #[serde(borrow)]
    #[schema(value_type = String, required)]
    share: Option<Str<'a>>,
    /// Taken from the `winnings` (default; Rule 4, several add up to the cap) or from the `price` (an exchange's
    /// reduction factor).
    #[schema(value_type = Option<String>)]
    from: Option<Str<'a>>,
    /// Time of the withdrawal: only wagers struck before it pay.
    #[schema(value_type = Option<String>, format = DateTime)]
    before: Option<Str<'a>>,
}

/// What may stand beside a result.
pub(crate) struct FactorsIn<'a, 'b> {
    pub(crate) void_factor: Option<&'b Str<'a>>,
    pub(crate) dead_heat_factor: Option<&'b Str<'a>>,
    pub(crate) place_dead_heat_factor: Option<&'b Str<'a>>,
    pub(crate) placed: Option<bool>,
    pub(crate) deductions: Option<List<Obj<DeductionIn<'a>>, DEDUCTIONS_MAX>>,
    pub(crate) deduction_cap: Option<&'b Str<'a>>,
}

impl FactorsIn<'_, '_> {
    /// The result with its factors, in its canonical form; `None` only if a fault was added.
    pub(crate) fn parse(self, named: Named, faults: &mut Faults) -> Option<OutcomeResult> {
        let stated = self.void_factor.is_some()
            || self.dead_heat_factor.is_some()
            || self.place_dead_heat_factor.is_some()
            || self.placed.is_some()
            || self.deductions.is_some()
            || self.deduction_cap.is_some();
        let (won, placed) = match named {
            Named::Plain(plain) if !stated => return Some(plain),
            Named::Plain(OutcomeResult::Won) => (true, true),
            Named::Plain(OutcomeResult::Lost) => (false, self.placed.unwrap_or(false)),
            Named::Placed => (false, true),
            Named::Plain(_) => {
                faults.add("result", "has no factors; only won, lost and placed have them");
                return None;
            }
        };
        if self.placed.is_some_and(|said| said != placed) {
            faults.add("placed", "contradicts the result");
        }
        let factor = |faults: &mut Faults, field: &str, text, default| {
            faults.may(field, text, Share::parse).map(|share: Option<Share>| share.unwrap_or(default))
        };
        let void_factor = factor(faults, "void_factor", self.void_factor, Share::ZERO);
        let dead_heat_factor = factor(faults, "dead_heat_factor", self.dead_heat_factor, Share::ONE);
        let place_dead_heat_factor = factor(faults, "place_dead_heat_factor", self.place_dead_heat_factor, Share::ONE);
        let cap = faults.may("deduction_cap", self.deduction_cap, Share::parse);
        let deductions = deductions(self.deductions, faults);
        let Some(deductions) = Deductions::new(deductions?, cap?) else {
            faults.add("deductions", "are too many");
            return None;
        };
        let verdict = Verdict {
            won,
            placed,
            void_factor: void_factor?,
            dead_heat_factor: dead_heat_factor?,
            place_dead_heat_factor: place_dead_heat_factor?,
            deductions,
        };
        OutcomeResult::of(verdict).map_err(|why| faults.add("result", why)).ok()
    }
}

fn deductions(
    input: Option<List<Obj<DeductionIn<'_>>, DEDUCTIONS_MAX>>,
    faults: &mut Faults,
) -> Option<Vec<Deduction>> {
    let read = |(n, Obj(input)): (usize, Obj<DeductionIn<'_>>)| {
        faults.below(format_args!("deductions[{n}]"), |faults| {
            let share = faults.need("share", input.share.as_ref(), Share::parse);
            let from = faults.may("from", input.from.as_ref(), from);
            let before_ms = faults.may("before", input.before.as_ref(), strict::time);
            let from = from?.unwrap_or(DeductionFrom::Winnings);
            Some(Deduction { from, share: share?, before_ms: before_ms? })
        })
    };
    let list = input.map_or_else(Vec::new, |list| list.0);
    let all: Vec<Option<Deduction>> = list.into_iter().enumerate().map(read).collect();
    all.into_iter().collect()
}

fn from(text: &str) -> Result<DeductionFrom, &'static str> {
    match text {
        "winnings" => Ok(DeductionFrom::Winnings),
        "price" => Ok(DeductionFrom::Price),
        _ => Err("is neither winnings nor price"),
    }
}

/// A result by its name.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Named {
    /// One that stands for itself.
    Plain(OutcomeResult),
    /// Not won, but placed.
    Placed,
}

/// Reads a result's name.
pub(crate) fn named(text: &str) -> Result<Named, &'static str> {
    use OutcomeResult::{Lost, None, Open, Void, Withdrawn, Won};
    if text == "placed" {
        return Ok(Named::Placed);
    }
    let plain = [Won, Lost, Void, Withdrawn, Open, None].into_iter().find(|r| r.name() == text);
    plain.map(Named::Plain).ok_or("is none of won, lost, placed, void, withdrawn, open, none")
}

/// The factors of a result that is not plain.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Factors)]
pub(crate) struct FactorsOut {
    #[schema(value_type = String)]
    void_factor: Shown<Share>,
    #[schema(value_type = String)]
    dead_heat_factor: Shown<Share>,
    placed: bool,
    #[schema(value_type = String)]
    place_dead_heat_factor: Shown<Share>,
    deductions: Vec<DeductionOut>,
    /// Most that deductions from winnings take in all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    deduction_cap: Option<Shown<Share>>,
}

/// A deduction as it stands.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeductionTaken)]
pub(crate) struct DeductionOut {
    /// `winnings` or `price`.
    from: &'static str,
    #[schema(value_type = String)]
    share: Shown<Share>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    before: Option<Time>,
}

impl FactorsOut {
    /// `None` for a plain result.
    pub(crate) fn of(result: OutcomeResult) -> Option<Self> {
        let OutcomeResult::Graded(grade) = result else { return None };
        let said = grade.verdict();
        let deduction = |d: &Deduction| DeductionOut {
            from: match d.from {
                DeductionFrom::Winnings => "winnings",
                DeductionFrom::Price => "price",
            },
            share: Shown(d.share),
            before: d.before_ms.map(Time),
        };
        Some(Self {
            void_factor: Shown(said.void_factor),
            dead_heat_factor: Shown(said.dead_heat_factor),
            placed: said.placed,
            place_dead_heat_factor: Shown(said.place_dead_heat_factor),
            deductions: said.deductions.iter().map(deduction).collect(),
            deduction_cap: said.deductions.stated_cap().map(Shown),
        })
    }
}

/// Each-way terms of a market made by hand.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = EachWayTerms)]
#[serde(deny_unknown_fields)]
pub(crate) struct EachWayIn<'a> {
    /// Fraction of the winnings that the place part pays: `"1/5"`.
    #[serde(borrow)]
    #[schema(value_type = String, required)]
    fraction: Option<Str<'a>>,
    /// Places that count.
    #[schema(value_type = u8, required)]
    places: Option<u8>,
}

/// Each-way terms as they are shown.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EachWayShown)]
pub(crate) struct EachWayOut {
    #[schema(value_type = String)]
    fraction: Shown<Share>,
    places: u8,
}

impl EachWayOut {
    pub(crate) const fn of(terms: EachWayTerms) -> Self {
        Self { fraction: Shown(terms.fraction), places: terms.places }
    }
}

/// A market's terms; `Some(None)` where it states none, `None` only if a fault was added.
#[expect(clippy::option_option, reason = "none stated and wrongly stated are two things")]
pub(crate) fn terms(
    each_way: Option<Obj<EachWayIn<'_>>>,
    combinable: Option<bool>,
    faults: &mut Faults,
) -> Option<Option<MarketTerms>> {
    let each_way = match each_way {
        None => None,
        Some(Obj(input)) => Some(faults.below("each_way", |faults| read_each_way(&input, faults))?),
    };
    let combinable = combinable.unwrap_or(false);
    Some((each_way.is_some() || combinable).then_some(MarketTerms { each_way, combinable }))
}

fn read_each_way(input: &EachWayIn<'_>, faults: &mut Faults) -> Option<EachWayTerms> {
    let fraction = faults.need("fraction", input.fraction.as_ref(), fraction);
    if input.places.is_none_or(|places| places == 0) {
        faults.add("places", "is missing or 0");
    }
    Some(EachWayTerms { fraction: fraction?, places: input.places? })
}

fn fraction(text: &str) -> Result<Share, Box<dyn Display>> {
    match Share::parse(text) {
        Ok(Share::ZERO) => Err(Box::new("is 0")),
        Ok(fraction) => Ok(fraction),
        Err(why) => Err(Box::new(why)),
    }
}
