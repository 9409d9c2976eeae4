//! One element's name and attributes, bounded, with entities refused; and exact readings of attribute values.

use std::borrow::Cow;

use model::GroupKey;
use quick_xml::XmlVersion;
use quick_xml::events::BytesStart;

use super::error::{UofError, quote};
use super::{keys, limits};
use crate::decimal::Decimal;

/// The attributes of one element. What is wrong with one is said as `@name`; the builder puts the element before it.
pub(super) struct Attributes<'a> {
    pairs: Vec<(&'a str, Cow<'a, str>)>,
}

impl<'a> Attributes<'a> {
    /// Reads them all.
    pub(super) fn read(tag: &'a BytesStart<'_>) -> Result<Self, UofError> {
        let mut pairs = Vec::new();
        for attribute in tag.attributes() {
            let attribute = attribute.map_err(|e| UofError::NotXml { detail: quote(&e.to_string()) })?;
            if pairs.len() == limits::ATTRIBUTES_MAX {
                return Err(UofError::TooMany { what: "attributes of one element", max: limits::ATTRIBUTES_MAX });
            }
            let key = attribute.key.into_inner();
            let value = attribute.normalized_value(XmlVersion::Implicit1_0);
            let value = value.map_err(|e| UofError::Entity { name: quote(&format!("in @{key} ({e})")) })?;
            pairs.push((key, value));
        }
        Ok(Self { pairs })
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_ref())
    }

    pub(super) fn required(&self, name: &str) -> Result<&str, UofError> {
        self.get(name).ok_or_else(|| Self::bad(name, "is missing"))
    }

    /// A refusal of one attribute.
    pub(super) fn bad(name: &str, detail: &str) -> UofError {
        UofError::BadField { path: format!("@{name}"), detail: detail.to_owned() }
    }

    fn unreadable(name: &str, what: &str, value: &str) -> UofError {
        Self::bad(name, &format!("{} is not {what}", quote(value)))
    }

    /// An integer, if the attribute is there.
    pub(super) fn integer<N: std::str::FromStr>(&self, name: &str) -> Result<Option<N>, UofError> {
        let read = |value: &str| value.parse().map_err(|_| Self::unreadable(name, "a number that fits here", value));
        self.get(name).map(read).transpose()
    }

    /// An integer that must be there.
    pub(super) fn required_integer<N: std::str::FromStr>(&self, name: &str) -> Result<N, UofError> {
        self.required(name)?;
        self.integer(name)?.ok_or_else(|| Self::bad(name, "is missing"))
    }

    /// An exact decimal, if the attribute is there.
    pub(super) fn decimal(&self, name: &str) -> Result<Option<Decimal>, UofError> {
        let read = |value: &str| value.parse().map_err(|_| Self::unreadable(name, "a decimal number", value));
        self.get(name).map(read).transpose()
    }

    /// `1`, `0`, `true` or `false`, if the attribute is there.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, UofError> {
        match self.get(name) {
            None => Ok(None),
            Some("1" | "true") => Ok(Some(true)),
            Some("0" | "false") => Ok(Some(false)),
            Some(value) => Err(Self::unreadable(name, "0 or 1", value)),
        }
    }

    /// Names between `|`, if the attribute is there.
    pub(super) fn names(&self, name: &str) -> Result<Option<Vec<GroupKey>>, UofError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let mut names = Vec::new();
        for group in value.split('|').map(str::trim).filter(|g| !g.is_empty()) {
            if names.len() == limits::GROUPS_MAX {
                return Err(UofError::TooMany { what: "groups", max: limits::GROUPS_MAX });
            }
            if group.len() > limits::GROUP_BYTES_MAX {
                return Err(Self::unreadable(name, "a group's name: it is too long", group));
            }
            names.push(keys::group_key(group).map_err(|e| Self::bad(name, &e.to_string()))?);
        }
        Ok(Some(names))
    }
}
