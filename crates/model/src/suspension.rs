//! What an operator can take off sale, from everything down to one account. Names scopes only: who holds one and
//! whether it is in force are registers' and rows' matters.

use std::fmt;

use minicbor::decode::Decoder;
use minicbor::encode::{Encoder, Write};
use minicbor::{Decode, Encode};

use crate::limits::KEY_BYTES_MAX;
use crate::{AccountId, EventKey, KeyError, MarketKey, Text};

/// A sport or event type as definitions state it: `1`, `sr:sport:5`, `Ice hockey`. Not empty, at most 200 bytes, no
/// control character; otherwise as it was written, for it is compared with what definitions say.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Sport(Text);

impl Sport {
    /// Reads a sport.
    ///
    /// # Errors
    /// [`KeyError`] says what is wrong with it.
    pub fn new(s: &str) -> Result<Self, KeyError> {
        if s.is_empty() {
            return Err(KeyError::Empty);
        }
        if s.len() > KEY_BYTES_MAX {
            return Err(KeyError::TooLong);
        }
        if s.chars().any(char::is_control) { Err(KeyError::BadCharacter) } else { Ok(Self(Text::new(s))) }
    }

    /// The sport as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Display for Sport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<C> Encode<C> for Sport {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.str(self.as_str())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Sport {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        Self::new(d.str()?).map_err(minicbor::decode::Error::message)
    }
}

/// A scope of the odds plane that is wider than a market: a register each.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
pub enum SaleScope {
    /// Every market.
    #[n(0)]
    All,
    /// Every market of a sport.
    #[n(1)]
    Sport(#[n(0)] Sport),
    /// Every market of an event.
    #[n(2)]
    Event(#[n(0)] EventKey),
}

/// What a suspension takes off sale, in the order of lists.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Suspension {
    /// Markets of a wide scope.
    Sale(SaleScope),
    /// One market.
    Market(MarketKey),
    /// Wagers of one account.
    Account(AccountId),
}

impl Suspension {
    /// Its scope's name in the HTTP contract.
    #[must_use]
    pub const fn scope(&self) -> &'static str {
        match self {
            Self::Sale(SaleScope::All) => "all",
            Self::Sale(SaleScope::Sport(_)) => "sport",
            Self::Sale(SaleScope::Event(_)) => "event",
            Self::Market(_) => "market",
            Self::Account(_) => "account",
        }
    }

    /// Its key; `all` has none.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::Sale(SaleScope::All) => None,
            Self::Sale(SaleScope::Sport(sport)) => Some(sport.as_str()),
            Self::Sale(SaleScope::Event(event)) => Some(event.as_str()),
            Self::Market(market) => Some(market.as_str()),
            Self::Account(account) => Some(account.as_str()),
        }
    }

    /// Reads a scope and its key.
    ///
    /// # Errors
    /// The field at fault and what is wrong with it.
    pub fn read(scope: &str, key: Option<&str>) -> Result<Self, (&'static str, String)> {
        let of_key = |e: KeyError| ("key", e.to_string());
        if scope == "all" {
            let none = key.is_none_or(str::is_empty);
            return if none {
                Ok(Self::Sale(SaleScope::All))
            } else {
                Err(("key", "must be absent for all".to_owned()))
            };
        }
        let needed = || key.ok_or(("key", format!("is missing: which {scope}")));
        match scope {
            "sport" => Ok(Self::Sale(SaleScope::Sport(Sport::new(needed()?).map_err(of_key)?))),
            "event" => Ok(Self::Sale(SaleScope::Event(EventKey::new(needed()?).map_err(of_key)?))),
            "market" => MarketKey::new(needed()?).map(Self::Market).map_err(of_key),
            "account" => AccountId::new(needed()?).map(Self::Account).map_err(of_key),
            _ => Err(("scope", "is none of all, sport, event, market, account".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_read_with_its_key_and_refused_for_what_is_wrong_with_it() {
        for (scope, key) in [("all", None), ("sport", Some("Ice hockey")), ("event", Some("sr:match:1"))] {
            let read = Suspension::read(scope, key).unwrap();
            assert_eq!((read.scope(), read.key()), (scope, key));
        }
        assert_eq!(
            Suspension::read("account", Some("p")).unwrap_err(),
            ("key", "is not of the form name@region".into())
        );
        assert_eq!(Suspension::read("all", Some("x")).unwrap_err().0, "key");
        assert_eq!(Suspension::read("market", None).unwrap_err().0, "key");
        assert_eq!(Suspension::read("world", None).unwrap_err().0, "scope");
        assert_eq!(Sport::new("a\0b"), Err(KeyError::BadCharacter));
        assert_eq!(Sport::new(&"x".repeat(201)), Err(KeyError::TooLong));
    }
}
