//! Drives one recording through a cluster over HTTP: lines in chunks that end where something is expected, compared
//! there, placements right after, payouts and equality of all regions at the end.

use std::collections::BTreeMap;
use std::time::Duration;

use feeds::Decimal;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::oracle::{Exchange, Recording, Runner, Wager};
use crate::harness::{Call, Cluster, Reply, Spec, minor};

/// Where the stream enters.
const FEED: usize = 0;
/// Longest wait for a token, in ms.
const WAIT_MS: u64 = 5_000;
/// Wagers must be settled this soon.
const SETTLED_MAX: Duration = Duration::from_secs(10);
/// What each account begins with.
const DEPOSIT: &str = "10000.00";
const DEPOSIT_MINOR: i64 = 1_000_000;

/// A decided placement.
struct Placed {
    index: usize,
    id: String,
    /// Where it was placed.
    at: usize,
    accepted: bool,
}

struct Drive<'a> {
    recording: &'a Recording,
    cluster: Cluster,
    /// One at each region.
    accounts: Vec<String>,
    /// What the feed region had seen after the last chunk, and of the deposits.
    token: String,
    money: Vec<String>,
    /// Runners as they were at the last stop.
    before: BTreeMap<String, Vec<Runner>>,
    placed: Vec<Placed>,
}

/// Runs a recording through a fresh cluster. With one region everything happens there; with more, the stream enters
/// at the first and placements are made at the others. Gives the number of placements.
pub(crate) async fn run(recording: &Recording, regions: usize) -> usize {
    let cluster = Cluster::start(Spec { regions, replay: true, ..Spec::default() }).await;
    let (mut accounts, mut money) = (Vec::new(), Vec::new());
    for n in 0..regions {
        let (account, token) = cluster.funded(n, "punter", DEPOSIT).await;
        accounts.push(account);
        money.push(token);
    }
    let token = String::new();
    let mut drive = Drive { recording, cluster, accounts, token, money, before: BTreeMap::new(), placed: Vec::new() };
    let mut done = 0;
    for stop in recording.oracle.stops() {
        drive.post(done, stop).await;
        drive.compare(stop).await;
        drive.place(stop).await;
        done = stop;
    }
    assert_eq!(drive.placed.len(), recording.oracle.wager_script.len(), "{}: placements", recording.name);
    drive.settled().await;
    drive.equal_everywhere().await;
    drive.placed.len()
}

impl Drive<'_> {
    fn at(&self, seq: usize) -> String {
        format!("{} after line {seq}", self.recording.name)
    }

    /// Posts the lines after `from` up to `to`.
    async fn post(&mut self, from: usize, to: usize) {
        let body = self.recording.lines[from..to].join("\n");
        let reply = self.cluster.nodes[FEED].client.send(Call::post("/v1/feeds/betfair").body(body)).await;
        let reply = reply.expect(&[200]);
        let expected = json!({"messages": to - from, "applied": to - from, "ignored": 0, "refused": []});
        assert_eq!(reply.json(), expected, "{}", self.at(to));
        self.token = reply.token;
    }

    async fn compare(&mut self, seq: usize) {
        let context = self.at(seq);
        let oracle = &self.recording.oracle;
        if let Some(pt) = oracle.pt(seq) {
            let clock = self.cluster.nodes[FEED].client.get("/admin/v1/clock").await.expect(&[200]).json();
            assert_eq!(clock["now_ms"], pt, "{context}: the replay clock");
        }
        for (market, transitions) in &oracle.transitions {
            let Some(last) = transitions.iter().rfind(|t| t.seq <= seq) else { continue };
            let reply = self.cluster.nodes[FEED].client.get(&format!("/v1/markets/betfair:{market}")).await;
            let reply = reply.expect(&[200]);
            let exchange = reply.read::<Market>().exchange.sorted();
            assert!(last.agrees(&exchange, last.seq == seq), "{context}: {last:?} but {exchange:?}");
            self.runners(seq, market, &exchange);
            let checkpoints = oracle.checkpoints.iter().filter(|c| c.seq == seq);
            let expected = checkpoints.filter_map(|c| c.markets.get(market));
            let last_line = oracle.last.get(market).filter(|_| seq == oracle.messages);
            for expected in expected.chain(last_line) {
                assert_eq!(exchange, expected.exchange(), "{context}: {market}");
            }
            self.same_elsewhere(&context, market, &reply).await;
            self.before.insert(market.clone(), exchange.runners);
        }
    }

    /// Runners changed their status exactly where it is expected.
    fn runners(&self, seq: usize, market: &str, exchange: &Exchange) {
        let context = self.at(seq);
        let expected = self.recording.oracle.runner_transitions.get(market).into_iter().flatten();
        let expected: Vec<_> = expected.filter(|t| t.seq == seq).collect();
        for t in &expected {
            let runner = exchange.runners.iter().find(|r| (r.id, r.hc) == (t.id, t.hc));
            let runner = runner.unwrap_or_else(|| panic!("{context}: no runner for {t:?}"));
            assert_eq!(runner.status.as_ref(), Some(&t.to), "{context}: {t:?}");
            assert_eq!((runner.adjustment_factor, runner.bsp), (t.adjustment_factor, t.bsp), "{context}: {t:?}");
        }
        for was in self.before.get(market).into_iter().flatten() {
            let is = exchange.runners.iter().find(|r| (r.id, r.hc) == (was.id, was.hc));
            let (Some(from), Some(to)) = (&was.status, is.and_then(|r| r.status.as_ref())) else { continue };
            let told = expected.iter().find(|t| (t.id, t.hc) == (was.id, was.hc)).map(|t| (&t.from, &t.to));
            assert_eq!(told, (from != to).then_some((from, to)), "{context}: runner {}", was.id);
        }
    }

    /// What is sold elsewhere is what is sold where the stream enters, once the token has been waited for.
    async fn same_elsewhere(&self, context: &str, market: &str, here: &Reply) {
        let sold = |reply: &Reply| {
            let mut view = reply.json();
            view.as_object_mut().unwrap().remove("exchange");
            view
        };
        for node in self.cluster.nodes.iter().skip(1) {
            let call = Call::get(&format!("/v1/markets/betfair:{market}")).after(&self.token, WAIT_MS);
            let there = node.client.send(call).await.expect(&[200]);
            assert!(there.json()["exchange"].is_null(), "{context}: the stream does not enter there: {there}");
            assert_eq!(sold(&there), sold(here), "{context}: {} sells something else", node.name);
        }
    }

    /// Where a placement is made, and whose account it uses: odd ones that of the place, even ones that of the feed
    /// region. Both kinds are made at every place.
    fn roles(&self, index: usize) -> (usize, usize) {
        let elsewhere = self.cluster.nodes.len() - 1;
        let at = if elsewhere == 0 { FEED } else { 1 + (index / 2) % elsewhere };
        (at, if index % 2 == 1 { at } else { FEED })
    }

    async fn place(&mut self, seq: usize) {
        let recording = self.recording;
        for (index, wager) in recording.oracle.wager_script.iter().enumerate().filter(|(_, w)| w.after_seq == seq) {
            let (at, whose) = self.roles(index);
            let context = format!("{}, placement {index} at {}: {wager:?}", self.at(seq), self.cluster.nodes[at].name);
            let client = &self.cluster.nodes[at].client;
            let ids = client.send(Call::post("/v1/ids").after(&self.token, WAIT_MS)).await.expect(&[200]).json();
            let id = ids["ids"][0].as_str().unwrap().to_owned();
            let body = body(&id, &self.accounts[whose], wager);
            let call = Call::post("/v1/wagers").json(&body).after(&self.token, WAIT_MS).also(&self.money[whose]);
            let reply = client.send(call).await;
            answered(&context, wager, &reply);
            self.placed.push(Placed { index, id, at, accepted: wager.expect.accepted });
        }
    }

    /// Every accepted wager gets its state and its money in time.
    async fn settled(&self) {
        let until = Instant::now() + SETTLED_MAX;
        for placed in self.placed.iter().filter(|p| p.accepted) {
            let expected = self.recording.oracle.wager_script[placed.index].expect.last.as_ref().unwrap();
            let context = format!("{}, placement {}", self.recording.name, placed.index);
            let client = &self.cluster.nodes[placed.at].client;
            let reply = loop {
                let reply = client.get(&format!("/v1/wagers/{}", placed.id)).await.expect(&[200]);
                if expected.state == "open" || reply.json()["state"] != "open" {
                    break reply;
                }
                assert!(Instant::now() < until, "{context}: open after {SETTLED_MAX:?}: {reply}");
                sleep(Duration::from_millis(20)).await;
            };
            let view = reply.json();
            assert_eq!(
                (&view["status"], &view["state"]),
                (&json!("accepted"), &json!(expected.state)),
                "{context}: {reply}"
            );
            assert_eq!(minor(&view["paid"]), expected.payout_minor_floor, "{context}: {reply}");
        }
    }

    /// Digests, every wager's GET, and every account's money.
    async fn equal_everywhere(&self) {
        self.cluster.converged().await;
        for placed in &self.placed {
            let mut shown = Vec::new();
            for node in &self.cluster.nodes {
                shown.push(node.client.get(&format!("/v1/wagers/{}", placed.id)).await.expect(&[200]).json());
            }
            assert!(shown.iter().all(|view| *view == shown[0]), "placement {}: {shown:#?}", placed.index);
            let status = if placed.accepted { "accepted" } else { "rejected" };
            assert_eq!((&shown[0]["status"], &shown[0]["definitive"]), (&json!(status), &json!(true)), "{}", shown[0]);
        }
        for (whose, account) in self.accounts.iter().enumerate() {
            let mine = self.placed.iter().filter(|p| p.accepted && self.roles(p.index).1 == whose);
            let (mut free, mut reserved) = (DEPOSIT_MINOR, 0);
            for placed in mine {
                let wager = &self.recording.oracle.wager_script[placed.index];
                let last = wager.expect.last.as_ref().unwrap();
                free += last.payout_minor_floor - wager.stake_minor;
                reserved += if last.state == "open" { wager.stake_minor } else { 0 };
            }
            for node in &self.cluster.nodes {
                let view = node.client.get(&format!("/v1/accounts/{account}")).await.expect(&[200]).json();
                let has = (minor(&view["balance"]), minor(&view["reserved"]), minor(&view["debt"]));
                assert_eq!(has, (free, reserved, 0), "{}: {account} at {}", self.recording.name, node.name);
            }
        }
    }
}

/// A market's answer, exact numbers kept.
#[derive(Deserialize)]
struct Market {
    exchange: Exchange,
}

fn body(id: &str, account: &str, wager: &Wager) -> Value {
    let outcome = if wager.hc == Decimal::ZERO {
        wager.selection.to_string()
    } else {
        format!("{}@{}", wager.selection, wager.hc)
    };
    json!({
        "id": id,
        "account": account,
        "unit_stake": format!("{}.{:02}", wager.stake_minor / 100, wager.stake_minor % 100),
        "legs": [{"market": format!("betfair:{}", wager.market), "outcome": outcome, "odds": wager.requested_odds}],
        "odds_policy": wager.odds_change_policy,
    })
}

/// Compares a decision with what is expected.
fn answered(context: &str, wager: &Wager, reply: &Reply) {
    let expect = &wager.expect;
    assert_eq!(reply.status, if expect.accepted { 201 } else { 200 }, "{context}: {reply}");
    let decision = reply.json();
    assert_eq!(decision["final"], true, "{context}: {reply}");
    let odds = |value: &Value| -> Option<Decimal> { value.as_str().map(|text| text.parse().unwrap()) };
    let expected = |text: &Option<String>| -> Option<Decimal> { text.as_ref().map(|text| text.parse().unwrap()) };
    if expect.accepted {
        assert_eq!(decision["status"], "accepted", "{context}: {reply}");
        assert_eq!(odds(&decision["legs"][0]["odds"]), expected(&expect.odds), "{context}: {reply}");
        assert_eq!(decision["problems"], json!([]), "{context}: {reply}");
        assert_eq!(minor(&decision["total_stake"]), wager.stake_minor, "{context}: {reply}");
        return;
    }
    let code = match expect.reason.as_deref() {
        Some("MARKET_SUSPENDED") => "market_suspended",
        Some("MARKET_CLOSED") => "market_settled",
        Some("SELECTION_REMOVED") => "selection_inactive",
        Some("NO_PRICE") => "no_price",
        Some("ODDS_CHANGED") => "odds_changed",
        other => panic!("{context}: an unknown reason {other:?}"),
    };
    assert_eq!(decision["status"], "rejected", "{context}: {reply}");
    assert_eq!(decision["problems"].as_array().map(Vec::len), Some(1), "{context}: {reply}");
    let problem = &decision["problems"][0];
    assert_eq!((&problem["leg"], &problem["code"]), (&json!(0), &json!(code)), "{context}: {reply}");
    assert_eq!(odds(&problem["odds"]), expected(&expect.current_odds), "{context}: {reply}");
}

/// A stream of deltas without any definition: every line is refused, and nothing changes.
pub(crate) async fn without_images(name: &str, input: &str) {
    let cluster = Cluster::start(Spec { regions: 1, replay: true, ..Spec::default() }).await;
    let client = &cluster.nodes[FEED].client;
    // So that the comparison has something to lose.
    cluster.funded(FEED, "punter", DEPOSIT).await;
    let state = async || {
        let clock = client.get("/admin/v1/clock").await.expect(&[200]).json();
        (client.get("/admin/v1/digest").await.expect(&[200]).json(), clock["now_ms"].clone())
    };
    let before = state().await;
    let report = client.send(Call::post("/v1/feeds/betfair").body(input.to_owned())).await.expect(&[200]).json();
    let lines = input.lines().count();
    assert_eq!((&report["messages"], &report["applied"]), (&json!(lines), &json!(0)), "{name}: {report}");
    assert_eq!(report["ignored"], 0, "{name}: {report}");
    let refused: Vec<_> = report["refused"].as_array().unwrap().iter().map(|r| (&r["line"], &r["code"])).collect();
    let expected: Vec<_> = (1..=lines).map(|line| (json!(line), json!("image_needed"))).collect();
    assert_eq!(refused, expected.iter().map(|(l, c)| (l, c)).collect::<Vec<_>>(), "{name}");
    assert_eq!(state().await, before, "{name}: a refused line changes nothing");
    for line in input.lines() {
        for change in serde_json::from_str::<Value>(line).unwrap()["mc"].as_array().unwrap() {
            let market = change["id"].as_str().unwrap();
            let reply = client.get(&format!("/v1/markets/betfair:{market}")).await.expect(&[404]);
            assert_eq!(reply.code(), "market_unknown", "{name}");
        }
    }
}
