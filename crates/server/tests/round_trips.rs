//! What an answer costs between three real regions with a delay injected by the tests' own UDP relays: a bet at home
//! none of it, a borrow and a retry in another region one round trip. And with the link to the home cut, rights, ids and
//! accounts are asked round it.
//!
//! The machine may be busy with other tests, so each bound is held by the fastest of a few tries: a second round trip
//! would be in every one of them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed test is what a panic is for")]

#[allow(dead_code, reason = "each test binary uses its part")]
mod harness;

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use harness::desk::{MARKET, amount, make_market, wager};
use harness::{Call, Client, Cluster, Reply, Spec, minor, mint};

/// One way between any two regions: far above what two busy cores need for the rest.
const DELAY: Duration = Duration::from_millis(120);
/// Tries of each kind.
const TRIES: usize = 5;

async fn cluster() -> Cluster {
    let spec = Spec { freshness_ms: 120_000, relayed: Some(DELAY), ..Spec::default() };
    let cluster = Cluster::start(spec).await;
    make_market(&cluster.nodes[0].client).await;
    cluster
}

/// Waits until everything is everywhere and the market is on sale.
async fn settled(cluster: &Cluster) {
    cluster.converged().await;
    for node in &cluster.nodes {
        let until = Instant::now() + Duration::from_secs(30);
        while node.client.get(&format!("/v1/markets/{MARKET}")).await.json()["sellable"] != true {
            assert!(Instant::now() < until, "{}: the market is not on sale", node.name);
            sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn place(client: &Client, id: &str, account: &str) -> (Reply, Duration) {
    let mut body = wager(id, account, &amount(100));
    body["wait_ms"] = json!(20_000);
    let began = Instant::now();
    let reply = client.send(Call::post("/v1/wagers").json(&body)).await;
    (reply, began.elapsed())
}

/// Waits until a region says that requests to `region` go through that one.
async fn goes_through(client: &Client, region: usize, through: &Value) {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let view = client.get("/admin/v1/regions").await.expect(&[200]).json();
        let of = view["regions"].as_array().unwrap().iter().find(|r| r["number"] == region).unwrap().clone();
        if of["reached_through"] == *through {
            return;
        }
        assert!(Instant::now() < until, "not reached so: {of}");
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bet_at_home_waits_for_nobody_and_a_borrow_or_a_retry_elsewhere_for_one_round_trip() {
    let cluster = cluster().await;
    let (home, away) = (&cluster.nodes[0].client, &cluster.nodes[1].client);
    let mut players = Vec::new();
    for n in 0..TRIES {
        let (anna, _) = cluster.funded(0, &format!("anna{n}"), "50.00").await;
        let (ben, _) = cluster.funded(1, &format!("ben{n}"), "50.00").await;
        players.push((anna, ben));
    }
    settled(&cluster).await;
    let (mut local, mut borrowed, mut retried) = (Vec::new(), Vec::new(), Vec::new());
    for (anna, ben) in &players {
        let id = mint(home, "wager&place_by_ms=600000").await;
        let (reply, took) = place(home, &id, anna).await;
        reply.expect(&[201]);
        local.push(took);
        let id = mint(away, "wager&place_by_ms=600000").await;
        let (reply, took) = place(away, &id, anna).await;
        reply.expect(&[201]);
        borrowed.push(took);
        // An id of eu-west that eu-west never saw; the money is at us-east.
        let id = mint(home, "wager&place_by_ms=600000").await;
        let (reply, took) = place(away, &id, ben).await;
        reply.expect(&[201]);
        retried.push(took);
    }
    let fastest = |all: &[Duration]| *all.iter().min().unwrap();
    assert!(fastest(&local) < DELAY, "at home, with {DELAY:?} one way: {local:?}");
    for (what, all) in [("a borrow", &borrowed), ("a retry", &retried)] {
        assert!(fastest(all) >= DELAY * 2, "{what} cannot be faster than light: {all:?}");
        assert!(fastest(all) < DELAY * 4, "{what} costs more than one round trip of {:?}: {all:?}", DELAY * 2);
    }
    cluster.converged().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_one_link_of_three_cut_rights_ids_and_accounts_are_asked_round_it() {
    let cluster = cluster().await;
    let (home, away) = (&cluster.nodes[0].client, &cluster.nodes[1].client);
    let (anna, _) = cluster.funded(0, "anna", "50.00").await;
    settled(&cluster).await;
    cluster.cut_link(0, 1);
    goes_through(away, 1, &json!("ap-south")).await;
    goes_through(home, 2, &json!("ap-south")).await;
    let id = mint(away, "wager&place_by_ms=600000").await;
    place(away, &id, &anna).await.0.expect(&[201]);
    let id = mint(home, "wager&place_by_ms=600000").await;
    let (reply, _) = place(away, &id, &anna).await;
    assert_eq!(reply.expect(&[201]).json()["region"], "us-east", "an id of eu-west is handed over round the cut link");
    let opened = Call::put("/v1/accounts/ben@eu-west").json(&json!({"currency": "GBP"})).wait(5_000);
    away.send(opened).await.expect(&[200, 201]);
    cluster.converged().await;
    for node in &cluster.nodes {
        let view = node.client.get(&format!("/v1/accounts/{anna}")).await.expect(&[200]).json();
        assert_eq!((minor(&view["reserved"]), minor(&view["balance"])), (200, 4_800), "{}: {view}", node.name);
    }
    // With its other link cut as well, it can ask nobody.
    cluster.cut_link(1, 2);
    goes_through(away, 1, &Value::Null).await;
    let id = mint(home, "wager&place_by_ms=600000").await;
    let mut body = wager(&id, &anna, "1.00");
    body["wait_ms"] = json!(500);
    let noted = away.send(Call::post("/v1/wagers").json(&body)).await.expect(&[202]).json();
    assert_eq!(noted["why"], "owner_unreachable", "{noted}");
    cluster.heal();
    goes_through(away, 1, &Value::Null).await;
    cluster.converged().await;
}
