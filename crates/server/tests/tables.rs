//! Wagers at real odds through a real process over HTTP: hand-made markets, batches of placements, an operator's
//! results with their factors, and every payout compared to the exact unit with an independent computation.
//!
//! The tables lie beside the project (`STAKEHOLD_DATA`, else `../shared/data`) and are never copied into it. Without
//! them the tests say so and pass, except with `CI=true`. A small table of our own making goes the same way.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed test is what a panic is for")]

#[allow(dead_code, reason = "each test binary uses its part")]
mod harness;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use harness::desk::amount;
use harness::{Call, Client, Cluster, Spec};

const TABLES: [&str; 3] = ["E0_2425_epl_multi_book", "England_1_2023_multi_book", "nfl_2021_american_lines"];
/// Of this many matches a run takes one, except with `CI=true`: then it takes all, in about 20 s.
const SAMPLED: usize = 8;
/// Placements in one call.
const BATCH: usize = 1_000;
/// Results that are not followed by the money in this time never are.
const SETTLED_MAX: Duration = Duration::from_secs(60);

#[derive(Deserialize)]
struct Table {
    stake_minor: i64,
    rows: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    #[serde(rename = "match")]
    event: String,
    market: String,
    odds: Option<String>,
    odds_american: Option<String>,
    result: u8,
    void_factor: Option<String>,
    payout_minor: Expected,
}

#[derive(Deserialize)]
struct Expected {
    floor: i64,
}

impl Row {
    fn odds(&self) -> String {
        match (&self.odds, &self.odds_american) {
            (_, Some(american)) if american.starts_with(['-', '+']) => american.clone(),
            (_, Some(american)) => format!("+{american}"),
            (odds, None) => odds.clone().unwrap(),
        }
    }

    fn result(&self, outcome: &str) -> Value {
        let mut said = json!({"outcome": outcome, "result": if self.result == 1 { "won" } else { "lost" }});
        if let Some(void_factor) = &self.void_factor {
            said["void_factor"] = json!(void_factor);
        }
        said
    }
}

/// A table's rows by match, every one of `of` matches taken.
fn sample(table: Table, of: usize) -> (i64, Vec<Row>) {
    let mut events = BTreeMap::new();
    for row in &table.rows {
        let next = events.len();
        events.entry(row.event.clone()).or_insert(next);
    }
    let rows = table.rows.into_iter().filter(|row| events[&row.event] % of == 0).collect();
    (table.stake_minor, rows)
}

/// Places and settles all rows; the number of them.
async fn settle(stake_minor: i64, rows: &[Row]) -> usize {
    let cluster = Cluster::start(Spec { regions: 1, ..Spec::default() }).await;
    let client = &cluster.nodes[0].client;
    let staked = stake_minor * i64::try_from(rows.len()).unwrap();
    let (account, _) = cluster.funded(0, "punter", &amount(staked)).await;
    // One market for each of a match's markets; every row is an outcome of its own in it.
    let mut markets: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
    for (n, row) in rows.iter().enumerate() {
        markets.entry((&row.event, &row.market)).or_default().push(n);
    }
    let market_of = sell(client, &markets, rows).await;
    let ids = place(client, &account, stake_minor, &market_of, rows).await;
    for (n, members) in markets.values().enumerate() {
        let results: Vec<Value> = members.iter().map(|r| rows[*r].result(&format!("r{r}"))).collect();
        let call = Call::post(&format!("/v1/markets/table:{n}/result")).json(&json!({"results": results}));
        client.send(call).await.expect(&[200]);
    }
    let until = Instant::now() + SETTLED_MAX;
    let mut paid_in_all = 0;
    for (id, row) in ids.iter().zip(rows) {
        let known = loop {
            let known = client.get(&format!("/v1/wagers/{id}")).await.expect(&[200]).json();
            if known["state"] != "open" {
                break known;
            }
            assert!(Instant::now() < until, "not settled in {SETTLED_MAX:?}: {known}");
            sleep(Duration::from_millis(20)).await;
        };
        assert_eq!(known["paid"], amount(row.payout_minor.floor), "{} {}: {known}", row.event, row.market);
        paid_in_all += row.payout_minor.floor;
    }
    let view = client.get(&format!("/v1/accounts/{account}")).await.expect(&[200]).json();
    assert_eq!((&view["balance"], &view["reserved"]), (&json!(amount(paid_in_all)), &json!("0.00")), "{view}");
    rows.len()
}

/// Makes the markets and puts every outcome on sale at its row's odds; gives each row's market.
async fn sell(client: &Client, markets: &BTreeMap<(&str, &str), Vec<usize>>, rows: &[Row]) -> Vec<String> {
    let mut market_of = vec![String::new(); rows.len()];
    let mut prices = Vec::new();
    for (n, members) in markets.values().enumerate() {
        let key = format!("table:{n}");
        let outcomes: Vec<Value> = members.iter().map(|r| json!({"outcome": format!("r{r}")})).collect();
        let draft = json!({"name": "from a table", "event": format!("event:{n}"), "outcomes": outcomes});
        client.send(Call::put(&format!("/v1/markets/{key}")).json(&draft)).await.expect(&[200, 201]);
        for r in members {
            prices.push(json!({"market": key, "outcome": format!("r{r}"), "odds": rows[*r].odds()}));
            market_of[*r].clone_from(&key);
        }
    }
    for some in prices.chunks(BATCH) {
        let written = client.send(Call::post("/v1/odds").json(&json!(some))).await.expect(&[200]);
        assert_eq!(written.json()["applied"], some.len(), "{written}");
    }
    market_of
}

/// Places a wager on every row, in batches; gives their ids in the order of the rows.
async fn place(client: &Client, account: &str, stake: i64, market_of: &[String], rows: &[Row]) -> Vec<String> {
    let mut ids = Vec::new();
    for (some, at) in rows.chunks(BATCH).zip((0..).step_by(BATCH)) {
        let path = format!("/v1/ids?for=wager&place_by_ms=600000&count={}", some.len());
        let minted = client.send(Call::post(&path)).await.expect(&[200]).json();
        let minted: Vec<&str> = minted["ids"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
        let item = |(n, row): (usize, &Row)| {
            let r = at + n;
            let legs = json!([{"market": market_of[r], "outcome": format!("r{r}"), "odds": row.odds()}]);
            json!({"id": minted[n], "account": account, "unit_stake": amount(stake), "total_stake": amount(stake),
                   "odds_policy": "none", "legs": legs})
        };
        let items: Vec<Value> = some.iter().enumerate().map(item).collect();
        let placed = client.send(Call::post("/v1/wagers/batch").json(&json!({"items": items}))).await.expect(&[200]);
        for (n, answer) in placed.json()["items"].as_array().unwrap().iter().enumerate() {
            assert_eq!(answer["http_status"], 201, "{answer}");
            assert_eq!(answer["body"]["id"], minted[n], "in order");
        }
        ids.extend(minted.into_iter().map(str::to_owned));
    }
    ids
}

fn tables() -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let data = std::env::var_os("STAKEHOLD_DATA").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    let tables = data.join("odds-tables/expected");
    if tables.is_dir() {
        return Some(tables);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "CI=true and no tables at {}", tables.display());
    eprintln!("ODDS TABLES NOT FOUND at {}: THIS TEST CHECKED NOTHING", tables.display());
    None
}

async fn recorded(of: usize) -> Option<usize> {
    let folder = tables()?;
    let mut wagers = 0;
    for name in TABLES {
        let text = std::fs::read(folder.join(format!("{name}.csv.settlement.json"))).unwrap();
        let (stake_minor, rows) = sample(serde_json::from_slice(&text).unwrap(), of);
        wagers += settle(stake_minor, &rows).await;
    }
    Some(wagers)
}

#[tokio::test]
async fn our_own_table_is_paid_to_the_exact_unit() {
    let text = include_str!("../../model/tests/data/small.settlement.json");
    let (stake_minor, rows) = sample(serde_json::from_str(text).unwrap(), 1);
    assert_eq!(settle(stake_minor, &rows).await, 16);
}

#[tokio::test]
async fn the_recorded_tables_are_paid_to_the_exact_unit() {
    let all = std::env::var("CI").as_deref() == Ok("true");
    let Some(wagers) = recorded(if all { 1 } else { SAMPLED }).await else { return };
    if all {
        assert_eq!(wagers, 12_348);
    } else {
        assert!(wagers > 1_500, "{wagers} wagers");
    }
}

/// A book of four events, each-way at a fifth, and wagers of every shape on it: the worked examples 15, 19, 20, 25, 28.
#[tokio::test]
async fn systems_and_each_way_wagers_are_quoted_placed_and_paid() {
    let cluster = Cluster::start(Spec { regions: 1, ..Spec::default() }).await;
    let client = &cluster.nodes[0].client;
    let (account, _) = cluster.funded(0, "punter", "1000.00").await;
    for (n, odds) in ["3/1", "3/1", "3/1", "3/1", "9.00", "5.00", "4.00"].iter().enumerate() {
        let each_way = json!({"fraction": if n == 5 { "1/4" } else { "1/5" }, "places": 3});
        let draft = json!({"name": "race", "event": format!("race:{n}"), "outcomes": [{"outcome": "1"}],
                           "each_way": each_way});
        client.send(Call::put(&format!("/v1/markets/race:{n}")).json(&draft)).await.expect(&[200, 201]);
        let price = json!([{"market": format!("race:{n}"), "outcome": "1", "odds": odds}]);
        client.send(Call::post("/v1/odds").json(&price)).await.expect(&[200]);
    }
    let legs = |races: &[usize]| -> Value {
        let leg = |n: &usize| json!({"market": format!("race:{n}"), "outcome": "1", "odds": "1.01"});
        races.iter().map(leg).collect()
    };
    // (legs, sizes, each-way, unit stake, total, paid with races 0 to 3 and 5 won, 4 won, 6 placed)
    let cases = [
        (vec![0, 1, 2, 3], Some(vec![2, 3, 4]), false, "0.30", "3.30", "182.40"),
        (vec![0, 1, 2], Some(vec![2, 3]), false, "1.00", "4.00", "112.00"),
        (vec![4], None, true, "10.00", "20.00", "116.00"),
        (vec![5, 6], None, true, "5.00", "10.00", "16.00"),
        (vec![0, 1, 6], Some(vec![2, 3]), false, "1.00", "4.00", "16.00"),
    ];
    let mut placed = Vec::new();
    for (races, sizes, each_way, unit, total, paid) in cases {
        let mut body = json!({"account": account, "unit_stake": unit, "total_stake": total, "each_way": each_way,
                              "odds_policy": "higher", "legs": legs(&races)});
        if let Some(sizes) = sizes {
            body["system"] = json!({"sizes": sizes, "bankers": []});
        }
        let quoted = client.send(Call::post("/v1/wagers/quote").json(&body)).await.expect(&[200]).json();
        assert_eq!((&quoted["placeable"], &quoted["total_stake"]), (&json!(true), &json!(total)), "{quoted}");
        body["id"] = json!(harness::mint(client, "wager&place_by_ms=600000").await);
        let taken = client.send(Call::post("/v1/wagers").json(&body)).await.expect(&[201]).json();
        for field in ["lines", "total_stake", "potential_payout"] {
            assert_eq!(taken[field], quoted[field], "{field}: {taken}");
        }
        placed.push((body["id"].as_str().unwrap().to_owned(), paid));
    }
    for n in 0..7 {
        let result = if n == 6 { "placed" } else { "won" };
        let call = Call::post(&format!("/v1/markets/race:{n}/result"));
        client.send(call.json(&json!({"results": [{"outcome": "1", "result": result}]}))).await.expect(&[200]);
    }
    let until = Instant::now() + SETTLED_MAX;
    for (id, paid) in placed {
        loop {
            let known = client.get(&format!("/v1/wagers/{id}")).await.expect(&[200]).json();
            if known["state"] == "won" {
                assert_eq!(known["paid"], paid, "{known}");
                break;
            }
            assert!(Instant::now() < until, "not settled: {known}");
            sleep(Duration::from_millis(20)).await;
        }
    }
}
