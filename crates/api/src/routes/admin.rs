//! For operators: regions, replication, digests, the clock.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use model::{AccountId, Answer, Command, Query};

use crate::dto::admin::{ClockBody, ClockIn, ClockOut, DigestOut, RegionsOut, ReplicationOut};
use crate::dto::escrow::EscrowOut;
use crate::extract::{Segment, Small};
use crate::problem::{Problem, ProblemBody};
use crate::state::{AppState, Heard, json, misfit};
use crate::strict;
use crate::token::Asked;

/// The cluster as seen from here.
#[utoipa::path(get, path = "/admin/v1/regions", tag = "admin", operation_id = "get_regions",
    responses((status = 200, description = "Regions", body = RegionsOut<'_>)))]
pub(crate) async fn regions(State(app): State<AppState>, asked: Asked) -> Result<Response, Problem> {
    let heard = app.read(&asked, Query::Regions).await?;
    match &heard.answer {
        Answer::Regions(view) => Ok(json(StatusCode::OK, &RegionsOut::of(view), heard.token)),
        _ => Err(misfit(heard)),
    }
}

/// Logs, acknowledgements, links and stopped streams.
#[utoipa::path(get, path = "/admin/v1/replication", tag = "admin", operation_id = "get_replication",
    responses((status = 200, description = "Replication", body = ReplicationOut<'_>)))]
pub(crate) async fn replication(State(app): State<AppState>, asked: Asked) -> Result<Response, Problem> {
    let heard = app.read(&asked, Query::Replication).await?;
    match &heard.answer {
        Answer::Replication(view) => Ok(json(StatusCode::OK, &ReplicationOut::of(view), heard.token)),
        _ => Err(misfit(heard)),
    }
}

/// Digests of the replicated state.
#[utoipa::path(get, path = "/admin/v1/digest", tag = "admin", operation_id = "get_digest",
    responses((status = 200, description = "Digests", body = DigestOut<'_>)))]
pub(crate) async fn digest(State(app): State<AppState>, asked: Asked) -> Result<Response, Problem> {
    let heard = app.read(&asked, Query::Digest).await?;
    match &heard.answer {
        Answer::Digest(view) => Ok(json(StatusCode::OK, &DigestOut::of(view), heard.token)),
        _ => Err(misfit(heard)),
    }
}

/// Every row of an account, grants in flight, its homes, and what this region may spend now and why.
#[utoipa::path(get, path = "/admin/v1/escrow/{account}", tag = "admin", operation_id = "get_escrow",
    params(("account" = String, Path, description = "`name@region`")),
    responses(
        (status = 200, description = "The rights of the account as known here", body = EscrowOut<'_>),
        (status = 404, description = "`account_unknown`: it may merely not have arrived", body = ProblemBody,
            content_type = "application/problem+json"),
    ))]
pub(crate) async fn escrow(State(app): State<AppState>, asked: Asked, segment: Segment) -> Result<Response, Problem> {
    let account = segment.key("account", AccountId::new)?;
    let heard = app.read(&asked, Query::Escrow(account)).await?;
    match &heard.answer {
        Answer::Escrow(view) => Ok(json(StatusCode::OK, &EscrowOut::of(view, &app.config), heard.token)),
        _ => Err(misfit(heard)),
    }
}

/// The region's own time.
#[utoipa::path(get, path = "/admin/v1/clock", tag = "admin", operation_id = "get_clock",
    responses((status = 200, description = "Time", body = ClockOut)))]
pub(crate) async fn clock(State(app): State<AppState>, asked: Asked) -> Result<Response, Problem> {
    let heard = app.read(&asked, Query::Clock).await?;
    clock_of(&app, heard)
}

/// Moves the replay clock forward; only with `--clock replay`.
#[utoipa::path(post, path = "/admin/v1/clock", tag = "admin", operation_id = "set_clock", request_body = ClockIn<'_>,
    responses(
        (status = 200, description = "Time", body = ClockOut),
        (status = 409, description = "`clock_back`, `clock_not_replay`", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 422, description = "Malformed", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(crate) async fn set_clock(
    State(app): State<AppState>,
    asked: Asked,
    Small(body): Small,
) -> Result<Response, Problem> {
    let now_ms = strict::read::<ClockBody>(&body.bytes)?;
    let heard = app.write(&asked, Command::SetClock { now_ms }).await?;
    clock_of(&app, heard)
}

fn clock_of(app: &AppState, heard: Heard) -> Result<Response, Problem> {
    match &heard.answer {
        Answer::Clock(view) => Ok(json(StatusCode::OK, &ClockOut::of(view, &app.config), heard.token)),
        _ => Err(misfit(heard)),
    }
}
