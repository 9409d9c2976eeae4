//! A player's side of the API: opening accounts, paying in, asking for wagers, and reading what the answer means.
//!
//! It must not know when or on what to bet.

use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use hyper::Method;
use model::Currency;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::book::{Account, Answer, minor};
use crate::client::{Client, ClientError, REPLAYED, Reply, TOKEN, number, text};

/// Tries of one wager, always with the same id.
const TRIES_MAX: u32 = 2;
/// Longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_millis(400);
/// Ids fetched at a time, and how long they hold.
const IDS: &str = "/v1/ids?count=500&place_by_ms=900000";

/// Longest wait for what a token has seen, ms.
const TOKEN_WAIT_MS: &str = "5000";

/// An account that was opened and paid into.
pub(crate) struct Opened {
    /// What the region had seen then.
    pub(crate) token: String,
    /// Whether a repeated deposit was answered as one; true also when there was none.
    pub(crate) repeat_known: bool,
}

/// A connection to one region and the ids it has minted for us.
pub(crate) struct Counter {
    client: Client,
    ids: Vec<String>,
}

/// What a wager is on.
#[derive(Clone, Debug)]
pub(crate) struct Slip {
    /// Account name.
    pub(crate) account: String,
    /// The account's currency.
    pub(crate) currency: Currency,
    /// Minor units.
    pub(crate) stake: i128,
    /// Market key.
    pub(crate) market: String,
    /// Outcome key.
    pub(crate) outcome: String,
    /// Odds the player saw.
    pub(crate) odds: String,
    /// `none`, `higher` or `any`.
    pub(crate) policy: &'static str,
    /// Longest wait of the region for money from elsewhere, ms.
    pub(crate) wait_ms: u64,
}

/// An answer as read, and whether it was marked as a repeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    /// What it means.
    pub(crate) answer: Answer,
    /// Whether it was given before.
    pub(crate) replayed: bool,
}

impl Counter {
    /// A counter of the region at `url`.
    ///
    /// # Errors
    /// When the URL cannot be used.
    pub(crate) fn new(url: &str) -> anyhow::Result<Self> {
        Ok(Self { client: Client::new(url)?, ids: Vec::new() })
    }

    /// Opens an account and pays in; `twice` sends the deposit again with its id.
    ///
    /// # Errors
    /// When the region does not do as asked.
    pub(crate) async fn open(&mut self, account: &mut Account, amount: i128, twice: bool) -> anyhow::Result<Opened> {
        let path = format!("/v1/accounts/{}", account.name);
        let opened = self.client.json(Method::PUT, &path, &json!({"currency": account.currency.code()})).await?;
        opened.ok().with_context(|| format!("opening {}", account.name))?;
        let minted = self.client.send(Method::POST, "/v1/ids?for=posting", &[], Bytes::new()).await?.ok()?;
        let deposit = json!({"id": text(&minted, "/ids/0"), "amount": account.currency.format(amount)});
        let path = format!("{path}/deposits");
        let first = self.client.json(Method::POST, &path, &deposit).await?;
        if first.status.as_u16() != 201 {
            bail!("a deposit into {}: {}", account.name, first.problem());
        }
        account.deposited += amount;
        let mut opened = Opened { token: first.header(&TOKEN).unwrap_or_default().to_owned(), repeat_known: true };
        if twice {
            let again = self.client.json(Method::POST, &path, &deposit).await?;
            opened.repeat_known = again.status.as_u16() == 200 && again.header(&REPLAYED) == Some("true");
        }
        Ok(opened)
    }

    /// Reads an account's balance here once this region has seen what the token has; none when it has not in time.
    ///
    /// # Errors
    /// When the region does not answer.
    pub(crate) async fn balance_after(&mut self, account: &Account, token: &str) -> Result<Option<i128>, ClientError> {
        let path = format!("/v1/accounts/{}", account.name);
        let headers = [("stakehold-token", token), ("stakehold-wait-ms", TOKEN_WAIT_MS)];
        let reply = self.client.send(Method::GET, &path, &headers, Bytes::new()).await?;
        let known = reply.status.is_success();
        Ok(known.then(|| minor(text(&reply.json(), "/balance"), account.currency)).flatten())
    }

    /// A fresh id of this region.
    ///
    /// # Errors
    /// When there is none to be had.
    pub(crate) async fn id(&mut self) -> anyhow::Result<String> {
        if self.ids.is_empty() {
            let minted = self.client.send(Method::POST, IDS, &[], Bytes::new()).await?.ok()?;
            let ids = minted.get("ids").and_then(Value::as_array).into_iter().flatten();
            self.ids = ids.filter_map(Value::as_str).map(str::to_owned).collect();
        }
        self.ids.pop().context("the region gave no ids")
    }

    /// Asks once.
    pub(crate) async fn ask(&mut self, id: &str, slip: &Slip) -> Heard {
        self.ask_with_pause(id, slip).await.0
    }

    /// Asks until it is decided, with the same id, as often as a player would.
    pub(crate) async fn place(&mut self, id: &str, slip: &Slip) -> Heard {
        let mut tries = 1;
        loop {
            let (heard, pause) = self.ask_with_pause(id, slip).await;
            match pause {
                Some(pause) if tries < TRIES_MAX => sleep(pause.min(PAUSE_MAX)).await,
                _ => return heard,
            }
            tries += 1;
        }
    }

    /// Asks, and says how long to wait before asking again, where that makes sense.
    async fn ask_with_pause(&mut self, id: &str, slip: &Slip) -> (Heard, Option<Duration>) {
        let body = json!({
            "id": id,
            "account": slip.account,
            "unit_stake": slip.currency.format(slip.stake),
            "legs": [{"market": slip.market, "outcome": slip.outcome, "odds": slip.odds}],
            "odds_policy": slip.policy,
            "wait_ms": slip.wait_ms,
        });
        match self.client.json(Method::POST, "/v1/wagers", &body).await {
            Ok(reply) => read(&reply, slip.currency),
            Err(ClientError::Connect(_)) => {
                (Heard { answer: Answer::Undecided("no_connection".to_owned()), replayed: false }, Some(PAUSE_MAX))
            }
            Err(_) => (Heard { answer: Answer::Unknown, replayed: false }, Some(PAUSE_MAX)),
        }
    }
}

fn read(reply: &Reply, currency: Currency) -> (Heard, Option<Duration>) {
    let body = reply.json();
    let replayed = reply.header(&REPLAYED) == Some("true");
    let heard = |answer| Heard { answer, replayed };
    if reply.status.is_success() {
        return match text(&body, "/status") {
            "accepted" => match minor(text(&body, "/potential_payout"), currency) {
                Some(payout) => (heard(Answer::Accepted(payout)), None),
                None => (heard(Answer::Unknown), None),
            },
            "rejected" => (heard(Answer::Rejected(text(&body, "/problems/0/code").to_owned())), None),
            // Not known yet: the region that decides it cannot be heard. Asking again hears the same until it can.
            "pending" => (heard(Answer::Undecided(text(&body, "/why").to_owned())), Some(PAUSE_MAX)),
            _ => (heard(Answer::Unknown), Some(PAUSE_MAX)),
        };
    }
    let pause =
        (text(&body, "/retry") == "same_id").then(|| Duration::from_millis(number(&body, "/retry_after_ms").max(50)));
    match body.get("decided") {
        Some(Value::Bool(false)) => (heard(Answer::Undecided(text(&body, "/code").to_owned())), pause),
        _ => (heard(Answer::Unknown), pause),
    }
}
