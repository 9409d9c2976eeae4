//! Accounts.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use model::{AccountId, Answer, Command, Query};

use crate::dto::accounts::{AccountOut, OpenBody, OpenIn};
use crate::extract::{Segment, Small};
use crate::problem::{Problem, ProblemBody};
use crate::state::{AppState, json, misfit};
use crate::strict;
use crate::token::Asked;

/// Opens an account at the region in its name.
///
/// The same call again is 200. Elsewhere than in that region the call is forwarded.
#[utoipa::path(put, path = "/v1/accounts/{account}", tag = "accounts", operation_id = "open_account",
    params(("account" = String, Path, description = "`name@region`")), request_body = OpenIn<'_>,
    responses(
        (status = 201, description = "Opened by this call", body = AccountOut<'_>),
        (status = 200, description = "It was there", body = AccountOut<'_>),
        (status = 409, description = "`currency_differs`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "Malformed", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Not now", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(crate) async fn open(
    State(app): State<AppState>,
    asked: Asked,
    segment: Segment,
    Small(body): Small,
) -> Result<Response, Problem> {
    let account = segment.key("account", AccountId::new)?;
    let currency = strict::read::<OpenBody>(&body.bytes).map_err(Problem::undecided)?;
    let heard = app.decide(&asked, Command::OpenAccount { account, currency }, asked.wait_ms).await?;
    match &heard.answer {
        Answer::AccountOpened { view, created } => {
            let status = if *created { StatusCode::CREATED } else { StatusCode::OK };
            Ok(json(status, &AccountOut::of(view, &app.config), heard.token))
        }
        _ => Err(misfit(heard)),
    }
}

/// An account's money as this region knows it.
#[utoipa::path(get, path = "/v1/accounts/{account}", tag = "accounts", operation_id = "get_account",
    params(("account" = String, Path, description = "`name@region`")),
    responses(
        (status = 200, description = "The account", body = AccountOut<'_>),
        (status = 404, description = "`account_unknown`: it may merely not have arrived", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 503, description = "Not now", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(crate) async fn get(State(app): State<AppState>, asked: Asked, segment: Segment) -> Result<Response, Problem> {
    let account = segment.key("account", AccountId::new)?;
    let heard = app.read(&asked, Query::Account(account)).await?;
    match &heard.answer {
        Answer::Account(view) => Ok(json(StatusCode::OK, &AccountOut::of(view, &app.config), heard.token)),
        _ => Err(misfit(heard)),
    }
}
