//! Why a message was refused: stable codes, and words that name the place. Foreign text in them is bounded.

use super::limits;

/// Why a message was refused. Nothing of it has been used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UofError {
    /// Longer than [`limits::MESSAGE_BYTES_MAX`].
    #[error("the message has more than {} bytes", limits::MESSAGE_BYTES_MAX)]
    TooLarge,
    /// Not well-formed XML.
    #[error("not XML: {detail}")]
    NotXml {
        /// What was met, and where.
        detail: String,
    },
    /// Not UTF-8, or declared to be something else.
    #[error("not UTF-8: {detail}")]
    NotUtf8 {
        /// What it is instead.
        detail: String,
    },
    /// It carries a document type; entities are never defined by messages.
    #[error("document types are not taken")]
    Doctype,
    /// It uses an entity beside the five that XML defines.
    #[error("the entity {name} is not one of XML's own")]
    Entity {
        /// Where it stands.
        name: String,
    },
    /// Elements lie deeper than [`limits::DEPTH_MAX`].
    #[error("elements lie more than {} deep", limits::DEPTH_MAX)]
    TooDeep,
    /// More of something than a message may have.
    #[error("more than {max} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The limit.
        max: usize,
    },
    /// XML of a kind that is not known.
    #[error("<{name}> is not a message of the feed")]
    Unknown {
        /// Its root element.
        name: String,
    },
    /// A message with an attribute that is missing or wrong.
    #[error("{path}: {detail}")]
    BadField {
        /// Where, such as `odds_change/odds/market[3]@status`.
        path: String,
        /// What is wrong with it.
        detail: String,
    },
    /// The body holds too many broken messages; what follows was not looked at.
    #[error("more than {} broken messages in one body: the rest was not looked at", limits::BROKEN_MAX)]
    TooBroken,
}

impl UofError {
    /// A stable snake_case code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge => "message_too_large",
            Self::NotXml { .. } => "not_xml",
            Self::NotUtf8 { .. } => "not_utf8",
            Self::Doctype => "doctype_refused",
            Self::Entity { .. } => "entity_refused",
            Self::TooDeep => "too_deep",
            Self::TooMany { .. } => "too_many_elements",
            Self::Unknown { .. } => "not_a_message",
            Self::BadField { .. } => "bad_field",
            Self::TooBroken => "too_many_broken",
        }
    }
}

/// Foreign text in a detail, cut to a bounded number of characters.
pub(super) fn quote(text: &str) -> String {
    text.chars().take(limits::QUOTE_CHARS_MAX).collect()
}

impl UofError {
    /// The same, said of an attribute of the element at `path`.
    pub(super) fn within(self, path: &str) -> Self {
        match self {
            Self::BadField { path: attribute, detail } => Self::BadField { path: format!("{path}{attribute}"), detail },
            Self::NotXml { detail } => Self::NotXml { detail: format!("{path}: {detail}") },
            Self::Entity { name } => Self::Entity { name: format!("{path}: {name}") },
            other => other,
        }
    }
}
