//! Vendor messages to plain facts: the exchange stream ([`betfair`]), a seeded simulator of football matches that
//! speaks the same stream ([`football`]), and the Unified Odds Feed ([`uof`]).
//!
//! Pure: no clock, no randomness of its own, no IO. It must not know registers, dots, rows or wagers: the engine turns
//! what it finds here into writes.

pub mod betfair;
pub mod decimal;
pub mod football;
pub mod instant;
pub mod uof;

pub use decimal::Decimal;
