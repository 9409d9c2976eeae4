//! Sequences of the Unified Odds Feed through real processes over HTTP, compared step by step in every region: market
//! statuses, producers, answers, payouts, balance. With everything at one region; with every message twice; and with
//! each message entering, and each wager placed, at a random region after the token of the step before.
//!
//! The sequences lie beside the project (`STAKEHOLD_DATA`, else `../shared/data`) and are never copied into it. Without
//! them the tests say so and pass, except with `CI=true`.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed test is what a panic is for")]

#[allow(dead_code, reason = "each test binary uses its part")]
mod harness;
#[path = "sequences/script.rs"]
mod script;

use std::collections::BTreeMap;
use std::time::Duration;

use feeds::Decimal;
use feeds::instant::format_utc_ms;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use harness::{Call, Cluster, Process, Reply, Spec, minor, mint};
use script::{Act, Placement, Script, Step, sequences};

const SEQUENCES: &[&str] = &["01_match_lifecycle"];
/// Longest wait for a token, in ms.
const WAIT_MS: u64 = 5_000;
/// What follows from a step must be seen everywhere this soon.
const FOLLOWED_MAX: Duration = Duration::from_secs(10);

/// How a sequence is driven.
#[derive(Clone, Copy, Debug)]
struct Plan {
    regions: usize,
    /// How often each message is delivered.
    deliveries: usize,
    /// Draws the regions.
    seed: u64,
}

struct Drive<'a> {
    script: &'a Script,
    plan: Plan,
    cluster: Cluster,
    account: String,
    /// What the last answer had seen.
    token: String,
    /// Placed wagers by their name in the script: id and the region that decided it.
    placed: BTreeMap<String, (String, usize)>,
    drawn: u64,
}

async fn run(name: &str, plan: Plan) {
    let Some(script) = Script::beside(name) else { return };
    let spec =
        Spec { regions: plan.regions, replay: true, freshness_ms: script.producer_down_after_ms, ..Spec::default() };
    let cluster = Cluster::start(spec).await;
    let account = format!("punter@{}", cluster.nodes[0].name);
    let drawn = plan.seed;
    let placed = BTreeMap::new();
    let mut drive = Drive { script: &script, plan, cluster, account, token: String::new(), placed, drawn };
    drive.open_account().await;
    for step in &script.steps {
        drive.step(step).await;
    }
    let messages = script.steps.iter().filter(|s| matches!(s.act, Act::Message { .. })).count();
    assert_eq!(messages, script.files(), "{name}: every message is delivered");
    drive.cluster.converged().await;
}

impl Drive<'_> {
    /// A region for the next thing to happen.
    fn draw(&mut self) -> usize {
        self.drawn = self.drawn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let regions = u64::try_from(self.plan.regions).unwrap();
        usize::try_from((self.drawn >> 33) % regions).unwrap()
    }

    /// Sends a call to a region that first waits for all that the last answer had seen.
    async fn send(&mut self, at: usize, call: Call) -> Reply {
        let call = if self.token.is_empty() { call } else { call.after(&self.token, WAIT_MS) };
        let reply = self.cluster.nodes[at].client.send(call).await;
        if !reply.token.is_empty() {
            self.token.clone_from(&reply.token);
        }
        reply
    }

    async fn open_account(&mut self) {
        let path = format!("/v1/accounts/{}", self.account);
        let currency = json!({ "currency": self.script.currency });
        self.send(0, Call::put(&path).json(&currency)).await.expect(&[201]);
        let id = mint(&self.cluster.nodes[0].client, "posting").await;
        let paid = json!({ "id": id, "amount": amount(self.script.opening_balance_minor) });
        self.send(0, Call::post(&format!("{path}/deposits")).json(&paid)).await.expect(&[201]);
    }

    async fn step(&mut self, step: &Step) {
        let at = self.draw();
        let context = format!("{:?}, step {} at {}", self.plan, step.step, self.cluster.nodes[at].name);
        let clock = json!({ "now": format_utc_ms(step.t) });
        self.send(at, Call::post("/admin/v1/clock").json(&clock)).await.expect(&[200]);
        match &step.act {
            Act::Message { file } => {
                let xml = self.script.message(file);
                for delivery in 0..self.plan.deliveries {
                    let at = if delivery == 0 { at } else { self.draw() };
                    let reply = self.send(at, Call::post("/v1/feeds/uof").body(xml.clone())).await.expect(&[200]);
                    let report = reply.json();
                    assert_eq!(
                        (&report["messages"], &report["refused"]),
                        (&json!(1), &json!([])),
                        "{context}: {reply}"
                    );
                    let taken = report["applied"].as_u64().unwrap() + report["ignored"].as_u64().unwrap();
                    assert_eq!(taken, 1, "{context}: {reply}");
                }
            }
            Act::Place(placement) => self.place(&context, at, placement).await,
        }
        self.followed(&context, step).await;
    }

    async fn place(&mut self, context: &str, at: usize, placement: &Placement) {
        assert_eq!(placement.bet_type, "single", "{context}: other wagers are not taken yet");
        let minted = self.send(at, Call::post("/v1/ids")).await.expect(&[200]).json();
        let id = minted["ids"][0].as_str().unwrap().to_owned();
        let leg = |s: &script::Selection| json!({"market": s.market(), "outcome": s.outcome, "odds": s.odds});
        let body = json!({
            "id": id,
            "account": self.account,
            "unit_stake": amount(placement.unit_stake_minor),
            "legs": placement.selections.iter().map(leg).collect::<Vec<_>>(),
            "odds_policy": placement.odds_change_policy,
        });
        let reply = self.send(at, Call::post("/v1/wagers").json(&body)).await;
        answered(context, placement, &reply);
        if placement.expect_response.accepted {
            self.placed.insert(placement.wager.clone(), (id, at));
        }
    }

    /// Waits until every region shows what is expected after a step, and fails if one does not.
    async fn followed(&mut self, context: &str, step: &Step) {
        let until = Instant::now() + FOLLOWED_MAX;
        for n in 0..self.plan.regions {
            while let Err(why) = self.shown(n, step).await {
                assert!(Instant::now() < until, "{context}: {} {why}", self.cluster.nodes[n].name);
                sleep(Duration::from_millis(20)).await;
            }
        }
    }

    /// Compares what a region shows with what is expected.
    async fn shown(&mut self, n: usize, step: &Step) -> Result<(), String> {
        let expect = &step.expect;
        for (market, status) in expect.markets() {
            let view = self.send(n, Call::get(&format!("/v1/markets/{market}"))).await.expect(&[200]).json();
            if view["status"] != status {
                return Err(format!("shows {market} as {}, not {status}", view["status"]));
            }
        }
        let producers = self.send(n, Call::get("/v1/producers")).await.expect(&[200]).json();
        for (number, up) in &expect.producers_up {
            let name = format!("uof:{number}");
            let all = producers["producers"].as_array().unwrap();
            let shown = all.iter().find(|p| p["producer"] == *name).map(|p| p["up"].clone());
            if shown != Some(json!(up)) {
                return Err(format!("shows producer {number} as up: {shown:?}, not {up}"));
            }
        }
        for (name, wager) in &expect.wagers {
            let (id, _) = self.placed.get(name).unwrap_or_else(|| panic!("{name} was not accepted")).clone();
            let view = self.send(n, Call::get(&format!("/v1/wagers/{id}"))).await.expect(&[200]).json();
            let state = if wager.state == "settled" { "won" } else { &wager.state };
            let paid = if view["state"] == "open" { None } else { Some(minor(&view["paid"])) };
            if view["state"] != state || paid != wager.payout_minor {
                return Err(format!("shows {name} as {} with {paid:?}, not {wager:?}", view["state"]));
            }
        }
        let account = self.send(n, Call::get(&format!("/v1/accounts/{}", self.account))).await.expect(&[200]).json();
        let balance = minor(&account["balance"]);
        if balance == expect.balance_minor { Ok(()) } else { Err(format!("shows a balance of {balance}: {account}")) }
    }
}

fn amount(minor: i64) -> String {
    format!("{}.{:02}", minor / 100, minor % 100)
}

/// Compares a decision with what is expected.
fn answered(context: &str, placement: &Placement, reply: &Reply) {
    let expect = &placement.expect_response;
    assert_eq!(reply.status, if expect.accepted { 201 } else { 200 }, "{context}: {reply}");
    let decision = reply.json();
    assert_eq!(decision["final"], true, "{context}: {reply}");
    if expect.accepted {
        let number = |text: &str| -> Decimal { text.parse().unwrap() };
        let legs = decision["legs"].as_array().unwrap();
        let taken: Vec<Decimal> = legs.iter().map(|leg| number(leg["odds"].as_str().unwrap())).collect();
        assert_eq!(taken, expect.odds.iter().map(|o| number(o)).collect::<Vec<_>>(), "{context}: {reply}");
        assert_eq!(Some(minor(&decision["total_stake"])), expect.total_stake_minor, "{context}: {reply}");
        return;
    }
    let code = match expect.reason.as_deref() {
        Some("ODDS_CHANGED") => "odds_changed",
        Some("SELECTION_INACTIVE") => "selection_inactive",
        Some("MARKET_HANDED_OVER") => "market_handed_over",
        Some("MARKET_SUSPENDED") => "market_suspended",
        Some("MARKET_DEACTIVATED") => "market_inactive",
        Some("PRODUCER_DOWN") => "producer_down",
        other => panic!("{context}: an unknown reason {other:?}"),
    };
    let codes: Vec<&Value> = decision["problems"].as_array().unwrap().iter().map(|p| &p["code"]).collect();
    assert_eq!((&decision["status"], codes), (&json!("rejected"), vec![&json!(code)]), "{context}: {reply}");
}

#[tokio::test]
async fn at_one_region() {
    for name in SEQUENCES {
        run(name, Plan { regions: 1, deliveries: 1, seed: 1 }).await;
    }
}

#[tokio::test]
async fn with_every_message_twice() {
    for name in SEQUENCES {
        run(name, Plan { regions: 1, deliveries: 2, seed: 1 }).await;
    }
}

#[tokio::test]
async fn with_each_message_and_wager_at_a_random_region() {
    for (name, seed) in SEQUENCES.iter().flat_map(|name| [1, 2, 3].map(|seed| (name, seed))) {
        run(name, Plan { regions: 3, deliveries: 1, seed }).await;
    }
}

#[tokio::test]
async fn with_every_message_twice_at_random_regions() {
    for name in SEQUENCES {
        run(name, Plan { regions: 3, deliveries: 2, seed: 4 }).await;
    }
}

#[test]
fn no_sequence_is_left_out() {
    let Some(folder) = sequences() else { return };
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let folders = entries.filter(|entry| entry.path().is_dir());
    let mut names: Vec<String> = folders.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, SEQUENCES);
}

/// `stakehold feed uof` with messages of our own: in order of names, told as they were recorded; a broken one is said and
/// makes the command fail, and the rest goes on.
#[tokio::test]
async fn the_command_streams_a_folder() {
    let cluster = Cluster::start(Spec { regions: 1, replay: true, ..Spec::default() }).await;
    let folder = cluster.folder.path().join("messages");
    std::fs::create_dir(&folder).unwrap();
    let write = |name: &str, xml: &str| std::fs::write(folder.join(name), xml).unwrap();
    write("2.xml", "<bet_stop product='1' event_id='sr:match:1' timestamp='1760000002000' groups='all'/>");
    write(
        "1.xml",
        "<?xml version='1.0'?>\n<alive product='1' timestamp='1760000001000' subscribed='1'/>\n\
        <odds_change product='1' event_id='sr:match:1' timestamp='1760000001000'><odds><market id='1' status='1'>\
        <outcome id='1' odds='1.5' active='1'/></market></odds></odds_change>",
    );
    write("notes.txt", "no message");
    let log = cluster.folder.path().join("feed.log");
    let to = format!("http://{}", cluster.nodes[0].http);
    let arguments = ["feed", "uof", folder.to_str().unwrap(), "--to", &to, "--keep-times", "--speed", "max"];
    Process::run(&arguments, &log).await;
    let said = std::fs::read_to_string(&log).unwrap();
    assert!(said.contains("3 messages: 3 applied, 0 ignored, 0 refused"), "{said}");
    let client = &cluster.nodes[0].client;
    let shown = client.get("/v1/markets/uof:sr:match:1;1").await.expect(&[200]).json();
    assert_eq!((&shown["status"], &shown["outcomes"][0]["odds"]), (&json!("suspended"), &json!("1.5")), "{shown}");
    assert_eq!(client.get("/admin/v1/clock").await.json()["now_ms"], 1_760_000_002_000_u64);

    write("3.xml", "<alive product='1' timestamp='soon'/><fixtures_fixture/>");
    let mut again = Process::start(&arguments, &log);
    let status = again.exited(Duration::from_secs(30)).await;
    let said = std::fs::read_to_string(&log).unwrap();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("5 messages: 3 applied, 1 ignored, 1 refused"), "{said}");
    assert!(said.contains("3.xml line 1: bad_field: alive@timestamp: soon is not a number"), "{said}");
}
