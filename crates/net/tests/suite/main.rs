//! The transport over real QUIC on 127.0.0.1: links, refusals, broken peers, lanes, certificates, the relay.
//!
//! Every wait is bounded; nothing asserts on how long something took, but for the relay's delay (from below).

#[cfg(test)]
mod broken;
#[cfg(test)]
mod certificates;
#[cfg(test)]
mod lanes;
#[cfg(test)]
mod links;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod relays;
#[cfg(test)]
mod support;
