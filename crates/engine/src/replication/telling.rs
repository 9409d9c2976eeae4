//! What peers are told at the end of a group: own entries, and what is durable here. Knows links; decides nothing.

use super::*;

impl Engine {
    /// Pushes this group's own entries to peers that are level with it; others pull.
    pub(crate) fn push_entries(&mut self, outbox: &[(u64, Bytes)], then: &mut Vec<Effect>) {
        let Some((first, last)) = outbox.first().zip(outbox.last()).map(|(a, b)| (a.0, b.0)) else { return };
        let level: Vec<u16> =
            self.links.iter().filter(|(_, l)| l.linked() && l.push_from == first).map(|(region, _)| *region).collect();
        if level.is_empty() {
            return;
        }
        let frames = frames_of(self.site, outbox);
        for region in level {
            for frame in &frames {
                then.push(Effect::Send { region, lane: Lane::Log, frame: frame.clone() });
            }
            if let Some(link) = self.links.get_mut(&region) {
                link.push_from = last + 1;
            }
        }
    }

    /// All peers are told at the end of this group what is durable here.
    pub(crate) fn have_is_due(&mut self) {
        self.links.values_mut().for_each(|l| l.have_due = true);
    }

    /// Tells peers what is durable here: after foreign entries, and at least every gossip interval.
    pub(crate) fn gossip(&mut self, steady_ms: u64, then: &mut Vec<Effect>) {
        let unheard = self.links.values().any(|l| l.up && l.site.is_none());
        let hello = unheard.then(|| PeerMessage::Hello(self.hello(false)).encode());
        for (region, link) in &mut self.links {
            let Some(hello) = &hello else { break };
            let due = link.hello_sent_ms.is_none_or(|t| steady_ms >= t + HELLO_AGAIN_MS);
            if link.up && link.site.is_none() && due {
                link.hello_sent_ms = Some(steady_ms);
                then.push(Effect::Send { region: *region, lane: Lane::Log, frame: hello.clone() });
            }
        }
        let log = self.token().log;
        // Who is in quarantine tells nobody of its odds: others have to.
        let speaks = |l: &Link| l.linked() && l.site.is_some_and(|site| !self.ledger.lost.contains(&site));
        let linked: Vec<u16> = self.links.iter().filter(|(_, l)| speaks(l)).map(|(r, _)| *r).collect();
        let spoken = |l: &Link| l.site.filter(|s| l.up && !self.ledger.lost.contains(s)).map(|s| (s, l.said.clone()));
        let acks = self.links.values().filter_map(spoken).collect();
        let quarantined = self.ledger.read_only;
        let have = Have { log, odds: self.plane.vector().clone(), stamp_ms: steady_ms, linked, acks, quarantined };
        let mut frame = None;
        let own = self.ledger.next_seq();
        for (region, link) in &mut self.links {
            let due = link.have_due || link.have_sent_ms.is_none_or(|t| steady_ms >= t + link.gossip_ms);
            if !link.linked() || !due {
                continue;
            }
            link.have_due = false;
            link.have_sent_ms = Some(steady_ms);
            if link.have.get(self.site).saturating_add(1) == own {
                link.push_from = own;
            }
            let frame = frame.get_or_insert_with(|| PeerMessage::Have(have.clone()).encode());
            then.push(Effect::Send { region: *region, lane: Lane::Log, frame: frame.clone() });
        }
    }
}

/// Entries in frames of at most about half the largest frame.
fn frames_of(site: Site, outbox: &[(u64, Bytes)]) -> Vec<Bytes> {
    let mut frames = Vec::new();
    let mut items: Vec<ByteVec> = Vec::new();
    let (mut first, mut bytes) = (0, 0);
    for (seq, entry) in outbox {
        if items.is_empty() {
            first = *seq;
        }
        bytes += entry.len();
        items.push(ByteVec::from(entry.to_vec()));
        if bytes >= PULL_BYTES_MAX || items.len() >= FRAME_ENTRIES_MAX {
            let items = std::mem::take(&mut items);
            frames.push(PeerMessage::Entries(Entries { site, first, items }).encode());
            bytes = 0;
        }
    }
    if !items.is_empty() {
        frames.push(PeerMessage::Entries(Entries { site, first, items }).encode());
    }
    frames
}
