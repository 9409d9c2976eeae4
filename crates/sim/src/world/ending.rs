//! The end of a run: whether all regions are equal yet, and what clients ask once more when they are.
//! Knows when to look; what must hold is in `invariants`.

use super::{Event, LOOK_MS, REGIONS, World};
use crate::invariants;
use crate::oracle::Call;
use crate::report::Breach;

/// Longest time from the heal to equal regions, ms.
const QUIET_MS_MAX: u64 = 60_000;

impl World {
    /// Healed: are all regions equal yet?
    pub(super) fn look(&mut self) -> Result<(), Breach> {
        let since = self.now_ms - self.healed_ms.unwrap_or(self.now_ms);
        match invariants::convergence::check(self) {
            Ok(()) => self.quiet_ms = Some(self.now_ms),
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
