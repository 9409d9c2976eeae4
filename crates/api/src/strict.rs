//! Strict reading of JSON: unknown fields, wrong types and wrong values are refused, each named, all in one answer.
//!
//! A good body is read in one typed pass that borrows from it. Only a body that fails is looked at again to find
//! everything that is wrong with it.

use std::borrow::Cow;
use std::fmt::{self, Display};
use std::marker::PhantomData;

use axum::http::StatusCode;
use model::limits::AMOUNT_MINOR_MAX;
use model::{MoneyError, Odds};
use rust_decimal::Decimal;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_path_to_error::Segment;

use crate::problem::{Fault, Problem};

/// Faults listed in one answer, at most.
const FAULTS_MAX: usize = 100;
/// Bodies above this many bytes are not searched for further faults: the first one is named.
const SEARCH_BYTES_MAX: usize = 256 * 1024;

/// Decimal places of the finest currency.
const PLACES_MAX: u32 = 3;

/// A body: how it looks as JSON, and what it means.
pub(crate) trait Body {
    /// The JSON shape: every field optional, so that a missing one is a fault like any other.
    type In<'a>: Deserialize<'a>;
    /// What it comes to.
    type Parsed;
    /// Checks the values; `None` only if a fault was added.
    fn parse(input: Self::In<'_>, faults: &mut Faults) -> Option<Self::Parsed>;
}

/// Reads a body.
pub(crate) fn read<B: Body>(body: &[u8]) -> Result<B::Parsed, Problem> {
    match serde_json::from_slice::<Obj<B::In<'_>>>(body) {
        Ok(input) => {
            let mut faults = Faults::default();
            match B::parse(input.0, &mut faults) {
                Some(parsed) if faults.list.is_empty() => Ok(parsed),
                _ => Err(faults.problem()),
            }
        }
        Err(error) => Err(explain::<B>(body, &error)),
    }
}

/// Reads a body that may be left out altogether: then it is `{}`.
pub(crate) fn read_or_empty<B: Body>(body: &[u8]) -> Result<B::Parsed, Problem> {
    read::<B>(if body.trim_ascii().is_empty() { b"{}" } else { body })
}

/// Text that is not JSON.
pub(crate) fn not_json(error: &serde_json::Error) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "malformed_json", format!("the body is not JSON: {error}"))
        .with("line", error.line())
        .with("column", error.column())
}

fn explain<B: Body>(body: &[u8], first: &serde_json::Error) -> Problem {
    if !first.is_data() {
        return not_json(first);
    }
    let mut faults = Faults::default();
    if body.len() > SEARCH_BYTES_MAX {
        let mut json = serde_json::Deserializer::from_slice(body);
        if let Err(e) = serde_path_to_error::deserialize::<_, Obj<B::In<'_>>>(&mut json) {
            faults.add(e.path(), e.inner());
        }
        return faults.problem();
    }
    let mut value: Value = match serde_json::from_slice(body) {
        Ok(value) => value,
        Err(error) => return not_json(&error),
    };
    // Each fault is taken out and the rest read again, until the rest is well formed.
    for _ in 0..FAULTS_MAX {
        let error = match serde_path_to_error::deserialize::<_, Obj<B::In<'_>>>(&value) {
            Ok(input) => {
                B::parse(input.0, &mut faults);
                break;
            }
            Err(error) => error,
        };
        faults.add(error.path(), error.inner());
        let path: Vec<Segment> = error.path().iter().cloned().collect();
        if !take_out(&mut value, &path) {
            break;
        }
    }
    if faults.list.is_empty() {
        // A field given twice: the second look cannot see it.
        faults.add("body", first);
    }
    faults.problem()
}

/// Removes the field at `path`; false when it is no field of an object.
fn take_out(value: &mut Value, path: &[Segment]) -> bool {
    let Some((Segment::Map { key }, parents)) = path.split_last() else {
        return false;
    };
    let mut at = value;
    for segment in parents {
        let next = match segment {
            Segment::Map { key } => at.get_mut(key),
            Segment::Seq { index } => at.get_mut(index),
            _ => None,
        };
        match next {
            Some(next) => at = next,
            None => return false,
        }
    }
    at.as_object_mut().is_some_and(|fields| fields.remove(key).is_some())
}

/// Everything found wrong with one body.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    list: Vec<Fault>,
    code: Option<&'static str>,
    prefix: String,
}

impl Faults {
    /// Adds a fault; a field is named once.
    pub(crate) fn add(&mut self, field: impl Display, detail: impl Display) {
        self.add_as("malformed", field, detail);
    }

    /// Adds a fault with a code of its own: the answer has it if every fault has.
    pub(crate) fn add_as(&mut self, code: &'static str, field: impl Display, detail: impl Display) {
        let field = match (self.prefix.as_str(), field.to_string()) {
            ("", field) => field,
            (prefix, field) => format!("{prefix}.{field}"),
        };
        if self.list.len() < FAULTS_MAX && !self.list.iter().any(|f| f.field == field) {
            self.list.push(Fault { field, detail: detail.to_string() });
            self.code = match self.code {
                None => Some(code),
                Some(had) if had == code => Some(had),
                Some(_) => Some("malformed"),
            };
        }
    }

    /// Runs `read` with fields named below `prefix`.
    pub(crate) fn below<T>(&mut self, prefix: impl Display, read: impl FnOnce(&mut Self) -> T) -> T {
        let longer = if self.prefix.is_empty() { prefix.to_string() } else { format!("{}.{prefix}", self.prefix) };
        let before = std::mem::replace(&mut self.prefix, longer);
        let got = read(self);
        self.prefix = before;
        got
    }

    /// Whether nothing is wrong so far.
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// A value that must be there and valid.
    pub(crate) fn need<T, E: Display>(
        &mut self,
        field: &str,
        text: Option<&Str<'_>>,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        match text {
            Some(text) => parse(&text.0).map_err(|e| self.add(field, e)).ok(),
            None => {
                self.add(field, "is missing");
                None
            }
        }
    }

    /// A value that may be absent (`Some(None)`) but not invalid (`None`).
    #[expect(clippy::option_option, reason = "absent and invalid are two things")]
    pub(crate) fn may<T, E: Display>(
        &mut self,
        field: &str,
        text: Option<&Str<'_>>,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<Option<T>> {
        match text {
            Some(text) => parse(&text.0).map(Some).map_err(|e| self.add(field, e)).ok(),
            None => Some(None),
        }
    }

    /// The 422 answer.
    pub(crate) fn problem(self) -> Problem {
        Problem::malformed(self.code.unwrap_or("malformed"), self.list)
    }
}

/// A positive amount in text; its own currency's places are checked where the account is known.
pub(crate) fn amount(text: &str) -> Result<Decimal, MoneyError> {
    if !text.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'-') {
        return Err(MoneyError::NotDecimal);
    }
    let amount = Decimal::from_str_exact(text).map_err(|_| MoneyError::NotDecimal)?;
    if amount.is_zero() {
        return Err(MoneyError::Zero);
    }
    if amount.is_sign_negative() {
        return Err(MoneyError::Negative);
    }
    if amount > Decimal::from(AMOUNT_MINOR_MAX) {
        return Err(MoneyError::TooLarge);
    }
    if amount.normalize().scale() > PLACES_MAX {
        return Err(MoneyError::OverPrecise);
    }
    Ok(amount)
}

/// An amount that may be below zero: an operator takes as well as gives.
pub(crate) fn signed_amount(text: &str) -> Result<Decimal, MoneyError> {
    match text.strip_prefix('-') {
        Some(rest) if rest.starts_with('-') => Err(MoneyError::NotDecimal),
        Some(rest) => amount(rest).map(|taken| -taken),
        None => amount(text),
    }
}

/// Odds in any of their three forms.
pub(crate) fn odds(text: &str) -> Result<Odds, model::OddsError> {
    Odds::parse(text)
}

/// A time, as Unix ms.
pub(crate) fn time(text: &str) -> Result<u64, &'static str> {
    feeds::instant::parse_utc_ms(text)
        .ok_or("is not an RFC 3339 time in UTC with at most milliseconds, such as 2026-01-31T12:00:00.000Z")
}

/// A JSON string, borrowed from the body where it has no escapes.
#[derive(Debug)]
pub(crate) struct Str<'a>(pub(crate) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Str<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Str<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string in quotes")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Str<'de>, E> {
                Ok(Str(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Str<'de>, E> {
                Ok(Str(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// An object, and nothing but an object: serde would read a struct from an array too.
#[derive(Debug)]
pub(crate) struct Obj<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Obj<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
            type Value = Obj<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Obj<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Obj)
            }
        }
        deserializer.deserialize_map(Object(PhantomData))
    }
}

/// A list of at most `MAX` elements; longer ones are refused before they are held.
#[derive(Debug)]
pub(crate) struct List<T, const MAX: usize>(pub(crate) Vec<T>);

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for List<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Elements<T, const MAX: usize>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for Elements<T, MAX> {
            type Value = List<T, MAX>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a list of at most {MAX} elements")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut elements = Vec::new();
                while let Some(element) = list.next_element()? {
                    if elements.len() == MAX {
                        return Err(A::Error::custom(format_args!("more than {MAX} elements")));
                    }
                    elements.push(element);
                }
                Ok(List(elements))
            }
        }
        deserializer.deserialize_seq(Elements(PhantomData))
    }
}
