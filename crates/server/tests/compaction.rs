//! Three real regions that keep little of their logs: a region that was down for longer than that catches up by a
//! snapshot, and ends equal; what was cut lies in sealed segments.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed test is what a panic is for")]

#[allow(dead_code, reason = "each test binary uses its part")]
mod harness;

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use harness::{Call, Cluster, Node, Spec, mint};

const TAIL: u64 = 50;
const KEPT_MAX: u64 = 200;
const PATIENCE: Duration = Duration::from_secs(30);

async fn replication(node: &Node) -> Value {
    node.client.get("/admin/v1/replication").await.expect(&[200]).json()
}

fn cut(replication: &Value, site: &str) -> u64 {
    replication["cuts"][site].as_u64().unwrap()
}

async fn deposit(node: &Node, account: &str) {
    let body = json!({"id": mint(&node.client, "posting").await, "amount": "0.01"});
    node.client.send(Call::post(&format!("/v1/accounts/{account}/deposits")).json(&body)).await.expect(&[201]);
}

/// Waits until a region has cut a site's log beyond an index.
async fn cut_beyond(node: &Node, site: &str, index: u64) {
    let until = Instant::now() + PATIENCE;
    while cut(&replication(node).await, site) <= index {
        assert!(Instant::now() < until, "{} has not cut {site} beyond {index}", node.name);
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_region_that_was_down_for_longer_than_logs_are_kept_catches_up_by_a_snapshot() {
    let spec = Spec { kept: Some((TAIL, KEPT_MAX)), freshness_ms: 60_000, ..Spec::default() };
    let mut cluster = Cluster::start(spec).await;
    let (account, _) = cluster.funded(0, "punter", "10.00").await;
    cluster.converged().await;
    let known = replication(&cluster.nodes[2]).await["logs"]["1.1.0"]["index"].as_u64().unwrap();
    cluster.kill(2);
    for _ in 0..KEPT_MAX + 4 * TAIL {
        deposit(&cluster.nodes[0], &account).await;
    }
    for n in 0..2 {
        cut_beyond(&cluster.nodes[n], "1.1.0", known).await;
        let folder = cluster.nodes[n].home.join("data/segments/1.1.0");
        let names: Vec<String> =
            std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().file_name().into_string().unwrap()).collect();
        let upto = cut(&replication(&cluster.nodes[n]).await, "1.1.0");
        let sealed = names.iter().filter(|name| name.ends_with(".seg")).count() as u64;
        assert!(sealed * TAIL >= upto, "what is cut was sealed: {upto} entries, {names:?}");
    }
    cluster.launch(2);
    cluster.ready(2).await;
    cluster.converged().await;
    let metrics = cluster.nodes[2].client.get("/metrics").await.expect(&[200]);
    assert!(metrics.text.lines().any(|l| l == "stakehold_engine_snapshots_taken_total 1"), "{}", metrics.text);
    assert!(cut(&replication(&cluster.nodes[2]).await, "1.1.0") > known, "its log of region 1 begins later now");
    // It serves, and survives a kill on what it took.
    cluster.kill(2);
    cluster.launch(2);
    cluster.ready(2).await;
    deposit(&cluster.nodes[2], &account).await;
    deposit(&cluster.nodes[0], &account).await;
    cluster.converged().await;
}
