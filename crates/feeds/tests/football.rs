//! The football simulator speaks the exchange stream: its lines are read and folded by the same code as a recording.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed test is what a panic is for")]

use std::collections::BTreeMap;

use feeds::{
    Decimal,
    betfair::{
        Book, MarketStatus, RunnerKey, StreamMessage, parse_line,
        registers::{MarketState, RunnerResult, Summary},
    },
    football::{Football, HEARTBEAT_MS},
};
use proptest::prelude::*;

const START_MS: u64 = 1_767_225_600_000;

struct Watched {
    book: Book,
    states: Vec<MarketState>,
    suspensions: usize,
}

/// Folds a whole stream and checks what must hold after every line.
fn watch(stream: Football) -> BTreeMap<String, Watched> {
    let mut markets: BTreeMap<String, Watched> = BTreeMap::new();
    let mut last_ms = START_MS;
    for (at_ms, line) in stream {
        assert!(at_ms >= last_ms && at_ms - last_ms <= HEARTBEAT_MS, "silent from {last_ms} to {at_ms}");
        last_ms = at_ms;
        let StreamMessage::Market(message) = parse_line(line.as_bytes()).unwrap() else { panic!("{line}") };
        assert_eq!(message.pt, at_ms);
        assert_eq!(message.heartbeat, message.changes.is_empty(), "{line}");
        for change in &message.changes {
            let market = markets.entry(change.id.clone()).or_insert_with(|| Watched {
                book: Book::default(),
                states: Vec::new(),
                suspensions: 0,
            });
            let was = market.book.status();
            market.book.apply(message.pt, change).unwrap();
            let status = market.book.status().unwrap();
            market.suspensions += usize::from(was != Some(status) && status == MarketStatus::Suspended);
            market.states.push(status.into());
            for view in market.book.runners() {
                let (back, lay) = (view.best_back.map(|l| l.price), view.best_lay.map(|l| l.price));
                match status {
                    MarketStatus::Open => assert!(back.unwrap() < lay.unwrap() && back > Some(Decimal::ONE), "{line}"),
                    _ => assert_eq!((back, lay), (None, None), "{line}"),
                }
            }
        }
    }
    markets
}

#[test]
fn every_match_goes_from_open_to_settled_with_one_winner_a_market() {
    let markets = watch(Football::with_minute_ms(7, 12, START_MS, 400));
    assert_eq!(markets.len(), 24);
    let mut goals = 0;
    for (id, Watched { book, states, suspensions }) in &markets {
        let definition = book.definition().unwrap();
        assert_eq!(states.first(), Some(&MarketState::Active), "{id}");
        assert_eq!(states.last(), Some(&MarketState::Settled), "{id}");
        assert_eq!(states.iter().filter(|s| **s == MarketState::Settled).count(), 1, "{id}");
        assert_eq!((book.in_play(), book.bet_delay(), book.active_runners()), (Some(true), Some(5), Some(0)), "{id}");
        assert!(definition.start_ms().unwrap() > START_MS && definition.event_name.is_some(), "{id}");
        let expected = if definition.market_type.as_deref() == Some("MATCH_ODDS") { 3 } else { 2 };
        let summary = Summary::of(book);
        let count = |result| summary.runners.values().filter(|r| r.result == result).count();
        assert_eq!((count(RunnerResult::Won), count(RunnerResult::Lost)), (1, expected - 1), "{id}");
        goals += suspensions - 1;
    }
    assert!(goals > 24, "kick-off and end apart, goals suspended markets {goals} times");
}

#[test]
fn prices_follow_the_score() {
    let markets = watch(Football::with_minute_ms(3, 40, START_MS, 400));
    let mut decided = 0;
    for Watched { book, .. } in markets.values() {
        let result = Summary::of(book);
        let (winner, _) = result.runners.iter().find(|(_, r)| r.result == RunnerResult::Won).unwrap();
        let traded = book.prices(*winner).and_then(|p| p.ltp);
        decided += usize::from(traded.is_some_and(|ltp| ltp < "2".parse().unwrap()));
    }
    assert!(decided > markets.len() / 2, "the winner was the favourite at the end in {decided} of {}", markets.len());
}

#[test]
fn the_stream_of_a_seed_never_changes() {
    // A change of these bytes is a change of the simulator: bench figures before and after it cannot be compared.
    let lines: Vec<(u64, String)> = Football::with_minute_ms(42, 3, START_MS, 1_000).collect();
    assert_eq!(lines, Football::with_minute_ms(42, 3, START_MS, 1_000).collect::<Vec<_>>());
    assert_ne!(lines, Football::with_minute_ms(43, 3, START_MS, 1_000).collect::<Vec<_>>());
    let sum = lines
        .iter()
        .flat_map(|(_, line)| line.bytes())
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    assert_eq!((lines.len(), sum), (916, 11_496_681_304_311_707_833));
}

#[test]
fn without_matches_there_is_no_stream() {
    assert_eq!(Football::new(1, 0, START_MS).next(), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn any_seed_folds(seed in any::<u64>(), matches in 1..5_u32, minute_ms in 0..2_000_u64) {
        let markets = watch(Football::with_minute_ms(seed, matches, START_MS, minute_ms));
        prop_assert_eq!(markets.len(), matches as usize * 2);
        for Watched { book, .. } in markets.values() {
            prop_assert_eq!(book.status(), Some(MarketStatus::Closed));
            let unknown = RunnerKey { id: 1, hc: Decimal::ZERO };
            prop_assert_eq!(book.offer(unknown), None);
        }
    }
}
