//! One modelled site: the real ledger over its disk, stepped as the engine steps it. Every call of the ledger stands
//! here, so that a changed signature or a new operation is met in one file. Time stands still: no state differs by it.
//! What the engine does around the ledger (looking an id up before deciding it, chaining, sealing) is repeated here.

use std::collections::BTreeSet;

use bytes::Bytes;
use crdt::{Dot, FeedSlot, Hlc, Row, Site};
use model::{
    AccountId, Amount, Currency, Durability, Hash16, LegTaken, MarketKey, MintedId, Odds, OddsPolicy, OutcomeKey,
    OutcomeResult, ProducerId, ResultScope, Text, WagerRecord,
};

use super::disk::Disk;
use super::{Bounds, Told};
use crate::door::Now;
use crate::ledger::{Admitted, Announced, Exposure, Granting, Judged, Ledger, Standing};
use crate::log::{Entry, Event};
use crate::planted::Planted;
use crate::port::{View as _, Write};
use crate::tx::Tx;
use crate::wire::Acquire;

/// The one moment of a model.
pub(super) const AT: Hlc = Hlc::new(1, 0);
/// Region names by number, from 1.
const NAMES: [&str; 3] = ["a", "b", "c"];

/// The one account; region 1 is its home.
pub(super) fn account() -> AccountId {
    AccountId::new("p@a").expect("a valid account")
}

pub(super) fn gbp() -> Currency {
    Currency::new("GBP").expect("a valid currency")
}

fn market() -> MarketKey {
    MarketKey::new("m").expect("a valid market")
}

fn outcome() -> OutcomeKey {
    OutcomeKey::new("o").expect("a valid outcome")
}

/// One site.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Region {
    pub(super) ledger: Ledger,
    pub(super) disk: Disk,
    /// Number of its last request for rights.
    pub(super) asked: u64,
    /// Ids decided on another's word; planted bugs only.
    pub(super) believed: BTreeSet<MintedId>,
    /// The first rule of a single step that broke here.
    pub(super) breach: Option<&'static str>,
}

impl Region {
    pub(super) fn new(number: u16, bounds: &Bounds) -> Self {
        let mut ledger = Ledger::new(Site::new(number, 1), 1);
        ledger.planted = bounds.planted;
        if bounds.window.is_some() {
            let exposure = Exposure { currency: gbp(), per_account: bounds.window, per_region: None };
            ledger.restore_windows(&[Announced { index: 0, exposures: vec![exposure] }]);
            ledger.refloor();
        }
        Self { ledger, disk: Disk::default(), asked: 0, believed: BTreeSet::new(), breach: None }
    }

    pub(super) const fn site(&self) -> Site {
        self.ledger.site
    }

    /// This site's own row: the only one that is always up to date.
    pub(super) fn row(&self) -> Row {
        self.row_of(self.site())
    }

    /// A row as known here.
    pub(super) fn row_of(&self, site: Site) -> Row {
        self.ledger.accounts.get(&account()).and_then(|a| a.rows.get(&site)).cloned().unwrap_or_default()
    }

    /// Runs one step of the ledger, seals its entry, makes it durable and checks the rules of a single step.
    pub(super) fn step<R>(&mut self, run: impl FnOnce(&mut Ledger, &mut Tx<'_, Disk>) -> R) -> R {
        let before = self.row();
        let mut tx = Tx::new(Now::default(), &self.disk);
        let out = run(&mut self.ledger, &mut tx);
        let stakes: u64 = tx.events.iter().map(accepted_stake).sum();
        let carried = tx.rows.contains(&account());
        seal(&mut self.ledger, &mut tx);
        // Whom the engine would ask to move is an action of its own here.
        self.ledger.travellers.clear();
        let batch = tx.finish().batch;
        let after = self.row();
        if before.check_successor(&after).is_err() {
            self.breach.get_or_insert("P17 monotone rows");
        }
        if after.stk - before.stk.min(after.stk) != stakes || (after != before) != carried {
            self.breach.get_or_insert("P16 all or none");
        }
        for write in batch {
            if let Write::Wager(next) = &write
                && let Some(known) = self.disk.wager(next.id)
            {
                if next.settled_version == 0 || next.decision != known.decision || next.owner != known.owner {
                    self.breach.get_or_insert("P9 sticky");
                } else if next.settled_version != known.settled_version + 1 {
                    self.breach.get_or_insert("P11 settlement");
                }
            }
            self.disk.take(self.ledger.site, write);
        }
        out
    }

    pub(super) fn open_account(&mut self) {
        let opened = self.step(|ledger, tx| ledger.open_account(tx, &account(), gbp(), 1));
        assert_eq!(opened, Ok(true), "the first account of an empty ledger can be opened");
    }

    pub(super) fn deposit(&mut self, number: u64, minor: u64) {
        let id = MintedId::mint(1, self.site().region, 1, 1_000 + number);
        let amount = Amount::from_minor(minor).expect("a small amount");
        let done = self.step(|ledger, tx| ledger.deposit(tx, AT, id, &account(), amount, Hash16::default()));
        assert!(done.is_ok(), "a small deposit is taken");
    }

    /// Looks a wager up, decides it if it is new and may be decided here, and returns the final answer, if there is one.
    pub(super) fn place(&mut self, id: MintedId, stake: u64, geo: bool) -> Option<Told> {
        if let Some(record) = self.disk.wager(id)
            && self.ledger.planted != Planted::NotSticky
        {
            return self.final_word(&record);
        }
        match self.standing(id) {
            Standing::Mine => {}
            Standing::Away(_) => return None,
            Standing::Closed(..) => return Some(Told::Closed),
        }
        let even = Odds::new(2, 1).expect("valid odds");
        let leg = LegTaken { market: market(), outcome: outcome(), odds: even, version: AT, price_dot: None };
        let wager = Admitted {
            id,
            account: account(),
            currency: gbp(),
            body: Hash16::default(),
            stake: Amount::from_minor(stake).expect("a small stake"),
            legs: vec![leg],
            policy: OddsPolicy::None,
            client_ref: None,
            durability: if geo { Durability::Geo } else { Durability::Local },
            shape: crate::ledger::Shape::default(),
            problems: Vec::new(),
            delay_ms: 0,
            asked_ms: None,
        };
        match self.step(|ledger, tx| ledger.place(tx, AT, wager, false)) {
            Judged::Decided(record) => self.final_word(&record),
            Judged::Full | Judged::Window | Judged::Short { .. } | Judged::Delay(_) => None,
        }
    }

    /// What a client hears of a decided wager as final; nothing while it is pending.
    pub(super) fn final_word(&self, record: &WagerRecord) -> Option<Told> {
        let counts = self.ledger.is_confirmed(record) || self.ledger.planted == Planted::GeoEarly;
        let told = if record.is_accepted() { Told::Accepted } else { Told::Rejected };
        counts.then_some(told)
    }

    /// Answers a request for rights as the engine does: amount and index of the own log.
    pub(super) fn grant(&mut self, to: Site, ask: &Acquire) -> (u64, u64) {
        let seen = self.ledger.granted.get(&(to, account())).copied().unwrap_or(0);
        let granted = match self.step(|ledger, tx| ledger.grant(tx, to, ask, false)) {
            Granting::Granted(amount) => {
                if ask.n <= seen {
                    self.breach.get_or_insert("one grant a request");
                }
                amount
            }
            Granting::Repeat => ask.need,
            // The engine answers later; here nothing hangs on an answer.
            Granting::Nothing | Granting::Later => 0,
        };
        (granted, self.ledger.next_seq() - 1)
    }

    /// Hears an answer. Only the planted bug makes money of it: a grant counts in-stream.
    pub(super) fn answered(&mut self, from: Site, granted: u64) {
        if self.ledger.planted == Planted::GrantFromReply && granted > 0 {
            self.step(|ledger, tx| *ledger.own_row(tx, &account()).recv.entry(from).or_default() += granted);
        }
    }

    /// A feed states a result here, as its `number`-th word.
    pub(super) fn result(&mut self, number: u64, value: OutcomeResult) {
        self.step(|ledger, tx| {
            let scope = ResultScope::Outcome(outcome());
            let known = tx.results(&market()).into_iter().find(|(s, _)| *s == scope);
            let mut register = known.map(|(_, r)| r).unwrap_or_default();
            let dot = Dot { site: ledger.site, n: ledger.next_seq() };
            let producer = ProducerId::new("feed").expect("a valid producer");
            let _ = register.offer(&producer, FeedSlot { time_ms: number, seq: 0, value, dot, at: AT, mark: None });
            tx.put(Write::Result(market(), scope.clone(), register.clone()));
            tx.events.push(Event::Result(market(), scope, register));
            ledger.mark_settle(tx, &market());
        });
    }

    pub(super) fn settle(&mut self) {
        self.step(|ledger, tx| ledger.settle_slice(tx, AT, 10));
    }

    /// Notes another region's ack.
    pub(super) fn ack(&mut self, by: Site, index: u64) {
        self.ledger.acked(by, index);
        self.step(|ledger, tx| {
            for (account, credit) in ledger.release() {
                ledger.push_home(tx, &account, credit);
            }
            ledger.confirm(tx);
        });
    }

    /// Applies one entry of a foreign log at its turn, or stops that stream.
    pub(super) fn apply(&mut self, from: Site, seq: u64, bytes: &Bytes) {
        let mut head = self.ledger.head(from);
        let gap = self.ledger.planted == Planted::GapApplied;
        self.step(|ledger, tx| {
            let name = NAMES.get(usize::from(from.region) - 1).copied();
            let entry = Entry::decode(bytes).ok().filter(|e| gap || (e.seq == seq && e.prev == head.hash));
            let Some(entry) = entry.filter(|e| ledger.check_entry(tx, e, name).is_ok()) else {
                head.stopped = Some(Text::new("refused"));
                ledger.logs.insert(from, head);
                return;
            };
            let mut next = head.after(bytes);
            next.index = seq;
            ledger.logs.insert(from, next);
            let merged = ledger.apply_entry(tx, &entry);
            merged.markets.iter().for_each(|m| ledger.mark_settle(tx, m));
        });
    }
}

impl Region {
    /// Applies the rows and grants of an entry once more, as if nothing told repeats apart. Absolute rows do not mind.
    pub(super) fn apply_again(&mut self, bytes: &Bytes) {
        let mut entry = Entry::decode(bytes).expect("it was applied before");
        entry.events.retain(|e| matches!(e, Event::Row(..) | Event::Grant(_)));
        self.step(|ledger, tx| ledger.apply_entry(tx, &entry));
    }
}

fn accepted_stake(event: &Event) -> u64 {
    match event {
        Event::Wager(record) if record.0.is_accepted() && record.0.settled_version == 0 => record.0.stake.minor(),
        _ => 0,
    }
}

/// Seals the entry being built as `Engine::seal` does: rows last, absolute, chained to the one before.
fn seal(ledger: &mut Ledger, tx: &mut Tx<'_, Disk>) {
    if tx.events.is_empty() && tx.rows.is_empty() {
        return;
    }
    let head = ledger.head(ledger.site);
    let mut events = tx.take_events();
    for account in std::mem::take(&mut tx.rows) {
        let row = ledger.accounts.get(&account).and_then(|a| a.rows.get(&ledger.site));
        events.push(Event::Row(account, row.expect("a touched row exists").clone()));
    }
    let entry = Entry { site: ledger.site, seq: head.index + 1, prev: head.hash, at: AT, by: tx.by, events };
    let bytes = entry.encode();
    let next = head.after(&bytes);
    tx.put(Write::Log(ledger.site, next.index, bytes));
    ledger.logs.insert(ledger.site, next);
    ledger.raise_floor();
}
