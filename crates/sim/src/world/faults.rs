//! Misfortunes: deaths, cuts, clogs, clock jumps, a bad entry; and the day on which all of it ends.
//! Knows what to break and when; never looks at an invariant.

use engine::door::{Input, Lane};

use super::{Event, LOOK_MS, Poisoned, REGIONS, World};
use crate::network::{Way, region_of};
use crate::poison;

impl World {
    /// All ways are held up one by one and freed in another order.
    pub(super) fn swizzle(&mut self) {
        let mut ways: Vec<Way> = REGIONS
            .iter()
            .flat_map(|(a, _)| REGIONS.iter().map(move |(b, _)| (*a, *b)))
            .filter(|(a, b)| a != b)
            .collect();
        let begin = self.faults.between(1_000, self.options.load_ms / 2);
        let (mut from, mut until) = (begin, begin + 1_500);
        while !ways.is_empty() {
            let at = usize::try_from(self.faults.below(ways.len() as u64)).unwrap_or(0);
            let way = ways.swap_remove(at);
            from += self.faults.below(250);
            until += self.faults.below(300);
            let free = until + self.faults.below(900);
            self.at(from, Event::Clog(way, free));
        }
    }

    pub(super) fn die(&mut self, region: u16, how: &str) {
        self.leave(region, how);
        let away = self.faults.between(1, self.options.down_ms_max);
        self.after(away, Event::Start(region));
    }

    /// One machine stays away for long.
    pub(super) fn absence(&mut self) {
        let region = self.faults.one(&REGIONS).0;
        if self.running(region) && self.healed_ms.is_none() {
            self.leave(region, "for long");
            self.after(self.options.absence_ms, Event::Start(region));
        }
    }

    fn leave(&mut self, region: u16, how: &str) {
        self.crashes += 1;
        self.trace.note(self.now_ms, &format!("{region}: dies {how}"));
        self.node_mut(region).stop();
        self.served.retain(|(server, _), _| *server != region);
        match self.forks.get_mut(&region) {
            Some(fork) => fork.forget(),
            None => self.oracle.forget(region),
        }
        for (peer, _) in REGIONS.iter().filter(|(n, _)| *n != region_of(region)) {
            let ends = self.network.between(region, *peer).map(|(_, ends)| ends);
            let Some(peer) = ends.and_then(|(a, b)| [(a, b), (b, a)].iter().find(|w| w.0 == region).map(|w| w.1))
            else {
                continue;
            };
            if let Some(connection) = self.network.disconnect(region, peer) {
                let late = self.faults.between(1, 2_000);
                self.after(late, Event::LinkDown((peer, region), connection));
            }
        }
    }

    pub(super) fn kill(&mut self) {
        if self.healed_ms.is_some() {
            return;
        }
        let region = self.faults.one(&REGIONS).0;
        let region = self.present(region);
        if self.running(region) {
            self.die(region, "by a kill");
        }
        let again = self.faults.exponential(self.options.kill_every_ms);
        self.after(again + 1, Event::Kill);
    }

    pub(super) fn cut(&mut self) {
        if self.healed_ms.is_some() {
            return;
        }
        let a = self.faults.one(&REGIONS).0;
        let others: Vec<u16> = REGIONS.iter().map(|(n, _)| *n).filter(|n| *n != a).collect();
        let b = self.faults.one(&others);
        let until_ms = self.now_ms + self.faults.between(1, self.options.cut_ms_max);
        let kind = self.faults.below(6);
        self.trace.note(self.now_ms, &format!("cut {kind} at {a} (and {b}) until {until_ms}"));
        let ways: Vec<Way> = match kind {
            0 => Vec::new(),
            1 => vec![(a, b), (b, a)],
            2 => vec![(a, b)],
            3 => others.iter().flat_map(|o| [(a, *o), (*o, a)]).collect(),
            4 => others.iter().map(|o| (*o, a)).collect(),
            _ => {
                self.network.clog((a, b), until_ms.min(self.now_ms + 3_000));
                Vec::new()
            }
        };
        if kind == 0 {
            self.disconnect(self.present(a), self.present(b), 50);
        }
        for (from, to) in ways {
            self.network.block((from, to), until_ms);
            let way = (self.present(from), self.present(to));
            if let Some(connection) = self.network.connection(way.0, way.1) {
                let patience = self.faults.between(100, 2_500);
                self.after(patience, Event::Timeout(way, connection));
            }
        }
        let again = self.faults.exponential(self.options.cut_every_ms);
        self.after(again + 1, Event::Cut);
    }

    pub(super) fn jump(&mut self) {
        if self.healed_ms.is_some() {
            return;
        }
        let region = self.faults.one(&REGIONS).0;
        let by = self.faults.one(&[-3_600_000_i64, -10_000, -1_500, 1_500, 3_000, 20_000, 3_600_000]);
        let region = self.present(region);
        self.node_mut(region).clock.lead_ms += by;
        self.trace.note(self.now_ms, &format!("{region}: wall clock jumps by {by} ms"));
        let again = self.faults.exponential(self.options.jump_every_ms);
        self.after(again + 1, Event::Jump);
    }

    /// A process stands still while its clocks go on: a long pause of the machine, no death.
    pub(super) fn pause(&mut self) {
        if self.healed_ms.is_some() {
            return;
        }
        let region = self.faults.one(&REGIONS).0;
        let region = self.present(region);
        let until_ms = self.now_ms + self.faults.between(20, self.options.cut_ms_max.max(50));
        self.node_mut(region).paused_until_ms = until_ms;
        self.trace.note(self.now_ms, &format!("{region}: stands still until {until_ms}"));
        let again = self.faults.exponential(self.options.pause_every_ms);
        self.after(again + 1, Event::Pause);
    }

    /// Slips one bad entry into the stream from a site to a victim, as soon as they are linked.
    pub(super) fn poison(&mut self) {
        let known = self.poisoned;
        let (victim, site) = match known {
            Some(p) => (p.victim, p.site),
            None => {
                let victim = self.faults.one(&REGIONS).0;
                let others: Vec<u16> = REGIONS.iter().map(|(n, _)| *n).filter(|n| *n != victim).collect();
                (victim, crdt::Site::new(self.faults.one(&others), 1))
            }
        };
        if self.gone() == Some(victim) {
            return;
        }
        let joined = self.node(victim).disk.tables().meta.as_ref().is_some_and(|m| m.joined);
        let linked = self.running(victim) && self.node(victim).links.contains_key(&site.region) && joined;
        let quiet = self.node(victim).inbox.is_empty();
        if !(linked && quiet) {
            return self.after(7, Event::Poison);
        }
        let node = self.nodes.get(&victim).expect("regions are 1 to 3");
        let frame = poison::frame(&mut self.faults, site, &node.disk.tables(), &REGIONS);
        let stopped = node.disk.tables().heads.get(&site).is_some_and(|h| h.stopped.is_some());
        self.poisoned = Some(Poisoned { victim, site, delivered: true });
        if stopped {
            return;
        }
        self.trace.note(self.now_ms, &format!("{victim}: is given a bad entry of site {site}"));
        self.give(victim, Input::Peer { region: site.region, lane: Lane::Bulk, frame });
        // The process may die before it reads it.
        self.after(50, Event::Poison);
    }

    pub(super) fn heal(&mut self) {
        self.trace.note(self.now_ms, "heals");
        self.healed_ms = Some(self.now_ms);
        self.network.heal();
        self.nodes.values_mut().for_each(|n| n.paused_until_ms = 0);
        if let Some(second) = &mut self.second {
            second.node.paused_until_ms = 0;
        }
        for (region, _) in REGIONS {
            let machine = self.present(region);
            self.after(1, Event::Start(machine));
            for (peer, _) in REGIONS.iter().filter(|(n, _)| *n > region) {
                self.after(50, Event::Connect((region, *peer)));
            }
        }
        self.after(LOOK_MS, Event::Look);
    }
}
