//! What clients know of cash-outs: offers they were given, and decisions they were told. An offer that nobody was given
//! is never taken, a decision never changes and is in the log.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use engine::door::Request;
use model::{Answer, CashOutQuote, Command, Hash16, MintedId, Posting, Refusal};

use crate::ghost::Ghost;
use crate::report::Breach;

/// Offers kept for taking them.
const KEPT: usize = 40;

/// Offers and decisions.
#[derive(Clone, Debug, Default)]
pub(crate) struct CashOuts {
    /// The newest offers, oldest first.
    pub(crate) offers: VecDeque<CashOutQuote>,
    given: BTreeSet<(MintedId, u64, u64, Hash16)>,
    decided: BTreeMap<MintedId, Posting>,
}

impl CashOuts {
    /// Hears the answer to a question for an offer, or to taking one.
    pub(crate) fn heard(&mut self, request: &Request, answer: &Answer, ghost: &Ghost) -> Result<(), Breach> {
        match (request, answer) {
            (_, Answer::CashOutQuoted { quote, .. } | Answer::Refused(Refusal::QuoteExpired { quote, .. })) => {
                self.given.insert((quote.wager, quote.stake.minor(), quote.pays.minor(), quote.seen));
                if self.offers.len() == KEPT {
                    self.offers.pop_front();
                }
                self.offers.push_back(*quote);
                Ok(())
            }
            (Request::Command(Command::CashOut { id, quote, .. }), Answer::CashedOut { posting, replayed, .. }) => {
                self.taken(*id, quote, posting, *replayed, ghost)
            }
            _ => Ok(()),
        }
    }

    fn taken(
        &mut self,
        id: MintedId,
        quote: &CashOutQuote,
        posting: &Posting,
        replayed: bool,
        ghost: &Ghost,
    ) -> Result<(), Breach> {
        if ghost.postings.get(&id) != Some(posting) || posting.id != id {
            return Err(Breach::new("durable_ack", format!("cash-out {id} was answered and is in no log")));
        }
        let offered = (quote.wager, quote.stake.minor(), quote.pays.minor(), quote.seen);
        let same = posting.cash_out().map(|c| (c.wager, c.stake)) == Some((quote.wager, quote.stake));
        if !same || posting.amount != quote.pays || !self.given.contains(&offered) {
            return Err(Breach::new(
                "one_posting",
                format!("cash-out {id} took an offer that nobody was given: {quote:?}"),
            ));
        }
        match self.decided.insert(id, posting.clone()) {
            Some(before) if before != *posting => {
                Err(Breach::new("sticky_answer", format!("cash-out {id} was answered in two ways")))
            }
            Some(_) if !replayed => Err(Breach::new("one_posting", format!("cash-out {id} was decided by two calls"))),
            _ => Ok(()),
        }
    }
}
