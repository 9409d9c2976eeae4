//! Which markets an event has and of what sport it is, by what definitions state. An index only: it is worked out from
//! the registers, never stored, sent or digested. Knows no sale rules.

use std::collections::{BTreeMap, BTreeSet};

use model::{Definition, EventKey, MarketKey, Text};

use super::plane::Market;

/// What a market's definitions state of it: events and their sports.
pub(super) type Stated = BTreeSet<(EventKey, Text)>;

/// What is known of one event.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Known {
    markets: BTreeSet<MarketKey>,
    /// Sports stated for it, and how often.
    sports: BTreeMap<Text, usize>,
}

/// All events that any definition names.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Events(BTreeMap<EventKey, Known>);

impl Events {
    /// Markets of an event after one, in key order.
    pub(crate) fn markets<'a>(
        &'a self,
        event: &EventKey,
        after: Option<&'a MarketKey>,
    ) -> impl Iterator<Item = &'a MarketKey> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = after.map_or(Unbounded, Excluded);
        self.0.get(event).into_iter().flat_map(move |known| known.markets.range((from, Unbounded)))
    }

    /// Events after one, in key order.
    pub(crate) fn after<'a>(&'a self, after: Option<&'a EventKey>) -> impl Iterator<Item = &'a EventKey> {
        use std::ops::Bound::{Excluded, Unbounded};
        self.0.range((after.map_or(Unbounded, Excluded), Unbounded)).map(|(event, _)| event)
    }

    /// Sports that any market of an event states; not the empty one.
    pub(crate) fn sports(&self, event: &EventKey) -> impl Iterator<Item = &str> {
        self.0.get(event).into_iter().flat_map(|known| known.sports.keys()).map(Text::as_str).filter(|s| !s.is_empty())
    }

    /// A market's definitions have changed.
    pub(super) fn restated(&mut self, market: &MarketKey, before: &Stated, after: Stated) {
        for (event, sport) in before.difference(&after) {
            let Some(known) = self.0.get_mut(event) else { continue };
            if let Some(count) = known.sports.get_mut(sport) {
                *count -= 1;
                if *count == 0 {
                    known.sports.remove(sport);
                }
            }
            if !after.iter().any(|(e, _)| e == event) {
                known.markets.remove(market);
            }
            if known.markets.is_empty() {
                self.0.remove(event);
            }
        }
        let new: Vec<(EventKey, Text)> = after.into_iter().filter(|pair| !before.contains(pair)).collect();
        for (event, sport) in new {
            let known = self.0.entry(event).or_default();
            *known.sports.entry(sport).or_default() += 1;
            known.markets.insert(market.clone());
        }
    }
}

/// What a market's definitions state of it.
pub(super) fn stated(market: &Market) -> Stated {
    market.definitions().map(|d| (d.event.clone(), d.sport.clone())).collect()
}

/// The event in the key of a market of the Unified Odds Feed: also before its definition has come.
pub(super) fn event_in(market: &MarketKey) -> Option<EventKey> {
    EventKey::new(market.as_str().strip_prefix("uof:")?.split(';').next()?).ok()
}

impl Market {
    /// Everything that is stated of what it is, whoever's word counts.
    pub(crate) fn definitions(&self) -> impl Iterator<Item = &Definition> {
        let operators = self.definition.operator.held().map(|(_, _, definition)| definition);
        self.definition.feeds.values().map(|slot| &slot.value).chain(operators)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_exactly_the_markets_whose_definitions_name_it() {
        let (event, other) = (EventKey::new("e:1").unwrap(), EventKey::new("e:2").unwrap());
        let (a, b) = (MarketKey::new("a").unwrap(), MarketKey::new("b").unwrap());
        let says = |event: &EventKey, sport: &str| Stated::from([(event.clone(), Text::new(sport))]);
        let mut events = Events::default();
        let nothing = Stated::new();
        events.restated(&a, &nothing, says(&event, "tennis"));
        events.restated(&b, &nothing, says(&event, ""));
        assert_eq!(events.markets(&event, None).collect::<Vec<_>>(), [&a, &b]);
        assert_eq!(events.markets(&event, Some(&a)).collect::<Vec<_>>(), [&b]);
        assert_eq!(events.sports(&event).collect::<Vec<_>>(), ["tennis"]);
        events.restated(&a, &says(&event, "tennis"), says(&event, "golf"));
        assert_eq!(events.sports(&event).collect::<Vec<_>>(), ["golf"]);
        events.restated(&a, &says(&event, "golf"), says(&other, "golf"));
        events.restated(&b, &says(&event, ""), says(&other, ""));
        assert_eq!(events.after(None).collect::<Vec<_>>(), [&other]);
        assert_eq!(events.sports(&other).count(), 1);
    }
}
