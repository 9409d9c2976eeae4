//! Taking a snapshot (and passing on peers' wishes for pages): when this site lacks entries that no linked region keeps any more. Pages are set aside in the
//! store as they come; when all of them are durable and add up to what their server states, they are taken over, one a
//! tick, and at last the heads of the logs move. Knows what is asked and when; how a record is merged is the ledger's.
//!
//! * Until the end has been heard and holds, nothing of it is looked at: a crash or a lost link begins again.
//! * From then on it is durable here as a whole and always taken to its end, also over crashes; meanwhile no foreign
//!   entry is applied, so every record is compared with the same heads. Records by themselves give nothing: grants and
//!   hand-overs to this site count once the heads have moved, in the same batch, as if their entries had come.
//! * What this site held of such a log below the snapshot's index is removed without being sealed: its server has it in
//!   its log or in its segments.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use crdt::Site;
use minicbor::bytes::ByteVec;
use model::limits::ENTRY_EVENTS_MAX;
use model::{AccountId, Hash16, SnapshotView};

use crate::door::{Effect, Lane};
use crate::engine::Engine;
use crate::log::{Cause, sum16};
use crate::port::{Cut, LogHead, Taking, View, Write};
use crate::snapshot::{Record, check_of, sum_of};
use crate::tx::Tx;
use crate::wire::{PeerMessage, SnapshotAsk, SnapshotPage, SnapshotWord};

/// A page that does not come is asked for again after this long, ms.
const ASK_PAGE_AGAIN_MS: u64 = 1_000;
/// A page is asked for this often before the attempt is given up.
const ASKED_MAX: u32 = 20;
/// A region whose snapshot was given up is not asked again for this long, ms.
const GIVEN_UP_MS: u64 = 5_000;

/// A snapshot that is coming in. Nothing of it is stored but its pages.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Receiving {
    coming: Option<Coming>,
    /// Regions not to be asked before, steady ms.
    given_up: BTreeMap<u16, u64>,
    attempts: u64,
    /// Regions that have asked for pages here since their links stand.
    served: BTreeSet<u16>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Coming {
    region: u16,
    id: u64,
    /// The page asked for.
    page: u64,
    records: u64,
    sum: Hash16,
    asked_ms: u64,
    asked: u32,
}

impl Receiving {
    /// When a page or another attempt is due, steady ms.
    pub(crate) fn due_ms(&self) -> Option<u64> {
        let page = self.coming.as_ref().map(|c| c.asked_ms + ASK_PAGE_AGAIN_MS);
        page.into_iter().chain(self.given_up.values().copied()).min()
    }

    /// The link is gone: another attempt begins anew.
    pub(crate) fn peer_down(&mut self, region: u16) {
        self.coming.take_if(|c| c.region == region);
    }
}

impl Engine {
    pub(crate) fn snapshot_word<V: View>(&mut self, tx: &mut Tx<'_, V>, region: u16, word: SnapshotWord) {
        match word {
            SnapshotWord::Behind { site, cut } => {
                let asked = self.has_more(region, site);
                if let Some(link) = self.links.get_mut(&region).filter(|_| asked) {
                    link.behind.insert(site, cut);
                }
                self.pulled_in_vain(region, site);
                self.want_snapshot(tx);
                self.pull_gaps(tx, region);
            }
            SnapshotWord::End { id, pages, sum, heads, check } => {
                if check == check_of(id, pages, sum, &heads) {
                    self.snapshot_end(tx, (region, id), (pages, sum), &heads);
                }
            }
            SnapshotWord::Unknown { id } => {
                if self.receiving.coming.as_ref().is_some_and(|c| (c.region, c.id) == (region, id)) {
                    self.give_up_snapshot(tx, "its server has it no longer");
                }
            }
        }
    }

    fn has_more(&self, region: u16, site: Site) -> bool {
        self.links.get(&region).is_some_and(|link| link.have.get(site) > self.ledger.head(site).index)
    }

    /// A peer asks for a page of a snapshot. It is read beside the commits.
    pub(crate) fn serve_snapshot<V: View>(&mut self, tx: &mut Tx<'_, V>, region: u16, ask: SnapshotAsk) {
        self.stats.snapshot_pages_asked += 1;
        self.receiving.served.insert(region);
        tx.effect(Effect::Snapshot { region, ask: Some(ask) });
    }

    /// Asks for a snapshot if some log goes on only beyond what any linked region keeps.
    pub(crate) fn want_snapshot<V: View>(&mut self, tx: &mut Tx<'_, V>) {
        if self.receiving.coming.is_some() || !self.may_learn() {
            return;
        }
        let now_ms = tx.now.steady_ms;
        self.receiving.given_up.retain(|_, until| now_ms < *until);
        let beyond = |link: &crate::replication::Link, site: Site| {
            let index = self.ledger.head(site).index;
            let more = link.linked() && link.have.get(site) > index;
            more.then(|| link.behind.get(&site).is_some_and(|cut| *cut > index))
        };
        let lost = |site: Site| {
            site != self.site
                && self.ledger.head(site).stopped.is_none()
                && self.links.values().all(|l| beyond(l, site) != Some(false))
        };
        let serves = |(region, link): &(&u16, &crate::replication::Link)| {
            let behind = link.behind.keys().any(|site| beyond(link, *site) == Some(true) && lost(*site));
            behind && !self.receiving.given_up.contains_key(*region)
        };
        let Some(region) = self.links.iter().find(serves).map(|(region, _)| *region) else { return };
        self.receiving.attempts += 1;
        let id = self.boot_nonce.wrapping_add(self.receiving.attempts);
        let (page, records, sum) = (0, 0, Hash16::default());
        self.receiving.coming = Some(Coming { region, id, page, records, sum, asked_ms: now_ms, asked: 1 });
        tx.put(Write::Unstage);
        self.meta.staged = true;
        self.save_meta = true;
        tx.send(region, Lane::Requests, &PeerMessage::SnapshotAsk(SnapshotAsk { id, page }));
    }

    /// Whoever was served is gone, and asks anew when it is back.
    pub(crate) fn stop_serving<V: View>(&mut self, tx: &mut Tx<'_, V>, region: u16) {
        if self.receiving.served.remove(&region) {
            tx.effect(Effect::Snapshot { region, ask: None });
        }
    }

    fn give_up_snapshot<V: View>(&mut self, tx: &mut Tx<'_, V>, why: &str) {
        let Some(coming) = self.receiving.coming.take() else { return };
        self.stats.snapshots_refused += 1;
        self.receiving.given_up.insert(coming.region, tx.now.steady_ms + GIVEN_UP_MS);
        let (region, page) = (coming.region, coming.page);
        tx.alarm("snapshot_given_up", format!("the snapshot of region {region} ends at page {page}: {why}"));
    }

    pub(crate) fn snapshot_page<V: View>(&mut self, tx: &mut Tx<'_, V>, region: u16, page: &SnapshotPage) {
        let Some(coming) = &self.receiving.coming else { return };
        if (coming.region, coming.id, coming.page) != (region, page.id, page.page) {
            return;
        }
        let sound = || {
            let sum = sum_of(&page.records);
            if sum != page.sum || page.records.is_empty() {
                return Err("its records do not add up".to_owned());
            }
            let check = |bytes: &ByteVec| {
                let record = Record::decode(bytes)?;
                self.check_topology(&record).and_then(|()| self.ledger.check_record(&record))
            };
            page.records.iter().try_for_each(check).map(|()| sum)
        };
        let sum = match sound() {
            Ok(sum) => sum,
            Err(why) => return self.give_up_snapshot(tx, &why),
        };
        let bytes = minicbor::to_vec(&page.records).expect("writing to memory cannot fail");
        tx.put(Write::Staged(page.page, Bytes::from(bytes)));
        self.stats.snapshot_pages += 1;
        if let Some(coming) = &mut self.receiving.coming {
            coming.page += 1;
            coming.records += page.records.len() as u64;
            coming.sum = sum16(coming.sum, sum);
            (coming.asked_ms, coming.asked) = (tx.now.steady_ms, 1);
            let ask = SnapshotAsk { id: coming.id, page: coming.page };
            tx.send(region, Lane::Requests, &PeerMessage::SnapshotAsk(ask));
        }
    }

    /// As of entries: nothing is given to strangers, and only its birth region decides a reference.
    fn check_topology(&self, record: &Record) -> Result<(), String> {
        let fine = match record {
            Record::Account(_, head) => self.is_known(head.home),
            Record::Handed(_, _, handed) => handed.to.is_none_or(|to| self.is_known(to)),
            Record::Reference(decision) => {
                self.region_number(decision.received.reference.region()) == Some(decision.site.region)
            }
            _ => true,
        };
        if fine { Ok(()) } else { Err("a record names a site that it cannot be of".to_owned()) }
    }

    fn snapshot_end<V: View>(
        &mut self,
        tx: &mut Tx<'_, V>,
        from: (u16, u64),
        (pages, sum): (u64, Hash16),
        heads: &[(Site, u64, Hash16, Hash16)],
    ) {
        let Some(coming) = self.receiving.coming.as_ref().filter(|c| (c.region, c.id) == from) else { return };
        if (coming.page, coming.sum) != (pages, sum) {
            return self.give_up_snapshot(tx, "its pages do not add up to what its server states");
        }
        self.receiving.coming = None;
        let brought = |(site, index, hash, digest): &(Site, u64, Hash16, Hash16)| {
            let known = self.ledger.head(*site);
            let more = *site != self.site && self.is_known(*site) && *index > known.index && known.stopped.is_none();
            let cut = Some(Cut { index: *index, hash: *hash, digest: *digest });
            more.then_some((*site, LogHead { index: *index, hash: *hash, digest: *digest, stopped: None, cut }))
        };
        let heads: Vec<(Site, LogHead)> = heads.iter().filter_map(brought).collect();
        if heads.is_empty() {
            // Somebody else was faster, or it was never behind: let it be found out again.
            self.links.values_mut().for_each(crate::replication::Link::start_anew);
            return self.unstage(tx);
        }
        self.meta.taking = Some(Taking { heads, pages, next: 0 });
        self.save_meta = true;
    }

    /// Asks again for what did not come, and takes over the next page of what has come whole.
    pub(crate) fn take_on_time<V: View>(&mut self, tx: &mut Tx<'_, V>) {
        if self.meta.taking.is_some() {
            return self.take_over(tx);
        }
        self.want_snapshot(tx);
        let now_ms = tx.now.steady_ms;
        let Some(coming) = self.receiving.coming.as_mut().filter(|c| now_ms >= c.asked_ms + ASK_PAGE_AGAIN_MS) else {
            return;
        };
        if coming.asked >= ASKED_MAX {
            return self.give_up_snapshot(tx, "a page does not come");
        }
        (coming.asked_ms, coming.asked) = (now_ms, coming.asked + 1);
        let ask = SnapshotAsk { id: coming.id, page: coming.page };
        let region = coming.region;
        tx.send(region, Lane::Requests, &PeerMessage::SnapshotAsk(ask));
    }

    fn take_over<V: View>(&mut self, tx: &mut Tx<'_, V>) {
        let Some(taking) = self.meta.taking.clone() else { return };
        self.save_meta = true;
        if taking.next >= taking.pages {
            return self.move_heads(tx, &taking);
        }
        let bytes = tx.staged(taking.next).expect("every page of a whole snapshot was set aside");
        let records: Vec<ByteVec> = minicbor::decode(&bytes).expect("a page is kept as it was checked");
        let brought: BTreeMap<Site, u64> = taking.heads.iter().map(|(site, head)| (*site, head.index)).collect();
        for record in &records {
            let record = Record::decode(record).expect("a record is kept as it was checked");
            self.take_record(tx, record, &brought);
        }
        if let Some(taking) = &mut self.meta.taking {
            taking.next += 1;
        }
    }

    fn take_record<V: View>(&mut self, tx: &mut Tx<'_, V>, record: Record, brought: &BTreeMap<Site, u64>) {
        let result = match &record {
            Record::Result(market, scope, register) => Some((market.clone(), scope.clone(), register.clone())),
            _ => None,
        };
        let row = match &record {
            Record::Row(account, site, _) => brought.contains_key(site).then(|| (account.clone(), *site)),
            _ => None,
        };
        let merged = self.ledger.take_record(tx, record, brought);
        if let Some((account, site)) = row
            && let Some(row) = self.ledger.accounts.get(&account).and_then(|a| a.rows.get(&site)).cloned()
        {
            self.unsaved.rows.insert((account, site), row);
        }
        merged.markets.iter().for_each(|m| self.ledger.mark_settle(tx, m));
        if let Some((market, scope, register)) = result {
            self.close_market(&market, &scope, &register);
        }
    }

    /// All records are here: the logs stand where the snapshot has them, and what it addresses to this site counts.
    fn move_heads<V: View>(&mut self, tx: &mut Tx<'_, V>, taking: &Taking) {
        for (site, head) in &taking.heads {
            // A fork that shows meanwhile still stops its stream.
            let stopped = self.ledger.head(*site).stopped;
            self.set_head(*site, LogHead { stopped, ..head.clone() });
            tx.put(Write::Cut(*site, head.index));
        }
        self.meta.taking = None;
        self.unstage(tx);
        self.stats.snapshots_taken += 1;
        self.links.values_mut().for_each(crate::replication::Link::start_anew);
        tx.by = Cause::Peer;
        self.receive_addressed(tx);
        for (site, head) in &taking.heads {
            self.reached(tx, *site, head.index);
            self.reached_ids(tx, *site, head.index);
            self.answer_confirmed(tx, *site);
        }
        self.retry_all(tx);
        let linked: Vec<u16> = self.links.keys().copied().collect();
        linked.into_iter().for_each(|region| self.pull_gaps(tx, region));
    }

    /// Takes all rights that others' rows address to this site, in entries of bounded size.
    fn receive_addressed<V: View>(&mut self, tx: &mut Tx<'_, V>) {
        if self.not_ready().is_some() {
            return;
        }
        let addressed: Vec<(AccountId, Site)> = self.ledger.addressed();
        for (account, from) in addressed {
            self.ledger.receive(tx, from, &account);
            if tx.rows.len() >= ENTRY_EVENTS_MAX {
                self.seal(tx);
            }
        }
        self.seal(tx);
    }

    /// Removes pages that no snapshot will take up any more.
    pub(crate) fn unstage<V: View>(&mut self, tx: &mut Tx<'_, V>) {
        if self.meta.staged && self.meta.taking.is_none() {
            tx.put(Write::Unstage);
            self.meta.staged = false;
            self.save_meta = true;
        }
    }

    /// How a snapshot stands that comes in or is taken over.
    pub(crate) fn snapshot_view(&self) -> Option<SnapshotView> {
        if let Some(taking) = &self.meta.taking {
            return Some(SnapshotView { from: None, pages: taking.pages, taken: Some(taking.next) });
        }
        let coming = self.receiving.coming.as_ref()?;
        Some(SnapshotView { from: Some(coming.region), pages: coming.page, taken: None })
    }
}
