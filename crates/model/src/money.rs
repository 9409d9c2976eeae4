//! Money: integers of minor units and currencies with exponents. Decimals exist only as text at the edge.
//! Knows no accounts and never a float.

use std::fmt;

use minicbor::{Decode, Encode};
use rust_decimal::Decimal;

use crate::limits::AMOUNT_MINOR_MAX;

/// An amount in minor units of its account's currency, at most 10^15.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Encode, Decode)]
#[cbor(transparent)]
pub struct Amount(#[n(0)] u64);

/// Why a text is not money.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MoneyError {
    /// Not a decimal number.
    #[error("is not a decimal number in quotes, such as \"10.50\"")]
    NotDecimal,
    /// Below zero.
    #[error("is negative")]
    Negative,
    /// Zero where money must move.
    #[error("is zero")]
    Zero,
    /// More digits than the currency has.
    #[error("has more decimal places than the currency")]
    OverPrecise,
    /// Above 10^15 minor units.
    #[error("is too large")]
    TooLarge,
    /// Not a currency this build knows.
    #[error("is not a known ISO 4217 currency code")]
    UnknownCurrency,
}

/// An ISO 4217 currency with its number of decimal places.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct Currency(#[cbor(n(0), with = "minicbor::bytes")] [u8; 3]);

/// Codes with two decimal places.
const TWO: &str = "AED ARS AUD BDT BGN BOB BRL CAD CHF CNY COP CRC CZK DKK DOP EGP EUR GBP GEL GHS GTQ HKD HUF IDR ILS \
INR KES KZT LKR MAD MXN MYR NGN NOK NZD PEN PHP PKR PLN QAR RON RSD SAR SEK SGD THB TRY TWD TZS UAH USD UYU ZAR ZMW";
/// Codes without decimal places.
const NONE: &str = "CLP ISK JPY KRW PYG UGX VND XAF XOF";
/// Codes with three.
const THREE: &str = "BHD JOD KWD OMR TND";

impl Currency {
    /// Parses a code.
    ///
    /// # Errors
    /// [`MoneyError::UnknownCurrency`].
    pub fn new(code: &str) -> Result<Self, MoneyError> {
        let bytes: [u8; 3] = code.as_bytes().try_into().map_err(|_| MoneyError::UnknownCurrency)?;
        let c = Self(bytes);
        if [TWO, NONE, THREE].iter().any(|list| list.split(' ').any(|k| k == code)) {
            Ok(c)
        } else {
            Err(MoneyError::UnknownCurrency)
        }
    }

    /// Three capital letters.
    #[must_use]
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("???")
    }

    /// Decimal places: 0, 2 or 3.
    #[must_use]
    pub fn exponent(&self) -> u32 {
        let listed = |list: &str| list.split(' ').any(|k| k == self.code());
        if listed(NONE) {
            0
        } else if listed(THREE) {
            3
        } else {
            2
        }
    }

    /// Writes minor units as a decimal string; negative numbers only appear in reports.
    #[must_use]
    pub fn format(&self, minor: i128) -> String {
        let exponent = self.exponent() as usize;
        if exponent == 0 {
            return minor.to_string();
        }
        let digits = format!("{:0width$}", minor.unsigned_abs(), width = exponent + 1);
        let (whole, part) = digits.split_at(digits.len() - exponent);
        format!("{}{whole}.{part}", if minor < 0 { "-" } else { "" })
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Amount {
    /// From minor units.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`] above 10^15.
    pub const fn from_minor(minor: u64) -> Result<Self, MoneyError> {
        if minor > AMOUNT_MINOR_MAX { Err(MoneyError::TooLarge) } else { Ok(Self(minor)) }
    }

    /// Minor units.
    #[must_use]
    pub const fn minor(self) -> u64 {
        self.0
    }

    /// Parses a positive decimal string in a currency.
    ///
    /// # Errors
    /// [`MoneyError`] says what is wrong.
    pub fn parse(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'-') {
            return Err(MoneyError::NotDecimal);
        }
        Self::from_decimal(Decimal::from_str_exact(text).map_err(|_| MoneyError::NotDecimal)?, currency)
    }

    /// Reads a positive decimal in a currency.
    ///
    /// # Errors
    /// [`MoneyError`] says what is wrong.
    pub fn from_decimal(decimal: Decimal, currency: Currency) -> Result<Self, MoneyError> {
        if decimal.is_zero() {
            return Err(MoneyError::Zero);
        }
        if decimal.is_sign_negative() {
            return Err(MoneyError::Negative);
        }
        let decimal = decimal.normalize();
        let missing = currency.exponent().checked_sub(decimal.scale()).ok_or(MoneyError::OverPrecise)?;
        let minor = u128::try_from(decimal.mantissa()).map_err(|_| MoneyError::Negative)?;
        let minor = minor.checked_mul(10u128.pow(missing)).ok_or(MoneyError::TooLarge)?;
        Self::from_minor(u64::try_from(minor).map_err(|_| MoneyError::TooLarge)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gbp(text: &str) -> Result<u64, MoneyError> {
        Amount::parse(text, Currency::new("GBP").unwrap()).map(Amount::minor)
    }

    #[test]
    fn money_is_exact_or_refused() {
        assert_eq!(gbp("10.50"), Ok(1050));
        assert_eq!(gbp("10.5000"), Ok(1050));
        assert_eq!(gbp("7"), Ok(700));
        assert_eq!(gbp("0.001"), Err(MoneyError::OverPrecise));
        assert_eq!(gbp("-1"), Err(MoneyError::Negative));
        assert_eq!(gbp("0.00"), Err(MoneyError::Zero));
        assert_eq!(gbp("1e3"), Err(MoneyError::NotDecimal));
        assert_eq!(gbp(" 1"), Err(MoneyError::NotDecimal));
        assert_eq!(gbp("99999999999999999999"), Err(MoneyError::TooLarge));
        let jpy = Currency::new("JPY").unwrap();
        assert_eq!(Amount::parse("10.5", jpy), Err(MoneyError::OverPrecise));
        assert_eq!(jpy.format(1050), "1050");
        assert_eq!(Currency::new("KWD").unwrap().format(5), "0.005");
        assert_eq!(Currency::new("GBP").unwrap().format(-105), "-1.05");
    }
}
