//! A directory belongs to one life of one region of one cluster, and to one process at a time.

use std::io::Write as _;

use engine::port::Durable;
use store::{Identity, OpenError, Store};

use crate::story::{batch, last_whole};
use crate::{child, child_dir, eu_west, open_small};

#[test]
fn a_directory_is_new_once() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("a/b");
    assert!(open_small(&place).is_new());
    assert!(!open_small(&place).is_new());
}

#[test]
fn a_directory_of_another_identity_is_refused_by_name_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open_small(dir.path());
    store.commit(&batch(1)).unwrap();
    drop(store);
    let others = [
        Identity { cluster: "other".into(), ..eu_west() },
        Identity { region: 2, ..eu_west() },
        Identity { region_name: "us-east".into(), ..eu_west() },
        Identity { incarnation: 2, ..eu_west() },
    ];
    for other in others {
        let e = Store::open(dir.path(), other.clone()).err().expect("refused");
        assert!(matches!(e, OpenError::OtherIdentity { .. }), "{e}");
        let words = e.to_string();
        assert!(words.contains(&eu_west().to_string()) && words.contains(&other.to_string()), "{words}");
        assert!(words.contains(&dir.path().display().to_string()), "{words}");
    }
    assert_eq!(last_whole(&open_small(dir.path())), 1);
}

#[test]
fn a_directory_is_opened_once_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let first = open_small(dir.path());
    let e = Store::open(dir.path(), eu_west()).err().expect("refused");
    assert!(matches!(e, OpenError::InUse { .. }), "{e}");
    let out = child(&[], "identity::child_finds_the_directory_in_use", dir.path()).output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success() && text.contains("is in use by another process"), "{text}");
    drop(first);
    open_small(dir.path());
}

#[test]
fn child_finds_the_directory_in_use() {
    let Some(dir) = child_dir() else { return };
    let e = Store::open(&dir, eu_west()).err().expect("refused");
    assert!(matches!(e, OpenError::InUse { .. }), "{e}");
    writeln!(std::io::stdout(), "{e}").unwrap();
}

#[test]
fn what_is_no_store_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |place: &std::path::Path| Store::open(place, eu_west()).err().expect("refused");
    let file = dir.path().join("file");
    std::fs::write(&file, "x").unwrap();
    assert!(matches!(refused(&file), OpenError::Disk { .. }));

    let foreign = dir.path().join("foreign");
    let mut options = rocksdb::Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    drop(rocksdb::DB::open_cf(&options, &foreign, ["someone"]).unwrap());
    let e = refused(&foreign);
    assert!(matches!(&e, OpenError::NotAStore { why, .. } if why.contains("family someone")), "{e}");

    let headless = dir.path().join("headless");
    open_small(&headless).close().unwrap();
    std::fs::remove_file(headless.join("CURRENT")).unwrap();
    let e = refused(&headless);
    assert!(matches!(&e, OpenError::NotAStore { why, .. } if why.contains("CURRENT is missing")), "{e}");
}

#[test]
fn usage_tells_what_is_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open_small(dir.path());
    store.commit(&batch(1)).unwrap();
    assert!(store.usage().memtable_bytes > 0);
    store.close().unwrap();
    let usage = open_small(dir.path()).usage();
    assert!(usage.sst_bytes > 0 && usage.level0_files_max >= 1 && usage.background_errors == 0, "{usage:?}");
    assert!(!usage.is_write_stalled);
}
