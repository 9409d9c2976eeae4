//! Regions wired by hand: `Region::step` for every input, frames in a queue, time that only a test moves.
//! Knows no rules; what must hold is said by the tests.

mod words;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use crdt::{Dot, FeedSlot, Hlc, Register, Row, Site};
use engine::commit::Region;
use engine::door::{Config, Effect, FeedLine, Input, Kept, Lane, Now, RegionConfig, Request, Rules};
use engine::ledger::Exposure;
use engine::log::{Cause, Entry, Event};
use engine::odds::{RegisterKey, RegisterValue};
use engine::port::{Archive, View};
use engine::snapshot::Served;
use engine::wire::{Entries, PeerMessage, SnapshotAsk};
use feeds::betfair::{StreamMessage, parse_line};
use model::{
    AccountId, AccountView, Answer, Command, Currency, Definition, Durability, EventKey, Leg, MarketDraft, MarketKey,
    MarketStatus, MintedId, Odds, OddsChange, OddsPolicy, OddsWrite, OutcomeDef, OutcomeKey, OutcomeResult, ProducerId,
    Query, RejectCode, ResultScope, ResultWrite, StatusAct, Text, Token, WagerAnswer, WagerRecord, WagerRequest,
    WagerView,
};
use rust_decimal::Decimal;

use crate::store::MemStore;

pub(crate) use words::{acc, dec, gbp, market, outcome};

/// Wall time at the start of every test, Unix ms.
pub(crate) const WALL_MS: u64 = 1_767_225_600_000;
const NAMES: [&str; 3] = ["eu-west", "us-east", "ap-south"];
/// Deliveries in one `quiet`: more than this is a livelock.
const DELIVERIES_MAX: usize = 50_000;

pub(crate) type Frame = (u16, u16, Lane, Bytes);

pub(crate) struct Cluster {
    size: u16,
    pub(crate) replay: bool,
    /// Whether regions that start from now on let wagers in play wait.
    pub(crate) bet_delays: bool,
    /// Exposure windows of every region that starts from now on.
    pub(crate) windows: Vec<Exposure>,
    regions: BTreeMap<u16, Region<MemStore>>,
    pub(crate) elapsed_ms: u64,
    queue: VecDeque<Frame>,
    pub(crate) cut: BTreeSet<(u16, u16)>,
    /// Frames of these lanes are kept back until `release`.
    pub(crate) hold: BTreeSet<(u16, u16, Lane)>,
    held: Vec<Frame>,
    pub(crate) replies: BTreeMap<u64, Answer>,
    pub(crate) alarms: Vec<(u16, &'static str, String)>,
    pub(crate) quarantined: BTreeMap<u16, String>,
    /// Incarnations of regions that start from now on, if not the first.
    pub(crate) incarnations: BTreeMap<u16, u32>,
    /// Regions that must hold an entry, of those started from now on.
    pub(crate) ack_quorum: usize,
    pub(crate) sent: u64,
    /// Commits by region.
    pub(crate) commits: BTreeMap<u16, u64>,
    /// How much of their logs regions keep that start from now on.
    pub(crate) kept: Kept,
    /// How regions settle that start from now on.
    pub(crate) rules: Rules,
    /// Segments are wished for in vain.
    pub(crate) archive_fails: bool,
    /// Snapshots being served: by server and peer.
    served: BTreeMap<(u16, u16), (Served, MemStore)>,
    next: u64,
}

impl Cluster {
    /// Regions 1 to `size`, linked and level.
    pub(crate) fn new(size: u16) -> Self {
        let mut c = Self::apart(size, false);
        c.link_all();
        c
    }

    /// As `new`, with an entry counted as safe in `ack_quorum` other regions.
    pub(crate) fn with_quorum(size: u16, ack_quorum: usize) -> Self {
        let mut c = Self::apart(size, false);
        c.ack_quorum = ack_quorum;
        (1..=size).for_each(|n| c.start(n, MemStore::default()));
        c.link_all();
        c
    }

    /// Numbers and names, as `Hello` has them.
    pub(crate) fn topology(&self) -> Vec<(u16, Text)> {
        (1..=self.size).map(|n| (n, Text::new(NAMES[usize::from(n) - 1]))).collect()
    }

    pub(crate) fn replaying(size: u16) -> Self {
        let mut c = Self::apart(size, true);
        c.link_all();
        c
    }

    /// Regions that have started and not met.
    pub(crate) fn apart(size: u16, replay: bool) -> Self {
        let mut c = Self {
            size,
            replay,
            bet_delays: true,
            windows: Vec::new(),
            regions: BTreeMap::new(),
            elapsed_ms: 0,
            queue: VecDeque::new(),
            cut: BTreeSet::new(),
            hold: BTreeSet::new(),
            held: Vec::new(),
            replies: BTreeMap::new(),
            alarms: Vec::new(),
            quarantined: BTreeMap::new(),
            incarnations: BTreeMap::new(),
            ack_quorum: 1,
            sent: 0,
            commits: BTreeMap::new(),
            kept: Kept::default(),
            rules: Rules::default(),
            archive_fails: false,
            served: BTreeMap::new(),
            next: 1,
        };
        (1..=size).for_each(|n| c.start(n, MemStore::default()));
        c
    }

    fn config(&self, n: u16) -> Config {
        let regions = (1..=self.size).map(|n| RegionConfig { number: n, name: Text::new(NAMES[usize::from(n) - 1]) });
        Config {
            cluster: Text::new("test"),
            region: n,
            incarnation: self.incarnations.get(&n).copied().unwrap_or(1),
            regions: regions.collect(),
            ack_quorum: self.ack_quorum,
            freshness_ms: 20_000,
            replay: self.replay,
            first_start: false,
            gossip_ms: 200,
            bet_delays: self.bet_delays,
            windows: self.windows.clone(),
            kept: self.kept,
            rules: self.rules,
        }
    }

    pub(crate) fn start(&mut self, n: u16, store: MemStore) {
        let config = self.config(n);
        self.regions.insert(n, Region::open(config, store));
        self.next += 1;
        self.group(n, vec![Input::Started { boot_nonce: self.next * 1_000_003 }]);
    }

    /// Loses a region's memory and links and starts it again on what was durable.
    pub(crate) fn crash(&mut self, n: u16) {
        let store = self.regions.remove(&n).unwrap().into_store();
        self.queue.retain(|(from, to, ..)| *from != n && *to != n);
        let others: Vec<u16> = self.regions.keys().copied().collect();
        others.iter().for_each(|o| self.group(*o, vec![Input::PeerDown { region: n }]));
        self.start(n, store);
        others.iter().for_each(|o| self.link(*o, n));
        self.quiet();
    }

    /// A region's process dies and comes back on an empty disk.
    pub(crate) fn wipe(&mut self, n: u16) {
        self.regions.remove(&n).unwrap();
        self.regions.insert(n, Region::open(self.config(n), MemStore::default()));
        self.crash(n);
    }

    pub(crate) fn store_of(&self, n: u16) -> MemStore {
        self.regions[&n].store().clone()
    }

    pub(crate) fn link_all(&mut self) {
        for a in 1..=self.size {
            (a + 1..=self.size).for_each(|b| self.link(a, b));
        }
        self.quiet();
        self.pass(1_000);
    }

    pub(crate) fn link(&mut self, a: u16, b: u16) {
        if !self.is_cut(a, b) {
            self.group(a, vec![Input::PeerUp { region: b }]);
            self.group(b, vec![Input::PeerUp { region: a }]);
        }
    }

    pub(crate) fn part(&mut self, a: u16, b: u16) {
        self.cut.insert((a.min(b), a.max(b)));
        let between = |f: &Frame| (f.0.min(f.1), f.0.max(f.1)) == (a.min(b), a.max(b));
        self.queue.retain(|f| !between(f));
        self.held.retain(|f| !between(f));
        self.group(a, vec![Input::PeerDown { region: b }]);
        self.group(b, vec![Input::PeerDown { region: a }]);
    }

    pub(crate) fn heal(&mut self, a: u16, b: u16) {
        self.cut.remove(&(a.min(b), a.max(b)));
        self.link(a, b);
        self.quiet();
    }

    fn is_cut(&self, a: u16, b: u16) -> bool {
        self.cut.contains(&(a.min(b), a.max(b)))
    }

    pub(crate) fn engine(&self, n: u16) -> &engine::Engine {
        self.regions[&n].engine()
    }

    pub(crate) fn steady_ms(&self, n: u16) -> u64 {
        // Steady clocks start where they like: nothing may compare them.
        self.elapsed_ms + 1_000 + u64::from(n) * 7_000_000
    }

    /// Runs one group of inputs at a region.
    pub(crate) fn group(&mut self, n: u16, inputs: Vec<Input>) {
        let now = Now { wall_ms: WALL_MS + self.elapsed_ms, steady_ms: self.steady_ms(n) };
        let mut effects = Vec::new();
        let region = self.regions.get_mut(&n).unwrap();
        let writes = region.step(now, inputs, |effect, _| effects.push(effect)).unwrap();
        *self.commits.entry(n).or_default() += u64::from(writes > 0);
        let mut odds_left = Vec::new();
        for effect in effects {
            match effect {
                Effect::Reply { id, answer } => assert!(self.replies.insert(id, *answer).is_none(), "answered twice"),
                Effect::Alarm { code, detail } => self.alarms.push((n, code, detail)),
                Effect::Quarantine { why } => {
                    self.quarantined.insert(n, why);
                }
                Effect::Archive { site, first, last } if !self.archive_fails => {
                    let seal = self.regions[&n].store().seal(site, first, last).unwrap();
                    odds_left.push(Input::Archived { site, first, last, seal });
                }
                Effect::Archive { .. } => {}
                Effect::Snapshot { region, ask } => self.serve(n, region, ask),
                Effect::Send { region, lane, frame } => {
                    self.sent += 1;
                    if lane == Lane::Odds {
                        odds_left.push(Input::OddsSent { region });
                    }
                    if self.hold.contains(&(n, region, lane)) {
                        self.held.push((n, region, lane, frame));
                    } else if !self.is_cut(n, region) {
                        self.queue.push_back((n, region, lane, frame));
                    }
                }
            }
        }
        if !odds_left.is_empty() {
            self.group(n, odds_left);
        }
    }

    /// What a node does beside its commits for a peer that asks for a page.
    fn serve(&mut self, n: u16, region: u16, ask: Option<SnapshotAsk>) {
        let Some(ask) = ask else {
            self.served.remove(&(n, region));
            return;
        };
        let known = self.served.get(&(n, region)).map(|(served, _)| served);
        if Served::is_begun_by(ask, known) {
            let state = self.regions[&n].store().clone();
            match Served::begin(ask.id, &state) {
                Some(served) => drop(self.served.insert((n, region), (served, state))),
                None => drop(self.served.remove(&(n, region))),
            }
        }
        let answer = match self.served.get_mut(&(n, region)) {
            Some((served, state)) => served.answer(ask, state),
            None => Some(Served::unknown(ask.id)),
        };
        let Some(answer) = answer else { return };
        let frame = (n, region, Lane::Bulk, answer.encode());
        if self.hold.contains(&(n, region, Lane::Bulk)) {
            self.held.push(frame);
        } else if !self.is_cut(n, region) {
            self.queue.push_back(frame);
        }
    }

    /// Delivers until nothing is on its way.
    pub(crate) fn quiet(&mut self) {
        for _ in 0..DELIVERIES_MAX {
            let Some((from, to, lane, frame)) = self.queue.pop_front() else { return };
            self.group(to, vec![Input::Peer { region: from, lane, frame }]);
        }
        panic!("a livelock: {DELIVERIES_MAX} frames and still more, at a standing clock");
    }

    /// Takes what is on its way, for a test that delivers by itself.
    pub(crate) fn take_sent(&mut self) -> Vec<Frame> {
        self.queue.drain(..).collect()
    }

    /// Delivers what is on its way now and nothing that follows from it: one one-way delay. Returns what regions asked and
    /// answered each other in it.
    pub(crate) fn wave(&mut self) -> Vec<PeerMessage> {
        let wave = std::mem::take(&mut self.queue);
        let asked = wave.iter().filter(|(_, _, lane, _)| *lane == Lane::Requests);
        let asked = asked.map(|(_, _, _, frame)| PeerMessage::decode(frame).unwrap()).collect();
        for (from, to, lane, frame) in wave {
            self.group(to, vec![Input::Peer { region: from, lane, frame }]);
        }
        asked
    }

    /// Lets what was held back go, in the order in which it was sent.
    pub(crate) fn release(&mut self) {
        self.hold.clear();
        let held = std::mem::take(&mut self.held);
        self.queue.extend(held);
        self.quiet();
    }

    /// The first frame held back that is of this kind, and who sent it. It stays held back no longer.
    pub(crate) fn first_held(&mut self, wanted: impl Fn(&PeerMessage) -> bool) -> Option<(u16, Option<PeerMessage>)> {
        let read = |f: &Frame| PeerMessage::decode(&f.3).ok().filter(&wanted);
        let at = self.held.iter().position(|f| read(f).is_some())?;
        let frame = self.held.remove(at);
        Some((frame.0, PeerMessage::decode(&frame.3).ok()))
    }

    /// Loses what was held back.
    pub(crate) fn drop_held(&mut self) {
        self.hold.clear();
        self.held.clear();
    }

    /// A region's own log.
    pub(crate) fn entries_of(&self, n: u16) -> Vec<Entry> {
        let all = self.regions[&n].store().log(Site::new(n, 1), 1, usize::MAX, usize::MAX);
        all.iter().map(|bytes| Entry::decode(bytes).unwrap()).collect()
    }

    /// Lets time pass, with ticks.
    pub(crate) fn pass(&mut self, ms: u64) {
        let end = self.elapsed_ms + ms;
        while self.elapsed_ms < end {
            self.elapsed_ms = (self.elapsed_ms + 50).min(end);
            (1..=self.size).for_each(|n| self.group(n, vec![]));
            self.quiet();
        }
    }

    /// Settles, gossips and delivers until all that follows from what happened has happened.
    pub(crate) fn run_until_quiet(&mut self) {
        self.quiet();
        self.pass(2_000);
    }

    pub(crate) fn peer(&mut self, from: u16, to: u16, message: &PeerMessage) {
        self.group(to, vec![Input::Peer { region: from, lane: Lane::Log, frame: message.encode() }]);
    }

    pub(crate) fn input(&mut self, request: Request, token: Option<Token>, wait_ms: u64) -> (u64, Input) {
        self.next += 1;
        (self.next, Input::Request { id: self.next, request, token, wait_ms })
    }

    pub(crate) fn send(&mut self, n: u16, request: Request, wait_ms: u64) -> u64 {
        let (id, input) = self.input(request, None, wait_ms);
        self.group(n, vec![input]);
        id
    }

    /// Asks and delivers until the answer is there.
    pub(crate) fn ask(&mut self, n: u16, command: Command) -> Answer {
        let id = self.send(n, Request::Command(command), 2_000);
        self.quiet();
        self.replies.remove(&id).expect("answered while the clock stands")
    }

    pub(crate) fn query(&mut self, n: u16, query: Query) -> Answer {
        let id = self.send(n, Request::Query(query), 0);
        self.replies.remove(&id).expect("reads are answered at once")
    }

    pub(crate) fn place(&mut self, n: u16, wager: WagerRequest) -> WagerAnswer {
        one(self.ask(n, Command::Place(vec![wager])))
    }

    pub(crate) fn mint(&mut self, n: u16) -> MintedId {
        self.next += 1;
        MintedId::mint(WALL_MS + self.elapsed_ms + 60_000, n, 1, self.next)
    }

    pub(crate) fn wager(&mut self, n: u16, account: &str, stake: &str) -> WagerRequest {
        let legs = vec![Leg { market: market(), outcome: outcome("home"), odds: Odds::parse("2").unwrap() }];
        WagerRequest {
            id: self.mint(n),
            account: acc(account),
            unit_stake: dec(stake),
            total_stake: None,
            system: None,
            each_way: false,
            legs,
            policy: OddsPolicy::Any,
            client_ref: None,
            durability: Durability::Local,
        }
    }

    /// An account of region `home` with money in it, known everywhere.
    pub(crate) fn funded(&mut self, account: &str, amount: &str) {
        let home = u16::try_from(NAMES.iter().position(|n| *n == acc(account).region()).unwrap()).unwrap() + 1;
        let opened = self.ask(home, Command::OpenAccount { account: acc(account), currency: gbp() });
        assert!(matches!(opened, Answer::AccountOpened { created: true, .. }));
        let id = self.mint(home);
        self.deposit(home, id, account, amount);
        self.run_until_quiet();
    }

    pub(crate) fn deposit(&mut self, n: u16, id: MintedId, account: &str, amount: &str) -> Answer {
        self.ask(n, Command::Deposit { id, account: acc(account), amount: dec(amount) })
    }

    /// The market on sale at 2.0, made at region `n`'s desk, known everywhere.
    pub(crate) fn on_sale(&mut self, n: u16) {
        let definition = definition(&["home", "away"]);
        let draft = MarketDraft { market: market(), definition, status: MarketStatus::Active };
        self.ask(n, Command::PutMarket(Box::new(draft)));
        for name in ["home", "away"] {
            self.price(n, name, "2");
        }
        self.run_until_quiet();
    }

    pub(crate) fn price(&mut self, n: u16, name: &str, odds: &str) {
        let change = OddsChange::Odds(Odds::parse(odds).unwrap());
        let write = OddsWrite {
            market: market(),
            outcome: outcome(name),
            change,
            producer: None,
            source_time_ms: None,
            source_seq: 0,
        };
        let answer = self.ask(n, Command::WriteOdds(vec![write]));
        assert!(matches!(answer, Answer::Odds(ref r) if r.refused.is_empty()), "{answer:?}");
    }

    pub(crate) fn status(&mut self, n: u16, act: StatusAct) {
        let answer = self.ask(n, Command::SetStatus { market: market(), act });
        assert!(matches!(answer, Answer::Market(_)), "{answer:?}");
    }

    pub(crate) fn result(&mut self, n: u16, name: &str, result: OutcomeResult) {
        let results = vec![ResultWrite { scope: ResultScope::Outcome(outcome(name)), result }];
        let answer = self.ask(n, Command::WriteResults { market: market(), results, closed_ms: None });
        assert!(matches!(answer, Answer::Market(_)), "{answer:?}");
    }

    pub(crate) fn feed(&mut self, n: u16, lines: &[String]) -> Answer {
        let read = |(i, line): (usize, &String)| match parse_line(line.as_bytes()).unwrap() {
            StreamMessage::Market(message) => FeedLine { line: i + 1, message },
            other => panic!("{other:?}"),
        };
        let id = self.send(n, Request::Feed(lines.iter().enumerate().map(read).collect()), 0);
        self.replies.remove(&id).unwrap()
    }

    pub(crate) fn account(&mut self, n: u16, account: &str) -> AccountView {
        match self.query(n, Query::Account(acc(account))) {
            Answer::Account(view) => view,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn known(&mut self, n: u16, id: MintedId) -> WagerRecord {
        match self.query(n, Query::Wager(id)) {
            Answer::Wager { view: WagerView::Known(record), .. } => record.as_ref().clone(),
            other => panic!("{other:?}"),
        }
    }

    /// Why region `n` does not sell the market now.
    pub(crate) fn refusal(&mut self, n: u16) -> Option<RejectCode> {
        match self.query(n, Query::Market(market())) {
            Answer::Market(view) => view.refusal,
            other => panic!("{other:?}"),
        }
    }

    /// Regions hold equal replicated state.
    pub(crate) fn assert_equal(&mut self) {
        let digest = |c: &mut Self, n| match c.query(n, Query::Digest) {
            Answer::Digest(d) => (d.logs, d.odds, d.odds_digest, d.ledger_digest),
            other => panic!("{other:?}"),
        };
        let first = digest(self, 1);
        (2..=self.size).for_each(|n| assert_eq!(digest(self, n), first, "region {n} differs from region 1"));
    }

    /// The identity of ESCROW.md 2.2, every row taken at its owner.
    pub(crate) fn assert_conserved(&self, account: &str) {
        let rows: BTreeMap<Site, Row> = (1..=self.size)
            .filter_map(|n| {
                let site = Site::new(n, 1);
                let row = self.engine(n).ledger().accounts.get(&acc(account))?.rows.get(&site)?;
                Some((site, row.clone()))
            })
            .collect();
        let shares: i128 = rows.values().map(|r| r.free() + r.reserved() + r.held()).sum();
        let sent: i128 = rows.values().flat_map(|r| r.sent.values()).map(|n| i128::from(*n)).sum();
        let received: i128 = rows.values().flat_map(|r| r.recv.values()).map(|n| i128::from(*n)).sum();
        let booked: i128 = rows.values().map(Row::booked).sum();
        assert_eq!(shares + sent - received, booked, "conservation of {account}");
        assert!(
            rows.values().all(|r| r.free() >= 0 && r.reserved() >= 0 && r.held() >= 0 && r.debt() >= 0),
            "nothing below zero"
        );
    }

    /// An entry of `from`'s site, chained to what region `to` holds of it.
    pub(crate) fn forge(&self, from: u16, to: u16, events: Vec<Event>) -> (u64, Bytes) {
        let site = Site::new(from, 1);
        let head = self.engine(to).ledger().head(site);
        let at = Hlc::new(WALL_MS, 0);
        let entry = Entry { site, seq: head.index + 1, prev: head.hash, at, by: Cause::Client, events };
        (head.index + 1, entry.encode())
    }

    /// Delivers one forged entry; what it does there is for the test to say.
    pub(crate) fn inject(&mut self, from: u16, to: u16, events: Vec<Event>) {
        let (first, bytes) = self.forge(from, to, events);
        let items = vec![bytes.to_vec().into()];
        self.peer(from, to, &PeerMessage::Entries(Entries { site: Site::new(from, 1), first, items }));
    }
}

/// One odds register as it travels.
pub(crate) fn odds_bytes(key: &RegisterKey, value: &RegisterValue) -> minicbor::bytes::ByteVec {
    minicbor::to_vec((key, value)).unwrap().into()
}

pub(crate) fn word<V>(value: V, time_ms: u64, dot: Dot) -> FeedSlot<V> {
    FeedSlot { time_ms, seq: 0, value, dot, at: Hlc::new(WALL_MS, 1), mark: None }
}

pub(crate) fn register<V: Clone + Eq + crdt::Restrict>(producer: &str, slot: FeedSlot<V>) -> Register<ProducerId, V> {
    let mut r = Register::default();
    r.offer(&ProducerId::new(producer).unwrap(), slot);
    r
}

pub(crate) fn definition(names: &[&str]) -> Definition {
    let outcomes = names.iter().map(|n| OutcomeDef { key: outcome(n), name: Text::new(n) }).collect();
    Definition {
        name: Text::new("match odds"),
        event: EventKey::new("e1").unwrap(),
        sport: Text::new("football"),
        start_ms: 0,
        in_play: false,
        bet_delay_ms: 0,
        outcomes,
        exchange: false,
        terms: None,
    }
}

pub(crate) fn one(answer: Answer) -> WagerAnswer {
    match answer {
        Answer::Placed(answers) if answers.len() == 1 => answers.into_iter().next().unwrap(),
        other => panic!("{other:?}"),
    }
}

/// Whether it was accepted; `None` when it was not decided.
pub(crate) fn accepted(answer: &WagerAnswer) -> Option<bool> {
    match answer {
        WagerAnswer::Decided { record, .. } => Some(record.is_accepted()),
        WagerAnswer::AwaitingAck { .. }
        | WagerAnswer::Refused(_)
        | WagerAnswer::Ticket(_)
        | WagerAnswer::Delayed(_) => None,
    }
}

/// The code of a final rejection.
pub(crate) fn reason(answer: &WagerAnswer) -> Option<RejectCode> {
    match answer {
        WagerAnswer::Decided { record, .. } => match &record.decision {
            model::Decision::Rejected(problems) => problems.first().map(|p| p.code),
            model::Decision::Accepted => None,
        },
        WagerAnswer::AwaitingAck { .. }
        | WagerAnswer::Refused(_)
        | WagerAnswer::Ticket(_)
        | WagerAnswer::Delayed(_) => None,
    }
}
