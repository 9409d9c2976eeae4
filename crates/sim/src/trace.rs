//! The trace of a run: a hash over everything that happened, and the last lines for people.
//! Knows texts and bytes only.

use std::collections::VecDeque;

/// Lines kept for a report.
const LINES_MAX: usize = 60;

/// A run's trace.
#[derive(Clone, Debug)]
pub(crate) struct Trace {
    hash: u64,
    lines: VecDeque<String>,
    pub(crate) events: u64,
}

impl Default for Trace {
    fn default() -> Self {
        Self { hash: 0xcbf2_9ce4_8422_2325, lines: VecDeque::new(), events: 0 }
    }
}

impl Trace {
    /// Notes something that happened.
    pub(crate) fn note(&mut self, at_ms: u64, line: &str) {
        self.mix(at_ms, line.as_bytes());
        if self.lines.len() == LINES_MAX {
            self.lines.pop_front();
        }
        self.lines.push_back(format!("{at_ms:>7} {line}"));
    }

    /// Notes something that only the hash needs to know.
    pub(crate) fn mix(&mut self, at_ms: u64, bytes: &[u8]) {
        self.events += 1;
        for byte in at_ms.to_le_bytes().iter().chain(bytes) {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    pub(crate) const fn hash(&self) -> u64 {
        self.hash
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.iter().cloned().collect()
    }
}
