//! The end of a run: whether all regions are equal yet, and what clients ask once more when they are.
//! Knows when to look; what must hold is in `invariants`.

use model::WagerRecord;

use super::{Event, LOOK_MS, REGIONS, World};
use crate::fork::Fork;
use crate::invariants;
use crate::oracle::Call;
use crate::report::{Breach, Report};

/// Longest time from the heal to equal regions, ms.
const QUIET_MS_MAX: u64 = 60_000;

impl World {
    pub(super) fn report(&self) -> Report {
        let stats = self.nodes.values().filter_map(|n| n.process.as_ref()).map(|p| *p.engine().stats());
        let (grants, passed_on) = stats.fold((0, 0), |(g, p), s| (g + s.grants, p + s.requests_passed_on));
        Report {
            trace: self.trace.hash(),
            events: self.trace.events,
            groups: self.groups,
            quiet_ms: self.quiet_ms.unwrap_or(0),
            crashes: self.crashes,
            accepted: self.oracle.accepted,
            rejected: self.oracle.rejected,
            grants,
            homes: self.ghost.homes.len() as u64,
            handed: self.ghost.handed.len() as u64,
            passed_on,
            resolved: self.ghost.resolved_count(),
            prepared: self.ghost.wagers.values().filter(|w| w.is_prepared()).count() as u64,
            pending: self.oracle.pending_said,
            references: self.ghost.references.len() as u64,
            received: self.ghost.received.len() as u64,
            sessions: self.ghost.sessions.values().filter(|(_, ended)| *ended).count() as u64,
            settlements: self.ghost.wagers.values().map(|w| u64::from(w.settled_version)).sum(),
            cashed_out: self.ghost.cashed_out,
            revoked: self.ghost.revoked,
            past_posted: self.ghost.wagers.values().map(|w| w.past_posted().len() as u64).sum(),
            deposits: self.ghost.postings.len() as u64,
            suspensions: self.stops.suspensions,
            wide: self.stops.wide,
            delayed: self.oracle.delayed_said,
            waited: self.ghost.wagers.values().filter(|w| w.is_accepted() && w.asked_ms.is_some()).count() as u64,
            old_copies: u64::from(self.gone().is_some()),
            respent: self.forks.values().map(Fork::staked).sum(),
            decided_again: self.forks.values().map(|f| f.again).sum(),
            tickets: self.oracle.promised.len() as u64,
            segments: self.nodes.values().map(|n| n.disk.tables().segments.len() as u64).sum(),
            snapshots: self.snapshots,
            everywhere: self.oracle.everywhere.len() as u64,
            once: self
                .oracle
                .everywhere
                .iter()
                .filter(|id| self.ghost.wagers.get(id).is_some_and(WagerRecord::is_accepted))
                .count() as u64,
            rests: self.rests,
        }
    }

    /// Healed: are all regions equal yet?
    pub(super) fn look(&mut self) -> Result<(), Breach> {
        let since = self.now_ms - self.healed_ms.unwrap_or(self.now_ms);
        match invariants::convergence::check(self) {
            Ok(()) if self.rest_is_granted()? => self.quiet_ms = Some(self.now_ms),
            Ok(()) => self.after(LOOK_MS, Event::Look),
            Err(why) if since > QUIET_MS_MAX => {
                let text = format!("not equal {since} ms after all was healed: {why}");
                return Err(Breach::new("convergence", text));
            }
            Err(_) => self.after(LOOK_MS, Event::Look),
        }
        Ok(())
    }

    /// All is equal: the deep look once more, and clients read everything again, everywhere.
    pub(super) fn last_words(&mut self) -> Result<(), Breach> {
        invariants::deep(self)?;
        invariants::suspension_wins::at_the_end(self).map_err(|d| Breach::new("suspension_wins", d))?;
        invariants::contained::at_the_end(self).map_err(|d| Breach::new("contained", d))?;
        let ids: Vec<_> = self.oracle.final_ids().collect();
        for (region, _) in REGIONS {
            for id in &ids {
                let request = engine::door::Request::Query(model::Query::Wager(*id));
                self.call(&Call { region, request, token: None, wait_ms: 0 });
            }
            let withdrawals: Vec<_> = self.oracle.withdrawals.known().filter(|(id, _)| id.region() == region).collect();
            for (id, account) in withdrawals {
                let request = engine::door::Request::Query(model::Query::Withdrawal(account, id));
                self.call(&Call { region, request, token: None, wait_ms: 0 });
            }
            self.step(region)?;
        }
        invariants::one_posting::left(self).map_err(|detail| Breach::new("one_posting", detail))?;
        invariants::deep(self)
    }
}
