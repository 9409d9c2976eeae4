//! The store itself: batches in, point reads, ranges and the load at start.
//! Owns the RocksDB handle. Knows no betting: what it writes and reads is the engine's port.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use crdt::Site;
use engine::port::{Durable, StoreError, View, Write};
use model::{
    AccountId, MarketKey, MintedId, Posting, Reference, ReferenceDecision, ResultRegister, ResultScope, WagerRecord,
};
use rocksdb::{ColumnFamily, DB, FlushOptions, ReadOptions, WriteBatch, WriteOptions};

use crate::batch::{Batch, Change};
use crate::codec;
use crate::keys::{Family, Key, MetaTag, just_after, name_end, name_prefix, tagged};

/// Durable state of one region on disk. One thread at a time uses it; another may take it over.
///
/// A damaged record or a failing disk met by a read panics, naming directory, family and key: the driver turns that
/// into the node's last line. Nothing is lost by dropping a store: what was committed is on disk.
pub struct Store {
    pub(crate) db: Arc<DB>,
    pub(crate) place: String,
    pub(crate) is_new: bool,
    synced: WriteOptions,
    batch: Batch,
    poisoned: Option<String>,
}

impl Store {
    pub(crate) fn new(db: DB, place: String, is_new: bool) -> Self {
        let mut synced = WriteOptions::default();
        synced.set_sync(true);
        Self { db: Arc::new(db), place, is_new, synced, batch: Batch::default(), poisoned: None }
    }

    /// Whether this start created the directory's contents.
    #[must_use]
    pub const fn is_new(&self) -> bool {
        self.is_new
    }

    /// Writes everything out and closes, so that the next start replays nothing.
    ///
    /// # Errors
    /// [`StoreError`] when that fails. Nothing committed is lost: the next start replays it.
    pub fn close(self) -> Result<(), StoreError> {
        if let Some(why) = &self.poisoned {
            return Err(self.failed(why));
        }
        let families = Family::ALL.map(|f| self.cf(f));
        self.db.flush_cfs_opt(&families, &FlushOptions::default()).map_err(|e| self.failed(e))
    }

    pub(crate) fn cf(&self, family: Family) -> &ColumnFamily {
        self.db.cf_handle(family.name()).expect("all families were opened")
    }

    /// Writes a record of the store's own.
    pub(crate) fn put_synced(&self, family: Family, key: &[u8], record: &[u8]) -> Result<(), rocksdb::Error> {
        self.db.put_cf_opt(self.cf(family), key, record, &self.synced)
    }

    fn failed(&self, why: impl fmt::Display) -> StoreError {
        StoreError { place: self.place.clone(), why: why.to_string() }
    }

    fn encode(&mut self, writes: &[Write]) -> WriteBatch {
        self.batch.fill(writes);
        let room = self.batch.len_bytes() + writes.len() * HEADER_BYTES_MAX;
        let mut out = WriteBatch::with_capacity_bytes(room);
        let mut current = None;
        for (family, key, record) in self.batch.iter() {
            let cf = match current {
                Some((same, cf)) if same == family => cf,
                _ => self.db.cf_handle(family.name()).expect("all families were opened"),
            };
            current = Some((family, cf));
            match record {
                Change::Put(record) => out.put_cf(cf, key, record),
                Change::Remove => out.delete_cf(cf, key),
                Change::RemoveBelow(end) => out.delete_range_cf(cf, key, end),
            }
        }
        out
    }

    /// Reads one record.
    fn read(&self, key: &Key) -> Option<Write> {
        let (family, bytes) = (key.family(), key.bytes());
        match self.db.get_pinned_cf(self.cf(family), &bytes) {
            Ok(record) => record.map(|r| self.decoded(family, &bytes, &r)),
            Err(e) => self.damaged(family, &bytes, &e),
        }
    }

    /// Shows records of a family in `way` until `visit` says stop.
    fn scan(&self, family: Family, range: Range, way: Way, mut visit: impl FnMut(Write) -> Go) {
        let mut options = ReadOptions::default();
        // A walk over much must not push out what single reads need; an index is small and read again.
        options.fill_cache(matches!(family, Family::AccountWagers | Family::MarketWagers | Family::Results));
        options.set_iterate_lower_bound(range.from.clone());
        if let Some(to) = range.to {
            options.set_iterate_upper_bound(to);
        }
        let mut it = self.db.raw_iterator_cf_opt(self.cf(family), options);
        match way {
            Way::Forward => it.seek_to_first(),
            Way::Backward => it.seek_to_last(),
        }
        while let Some((key, record)) = it.item() {
            if family == Family::Meta && key == BIRTH {
                it.next();
                continue;
            }
            if visit(self.decoded(family, key, record)) == Go::Stop {
                return;
            }
            match way {
                Way::Forward => it.next(),
                Way::Backward => it.prev(),
            }
        }
        if let Err(e) = it.status() {
            self.damaged(family, &range.from, &e);
        }
    }

    fn decoded(&self, family: Family, key: &[u8], record: &[u8]) -> Write {
        codec::read(family, key, record).unwrap_or_else(|damage| self.damaged(family, key, &damage))
    }

    /// Stops the process: going on could sell on money that is not there.
    fn damaged(&self, family: Family, key: &[u8], why: &dyn fmt::Display) -> ! {
        let name = Key::read(family, key).map_or_else(|_| format!("{key:02x?}"), |k| format!("{k:?}"));
        panic!("data directory {} is damaged: family {}, key {name}: {why}", self.place, family.name());
    }
}

impl View for Store {
    fn wager(&self, id: MintedId) -> Option<Arc<WagerRecord>> {
        match self.read(&Key::Wager(id))? {
            Write::Wager(wager) => Some(wager),
            other => unreachable!("the wagers' family holds wagers, not {other:?}"),
        }
    }

    fn posting(&self, id: MintedId) -> Option<Posting> {
        match self.read(&Key::Posting(id))? {
            Write::Posting(posting) => Some(posting),
            other => unreachable!("the postings' family holds postings, not {other:?}"),
        }
    }

    fn reference(&self, reference: &Reference) -> Option<ReferenceDecision> {
        match self.read(&Key::Reference(reference.clone()))? {
            Write::Reference(decision) => Some(decision),
            other => unreachable!("the references' family holds decisions, not {other:?}"),
        }
    }

    fn log(&self, site: Site, from: u64, count_max: usize, bytes_max: usize) -> Vec<Bytes> {
        let mut found: Vec<Bytes> = Vec::new();
        if count_max == 0 {
            return found;
        }
        let (mut expected, mut bytes_left) = (from, bytes_max);
        let to = just_after(Key::Log(site, u64::MAX).bytes());
        let range = Range { from: Key::Log(site, from).bytes(), to: Some(to) };
        self.scan(Family::Log, range, Way::Forward, |write| {
            let Write::Log(_, index, entry) = write else { unreachable!("the log's family holds entries") };
            if index != expected || (!found.is_empty() && entry.len() > bytes_left) {
                return Go::Stop;
            }
            bytes_left = bytes_left.saturating_sub(entry.len());
            found.push(entry);
            match expected.checked_add(1) {
                Some(next) if found.len() < count_max && bytes_left > 0 => expected = next,
                _ => return Go::Stop,
            }
            Go::On
        });
        found
    }

    fn market_wagers(&self, market: &MarketKey, after: Option<MintedId>, count_max: usize) -> Vec<MintedId> {
        let from = after.map_or_else(
            || name_prefix(market.as_str()),
            |id| just_after(Key::MarketWager(market.clone(), id).bytes()),
        );
        let range = Range { from, to: Some(name_end(market.as_str())) };
        self.ids(Family::MarketWagers, range, Way::Forward, count_max)
    }

    fn account_wagers(&self, account: &AccountId, before: Option<MintedId>, count_max: usize) -> Vec<MintedId> {
        let to = before.map_or_else(|| name_end(account.as_str()), |id| Key::AccountWager(account.clone(), id).bytes());
        let range = Range { from: name_prefix(account.as_str()), to: Some(to) };
        self.ids(Family::AccountWagers, range, Way::Backward, count_max)
    }

    fn results(&self, market: &MarketKey) -> Vec<(ResultScope, ResultRegister)> {
        let mut found = Vec::new();
        let range = Range { from: name_prefix(market.as_str()), to: Some(name_end(market.as_str())) };
        self.scan(Family::Results, range, Way::Forward, |write| {
            let Write::Result(_, scope, register) = write else { unreachable!("the results' family holds results") };
            found.push((scope, register));
            Go::On
        });
        found
    }

    fn staged(&self, page: u64) -> Option<Bytes> {
        match self.read(&Key::Staged(page))? {
            Write::Staged(_, bytes) => Some(bytes),
            other => unreachable!("a page's key holds a page, not {other:?}"),
        }
    }
}

impl Store {
    fn ids(&self, family: Family, range: Range, way: Way, count_max: usize) -> Vec<MintedId> {
        let mut found = Vec::new();
        if count_max == 0 {
            return found;
        }
        self.scan(family, range, way, |write| {
            let (Write::AccountWager(_, id) | Write::MarketWager(_, id)) = write else {
                unreachable!("an index holds ids")
            };
            found.push(id);
            if found.len() < count_max { Go::On } else { Go::Stop }
        });
        found
    }
}

impl Durable for Store {
    fn load(&self, visit: &mut dyn FnMut(Write)) {
        // Staged pages may be larger than memory, and nobody needs them at start.
        let (staged, after_staged) = tagged(MetaTag::Staged);
        let below = Range { from: Vec::new(), to: Some(staged) };
        let all = |from| Range { from, to: None };
        let meta = [(Family::Meta, below), (Family::Meta, all(after_staged))];
        for (family, range) in meta.into_iter().chain(LOADED.map(|family| (family, all(Vec::new())))) {
            self.scan(family, range, Way::Forward, |write| {
                visit(write);
                Go::On
            });
        }
    }

    /// One RocksDB batch over all families, one fsync of its write-ahead log. After an error every further commit
    /// returns the same error. A batch that failed may still be found after the next start, whole.
    fn commit(&mut self, batch: &[Write]) -> Result<(), StoreError> {
        if let Some(why) = &self.poisoned {
            return Err(self.failed(why));
        }
        if batch.is_empty() {
            return Ok(());
        }
        let encoded = self.encode(batch);
        self.db.write_opt(encoded, &self.synced).map_err(|e| {
            self.poisoned = Some(e.to_string());
            self.failed(e)
        })
    }
}

/// Keys from `from` on, below `to`.
struct Range {
    from: Vec<u8>,
    to: Option<Vec<u8>>,
}

#[derive(Clone, Copy)]
enum Way {
    Forward,
    Backward,
}

#[derive(PartialEq, Eq)]
enum Go {
    On,
    Stop,
}

/// Families an engine keeps in memory, besides most of `meta`.
const LOADED: [Family; 3] = [Family::Rows, Family::Odds, Family::Books];
/// The key that is the store's own, not the engine's.
const BIRTH: &[u8] = &[0];
/// What RocksDB puts before a key and a record in its batch: tag, family and two lengths.
const HEADER_BYTES_MAX: usize = 16;
