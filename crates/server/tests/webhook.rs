//! A payment provider's webhook on three real regions: delivered to all of them at once while one is cut off, again and
//! again, through a `kill -9` of a region that has answered 202. It is credited once, and every 202 resolves.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed test is what a panic is for")]

#[allow(dead_code, reason = "each test binary uses its part")]
mod harness;

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use harness::{Call, Client, Cluster, Reply, Spec, minor};

const RESOLVED_MAX: Duration = Duration::from_secs(20);

async fn webhook(client: &Client, account: &str, name: &str, amount: &str) -> Reply {
    let body = json!({"provider": "stripe", "provider_ref": name, "amount": amount});
    client.send(Call::post(&format!("/v1/accounts/{account}/deposits")).json(&body).wait(300)).await
}

/// The webhook at all three regions at once.
async fn everywhere(cluster: &Cluster, account: &str, name: &str, amount: &str) -> [Reply; 3] {
    let [a, b, c] = [0, 1, 2].map(|n| &cluster.nodes[n].client);
    let (a, b, c) = tokio::join!(
        webhook(a, account, name, amount),
        webhook(b, account, name, amount),
        webhook(c, account, name, amount)
    );
    [a, b, c]
}

/// Waits until a region answers with the posting; the account's own posts it now, if nobody's word has reached it yet.
async fn resolved(client: &Client, account: &str, name: &str, amount: &str) -> Value {
    let until = Instant::now() + RESOLVED_MAX;
    loop {
        let reply = webhook(client, account, name, amount).await.expect(&[200, 201, 202]);
        if reply.status != 202 {
            assert_eq!(reply.replayed, reply.status == 200, "{reply}");
            return reply.json();
        }
        assert!(Instant::now() < until, "still received: {reply}");
        sleep(Duration::from_millis(50)).await;
    }
}

async fn balances(cluster: &Cluster, account: &str) -> Vec<i64> {
    let mut all = Vec::new();
    for node in &cluster.nodes {
        all.push(minor(&node.client.get(&format!("/v1/accounts/{account}")).await.expect(&[200]).json()["balance"]));
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_at_three_regions_is_credited_once_and_every_202_resolves() {
    let relayed = Some(Duration::from_millis(3));
    let mut cluster = Cluster::start(Spec { relayed, ..Spec::default() }).await;
    let (anna, _) = cluster.funded(0, "anna", "10.00").await;
    cluster.converged().await;

    // A region that is not the account's is cut off: it takes the webhook in, the others have it decided.
    cluster.cut(2);
    let [home, away, cut] = everywhere(&cluster, &anna, "ch_1", "5.00").await;
    let posted = home.expect(&[200, 201]).json();
    assert_eq!(away.expect(&[200, 201]).json(), posted, "one posting, whoever was first");
    let taken = cut.expect(&[202]).json();
    assert_eq!((&taken["status"], &taken["region"]), (&json!("received"), &json!("eu-west")), "{taken}");
    let other = webhook(&cluster.nodes[2].client, &anna, "ch_1", "6.00").await.expect(&[409]);
    assert_eq!(other.code(), "id_reused");
    cluster.heal();
    assert_eq!(resolved(&cluster.nodes[2].client, &anna, "ch_1", "5.00").await, posted);

    // The account's own region is cut off: it decides at once, the others answer 202, and one of them dies after that.
    cluster.cut(0);
    let [home, away, third] = everywhere(&cluster, &anna, "ch_2", "7.00").await;
    let posted = home.expect(&[201]).json();
    away.expect(&[202]);
    third.expect(&[202]);
    cluster.kill(1);
    cluster.launch(1);
    cluster.takes_money(1).await;
    webhook(&cluster.nodes[1].client, &anna, "ch_2", "7.00").await.expect(&[202]);

    // One that its own region never sees comes to it from there alone.
    webhook(&cluster.nodes[1].client, &anna, "ch_3", "1.00").await.expect(&[202]);
    cluster.heal();
    for n in 0..3 {
        let client = &cluster.nodes[n].client;
        assert_eq!(resolved(client, &anna, "ch_2", "7.00").await, posted);
        assert_eq!(resolved(client, &anna, "ch_3", "1.00").await["region"], "eu-west");
        assert_eq!(webhook(client, &anna, "ch_2", "7.01").await.expect(&[409]).code(), "id_reused");
    }
    cluster.converged().await;
    assert_eq!(balances(&cluster, &anna).await, [2_300; 3], "10 and 5 and 7 and 1, each once");
}
