//! The engine: one region's state behind one door. Everything it decides leaves as data.
//! Knows no async, clock, randomness, IO or hash-map order; `Now`, ids and nonces come in.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use crdt::{Row, Site};
use feeds::betfair::registers::Summary;
use model::{AccountId, Refusal, Text, Token};

use crate::confirming::Confirming;
use crate::cutting::Cutting;
use crate::delaying::Delaying;
use crate::door::{Config, Input, Now, Output};
use crate::early::Early;
use crate::fencing::Fencing;
use crate::ledger::Ledger;
use crate::log::{Cause, Entry, Event};
use crate::odds::{AnyWrite, Exchange, Freshness, Plane, RegisterKey};
use crate::parked::Parked;
use crate::placing::Placing;
use crate::planted::Planted;
use crate::port::{LogHead, Meta, View, Write};
use crate::replication::Link;
use crate::resolving::Resolving;
use crate::stats::Stats;
use crate::taking::Receiving;
use crate::tickets::Tickets;
use crate::time::{Reading, Time};
use crate::tx::Tx;
use crate::withdrawing::Withdrawing;

/// Numbers for requests that are made durable in advance: a request then waits for no commit of its own.
const ACQUIRES_RESERVED: u64 = 1_000;

/// One region.
#[derive(Debug)]
pub struct Engine {
    pub(crate) config: Config,
    pub(crate) site: Site,
    pub(crate) time: Time,
    pub(crate) ledger: Ledger,
    pub(crate) plane: Plane,
    pub(crate) fresh: Freshness,
    pub(crate) links: BTreeMap<u16, Link>,
    pub(crate) parked: Parked,
    pub(crate) placing: Placing,
    pub(crate) fencing: Fencing,
    pub(crate) confirming: Confirming,
    pub(crate) tickets: Tickets,
    pub(crate) delaying: Delaying,
    pub(crate) withdrawing: Withdrawing,
    pub(crate) resolving: Resolving,
    pub(crate) early: Early,
    pub(crate) cutting: Cutting,
    pub(crate) receiving: Receiving,
    pub(crate) stats: Stats,
    pub(crate) meta: Meta,
    /// Number of the last acquire request; those up to `meta.acquires` are never used again after a start.
    acquire_last: u64,
    pub(crate) boot_nonce: u64,
    pub(crate) steady_ms: u64,
    /// Own entries of this group, for peers: (index, bytes).
    outbox: Vec<(u64, Bytes)>,
    /// State changed by this group and not yet in its batch.
    pub(crate) unsaved: Unsaved,
    /// When silent producers were looked for last, steady ms.
    pub(crate) silence_ms: u64,
    /// Something has become known since waiting requests were looked at last.
    pub(crate) progressed: bool,
    /// Something of this group must be durable together with `Meta`.
    pub(crate) save_meta: bool,
    pub(crate) planted: Planted,
}

/// What a group has changed in memory and writes once, at its end.
#[derive(Debug, Default)]
pub(crate) struct Unsaved {
    /// As they stand after their last entry.
    pub(crate) rows: BTreeMap<(AccountId, Site), Row>,
    heads: BTreeSet<Site>,
    odds: BTreeSet<RegisterKey>,
}

impl Engine {
    /// An empty region.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let site = Site::new(config.region, config.incarnation);
        let alone = config.regions.len() <= 1;
        let quorum = if alone { 0 } else { config.ack_quorum };
        let mut ledger = Ledger::new(site, quorum);
        ledger.skew_allowance_ms = if config.replay { 0 } else { config.rules.skew_allowance_ms };
        Self {
            site,
            time: Time::new(config.replay),
            ledger,
            plane: Plane::new(site),
            fresh: Freshness::default(),
            links: config.regions.iter().filter(|r| r.number != config.region).map(Link::entry).collect(),
            parked: Parked::default(),
            placing: Placing::default(),
            fencing: Fencing::default(),
            confirming: Confirming::default(),
            tickets: Tickets::default(),
            delaying: Delaying::default(),
            withdrawing: Withdrawing::default(),
            resolving: Resolving::default(),
            early: Early::default(),
            cutting: Cutting::default(),
            receiving: Receiving::default(),
            stats: Stats::default(),
            meta: Meta::default(),
            acquire_last: 0,
            boot_nonce: 0,
            steady_ms: 0,
            outbox: Vec::new(),
            unsaved: Unsaved::default(),
            save_meta: false,
            progressed: false,
            silence_ms: 0,
            planted: Planted::Nothing,
            config,
        }
    }

    /// Takes one stored record back, at start, before the first input.
    pub fn restore(&mut self, write: Write) {
        match write {
            Write::Odds(key, value) => {
                let joined = self.plane.join(&key, &value);
                assert!(joined.is_some(), "a stored register is of its key's kind: {key:?}");
            }
            Write::Book(market, book) => {
                let summary = Summary::of(&book);
                let exchange = Exchange { book: book.as_ref().clone(), summary };
                self.plane.market_mut(&market).exchange = Some(exchange);
            }
            Write::Meta(meta) => {
                self.time.restore(meta.owner_ms, meta.hlc);
                self.plane.vector_mut().join(&meta.odds);
                self.ledger.acks = meta.acks.iter().copied().collect();
                self.ledger.lost = meta.lost.iter().copied().collect();
                self.ledger.read_only = meta.quarantine.is_some();
                self.ledger.ack_floor = meta.ack_floor;
                self.ledger.restore_windows(&meta.windows);
                self.acquire_last = meta.acquires;
                self.ledger.restore_confirmed(&meta);
                self.meta = *meta;
            }
            Write::Ticket(id, ticket) => {
                if let Some(ticket) = ticket {
                    self.tickets.restore(id, ticket);
                }
            }
            Write::Delayed(id, note) => {
                if let Some(note) = note {
                    self.keep_delayed(id, note);
                }
            }
            other => self.ledger.restore(other),
        }
    }

    /// Feeds one input. `view` shows durable state overlaid with every batch returned since the last commit.
    pub fn handle<V: View>(&mut self, now: Now, input: Input, view: &V) -> Output {
        self.stats.inputs += 1;
        self.steady_ms = now.steady_ms;
        let mut tx = Tx::new(now, view);
        if let Reading::Stepped(lead_ms) = self.time.read(now) {
            tx.alarm("clock_stepped", format!("the wall clock is {lead_ms} ms ahead; owner's time is slewed"));
        }
        match input {
            Input::Started { boot_nonce } => self.started(&mut tx, boot_nonce),
            Input::Request { id, request, token, wait_ms } => self.request(&mut tx, id, request, token, wait_ms),
            Input::PeerUp { region } => self.peer_up(&mut tx, region),
            Input::PeerDown { region } => {
                self.peer_down(region);
                self.stop_serving(&mut tx, region);
            }
            Input::Peer { region, lane, frame } => self.peer(&mut tx, region, lane, &frame),
            Input::OddsSent { region } => {
                if let Some(link) = self.links.get_mut(&region) {
                    link.odds.sent();
                }
            }
            Input::Archived { site, first, last, seal } => self.archived(&mut tx, site, (first, last), seal),
            Input::Tick => self.tick(&mut tx),
        }
        self.seal(&mut tx);
        let mut output = tx.finish();
        self.go_round(&mut output.then);
        self.save_meta |= !output.batch.is_empty();
        output
    }

    /// Ends a group: what peers are told once the group is durable, and what must be durable with it.
    pub fn end_group(&mut self, now: Now) -> Output {
        let mut then = Vec::new();
        let outbox = std::mem::take(&mut self.outbox);
        self.push_entries(&outbox, &mut then);
        self.call_home(&mut then);
        self.go_round(&mut then);
        self.gossip(now.steady_ms, &mut then);
        self.pump_odds(now.steady_ms, &mut then);
        let mut batch = self.unsaved_writes();
        let meta = self.meta_now();
        if std::mem::take(&mut self.save_meta)
            || !batch.is_empty()
            || meta.odds != self.meta.odds
            || meta.joined != self.meta.joined
            || meta.lost != self.meta.lost
        {
            batch.push(Write::Meta(Box::new(meta.clone())));
            self.meta = meta;
        }
        Output { batch, then }
    }

    fn meta_now(&self) -> Meta {
        Meta {
            owner_ms: self.time.owner_ms(),
            hlc: self.time.hlc,
            odds: self.plane.vector().clone(),
            acks: self.ledger.acks.iter().map(|(s, n)| (*s, *n)).collect(),
            lost: self.ledger.lost.iter().copied().collect(),
            ack_floor: self.ledger.ack_floor,
            acquires: self.meta.acquires,
            joined: self.meta.joined,
            windows: self.ledger.window.announced().to_vec(),
            quarantine: self.meta.quarantine.clone(),
            confirmed: self.ledger.confirmed_now(),
            taking: self.meta.taking.clone(),
            staged: self.meta.staged,
        }
    }

    /// The next number for an acquire request; it and the next ones are durable with the group that sends it, if they
    /// were not before.
    pub(crate) fn next_acquire(&mut self) -> u64 {
        self.acquire_last += 1;
        if self.acquire_last > self.meta.acquires {
            self.meta.acquires = self.acquire_last + ACQUIRES_RESERVED;
            self.save_meta = true;
        }
        self.acquire_last
    }

    /// Owner's time must be durable before the answer of this group leaves.
    pub(crate) const fn commit_time(&mut self) {
        self.save_meta = true;
    }

    /// What this region knows: the token of every answer given now.
    #[must_use]
    pub fn token(&self) -> Token {
        let log = self.ledger.logs.iter().map(|(site, head)| (*site, head.index)).collect();
        Token { log, odds: self.plane.vector().clone() }
    }

    fn started<V: View>(&mut self, tx: &mut Tx<'_, V>, boot_nonce: u64) {
        self.boot_nonce = boot_nonce;
        self.tell_quarantine(tx);
        self.refresh_covered();
        self.find_window(tx);
        let owing: Vec<AccountId> = self.ledger.accounts.keys().cloned().collect();
        owing.iter().for_each(|account| self.ledger.note_debt(account));
        self.time.set_replay(self.plane.clock_ms());
        let alone = self.config.regions.len() <= 1;
        if alone || self.config.first_start {
            self.meta_joined();
        }
        self.announce_windows(tx);
        self.confirm(tx);
        self.unstage(tx);
        if self.meta.joined && self.meta.taking.is_none() {
            tx.by = Cause::Peer;
            self.ledger.receive_all(tx);
        }
    }

    pub(crate) fn meta_joined(&mut self) {
        if !self.meta.joined {
            self.meta.joined = true;
            self.save_meta = true;
        }
    }

    /// Why this node may not write; `None` when it may.
    pub(crate) fn not_ready(&self) -> Option<Refusal> {
        if let Some(why) = &self.meta.quarantine {
            return Some(Refusal::NotReady { why: why.clone() });
        }
        let why = "a new data directory waits until every other region has answered Hello (or use --first-start)";
        (!self.meta.joined).then(|| Refusal::NotReady { why: Text::new(why) })
    }

    /// Seals the entry being built: rows last, absolute, chained to the one before.
    pub(crate) fn seal<V: View>(&mut self, tx: &mut Tx<'_, V>) {
        if tx.events.is_empty() && tx.rows.is_empty() {
            return;
        }
        assert!(!self.ledger.read_only, "a site in quarantine writes no entry");
        let head = self.ledger.head(self.site);
        let mut events = tx.take_events();
        for account in std::mem::take(&mut tx.rows) {
            let row = self.ledger.accounts.get(&account).and_then(|a| a.rows.get(&self.site));
            let row = row.expect("a touched row exists").clone();
            events.push(Event::Row(account, row));
        }
        let at = tx.at.take().unwrap_or_else(|| self.time.stamp());
        let entry = Entry { site: self.site, seq: head.index + 1, prev: head.hash, at, by: tx.by, events };
        let (seq, bytes) = (entry.seq, entry.encode());
        self.keep_rows(self.site, entry.events);
        let next = head.after(&bytes);
        tx.put(Write::Log(self.site, next.index, bytes.clone()));
        self.set_head(self.site, next);
        self.outbox.push((seq, bytes));
        self.ledger.raise_floor();
        self.stats.entries_written += 1;
    }

    /// Notes an entry's rows: the group's last one of each account is saved at its end.
    pub(crate) fn keep_rows(&mut self, site: Site, events: Vec<Event>) {
        for event in events {
            if let Event::Row(account, row) = event {
                self.unsaved.rows.insert((account, site), row);
            }
        }
    }

    pub(crate) fn set_head(&mut self, site: Site, head: LogHead) {
        self.ledger.logs.insert(site, head);
        self.progressed = true;
        self.unsaved.heads.insert(site);
    }

    /// Writes to an odds register under this site's next dot. `false` when it said nothing newer.
    pub(crate) fn write_odds(&mut self, key: RegisterKey, write: AnyWrite) -> bool {
        assert!(!self.ledger.read_only, "a site in quarantine writes no odds");
        let at = self.time.stamp();
        let changed = self.plane.write(&key, at, write);
        if changed {
            self.stats.odds_writes += 1;
            self.progressed = true;
            self.odds_changed(key, None);
        }
        changed
    }

    /// Notes that a register changed: it is saved with this input, and dirty for the peers it concerns.
    pub(crate) fn odds_changed(&mut self, key: RegisterKey, from: Option<u16>) {
        let dots = if from.is_some() { self.plane.get(&key).map(|v| v.dots()).unwrap_or_default() } else { Vec::new() };
        for (region, link) in &mut self.links {
            let concerns = match from {
                None => true,
                Some(source) => *region != source && dots.iter().any(|d| link.odds.relays(d.site)),
            };
            if concerns {
                link.odds.dirty(key.clone());
            }
        }
        self.unsaved.odds.insert(key);
    }

    /// Notes that a register changed here for a reason that every region learns by itself.
    pub(crate) fn save_odds(&mut self, key: RegisterKey) {
        self.unsaved.odds.insert(key);
    }

    /// Rows, heads and registers that this group changed: each is written once, as it stands at the group's end.
    fn unsaved_writes(&mut self) -> Vec<Write> {
        let unsaved = std::mem::take(&mut self.unsaved);
        let rows = unsaved.rows.into_iter().map(|((account, site), row)| Write::Row(account, site, row));
        let heads = unsaved.heads.into_iter().map(|site| Write::LogHead(site, self.ledger.head(site)));
        let odds = unsaved.odds.into_iter().map(|key| {
            let value = self.plane.get(&key).expect("a changed register exists");
            Write::Odds(key, value)
        });
        rows.chain(heads).chain(odds).collect()
    }

    /// The steady time at which the engine wants a [`Input::Tick`] if nothing else happens, ms.
    #[must_use]
    pub fn deadline_ms(&self) -> Option<u64> {
        if !self.ledger.settling.is_empty() && !self.ledger.read_only {
            return Some(self.steady_ms);
        }
        let parked = self.progressed && self.parked.len() > 0;
        if parked || self.references_due() || self.meta.taking.is_some() {
            return Some(self.steady_ms);
        }
        let links = self.links.values().filter_map(Link::due_ms);
        let debts = (!self.ledger.debtors.is_empty() && !self.ledger.read_only).then(|| self.placing.debts_due_ms());
        links
            .chain(debts)
            .chain(self.parked.deadline_ms())
            .chain(self.placing.deadline_ms())
            .chain(self.fencing.deadline_ms())
            .chain(self.tickets.deadline_ms())
            .chain(self.delayed_due_ms())
            .chain(self.withdrawing.deadline_ms())
            .chain(self.resolving.deadline_ms())
            .chain(self.silence_due_ms())
            .chain(self.cut_due_ms())
            .chain(self.receiving.due_ms())
            .min()
    }

    /// Figures, read off by the driver.
    #[must_use]
    pub const fn stats(&self) -> &Stats {
        &self.stats
    }

    /// The ledger, for tests and digests.
    #[must_use]
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The odds plane, for tests and digests.
    #[must_use]
    pub const fn plane(&self) -> &Plane {
        &self.plane
    }

    /// This site.
    #[must_use]
    pub const fn site(&self) -> Site {
        self.site
    }

    /// Owner's time, Unix ms.
    #[must_use]
    pub const fn owner_ms(&self) -> u64 {
        self.time.owner_ms()
    }

    /// The planted bug, if any.
    #[must_use]
    pub const fn planted(&self) -> Planted {
        self.planted
    }

    /// Plants a bug. Test builds only.
    #[cfg(feature = "planted")]
    pub fn plant(&mut self, bug: Planted) {
        self.planted = bug;
        self.ledger.planted = bug;
    }
}
