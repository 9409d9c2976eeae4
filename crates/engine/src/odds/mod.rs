//! The odds plane: registers, what is on sale, freshness, and the lane that carries values between regions.
//! Knows no money: results reach it as registers, wagers only read it.

mod closing;
mod events;
mod fresh;
mod holds;
mod link;
mod plane;
mod register;
mod sale;
mod stops;

pub(crate) use fresh::Freshness;
pub use holds::Holds;
pub(crate) use link::{Follows, OddsLink};
pub(crate) use plane::{AnyWrite, Exchange, SlotWrite};
pub use plane::{Market, Plane};
pub use register::{ClockTime, RegisterKey, RegisterValue, ResultTwin};
pub(crate) use sale::{Offer, taken};
