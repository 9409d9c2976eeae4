//! Whose directory this is: written once when it is created, compared at every start.
//! Knows no topology; the names and numbers are handed in.

use std::fmt;

use minicbor::{Decode, Encode};

/// Version of the whole layout (families, key table). Raised when an old build could misread a new directory.
pub(crate) const FORMAT_VERSION: u32 = 1;

/// Whose data a directory holds. A directory belongs to one life of one region of one cluster for good.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Encode, Decode)]
pub struct Identity {
    /// Name of the cluster.
    #[n(0)]
    pub cluster: String,
    /// Region number, 1 to 4095.
    #[n(1)]
    pub region: u16,
    /// Region name.
    #[n(2)]
    pub region_name: String,
    /// Which life of the region's data, from 1.
    #[n(3)]
    pub incarnation: u32,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cluster, region, region_name, incarnation } = self;
        write!(f, "cluster {cluster}, region {region} ({region_name}), incarnation {incarnation}")
    }
}

/// The first record of a directory.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub(crate) struct Birth {
    #[n(0)]
    pub(crate) format: u32,
    #[n(1)]
    pub(crate) identity: Identity,
}

/// Why a directory could not be opened. In every case nothing in it was changed by this start, except that RocksDB
/// may have brought its own files into order.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or another store of this one, has it open.
    #[error("data directory {place} is in use by another process")]
    InUse {
        /// The directory.
        place: String,
    },
    /// It belongs to someone else.
    #[error("data directory {place} belongs to {found}; this node is {expected}")]
    OtherIdentity {
        /// The directory.
        place: String,
        /// Whose it is.
        found: Box<Identity>,
        /// Who wants it.
        expected: Box<Identity>,
    },
    /// Written in a layout that this build does not read.
    #[error("data directory {place} has format {found}; this build reads format {FORMAT_VERSION}")]
    OtherFormat {
        /// The directory.
        place: String,
        /// Its format.
        found: u32,
    },
    /// A RocksDB database, but not a Stakehold store of this format.
    #[error("data directory {place} is not a store of this format: {why}")]
    NotAStore {
        /// The directory.
        place: String,
        /// What is wrong with it.
        why: String,
    },
    /// The disk failed, or what it holds is damaged.
    #[error("cannot open data directory {place}: {why}")]
    Disk {
        /// The directory.
        place: String,
        /// RocksDB's or the system's own words.
        why: String,
    },
}
