//! Tickets: wager ids of another region that could not be heard when a client asked for them here. A ticket is a durable
//! note of this region alone: no part of its log, of a digest or of what others know. It holds no money.
//!
//! It stands for one promise: the wager is never placed from here, late or at all (ESCROW.md 2.10), and the client
//! learns its fate here. As soon as the region that may decide the id can be heard again, it is asked as `abandon` asks
//! (`Want::Close`): it names the decision there was, or closes the id, and either counts once its entry is in our
//! prefix. An entry that comes by any other way, relayed or addressed to somebody else, resolves the ticket as well. A
//! right to decide that arrives after all, from a question asked before the ticket, is used to close the id here.
//!
//! Only the owner's word ends a ticket. Once the owner's time has passed `place_by` it answers that the id has expired;
//! that leaves no entry, so the ticket itself keeps the word for a while. This region's own clock decides nothing.
//!
//! A client that tries the same id at its owner while a ticket stands here is served there: the owner decides, at most
//! once, and the ticket finds that decision. Whichever comes first at the owner, the wager or the ticket's question,
//! wins; the other hears of it. Asking is `fencing`; who may decide is `ledger::handed`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use model::limits::{HANDED_KEPT_MS, TICKETS_MAX, WAGER_HORIZON_MS};
use model::{MintedId, Refusal, Text, TicketView, WagerAnswer, WagerRequest, WagerView};

use crate::admission::body_of;
use crate::engine::Engine;
use crate::fencing::Waiter;
use crate::ledger::Standing;
use crate::log::{Cancelled, Cause, Entry, Event};
use crate::planted::Planted;
use crate::port::{Ticket, View, Write};
use crate::tx::Tx;
use crate::wire::Want;

/// Tickets are looked at this often, ms.
const LOOK_EVERY_MS: u64 = 250;
/// Tickets looked at in one go.
const LOOKED_MAX: usize = 256;
/// Questions of tickets under way: a long list of them leaves room for clients' own.
const ASKED_MAX: usize = 256;
/// A question of a ticket that has led nowhere for this long is asked afresh, of whoever may decide the id by then, ms.
const QUESTION_MS: u64 = 5_000;

/// All tickets of this region.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Tickets {
    held: BTreeMap<MintedId, Ticket>,
    /// Those whose question is under way.
    asked: BTreeSet<MintedId>,
    /// Where the last look ended.
    looked: Option<MintedId>,
    looked_ms: u64,
    /// Only ever filled by a planted bug: the wagers themselves.
    bodies: BTreeMap<MintedId, WagerRequest>,
}

impl Tickets {
    pub(crate) fn deadline_ms(&self) -> Option<u64> {
        (!self.held.is_empty()).then_some(self.looked_ms + LOOK_EVERY_MS)
    }

    pub(crate) fn restore(&mut self, id: MintedId, ticket: Ticket) {
        self.held.insert(id, ticket);
    }

    /// The question of a ticket is over, whatever came of it.
    pub(crate) fn question_over(&mut self, id: MintedId) {
        self.asked.remove(&id);
    }

    fn standing(&self, id: MintedId) -> Option<&Ticket> {
        self.held.get(&id).filter(|t| t.ended_ms.is_none())
    }

    /// The next ids to be looked at, by turns.
    fn next(&mut self) -> Vec<MintedId> {
        let from = self.looked.map_or(Bound::Unbounded, Bound::Excluded);
        let ids: Vec<MintedId> =
            self.held.range((from, Bound::Unbounded)).map(|(id, _)| *id).take(LOOKED_MAX).collect();
        self.looked = ids.last().copied().filter(|_| ids.len() == LOOKED_MAX);
        ids
    }
}

impl Engine {
    /// Tickets that stand: their ids are neither decided nor closed, as far as is known here.
    pub fn tickets(&self) -> impl Iterator<Item = MintedId> + '_ {
        self.tickets.held.iter().filter(|(_, t)| t.ended_ms.is_none()).map(|(id, _)| *id)
    }

    /// What a ticket says to a wager that is asked for again; `None` without one.
    pub(crate) fn ticket_answer(&self, item: &WagerRequest) -> Option<WagerAnswer> {
        let ticket = self.tickets.held.get(&item.id)?;
        Some(match ticket.ended_ms {
            Some(_) => WagerAnswer::Refused(Refusal::IdExpired),
            None if ticket.body != body_of(item) => WagerAnswer::Refused(Refusal::IdReused),
            None => WagerAnswer::Ticket(self.ticket_view(item.id, ticket)),
        })
    }

    /// What a ticket says to a read of its id; `None` without one.
    pub(crate) fn ticket_read(&self, id: MintedId) -> Option<WagerView> {
        let ticket = self.tickets.held.get(&id)?;
        Some(match ticket.ended_ms {
            Some(_) => WagerView::NotPlaced { definitive: true },
            None => WagerView::Ticket(self.ticket_view(id, ticket)),
        })
    }

    fn ticket_view(&self, id: MintedId, ticket: &Ticket) -> TicketView {
        let owner = match self.ledger.standing(id) {
            Standing::Away(region) => region,
            Standing::Mine | Standing::Closed(..) => self.site.region,
        };
        TicketView { owner, opened_ms: ticket.opened_ms }
    }

    /// The answer to a wager whose id `region` may decide: a ticket if that region cannot be heard, else where to ask.
    /// `unheard`: it was asked and has not answered.
    pub(crate) fn elsewhere_answer<V: View>(
        &mut self,
        tx: &mut Tx<'_, V>,
        item: &WagerRequest,
        region: u16,
        unheard: bool,
    ) -> WagerAnswer {
        let silent = unheard || !self.is_reachable(region);
        if silent && self.may_open_ticket(item.id, region) {
            return self.open_ticket(tx, item, region);
        }
        self.away_answer(region)
    }

    /// No ticket where nobody could ever resolve it, nor beyond the bound. An id beyond the horizon would be undecidable
    /// even for its owner.
    fn may_open_ticket(&self, id: MintedId, region: u16) -> bool {
        let soon = id.place_by_ms() <= self.time.owner_ms() + WAGER_HORIZON_MS;
        let other = region != self.site.region && self.region_name(region).is_some();
        soon && other && self.not_ready().is_none() && self.tickets.held.len() < TICKETS_MAX
    }

    fn open_ticket<V: View>(&mut self, tx: &mut Tx<'_, V>, item: &WagerRequest, region: u16) -> WagerAnswer {
        let opened_ms = self.time.owner_ms();
        let (account, body) = (item.account.clone(), body_of(item));
        let ticket = Ticket { account, body, opened_ms, reason: None, ended_ms: None };
        self.keep_ticket(tx, item.id, ticket);
        self.stats.tickets_opened += 1;
        if self.planted == Planted::TicketPlaces {
            self.tickets.bodies.insert(item.id, item.clone());
        }
        WagerAnswer::Ticket(TicketView { owner: region, opened_ms })
    }

    fn keep_ticket<V: View>(&mut self, tx: &mut Tx<'_, V>, id: MintedId, ticket: Ticket) {
        tx.put(Write::Ticket(id, Some(ticket.clone())));
        self.tickets.held.insert(id, ticket);
    }

    fn drop_ticket<V: View>(&mut self, tx: &mut Tx<'_, V>, id: MintedId) {
        tx.put(Write::Ticket(id, None));
        self.tickets.held.remove(&id);
    }

    /// An operator cancels an id that has a ticket: the tombstone, if it comes to one, is then the operator's.
    pub(crate) fn cancel_ticket<V: View>(&mut self, tx: &mut Tx<'_, V>, id: MintedId, reason: Option<&Text>) {
        if let (Some(ticket), Some(reason)) = (self.tickets.standing(id), reason) {
            let ticket = Ticket { reason: Some(reason.clone()), ..ticket.clone() };
            self.keep_ticket(tx, id, ticket);
        }
    }

    /// An entry has been applied: tickets that it decides are resolved, before anything else looks at their ids.
    pub(crate) fn tickets_heard<V: View>(&mut self, tx: &mut Tx<'_, V>, entry: &Entry) {
        if self.tickets.held.is_empty() {
            return;
        }
        for event in &entry.events {
            let id = match event {
                Event::Wager(record) => record.0.id,
                Event::Posting(posting) => posting.id,
                Event::Fenced(fenced) => fenced.id,
                Event::Cancelled(cancelled) => cancelled.id,
                _ => continue,
            };
            self.resolve_ticket(tx, id);
        }
    }

    /// Resolves a ticket from what is known here. A right to decide that has come here is used to close the id.
    fn resolve_ticket<V: View>(&mut self, tx: &mut Tx<'_, V>, id: MintedId) -> bool {
        let Some(ticket) = self.tickets.standing(id) else { return false };
        let decided = tx.wager(id).is_some() || tx.posting(id).is_some();
        let resolved = decided
            || match self.ledger.standing(id) {
                Standing::Closed(..) => true,
                Standing::Mine if self.not_ready().is_none() => {
                    let reason = ticket.reason.clone();
                    self.seal(tx);
                    tx.by = if reason.is_some() { Cause::Operator } else { Cause::Client };
                    self.ledger.close(tx, Cancelled { id, reason });
                    self.seal(tx);
                    true
                }
                Standing::Mine | Standing::Away(_) => false,
            };
        if resolved {
            self.drop_ticket(tx, id);
            self.stats.tickets_resolved += 1;
        }
        resolved
    }

    /// The question of a ticket is answered; `expired`: by the owner's word that it is too late, which no entry carries.
    pub(crate) fn ticket_told<V: View>(&mut self, tx: &mut Tx<'_, V>, id: MintedId, expired: bool) {
        self.tickets.question_over(id);
        if self.resolve_ticket(tx, id) || !expired {
            return;
        }
        if let Some(ticket) = self.tickets.standing(id) {
            let ticket = Ticket { ended_ms: Some(self.time.owner_ms()), ..ticket.clone() };
            self.keep_ticket(tx, id, ticket);
            self.stats.tickets_resolved += 1;
        }
    }

    /// Asks for the tickets whose regions can be heard, and forgets what was kept of those that have ended.
    pub(crate) fn tickets_on_time<V: View>(&mut self, tx: &mut Tx<'_, V>) {
        let now_ms = tx.now.steady_ms;
        if self.tickets.deadline_ms().is_none_or(|due| now_ms < due) || self.not_ready().is_some() {
            return;
        }
        self.tickets.looked_ms = now_ms;
        let forgotten = self.time.owner_ms().saturating_sub(HANDED_KEPT_MS);
        for id in self.tickets.next() {
            match self.tickets.held.get(&id).and_then(|t| t.ended_ms) {
                Some(ended_ms) if ended_ms.max(id.place_by_ms()) < forgotten => self.drop_ticket(tx, id),
                Some(_) => {}
                None if self.resolve_ticket(tx, id) => {}
                None => self.ask_for_ticket(tx, id),
            }
        }
    }

    fn ask_for_ticket<V: View>(&mut self, tx: &mut Tx<'_, V>, id: MintedId) {
        let Standing::Away(region) = self.ledger.standing(id) else { return };
        let Some(ticket) = self.tickets.standing(id) else { return };
        if self.tickets.asked.contains(&id) || self.tickets.asked.len() >= ASKED_MAX {
            return;
        }
        let want = Want::Close { reason: ticket.reason.clone() };
        if self.planted == Planted::TicketPlaces && self.is_linked(region) {
            return self.place_by_ticket(tx, id);
        }
        let deadline_ms = tx.now.steady_ms + QUESTION_MS;
        if self.ask_region(tx, region, id, want, Waiter::Ticket, deadline_ms) {
            self.tickets.asked.insert(id);
        }
    }

    /// The planted bug: once its owner can be heard, the wager is placed from here, and nobody is asked.
    fn place_by_ticket<V: View>(&mut self, tx: &mut Tx<'_, V>, id: MintedId) {
        if let Some(item) = self.tickets.bodies.remove(&id) {
            self.drop_ticket(tx, id);
            self.believe(id);
            tx.by = Cause::Client;
            self.place_unasked(tx, &item);
            self.seal(tx);
        }
    }
}
