//! A part of a whole: an exact fraction from 0 to 1. Void factors, dead-heat factors, place fractions, deductions.
//! Knows nothing of what it is a part of; never a float.

use std::cmp::Ordering;
use std::fmt;

use minicbor::decode::Decoder;
use minicbor::encode::{Encoder, Write};
use minicbor::{Decode, Encode};
use rust_decimal::Decimal;

/// `num/den` in lowest terms, from 0 to 1.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Share {
    num: u32,
    den: u32,
}

/// Why a text or a pair is not a share.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ShareError {
    /// Neither a decimal nor a fraction.
    #[error("is neither a decimal (\"0.5\") nor a fraction (\"1/3\")")]
    NotShare,
    /// Below 0 or above 1.
    #[error("is not between 0 and 1")]
    OutOfRange,
    /// Needs more than 32 bits as a fraction.
    #[error("cannot be represented exactly as a 32-bit fraction")]
    Unrepresentable,
}

impl Share {
    /// Nothing.
    pub const ZERO: Self = Self { num: 0, den: 1 };
    /// A half.
    pub const HALF: Self = Self { num: 1, den: 2 };
    /// All of it.
    pub const ONE: Self = Self { num: 1, den: 1 };

    /// From a fraction, reduced.
    ///
    /// # Errors
    /// [`ShareError`] when it does not lie between 0 and 1 or does not fit 32 bits in lowest terms.
    pub fn new(num: u64, den: u64) -> Result<Self, ShareError> {
        if den == 0 || num > den {
            return Err(ShareError::OutOfRange);
        }
        let g = gcd(num, den);
        let fit = |n: u64| u32::try_from(n).map_err(|_| ShareError::Unrepresentable);
        Ok(Self { num: fit(num / g)?, den: fit(den / g)? })
    }

    /// Reads `0.25`, `1/4` or `1`.
    ///
    /// # Errors
    /// [`ShareError`] says why not.
    pub fn parse(text: &str) -> Result<Self, ShareError> {
        let digits = |s: &str| {
            let fine = !s.is_empty() && s.len() <= 10 && s.bytes().all(|b| b.is_ascii_digit());
            fine.then(|| s.parse::<u64>().ok()).flatten().ok_or(ShareError::NotShare)
        };
        if let Some((num, den)) = text.split_once('/') {
            return Self::new(digits(num)?, digits(den)?);
        }
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
            return Err(ShareError::NotShare);
        }
        let decimal = Decimal::from_str_exact(text).map_err(|_| ShareError::NotShare)?.normalize();
        if decimal > Decimal::ONE {
            return Err(ShareError::OutOfRange);
        }
        let num = u64::try_from(decimal.mantissa()).map_err(|_| ShareError::Unrepresentable)?;
        Self::new(num, 10u64.checked_pow(decimal.scale()).ok_or(ShareError::Unrepresentable)?)
    }

    /// Numerator in lowest terms.
    #[must_use]
    pub const fn num(self) -> u32 {
        self.num
    }

    /// Denominator in lowest terms, above 0.
    #[must_use]
    pub const fn den(self) -> u32 {
        self.den
    }

    /// What is left of the whole.
    #[must_use]
    pub const fn rest(self) -> Self {
        Self { num: self.den - self.num, den: self.den }
    }
}

const fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

impl Ord for Share {
    fn cmp(&self, other: &Self) -> Ordering {
        (u64::from(self.num) * u64::from(other.den)).cmp(&(u64::from(other.num) * u64::from(self.den)))
    }
}

impl PartialOrd for Share {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// `0`, `1`, else the fraction.
impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.den == 1 { write!(f, "{}", self.num) } else { write!(f, "{}/{}", self.num, self.den) }
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl<C> Encode<C> for Share {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.array(2)?.u32(self.num)?.u32(self.den)?.ok()
    }
}

/// Bytes are a way in like any other: only valid shares come out.
impl<'b, C> Decode<'b, C> for Share {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let wrong = || minicbor::decode::Error::message("a share is a pair from 0 to 1 in lowest terms");
        if d.array()? != Some(2) {
            return Err(wrong());
        }
        let (num, den) = (d.u32()?, d.u32()?);
        let share = Self::new(u64::from(num), u64::from(den)).map_err(|_| wrong())?;
        if (share.num, share.den) == (num, den) { Ok(share) } else { Err(wrong()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_exact_or_refused() {
        let is = |text: &str, num, den| assert_eq!(Share::parse(text), Share::new(num, den), "{text}");
        is("0.5", 1, 2);
        is("1/3", 1, 3);
        is("2/4", 1, 2);
        is("1.00", 1, 1);
        is("0", 0, 7);
        assert_eq!(Share::parse("1.01"), Err(ShareError::OutOfRange));
        assert_eq!(Share::parse("3/2"), Err(ShareError::OutOfRange));
        assert_eq!(Share::parse("1/0"), Err(ShareError::OutOfRange));
        assert_eq!(Share::parse("-1"), Err(ShareError::NotShare));
        assert_eq!(Share::parse("1e-1"), Err(ShareError::NotShare));
        assert_eq!(Share::parse("0.00000000000000000000000001"), Err(ShareError::Unrepresentable));
        assert_eq!(Share::HALF.rest(), Share::HALF);
        assert!(Share::parse("1/3").unwrap() < Share::HALF);
        assert!(minicbor::decode::<Share>(&[0x82, 2, 4]).is_err(), "bytes in other than lowest terms");
    }
}
