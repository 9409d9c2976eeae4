//! Markets: made by hand, read as they are sold here, and the results an operator gives.

use model::limits::{DEDUCTIONS_MAX, DELAY_MS_MAX, OUTCOMES_MAX};
use model::{
    Definition, EventKey, MarketStatus, MarketView, OutcomeDef, OutcomeKey, OutcomeResult, OutcomeView, RejectCode,
    ResultScope, ResultWrite, Text,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::dto::exchange::ExchangeOut;
use crate::dto::shown::{Display3, Shown, Time};
use crate::dto::verdicts::{DeductionIn, EachWayIn, EachWayOut, FactorsIn, FactorsOut, named, terms};
use crate::strict::{self, Body, Faults, List, Obj, Str};

/// Longest name for people, in bytes.
const NAME_BYTES_MAX: usize = 1_024;

/// A market made by hand: it belongs to this region's desk.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = MarketDraft)]
#[serde(deny_unknown_fields)]
pub(crate) struct MarketIn<'a> {
    /// Name for people.
    #[serde(borrow)]
    #[schema(value_type = String, required)]
    name: Option<Str<'a>>,
    /// Event key.
    #[schema(value_type = String, required)]
    event: Option<Str<'a>>,
    #[schema(value_type = Option<String>)]
    sport: Option<Str<'a>>,
    /// Scheduled start.
    #[schema(value_type = Option<String>, format = DateTime)]
    start: Option<Str<'a>>,
    /// Whether the event is under way.
    in_play: Option<bool>,
    /// How long a wager waits before it is judged while in play, in ms; at most 60,000.
    bet_delay_ms: Option<u32>,
    /// `active` (default), `inactive` or `suspended`.
    #[schema(value_type = Option<String>)]
    status: Option<Str<'a>>,
    /// In display order, at least one.
    #[schema(value_type = Vec<OutcomeIn<'a>>, required)]
    outcomes: Option<List<Obj<OutcomeIn<'a>>, OUTCOMES_MAX>>,
    /// Terms for each-way wagers; without them it is not sold each-way.
    #[schema(value_type = Option<EachWayIn<'a>>)]
    each_way: Option<Obj<EachWayIn<'a>>>,
    /// Whether it may stand in one wager with another such market of its event; false when absent.
    combinable: Option<bool>,
}

/// An outcome of a market made by hand.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = OutcomeDraft)]
#[serde(deny_unknown_fields)]
pub(crate) struct OutcomeIn<'a> {
    /// Outcome key.
    #[serde(borrow)]
    #[schema(value_type = String, required)]
    outcome: Option<Str<'a>>,
    /// Name for people.
    #[schema(value_type = Option<String>)]
    name: Option<Str<'a>>,
}

/// Reads a definition and the desk's status.
pub(crate) struct MarketBody;

impl Body for MarketBody {
    type In<'a> = MarketIn<'a>;
    type Parsed = (Definition, MarketStatus);

    fn parse(input: MarketIn<'_>, faults: &mut Faults) -> Option<(Definition, MarketStatus)> {
        let name = faults.need("name", input.name.as_ref(), name);
        let event = faults.need("event", input.event.as_ref(), EventKey::new);
        let sport = faults.may("sport", input.sport.as_ref(), sport_of);
        let delay_ms = input.bet_delay_ms.unwrap_or(0);
        if u64::from(delay_ms) > DELAY_MS_MAX {
            faults.add("bet_delay_ms", format_args!("is above {DELAY_MS_MAX}"));
        }
        let start_ms = faults.may("start", input.start.as_ref(), strict::time);
        let status = faults.may("status", input.status.as_ref(), desk_status);
        let outcomes = outcomes(input.outcomes, faults);
        let terms = terms(input.each_way, input.combinable, faults);
        let definition = Definition {
            name: name?,
            event: event?,
            sport: sport?.unwrap_or_else(|| Text::new("")),
            start_ms: start_ms?.unwrap_or(0),
            in_play: input.in_play.unwrap_or(false),
            bet_delay_ms: delay_ms,
            outcomes: outcomes?,
            exchange: false,
            terms: terms?,
        };
        Some((definition, status?.unwrap_or(MarketStatus::Active)))
    }
}

fn outcomes(input: Option<List<Obj<OutcomeIn<'_>>, OUTCOMES_MAX>>, faults: &mut Faults) -> Option<Vec<OutcomeDef>> {
    let Some(List(input)) = input else {
        faults.add("outcomes", "is missing");
        return None;
    };
    if input.is_empty() {
        faults.add("outcomes", "is empty");
        return None;
    }
    let mut known = std::collections::BTreeSet::new();
    let read = |(n, Obj(outcome)): (usize, Obj<OutcomeIn<'_>>)| {
        faults.below(format_args!("outcomes[{n}]"), |faults| {
            let key = faults.need("outcome", outcome.outcome.as_ref(), OutcomeKey::new);
            let name = faults.may("name", outcome.name.as_ref(), name);
            let (key, name) = (key?, name?.unwrap_or_else(|| Text::new("")));
            if !known.insert(key.clone()) {
                faults.add("outcome", "stands twice in this market");
            }
            Some(OutcomeDef { key, name })
        })
    };
    let outcomes: Vec<Option<OutcomeDef>> = input.into_iter().enumerate().map(read).collect();
    outcomes.into_iter().collect()
}

fn name(text: &str) -> Result<Text, &'static str> {
    if text.len() > NAME_BYTES_MAX { Err("is longer than 1024 bytes") } else { Ok(Text::new(text)) }
}

/// A sport that can be suspended as such; or none.
fn sport_of(text: &str) -> Result<Text, model::KeyError> {
    if text.is_empty() { Ok(Text::new("")) } else { model::Sport::new(text).map(|sport| Text::new(sport.as_str())) }
}

fn desk_status(text: &str) -> Result<MarketStatus, &'static str> {
    match text {
        "active" => Ok(MarketStatus::Active),
        "inactive" => Ok(MarketStatus::Inactive),
        "suspended" => Ok(MarketStatus::Suspended),
        _ => Err("is none of active, inactive, suspended"),
    }
}

/// An operator's results: they beat those of feeds.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = Results)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResultsIn<'a> {
    /// At least one, each outcome once.
    #[serde(borrow)]
    #[schema(value_type = Vec<ResultIn<'a>>, required)]
    results: Option<List<Obj<ResultIn<'a>>, OUTCOMES_MAX>>,
    /// When the market had closed: legs taken later (beyond the skew allowance) are void as `past_posted`. The time of
    /// the result itself when absent.
    #[schema(value_type = Option<String>, format = DateTime)]
    closed_at: Option<Str<'a>>,
}

/// What happened to one outcome.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = Result)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResultIn<'a> {
    /// Outcome key, or `*` for all of the market.
    #[serde(borrow)]
    #[schema(value_type = String, required)]
    outcome: Option<Str<'a>>,
    /// `won`, `lost`, `placed`, `void`, `withdrawn`, `open` (no result, whatever feeds say) or `none` (feeds count
    /// again).
    #[schema(value_type = String, required)]
    result: Option<Str<'a>>,
    /// Part of the stake that returns: 0 (default), 0.5 for half won and half lost, or 1.
    #[schema(value_type = Option<String>)]
    void_factor: Option<Str<'a>>,
    /// Places left for the tied over the number of tied: `"1/2"`; 1 when absent.
    #[schema(value_type = Option<String>)]
    dead_heat_factor: Option<Str<'a>>,
    /// The same for the place part of each-way wagers.
    #[schema(value_type = Option<String>)]
    place_dead_heat_factor: Option<Str<'a>>,
    /// Whether what lost was placed.
    placed: Option<bool>,
    /// For withdrawn runners, at most 4.
    #[schema(value_type = Option<Vec<DeductionIn<'a>>>)]
    deductions: Option<List<Obj<DeductionIn<'a>>, DEDUCTIONS_MAX>>,
    /// Most that deductions from winnings take in all; 0.9 when absent.
    #[schema(value_type = Option<String>)]
    deduction_cap: Option<Str<'a>>,
}

/// Reads results.
pub(crate) struct ResultsBody;

impl Body for ResultsBody {
    type In<'a> = ResultsIn<'a>;
    type Parsed = (Vec<ResultWrite>, Option<u64>);

    fn parse(input: ResultsIn<'_>, faults: &mut Faults) -> Option<(Vec<ResultWrite>, Option<u64>)> {
        let closed_ms = faults.may("closed_at", input.closed_at.as_ref(), strict::time);
        let list = input.results.map(|list| list.0).filter(|list| !list.is_empty());
        let Some(list) = list else {
            faults.add("results", "is missing or empty");
            return None;
        };
        let mut known = std::collections::BTreeSet::new();
        let read = |(n, Obj(item)): (usize, Obj<ResultIn<'_>>)| {
            faults.below(format_args!("results[{n}]"), |faults| {
                let scope = faults.need("outcome", item.outcome.as_ref(), scope);
                let named = faults.need("result", item.result.as_ref(), named);
                let factors = FactorsIn {
                    void_factor: item.void_factor.as_ref(),
                    dead_heat_factor: item.dead_heat_factor.as_ref(),
                    place_dead_heat_factor: item.place_dead_heat_factor.as_ref(),
                    placed: item.placed,
                    deductions: item.deductions,
                    deduction_cap: item.deduction_cap.as_ref(),
                };
                let (scope, result) = (scope?, factors.parse(named?, faults)?);
                if !known.insert(scope.clone()) {
                    faults.add("outcome", "stands twice in this call");
                }
                Some(ResultWrite { scope, result })
            })
        };
        let results: Vec<Option<ResultWrite>> = list.into_iter().enumerate().map(read).collect();
        let results: Option<Vec<ResultWrite>> = results.into_iter().collect();
        Some((results?, closed_ms?))
    }
}

fn scope(text: &str) -> Result<ResultScope, model::KeyError> {
    if text == "*" { Ok(ResultScope::Market) } else { OutcomeKey::new(text).map(ResultScope::Outcome) }
}

/// A market as this region sells it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Market)]
pub(crate) struct MarketOut<'a> {
    market: &'a str,
    name: &'a str,
    event: &'a str,
    sport: &'a str,
    /// Scheduled start; null when unknown.
    #[schema(value_type = Option<String>, format = DateTime)]
    start: Option<Time>,
    in_play: bool,
    /// How long a wager waits before it is judged while in play, in ms.
    bet_delay_ms: u32,
    /// `active`, `inactive`, `suspended`, `handed_over`, `settled` or `cancelled`.
    status: &'static str,
    /// Whether an operator holds it suspended.
    held: bool,
    /// The producer it follows.
    producer: Option<&'a str>,
    /// Whether anything of it is sold here now.
    sellable: bool,
    /// Reject code, if nothing is.
    refusal: Option<&'static str>,
    /// Newest hybrid time of its values; greater is newer.
    #[schema(value_type = String)]
    version: Shown<u64>,
    outcomes: Vec<OutcomeOut<'a>>,
    /// Terms for each-way wagers, if it is sold so.
    #[serde(skip_serializing_if = "Option::is_none")]
    each_way: Option<EachWayOut>,
    /// Whether it may stand in one wager with another such market of its event.
    combinable: bool,
    /// Only where its exchange stream enters.
    #[serde(skip_serializing_if = "Option::is_none")]
    exchange: Option<ExchangeOut<'a>>,
}

/// An outcome as this region sells it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Outcome)]
pub(crate) struct OutcomeOut<'a> {
    outcome: &'a str,
    name: &'a str,
    /// Whether a wager on it would pass admission now.
    sellable: bool,
    /// Reject code, if not.
    refusal: Option<&'static str>,
    /// Odds on offer in their shortest exact form.
    #[schema(value_type = Option<String>)]
    odds: Option<Shown<model::Odds>>,
    display: Option<Display3>,
    /// Whether an operator pinned them.
    pinned: bool,
    result: Option<&'static str>,
    /// Where the result alone does not say what is paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    factors: Option<FactorsOut>,
}

impl<'a> MarketOut<'a> {
    pub(crate) fn of(view: &'a MarketView) -> Self {
        let what = &view.definition;
        Self {
            market: view.market.as_str(),
            name: what.name.as_str(),
            event: what.event.as_str(),
            sport: what.sport.as_str(),
            start: (what.start_ms > 0).then_some(Time(what.start_ms)),
            in_play: what.in_play,
            bet_delay_ms: what.bet_delay_ms,
            status: view.status.name(),
            held: view.held,
            producer: view.producer.as_ref().map(model::ProducerId::as_str),
            sellable: view.sellable,
            refusal: view.refusal.map(RejectCode::name),
            version: Shown(view.version.0),
            outcomes: view.outcomes.iter().map(OutcomeOut::of).collect(),
            each_way: what.terms.and_then(|t| t.each_way).map(EachWayOut::of),
            combinable: what.terms.is_some_and(|t| t.combinable),
            exchange: view.exchange.as_ref().map(ExchangeOut::of),
        }
    }
}

impl<'a> OutcomeOut<'a> {
    fn of(view: &'a OutcomeView) -> Self {
        Self {
            outcome: view.key.as_str(),
            name: view.name.as_str(),
            sellable: view.sellable,
            refusal: view.refusal.map(RejectCode::name),
            odds: view.odds.map(Shown),
            display: view.odds.map(Display3::of),
            pinned: view.pinned,
            result: view.result.map(OutcomeResult::name),
            factors: view.result.and_then(FactorsOut::of),
        }
    }
}
