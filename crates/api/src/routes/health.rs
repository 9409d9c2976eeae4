//! Whether the process lives, what it is ready for, and its metrics.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use model::{Answer, Query};

use crate::dto::admin::{LiveOut, ReadyOut};
use crate::problem::Problem;
use crate::state::{AppState, json, misfit};
use crate::token::Asked;

/// The process runs and answers.
#[utoipa::path(get, path = "/health/live", tag = "health", operation_id = "live",
    responses((status = 200, description = "It does", body = LiveOut)))]
pub(crate) async fn live() -> Json<LiveOut> {
    Json(LiveOut { status: "live" })
}

/// What this region is ready for, function by function.
#[utoipa::path(get, path = "/health/ready", tag = "health", operation_id = "ready",
    responses(
        (status = 200, description = "Ready for everything", body = ReadyOut<'_>),
        (status = 503, description = "At least one function is not ready", body = ReadyOut<'_>),
    ))]
pub(crate) async fn ready(State(app): State<AppState>) -> Result<Response, Problem> {
    // A probe never waits: its own token would say nothing about health.
    let heard = app.read(&Asked { token: None, wait_ms: 0 }, Query::Ready).await?;
    let Answer::Ready(view) = &heard.answer else {
        return Err(misfit(heard));
    };
    let ready = ReadyOut::of(view);
    let status = if ready.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut response = json(status, &ready, heard.token);
    if !ready.ready {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    Ok(response)
}

/// Metrics in Prometheus' text format.
#[utoipa::path(get, path = "/metrics", tag = "health", operation_id = "metrics",
    responses((status = 200, description = "Metrics", body = String, content_type = "text/plain")))]
pub(crate) async fn metrics(State(app): State<AppState>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], app.metrics()).into_response()
}
