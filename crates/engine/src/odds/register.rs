//! The odds plane's registers by key, as they are stored and as they travel.
//! Knows the kinds of value a register can hold; knows no sale rules.

use std::cmp::Ordering;

use crdt::{Dot, Hlc, Joined, Register, Restrict, Site, Vector};
use minicbor::{Decode, Encode};
use model::{
    Definition, EventKey, GroupKey, Groups, MarketKey, MarketStatus, OutcomeKey, Price, ProducerId, ProducerState,
    ResultRegister, ResultScope, SaleScope,
};

/// Names a register.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
pub enum RegisterKey {
    /// Whether a producer may be believed.
    #[n(0)]
    Producer(#[n(0)] ProducerId),
    /// The replay clock.
    #[n(1)]
    Clock,
    /// Status of a market.
    #[n(2)]
    Status(#[n(0)] MarketKey),
    /// Results of a market as far as they close it or a selection of it.
    #[n(3)]
    Resulted(#[n(0)] MarketKey, #[n(1)] ResultScope),
    /// What a market is.
    #[n(4)]
    Definition(#[n(0)] MarketKey),
    /// Price of an outcome.
    #[n(5)]
    Price(#[n(0)] MarketKey, #[n(1)] OutcomeKey),
    /// Stops of a group of an event's markets, a slot per producer. Never spread over markets: another region may know
    /// markets that the one where the stop enters does not.
    #[n(6)]
    Stop(#[n(0)] EventKey, #[n(1)] GroupKey),
    /// Source time of a producer's newest `alive`, where that is told apart from its state.
    #[n(7)]
    Alive(#[n(0)] ProducerId),
    /// Groups of a kind of markets, by the vendor's number of it.
    #[n(8)]
    Described(#[n(0)] u32),
    /// Operators' suspension of a scope wider than a market: an operator slot only. Never spread over markets, as stops.
    #[n(9)]
    Held(#[n(0)] SaleScope),
}

impl RegisterKey {
    /// Whether it may overtake everything else on the odds lane: what stops a sale goes first.
    #[must_use]
    pub const fn is_urgent(&self) -> bool {
        matches!(self, Self::Status(_) | Self::Stop(..) | Self::Held(_) | Self::Resulted(..) | Self::Producer(_))
    }

    /// Its market, if it belongs to one.
    #[must_use]
    pub const fn market(&self) -> Option<&MarketKey> {
        match self {
            Self::Status(m) | Self::Resulted(m, _) | Self::Definition(m) | Self::Price(m, _) => Some(m),
            Self::Producer(_) | Self::Clock | Self::Stop(..) | Self::Alive(_) | Self::Described(_) | Self::Held(_) => {
                None
            }
        }
    }
}

/// The replay clock's value, Unix ms; the later one wins anyway, by its source time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
#[cbor(transparent)]
pub struct ClockTime(#[n(0)] pub u64);

impl Restrict for ClockTime {
    fn restrict_cmp(&self, other: &Self) -> Ordering {
        self.cmp(other)
    }
}

/// The odds plane's twin of a log's result register: it closes the market to sale. It holds the log's register whole,
/// with the log's own dots and contexts, so that the two can never disagree about which values live; the plane's dots
/// beside it serve catch-up only.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Encode, Decode)]
pub struct ResultTwin {
    /// What the log's register holds.
    #[n(0)]
    pub results: ResultRegister,
    /// Per site the greatest odds-plane number that carried it.
    #[n(1)]
    pub carried: Vector,
}

impl ResultTwin {
    pub(crate) fn dots(&self) -> impl Iterator<Item = Dot> + '_ {
        self.carried.iter().map(|(site, n)| Dot { site, n })
    }

    pub(crate) fn join(&mut self, other: &Self) -> Joined {
        let results = self.results.join(&other.results);
        let covered = self.carried.covers(&other.carried);
        self.carried.join(&other.carried);
        if covered { results } else { Joined::Changed }
    }
}

/// A register's state.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Encode, Decode)]
pub enum RegisterValue {
    /// Of [`RegisterKey::Producer`].
    #[n(0)]
    Producer(#[n(0)] Register<ProducerId, ProducerState>),
    /// Of [`RegisterKey::Clock`].
    #[n(1)]
    Clock(#[n(0)] Register<ProducerId, ClockTime>),
    /// Of [`RegisterKey::Status`].
    #[n(2)]
    Status(#[n(0)] Register<ProducerId, MarketStatus>),
    /// Of [`RegisterKey::Resulted`].
    #[n(3)]
    Resulted(#[n(0)] ResultTwin),
    /// Of [`RegisterKey::Definition`].
    #[n(4)]
    Definition(#[n(0)] Register<ProducerId, Definition>),
    /// Of [`RegisterKey::Price`].
    #[n(5)]
    Price(#[n(0)] Register<ProducerId, Price>),
    /// Of [`RegisterKey::Stop`].
    #[n(6)]
    Stop(#[n(0)] Register<ProducerId, MarketStatus>),
    /// Of [`RegisterKey::Alive`].
    #[n(7)]
    Alive(#[n(0)] Register<ProducerId, ClockTime>),
    /// Of [`RegisterKey::Described`].
    #[n(8)]
    Described(#[n(0)] Register<ProducerId, Groups>),
    /// Of [`RegisterKey::Held`].
    #[n(9)]
    Held(#[n(0)] Register<ProducerId, MarketStatus>),
}

impl RegisterValue {
    /// An empty register of the kind that a key names.
    #[must_use]
    pub fn empty(key: &RegisterKey) -> Self {
        match key {
            RegisterKey::Producer(_) => Self::Producer(Register::default()),
            RegisterKey::Clock => Self::Clock(Register::default()),
            RegisterKey::Status(_) => Self::Status(Register::default()),
            RegisterKey::Resulted(..) => Self::Resulted(ResultTwin::default()),
            RegisterKey::Definition(_) => Self::Definition(Register::default()),
            RegisterKey::Price(..) => Self::Price(Register::default()),
            RegisterKey::Stop(..) => Self::Stop(Register::default()),
            RegisterKey::Alive(_) => Self::Alive(Register::default()),
            RegisterKey::Described(_) => Self::Described(Register::default()),
            RegisterKey::Held(_) => Self::Held(Register::default()),
        }
    }

    /// Joins another replica's state. `None` when the kinds differ: such a value is refused, nothing changes.
    pub fn join(&mut self, other: &Self) -> Option<Joined> {
        match (self, other) {
            (Self::Producer(a), Self::Producer(b)) => Some(a.join(b)),
            (Self::Clock(a), Self::Clock(b)) => Some(a.join(b)),
            (Self::Status(a), Self::Status(b)) => Some(a.join(b)),
            (Self::Resulted(a), Self::Resulted(b)) => Some(a.join(b)),
            (Self::Definition(a), Self::Definition(b)) => Some(a.join(b)),
            (Self::Price(a), Self::Price(b)) => Some(a.join(b)),
            (Self::Stop(a), Self::Stop(b)) => Some(a.join(b)),
            (Self::Alive(a), Self::Alive(b)) => Some(a.join(b)),
            (Self::Described(a), Self::Described(b)) => Some(a.join(b)),
            (Self::Held(a), Self::Held(b)) => Some(a.join(b)),
            _ => None,
        }
    }

    /// Dots of the living values.
    #[must_use]
    pub fn dots(&self) -> Vec<Dot> {
        match self {
            Self::Producer(r) => r.dots().collect(),
            Self::Clock(r) => r.dots().collect(),
            Self::Status(r) => r.dots().collect(),
            Self::Resulted(r) => r.dots().collect(),
            Self::Definition(r) => r.dots().collect(),
            Self::Price(r) => r.dots().collect(),
            Self::Stop(r) => r.dots().collect(),
            Self::Alive(r) => r.dots().collect(),
            Self::Described(r) => r.dots().collect(),
            Self::Held(r) => r.dots().collect(),
        }
    }

    /// The greatest odds-plane number of a site that the register names.
    #[must_use]
    pub fn greatest_of(&self, site: Site) -> u64 {
        match self {
            Self::Producer(r) => r.greatest_of(site),
            Self::Clock(r) => r.greatest_of(site),
            Self::Status(r) => r.greatest_of(site),
            Self::Resulted(r) => r.carried.get(site),
            Self::Definition(r) => r.greatest_of(site),
            Self::Price(r) => r.greatest_of(site),
            Self::Stop(r) => r.greatest_of(site),
            Self::Alive(r) => r.greatest_of(site),
            Self::Described(r) => r.greatest_of(site),
            Self::Held(r) => r.greatest_of(site),
        }
    }

    /// Hybrid time of the newest living write.
    #[must_use]
    pub fn newest(&self) -> Hlc {
        match self {
            Self::Producer(r) => r.newest(),
            Self::Clock(r) => r.newest(),
            Self::Status(r) => r.newest(),
            Self::Resulted(r) => r.results.newest(),
            Self::Definition(r) => r.newest(),
            Self::Price(r) => r.newest(),
            Self::Stop(r) => r.newest(),
            Self::Alive(r) => r.newest(),
            Self::Described(r) => r.newest(),
            Self::Held(r) => r.newest(),
        }
    }
}
