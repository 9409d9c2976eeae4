//! What clients do: accounts, deposits, wagers, odds, suspensions, results, signs of life, reads, and asking again.
//! Peeks at a region the way a client would read it first; judges nothing.

mod everywhere;
mod later;
mod payments;
mod scopes;
mod sessions;

use std::collections::VecDeque;

use engine::door::Request;
use model::{
    AccountId, AdjustmentKind, Amount, Command, Currency, Definition, Durability, EventKey, Leg, MarketDraft,
    MarketKey, MarketStatus, MintedId, Odds, OddsChange, OddsPolicy, OddsWrite, OutcomeDef, OutcomeKey, OutcomeResult,
    ProducerId, Query, ResultScope, ResultWrite, StatusAct, Text, WagerRequest,
};
use rust_decimal::Decimal;

use engine::odds::Plane;

use crate::clock::EPOCH_MS;
use crate::draw::Draw;
use crate::options::Options;
use crate::oracle::{Call, Oracle};
use crate::travel::Travel;
use crate::world::REGIONS;

use everywhere::Everywhere;
use payments::Payments;
use scopes::Scopes;

/// Calls kept for asking again.
const REMEMBERED: usize = 200;
/// Markets made by hand that are current at a time.
const MARKETS: u64 = 6;
/// A market is replaced by a new one after about this long, ms.
const MARKET_LIFE_MS: u64 = 700;

/// Kinds of acts, in the order of their weights.
#[derive(Clone, Copy, Debug)]
enum Act {
    Deposit,
    Place,
    Odds,
    Market,
    Again,
    Suspend,
    Resume,
    Result,
    Alive,
    Read,
    Open,
}

const ACTS: [Act; 11] = [
    Act::Deposit,
    Act::Place,
    Act::Odds,
    Act::Market,
    Act::Again,
    Act::Suspend,
    Act::Resume,
    Act::Result,
    Act::Alive,
    Act::Read,
    Act::Open,
];

/// The clients.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    draw: Draw,
    accounts: Vec<AccountId>,
    asked: VecDeque<Call>,
    weights: [u64; 11],
    wide_outcomes: u64,
    /// Where players are, if they travel.
    travel: Option<Travel>,
    replay: bool,
    /// Withdrawals asked for, and where.
    withdrawals: VecDeque<(MintedId, AccountId, u16)>,
    /// Sessions that were asked for.
    sessions: VecDeque<MintedId>,
    /// Payment providers' calls that are next.
    payments: Payments,
    /// Calls in the moment of the last act.
    everywhere: Everywhere,
    /// Operators of wider scopes, and markets' delays.
    scopes: Scopes,
    /// A market was made at this region and has no prices yet.
    follow: Option<u16>,
}

impl Load {
    pub(crate) fn new(options: &Options) -> Self {
        let names = (0..options.accounts).flat_map(|n| REGIONS.map(|(_, region)| format!("p{n}@{region}")));
        Self {
            draw: Draw::new(options.seed, 0x10ad),
            accounts: names.map(|n| AccountId::new(&n).expect("a valid name")).collect(),
            asked: VecDeque::new(),
            withdrawals: VecDeque::new(),
            sessions: VecDeque::new(),
            payments: Payments::default(),
            everywhere: Everywhere::new(options.seed),
            scopes: Scopes::new(options.seed, options.scoped, options.delays),
            weights: options.weights,
            wide_outcomes: options.wide_outcomes,
            travel: options.travel.then(Travel::default),
            replay: options.replay,
            follow: None,
        }
    }

    /// Calls that a house starts with.
    pub(crate) fn opening(&self) -> Vec<Call> {
        let opened = self.accounts.iter().map(|account| self.open(account, home_of(account), 3_000));
        let clock = |(region, _)| call(region, Command::SetClock { now_ms: EPOCH_MS + 300 });
        let clocks = REGIONS.into_iter().filter(|_| self.replay).map(clock);
        opened.chain(clocks).collect()
    }

    fn open(&self, account: &AccountId, region: u16, wait_ms: u64) -> Call {
        let yen = account.as_str().starts_with("p1");
        let currency = Currency::new(if yen { "JPY" } else { "GBP" }).expect("a known code");
        let command = Command::OpenAccount { account: account.clone(), currency };
        Call { region, request: Request::Command(command), token: None, wait_ms }
    }

    fn region(&mut self) -> u16 {
        self.draw.one(&REGIONS).0
    }

    fn account(&mut self) -> AccountId {
        self.draw.of(&self.accounts).expect("there are accounts").clone()
    }

    /// The next act, `None` when it finds nothing to act on. `plane` is what the region of the act shows.
    pub(crate) fn act<'p>(
        &mut self,
        now_ms: u64,
        oracle: &Oracle,
        plane: impl Fn(u16) -> Option<&'p Plane>,
    ) -> Option<Call> {
        if let Some(call) = self.payments.next() {
            return Some(call);
        }
        let total: u64 = self.weights.iter().sum();
        let mut at = self.draw.below(total);
        let act = ACTS.iter().zip(self.weights).find(|(_, w)| {
            let here = at < *w;
            at = at.saturating_sub(if here { 0 } else { *w });
            here
        })?;
        let mut region = self.region();
        let player = if matches!(act.0, Act::Place) { self.traveller() } else { None };
        region = player.as_ref().map_or(region, |(_, at)| *at);
        let seen = plane(region);
        if self.replay && self.draw.percent(15) {
            return Some(self.clock(now_ms, region));
        }
        if let Some(region) = self.follow.take()
            && let Some(command) = plane(region).and_then(|p| self.prices(region, p))
        {
            return Some(call(region, command));
        }
        let call = match act.0 {
            Act::Again => return self.again(),
            Act::Read => return Some(self.read(region, oracle)),
            Act::Open if self.draw.percent(70) => self.session(now_ms, region),
            Act::Open => {
                let (account, wait_ms) = (self.account(), self.draw.below(2_000));
                self.open(&account, region, wait_ms)
            }
            Act::Deposit => self.deposit(now_ms),
            Act::Place => {
                let call = self.place(now_ms, region, seen?, player.map(|(account, _)| account))?;
                self.send_everywhere(&call);
                call
            }
            Act::Market => {
                self.follow = Some(region);
                call(region, self.market(now_ms, region))
            }
            Act::Odds => call(region, self.odds(region, seen?)?),
            Act::Suspend | Act::Resume => {
                if let Some(call) = self.wide_act(region, matches!(act.0, Act::Resume)) {
                    return Some(call);
                }
                let market = self.pick_market(seen?)?;
                let act = if matches!(act.0, Act::Suspend) { StatusAct::Suspend } else { StatusAct::Resume };
                call(region, Command::SetStatus { market, act })
            }
            Act::Result if self.draw.percent(50) => self.later(now_ms, oracle)?,
            Act::Result => call(region, self.result(seen?)?),
            Act::Alive => {
                let producer = ProducerId::new(self.draw.one(&["uof:1", "uof:3"])).expect("a valid key");
                call(region, Command::Alive { producer, source_time_ms: None })
            }
        };
        self.remember(&call);
        Some(call)
    }

    fn remember(&mut self, call: &Call) {
        if self.asked.len() == REMEMBERED {
            self.asked.pop_front();
        }
        let again = matches!(
            &call.request,
            Request::Command(
                Command::Deposit { .. }
                    | Command::Adjust { .. }
                    | Command::Withdraw { .. }
                    | Command::CashOut { .. }
                    | Command::Place(_)
            )
        );
        if again {
            self.asked.push_back(call.clone());
        }
    }

    /// The same call once more, at its region or another one; sometimes with another body.
    fn again(&mut self) -> Option<Call> {
        let recent = self.asked.len().min(if self.draw.percent(70) { 12 } else { REMEMBERED });
        let back = usize::try_from(self.draw.below(recent as u64)).ok()?;
        let mut call = self.asked.iter().rev().nth(back)?.clone();
        // Who travels asks again wherever they are.
        if self.draw.percent(if self.travel.is_some() { 60 } else { 25 }) {
            call.region = self.region();
        }
        if let Request::Command(Command::Place(items)) = &call.request
            && self.draw.percent(6)
        {
            let id = items.first()?.id;
            let reason = self.draw.percent(30).then(|| Text::new("a wrong price"));
            call.request = Request::Command(Command::CloseWager { id, reason });
        }
        call.wait_ms = self.draw.below(4) * 1_000;
        if self.draw.percent(8) {
            match &mut call.request {
                Request::Command(Command::Deposit { amount, .. } | Command::Adjust { amount, .. }) => {
                    *amount += Decimal::ONE
                }
                Request::Command(Command::CashOut { quote, .. }) => {
                    quote.pays = Amount::from_minor(quote.pays.minor() + 1).unwrap_or(quote.pays);
                }
                Request::Command(Command::Place(items)) => {
                    items.iter_mut().for_each(|item| item.unit_stake += Decimal::ONE);
                }
                _ => {}
            }
        }
        Some(call)
    }

    fn mint(&mut self, now_ms: u64, region: u16) -> MintedId {
        let life_ms = self.draw.one(&[60_000, 60_000, 60_000, 8_000, 2_000, 300]);
        MintedId::mint(EPOCH_MS + now_ms + life_ms, region, 1, self.draw.any())
    }

    fn money(&mut self, account: &AccountId, minor_max: u64) -> Decimal {
        let minor = i64::try_from(self.draw.between(1, minor_max)).unwrap_or(1);
        Decimal::new(minor, if account.as_str().starts_with("p1") { 0 } else { 2 })
    }

    fn deposit(&mut self, now_ms: u64) -> Call {
        let account = self.account();
        if self.draw.percent(15) {
            return self.payment(account);
        }
        let region = if self.draw.percent(60) { home_of(&account) } else { self.region() };
        let (id, amount) = (self.mint(now_ms, region), self.money(&account, 10_000));
        if self.draw.percent(25) {
            self.withdrawals.push_back((id, account.clone(), region));
            if self.withdrawals.len() > REMEMBERED {
                self.withdrawals.pop_front();
            }
            // Small enough that many are granted and come to their end.
            let amount = self.money(&account, 1_000);
            return Call { wait_ms: 2_000, ..call(region, Command::Withdraw { id, account, amount }) };
        }
        if self.draw.percent(40)
            && let Some((id, account, origin)) = self.withdrawals.pop_front()
        {
            if self.draw.percent(70) {
                self.withdrawals.push_back((id, account.clone(), origin));
            }
            let (confirm, near) = (self.draw.percent(50), self.draw.percent(80));
            let region = if near { origin } else { region };
            if self.draw.percent(25) {
                let request = Request::Query(Query::Withdrawal(account, id));
                return Call { region, request, token: None, wait_ms: 0 };
            }
            return Call { wait_ms: 2_000, ..call(region, Command::ResolveWithdrawal { id, account, confirm }) };
        }
        if self.draw.percent(25) {
            let taken = self.draw.percent(60);
            let amount = if taken { -amount } else { amount };
            let kind = self.draw.one(&AdjustmentKind::ALL);
            return call(region, Command::Adjust { id, account, amount, kind, reason: Text::new("a reason") });
        }
        call(region, Command::Deposit { id, account, amount })
    }

    /// A player who bets next, and where.
    fn traveller(&mut self) -> Option<(AccountId, u16)> {
        let account = self.account();
        let region = self.travel.as_mut()?.next(&mut self.draw, &account);
        Some((account, region))
    }

    /// Time goes on, or is told wrongly: back, where it must be refused, or a little ahead.
    fn clock(&mut self, now_ms: u64, region: u16) -> Call {
        let off = self.draw.one(&[0, 0, 0, 0, 200, 1_500]);
        let ms = if self.draw.percent(10) { now_ms.saturating_sub(off) } else { now_ms + off };
        call(region, Command::SetClock { now_ms: EPOCH_MS + ms })
    }

    fn place(&mut self, now_ms: u64, region: u16, plane: &Plane, player: Option<AccountId>) -> Option<Call> {
        let count = if self.draw.percent(70) { 1 } else { self.draw.between(2, 8) };
        let mut items = Vec::new();
        for _ in 0..count {
            let market = self.pick_market(plane)?;
            let prices = &plane.markets().get(&market)?.prices;
            let at = usize::try_from(self.draw.below(prices.len() as u64)).ok()?;
            let (outcome, register) = prices.iter().nth(at)?;
            let shown = register.feeds.values().find_map(|s| s.value.odds);
            let odds = shown.unwrap_or_else(|| Odds::new(2, 1).expect("above 1"));
            let account = player.clone().unwrap_or_else(|| self.account());
            let item = WagerRequest {
                id: self.mint(now_ms, region),
                unit_stake: self.money(&account, 6_000),
                account,
                total_stake: None,
                system: None,
                each_way: false,
                legs: vec![Leg { market, outcome: outcome.clone(), odds }],
                policy: self.draw.one(&[OddsPolicy::None, OddsPolicy::Higher, OddsPolicy::Any, OddsPolicy::Any]),
                client_ref: self.draw.percent(20).then(|| Text::new("slip")),
                // Of the others some are above a window, and so at this level all the same.
                durability: if self.draw.percent(15) { Durability::Geo } else { Durability::Local },
            };
            items.push(item);
            if self.draw.percent(10) {
                let twin = self.draw.of(&items).cloned();
                items.extend(twin);
            }
        }
        let mut call = call(region, Command::Place(items));
        call.wait_ms = self.draw.one(&[0, 500, 2_000, 4_000]);
        Some(call)
    }

    fn pick_market(&mut self, plane: &Plane) -> Option<MarketKey> {
        let markets = plane.markets();
        let recent = if self.draw.percent(75) { MARKETS } else { u64::MAX };
        let back = usize::try_from(self.draw.below(recent.min(markets.len() as u64))).ok()?;
        markets.keys().rev().nth(back).cloned()
    }

    fn market(&mut self, now_ms: u64, region: u16) -> Command {
        let number = self.draw.below(MARKETS) + now_ms / MARKET_LIFE_MS;
        let wide = number.is_multiple_of(7) && self.wide_outcomes > 0;
        let count = if wide { self.wide_outcomes } else { 3 };
        let outcome = |n| OutcomeDef { key: outcome(n), name: Text::new("") };
        let definition = Definition {
            name: Text::new(&format!("market {number} by {region}")),
            event: EventKey::new("match").expect("a valid key"),
            sport: Text::new("football"),
            start_ms: EPOCH_MS + now_ms,
            in_play: self.draw.percent(50),
            bet_delay_ms: self.scopes.delay_ms(),
            outcomes: (0..count).map(outcome).collect(),
            exchange: false,
            terms: None,
        };
        let status = if self.draw.percent(90) { MarketStatus::Active } else { MarketStatus::Suspended };
        Command::PutMarket(Box::new(MarketDraft { market: market_key(number), definition, status }))
    }

    fn odds(&mut self, region: u16, plane: &Plane) -> Option<Command> {
        let market = self.pick_market(plane)?;
        let state = plane.markets().get(&market)?;
        let mut outcomes: Vec<&OutcomeKey> = state.prices.keys().collect();
        if self.draw.percent(60) {
            outcomes.truncate(usize::try_from(self.draw.between(1, 3)).ok()?);
        }
        let name = REGIONS.iter().find(|(n, _)| *n == region)?.1;
        let desks = state.status.feeds.iter().filter(|(p, _)| p.desk_region().is_some());
        let owner = desks.max_by_key(|(_, slot)| slot.at).map(|(producer, _)| producer.clone());
        let producer = if self.draw.percent(90) { owner } else { ProducerId::desk(name).ok() };
        let producer = producer.filter(|_| !self.draw.percent(3));
        let mut writes = Vec::new();
        for outcome in outcomes {
            let odds = Odds::new(u128::from(self.draw.between(101, 900)), 100).ok()?;
            let active = self.draw.percent(97);
            writes.push(OddsWrite {
                market: market.clone(),
                outcome: outcome.clone(),
                change: if active { OddsChange::Odds(odds) } else { OddsChange::Active(self.draw.percent(50)) },
                producer: producer.clone(),
                source_time_ms: None,
                source_seq: u32::try_from(self.draw.below(3)).ok()?,
            });
        }
        Some(Command::WriteOdds(writes))
    }

    /// First prices of the newest market that has none of this region's desk.
    fn prices(&mut self, region: u16, plane: &Plane) -> Option<Command> {
        let name = REGIONS.iter().find(|(n, _)| *n == region)?.1;
        let desk = ProducerId::desk(name).ok()?;
        let unpriced = |price: &crdt::Register<ProducerId, model::Price>| {
            price.feeds.get(&desk).is_none_or(|slot| slot.value.odds.is_none())
        };
        let made = |m: &&MarketKey| plane.markets().get(*m).is_some_and(|s| s.status.feeds.contains_key(&desk));
        let market = plane
            .markets()
            .keys()
            .rev()
            .filter(made)
            .find(|m| plane.markets().get(*m).is_some_and(|s| s.prices.values().any(unpriced)))?;
        let outcomes = plane.markets().get(market)?.prices.keys().cloned().collect::<Vec<_>>();
        let mut writes = Vec::new();
        for outcome in outcomes {
            let odds = Odds::new(u128::from(self.draw.between(101, 900)), 100).ok()?;
            let change = OddsChange::Odds(odds);
            let (market, producer) = (market.clone(), Some(desk.clone()));
            writes.push(OddsWrite { market, outcome, change, producer, source_time_ms: None, source_seq: 1 });
        }
        Some(Command::WriteOdds(writes))
    }

    fn result(&mut self, plane: &Plane) -> Option<Command> {
        let market = self.pick_market(plane)?;
        let state = plane.markets().get(&market)?;
        let results = [
            OutcomeResult::Won,
            OutcomeResult::Lost,
            OutcomeResult::Void,
            OutcomeResult::Withdrawn,
            OutcomeResult::Open,
            OutcomeResult::None,
            OutcomeResult::None,
        ];
        let result = self.draw.one(&results);
        let scope = if self.draw.percent(30) {
            ResultScope::Market
        } else {
            let at = usize::try_from(self.draw.below(state.prices.len() as u64)).ok()?;
            ResultScope::Outcome(state.prices.keys().nth(at)?.clone())
        };
        let mut writes = vec![ResultWrite { scope, result }];
        if self.draw.percent(20) {
            let twin = writes.first().cloned();
            writes.extend(twin);
        }
        Some(Command::WriteResults { market, results: writes, closed_ms: None })
    }

    fn read(&mut self, region: u16, oracle: &Oracle) -> Call {
        let at = usize::try_from(self.draw.below(oracle.tokens.len() as u64)).unwrap_or(0);
        let known = oracle.tokens.iter().nth(at).map(|(id, token)| (*id, token.clone()));
        let wait_ms = self.draw.one(&[0, 1_000, 3_000]);
        let (query, token) = match (self.draw.below(6), known) {
            (0..=2, Some((id, token))) => (Query::Wager(id), Some(token)),
            (3, Some((id, _))) => (Query::Wager(id), None),
            (4, _) => (Query::Account(self.account()), None),
            _ => (Query::Market(market_key(self.draw.below(MARKETS * 3))), None),
        };
        // With no time to wait, what is here is answered: such a read promises nothing about its token.
        let token = token.filter(|_| wait_ms > 0);
        Call { region, request: Request::Query(query), token, wait_ms }
    }
}

fn call(region: u16, command: Command) -> Call {
    Call { region, request: Request::Command(command), token: None, wait_ms: 0 }
}

fn outcome(n: u64) -> OutcomeKey {
    OutcomeKey::new(&format!("o{n}")).expect("a valid key")
}

fn market_key(n: u64) -> MarketKey {
    MarketKey::new(&format!("m{n:03}")).expect("a valid key")
}

fn home_of(account: &AccountId) -> u16 {
    REGIONS.iter().find(|(_, name)| *name == account.region()).map_or(1, |(n, _)| *n)
}
