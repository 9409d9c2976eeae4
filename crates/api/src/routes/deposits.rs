//! Deposits.

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use model::{AccountId, Answer};

use crate::dto::deposits::{DepositBody, DepositIn, PostedOut, ReceivedOut};
use crate::extract::{Segment, Small};
use crate::problem::{Problem, ProblemBody};
use crate::state::{AppState, json, misfit};
use crate::strict;
use crate::token::{Asked, REPLAYED};

/// Credits money, once per id or once per reference of a payment provider.
///
/// A repeat with the same body is 200 with `Stakehold-Replayed: true`. A provider's reference is decided by the region
/// in the account's name. Any other region waits for that decision as long as `Stakehold-Wait-Ms` says; then it answers
/// 202 `received`: durable here, and decided as soon as that region hears of it, whether or not it is sent again. The
/// same webhook may be sent to any region at any time.
#[utoipa::path(post, path = "/v1/accounts/{account}/deposits", tag = "accounts", operation_id = "deposit",
    params(("account" = String, Path, description = "`name@region`")), request_body = DepositIn<'_>,
    responses(
        (status = 201, description = "Posted by this call", body = PostedOut<'_>),
        (status = 200, description = "Posted before (`Stakehold-Replayed: true`); or a reference `rejected` for good, \
            body `ReceivedDeposit`", body = PostedOut<'_>),
        (status = 202, description = "A reference is `received`", body = ReceivedOut<'_>),
        (status = 404, description = "`account_unknown`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`id_reused`: the id or reference is known with another body", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 422, description = "Malformed, `id_horizon` or `id_expired`", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 503, description = "Not decided, nothing recorded", body = ProblemBody,
            content_type = "application/problem+json"),
    ))]
pub(crate) async fn deposit(
    State(app): State<AppState>,
    asked: Asked,
    segment: Segment,
    Small(body): Small,
) -> Result<Response, Problem> {
    let account = segment.key("account", AccountId::new)?;
    let command = strict::read::<DepositBody>(&body.bytes).map_err(Problem::undecided)?.command(account);
    let command = command.ok_or_else(|| Problem::field("account", "names no region").undecided())?;
    let heard = app.decide(&asked, command, asked.wait_ms).await?;
    let (mut response, replayed) = match &heard.answer {
        Answer::Deposited { posting, currency, replayed } => {
            let status = if *replayed { StatusCode::OK } else { StatusCode::CREATED };
            (json(status, &PostedOut::of(posting, currency, &app.config), heard.token), *replayed)
        }
        Answer::Received(received) => {
            (json(StatusCode::ACCEPTED, &ReceivedOut::received(received), heard.token), false)
        }
        Answer::ReferenceRefused { decision, replayed } => {
            let Some(body) = ReceivedOut::refused(decision) else { return Err(misfit(heard)) };
            (json(StatusCode::OK, &body, heard.token), *replayed)
        }
        _ => return Err(misfit(heard)),
    };
    if replayed {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}
