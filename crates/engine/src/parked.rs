//! Requests that wait: for a token's cut, or for an account to arrive. Bounded; each has a deadline.
//! Knows when to look again; what is then done is `requests`.

use std::collections::BTreeMap;

use model::limits::PARKED_MAX;
use model::{AccountId, Token};

use crate::door::{Request, RequestId};

/// What a request waits for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Until {
    /// This much to be known here.
    Token(Token),
    /// The account, which another region opens.
    Account(AccountId),
}

/// A waiting request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Waiting {
    pub(crate) request: Request,
    pub(crate) until: Until,
    pub(crate) deadline_ms: u64,
    /// How long the request may still wait for rights after this, ms.
    pub(crate) wait_ms: u64,
}

/// All waiting requests.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Parked {
    waiting: BTreeMap<RequestId, Waiting>,
}

impl Parked {
    /// Parks a request; `false` when no place is left.
    #[must_use]
    pub(crate) fn park(&mut self, id: RequestId, waiting: Waiting) -> bool {
        let room = self.waiting.len() < PARKED_MAX;
        if room {
            self.waiting.insert(id, waiting);
        }
        room
    }

    /// Takes those out that are met or late; `true` says met.
    pub(crate) fn take_due(&mut self, steady_ms: u64, met: impl Fn(&Until) -> bool) -> Vec<(RequestId, Waiting, bool)> {
        if self.waiting.is_empty() {
            return Vec::new();
        }
        let mut due = Vec::new();
        for (id, waiting) in std::mem::take(&mut self.waiting) {
            if met(&waiting.until) {
                due.push((id, waiting, true));
            } else if steady_ms >= waiting.deadline_ms {
                due.push((id, waiting, false));
            } else {
                self.waiting.insert(id, waiting);
            }
        }
        due
    }

    pub(crate) fn deadline_ms(&self) -> Option<u64> {
        self.waiting.values().map(|w| w.deadline_ms).min()
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }
}
