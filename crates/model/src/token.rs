//! The causality token: the log vector and the odds vector, compressed; opaque to clients, portable between regions.
//! Knows only how to pack and unpack; base64 is the edge's business.

use crdt::Vector;
use minicbor::{Decode, Encode};

use crate::limits::TOKEN_BYTES_MAX;

/// What an answer had seen.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct Token {
    /// Entries per site.
    #[n(0)]
    pub log: Vector,
    /// Odds-plane writes per site.
    #[n(1)]
    pub odds: Vector,
}

/// Why bytes are not a token.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TokenError {
    /// Not what this house hands out.
    #[error("is not a token of this cluster")]
    Malformed,
}

impl Token {
    /// Packs it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let bytes = minicbor::to_vec(self).unwrap_or_default();
        debug_assert!(bytes.len() < TOKEN_BYTES_MAX, "a handful of sites fits by far");
        bytes
    }

    /// Unpacks it.
    ///
    /// # Errors
    /// [`TokenError::Malformed`].
    pub fn decode(bytes: &[u8]) -> Result<Self, TokenError> {
        if bytes.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Malformed);
        }
        let mut d = minicbor::Decoder::new(bytes);
        let token = d.decode().map_err(|_| TokenError::Malformed)?;
        if d.position() == bytes.len() { Ok(token) } else { Err(TokenError::Malformed) }
    }

    /// Both vectors joined.
    pub fn join(&mut self, other: &Self) {
        self.log.join(&other.log);
        self.odds.join(&other.odds);
    }

    /// Whether all of `other` has been seen.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.log.covers(&other.log) && self.odds.covers(&other.odds)
    }
}
