//! Random streams folded by the book and by a model so plain that it can be seen to be right: JSON values in maps keyed
//! by text, prices found by looking at all of them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed test is what a panic is for")]

use std::collections::BTreeMap;

use feeds::{
    Decimal,
    betfair::{Book, FoldError, RunnerKey, StreamMessage, parse_line},
};
use proptest::prelude::*;
use serde_json::{Value, json};

const SIDES: [&str; 6] = ["atb", "atl", "batb", "batl", "bdatb", "bdatl"];
const STATUSES: [&str; 4] = ["INACTIVE", "OPEN", "SUSPENDED", "CLOSED"];
const RUNNER_STATUSES: [&str; 4] = ["ACTIVE", "REMOVED", "WINNER", "HIDDEN"];

/// Status, in-play flag, runners with their statuses.
type Defined = (usize, bool, Vec<(u64, usize)>);
/// Side, key (of positions), price in hundredths, size in hundredths.
type Delta = (usize, u64, u32, u32);

#[derive(Clone, Debug)]
struct Message {
    pt: u64,
    img: bool,
    definition: Option<Defined>,
    /// Runner, handicap in halves, last traded price in hundredths, levels.
    runners: Vec<(u64, i64, Option<u32>, Vec<Delta>)>,
}

fn messages() -> impl Strategy<Value = Vec<Message>> {
    let level = (0..6_usize, 0..4_u64, 90..110_u32, prop_oneof![Just(0), 1..100_000_u32]);
    let runner =
        (1..4_u64, -1..2_i64, proptest::option::weighted(0.3, 95..300_u32), proptest::collection::vec(level, 0..6));
    let defined = proptest::collection::btree_map(1..4_u64, 0..4_usize, 0..3).prop_map(|map| map.into_iter().collect());
    let definition = proptest::option::weighted(0.2, (0..4_usize, any::<bool>(), defined));
    let message = (0..3_u64, proptest::bool::weighted(0.1), definition, proptest::collection::vec(runner, 0..4));
    proptest::collection::vec(message, 1..40).prop_map(|list| {
        let mut pt = 10;
        list.into_iter()
            .map(|(step, img, definition, runners)| {
                // Mostly forwards, sometimes the same time, sometimes back.
                pt = (pt + step).saturating_sub(1);
                Message { pt, img, definition, runners }
            })
            .collect()
    })
}

fn line(message: &Message) -> String {
    let hundredths = |n: u32| -> Value { serde_json::from_str(&format!("{}.{:02}", n / 100, n % 100)).unwrap() };
    let rc: Vec<Value> = message
        .runners
        .iter()
        .map(|(id, halves, ltp, levels)| {
            let mut runner = json!({"id": id, "hc": *halves as f64 / 2.0, "ltp": ltp.map(hundredths)});
            for (side, key, price, size) in levels {
                let level = if *side < 2 {
                    json!([hundredths(*price), hundredths(*size)])
                } else {
                    json!([key, hundredths(*price), hundredths(*size)])
                };
                let ladder = runner.as_object_mut().unwrap().entry(SIDES[*side]).or_insert_with(|| json!([]));
                ladder.as_array_mut().unwrap().push(level);
            }
            runner
        })
        .collect();
    let mut change = json!({"id": "1.1", "img": message.img, "rc": rc});
    if let Some((status, in_play, runners)) = &message.definition {
        let runners: Vec<Value> =
            runners.iter().map(|(id, status)| json!({"id": id, "status": RUNNER_STATUSES[*status]})).collect();
        change["marketDefinition"] = json!({"status": STATUSES[*status], "inPlay": in_play, "runners": runners});
    }
    json!({"op": "mcm", "pt": message.pt, "mc": [change]}).to_string()
}

/// Runner → side → level key → (price in hundredths, size in hundredths).
type Sides = BTreeMap<usize, BTreeMap<u64, (u32, u32)>>;

#[derive(Clone, Default)]
struct Naive {
    pt: u64,
    begun: bool,
    status: Option<usize>,
    statuses: BTreeMap<u64, usize>,
    ltp: BTreeMap<(u64, i64), u32>,
    runners: BTreeMap<(u64, i64), Sides>,
}

impl Naive {
    fn apply(&mut self, message: &Message) -> bool {
        if message.pt < self.pt || !(self.begun || message.img || message.definition.is_some()) {
            return false;
        }
        (self.pt, self.begun) = (message.pt, true);
        if message.img {
            self.ltp.clear();
            self.runners.clear();
        }
        if let Some((status, _, runners)) = &message.definition {
            self.status = Some(*status);
            self.statuses = runners.iter().copied().collect();
        }
        for (id, halves, ltp, levels) in &message.runners {
            self.ltp.extend(ltp.map(|ltp| ((*id, *halves), ltp)));
            let sides = self.runners.entry((*id, *halves)).or_default();
            for (side, key, price, size) in levels {
                let key = if *side < 2 { u64::from(*price) } else { *key };
                sides.entry(*side).or_default().insert(key, (*price, *size));
            }
        }
        true
    }

    /// Levels with money, by key.
    fn levels(&self, runner: (u64, i64), side: usize) -> Vec<(u64, u32, u32)> {
        let levels = self.runners.get(&runner).and_then(|sides| sides.get(&side)).into_iter().flatten();
        levels.filter(|(_, (_, size))| *size > 0).map(|(key, (price, size))| (*key, *price, *size)).collect()
    }

    fn offer(&self, runner: (u64, i64)) -> Option<u32> {
        let best = self.levels(runner, 0).into_iter().map(|(_, price, _)| price).max();
        best.into_iter().chain(self.ltp.get(&runner).copied()).find(|price| *price > 100)
    }
}

fn dec(hundredths: u32) -> Decimal {
    Decimal::new(i64::from(hundredths), 2).unwrap()
}

fn compare(book: &Book, naive: &Naive) {
    assert_eq!(book.pt(), naive.pt);
    assert_eq!(book.status().map(|s| s.as_str()), naive.status.map(|s| STATUSES[s]));
    for id in 1..4_u64 {
        for halves in -1..2_i64 {
            let key = RunnerKey { id, hc: Decimal::new(halves * 5, 1).unwrap() };
            assert_eq!(book.offer(key), naive.offer((id, halves)).map(dec));
            let status = if halves == 0 { naive.statuses.get(&id).copied() } else { None };
            assert_eq!(book.runner_status(key).map(|s| s.as_str()), status.map(|s| RUNNER_STATUSES[s]));
            let prices = book.prices(key).cloned().unwrap_or_default();
            for (side, ladder) in [&prices.atb, &prices.atl].into_iter().enumerate() {
                let levels: Vec<_> = ladder.levels().iter().map(|l| (l.price, l.size)).collect();
                let expected = naive.levels((id, halves), side);
                assert_eq!(levels, expected.into_iter().map(|(_, p, s)| (dec(p), dec(s))).collect::<Vec<_>>());
            }
            for (side, ladder) in (2..).zip([&prices.batb, &prices.batl, &prices.bdatb, &prices.bdatl]) {
                let levels: Vec<_> = ladder.levels().iter().map(|l| (u64::from(l.position), l.price, l.size)).collect();
                let expected = naive.levels((id, halves), side);
                assert_eq!(levels, expected.into_iter().map(|(k, p, s)| (k, dec(p), dec(s))).collect::<Vec<_>>());
            }
        }
    }
}

proptest! {
    #[test]
    fn the_book_is_what_a_plain_model_is(messages in messages()) {
        let (mut book, mut naive) = (Book::default(), Naive::default());
        for message in &messages {
            let StreamMessage::Market(read) = parse_line(line(message).as_bytes()).unwrap() else { panic!() };
            let before = book.clone();
            let told = book.apply(read.pt, &read.changes[0]);
            prop_assert_eq!(told.is_ok(), naive.apply(message));
            match told {
                Ok(changed) => {
                    let seen = |book: &Book, key| (book.offer(key), book.runner_status(key));
                    let mut keys = before.runner_keys();
                    keys.extend(book.runner_keys());
                    keys.retain(|key| seen(&before, *key) != seen(&book, *key));
                    prop_assert_eq!(changed.runners, keys.into_iter().collect::<Vec<_>>());
                    prop_assert_eq!(changed.definition, before.definition() != book.definition());
                    let both = |book: &Book| (book.status(), book.in_play());
                    prop_assert_eq!(changed.status, both(&before) != both(&book));
                }
                Err(FoldError::ImageNeeded | FoldError::Stale { .. }) => prop_assert_eq!(&book, &before),
                Err(other) => panic!("{other}"),
            }
            compare(&book, &naive);
        }
        let bytes = minicbor::to_vec(&book).unwrap();
        prop_assert_eq!(minicbor::decode::<Book>(&bytes).unwrap(), book);
    }

    #[test]
    fn any_bytes_are_read_or_refused(line in proptest::collection::vec(any::<u8>(), 0..60)) {
        let _ = parse_line(&line);
    }

    #[test]
    fn a_torn_line_is_no_json(messages in messages(), cut in 1..200_usize) {
        let line = line(&messages[0]);
        let torn = &line.as_bytes()[..line.len().saturating_sub(cut)];
        prop_assert_eq!(parse_line(torn).unwrap_err().code(), "not_json");
    }
}
