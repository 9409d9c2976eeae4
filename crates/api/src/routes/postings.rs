//! Adjustments.

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use model::{AccountId, Answer, Command};

use crate::dto::postings::{AdjustBody, AdjustIn, Adjusted, AdjustedOut};
use crate::extract::{Segment, Small};
use crate::problem::{Problem, ProblemBody};
use crate::state::{AppState, json, misfit};
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
