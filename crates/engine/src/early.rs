//! Foreign entries that came before their turn: kept for a moment, bounded, so that a push which overtakes a pull (they
//! travel by different lanes) is not fetched twice. Knows no chain and no rules; whatever is dropped here is pulled.

use std::collections::BTreeMap;

use bytes::Bytes;
use crdt::Site;

/// Bytes kept in all.
const EARLY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What keeping one entry costs besides its bytes.
const ENTRY_OVERHEAD_BYTES: usize = 128;

/// Entries by site and index.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Early {
    entries: BTreeMap<(Site, u64), Bytes>,
    bytes: usize,
}

impl Early {
    /// Keeps an entry if there is room.
    pub(crate) fn keep(&mut self, site: Site, seq: u64, bytes: &[u8]) {
        if self.bytes + bytes.len() + ENTRY_OVERHEAD_BYTES <= EARLY_BYTES_MAX
            && !self.entries.contains_key(&(site, seq))
        {
            self.bytes += bytes.len() + ENTRY_OVERHEAD_BYTES;
            self.entries.insert((site, seq), Bytes::copy_from_slice(bytes));
        }
    }

    /// Takes the entry at an index, and forgets the ones before it.
    pub(crate) fn take(&mut self, site: Site, seq: u64) -> Option<Bytes> {
        while let Some((key, _)) = self.entries.range((site, 0)..(site, seq)).next() {
            let key = *key;
            self.drop_entry(key);
        }
        let found = self.entries.remove(&(site, seq))?;
        self.bytes -= found.len() + ENTRY_OVERHEAD_BYTES;
        Some(found)
    }

    /// Forgets a site's entries.
    pub(crate) fn forget(&mut self, site: Site) {
        while let Some((key, _)) = self.entries.range((site, 0)..=(site, u64::MAX)).next() {
            let key = *key;
            self.drop_entry(key);
        }
    }

    fn drop_entry(&mut self, key: (Site, u64)) {
        if let Some(bytes) = self.entries.remove(&key) {
            self.bytes -= bytes.len() + ENTRY_OVERHEAD_BYTES;
        }
    }
}
