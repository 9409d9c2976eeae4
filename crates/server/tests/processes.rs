//! Three real regions on loopback under what the world does to them: kill -9, a cut link, a stranger's certificate, a
//! wiped disk, every request twice, rubbish.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed test is what a panic is for")]

#[allow(dead_code, reason = "each test binary uses its part")]
mod harness;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64Mcg;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, sleep, timeout};

use harness::desk::{Acted, Bettor, MARKET, Memory, OUTCOME, amount, make_market, wager};
use harness::{CLUSTER, Call, Client, Cluster, Node, Reply, Spec, minor, mint};

const STARTING_MINOR: i64 = 20_000;

/// `STAKEHOLD_SEED`, or always the same.
fn seed() -> u64 {
    let seed = std::env::var("STAKEHOLD_SEED").map_or(1, |text| text.parse().unwrap());
    eprintln!("STAKEHOLD_SEED={seed} repeats this run's choices");
    seed
}

/// Opens an account at each region, makes the market at the first, and waits until everyone knows everything.
async fn open(cluster: &Cluster) -> Vec<String> {
    let mut accounts = Vec::new();
    for n in 0..cluster.nodes.len() {
        accounts.push(cluster.funded(n, "punter", &amount(STARTING_MINOR)).await.0);
    }
    make_market(&cluster.nodes[0].client).await;
    cluster.converged().await;
    for n in 0..cluster.nodes.len() {
        sellable(cluster, n).await;
    }
    accounts
}

/// Waits until the market is on sale at a region.
async fn sellable(cluster: &Cluster, n: usize) {
    let until = Instant::now() + Duration::from_secs(15);
    loop {
        let reply = cluster.nodes[n].client.get(&format!("/v1/markets/{MARKET}")).await;
        if reply.status == 200 && reply.json()["sellable"] == true {
            return;
        }
        assert!(Instant::now() < until, "not on sale: {reply}");
        sleep(Duration::from_millis(20)).await;
    }
}

async fn place(client: &Client, id: &str, account: &str, stake_minor: i64) -> Reply {
    client.send(Call::post("/v1/wagers").json(&wager(id, account, &amount(stake_minor)))).await
}

async fn known(client: &Client, id: &str) -> Value {
    client.get(&format!("/v1/wagers/{id}")).await.expect(&[200]).json()
}

/// Every region shows this of an account: free money and what is reserved, in minor units.
async fn holds(cluster: &Cluster, account: &str, free: i64, reserved: i64) {
    for node in &cluster.nodes {
        let view = node.client.get(&format!("/v1/accounts/{account}")).await.expect(&[200]).json();
        let has = (minor(&view["balance"]), minor(&view["reserved"]), minor(&view["debt"]));
        assert_eq!(has, (free, reserved, 0), "{account} at {}: {view}", node.name);
        // The regions' shares are all there is, and nothing is under way any more.
        let shares = view["shares"].as_array().unwrap();
        let sum = |key: &str| shares.iter().map(|share| minor(&share[key])).sum::<i64>();
        assert_eq!((sum("free"), sum("reserved")), (free, reserved), "{account} at {}: {view}", node.name);
        assert_eq!(minor(&view["in_transfer"]), 0, "{account} at {}: {view}", node.name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_kill_9() {
    let seed = seed();
    let mut random = Pcg64Mcg::seed_from_u64(seed);
    let mut cluster = Cluster::start(Spec { freshness_ms: 60_000, ..Spec::default() }).await;
    let accounts = open(&cluster).await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut bettors = Vec::new();
    for (n, node) in cluster.nodes.iter().enumerate() {
        // Mostly money at home, sometimes the first region's, which has to be borrowed.
        let mine = vec![accounts[n].clone(), accounts[n].clone(), accounts[0].clone()];
        let bettor = Bettor::new(n, node.http, mine, random.next_u64());
        bettors.push(tokio::spawn(bettor.bet(Arc::clone(&stop))));
    }
    for round in 0..8 {
        sleep(Duration::from_millis(random.random_range(100..900))).await;
        let victim = random.random_range(0..cluster.nodes.len());
        cluster.kill(victim);
        sleep(Duration::from_millis(random.random_range(0..300))).await;
        cluster.launch(victim);
        // The others take a while to notice, and it serves meanwhile: sometimes the next one dies before they have.
        if round % 3 == 0 {
            cluster.ready(victim).await;
        } else {
            cluster.takes_money(victim).await;
        }
    }
    sleep(Duration::from_millis(300)).await;
    stop.store(true, Ordering::SeqCst);
    let mut memory = Memory::default();
    for bettor in bettors {
        let one = bettor.await.unwrap();
        memory.acted.extend(one.acted);
        memory.lost += one.lost;
        memory.undecided += one.undecided;
    }
    let mut outcomes: BTreeMap<String, usize> = BTreeMap::new();
    for acted in &memory.acted {
        let code = &acted.answer["problems"][0]["code"];
        *outcomes.entry(format!("{} {}", acted.answer["status"], code)).or_default() += 1;
    }
    eprintln!("{outcomes:?}");
    let Memory { acted, lost, undecided } = &memory;
    eprintln!("{} acted, {lost} without an answer, {undecided} undecided", acted.len());
    let accepted = memory.acted.iter().filter(|a| a.is_wager() && a.accepted()).count();
    assert!(accepted > 100, "only {accepted} wagers were accepted");
    assert!(memory.lost > 0, "no request was in flight when a region died");
    assert!(memory.acted.iter().any(|a| a.is_wager() && a.accepted() && a.account != accounts[a.region]));
    cluster.converged().await;
    remembered(&cluster, &memory.acted).await;
    let mut money: BTreeMap<&str, (i64, i64)> = accounts.iter().map(|a| (a.as_str(), (STARTING_MINOR, 0))).collect();
    for acted in &memory.acted {
        let (free, reserved) = money.get_mut(acted.account.as_str()).unwrap();
        if !acted.is_wager() {
            *free += acted.minor;
        } else if acted.accepted() {
            *free -= acted.minor;
            *reserved += acted.minor;
        }
    }
    for (account, (free, reserved)) in money {
        assert!(free >= 0, "{account} is overdrawn");
        holds(&cluster, account, free, reserved).await;
    }
}

/// The same request again gets the same answer, and every region knows the wager.
async fn remembered(cluster: &Cluster, acted: &[Acted]) {
    for acted in acted {
        let again = cluster.nodes[acted.region].client.send(Call::post(&acted.path).json(&acted.body)).await;
        assert!(again.status == 200 && again.replayed, "forgotten: {again}\nanswered before: {}", acted.answer);
        assert_eq!(again.json(), acted.answer, "another answer than before: {again}");
        for node in cluster.nodes.iter().filter(|_| acted.is_wager()) {
            let view = known(&node.client, acted.id()).await;
            assert_eq!((&view["status"], &view["definitive"]), (&acted.answer["status"], &json!(true)), "{view}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_region_that_is_cut_off_sells_at_home_while_its_odds_are_fresh_and_joins_again() {
    const CUT: usize = 1;
    const FRESHNESS_MS: u64 = 4_000;
    let relayed = Some(Duration::from_millis(3));
    let cluster = Cluster::start(Spec { freshness_ms: FRESHNESS_MS, relayed, ..Spec::default() }).await;
    let accounts = open(&cluster).await;
    let (far, near) = (&cluster.nodes[CUT].client, &cluster.nodes[0].client);
    let (mut sold_minor, mut sold) = (0, Vec::new());

    cluster.cut(CUT);
    let since = Instant::now();
    let first = mint(far, "wager").await;
    let accepted = place(far, &first, &accounts[CUT], 10).await.expect(&[201]).json();
    (sold_minor, sold) = (sold_minor + 10, {
        sold.push(first.clone());
        sold
    });

    // A retry elsewhere is never a second bet, and nobody pretends to know.
    let retried = place(near, &first, &accounts[CUT], 10).await.expect(&[202]).json();
    assert_eq!((&retried["status"], &retried["why"]), (&json!("pending"), &json!("owner_unreachable")), "{retried}");
    let view = known(near, &first).await;
    assert_eq!((&view["status"], &view["definitive"]), (&json!("pending"), &json!(false)), "{view}");

    // Money whose rights are elsewhere cannot be had; nothing is recorded, so the same id may come again.
    let borrowing = mint(far, "wager&place_by_ms=600000").await;
    let call = Call::post("/v1/wagers").json(&wager(&borrowing, &accounts[0], "0.20")).wait(200);
    let refused = far.send(call).await.expect(&[503]);
    assert!(["insufficient_local_funds", "region_unreachable"].contains(&refused.code().as_str()), "{refused}");
    assert_eq!((&refused.json()["decided"], &refused.json()["recorded"]), (&json!(false), &json!(false)), "{refused}");

    let stale_by = Duration::from_millis(FRESHNESS_MS * 2 + 2_000);
    let rejected = loop {
        let id = mint(far, "wager").await;
        let reply = place(far, &id, &accounts[CUT], 10).await.expect(&[200, 201]);
        if reply.status == 200 {
            assert_eq!(reply.json()["problems"], json!([{"leg": 0, "code": "odds_stale"}]), "{reply}");
            break (id, reply.json());
        }
        (sold_minor, sold) = (sold_minor + 10, {
            sold.push(id);
            sold
        });
        assert!(since.elapsed() < stale_by, "still selling {:?} after the cut", since.elapsed());
        sleep(Duration::from_millis(50)).await;
    };
    assert!(sold.len() > 1, "it sold nothing while its odds were fresh");
    let shown = far.get(&format!("/v1/markets/{MARKET}")).await.expect(&[200]).json();
    assert_eq!((&shown["sellable"], &shown["refusal"]), (&json!(false), &json!("odds_stale")));
    // Postings of its own go on, and so does everyone else.
    let posting = json!({"id": mint(far, "posting").await, "amount": "1.00"});
    far.send(Call::post(&format!("/v1/accounts/{}/deposits", accounts[CUT])).json(&posting)).await.expect(&[201]);
    let elsewhere = mint(near, "wager").await;
    place(near, &elsewhere, &accounts[0], 30).await.expect(&[201]);
    // One side suspends; the other, which cannot know of it, makes sure that the market is open.
    let act = |act: &str| Call::post(&format!("/v1/markets/{MARKET}/{act}"));
    near.send(act("suspend")).await.expect(&[200]);
    far.send(act("resume")).await.expect(&[200]);

    cluster.heal();
    cluster.converged().await;
    for (n, node) in cluster.nodes.iter().enumerate() {
        let shown = node.client.get(&format!("/v1/markets/{MARKET}")).await.expect(&[200]).json();
        assert_eq!((&shown["status"], &shown["held"]), (&json!("suspended"), &json!(true)), "{}", node.name);
        let id = mint(&node.client, "wager").await;
        let reply = place(&node.client, &id, &accounts[n], 10).await.expect(&[200]);
        assert_eq!(reply.json()["status"], "rejected", "{reply}");
    }
    for id in &sold {
        let (there, here) = (known(far, id).await, known(near, id).await);
        assert_eq!(there, here);
        assert_eq!(here["status"], "accepted", "{here}");
    }
    for key in ["placed_at", "total_stake", "legs"] {
        assert_eq!(known(near, &first).await[key], accepted[key], "{key}");
    }
    assert_eq!(known(near, &rejected.0).await["problems"], rejected.1["problems"]);
    let retried = place(near, &first, &accounts[CUT], 10).await.expect(&[200]);
    assert!(retried.replayed, "a decision is told anywhere: {retried}");
    far.send(act("resume")).await.expect(&[200]);
    sellable(&cluster, CUT).await;
    let call = Call::post("/v1/wagers").json(&wager(&borrowing, &accounts[0], "0.20")).wait(5_000);
    far.send(call).await.expect(&[201]);
    cluster.converged().await;
    holds(&cluster, &accounts[CUT], STARTING_MINOR + 100 - sold_minor, sold_minor).await;
    holds(&cluster, &accounts[0], STARTING_MINOR - 50, 50).await;
}

/// Whether `from` says that it is linked with `to`.
async fn linked(cluster: &Cluster, from: usize, to: usize) -> bool {
    let regions = cluster.nodes[from].client.get("/admin/v1/regions").await.expect(&[200]).json();
    let region = regions["regions"].as_array().unwrap().iter().find(|r| r["name"] == cluster.nodes[to].name);
    region.unwrap()["connected"] == true
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_region_of_another_authority_or_cluster_is_refused() {
    let mut cluster = Cluster::start(Spec::default()).await;
    let accounts = open(&cluster).await;
    assert!(linked(&cluster, 0, 2).await && linked(&cluster, 1, 2).await);
    cluster.kill(2);
    for name in [CLUSTER, "elsewhere"] {
        let mut impostor = cluster.impostor(2, name).await;
        let until = Instant::now() + Duration::from_secs(10);
        while linked(&cluster, 0, 2).await || linked(&cluster, 1, 2).await {
            assert!(Instant::now() < until, "the dead region's links are still said to be up");
            sleep(Duration::from_millis(50)).await;
        }
        // Long enough for several attempts of all sides.
        let until = Instant::now() + Duration::from_secs(3);
        while Instant::now() < until {
            for (n, account) in accounts.iter().enumerate().take(2) {
                assert!(!linked(&cluster, n, 2).await, "{} took the impostor in", cluster.nodes[n].name);
                let id = mint(&cluster.nodes[n].client, "wager").await;
                place(&cluster.nodes[n].client, &id, account, 1).await.expect(&[201]);
            }
            assert!(impostor.is_running(), "the impostor stopped by itself\n{}", impostor.last_words());
            sleep(Duration::from_millis(100)).await;
        }
        // It has a new directory and has heard nobody: it writes nothing.
        let opening = Call::put("/v1/accounts/thief@ap-south").json(&json!({"currency": "GBP"}));
        let refused = cluster.nodes[2].client.send(opening).await.expect(&[503]);
        assert_eq!(refused.code(), "not_ready");
        impostor.kill();
    }
    cluster.launch(2);
    cluster.ready(2).await;
    cluster.converged().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_broken_link_stops_nothing() {
    const FRESHNESS_MS: u64 = 9_000;
    let relayed = Some(Duration::from_millis(3));
    let cluster = Cluster::start(Spec { freshness_ms: FRESHNESS_MS, relayed, ..Spec::default() }).await;
    let accounts = open(&cluster).await;
    cluster.cut_link(0, 2);
    let until = Instant::now() + Duration::from_millis(FRESHNESS_MS * 2);
    let far = &cluster.nodes[2].client;
    let (mut prices, mut sold) = (0, 0);
    while Instant::now() < until {
        // A new price at one end, sold at the other at once: both its values and its freshness come by way of the third.
        let odds = format!("2.{}", 10 + prices % 80);
        let price = json!([{"market": MARKET, "outcome": OUTCOME, "odds": odds}]);
        let written = cluster.nodes[0].client.send(Call::post("/v1/odds").json(&price)).await.expect(&[200]);
        let id = mint(far, "wager&place_by_ms=600000").await;
        let mut body = wager(&id, &accounts[2], "0.10");
        body["legs"][0]["odds"] = json!(odds);
        let call = Call::post("/v1/wagers").json(&body).after(&written.token, 15_000);
        let reply = far.send(call).await.expect(&[201]);
        let call = Call::get(&format!("/v1/wagers/{id}")).after(&reply.token, 15_000);
        let view = cluster.nodes[0].client.send(call).await.expect(&[200]).json();
        assert_eq!(view["status"], "accepted", "{view}");
        (prices, sold) = (prices + 1, sold + 10);
        sleep(Duration::from_millis(300)).await;
    }
    assert!(prices > 10, "only {prices} prices crossed");
    assert!(!linked(&cluster, 0, 2).await, "the link was not cut");
    cluster.converged().await;
    cluster.heal();
    holds(&cluster, &accounts[2], STARTING_MINOR - sold, sold).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_region_whose_disk_was_wiped_is_read_only_and_says_why_and_may_come_back_as_another() {
    let mut cluster = Cluster::start(Spec::default()).await;
    let accounts = open(&cluster).await;
    let id = mint(&cluster.nodes[2].client, "wager").await;
    place(&cluster.nodes[2].client, &id, &accounts[2], 10).await.expect(&[201]);
    cluster.converged().await;
    cluster.kill(2);
    cluster.wipe(2);
    cluster.launch(2);
    let why = cluster.quarantined(2).await;
    assert!(why.contains("--incarnation 2"), "the reason does not say what to do: {why}");
    for (n, account) in accounts.iter().enumerate().take(2) {
        let client = &cluster.nodes[n].client;
        assert_eq!(known(client, &id).await["status"], "accepted", "the others keep what it had said");
        let id = mint(client, "wager").await;
        place(client, &id, account, 10).await.expect(&[201]);
    }
    // As another incarnation it learns everything from the others, and sells with money that is not lost with the disk.
    cluster.kill(2);
    cluster.wipe(2);
    cluster.reincarnate(2, 2);
    cluster.launch(2);
    cluster.ready(2).await;
    sellable(&cluster, 2).await;
    cluster.converged().await;
    let client = &cluster.nodes[2].client;
    assert_eq!(known(client, &id).await["status"], "accepted", "it has forgotten what it had said");
    let id = mint(client, "wager").await;
    let borrowed = Call::post("/v1/wagers").json(&wager(&id, &accounts[0], "0.10")).wait(5_000);
    client.send(borrowed).await.expect(&[201]);
    cluster.converged().await;
    holds(&cluster, &accounts[0], STARTING_MINOR - 20, 20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_region_told_to_stop_stops_cleanly_and_comes_back_with_everything() {
    let mut cluster = Cluster::start(Spec { regions: 1, ..Spec::default() }).await;
    let accounts = open(&cluster).await;
    let client = &cluster.nodes[0].client;
    let id = mint(client, "wager").await;
    place(client, &id, &accounts[0], 10).await.expect(&[201]);
    let (wager, digest) = (known(client, &id).await, client.get("/admin/v1/digest").await.json());
    let process = cluster.nodes[0].process.as_mut().unwrap();
    process.terminate();
    let status = process.exited(Duration::from_secs(10)).await;
    assert!(status.success(), "{status}\n{}", process.last_words());
    cluster.launch(0);
    cluster.ready(0).await;
    let client = &cluster.nodes[0].client;
    assert_eq!((known(client, &id).await, client.get("/admin/v1/digest").await.json()), (wager, digest));
}

/// Sends a request twice at the same time on two connections, then once more.
async fn thrice(cluster: &Cluster, n: usize, call: &Call) -> [Reply; 3] {
    let other = Client::new(cluster.nodes[n].http);
    let client = &cluster.nodes[n].client;
    let (first, second) = tokio::join!(client.send(call.clone()), other.send(call.clone()));
    [first, second, client.send(call.clone()).await]
}

/// One did it, the others hear the same answer.
fn once(replies: &[Reply; 3]) {
    let made = replies.iter().filter(|r| r.status == 201 && !r.replayed).count();
    let replayed = replies.iter().filter(|r| r.status == 200 && r.replayed).count();
    assert_eq!((made, replayed), (1, 2), "{}\n{}\n{}", replies[0], replies[1], replies[2]);
    assert!(replies.iter().all(|r| r.json() == replies[0].json()), "{}\n{}\n{}", replies[0], replies[1], replies[2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_sent_twice_counts_once() {
    const AT: usize = 1;
    let cluster = Cluster::start(Spec::default()).await;
    let accounts = open(&cluster).await;
    let node = &cluster.nodes[AT];
    let opening = Call::put(&format!("/v1/accounts/other@{}", node.name)).json(&json!({"currency": "GBP"}));
    let mut statuses = thrice(&cluster, AT, &opening).await.map(|r| r.status);
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 201], "accounts");

    let mut free = [STARTING_MINOR, STARTING_MINOR, STARTING_MINOR];
    let mut reserved = [0, 0, 0];
    for whose in [AT, 0, 2, AT, 0, 2] {
        let posting = json!({"id": mint(&node.client, "posting").await, "amount": "3.00"});
        let path = format!("/v1/accounts/{}/deposits", accounts[whose]);
        once(&thrice(&cluster, AT, &Call::post(&path).json(&posting)).await);
        // Not all of it is here: the others' money is borrowed, and both copies of the request wait for it.
        let id = mint(&node.client, "wager").await;
        let call = Call::post("/v1/wagers").json(&wager(&id, &accounts[whose], "1.00")).wait(5_000);
        once(&thrice(&cluster, AT, &call).await);
        free[whose] += 200;
        reserved[whose] += 100;
        let other = Call::post("/v1/wagers").json(&wager(&id, &accounts[whose], "1.01"));
        assert_eq!(node.client.send(other).await.expect(&[409]).code(), "id_reused");
    }
    let ids = node.client.send(Call::post("/v1/ids?count=200")).await.expect(&[200]).json();
    let items: Vec<Value> =
        (ids["ids"].as_array().unwrap().iter()).map(|id| wager(id.as_str().unwrap(), &accounts[AT], "0.10")).collect();
    let batches = thrice(&cluster, AT, &Call::post("/v1/wagers/batch").json(&json!({"items": items}))).await;
    let batches = batches.map(|r| r.expect(&[200]).json());
    for item in 0..items.len() {
        let mut statuses: Vec<u64> =
            batches.iter().map(|b| b["items"][item]["http_status"].as_u64().unwrap()).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 200, 201], "{}", batches[0]["items"][item]);
        assert!(batches.iter().all(|b| b["items"][item]["body"] == batches[0]["items"][item]["body"]));
    }
    free[AT] -= 2_000;
    reserved[AT] += 2_000;
    cluster.converged().await;
    for whose in 0..3 {
        holds(&cluster, &accounts[whose], free[whose], reserved[whose]).await;
    }
    // Settled once, however often the result is told.
    let result = json!({"results": [{"outcome": OUTCOME, "result": "won"}, {"outcome": "away", "result": "lost"}]});
    let results = thrice(&cluster, 0, &Call::post(&format!("/v1/markets/{MARKET}/result")).json(&result)).await;
    let _ = results.map(|r| r.expect(&[200]));
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        cluster.converged().await;
        let mut open = 0;
        for account in &accounts {
            let view = node.client.get(&format!("/v1/accounts/{account}")).await.expect(&[200]).json();
            open += minor(&view["reserved"]);
        }
        if open == 0 {
            break;
        }
        assert!(Instant::now() < until, "{open} still reserved");
        sleep(Duration::from_millis(50)).await;
    }
    for whose in 0..3 {
        holds(&cluster, &accounts[whose], free[whose] + reserved[whose] * 5 / 2, 0).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rubbish_changes_nothing() {
    let cluster = Cluster::start(Spec { regions: 2, ..Spec::default() }).await;
    let accounts = open(&cluster).await;
    let node = &cluster.nodes[0];
    let before = cluster.converged().await;
    let id = mint(&node.client, "wager").await;
    let good = wager(&id, &accounts[0], "1.00");
    let with = |key: &str, value: Value| {
        let mut body = good.clone();
        body[key] = value;
        Call::post("/v1/wagers").json(&body)
    };
    let leg = |market: &str, outcome: &str, odds: &str| json!([{"market": market, "outcome": outcome, "odds": odds}]);
    let deposits = format!("/v1/accounts/{}/deposits", accounts[0]);
    let posting = mint(&node.client, "posting").await;
    let deposit = |amount: &str| Call::post(&deposits).json(&json!({"id": posting, "amount": amount}));
    let calls: Vec<(Call, u16, &str)> = vec![
        (Call::post("/v1/wagers").body("{"), 422, "malformed_json"),
        (Call::post("/v1/wagers").body(""), 422, "malformed_json"),
        (Call::post("/v1/wagers").body(vec![0xff; 4_096]), 422, "malformed_json"),
        (Call::post("/v1/wagers").body("[".repeat(100_000)), 422, "malformed_json"),
        (with("colour", json!("red")), 422, "malformed"),
        (with("unit_stake", json!("-1.00")), 422, "malformed"),
        (with("unit_stake", json!("1.001")), 422, "malformed"),
        (with("unit_stake", json!("0.00")), 422, "malformed"),
        (with("unit_stake", json!(1)), 422, "malformed"),
        (with("unit_stake", json!("9".repeat(60))), 422, "malformed"),
        (with("total_stake", json!("2.00")), 422, "stake_mismatch"),
        (with("durability", json!("far")), 422, "malformed"),
        (with("legs", json!([])), 422, "malformed"),
        (with("legs", leg(MARKET, OUTCOME, "1")), 422, "malformed"),
        (with("legs", leg(MARKET, OUTCOME, "0.5")), 422, "malformed"),
        (with("legs", leg(MARKET, OUTCOME, "NaN")), 422, "malformed"),
        (with("legs", leg("cup:other", OUTCOME, "2.5")), 404, "market_unknown"),
        (with("legs", leg(MARKET, "nobody", "2.5")), 404, "selection_unknown"),
        (with("account", json!("nobody@eu-west")), 404, "account_unknown"),
        (with("id", json!("a2f6c1de-0000-4000-8000-000000000000")), 422, "malformed"),
        (deposit("-5.00"), 422, "malformed"),
        (deposit("0.001"), 422, "malformed"),
        (Call::put("/v1/accounts/thief@atlantis").json(&json!({"currency": "GBP"})), 422, "malformed"),
        (Call::get("/v1/wagers/nonsense"), 422, "malformed"),
        (Call::get("/v1/nothing"), 404, "not_found"),
        (Call::get("/v1/ids"), 405, "method_not_allowed"),
        (Call::get("/admin/v1/digest").after("!!!", 0), 422, "token_malformed"),
    ];
    for (call, status, code) in calls {
        let reply = node.client.send(call).await;
        assert_eq!((reply.status, reply.code().as_str()), (status, code), "{reply}");
    }
    let lines = "not json\n{\"op\":\"mcm\"}\n\n{\"op\":\"mcm\",\"pt\":1,\"mc\":[{\"id\":\"1.1\",\"rc\":[]}]}\n";
    let report = node.client.send(Call::post("/v1/feeds/betfair").body(lines)).await.expect(&[200]).json();
    assert_eq!((&report["messages"], &report["applied"]), (&json!(3), &json!(0)), "{report}");
    let lines: Vec<_> = report["refused"].as_array().unwrap().iter().map(|r| r["line"].clone()).collect();
    assert_eq!(lines, [1, 2, 4], "{report}");
    too_large(node, &deposits).await;
    bytes_at_random(&cluster).await;
    assert_eq!(cluster.converged().await, before, "rubbish changed something");
    assert!(linked(&cluster, 0, 1).await && linked(&cluster, 1, 0).await, "rubbish broke the link");
    let reply = place(&node.client, &id, &accounts[0], 100).await.expect(&[201]);
    let call = Call::get(&format!("/v1/wagers/{id}")).after(&reply.token, 5_000);
    assert_eq!(cluster.nodes[1].client.send(call).await.expect(&[200]).json()["status"], "accepted");
}

/// A body over the limit is refused when its length is stated, before any of it is read.
async fn too_large(node: &Node, path: &str) {
    let mut stream = tokio::net::TcpStream::connect(node.http).await.unwrap();
    let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", 9 << 20);
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4_096];
    let length = timeout(Duration::from_secs(10), stream.read(&mut answer)).await.expect("no answer").unwrap();
    let answer = String::from_utf8_lossy(&answer[..length]);
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("\"body_too_large\""), "{answer}");
    // Sent all the same, its sender may see the connection end before the answer; but it is not taken.
    if let Ok(reply) = node.client.try_send(Call::post(path).body(vec![b' '; 9 << 20])).await {
        assert_eq!((reply.status, reply.code().as_str()), (413, "body_too_large"), "{reply}");
    }
}

/// Random datagrams at the gossip ports, random bytes and half requests at the HTTP ports.
async fn bytes_at_random(cluster: &Cluster) {
    let mut random = Pcg64Mcg::seed_from_u64(seed());
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut bytes = [0_u8; 1_400];
    let mut held = Vec::new();
    for round in 0..2_000 {
        random.fill_bytes(&mut bytes);
        // Every other one begins like a long header of QUIC version 1.
        if round % 2 == 0 {
            let head = [0xc0 | (bytes[0] & 0x3f), 0, 0, 0, 1];
            bytes[..head.len()].copy_from_slice(&head);
        }
        let length = random.random_range(1..bytes.len());
        for node in &cluster.nodes {
            socket.send_to(&bytes[..length], node.gossip).unwrap();
        }
        if round % 100 == 0 {
            let mut stream = std::net::TcpStream::connect(cluster.nodes[0].http).unwrap();
            let half = b"POST /v1/wagers HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{\"id\":";
            let _ = if round % 200 == 0 { stream.write_all(half) } else { stream.write_all(&bytes) };
            held.push(stream);
            sleep(Duration::from_millis(5)).await;
        }
    }
}
