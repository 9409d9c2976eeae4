//! What the bytes of a stream look like: headers, frames, confirmations. The protocol's only definition.
//!
//! Must not know of peers, queues or events.
//!
//! * A stream opens with six bytes: [`MAGIC`], [`VERSION`], and the lane's byte ([`CONTROL_BYTE`] for the
//!   control stream).
//! * A lane's stream then carries frames: length as `u32` big-endian (0 to [`FRAME_BYTES_MAX`]), then the bytes.
//!   It never ends before its connection does.
//! * The control stream carries `u64` big-endian numbers: how many bytes of odds frames (length prefixes
//!   included) this side has delivered to its application so far. They only grow.
//!
//! # Windows
//! QUIC's own windows are the same for every stream: [`STREAM_WINDOW_BYTES`] is what bulk needs (4 MiB
//! unread, which is 160 Mbit/s at a round trip of 200 ms). For odds that would be far too much: hundreds of
//! frames could pile up inside QUIC and conflation would end there. So the odds writer also keeps at most
//! [`ODDS_WINDOW_BYTES`] written but not yet confirmed on the control stream. While it waits for that,
//! no `Sent` is reported, the application hands over nothing more and goes on replacing old values by new.
//! The connection's windows are the sum of all streams' (receiving) and more (sending), so that a
//! full lane never takes another lane's room.

use bytes::Bytes;
use quinn::{ReadExactError, RecvStream, SendStream};

use crate::end::{CloseCode, LinkEnd};
use crate::lane::Lane;

/// The largest frame, in bytes, without its length prefix.
pub const FRAME_BYTES_MAX: usize = 1024 * 1024;
/// First bytes of every stream.
pub const MAGIC: [u8; 4] = *b"SHLD";
/// Version of everything in this module.
pub const VERSION: u8 = 1;
/// Names the control stream in a stream's header, where a lane would have its own byte.
pub const CONTROL_BYTE: u8 = 0;
/// The TLS application protocol both sides insist on.
pub const ALPN: &[u8] = b"stakehold-net/1";
/// Most bytes of one stream that may be on their way or unread.
pub const STREAM_WINDOW_BYTES: u32 = 4 * 1024 * 1024;
/// Most bytes of odds frames that may be written and not yet confirmed (one frame may always go).
pub const ODDS_WINDOW_BYTES: u64 = 256 * 1024;
/// Streams that each side opens: four lanes and the control stream.
pub const STREAMS_PER_SIDE: u32 = 5;

const HEADER_BYTES: usize = 6;
const PREFIX_BYTES: u64 = 4;

/// What a stream's header says it carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StreamKind {
    Control,
    Lane(Lane),
}

/// The six bytes that open a stream; `kind` is a lane's byte or [`CONTROL_BYTE`].
#[must_use]
pub const fn stream_header(kind: u8) -> [u8; HEADER_BYTES] {
    let [a, b, c, d] = MAGIC;
    [a, b, c, d, VERSION, kind]
}

/// How many bytes `frame` takes on its stream.
pub(crate) fn wire_bytes(frame: &Bytes) -> u64 {
    PREFIX_BYTES + frame.len() as u64
}

pub(crate) async fn read_header(stream: &mut RecvStream) -> Result<StreamKind, LinkEnd> {
    let mut header = [0; HEADER_BYTES];
    stream.read_exact(&mut header).await.map_err(|e| read_end(e, CloseCode::HeaderInvalid, "in a stream's header"))?;
    let [magic @ .., version, kind] = header;
    if magic != MAGIC {
        return Err(LinkEnd::local(CloseCode::HeaderInvalid, "a stream does not open with the magic bytes"));
    }
    if version != VERSION {
        let why = format!("wire version {version}, this node speaks {VERSION}");
        return Err(LinkEnd::local(CloseCode::VersionUnknown, why));
    }
    if kind == CONTROL_BYTE {
        return Ok(StreamKind::Control);
    }
    Lane::from_wire_byte(kind)
        .map(StreamKind::Lane)
        .ok_or_else(|| LinkEnd::local(CloseCode::HeaderInvalid, format!("unknown lane {kind}")))
}

pub(crate) async fn read_frame(stream: &mut RecvStream, lane: Lane) -> Result<Bytes, LinkEnd> {
    let torn = |e| read_end(e, CloseCode::FrameTorn, &format!("on lane {lane:?}"));
    let mut prefix = [0; 4];
    stream.read_exact(&mut prefix).await.map_err(torn)?;
    let length = u32::from_be_bytes(prefix) as usize;
    if length > FRAME_BYTES_MAX {
        let why = format!("a frame of {length} bytes on lane {lane:?}, at most {FRAME_BYTES_MAX} are allowed");
        return Err(LinkEnd::local(CloseCode::FrameTooLarge, why));
    }
    let mut frame = vec![0; length];
    stream.read_exact(&mut frame).await.map_err(torn)?;
    Ok(Bytes::from(frame))
}

/// Ready when all of `frame` was accepted into the stream's send buffer. Not cancel-safe.
pub(crate) async fn write_frame(stream: &mut SendStream, frame: Bytes) -> Result<(), LinkEnd> {
    // `Net::send` let nothing longer in; refuse rather than truncate should that ever change.
    let Ok(length) = u32::try_from(frame.len()) else {
        return Err(LinkEnd::local(CloseCode::FrameTooLarge, "a frame of this node is too long"));
    };
    let prefix = Bytes::copy_from_slice(&length.to_be_bytes());
    stream.write_all_chunks(&mut [prefix, frame]).await.map_err(LinkEnd::from)
}

pub(crate) async fn read_confirmation(stream: &mut RecvStream) -> Result<u64, LinkEnd> {
    let mut number = [0; 8];
    stream.read_exact(&mut number).await.map_err(|e| read_end(e, CloseCode::FrameTorn, "on the control stream"))?;
    Ok(u64::from_be_bytes(number))
}

/// A stream that ends before its connection tore what was on it; `code` says what that was.
fn read_end(error: ReadExactError, code: CloseCode, place: &str) -> LinkEnd {
    match error {
        ReadExactError::FinishedEarly(count) => {
            LinkEnd::local(code, format!("the stream ended after {count} bytes {place}"))
        }
        ReadExactError::ReadError(quinn::ReadError::ConnectionLost(lost)) => LinkEnd::Lost(lost),
        ReadExactError::ReadError(other) => LinkEnd::local(code, format!("{other} {place}")),
    }
}
