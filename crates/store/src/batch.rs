//! A batch on its way to disk: sealed, in key order, each key once.
//! Knows bytes and families only.
//!
//! In key order, because RocksDB's memory tables are searched for every key: neighbours find their place in the
//! processor's cache. Index keys of one group lie all over the table, and unsorted their search was half of a commit.

use std::ops::Range;

use engine::port::Write;

use crate::codec::{Act, Sealed};
use crate::keys::Family;

/// Room for one batch, used again for the next.
#[derive(Default)]
pub(crate) struct Batch {
    sealed: Sealed,
    bytes: Vec<u8>,
    places: Vec<Place>,
}

/// What becomes of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Change<'a> {
    /// It gets this record.
    Put(&'a [u8]),
    /// It is removed.
    Remove,
    /// It is removed with all keys after it, below this one.
    RemoveBelow(&'a [u8]),
}

struct Place {
    family: Family,
    act: Act,
    key: Range<usize>,
    record: Range<usize>,
}

impl Batch {
    /// Replaces the contents by those of `writes`: in the order of families and keys, of each key the last write.
    pub(crate) fn fill(&mut self, writes: &[Write]) {
        self.bytes.clear();
        self.bytes.shrink_to(BYTES_KEPT_MAX);
        self.places.clear();
        for write in writes {
            let (family, act) = self.sealed.seal(write);
            let start = self.bytes.len();
            self.bytes.extend(&self.sealed.key);
            let middle = self.bytes.len();
            if act != Act::Remove {
                self.bytes.extend(&self.sealed.record);
            }
            let record = middle..self.bytes.len();
            self.places.push(Place { family, act, key: start..middle, record });
        }
        let bytes = &self.bytes;
        let name = |p: &Place| (p.family, bytes.get(p.key.clone()).expect("places lie inside"));
        // Newest first among equals, of which the first stays. Where a write stands in `bytes` tells its age.
        self.places.sort_unstable_by(|a, b| name(a).cmp(&name(b)).then_with(|| b.key.start.cmp(&a.key.start)));
        self.places.dedup_by(|later, kept| name(later) == name(kept));
    }

    /// Bytes of all keys and records.
    pub(crate) const fn len_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Each key once: its family, its bytes, and what becomes of it.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Family, &[u8], Change<'_>)> {
        self.places.iter().map(|p| {
            let part = |range: &Range<usize>| self.bytes.get(range.clone()).expect("places lie inside");
            let change = match p.act {
                Act::Put => Change::Put(part(&p.record)),
                Act::Remove => Change::Remove,
                Act::RemoveRange => Change::RemoveBelow(part(&p.record)),
            };
            (p.family, part(&p.key), change)
        })
    }
}

/// Room kept for the next batch is at most this, in bytes.
const BYTES_KEPT_MAX: usize = 16 << 20;

#[cfg(test)]
mod tests {
    use crdt::{Row, Site};
    use model::{AccountId, MarketKey, MintedId};

    use super::*;

    #[test]
    fn of_each_key_the_last_write_stays_and_keys_are_in_order() {
        let (account, market) = (AccountId::new("a@r").unwrap(), MarketKey::new("m").unwrap());
        let row = |dep| Write::Row(account.clone(), Site::new(1, 1), Row { dep, ..Row::default() });
        let id = |n| Write::MarketWager(market.clone(), MintedId::mint(n, 1, 1, 0));
        let mark = |on: bool| Write::Settle(market.clone(), on.then(Default::default));
        let mut batch = Batch::default();
        batch.fill(&[row(9), row(9)]);
        batch.fill(&[mark(true), id(3), row(1), id(2), mark(false), row(7), id(3), row(2)]);
        let mut alone = Batch::default();
        alone.fill(&[row(2)]);
        let kept: Vec<_> = batch.iter().collect();
        let families: Vec<Family> = kept.iter().map(|(f, ..)| *f).collect();
        assert_eq!(families, [Family::Rows, Family::MarketWagers, Family::MarketWagers, Family::Meta]);
        assert!(kept.is_sorted_by(|a, b| (a.0, a.1) < (b.0, b.1)));
        assert_eq!(kept[0], alone.iter().next().unwrap(), "the last row");
        assert_eq!(kept[3].2, Change::Remove, "the mark was set and then removed");
    }
}
