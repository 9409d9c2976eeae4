//! The transport between regions: opaque frames over mutually authenticated QUIC, on lanes that do not delay each other.
//!
//! Owns connections, certificates, framing, bounded queues and back-pressure. It must not know what a frame
//! means: nothing here knows of the engine, of logs, of odds registers or of money.
//!
//! # Shape
//! One QUIC connection per pair of regions. The **lower region number dials**, the higher accepts, so a pair
//! never races two connections; a newer connection from the same region replaces the older one. Each
//! direction has one unidirectional stream per [`Lane`] plus a small control stream (see [`wire`]).
//!
//! # What a caller may rely on
//! * Frames of one lane of one connection arrive whole and in order, or the connection goes down. Between
//!   lanes there is no order.
//! * `Up` comes before any frame of a connection, `Down` after the last, and a second `Up` of a region only
//!   after its `Down`. On `Down` everything queued for the peer is gone: say again what it lacks after `Up`.
//! * Events are never dropped for want of room: when the caller's channel is full, `net` stops reading from
//!   QUIC and flow control stops the sender. The exception is [`Event::Refused`], which strangers can cause
//!   at will: it is dropped when there is no room, and counted in [`NetStats::refused`] in any case.
//!
//! # Threads
//! Runs on the caller's tokio runtime; [`Net::send`] never blocks.

pub mod certs;
mod config;
mod end;
mod identity;
mod lane;
mod link;
mod net;
mod peer;
mod queue;
pub mod relay;
mod stats;
mod tls;
pub mod wire;

pub use config::{Config, PeerConfig, REGION_MAX, REGION_MIN, Timing};
pub use end::CloseCode;
pub use identity::{IdentityError, RegionIdentity, check_name, server_name};
pub use lane::{Lane, PerLane};
pub use net::{Event, Net, NetError, SendError};
pub use stats::{LaneStats, NetStats, PeerStats};
