//! The Unified Odds Feed: messages are parsed here, off the engine's thread; a bad one is refused by itself, the rest
//! goes on.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use engine::door::{Request, UofLine};
use feeds::uof::read_body;
use model::Answer;
use model::limits::FEED_LINES_MAX;

use crate::dto::reports::{FeedOut, RefusedOut};
use crate::extract::Bulk;
use crate::problem::{Problem, ProblemBody};
use crate::state::{AppState, json, misfit};
use crate::token::Asked;

/// Messages of the Unified Odds Feed: raw XML, one or many.
///
/// `line` of a refused one is the line of the body that it begins on. Descriptions of markets
/// (`market_descriptions`) say which groups a stop hits. Fixtures are counted as ignored. Only `alive` is a sign of life.
#[utoipa::path(post, path = "/v1/feeds/uof", tag = "feeds", operation_id = "feed_uof",
    request_body(content = String, content_type = "application/xml", description = "Raw messages, one after another"),
    responses(
        (status = 200, description = "What became of the messages", body = FeedOut),
        (status = 413, description = "`body_too_large`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Not now; `lines_taken` says up to which line messages were worked off before",
            body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(crate) async fn uof(State(app): State<AppState>, asked: Asked, Bulk(body): Bulk) -> Result<Response, Problem> {
    let parsed = tokio::task::spawn_blocking(move || parse(&body.bytes)).await;
    let (mut report, messages) = parsed.map_err(|e| Problem::internal(&format!("parsing a feed: {e}")))?;
    let mut messages = messages.into_iter();
    let (mut taken, mut token) = (0, None);
    while !messages.as_slice().is_empty() {
        let share: Vec<UofLine> = messages.by_ref().take(FEED_LINES_MAX).collect();
        let last = share.last().map(|message| message.line);
        let heard = match app.ask(&asked, Request::Uof(share)).await {
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

/// The messages for the engine, and a report of the others.
fn parse(body: &Bytes) -> (FeedOut, Vec<UofLine>) {
    let mut report = FeedOut::default();
    let mut messages = Vec::new();
    for read in read_body(body) {
        report.messages += 1;
        match read.message {
            Ok(message) => messages.push(UofLine { line: read.line, message }),
            Err(e) => report.refused.push(RefusedOut { line: read.line, code: e.code(), detail: e.to_string() }),
        }
    }
    (report, messages)
}
