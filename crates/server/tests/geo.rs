//! Level geo on three real regions: a stake above the account's window is pending while its region is cut off, through a
//! `kill -9`, and accepted by itself in every region once the others can hear of it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed test is what a panic is for")]

#[allow(dead_code, reason = "each test binary uses its part")]
mod harness;

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use harness::desk::{MARKET, amount, make_market, wager};
use harness::{Call, Client, Cluster, Reply, Spec, minor, mint};

/// What may be staked of one account before another region knows, minor units.
const WINDOW: u64 = 1_000;
const FUNDS: i64 = 10_000;
const WITHIN: Duration = Duration::from_secs(20);

async fn place(client: &Client, id: &str, account: &str, stake_minor: i64) -> Reply {
    let mut body = wager(id, account, &amount(stake_minor));
    body["wait_ms"] = json!(300);
    client.send(Call::post("/v1/wagers").json(&body)).await
}

async fn status(client: &Client, id: &str) -> Value {
    client.get(&format!("/v1/wagers/{id}")).await.expect(&[200, 202]).json()
}

async fn sellable(client: &Client) {
    let until = Instant::now() + WITHIN;
    while client.get(&format!("/v1/markets/{MARKET}")).await.json()["sellable"] != true {
        assert!(Instant::now() < until, "the market is not on sale");
        sleep(Duration::from_millis(20)).await;
    }
}

async fn accepted(client: &Client, id: &str) -> Value {
    let until = Instant::now() + WITHIN;
    loop {
        let view = status(client, id).await;
        if view["status"] == "accepted" {
            return view;
        }
        assert!(Instant::now() < until, "healed, and never accepted: {view}");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stake_above_the_window_is_pending_until_another_region_knows() {
    let spec =
        Spec { freshness_ms: 60_000, relayed: Some(Duration::from_millis(5)), window: Some(WINDOW), ..Spec::default() };
    let mut cluster = Cluster::start(spec).await;
    let (anna, _) = cluster.funded(0, "anna", &amount(FUNDS)).await;
    make_market(&cluster.nodes[0].client).await;
    cluster.converged().await;
    for node in &cluster.nodes {
        sellable(&node.client).await;
    }
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(mint(&cluster.nodes[0].client, "wager&place_by_ms=600000").await);
    }
    // Linked, it is accepted within the call: the others know at once.
    place(&cluster.nodes[0].client, &ids[0], &anna, 2_000).await.expect(&[201]);

    cluster.cut(0);
    let home = &cluster.nodes[0].client;
    let small = place(home, &ids[1], &anna, 500).await.expect(&[201]).json();
    assert_eq!(small["status"], "accepted", "within the window nobody is waited for: {small}");
    let pending = place(home, &ids[2], &anna, 3_000).await.expect(&[202]).json();
    assert_eq!((&pending["status"], &pending["why"]), (&json!("pending"), &json!("awaiting_ack")), "{pending}");
    assert_eq!(status(home, &ids[2]).await["status"], "pending");
    for node in &cluster.nodes[1..] {
        let view = node.client.get(&format!("/v1/wagers/{}", ids[2])).await;
        assert!(view.json()["status"] != "accepted", "{}: {view}", node.name);
    }

    cluster.kill(0);
    cluster.launch(0);
    cluster.takes_money(0).await;
    let home = &cluster.nodes[0].client;
    assert_eq!(status(home, &ids[2]).await["status"], "pending", "the disk remembers, and nobody else knows yet");
    let again = place(home, &ids[2], &anna, 3_000).await.expect(&[202]);
    assert!(again.json()["status"] == "pending", "{again}");
    let other = place(home, &ids[2], &anna, 3_001).await.expect(&[409]);
    assert_eq!(other.code(), "id_reused");

    cluster.heal();
    for node in &cluster.nodes {
        let view = accepted(&node.client, &ids[2]).await;
        assert_eq!(view["region"], "eu-west", "{}: {view}", node.name);
    }
    let again = place(&cluster.nodes[0].client, &ids[2], &anna, 3_000).await.expect(&[200]);
    assert!(again.replayed && again.json()["status"] == "accepted", "{again}");
    cluster.converged().await;
    for node in &cluster.nodes {
        let view = node.client.get(&format!("/v1/accounts/{anna}")).await.expect(&[200]).json();
        assert_eq!(minor(&view["reserved"]), 2_000 + 500 + 3_000, "each stake once, at {}: {view}", node.name);
    }
}
