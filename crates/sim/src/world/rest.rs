//! Q3 of ESCROW.md, at the end of a run: all is equal, so whatever is free anywhere of an account is granted to any
//! region that asks for it, and comes back when it is released. Knows what is asked; money is judged in `invariants`.

use crdt::Row;
use engine::door::Request;
use model::{AccountId, Command, MintedId};
use rust_decimal::Decimal;

use super::{REGIONS, World};
use crate::clock::EPOCH_MS;
use crate::invariants::conservation::true_rows;
use crate::oracle::Call;
use crate::report::Breach;

/// Time for the rights to be collected, with asking again, ms.
const COLLECTED_MS_MAX: u64 = 15_000;
/// How long one call waits, ms.
const WAIT_MS: u64 = 5_000;
/// Life of the ids: longer than any clock of the run has jumped ahead.
const LIFE_MS: u64 = 24 * 3_600_000;

/// How far it is.
#[derive(Clone, Debug, Default)]
pub(super) enum Rest {
    /// Nothing was asked for yet.
    #[default]
    Unasked,
    /// Each account's rest is asked for, since when.
    Asked(Vec<(MintedId, AccountId, Call)>, u64),
    /// Everything that was asked for has been granted; it is being released.
    Granted(Vec<(MintedId, AccountId)>),
}

impl World {
    /// All regions are equal: takes the next step. Whether there is none left.
    pub(super) fn rest_is_granted(&mut self) -> Result<bool, Breach> {
        match std::mem::take(&mut self.rest) {
            // With a region gone, or deaf to another, nobody can collect everything.
            Rest::Unasked if self.gone().is_some() || self.poisoned.is_some() => Ok(true),
            Rest::Unasked => {
                self.rest = Rest::Asked(self.ask_for_rests(), self.now_ms);
                Ok(false)
            }
            Rest::Asked(asked, since_ms) => {
                let missing = |(id, ..): &&(MintedId, AccountId, Call)| !self.oracle.withdrawals.is_set_aside(*id);
                let left: Vec<_> = asked.iter().filter(missing).cloned().collect();
                if let Some((id, account, _)) = left.first().filter(|_| self.now_ms > since_ms + COLLECTED_MS_MAX) {
                    let text = format!("{account}: all is healed and equal, and its rest is not granted to {id}");
                    return Err(Breach::new("convergence", text));
                }
                // Refused for now, as credits are that nobody has acknowledged yet: a client asks again.
                left.iter().for_each(|(.., call)| self.call(call));
                self.rest = if left.is_empty() {
                    self.rests = asked.len() as u64;
                    Rest::Granted(asked.into_iter().map(|(id, account, _)| (id, account)).collect())
                } else {
                    Rest::Asked(asked, since_ms)
                };
                Ok(false)
            }
            Rest::Granted(asked) => {
                let released = |id: &MintedId| self.oracle.withdrawals.is_released(*id);
                let left: Vec<_> = asked.iter().filter(|(id, _)| !released(id)).cloned().collect();
                for (id, account) in &left {
                    let command = Command::ResolveWithdrawal { id: *id, account: account.clone(), confirm: false };
                    let request = Request::Command(command);
                    self.call(&Call { region: id.region(), request, token: None, wait_ms: 0 });
                }
                let over = left.is_empty();
                self.rest = Rest::Granted(left);
                Ok(over)
            }
        }
    }

    fn ask_for_rests(&mut self) -> Vec<(MintedId, AccountId, Call)> {
        let mut asked = Vec::new();
        for account in self.ghost.accounts.clone() {
            let rows = true_rows(self, &account);
            let (free, debt) = (rows.values().map(Row::free).sum::<i128>(), rows.values().map(Row::debt).sum::<i128>());
            let Some(minor) = i64::try_from(free).ok().filter(|free| *free > 0 && debt == 0) else { continue };
            let region = self.faults.one(&REGIONS).0;
            let id = MintedId::mint(EPOCH_MS + self.now_ms + LIFE_MS, region, 1, self.faults.any());
            let places = if account.as_str().starts_with("p1") { 0 } else { 2 };
            let command = Command::Withdraw { id, account: account.clone(), amount: Decimal::new(minor, places) };
            let request = Request::Command(command);
            let call = Call { region, request, token: None, wait_ms: WAIT_MS };
            self.call(&call);
            asked.push((id, account, call));
        }
        asked
    }
}
