//! Withdrawals over HTTP, on real regions: set aside, held once another region has them, confirmed or released once,
//! and every repeat and every opposite answered for what it is.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed test is what a panic is for")]

#[allow(dead_code, reason = "each test binary uses its part")]
mod harness;

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use harness::{Call, Client, Cluster, Reply, Spec, minor, mint};

const WITHIN: Duration = Duration::from_secs(20);

async fn withdraw(client: &Client, account: &str, id: &str, amount: &str) -> Reply {
    let call = Call::post(&format!("/v1/accounts/{account}/withdrawals"));
    client.send(call.json(&json!({"id": id, "amount": amount}))).await
}

async fn end(client: &Client, account: &str, id: &str, how: &str) -> Reply {
    client.send(Call::post(&format!("/v1/accounts/{account}/withdrawals/{id}/{how}"))).await
}

async fn view(client: &Client, account: &str, id: &str) -> Reply {
    client.get(&format!("/v1/accounts/{account}/withdrawals/{id}")).await
}

async fn of_account(client: &Client, account: &str, field: &str) -> i64 {
    minor(&client.get(&format!("/v1/accounts/{account}")).await.expect(&[200]).json()[field])
}

fn is(reply: &Reply, status: u16, word: &str, replayed: bool) {
    assert_eq!((reply.status, &reply.json()["status"], reply.replayed), (status, &json!(word), replayed), "{reply}");
}

fn refused(reply: &Reply, status: u16, code: &str, decided: bool) {
    assert_eq!((reply.status, reply.code().as_str()), (status, code), "{reply}");
    assert_eq!((&reply.json()["decided"], &reply.json()["recorded"]), (&json!(decided), &json!(false)), "{reply}");
}

/// One region alone: nobody else has to know, so what is set aside is held as soon as it is on disk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_withdrawal_ends_once_and_every_repeat_says_so() {
    let cluster = Cluster::start(Spec { regions: 1, ..Spec::default() }).await;
    let client = &cluster.nodes[0].client;
    let (anna, _) = cluster.funded(0, "anna", "100.00").await;

    let kept = mint(client, "posting").await;
    // The answer is made before the group with the decision is on disk, and sent after that.
    is(&withdraw(client, &anna, &kept, "30.00").await, 202, "pending", false);
    let held = view(client, &anna, &kept).await;
    is(&held, 200, "held", true);
    assert_eq!(held.json()["amount"], "30.00");
    is(&withdraw(client, &anna, &kept, "30").await, 200, "held", true);
    refused(&withdraw(client, &anna, &kept, "30.01").await, 409, "id_reused", true);
    assert_eq!(of_account(client, &anna, "balance").await, 7_000, "it is set aside");
    assert_eq!(of_account(client, &anna, "held").await, 3_000, "and has not left yet");
    is(&end(client, &anna, &kept, "release").await, 200, "released", false);
    is(&end(client, &anna, &kept, "release").await, 200, "released", true);
    refused(&end(client, &anna, &kept, "confirm").await, 409, "withdrawal_released", false);

    // All of it can go: what was released is free again.
    let gone = mint(client, "posting").await;
    is(&withdraw(client, &anna, &gone, "100.00").await, 202, "pending", false);
    let more = mint(client, "posting").await;
    let rejected = withdraw(client, &anna, &more, "0.01").await;
    is(&rejected, 200, "rejected", false);
    assert_eq!(rejected.json()["reason"], "insufficient_funds");
    refused(&end(client, &anna, &more, "confirm").await, 409, "withdrawal_refused", false);
    is(&end(client, &anna, &gone, "confirm").await, 200, "confirmed", false);
    is(&end(client, &anna, &gone, "confirm").await, 200, "confirmed", true);
    refused(&end(client, &anna, &gone, "release").await, 409, "withdrawal_confirmed", false);
    is(&view(client, &anna, &gone).await, 200, "confirmed", true);
    assert_eq!(of_account(client, &anna, "balance").await, 0);

    refuses_what_is_no_withdrawal(client, &anna, &gone).await;
    assert_eq!(of_account(client, &anna, "balance").await, 500);
}

async fn refuses_what_is_no_withdrawal(client: &Client, anna: &str, gone: &str) {
    let unknown = mint(client, "posting").await;
    for how in ["confirm", "release"] {
        refused(&end(client, anna, &unknown, how).await, 404, "withdrawal_unknown", false);
    }
    assert_eq!(view(client, anna, &unknown).await.expect(&[404]).code(), "withdrawal_unknown");
    // Somebody else's is as unknown as none.
    assert_eq!(view(client, "bob@eu-west", gone).await.expect(&[404]).code(), "withdrawal_unknown");
    refused(&end(client, "bob@eu-west", gone, "release").await, 404, "withdrawal_unknown", false);
    refused(&withdraw(client, "bob@eu-west", &unknown, "1").await, 404, "account_unknown", false);

    let paid = mint(client, "posting").await;
    let deposits = format!("/v1/accounts/{anna}/deposits");
    let body = json!({"id": paid, "amount": "5.00"});
    client.send(Call::post(&deposits).json(&body)).await.expect(&[201]);
    refused(&withdraw(client, anna, &paid, "5.00").await, 409, "id_reused", true);
    refused(&end(client, anna, &paid, "confirm").await, 404, "withdrawal_unknown", false);
    assert_eq!(view(client, anna, &paid).await.expect(&[404]).code(), "withdrawal_unknown");
    let body = json!({"id": gone, "amount": "100.00"});
    refused(&client.send(Call::post(&deposits).json(&body)).await, 409, "id_reused", true);
    for amount in ["0", "-1", "1.001", "x"] {
        let malformed = withdraw(client, anna, &unknown, amount).await;
        refused(&malformed, 422, "malformed", false);
        assert_eq!(malformed.json()["errors"][0]["field"], "amount", "{malformed}");
    }
}

/// Cut off, a region sets money aside, and says that it is not held: nobody else knows of it yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn money_is_held_once_another_region_knows_of_it() {
    let spec = Spec { freshness_ms: 60_000, relayed: Some(Duration::from_millis(5)), ..Spec::default() };
    let mut cluster = Cluster::start(spec).await;
    let (anna, _) = cluster.funded(0, "anna", "100.00").await;
    cluster.converged().await;
    let id = mint(&cluster.nodes[0].client, "posting").await;
    cluster.cut(0);
    let client = &cluster.nodes[0].client;
    let prepared = withdraw(client, &anna, &id, "40.00").await;
    is(&prepared, 202, "pending", false);
    assert_eq!(prepared.json()["reason"], "awaiting_ack");
    is(&withdraw(client, &anna, &id, "40.00").await, 202, "pending", true);
    is(&view(client, &anna, &id).await, 202, "pending", true);
    for how in ["confirm", "release"] {
        refused(&end(client, &anna, &id, how).await, 409, "not_held_yet", false);
    }
    // The process dies before anybody knows; its disk remembers.
    cluster.kill(0);
    cluster.launch(0);
    cluster.takes_money(0).await;
    is(&view(&cluster.nodes[0].client, &anna, &id).await, 202, "pending", true);

    cluster.heal();
    let (home, away) = (&cluster.nodes[0].client, &cluster.nodes[1].client);
    let until = Instant::now() + WITHIN;
    while view(home, &anna, &id).await.status == 202 {
        assert!(Instant::now() < until, "healed, and never held");
        sleep(Duration::from_millis(20)).await;
    }
    is(&view(home, &anna, &id).await, 200, "held", true);
    // The region in the id decides, wherever it is asked.
    let confirmed = confirmed_through(away, &anna, &id).await;
    assert_eq!(confirmed["region"], "eu-west", "{confirmed}");
    cluster.converged().await;
    for node in &cluster.nodes {
        is(&view(&node.client, &anna, &id).await, 200, "confirmed", true);
        assert_eq!(of_account(&node.client, &anna, "balance").await, 6_000, "{}", node.name);
    }
    refused(&end(home, &anna, &id, "release").await, 409, "withdrawal_confirmed", false);
}

/// Right after a heal the link to the origin may not be up yet.
async fn confirmed_through(client: &Client, account: &str, id: &str) -> Value {
    let until = Instant::now() + WITHIN;
    loop {
        let reply = end(client, account, id, "confirm").await;
        if reply.status == 200 {
            return reply.json();
        }
        assert!(reply.status == 503 && Instant::now() < until, "{reply}");
        sleep(Duration::from_millis(50)).await;
    }
}
