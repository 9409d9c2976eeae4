//! Wager ids of other regions: asking the site that may decide one, answering such questions, and waiting for the log
//! entry that the answer names (ESCROW.md 2.10). Nothing is ever decided from an answer, and nothing is held while a
//! question is under way. Who may decide is `ledger::handed`; judging a wager is `placing`.

use std::collections::{BTreeMap, BTreeSet};

use crdt::Site;
use model::limits::{ASK_AGAIN_MS, PARKED_MAX, WAGER_HORIZON_MS};
use model::{AccountId, Amount, Answer, MintedId, Refusal, Text, WagerRequest, WagerView};

use crate::admission::body_of;
use crate::door::{Lane, RequestId};
use crate::engine::Engine;
use crate::ledger::Standing;
use crate::log::{Cancelled, Cause, Fenced};
use crate::planted::Planted;
use crate::port::View;
use crate::tx::Tx;
use crate::wire::{FenceOrFetch, Fetched, PeerMessage, WagerStanding, Want};

/// Expired ids are looked for this often, ms.
const EXPIRE_EVERY_MS: u64 = 1_000;
/// Expired ids looked at in one go.
const EXPIRE_MAX: usize = 500;

/// A question under way.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Asking {
    id: MintedId,
    want: Want,
    region: u16,
    sent_ms: u64,
    /// Regions asked so far: none is asked twice for one question.
    tried: BTreeSet<u16>,
    /// The entry that answers it, which our prefix has not reached yet.
    cut: Option<(Site, u64)>,
    waiter: Waiter,
    deadline_ms: u64,
}

/// Who waits for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Waiter {
    /// An item of a place command.
    Item(RequestId, usize),
    /// A read, an abandon or a cancel.
    Request(RequestId),
    /// The ticket of the id.
    Ticket,
}

/// All questions under way.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Fencing {
    asking: BTreeMap<u64, Asking>,
    last: u64,
    expired_ms: u64,
    /// Only ever filled by a planted bug: ids decided on another's word.
    believed: BTreeSet<MintedId>,
}

impl Fencing {
    pub(crate) fn is_idle(&self) -> bool {
        self.asking.is_empty()
    }

    pub(crate) fn deadline_ms(&self) -> Option<u64> {
        let due = |a: &Asking| match a.cut {
            None => a.deadline_ms.min(a.sent_ms + ASK_AGAIN_MS),
            Some(_) => a.deadline_ms,
        };
        self.asking.values().map(due).min()
    }

    /// Items of place commands whose question nobody has answered.
    pub(crate) fn unheard(&self) -> BTreeSet<(RequestId, usize)> {
        let item = |a: &Asking| match a.waiter {
            Waiter::Item(id, index) if a.cut.is_none() => Some((id, index)),
            _ => None,
        };
        self.asking.values().filter_map(item).collect()
    }
}

impl Engine {
    /// Who may decide an id, as this site may believe.
    pub(crate) fn standing(&self, id: MintedId) -> Standing {
        let shortcut = self.planted == Planted::AcceptWithoutFence || self.fencing.believed.contains(&id);
        match self.ledger.standing(id) {
            Standing::Away(_) if shortcut => Standing::Mine,
            standing => standing,
        }
    }

    /// Why an id that is decided elsewhere is not decided here.
    pub(crate) fn away(&self, region: u16) -> Refusal {
        match self.region_name(region) {
            Some(name) if region != self.site.region && !self.is_reachable(region) => {
                Refusal::RegionUnreachable { region: name.clone() }
            }
            _ => Refusal::NotOwner { region },
        }
    }

    /// Asks for the right to decide an item's id. `false`: nobody can be asked.
    pub(crate) fn ask_for_id<V: View>(
        &mut self,
        tx: &mut Tx<'_, V>,
        region: u16,
        item: &WagerRequest,
        (id, index): (RequestId, usize),
        deadline_ms: u64,
    ) -> bool {
        let gave = self.ledger.handed.contains_key(&(item.id, self.site));
        let want = if gave || self.planted == Planted::QueryWithoutFence {
            Want::Look
        } else {
            let (body, account) = (body_of(item), item.account.clone());
            let missing = self.missing_for(item);
            let want = missing.map(|missing| self.over_ask(&account, missing));
            Want::Place { body, account, need: missing, want }
        };
        self.ask_region(tx, region, item.id, want, Waiter::Item(id, index), deadline_ms)
    }

    /// What an item's stake takes more than is free here; `None` if nothing, or if its account is unknown here.
    fn missing_for(&self, item: &WagerRequest) -> Option<u64> {
        let currency = self.ledger.account_head(&item.account)?.currency;
        let stake = Amount::from_decimal(item.unit_stake, currency).ok()?;
        stake.minor().checked_sub(self.ledger.free_here(&item.account)).filter(|missing| *missing > 0)
    }

    /// Only for planted bugs: an id is decided on another's word.
    pub(crate) fn believe(&mut self, id: MintedId) {
        self.fencing.believed.insert(id);
    }

    pub(crate) fn ask_region<V: View>(
        &mut self,
        tx: &mut Tx<'_, V>,
        region: u16,
        id: MintedId,
        want: Want,
        waiter: Waiter,
        deadline_ms: u64,
    ) -> bool {
        if region == self.site.region || !self.is_reachable(region) || self.fencing.asking.len() >= PARKED_MAX {
            return false;
        }
        self.fencing.last += 1;
        let n = self.fencing.last;
        tx.send(region, Lane::Requests, &PeerMessage::FenceOrFetch(FenceOrFetch { n, id, want: want.clone() }));
        let (sent_ms, tried) = (tx.now.steady_ms, BTreeSet::from([region]));
        self.fencing.asking.insert(n, Asking { id, want, region, sent_ms, tried, cut: None, waiter, deadline_ms });
        true
    }

    /// A peer asks about an id: the one place where the right to decide is given away.
    pub(crate) fn asked_for_id<V: View>(&mut self, tx: &mut Tx<'_, V>, from: Site, ask: &FenceOrFetch) {
        if self.not_ready().is_some() {
            return;
        }
        tx.by = Cause::Peer;
        let state = self.stand_for(tx, from, ask);
        self.seal(tx);
        let answer = Fetched { n: ask.n, id: ask.id, state };
        tx.send(from.region, Lane::Requests, &PeerMessage::Fetched(answer));
    }

    fn stand_for<V: View>(&mut self, tx: &mut Tx<'_, V>, from: Site, ask: &FenceOrFetch) -> WagerStanding {
        let id = ask.id;
        if let Some(record) = tx.wager(id) {
            return WagerStanding::Written { site: record.owner, entry: record.entry };
        }
        if tx.posting(id).is_some() {
            return WagerStanding::Posting;
        }
        match self.ledger.standing(id) {
            Standing::Closed(site, entry) => return WagerStanding::Written { site, entry },
            Standing::Away(region) => {
                let given = self.ledger.handed.get(&(id, self.site)).filter(|h| h.to == Some(from));
                return match given {
                    Some(given) => WagerStanding::Written { site: self.site, entry: given.entry },
                    None => WagerStanding::Moved { region },
                };
            }
            Standing::Mine => {}
        }
        // A wager that waits for a delay was taken in before its time was over.
        let delayed = self.delaying.holds(id);
        match self.check_time(id, WAGER_HORIZON_MS) {
            Err(Refusal::IdExpired) if delayed && matches!(ask.want, Want::Close { .. }) => {}
            Err(Refusal::IdExpired) if delayed => return WagerStanding::Absent,
            Err(Refusal::IdExpired) => return WagerStanding::Expired,
            Err(_) => return WagerStanding::Absent,
            Ok(()) => {}
        }
        let entry = self.ledger.next_seq();
        match &ask.want {
            Want::Look => return WagerStanding::Absent,
            _ if self.ledger.handed_are_full() => return WagerStanding::Absent,
            // The right never goes back to a site that has given it away, nor to one that may not write any more.
            Want::Place { .. } if self.ledger.lost.contains(&from) => return WagerStanding::Absent,
            Want::Place { .. } if from.region == id.region() || self.ledger.handed.contains_key(&(id, from)) => {
                return WagerStanding::Absent;
            }
            Want::Place { body, account, need, want } => {
                self.ledger.hand(tx, Fenced { id, to: from, body: *body });
                self.grant_along(tx, from, account, (need.unwrap_or(0), want.unwrap_or(0)));
            }
            Want::Close { reason } => {
                tx.by = if reason.is_some() { Cause::Operator } else { Cause::Client };
                self.ledger.close(tx, Cancelled { id, reason: reason.clone() });
            }
        }
        self.end_delayed(tx, id);
        WagerStanding::Written { site: self.site, entry }
    }

    /// Grants what an asker lacks in the entry that hands it the id: one round trip then brings both. Guards are those of
    /// a request for rights; where they say no, the asker goes on and asks by itself.
    fn grant_along<V: View>(&mut self, tx: &mut Tx<'_, V>, to: Site, account: &AccountId, asked: (u64, u64)) {
        let home = self.ledger.account_head(account).map(|h| h.home);
        let held = self.placing.waits_for(account) && home != Some(to);
        if self.ledger.grant_along(tx, to, account, asked, held || self.ledger.owes(account)) > 0 {
            self.stats.grants += 1;
        }
    }

    /// An answer has come. What it says is written counts once our prefix holds that entry.
    pub(crate) fn fetched<V: View>(&mut self, tx: &mut Tx<'_, V>, from: Site, answer: &Fetched) {
        let n = answer.n;
        let Some(asking) = self.fencing.asking.get_mut(&n) else { return };
        if asking.id != answer.id || asking.region != from.region || asking.cut.is_some() {
            return;
        }
        let for_place = matches!(asking.want, Want::Place { .. });
        let written = match answer.state {
            WagerStanding::Written { site, entry } => {
                asking.cut = Some((site, entry));
                self.ledger.head(site).index >= entry || site == self.site
            }
            WagerStanding::Moved { region } if !asking.tried.contains(&region) && self.is_reachable(region) => {
                return self.ask_on(tx, n, region);
            }
            _ => true,
        };
        let absent = matches!(answer.state, WagerStanding::Absent) && self.planted == Planted::QueryWithoutFence;
        let from_reply = !written && for_place && self.planted == Planted::FenceFromReply;
        if absent || from_reply {
            self.fencing.believed.insert(answer.id);
        }
        if written || from_reply {
            self.conclude_id(tx, n, Some(answer.state));
        }
    }

    fn ask_on<V: View>(&mut self, tx: &mut Tx<'_, V>, n: u64, region: u16) {
        let Some(asking) = self.fencing.asking.get_mut(&n) else { return };
        (asking.region, asking.sent_ms) = (region, tx.now.steady_ms);
        asking.tried.insert(region);
        let again = FenceOrFetch { n, id: asking.id, want: asking.want.clone() };
        tx.send(region, Lane::Requests, &PeerMessage::FenceOrFetch(again));
    }

    /// The prefix of a site's log has grown: questions that waited for it are answered from what is now known here.
    pub(crate) fn reached_ids<V: View>(&mut self, tx: &mut Tx<'_, V>, site: Site, seq: u64) {
        let met = |a: &Asking| a.cut.is_some_and(|(of, index)| of == site && index <= seq);
        let due: Vec<u64> = self.fencing.asking.iter().filter(|(_, a)| met(a)).map(|(n, _)| *n).collect();
        for n in due {
            self.conclude_id(tx, n, None);
            self.seal(tx);
        }
    }

    fn conclude_id<V: View>(&mut self, tx: &mut Tx<'_, V>, n: u64, state: Option<WagerStanding>) {
        let Some(asking) = self.fencing.asking.remove(&n) else { return };
        let (expired, posting) = match state {
            Some(WagerStanding::Expired) => (true, false),
            Some(WagerStanding::Posting) => (false, true),
            _ => (false, false),
        };
        match asking.waiter {
            Waiter::Item(id, index) => {
                let told = match state {
                    _ if expired => Some(Refusal::IdExpired),
                    _ if posting => Some(Refusal::IdReused),
                    // The right has moved on to a region that cannot be heard.
                    Some(WagerStanding::Moved { region }) if !self.is_reachable(region) => Some(self.away(region)),
                    _ => None,
                };
                self.item_standing(tx, (id, index), told);
            }
            Waiter::Request(id) => {
                let absent = expired || matches!(state, Some(WagerStanding::Absent | WagerStanding::Posting));
                let told = absent.then_some(WagerView::NotPlaced { definitive: expired });
                self.answer_standing(tx, id, asking.id, &asking.want, told);
            }
            Waiter::Ticket => self.ticket_told(tx, asking.id, expired),
        }
    }

    fn answer_standing<V: View>(
        &mut self,
        tx: &mut Tx<'_, V>,
        request: RequestId,
        id: MintedId,
        want: &Want,
        told: Option<WagerView>,
    ) {
        let here = self.view_wager(tx, id);
        let view = match (here, told) {
            (WagerView::Unknown { .. }, Some(told)) => told,
            (WagerView::Ticket(_), Some(told @ WagerView::NotPlaced { definitive: true })) => told,
            (here, _) => here,
        };
        let accepted = matches!(&view, WagerView::Known(record) if record.is_accepted());
        let answer = match want {
            Want::Close { reason: Some(_) } if accepted => Answer::Refused(Refusal::WagerAccepted),
            _ => Answer::Wager { id, view },
        };
        tx.reply(request, answer);
    }

    /// A read of a wager id: from here if its fate is known here, else from the site that may decide it.
    pub(crate) fn read_wager<V: View>(&mut self, tx: &mut Tx<'_, V>, request: RequestId, id: MintedId, wait_ms: u64) {
        let view = self.view_wager(tx, id);
        if let WagerView::Unknown { owner } = view
            && wait_ms > 0
        {
            let deadline_ms = tx.now.steady_ms.saturating_add(wait_ms);
            if self.ask_region(tx, owner, id, Want::Look, Waiter::Request(request), deadline_ms) {
                return;
            }
        }
        tx.reply(request, Answer::Wager { id, view });
    }

    /// Abandons or cancels an id that may be undecided.
    pub(crate) fn close_wager<V: View>(
        &mut self,
        tx: &mut Tx<'_, V>,
        request: RequestId,
        id: MintedId,
        reason: Option<Text>,
        wait_ms: u64,
    ) {
        tx.by = if reason.is_some() { Cause::Operator } else { Cause::Client };
        let want = Want::Close { reason: reason.clone() };
        if tx.posting(id).is_some() {
            return tx.refuse(request, Refusal::IdReused);
        }
        if tx.wager(id).is_none() {
            match self.ledger.standing(id) {
                Standing::Mine => match self.check_time(id, WAGER_HORIZON_MS) {
                    Err(Refusal::IdHorizon) => return tx.refuse(request, Refusal::IdHorizon),
                    Err(_) if !self.delaying.holds(id) => {}
                    _ if self.ledger.handed_are_full() => {
                        let what = Text::new("fences and tombstones of wager ids");
                        return tx.refuse(request, Refusal::Overloaded { what });
                    }
                    _ => {
                        self.ledger.close(tx, Cancelled { id, reason });
                        self.end_delayed(tx, id);
                    }
                },
                Standing::Away(region) => {
                    self.cancel_ticket(tx, id, reason.as_ref());
                    let deadline_ms = tx.now.steady_ms.saturating_add(wait_ms);
                    let waiter = Waiter::Request(request);
                    if wait_ms > 0 && self.ask_region(tx, region, id, want.clone(), waiter, deadline_ms) {
                        return;
                    }
                }
                Standing::Closed(..) => {}
            }
        }
        self.answer_standing(tx, request, id, &want, None);
    }

    /// Answers what has waited long enough, repeats questions that were lost, and closes what nobody decided in time.
    pub(crate) fn fence_on_time<V: View>(&mut self, tx: &mut Tx<'_, V>) {
        let now_ms = tx.now.steady_ms;
        let late: Vec<u64> =
            self.fencing.asking.iter().filter(|(_, a)| now_ms >= a.deadline_ms).map(|(n, _)| *n).collect();
        for n in late {
            let Some(asking) = self.fencing.asking.remove(&n) else { continue };
            // Items are answered by the deadline of their own command.
            match asking.waiter {
                Waiter::Request(request) => self.answer_standing(tx, request, asking.id, &asking.want, None),
                Waiter::Ticket => self.tickets.question_over(asking.id),
                Waiter::Item(..) => {}
            }
        }
        let mut again = Vec::new();
        for (n, asking) in &mut self.fencing.asking {
            if asking.cut.is_none() && now_ms >= asking.sent_ms + ASK_AGAIN_MS {
                asking.sent_ms = now_ms;
                again.push((asking.region, FenceOrFetch { n: *n, id: asking.id, want: asking.want.clone() }));
            }
        }
        for (region, ask) in again {
            tx.send(region, Lane::Requests, &PeerMessage::FenceOrFetch(ask));
        }
        if now_ms >= self.fencing.expired_ms + EXPIRE_EVERY_MS && self.not_ready().is_none() {
            self.fencing.expired_ms = now_ms;
            tx.by = Cause::Peer;
            let delaying = &self.delaying;
            self.ledger.expire_handed(tx, self.time.owner_ms(), EXPIRE_MAX, |id| delaying.holds(id));
            self.seal(tx);
        }
    }
}
