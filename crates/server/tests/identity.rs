//! Real regions whose identity is in doubt: a wiped directory, an old one, and two processes with one identity. Each is
//! noticed, writes nothing, says why and what to do, and serves reads; the others go on.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed test is what a panic is for")]

#[allow(dead_code, reason = "each test binary uses its part")]
mod harness;

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};

use harness::desk::{MARKET, OUTCOME, make_market, wager};
use harness::{Call, Client, Cluster, Spec, mint};

/// Opens an account at each region, makes the market at the second, and waits until everyone knows everything.
async fn open(cluster: &Cluster) -> Vec<String> {
    let mut accounts = Vec::new();
    for n in 0..cluster.nodes.len() {
        accounts.push(cluster.funded(n, "punter", "200.00").await.0);
    }
    make_market(&cluster.nodes[1].client).await;
    cluster.converged().await;
    accounts
}

/// Places a wager with money that is there; it may take a moment until the market is on sale.
async fn sells(client: &Client, account: &str) -> String {
    let id = mint(client, "wager").await;
    let until = Instant::now() + Duration::from_secs(15);
    loop {
        let reply = client.send(Call::post("/v1/wagers").json(&wager(&id, account, "0.10"))).await;
        if reply.status == 201 {
            return id;
        }
        assert!(Instant::now() < until, "not sold: {reply}");
        sleep(Duration::from_millis(50)).await;
    }
}

/// Everything that writes is refused with the reason and what to do; reads are answered, from `account` on.
async fn read_only(client: &Client, number: usize, account: &str) {
    let opening =
        Call::put(&format!("/v1/accounts/thief@{}", harness::NAMES[number - 1])).json(&json!({"currency": "GBP"}));
    let price = Call::post("/v1/odds").json(&json!([{"market": MARKET, "outcome": OUTCOME, "odds": "9"}]));
    for call in [opening, price, Call::post("/v1/ids")] {
        let refused = client.send(call).await.expect(&[503]);
        assert_eq!(refused.code(), "not_ready", "{refused}");
        let detail = refused.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains("quarantine") && detail.contains("--incarnation 2"), "{detail}");
    }
    client.get(&format!("/v1/accounts/{account}")).await.expect(&[200]);
    client.get(&format!("/v1/markets/{MARKET}")).await.expect(&[200]);
    client.get("/admin/v1/replication").await.expect(&[200]);
    client.get("/health/live").await.expect(&[200]);
}

async fn own_log(cluster: &Cluster, n: usize) -> serde_json::Value {
    let digest = cluster.nodes[n].client.get("/admin/v1/digest").await.expect(&[200]).json();
    digest["log"][format!("{}.1.0", n + 1)].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wiped_directory_is_never_ready() {
    let mut cluster = Cluster::start(Spec::default()).await;
    let accounts = open(&cluster).await;
    cluster.kill(0);
    cluster.wipe(0);
    cluster.launch(0);
    let why = cluster.quarantined(0).await;
    assert!(why.contains("this directory only up to 0"), "{why}");
    // What the others have written arrives; what this region itself had written does not come back.
    sells(&cluster.nodes[2].client, &accounts[2]).await;
    let until = Instant::now() + Duration::from_secs(15);
    while cluster.nodes[0].client.get(&format!("/v1/accounts/{}", accounts[2])).await.status != 200
        || cluster.nodes[0].client.get(&format!("/v1/markets/{MARKET}")).await.status != 200
    {
        assert!(Instant::now() < until, "it hears nothing of the others");
        sleep(Duration::from_millis(50)).await;
    }
    read_only(&cluster.nodes[0].client, 1, &accounts[2]).await;
    assert!(own_log(&cluster, 0).await["index"].as_u64().is_none_or(|n| n == 0), "it wrote");
    for n in [1, 2] {
        sells(&cluster.nodes[n].client, &accounts[n]).await;
    }
    // Nor does a restart change anything, linked or not.
    cluster.kill(0);
    cluster.kill(1);
    cluster.kill(2);
    cluster.launch(0);
    cluster.quarantined(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_directory_writes_nothing_more() {
    let mut cluster = Cluster::start(Spec::default()).await;
    let accounts = open(&cluster).await;
    cluster.kill(2);
    cluster.back_up(2);
    cluster.launch(2);
    cluster.ready(2).await;
    let sold = sells(&cluster.nodes[2].client, &accounts[2]).await;
    cluster.converged().await;
    cluster.kill(2);
    cluster.restore(2);
    cluster.launch(2);
    let why = cluster.quarantined(2).await;
    assert!(why.contains("holds this site's log up to"), "{why}");
    let before = own_log(&cluster, 2).await;
    read_only(&cluster.nodes[2].client, 3, &accounts[2]).await;
    for n in [0, 1] {
        let client = &cluster.nodes[n].client;
        let view = client.get(&format!("/v1/wagers/{sold}")).await.expect(&[200]).json();
        assert_eq!(view["status"], "accepted", "the others keep what followed the copy");
        sells(client, &accounts[n]).await;
    }
    assert_eq!(own_log(&cluster, 2).await, before, "it wrote");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_with_one_identity_are_both_stopped_from_writing() {
    let mut cluster = Cluster::start(Spec::default()).await;
    let accounts = open(&cluster).await;
    cluster.kill(0);
    let (mut process, twin) = cluster.twin(0);
    cluster.launch(0);
    let why = cluster.quarantined(0).await;
    assert!(why.contains("two running processes"), "{why}");
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let said = twin.try_send(Call::get("/health/ready")).await;
        if said.as_ref().is_ok_and(|r| r.json()["money"]["why"].as_str().is_some_and(|w| w.starts_with("quarantine"))) {
            break;
        }
        assert!(process.is_running(), "the twin has stopped\n{}", process.last_words());
        assert!(Instant::now() < until, "the twin goes on: {said:?}\n{}", process.last_words());
        sleep(Duration::from_millis(50)).await;
    }
    read_only(&cluster.nodes[0].client, 1, &accounts[0]).await;
    read_only(&twin, 1, &accounts[0]).await;
    for n in [1, 2] {
        sells(&cluster.nodes[n].client, &accounts[n]).await;
    }
}
