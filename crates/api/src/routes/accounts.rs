//! Accounts and deposits.

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use model::{AccountId, Answer, Command, Query};

use crate::dto::accounts::{AccountOut, DepositBody, DepositIn, OpenBody, OpenIn, PostedOut};
use crate::extract::{Segment, Small};
use crate::problem::{Problem, ProblemBody};
use crate::state::{AppState, json, misfit};
use crate::strict;
use crate::token::{Asked, REPLAYED};

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

/// Credits money, once per id.
///
/// A repeat with the same body is 200 with `Stakehold-Replayed: true`.
#[utoipa::path(post, path = "/v1/accounts/{account}/deposits", tag = "accounts", operation_id = "deposit",
    params(("account" = String, Path, description = "`name@region`")), request_body = DepositIn<'_>,
    responses(
        (status = 201, description = "Posted by this call", body = PostedOut<'_>),
        (status = 200, description = "Posted before", body = PostedOut<'_>),
        (status = 404, description = "`account_unknown`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`id_reused`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "Malformed, `id_horizon` or `id_expired`", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 503, description = "Not decided", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(crate) async fn deposit(
    State(app): State<AppState>,
    asked: Asked,
    segment: Segment,
    Small(body): Small,
) -> Result<Response, Problem> {
    let account = segment.key("account", AccountId::new)?;
    let (id, amount) = strict::read::<DepositBody>(&body.bytes).map_err(Problem::undecided)?;
    let heard = app.decide(&asked, Command::Deposit { id, account, amount }, asked.wait_ms).await?;
    match &heard.answer {
        Answer::Deposited { posting, currency, replayed } => {
            let status = if *replayed { StatusCode::OK } else { StatusCode::CREATED };
            let mut response = json(status, &PostedOut::of(posting, currency, &app.config), heard.token);
            if *replayed {
                response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
            }
            Ok(response)
        }
        _ => Err(misfit(heard)),
    }
}
