//! A body to its messages: where each begins and ends, and how to go on behind one that is broken.
//! Knows XML's outer shape; what an element means is in `read.rs`.

use quick_xml::Reader;
use quick_xml::errors::Error;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesDecl, Event};

use super::error::{UofError, quote};
use super::limits;
use super::message::UofMessage;
use super::read::{Builder, ROOTS};

/// One message of a body, or why it was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The line of the body that it begins on, from 1.
    pub line: usize,
    /// The message.
    pub message: Result<UofMessage, UofError>,
}

/// How far a message went.
enum Extent {
    /// The message and its length in bytes, whatever became of its content.
    Whole(usize, Result<UofMessage, UofError>),
    /// Its end cannot be told.
    Broken(UofError),
    /// Only white space, comments and instructions were left.
    Nothing,
}

/// Reads every message of a body, in order. A refused message does not keep those behind it from being read.
#[must_use]
pub fn read_body(body: &[u8]) -> Vec<Read> {
    let text = String::from_utf8_lossy(body);
    let damaged = matches!(text, std::borrow::Cow::Owned(_));
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let (mut all, mut broken) = (Vec::new(), 0);
    let (mut at, mut line) = (0, 1);
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let blank = rest.len() - rest.trim_start().len();
        line += lines_in(rest.get(..blank).unwrap_or_default());
        at += blank;
        let rest = text.get(at..).unwrap_or_default();
        if rest.is_empty() {
            return all;
        }
        let (length, message) = match extent(rest) {
            Extent::Nothing => return all,
            Extent::Whole(length, message) => (length, message),
            Extent::Broken(error) => {
                broken += 1;
                (next_start(rest), Err(error))
            }
        };
        let said = rest.get(..length).unwrap_or(rest);
        let harmed = damaged && said.contains('\u{fffd}');
        let bytes = || UofError::NotUtf8 { detail: "it holds bytes that are none".to_owned() };
        all.push(Read { line: line + lead(said), message: if harmed { Err(bytes()) } else { message } });
        line += lines_in(said);
        at += said.len();
        if broken > limits::BROKEN_MAX {
            all.push(Read { line, message: Err(UofError::TooBroken) });
            return all;
        }
    }
}

fn lines_in(text: &str) -> usize {
    text.bytes().filter(|b| *b == b'\n').count()
}

/// Lines between the beginning of a message's text and its first element, where that follows a declaration.
fn lead(said: &str) -> usize {
    let declared = said.starts_with("<?").then(|| said.find("?>")).flatten();
    let behind = declared.and_then(|end| said.get(..end + 2).zip(said.get(end + 2..)));
    behind.map_or(0, |(before, after)| lines_in(before) + lines_in(after.split('<').next().unwrap_or_default()))
}

/// Reads one message at the beginning of the text.
fn extent(text: &str) -> Extent {
    let mut end = text.len().min(limits::MESSAGE_BYTES_MAX + 1);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let cut = end < text.len();
    let mut reader = Reader::from_str(text.get(..end).unwrap_or(text));
    let mut builder = Builder::default();
    loop {
        let before = position(&reader);
        let event = match reader.read_event() {
            Ok(event) => event,
            Err(_) if cut && position(&reader) >= end => return Extent::Broken(UofError::TooLarge),
            Err(error) => return Extent::Broken(broken(&error, reader.error_position())),
        };
        let outside = builder.depth() == 0;
        let done = match event {
            Event::Start(tag) | Event::Empty(tag) if !outside && ROOTS.contains(&tag.name().into_inner()) => {
                Err(UofError::NotXml { detail: format!("<{}> inside another message", tag.name().into_inner()) })
            }
            Event::Start(tag) => builder.open(&tag).map(|()| false),
            Event::Empty(tag) => builder.open(&tag).map(|()| builder.close()),
            Event::End(_) => Ok(builder.close()),
            Event::DocType(_) => builder.refuse(UofError::Doctype),
            Event::Decl(decl) if before == 0 => encoding(&decl).map_or_else(|e| builder.refuse(e), |()| Ok(false)),
            Event::Decl(_) => Err(UofError::NotXml { detail: "a declaration inside a message".to_owned() }),
            Event::GeneralRef(entity) => match entity.resolve_char_ref() {
                Ok(Some(_)) => Ok(false),
                _ if resolve_predefined_entity(&entity).is_some() => Ok(false),
                _ => builder.refuse(UofError::Entity { name: quote(&entity) }),
            },
            Event::Text(text) if outside && !text.trim_ascii().is_empty() => {
                Err(UofError::NotXml { detail: format!("text between messages: {}", quote(text.trim())) })
            }
            Event::Eof if cut => return Extent::Broken(UofError::TooLarge),
            Event::Eof if outside && builder.is_refused() => return Extent::Whole(end, builder.finish()),
            Event::Eof if outside => return Extent::Nothing,
            Event::Eof => return Extent::Broken(UofError::NotXml { detail: builder.unfinished() }),
            Event::Text(_) | Event::CData(_) | Event::Comment(_) | Event::PI(_) => Ok(false),
        };
        match done {
            Ok(false) => {}
            Ok(true) if position(&reader) > limits::MESSAGE_BYTES_MAX => {
                return Extent::Broken(UofError::TooLarge);
            }
            Ok(true) => return Extent::Whole(position(&reader), builder.finish()),
            Err(error) => return Extent::Broken(error),
        }
    }
}

fn position(reader: &Reader<&[u8]>) -> usize {
    usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX)
}

fn broken(error: &Error, at: u64) -> UofError {
    UofError::NotXml { detail: format!("{} at byte {at} of the message", quote(&error.to_string())) }
}

/// Refuses what declares another encoding than the one it is read in.
fn encoding(decl: &BytesDecl<'_>) -> Result<(), UofError> {
    let Some(Ok(name)) = decl.encoding() else { return Ok(()) };
    let fine = ["utf-8", "utf8", "us-ascii", "ascii"].iter().any(|known| name.eq_ignore_ascii_case(known));
    if fine { Ok(()) } else { Err(UofError::NotUtf8 { detail: format!("it is declared as {}", quote(&name)) }) }
}

/// Where the next message may begin behind a broken one: at a declaration or at an element that is a message's root;
/// messages do not lie inside one another. What stands in comments is no message, not even there.
fn next_start(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 1;
    while let Some(found) = bytes.get(at..).and_then(|rest| rest.iter().position(|b| *b == b'<')) {
        at += found;
        let rest = bytes.get(at..).unwrap_or_default();
        if rest.starts_with(b"<?xml") || ROOTS.iter().any(|root| is_tag(rest, root)) {
            return at;
        }
        at += match rest {
            [b'<', b'!', b'-', b'-', ..] => behind(rest, b"-->"),
            [b'<', b'!', b'[', b'C', b'D', b'A', b'T', b'A', b'[', ..] => behind(rest, b"]]>"),
            _ => 1,
        };
    }
    text.len()
}

fn is_tag(rest: &[u8], name: &str) -> bool {
    let Some(after) = rest.get(1..).and_then(|r| r.strip_prefix(name.as_bytes())) else { return false };
    after.first().is_none_or(|b| b.is_ascii_whitespace() || matches!(b, b'>' | b'/'))
}

/// Bytes up to and with the closing mark; all of them if it never comes.
fn behind(rest: &[u8], mark: &[u8]) -> usize {
    rest.windows(mark.len()).position(|w| w == mark).map_or(rest.len(), |at| at + mark.len())
}
