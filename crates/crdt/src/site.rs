//! Who writes: a site is the single writer of one log and of its own rows and dots.
//! Knows nothing of names, addresses or topology.

use minicbor::{Decode, Encode};

/// `(region number, incarnation, shard)`: the single writer of its own log `1..L`, rows and dots.
/// A site is never reused: a region that may have forgotten something comes back with a higher incarnation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Site {
    /// Region number, 1 to 4095.
    #[n(0)]
    pub region: u16,
    /// Counts the lives of the region's data directory, from 1.
    #[n(1)]
    pub incarnation: u32,
    /// Unit of residency inside a region; 0 for now.
    #[n(2)]
    pub shard: u16,
}

impl Site {
    /// The site of a region's shard 0.
    #[must_use]
    pub const fn new(region: u16, incarnation: u32) -> Self {
        Self { region, incarnation, shard: 0 }
    }
}

impl std::fmt::Display for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.region, self.incarnation, self.shard)
    }
}

impl std::fmt::Debug for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// One write of one site: the site's `n`-th, counted from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
pub struct Dot {
    /// The writer.
    #[n(0)]
    pub site: Site,
    /// Its running number, from 1.
    #[n(1)]
    pub n: u64,
}
