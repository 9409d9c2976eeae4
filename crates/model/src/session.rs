//! Login sessions: opened at one region under a minted id that says when they expire, bound to an account for good,
//! ended by any region and never opened again. Knows no documents and no homes.

use crdt::{Hlc, Site};
use minicbor::{Decode, Encode};

use crate::limits::CHANNEL_BYTES_MAX;
use crate::{AccountId, Mint, MintedId, Text};

/// The opening of a session. Its `place_by` is when it expires.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Encode, Decode)]
pub struct Session {
    /// Its id, minted by the region that opens it.
    #[n(0)]
    pub id: MintedId,
    /// Whose it is.
    #[n(1)]
    pub account: AccountId,
    /// Where the player is: `web`, `app`, `retail`, …
    #[n(2)]
    pub channel: Text,
    /// Hybrid time of the opening.
    #[n(3)]
    pub at: Hlc,
}

impl Session {
    /// Whether a text is a channel: 1 to 32 characters of `a-z 0-9 _ -`.
    #[must_use]
    pub fn is_channel(text: &str) -> bool {
        let fine = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b);
        (1..=CHANNEL_BYTES_MAX).contains(&text.len()) && text.bytes().all(fine)
    }
}

/// All that is known of a session. The end may come before the opening, for they can stand in two logs; it stays.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Encode, Decode)]
pub struct SessionRecord {
    /// The opening, once it has come.
    #[n(0)]
    pub opened: Option<Session>,
    /// Earliest end, by hybrid time.
    #[n(1)]
    pub ended: Option<Hlc>,
}

/// A session and what its player needs to go on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionView {
    /// The session.
    pub session: Session,
    /// Where the account's rights are.
    pub home: Site,
    /// Whether the home was asked to come here.
    pub moving_here: bool,
    /// For minting ids here.
    pub mint: Mint,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_is_a_short_plain_word() {
        assert!(Session::is_channel("web") && Session::is_channel("retail-7_b"));
        for bad in ["", "Web", "a b", "a:b", &"a".repeat(33)] {
            assert!(!Session::is_channel(bad), "{bad}");
        }
    }
}
