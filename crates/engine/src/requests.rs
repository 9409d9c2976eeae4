//! Clients' requests: waiting for a token, then to the one place that answers each.
//! Knows the order of things; the rules are in `placing`, `desk`, `feed`, `query` and the ledger.

use model::limits::ACCOUNTS_MAX;
use model::{AccountId, Amount, Answer, Command, Currency, MintedId, MoneyError, Query, Refusal, Text, Token};
use rust_decimal::Decimal;

use crate::door::{Lane, Request, RequestId};
use crate::engine::Engine;
use crate::ledger::Deposited;
use crate::log::{Cause, hash16};
use crate::parked::{Until, Waiting};
use crate::port::View;
use crate::postings::Why;
use crate::referencing::ByReference;
use crate::tx::Tx;
use crate::wire::PeerMessage;
use crate::withdrawing::Asked;

impl Engine {
    pub(crate) fn request<V: View>(
        &mut self,
        tx: &mut Tx<'_, V>,
        id: RequestId,
        request: Request,
        token: Option<Token>,
        wait_ms: u64,
    ) {
        let Some(token) = token else { return self.serve(tx, id, request, wait_ms) };
        let numbers = || token.log.iter().chain(token.odds.iter()).map(|(site, _)| site.region);
        if numbers().any(|n| !self.config.regions.iter().any(|r| r.number == n)) {
            return tx.refuse(id, Refusal::TokenUnknownSite);
        }
        if wait_ms == 0 || self.token().covers(&token) {
            return self.serve(tx, id, request, wait_ms);
        }
        let deadline_ms = tx.now.steady_ms.saturating_add(wait_ms);
        let waiting = Waiting { request, until: Until::Token(token), deadline_ms, wait_ms };
        if !self.parked.park(id, waiting) {
            tx.refuse(id, Refusal::Overloaded { what: Text::new("requests waiting for a token") });
        }
    }

    /// Looks at waiting requests again: once a group, when something has become known or a deadline has passed.
    pub(crate) fn unpark<V: View>(&mut self, tx: &mut Tx<'_, V>) {
        if self.parked.len() == 0 {
            return;
        }
        self.seal(tx);
        let known = self.token();
        let ledger = &self.ledger;
        let met = |until: &Until| match until {
            Until::Token(token) => known.covers(token),
            Until::Account(account) => ledger.account_head(account).is_some(),
            Until::Reference(reference, _) => !ledger.taken.holds(ledger.site, reference),
        };
        let due = self.parked.take_due(tx.now.steady_ms, met);
        self.progressed = false;
        for (id, waiting, met) in due {
            match (met, waiting.until) {
                (_, Until::Reference(_, first)) => self.answer_waiting_reference(tx, id, waiting.request, first),
                (true, _) => self.serve(tx, id, waiting.request, waiting.wait_ms),
                (false, Until::Token(_)) => tx.refuse(id, Refusal::TokenAhead),
                (false, Until::Account(account)) => {
                    tx.refuse(id, Refusal::RegionUnreachable { region: Text::new(account.region()) });
                }
            }
        }
    }

    fn serve<V: View>(&mut self, tx: &mut Tx<'_, V>, id: RequestId, request: Request, wait_ms: u64) {
        let command = match request {
            Request::Query(Query::Wager(wager)) => return self.read_wager(tx, id, wager, wait_ms),
            Request::Query(query) => {
                let answer = self.query(tx, query);
                return tx.reply(id, answer);
            }
            Request::Feed(_) | Request::Uof(_) | Request::Command(_) if self.not_ready().is_some() => {
                let refusal = self.not_ready().expect("just seen");
                return tx.refuse(id, refusal);
            }
            Request::Feed(lines) => {
                tx.by = Cause::Feed;
                let report = self.feed(tx, lines);
                return tx.reply(id, Answer::Feed(report));
            }
            Request::Uof(messages) => {
                tx.by = Cause::Feed;
                let report = self.uof(tx, messages);
                return tx.reply(id, Answer::Feed(report));
            }
            Request::Command(command) => command,
        };
        match command {
            Command::Place(items) => self.place(tx, id, items, wait_ms),
            Command::Deposit { id: posting, account, amount } => {
                let answer = self.deposit(tx, posting, &account, amount).unwrap_or_else(Answer::Refused);
                tx.reply(id, answer);
            }
            Command::DepositByReference { reference, account, amount } => {
                self.deposit_by_reference(tx, id, ByReference { reference, account, amount }, wait_ms);
            }
            Command::Adjust { id: posting, account, amount, kind, reason } => {
                tx.by = Cause::Operator;
                let why = Why { kind, reason };
                let answer = self.adjust(tx, posting, &account, amount, why).unwrap_or_else(Answer::Refused);
                tx.reply(id, answer);
            }
            Command::OpenSession { id: session, account, channel } => {
                let answer = self.open_session(tx, session, account, channel).unwrap_or_else(Answer::Refused);
                tx.reply(id, answer);
            }
            Command::EndSession { id: session } => {
                let answer = self.end_session(tx, session).unwrap_or_else(Answer::Refused);
                tx.reply(id, answer);
            }
            Command::Withdraw { id: posting, account, amount } => {
                self.withdraw(tx, id, Asked { id: posting, account, amount }, wait_ms);
            }
            Command::ResolveWithdrawal { id: posting, account, confirm } => {
                self.resolve(tx, id, account, posting, confirm, wait_ms);
            }
            Command::OpenAccount { account, currency } => self.open_account(tx, id, account, currency, wait_ms),
            Command::CloseWager { id: wager, reason } => self.close_wager(tx, id, wager, reason, wait_ms),
            Command::CancelWager { id: wager, reason, share } => {
                self.cancel_wager(tx, (id, wait_ms), wager, reason, share);
            }
            Command::CashOut { wager, id: cash_out, quote } => {
                let answer = self.cash_out(tx, wager, cash_out, &quote).unwrap_or_else(Answer::Refused);
                tx.reply(id, answer);
            }
            desk => {
                tx.by = Cause::Operator;
                let answer = self.desk(tx, desk).unwrap_or_else(Answer::Refused);
                tx.reply(id, answer);
            }
        }
    }

    fn open_account<V: View>(
        &mut self,
        tx: &mut Tx<'_, V>,
        id: RequestId,
        account: AccountId,
        currency: Currency,
        wait_ms: u64,
    ) {
        let Some(region) = self.region_number(account.region()) else {
            let why = Text::new("names a region that is not in the topology");
            return tx.refuse(id, Refusal::Malformed { field: Text::new("account"), why });
        };
        if region == self.site.region || self.ledger.account_head(&account).is_some() {
            let opened = self.ledger.open_account(tx, &account, currency, ACCOUNTS_MAX);
            let answer = match opened {
                Ok(created) => self.view_account(&account).map(|view| Answer::AccountOpened { view, created }),
                Err(refusal) => Err(refusal),
            };
            return tx.reply(id, answer.unwrap_or_else(Answer::Refused));
        }
        if !self.is_reachable(region) || wait_ms == 0 {
            return tx.refuse(id, Refusal::RegionUnreachable { region: Text::new(account.region()) });
        }
        let message = PeerMessage::OpenAccount { account: account.clone(), currency };
        tx.send(region, Lane::Requests, &message);
        let request = Request::Command(Command::OpenAccount { account: account.clone(), currency });
        let deadline_ms = tx.now.steady_ms.saturating_add(wait_ms);
        let waiting = Waiting { request, until: Until::Account(account), deadline_ms, wait_ms };
        if !self.parked.park(id, waiting) {
            tx.refuse(id, Refusal::Overloaded { what: Text::new("requests waiting for another region") });
        }
    }

    fn deposit<V: View>(
        &mut self,
        tx: &mut Tx<'_, V>,
        id: MintedId,
        account: &AccountId,
        amount: Decimal,
    ) -> Result<Answer, Refusal> {
        self.check_origin(id)?;
        let body = hash16(format!("deposit {account} {}", amount.normalize()).as_bytes());
        let currency = self.ledger.account_head(account).ok_or(Refusal::AccountUnknown)?.currency;
        if let Some(posting) = self.decided(tx, id, body)? {
            return Ok(Answer::Deposited { posting, currency, replayed: true });
        }
        let amount = Amount::from_decimal(amount, currency).map_err(|e| bad_amount("amount", e))?;
        let at = self.time.stamp();
        let Deposited { posting, replayed } = self.ledger.deposit(tx, at, id, account, amount, body)?;
        self.stats.deposits += 1;
        Ok(Answer::Deposited { posting, currency, replayed })
    }

    /// Whether this site decides an id: its region's number, and its incarnation's residue.
    pub(crate) fn check_origin(&self, id: MintedId) -> Result<(), Refusal> {
        if self.ledger.is_origin(id) { Ok(()) } else { Err(Refusal::NotOwner { region: id.region() }) }
    }

    /// Whether an undecided id may still be decided. A passed `place_by` is final, so the time that says so must be
    /// durable with the answer.
    pub(crate) fn check_time(&mut self, id: MintedId, horizon_ms: u64) -> Result<(), Refusal> {
        let now_ms = self.time.owner_ms();
        if now_ms > id.place_by_ms() {
            self.commit_time();
            return Err(Refusal::IdExpired);
        }
        if id.place_by_ms() > now_ms + horizon_ms { Err(Refusal::IdHorizon) } else { Ok(()) }
    }

    pub(crate) fn region_number(&self, name: &str) -> Option<u16> {
        self.config.regions.iter().find(|r| r.name.as_str() == name).map(|r| r.number)
    }

    pub(crate) fn region_name(&self, number: u16) -> Option<&Text> {
        self.config.regions.iter().find(|r| r.number == number).map(|r| &r.name)
    }
}

pub(crate) fn bad_amount(field: &str, why: MoneyError) -> Refusal {
    Refusal::Malformed { field: Text::new(field), why: Text::new(&why.to_string()) }
}
