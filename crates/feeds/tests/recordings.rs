//! The pure fold against every recorded exchange stream and the states that an independent computation found in it.
//!
//! The recordings lie beside the project (`STAKEHOLD_DATA`, else `../shared/data`) and are never copied into it. Without
//! them the tests say so and pass, except with `CI=true`.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed test is what a panic is for")]

use std::{collections::BTreeMap, fs, path::PathBuf};

use feeds::{
    Decimal,
    betfair::{Book, FoldError, MarketStatus, RunnerKey, StreamMessage, parse_line, registers},
};
use serde::Deserialize;

const RECORDINGS: [&str; 9] = [
    "1.132153978_horse_win_basic_2_removed",
    "1.145405534_football_btts",
    "1.166811431_nba_match_odds",
    "1.197931750_greyhound_win",
    "1.197931751_greyhound_place",
    "1.200806927_cricket_t20_match_odds",
    "1.211006011_horse_win_basic_2_removed",
    "1.223716976_tennis_match_odds_basic",
    "mcm_samples_9_markets",
];

#[derive(Deserialize)]
struct Oracle {
    messages: usize,
    markets: usize,
    transitions: BTreeMap<String, Vec<Transition>>,
    runner_transitions: BTreeMap<String, Vec<RunnerTransition>>,
    checkpoints: Vec<Checkpoint>,
    #[serde(rename = "final")]
    last: BTreeMap<String, State>,
    wager_script: Vec<Wager>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Transition {
    seq: usize,
    pt: u64,
    version: u64,
    status: String,
    in_play: bool,
    bet_delay: u32,
    number_of_active_runners: u32,
    bsp_reconciled: bool,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RunnerTransition {
    seq: usize,
    pt: u64,
    id: u64,
    hc: Decimal,
    from: String,
    to: String,
    adjustment_factor: Option<Decimal>,
    bsp: Option<Decimal>,
}

#[derive(Deserialize)]
struct Checkpoint {
    seq: usize,
    pt: u64,
    markets: BTreeMap<String, State>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct State {
    runners: Vec<RunnerState>,
    status: Option<String>,
    in_play: Option<bool>,
    version: Option<u64>,
    bet_delay: Option<u32>,
    number_of_active_runners: Option<u32>,
    number_of_winners: Option<u32>,
    bsp_reconciled: Option<bool>,
    market_type: Option<String>,
    betting_type: Option<String>,
    event_type_id: Option<String>,
    market_time: Option<String>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct RunnerState {
    id: u64,
    hc: Decimal,
    status: Option<String>,
    #[serde(rename = "adjustmentFactor")]
    adjustment_factor: Option<Decimal>,
    bsp: Option<Decimal>,
    ltp: Option<Decimal>,
    best_back: Option<(Decimal, Decimal)>,
    best_lay: Option<(Decimal, Decimal)>,
    back_levels: usize,
    lay_levels: usize,
}

#[derive(Debug, Deserialize)]
struct Wager {
    after_seq: usize,
    pt: u64,
    market: String,
    selection: u64,
    hc: Decimal,
    requested_odds: String,
    odds_change_policy: String,
    price_source: Option<String>,
    expect: Expect,
}

#[derive(Debug, Deserialize)]
struct Expect {
    accepted: bool,
    reason: Option<String>,
    odds: Option<String>,
    current_odds: Option<String>,
    #[serde(rename = "final")]
    last: Option<Final>,
}

#[derive(Debug, Deserialize)]
struct Final {
    state: String,
}

fn streams() -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let data = std::env::var_os("STAKEHOLD_DATA").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    let streams = data.join("betfair-streams");
    if streams.is_dir() {
        return Some(streams);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "CI=true and no recordings at {}", streams.display());
    eprintln!("RECORDINGS NOT FOUND at {}: THIS TEST CHECKED NOTHING", streams.display());
    None
}

fn state(book: &Book) -> State {
    let d = book.definition();
    let runner = |view: feeds::betfair::RunnerView| RunnerState {
        id: view.key.id,
        hc: view.key.hc,
        status: view.status.map(|s| s.as_str().to_owned()),
        adjustment_factor: view.adjustment_factor,
        bsp: view.bsp,
        ltp: view.ltp,
        best_back: view.best_back.map(|l| (l.price, l.size)),
        best_lay: view.best_lay.map(|l| (l.price, l.size)),
        back_levels: view.back_levels,
        lay_levels: view.lay_levels,
    };
    State {
        runners: book.runners().into_iter().map(runner).collect(),
        status: book.status().map(|s| s.as_str().to_owned()),
        in_play: book.in_play(),
        version: book.version(),
        bet_delay: book.bet_delay(),
        number_of_active_runners: book.active_runners(),
        number_of_winners: d.map(|d| d.number_of_winners),
        bsp_reconciled: book.bsp_reconciled(),
        market_type: d.and_then(|d| d.market_type.clone()),
        betting_type: d.and_then(|d| d.betting_type.clone()),
        event_type_id: d.and_then(|d| d.event_type_id.clone()),
        market_time: d.and_then(|d| d.market_time.clone()),
    }
}

/// What the fold produced on the way.
#[derive(Default)]
struct Seen {
    transitions: BTreeMap<String, Vec<Transition>>,
    runner_transitions: BTreeMap<String, Vec<RunnerTransition>>,
}

impl Seen {
    fn note(&mut self, market: &str, seq: usize, pt: u64, before: &Book, after: &Book) {
        let five = |b: &Book| (b.status(), b.in_play(), b.bet_delay(), b.active_runners(), b.bsp_reconciled());
        if five(before) != five(after) {
            self.transitions.entry(market.to_owned()).or_default().push(Transition {
                seq,
                pt,
                version: after.version().unwrap(),
                status: after.status().unwrap().as_str().to_owned(),
                in_play: after.in_play().unwrap(),
                bet_delay: after.bet_delay().unwrap(),
                number_of_active_runners: after.active_runners().unwrap(),
                bsp_reconciled: after.bsp_reconciled().unwrap(),
            });
        }
        for view in after.runners() {
            let (Some(from), Some(to)) = (before.runner_status(view.key), view.status) else { continue };
            if from != to {
                self.runner_transitions.entry(market.to_owned()).or_default().push(RunnerTransition {
                    seq,
                    pt,
                    id: view.key.id,
                    hc: view.key.hc,
                    from: from.as_str().to_owned(),
                    to: to.as_str().to_owned(),
                    adjustment_factor: view.adjustment_factor,
                    bsp: view.bsp,
                });
            }
        }
    }
}

/// DOMAIN section 6 on the pure fold.
fn place(book: &Book, wager: &Wager) -> (bool, Option<&'static str>, Option<Decimal>) {
    let key = RunnerKey { id: wager.selection, hc: wager.hc };
    match book.status() {
        Some(MarketStatus::Open) => {}
        Some(MarketStatus::Closed) => return (false, Some("MARKET_CLOSED"), None),
        _ => return (false, Some("MARKET_SUSPENDED"), None),
    }
    let runner = registers::RunnerSummary::of(book, key);
    if !runner.active {
        return (false, Some("SELECTION_REMOVED"), None);
    }
    let Some(offer) = runner.offer else { return (false, Some("NO_PRICE"), None) };
    let requested: Decimal = wager.requested_odds.parse().unwrap();
    let good = match wager.odds_change_policy.as_str() {
        "none" => offer == requested,
        "higher" => offer >= requested,
        "any" => true,
        other => panic!("unknown policy {other}"),
    };
    if good { (true, None, Some(offer)) } else { (false, Some("ODDS_CHANGED"), Some(offer)) }
}

fn check_wager(name: &str, book: &Book, wager: &Wager) {
    let context = format!("{name} {wager:?}");
    let prices = book.prices(RunnerKey { id: wager.selection, hc: wager.hc });
    let offer = book.offer(RunnerKey { id: wager.selection, hc: wager.hc });
    assert_eq!(book.pt(), wager.pt, "{context}");
    match wager.price_source.as_deref() {
        None => assert_eq!(offer, None, "{context}"),
        Some("best_back") => assert_eq!(offer, prices.and_then(|p| p.atb.highest()).map(|l| l.price), "{context}"),
        Some(_) => {
            assert_eq!(prices.and_then(|p| p.atb.highest()), None, "{context}");
            assert_eq!(offer, prices.and_then(|p| p.ltp), "{context}");
            assert!(offer.is_some(), "{context}");
        }
    }
    let odds = wager.expect.odds.as_ref().or(wager.expect.current_odds.as_ref()).map(|text| text.parse().unwrap());
    assert_eq!(place(book, wager), (wager.expect.accepted, wager.expect.reason.as_deref(), odds), "{context}");
}

fn check_finals(name: &str, books: &BTreeMap<String, Book>, wagers: &[Wager]) -> usize {
    let mut checked = 0;
    for wager in wagers {
        let Some(last) = &wager.expect.last else { continue };
        let key = RunnerKey { id: wager.selection, hc: wager.hc };
        let state = match registers::RunnerSummary::of(&books[&wager.market], key).result {
            registers::RunnerResult::Won => "won",
            registers::RunnerResult::Lost => "lost",
            registers::RunnerResult::Void => "void",
            registers::RunnerResult::None => "open",
        };
        assert_eq!(state, last.state, "{name} {wager:?}");
        checked += 1;
    }
    checked
}

/// Folds a recording line by line and compares after every line that the expected results name.
fn check_recording(name: &str, input: &str, oracle: &Oracle) {
    let (mut books, mut seen, mut summaries) = (BTreeMap::<String, Book>::new(), Seen::default(), BTreeMap::new());
    let (mut checkpoints, mut wagers) = (oracle.checkpoints.iter().peekable(), oracle.wager_script.iter().peekable());
    let start = if name.starts_with("mcm_samples") { Book::empty() } else { Book::default() };
    let mut seq = 0;
    for line in input.lines() {
        seq += 1;
        let StreamMessage::Market(message) = parse_line(line.as_bytes()).unwrap() else { panic!("{name} {seq}") };
        for change in &message.changes {
            let book = books.entry(change.id.clone()).or_insert_with(|| start.clone());
            let before = book.clone();
            let changed = book.apply(message.pt, change).unwrap();
            seen.note(&change.id, seq, message.pt, &before, book);
            assert_eq!(changed.definition, before.definition() != book.definition(), "{name} {seq}");
            let differs = |k: &RunnerKey| {
                (before.offer(*k), before.runner_status(*k)) != (book.offer(*k), book.runner_status(*k))
            };
            let differing: Vec<RunnerKey> = book.runner_keys().into_iter().filter(differs).collect();
            assert_eq!(changed.runners, differing, "{name} {seq}");
            let summary: &mut registers::Summary = summaries.entry(change.id.clone()).or_default();
            summary.advance_by(book, &changed);
            assert_eq!(*summary, registers::Summary::of(book), "{name} {seq}: the summary is a function of the book");
        }
        if let Some(checkpoint) = checkpoints.next_if(|c| c.seq == seq) {
            assert_eq!(message.pt, checkpoint.pt, "{name} {seq}");
            let states: BTreeMap<String, State> = books.iter().map(|(id, b)| (id.clone(), state(b))).collect();
            assert_eq!(states, checkpoint.markets, "{name} {seq}");
            for book in books.values() {
                let bytes = minicbor::to_vec(book).unwrap();
                assert_eq!(minicbor::decode::<Book>(&bytes).unwrap(), *book, "{name} {seq}: stored and read back");
            }
        }
        while let Some(wager) = wagers.next_if(|w| w.after_seq == seq) {
            check_wager(name, &books[&wager.market], wager);
        }
    }
    assert_eq!((seq, books.len()), (oracle.messages, oracle.markets), "{name}");
    assert!(checkpoints.next().is_none() && wagers.next().is_none(), "{name}: expectations left over");
    let states: BTreeMap<String, State> = books.iter().map(|(id, b)| (id.clone(), state(b))).collect();
    assert_eq!(states, oracle.last, "{name}");
    assert_eq!(seen.transitions, oracle.transitions, "{name}");
    for (market, mut expected) in seen.runner_transitions {
        let mut oracle: Vec<&RunnerTransition> = oracle.runner_transitions[&market].iter().collect();
        oracle.sort_by_key(|t| (t.seq, t.id, t.hc));
        expected.sort_by_key(|t| (t.seq, t.id, t.hc));
        assert_eq!(expected.iter().collect::<Vec<_>>(), oracle, "{name}");
    }
    let accepted = oracle.wager_script.iter().filter(|w| w.expect.accepted).count();
    assert_eq!(check_finals(name, &books, &oracle.wager_script), accepted, "{name}");
}

#[test]
fn every_recording_folds_to_its_expected_states() {
    let Some(streams) = streams() else { return };
    let mut placements = 0;
    for name in RECORDINGS {
        let input = fs::read_to_string(streams.join(format!("input/{name}.ndjson"))).unwrap();
        let oracle = fs::read_to_string(streams.join(format!("expected/{name}.oracle.json"))).unwrap();
        let oracle: Oracle = serde_json::from_str(&oracle).unwrap();
        let markets = oracle.runner_transitions.keys().collect::<Vec<_>>();
        assert!(markets.is_empty() == name.starts_with("mcm_samples"), "{name}");
        check_recording(name, &input, &oracle);
        placements += oracle.wager_script.len();
    }
    assert_eq!(placements, 514);
}

#[test]
fn deltas_of_unknown_markets_are_refused_line_by_line() {
    let Some(streams) = streams() else { return };
    let input = fs::read_to_string(streams.join("input/mcm_samples_9_markets.ndjson")).unwrap();
    let mut refused = 0;
    for line in input.lines() {
        let StreamMessage::Market(message) = parse_line(line.as_bytes()).unwrap() else { panic!("{line}") };
        for change in &message.changes {
            let mut book = Book::default();
            assert_eq!(book.apply(message.pt, change), Err(FoldError::ImageNeeded));
            assert_eq!(book, Book::default());
        }
        refused += 1;
    }
    assert_eq!(refused, 20);
}

#[test]
fn a_match_event_stream_is_known_and_ignored() {
    let Some(streams) = streams() else { return };
    let input = fs::read_to_string(streams.join("input/1.200806927_cricket_ccm_match_events.ndjson")).unwrap();
    let ignored = input.lines().filter(|line| {
        assert_eq!(parse_line(line.as_bytes()), Ok(StreamMessage::Ignored { op: "ccm" }));
        true
    });
    assert_eq!(ignored.count(), 2170);
}

/// Recorded shapes that the streams above lack: resubscription, latency, withdrawn runners, order messages.
#[test]
fn every_recorded_message_shape_is_read() {
    let Some(streams) = streams() else { return };
    let samples = streams.join("../betfair-api-samples");
    let (mut market, mut ignored) = (0, 0);
    for folder in ["betcode-mit", "betfair_parser-bsd2", "nautilus-lgpl3"] {
        let mut paths: Vec<_> = fs::read_dir(samples.join(folder)).unwrap().map(|e| e.unwrap().path()).collect();
        paths.sort();
        for path in paths.iter().filter(|p| p.extension().is_some_and(|e| e == "json")) {
            let text = fs::read_to_string(path).unwrap();
            let Ok(value) = serde_json::from_str::<serde_json::Value>(&text) else { continue };
            let messages = value.as_array().cloned().unwrap_or_else(|| vec![value]);
            for message in messages.iter().filter(|m| m.get("op").is_some()) {
                match parse_line(message.to_string().as_bytes()) {
                    Ok(StreamMessage::Market(_)) => market += 1,
                    Ok(StreamMessage::Ignored { .. }) => ignored += 1,
                    Err(error) => panic!("{} {error}: {message}", path.display()),
                }
            }
        }
    }
    assert_eq!((market, ignored), (220, 8));
}
