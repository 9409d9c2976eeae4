//! Wagers: one, many, and what became of one.

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use model::{Answer, Command, MintedId, Query, Refusal, WagerAnswer};

use crate::dto::pending::{PendedOut, PendingOut};
use crate::dto::wager_views::{BatchOut, DecisionOut, ItemOut, WagerOut};
use crate::dto::wagers::{Asking, BatchIn, CancelBody, CancelIn, WagerBody, WagerIn, read_batch};
use crate::extract::{Bulk, Segment, Small};
use crate::problem::{Problem, ProblemBody};
use crate::refusal::{self, Concern};
use crate::routes::markets::Nothing;
use crate::state::{AppState, json, misfit};
use crate::strict;
use crate::token::{Asked, REPLAYED};

/// Bodies above this many bytes are read aside, so that they do not hold up other connections.
const READ_ASIDE_BYTES: usize = 128 * 1024;

/// Places a wager.
///
/// Send it again with the same id as often as needed: it is accepted at most once, and the answer stays the same.
#[utoipa::path(post, path = "/v1/wagers", tag = "wagers", operation_id = "place_wager", request_body = WagerIn<'_>,
    responses(
        (status = 201, description = "Accepted by this call", body = DecisionOut<'_>),
        (status = 200, description = "Rejected or not placed (final), or a repeat of a decided id (`Stakehold-Replayed: true`)",
            body = DecisionOut<'_>),
        (status = 202, description = "Pending. `awaiting_ack`: recorded, money reserved, and accepted once enough other \
            regions hold it (level `geo`). `owner_unreachable`: the region that decides this id cannot be heard; no money is \
            reserved. `bet_delay`: a market is in play; the stake is set aside, and the wager is judged after the delay. \
            Follow it, or send it again", body = PendedOut<'_>),
        (status = 404, description = "`account_unknown`, `market_unknown`, `selection_unknown`: undecided",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`id_reused`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "Malformed: names every field at fault; nothing recorded", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 503, description = "Not decided, nothing recorded", body = ProblemBody,
            content_type = "application/problem+json"),
    ))]
pub(crate) async fn place(State(app): State<AppState>, asked: Asked, Small(body): Small) -> Result<Response, Problem> {
    let asking = strict::read::<WagerBody>(&body.bytes).and_then(|a| patient(a, &app)).map_err(Problem::undecided)?;
    drop(body);
    let id = asking.wager.id;
    let wait_ms = asking.wait_ms.unwrap_or(asked.wait_ms);
    let heard = app.decide(&asked, Command::Place(vec![asking.wager]), wait_ms).await?;
    let Answer::Placed(answers) = &heard.answer else {
        return Err(misfit(heard));
    };
    match answers.as_slice() {
        [WagerAnswer::Decided { record, replayed }] => {
            let status = if record.is_accepted() && !replayed { StatusCode::CREATED } else { StatusCode::OK };
            let mut response = json(status, &DecisionOut::of(record, &app.config), heard.token);
            if *replayed {
                response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
            }
            Ok(response)
        }
        [WagerAnswer::AwaitingAck { record, .. }] => Ok(json(
            StatusCode::ACCEPTED,
            &PendedOut::Prepared(Box::new(DecisionOut::pending(record, &app.config))),
            heard.token,
        )),
        [WagerAnswer::Refused(Refusal::IdExpired)] => Ok(json(StatusCode::OK, &DecisionOut::expired(id), heard.token)),
        [WagerAnswer::Refused(Refusal::IdClosed)] => Ok(json(StatusCode::OK, &DecisionOut::closed(id), heard.token)),
        [WagerAnswer::Ticket(ticket)] => {
            Ok(json(StatusCode::ACCEPTED, &PendedOut::Noted(PendingOut::of(id, *ticket, &app.config)), heard.token))
        }
        [WagerAnswer::Delayed(delay)] => {
            let noted = PendingOut::delayed(id, *delay, &app.config);
            Ok(json(StatusCode::ACCEPTED, &PendedOut::Noted(noted), heard.token))
        }
        [WagerAnswer::Refused(why)] => Err(refusal::problem(why, Concern::Decision, &app.config).seen(heard.token)),
        _ => Err(misfit(heard)),
    }
}

/// Places up to 10,000 wagers, in order, each by itself.
///
/// One item's fault or rejection changes nothing for the others.
#[utoipa::path(post, path = "/v1/wagers/batch", tag = "wagers", operation_id = "place_wagers", request_body = BatchIn<'_>,
    responses(
        (status = 200, description = "Each item with its own `http_status` and body", body = BatchOut<'_>),
        (status = 413, description = "`body_too_large`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "Not a batch; nothing recorded", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 503, description = "Not decided, nothing recorded", body = ProblemBody,
            content_type = "application/problem+json"),
    ))]
pub(crate) async fn place_batch(
    State(app): State<AppState>,
    asked: Asked,
    Bulk(body): Bulk,
) -> Result<Response, Problem> {
    let read = if body.bytes.len() > READ_ASIDE_BYTES {
        let read = tokio::task::spawn_blocking(move || read_batch(&body.bytes)).await;
        read.map_err(|e| Problem::internal(&format!("reading a batch: {e}")).undecided())?
    } else {
        read_batch(&body.bytes)
    };
    let mut wagers = Vec::new();
    let mut wait_ms = None;
    // Ids that are asked, and what is wrong with the others.
    let mut items = Vec::new();
    for item in read.map_err(Problem::undecided)? {
        match item.and_then(|a| patient(a, &app)) {
            Ok(asking) => {
                wait_ms = wait_ms.max(asking.wait_ms);
                items.push(Ok(asking.wager.id));
                wagers.push(asking.wager);
            }
            Err(problem) => items.push(Err(problem.undecided())),
        }
    }
    let count = wagers.len();
    let (answers, token) = if count == 0 {
        (Vec::new(), None)
    } else {
        let heard = app.decide(&asked, Command::Place(wagers), wait_ms.unwrap_or(asked.wait_ms)).await?;
        match heard.answer {
            Answer::Placed(answers) if answers.len() == count => (answers, Some(heard.token)),
            _ => return Err(misfit(heard)),
        }
    };
    let mut answers = answers.iter();
    let items = items.into_iter().filter_map(|item| match item {
        Ok(id) => answers.next().map(|answer| ItemOut::of(id, answer, &app.config)),
        Err(problem) => Some(ItemOut::problem(problem)),
    });
    let batch = BatchOut { items: items.collect() };
    Ok(json(StatusCode::OK, &batch, token))
}

/// What became of a wager id: from here, or from the region that decides it.
///
/// `definitive` says whether the status can still change: `unknown`, `pending` and an open `not_placed` can. A pending
/// wager that awaits acks becomes `accepted` and nothing else, in each region once it has heard so of the one that decided.
#[utoipa::path(get, path = "/v1/wagers/{id}", tag = "wagers", operation_id = "get_wager",
    params(("id" = String, Path, description = "Minted id")),
    responses(
        (status = 200, description = "What is known", body = WagerOut<'_>),
        (status = 422, description = "Not a minted id", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Not now", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(crate) async fn get(State(app): State<AppState>, asked: Asked, segment: Segment) -> Result<Response, Problem> {
    let id = MintedId::parse(&segment.0).map_err(|e| Problem::field("id", e))?;
    let heard = app.read(&asked, Query::Wager(id)).await?;
    match &heard.answer {
        Answer::Wager { id, view } => Ok(json(StatusCode::OK, &WagerOut::of(*id, view, &app.config), heard.token)),
        _ => Err(misfit(heard)),
    }
}

/// Makes sure that a wager is not placed: the player's wish.
///
/// An undecided id is closed for good by the region that decides it; a decided one is shown as it is. `unknown` while
/// that region is cut off: ask again; `pending` where that was found out before: this region closes it when it can.
#[utoipa::path(post, path = "/v1/wagers/{id}/abandon", tag = "wagers", operation_id = "abandon_wager",
    request_body = Option<Nothing>,
    params(("id" = String, Path, description = "Minted id")),
    responses(
        (status = 200, description = "`not_placed`, the decision there was, `pending` or `unknown`", body = WagerOut<'_>),
        (status = 409, description = "`id_reused`: the id is a posting's", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 422, description = "Not a minted id", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Not now", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(crate) async fn abandon(
    State(app): State<AppState>,
    asked: Asked,
    segment: Segment,
    Small(body): Small,
) -> Result<Response, Problem> {
    strict::read_or_empty::<Nothing>(&body.bytes).map_err(Problem::undecided)?;
    close(&app, &asked, &segment, |id| Command::CloseWager { id, reason: None }).await
}

/// Cancels a wager, in part or as a whole: the operator's act.
///
/// An undecided id is closed for good. Of an accepted wager the stated part of the original stake returns, also after it
/// was settled, and the rest stands as its results say; the last call counts. What was cashed out stays cashed out. Only the
/// region that decided an accepted wager cancels it: elsewhere `503 not_owner` names it.
#[utoipa::path(post, path = "/v1/wagers/{id}/cancel", tag = "wagers", operation_id = "cancel_wager",
    params(("id" = String, Path, description = "Minted id")), request_body = CancelIn<'_>,
    responses(
        (status = 200, description = "`not_placed`, the rejection there was, `pending`, `unknown`; of an accepted wager how \
            it stands now", body = WagerOut<'_>),
        (status = 404, description = "`wager_unknown`: there is nothing to cancel a part of", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 409, description = "`wager_accepted`: found out while the id was being closed; `wager_not_open`: all of \
            it was cashed out; `id_reused`: the id is a posting's", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 422, description = "Malformed", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Not now", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(crate) async fn cancel(
    State(app): State<AppState>,
    asked: Asked,
    segment: Segment,
    Small(body): Small,
) -> Result<Response, Problem> {
    let (reason, share) = strict::read::<CancelBody>(&body.bytes).map_err(Problem::undecided)?;
    close(&app, &asked, &segment, |id| Command::CancelWager { id, reason, share }).await
}

async fn close(
    app: &AppState,
    asked: &Asked,
    segment: &Segment,
    command: impl FnOnce(MintedId) -> Command,
) -> Result<Response, Problem> {
    let id = MintedId::parse(&segment.0).map_err(|e| Problem::field("id", e).undecided())?;
    let heard = app.decide(asked, command(id), asked.wait_ms).await?;
    match &heard.answer {
        Answer::Wager { id, view } => Ok(json(StatusCode::OK, &WagerOut::of(*id, view, &app.config), heard.token)),
        _ => Err(misfit(heard)),
    }
}

fn patient(asking: Asking, app: &AppState) -> Result<Asking, Problem> {
    let most = app.config.wait_ms_max;
    match asking.wait_ms {
        Some(ms) if ms > most => Err(Problem::field("wait_ms", format_args!("is above {most}"))),
        _ => Ok(asking),
    }
}
