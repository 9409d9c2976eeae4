//! What the process tests place wagers on and with: a market made by hand, wagers on it, and a bettor who keeps at it
//! through crashes and remembers every answer that it was given.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64Mcg;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{Call, Client, Reply};

/// The market.
pub(crate) const MARKET: &str = "cup:final";
/// The outcome that wagers are on, at these odds.
pub(crate) const OUTCOME: &str = "home";
pub(crate) const ODDS: &str = "2.5";
/// Between two actions, so that looking everything up again afterwards does not take long.
const PACE: Duration = Duration::from_millis(10);
/// A bettor that gets no answer to a request for so long gives up: the test has failed.
const ANSWERED_MAX: Duration = Duration::from_secs(60);

/// Makes the market at the region of `client`. Gives the token of its prices.
pub(crate) async fn make_market(client: &Client) -> String {
    let outcomes = json!([{"outcome": OUTCOME}, {"outcome": "away"}]);
    let draft = json!({"name": "Final", "event": "cup", "outcomes": outcomes});
    client.send(Call::put(&format!("/v1/markets/{MARKET}")).json(&draft)).await.expect(&[200, 201]);
    let prices = json!([{"market": MARKET, "outcome": OUTCOME, "odds": ODDS},
                        {"market": MARKET, "outcome": "away", "odds": "1.6"}]);
    let written = client.send(Call::post("/v1/odds").json(&prices)).await.expect(&[200]);
    assert_eq!(written.json()["applied"], 2, "{written}");
    written.token
}

/// A wager on the market.
pub(crate) fn wager(id: &str, account: &str, stake: &str) -> Value {
    json!({"id": id, "account": account, "unit_stake": stake, "odds_policy": "none",
           "legs": [{"market": MARKET, "outcome": OUTCOME, "odds": ODDS}]})
}

/// Amount with two places.
pub(crate) fn amount(minor: i64) -> String {
    format!("{}.{:02}", minor / 100, minor % 100)
}

/// Something a bettor did, and the answer that ended it.
#[derive(Clone, Debug)]
pub(crate) struct Acted {
    pub(crate) region: usize,
    pub(crate) account: String,
    pub(crate) minor: i64,
    pub(crate) path: String,
    pub(crate) body: Value,
    pub(crate) answer: Value,
}

impl Acted {
    pub(crate) fn is_wager(&self) -> bool {
        self.path == "/v1/wagers"
    }

    pub(crate) fn id(&self) -> &str {
        self.body["id"].as_str().unwrap()
    }

    pub(crate) fn accepted(&self) -> bool {
        self.answer["status"] == "accepted"
    }
}

/// What a bettor remembers.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) acted: Vec<Acted>,
    /// Requests that were sent and got no answer.
    pub(crate) lost: usize,
    /// Requests answered as undecided.
    pub(crate) undecided: usize,
}

/// Places wagers and deposits at one region until told to stop; sends every request again, with the same id, until it is
/// decided. Only where money stays elsewhere for long it gives up, as any client does.
pub(crate) struct Bettor {
    region: usize,
    client: Client,
    accounts: Vec<String>,
    random: Pcg64Mcg,
    memory: Memory,
}

impl Bettor {
    pub(crate) fn new(region: usize, address: SocketAddr, accounts: Vec<String>, seed: u64) -> Self {
        let random = Pcg64Mcg::seed_from_u64(seed);
        Self { region, client: Client::new(address), accounts, random, memory: Memory::default() }
    }

    pub(crate) async fn bet(mut self, stop: Arc<AtomicBool>) -> Memory {
        while !stop.load(Ordering::SeqCst) {
            sleep(PACE).await;
            let deposit = self.random.random_bool(0.2);
            let account = self.accounts[self.random.random_range(0..self.accounts.len())].clone();
            let minor = self.random.random_range(10..500);
            let kind = if deposit { "posting" } else { "wager&place_by_ms=600000" };
            let ids = self.until_decided(Call::post(&format!("/v1/ids?for={kind}"))).await;
            let id = ids["ids"][0].as_str().unwrap();
            let (path, body) = if deposit {
                (format!("/v1/accounts/{account}/deposits"), json!({"id": id, "amount": amount(minor)}))
            } else {
                ("/v1/wagers".to_owned(), wager(id, &account, &amount(minor)))
            };
            let answer = self.until_decided(Call::post(&path).json(&body)).await;
            self.memory.acted.push(Acted { region: self.region, account, minor, path, body, answer });
        }
        self.memory
    }

    async fn until_decided(&mut self, call: Call) -> Value {
        let until = Instant::now() + ANSWERED_MAX;
        loop {
            let last: String = match self.client.try_send(call.clone()).await {
                Ok(reply) if [200, 201].contains(&reply.status) => return reply.json(),
                Ok(reply) => {
                    assert!(unsettled(&reply), "region {}: {reply}", self.region);
                    self.memory.undecided += 1;
                    reply.to_string()
                }
                Err(lost) => {
                    self.memory.lost += 1;
                    lost.0
                }
            };
            assert!(Instant::now() < until, "nothing decided in {ANSWERED_MAX:?}: {last}");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// An answer after which the same request is to be sent again: 503 says that nothing was decided or recorded, 502 that the
/// node stopped before it could tell.
fn unsettled(reply: &Reply) -> bool {
    let problem = reply.json();
    let decides = problem.get("decided").is_some();
    let nothing_happened = problem["decided"] == false && problem["recorded"] == false;
    match reply.status {
        503 => !decides || (nothing_happened && problem["retry"] == "same_id"),
        502 => problem["retry"] == "same_id",
        _ => false,
    }
}
