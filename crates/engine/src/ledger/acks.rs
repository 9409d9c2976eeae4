//! Acks of the own log: who holds how much of it. An ack counts for its holder alone, and dies with the holder's
//! incarnation (ESCROW.md 4.4). Knows no frames; who heard what from whom is `replication`.

use crdt::Site;

use super::Ledger;

impl Ledger {
    /// Notes how much of the own log a site says it holds, at least. The newest incarnation of a region is its only
    /// acker: its first word takes the acks of those before it away.
    pub(crate) fn acked(&mut self, by: Site, index: u64) {
        if self.superseded(by) || self.lost.contains(&by) {
            return;
        }
        let older: Vec<Site> = self.acks.keys().filter(|s| s.region == by.region && **s < by).copied().collect();
        older.into_iter().for_each(|site| self.lose(site));
        let index = index.min(self.next_seq() - 1);
        let ack = self.acks.entry(by).or_default();
        *ack = (*ack).max(index);
        self.raise_floor();
    }

    /// Notes how much of the own log a site says it holds when it says `Hello`: what it said in an earlier life, it may
    /// have lost since.
    pub(crate) fn acked_anew(&mut self, by: Site, index: u64) {
        self.acks.remove(&by);
        self.acked(by, index);
        self.raise_floor();
    }

    /// The acks of a site count no more, for good.
    pub(crate) fn lose(&mut self, site: Site) {
        self.lost.insert(site);
        self.acks.remove(&site);
        self.raise_floor();
    }

    fn superseded(&self, site: Site) -> bool {
        self.acks.keys().any(|s| s.region == site.region && *s > site)
    }
}
