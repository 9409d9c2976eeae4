//! What a region offers: read market by market through its API, again and again, as a shop window would.
//!
//! It must not know where odds come from.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::time::sleep;

use super::odds::Heard;
use crate::client::{Client, ClientError, text};

/// Pause between two looks at all markets.
const PAUSE: Duration = Duration::from_millis(150);

/// A selection with a price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    /// Market key.
    pub(crate) market: String,
    /// Outcome key.
    pub(crate) outcome: String,
    /// As the region writes them.
    pub(crate) odds: String,
    /// Whether the region says that it sells them now.
    pub(crate) sellable: bool,
}

/// The offers of one region at its last look.
#[derive(Clone, Debug, Default)]
pub(crate) struct Board(Arc<Mutex<Vec<Offer>>>);

impl Board {
    /// All offers of markets that are not settled.
    pub(crate) fn offers(&self) -> Vec<Offer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps looking until told to stop. A region that does not answer keeps its old offers.
    ///
    /// # Errors
    /// When the URL cannot be used.
    pub(crate) async fn watch(self, url: String, heard: Heard, stop: watch::Receiver<bool>) -> anyhow::Result<()> {
        let mut client = Client::new(&url)?;
        while !*stop.borrow() {
            if let Ok(offers) = look(&mut client, &heard).await {
                *self.0.lock().unwrap_or_else(PoisonError::into_inner) = offers;
            }
            sleep(PAUSE).await;
        }
        Ok(())
    }
}

async fn look(client: &mut Client, heard: &Heard) -> Result<Vec<Offer>, ClientError> {
    let mut offers = Vec::new();
    for market in heard.markets() {
        let reply = client.get(&format!("/v1/markets/{market}")).await?;
        // Not here yet is no fault.
        if reply.status.is_success() {
            offers.extend(offers_of(&reply.json()));
        }
    }
    Ok(offers)
}

fn offers_of(market: &Value) -> Vec<Offer> {
    if matches!(text(market, "/status"), "settled" | "cancelled") || text(market, "/refusal") == "market_settled" {
        return Vec::new();
    }
    let outcomes = market.get("outcomes").and_then(Value::as_array).into_iter().flatten();
    let priced = outcomes.filter(|outcome| !text(outcome, "/odds").is_empty());
    let offer = |outcome: &Value| Offer {
        market: text(market, "/market").to_owned(),
        outcome: text(outcome, "/outcome").to_owned(),
        odds: text(outcome, "/odds").to_owned(),
        sellable: outcome.get("sellable") == Some(&Value::Bool(true)),
    };
    priced.map(offer).collect()
}
