//! The lying network: connections between regions that come and go, and frames that are late, lost, doubled,
//! overtaken, held up or blocked, each direction by itself. Knows frames as bytes; the world keeps the events.

use std::collections::BTreeMap;

use engine::door::Lane;

use crate::draw::Draw;
use crate::options::Options;

/// From one machine to another.
pub(crate) type Way = (u16, u16);

/// A second machine of a region has this much more in its number.
pub(crate) const SECOND: u16 = 100;

/// The region of a machine.
pub(crate) const fn region_of(machine: u16) -> u16 {
    machine % SECOND
}

/// One direction between two regions.
#[derive(Clone, Debug, Default)]
struct Path {
    delay_min_ms: u64,
    delay_mean_ms: u64,
    blocked_until_ms: u64,
    clogged_until_ms: u64,
    /// When the last frame of a lane arrives; the next one comes after it unless frames overtake each other.
    last_ms: BTreeMap<Lane, u64>,
}

/// All paths and connections.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    draw: Draw,
    paths: BTreeMap<Way, Path>,
    /// The living connection of a pair of regions (smaller first).
    live: BTreeMap<Way, u64>,
    /// Between which machines each connection ever was.
    ends: BTreeMap<u64, Way>,
    connections: u64,
    loss_ppm: u64,
    duplicate_ppm: u64,
    reorder: bool,
    pub(crate) healed: bool,
}

/// The pair of two machines.
const fn ends(a: u16, b: u16) -> Way {
    if a < b { (a, b) } else { (b, a) }
}

/// The pair of two machines' regions.
pub(crate) const fn pair(a: u16, b: u16) -> Way {
    ends(region_of(a), region_of(b))
}

impl Network {
    pub(crate) fn new(options: &Options, regions: &[u16]) -> Self {
        let mut draw = Draw::new(options.seed, 0x4e7);
        let mut paths = BTreeMap::new();
        for a in regions {
            for b in regions.iter().filter(|b| *b != a) {
                let slow = if draw.percent(15) { 5 } else { 1 };
                let path = Path {
                    delay_min_ms: options.delay_min_ms * slow,
                    delay_mean_ms: options.delay_mean_ms * slow,
                    ..Path::default()
                };
                paths.insert((*a, *b), path);
            }
        }
        Self {
            draw,
            paths,
            live: BTreeMap::new(),
            ends: BTreeMap::new(),
            connections: 0,
            loss_ppm: options.loss_ppm,
            duplicate_ppm: options.duplicate_ppm,
            reorder: options.reorder,
            healed: false,
        }
    }

    fn path(&mut self, way: Way) -> &mut Path {
        self.paths.entry((region_of(way.0), region_of(way.1))).or_default()
    }

    /// The living connection of two machines.
    pub(crate) fn connection(&self, a: u16, b: u16) -> Option<u64> {
        let live = self.live.get(&pair(a, b)).copied();
        live.filter(|connection| self.ends.get(connection) == Some(&ends(a, b)))
    }

    /// The living connection of two machines' regions and the machines at its ends.
    pub(crate) fn between(&self, a: u16, b: u16) -> Option<(u64, Way)> {
        let live = self.live.get(&pair(a, b))?;
        Some((*live, self.ends.get(live).copied()?))
    }

    /// The machine at the other end of a connection.
    pub(crate) fn other_end(&self, connection: u64, from: u16) -> Option<u16> {
        let (a, b) = self.ends.get(&connection).copied()?;
        Some(if a == from { b } else { a })
    }

    /// Opens a connection if packets pass both ways; an older one of their regions is replaced.
    pub(crate) fn connect(&mut self, a: u16, b: u16, now_ms: u64) -> Option<u64> {
        if self.is_blocked((a, b), now_ms) || self.is_blocked((b, a), now_ms) {
            return None;
        }
        self.connections += 1;
        self.live.insert(pair(a, b), self.connections);
        self.ends.insert(self.connections, ends(a, b));
        Some(self.connections)
    }

    pub(crate) fn disconnect(&mut self, a: u16, b: u16) -> Option<u64> {
        let connection = self.connection(a, b)?;
        self.live.remove(&pair(a, b));
        Some(connection)
    }

    pub(crate) fn is_blocked(&mut self, way: Way, now_ms: u64) -> bool {
        self.path(way).blocked_until_ms > now_ms
    }

    pub(crate) fn block(&mut self, way: Way, until_ms: u64) {
        let path = self.path(way);
        path.blocked_until_ms = path.blocked_until_ms.max(until_ms);
    }

    pub(crate) fn clog(&mut self, way: Way, until_ms: u64) {
        let path = self.path(way);
        path.clogged_until_ms = path.clogged_until_ms.max(until_ms);
    }

    /// Everything passes from now on, in order, once.
    pub(crate) fn heal(&mut self) {
        self.healed = true;
        for path in self.paths.values_mut() {
            (path.blocked_until_ms, path.clogged_until_ms) = (0, 0);
        }
    }

    /// Delay of something that is not a frame.
    pub(crate) fn delay_ms(&mut self, way: Way) -> u64 {
        let (min, mean) = {
            let p = self.path(way);
            (p.delay_min_ms, p.delay_mean_ms)
        };
        min + self.draw.exponential(mean)
    }

    /// When the copies of a frame arrive; none when it is lost.
    pub(crate) fn arrivals(&mut self, way: Way, lane: Lane, now_ms: u64) -> Vec<u64> {
        if self.is_blocked(way, now_ms) || (!self.healed && self.draw.ppm(self.loss_ppm)) {
            return Vec::new();
        }
        let copies = if !self.healed && self.draw.ppm(self.duplicate_ppm) { 2 } else { 1 };
        let overtakes = self.reorder && !self.healed;
        let mut out = Vec::new();
        for copy in 0..copies {
            let delay = self.delay_ms(way) + copy * self.draw.below(400);
            let path = self.path(way);
            let mut at = (now_ms + delay).max(path.clogged_until_ms);
            if !overtakes {
                let last = path.last_ms.entry(lane).or_default();
                at = at.max(*last);
                *last = at;
            }
            out.push(at);
        }
        out
    }
}
