//! What a store takes of disk and memory, for metrics. Estimates of RocksDB's own, cheap to read.

use rocksdb::properties;

use crate::keys::Family;
use crate::store::Store;

/// Disk and memory of a store. All sizes in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    /// Table files on disk.
    pub sst_bytes: u64,
    /// Write buffers in memory, those being written out included.
    pub memtable_bytes: u64,
    /// Blocks, filters and indexes in the shared cache.
    pub block_cache_bytes: u64,
    /// What compaction still has to rewrite.
    pub compaction_pending_bytes: u64,
    /// Most level-0 files of any family: writers are slowed down at 32.
    pub level0_files_max: u64,
    /// Failed flushes and compactions since the start.
    pub background_errors: u64,
    /// Whether commits wait for flushes or compactions right now, or are slowed down by them.
    pub is_write_stalled: bool,
}

impl Store {
    /// Reads the numbers. A number that RocksDB cannot tell is 0.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let of = |family, name: &properties::PropName| {
            self.db.property_int_value_cf(self.cf(family), name).ok().flatten().unwrap_or(0)
        };
        let sum = |name| Family::ALL.iter().map(|f| of(*f, name)).sum();
        let level0 = properties::num_files_at_level(0);
        let level0_of = |f: &Family| {
            let text = self.db.property_value_cf(self.cf(*f), &*level0).ok().flatten();
            text.and_then(|t| t.parse().ok()).unwrap_or(0)
        };
        Usage {
            sst_bytes: sum(properties::TOTAL_SST_FILES_SIZE),
            memtable_bytes: sum(properties::CUR_SIZE_ALL_MEM_TABLES),
            block_cache_bytes: of(Family::Meta, properties::BLOCK_CACHE_USAGE),
            compaction_pending_bytes: sum(properties::ESTIMATE_PENDING_COMPACTION_BYTES),
            level0_files_max: Family::ALL.iter().map(level0_of).max().unwrap_or(0),
            background_errors: of(Family::Meta, properties::BACKGROUND_ERRORS),
            is_write_stalled: of(Family::Meta, properties::IS_WRITE_STOPPED) > 0
                || of(Family::Meta, properties::ACTUAL_DELAYED_WRITE_RATE) > 0,
        }
    }
}
