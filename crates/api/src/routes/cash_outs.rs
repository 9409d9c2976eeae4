//! Cash-outs: what a part of an open wager would pay, and taking that offer.

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use model::{Answer, Command, MintedId, Query};

use crate::dto::cash_outs::{CashOutAskBody, CashOutAskIn, CashOutBody, CashOutIn, CashOutQuoteOut, CashedOutOut};
use crate::extract::{Segment, Small};
use crate::problem::{Problem, ProblemBody};
use crate::state::{AppState, json, misfit};
use crate::strict;
use crate::token::{Asked, REPLAYED};

/// What cashing out a part of a wager would pay now. Records nothing.
///
/// Only the region that decided the wager prices it: elsewhere `503 not_owner` names it. The offer holds for some
/// seconds, and only while no price and no result of its open legs' markets moves.
#[utoipa::path(post, path = "/v1/wagers/{id}/cash-out/quote", tag = "wagers", operation_id = "quote_cash_out",
    params(("id" = String, Path, description = "Minted id of the wager")), request_body = Option<CashOutAskIn<'_>>,
    responses(
        (status = 200, description = "The offer", body = CashOutQuoteOut<'_>),
        (status = 404, description = "`wager_unknown`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`wager_not_open`; or the code for which a leg that is still open is not on sale \
            now, such as `market_suspended`, with all such legs in `problems`", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 422, description = "Malformed, or more than is in play", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 503, description = "`not_owner` and the like", body = ProblemBody,
            content_type = "application/problem+json"),
    ))]
pub(crate) async fn quote(
    State(app): State<AppState>,
    asked: Asked,
    segment: Segment,
    Small(body): Small,
) -> Result<Response, Problem> {
    let id = MintedId::parse(&segment.0).map_err(|e| Problem::field("id", e))?;
    let share = strict::read_or_empty::<CashOutAskBody>(&body.bytes)?;
    let heard = app.read(&asked, Query::CashOut(id, share)).await?;
    match &heard.answer {
        Answer::CashOutQuoted { quote, currency } => {
            Ok(json(StatusCode::OK, &CashOutQuoteOut::of(quote, currency), heard.token))
        }
        _ => Err(misfit(heard)),
    }
}

/// Takes a cash-out's offer, once per id.
///
/// A repeat with the same body is 200 with `Stakehold-Replayed: true`. An offer that holds no longer is
/// `409 quote_expired`, with the one that holds now in `quote`: nothing is recorded, and the same id may take it.
#[utoipa::path(post, path = "/v1/wagers/{id}/cash-out", tag = "wagers", operation_id = "cash_out",
    params(("id" = String, Path, description = "Minted id of the wager")), request_body = CashOutIn<'_>,
    responses(
        (status = 201, description = "Cashed out by this call", body = CashedOutOut<'_>),
        (status = 200, description = "Cashed out before", body = CashedOutOut<'_>),
        (status = 404, description = "`wager_unknown`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`quote_expired` with a new one, `id_reused`, `wager_not_open`, or the code for \
            which a leg is not on sale now", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "Malformed, `id_horizon` or `id_expired`", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 503, description = "Not decided", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(crate) async fn cash_out(
    State(app): State<AppState>,
    asked: Asked,
    segment: Segment,
    Small(body): Small,
) -> Result<Response, Problem> {
    let wager = MintedId::parse(&segment.0).map_err(|e| Problem::field("id", e).undecided())?;
    let (id, quote) = strict::read::<CashOutBody>(&body.bytes).map_err(Problem::undecided)?;
    let heard = app.decide(&asked, Command::CashOut { wager, id, quote }, asked.wait_ms).await?;
    let Answer::CashedOut { posting, record, replayed } = &heard.answer else { return Err(misfit(heard)) };
    let Some(cashed) = posting.cash_out() else { return Err(misfit(heard)) };
    let status = if *replayed { StatusCode::OK } else { StatusCode::CREATED };
    let mut response = json(status, &CashedOutOut::of(posting, *cashed, record, &app.config), heard.token);
    if *replayed {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}
