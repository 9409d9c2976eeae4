//! Quotes as they are answered: of a wager that is only thought of. Records nothing and holds nothing.

use crate::{Amount, Currency, LegTaken, Problem};

/// What placing a wager would come to here and now. Amounts in minor units of the account's currency.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QuoteView {
    /// Currency of the account.
    pub currency: Currency,
    /// Whether it would be accepted here at once.
    pub placeable: bool,
    /// Why it would be rejected, for all legs at once.
    pub problems: Vec<Problem>,
    /// Unit stakes in it.
    pub lines: u64,
    /// Total stake.
    pub stake: Amount,
    /// Greatest unit stake that the money here and what can be represented leave room for.
    pub max_unit_stake: u64,
    /// What it would pay if every leg wins.
    pub potential_payout: u64,
    /// What a wager could take here now.
    pub spendable_here: u64,
    /// Legs at the odds that they would be taken at, else as asked for.
    pub legs: Vec<LegTaken>,
}
