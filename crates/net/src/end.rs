//! How a connection ends: the codes told to the other side, and the words told to the operator.
//!
//! Must not know who the peer is or what the frames meant.

use std::fmt;

use quinn::{ConnectionError, VarInt, WriteError};

/// Why this node closed a connection; the number goes to the peer as QUIC's application error code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum CloseCode {
    /// The node stops, as asked.
    Shutdown = 0,
    /// The same region connected again; the newer connection stays.
    Replaced = 1,
    /// The peer's certificate names no region, more than one, or a malformed one.
    CertificateInvalid = 2,
    /// The peer's certificate names another cluster.
    WrongCluster = 3,
    /// The peer's certificate names a region that is not expected here.
    UnexpectedRegion = 4,
    /// A stream did not open with a valid header, or a lane was opened twice.
    HeaderInvalid = 5,
    /// The peer speaks another version of the wire protocol.
    VersionUnknown = 6,
    /// A frame longer than allowed was announced.
    FrameTooLarge = 7,
    /// A stream ended in the middle of a frame, or before its connection.
    FrameTorn = 8,
    /// The peer confirmed bytes that were never sent, or took a confirmation back.
    ConfirmationInvalid = 9,
    /// The streams were not there within the handshake's time.
    HandshakeTimeout = 10,
    /// A task of this node failed.
    Internal = 11,
}

impl CloseCode {
    const ALL: [Self; 12] = [
        Self::Shutdown,
        Self::Replaced,
        Self::CertificateInvalid,
        Self::WrongCluster,
        Self::UnexpectedRegion,
        Self::HeaderInvalid,
        Self::VersionUnknown,
        Self::FrameTooLarge,
        Self::FrameTorn,
        Self::ConfirmationInvalid,
        Self::HandshakeTimeout,
        Self::Internal,
    ];

    /// The code as events and logs spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Shutdown => "shutdown",
            Self::Replaced => "replaced",
            Self::CertificateInvalid => "certificate_invalid",
            Self::WrongCluster => "wrong_cluster",
            Self::UnexpectedRegion => "unexpected_region",
            Self::HeaderInvalid => "header_invalid",
            Self::VersionUnknown => "version_unknown",
            Self::FrameTooLarge => "frame_too_large",
            Self::FrameTorn => "frame_torn",
            Self::ConfirmationInvalid => "confirmation_invalid",
            Self::HandshakeTimeout => "handshake_timeout",
            Self::Internal => "internal",
        }
    }

    /// The number sent to the peer.
    #[must_use]
    pub const fn number(self) -> u32 {
        self as u32
    }

    pub(crate) const fn var_int(self) -> VarInt {
        VarInt::from_u32(self.number())
    }

    fn from_var_int(number: VarInt) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.var_int() == number)
    }
}

/// How a connection, or the attempt at one, ended.
#[derive(Debug, Clone)]
pub(crate) enum LinkEnd {
    /// This side ends it and tells the peer why.
    Local { code: CloseCode, why: String },
    /// It ended under us.
    Lost(ConnectionError),
    /// There was no attempt: the address is of no use to our socket.
    NotDialled(String),
}

impl LinkEnd {
    pub(crate) fn local(code: CloseCode, why: impl Into<String>) -> Self {
        Self::Local { code, why: why.into() }
    }

    /// Tells the peer, where there is something to tell.
    pub(crate) fn close(&self, connection: &quinn::Connection) {
        if let Self::Local { code, why } = self {
            connection.close(code.var_int(), why.as_bytes());
        }
    }

    /// Whether somebody decided against this connection, rather than the network losing it.
    pub(crate) fn is_refusal(&self) -> bool {
        match self {
            Self::Local { code, .. } => !matches!(code, CloseCode::Shutdown | CloseCode::HandshakeTimeout),
            Self::Lost(ConnectionError::ApplicationClosed(close)) => {
                close.error_code != CloseCode::Shutdown.var_int() && close.error_code != CloseCode::Replaced.var_int()
            }
            Self::Lost(ConnectionError::TransportError(_) | ConnectionError::VersionMismatch) => true,
            // A TLS alert; any other code is the peer's QUIC stack going away or being full.
            Self::Lost(ConnectionError::ConnectionClosed(close)) => {
                (0x100..0x200).contains(&u64::from(close.error_code))
            }
            Self::Lost(_) | Self::NotDialled(_) => false,
        }
    }
}

impl fmt::Display for LinkEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local { code, why } => write!(f, "{}: {why}", code.as_str()),
            Self::Lost(ConnectionError::ApplicationClosed(close)) => {
                let why = String::from_utf8_lossy(&close.reason);
                match CloseCode::from_var_int(close.error_code) {
                    Some(code) => write!(f, "closed by the peer: {}: {why}", code.as_str()),
                    None => write!(f, "closed by the peer: code {}: {why}", close.error_code),
                }
            }
            Self::Lost(ConnectionError::TimedOut) => write!(f, "timed out: nothing was heard from the peer"),
            Self::Lost(lost) => write!(f, "{lost}"),
            Self::NotDialled(why) => write!(f, "not dialled: {why}"),
        }
    }
}

impl From<ConnectionError> for LinkEnd {
    fn from(lost: ConnectionError) -> Self {
        Self::Lost(lost)
    }
}

impl From<WriteError> for LinkEnd {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::ConnectionLost(lost) => Self::Lost(lost),
            other => Self::local(CloseCode::FrameTorn, format!("cannot write to a stream: {other}")),
        }
    }
}
