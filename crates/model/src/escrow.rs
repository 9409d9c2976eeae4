//! What a region knows of the rights to one account, for operators: every row, what is on its way, where the home has
//! been, and what may be spent here now and why not more. Knows no rules; the ledger fills it in.

use crdt::{Row, Site};

use crate::{AccountId, Currency};

/// Everything about the rights of one account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EscrowView {
    /// The account.
    pub account: AccountId,
    /// Its currency; all amounts are its minor units.
    pub currency: Currency,
    /// Where all its rights live.
    pub home: Site,
    /// Number of the move that made this home; 0 at the birth site.
    pub epoch: u64,
    /// Times of the last moves, Unix ms, oldest first.
    pub moves_ms: Vec<u64>,
    /// Each site's row as known here. Only this site's own is always up to date.
    pub rows: Vec<(Site, Row)>,
    /// Rights granted and not yet taken, as known here.
    pub in_flight: Vec<InFlight>,
    /// What may be spent here now.
    pub here: SpendView,
}

/// Rights on their way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InFlight {
    /// Giver.
    pub from: Site,
    /// Taker.
    pub to: Site,
    /// Minor units.
    pub amount: u64,
}

/// What a wager could spend at one site, and the rule that binds (ESCROW.md 2.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SpendView {
    /// Free rights of the own row (S1), minor units.
    pub rights: u64,
    /// What the other rules leave, each on its own: `None` where a rule is not in force.
    pub account_window: Option<u64>,
    /// Rights without credits that other regions do not hold yet (S3).
    pub replicated: Option<u64>,
    /// What is left of the region's window in this currency (S4).
    pub region_window: Option<u64>,
}

impl SpendView {
    /// The least of the rules, and its name: `S1` to `S4`.
    #[must_use]
    pub fn binding(&self) -> (u64, &'static str) {
        let rules = [
            (Some(self.rights), "S1"),
            (self.account_window, "S2"),
            (self.replicated, "S3"),
            (self.region_window, "S4"),
        ];
        let known = rules.into_iter().filter_map(|(left, name)| left.map(|l| (l, name)));
        // Of equal ones the first: what is not there at all is the plainest reason.
        known.min_by_key(|(left, _)| *left).unwrap_or((self.rights, "S1"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_rule_binds() {
        let mut view = SpendView { rights: 900, account_window: None, replicated: Some(900), region_window: None };
        assert_eq!(view.binding(), (900, "S1"));
        view.account_window = Some(500);
        view.region_window = Some(400);
        assert_eq!(view.binding(), (400, "S4"));
    }
}

/// One region's share of an account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ShareView {
    /// The site.
    pub site: Site,
    /// Free rights as known here, minor units; negative only while something is on its way.
    pub free: i128,
    /// Reserved for open wagers, minor units.
    pub reserved: i128,
}
