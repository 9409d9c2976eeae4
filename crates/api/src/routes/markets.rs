//! Markets: made, read, suspended, resumed, resulted.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use model::{Answer, Command, MarketDraft, MarketKey, Query, StatusAct};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::dto::markets::{MarketBody, MarketIn, MarketOut, ResultsBody, ResultsIn};
use crate::extract::{Segment, Small};
use crate::problem::{Problem, ProblemBody};
use crate::state::{AppState, Heard, json, misfit};
use crate::strict::{self, Body, Faults};
use crate::token::Asked;

/// Makes or remakes a market by hand; it belongs to this region's desk.
#[utoipa::path(put, path = "/v1/markets/{market}", tag = "markets", operation_id = "put_market",
    params(("market" = String, Path, description = "Market key")), request_body = MarketIn<'_>,
    responses(
        (status = 200, description = "The market", body = MarketOut<'_>),
        (status = 422, description = "Malformed", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Not now", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(crate) async fn put(
    State(app): State<AppState>,
    asked: Asked,
    segment: Segment,
    Small(body): Small,
) -> Result<Response, Problem> {
    let market = segment.key("market", MarketKey::new)?;
    let (definition, status) = strict::read::<MarketBody>(&body.bytes)?;
    let draft = Box::new(MarketDraft { market, definition, status });
    market_of(app.write(&asked, Command::PutMarket(draft)).await?)
}

/// A market as this region sells it.
#[utoipa::path(get, path = "/v1/markets/{market}", tag = "markets", operation_id = "get_market",
    params(("market" = String, Path, description = "Market key")),
    responses(
        (status = 200, description = "The market", body = MarketOut<'_>),
        (status = 404, description = "`market_unknown`: it may merely not have arrived", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 503, description = "Not now", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(crate) async fn get(State(app): State<AppState>, asked: Asked, segment: Segment) -> Result<Response, Problem> {
    let market = segment.key("market", MarketKey::new)?;
    market_of(app.read(&asked, Query::Market(market)).await?)
}

/// Takes a market off sale: it beats every concurrent reopening.
#[utoipa::path(post, path = "/v1/markets/{market}/suspend", tag = "markets", operation_id = "suspend_market",
    params(("market" = String, Path, description = "Market key")), request_body = Option<Nothing>,
    responses(
        (status = 200, description = "The market", body = MarketOut<'_>),
        (status = 404, description = "`market_unknown`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Not now", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(crate) async fn suspend(
    State(app): State<AppState>,
    asked: Asked,
    segment: Segment,
    Small(body): Small,
) -> Result<Response, Problem> {
    act(&app, &asked, &segment, &body.bytes, StatusAct::Suspend).await
}

/// Lifts every operator's suspension that this region has seen.
#[utoipa::path(post, path = "/v1/markets/{market}/resume", tag = "markets", operation_id = "resume_market",
    params(("market" = String, Path, description = "Market key")), request_body = Option<Nothing>,
    responses(
        (status = 200, description = "The market", body = MarketOut<'_>),
        (status = 404, description = "`market_unknown`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Not now", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(crate) async fn resume(
    State(app): State<AppState>,
    asked: Asked,
    segment: Segment,
    Small(body): Small,
) -> Result<Response, Problem> {
    act(&app, &asked, &segment, &body.bytes, StatusAct::Resume).await
}

/// An operator's results; open wagers of any region settle on them.
#[utoipa::path(post, path = "/v1/markets/{market}/result", tag = "markets", operation_id = "result_market",
    params(("market" = String, Path, description = "Market key")), request_body = ResultsIn<'_>,
    responses(
        (status = 200, description = "The market", body = MarketOut<'_>),
        (status = 404, description = "`market_unknown`, `selection_unknown`", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 422, description = "Malformed", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Not now", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(crate) async fn result(
    State(app): State<AppState>,
    asked: Asked,
    segment: Segment,
    Small(body): Small,
) -> Result<Response, Problem> {
    let market = segment.key("market", MarketKey::new)?;
    let (results, closed_ms) = strict::read::<ResultsBody>(&body.bytes)?;
    market_of(app.write(&asked, Command::WriteResults { market, results, closed_ms }).await?)
}

async fn act(
    app: &AppState,
    asked: &Asked,
    segment: &Segment,
    body: &[u8],
    act: StatusAct,
) -> Result<Response, Problem> {
    let market = segment.key("market", MarketKey::new)?;
    strict::read_or_empty::<Nothing>(body)?;
    market_of(app.write(asked, Command::SetStatus { market, act }).await?)
}

fn market_of(heard: Heard) -> Result<Response, Problem> {
    match &heard.answer {
        Answer::Market(view) => Ok(json(StatusCode::OK, &MarketOut::of(view), heard.token)),
        _ => Err(misfit(heard)),
    }
}

/// No fields at all; the body may be left out.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

impl Body for Nothing {
    type In<'a> = Self;
    type Parsed = Self;

    fn parse(input: Self, _: &mut Faults) -> Option<Self> {
        Some(input)
    }
}
