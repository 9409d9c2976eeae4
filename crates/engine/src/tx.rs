//! One input's transaction: what it has written so far, over the view; the entry it is building; its effects.
//! Knows how an entry is sealed into this site's log; knows no rule of any plane.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use crdt::Hlc;
use model::limits::{ENTRY_EVENTS_MAX, ENTRY_LEGS_MAX};
use model::{
    AccountId, Answer, MarketKey, MintedId, Posting, Reference, ReferenceDecision, Refusal, ResultRegister,
    ResultScope, WagerRecord,
};

use crate::door::{Effect, Lane, Now, Output, RequestId};
use crate::log::{Cause, Event, SharedWager};
use crate::overlay::{Layered, Overlay};
use crate::port::{View, Write};
use crate::wire::PeerMessage;

/// A transaction in progress.
pub(crate) struct Tx<'v, V> {
    pub(crate) now: Now,
    view: &'v V,
    over: Overlay,
    batch: Vec<Write>,
    then: Vec<Effect>,
    pub(crate) by: Cause,
    /// Stamp of the entry being built, where its events carry one that replicas must be able to repeat.
    pub(crate) at: Option<Hlc>,
    pub(crate) events: Vec<Event>,
    pub(crate) rows: BTreeSet<AccountId>,
    /// Legs of the wagers among the events.
    legs: usize,
}

impl<'v, V: View> Tx<'v, V> {
    pub(crate) fn new(now: Now, view: &'v V) -> Self {
        Self {
            now,
            view,
            over: Overlay::default(),
            batch: Vec::new(),
            then: Vec::new(),
            by: Cause::Client,
            at: None,
            events: Vec::new(),
            rows: BTreeSet::new(),
            legs: 0,
        }
    }

    pub(crate) fn put(&mut self, write: Write) {
        self.over.absorb(&write);
        self.batch.push(write);
    }

    /// A decided wager joins the entry being built.
    pub(crate) fn decided(&mut self, record: &Arc<WagerRecord>) {
        self.legs += record.legs.len();
        self.events.push(Event::Wager(SharedWager(Arc::clone(record))));
    }

    /// Whether the entry being built takes nothing more: wagers of many legs are far larger than other events.
    pub(crate) fn is_full(&self) -> bool {
        self.events.len() >= ENTRY_EVENTS_MAX || self.legs >= ENTRY_LEGS_MAX
    }

    /// The entry being built is taken, to be sealed.
    pub(crate) fn take_events(&mut self) -> Vec<Event> {
        self.legs = 0;
        std::mem::take(&mut self.events)
    }

    pub(crate) fn effect(&mut self, effect: Effect) {
        self.then.push(effect);
    }

    pub(crate) fn reply(&mut self, id: RequestId, answer: Answer) {
        self.then.push(Effect::Reply { id, answer: Box::new(answer) });
    }

    pub(crate) fn refuse(&mut self, id: RequestId, refusal: Refusal) {
        self.reply(id, Answer::Refused(refusal));
    }

    pub(crate) fn alarm(&mut self, code: &'static str, detail: String) {
        self.then.push(Effect::Alarm { code, detail });
    }

    pub(crate) fn send(&mut self, region: u16, lane: Lane, message: &PeerMessage) {
        self.then.push(Effect::Send { region, lane, frame: message.encode() });
    }

    fn layered(&self) -> Layered<'_, V> {
        Layered { over: &self.over, under: self.view }
    }

    pub(crate) fn wager(&self, id: MintedId) -> Option<Arc<WagerRecord>> {
        self.layered().wager(id)
    }

    pub(crate) fn posting(&self, id: MintedId) -> Option<Posting> {
        self.layered().posting(id)
    }

    pub(crate) fn reference(&self, reference: &Reference) -> Option<ReferenceDecision> {
        self.layered().reference(reference)
    }

    pub(crate) fn log(&self, site: crdt::Site, from: u64, count_max: usize, bytes_max: usize) -> Vec<Bytes> {
        self.layered().log(site, from, count_max, bytes_max)
    }

    pub(crate) fn market_wagers(&self, market: &MarketKey, after: Option<MintedId>, count_max: usize) -> Vec<MintedId> {
        self.layered().market_wagers(market, after, count_max)
    }

    pub(crate) fn results(&self, market: &MarketKey) -> Vec<(ResultScope, ResultRegister)> {
        self.layered().results(market)
    }

    pub(crate) fn staged(&self, page: u64) -> Option<Bytes> {
        self.layered().staged(page)
    }

    pub(crate) fn finish(self) -> Output {
        assert!(self.events.is_empty() && self.rows.is_empty(), "an entry was left unsealed");
        Output { batch: self.batch, then: self.then }
    }
}
