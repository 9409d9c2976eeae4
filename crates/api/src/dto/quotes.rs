//! Quotes: a wager without an id, and what it would come to.

use model::limits::LEGS_MAX;
use model::{AccountId, QuoteRequest, QuoteView};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::dto::lines::{LegIn, Lines, LinesIn, SystemIn};
use crate::dto::wager_views::{LegOut, WhyOut};
use crate::dto::wagers::{client_ref, durability};
use crate::strict::{Body, Faults, List, Obj, Str};

/// A wager without an id: it is only thought of.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = WagerQuote)]
#[serde(deny_unknown_fields)]
pub(crate) struct QuoteIn<'a> {
    /// `name@region`.
    #[serde(borrow)]
    #[schema(value_type = String, required, example = "p-81@eu-west")]
    account: Option<Str<'a>>,
    /// Stake per line (each-way: per line and part) in the account's currency.
    #[schema(value_type = String, required, example = "1.00")]
    unit_stake: Option<Str<'a>>,
    /// Checked against the sum of all lines when given.
    #[schema(value_type = Option<String>)]
    total_stake: Option<Str<'a>>,
    /// Without it all legs are one accumulator.
    #[schema(value_type = Option<SystemIn>)]
    system: Option<Obj<SystemIn>>,
    /// Whether every line has a place part as well, at the markets' each-way terms.
    each_way: Option<bool>,
    /// One to thirty.
    #[schema(value_type = Vec<LegIn<'a>>, required)]
    legs: Option<List<Obj<LegIn<'a>>, LEGS_MAX>>,
    /// `none` (default), `higher` or `any`.
    #[schema(value_type = Option<String>)]
    odds_policy: Option<Str<'a>>,
    /// As in a wager; a quote is the same for every durability.
    #[schema(value_type = Option<String>)]
    durability: Option<Str<'a>>,
    /// As in a wager; not used.
    #[schema(value_type = Option<String>)]
    client_ref: Option<Str<'a>>,
}

/// Reads a quote's request.
pub(crate) struct QuoteBody;

impl Body for QuoteBody {
    type In<'a> = QuoteIn<'a>;
    type Parsed = QuoteRequest;

    fn parse(input: QuoteIn<'_>, faults: &mut Faults) -> Option<QuoteRequest> {
        let account = faults.need("account", input.account.as_ref(), AccountId::new);
        let lines = LinesIn {
            unit_stake: input.unit_stake.as_ref(),
            total_stake: input.total_stake.as_ref(),
            system: input.system,
            each_way: input.each_way,
            legs: input.legs,
            odds_policy: input.odds_policy.as_ref(),
        };
        let lines = lines.parse(faults);
        faults.may("durability", input.durability.as_ref(), durability)?;
        faults.may("client_ref", input.client_ref.as_ref(), client_ref)?;
        let account = account?;
        let Lines { unit_stake, total_stake, system, each_way, legs, policy } = lines?;
        Some(QuoteRequest { account, unit_stake, total_stake, system, each_way, legs, policy })
    }
}

/// What placing the wager would come to here and now. Nothing is recorded or held.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WagerQuoted)]
pub(crate) struct QuoteOut<'a> {
    /// Whether it would be accepted here at once.
    placeable: bool,
    /// Why it would be rejected, for all legs at once.
    problems: Vec<WhyOut>,
    /// ISO 4217 code of the amounts.
    currency: &'a str,
    /// Unit stakes in it.
    lines: u64,
    total_stake: String,
    /// Greatest unit stake that the money here leaves room for.
    max_unit_stake: String,
    /// What it would pay if every leg wins, stake included.
    potential_payout: String,
    /// What a wager could take here now.
    spendable_here: String,
    /// Legs at the odds that they would be taken at; where they would not be, at the odds asked for.
    legs: Vec<LegOut<'a>>,
}

impl<'a> QuoteOut<'a> {
    pub(crate) fn of(view: &'a QuoteView) -> Self {
        let money = |minor: u64| view.currency.format(i128::from(minor));
        Self {
            placeable: view.placeable,
            problems: view.problems.iter().map(WhyOut::of).collect(),
            currency: view.currency.code(),
            lines: view.lines,
            total_stake: money(view.stake.minor()),
            max_unit_stake: money(view.max_unit_stake),
            potential_payout: money(view.potential_payout),
            spendable_here: money(view.spendable_here),
            legs: view.legs.iter().map(LegOut::of).collect(),
        }
    }
}
