//! Every refusal of the engine as a problem: status, code, what to do, and how to retry.

use axum::http::StatusCode;
use feeds::instant::format_utc_ms;
use model::Refusal;
use serde_json::json;

use crate::config::ApiConfig;
use crate::dto::cash_outs::CashOutQuoteOut;
use crate::problem::{Fault, Problem, Retry};

/// Whether the request asks for a decision about money: then the problem says `decided`, `recorded`, `retry`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Concern {
    /// A wager or a posting.
    Decision,
    /// Anything else.
    Other,
}

/// Rights or another region may answer within a round trip.
const RETRY_SOON_MS: u64 = 250;
/// A region that is cut off or overloaded.
const RETRY_LATER_MS: u64 = 1_000;

/// The problem for a refusal. Nothing is recorded for any of these.
pub(crate) fn problem(why: &Refusal, concern: Concern, config: &ApiConfig) -> Problem {
    let (problem, retry) = describe(why, config);
    match (concern, why) {
        (Concern::Other, _) => problem,
        // These ids have their final word.
        (Concern::Decision, Refusal::IdReused | Refusal::IdExpired) => problem.decision(Some(true), Some(false), retry),
        (Concern::Decision, Refusal::IdClosed | Refusal::WagerAccepted) => {
            problem.decision(Some(true), Some(true), retry)
        }
        (Concern::Decision, _) => problem.undecided_retry(retry),
    }
}

fn describe(why: &Refusal, config: &ApiConfig) -> (Problem, Retry) {
    match why {
        Refusal::Malformed { field, why } => {
            let fault = Fault { field: field.to_string(), detail: why.to_string() };
            // The contract has a code of its own for a stated total that is not the sum.
            let code = if field.as_str() == "total_stake" { "stake_mismatch" } else { "malformed" };
            (Problem::malformed(code, vec![fault]), Retry::No)
        }
        Refusal::IdReused => (
            conflict(
                "id_reused",
                "this id or reference is known with another body; nothing of this body is recorded: take a new id for it",
            ),
            Retry::NewId,
        ),
        Refusal::IdClosed => (
            conflict("id_closed", "this id was abandoned or cancelled before it was decided; take a new id"),
            Retry::NewId,
        ),
        Refusal::WagerAccepted => {
            (conflict("wager_accepted", "the wager is accepted; cancel it in the region that decided it"), Retry::No)
        }
        Refusal::IdHorizon => (
            Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "id_horizon",
                "the id's place_by lies too far ahead; take ids from POST /v1/ids",
            ),
            Retry::NewId,
        ),
        Refusal::IdExpired => (
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "id_expired", "the id's place_by has passed; take a new id"),
            Retry::NewId,
        ),
        Refusal::TokenUnknownSite => (
            Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "token_unknown_site",
                "the Stakehold-Token names a site this region has never heard of; drop the token",
            ),
            Retry::SameId,
        ),
        Refusal::AccountUnknown => unknown("account_unknown", "account"),
        Refusal::SessionUnknown => unknown("session_unknown", "session"),
        Refusal::MarketUnknown => unknown("market_unknown", "market"),
        Refusal::SelectionUnknown => unknown("selection_unknown", "outcome"),
        Refusal::CurrencyDiffers { has } => (
            Problem::new(StatusCode::CONFLICT, "currency_differs", format!("the account exists in {has}, for good"))
                .with("has", has.code()),
            Retry::No,
        ),
        Refusal::ClockBack { now_ms } => (
            Problem::new(StatusCode::CONFLICT, "clock_back", "the replay clock does not go back; give a later time")
                .with("now", format_utc_ms(*now_ms)),
            Retry::No,
        ),
        Refusal::ClockNotReplay => {
            (conflict("clock_not_replay", "this region keeps real time; start it with --clock replay"), Retry::No)
        }
        Refusal::SourceOlder => {
            (conflict("source_older", "something newer by source time is held already; nothing was changed"), Retry::No)
        }
        _ => withdrawal(why).or_else(|| later(why)).unwrap_or_else(|| (for_now(why, config), Retry::SameId)),
    }
}

/// What cash-outs and cancels of accepted wagers are refused for.
fn later(why: &Refusal) -> Option<(Problem, Retry)> {
    Some(match why {
        Refusal::WagerUnknown => unknown("wager_unknown", "wager"),
        Refusal::WagerNotOpen { state } => {
            let detail = format!("the wager is {state}: nothing of it can be cashed out or cancelled by this call");
            (Problem::new(StatusCode::CONFLICT, "wager_not_open", detail).with("state", *state), Retry::No)
        }
        Refusal::CashOutUnavailable { problems } => {
            let code = problems.first().map_or("no_price", |p| p.code.name());
            let detail = "legs that are still open are not on sale now; ask again when they are";
            let all: Vec<_> = problems.iter().map(|p| json!({"leg": p.leg, "code": p.code.name()})).collect();
            (Problem::new(StatusCode::CONFLICT, code, detail).with("problems", all), Retry::SameId)
        }
        Refusal::QuoteExpired { quote, currency } => {
            let detail = "prices, results or the wager have moved, or the time is over; `quote` is what holds now";
            let now = serde_json::to_value(CashOutQuoteOut::of(quote, currency)).unwrap_or_default();
            (Problem::new(StatusCode::CONFLICT, "quote_expired", detail).with("quote", now), Retry::SameId)
        }
        _ => return None,
    })
}

/// What withdrawals alone are refused for.
fn withdrawal(why: &Refusal) -> Option<(Problem, Retry)> {
    Some(match why {
        Refusal::WithdrawalUnknown => unknown("withdrawal_unknown", "withdrawal"),
        Refusal::DebtOutstanding => {
            (conflict("debt_outstanding", "the account owes money, which comes first"), Retry::SameId)
        }
        Refusal::NotHeldYet => {
            (conflict("not_held_yet", "the money is not held yet; ask again in a moment"), Retry::SameId)
        }
        Refusal::WithdrawalConfirmed => {
            (conflict("withdrawal_confirmed", "the withdrawal is confirmed: the money is gone"), Retry::No)
        }
        Refusal::WithdrawalReleased => {
            (conflict("withdrawal_released", "the withdrawal is released: the money is free again"), Retry::No)
        }
        Refusal::WithdrawalRefused => {
            (conflict("withdrawal_refused", "the withdrawal was refused: there is nothing held"), Retry::No)
        }
        _ => return None,
    })
}

fn conflict(code: &'static str, detail: &'static str) -> Problem {
    Problem::new(StatusCode::CONFLICT, code, detail)
}

/// May merely not have arrived: the same call can succeed a moment later.
fn unknown(code: &'static str, what: &str) -> (Problem, Retry) {
    let detail = format!("this region does not know the {what}; if it was made elsewhere a moment ago, ask again");
    (Problem::new(StatusCode::NOT_FOUND, code, detail), Retry::SameId)
}

/// What holds only for the moment: 503.
fn for_now(why: &Refusal, config: &ApiConfig) -> Problem {
    let unavailable = |code, detail: String| Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, detail);
    match why {
        Refusal::NotOwner { region } => {
            let name = config.region(*region);
            unavailable(
                "not_owner",
                format!("region {name} decides this id; send the same call with the same id there"),
            )
            .with("owner", json!({"region": name, "number": region}))
            .retry_after(RETRY_LATER_MS)
        }
        Refusal::InsufficientLocalFunds { spendable_here, elsewhere, currency } => unavailable(
            "insufficient_local_funds",
            "the money is in another region and did not arrive in time; ask again with the same id".to_owned(),
        )
        .with("spendable_here", currency.format(i128::from(*spendable_here)))
        .with("elsewhere", currency.format(i128::from(*elsewhere)))
        .retry_after(RETRY_SOON_MS),
        Refusal::ReplicationWindow { spendable_here, currency } => unavailable(
            "replication_window",
            "too much that was staked or credited here is not known to other regions yet; a smaller stake may pass, or \
             ask again with the same id"
                .to_owned(),
        )
        .with("spendable_here", currency.format(i128::from(*spendable_here)))
        .retry_after(RETRY_SOON_MS),
        Refusal::RegionUnreachable { region } => {
            unavailable("region_unreachable", format!("region {region} has to act and cannot be reached; ask again"))
                .with("region", region.as_str())
                .retry_after(RETRY_LATER_MS)
        }
        Refusal::TokenAhead => unavailable(
            "token_ahead",
            "this region has not seen what the Stakehold-Token has; ask again, with a longer Stakehold-Wait-Ms, or \
             with 0 to take what is here"
                .to_owned(),
        )
        .retry_after(RETRY_SOON_MS),
        Refusal::NotReady { why } => {
            unavailable("not_ready", format!("{why}; ask again, here or in another region")).retry_after(RETRY_LATER_MS)
        }
        Refusal::Overloaded { what } => {
            unavailable("overloaded", format!("a bound is reached ({what}); wait and ask again"))
                .retry_after(RETRY_LATER_MS)
        }
        other => Problem::internal(&format!("a refusal without a status: {other:?}")),
    }
}
