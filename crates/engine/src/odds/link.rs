//! The odds lane to one peer: rounds of conflated values, ended by `upto`. Only the newest value of a register is ever
//! waiting; memory is bounded by registers, not by ticks. Knows no QUIC; the driver says when a frame has left.

use std::collections::BTreeSet;

use crdt::{Site, Vector};
use minicbor::bytes::ByteVec;
use model::ProducerId;
use model::limits::ODDS_FRAME_BYTES_MAX;

use super::fresh::Freshness;
use super::plane::Plane;
use super::register::RegisterKey;
use crate::planted::Planted;
use crate::wire::{AliveAge, OddsFrame, Upto};

/// Longest silence on an idle odds lane, ms: an `upto` carries liveness even when nothing changes.
const UPTO_MS_MAX: u64 = 250;
/// A receiver that lost frames asks again at most this often, ms.
const RESYNC_MS: u64 = 500;

/// What is noted when a round begins.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Round {
    vector: Vector,
    echo_ms: Option<u64>,
    alive: Vec<(ProducerId, Site, u64)>,
}

/// Sender's and receiver's state of the lane to one peer. Nothing of it is stored.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct OddsLink {
    active: bool,
    session: u64,
    number: u64,
    in_flight: bool,
    urgent: BTreeSet<RegisterKey>,
    current: BTreeSet<RegisterKey>,
    next: BTreeSet<RegisterKey>,
    round: Option<Round>,
    last_upto_ms: Option<u64>,
    last_upto: Vector,
    /// Sites whose writes we answer for towards this peer, besides our own.
    relayed: BTreeSet<Site>,
    /// The peer's newest stamp.
    pub(crate) echo_ms: Option<u64>,
    /// Receiver: the session and number expected next.
    expected: Option<(u64, u64)>,
    /// Receiver: when it last asked to start again, steady ms.
    asked_ms: Option<u64>,
}

/// How a received frame stands to the ones before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Follows {
    /// It is the next one: its `upto` counts.
    Next,
    /// Heard before; harmless.
    Before,
    /// Frames are missing. `ask`: it is time to ask for a new start.
    Gap {
        /// Whether to ask now.
        ask: bool,
    },
}

impl OddsLink {
    /// Begins anew towards a peer that knows `theirs`: everything beyond it is dirty, of every site but its own.
    pub(crate) fn begin(&mut self, plane: &Plane, me: Site, peer_region: u16, theirs: &Vector) {
        *self = Self {
            active: true,
            session: self.session.wrapping_add(1),
            echo_ms: self.echo_ms,
            expected: self.expected,
            asked_ms: self.asked_ms,
            ..Self::default()
        };
        for site in plane.sites() {
            let behind = plane.vector().get(site) > theirs.get(site);
            let dirty = plane.beyond(site, theirs.get(site));
            if site.region == peer_region || (!behind && dirty.is_empty()) {
                continue;
            }
            if site != me {
                self.relayed.insert(site);
            }
            dirty.into_iter().for_each(|key| self.dirty(key));
        }
    }

    /// Answers for one more site, from what the peer knows of it.
    pub(crate) fn relay(&mut self, plane: &Plane, site: Site, theirs: &Vector) {
        if self.relayed.insert(site) {
            plane.beyond(site, theirs.get(site)).into_iter().for_each(|key| self.dirty(key));
        }
    }

    /// Stops answering for a site that the peer hears of itself.
    pub(crate) fn unrelay(&mut self, site: Site) {
        self.relayed.remove(&site);
    }

    pub(crate) fn relays(&self, site: Site) -> bool {
        self.relayed.contains(&site)
    }

    /// A register changed.
    pub(crate) fn dirty(&mut self, key: RegisterKey) {
        if key.is_urgent() {
            self.urgent.insert(key);
        } else if !self.current.contains(&key) {
            self.next.insert(key);
        }
    }

    /// Registers waiting.
    pub(crate) fn waiting(&self) -> usize {
        self.urgent.len() + self.current.len() + self.next.len()
    }

    /// The frame handed over last has left.
    pub(crate) const fn sent(&mut self) {
        self.in_flight = false;
    }

    /// When the lane next has something to say without any input, steady ms.
    pub(crate) fn due_ms(&self) -> Option<u64> {
        if self.in_flight || !self.active {
            return None;
        }
        Some(self.last_upto_ms.map_or(0, |t| t + UPTO_MS_MAX))
    }

    /// The next frame, if one may leave now.
    pub(crate) fn pump(
        &mut self,
        plane: &Plane,
        fresh: &Freshness,
        me: Site,
        steady_ms: u64,
        planted: Planted,
    ) -> Option<OddsFrame> {
        if self.in_flight || !self.active {
            return None;
        }
        if self.round.is_none() {
            let idle = self.waiting() == 0;
            let due = self.last_upto_ms.is_none_or(|t| steady_ms >= t + UPTO_MS_MAX);
            let news = self.answerable(plane.vector(), me) != self.last_upto;
            if idle && !due && !news {
                return None;
            }
            self.begin_round(plane, fresh, me);
        }
        let values = self.fill(plane);
        let drained = self.urgent.is_empty() && self.current.is_empty();
        let upto = (drained || planted == Planted::UptoEarly).then(|| self.end_round(steady_ms)).flatten();
        self.number += 1;
        self.in_flight = true;
        Some(OddsFrame { session: self.session, number: self.number, values, upto })
    }

    fn begin_round(&mut self, plane: &Plane, fresh: &Freshness, me: Site) {
        self.current.append(&mut self.next);
        let readers = |site: Site| site == me || self.relayed.contains(&site);
        self.round = Some(Round {
            vector: self.answerable(plane.vector(), me),
            echo_ms: self.echo_ms,
            alive: fresh.evidence(readers),
        });
    }

    fn end_round(&mut self, steady_ms: u64) -> Option<Upto> {
        let round = self.round.take()?;
        self.last_upto_ms = Some(steady_ms);
        self.last_upto = round.vector.clone();
        let age = |alive_ms: u64| steady_ms.saturating_sub(alive_ms);
        let alive = round
            .alive
            .into_iter()
            .map(|(producer, reader, alive_ms)| AliveAge { producer, reader, age_ms: age(alive_ms) })
            .collect();
        Some(Upto { vector: round.vector, echo_ms: round.echo_ms, alive })
    }

    /// Components that we answer for: our own site's and the relayed ones.
    fn answerable(&self, vector: &Vector, me: Site) -> Vector {
        vector.iter().filter(|(site, _)| *site == me || self.relayed.contains(site)).collect()
    }

    fn fill(&mut self, plane: &Plane) -> Vec<ByteVec> {
        let mut values = Vec::new();
        let mut bytes = 0;
        while bytes < ODDS_FRAME_BYTES_MAX {
            let Some(key) = self.urgent.pop_first().or_else(|| self.current.pop_first()) else { break };
            self.next.remove(&key);
            if let Some(value) = plane.get(&key) {
                let value = minicbor::to_vec((&key, &value)).expect("writing to memory cannot fail");
                bytes += value.len();
                values.push(ByteVec::from(value));
            }
        }
        values
    }

    /// Receiver: places a frame. A first frame of another session starts the count anew.
    pub(crate) fn follows(&mut self, frame: &OddsFrame, steady_ms: u64) -> Follows {
        let next = match self.expected {
            Some((session, number)) if session == frame.session && frame.number < number => return Follows::Before,
            Some((session, number)) if session == frame.session => frame.number == number,
            _ => frame.number == 1,
        };
        if next {
            self.expected = Some((frame.session, frame.number + 1));
            return Follows::Next;
        }
        let ask = self.asked_ms.is_none_or(|t| steady_ms >= t + RESYNC_MS);
        if ask {
            self.asked_ms = Some(steady_ms);
        }
        Follows::Gap { ask }
    }

    /// Receiver: a value could not be taken; nothing of this session's `upto` counts any more.
    pub(crate) const fn spoiled(&mut self) {
        self.expected = None;
    }

    /// The link is new: sessions of this process start at a number that no earlier process used.
    pub(crate) const fn opened(&mut self, boot_nonce: u64) {
        self.active = false;
        self.in_flight = false;
        self.expected = None;
        if self.session == 0 {
            self.session = boot_nonce;
        }
    }

    /// The link is gone: nothing leaves until the next `Hello`.
    pub(crate) const fn closed(&mut self) {
        self.active = false;
        self.echo_ms = None;
    }
}
