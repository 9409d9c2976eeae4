//! Minted ids.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use model::limits::{MINT_COUNT_MAX, PLACE_BY_DEFAULT_MS, POSTING_HORIZON_MS, WAGER_HORIZON_MS};
use model::{Answer, MintedId, Query};

use crate::dto::ids::{IdsOut, MintOut};
use crate::dto::shown::Shown;
use crate::extract::Params;
use crate::problem::{Fault, Problem, ProblemBody};
use crate::state::{AppState, json, misfit};
use crate::token::Asked;

/// What is taken off the posting horizon, so that an id is not beyond it by another region's clock.
const POSTING_MARGIN_MS: u64 = 3_600_000;

/// Mints ids of this region: each decides one wager or one posting, here.
#[utoipa::path(post, path = "/v1/ids", tag = "ids", operation_id = "mint_ids",
    params(
        ("count" = Option<u64>, Query, description = "1 (default) to 10,000"),
        ("for" = Option<String>, Query, description = "`wager` (default) or `posting`"),
        ("place_by_ms" = Option<u64>, Query,
            description = "How long the ids hold from now, in ms: 60 s by default for wagers, at most 24 h; almost 35 \
                days by default for postings"),
    ),
    responses(
        (status = 200, description = "The ids, and what is needed to stamp more", body = IdsOut),
        (status = 422, description = "Malformed", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Not now", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(crate) async fn mint(State(app): State<AppState>, asked: Asked, params: Params) -> Result<Response, Problem> {
    let (count, place_by_ms) = wish(params)?;
    let heard = app.read(&asked, Query::Mint).await?;
    let Answer::Clock(clock) = &heard.answer else {
        return Err(misfit(heard));
    };
    let mint = clock.mint;
    let until_ms = mint.now_ms.saturating_add(place_by_ms);
    let id = |_| Shown(MintedId::mint(until_ms, mint.region, mint.incarnation, app.random()));
    let ids = IdsOut { ids: (0..count).map(id).collect(), mint: MintOut::of(mint, &app.config) };
    Ok(json(StatusCode::OK, &ids, heard.token))
}

/// How many, and how long they hold from now.
fn wish(mut params: Params) -> Result<(u64, u64), Problem> {
    let (count, kind, hold) = (params.take("count"), params.take("for"), params.take("place_by_ms"));
    let mut faults = params.left(&["count", "for", "place_by_ms"]);
    let mut fault = |name: &str, detail: String| faults.push(Fault { field: format!("query {name}"), detail });
    let mut number = |name: &str, text: Option<String>, default: u64, most: u64| match text.map(|t| t.parse::<u64>()) {
        None => default,
        Some(Ok(n)) if (1..=most).contains(&n) => n,
        Some(_) => {
            fault(name, format!("is not a number from 1 to {most}"));
            default
        }
    };
    let count = number("count", count, 1, u64::try_from(MINT_COUNT_MAX).unwrap_or(u64::MAX));
    let place_by_ms = match kind.as_deref() {
        None | Some("wager") => number("place_by_ms", hold, PLACE_BY_DEFAULT_MS, WAGER_HORIZON_MS),
        Some("posting") => number("place_by_ms", hold, POSTING_HORIZON_MS - POSTING_MARGIN_MS, POSTING_HORIZON_MS),
        Some(_) => {
            fault("for", "is neither wager nor posting".to_owned());
            0
        }
    };
    if faults.is_empty() { Ok((count, place_by_ms)) } else { Err(Problem::malformed("malformed", faults)) }
}
