//! Raw feeds: lines are parsed here, off the engine's thread; a bad one is refused by itself, the rest goes on.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use engine::door::{FeedLine, Request};
use feeds::betfair::{StreamMessage, parse_line};
use model::Answer;
use model::limits::FEED_LINES_MAX;

use crate::dto::reports::{FeedOut, RefusedOut};
use crate::extract::Bulk;
use crate::problem::{Problem, ProblemBody};
use crate::state::{AppState, json, misfit};
use crate::token::Asked;

/// Lines of an exchange stream (NDJSON), as recorded or received.
///
/// Messages of known kinds that are not used are counted as ignored. Heartbeats count as a sign of life.
#[utoipa::path(post, path = "/v1/feeds/betfair", tag = "feeds", operation_id = "feed_betfair",
    request_body(content = String, content_type = "application/x-ndjson", description = "Raw stream messages"),
    responses(
        (status = 200, description = "What became of the lines", body = FeedOut),
        (status = 413, description = "`body_too_large`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Not now; `lines_taken` says how many lines were worked off before", 
            body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(crate) async fn betfair(State(app): State<AppState>, asked: Asked, Bulk(body): Bulk) -> Result<Response, Problem> {
    let parsed = tokio::task::spawn_blocking(move || parse(&body.bytes)).await;
    let (mut report, lines) = parsed.map_err(|e| Problem::internal(&format!("parsing a feed: {e}")))?;
    let mut lines = lines.into_iter();
    let (mut taken, mut token) = (0, None);
    while !lines.as_slice().is_empty() {
        let share: Vec<FeedLine> = lines.by_ref().take(FEED_LINES_MAX).collect();
        let last = share.last().map(|line| line.line);
        let heard = match app.ask(&asked, Request::Feed(share)).await {
            Ok(heard) => heard,
            Err(problem) => return Err(problem.with("lines_taken", taken)),
        };
        let Answer::Feed(made) = heard.answer else {
            return Err(misfit(heard).with("lines_taken", taken));
        };
        report.add(made);
        (taken, token) = (last.unwrap_or(taken), Some(heard.token));
    }
    Ok(json(StatusCode::OK, &report, token))
}

/// The lines for the engine, and a report of the others.
fn parse(body: &Bytes) -> (FeedOut, Vec<FeedLine>) {
    let mut report = FeedOut::default();
    let mut lines = Vec::new();
    for (n, line) in body.split(|b| *b == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        report.messages += 1;
        let number = n + 1;
        match parse_line(line) {
            Ok(StreamMessage::Market(message)) => lines.push(FeedLine { line: number, message }),
            Ok(StreamMessage::Ignored { .. }) => report.ignored += 1,
            Err(e) => report.refused.push(RefusedOut { line: number, code: e.code(), detail: e.to_string() }),
        }
    }
    (report, lines)
}
