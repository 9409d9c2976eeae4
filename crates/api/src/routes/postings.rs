//! Adjustments and withdrawals.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use model::{AccountId, Answer, Command, Query};

use crate::dto::postings::{AdjustBody, AdjustIn, Adjusted, AdjustedOut, WithdrawBody, WithdrawIn, WithdrawalOut};
use crate::extract::{Posted, Segment, Small};
use crate::problem::{Problem, ProblemBody};
use crate::state::{AppState, Heard, json, misfit};
use crate::strict;
use crate::token::{Asked, REPLAYED};

/// An operator gives or takes money, once per id.
///
/// What cannot be taken from what is free in this region becomes debt. A repeat with the same body is 200 with
/// `Stakehold-Replayed: true`.
#[utoipa::path(post, path = "/v1/accounts/{account}/adjustments", tag = "accounts", operation_id = "adjust",
    params(("account" = String, Path, description = "`name@region`")), request_body = AdjustIn<'_>,
    responses(
        (status = 201, description = "Posted by this call", body = AdjustedOut<'_>),
        (status = 200, description = "Posted before", body = AdjustedOut<'_>),
        (status = 404, description = "`account_unknown`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`id_reused`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "Malformed, `id_horizon` or `id_expired`", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 503, description = "Not decided", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(crate) async fn adjust(
    State(app): State<AppState>,
    asked: Asked,
    segment: Segment,
    Small(body): Small,
) -> Result<Response, Problem> {
    let account = segment.key("account", AccountId::new)?;
    let Adjusted { id, amount, kind, reason } = strict::read::<AdjustBody>(&body.bytes).map_err(Problem::undecided)?;
    let heard = app.decide(&asked, Command::Adjust { id, account, amount, kind, reason }, asked.wait_ms).await?;
    let Answer::Deposited { posting, currency, replayed } = &heard.answer else { return Err(misfit(heard)) };
    let Some(adjustment) = posting.adjustment() else { return Err(misfit(heard)) };
    let status = if *replayed { StatusCode::OK } else { StatusCode::CREATED };
    let mut response = json(status, &AdjustedOut::of(posting, adjustment, currency, &app.config), heard.token);
    if *replayed {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// Sets money aside for a payment out, once per id.
///
/// 202: decided, and `pending` (`awaiting_ack`) until the decision is durable in enough regions; then it is `held`, and
/// may be confirmed or released. Money that is nowhere is `rejected` for good.
#[utoipa::path(post, path = "/v1/accounts/{account}/withdrawals", tag = "accounts", operation_id = "withdraw",
    params(("account" = String, Path, description = "`name@region`")), request_body = WithdrawIn<'_>,
    responses(
        (status = 202, description = "Decided and not held yet", body = WithdrawalOut<'_>),
        (status = 200, description = "As it stands", body = WithdrawalOut<'_>),
        (status = 404, description = "`account_unknown`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`id_reused` or `debt_outstanding`", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 422, description = "Malformed, `id_horizon` or `id_expired`", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 503, description = "Not decided", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(crate) async fn withdraw(
    State(app): State<AppState>,
    asked: Asked,
    segment: Segment,
    Small(body): Small,
) -> Result<Response, Problem> {
    let account = segment.key("account", AccountId::new)?;
    let (id, amount) = strict::read::<WithdrawBody>(&body.bytes).map_err(Problem::undecided)?;
    let heard = app.decide(&asked, Command::Withdraw { id, account, amount }, asked.wait_ms).await?;
    stands(&app, heard)
}

/// A withdrawal as it stands. Whether it is held, only the region in its id knows.
#[utoipa::path(get, path = "/v1/accounts/{account}/withdrawals/{id}", tag = "accounts",
    operation_id = "get_withdrawal",
    params(("account" = String, Path, description = "`name@region`"), ("id" = String, Path, description = "Minted id")),
    responses(
        (status = 200, description = "As it stands", body = WithdrawalOut<'_>),
        (status = 202, description = "Decided and not held yet", body = WithdrawalOut<'_>),
        (status = 404, description = "`withdrawal_unknown`", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 503, description = "`not_owner`: ask there", body = ProblemBody,
            content_type = "application/problem+json"),
    ))]
pub(crate) async fn withdrawal(State(app): State<AppState>, asked: Asked, posted: Posted) -> Result<Response, Problem> {
    let heard = app.read(&asked, Query::Withdrawal(posted.account, posted.id)).await?;
    stands(&app, heard)
}

/// The payment was made: the money is gone.
///
/// Decided by the region in the id, where a call elsewhere is forwarded. The same again is 200 and changes nothing.
#[utoipa::path(post, path = "/v1/accounts/{account}/withdrawals/{id}/confirm", tag = "accounts",
    operation_id = "confirm_withdrawal",
    params(("account" = String, Path, description = "`name@region`"), ("id" = String, Path, description = "Minted id")),
    responses(
        (status = 200, description = "As it stands", body = WithdrawalOut<'_>),
        (status = 404, description = "`withdrawal_unknown`", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 409, description = "`not_held_yet`, or the opposite stands: `withdrawal_confirmed`, \
            `withdrawal_released`, `withdrawal_refused`", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 422, description = "Malformed", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Not decided", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(crate) async fn confirm(State(app): State<AppState>, asked: Asked, posted: Posted) -> Result<Response, Problem> {
    end(&app, &asked, posted, true).await
}

/// The payment will not be made: the money is free again.
///
/// Decided by the region in the id, where a call elsewhere is forwarded. The same again is 200 and changes nothing.
#[utoipa::path(post, path = "/v1/accounts/{account}/withdrawals/{id}/release", tag = "accounts",
    operation_id = "release_withdrawal",
    params(("account" = String, Path, description = "`name@region`"), ("id" = String, Path, description = "Minted id")),
    responses(
        (status = 200, description = "As it stands", body = WithdrawalOut<'_>),
        (status = 404, description = "`withdrawal_unknown`", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 409, description = "`not_held_yet`, or the opposite stands: `withdrawal_confirmed`, \
            `withdrawal_released`, `withdrawal_refused`", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 422, description = "Malformed", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Not decided", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(crate) async fn release(State(app): State<AppState>, asked: Asked, posted: Posted) -> Result<Response, Problem> {
    end(&app, &asked, posted, false).await
}

async fn end(app: &AppState, asked: &Asked, posted: Posted, confirm: bool) -> Result<Response, Problem> {
    let Posted { account, id } = posted;
    let heard = app.decide(asked, Command::ResolveWithdrawal { id, account, confirm }, asked.wait_ms).await?;
    stands(app, heard)
}

fn stands(app: &AppState, heard: Heard) -> Result<Response, Problem> {
    let Answer::Withdrawal { posting, currency, held, replayed } = &heard.answer else { return Err(misfit(heard)) };
    let Some(body) = WithdrawalOut::of(posting, *held, currency, &app.config) else { return Err(misfit(heard)) };
    let status = if body.is_pending() { StatusCode::ACCEPTED } else { StatusCode::OK };
    let mut response = json(status, &body, Arc::clone(&heard.token));
    if *replayed {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}
