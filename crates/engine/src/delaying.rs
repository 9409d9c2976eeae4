//! Wagers on markets in play, which wait before they are judged: a durable note of the region that may decide the id, in
//! no log and no digest, answered as pending. The whole stake is set aside here while it waits. After the longest delay
//! of its markets it is admitted again, from scratch, against the prices of that moment, and is then decided for good:
//! whatever has happened in between (a suspension, a moved price, an excluded account) counts.
//!
//! A note is no decision. Whoever closes the id, or hands it to another region, ends the note in the same batch; the
//! other region then sees the wager with its own eyes, and lets it wait anew. One that cannot be judged in time, for
//! want of rights or of acks, is closed: it is never placed. So every note ends, and no id is decided twice. After a
//! start the notes are read back; their time is the owner's, which never goes back.
//!
//! Judging is `placing`; the form of a note is `delayed`.

use std::collections::{BTreeMap, BTreeSet};

use model::limits::{ASK_AGAIN_MS, DELAY_JUDGED_MS, DELAY_MS_MAX, DELAYED_MAX};
use model::{DelayView, Leg, MintedId, Refusal, Text, WagerAnswer, WagerRequest, WagerView};

use crate::admission::body_of;
use crate::delayed::Delayed;
use crate::door::{Lane, RequestId};
use crate::engine::Engine;
use crate::ledger::Admitted;
use crate::log::{Cancelled, Cause};
use crate::odds::Market;
use crate::placing::Look;
use crate::port::{View, Write};
use crate::tx::Tx;
use crate::wire::{Acquire, PeerMessage};

/// A note that could not be judged is looked at again after this long, ms.
const LOOK_AGAIN_MS: u64 = ASK_AGAIN_MS / 2;
/// Notes judged at one tick.
const JUDGED_MAX: usize = 500;

/// All notes of this region.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Delaying {
    /// With when it is looked at, Unix ms of the owner's time.
    held: BTreeMap<MintedId, (Delayed, u64)>,
    /// When each is to be looked at, Unix ms of the owner's time.
    due: BTreeSet<(u64, MintedId)>,
    /// Items of place commands that wait for the end.
    waiters: BTreeMap<MintedId, Vec<(RequestId, usize)>>,
}

impl Delaying {
    pub(crate) fn holds(&self, id: MintedId) -> bool {
        self.held.contains_key(&id)
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.held.is_empty()
    }

    /// When the first is due, Unix ms of the owner's time.
    fn first_due_ms(&self) -> Option<u64> {
        self.due.first().map(|(due_ms, _)| *due_ms)
    }

    /// Forgets items of commands that have been answered.
    pub(crate) fn keep(&mut self, waits: impl Fn(RequestId) -> bool) {
        self.waiters.retain(|_, waiters| {
            waiters.retain(|(id, _)| waits(*id));
            !waiters.is_empty()
        });
    }
}

impl Engine {
    /// Notes of wagers that wait for a market's delay, for tests.
    pub fn delayed(&self) -> impl Iterator<Item = (MintedId, &Delayed)> + '_ {
        self.delaying.held.iter().map(|(id, (note, _))| (*id, note))
    }

    const fn delay_view(&self, note: &Delayed) -> DelayView {
        DelayView { owner: self.site.region, asked_ms: note.asked_ms, due_ms: note.due_ms }
    }

    /// How long a wager on these legs waits, ms: the longest delay of its markets in play.
    pub(crate) fn delay_of(&self, legs: &[Leg]) -> u64 {
        if !self.config.bet_delays {
            return 0;
        }
        let delay = |leg: &Leg| {
            let definition = self.plane.markets().get(&leg.market).and_then(Market::shown_definition);
            definition.filter(|d| d.in_play).map_or(0, |d| u64::from(d.bet_delay_ms))
        };
        legs.iter().map(delay).max().unwrap_or(0).min(DELAY_MS_MAX)
    }

    /// What a note says to a wager that is asked for again; `None` without one.
    pub(crate) fn delayed_answer(&self, item: &WagerRequest) -> Option<WagerAnswer> {
        let (note, _) = self.delaying.held.get(&item.id)?;
        Some(if note.body == body_of(item) {
            WagerAnswer::Delayed(self.delay_view(note))
        } else {
            WagerAnswer::Refused(Refusal::IdReused)
        })
    }

    /// What a note says to a read of its id; `None` without one.
    pub(crate) fn delayed_read(&self, id: MintedId) -> Option<WagerView> {
        self.delaying.held.get(&id).map(|(note, _)| WagerView::Delayed(self.delay_view(note)))
    }

    /// Takes a wager in that admission and the money guard have seen: it waits.
    pub(crate) fn delay<V: View>(
        &mut self,
        tx: &mut Tx<'_, V>,
        item: &WagerRequest,
        admitted: &Admitted,
    ) -> WagerAnswer {
        if self.delaying.held.len() >= DELAYED_MAX {
            return WagerAnswer::Refused(Refusal::Overloaded { what: Text::new("wagers that wait for a delay") });
        }
        let now_ms = self.time.owner_ms();
        let note = Delayed::of(item, admitted.body, admitted.stake, now_ms, now_ms + admitted.delay_ms);
        let view = self.delay_view(&note);
        self.stats.wagers_delayed += 1;
        tx.put(Write::Delayed(item.id, Some(note.clone())));
        self.keep_delayed(item.id, note);
        WagerAnswer::Delayed(view)
    }

    /// Sets the stake of a note aside, new or read back after a start.
    pub(crate) fn keep_delayed(&mut self, id: MintedId, note: Delayed) {
        let look_ms = note.due_ms;
        self.keep_until(id, note, look_ms);
    }

    fn keep_until(&mut self, id: MintedId, note: Delayed, look_ms: u64) {
        *self.ledger.delayed.entry(note.account.clone()).or_default() += note.stake.minor();
        self.delaying.due.insert((look_ms, id));
        self.delaying.held.insert(id, (note, look_ms));
    }

    /// Takes a note up: its stake is free again, and nothing of it is left in memory but its waiters.
    fn lift_delayed(&mut self, id: MintedId) -> Option<Delayed> {
        let (note, look_ms) = self.delaying.held.remove(&id)?;
        self.delaying.due.remove(&(look_ms, id));
        let held = self.ledger.delayed.get_mut(&note.account).expect("a note's stake is set aside");
        *held -= note.stake.minor();
        if *held == 0 {
            self.ledger.delayed.remove(&note.account);
        }
        Some(note)
    }

    /// The id of a note was closed or handed to another region in this batch: the note ends with it, and whoever waits
    /// hears what stands now.
    pub(crate) fn end_delayed<V: View>(&mut self, tx: &mut Tx<'_, V>, id: MintedId) {
        if self.lift_delayed(id).is_none() {
            return;
        }
        tx.put(Write::Delayed(id, None));
        for item in self.delaying.waiters.remove(&id).unwrap_or_default() {
            self.item_standing(tx, item, None);
        }
    }

    /// Notes that an item waits for the end of a delay. `false`: it waits for none, or not for as long as `wait_ms`.
    pub(crate) fn awaits_delay(
        &mut self,
        id: MintedId,
        answer: &WagerAnswer,
        item: (RequestId, usize),
        wait_ms: u64,
    ) -> bool {
        let WagerAnswer::Delayed(delay) = answer else { return false };
        let in_time = delay.due_ms.saturating_sub(self.time.owner_ms()) <= wait_ms;
        let waits = in_time && self.delaying.holds(id);
        if waits {
            let waiters = self.delaying.waiters.entry(id).or_default();
            if !waiters.contains(&item) {
                waiters.push(item);
            }
        }
        waits
    }

    /// When the first note is due, steady ms. With the replay clock only that clock brings it about.
    pub(crate) fn delayed_due_ms(&self) -> Option<u64> {
        let due_ms = self.delaying.first_due_ms().filter(|_| self.not_ready().is_none())?;
        let ahead_ms = due_ms.saturating_sub(self.time.owner_ms());
        (ahead_ms == 0 || !self.config.replay).then(|| self.steady_ms.saturating_add(ahead_ms))
    }

    /// Judges the notes whose time has come.
    pub(crate) fn delayed_on_time<V: View>(&mut self, tx: &mut Tx<'_, V>) {
        if self.not_ready().is_some() {
            return;
        }
        let now_ms = self.time.owner_ms();
        let due = self.delaying.due.iter().take_while(|(due_ms, _)| *due_ms <= now_ms);
        let due: Vec<MintedId> = due.map(|(_, id)| *id).take(JUDGED_MAX).collect();
        for id in due {
            tx.by = Cause::Client;
            self.judge_delayed(tx, id);
            self.seal(tx);
        }
    }

    fn judge_delayed<V: View>(&mut self, tx: &mut Tx<'_, V>, id: MintedId) {
        let Some(note) = self.lift_delayed(id) else { return };
        let item = note.request(id);
        let looked = match &item {
            Some(item) => self.judge(tx, item, false, Some(note.asked_ms)),
            None => Look::Answered(WagerAnswer::Refused(Refusal::IdClosed)),
        };
        let answer = match looked {
            Look::Answered(answer @ (WagerAnswer::Decided { .. } | WagerAnswer::AwaitingAck { .. })) => answer,
            Look::Short { missing } if self.delay_goes_on(&note) => {
                self.ask_for_delayed(tx, &note, missing);
                return self.look_again(id, note);
            }
            Look::Window if self.delay_goes_on(&note) => return self.look_again(id, note),
            Look::Answered(_) | Look::Short { .. } | Look::Window | Look::Elsewhere { .. } => {
                self.ledger.close(tx, Cancelled { id, reason: None });
                WagerAnswer::Refused(Refusal::IdClosed)
            }
        };
        tx.put(Write::Delayed(id, None));
        for waiter in self.delaying.waiters.remove(&id).unwrap_or_default() {
            self.answer_item(tx, &note.account, waiter, answer.clone());
        }
    }

    /// Whether what was missing may still come: a delayed wager is not kept open for long.
    fn delay_goes_on(&self, note: &Delayed) -> bool {
        let delay_ms = note.due_ms.saturating_sub(note.asked_ms).min(DELAY_MS_MAX);
        self.time.owner_ms() < note.asked_ms.saturating_add(delay_ms).saturating_add(DELAY_JUDGED_MS)
    }

    /// The note as it is stored stays; it is looked at again in a moment.
    fn look_again(&mut self, id: MintedId, note: Delayed) {
        self.keep_until(id, note, self.time.owner_ms().saturating_add(LOOK_AGAIN_MS));
    }

    /// The stake was set aside, and has been taken for a debt meanwhile: rights are asked for like for any wager.
    fn ask_for_delayed<V: View>(&mut self, tx: &mut Tx<'_, V>, note: &Delayed, missing: u64) {
        let Some(region) = self.lender(&note.account, &BTreeSet::new()) else { return };
        let n = self.next_acquire();
        let message = Acquire { n, account: note.account.clone(), need: missing, want: missing, purpose: None };
        tx.send(region, Lane::Requests, &PeerMessage::Acquire(message));
        self.stats.acquires += 1;
    }
}
