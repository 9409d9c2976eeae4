//! Suspensions of every scope: written, lifted, listed.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use model::limits::LIST_MAX;
use model::{Answer, Command, Query, SuspensionView};

use crate::dto::suspensions::{ScopeBody, ScopeIn, SuspensionOut, SuspensionsOut, mark, marked};
use crate::extract::{Params, Small};
use crate::problem::{Problem, ProblemBody};
use crate::routes::browse::Page;
use crate::state::{AppState, json, misfit};
use crate::strict;
use crate::token::Asked;

/// Takes everything, a sport, an event, a market or an account off sale.
///
/// It beats every concurrent lifting. Of an account only wagers are refused (`account_excluded`): money moves, and
/// what is open settles.
#[utoipa::path(post, path = "/v1/suspensions", tag = "suspensions", operation_id = "suspend",
    request_body = ScopeIn<'_>,
    responses(
        (status = 200, description = "The scope as it stands", body = SuspensionOut<'_>),
        (status = 404, description = "`market_unknown`, `account_unknown`", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 422, description = "Malformed", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Not now", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(crate) async fn suspend(
    State(app): State<AppState>,
    asked: Asked,
    Small(body): Small,
) -> Result<Response, Problem> {
    act(&app, &asked, &body.bytes, false).await
}

/// Lifts every suspension of a scope that this region has seen.
///
/// An account is readmitted by its home only: elsewhere the answer is 503 `not_owner` and names that region.
#[utoipa::path(delete, path = "/v1/suspensions", tag = "suspensions", operation_id = "lift",
    request_body = ScopeIn<'_>,
    responses(
        (status = 200, description = "The scope as it stands: `suspended` if a suspension was not seen here",
            body = SuspensionOut<'_>),
        (status = 404, description = "`market_unknown`, `account_unknown`", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 422, description = "Malformed", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Not now, or not here", body = ProblemBody,
            content_type = "application/problem+json"),
    ))]
pub(crate) async fn lift(State(app): State<AppState>, asked: Asked, Small(body): Small) -> Result<Response, Problem> {
    act(&app, &asked, &body.bytes, true).await
}

/// Suspensions in force here.
#[utoipa::path(get, path = "/v1/suspensions", tag = "suspensions", operation_id = "list_suspensions",
    params(
        ("limit" = Option<u64>, Query, description = "1 to 1,000 (default)"),
        ("after" = Option<String>, Query, description = "`next` of the page before"),
    ),
    responses(
        (status = 200, description = "Those in force", body = SuspensionsOut<'_>),
        (status = 422, description = "Malformed", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Not now", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(crate) async fn list(State(app): State<AppState>, asked: Asked, params: Params) -> Result<Response, Problem> {
    let mut page = Page::of(params, &["limit", "after"]);
    let limit = page.limit(LIST_MAX);
    let after = page.read("after", marked);
    page.faultless()?;
    let heard = app.read(&asked, Query::Suspensions { after, limit }).await?;
    let Answer::Suspensions { list, more } = &heard.answer else {
        return Err(misfit(heard));
    };
    let next = list.last().filter(|_| *more).map(|last: &SuspensionView| mark(&last.scope));
    let suspensions = list.iter().map(|view| SuspensionOut::of(view, &app.config)).collect();
    Ok(json(StatusCode::OK, &SuspensionsOut { suspensions, next }, heard.token))
}

async fn act(app: &AppState, asked: &Asked, body: &[u8], lift: bool) -> Result<Response, Problem> {
    let scope = strict::read::<ScopeBody>(body)?;
    let heard = app.write(asked, Command::Suspend { scope, lift }).await?;
    match &heard.answer {
        Answer::Suspended(view) => Ok(json(StatusCode::OK, &SuspensionOut::of(view, &app.config), heard.token)),
        _ => Err(misfit(heard)),
    }
}
