//! A segment: consecutive entries of one log in a file of their own, sealed for good before they are cut from the log.
//! Knows files and the chain; knows no RocksDB.
//!
//! `<data>/segments/<site>/<first>-<last>.seg`:
//!
//! | bytes | what |
//! |---|---|
//! | 4 + 1 | `SHSG`, version 1 |
//! | 2 + 4 + 2 | site: region, incarnation, shard |
//! | 8 + 8 | first and last index |
//! | 16 + 16 + 16 | hash of the entry before the first, hash of the last, order-free sum of all hashes |
//! | 8 | length of what follows, without the checksum |
//! | ... | a zstd frame: each entry's length (4 bytes) and bytes |
//! | 32 | BLAKE3 of the header and of the frame's own BLAKE3 |
//!
//! All numbers are big-endian. A file under this name is whole: it is written under another one, synced, then renamed.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use crdt::Site;
use engine::log::{Entry, hash16, seal_of, sum16};
use engine::port::Seal;
use model::Hash16;
use model::limits::{CUT_SLICE_ENTRIES_MAX, FRAME_BYTES_MAX};

const MAGIC: [u8; 4] = *b"SHSG";
const VERSION: u8 = 1;
const HEADER_BYTES: usize = 4 + 1 + 8 + 16 + 48 + 8;
const CHECK_BYTES: u64 = 32;
/// Fast: a log of rows and wagers halves at any level.
const ZSTD_LEVEL: i32 = 1;

struct Header {
    site: Site,
    first: u64,
    last: u64,
    prev: Hash16,
    seal: Seal,
    body_bytes: u64,
}

impl Header {
    fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER_BYTES);
        out.extend(MAGIC);
        out.push(VERSION);
        out.extend(self.site.region.to_be_bytes());
        out.extend(self.site.incarnation.to_be_bytes());
        out.extend(self.site.shard.to_be_bytes());
        out.extend(self.first.to_be_bytes());
        out.extend(self.last.to_be_bytes());
        out.extend(self.prev.0);
        out.extend(self.seal.hash.0);
        out.extend(self.seal.sum.0);
        out.extend(self.body_bytes.to_be_bytes());
        out
    }
}

fn fault(path: &Path, why: impl std::fmt::Display) -> io::Error {
    io::Error::other(format!("segment {}: {why}", path.display()))
}

fn path_of(folder: &Path, first: u64, last: u64) -> PathBuf {
    folder.join(format!("{first:020}-{last:020}.seg"))
}

/// A hasher on the way to a file.
struct Hashed {
    file: File,
    hasher: blake3::Hasher,
    bytes: u64,
}

impl Write for Hashed {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let written = self.file.write(buf)?;
        self.hasher.update(buf.get(..written).unwrap_or_default());
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// A segment being written.
pub(crate) struct Writer {
    folder: PathBuf,
    temporary: PathBuf,
    header: Header,
    next: u64,
    body: zstd::stream::Encoder<'static, Hashed>,
}

impl Writer {
    /// Begins a segment under a name that is not its own.
    pub(crate) fn create(folder: &Path, site: Site, first: u64, last: u64) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        for dir in [Some(folder), folder.parent(), folder.parent().and_then(Path::parent)].into_iter().flatten() {
            File::open(dir)?.sync_all()?;
        }
        let temporary = path_of(folder, first, last).with_extension("tmp");
        let mut file = File::create(&temporary)?;
        file.write_all(&[0; HEADER_BYTES])?;
        let body = zstd::stream::Encoder::new(Hashed { file, hasher: blake3::Hasher::new(), bytes: 0 }, ZSTD_LEVEL)?;
        let seal = Seal { hash: Hash16::default(), sum: Hash16::default() };
        let header = Header { site, first, last, prev: Hash16::default(), seal, body_bytes: 0 };
        Ok(Self { folder: folder.to_owned(), temporary, header, next: first, body })
    }

    /// Adds the next entry; it must follow the one before it.
    pub(crate) fn entry(&mut self, bytes: &[u8]) -> io::Result<()> {
        let entry = Entry::decode(bytes).map_err(|e| fault(&self.temporary, e))?;
        if self.next == self.header.first {
            (self.header.prev, self.header.seal.hash) = (entry.prev, entry.prev);
        }
        if entry.site != self.header.site || entry.seq != self.next || entry.prev != self.header.seal.hash {
            return Err(fault(&self.temporary, format!("entry {} does not follow", self.next)));
        }
        let hash = hash16(bytes);
        self.header.seal = Seal { hash, sum: sum16(self.header.seal.sum, hash) };
        self.next += 1;
        let length = u32::try_from(bytes.len()).map_err(|e| fault(&self.temporary, e))?;
        self.body.write_all(&length.to_be_bytes())?;
        self.body.write_all(bytes)
    }

    /// Seals it: durable under its own name.
    pub(crate) fn finish(self) -> io::Result<Seal> {
        let Self { folder, temporary, mut header, next, body } = self;
        if next != header.last + 1 {
            return Err(fault(&temporary, format!("it ends before entry {next}")));
        }
        let Hashed { mut file, hasher, bytes } = body.finish()?;
        header.body_bytes = bytes;
        let front = header.bytes();
        file.write_all(check(&front, hasher.finalize()).as_bytes())?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&front)?;
        file.sync_all()?;
        fs::rename(&temporary, path_of(&folder, header.first, header.last))?;
        File::open(&folder)?.sync_all()?;
        Ok(header.seal)
    }
}

fn check(front: &[u8], body: blake3::Hash) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(front);
    hasher.update(body.as_bytes());
    hasher.finalize()
}

/// Reads a segment back and checks every byte of it: checksum, header, and the chain.
pub(crate) fn read(folder: &Path, site: Site, first: u64, last: u64) -> io::Result<Vec<Bytes>> {
    let path = path_of(folder, first, last);
    let bytes = fs::read(&path).map_err(|e| fault(&path, e))?;
    let (front, rest) = bytes.split_at_checked(HEADER_BYTES).ok_or_else(|| fault(&path, "it is too short"))?;
    let body_bytes = (rest.len() as u64).checked_sub(CHECK_BYTES).ok_or_else(|| fault(&path, "it is too short"))?;
    let (body, stated) = rest.split_at(usize::try_from(body_bytes).map_err(|e| fault(&path, e))?);
    if check(front, blake3::hash(body)).as_bytes().as_slice() != stated {
        return Err(fault(&path, "its checksum does not match"));
    }
    let entries = entries(body, last.saturating_sub(first).saturating_add(1)).map_err(|e| fault(&path, e))?;
    let prev = entries.first().and_then(|bytes| Entry::decode(bytes).ok()).map(|e| e.prev).unwrap_or_default();
    let seal = seal_of(site, first, &entries).map_err(|e| fault(&path, e))?;
    let header = Header { site, first, last, prev, seal, body_bytes };
    if header.bytes() != front {
        return Err(fault(&path, "its header is not that of its entries"));
    }
    Ok(entries)
}

fn entries(body: &[u8], count: u64) -> io::Result<Vec<Bytes>> {
    if count > CUT_SLICE_ENTRIES_MAX {
        return Err(io::Error::other(format!("it has {count} entries")));
    }
    let mut body = zstd::stream::Decoder::new(body)?;
    let mut found = Vec::new();
    for _ in 0..count {
        let mut length = [0; 4];
        body.read_exact(&mut length)?;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > FRAME_BYTES_MAX {
            return Err(io::Error::other(format!("an entry of {length} bytes")));
        }
        let mut entry = vec![0; length];
        body.read_exact(&mut entry)?;
        found.push(Bytes::from(entry));
    }
    match body.read(&mut [0])? {
        0 => Ok(found),
        _ => Err(io::Error::other("bytes after its last entry")),
    }
}

#[cfg(test)]
mod tests {
    use crdt::Hlc;
    use engine::log::Cause;

    use super::*;

    const SITE: Site = Site::new(3, 2);

    fn sealed(folder: &Path, first: u64, last: u64) -> Vec<Bytes> {
        let mut prev = Hash16([9; 16]);
        let sealed_before = path_of(folder, first, last).exists();
        let mut writer = Writer::create(folder, SITE, first, last).unwrap();
        let mut all = Vec::new();
        for seq in first..=last {
            let entry = Entry { site: SITE, seq, prev, at: Hlc::new(seq, 1), by: Cause::Client, events: Vec::new() };
            let bytes = entry.encode();
            prev = hash16(&bytes);
            writer.entry(&bytes).unwrap();
            all.push(bytes);
        }
        let is_there = path_of(folder, first, last).exists();
        assert_eq!(is_there, sealed_before, "nothing comes under its name before it is whole");
        assert_eq!(writer.finish().unwrap().hash, prev);
        all
    }

    #[test]
    fn a_segment_is_read_back_as_it_was_sealed() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("segments").join("site");
        let all = sealed(&folder, 41, 90);
        assert_eq!(read(&folder, SITE, 41, 90).unwrap(), all);
        assert_eq!(sealed(&folder, 41, 90), all, "sealing again is harmless");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "and leaves nothing behind");
        assert!(read(&folder, Site::new(3, 1), 41, 90).is_err(), "it is that site's");
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        sealed(dir.path(), 1, 20);
        let path = path_of(dir.path(), 1, 20);
        let sound = fs::read(&path).unwrap();
        for at in 0..sound.len() {
            let mut broken = sound.clone();
            broken[at] ^= 1 << (at % 8);
            fs::write(&path, &broken).unwrap();
            assert!(read(dir.path(), SITE, 1, 20).is_err(), "byte {at}");
        }
        for length in [0, 10, HEADER_BYTES, sound.len() - 1] {
            fs::write(&path, &sound[..length]).unwrap();
            assert!(read(dir.path(), SITE, 1, 20).is_err(), "cut at {length}");
        }
    }

    #[test]
    fn what_does_not_chain_is_not_sealed() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::create(dir.path(), SITE, 1, 2).unwrap();
        let entry = |seq, prev| Entry { site: SITE, seq, prev, at: Hlc(1), by: Cause::Client, events: Vec::new() };
        writer.entry(&entry(1, Hash16::default()).encode()).unwrap();
        assert!(writer.entry(&entry(2, Hash16::default()).encode()).is_err());
        assert!(writer.finish().is_err(), "and not in part");
        assert!(read(dir.path(), SITE, 1, 2).is_err());
    }
}
