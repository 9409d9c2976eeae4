//! Lists of events and markets.

use model::limits::MARKETS_ASKED_MAX;
use model::{EventView, MarketKey, MarketView, Text};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::dto::markets::MarketOut;
use crate::dto::shown::Time;
use crate::strict::{Body, Faults, List, Str};

/// An event, by what the definitions of its markets state.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Event)]
pub(crate) struct EventOut<'a> {
    event: &'a str,
    /// Sports as its markets state them; mostly one.
    sports: Vec<&'a str>,
    /// Earliest scheduled start of its markets; null when none is known.
    #[schema(value_type = Option<String>, format = DateTime)]
    start: Option<Time>,
    /// Whether any of its markets is in play.
    in_play: bool,
    /// Markets that it has.
    markets: usize,
}

impl<'a> EventOut<'a> {
    pub(crate) fn of(view: &'a EventView) -> Self {
        Self {
            event: view.event.as_str(),
            sports: view.sports.iter().map(Text::as_str).collect(),
            start: (view.start_ms > 0).then_some(Time(view.start_ms)),
            in_play: view.in_play,
            markets: view.markets,
        }
    }
}

/// A page of events.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Events)]
pub(crate) struct EventsOut<'a> {
    /// In order of their keys.
    pub(crate) events: Vec<EventOut<'a>>,
    /// For `after`; null at the end. A page with few or no events may still have one: so much was looked at.
    pub(crate) next: Option<&'a str>,
}

/// Markets as this region sells them.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Markets)]
pub(crate) struct MarketsOut<'a> {
    pub(crate) markets: Vec<MarketOut<'a>>,
    /// Markets asked for by name that are unknown here: they may merely not have arrived.
    pub(crate) unknown: Vec<&'a str>,
    /// For `after`; null at the end.
    pub(crate) next: Option<&'a str>,
}

impl<'a> MarketsOut<'a> {
    pub(crate) fn of(list: &'a [MarketView], unknown: &'a [MarketKey], next: Option<&'a MarketKey>) -> Self {
        Self {
            markets: list.iter().map(MarketOut::of).collect(),
            unknown: unknown.iter().map(MarketKey::as_str).collect(),
            next: next.map(MarketKey::as_str),
        }
    }
}

/// Markets to be read.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = MarketsQuery)]
#[serde(deny_unknown_fields)]
pub(crate) struct NamesIn<'a> {
    /// Market keys, 1 to 500.
    #[serde(borrow)]
    #[schema(value_type = Vec<String>, required)]
    markets: Option<List<Str<'a>, MARKETS_ASKED_MAX>>,
}

/// Reads market keys.
pub(crate) struct NamesBody;

impl Body for NamesBody {
    type In<'a> = NamesIn<'a>;
    type Parsed = Vec<MarketKey>;

    fn parse(input: NamesIn<'_>, faults: &mut Faults) -> Option<Vec<MarketKey>> {
        let Some(List(names)) = input.markets.filter(|list| !list.0.is_empty()) else {
            faults.add("markets", "is missing or empty");
            return None;
        };
        let read = |(n, name): (usize, Str<'_>)| faults.need(&format!("markets[{n}]"), Some(&name), MarketKey::new);
        let keys: Vec<Option<MarketKey>> = names.into_iter().enumerate().map(read).collect();
        keys.into_iter().collect()
    }
}
