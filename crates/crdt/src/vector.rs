//! Version vectors: per site, how much is known. For catch-up and tokens, never for ordering writes.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use crate::{Dot, Site};

/// Per site the highest number known; absent means 0.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Encode, Decode)]
#[cbor(transparent)]
pub struct Vector(#[n(0)] BTreeMap<Site, u64>);

impl Vector {
    /// What is known of `site`.
    #[must_use]
    pub fn get(&self, site: Site) -> u64 {
        self.0.get(&site).copied().unwrap_or(0)
    }

    /// Raises one component; a lower number changes nothing.
    pub fn raise(&mut self, site: Site, n: u64) {
        if n > self.get(site) {
            self.0.insert(site, n);
        }
    }

    /// Component-wise maximum.
    pub fn join(&mut self, other: &Self) {
        for (site, n) in &other.0 {
            self.raise(*site, *n);
        }
    }

    /// Whether everything in `other` is known here.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        other.0.iter().all(|(site, n)| self.get(*site) >= *n)
    }

    /// Whether one write is known here.
    #[must_use]
    pub fn covers_dot(&self, dot: Dot) -> bool {
        self.get(dot.site) >= dot.n
    }

    /// Components in site order.
    pub fn iter(&self) -> impl Iterator<Item = (Site, u64)> + '_ {
        self.0.iter().map(|(s, n)| (*s, *n))
    }

    /// Number of sites known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(Site, u64)> for Vector {
    fn from_iter<I: IntoIterator<Item = (Site, u64)>>(iter: I) -> Self {
        let mut v = Self::default();
        for (site, n) in iter {
            v.raise(site, n);
        }
        v
    }
}
