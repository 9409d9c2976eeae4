//! Small streams of our own making, each line with what must come of it. They cover every path of the fold for a clone
//! without recordings.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed test is what a panic is for")]

use std::collections::BTreeMap;

use feeds::betfair::{Book, MarketChange, RunnerKey, StreamMessage, limits, parse_line, registers};

/// Folds a stream and describes each line: refused lines by code and detail, each change by what it altered.
#[derive(Default)]
struct Reader {
    books: BTreeMap<String, Book>,
    summaries: BTreeMap<String, registers::Summary>,
}

impl Reader {
    fn line(&mut self, line: &[u8]) -> String {
        match parse_line(line) {
            Err(error) => format!("{}: {error}", error.code()),
            Ok(StreamMessage::Ignored { op }) => format!("ignored {op}"),
            Ok(StreamMessage::Market(message)) => {
                let mut told: Vec<String> =
                    message.changes.iter().map(|change| self.change(message.pt, change)).collect();
                told.extend(message.heartbeat.then(|| "heartbeat".to_owned()));
                told.extend(message.status_503.then(|| "late".to_owned()));
                told.join(" | ")
            }
        }
    }

    fn change(&mut self, pt: u64, change: &MarketChange) -> String {
        let book = self.books.entry(change.id.clone()).or_default();
        let before = book.clone();
        let changed = match book.apply(pt, change) {
            Err(error) => {
                assert_eq!(*book, before, "a refused change alters nothing");
                return error.code().to_owned();
            }
            Ok(changed) => changed,
        };
        let stored = minicbor::to_vec(&*book).unwrap();
        assert_eq!(minicbor::decode::<Book>(&stored).unwrap(), *book);
        let summary = self.summaries.entry(change.id.clone()).or_default();
        let mut whole = summary.clone();
        let changes = summary.advance_by(book, &changed);
        assert_eq!(whole.advance(book), changes, "the short way tells the same");
        assert_eq!(*summary, registers::Summary::of(book));
        let mut told = vec![format!("{}+{}", book.pt(), book.ordinal())];
        told.extend(changed.definition.then(|| "defined".to_owned()));
        told.extend(changes.iter().map(|change| match change {
            registers::Change::State(state) => format!("{state:?}"),
            registers::Change::Price { key, active, offer } => {
                let offer = offer.map_or_else(|| "-".to_owned(), |price| price.to_string());
                format!("{key}{}{offer}", if *active { "=" } else { "!" })
            }
            registers::Change::Result { key, result } => format!("{key}:{result:?}"),
        }));
        told.join(" ")
    }
}

fn check(stream: &str, expected: &[&str]) -> Reader {
    let mut reader = Reader::default();
    let told: Vec<String> = stream.lines().map(|line| reader.line(line.as_bytes())).collect();
    assert_eq!(told, expected);
    reader
}

#[test]
fn images_replace_and_deltas_alter() {
    let reader = check(
        include_str!("data/images.ndjson"),
        &[
            "ignored connection",
            "image_needed",
            "1000+0 defined Active 11=2.52 12=1.62",
            "1000+1 11=2.5",
            // The ladder is empty: the last traded price remains. Deleting a level that is not there is nothing.
            "1000+2 11=2.54",
            "stale",
            "heartbeat",
            "heartbeat | late",
            // The image says nothing of 11 any more; its definition is the same one.
            "2000+0 11=- 12=1.6",
            "2001+0 | 2001+0 defined Inactive",
        ],
    );
    let book = &reader.books["1.1"];
    let view = book.runners()[1];
    assert_eq!((view.back_levels, view.lay_levels), (2, 1));
    assert_eq!(view.best_back.map(|l| l.size.to_string()).as_deref(), Some("60"));
    assert_eq!(book.definition().unwrap().event_id.as_deref(), Some("9"));
}

#[test]
fn position_ladders_are_keyed_by_position() {
    let reader = check(include_str!("data/positions.ndjson"), &["1+0 defined Active 5=-", "2+0", "3+0"]);
    let prices = reader.books["1.1"].prices(RunnerKey { id: 5, hc: feeds::Decimal::ZERO }).unwrap();
    let told = |ladder: &feeds::betfair::PositionLadder| {
        let told = ladder.levels().iter().map(|l| format!("{}:{}x{}", l.position, l.price, l.size));
        told.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(told(&prices.batb), "0:2.72x3 2:2.66x8");
    assert_eq!(told(&prices.batl), "1:2.8x5");
    assert_eq!((told(&prices.bdatb).as_str(), told(&prices.bdatl).as_str()), ("", "9:3.05x1"));
}

#[test]
fn one_selection_stands_once_per_handicap() {
    check(
        include_str!("data/handicaps.ndjson"),
        &[
            "10+0 defined Active 36276560@-1.5=- 36276560@-0.25!- 36276560=- 36276560@1.5=-",
            "11+0 36276560@-1.5=2.1 36276560@-0.25!1.9 36276560=1.95 36276560@1.5=1.8",
            "12+0 36276560@-1.5=- 36276560=1.96",
        ],
    );
}

#[test]
fn results_come_with_the_close_and_go_with_a_reopening() {
    let reader = check(
        include_str!("data/results.ndjson"),
        &[
            "10+0 defined Active 1=2 2=4 3=4",
            "20+0 defined 2!4 2:Void",
            "30+0 defined 2=4 2:None 3!4 3:Void",
            "40+0 defined Suspended 1!2 2!4",
            "50+0 defined Settled 1:Won 2:Won",
            "60+0 defined Active 1=2 1:None 2=4 2:None",
            // A runner that the definition no longer names is not void by anyone's word.
            "70+0 defined Settled 1!2 1:Lost 2!4 2:Won 3:None",
        ],
    );
    assert_eq!(reader.books["1.5"].in_play(), Some(true));
}

#[test]
fn unknown_fields_and_odd_numbers_are_tolerated() {
    check(
        include_str!("data/tolerated.ndjson"),
        &[
            "10+0 defined Active 1=2",
            "11+0 1=-",
            "",
            // Lines are no odds.
            "13+0 defined Active 1=-",
            "ignored status",
            "ignored ocm",
            "ignored ccm",
        ],
    );
}

#[test]
fn malformed_lines_are_refused_with_the_place() {
    let mut reader = Reader::default();
    let told: Vec<String> = include_str!("data/malformed.ndjson")
        .lines()
        .map(|line| reader.line(line.as_bytes()).split(" at line ").next().unwrap().to_owned())
        .collect();
    assert!(reader.books.is_empty(), "{:?}", reader.books.keys());
    assert_eq!(
        told,
        [
            "not_json: not JSON: EOF while parsing a value",
            "not_json: not JSON: EOF while parsing a list",
            "not_json: not JSON: expected value",
            "not_json: not JSON: trailing characters",
            "not_a_message: not a stream message: not an object",
            "not_a_message: not a stream message: not an object",
            "not_a_message: not a stream message: not an object",
            "not_a_message: not a stream message: `op`: missing field `op`",
            "not_a_message: not a stream message: `op`: invalid type: integer `5`, expected a string",
            "not_a_message: not a stream message: unknown op `authentication`",
            "bad_field: field `pt`: missing",
            "bad_field: field `pt`: invalid value: integer `-1`, expected u64",
            "bad_field: field `pt`: invalid type: floating point `1.5`, expected u64",
            "bad_field: field `mc`: invalid type: map, expected a list of at most 10000 elements",
            "bad_field: field `mc[0]`: missing field `id`",
            "bad_field: field `mc[0].id`: an id has 1 to 64 letters, digits, dots, dashes or underscores",
            "bad_field: field `mc[0].rc[1].id`: invalid type: integer `-4`, expected a selection id",
            "bad_field: field `mc[0].rc[0].atb[1]`: invalid length 1, expected a tuple of size 2",
            "bad_field: field `mc[0].rc[0].atb[0]`: price and size must not be negative",
            "bad_field: field `mc[0].rc[0].atl[0][1]`: not a decimal number",
            "bad_field: field `mc[0].rc[0].atl[0]`: trailing characters",
            "bad_field: field `mc[0].rc[0].batb[0]`: position must be below 64",
            "bad_field: field `mc[0].rc[0].ltp`: the number does not fit 18 digits",
            "bad_field: field `mc[0].rc[0].hc`: not a decimal number",
            "bad_field: field `mc[0].marketDefinition`: missing field `status`",
            "bad_field: field `mc[0].marketDefinition.status`: unknown variant `MAYBE`, expected one of `INACTIVE`, `OPEN`, `SUSPENDED`, `CLOSED`",
            "bad_field: field `mc[0].marketDefinition.runners`: runner 1 stands twice",
            "bad_field: field `mc[0].marketDefinition.eventId`: an id has 1 to 64 letters, digits, dots, dashes or underscores",
            "not_a_message: not a stream message: `op`: duplicate field `op`",
        ]
    );
}

#[test]
fn lines_that_are_no_text_or_too_long_are_refused() {
    let mut reader = Reader::default();
    assert_eq!(reader.line(b"{\"op\":\"m\xffm\"}"), "not_json: not JSON: not UTF-8 at byte 8");
    let mut long = br#"{"op":"mcm","pt":1}"#.to_vec();
    long.resize(limits::LINE_BYTES_MAX, b' ');
    long.extend_from_slice(b"\r\n");
    assert_eq!(reader.line(&long), "", "blanks at the end do not count");
    long.push(b'x');
    assert_eq!(parse_line(&long).unwrap_err().code(), "line_too_long");
}

fn change(runners: impl Iterator<Item = (usize, usize)>, levels: usize) -> Vec<u8> {
    let runner = |(id, from): (usize, usize)| {
        let levels: Vec<String> = (from..from + levels).map(|price| format!("[{},1]", price + 2)).collect();
        format!(r#"{{"id":{id},"atb":[{}]}}"#, levels.join(","))
    };
    let runners: Vec<String> = runners.map(runner).collect();
    format!(r#"{{"op":"mcm","pt":1,"mc":[{{"id":"1.1","img":false,"rc":[{}]}}]}}"#, runners.join(",")).into_bytes()
}

#[test]
fn what_is_above_a_limit_is_refused_and_changes_nothing() {
    let mut reader = Reader::default();
    reader.books.insert("1.1".to_owned(), Book::empty());
    let too_deep = reader.line(&change([(1, 0)].into_iter(), limits::LEVELS_MAX + 1));
    assert!(too_deep.starts_with("bad_field: field `mc[0].rc[0].atb`: more than 1024 elements"), "{too_deep}");
    let too_many = reader.line(&change((0..=limits::RUNNERS_MAX).map(|id| (id, 0)), 1));
    assert!(too_many.starts_with("bad_field: field `mc[0].rc`: more than 1000 elements"), "{too_many}");
    assert_eq!(reader.books["1.1"], Book::empty());

    reader.line(&change([(1, 0)].into_iter(), 1_000));
    assert_eq!(reader.line(&change([(1, 1_000)].into_iter(), 25)), "too_many_levels");
    // Known levels do not count twice.
    assert_eq!(reader.line(&change([(1, 976)].into_iter(), 48)), "1+1 1!1025");
    assert_eq!(reader.books["1.1"].runners()[0].back_levels, 1_024);
    assert_eq!(reader.line(&change((2..=1_000).map(|id| (id, 0)), 1)).split(' ').next(), Some("1+2"));
    assert_eq!(reader.line(&change([(2, 0), (1_001, 0)].into_iter(), 1)), "too_many_runners");
    assert_eq!(reader.books["1.1"].runners().len(), 1_000);
}
