//! Cash-outs from the outside in: what a part of an open wager is worth here and now, by the admission code that
//! sells its legs, and whether a quote still holds. Only the wager's owner prices and decides; elsewhere the answer
//! names it. The money itself is the ledger's.
//!
//! A quote is nothing that this region remembers. Executing one works the offer out again, and takes it only if wager,
//! part, price and everything that was seen are the same and its time is not over: a forged one is at best what an
//! honest question would have got.

use std::sync::Arc;

use crdt::Hlc;
use model::limits::{CASH_OUT_QUOTE_MS, CASH_OUTS_MAX};
use model::settlement::{LegNow, LegVerdict, cash_out_pays, open_stake};
use model::{
    Amount, Answer, CashOutQuote, Hash16, MintedId, Odds, Problem, Refusal, RejectCode, Share, Text, WagerRecord,
    WagerState,
};

use crate::admission::malformed;
use crate::engine::Engine;
use crate::ledger::{CashingOut, Standing};
use crate::log::{Cause, hash16};
use crate::port::View;
use crate::tx::Tx;

/// A wager's legs as a price sees them, and the hash of all that was seen.
struct Sight {
    legs: Vec<LegNow>,
    seen: Hash16,
}

impl Engine {
    /// What cashing out a part of the original stake would pay; `None`: all that is in play. Records nothing.
    pub(crate) fn quote_cash_out<V: View>(
        &mut self,
        tx: &Tx<'_, V>,
        wager: MintedId,
        share: Option<Share>,
    ) -> Result<Answer, Refusal> {
        if let Some(refusal) = self.not_ready() {
            return Err(refusal);
        }
        let record = self.open_wager_here(tx, wager)?;
        let part = part_of(&record, share)?;
        let quote = self.offer(tx, &record, part)?;
        Ok(Answer::CashOutQuoted { quote, currency: record.currency })
    }

    /// Cashes out what a quote says, once per id, if it still holds.
    pub(crate) fn cash_out<V: View>(
        &mut self,
        tx: &mut Tx<'_, V>,
        wager: MintedId,
        id: MintedId,
        quote: &CashOutQuote,
    ) -> Result<Answer, Refusal> {
        let body = hash16(&minicbor::to_vec(("cash out", wager, quote)).expect("writing to memory cannot fail"));
        if quote.wager != wager {
            return Err(malformed("quote", "was given for another wager"));
        }
        // Where the wager is decided comes first: an id of this region is of no use at another's wager.
        let record = self.wager_here(tx, wager)?;
        self.check_origin(id)?;
        if let Some(posting) = self.decided(tx, id, body)? {
            return Ok(Answer::CashedOut { posting, record, replayed: true });
        }
        self.cashable(&record)?;
        if quote.stake.minor() == 0 || quote.stake.minor() > open_stake(&record) {
            return Err(not_in_play(&record, "quote"));
        }
        let now_ms = self.time.owner_ms();
        let held = self.offer(tx, &record, quote.stake)?;
        let in_time = (now_ms..=now_ms.saturating_add(CASH_OUT_QUOTE_MS)).contains(&quote.expires_ms);
        if !in_time || (held.pays, held.seen) != (quote.pays, quote.seen) {
            return Err(Refusal::QuoteExpired { quote: held, currency: record.currency });
        }
        tx.by = Cause::Client;
        self.seal(tx);
        let at = self.time.stamp();
        tx.at = Some(at);
        let asked = CashingOut { id, body, stake: quote.stake, pays: quote.pays };
        let done = self.ledger.cash_out(tx, at, &record, asked);
        self.seal(tx);
        tx.at = None;
        let (posting, record) = done.ok_or_else(full)?;
        Ok(Answer::CashedOut { posting, record, replayed: false })
    }

    /// An accepted wager that this site owns.
    pub(crate) fn wager_here<V: View>(&self, tx: &Tx<'_, V>, id: MintedId) -> Result<Arc<WagerRecord>, Refusal> {
        match tx.wager(id) {
            Some(record) if record.owner != self.site => Err(self.away(record.owner.region)),
            Some(record) if record.is_accepted() => Ok(record),
            Some(_) => Err(Refusal::WagerNotOpen { state: "rejected" }),
            None => match self.standing(id) {
                Standing::Away(region) => Err(self.away(region)),
                Standing::Mine | Standing::Closed(..) => Err(Refusal::WagerUnknown),
            },
        }
    }

    fn open_wager_here<V: View>(&mut self, tx: &Tx<'_, V>, id: MintedId) -> Result<Arc<WagerRecord>, Refusal> {
        let record = self.wager_here(tx, id)?;
        self.cashable(&record).map(|()| record)
    }

    /// Whether anything of a wager can be cashed out: it counts already, it is open, and it has not been cut up enough.
    fn cashable(&mut self, record: &WagerRecord) -> Result<(), Refusal> {
        if !self.ledger.is_confirmed(record) {
            return Err(Refusal::WagerNotOpen { state: "pending" });
        }
        if record.is_prepared() {
            self.commit_confirmed();
        }
        if record.state != WagerState::Open {
            return Err(Refusal::WagerNotOpen { state: record.state.name() });
        }
        if record.cash_outs().len() >= CASH_OUTS_MAX {
            return Err(Refusal::Overloaded { what: Text::new("cash-outs of one wager") });
        }
        Ok(())
    }

    /// The offer for a part, as of now.
    fn offer<V: View>(&self, tx: &Tx<'_, V>, record: &WagerRecord, part: Amount) -> Result<CashOutQuote, Refusal> {
        let Sight { legs, seen } = self.sight(tx, record)?;
        if legs.iter().all(|leg| matches!(leg, LegNow::Ended(_))) {
            // Its results are here and it will be settled in a moment.
            return Err(Refusal::WagerNotOpen { state: "settling" });
        }
        let pays = cash_out_pays(record, &legs, part.minor(), self.config.rules.cash_out_margin);
        let pays = Amount::from_minor(pays).ok().filter(|pays| pays.minor() > 0);
        let pays = pays.ok_or_else(|| malformed("fraction", "is worth less than the smallest amount of money"))?;
        let expires_ms = self.time.owner_ms().saturating_add(CASH_OUT_QUOTE_MS);
        Ok(CashOutQuote { wager: record.id, stake: part, pays, expires_ms, seen })
    }

    /// Legs that have ended count as they ended; the others must be on sale here, by the code that sells them.
    fn sight<V: View>(&self, tx: &Tx<'_, V>, record: &WagerRecord) -> Result<Sight, Refusal> {
        let mut legs = Vec::with_capacity(record.legs.len());
        let mut problems = Vec::new();
        let mut versions: Vec<(Hlc, Option<(u32, u32)>)> = Vec::new();
        for (n, (leg, verdict)) in record.legs.iter().zip(self.ledger.verdicts_now(tx, record)).enumerate() {
            let market = self.plane.markets().get(&leg.market).ok_or(Refusal::MarketUnknown)?;
            let odds: Result<Option<Odds>, RejectCode> = match verdict {
                LegVerdict::Ended(ended) => {
                    legs.push(LegNow::Ended(ended));
                    Ok(None)
                }
                LegVerdict::Disputed => Err(RejectCode::MarketSettled),
                LegVerdict::Open => match self.leg_refusal(tx.now, &leg.market, market, &leg.outcome) {
                    Some(code) => Err(code),
                    None => market.offer(&leg.outcome).and_then(|o| o.odds).map(Some).ok_or(RejectCode::NoPrice),
                },
            };
            match odds {
                Ok(odds) => {
                    legs.extend(odds.map(LegNow::Open));
                    versions.push((market.version, odds.map(|o| (o.num(), o.den()))));
                }
                Err(code) => problems.push(Problem { leg: u8::try_from(n).ok(), code, odds: None }),
            }
        }
        if !problems.is_empty() {
            return Err(Refusal::CashOutUnavailable { problems });
        }
        let of = (record.id, record.settled_version, versions);
        let seen = hash16(&minicbor::to_vec(of).expect("writing to memory cannot fail"));
        Ok(Sight { legs, seen })
    }
}

/// The part of the original stake that is asked for, in whole minor units, rounded down.
fn part_of(record: &WagerRecord, share: Option<Share>) -> Result<Amount, Refusal> {
    let open = open_stake(record);
    let part = share.map_or(open, |share| {
        let part = u128::from(record.stake.minor()) * u128::from(share.num()) / u128::from(share.den());
        u64::try_from(part).unwrap_or(u64::MAX)
    });
    if part > open {
        return Err(not_in_play(record, "fraction"));
    }
    match Amount::from_minor(part) {
        Ok(part) if part.minor() > 0 => Ok(part),
        _ => Err(malformed("fraction", "is less than the smallest amount of money")),
    }
}

fn not_in_play(record: &WagerRecord, field: &str) -> Refusal {
    let open = record.currency.format(i128::from(open_stake(record)));
    malformed(field, &format!("is more than what is still in play: {open} of the stake"))
}

pub(crate) fn full() -> Refusal {
    Refusal::Overloaded { what: Text::new("what can be counted of the account here") }
}
