//! Homes: where all rights of an account sit. A home moves only by an entry of the current home's log, which carries the
//! rights with it (ESCROW.md 2.8). Knows when a move is sensible; knows no sessions, frames or lanes.

use std::hash::{Hash, Hasher};

use crdt::{Hlc, Row, Site};
use minicbor::{Decode, Encode};
use model::AccountId;
use model::limits::TIME_MS_MAX;

use super::{Account, Ledger};
use crate::log::{Entry, EntryError, Event, Grant};
use crate::port::{AccountHead, View, Write};
use crate::tx::Tx;

/// Two wagers within this time away from home are a player who has travelled, ms.
const TRAVELLED_MS: u64 = 60_000;
/// A home stays at least this long, ms.
const RESIDENCE_MS: u64 = 60_000;
/// This many moves ...
const FLIPS_MAX: usize = 3;
/// ... within this time, ms ...
const FLIPS_WITHIN_MS: u64 = 600_000;
/// ... and the home stays where it is for this long, ms.
const SETTLED_FOR_MS: u64 = 1_800_000;

/// No home has moved more often: what a peer says beyond it is not believed, and numbers never run out.
pub(super) const EPOCH_MAX: u64 = 1 << 48;

/// How often and when a home has moved. Absent on an account that still lives at its birth site.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Encode, Decode)]
pub struct Tenure {
    /// Number of the move that made this home, from 1. At most one site ever is home of an epoch.
    #[n(0)]
    pub epoch: u64,
    /// Times of the last moves by the clocks of the homes that made them, Unix ms, oldest first, at most three.
    #[n(1)]
    pub moves_ms: Vec<u64>,
}

impl AccountHead {
    /// Number of the move that made the present home; 0 at the birth site.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.tenure.as_ref().map_or(0, |t| t.epoch)
    }

    /// Whether the home may move at owner's time `now_ms`: it has stayed long enough, and has not moved too often.
    fn may_move(&self, now_ms: u64) -> bool {
        let Some(tenure) = &self.tenure else { return true };
        let Some(last) = tenure.moves_ms.last() else { return true };
        let flips = tenure.moves_ms.len() >= FLIPS_MAX
            && tenure.moves_ms.first().is_some_and(|first| last.saturating_sub(*first) <= FLIPS_WITHIN_MS);
        now_ms >= last.saturating_add(if flips { SETTLED_FOR_MS } else { RESIDENCE_MS })
    }
}

/// When a wager of an account was last accepted at this site, since its start. It guides policy and is forgotten in a
/// crash, so it is no part of the state: all values are equal, and none is hashed.
#[derive(Clone, Copy, Debug, Default)]
pub struct StakedAt(Option<u64>);

impl PartialEq for StakedAt {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for StakedAt {}

impl Hash for StakedAt {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl StakedAt {
    fn within(self, at: Hlc, span_ms: u64) -> bool {
        self.0.is_some_and(|last_ms| at.ms().saturating_sub(last_ms) < span_ms)
    }
}

impl Account {
    /// Notes that a wager was accepted here: whether it is the second within a minute.
    pub(super) fn note_stake(&mut self, at: Hlc) -> bool {
        let again = self.staked.within(at, TRAVELLED_MS);
        self.staked = StakedAt(Some(at.ms()));
        again
    }
}

impl Ledger {
    /// A site asks to become the home of an account; `epoch` is the one it knows, so that a late repeat is told.
    /// Refused silently while a move would not be sensible: the asker goes on borrowing. Returns whether it moved.
    pub(crate) fn move_home<V: View>(
        &mut self,
        tx: &mut Tx<'_, V>,
        at: Hlc,
        account: &AccountId,
        to: Site,
        epoch: u64,
    ) -> bool {
        let Some(known) = self.accounts.get(account) else { return false };
        let Some(head) = known.head.as_ref() else { return false };
        // Where nothing may be granted, the rights would stay behind for good.
        let busy = known.staked.within(at, TRAVELLED_MS) || self.is_cut_above_floor();
        let last = head.epoch() >= EPOCH_MAX;
        if head.home != self.site || to == self.site || head.epoch() != epoch || busy || last || !head.may_move(at.ms())
        {
            return false;
        }
        let mut moves_ms = head.tenure.as_ref().map_or_else(Vec::new, |t| t.moves_ms.clone());
        moves_ms.push(at.ms());
        if moves_ms.len() > FLIPS_MAX {
            moves_ms.remove(0);
        }
        let tenure = Some(Tenure { epoch: epoch + 1, moves_ms });
        let next = AccountHead { currency: head.currency, home: to, tenure, hearsay: None };
        let room = known.rows.get(&self.site).map_or(0, Row::room);
        let amount = self.grantable(account).min(room);
        if amount > 0 {
            self.give(tx, account, to, amount);
            tx.events.push(Event::Grant(Grant { to, account: account.clone(), amount, request: 0 }));
        }
        tx.events.push(Event::Home(account.clone(), next.clone()));
        self.set_home(tx, account, next);
        true
    }

    /// Takes a home that is newer than the one known. Harmless when repeated, and in any order across sites.
    pub(super) fn set_home<V: View>(&mut self, tx: &mut Tx<'_, V>, account: &AccountId, head: AccountHead) {
        let known = self.accounts.entry(account.clone()).or_default();
        let opened = known.head.as_ref().is_some_and(|k| k.hearsay.is_none());
        let head = AccountHead { hearsay: (!opened).then_some(true), ..head };
        if known.head.as_ref().is_none_or(|k| k.epoch() < head.epoch()) {
            known.head = Some(head.clone());
            tx.put(Write::Account(account.clone(), head));
            self.note_debt(account);
        }
    }

    /// Checks a foreign move: only the home of the epoch before may make it, as far as that one is known here. It may
    /// not be known: the moves of one account stand in different logs, and rows need no order across logs.
    pub(super) fn check_home(&self, entry: &Entry, id: &AccountId, head: &AccountHead) -> Result<(), EntryError> {
        let refused = |why: &str| Err(EntryError::Refused(format!("home of {id}: {why}")));
        if head.epoch() == 0 || head.home == entry.site {
            return refused("a move leads elsewhere and has a number");
        }
        if head.epoch() > EPOCH_MAX {
            return refused("a move has a number beyond all counting");
        }
        let past = head.tenure.as_ref().map_or(&[][..], |t| &t.moves_ms);
        if past.len() > FLIPS_MAX || past.iter().any(|ms| *ms > TIME_MS_MAX) {
            return refused("a move tells of the last three and of times that can be");
        }
        let Some(known) = self.account_head(id) else { return Ok(()) };
        if known.currency != head.currency && known.hearsay.is_none() {
            return refused("a move does not change the currency");
        }
        if known.epoch() == head.epoch() && (known.home, &known.tenure) != (head.home, &head.tenure) {
            return refused("two homes were made by moves of one number");
        }
        let made_by_home = known.epoch().checked_add(1) != Some(head.epoch()) || known.home == entry.site;
        // What makes this site home is this site's own to know: nobody else moves it on.
        let ours = known.home == self.site && head.epoch() > known.epoch() && !self.read_only;
        if !made_by_home || ours { refused("only the home moves a home") } else { Ok(()) }
    }
}
