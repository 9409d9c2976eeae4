//! What a value looks like on disk: version byte · CBOR with numbered fields · CRC-32 of family, key and all before it.
//! A log entry is its bytes as received · CRC-32; an index entry is empty.
//! Knows neither RocksDB nor what a value means.
//!
//! The checksum covers the key, so a sound value in another's place is damage too.

use bytes::Bytes;
use minicbor::{Decode, Encode};

use crate::keys::{BadKey, Family};

/// Version of the encoding. A field may be added under a new number without a new version.
pub(crate) const RECORD_VERSION: u8 = 1;

const CRC_BYTES: usize = 4;

/// Why stored bytes are not the record that was written.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum Damage {
    #[error("it has {0} bytes, too few for a record")]
    Short(usize),
    #[error("its checksum does not match")]
    Checksum,
    #[error("it has record version {0}, this build reads {RECORD_VERSION}")]
    Version(u8),
    #[error("it cannot be decoded: {0}")]
    Undecodable(String),
    #[error("it has bytes after its end")]
    Trailing,
    #[error("an index entry is not empty")]
    NotEmpty,
    #[error("it names another id than its key does")]
    OtherId,
    #[error(transparent)]
    Key(#[from] BadKey),
}

/// Replaces the contents of `out` by a value's record.
pub(crate) fn seal<T: Encode<()>>(family: Family, key: &[u8], value: &T, out: &mut Vec<u8>) {
    out.clear();
    out.push(RECORD_VERSION);
    minicbor::encode(value, &mut *out).expect("writing to memory cannot fail");
    append_crc(family, key, out);
}

/// Reads a value's record.
pub(crate) fn open<T: for<'b> Decode<'b, ()>>(family: Family, key: &[u8], record: &[u8]) -> Result<T, Damage> {
    let body = checked(family, key, record)?;
    let (version, cbor) = body.split_first().ok_or(Damage::Short(record.len()))?;
    if *version != RECORD_VERSION {
        return Err(Damage::Version(*version));
    }
    let mut d = minicbor::Decoder::new(cbor);
    let value = d.decode().map_err(|e| Damage::Undecodable(e.to_string()))?;
    if d.position() == cbor.len() { Ok(value) } else { Err(Damage::Trailing) }
}

/// Replaces the contents of `out` by a log entry's record.
pub(crate) fn seal_entry(family: Family, key: &[u8], entry: &[u8], out: &mut Vec<u8>) {
    out.clear();
    out.extend(entry);
    append_crc(family, key, out);
}

/// Reads a log entry's record.
pub(crate) fn open_entry(family: Family, key: &[u8], record: &[u8]) -> Result<Bytes, Damage> {
    checked(family, key, record).map(Bytes::copy_from_slice)
}

/// Checks an index entry's record.
pub(crate) const fn open_index(record: &[u8]) -> Result<(), Damage> {
    if record.is_empty() { Ok(()) } else { Err(Damage::NotEmpty) }
}

fn append_crc(family: Family, key: &[u8], out: &mut Vec<u8>) {
    let crc = crc(family, key, out);
    out.extend(crc.to_be_bytes());
}

fn checked<'a>(family: Family, key: &[u8], record: &'a [u8]) -> Result<&'a [u8], Damage> {
    let (body, stored) = record.split_last_chunk::<CRC_BYTES>().ok_or(Damage::Short(record.len()))?;
    if crc(family, key, body) == u32::from_be_bytes(*stored) { Ok(body) } else { Err(Damage::Checksum) }
}

fn crc(family: Family, key: &[u8], body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(family.name().as_bytes());
    hasher.update(key);
    hasher.update(body);
    hasher.finalize()
}
