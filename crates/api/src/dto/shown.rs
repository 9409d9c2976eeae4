//! Small values as JSON: texts without an allocation, exact numbers, odds for people.

use std::fmt::Display;

use model::Odds;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// Anything with a text form, as a JSON string.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown<T>(pub(crate) T);

impl<T: Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// Unix ms as an RFC 3339 time in UTC with milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Time(pub(crate) u64);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&feeds::instant::format_utc_ms(self.0))
    }
}

/// An exact decimal text as a JSON number, digit for digit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exact<'a>(pub(crate) &'a str);

impl Serialize for Exact<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serde_json::from_str::<&RawValue>(self.0) {
            Ok(number) => number.serialize(serializer),
            Err(_) => serializer.serialize_str(self.0),
        }
    }
}

/// Odds in the three forms for people.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Display3 {
    /// Decimal, at most three places.
    decimal: String,
    /// Fractional, exact.
    fractional: String,
    /// American, a whole number.
    american: String,
}

impl Display3 {
    pub(crate) fn of(odds: Odds) -> Self {
        let shown = odds.display();
        Self { decimal: shown.decimal, fractional: shown.fractional, american: shown.american }
    }
}
