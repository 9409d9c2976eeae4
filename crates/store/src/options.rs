//! How RocksDB is set up: few families, one shared cache, one fsync a commit.
//! Tuned for a write-heavy region on two cores, where most point reads ask for wager ids that do not exist.

use rocksdb::{BlockBasedOptions, Cache, DBCompressionType, DBRecoveryMode, LogLevel, Options};

use crate::keys::Family;

/// Sizes of a store. The defaults suit a region on two cores with 1 GiB to spare.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoreOptions {
    /// Blocks, filters and indexes kept in memory, in bytes; 128 MiB. Ten million wagers need 13 MB of filters: more
    /// only helps reads of old wagers.
    pub block_cache_bytes: usize,
    /// Writes gathered in memory before a family is written out, in bytes; 64 MiB for the log and wagers, a quarter of
    /// it for every other family. Larger means fewer, larger files and less to compact.
    pub write_buffer_bytes: usize,
    /// Write-ahead log kept at most, in bytes; 128 MiB. It bounds what a start after a crash must replay: about a second
    /// on two cores.
    pub wal_bytes_max: u64,
    /// Background threads that flush and compact; 2.
    pub background_jobs: i32,
    /// Table files kept open; 1,024.
    pub open_files_max: i32,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            block_cache_bytes: 128 << 20,
            write_buffer_bytes: 64 << 20,
            wal_bytes_max: 128 << 20,
            background_jobs: 2,
            open_files_max: 1024,
        }
    }
}

/// Write buffers of one family: one filling, the others being written out. More than two, or a burst stalls.
const WRITE_BUFFERS_MAX: i32 = 4;
/// Files of level 0 at which RocksDB slows writers down, and at which it stops them. Above the defaults: with filters
/// a level-0 file costs a missing key next to nothing, a stall costs every commit.
const LEVEL0_SLOWDOWN: i32 = 32;
const LEVEL0_STOP: i32 = 64;
/// Filter bits a key: about 1 % false positives.
const FILTER_BITS: f64 = 10.0;
/// Share of a write buffer spent on its own filter: some 40 bits a wager.
const MEMTABLE_FILTER_SHARE: f64 = 0.02;

impl StoreOptions {
    /// Options of the database as a whole.
    pub(crate) fn database(&self) -> Options {
        let mut o = Options::default();
        o.create_if_missing(true);
        o.create_missing_column_families(true);
        o.set_max_background_jobs(self.background_jobs);
        o.set_max_open_files(self.open_files_max);
        o.set_max_total_wal_size(self.wal_bytes_max);
        // A torn tail is a batch that was never acknowledged: dropped. Damage before the tail is not: no start.
        o.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
        o.set_track_and_verify_wals_in_manifest(true);
        o.set_paranoid_checks(true);
        // There is one writer thread, so nothing to run in parallel.
        o.set_enable_pipelined_write(false);
        o.set_allow_concurrent_memtable_write(false);
        // Write tables out steadily, so that the fsync of a commit never waits behind a whole flush.
        o.set_bytes_per_sync(1 << 20);
        o.set_log_level(LogLevel::Warn);
        o.set_keep_log_file_num(4);
        o.set_max_log_file_size(16 << 20);
        o.set_stats_dump_period_sec(0);
        o
    }

    /// Options of one family.
    pub(crate) fn family(&self, family: Family, cache: &Cache) -> Options {
        let mut o = Options::default();
        let share = if matches!(family, Family::Log | Family::Wagers) { 1 } else { 4 };
        o.set_write_buffer_size(self.write_buffer_bytes / share);
        o.set_max_write_buffer_number(WRITE_BUFFERS_MAX);
        o.set_level_zero_slowdown_writes_trigger(LEVEL0_SLOWDOWN);
        o.set_level_zero_stop_writes_trigger(LEVEL0_STOP);
        // Level 0 lives too briefly to be worth the time of compressing it.
        let mut levels = [DBCompressionType::Lz4; 7];
        levels[0] = DBCompressionType::None;
        o.set_compression_per_level(&levels);
        o.set_block_based_table_factory(&self.tables(family, cache));
        if filtered(family) {
            o.set_memtable_prefix_bloom_ratio(MEMTABLE_FILTER_SHARE);
            o.set_memtable_whole_key_filtering(true);
        }
        o
    }

    fn tables(&self, family: Family, cache: &Cache) -> BlockBasedOptions {
        let mut t = BlockBasedOptions::default();
        t.set_block_cache(cache);
        t.set_cache_index_and_filter_blocks(true);
        t.set_cache_index_and_filter_blocks_with_high_priority(true);
        t.set_pin_l0_filter_and_index_blocks_in_cache(true);
        if filtered(family) {
            t.set_bloom_filter(FILTER_BITS, false);
            t.set_whole_key_filtering(true);
            t.set_block_size(8 << 10);
        } else {
            t.set_block_size(16 << 10);
        }
        t
    }
}

/// Families asked for single keys that are mostly not there. All others are read in order or only at start.
const fn filtered(family: Family) -> bool {
    matches!(family, Family::Wagers | Family::Postings | Family::References)
}
