//! Quotes: what placing a wager would come to here and now, by the code that places. Records nothing and holds
//! nothing: a moment later the answer may be another one.

use model::limits::AMOUNT_MINOR_MAX;
use model::settlement::{Rounding, outright};
use model::{Answer, Odds, Problem, QuoteRequest, QuoteView, Refusal, RejectCode, Share};

use crate::admission::{Asking, Seen};
use crate::door::Now;
use crate::engine::Engine;

impl Engine {
    pub(crate) fn quote(&self, now: Now, asked: &QuoteRequest) -> Answer {
        self.see_quote(now, asked).map_or_else(Answer::Refused, |view| Answer::Quote(Box::new(view)))
    }

    fn see_quote(&self, now: Now, asked: &QuoteRequest) -> Result<QuoteView, Refusal> {
        if let Some(refusal) = self.not_ready() {
            return Err(refusal);
        }
        let seen = self.see(
            now,
            &Asking {
                account: &asked.account,
                unit_stake: asked.unit_stake,
                total_stake: asked.total_stake,
                system: asked.system.as_ref(),
                each_way: asked.each_way,
                legs: &asked.legs,
                policy: asked.policy,
            },
        )?;
        let spendable_here = self.ledger.spendable(&asked.account);
        let covered = seen.stake.minor() <= spendable_here;
        let max_unit_stake = greatest_unit(asked, &seen, spendable_here);
        let mut problems = seen.problems;
        if !covered && problems.is_empty() && self.ledger.lacks(&asked.account, seen.stake.minor()) {
            problems.push(Problem { leg: None, code: RejectCode::InsufficientFunds, odds: None });
        }
        Ok(QuoteView {
            currency: seen.currency,
            placeable: problems.is_empty() && covered,
            problems,
            lines: seen.lines,
            stake: seen.stake,
            max_unit_stake,
            potential_payout: seen.potential,
            spendable_here,
            legs: seen.legs,
        })
    }
}

/// Greatest unit stake within the money here whose stake and payout can be represented.
fn greatest_unit(asked: &QuoteRequest, seen: &Seen, spendable_here: u64) -> u64 {
    let place = |n: usize| seen.places.as_ref().and_then(|all| all.get(n).copied());
    let legs: Vec<(Odds, Option<Share>)> = seen.legs.iter().enumerate().map(|(n, l)| (l.odds, place(n))).collect();
    let factor = outright(asked.system.as_ref(), legs.into_iter());
    let by_payout = Rounding::Floor.round(&(model::settlement::whole(AMOUNT_MINOR_MAX) / factor));
    (spendable_here.min(AMOUNT_MINOR_MAX) / seen.lines.max(1)).min(by_payout.unwrap_or(u64::MAX))
}
