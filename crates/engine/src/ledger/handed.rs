//! Who may decide a wager id: its origin, until it hands the id to one other site or closes it, each by an entry of
//! its own log (ESCROW.md 2.10). The right is one unit that only moves forward and only in-stream.
//! Knows no messages and no clock.

use crdt::Site;
use model::MintedId;
use model::limits::{HANDED_KEPT_MS, HANDED_MAX};

use super::Ledger;
use super::merge::Said;
use crate::log::{Cancelled, Entry, EntryError, Event, Fenced};
use crate::port::{Handed, View, Write};
use crate::tx::Tx;

/// Where the right to decide an undecided id is, as far as the contiguous prefixes here say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Standing {
    /// Here.
    Mine,
    /// At that region, or on from there.
    Away(u16),
    /// Nowhere: that site closed it with that entry.
    Closed(Site, u64),
}

impl Ledger {
    /// Follows the hand-overs of an id from its origin.
    pub(crate) fn standing(&self, id: MintedId) -> Standing {
        let own = self.handed.get(&(id, self.site));
        let steps = || self.steps(id);
        if let Some((site, closed)) = steps().find(|(_, h)| h.to.is_none()) {
            return Standing::Closed(site, closed.entry);
        }
        if own.is_none() && (self.is_origin(id) || steps().any(|(_, h)| h.to == Some(self.site))) {
            return Standing::Mine;
        }
        // The taker that has not handed it on, as far as is known; else the origin.
        let taken =
            steps().filter_map(|(_, h)| h.to).find(|to| *to != self.site && !self.handed.contains_key(&(id, *to)));
        Standing::Away(taken.map_or(id.region(), |site| site.region))
    }

    /// Whether this site's number is the one stamped into the id.
    pub(crate) fn is_origin(&self, id: MintedId) -> bool {
        let mine = u32::from(id.incarnation_residue()) == self.site.incarnation % 1024;
        id.region() == self.site.region && mine
    }

    /// What sites did with an id, as far as the prefixes here reach: a snapshot's records are here before its heads.
    fn steps(&self, id: MintedId) -> impl Iterator<Item = (Site, &Handed)> {
        let range = (id, Site::new(0, 0))..;
        let all = self.handed.range(range).take_while(move |((of, _), _)| *of == id);
        all.map(|((_, site), h)| (*site, h)).filter(|(site, h)| *site == self.site || h.entry <= self.index_of(*site))
    }

    fn index_of(&self, site: Site) -> u64 {
        self.logs.get(&site).map_or(0, |head| head.index)
    }

    /// Whether as many fences and tombstones are remembered as may: they live as long as their ids, in memory.
    pub(crate) fn handed_are_full(&self) -> bool {
        self.handed.len() >= HANDED_MAX
    }

    /// Gives the right to decide an id that stands here to another site. Final once the entry is sealed.
    pub(crate) fn hand<V: View>(&mut self, tx: &mut Tx<'_, V>, fenced: Fenced) {
        assert_eq!(self.standing(fenced.id), Standing::Mine, "only what is here is handed on");
        self.note_handed(tx, fenced.id, self.site, self.next_seq(), Some(fenced.to));
        tx.events.push(Event::Fenced(fenced));
    }

    /// Closes an id that stands here undecided. Final once the entry is sealed.
    pub(crate) fn close<V: View>(&mut self, tx: &mut Tx<'_, V>, cancelled: Cancelled) {
        assert_eq!(self.standing(cancelled.id), Standing::Mine, "only what is here is closed");
        self.note_handed(tx, cancelled.id, self.site, self.next_seq(), None);
        tx.events.push(Event::Cancelled(cancelled));
    }

    pub(super) fn note_handed<V: View>(
        &mut self,
        tx: &mut Tx<'_, V>,
        id: MintedId,
        site: Site,
        entry: u64,
        to: Option<Site>,
    ) {
        let handed = Handed { entry, to };
        tx.put(Write::Handed(id, site, Some(handed.clone())));
        self.handed.insert((id, site), handed);
    }

    /// A site gives an id away or closes it once, and not after it has decided it.
    pub(super) fn check_handed<V: View>(
        &self,
        tx: &Tx<'_, V>,
        entry: &Entry,
        id: MintedId,
        said: &Said<'_>,
    ) -> Result<(), EntryError> {
        let site = entry.site;
        let decided = tx.wager(id).is_some_and(|r| r.owner == site) || said.wagers.contains_key(&id);
        let before = self.handed.contains_key(&(id, site)) || said.handed.contains(&id);
        if decided || before {
            return Err(EntryError::Refused(format!("wager {id} is no longer at site {site} to be handed on")));
        }
        Ok(())
    }

    /// After an id's time: one that was handed here and never decided is closed, so that every region learns it; a
    /// closed or decided one is forgotten some minutes later, when its origin refuses it by its own time anyway. What
    /// `waits` to be judged here is left alone: it is decided or closed at its own time.
    pub(crate) fn expire_handed<V: View>(
        &mut self,
        tx: &mut Tx<'_, V>,
        owner_ms: u64,
        count_max: usize,
        waits: impl Fn(MintedId) -> bool,
    ) {
        let over = |id: MintedId, after_ms: u64| id.place_by_ms().saturating_add(after_ms) < owner_ms;
        let mut ids: Vec<MintedId> =
            self.handed.keys().map(|(id, _)| *id).take_while(|id| over(*id, 0)).take(count_max).collect();
        ids.dedup();
        for id in ids {
            let decided = tx.wager(id).is_some();
            match self.standing(id) {
                Standing::Mine if waits(id) => {}
                Standing::Mine if !decided => self.close(tx, Cancelled { id, reason: None }),
                standing if over(id, HANDED_KEPT_MS) && (decided || matches!(standing, Standing::Closed(..))) => {
                    let sites: Vec<Site> = self.steps(id).map(|(site, _)| site).collect();
                    for site in sites {
                        self.handed.remove(&(id, site));
                        tx.put(Write::Handed(id, site, None));
                    }
                }
                _ => {}
            }
        }
    }
}
