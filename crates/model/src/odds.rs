//! Odds: an exact rational above 1, read and written in decimal, fractional and American form.
//! `2.35` = 47/20, `8/13` = 21/13, American `-110` = 21/11. Never a float.

use std::cmp::Ordering;
use std::fmt;

use minicbor::decode::Decoder;
use minicbor::encode::{Encoder, Write};
use minicbor::{Decode, Encode};
use rust_decimal::Decimal;

/// What a stake of 1 returns when it wins, stake included: `num/den` in lowest terms, above 1.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Odds {
    num: u32,
    den: u32,
}

impl<C> Encode<C> for Odds {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.array(2)?.u32(self.num)?.u32(self.den)?.ok()
    }
}

/// Bytes are a way in like any other: only valid odds come out.
impl<'b, C> Decode<'b, C> for Odds {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let wrong = || minicbor::decode::Error::message("odds are a pair above 1 in lowest terms");
        if d.array()? != Some(2) {
            return Err(wrong());
        }
        let (num, den) = (d.u32()?, d.u32()?);
        let odds = Self::new(u128::from(num), u128::from(den)).map_err(|_| wrong())?;
        if (odds.num, odds.den) == (num, den) { Ok(odds) } else { Err(wrong()) }
    }
}

/// Why a text is not odds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OddsError {
    /// None of the three forms.
    #[error("is neither decimal (\"2.35\"), fractional (\"8/13\") nor American (\"-110\", \"+150\")")]
    NotOdds,
    /// At or below 1.
    #[error("is not above 1")]
    NotAboveOne,
    /// Needs more than 32 bits as a fraction.
    #[error("cannot be represented exactly as a 32-bit fraction")]
    Unrepresentable,
}

/// The three forms for people; rounded where a form cannot be exact.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OddsDisplay {
    /// Decimal, at most three places, rounded half up.
    pub decimal: String,
    /// Fractional, exact.
    pub fractional: String,
    /// American, rounded to a whole number.
    pub american: String,
}

impl Odds {
    /// From a fraction, reduced.
    ///
    /// # Errors
    /// [`OddsError`] when it is not above 1 or does not fit 32 bits in lowest terms.
    pub fn new(num: u128, den: u128) -> Result<Self, OddsError> {
        if den == 0 || num <= den {
            return Err(OddsError::NotAboveOne);
        }
        let g = gcd(num, den);
        let fit = |n: u128| u32::try_from(n).map_err(|_| OddsError::Unrepresentable);
        Ok(Self { num: fit(num / g)?, den: fit(den / g)? })
    }

    /// Numerator in lowest terms.
    #[must_use]
    pub const fn num(self) -> u32 {
        self.num
    }

    /// Denominator in lowest terms.
    #[must_use]
    pub const fn den(self) -> u32 {
        self.den
    }

    /// Reads any of the three forms.
    ///
    /// # Errors
    /// [`OddsError`] says why not.
    pub fn parse(text: &str) -> Result<Self, OddsError> {
        if let Some((up, down)) = text.split_once('/') {
            let (up, down) = (digits(up)?, digits(down)?);
            return Self::new(up.checked_add(down).ok_or(OddsError::Unrepresentable)?, down);
        }
        if let Some(risk) = text.strip_prefix('-') {
            let risk = digits(risk)?;
            return Self::new(risk + 100, risk);
        }
        if let Some(win) = text.strip_prefix('+') {
            return Self::new(digits(win)? + 100, 100);
        }
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
            return Err(OddsError::NotOdds);
        }
        let decimal = Decimal::from_str_exact(text).map_err(|_| OddsError::NotOdds)?.normalize();
        let num = u128::try_from(decimal.mantissa()).map_err(|_| OddsError::NotOdds)?;
        Self::new(num, 10u128.pow(decimal.scale()))
    }

    /// Payout in whole minor units of a winning stake, rounded down once.
    #[must_use]
    pub fn payout_floor(self, stake_minor: u64) -> u64 {
        let exact = u128::from(stake_minor) * u128::from(self.num) / u128::from(self.den);
        u64::try_from(exact).unwrap_or(u64::MAX)
    }

    /// All three forms for people.
    #[must_use]
    pub fn display(self) -> OddsDisplay {
        let (num, den) = (u64::from(self.num), u64::from(self.den));
        let thousandths = (num * 1000 + den / 2) / den;
        let win = num - den;
        let american = if win >= den {
            format!("+{}", (win * 100 + den / 2) / den)
        } else {
            format!("-{}", (den * 100 + win / 2) / win)
        };
        OddsDisplay { decimal: trim(thousandths), fractional: format!("{win}/{den}"), american }
    }

    fn decimal_exact(self) -> Option<String> {
        let (num, den) = (u64::from(self.num), u64::from(self.den));
        (1000 % den == 0).then(|| trim(num * (1000 / den)))
    }
}

/// Thousandths as a decimal without trailing zeros.
fn trim(thousandths: u64) -> String {
    let text = format!("{}.{:03}", thousandths / 1000, thousandths % 1000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn digits(s: &str) -> Result<u128, OddsError> {
    if s.is_empty() || s.len() > 10 || !s.bytes().all(|b| b.is_ascii_digit()) {
        return Err(OddsError::NotOdds);
    }
    s.parse().map_err(|_| OddsError::NotOdds)
}

const fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

impl Ord for Odds {
    fn cmp(&self, other: &Self) -> Ordering {
        (u64::from(self.num) * u64::from(other.den)).cmp(&(u64::from(other.num) * u64::from(self.den)))
    }
}

impl PartialOrd for Odds {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The shortest exact form: decimal if it ends within three places, else the fraction.
impl fmt::Display for Odds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.decimal_exact() {
            Some(text) => f.write_str(&text),
            None => write!(f, "{}/{}", self.num - self.den, self.den),
        }
    }
}

impl fmt::Debug for Odds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_three_forms_are_exact() {
        let is = |text: &str, num: u32, den: u32| {
            let odds = Odds::parse(text).unwrap();
            assert_eq!((odds.num(), odds.den()), (num, den), "{text}");
        };
        is("2.35", 47, 20);
        is("8/13", 21, 13);
        is("-110", 21, 11);
        is("+150", 5, 2);
        is("1.010", 101, 100);
        assert_eq!(Odds::parse("1"), Err(OddsError::NotAboveOne));
        assert_eq!(Odds::parse("0/5"), Err(OddsError::NotAboveOne));
        assert_eq!(Odds::parse("1e3"), Err(OddsError::NotOdds));
        assert_eq!(Odds::parse("-"), Err(OddsError::NotOdds));
        assert_eq!(Odds::parse("1.00000000001"), Err(OddsError::Unrepresentable));
        assert_eq!(Odds::parse("-110").unwrap().display().american, "-110");
        assert_eq!(Odds::parse("-110").unwrap().to_string(), "10/11");
        assert_eq!(Odds::parse("7.40").unwrap().to_string(), "7.4");
        assert_eq!(Odds::parse("2.35").unwrap().payout_floor(1000), 2350);
    }

    proptest! {
        #[test]
        fn what_is_written_compares_equal_when_read(num in 2u32..100_000, den in 1u32..100_000) {
            prop_assume!(num > den);
            let odds = Odds::new(u128::from(num), u128::from(den)).unwrap();
            prop_assert_eq!(Odds::parse(&odds.to_string()).unwrap(), odds);
        }
    }
}
