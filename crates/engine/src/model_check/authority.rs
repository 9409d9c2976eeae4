//! The modelled site's steps on authority: who may decide a wager id, where an account's home is, what a withdrawal sets
//! aside, and what the exposure window leaves. What the engine does around the ledger (`fencing`, `homes`,
//! `withdrawing`) is repeated here. Knows no messages; the world carries them.

use std::sync::Arc;

use crdt::{Hlc, Site};
use model::{Amount, Hash16, MintedId, WithdrawalState};

use super::region::{AT, Region, account};
use super::{Action, Bounds, Told, World};
use crate::ledger::{Preparing, Standing};
use crate::log::{Cancelled, Entry, Event, Fenced};
use crate::planted::Planted;
use crate::port::View as _;

/// So far apart are two moves of a home that neither residence nor a recent bet forbids the second, ms.
const MOVES_APART_MS: u64 = 100_000_000;

impl Bounds {
    /// The id of a wager: stamped by its origin.
    pub(super) fn wager_id(&self, wager: usize) -> MintedId {
        let (origin, _) = self.wagers.get(wager).copied().expect("bounds name wagers that exist");
        MintedId::mint(1, u16::try_from(origin + 1).expect("three regions"), 1, wager as u64)
    }

    fn withdrawal_id(&self, withdrawal: usize) -> MintedId {
        let (origin, _) = self.withdrawals.get(withdrawal).copied().expect("offered from the bounds");
        MintedId::mint(1, u16::try_from(origin + 1).expect("three regions"), 1, 2_000 + withdrawal as u64)
    }
}

impl Region {
    /// Who may decide an id, as this site believes; `Engine::standing`.
    pub(super) fn standing(&self, id: MintedId) -> Standing {
        let shortcut = self.ledger.planted == Planted::AcceptWithoutFence || self.believed.contains(&id);
        match self.ledger.standing(id) {
            Standing::Away(_) if shortcut => Standing::Mine,
            standing => standing,
        }
    }

    /// Is asked for the right to decide an id; `Engine::asked_for_id`. Returns whether the answer says that the asker
    /// may decide it, or (which must not be taken for that) that nobody has.
    fn fence(&mut self, to: Site, id: MintedId) -> bool {
        if self.disk.wager(id).is_some() {
            return false;
        }
        match self.ledger.standing(id) {
            Standing::Closed(..) => false,
            Standing::Away(_) => self.ledger.handed.get(&(id, self.site())).is_some_and(|h| h.to == Some(to)),
            Standing::Mine if self.ledger.planted == Planted::QueryWithoutFence => true,
            Standing::Mine if to.region == id.region() || self.ledger.handed.contains_key(&(id, to)) => false,
            Standing::Mine => {
                self.step(|ledger, tx| ledger.hand(tx, Fenced { id, to, body: Hash16::default() }));
                true
            }
        }
    }

    /// Makes sure that an id is not placed, if that is this site's to say; `Engine::close_wager`.
    fn close(&mut self, id: MintedId) -> Option<Told> {
        if let Some(record) = self.disk.wager(id) {
            return self.final_word(&record);
        }
        match self.ledger.standing(id) {
            Standing::Away(_) => None,
            Standing::Closed(..) => Some(Told::Closed),
            Standing::Mine => {
                self.step(|ledger, tx| ledger.close(tx, Cancelled { id, reason: None }));
                Some(Told::Closed)
            }
        }
    }

    /// The number of the home that this site knows.
    fn epoch(&self) -> u64 {
        self.ledger.account_head(&account()).map_or(0, |head| head.epoch())
    }

    fn move_home(&mut self, to: Site, epoch: u64) {
        let at = Hlc::new(1 + (epoch + 1) * MOVES_APART_MS, 0);
        self.step(|ledger, tx| ledger.move_home(tx, at, &account(), to, epoch));
    }

    fn withdraw(&mut self, id: MintedId, minor: u64) {
        if self.disk.posting(id).is_some() || self.ledger.owes(&account()) {
            return;
        }
        let amount = Amount::from_minor(minor).expect("a small amount");
        let asked = Preparing { id, account: account(), amount, body: Hash16::default() };
        let _ = self.step(|ledger, tx| ledger.prepare(tx, AT, asked, false));
    }

    /// Whether a withdrawal may be confirmed or released; `Engine::is_held`.
    fn is_held(&self, id: MintedId) -> bool {
        let posting = self.disk.posting(id);
        let withdrawal = posting.as_ref().and_then(|p| p.withdrawal());
        let acked = |entry: u64| entry <= self.ledger.ack_floor || self.ledger.planted == Planted::HeldEarly;
        withdrawal.is_some_and(|w| w.state == WithdrawalState::Prepared && acked(w.entry))
    }

    fn resolve(&mut self, id: MintedId, confirmed: bool) {
        let posting = self.disk.posting(id).expect("only what is held is resolved");
        self.step(|ledger, tx| ledger.resolve(tx, &posting, confirmed));
    }

    /// What own withdrawals have carried away, minor units.
    pub(super) fn confirmed(&self) -> u64 {
        let own = self.disk.postings.values().filter(|p| p.site == self.site());
        let gone = own.filter(|p| p.withdrawal().is_some_and(|w| w.state == WithdrawalState::Confirmed));
        gone.map(|p| p.amount.minor()).sum()
    }

    /// Entries that set aside what has been confirmed or released since.
    pub(super) fn resolved(&self) -> impl Iterator<Item = u64> {
        let own = self.disk.postings.values().filter(|p| p.site == self.site()).filter_map(|p| p.withdrawal());
        let over = own.filter(|w| matches!(w.state, WithdrawalState::Confirmed | WithdrawalState::Released));
        over.map(|w| w.entry)
    }

    /// Stakes of accepted wagers beyond the floor, counted from the records, minor units.
    pub(super) fn unacked_stakes(&self) -> u64 {
        let own = self.disk.wagers.values().filter(|x| x.owner == self.site() && x.is_accepted());
        own.filter(|x| x.entry > self.ledger.ack_floor && !x.is_prepared()).map(|x| x.stake.minor()).sum()
    }

    /// P5: stakes beyond the floor stay within the window, and nothing is spent, granted or set aside but what others
    /// know of: credits up to the floor, and rights received.
    pub(super) fn keeps_window(&self, window: u64) -> bool {
        let floor = usize::try_from(self.ledger.ack_floor).expect("logs are short");
        let entries = self.disk.log.iter().take(floor).map(|bytes| Entry::decode(bytes).expect("an own entry"));
        let rows =
            entries.flat_map(|e| e.events).filter_map(|e| if let Event::Row(_, row) = e { Some(row) } else { None });
        let known = rows.last().unwrap_or_default();
        let row = self.row();
        let spent = row.stk + row.hld + row.sent.values().sum::<u64>();
        let sure = known.dep + known.unh + row.recv.values().sum::<u64>();
        self.unacked_stakes() <= window && spent <= sure
    }

    /// P10: what this site decided was its own by stamp, or handed to it in its prefix of the giver's log; and it decides
    /// nothing that it has given away.
    pub(super) fn decides_only_its_own(&self) -> bool {
        let own = self.disk.wagers.values().filter(|x| x.owner == self.site());
        let handed =
            |id: MintedId| self.ledger.handed.iter().any(|((of, _), h)| *of == id && h.to == Some(self.site()));
        let gave = |id: MintedId| self.ledger.handed.contains_key(&(id, self.site()));
        own.map(|x| x.id).all(|id| (self.ledger.is_origin(id) || handed(id)) && !gave(id))
    }
}

impl World {
    /// Whether an entry of a site's log is durable at another one.
    pub(super) fn known_elsewhere(&self, writer: &Region, entry: u64) -> bool {
        let others = self.regions.iter().filter(|r| r.site() != writer.site());
        others.map(|r| r.ledger.head(writer.site()).index).any(|index| index >= entry)
    }

    pub(super) fn act_on_authority(&mut self, bounds: &Bounds, action: &Action) {
        match *action {
            Action::Retry(n) => {
                let (wager, site) = bounds.retries.get(n).copied().expect("offered from the bounds");
                let (_, stake) = bounds.wagers.get(wager).copied().expect("bounds name wagers that exist");
                let answer = self.change(site).place(bounds.wager_id(wager), stake, bounds.geo.contains(&wager));
                self.tell(wager, answer);
            }
            Action::AskId(n) => {
                let (wager, site) = bounds.retries.get(n).copied().expect("offered from the bounds");
                if let Standing::Away(region) = self.region(site).ledger.standing(bounds.wager_id(wager)) {
                    self.fences.insert((site, usize::from(region) - 1, wager));
                }
            }
            Action::Fence(asker, asked, wager) => {
                let to = self.region(asker).site();
                let leave = self.change(asked).fence(to, bounds.wager_id(wager));
                let heeded = matches!(bounds.planted, Planted::FenceFromReply | Planted::QueryWithoutFence);
                if leave && heeded {
                    self.leaves.insert((asker, wager));
                }
            }
            Action::Believe(asker, wager) => {
                let id = bounds.wager_id(wager);
                self.change(asker).believed.insert(id);
            }
            Action::Close(n) => {
                let (wager, site) = bounds.closes.get(n).copied().expect("offered from the bounds");
                let answer = self.change(site).close(bounds.wager_id(wager));
                self.tell(wager, answer);
            }
            Action::AskHome(n) => {
                let (asker, _) = bounds.moves.get(n).copied().expect("offered from the bounds");
                let epoch = self.region(asker).epoch();
                self.moves.insert((n, epoch));
            }
            Action::Move(n, epoch) => {
                let (asker, home) = bounds.moves.get(n).copied().expect("offered from the bounds");
                let to = self.region(asker).site();
                self.change(home).move_home(to, epoch);
            }
            Action::Withdraw(n) => {
                let (origin, minor) = bounds.withdrawals.get(n).copied().expect("offered from the bounds");
                self.change(origin).withdraw(bounds.withdrawal_id(n), minor);
            }
            Action::Resolve(n, confirmed) => {
                let (origin, _) = bounds.withdrawals.get(n).copied().expect("offered from the bounds");
                self.change(origin).resolve(bounds.withdrawal_id(n), confirmed);
            }
            _ => unreachable!("the other actions are the world's"),
        }
    }

    pub(super) fn offer_authority(&self, bounds: &Bounds, offers: &mut Vec<Action>) {
        let room = |site: usize| self.region(site).ledger.next_seq() <= bounds.log_max;
        for (n, (wager, site)) in bounds.retries.iter().copied().enumerate() {
            let here: &Arc<Region> = self.regions.get(site).expect("bounds name sites that exist");
            if room(site) {
                offers.push(Action::Retry(n));
            }
            if let Standing::Away(region) = here.ledger.standing(bounds.wager_id(wager))
                && !self.fences.contains(&(site, usize::from(region) - 1, wager))
                && usize::from(region) != site + 1
            {
                offers.push(Action::AskId(n));
            }
        }
        let asked = self.fences.iter().filter(|(_, asked, _)| room(*asked));
        offers.extend(asked.map(|(asker, asked, wager)| Action::Fence(*asker, *asked, *wager)));
        offers.extend(self.leaves.iter().map(|(asker, wager)| Action::Believe(*asker, *wager)));
        offers.extend((0..bounds.closes.len()).map(Action::Close));
        for (n, (asker, _)) in bounds.moves.iter().enumerate() {
            if !self.moves.contains(&(n, self.region(*asker).epoch())) {
                offers.push(Action::AskHome(n));
            }
        }
        let asked = self.moves.iter().filter(|(n, _)| bounds.moves.get(*n).is_some_and(|(_, home)| room(*home)));
        offers.extend(asked.map(|(n, epoch)| Action::Move(*n, *epoch)));
        for (n, (origin, _)) in bounds.withdrawals.iter().enumerate() {
            let id = bounds.withdrawal_id(n);
            if self.region(*origin).is_held(id) {
                offers.extend([Action::Resolve(n, true), Action::Resolve(n, false)]);
            } else if room(*origin) {
                offers.push(Action::Withdraw(n));
            }
        }
    }
}
