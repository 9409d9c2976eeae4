//! Damage on disk is noticed and named, never taken for data.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use crdt::Site;
use engine::conformance::one_of_each;
use engine::port::{Durable, View, Write};
use rocksdb::{DB, IteratorMode, Options};
use store::{OpenError, Store};

use crate::story::{batch, last_whole};
use crate::{eu_west, open_small, small};

/// Runs `read` and returns the words of its panic.
fn words_of(read: impl FnOnce()) -> Option<String> {
    let payload = catch_unwind(AssertUnwindSafe(read)).err()?;
    Some(payload.downcast_ref::<String>().cloned().unwrap_or_default())
}

/// Rewrites the last record of a family behind the store's back.
fn rewrite(dir: &Path, family: &str, change: impl FnOnce(&mut Vec<u8>, &mut Vec<u8>)) {
    let options = Options::default();
    let names = DB::list_cf(&options, dir).unwrap();
    let db = DB::open_cf(&options, dir, names).unwrap();
    let cf = db.cf_handle(family).unwrap();
    let (key, value) = db.iterator_cf(cf, IteratorMode::End).next().unwrap().unwrap();
    let (mut key, mut value) = (key.into_vec(), value.into_vec());
    change(&mut key, &mut value);
    db.put_cf(cf, key, value).unwrap();
}

#[test]
fn a_damaged_record_of_any_family_stops_the_reader_by_name() {
    for family in ["log", "rows", "wagers", "postings", "results", "odds", "books", "meta"] {
        let dir = tempfile::tempdir().unwrap();
        let mut store = open_small(dir.path());
        store.commit(&one_of_each()).unwrap();
        drop(store);
        rewrite(dir.path(), family, |_, value| value[2] ^= 0x10);
        let store = open_small(dir.path());
        let words = words_of(|| {
            store.load(&mut |_| {});
            for write in one_of_each() {
                match write {
                    Write::Log(site, index, _) => drop(store.log(site, index, 1, 1)),
                    Write::Wager(wager) => drop(store.wager(wager.id)),
                    Write::Posting(posting) => drop(store.posting(posting.id)),
                    Write::Result(market, _, _) => drop(store.results(&market)),
                    Write::Staged(page, _) => drop(store.staged(page)),
                    _ => {}
                }
            }
        });
        let words = words.unwrap_or_else(|| panic!("damage in {family} was not noticed"));
        let place = dir.path().display().to_string();
        assert!(words.contains(&place) && words.contains(&format!("family {family}, key ")), "{words}");
        assert!(words.contains("its checksum does not match"), "{words}");
    }
}

#[test]
fn a_sound_record_under_another_key_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open_small(dir.path());
    store.commit(&one_of_each()).unwrap();
    drop(store);
    rewrite(dir.path(), "log", |key, _| *key.last_mut().unwrap() += 1);
    let store = open_small(dir.path());
    assert_eq!(store.log(Site::new(1, 1), 3, 1, 1).len(), 1, "the record itself is sound");
    assert!(words_of(|| drop(store.log(Site::new(1, 1), 4, 1, 1))).is_some_and(|w| w.contains("family log")));
}

#[test]
fn a_damaged_first_record_refuses_the_start() {
    let dir = tempfile::tempdir().unwrap();
    drop(open_small(dir.path()));
    rewrite(dir.path(), "meta", |_, value| value[2] ^= 1);
    let e = Store::open(dir.path(), eu_west()).err().expect("refused");
    assert!(matches!(&e, OpenError::NotAStore { why, .. } if why.contains("first record")), "{e}");
}

fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let all = std::fs::read_dir(dir).unwrap().map(|f| f.unwrap().path());
    let mut found: Vec<PathBuf> = all.filter(|p| p.extension().is_some_and(|e| e == extension)).collect();
    found.sort();
    found
}

fn copy(from: &Path, to: &Path) {
    for file in std::fs::read_dir(from).unwrap() {
        let path = file.unwrap().path();
        std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

/// Opens a directory and reads everything in it: what is there, or in which words that failed.
fn read_all(dir: &Path) -> Result<u64, String> {
    let store = Store::open_with(dir, eu_west(), &small()).map_err(|e| e.to_string())?;
    let mut last = 0;
    match words_of(|| last = last_whole(&store)) {
        None => Ok(last),
        Some(words) => Err(words),
    }
}

#[test]
fn a_flipped_byte_in_a_table_is_noticed_or_harmless() {
    let (origin, mut noticed, mut tried) = (tempfile::tempdir().unwrap(), 0, 0);
    let mut store = open_small(origin.path());
    for n in 1..=3 {
        store.commit(&batch(n)).unwrap();
    }
    store.close().unwrap();
    for table in files(origin.path(), "sst") {
        let length = std::fs::metadata(&table).unwrap().len();
        for part in 0..5 {
            let dir = tempfile::tempdir().unwrap();
            copy(origin.path(), dir.path());
            let victim = dir.path().join(table.file_name().unwrap());
            let mut bytes = std::fs::read(&victim).unwrap();
            bytes[usize::try_from(length * part / 5).unwrap()] ^= 0x04;
            std::fs::write(&victim, bytes).unwrap();
            tried += 1;
            match read_all(dir.path()) {
                // Properties and the like: nothing was read wrongly.
                Ok(last) => assert_eq!(last, 3),
                Err(words) => {
                    assert!(words.contains(&dir.path().display().to_string()), "{words}");
                    assert!(words.contains("Corruption"), "{words}");
                    noticed += 1;
                }
            }
        }
    }
    // Each table begins with its data.
    assert!(noticed >= files(origin.path(), "sst").len(), "{noticed} of {tried} flips were noticed");
}

/// Ten batches that only the write-ahead log holds.
fn logged() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let options = store::StoreOptions { write_buffer_bytes: 64 << 20, wal_bytes_max: 64 << 20, ..small() };
    let mut store = Store::open_with(dir.path(), eu_west(), &options).unwrap();
    for n in 1..=10 {
        store.commit(&batch(n)).unwrap();
    }
    drop(store);
    dir
}

fn wal(dir: &Path) -> (PathBuf, Vec<u8>) {
    let newest = files(dir, "log").pop().unwrap();
    let bytes = std::fs::read(&newest).unwrap();
    (newest, bytes)
}

#[test]
fn a_torn_tail_is_dropped_as_a_whole_batch() {
    for torn in [1, 100, 5_000] {
        let dir = logged();
        let (path, bytes) = wal(dir.path());
        std::fs::write(path, &bytes[..bytes.len() - torn]).unwrap();
        assert_eq!(read_all(dir.path()), Ok(9), "{torn} bytes torn off");
    }
}

#[test]
fn damage_before_the_tail_of_the_write_ahead_log_refuses_the_start() {
    let dir = logged();
    let (path, mut bytes) = wal(dir.path());
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).unwrap();
    let e = Store::open(dir.path(), eu_west()).err().expect("acknowledged batches would be missing");
    assert!(matches!(&e, OpenError::Disk { why, .. } if why.contains("Corruption")), "{e}");
}
