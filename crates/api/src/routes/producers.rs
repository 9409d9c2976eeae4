//! Producers: signs of life in, liveness out.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use model::{Answer, Command, ProducerId, Query};

use crate::dto::producers::{AliveBody, AliveIn, ProducersOut};
use crate::extract::{Segment, Small};
use crate::problem::{Problem, ProblemBody};
use crate::state::{AppState, Heard, json, misfit};
use crate::strict;
use crate::token::Asked;

/// A producer's sign of life.
#[utoipa::path(post, path = "/v1/producers/{producer}/alive", tag = "producers", operation_id = "producer_alive",
    params(("producer" = String, Path, description = "Producer id")), request_body = Option<AliveIn<'_>>,
    responses(
        (status = 200, description = "Liveness of producers here", body = ProducersOut<'_>),
        (status = 422, description = "Malformed", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Not now", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(crate) async fn alive(
    State(app): State<AppState>,
    asked: Asked,
    segment: Segment,
    Small(body): Small,
) -> Result<Response, Problem> {
    let producer = segment.key("producer", ProducerId::new)?;
    let source_time_ms = strict::read_or_empty::<AliveBody>(&body.bytes)?;
    producers_of(app.write(&asked, Command::Alive { producer, source_time_ms }).await?)
}

/// Liveness of all producers known here.
#[utoipa::path(get, path = "/v1/producers", tag = "producers", operation_id = "get_producers",
    responses(
        (status = 200, description = "Liveness of producers here", body = ProducersOut<'_>),
        (status = 503, description = "Not now", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(crate) async fn list(State(app): State<AppState>, asked: Asked) -> Result<Response, Problem> {
    producers_of(app.read(&asked, Query::Producers).await?)
}

fn producers_of(heard: Heard) -> Result<Response, Problem> {
    match &heard.answer {
        Answer::Producers(views) => Ok(json(StatusCode::OK, &ProducersOut::of(views), heard.token)),
        _ => Err(misfit(heard)),
    }
}
