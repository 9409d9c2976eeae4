//! Price writes.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use model::{Answer, Command};

use crate::dto::odds::{OddsIn, read_all};
use crate::dto::reports::{OddsOut, RefusedOut};
use crate::extract::Bulk;
use crate::problem::{Problem, ProblemBody};
use crate::refusal::{self, Concern};
use crate::state::{AppState, json, misfit};
use crate::token::Asked;

/// Writes prices: one object a line (NDJSON), or an array.
///
/// An item that is refused is named in the report; the others are written. Without `producer` an item is a pin.
#[utoipa::path(post, path = "/v1/odds", tag = "odds", operation_id = "write_odds",
    request_body(content((Vec<OddsIn<'_>> = "application/json"), (OddsIn<'_> = "application/x-ndjson"))),
    responses(
        (status = 200, description = "What became of each", body = OddsOut),
        (status = 413, description = "`body_too_large`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "Neither NDJSON nor an array", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 503, description = "Not now; nothing written", body = ProblemBody,
            content_type = "application/problem+json"),
    ))]
pub(crate) async fn write(State(app): State<AppState>, asked: Asked, Bulk(body): Bulk) -> Result<Response, Problem> {
    let items = tokio::task::spawn_blocking(move || read_all(&body.bytes)).await;
    let items = items.map_err(|e| Problem::internal(&format!("reading odds: {e}")))??;
    let mut report = OddsOut::default();
    let (mut lines, mut writes) = (Vec::with_capacity(items.len()), Vec::with_capacity(items.len()));
    for (line, item) in items {
        match item {
            Ok(write) => {
                lines.push(line);
                writes.push(write);
            }
            Err(problem) => report.refused.push(refused(line, &problem)),
        }
    }
    if writes.is_empty() {
        return Ok(json(StatusCode::OK, &report, None));
    }
    let heard = app.write(&asked, Command::WriteOdds(writes)).await?;
    let Answer::Odds(made) = &heard.answer else {
        return Err(misfit(heard));
    };
    report.applied = made.applied;
    report.ignored = made.ignored;
    for (index, why) in &made.refused {
        let line = lines.get(*index).copied().unwrap_or(index + 1);
        report.refused.push(refused(line, &refusal::problem(why, Concern::Other, &app.config)));
    }
    report.refused.sort_by_key(|r| r.line);
    Ok(json(StatusCode::OK, &report, heard.token))
}

fn refused(line: usize, problem: &Problem) -> RefusedOut {
    RefusedOut { line, code: problem.code(), detail: problem.detail().to_owned() }
}
