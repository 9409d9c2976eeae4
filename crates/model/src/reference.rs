//! Payment providers' references: what a provider says that it has paid, and what was decided of it, once, by the
//! birth site of the account. Knows no rows and no regions' links.

use std::fmt;

use crdt::{Hlc, Site};
use minicbor::decode::Decoder;
use minicbor::encode::{Encoder, Write};
use minicbor::{Decode, Encode};
use rust_decimal::Decimal;

use crate::limits::{PROVIDER_BYTES_MAX, PROVIDER_REF_BYTES_MAX};
use crate::{AccountId, Amount, Currency, Hash16, MintedId, MoneyError, Text};

/// Decimal places of the finest currency.
const PLACES_MAX: u32 = 3;

/// A payment provider's own name of a payment, at the region that decides it: the one in the account's name. A
/// reference names one payment; for another account of the same region it is the same reference with another body.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Reference {
    region: Text,
    provider: Text,
    name: Text,
}

/// Why a text is not a provider or not its reference.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ReferenceError {
    /// Not a provider's name.
    #[error("must have 1 to 64 characters of A-Z a-z 0-9 . _ : -")]
    Provider,
    /// Not a reference.
    #[error("must have 1 to 200 visible ASCII characters, none of them a space")]
    Name,
    /// Not a region's name.
    #[error("names no region")]
    Region,
}

impl Reference {
    /// A provider's reference for an account.
    ///
    /// # Errors
    /// [`ReferenceError`] says which part is wrong.
    pub fn new(account: &AccountId, provider: &str, name: &str) -> Result<Self, ReferenceError> {
        Self::at(account.region(), provider, name)
    }

    /// A provider's reference at the region that decides it.
    ///
    /// # Errors
    /// [`ReferenceError`] says which part is wrong.
    pub fn at(region: &str, provider: &str, name: &str) -> Result<Self, ReferenceError> {
        Self::check_provider(provider)?;
        Self::check_name(name)?;
        if region.is_empty() || region.bytes().any(|b| !b.is_ascii_graphic()) {
            return Err(ReferenceError::Region);
        }
        Ok(Self { region: Text::new(region), provider: Text::new(provider), name: Text::new(name) })
    }

    /// Checks a provider's name.
    ///
    /// # Errors
    /// [`ReferenceError::Provider`].
    pub fn check_provider(provider: &str) -> Result<(), ReferenceError> {
        let fine = |b: u8| b.is_ascii_alphanumeric() || b"._:-".contains(&b);
        let fits = (1..=PROVIDER_BYTES_MAX).contains(&provider.len());
        if fits && provider.bytes().all(fine) { Ok(()) } else { Err(ReferenceError::Provider) }
    }

    /// Checks a provider's own name of a payment.
    ///
    /// # Errors
    /// [`ReferenceError::Name`].
    pub fn check_name(name: &str) -> Result<(), ReferenceError> {
        let fits = (1..=PROVIDER_REF_BYTES_MAX).contains(&name.len());
        if fits && name.bytes().all(|b| b.is_ascii_graphic()) { Ok(()) } else { Err(ReferenceError::Name) }
    }

    /// Name of the region that decides it.
    #[must_use]
    pub fn region(&self) -> &str {
        self.region.as_str()
    }

    /// The provider.
    #[must_use]
    pub fn provider(&self) -> &str {
        self.provider.as_str()
    }

    /// The provider's name of the payment.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_str()
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{} at {}", self.provider, self.name, self.region)
    }
}

impl<C> Encode<C> for Reference {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.array(3)?.str(self.region())?.str(self.provider())?.str(self.name())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Reference {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        if d.array()? != Some(3) {
            return Err(minicbor::decode::Error::message("a reference has three parts"));
        }
        Self::at(d.str()?, d.str()?, d.str()?).map_err(minicbor::decode::Error::message)
    }
}

/// An amount as it was sent, before anybody has looked at the account's currency: `units / 10^places`, above zero,
/// without zeros at its end.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Encode, Decode)]
pub struct SentAmount {
    #[n(0)]
    units: u64,
    #[n(1)]
    places: u8,
}

impl SentAmount {
    /// Reads a positive decimal.
    ///
    /// # Errors
    /// [`MoneyError`] when it is no amount of any currency.
    pub fn of(decimal: Decimal) -> Result<Self, MoneyError> {
        if decimal.is_zero() {
            return Err(MoneyError::Zero);
        }
        if decimal.is_sign_negative() {
            return Err(MoneyError::Negative);
        }
        let decimal = decimal.normalize();
        let places = u8::try_from(decimal.scale()).ok().filter(|p| u32::from(*p) <= PLACES_MAX);
        let places = places.ok_or(MoneyError::OverPrecise)?;
        let units = u64::try_from(decimal.mantissa()).map_err(|_| MoneyError::TooLarge)?;
        Amount::from_minor(units)?;
        Ok(Self { units, places })
    }

    /// The amount in a currency.
    ///
    /// # Errors
    /// [`MoneyError::OverPrecise`] and [`MoneyError::TooLarge`].
    pub fn in_currency(self, currency: Currency) -> Result<Amount, MoneyError> {
        Amount::from_decimal(self.decimal(), currency)
    }

    /// The amount as a decimal.
    #[must_use]
    pub fn decimal(self) -> Decimal {
        // Foreign bytes may say anything: what no decimal can hold is zero, which is no amount of any currency.
        i64::try_from(self.units)
            .ok()
            .filter(|_| u32::from(self.places) <= PLACES_MAX)
            .map_or(Decimal::ZERO, |units| Decimal::new(units, u32::from(self.places)))
    }

    /// Whether it is written as [`SentAmount::of`] writes it.
    #[must_use]
    pub fn is_sound(self) -> bool {
        Self::of(self.decimal()) == Ok(self)
    }
}

/// A provider's word that was taken in by a region, durably: the birth site decides it when it merges the entry.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Encode, Decode)]
pub struct Received {
    /// The reference.
    #[n(0)]
    pub reference: Reference,
    /// Whose money.
    #[n(1)]
    pub account: AccountId,
    /// How much, as it was sent.
    #[n(2)]
    pub amount: SentAmount,
    /// Hash of the request's body.
    #[n(3)]
    pub body: Hash16,
    /// Hybrid time at the region that took it in.
    #[n(4)]
    pub at: Hlc,
}

/// Why a reference was refused for good. Only what another region has taken in can be: where the birth site itself is
/// asked, these are answers that decide nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum ReferenceRefusal {
    /// There was no such account at its birth site.
    #[n(0)]
    AccountUnknown,
    /// More decimal places than the account's currency has.
    #[n(1)]
    OverPrecise,
    /// More than one posting or the account can hold.
    #[n(2)]
    TooLarge,
}

impl ReferenceRefusal {
    /// Stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccountUnknown => "account_unknown",
            Self::OverPrecise => "amount_over_precise",
            Self::TooLarge => "amount_too_large",
        }
    }
}

/// What was decided of a reference.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Encode, Decode)]
pub enum ReferenceOutcome {
    /// Credited, by this posting.
    #[n(0)]
    Posted(#[n(0)] MintedId),
    /// Refused for good; nothing was credited.
    #[n(1)]
    Refused(#[n(0)] ReferenceRefusal),
}

/// The decision of a reference. Final.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Encode, Decode)]
pub struct ReferenceDecision {
    /// What was decided on.
    #[n(0)]
    pub received: Received,
    /// The site that took it in.
    #[n(1)]
    pub from: Site,
    /// The site that decided it.
    #[n(2)]
    pub site: Site,
    /// Hybrid time of the decision.
    #[n(3)]
    pub at: Hlc,
    /// What it came to.
    #[n(4)]
    pub outcome: ReferenceOutcome,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_refused_for_the_part_that_is_wrong() {
        let account = AccountId::new("p@eu-west").unwrap();
        let of = |provider: &str, name: &str| Reference::new(&account, provider, name);
        assert_eq!(of("", "x"), Err(ReferenceError::Provider));
        assert_eq!(of("a b", "x"), Err(ReferenceError::Provider));
        assert_eq!(of(&"a".repeat(65), "x"), Err(ReferenceError::Provider));
        assert_eq!(of("stripe", ""), Err(ReferenceError::Name));
        assert_eq!(of("stripe", "a\u{0}b"), Err(ReferenceError::Name));
        assert_eq!(of("stripe", &"a".repeat(201)), Err(ReferenceError::Name));
        let fine = of("stripe", "ch_1/+=").unwrap();
        assert_eq!((fine.region(), fine.provider(), fine.name()), ("eu-west", "stripe", "ch_1/+="));
        let bytes = minicbor::to_vec(&fine).unwrap();
        assert_eq!(minicbor::decode::<Reference>(&bytes).unwrap(), fine);
        let foreign = minicbor::to_vec(("eu-west", "stripe", "a b")).unwrap();
        assert!(minicbor::decode::<Reference>(&foreign).is_err());
    }

    #[test]
    fn an_amount_waits_for_its_currency_without_a_loss() {
        let of = |text: &str| SentAmount::of(Decimal::from_str_exact(text).unwrap());
        let (gbp, yen) = (Currency::new("GBP").unwrap(), Currency::new("JPY").unwrap());
        assert_eq!(of("10.50"), of("10.5"), "the same amount is the same body");
        assert_eq!(of("10.50").unwrap().in_currency(gbp).unwrap().minor(), 1_050);
        assert_eq!(of("10.50").unwrap().in_currency(yen), Err(MoneyError::OverPrecise));
        assert_eq!(of("1000").unwrap().in_currency(yen).unwrap().minor(), 1_000);
        assert_eq!((of("0"), of("-1")), (Err(MoneyError::Zero), Err(MoneyError::Negative)));
        assert_eq!((of("0.0001"), of("99999999999999999")), (Err(MoneyError::OverPrecise), Err(MoneyError::TooLarge)));
        for (units, places) in [(0, 0), (10, 1), (1, 4), (u64::MAX, 0)] {
            assert!(!SentAmount { units, places }.is_sound(), "{units} {places}");
        }
        assert!(of("10.05").unwrap().is_sound());
    }
}
