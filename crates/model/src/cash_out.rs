//! A cash-out's quote: what a player is offered for a part of a wager, and for how long. It carries no secret and needs
//! none: whoever executes it works the offer out again and takes only a quote that says exactly the same.

use minicbor::{Decode, Encode};

use crate::{Amount, Hash16, MintedId};

/// An offer. Bound to all that it was worked out from: another wager, price, version or result makes another one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Encode, Decode)]
pub struct CashOutQuote {
    /// The wager.
    #[n(0)]
    pub wager: MintedId,
    /// The part of the original stake, minor units.
    #[n(1)]
    pub stake: Amount,
    /// What it pays, minor units.
    #[n(2)]
    pub pays: Amount,
    /// The last moment it holds, Unix ms of the owner's time.
    #[n(3)]
    pub expires_ms: u64,
    /// Hash of the wager's step and of the markets' versions and odds that it saw.
    #[n(4)]
    pub seen: Hash16,
}

impl CashOutQuote {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        minicbor::to_vec(self).expect("writing to memory cannot fail")
    }

    /// Reads a quote; `None` when the bytes are none.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut d = minicbor::Decoder::new(bytes);
        let quote: Self = d.decode().ok()?;
        (d.position() == bytes.len() && quote.expires_ms <= crate::limits::TIME_MS_MAX).then_some(quote)
    }
}
