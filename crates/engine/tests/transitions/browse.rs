//! Lists of events and markets: the same answers as a read of each market, in pages, by what definitions state.

use model::{
    Answer, Command, Definition, EventKey, EventsQuery, MarketDraft, MarketKey, MarketStatus, Query, SaleScope,
    Suspension, Text,
};

use crate::cluster::{Cluster, WALL_MS, definition};

fn key(name: &str) -> MarketKey {
    MarketKey::new(name).unwrap()
}

fn put(c: &mut Cluster, name: &str, event: &str, sport: &str, start_ms: u64, in_play: bool) {
    let definition = Definition {
        event: EventKey::new(event).unwrap(),
        sport: Text::new(sport),
        start_ms,
        in_play,
        ..definition(&["home", "away"])
    };
    let draft = MarketDraft { market: key(name), definition, status: MarketStatus::Active };
    assert!(matches!(c.ask(1, Command::PutMarket(Box::new(draft))), Answer::Market(_)));
}

/// Three events; the first has three markets.
fn world() -> Cluster {
    let mut c = Cluster::new(2);
    for (name, in_play) in [("m1", false), ("m2", true), ("m3", false)] {
        put(&mut c, name, "e1", "football", WALL_MS + 1_000, in_play);
    }
    put(&mut c, "m4", "e2", "tennis", WALL_MS + 5_000, false);
    put(&mut c, "m5", "e3", "football", 0, false);
    c.run_until_quiet();
    c
}

fn events(c: &mut Cluster, n: u16, asked: EventsQuery) -> (Vec<String>, Option<EventKey>) {
    match c.query(n, Query::Events(Box::new(asked))) {
        Answer::Events { list, next } => (list.iter().map(|e| e.event.to_string()).collect(), next),
        other => panic!("{other:?}"),
    }
}

fn asked() -> EventsQuery {
    EventsQuery { limit: 100, ..EventsQuery::default() }
}

#[test]
fn events_are_found_by_sport_time_and_play_in_every_region() {
    let mut c = world();
    let at = |ms: u64| Some(WALL_MS + ms);
    let cases = [
        (asked(), vec!["e1", "e2", "e3"]),
        (EventsQuery { sport: Some(Text::new("football")), ..asked() }, vec!["e1", "e3"]),
        (EventsQuery { sport: Some(Text::new("golf")), ..asked() }, vec![]),
        (EventsQuery { from_ms: at(1_000), to_ms: at(5_000), ..asked() }, vec!["e1"]),
        (EventsQuery { from_ms: at(1_001), ..asked() }, vec!["e2"]),
        (EventsQuery { in_play: Some(true), ..asked() }, vec!["e1"]),
        (EventsQuery { in_play: Some(false), ..asked() }, vec!["e2", "e3"]),
    ];
    for n in 1..=2 {
        for (asked, expected) in cases.clone() {
            assert_eq!(
                events(&mut c, n, asked.clone()),
                (expected.into_iter().map(str::to_owned).collect(), None),
                "{asked:?}"
            );
        }
    }
}

#[test]
fn pages_follow_each_other_without_a_gap() {
    let mut c = world();
    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let (page, next) = events(&mut c, 1, EventsQuery { limit: 1, after, ..EventsQuery::default() });
        assert_eq!(page.len(), 1);
        seen.extend(page);
        after = next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["e1", "e2", "e3"]);
    let mut markets = Vec::new();
    let mut after = None;
    loop {
        let event = EventKey::new("e1").unwrap();
        let Answer::Markets { list, next, .. } = c.query(1, Query::EventMarkets { event, after, limit: 2 }) else {
            panic!()
        };
        markets.extend(list.iter().map(|m| m.market.to_string()));
        after = next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(markets, ["m1", "m2", "m3"]);
}

#[test]
fn every_list_shows_a_market_as_reading_it_does() {
    let mut c = world();
    let scope = Suspension::Sale(SaleScope::Event(EventKey::new("e1").unwrap()));
    c.ask(1, Command::Suspend { scope, lift: false });
    c.run_until_quiet();
    for n in 1..=2 {
        let Answer::Market(alone) = c.query(n, Query::Market(key("m2"))) else { panic!() };
        assert!(!alone.sellable && alone.held);
        let named = Query::Markets(vec![key("m2"), key("nowhere"), key("m4")]);
        let Answer::Markets { list, unknown, next } = c.query(n, named) else { panic!() };
        assert_eq!((&list[0], &unknown, next), (alone.as_ref(), &vec![key("nowhere")], None));
        assert_eq!(list[1].market, key("m4"));
        let event = EventKey::new("e1").unwrap();
        let Answer::Markets { list, .. } = c.query(n, Query::EventMarkets { event, after: None, limit: 9 }) else {
            panic!()
        };
        assert!(list.contains(alone.as_ref()));
    }
}

#[test]
fn a_market_that_changes_its_event_is_listed_there_alone_also_after_a_start() {
    let mut c = world();
    put(&mut c, "m5", "e2", "tennis", 0, false);
    c.crash(1);
    let (found, _) = events(&mut c, 1, asked());
    assert_eq!(found, ["e1", "e2"]);
    let event = EventKey::new("e2").unwrap();
    let Answer::Markets { list, .. } = c.query(1, Query::EventMarkets { event, after: None, limit: 9 }) else {
        panic!()
    };
    assert_eq!(list.iter().map(|m| m.market.to_string()).collect::<Vec<_>>(), ["m4", "m5"]);
}
