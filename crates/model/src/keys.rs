//! Names as they travel: market, outcome, event, producer and account keys.
//! A key that exists is valid: non-empty, at most 200 bytes, only the characters of API.md.

use std::fmt;
use std::sync::Arc;

use minicbor::decode::Decoder;
use minicbor::encode::{Encoder, Write};
use minicbor::{Decode, Encode};

use crate::limits::KEY_BYTES_MAX;

/// Why a text is not a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KeyError {
    /// Nothing there.
    #[error("is empty")]
    Empty,
    /// More than 200 bytes.
    #[error("is longer than 200 bytes")]
    TooLong,
    /// A character outside `A-Z a-z 0-9 : . _ ; = , @ ~ -` and percent escapes.
    #[error("has a character outside A-Z a-z 0-9 : . _ ; = , @ ~ - (percent-encode others)")]
    BadCharacter,
    /// An account that is not `name@region`.
    #[error("is not of the form name@region")]
    NotAnAccount,
}

/// A short shared text; cloning is cheap.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(Arc<str>);

impl Text {
    /// Any text.
    #[must_use]
    pub fn new(s: &str) -> Self {
        Self(Arc::from(s))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

impl<C> Encode<C> for Text {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.str(&self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Text {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        Ok(Self(Arc::from(d.str()?)))
    }
}

fn check(s: &str) -> Result<(), KeyError> {
    if s.is_empty() {
        return Err(KeyError::Empty);
    }
    if s.len() > KEY_BYTES_MAX {
        return Err(KeyError::TooLong);
    }
    let fine = |b: u8| b.is_ascii_alphanumeric() || b":._;=,@~-%".contains(&b);
    if s.bytes().all(fine) { Ok(()) } else { Err(KeyError::BadCharacter) }
}

macro_rules! key {
    ($(#[$doc:meta])* $name:ident, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Text);

        impl $name {
            /// Parses a key.
            ///
            /// # Errors
            /// [`KeyError`] says what is wrong with it.
            pub fn new(s: &str) -> Result<Self, KeyError> {
                check(s)?;
                let more: fn(&str) -> Result<(), KeyError> = $check;
                more(s)?;
                Ok(Self(Text::new(s)))
            }

            /// The key as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl<C> Encode<C> for $name {
            fn encode<W: Write>(
                &self,
                e: &mut Encoder<W>,
                _: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                e.str(self.as_str())?.ok()
            }
        }

        impl<'b, C> Decode<'b, C> for $name {
            fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
                Self::new(d.str()?).map_err(|e| minicbor::decode::Error::message(e))
            }
        }
    };
}

key!(
    /// A market: `betfair:1.197931750`, `uof:sr:match:123;18;total=2.5`.
    MarketKey, |_| Ok(())
);
key!(
    /// An outcome of a market: `36276560`, with a handicap `36276560@-1.5`. `*` is not an outcome.
    OutcomeKey, |_| Ok(())
);
key!(
    /// An event: `betfair:31389771`, `sr:match:123`.
    EventKey, |_| Ok(())
);
key!(
    /// A group of markets that stops name: `all`, `regular_play`.
    GroupKey, |_| Ok(())
);
key!(
    /// Who states odds and results: `betfair`, `uof:1`, `desk:eu-west`.
    ProducerId, |_| Ok(())
);
key!(
    /// An account `name@region`, the region being where it was opened: its birth site.
    AccountId,
    |s| match s.split_once('@') {
        Some((name, region)) if !name.is_empty() && !region.is_empty() && !region.contains('@') => Ok(()),
        _ => Err(KeyError::NotAnAccount),
    }
);

impl AccountId {
    /// Name of the region in the account's name.
    #[must_use]
    pub fn region(&self) -> &str {
        self.as_str().split_once('@').map_or("", |(_, region)| region)
    }
}

impl ProducerId {
    /// The desk of a region: alive while its region is.
    ///
    /// # Errors
    /// [`KeyError`] when the region's name does not fit into a key.
    pub fn desk(region: &str) -> Result<Self, KeyError> {
        Self::new(&format!("desk:{region}"))
    }

    /// Whether it is a producer of the Unified Odds Feed (`uof:1`): only its `alive` is a sign of life, and a down is
    /// lifted by nothing but the end of a recovery.
    #[must_use]
    pub fn is_uof(&self) -> bool {
        self.as_str().starts_with("uof:")
    }

    /// The region's name, if this is a desk.
    #[must_use]
    pub fn desk_region(&self) -> Option<&str> {
        self.as_str().strip_prefix("desk:")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_refused_for_what_is_wrong_with_it() {
        assert_eq!(MarketKey::new(""), Err(KeyError::Empty));
        assert_eq!(MarketKey::new("a b"), Err(KeyError::BadCharacter));
        assert_eq!(MarketKey::new(&"x".repeat(201)), Err(KeyError::TooLong));
        assert_eq!(AccountId::new("p1"), Err(KeyError::NotAnAccount));
        assert_eq!(AccountId::new("p1@eu-west").unwrap().region(), "eu-west");
    }
}
