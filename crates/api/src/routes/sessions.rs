//! Sessions.

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use model::limits::SESSION_LIFE_MS;
use model::{AccountId, Answer, Command, MintedId, Query};

use crate::dto::sessions::{EndedOut, SessionBody, SessionIn, SessionOut};
use crate::extract::{Segment, Small};
use crate::problem::{Problem, ProblemBody};
use crate::state::{AppState, json, misfit};
use crate::strict;
use crate::token::{Asked, REPLAYED};

/// Opens a session here, for 30 days.
///
/// A player who logs in is a player who bets here: the account's home is asked to come at once. Every call opens a
/// session of its own; a call without an answer may be repeated.
#[utoipa::path(post, path = "/v1/accounts/{account}/sessions", tag = "sessions", operation_id = "open_session",
    params(("account" = String, Path, description = "`name@region`")), request_body = SessionIn<'_>,
    responses(
        (status = 201, description = "Opened", body = SessionOut<'_>),
        (status = 404, description = "`account_unknown`: it may merely not have arrived", body = ProblemBody,
            content_type = "application/problem+json"),
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
    let channel = strict::read::<SessionBody>(&body.bytes)?;
    let clock = app.read(&asked, Query::Mint).await?;
    let Answer::Clock(clock) = &clock.answer else { return Err(misfit(clock)) };
    let mint = clock.mint;
    let until_ms = mint.now_ms.saturating_add(SESSION_LIFE_MS);
    let id = MintedId::mint(until_ms, mint.region, mint.incarnation, app.random());
    let heard = app.write(&asked, Command::OpenSession { id, account, channel }).await?;
    match &heard.answer {
        Answer::Session(view) => Ok(json(StatusCode::CREATED, &SessionOut::of(view, &app.config), heard.token)),
        _ => Err(misfit(heard)),
    }
}

/// Ends a session, wherever it was opened: for good, and whatever is edited in it at the same time.
///
/// A repeat is 200 with `Stakehold-Replayed: true`. 404 where the session is not known: it may merely not have arrived
/// (send its token along), or it has expired.
#[utoipa::path(delete, path = "/v1/sessions/{session}", tag = "sessions", operation_id = "end_session",
    params(("session" = String, Path, description = "The session's id")),
    responses(
        (status = 200, description = "Ended", body = EndedOut<'_>),
        (status = 404, description = "`session_unknown`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "Not a session's id", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 503, description = "Not now", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(crate) async fn end(State(app): State<AppState>, asked: Asked, segment: Segment) -> Result<Response, Problem> {
    let id = MintedId::parse(&segment.0).map_err(|e| Problem::field("session", e))?;
    let heard = app.write(&asked, Command::EndSession { id }).await?;
    let Answer::SessionEnded { session, at, replayed } = &heard.answer else { return Err(misfit(heard)) };
    let mut response = json(StatusCode::OK, &EndedOut::of(session, at.ms()), heard.token);
    if *replayed {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}
