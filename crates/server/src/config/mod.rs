//! Configuration: two kinds of TOML files in, one checked `Setting` out. Every fault names file, line and key.
//!
//! `files` has the keys, `source` finds the line of a key, `check` turns what was written into what can be run.
//! Knows the command line only as a few overrides; opens no socket.

mod check;
mod files;
mod source;

pub(crate) use check::{Overrides, load, load_topology};

#[cfg(test)]
mod tests;
