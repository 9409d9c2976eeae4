//! Minted ids: UUID version 8 that carry their origin, so that exactly one site decides each (DESIGN.md section 3).
//! Layout: `place_by` Unix ms (48 bits), version, region number (12), variant, incarnation mod 1024 (10), random (52).
//! Knows no clock and no random source: both are arguments.

use std::fmt;

use minicbor::{Decode, Encode};
use uuid::Uuid;

/// A wager's or posting's id. Ordered by `place_by`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct MintedId(#[cbor(n(0), with = "minicbor::bytes")] [u8; 16]);

/// Why a text is not a minted id.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum IdError {
    /// Not a UUID at all.
    #[error("is not a UUID")]
    NotUuid,
    /// A UUID of another version or variant.
    #[error("is not a UUID of version 8; take ids from POST /v1/ids")]
    NotVersion8,
    /// Region number 0.
    #[error("names region 0, which does not exist")]
    NoRegion,
}

const RANDOM_MASK: u64 = (1 << 52) - 1;

impl MintedId {
    /// Stamps an id. `place_by_ms` is kept to 48 bits, `region` to 12, the incarnation modulo 1024, `random` to 52.
    #[must_use]
    pub fn mint(place_by_ms: u64, region: u16, incarnation: u32, random: u64) -> Self {
        let high = (place_by_ms << 16) | 0x8000 | u64::from(region & 0x0fff);
        let low = (0b10 << 62) | (u64::from(incarnation & 0x3ff) << 52) | (random & RANDOM_MASK);
        Self(((u128::from(high) << 64) | u128::from(low)).to_be_bytes())
    }

    /// Reads a UUID's text form.
    ///
    /// # Errors
    /// [`IdError`] when it is not a minted id.
    pub fn parse(s: &str) -> Result<Self, IdError> {
        let uuid = Uuid::try_parse(s).map_err(|_| IdError::NotUuid)?;
        Self::from_bytes(*uuid.as_bytes())
    }

    /// Reads the 16 bytes of an id.
    ///
    /// # Errors
    /// [`IdError`] when they are not a minted id.
    pub fn from_bytes(bytes: [u8; 16]) -> Result<Self, IdError> {
        let id = Self(bytes);
        let n = u128::from_be_bytes(bytes);
        if (n >> 76) & 0xf != 8 || (n >> 62) & 0b11 != 0b10 {
            return Err(IdError::NotVersion8);
        }
        if id.region() == 0 { Err(IdError::NoRegion) } else { Ok(id) }
    }

    /// Last moment the owner may decide it, Unix ms of the owner's time.
    #[must_use]
    pub fn place_by_ms(self) -> u64 {
        u64::try_from(u128::from_be_bytes(self.0) >> 80).unwrap_or(u64::MAX)
    }

    /// Number of the region that decides it.
    #[must_use]
    pub fn region(self) -> u16 {
        u16::try_from((u128::from_be_bytes(self.0) >> 64) & 0x0fff).unwrap_or(0)
    }

    /// Incarnation modulo 1024.
    #[must_use]
    pub fn incarnation_residue(self) -> u16 {
        u16::try_from((u128::from_be_bytes(self.0) >> 52) & 0x3ff).unwrap_or(0)
    }

    /// The 16 bytes, in key order.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for MintedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Uuid::from_bytes(self.0).hyphenated().fmt(f)
    }
}

impl fmt::Debug for MintedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_stamped_is_read_back(ms in 0u64..(1 << 48), region in 1u16..4096, inc in 0u32..5000, random: u64) {
            let id = MintedId::mint(ms, region, inc, random);
            let back = MintedId::parse(&id.to_string()).unwrap();
            prop_assert_eq!(back, id);
            prop_assert_eq!(back.place_by_ms(), ms);
            prop_assert_eq!(back.region(), region);
            prop_assert_eq!(u32::from(back.incarnation_residue()), inc % 1024);
        }
    }

    #[test]
    fn other_uuids_are_refused() {
        assert_eq!(MintedId::parse("nonsense"), Err(IdError::NotUuid));
        assert_eq!(MintedId::parse("6f9619ff-8b86-4011-b42d-00c04fc964ff"), Err(IdError::NotVersion8));
        assert_eq!(MintedId::parse("00000000-0000-8000-8000-000000000001"), Err(IdError::NoRegion));
    }
}
