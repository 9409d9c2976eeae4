//! Replication: links, `Hello`, contiguous application of foreign logs, acks, pulls of gaps, and the odds lane's
//! receiving side. A bad entry stops its site's stream and nothing else. Knows frames; knows no QUIC.

mod telling;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use crdt::{Site, Vector};
use minicbor::bytes::ByteVec;
use model::limits::{ACCOUNTS_MAX, FRAME_BYTES_MAX, PEER_AHEAD_MS_MAX, PULL_BYTES_MAX};
use model::{MarketKey, ResultRegister, ResultScope, Text};

use crate::door::{Effect, Lane, RegionConfig};
use crate::engine::Engine;
use crate::identity::Nonces;
use crate::log::{Cause, Entry, EntryError, Event, hash16};
use crate::odds::{OddsLink, RegisterKey};
use crate::planted::Planted;
use crate::port::{LogHead, View};
use crate::tx::Tx;
use crate::wire::{Entries, Have, Hello, PROTOCOL, PeerMessage, SnapshotWord};

/// An unanswered `Hello` is said again after this long, ms.
const HELLO_AGAIN_MS: u64 = 500;
/// A pull without an answer is sent again after this long, ms.
const PULL_AGAIN_MS: u64 = 1_000;
/// Entries in one frame.
const FRAME_ENTRIES_MAX: usize = 4_096;

/// One peer region. Nothing of it is stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Link {
    /// The transport says that frames can go.
    pub(crate) up: bool,
    /// Its `Hello` on this link, accepted.
    pub(crate) site: Option<Site>,
    /// What it says it holds of every log.
    pub(crate) have: Vector,
    /// What it said itself, last, that is durable there.
    said: Vector,
    nonces: Nonces,
    /// Regions that it says it is linked with: requests to them can go through it.
    pub(crate) neighbours: BTreeSet<u16>,
    /// It has said an acceptable `Hello` since this process started.
    pub(crate) met: bool,
    /// Next own entry to push; behind it the peer pulls.
    push_from: u64,
    /// Site pulled last: the next pull looks at the others first, so that none starves them.
    pulled: Option<Site>,
    /// Pull under way: (site, from, when).
    pulling: Option<(Site, u64, u64)>,
    /// When `Have` was sent last, steady ms.
    have_sent_ms: Option<u64>,
    have_due: bool,
    /// Logs that it no longer keeps from where this site would go on: up to which index they are cut there.
    pub(crate) behind: BTreeMap<Site, u64>,
    pub(crate) odds: OddsLink,
    /// When `Hello` was sent last, steady ms.
    hello_sent_ms: Option<u64>,
    gossip_ms: u64,
}

impl Link {
    pub(crate) fn entry(region: &RegionConfig) -> (u16, Self) {
        let link = Self {
            up: false,
            site: None,
            have: Vector::default(),
            said: Vector::default(),
            nonces: Nonces::default(),
            neighbours: BTreeSet::new(),
            met: false,
            pulled: None,
            push_from: 0,
            pulling: None,
            have_sent_ms: None,
            have_due: false,
            behind: BTreeMap::new(),
            odds: OddsLink::default(),
            hello_sent_ms: None,
            gossip_ms: 200,
        };
        (region.number, link)
    }

    pub(crate) const fn linked(&self) -> bool {
        self.up && self.site.is_some()
    }

    /// The site that spoke last as this region since the process started.
    pub(crate) const fn met_as(&self) -> Option<Site> {
        self.nonces.site()
    }

    /// This site's logs stand elsewhere than they did: what was asked for is not what is lacking now.
    pub(crate) fn start_anew(&mut self) {
        self.pulling = None;
        self.behind.clear();
        self.have_due = true;
    }

    /// When it next wants attention without any input, steady ms.
    pub(crate) fn due_ms(&self) -> Option<u64> {
        if !self.up {
            return None;
        }
        if !self.linked() {
            return Some(self.hello_sent_ms.map_or(0, |t| t + HELLO_AGAIN_MS));
        }
        let have = self.have_sent_ms.map_or(0, |t| t + self.gossip_ms);
        [Some(have), self.odds.due_ms()].into_iter().flatten().min()
    }
}

impl Engine {
    pub(crate) fn is_linked(&self, region: u16) -> bool {
        self.links.get(&region).is_some_and(Link::linked)
    }

    pub(crate) fn peer_up<V: View>(&mut self, tx: &mut Tx<'_, V>, region: u16) {
        let hello = PeerMessage::Hello(self.hello(false));
        let gossip_ms = self.config.gossip_ms;
        let boot_nonce = self.boot_nonce;
        let Some(link) = self.links.get_mut(&region) else { return };
        link.up = true;
        link.site = None;
        link.neighbours.clear();
        link.pulling = None;
        link.behind.clear();
        link.have_sent_ms = None;
        link.hello_sent_ms = Some(tx.now.steady_ms);
        link.gossip_ms = gossip_ms;
        link.odds.opened(boot_nonce);
        tx.send(region, Lane::Log, &hello);
    }

    pub(crate) fn peer_down(&mut self, region: u16) {
        if let Some(link) = self.links.get_mut(&region) {
            link.up = false;
            link.site = None;
            link.neighbours.clear();
            link.pulling = None;
            link.odds.closed();
        }
        self.forget_deferred(region);
        self.receiving.peer_down(region);
    }

    /// Whether others' logs may be taken in: a new directory waits, for what they bring is answered with own entries;
    /// in quarantine there are none. While a snapshot is taken over, logs stand where they are.
    pub(crate) const fn may_learn(&self) -> bool {
        (self.meta.joined || self.ledger.read_only) && self.meta.taking.is_none()
    }

    /// What other sites say they hold of this log, from one who hears them. A site that is heard here speaks for itself.
    fn relayed_acks(&mut self, speaker: Site, acks: &[(Site, Vector)]) {
        for (site, said) in acks {
            let third = site.region != speaker.region && site.region != self.site.region && self.is_known(*site);
            if third && !self.is_linked(site.region) {
                self.ledger.acked(*site, said.get(self.site));
                let said = self.known_sites(said);
                self.cutting.heard(*site, &said);
            }
        }
    }

    fn hello(&self, heard: bool) -> Hello {
        Hello {
            cluster: self.config.cluster.clone(),
            site: self.site,
            boot_nonce: self.boot_nonce,
            protocol: PROTOCOL,
            regions: self.config.regions.iter().map(|r| (r.number, r.name.clone())).collect(),
            logs: self.ledger.logs.iter().map(|(site, h)| (*site, h.index, h.hash)).collect(),
            odds: self.plane.vector().clone(),
            stamp_ms: self.steady_ms,
            heard,
            windows: self.config.windows.clone(),
            quarantined: self.ledger.read_only,
        }
    }

    /// A frame from a peer whose certificate says `region`.
    pub(crate) fn peer<V: View>(&mut self, tx: &mut Tx<'_, V>, region: u16, lane: Lane, frame: &Bytes) {
        if !self.links.get(&region).is_some_and(|l| l.up) {
            return;
        }
        if frame.len() > FRAME_BYTES_MAX {
            self.stats.frames_refused += 1;
            return tx.alarm(
                "frame_refused",
                format!("a frame of region {region} on {lane:?} is over {FRAME_BYTES_MAX} bytes"),
            );
        }
        let message = match PeerMessage::decode(frame) {
            Ok(message) => message,
            Err(why) => {
                self.stats.frames_refused += 1;
                return tx
                    .alarm("frame_refused", format!("a frame of region {region} on {lane:?} cannot be read: {why}"));
            }
        };
        if let PeerMessage::Hello(hello) = message {
            return self.heard_hello(tx, region, &hello);
        }
        let Some(site) = self.links.get(&region).and_then(|l| l.site) else {
            // Frames may overtake `Hello` on another lane; whatever they carried is pulled or sent again.
            return;
        };
        self.spoken(tx, region, site, message);
    }

    /// A message of the site that is `region`: heard on its link, or relayed.
    pub(crate) fn spoken<V: View>(&mut self, tx: &mut Tx<'_, V>, region: u16, site: Site, message: PeerMessage) {
        match message {
            PeerMessage::Hello(_) => {}
            PeerMessage::Relayed(relayed) => self.relayed(tx, (region, site), relayed),
            PeerMessage::Entries(entries) => self.entries(tx, region, &entries),
            PeerMessage::Have(have) => self.heard_have(tx, region, have),
            PeerMessage::Pull { site, from } => self.serve_pull(tx, region, site, from),
            PeerMessage::Acquire(ask) => self.acquire(tx, site, &ask),
            PeerMessage::Acquired(answer) => self.acquired(tx, site, &answer),
            PeerMessage::FenceOrFetch(ask) => self.asked_for_id(tx, site, &ask),
            PeerMessage::Fetched(answer) => self.fetched(tx, site, &answer),
            PeerMessage::Odds(frame) => self.odds_frame(tx, region, frame),
            PeerMessage::OddsFrom { vector } => self.begin_odds(region, &vector),
            PeerMessage::ComeHome { account, epoch } => self.come_home(tx, site, &account, epoch),
            PeerMessage::SnapshotAsk(ask) => self.serve_snapshot(tx, region, ask),
            PeerMessage::SnapshotPage(page) => self.snapshot_page(tx, region, &page),
            PeerMessage::SnapshotWord(word) => self.snapshot_word(tx, region, word),
            PeerMessage::Twins { site } => self.heard_of_twins(tx, region, site),
            PeerMessage::Resolve(ask) => self.resolve_asked(tx, region, &ask),
            PeerMessage::Resolved(reply) => self.resolve_answered(tx, site, &reply),
            PeerMessage::OpenAccount { account, currency } => {
                let mine = self.region_number(account.region()) == Some(self.site.region);
                if mine && self.not_ready().is_none() {
                    // A refusal needs no answer: the account that is there answers for itself.
                    let _ = self.ledger.open_account(tx, &account, currency, ACCOUNTS_MAX);
                }
            }
        }
    }

    fn heard_hello<V: View>(&mut self, tx: &mut Tx<'_, V>, region: u16, hello: &Hello) {
        let mine: BTreeMap<_, _> = self.config.regions.iter().map(|r| (r.number, r.name.clone())).collect();
        let refused = if hello.cluster != self.config.cluster {
            Some(format!("is of cluster {}", hello.cluster))
        } else if hello.site.region != region {
            Some(format!("says it is region {}", hello.site.region))
        } else if hello.protocol != PROTOCOL {
            Some(format!("speaks protocol {}, this node {PROTOCOL}", hello.protocol))
        } else if hello.regions.iter().cloned().collect::<BTreeMap<_, _>>() != mine {
            Some("has other regions in its topology".to_owned())
        } else {
            None
        };
        if let Some(why) = refused {
            return tx.alarm("hello_refused", format!("region {region} {why}; the link is not used"));
        }
        self.check_own(tx, hello);
        let hello = &Hello {
            logs: hello.logs.iter().filter(|(site, _, _)| self.is_known(*site)).copied().collect(),
            odds: self.known_sites(&hello.odds),
            ..hello.clone()
        };
        self.check_windows(tx, hello);
        self.check_forks(tx, hello);
        if !hello.heard {
            tx.send(region, Lane::Log, &PeerMessage::Hello(self.hello(true)));
        }
        let Some(link) = self.links.get_mut(&region) else { return };
        let repeated = link.site == Some(hello.site);
        link.site = Some(hello.site);
        link.met = true;
        link.have = hello.logs.iter().map(|(site, index, _)| (*site, *index)).collect();
        link.said = link.have.clone();
        self.cutting.met(hello.site, link.have.clone());
        let twins = link.nonces.heard(hello.site, hello.boot_nonce);
        let holds = link.have.get(self.site);
        link.odds.echo_ms = Some(hello.stamp_ms);
        link.push_from = link.have.get(self.site).saturating_add(1);
        link.have_due = true;
        if !repeated {
            self.begin_odds(region, &hello.odds);
        }
        if repeated {
            self.ledger.acked(hello.site, holds);
        } else {
            self.ledger.acked_anew(hello.site, holds);
        }
        if hello.quarantined {
            self.ledger.lose(hello.site);
        }
        if twins {
            self.tell_twins(tx, hello.site);
        }
        let heard_all = self.links.values().all(|l| l.met);
        if heard_all {
            self.meta_joined();
            self.announce_windows(tx);
        }
        self.follow_floor(tx);
        self.pull_gaps(tx, region);
    }

    /// A third site whose log differs here and there has forked: its stream stands still here.
    fn check_forks<V: View>(&mut self, tx: &mut Tx<'_, V>, hello: &Hello) {
        for (site, index, hash) in &hello.logs {
            let known = self.ledger.head(*site);
            let comparable = *site != self.site && *index > 0 && *index <= known.index && known.stopped.is_none();
            if comparable && self.hash_at(tx, *site, *index).is_some_and(|h| h != *hash) {
                let speaker = hello.site;
                let why = format!("region {} holds another entry {index} of its log", speaker.region);
                if speaker == *site {
                    self.stop_stream(tx, *site, &why);
                } else {
                    // One peer's word does not stop a third site's stream: only its author's does.
                    tx.alarm("log_differs", format!("site {site}: {why}"));
                }
            }
        }
    }

    pub(crate) fn hash_at<V: View>(&self, tx: &Tx<'_, V>, site: Site, index: u64) -> Option<model::Hash16> {
        let cut = self.ledger.logs.get(&site).and_then(|head| head.cut);
        match cut {
            Some(cut) if index <= cut.index => (index == cut.index).then_some(cut.hash),
            _ => tx.log(site, index, 1, 1).first().map(|bytes| hash16(bytes)),
        }
    }

    /// A pull was answered without entries.
    pub(crate) fn pulled_in_vain(&mut self, region: u16, site: Site) {
        if let Some(link) = self.links.get_mut(&region) {
            link.pulling.take_if(|(of, ..)| *of == site);
        }
    }

    fn heard_have<V: View>(&mut self, tx: &mut Tx<'_, V>, region: u16, mut have: Have) {
        self.check_own_numbers(tx, region, &have.log, &have.odds);
        have.log = self.known_sites(&have.log);
        have.odds = self.known_sites(&have.odds);
        let me = self.site;
        let Some((link, speaker)) = self.links.get_mut(&region).and_then(|l| l.site.map(|s| (l, s))) else { return };
        link.said = have.log.clone();
        self.cutting.heard(speaker, &have.log);
        self.ledger.acked(speaker, have.log.get(me));
        if have.quarantined {
            self.ledger.lose(speaker);
        }
        self.relayed_acks(speaker, &have.acks);
        self.follow_floor(tx);
        let third = |r: &u16| *r != me.region && self.links.contains_key(r);
        let neighbours = have.linked.iter().copied().filter(third).collect();
        let Some(link) = self.links.get_mut(&region) else { return };
        link.neighbours = neighbours;
        link.have.join(&have.log);
        link.odds.echo_ms = Some(have.stamp_ms);
        for site in self.plane.sites() {
            if site == me || site.region == region {
                continue;
            }
            let direct = have.linked.contains(&site.region);
            if !direct {
                link.odds.relay(&self.plane, site, &have.odds);
            } else if have.odds.get(site) >= self.plane.vector().get(site) {
                link.odds.unrelay(site);
            }
        }
        self.pull_gaps(tx, region);
    }

    /// Asks a peer for the first log that it holds more of than this site.
    pub(crate) fn pull_gaps<V: View>(&mut self, tx: &mut Tx<'_, V>, region: u16) {
        let now_ms = tx.now.steady_ms;
        let Some(link) = self.links.get(&region).filter(|_| self.may_learn()) else { return };
        if link.pulling.is_some_and(|(_, _, since)| now_ms < since + PULL_AGAIN_MS) {
            return;
        }
        let mut lacking: Vec<(Site, u64)> = link
            .have
            .iter()
            .filter_map(|(site, theirs)| {
                let head = self.ledger.head(site);
                let kept = link.behind.get(&site).is_none_or(|cut| *cut <= head.index);
                let more = site != self.site && theirs > head.index && head.stopped.is_none();
                (more && kept).then_some((site, head.index + 1))
            })
            .collect();
        lacking.sort_by_key(|(site, _)| link.pulled.is_some_and(|last| *site <= last));
        let lacking = lacking.first().copied();
        let Some(link) = self.links.get_mut(&region) else { return };
        link.pulled = lacking.map(|(site, _)| site);
        link.pulling = lacking.map(|(site, from)| (site, from, now_ms));
        if let Some((site, from)) = lacking {
            self.stats.pulls += 1;
            tx.send(region, Lane::Requests, &PeerMessage::Pull { site, from });
        }
    }

    fn serve_pull<V: View>(&mut self, tx: &mut Tx<'_, V>, region: u16, site: Site, from: u64) {
        if from == 0 {
            return;
        }
        let cut = self.ledger.logs.get(&site).map_or(0, LogHead::cut_index);
        if from <= cut {
            let behind = PeerMessage::SnapshotWord(SnapshotWord::Behind { site, cut });
            return tx.send(region, Lane::Requests, &behind);
        }
        let items = tx.log(site, from, FRAME_ENTRIES_MAX, PULL_BYTES_MAX);
        if !items.is_empty() {
            let next = from + items.len() as u64;
            if site == self.site
                && next == self.ledger.next_seq()
                && let Some(link) = self.links.get_mut(&region)
            {
                // This brings the peer level: what follows is pushed again, and waits at the peer if it is faster.
                link.push_from = next;
            }
            let items = items.into_iter().map(|b| ByteVec::from(b.to_vec())).collect();
            tx.send(region, Lane::Bulk, &PeerMessage::Entries(Entries { site, first: from, items }));
        }
    }

    fn entries<V: View>(&mut self, tx: &mut Tx<'_, V>, region: u16, entries: &Entries) {
        if entries.site == self.site {
            return self.check_own_entries(tx, region, entries);
        }
        if !self.is_known(entries.site) || !self.may_learn() {
            return;
        }
        for (offset, bytes) in entries.items.iter().enumerate() {
            let Some(seq) = entries.first.checked_add(offset as u64) else { return };
            let head = self.ledger.head(entries.site);
            if head.stopped.is_some() {
                return;
            }
            if seq <= head.index {
                self.stats.entries_repeated += 1;
                if self.planted == Planted::IncrementDeltas {
                    self.apply_again(tx, bytes);
                }
                continue;
            }
            if seq > head.index + 1 && self.planted != Planted::GapApplied {
                // A gap: remember that the peer holds more, and pull from where this site stands.
                self.early.keep(entries.site, seq, bytes);
                if let Some(link) = self.links.get_mut(&region) {
                    link.have.raise(entries.site, seq);
                }
                continue;
            }
            if let Err(error) = self.apply_bytes(tx, entries.site, seq, &head, bytes) {
                return self.stop_stream(tx, entries.site, &error.to_string());
            }
        }
        self.apply_early(tx, entries.site);
        if let Some(link) = self.links.get_mut(&region)
            && link.pulling.is_some_and(|(site, from, _)| site == entries.site && from == entries.first)
        {
            link.pulling = None;
        }
        self.pull_gaps(tx, region);
    }

    /// The planted dedupe-off: grants of an entry that was applied before are applied again.
    fn apply_again<V: View>(&mut self, tx: &mut Tx<'_, V>, bytes: &[u8]) {
        if let Ok(mut entry) = Entry::decode(bytes) {
            entry.events.retain(|e| matches!(e, Event::Grant(_)));
            self.ledger.apply_entry(tx, &entry);
            self.seal(tx);
        }
    }

    /// Applies what came before its turn and now follows.
    fn apply_early<V: View>(&mut self, tx: &mut Tx<'_, V>, site: Site) {
        loop {
            let head = self.ledger.head(site);
            let Some(bytes) = self.early.take(site, head.index + 1) else { return };
            if let Err(error) = self.apply_bytes(tx, site, head.index + 1, &head, &bytes) {
                return self.stop_stream(tx, site, &error.to_string());
            }
        }
    }

    fn apply_bytes<V: View>(
        &mut self,
        tx: &mut Tx<'_, V>,
        site: Site,
        seq: u64,
        head: &LogHead,
        bytes: &[u8],
    ) -> Result<(), EntryError> {
        let entry = Entry::decode(bytes)?;
        if entry.site != site {
            return Err(EntryError::OtherSite(entry.site));
        }
        let chained = entry.seq == seq && entry.prev == head.hash;
        if !chained && self.planted != Planted::GapApplied {
            return Err(EntryError::Forked(seq));
        }
        self.check_strangers(&entry)?;
        let name = self.region_name(site.region).cloned();
        self.ledger.check_entry(tx, &entry, name.as_ref().map(Text::as_str))?;
        let mut next = head.after(bytes);
        next.index = seq;
        tx.put(crate::port::Write::Log(site, seq, Bytes::copy_from_slice(bytes)));
        self.set_head(site, next);
        if self.time.learn(entry.at, PEER_AHEAD_MS_MAX) {
            tx.alarm("peer_clock_ahead", format!("site {site} stamps its log more than 1 s ahead of this region"));
        }
        tx.by = Cause::Peer;
        let merged = self.ledger.apply_entry(tx, &entry);
        self.stats.entries_applied += 1;
        self.links.values_mut().for_each(|l| l.have_due = true);
        merged.markets.iter().for_each(|m| self.ledger.mark_settle(tx, m));
        self.close_markets(&entry);
        // What was received must be in the log before it is spent by anything that waits.
        self.seal(tx);
        self.tickets_heard(tx, &entry);
        // In the batch that merges it: a crash loses both or neither.
        self.decide_received(tx, &entry);
        for account in merged.accounts {
            self.retry(tx, &account);
            self.seal(tx);
        }
        self.reached(tx, site, seq);
        self.reached_ids(tx, site, seq);
        self.answer_confirmed(tx, site);
        self.keep_rows(site, entry.events);
        Ok(())
    }

    /// A result that has arrived by the log closes its market here at once, whichever lane is faster.
    fn close_markets(&mut self, entry: &Entry) {
        for event in &entry.events {
            if let Event::Result(market, scope, register) = event {
                self.close_market(market, scope, register);
            }
        }
    }

    pub(crate) fn close_market(&mut self, market: &MarketKey, scope: &ResultScope, register: &ResultRegister) {
        if self.room_for(market).is_ok() && self.plane.close_by(market, scope, register) {
            self.save_odds(RegisterKey::Resulted(market.clone(), scope.clone()));
        }
    }

    /// Stops a foreign site's stream at its bad entry, durably and loudly. Everything else goes on.
    fn stop_stream<V: View>(&mut self, tx: &mut Tx<'_, V>, site: Site, why: &str) {
        let mut head = self.ledger.head(site);
        head.stopped = Some(Text::new(why));
        self.set_head(site, head);
        self.early.forget(site);
        self.stats.streams_stopped += 1;
        tx.alarm("stream_stopped", format!("the log of site {site} stands still here: {why}"));
    }
}
