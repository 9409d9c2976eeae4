//! An exact decimal number as feeds write them: prices, sizes, handicaps. Owns reading, ordering, printing and storing it.
//!
//! It must not know floats: `2.3` is 23 with one place, never 2.29999.

use std::{cmp::Ordering, fmt, str::FromStr};

use model::Odds;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, Error as _},
    ser::Error as _,
};
use serde_json::value::RawValue;

/// Most places behind the point that a [`Decimal`] holds; a 64-bit double printed by a feed has at most 17 digits.
pub const SCALE_MAX: u8 = 18;

/// An exact decimal: `mantissa / 10^scale`, always normalised (no trailing zero behind the point, zero has scale 0), so
/// that equal values are equal structs. Order is numeric order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Decimal {
    mantissa: i64,
    scale: u8,
}

/// Why a text is no [`Decimal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// Not a JSON number.
    #[error("not a decimal number")]
    Syntax,
    /// A number, but one that needs more than 18 digits before or behind the point.
    #[error("the number does not fit 18 digits")]
    OutOfRange,
}

impl Decimal {
    /// Zero.
    pub const ZERO: Self = Self { mantissa: 0, scale: 0 };
    /// One: no odds lie at or below it.
    pub const ONE: Self = Self { mantissa: 1, scale: 0 };

    /// `mantissa / 10^scale`, normalised; none when `scale` is above [`SCALE_MAX`].
    #[must_use]
    pub const fn new(mantissa: i64, scale: u8) -> Option<Self> {
        if scale > SCALE_MAX {
            return None;
        }
        let (mut mantissa, mut scale) = (mantissa, scale);
        while scale > 0 && mantissa % 10 == 0 {
            mantissa /= 10;
            scale -= 1;
        }
        Some(Self { mantissa, scale })
    }

    /// The digits without the point.
    #[must_use]
    pub const fn mantissa(self) -> i64 {
        self.mantissa
    }

    /// How many of the digits lie behind the point, `0..=18`.
    #[must_use]
    pub const fn scale(self) -> u8 {
        self.scale
    }

    /// The value as odds; none at or below 1, or when 32 bits do not hold it.
    #[must_use]
    pub fn odds(self) -> Option<Odds> {
        let mantissa = u128::try_from(self.mantissa).ok()?;
        Odds::new(mantissa, 10_u128.pow(u32::from(self.scale))).ok()
    }

    /// True for zero.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.mantissa == 0
    }

    /// True below zero.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.mantissa < 0
    }

    /// Reads a JSON number (`-1.5`, `13002`, `1.6e3`); a leading `+` or zero is tolerated.
    ///
    /// # Errors
    /// [`DecimalError`] when the text is not a number or has too many digits.
    pub fn parse(text: &[u8]) -> Result<Self, DecimalError> {
        let (negative, text) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            _ => (false, text),
        };
        let (digits, exponent) = match text.iter().position(|b| matches!(b, b'e' | b'E')) {
            Some(at) => {
                let (digits, rest) = text.split_at(at);
                (digits, exponent(rest.get(1..).unwrap_or_default())?)
            }
            None => (text, 0),
        };
        let (magnitude, power) = digits_of(digits)?;
        let power = power.saturating_add(exponent);
        let (magnitude, scale) = if magnitude == 0 {
            (0, 0)
        } else if let Ok(power) = u32::try_from(power) {
            let factor = 10_i64.checked_pow(power).ok_or(DecimalError::OutOfRange)?;
            (magnitude.checked_mul(factor).ok_or(DecimalError::OutOfRange)?, 0)
        } else {
            let scale = u8::try_from(power.unsigned_abs()).ok().filter(|s| *s <= SCALE_MAX);
            (magnitude, scale.ok_or(DecimalError::OutOfRange)?)
        };
        Ok(Self { mantissa: if negative { -magnitude } else { magnitude }, scale })
    }
}

/// Digits with at most one point, as (mantissa without trailing zeros, power of ten that follows it).
fn digits_of(text: &[u8]) -> Result<(i64, i32), DecimalError> {
    let (mut mantissa, mut zeros, mut places) = (0_i64, 0_u32, 0_i32);
    let (mut any, mut point) = (false, false);
    for byte in text {
        match byte {
            b'0'..=b'9' => {
                any = true;
                places = places.saturating_add(i32::from(point));
                if *byte == b'0' {
                    // Held back: behind the point it may mean nothing.
                    zeros += u32::from(mantissa != 0);
                    continue;
                }
                let shifted = 10_i64.checked_pow(zeros + 1).and_then(|factor| mantissa.checked_mul(factor));
                let digit = i64::from(byte - b'0');
                mantissa = shifted.and_then(|m| m.checked_add(digit)).ok_or(DecimalError::OutOfRange)?;
                zeros = 0;
            }
            b'.' if !point && any => point = true,
            _ => return Err(DecimalError::Syntax),
        }
    }
    if !any || text.last() == Some(&b'.') {
        return Err(DecimalError::Syntax);
    }
    let zeros = i32::try_from(zeros).map_err(|_| DecimalError::OutOfRange)?;
    Ok((mantissa, zeros - places))
}

fn exponent(text: &[u8]) -> Result<i32, DecimalError> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(DecimalError::Syntax);
    }
    let value = digits.iter().fold(0_i32, |sum, b| sum.saturating_mul(10).saturating_add(i32::from(b - b'0')));
    Ok(if negative { -value } else { value })
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        // Below 10^18 × 2^63, hence inside i128.
        let lift = |value: Self, to: u8| i128::from(value.mantissa) * 10_i128.pow(u32::from(to - value.scale));
        match self.scale.cmp(&other.scale) {
            Ordering::Equal => self.mantissa.cmp(&other.mantissa),
            Ordering::Less => lift(*self, other.scale).cmp(&i128::from(other.mantissa)),
            Ordering::Greater => i128::from(self.mantissa).cmp(&lift(*other, self.scale)),
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl FromStr for Decimal {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text.as_bytes())
    }
}

/// The shortest decimal form: `2.3`, `-1.5`, `1000`.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.mantissa < 0 { "-" } else { "" };
        let (magnitude, one) = (self.mantissa.unsigned_abs(), 10_u64.pow(u32::from(self.scale)));
        if self.scale == 0 {
            return write!(f, "{sign}{magnitude}");
        }
        write!(f, "{sign}{}.{:0width$}", magnitude / one, magnitude % one, width = usize::from(self.scale))
    }
}

/// A JSON number, or a number inside a JSON string.
impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        let text = raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(raw);
        Self::parse(text.as_bytes()).map_err(D::Error::custom)
    }
}

/// Reads a number where a feed may also write `null`, `"NaN"` or `"Infinity"`: those are none.
///
/// # Errors
/// That of the deserializer, for anything else that is not a [`Decimal`].
pub(crate) fn finite<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Decimal>, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?.get();
    match raw {
        "null" | "\"NaN\"" | "\"Infinity\"" | "\"-Infinity\"" => Ok(None),
        _ => {
            let text = raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(raw);
            Decimal::parse(text.as_bytes()).map(Some).map_err(de::Error::custom)
        }
    }
}

/// An exact JSON number.
impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.to_string()).map_err(S::Error::custom)?.serialize(serializer)
    }
}

/// An integer when there are no places, else `[scale, mantissa]`.
impl<C> minicbor::Encode<C> for Decimal {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        if self.scale == 0 {
            e.i64(self.mantissa)?;
        } else {
            e.array(2)?.u8(self.scale)?.i64(self.mantissa)?;
        }
        Ok(())
    }
}

impl<'b, C> minicbor::Decode<'b, C> for Decimal {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        if d.datatype()? != minicbor::data::Type::Array {
            return Ok(Self { mantissa: d.i64()?, scale: 0 });
        }
        let length = d.array()?;
        let (scale, mantissa) = (d.u8()?, d.i64()?);
        match Self::new(mantissa, scale) {
            Some(value) if length == Some(2) && value.scale == scale && scale > 0 => Ok(value),
            _ => Err(minicbor::decode::Error::message("decimal is not normalised")),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn d(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn a_number_is_read_exactly_in_every_spelling() {
        for (text, mantissa, scale) in [
            ("0", 0, 0),
            ("-0.0", 0, 0),
            ("7.19", 719, 2),
            ("13002", 13002, 0),
            ("1.6e3", 1600, 0),
            ("1.6E+3", 1600, 0),
            ("1600e-3", 16, 1),
            ("2.50", 25, 1),
            ("100.0", 100, 0),
            ("-1.5", -15, 1),
            ("0.000", 0, 0),
            ("1.000000000000000000000000", 1, 0),
            ("4.310640982593431", 4_310_640_982_593_431, 15),
            ("1e-18", 1, 18),
            ("0e999999999999", 0, 0),
            ("1000000000000000000", 1_000_000_000_000_000_000, 0),
        ] {
            assert_eq!((d(text).mantissa(), d(text).scale()), (mantissa, scale), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_or_too_long_is_refused() {
        for text in ["", "-", ".5", "5.", "1.2.3", "1e", "1e+", "NaN", "1 ", "0x1", "--1", "e5"] {
            assert_eq!(text.parse::<Decimal>(), Err(DecimalError::Syntax), "{text}");
        }
        for text in ["1e19", "1e-19", "99999999999999999999", "1.00000000000000000001", "1e999999999999"] {
            assert_eq!(text.parse::<Decimal>(), Err(DecimalError::OutOfRange), "{text}");
        }
    }

    #[test]
    fn order_is_numeric_across_scales() {
        let sorted = ["-2", "-1.5", "-0.25", "0", "1e-18", "1.01", "1.1", "2", "2.02", "10.5", "1000", "9e18"];
        for (i, a) in sorted.iter().enumerate() {
            for (j, b) in sorted.iter().enumerate() {
                assert_eq!(d(a).cmp(&d(b)), i.cmp(&j), "{a} {b}");
            }
        }
    }

    #[test]
    fn a_price_becomes_odds_exactly() {
        assert_eq!(d("2.35").odds(), Odds::new(47, 20).ok());
        assert_eq!(d("1000").odds(), Odds::new(1000, 1).ok());
        for text in ["1", "0", "-2", "1.00000000001"] {
            assert_eq!(d(text).odds(), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn printing_storing_and_json_give_the_same_value_back(mantissa in any::<i64>(), scale in 0..=SCALE_MAX) {
            let value = Decimal::new(mantissa, scale).unwrap();
            // i64::MIN has no positive twin, which is why reading goes through the magnitude.
            if mantissa != i64::MIN {
                prop_assert_eq!(value.to_string().parse::<Decimal>().unwrap(), value);
                let json = serde_json::to_string(&value).unwrap();
                prop_assert_eq!(serde_json::from_str::<Decimal>(&json).unwrap(), value);
            }
            let bytes = minicbor::to_vec(value).unwrap();
            prop_assert_eq!(minicbor::decode::<Decimal>(&bytes).unwrap(), value);
        }
    }
}
