//! The README's scenario, on three real regions: a player bets at home, travels, bets through a borrow; the link is cut;
//! an unanswered bet is tried again elsewhere and stays unknown, never a second bet; the link heals, everything
//! resolves, and the money is right to the cent. It prints what happens as it happens.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed test is what a panic is for")]

#[allow(dead_code, reason = "each test binary uses its part")]
mod harness;

use std::io::Write as _;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use harness::desk::{MARKET, OUTCOME, amount, make_market, wager};
use harness::{Call, Client, Cluster, Reply, Spec, minor, mint};

/// One way between any two regions.
const DELAY: Duration = Duration::from_millis(40);
const FUNDS: i64 = 10_000;

fn say(line: &str) {
    let mut out = std::io::stdout();
    writeln!(out, "{line}").unwrap();
}

async fn place(client: &Client, id: &str, account: &str, stake_minor: i64, wait_ms: u64) -> Reply {
    let mut body = wager(id, account, &amount(stake_minor));
    body["wait_ms"] = json!(wait_ms);
    client.send(Call::post("/v1/wagers").json(&body)).await
}

async fn status(client: &Client, id: &str) -> Value {
    client.get(&format!("/v1/wagers/{id}")).await.expect(&[200]).json()
}

async fn sellable(client: &Client) {
    let until = Instant::now() + Duration::from_secs(15);
    while client.get(&format!("/v1/markets/{MARKET}")).await.json()["sellable"] != true {
        assert!(Instant::now() < until, "the market is not on sale");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_player_travels_and_a_link_is_cut() {
    let spec = Spec { freshness_ms: 60_000, relayed: Some(DELAY), ..Spec::default() };
    let cluster = Cluster::start(spec).await;
    let (home, away, third) = (&cluster.nodes[0].client, &cluster.nodes[1].client, &cluster.nodes[2].client);
    let (anna, _) = cluster.funded(0, "anna", &amount(FUNDS)).await;
    make_market(home).await;
    cluster.converged().await;
    for client in [home, away, third] {
        sellable(client).await;
    }

    let at_home = mint(home, "wager&place_by_ms=600000").await;
    let began = Instant::now();
    place(home, &at_home, &anna, 1_000, 2_000).await.expect(&[201]);
    let local = began.elapsed();
    say(&format!("eu-west: 10.00 staked at home in {} ms, no message to anyone", local.as_millis()));
    assert!(local < DELAY, "a bet at home waits for no other region: {local:?}");

    let borrowed = mint(away, "wager&place_by_ms=600000").await;
    let began = Instant::now();
    place(away, &borrowed, &anna, 500, 5_000).await.expect(&[201]);
    let asked = began.elapsed();
    say(&format!("us-east: 5.00 staked through a borrow in {} ms, one round trip of {} ms", asked.as_millis(), 80));
    assert!(asked >= DELAY * 2, "rights cannot have come faster than one round trip: {asked:?}");

    // A bet that eu-west accepts, whose answer the player never sees.
    let unanswered = mint(home, "wager&place_by_ms=600000").await;
    cluster.cut(0);
    place(home, &unanswered, &anna, 700, 2_000).await.expect(&[201]);
    say("eu-west is cut off; it takes 7.00 more, and the player never hears so");
    for client in [away, third] {
        let again = place(client, &unanswered, &anna, 700, 300).await.expect(&[202]).json();
        assert_eq!((&again["status"], &again["why"]), (&json!("pending"), &json!("owner_unreachable")), "{again}");
        let view = status(client, &unanswered).await;
        assert_eq!((&view["status"], &view["definitive"]), (&json!("pending"), &json!(false)), "{view}");
    }
    say("us-east and ap-south: the same bet tried again is pending, written down there: no second bet");

    // Two ids of eu-west that eu-west never sees: one is tried elsewhere while the link is cut, one only after it.
    let stranded = mint(home, "wager&place_by_ms=600000").await;
    let late = mint(home, "wager&place_by_ms=600000").await;
    place(away, &late, &anna, 300, 300).await.expect(&[202]);

    cluster.heal();
    let until = Instant::now() + Duration::from_secs(20);
    let answer = loop {
        let reply = place(away, &unanswered, &anna, 700, 5_000).await;
        if reply.status == 200 {
            break reply;
        }
        assert!(Instant::now() < until, "the healed link gives no answer: {reply}");
        sleep(Duration::from_millis(50)).await;
    };
    assert!(answer.replayed, "{answer}");
    assert_eq!(answer.json()["region"], "eu-west", "{answer}");
    say("healed: the same bet tried again at us-east hears eu-west's acceptance");
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let (told, gone) = (status(third, &unanswered).await, status(away, &late).await);
        if told["status"] == "accepted" && gone["status"] == "not_placed" && gone["definitive"] == true {
            break;
        }
        assert!(Instant::now() < until, "pending bets do not resolve by themselves: {told} {gone}");
        sleep(Duration::from_millis(50)).await;
    }
    say("nobody asked ap-south again: it knows the acceptance by itself; the bet that eu-west never saw is not placed");

    let began = Instant::now();
    let fetched = place(third, &stranded, &anna, 300, 5_000).await.expect(&[201]);
    say(&format!(
        "ap-south: a bet with an id of eu-west, never seen there, is handed over in {} ms",
        began.elapsed().as_millis()
    ));
    assert_eq!(fetched.json()["region"], "ap-south", "{fetched}");
    for client in [home, away, third] {
        let again = place(client, &stranded, &anna, 300, 5_000).await.expect(&[200]);
        assert_eq!((again.replayed, &again.json()["region"]), (true, &json!("ap-south")), "{again}");
    }

    let lost = json!({"results": [{"outcome": OUTCOME, "result": "lost"}]});
    home.send(Call::post(&format!("/v1/markets/{MARKET}/result")).json(&lost)).await.expect(&[200]);
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let view = away.get(&format!("/v1/accounts/{anna}")).await.expect(&[200]).json();
        if minor(&view["reserved"]) == 0 && minor(&view["in_transfer"]) == 0 {
            break;
        }
        assert!(Instant::now() < until, "not settled: {view}");
        sleep(Duration::from_millis(50)).await;
    }
    cluster.converged().await;
    for node in &cluster.nodes {
        let view = node.client.get(&format!("/v1/accounts/{anna}")).await.expect(&[200]).json();
        assert_eq!(minor(&view["balance"]), FUNDS - 1_000 - 500 - 700 - 300, "{view}");
        let escrow = node.client.get(&format!("/admin/v1/escrow/{anna}")).await.expect(&[200]).json();
        let free: i64 = escrow["rows"].as_array().unwrap().iter().map(|row| minor(&row["free"])).sum();
        assert_eq!(free, FUNDS - 2_500, "{escrow}");
    }
    say("settled: 100.00 came in, 25.00 was lost in four bets, 75.00 is there, in every region");
}
