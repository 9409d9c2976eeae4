//! All calls in one router, with the layers around them, and the OpenAPI document that is generated from them.
//! A call that is not built yet is absent: 404.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, Method, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tower_http::cors::CorsLayer;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::config::ApiConfigError;
use crate::problem::Problem;
use crate::routes::{
    accounts, admin, browse, cash_outs, deposits, feeds, health, ids, markets, odds, postings, producers, quotes,
    sessions, suspensions, uof, wagers,
};
use crate::state::AppState;
use crate::token::{self, REPLAYED, STALE, TOKEN, WAIT_MS};

/// The document's frame; the calls are added by their handlers.
#[derive(OpenApi)]
#[openapi(info(
    title = "Stakehold",
    description = "A store for odds and wagers that every region writes locally. Every answer carries the header \
        `Stakehold-Token`; sent back (any number, joined) it makes a region wait, at most `Stakehold-Wait-Ms` (500), \
        until it has seen that much. Errors are `application/problem+json` with a stable `code`. Amounts and odds are \
        strings; unknown fields are refused.",
    license(name = "Apache-2.0", identifier = "Apache-2.0")
))]
struct Frame;

fn calls() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(Frame::openapi())
        .routes(routes!(accounts::open, accounts::get))
        .routes(routes!(deposits::deposit))
        .routes(routes!(postings::adjust))
        .routes(routes!(postings::withdraw))
        .routes(routes!(postings::withdrawal))
        .routes(routes!(postings::confirm))
        .routes(routes!(postings::release))
        .routes(routes!(sessions::open))
        .routes(routes!(sessions::end))
        .routes(routes!(wagers::place))
        .routes(routes!(wagers::place_batch))
        .routes(routes!(quotes::quote))
        .routes(routes!(wagers::get))
        .routes(routes!(wagers::abandon))
        .routes(routes!(wagers::cancel))
        .routes(routes!(cash_outs::quote))
        .routes(routes!(cash_outs::cash_out))
        .routes(routes!(ids::mint))
        .routes(routes!(markets::put, markets::get))
        .routes(routes!(markets::suspend))
        .routes(routes!(markets::resume))
        .routes(routes!(markets::result))
        .routes(routes!(browse::events))
        .routes(routes!(browse::markets))
        .routes(routes!(browse::query))
        .routes(routes!(suspensions::suspend, suspensions::lift, suspensions::list))
        .routes(routes!(odds::write))
        .routes(routes!(feeds::betfair))
        .routes(routes!(uof::uof))
        .routes(routes!(producers::alive))
        .routes(routes!(producers::list))
        .routes(routes!(admin::regions))
        .routes(routes!(admin::replication))
        .routes(routes!(admin::digest))
        .routes(routes!(admin::escrow))
        .routes(routes!(admin::clock, admin::set_clock))
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .routes(routes!(health::metrics))
}

/// The OpenAPI document as pretty JSON with a line end, as checked in at `schemas/openapi.json`.
///
/// # Panics
/// Never: a document made of strings and maps can be written.
#[must_use]
pub fn openapi_json() -> String {
    let mut text = calls().into_openapi().to_pretty_json().expect("strings and maps only");
    text.push('\n');
    text
}

/// The whole HTTP side of a region.
///
/// # Errors
/// [`ApiConfigError`] when a setting cannot be used.
pub fn router(state: AppState) -> Result<Router, ApiConfigError> {
    let cors = cors(&state)?;
    let (router, openapi) = calls().split_for_parts();
    let document: bytes::Bytes = openapi.to_json().expect("strings and maps only").into();
    let router = router
        .route("/openapi.json", get(async move || ([(header::CONTENT_TYPE, "application/json")], document)))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        // Bodies are bounded where they are read, with a problem of our own.
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(state.clone(), token::carry))
        .with_state(state);
    Ok(match cors {
        Some(cors) => router.layer(cors),
        None => router,
    })
}

fn cors(state: &AppState) -> Result<Option<CorsLayer>, ApiConfigError> {
    let origins = state.config.origins()?;
    if origins.is_empty() {
        return Ok(None);
    }
    let cors = CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::PUT, Method::POST, Method::DELETE])
        .allow_headers([header::CONTENT_TYPE, TOKEN, WAIT_MS])
        .expose_headers::<Vec<HeaderName>>(vec![TOKEN, STALE, REPLAYED, header::RETRY_AFTER]);
    Ok(Some(cors))
}

async fn not_found() -> Response {
    Problem::new(StatusCode::NOT_FOUND, "not_found", "there is no such call; /openapi.json lists those there are")
        .into_response()
}

async fn method_not_allowed() -> Response {
    let detail = "this call has other methods; see the Allow header";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail).into_response()
}
