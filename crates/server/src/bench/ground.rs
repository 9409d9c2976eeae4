//! What a measured region is given beforehand: accounts with money, markets with prices; and the requests that are
//! sent to it, made beforehand so that the generator costs little.
//!
//! It must not know how requests are timed.

use anyhow::{Context as _, bail};
use bytes::Bytes;
use hyper::Method;
use model::MintedId;
use rand::RngExt as _;
use rand_pcg::Pcg64;
use rand_pcg::rand_core::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::client::{Client, NDJSON, number};

/// Markets that wagers are on, and outcomes of each.
const MARKETS: u32 = 100;
const OUTCOMES: u32 = 3;
const ODDS: &str = "2.5";
/// Connections that open accounts.
const OPENERS: u32 = 16;
/// How long the minted ids hold.
const HOLD_MS: u64 = 3_600_000;
/// Money of each account, enough for any run.
const DEPOSIT: &str = "10000000.00";

/// A region that is ready to take wagers.
#[derive(Clone)]
pub(crate) struct Ground {
    region: String,
    accounts: u32,
    number: u16,
    incarnation: u32,
    now_ms: u64,
}

/// Makes wagers; one seed is one row of wagers.
pub(crate) struct Wagers {
    ground: Ground,
    rng: Pcg64,
}

impl Ground {
    /// Opens `accounts` accounts with money, and makes markets with pinned prices.
    ///
    /// # Errors
    /// When the region refuses any of it.
    pub(crate) async fn prepare(url: &str, region: &str, accounts: u32) -> anyhow::Result<Self> {
        let mut client = Client::new(url)?;
        let minted = client.send(Method::POST, "/v1/ids", &[], Bytes::new()).await?.ok()?;
        let ground = Self {
            region: region.to_owned(),
            accounts,
            number: u16::try_from(number(&minted, "/mint/region"))?,
            incarnation: u32::try_from(number(&minted, "/mint/incarnation"))?,
            now_ms: number(&minted, "/mint/now_ms"),
        };
        let mut prices = String::new();
        for n in 0..MARKETS {
            let outcomes: Vec<Value> = (0..OUTCOMES).map(|k| json!({"outcome": k.to_string()})).collect();
            let market = json!({"name": format!("Bench {n}"), "event": format!("bench:e{n}"), "outcomes": outcomes});
            client.json(Method::PUT, &format!("/v1/markets/bench:m{n}"), &market).await?.ok()?;
            for k in 0..OUTCOMES {
                prices.push_str(
                    &json!({"market": format!("bench:m{n}"), "outcome": k.to_string(), "odds": ODDS}).to_string(),
                );
                prices.push('\n');
            }
        }
        write_odds(&mut client, Bytes::from(prices)).await?;
        let mut opening = JoinSet::new();
        for part in 0..OPENERS {
            opening.spawn(ground.clone().open(Client::new(url)?, part));
        }
        while let Some(opened) = opening.join_next().await {
            opened.context("opening accounts broke off")??;
        }
        Ok(ground)
    }

    async fn open(self, mut client: Client, part: u32) -> anyhow::Result<()> {
        let mut rng = Pcg64::seed_from_u64(u64::from(part) + 1_000_000);
        for n in (part..self.accounts).step_by(usize::try_from(OPENERS)?) {
            let path = format!("/v1/accounts/b{n}@{}", self.region);
            client.json(Method::PUT, &path, &json!({"currency": "EUR"})).await?.ok()?;
            let deposit = json!({"id": self.mint(&mut rng).to_string(), "amount": DEPOSIT});
            client.json(Method::POST, &format!("{path}/deposits"), &deposit).await?.ok()?;
        }
        Ok(())
    }

    fn mint(&self, rng: &mut Pcg64) -> MintedId {
        MintedId::mint(self.now_ms + HOLD_MS, self.number, self.incarnation, rng.next_u64())
    }

    /// A source of wagers.
    pub(crate) fn wagers(&self, seed: u64) -> Wagers {
        Wagers { ground: self.clone(), rng: Pcg64::seed_from_u64(seed) }
    }
}

impl Wagers {
    /// Appends a wager's JSON.
    pub(crate) fn write(&mut self, out: &mut Vec<u8>) {
        use std::io::Write as _;
        let (id, rng) = (self.ground.mint(&mut self.rng), &mut self.rng);
        let (account, market) = (rng.random_range(0..self.ground.accounts), rng.random_range(0..MARKETS));
        let outcome = rng.random_range(0..OUTCOMES);
        // Writing into memory cannot fail.
        let _ = write!(
            out,
            r#"{{"id":"{id}","account":"b{account}@{}","unit_stake":"1.00","legs":[{{"market":"bench:m{market}","outcome":"{outcome}","odds":"{ODDS}"}}]}}"#,
            self.ground.region
        );
    }

    /// The body of a batch call.
    pub(crate) fn batch(&mut self, count: usize) -> Bytes {
        let mut body = b"{\"items\":[".to_vec();
        for n in 0..count {
            if n > 0 {
                body.push(b',');
            }
            self.write(&mut body);
        }
        body.extend_from_slice(b"]}");
        Bytes::from(body)
    }
}

/// Makes `markets` markets with `outcomes` outcomes each, for price writes only.
///
/// # Errors
/// When the region refuses one.
pub(crate) async fn make_price_markets(client: &mut Client, markets: u32, outcomes: u32) -> anyhow::Result<()> {
    let outcomes: Vec<Value> = (0..outcomes).map(|k| json!({"outcome": k.to_string()})).collect();
    for n in 0..markets {
        let market = json!({"name": format!("Prices {n}"), "event": format!("prices:e{n}"), "outcomes": outcomes});
        client.json(Method::PUT, &format!("/v1/markets/prices:m{n}"), &market).await?.ok()?;
    }
    Ok(())
}

/// The body of a call that writes a price to registers `from..from + count` of all `markets × outcomes`, by a producer.
pub(crate) fn price_body(turn: u32, from: u32, count: u32, (markets, outcomes): (u32, u32)) -> Bytes {
    use std::fmt::Write as _;
    let mut body = String::new();
    for register in from..from + count {
        let register = register % (markets * outcomes);
        let (market, outcome) = (register / outcomes, register % outcomes);
        let hundredths = 101 + (register + turn * 37) % 900;
        // Writing into memory cannot fail.
        let _ = writeln!(
            body,
            r#"{{"market":"prices:m{market}","outcome":"{outcome}","odds":"{}.{:02}","producer":"bench"}}"#,
            hundredths / 100,
            hundredths % 100
        );
    }
    Bytes::from(body)
}

/// Writes prices and returns how many were applied.
///
/// # Errors
/// When the call fails or a price is refused.
pub(crate) async fn write_odds(client: &mut Client, body: Bytes) -> anyhow::Result<u64> {
    let report = client.send(Method::POST, "/v1/odds", &NDJSON, body).await?.ok()?;
    match report.get("refused").and_then(Value::as_array).and_then(|list| list.first()) {
        Some(refused) => bail!("a price was refused: {refused}"),
        None => Ok(number(&report, "/applied")),
    }
}
