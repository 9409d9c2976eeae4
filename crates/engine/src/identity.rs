//! Identity: one log has one writer, for good. What proves that this directory is not the only or not the newest one of
//! its site, and quarantine, which follows and is never left under this incarnation (DESIGN.md section 3).
//! Knows what peers say of this site; knows no links and no rules of money.

use crdt::{Site, Vector};
use model::Text;

use crate::door::{Effect, Lane};
use crate::engine::Engine;
use crate::log::{Entry, EntryError, Event, hash16};
use crate::planted::Planted;
use crate::port::View;
use crate::tx::Tx;
use crate::wire::{Entries, Hello, PeerMessage};

/// Boot nonces remembered of one peer.
const NONCES_MAX: usize = 64;

/// The processes that have said `Hello` as one site, by their boot nonces. Nothing of it is stored.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Nonces {
    site: Option<Site>,
    /// Newest last.
    said: Vec<u64>,
    twins: bool,
}

impl Nonces {
    /// The site that said `Hello` last.
    pub(crate) const fn site(&self) -> Option<Site> {
        self.site
    }

    /// Notes a `Hello`. A new nonce is a restart; one that comes again after another one is a second process.
    /// Returns whether the site has ever had two.
    pub(crate) fn heard(&mut self, site: Site, nonce: u64) -> bool {
        if self.site != Some(site) {
            *self = Self { site: Some(site), ..Self::default() };
        }
        if self.said.last() != Some(&nonce) {
            let before = self.said.len();
            self.said.retain(|n| *n != nonce);
            self.twins |= self.said.len() < before;
            if self.said.len() >= NONCES_MAX {
                self.said.remove(0);
            }
            self.said.push(nonce);
        }
        self.twins
    }
}

impl Engine {
    /// Compares what a peer knows of this site with what this directory does.
    pub(crate) fn check_own<V: View>(&mut self, tx: &mut Tx<'_, V>, hello: &Hello) {
        let region = hello.site.region;
        let log = hello.logs.iter().map(|(site, index, _)| (*site, *index)).collect();
        self.check_own_numbers(tx, region, &log, &hello.odds);
        let own = hello.logs.iter().find(|(site, index, _)| *site == self.site && *index > 0);
        if let Some((_, index, hash)) = own
            && self.hash_at(tx, self.site, *index).is_some_and(|h| h != *hash)
        {
            self.quarantine(tx, &format!("region {region} holds another entry {index} of this site's log"));
        }
    }

    /// Compares how far a peer knows this site's log and odds numbers with how far this directory does.
    pub(crate) fn check_own_numbers<V: View>(&mut self, tx: &mut Tx<'_, V>, region: u16, log: &Vector, odds: &Vector) {
        let (theirs, own) = (log.get(self.site), self.ledger.next_seq() - 1);
        if theirs > own {
            let why = format!("region {region} holds this site's log up to {theirs}, this directory only up to {own}");
            return self.quarantine(tx, &why);
        }
        let (theirs, own) = (odds.get(self.site), self.plane.vector().get(self.site));
        if theirs > own {
            let why = format!(
                "region {region} holds odds numbers of this site up to {theirs}, this directory only up to {own}"
            );
            self.quarantine(tx, &why);
        }
    }

    /// Own entries come back: they must be the ones that are here. Bytes that are no entry of this site prove nothing.
    pub(crate) fn check_own_entries<V: View>(&mut self, tx: &mut Tx<'_, V>, region: u16, entries: &Entries) {
        for (offset, bytes) in entries.items.iter().enumerate() {
            let Some(seq) = entries.first.checked_add(offset as u64) else { return };
            if seq < self.ledger.head(self.site).cut_index() {
                continue;
            }
            let ours = self.hash_at(tx, self.site, seq);
            let stated = Entry::decode(bytes).is_ok_and(|e| e.site == self.site && e.seq == seq);
            if stated && ours != Some(hash16(bytes)) {
                return self.quarantine(tx, &format!("region {region} holds another entry {seq} of this site's log"));
            }
        }
    }

    /// What a foreign entry gives away goes to a site of the topology: elsewhere it would be out of everybody's reach.
    pub(crate) fn check_strangers(&self, entry: &Entry) -> Result<(), EntryError> {
        let mut takers = entry.events.iter().filter_map(|event| match event {
            Event::Home(_, head) => Some(head.home),
            Event::Grant(grant) => Some(grant.to),
            Event::Fenced(fenced) => Some(fenced.to),
            _ => None,
        });
        match takers.find(|site| !self.is_known(*site)) {
            Some(site) => {
                Err(EntryError::Refused(format!("something is given to site {site}, which is not in the topology")))
            }
            None => Ok(()),
        }
    }

    /// Another process has said `Hello` as a peer's site, and then this one again: each of them is told when it is the
    /// one that speaks.
    pub(crate) fn tell_twins<V: View>(&mut self, tx: &mut Tx<'_, V>, site: Site) {
        self.ledger.lose(site);
        tx.alarm("twins", format!("two running processes say Hello as site {site}"));
        tx.send(site.region, Lane::Log, &PeerMessage::Twins { site });
    }

    pub(crate) fn heard_of_twins<V: View>(&mut self, tx: &mut Tx<'_, V>, region: u16, site: Site) {
        if site == self.site {
            self.quarantine(tx, &format!("region {region} has heard two running processes say Hello as this site"));
        }
    }

    /// From here on, durably: this site writes no entry, no odds number and no id, grants nothing, and its acks do not
    /// count. It goes on taking in what others write, and serves reads.
    pub(crate) fn quarantine<V: View>(&mut self, tx: &mut Tx<'_, V>, evidence: &str) {
        if self.ledger.read_only || self.planted == Planted::ResumeOldDirectory {
            return;
        }
        let (me, next) = (self.site.incarnation, self.site.incarnation.saturating_add(1));
        let why = format!(
            "quarantine: {evidence}; this data directory is old, wiped, copied or used twice and must not write again as \
             incarnation {me}: stop it and start the newest directory, or an empty one with --incarnation {next}"
        );
        self.meta.quarantine = Some(Text::new(&why));
        self.ledger.read_only = true;
        self.save_meta = true;
        self.placing.give_up();
        // Its odds numbers may name other writes than the ones that others know by them.
        self.links.values_mut().for_each(|link| link.odds.closed());
        self.have_is_due();
        self.tell_quarantine(tx);
    }

    /// Tells the driver, when it begins and at every start in it.
    pub(crate) fn tell_quarantine<V: View>(&mut self, tx: &mut Tx<'_, V>) {
        if let Some(why) = &self.meta.quarantine {
            self.stats.quarantines = 1;
            tx.effect(Effect::Quarantine { why: why.as_str().to_owned() });
        }
    }
}
