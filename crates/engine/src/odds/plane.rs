//! The odds plane's state: every register of every market, its index by dot and its vector.
//! A local write and a peer's value take the same way in: a delta is joined. Knows no sale rules and no lanes.

use std::collections::{BTreeMap, BTreeSet};

use crdt::{Dot, FeedSlot, Hlc, Joined, OperatorSlot, Register, Site, Vector};
use feeds::betfair::{Book, registers::Summary};
use model::{
    Definition, Groups, MarketKey, MarketStatus, OutcomeKey, Price, ProducerId, ProducerState, ResultRegister,
    ResultScope,
};

use super::events::{Events, stated};
use super::holds::Holds;
use super::register::{ClockTime, RegisterKey, RegisterValue, ResultTwin};
use super::stops::{Stopped, Stops};

/// One market's registers, together, so that admission looks a market up once.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Market {
    /// What it is.
    pub definition: Register<ProducerId, Definition>,
    /// Its status.
    pub status: Register<ProducerId, MarketStatus>,
    /// Prices by outcome.
    pub prices: BTreeMap<OutcomeKey, Register<ProducerId, Price>>,
    /// Results as far as they close it or a selection of it.
    pub resulted: BTreeMap<ResultScope, ResultTwin>,
    /// Newest hybrid time of any write that ever changed it here: the version that a wager records.
    pub(crate) version: Hlc,
    /// What the registers of stops come to for it; worked out from them, never stored or sent.
    pub(crate) stopped: Stopped,
    /// The exchange ladder, in the region where its stream enters.
    pub(crate) exchange: Option<Exchange>,
}

/// An exchange ladder and what has been written of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Exchange {
    pub(crate) book: Book,
    pub(crate) summary: Summary,
}

/// All odds of the cluster as known here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plane {
    /// This site: it takes its own dots, and no other's.
    site: Site,
    markets: BTreeMap<MarketKey, Market>,
    producers: BTreeMap<ProducerId, Register<ProducerId, ProducerState>>,
    clock: Register<ProducerId, ClockTime>,
    /// Newest `alive` of producers whose state is told apart from it.
    alive: BTreeMap<ProducerId, Register<ProducerId, ClockTime>>,
    stops: Stops,
    /// Operators' suspensions of scopes wider than a market.
    holds: Holds,
    /// Which markets an event has, by what definitions state; worked out from them.
    events: Events,
    /// Markets that an operator holds off sale; worked out from their statuses.
    held: BTreeSet<MarketKey>,
    /// Which register holds a dot; what a peer lacks is a range of it.
    by_dot: BTreeMap<Dot, RegisterKey>,
    /// Sites that hold a dot of the index; only grows, and is bounded by the topology.
    writers: BTreeSet<Site>,
    /// What is known: own writes, and others' up to the last `upto`.
    vector: Vector,
}

/// A delta of one slot.
#[derive(Clone, Debug)]
pub(crate) enum SlotWrite<V> {
    /// A producer's word.
    Feed { producer: ProducerId, time_ms: u64, seq: u32, value: V },
    /// An operator's value, or its clearing.
    Operator(Option<V>),
}

impl Plane {
    pub(crate) fn new(site: Site) -> Self {
        Self {
            site,
            markets: BTreeMap::new(),
            producers: BTreeMap::new(),
            clock: Register::default(),
            alive: BTreeMap::new(),
            stops: Stops::default(),
            holds: Holds::default(),
            events: Events::default(),
            held: BTreeSet::new(),
            by_dot: BTreeMap::new(),
            writers: BTreeSet::new(),
            vector: Vector::default(),
        }
    }

    /// What is known.
    #[must_use]
    pub const fn vector(&self) -> &Vector {
        &self.vector
    }

    pub(crate) const fn vector_mut(&mut self) -> &mut Vector {
        &mut self.vector
    }

    /// Markets known.
    #[must_use]
    pub const fn markets(&self) -> &BTreeMap<MarketKey, Market> {
        &self.markets
    }

    pub(crate) fn market_mut(&mut self, market: &MarketKey) -> &mut Market {
        if !self.markets.contains_key(market) {
            let stopped = self.stops.of(market);
            self.markets.insert(market.clone(), Market { stopped, ..Market::default() });
        }
        self.markets.get_mut(market).expect("just made sure")
    }

    /// Producers' states.
    #[must_use]
    pub const fn producers(&self) -> &BTreeMap<ProducerId, Register<ProducerId, ProducerState>> {
        &self.producers
    }

    /// Newest signs of life of producers whose state is told apart from them.
    #[must_use]
    pub const fn alive(&self) -> &BTreeMap<ProducerId, Register<ProducerId, ClockTime>> {
        &self.alive
    }

    /// Operators' suspensions of scopes wider than a market.
    #[must_use]
    pub const fn holds(&self) -> &Holds {
        &self.holds
    }

    /// Events by what definitions state.
    pub(crate) const fn events(&self) -> &Events {
        &self.events
    }

    /// Markets that an operator holds off sale by themselves.
    pub(crate) const fn held_markets(&self) -> &BTreeSet<MarketKey> {
        &self.held
    }

    /// What suspensions of wider scopes come to for a market.
    #[must_use]
    pub fn held_wider(&self, key: &MarketKey, market: &Market) -> Option<MarketStatus> {
        self.holds.of(key, market, &self.events)
    }

    pub(crate) const fn stops(&self) -> &Stops {
        &self.stops
    }

    /// The replay clock, Unix ms; 0 before the first message.
    #[must_use]
    pub fn clock_ms(&self) -> u64 {
        self.clock.feeds.values().map(|s| s.time_ms).max().unwrap_or(0)
    }

    /// A register's state, whole.
    #[must_use]
    pub fn get(&self, key: &RegisterKey) -> Option<RegisterValue> {
        let market = key.market().and_then(|m| self.markets.get(m));
        match key {
            RegisterKey::Producer(p) => self.producers.get(p).cloned().map(RegisterValue::Producer),
            RegisterKey::Clock => Some(RegisterValue::Clock(self.clock.clone())),
            RegisterKey::Status(_) => market.map(|m| RegisterValue::Status(m.status.clone())),
            RegisterKey::Definition(_) => market.map(|m| RegisterValue::Definition(m.definition.clone())),
            RegisterKey::Resulted(_, s) => market?.resulted.get(s).cloned().map(RegisterValue::Resulted),
            RegisterKey::Price(_, o) => market?.prices.get(o).cloned().map(RegisterValue::Price),
            RegisterKey::Stop(e, g) => self.stops.stop(e, g).cloned().map(RegisterValue::Stop),
            RegisterKey::Alive(p) => self.alive.get(p).cloned().map(RegisterValue::Alive),
            RegisterKey::Described(k) => self.stops.described(*k).cloned().map(RegisterValue::Described),
            RegisterKey::Held(s) => self.holds.get(s).cloned().map(RegisterValue::Held),
        }
    }

    /// Joins a register's state. `None` when its kind does not fit its key; nothing changes then.
    pub fn join(&mut self, key: &RegisterKey, value: &RegisterValue) -> Option<Joined> {
        let (joined, before, after) = match (key, value) {
            (RegisterKey::Producer(p), RegisterValue::Producer(v)) => {
                join_in(self.producers.entry(p.clone()).or_default(), v)
            }
            (RegisterKey::Clock, RegisterValue::Clock(v)) => join_in(&mut self.clock, v),
            (RegisterKey::Status(m), RegisterValue::Status(v)) => join_in(&mut self.market_mut(m).status, v),
            (RegisterKey::Definition(m), RegisterValue::Definition(v)) => {
                let before = stated(self.market_mut(m));
                let joined = join_in(&mut self.market_mut(m).definition, v);
                let after = stated(self.market_mut(m));
                self.events.restated(m, &before, after);
                joined
            }
            (RegisterKey::Resulted(m, s), RegisterValue::Resulted(v)) => {
                join_twin(self.market_mut(m).resulted.entry(s.clone()).or_default(), v)
            }
            (RegisterKey::Price(m, o), RegisterValue::Price(v)) => {
                join_in(self.market_mut(m).prices.entry(o.clone()).or_default(), v)
            }
            (RegisterKey::Stop(e, g), RegisterValue::Stop(v)) => join_in(self.stops.stop_mut(e, g), v),
            (RegisterKey::Alive(p), RegisterValue::Alive(v)) => join_in(self.alive.entry(p.clone()).or_default(), v),
            (RegisterKey::Described(k), RegisterValue::Described(v)) => self.stops.join_described(*k, v),
            (RegisterKey::Held(s), RegisterValue::Held(v)) => self.holds.join(s, v),
            _ => return None,
        };
        if joined == Joined::Changed {
            if let Some(market) = key.market().and_then(|m| self.markets.get_mut(m)) {
                market.version = market.version.max(value.newest());
            }
            if let RegisterKey::Status(m) = key {
                self.note_held(m);
            }
            self.reindex(key, &before, &after);
            self.stops.work_out(key, &mut self.markets);
        }
        Some(joined)
    }

    fn note_held(&mut self, market: &MarketKey) {
        if self.markets.get(market).is_some_and(Market::is_held) {
            self.held.insert(market.clone());
        } else {
            self.held.remove(market);
        }
    }

    fn reindex(&mut self, key: &RegisterKey, before: &[Dot], after: &[Dot]) {
        for dot in before.iter().filter(|d| !after.contains(d)) {
            self.by_dot.remove(dot);
        }
        for dot in after.iter().filter(|d| !before.contains(d)) {
            self.by_dot.insert(*dot, key.clone());
            self.writers.insert(dot.site);
        }
    }

    /// Takes the next dot of this site and joins a write under it. Returns whether it changed anything: an older word
    /// does not, and then takes no dot.
    pub(crate) fn write(&mut self, key: &RegisterKey, at: Hlc, write: AnyWrite) -> bool {
        let dot = Dot { site: self.site, n: self.vector.get(self.site) + 1 };
        let delta = self.delta(key, dot, at, write);
        let changed = self.join(key, &delta).expect("a write is of its key's kind") == Joined::Changed;
        if changed {
            self.vector.raise(dot.site, dot.n);
        }
        changed
    }

    fn delta(&self, key: &RegisterKey, dot: Dot, at: Hlc, write: AnyWrite) -> RegisterValue {
        let market = key.market().and_then(|m| self.markets.get(m));
        match (key, write) {
            (RegisterKey::Status(_), AnyWrite::Status(w)) => {
                let mut delta = w.delta(market.map(|m| &m.status), dot, at);
                if let Some(market) = market {
                    delta.feeds.iter_mut().for_each(|(producer, slot)| slot.mark = market.left_active(producer, slot));
                }
                RegisterValue::Status(delta)
            }
            (RegisterKey::Price(_, o), AnyWrite::Price(w)) => {
                RegisterValue::Price(w.delta(market.and_then(|m| m.prices.get(o)), dot, at))
            }
            (RegisterKey::Definition(_), AnyWrite::Definition(w)) => {
                RegisterValue::Definition(w.delta(market.map(|m| &m.definition), dot, at))
            }
            (RegisterKey::Resulted(..), AnyWrite::Resulted(results)) => {
                let carried = [(dot.site, dot.n)].into_iter().collect();
                RegisterValue::Resulted(ResultTwin { results, carried })
            }
            (RegisterKey::Producer(p), AnyWrite::Producer(w)) => {
                RegisterValue::Producer(w.delta(self.producers.get(p), dot, at))
            }
            (RegisterKey::Clock, AnyWrite::Clock(w)) => RegisterValue::Clock(w.delta(Some(&self.clock), dot, at)),
            (RegisterKey::Stop(e, g), AnyWrite::Status(w)) => {
                RegisterValue::Stop(w.delta(self.stops.stop(e, g), dot, at))
            }
            (RegisterKey::Held(s), AnyWrite::Status(w)) => RegisterValue::Held(w.delta(self.holds.get(s), dot, at)),
            (RegisterKey::Alive(p), AnyWrite::Clock(w)) => RegisterValue::Alive(w.delta(self.alive.get(p), dot, at)),
            (RegisterKey::Described(k), AnyWrite::Groups(w)) => {
                RegisterValue::Described(w.delta(self.stops.described(*k), dot, at))
            }
            _ => unreachable!("every write names the key of its own kind"),
        }
    }

    /// Takes over what a log entry says of a result, without a dot of its own: the market closes here at once, and its
    /// twin of the odds lane changes nothing more than the dots. Returns whether anything changed.
    pub(crate) fn close_by(&mut self, market: &MarketKey, scope: &ResultScope, results: &ResultRegister) -> bool {
        let key = RegisterKey::Resulted(market.clone(), scope.clone());
        let twin = ResultTwin { results: results.clone(), carried: Vector::default() };
        self.join(&key, &RegisterValue::Resulted(twin)) == Some(Joined::Changed)
    }

    /// Registers with a write of `site` beyond `n`.
    pub(crate) fn beyond(&self, site: Site, n: u64) -> BTreeSet<RegisterKey> {
        let Some(next) = n.checked_add(1) else { return BTreeSet::new() };
        let from = Dot { site, n: next };
        let to = Dot { site, n: u64::MAX };
        self.by_dot.range(from..=to).map(|(_, key)| key.clone()).collect()
    }

    /// Sites that have ever written something living or are in the vector.
    pub(crate) fn sites(&self) -> BTreeSet<Site> {
        self.writers.iter().copied().chain(self.vector.iter().map(|(s, _)| s)).collect()
    }

    /// Visits every register.
    pub fn visit(&self, mut visit: impl FnMut(RegisterKey, RegisterValue)) {
        let keys: BTreeSet<&RegisterKey> = self.by_dot.values().collect();
        for key in keys {
            if let Some(value) = self.get(key) {
                visit(key.clone(), value);
            }
        }
    }
}

/// A write of any kind.
#[derive(Clone, Debug)]
pub(crate) enum AnyWrite {
    Status(SlotWrite<MarketStatus>),
    Price(SlotWrite<Price>),
    Definition(SlotWrite<Definition>),
    /// The log's register, whole.
    Resulted(ResultRegister),
    Producer(SlotWrite<ProducerState>),
    Clock(SlotWrite<ClockTime>),
    Groups(SlotWrite<Groups>),
}

impl<V: Clone> SlotWrite<V> {
    /// The smallest register that says this write: joined, it has the write's full effect. An operator's value carries
    /// the context of what the writer had seen, so it replaces exactly that.
    pub(crate) fn delta(self, seen: Option<&Register<ProducerId, V>>, dot: Dot, at: Hlc) -> Register<ProducerId, V> {
        let mut delta = Register::default();
        match self {
            Self::Feed { producer, time_ms, seq, value } => {
                delta.feeds.insert(producer, FeedSlot { time_ms, seq, value, dot, at, mark: None });
            }
            Self::Operator(value) => {
                let context = seen.map(|r| r.operator.context.clone()).unwrap_or_default();
                let mut slot = OperatorSlot { context, ..OperatorSlot::default() };
                slot.write(dot, at, value);
                delta.operator = slot;
            }
        }
        delta
    }
}

fn join_twin(twin: &mut ResultTwin, other: &ResultTwin) -> (Joined, Vec<Dot>, Vec<Dot>) {
    let before: Vec<Dot> = twin.dots().collect();
    let joined = twin.join(other);
    (joined, before, twin.dots().collect())
}

pub(super) fn join_in<V: Clone + Eq + crdt::Restrict>(
    register: &mut Register<ProducerId, V>,
    other: &Register<ProducerId, V>,
) -> (Joined, Vec<Dot>, Vec<Dot>) {
    let before: Vec<Dot> = register.dots().collect();
    let joined = register.join(other);
    let after = if joined == Joined::Changed { register.dots().collect() } else { Vec::new() };
    (joined, before, after)
}
