//! The fault that comes last, when all is healed and equal: one machine starts on an empty disk, or on an old copy of
//! its own, linked with the others. Knows when and how; what must hold is in `invariants::quarantine`.

use engine::door::Request;
use model::{AccountId, Answer, Command, Currency, Refusal};

use super::{Event, REGIONS, World};
use crate::disk::Tables;
use crate::invariants;
use crate::node::Stepped;
use crate::options::OldDisk;
use crate::oracle::Call;
use crate::report::Breach;

/// Virtual time that the others have to notice, and the machine to do nothing, ms.
const NOTICED_MS_MAX: u64 = 20_000;
/// Between two clients' requests to the machine, ms.
const ASKED_EVERY_MS: u64 = 700;

impl World {
    /// Keeps a copy of one machine's disk, early enough that more follows.
    pub(super) fn copy_disk(&mut self) {
        let region = self.faults.one(&REGIONS).0;
        let tables = self.node(region).disk.tables().clone();
        self.copy = Some((region, tables));
    }

    /// A group of the machine on the old disk: only what it writes matters.
    pub(super) fn step_restored(&mut self, region: u16, stepped: Stepped) -> Result<(), Breach> {
        self.effects(region, stepped.effects)?;
        let node = self.nodes.get(&region).expect("regions are 1 to 3");
        let held = invariants::quarantine::after_group(&mut self.noticed_at, &node.disk.tables(), node.site);
        held.map_err(|detail| Breach::new("quarantine", detail))?;
        self.plan_wake(region);
        Ok(())
    }

    /// It is asked only once the others must have noticed.
    pub(super) fn answered_on_old_disk(region: u16, answer: &Answer) -> Result<(), Breach> {
        match answer {
            Answer::Refused(Refusal::NotReady { .. }) => Ok(()),
            other => Err(Breach::new("quarantine", format!("region {region} answers over an old disk: {other:?}"))),
        }
    }

    /// Runs the fault, if this seed has it, to its end.
    pub(super) fn aftermath(&mut self) -> Result<(), Breach> {
        let old = match (self.options.old_disk, self.copy.take()) {
            // One machine with an old directory is enough.
            _ if self.second.is_some() => return Ok(()),
            (Some(OldDisk::Copy), Some((region, tables))) => (region, tables),
            (Some(OldDisk::Wiped), Some((region, _))) => (region, Tables::default()),
            _ => return Ok(()),
        };
        let (region, tables) = old;
        let node = self.node(region);
        let behind = invariants::quarantine::written(&tables, node.site)
            != invariants::quarantine::written(&node.disk.tables(), node.site);
        if !behind {
            // Nothing of its own followed the copy: nobody can know more of it.
            return Ok(());
        }
        self.die(region, "and comes back on an old disk");
        self.node(region).disk.replace(tables);
        self.restored = Some(region);
        let until_ms = self.now_ms + NOTICED_MS_MAX;
        let name = REGIONS.iter().find(|(n, _)| *n == region).map_or("", |(_, name)| name);
        for n in 0..NOTICED_MS_MAX / ASKED_EVERY_MS {
            let account = AccountId::new(&format!("late{n}@{name}")).expect("a valid name");
            let currency = Currency::new("GBP").expect("a currency");
            let request = Request::Command(Command::OpenAccount { account, currency });
            let call = Call { region, request, token: None, wait_ms: 0 };
            // Only once the others can have noticed: until then it cannot know, and may write.
            let at_ms = self.now_ms + NOTICED_MS_MAX / 2 + n * ASKED_EVERY_MS / 2;
            self.at(at_ms, Event::Call(Box::new(call)));
        }
        while let Some(((at_ms, _), event)) = self.queue.pop_first() {
            if at_ms > until_ms {
                break;
            }
            self.now_ms = at_ms;
            self.happen(event)?;
        }
        invariants::quarantine::at_the_end(self, region).map_err(|detail| Breach::new("quarantine", detail))
    }
}
