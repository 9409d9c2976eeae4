//! Short words for values that tests name. Knows no cluster.

use super::*;

pub(crate) fn acc(name: &str) -> AccountId {
    AccountId::new(name).unwrap()
}

pub(crate) fn market() -> MarketKey {
    MarketKey::new("m1").unwrap()
}

pub(crate) fn outcome(name: &str) -> OutcomeKey {
    OutcomeKey::new(name).unwrap()
}

pub(crate) fn dec(text: &str) -> Decimal {
    Decimal::from_str_exact(text).unwrap()
}

pub(crate) fn gbp() -> Currency {
    Currency::new("GBP").unwrap()
}
