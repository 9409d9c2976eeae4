//! The exchange stream: one NDJSON line to a message ([`parse_line`]), messages folded into one market's state
//! ([`Book`]), and what that state means for a store of odds and results ([`registers`]).
//!
//! Parsing is exact (no float anywhere) and bounded; a refused line or change alters nothing.

mod book;
mod definition;
mod ladder;
pub mod limits;
mod message;
mod parse;
pub mod registers;

pub use book::{Book, Changed, FoldError, Runner, RunnerView};
pub use definition::{MarketDefinition, MarketStatus, RunnerDefinition, RunnerKey, RunnerStatus};
pub use ladder::{Ladder, PositionLadder};
pub use message::{Level, MarketChange, McmMessage, PositionLevel, RunnerChange, StreamMessage};
pub use parse::{ParseError, parse_line};
