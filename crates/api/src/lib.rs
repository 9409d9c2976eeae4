//! The HTTP contract of a region: reads requests strictly, asks the node, writes its answers.
//! Decides nothing: no money rule, no odds rule, no clock and no random source of its own. Only here is JSON known.
//!
//! Map: [`router()`] puts the calls together, [`serve()`] runs them. `routes` has one file an area, `dto` the JSON shapes,
//! `strict` reads bodies and names every fault, `problem` and `refusal` write errors, `token` carries causality.

mod config;
mod dto;
mod extract;
mod problem;
mod refusal;
mod router;
mod routes;
mod serve;
mod state;
mod strict;
mod token;

pub use config::{ApiConfig, ApiConfigError};
pub use router::{openapi_json, router};
pub use serve::serve;
pub use state::AppState;
