//! The Unified Odds Feed: raw XML, one or many messages in a body ([`read_body`]), to typed messages ([`UofMessage`])
//! that name markets, outcomes and producers by the store's keys.
//!
//! Parsing is exact (no float anywhere) and bounded, expands no entity and reads no document type; a refused message
//! alters nothing. It must not know registers, and not what a region does with a message.

mod body;
mod element;
mod error;
mod keys;
pub mod limits;
mod message;
mod read;

pub use body::{Read, read_body};
pub use error::UofError;
pub use keys::{event_key, group_key, market_key, outcome_key, producer_id};
pub use message::{
    Body, Cancel, Description, MarketOdds, MarketResult, MarketRollback, OddsChange, OutcomeOdds, OutcomeVerdict, Stop,
    UofMessage,
};
