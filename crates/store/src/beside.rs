//! What other threads do with a store while its own commits: sealing log entries into segments, and reading a state
//! that stands still. Nothing here writes to RocksDB, and nothing here holds up a commit.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use crdt::Site;
use engine::port::{Archive, Kind, LogHead, Meta, Pinned, Seal, StoreError, Write};
use rocksdb::{DB, ReadOptions, SnapshotWithThreadMode};

use crate::codec;
use crate::keys::{Family, Key, MetaTag, just_after, tagged};
use crate::segment::{self, Writer};
use crate::store::Store;

/// Entries read from the log at a time while a segment is written.
const ENTRIES_AT_A_TIME: usize = 256;

/// A store's contents for any thread. Clones are handles of the same; the database is open as long as one lives.
#[derive(Clone)]
pub struct Beside {
    db: Arc<DB>,
    place: String,
}

impl fmt::Debug for Beside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Beside").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Store {
    /// A handle for other threads.
    #[must_use]
    pub fn beside(&self) -> Beside {
        Beside { db: Arc::clone(&self.db), place: self.place.clone() }
    }
}

impl Archive for Store {
    fn pinned(&self, read: &mut dyn FnMut(&dyn Pinned)) {
        self.beside().pinned(read);
    }

    fn seal(&self, site: Site, first: u64, last: u64) -> Result<Seal, StoreError> {
        self.beside().seal(site, first, last)
    }

    fn segment(&self, site: Site, first: u64, last: u64) -> Result<Vec<Bytes>, StoreError> {
        self.beside().segment(site, first, last)
    }
}

impl Beside {
    fn failed(&self, why: impl fmt::Display) -> StoreError {
        StoreError { place: self.place.clone(), why: why.to_string() }
    }

    fn folder(&self, site: Site) -> PathBuf {
        PathBuf::from(&self.place).join("segments").join(site.to_string())
    }

    fn frozen(&self) -> Frozen<'_> {
        Frozen { of: self, snapshot: self.db.snapshot() }
    }
}

impl Archive for Beside {
    fn pinned(&self, read: &mut dyn FnMut(&dyn Pinned)) {
        read(&self.frozen());
    }

    /// Entries are copied piece by piece, so memory is bounded by a piece. Under another name first, then synced and
    /// renamed: after a crash at any moment the segment is there whole, or not at all.
    fn seal(&self, site: Site, first: u64, last: u64) -> Result<Seal, StoreError> {
        let frozen = self.frozen();
        let mut writer = Writer::create(&self.folder(site), site, first, last).map_err(|e| self.failed(e))?;
        let mut next = first;
        while next <= last {
            let count = usize::try_from(last + 1 - next).unwrap_or(usize::MAX).min(ENTRIES_AT_A_TIME);
            let entries = frozen.log(site, next, count)?;
            if entries.is_empty() {
                return Err(self.failed(format!("entry {next} of the log of {site} is not there to be sealed")));
            }
            for entry in &entries {
                writer.entry(entry).map_err(|e| self.failed(e))?;
                next += 1;
            }
        }
        writer.finish().map_err(|e| self.failed(e))
    }

    fn segment(&self, site: Site, first: u64, last: u64) -> Result<Vec<Bytes>, StoreError> {
        segment::read(&self.folder(site), site, first, last).map_err(|e| self.failed(e))
    }
}

/// The store as it was when this was made.
struct Frozen<'a> {
    of: &'a Beside,
    snapshot: SnapshotWithThreadMode<'a, DB>,
}

impl Frozen<'_> {
    /// Shows records with keys from `from` on, below `to`, until `visit` says no. The second number is a record's size.
    fn scan(
        &self,
        family: Family,
        from: Vec<u8>,
        to: Option<Vec<u8>>,
        mut visit: impl FnMut(Write, usize) -> bool,
    ) -> Result<(), StoreError> {
        let cf = self.of.db.cf_handle(family.name()).expect("all families were opened");
        let mut options = ReadOptions::default();
        options.fill_cache(false);
        options.set_iterate_lower_bound(from);
        if let Some(to) = to {
            options.set_iterate_upper_bound(to);
        }
        let mut it = self.snapshot.raw_iterator_cf_opt(cf, options);
        it.seek_to_first();
        while let Some((key, record)) = it.item() {
            let write = codec::read(family, key, record).map_err(|damage| {
                self.of.failed(format!("family {}, key {key:02x?} is damaged: {damage}", family.name()))
            })?;
            if !visit(write, key.len() + record.len()) {
                return Ok(());
            }
            it.next();
        }
        it.status().map_err(|e| self.of.failed(e))
    }

    /// Entries of a log from an index on, without a hole.
    fn log(&self, site: Site, from: u64, count_max: usize) -> Result<Vec<Bytes>, StoreError> {
        let mut found: Vec<Bytes> = Vec::new();
        let mut expected = from;
        let to = just_after(Key::Log(site, u64::MAX).bytes());
        self.scan(Family::Log, Key::Log(site, from).bytes(), Some(to), |write, _| {
            if let Write::Log(_, index, entry) = write
                && index == expected
                && found.len() < count_max
            {
                found.push(entry);
                expected += 1;
                return true;
            }
            false
        })?;
        Ok(found)
    }

    /// Whoever reads through the port cannot do without the answer: the thread that reads ends with the error's words.
    fn must<T>(&self, read: Result<T, StoreError>) -> T {
        read.unwrap_or_else(|e| panic!("{e}"))
    }
}

impl Pinned for Frozen<'_> {
    fn records(&self, kind: Kind, after: Option<&Write>, count_max: usize, bytes_max: usize) -> Vec<Write> {
        let noted = |tag| {
            let (start, end) = tagged(tag);
            (Family::Meta, start, Some(end))
        };
        let (family, start, end) = match kind {
            Kind::Rows => (Family::Rows, Vec::new(), None),
            Kind::Wagers => (Family::Wagers, Vec::new(), None),
            Kind::Postings => (Family::Postings, Vec::new(), None),
            Kind::Results => (Family::Results, Vec::new(), None),
            Kind::Handed => noted(MetaTag::Handed),
            Kind::References => (Family::References, Vec::new(), None),
            Kind::Received => noted(MetaTag::Received),
            Kind::Sessions => noted(MetaTag::Sessions),
            Kind::Exclusions => noted(MetaTag::Exclusions),
        };
        let start = after.map_or(start, |write| just_after(codec::key_of(write).bytes()));
        let (mut found, mut bytes) = (Vec::new(), 0);
        let scanned = self.scan(family, start, end, |write, size| {
            if found.len() >= count_max || (bytes >= bytes_max && !found.is_empty()) {
                return false;
            }
            // What a site was granted last is that region's own note, under the account's name.
            if !matches!(write, Write::Granted(..)) {
                bytes += size;
                found.push(write);
            }
            true
        });
        self.must(scanned);
        found
    }

    fn heads(&self) -> Vec<(Site, LogHead)> {
        let (from, to) = tagged(MetaTag::LogHeads);
        let mut found = Vec::new();
        let scanned = self.scan(Family::Meta, from, Some(to), |write, _| {
            if let Write::LogHead(site, head) = write {
                found.push((site, head));
            }
            true
        });
        self.must(scanned);
        found
    }

    fn meta(&self) -> Meta {
        let from = Key::Meta.bytes();
        let to = just_after(from.clone());
        let mut found = Meta::default();
        let scanned = self.scan(Family::Meta, from, Some(to), |write, _| {
            if let Write::Meta(meta) = write {
                found = *meta;
            }
            true
        });
        self.must(scanned);
        found
    }
}
