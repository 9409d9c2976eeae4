//! From a path to a store: creation, identity, format, and what is refused.
//! Knows nothing of what the families hold beyond the first record.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use rocksdb::{Cache, ColumnFamilyDescriptor, DB, ErrorKind, IteratorMode, Options};

use crate::identity::{Birth, FORMAT_VERSION, Identity, OpenError};
use crate::keys::{Family, Key};
use crate::options::StoreOptions;
use crate::record;
use crate::store::Store;

impl Store {
    /// Opens a region's directory, or creates it, with the default sizes.
    ///
    /// # Errors
    /// [`OpenError`] says why not, and what that did to the directory.
    pub fn open(dir: &Path, identity: Identity) -> Result<Self, OpenError> {
        Self::open_with(dir, identity, &StoreOptions::default())
    }

    /// Opens a region's directory, or creates it.
    ///
    /// # Errors
    /// [`OpenError`] says why not, and what that did to the directory.
    pub fn open_with(dir: &Path, identity: Identity, options: &StoreOptions) -> Result<Self, OpenError> {
        let place = dir.display().to_string();
        prepare(dir, &place)?;
        let cache = Cache::new_lru_cache(options.block_cache_bytes);
        let families = Family::ALL.map(|f| ColumnFamilyDescriptor::new(f.name(), options.family(f, &cache)));
        let db = DB::open_cf_descriptors(&options.database(), dir, families).map_err(|e| refused(&place, &e))?;
        let mut store = Self::new(db, place, false);
        match store.birth()? {
            Some(birth) => store.check(&birth, identity)?,
            None => store.give_birth(identity)?,
        }
        tracing::info!(place = %store.place, is_new = store.is_new, "store open");
        Ok(store)
    }

    fn birth(&self) -> Result<Option<Birth>, OpenError> {
        let key = Key::Birth.bytes();
        let record = self.db.get_pinned_cf(self.cf(Family::Meta), &key).map_err(|e| disk(&self.place, &e))?;
        let read = |r: &[u8]| {
            record::open(Family::Meta, &key, r).map_err(|why| not_a_store(&self.place, format!("first record: {why}")))
        };
        record.map(|r| read(&r)).transpose()
    }

    fn check(&self, birth: &Birth, identity: Identity) -> Result<(), OpenError> {
        if birth.format != FORMAT_VERSION {
            return Err(OpenError::OtherFormat { place: self.place.clone(), found: birth.format });
        }
        if birth.identity == identity {
            return Ok(());
        }
        let (found, expected) = (Box::new(birth.identity.clone()), Box::new(identity));
        Err(OpenError::OtherIdentity { place: self.place.clone(), found, expected })
    }

    /// Writes the first record. A start that was cut off before it left empty families and is simply repeated.
    fn give_birth(&mut self, identity: Identity) -> Result<(), OpenError> {
        for family in Family::ALL {
            if self.db.iterator_cf(self.cf(family), IteratorMode::Start).next().is_some() {
                let why = format!("family {} holds records, but the first record is missing", family.name());
                return Err(not_a_store(&self.place, why));
            }
        }
        let (key, mut out) = (Key::Birth.bytes(), Vec::new());
        record::seal(Family::Meta, &key, &Birth { format: FORMAT_VERSION, identity }, &mut out);
        self.put_synced(Family::Meta, &key, &out).map_err(|e| disk(&self.place, &e))?;
        self.is_new = true;
        Ok(())
    }
}

/// Makes the directory, and refuses one that RocksDB would take over although it holds something else.
fn prepare(dir: &Path, place: &str) -> Result<(), OpenError> {
    if !dir.exists() {
        fs::create_dir_all(dir).and_then(|()| sync_parent(dir)).map_err(|e| disk(place, &e))?;
    }
    if !dir.join("CURRENT").exists() {
        // RocksDB would start afresh here and delete the tables that it does not know.
        let files = fs::read_dir(dir).and_then(|d| d.collect::<io::Result<Vec<_>>>()).map_err(|e| disk(place, &e))?;
        let table = files.iter().map(|f| f.path()).find(|p| p.extension().is_some_and(|e| e == "sst" || e == "log"));
        return table.map_or(Ok(()), |t| {
            Err(not_a_store(place, format!("the file CURRENT is missing, but {} is there", t.display())))
        });
    }
    let names = DB::list_cf(&Options::default(), dir).map_err(|e| disk(place, &e))?;
    let known = |n: &String| n == "default" || Family::ALL.iter().any(|f| f.name() == n);
    match names.iter().find(|n| !known(n)) {
        Some(n) => Err(not_a_store(place, format!("it has a family {n}, which this build does not know"))),
        None => Ok(()),
    }
}

/// The new directory's own entry must survive a power cut as well as what is put into it.
fn sync_parent(dir: &Path) -> io::Result<()> {
    match dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

fn refused(place: &str, e: &rocksdb::Error) -> OpenError {
    let words = e.to_string();
    let locked = words.contains("lock hold by current process") || words.contains("While lock file");
    if e.kind() == ErrorKind::IOError && locked {
        return OpenError::InUse { place: place.to_owned() };
    }
    disk(place, e)
}

fn disk(place: &str, e: &dyn fmt::Display) -> OpenError {
    OpenError::Disk { place: place.to_owned(), why: e.to_string() }
}

fn not_a_store(place: &str, why: String) -> OpenError {
    OpenError::NotAStore { place: place.to_owned(), why }
}

#[cfg(test)]
mod tests {
    use engine::conformance::one_of_each;
    use engine::port::Durable;
    use rocksdb::statistics::Ticker;

    use super::*;

    /// A kill leaves the page cache alone, so only counting shows that a commit would survive a power cut.
    #[test]
    fn a_commit_is_one_fsync() {
        let dir = tempfile::tempdir().unwrap();
        let sizes = StoreOptions::default();
        let cache = Cache::new_lru_cache(1 << 20);
        let mut options = sizes.database();
        options.enable_statistics();
        let families = Family::ALL.map(|f| ColumnFamilyDescriptor::new(f.name(), sizes.family(f, &cache)));
        let db = DB::open_cf_descriptors(&options, dir.path(), families).unwrap();
        let mut store = Store::new(db, String::new(), true);
        let synced = || options.get_ticker_count(Ticker::WalFileSynced);
        let before = synced();
        for n in 1..=3 {
            store.commit(&one_of_each()).unwrap();
            assert_eq!(synced() - before, n);
        }
        store.commit(&[]).unwrap();
        assert_eq!(synced() - before, 3, "nothing to write, nothing to wait for");
    }

    #[test]
    fn another_format_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let identity = || Identity { cluster: "c".into(), region: 1, region_name: "eu-west".into(), incarnation: 1 };
        let store = Store::open(dir.path(), identity()).unwrap();
        let (key, mut out) = (Key::Birth.bytes(), Vec::new());
        record::seal(Family::Meta, &key, &Birth { format: 2, identity: identity() }, &mut out);
        store.put_synced(Family::Meta, &key, &out).unwrap();
        drop(store);
        let e = Store::open(dir.path(), identity()).err().expect("refused");
        assert!(matches!(e, OpenError::OtherFormat { found: 2, .. }), "{e}");
    }
}
