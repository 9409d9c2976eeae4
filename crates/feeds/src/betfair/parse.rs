//! One NDJSON line to one [`StreamMessage`]. Owns the errors and their codes.
//!
//! The usual line is read in one pass. Only a line that fails is looked at again, to say precisely why.

use std::borrow::Cow;

use serde::{Deserialize, de::IgnoredAny};

use super::{
    limits,
    message::{MarketChange, McmMessage, StreamMessage, bounded},
};

/// Kinds of messages that exist and that nothing here needs.
const OPS_IGNORED: [&str; 4] = ["ccm", "ocm", "connection", "status"];

/// Why a line was refused. Nothing of it has been used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The line is longer than [`limits::LINE_BYTES_MAX`].
    #[error("the line has {bytes} bytes, the limit is {}", limits::LINE_BYTES_MAX)]
    LineTooLong {
        /// Its length.
        bytes: usize,
    },
    /// Not one whole JSON value.
    #[error("not JSON: {detail}")]
    NotJson {
        /// What was met, and where.
        detail: String,
    },
    /// JSON, but not a stream message: no object, no `op`, or an `op` that is not known.
    #[error("not a stream message: {detail}")]
    NotAMessage {
        /// What is missing or unknown.
        detail: String,
    },
    /// A market change message with a field that is missing or wrong.
    #[error("field `{path}`: {detail}")]
    BadField {
        /// Where, such as `mc[0].rc[3].atb[1]`.
        path: String,
        /// What is wrong with it.
        detail: String,
    },
}

impl ParseError {
    /// A stable snake_case code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::LineTooLong { .. } => "line_too_long",
            Self::NotJson { .. } => "not_json",
            Self::NotAMessage { .. } => "not_a_message",
            Self::BadField { .. } => "bad_field",
        }
    }
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    op: Cow<'a, str>,
    pt: Option<u64>,
    #[serde(borrow)]
    clk: Option<Text<'a>>,
    #[serde(borrow)]
    ct: Option<Text<'a>>,
    status: Option<u32>,
    #[serde(default, deserialize_with = "bounded::<_, _, { limits::MARKETS_PER_MESSAGE_MAX }>")]
    mc: Vec<MarketChange>,
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    op: Cow<'a, str>,
}

/// Reads one line, with or without its line end.
///
/// # Errors
/// [`ParseError`]: the line is refused as a whole.
pub fn parse_line(line: &[u8]) -> Result<StreamMessage, ParseError> {
    let line = line.trim_ascii_end();
    if line.len() > limits::LINE_BYTES_MAX {
        return Err(ParseError::LineTooLong { bytes: line.len() });
    }
    let line = std::str::from_utf8(line)
        .map_err(|e| ParseError::NotJson { detail: format!("not UTF-8 at byte {}", e.valid_up_to()) })?;
    // Serde reads a struct from an array too; a message is an object.
    if !line.trim_start().starts_with('{') {
        return Err(no_object(line));
    }
    let Ok(wire) = serde_json::from_str::<Wire<'_>>(line) else {
        return explain(line);
    };
    if wire.op != "mcm" {
        return other_op(&wire.op);
    }
    let Some(pt) = wire.pt else {
        return Err(ParseError::BadField { path: "pt".to_owned(), detail: "missing".to_owned() });
    };
    Ok(StreamMessage::Market(McmMessage {
        pt,
        heartbeat: wire.ct.is_some_and(|ct| ct.0 == "HEARTBEAT"),
        status_503: wire.status == Some(503),
        clk: wire.clk.map(|clk| clk.0.into_owned()),
        changes: wire.mc,
    }))
}

/// The second look at a line that could not be read as a market change message.
fn explain(line: &str) -> Result<StreamMessage, ParseError> {
    if let Err(error) = serde_json::from_str::<IgnoredAny>(line) {
        return Err(ParseError::NotJson { detail: error.to_string() });
    }
    let head: Head<'_> =
        serde_json::from_str(line).map_err(|e| ParseError::NotAMessage { detail: format!("`op`: {e}") })?;
    if head.op != "mcm" {
        // Such messages use names like `status` in another sense.
        return other_op(&head.op);
    }
    let mut deserializer = serde_json::Deserializer::from_str(line);
    match serde_path_to_error::deserialize::<_, Wire<'_>>(&mut deserializer) {
        Err(error) => {
            Err(ParseError::BadField { path: error.path().to_string(), detail: quote(&error.inner().to_string(), 4) })
        }
        Ok(_) => Err(ParseError::NotAMessage { detail: "the line cannot be read as a message".to_owned() }),
    }
}

fn no_object(line: &str) -> ParseError {
    match serde_json::from_str::<IgnoredAny>(line) {
        Ok(_) => ParseError::NotAMessage { detail: "not an object".to_owned() },
        Err(error) => ParseError::NotJson { detail: error.to_string() },
    }
}

fn other_op(op: &str) -> Result<StreamMessage, ParseError> {
    match OPS_IGNORED.iter().find(|known| **known == op) {
        Some(op) => Ok(StreamMessage::Ignored { op }),
        None => Err(ParseError::NotAMessage { detail: format!("unknown op `{}`", quote(op, 1)) }),
    }
}

/// Foreign text in a detail, cut to a bounded number of characters.
fn quote(text: &str, times: usize) -> String {
    text.chars().take(limits::QUOTE_CHARS_MAX * times).collect()
}
