//! What happens to accepted wagers beside their results: players ask what a part is worth and take the offer, some with
//! a price of their own making; operators cancel parts, or take that back. Judges nothing.

use engine::door::Request;
use model::{Amount, Command, MintedId, Query, Share, Text};

use super::{Load, call};
use crate::oracle::{Call, Oracle};

impl Load {
    /// An offer asked for or taken, or a part cancelled; `None` when there is no wager yet.
    pub(super) fn later(&mut self, now_ms: u64, oracle: &Oracle) -> Option<Call> {
        match self.draw.below(10) {
            0..=3 => self.ask_for_offer(oracle),
            4..=7 => self.take_offer(now_ms, oracle).or_else(|| self.ask_for_offer(oracle)),
            _ => self.cancel(oracle),
        }
    }

    fn ask_for_offer(&mut self, oracle: &Oracle) -> Option<Call> {
        let (wager, region) = self.wager(oracle)?;
        let share = self.share();
        Some(Call { region, request: Request::Query(Query::CashOut(wager, share)), token: None, wait_ms: 0 })
    }

    fn take_offer(&mut self, now_ms: u64, oracle: &Oracle) -> Option<Call> {
        let offers = &oracle.cash_outs.offers;
        let back = usize::try_from(self.draw.below(offers.len().min(6) as u64)).ok()?;
        let mut quote = *offers.iter().rev().nth(back)?;
        let region = if self.draw.percent(90) { quote.wager.region() } else { self.region() };
        match self.draw.below(20) {
            0 => quote.pays = Amount::from_minor(quote.pays.minor() * 2).ok()?,
            1 => quote.stake = Amount::from_minor(quote.stake.minor() + 1).ok()?,
            2 => quote.expires_ms += 60_000,
            _ => {}
        }
        let id = self.mint(now_ms, region);
        Some(call(region, Command::CashOut { wager: quote.wager, id, quote }))
    }

    fn cancel(&mut self, oracle: &Oracle) -> Option<Call> {
        let (id, region) = self.wager(oracle)?;
        let share = self.share().or_else(|| self.draw.percent(30).then_some(Share::ZERO));
        Some(call(region, Command::CancelWager { id, reason: Text::new("a wrong price"), share }))
    }

    /// A part, or `None` for all there is.
    fn share(&mut self) -> Option<Share> {
        let part = |num, den| Share::new(num, den).ok();
        self.draw.one(&[None, part(1, 4), part(1, 2), part(1, 3), part(3, 4), part(1, 1)])
    }

    /// A wager that clients were told is accepted, mostly asked for where it was decided.
    fn wager(&mut self, oracle: &Oracle) -> Option<(MintedId, u16)> {
        let newest: Vec<MintedId> = oracle.accepted_ids().rev().take(30).collect();
        let back = usize::try_from(self.draw.below(newest.len() as u64)).ok()?;
        let id = *newest.get(back)?;
        let region = if self.draw.percent(85) { id.region() } else { self.region() };
        Some((id, region))
    }
}
