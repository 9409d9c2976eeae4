//! Lists of events and markets, page by page in order of their keys. Every market is shown by the code that admits a
//! wager on it. Changes nothing; what one page costs is bounded, however much is there.

use model::limits::{BROWSED_MAX, LIST_MAX, MARKETS_ASKED_MAX};
use model::{Answer, EventKey, EventView, EventsQuery, MarketKey, Text};

use crate::door::Now;
use crate::engine::Engine;
use crate::odds::Market;

/// What one market says of its event.
struct Says {
    start_ms: u64,
    in_play: bool,
}

impl Engine {
    /// Events that match, after one. A page may end before it is full: `next` says from where to go on.
    pub(crate) fn browse_events(&self, asked: &EventsQuery) -> Answer {
        let limit = asked.limit.clamp(1, LIST_MAX);
        let (mut list, mut next, mut looked) = (Vec::new(), None, 0);
        let mut events = self.plane.events().after(asked.after.as_ref()).peekable();
        while let Some(event) = events.next() {
            let view = self.event_view(event);
            looked += view.markets + 1;
            list.extend((view.markets > 0 && matches(asked, &view)).then_some(view));
            if (list.len() >= limit || looked >= BROWSED_MAX) && events.peek().is_some() {
                next = Some(event.clone());
                break;
            }
        }
        Answer::Events { list, next }
    }

    fn event_view(&self, event: &EventKey) -> EventView {
        let says: Vec<Says> = self.markets_of(event, None).filter_map(|(_, market)| says(market)).collect();
        EventView {
            event: event.clone(),
            sports: self.plane.events().sports(event).map(Text::new).collect(),
            start_ms: says.iter().map(|s| s.start_ms).filter(|ms| *ms > 0).min().unwrap_or(0),
            in_play: says.iter().any(|s| s.in_play),
            markets: says.len(),
        }
    }

    /// Markets whose shown definition names the event, after one.
    fn markets_of<'a>(
        &'a self,
        event: &'a EventKey,
        after: Option<&'a MarketKey>,
    ) -> impl Iterator<Item = (&'a MarketKey, &'a Market)> {
        let keys = self.plane.events().markets(event, after);
        let known = keys.filter_map(|key| self.plane.markets().get_key_value(key));
        known.filter(move |(_, market)| market.shown_definition().is_some_and(|d| d.event == *event))
    }

    /// Markets of an event, after one.
    pub(crate) fn browse_markets(&self, now: Now, event: &EventKey, after: Option<&MarketKey>, limit: usize) -> Answer {
        let limit = limit.clamp(1, MARKETS_ASKED_MAX);
        let mut keys = self.markets_of(event, after).map(|(key, _)| key).peekable();
        let mut list = Vec::new();
        let mut next = None;
        while let Some(key) = keys.next() {
            list.extend(self.market_view(now, key).ok());
            if list.len() >= limit && keys.peek().is_some() {
                next = Some(key.clone());
                break;
            }
        }
        Answer::Markets { list, unknown: Vec::new(), next }
    }

    /// Markets by name, in the order asked; names that are unknown here apart.
    pub(crate) fn named_markets(&self, now: Now, mut markets: Vec<MarketKey>) -> Answer {
        markets.truncate(MARKETS_ASKED_MAX);
        let (mut list, mut unknown) = (Vec::new(), Vec::new());
        for key in markets {
            match self.market_view(now, &key) {
                Ok(view) => list.push(view),
                Err(_) => unknown.push(key),
            }
        }
        Answer::Markets { list, unknown, next: None }
    }
}

fn says(market: &Market) -> Option<Says> {
    market.shown_definition().map(|d| Says { start_ms: d.start_ms, in_play: d.in_play })
}

/// An event without a known start is in no span of times.
fn matches(asked: &EventsQuery, view: &EventView) -> bool {
    let spanned = asked.from_ms.is_none_or(|from| view.start_ms > 0 && view.start_ms >= from)
        && asked.to_ms.is_none_or(|to| view.start_ms > 0 && view.start_ms < to);
    spanned
        && asked.in_play.is_none_or(|wanted| view.in_play == wanted)
        && asked.sport.as_ref().is_none_or(|sport| view.sports.contains(sport))
}
