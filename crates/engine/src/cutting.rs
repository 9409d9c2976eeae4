//! The front of the logs: which entries every other region holds, and what is therefore sealed into segments and cut.
//! Knows what was heard of holdings; knows no disk, and no rule of money beyond the ack floor.
//!
//! A log is cut slice by slice: the engine wishes a slice sealed ([`Effect::Archive`]), which happens beside the
//! commits; once it hears [`Input::Archived`](crate::door::Input::Archived), head and removal stand in one batch. A
//! crash at any point leaves the entries in the log, in a segment, or in both; the wish follows from state again.

use std::collections::BTreeMap;

use crdt::{Site, Vector};
use model::limits::CUT_SLICE_ENTRIES_MAX;

use crate::door::Effect;
use crate::engine::Engine;
use crate::log::sum16;
use crate::port::{Cut, Seal, View, Write};
use crate::tx::Tx;

/// Logs are looked at this often, ms.
const CUT_EVERY_MS: u64 = 1_000;
/// A wish that nothing was heard of is made again after this long, ms.
const ARCHIVE_AGAIN_MS: u64 = 60_000;

/// What is known of others' holdings, and the slice being sealed. Nothing of it is stored: a region that has not been
/// heard since this process started is taken to hold nothing of others' logs.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Cutting {
    /// What each site has said it holds of all logs, or is said to by one who hears it.
    holds: BTreeMap<Site, Vector>,
    archiving: Option<Archiving>,
    looked_ms: u64,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Archiving {
    site: Site,
    first: u64,
    last: u64,
    since_ms: u64,
}

impl Cutting {
    /// A site says `Hello`: what it said in an earlier life, it may have lost since.
    pub(crate) fn met(&mut self, site: Site, holds: Vector) {
        self.holds.insert(site, holds);
    }

    /// A site says what it holds, or one who hears it says so.
    pub(crate) fn heard(&mut self, site: Site, holds: &Vector) {
        self.holds.entry(site).or_default().join(holds);
    }
}

impl Engine {
    /// How much of a log the newest site of a region is known to hold.
    fn held_by(&self, region: u16, log: Site) -> u64 {
        let acks = if log == self.site { Some(&self.ledger.acks) } else { None };
        let sites = self.cutting.holds.keys().chain(acks.into_iter().flat_map(BTreeMap::keys));
        let Some(site) = sites.filter(|s| s.region == region).max().copied() else { return 0 };
        if site == log {
            return u64::MAX;
        }
        let heard = self.cutting.holds.get(&site).map_or(0, |v| v.get(log));
        let acked = acks.and_then(|a| a.get(&site)).copied().unwrap_or(0);
        heard.max(acked)
    }

    /// The last entry of a log that need not be kept: every other region holds it, or lacks too much to be served from
    /// the log; and never one of the own log above the ack floor, which is read again after a start.
    fn may_cut(&self, site: Site) -> u64 {
        let (head, kept) = (self.ledger.head(site).index, self.config.kept);
        let others = self.links.keys().map(|region| self.held_by(*region, site));
        let held = others.min().unwrap_or(head);
        let silent = head.saturating_sub(kept.max.max(kept.tail));
        let upto = held.max(silent).min(head.saturating_sub(kept.tail));
        if site == self.site { upto.min(self.ledger.ack_floor) } else { upto }
    }

    fn slice(&self) -> u64 {
        self.config.kept.tail.clamp(1, CUT_SLICE_ENTRIES_MAX)
    }

    /// Looks at the logs now and then, and wishes the next slice sealed.
    pub(crate) fn cut_on_time<V: View>(&mut self, tx: &mut Tx<'_, V>) {
        let now_ms = tx.now.steady_ms;
        if now_ms >= self.cutting.looked_ms + CUT_EVERY_MS {
            self.cutting.looked_ms = now_ms;
            self.archive_next(tx);
        }
    }

    fn archive_next<V: View>(&mut self, tx: &mut Tx<'_, V>) {
        let now_ms = tx.now.steady_ms;
        let busy = self.cutting.archiving.as_ref().is_some_and(|a| now_ms < a.since_ms + ARCHIVE_AGAIN_MS);
        if busy || self.ledger.read_only || self.meta.taking.is_some() {
            return;
        }
        let slice = self.slice();
        let longest = self
            .ledger
            .logs
            .iter()
            .map(|(site, head)| (self.may_cut(*site).saturating_sub(head.cut_index()), *site, head.cut_index() + 1))
            .max();
        self.cutting.archiving = longest.filter(|(over, ..)| *over >= slice).map(|(_, site, first)| {
            let last = first + slice - 1;
            tx.effect(Effect::Archive { site, first, last });
            Archiving { site, first, last, since_ms: now_ms }
        });
    }

    /// A slice has been sealed: it is cut, if it may be still. The floor may have fallen since it was wished.
    pub(crate) fn archived<V: View>(&mut self, tx: &mut Tx<'_, V>, site: Site, (first, last): (u64, u64), seal: Seal) {
        let wished = self.cutting.archiving.take_if(|a| (a.site, a.first, a.last) == (site, first, last));
        let mut head = self.ledger.head(site);
        let follows = head.cut_index() + 1 == first && last <= self.may_cut(site);
        if wished.is_none() || !follows || self.ledger.read_only || self.meta.taking.is_some() {
            return;
        }
        if self.hash_at(tx, site, last) != Some(seal.hash) {
            return tx.alarm("segment_differs", format!("a segment of the log of {site} ends otherwise than the log"));
        }
        let before = head.cut.map(|cut| cut.digest).unwrap_or_default();
        head.cut = Some(Cut { index: last, hash: seal.hash, digest: sum16(before, seal.sum) });
        self.set_head(site, head);
        tx.put(Write::Cut(site, last));
        self.stats.entries_cut += last + 1 - first;
        self.archive_next(tx);
    }

    /// When the logs want to be looked at without any input, steady ms: only while one is long enough.
    pub(crate) fn cut_due_ms(&self) -> Option<u64> {
        let enough = self.config.kept.tail.saturating_add(self.slice());
        let long = self.ledger.logs.values().any(|h| h.index - h.cut_index() >= enough);
        long.then_some(self.cutting.looked_ms + CUT_EVERY_MS)
    }

    /// Where each log begins here.
    pub(crate) fn cuts(&self) -> Vec<(Site, u64)> {
        self.ledger.logs.iter().map(|(site, head)| (*site, head.cut_index())).collect()
    }
}
