//! Events and markets to choose from, page by page.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use model::limits::{LIST_MAX, MARKETS_ASKED_MAX};
use model::{Answer, EventKey, EventsQuery, MarketKey, Query, Text};

use crate::dto::browse::{EventOut, EventsOut, MarketsOut, NamesBody, NamesIn};
use crate::extract::{Params, Small};
use crate::problem::{Fault, Problem, ProblemBody};
use crate::state::{AppState, Heard, json, misfit};
use crate::strict;
use crate::token::Asked;

/// Events, by what the definitions of their markets state; in order of their keys.
#[utoipa::path(get, path = "/v1/events", tag = "markets", operation_id = "list_events",
    params(
        ("sport" = Option<String>, Query, description = "As markets state it"),
        ("from" = Option<String>, Query, description = "Starting at this time or later; RFC 3339"),
        ("to" = Option<String>, Query, description = "Starting before this time; RFC 3339"),
        ("in_play" = Option<bool>, Query, description = "In play, or not"),
        ("limit" = Option<u64>, Query, description = "1 to 1,000; 100 by default"),
        ("after" = Option<String>, Query, description = "`next` of the page before"),
    ),
    responses(
        (status = 200, description = "A page of events", body = EventsOut<'_>),
        (status = 422, description = "Malformed", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Not now", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(crate) async fn events(State(app): State<AppState>, asked: Asked, params: Params) -> Result<Response, Problem> {
    let mut page = Page::of(params, &["sport", "from", "to", "in_play", "limit", "after"]);
    let query = EventsQuery {
        sport: page.read("sport", |text| Ok::<_, &str>(Text::new(text))),
        from_ms: page.read("from", strict::time),
        to_ms: page.read("to", strict::time),
        in_play: page.read("in_play", |text| text.parse::<bool>().map_err(|_| "is neither true nor false")),
        after: page.read("after", EventKey::new),
        limit: page.limit(LIST_MAX),
    };
    page.faultless()?;
    let heard = app.read(&asked, Query::Events(Box::new(query))).await?;
    let Answer::Events { list, next } = &heard.answer else {
        return Err(misfit(heard));
    };
    let events = list.iter().map(EventOut::of).collect();
    Ok(json(StatusCode::OK, &EventsOut { events, next: next.as_ref().map(EventKey::as_str) }, heard.token))
}

/// Markets of an event as this region sells them, in order of their keys.
#[utoipa::path(get, path = "/v1/markets", tag = "markets", operation_id = "list_markets",
    params(
        ("event" = String, Query, description = "Event key"),
        ("limit" = Option<u64>, Query, description = "1 to 500; 100 by default"),
        ("after" = Option<String>, Query, description = "`next` of the page before"),
    ),
    responses(
        (status = 200, description = "A page of markets; an event that is unknown here has none", body = MarketsOut<'_>),
        (status = 422, description = "Malformed", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Not now", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(crate) async fn markets(State(app): State<AppState>, asked: Asked, params: Params) -> Result<Response, Problem> {
    let mut page = Page::of(params, &["event", "limit", "after"]);
    let event = page.read("event", EventKey::new);
    let after = page.read("after", MarketKey::new);
    let limit = page.limit(MARKETS_ASKED_MAX);
    if event.is_none() {
        page.missing("event");
    }
    page.faultless()?;
    let event = event.ok_or_else(|| Problem::field("query event", "is missing"))?;
    markets_of(app.read(&asked, Query::EventMarkets { event, after, limit }).await?)
}

/// Markets by name as this region sells them.
#[utoipa::path(post, path = "/v1/markets/query", tag = "markets", operation_id = "query_markets",
    request_body = NamesIn<'_>,
    responses(
        (status = 200, description = "Those known here, in the order asked, and the names of the others",
            body = MarketsOut<'_>),
        (status = 422, description = "Malformed", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Not now", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(crate) async fn query(State(app): State<AppState>, asked: Asked, Small(body): Small) -> Result<Response, Problem> {
    let markets = strict::read::<NamesBody>(&body.bytes)?;
    markets_of(app.read(&asked, Query::Markets(markets)).await?)
}

fn markets_of(heard: Heard) -> Result<Response, Problem> {
    let Answer::Markets { list, unknown, next } = &heard.answer else {
        return Err(misfit(heard));
    };
    Ok(json(StatusCode::OK, &MarketsOut::of(list, unknown, next.as_ref()), heard.token))
}

/// Rows of a page that states no limit.
const PAGE_DEFAULT: usize = 100;

/// The query of a paged call, with every fault of it.
pub(crate) struct Page {
    params: Params,
    faults: Vec<Fault>,
    known: &'static [&'static str],
}

impl Page {
    pub(crate) const fn of(params: Params, known: &'static [&'static str]) -> Self {
        Self { params, faults: Vec::new(), known }
    }

    /// A parameter, if it is there and fine.
    pub(crate) fn read<T, E: std::fmt::Display>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.params.take(name)?;
        parse(&text).map_err(|e| self.fault(name, e.to_string())).ok()
    }

    /// How many rows are wanted.
    pub(crate) fn limit(&mut self, most: usize) -> usize {
        let parse = |text: &str| match text.parse::<usize>() {
            Ok(n) if (1..=most).contains(&n) => Ok(n),
            _ => Err(format!("is not a number from 1 to {most}")),
        };
        self.read("limit", parse).unwrap_or(PAGE_DEFAULT.min(most))
    }

    /// A parameter that must be there is not; nothing if it was there and at fault.
    fn missing(&mut self, name: &str) {
        let field = format!("query {name}");
        if !self.faults.iter().any(|fault| fault.field == field) {
            self.fault(name, "is missing".to_owned());
        }
    }

    fn fault(&mut self, name: &str, detail: String) {
        self.faults.push(Fault { field: format!("query {name}"), detail });
    }

    /// Ends the reading: what was not asked for is a fault as well.
    pub(crate) fn faultless(&mut self) -> Result<(), Problem> {
        let mut faults = std::mem::take(&mut self.params).left(self.known);
        faults.append(&mut self.faults);
        if faults.is_empty() { Ok(()) } else { Err(Problem::malformed("malformed", faults)) }
    }
}
