//! Single wagers at real odds with real results, against payouts that an independent computation found: 12,348 of
//! them, each to the exact fraction and to the unit under both roundings.
//!
//! The tables lie beside the project (`STAKEHOLD_DATA`, else `../shared/data`) and are never copied into it. Without
//! them the test says so and passes, except with `CI=true`; a small table of our own making is in the repository.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed test is what a panic is for")]

use std::path::{Path, PathBuf};

use model::settlement::{Exact, Rounding, multiplier, payout};
use model::{Odds, OutcomeResult, Share, Verdict};
use serde::Deserialize;

const TABLES: [(&str, usize); 3] =
    [("E0_2425_epl_multi_book", 5_320), ("England_1_2023_multi_book", 5_318), ("nfl_2021_american_lines", 1_710)];

#[derive(Deserialize)]
struct Table {
    stake_minor: u64,
    wagers: usize,
    total_payout_minor_floor_each: u64,
    total_payout_minor_half_up_each: u64,
    rows: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    #[serde(rename = "match")]
    event: String,
    market: String,
    selection: String,
    odds: Option<String>,
    odds_american: Option<String>,
    odds_decimal_exact: Option<String>,
    result: u8,
    void_factor: Option<String>,
    payout_minor: Expected,
}

#[derive(Deserialize)]
struct Expected {
    num: u64,
    den: u64,
    floor: u64,
    half_up: u64,
}

impl Row {
    fn odds(&self) -> Odds {
        let Some(american) = &self.odds_american else { return Odds::parse(self.odds.as_ref().unwrap()).unwrap() };
        let signed = american.starts_with(['-', '+']);
        let odds = Odds::parse(&if signed { american.clone() } else { format!("+{american}") }).unwrap();
        let exact = self.odds_decimal_exact.as_ref().unwrap();
        assert_eq!(format!("{}/{}", odds.num(), odds.den()), *exact, "{american}");
        odds
    }

    fn verdict(&self) -> Verdict {
        let void_factor = self.void_factor.as_ref().map_or(Share::ZERO, |v| Share::parse(v).unwrap());
        let stated = Verdict { void_factor, ..Verdict::plain(self.result == 1) };
        // By the way of a result register, as a feed's word goes.
        OutcomeResult::of(stated).unwrap().verdict().unwrap()
    }
}

/// Settles a table row by row; the number of rows.
fn settle(path: &Path) -> usize {
    let table: Table = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let (mut floors, mut half_ups) = (0, 0);
    for row in &table.rows {
        let exact = payout(table.stake_minor, None, &[multiplier(row.odds(), None, &row.verdict(), 0)]);
        let expected = &row.payout_minor;
        let what = format!("{} {} {}", row.event, row.market, row.selection);
        assert_eq!(exact, Exact::new(expected.num.into(), expected.den.into()), "{what}");
        assert_eq!(Rounding::Floor.round(&exact), Some(expected.floor), "{what}");
        assert_eq!(Rounding::HalfUp.round(&exact), Some(expected.half_up), "{what}");
        floors += expected.floor;
        half_ups += expected.half_up;
    }
    assert_eq!(table.rows.len(), table.wagers);
    assert_eq!(floors, table.total_payout_minor_floor_each);
    assert_eq!(half_ups, table.total_payout_minor_half_up_each);
    table.rows.len()
}

#[test]
fn every_wager_of_the_recorded_tables_settles_to_the_exact_unit() {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let data = std::env::var_os("STAKEHOLD_DATA").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    let tables = data.join("odds-tables/expected");
    if !tables.is_dir() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "CI=true and no tables at {}", tables.display());
        eprintln!("ODDS TABLES NOT FOUND at {}: THIS TEST CHECKED NOTHING", tables.display());
        return;
    }
    let mut wagers = 0;
    for (name, count) in TABLES {
        let settled = settle(&tables.join(format!("{name}.csv.settlement.json")));
        assert_eq!(settled, count, "{name}");
        wagers += settled;
    }
    assert_eq!(wagers, 12_348);
}

#[test]
fn every_wager_of_the_small_table_settles_to_the_exact_unit() {
    assert_eq!(settle(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/small.settlement.json"))), 16);
}
