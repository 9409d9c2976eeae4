//! Requests that go round a cut link: one hop, through a region that is linked with both ends. Owns which regions can be
//! reached and by which way, what may travel so, and whom the middle and the target believe.
//!
//! Nothing is decided from a relayed frame that would not be from a direct one: requests are told by their numbers, and
//! answers count only in-stream. It must not know what the requests mean.

use crdt::Site;
use minicbor::bytes::ByteVec;
use model::limits::RELAYED_BYTES_MAX;

use crate::door::{Effect, Lane};
use crate::engine::Engine;
use crate::port::View;
use crate::replication::Link;
use crate::tx::Tx;
use crate::wire::{PeerMessage, Relayed};

/// Whether a message may go round a cut link: questions between engines and their answers. What a link says of itself
/// (`Hello`, `Have`, acks, odds and their ages) must come over that link; entries are pulled from whoever has them.
const fn may_travel(message: &PeerMessage) -> bool {
    match message {
        PeerMessage::Acquire(_)
        | PeerMessage::Acquired(_)
        | PeerMessage::OpenAccount { .. }
        | PeerMessage::Resolve(_)
        | PeerMessage::Resolved(_)
        | PeerMessage::ComeHome { .. }
        | PeerMessage::FenceOrFetch(_)
        | PeerMessage::Fetched(_) => true,
        PeerMessage::Hello(_)
        | PeerMessage::Entries(_)
        | PeerMessage::Have(_)
        | PeerMessage::Pull { .. }
        | PeerMessage::Odds(_)
        | PeerMessage::OddsFrom { .. }
        | PeerMessage::Twins { .. }
        | PeerMessage::SnapshotAsk(_)
        | PeerMessage::SnapshotPage(_)
        | PeerMessage::SnapshotWord(_)
        | PeerMessage::Relayed(_) => false,
    }
}

impl Engine {
    /// Regions that are linked here and say that they are linked with `region`, in order.
    fn ways(&self, region: u16) -> impl Iterator<Item = u16> {
        self.links
            .iter()
            .filter(move |(r, l)| **r != region && l.linked() && l.neighbours.contains(&region))
            .map(|l| *l.0)
    }

    /// Whether a request can get to a region: over its own link, or round it.
    pub(crate) fn is_reachable(&self, region: u16) -> bool {
        self.is_linked(region) || self.way_round(region).is_some()
    }

    /// The region that requests to one without a link go through.
    pub(crate) fn way_round(&self, region: u16) -> Option<u16> {
        if self.is_linked(region) { None } else { self.ways(region).next() }
    }

    /// Sends what this input asks of regions without a link round by another one; what has no way is lost, as on a link
    /// that has just been cut. Repeats take the ways by turns: one that swallows frames delays a request, no more.
    pub(crate) fn go_round(&mut self, then: &mut Vec<Effect>) {
        then.retain_mut(|effect| {
            let Effect::Send { region, lane: Lane::Requests, frame } = effect else { return true };
            let to = *region;
            if self.is_linked(to) {
                return true;
            }
            let travels = PeerMessage::decode(frame).is_ok_and(|m| may_travel(&m));
            let ways = self.ways(to).count();
            let turn = usize::try_from(self.stats.requests_relayed).unwrap_or(0).checked_rem(ways);
            let Some(way) = turn.filter(|_| travels).and_then(|n| self.ways(to).nth(n)) else { return false };
            self.stats.requests_relayed += 1;
            let inner = ByteVec::from(frame.to_vec());
            (*region, *frame) = (way, PeerMessage::Relayed(Relayed { from: self.site, to, frame: inner }).encode());
            true
        });
    }

    /// A relayed frame from the linked region `by`, whose `Hello` proved `speaker`: to be passed on, or for this region.
    pub(crate) fn relayed<V: View>(&mut self, tx: &mut Tx<'_, V>, (by, speaker): (u16, Site), relayed: Relayed) {
        let arrived = relayed.to == self.site.region;
        let read = Self::read_relayed(&relayed);
        let good = read.and_then(|message| {
            let checked =
                if arrived { self.check_arrived(by, relayed.from) } else { Self::check_passing(by, speaker, &relayed) };
            checked.map(|()| message)
        });
        match good {
            Err(why) => {
                self.stats.frames_refused += 1;
                let (from, to) = (relayed.from, relayed.to);
                tx.alarm("frame_refused", format!("region {by} relays a frame of site {from} to region {to}: {why}"));
            }
            Ok(_) if arrived && !self.knows(relayed.from) => self.stats.frames_refused += 1,
            Ok(message) if arrived => self.spoken(tx, relayed.from.region, relayed.from, message),
            // The way has gone since its sender heard of it: the frame is lost, and asked again.
            Ok(_) if !self.is_linked(relayed.to) => {}
            Ok(_) => {
                self.stats.requests_passed_on += 1;
                tx.send(relayed.to, Lane::Requests, &PeerMessage::Relayed(relayed));
            }
        }
    }

    fn read_relayed(relayed: &Relayed) -> Result<PeerMessage, String> {
        if relayed.frame.len() > RELAYED_BYTES_MAX {
            return Err(format!("{} bytes are over {RELAYED_BYTES_MAX}", relayed.frame.len()));
        }
        let message = PeerMessage::decode(&relayed.frame).map_err(|why| format!("it cannot be read: {why}"))?;
        if may_travel(&message) { Ok(message) } else { Err("only requests go round a cut link".to_owned()) }
    }

    /// The middle lends its word for the sender, so it must have heard the sender's own `Hello` on that link: this also
    /// ends every way after one hop.
    fn check_passing(by: u16, speaker: Site, relayed: &Relayed) -> Result<(), String> {
        if relayed.from != speaker {
            return Err(format!("the speaker is site {speaker}"));
        }
        if relayed.to == by { Err("never back to where it came from".to_owned()) } else { Ok(()) }
    }

    /// The target believes the middle that a third region has spoken.
    fn check_arrived(&self, by: u16, from: Site) -> Result<(), String> {
        if from.region == by || !self.links.contains_key(&from.region) {
            return Err("its sender is no third region of the topology".to_owned());
        }
        Ok(())
    }

    /// Whether a third site is known here itself, by its own `Hello` to this process or by its log, and as its region's
    /// newest: a grant to a site that nobody is would be lost. One that is not may be news that has yet to come.
    fn knows(&self, from: Site) -> bool {
        let met = self.links.get(&from.region).and_then(Link::met_as);
        let newer = |s: &Site| s.region == from.region && *s > from;
        let known = met == Some(from) || self.ledger.logs.contains_key(&from);
        known && !met.as_ref().is_some_and(newer) && !self.ledger.logs.keys().any(newer)
    }
}
