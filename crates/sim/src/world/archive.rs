//! What a machine does beside its commits: segments that are sealed a while later or not at all, and pages of snapshots
//! that are read from its disk as it was. Knows the port; what must hold is in `invariants`.

use crdt::Site;
use engine::door::{Input, Lane};
use engine::port::Archive as _;
use engine::snapshot::Served;
use engine::wire::SnapshotAsk;

use super::{Event, World};
use crate::network::Way;

impl World {
    /// A segment is wished for.
    pub(super) fn archive(&mut self, region: u16, segment: (Site, u64, u64)) {
        let (late, life) = (self.faults.below(60), self.node(region).lives);
        self.after(late, Event::Seal(region, life, segment));
    }

    /// It is sealed, and the process that wished it hears of it if it still lives: death may come between the two.
    pub(super) fn seal(&mut self, region: u16, life: u64, (site, first, last): (Site, u64, u64)) {
        if !self.running(region) || self.node(region).lives != life {
            return;
        }
        let sealed = self.node(region).disk.seal(site, first, last);
        if let Ok(seal) = sealed
            && !self.faults.percent(5)
        {
            self.give(region, Input::Archived { site, first, last, seal });
        }
    }

    /// A peer asks for a page, or is gone.
    pub(super) fn serve(&mut self, way: Way, ask: Option<SnapshotAsk>) {
        let Some(ask) = ask else {
            self.served.remove(&way);
            return;
        };
        if Served::is_begun_by(ask, self.served.get(&way).map(|(served, _)| served)) {
            let tables = self.node(way.0).disk.tables().clone();
            match Served::begin(ask.id, &tables) {
                Some(served) => drop(self.served.insert(way, (served, tables))),
                None => drop(self.served.remove(&way)),
            }
        }
        let answer = match self.served.get_mut(&way) {
            Some((served, tables)) => served.answer(ask, tables),
            None => Some(Served::unknown(ask.id)),
        };
        if let Some(answer) = answer {
            self.send(way.0, way.1, Lane::Bulk, &answer.encode());
        }
    }
}
