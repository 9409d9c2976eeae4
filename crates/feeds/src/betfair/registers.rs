//! What a book means for a store of odds and results: the market's state, each selection's price, each selection's
//! result. Pure: a [`Summary`] is a function of the book, and changes are the difference of two summaries.
//!
//! It must not know how the engine writes, orders or numbers them.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    book::{Book, Changed},
    definition::{MarketStatus, RunnerKey, RunnerStatus},
};
use crate::decimal::Decimal;
use model::{EventKey, KeyError, MarketKey, OutcomeKey};

/// A market's state for bettors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarketState {
    /// On sale (`OPEN`).
    Active,
    /// No bets for now (`SUSPENDED`).
    Suspended,
    /// Not offered (`INACTIVE`).
    Inactive,
    /// Settled (`CLOSED`).
    Settled,
}

/// A selection's result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RunnerResult {
    /// None, or none any more (reinstated, or the market was reopened).
    #[default]
    None,
    /// Won or placed, and the market is closed.
    Won,
    /// Lost, and the market is closed.
    Lost,
    /// Withdrawn: stakes go back, whatever the market's status.
    Void,
}

/// A selection as bettors may see it. The default is one that is not offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunnerSummary {
    /// Whether the selection takes part: only a runner that the definition calls active does.
    pub active: bool,
    /// The price on offer, above 1.
    pub offer: Option<Decimal>,
    /// Its result.
    pub result: RunnerResult,
}

/// All that a book says to a store of odds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// The market's state; none before the first definition.
    pub state: Option<MarketState>,
    /// Every selection that the definition names or that has a price on offer.
    pub runners: BTreeMap<RunnerKey, RunnerSummary>,
}

/// One thing to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The market's state.
    State(MarketState),
    /// A selection's price.
    Price {
        /// Which selection.
        key: RunnerKey,
        /// Whether it takes part.
        active: bool,
        /// The price on offer, above 1.
        offer: Option<Decimal>,
    },
    /// A selection's result; [`RunnerResult::None`] takes back what was written before.
    Result {
        /// Which selection.
        key: RunnerKey,
        /// Its result.
        result: RunnerResult,
    },
}

impl From<MarketState> for model::MarketStatus {
    fn from(state: MarketState) -> Self {
        match state {
            MarketState::Active => Self::Active,
            MarketState::Suspended => Self::Suspended,
            MarketState::Inactive => Self::Inactive,
            MarketState::Settled => Self::Settled,
        }
    }
}

impl From<MarketStatus> for MarketState {
    fn from(status: MarketStatus) -> Self {
        match status {
            MarketStatus::Open => Self::Active,
            MarketStatus::Suspended => Self::Suspended,
            MarketStatus::Inactive => Self::Inactive,
            MarketStatus::Closed => Self::Settled,
        }
    }
}

impl RunnerSummary {
    /// What the book says of one selection.
    #[must_use]
    pub fn of(book: &Book, key: RunnerKey) -> Self {
        let closed = book.status() == Some(MarketStatus::Closed);
        let status = book.runner_status(key);
        let result = match status {
            Some(RunnerStatus::Removed | RunnerStatus::RemovedVacant) => RunnerResult::Void,
            Some(RunnerStatus::Winner | RunnerStatus::Placed) if closed => RunnerResult::Won,
            Some(RunnerStatus::Loser) if closed => RunnerResult::Lost,
            _ => RunnerResult::None,
        };
        Self { active: status == Some(RunnerStatus::Active), offer: book.offer(key), result }
    }
}

impl Summary {
    /// What the book says.
    #[must_use]
    pub fn of(book: &Book) -> Self {
        let mut summary = Self::default();
        summary.advance(book);
        summary
    }

    /// Brings the summary up to the book and returns what differs: the state first, then by selection its price, then
    /// its result. Costs the number of selections.
    pub fn advance(&mut self, book: &Book) -> Vec<Change> {
        let keys: BTreeSet<RunnerKey> = self.runners.keys().copied().chain(book.runner_keys()).collect();
        self.bring(book, keys)
    }

    /// The same when `changed` is what the one change since the last call altered. Costs the changed selections only,
    /// unless the definition changed.
    pub fn advance_by(&mut self, book: &Book, changed: &Changed) -> Vec<Change> {
        if changed.definition { self.advance(book) } else { self.bring(book, changed.runners.iter().copied()) }
    }

    fn bring(&mut self, book: &Book, keys: impl IntoIterator<Item = RunnerKey>) -> Vec<Change> {
        let mut changes = Vec::new();
        let state = book.status().map(MarketState::from);
        if let Some(state) = state.filter(|state| Some(*state) != self.state) {
            changes.push(Change::State(state));
            self.state = Some(state);
        }
        for key in keys {
            let now = RunnerSummary::of(book, key);
            // A selection that nobody has heard of is news even if it is not offered.
            let named = book.runner_status(key).is_some();
            let held = if named || now != RunnerSummary::default() {
                self.runners.insert(key, now)
            } else {
                self.runners.remove(&key)
            };
            let new = named && held.is_none();
            let was = held.unwrap_or_default();
            if new || (was.active, was.offer) != (now.active, now.offer) {
                changes.push(Change::Price { key, active: now.active, offer: now.offer });
            }
            if was.result != now.result {
                changes.push(Change::Result { key, result: now.result });
            }
        }
        changes
    }
}

/// The store's key of a market of the exchange.
///
/// # Errors
/// [`KeyError`]; never for the id of a parsed change.
pub fn market_key(market_id: &str) -> Result<MarketKey, KeyError> {
    MarketKey::new(&format!("betfair:{market_id}"))
}

/// The store's key of an event of the exchange.
///
/// # Errors
/// [`KeyError`]; never for the event of a parsed definition.
pub fn event_key(event_id: &str) -> Result<EventKey, KeyError> {
    EventKey::new(&format!("betfair:{event_id}"))
}

/// The store's key of a selection within its market: `36276560`, with a handicap `36276560@-1.5`.
///
/// # Errors
/// [`KeyError`]; never for a [`RunnerKey`].
pub fn outcome_key(runner: RunnerKey) -> Result<OutcomeKey, KeyError> {
    OutcomeKey::new(&runner.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_those_of_the_store() {
        assert_eq!(market_key("1.197931750").unwrap().as_str(), "betfair:1.197931750");
        assert_eq!(event_key("31573045").unwrap().as_str(), "betfair:31573045");
        let runner = |hc: &str| RunnerKey { id: 36_276_560, hc: hc.parse().unwrap() };
        assert_eq!(outcome_key(runner("0.0")).unwrap().as_str(), "36276560");
        assert_eq!(outcome_key(runner("-1.50")).unwrap().as_str(), "36276560@-1.5");
        assert_eq!(outcome_key(runner("0.25")).unwrap().as_str(), "36276560@0.25");
        let longest = RunnerKey { id: u64::MAX, hc: Decimal::new(-i64::MAX, 18).unwrap() };
        assert!(outcome_key(longest).is_ok());
    }
}
