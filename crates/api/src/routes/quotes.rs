//! What placing a wager would come to.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use model::{Answer, Query};

use crate::dto::quotes::{QuoteBody, QuoteIn, QuoteOut};
use crate::extract::Small;
use crate::problem::{Problem, ProblemBody};
use crate::state::{AppState, json, misfit};
use crate::strict;
use crate::token::Asked;

/// Sees a wager against this moment's odds and money, by the code that places; records and holds nothing.
#[utoipa::path(post, path = "/v1/wagers/quote", tag = "wagers", operation_id = "quote_wager", request_body = QuoteIn<'_>,
    responses(
        (status = 200, description = "What it would come to", body = QuoteOut<'_>),
        (status = 404, description = "`account_unknown`, `market_unknown`, `selection_unknown`", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 422, description = "Malformed: names every field at fault", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 503, description = "Not now", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(crate) async fn quote(State(app): State<AppState>, asked: Asked, Small(body): Small) -> Result<Response, Problem> {
    let request = strict::read::<QuoteBody>(&body.bytes)?;
    let heard = app.read(&asked, Query::Quote(Box::new(request))).await?;
    match &heard.answer {
        Answer::Quote(view) => Ok(json(StatusCode::OK, &QuoteOut::of(view), heard.token)),
        _ => Err(misfit(heard)),
    }
}
