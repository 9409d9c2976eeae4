//! Requests that wait: for a token's cut, for an account to arrive, or for the decision of a payment reference. Bounded;
//! each has a deadline.
//! Knows when to look again; what is then done is `requests`.

use std::collections::BTreeMap;

use model::limits::PARKED_MAX;
use model::{AccountId, Reference, Token};

use crate::door::{Request, RequestId};

/// What a request waits for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Until {
    /// This much to be known here.
    Token(Token),
    /// The account, which another region opens.
    Account(AccountId),
    /// The birth site's decision of a payment reference; whether this request had it taken in.
    Reference(Reference, bool),
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
        let look = |(id, w): (&RequestId, &Waiting)| {
            let met = met(&w.until);
            (met || steady_ms >= w.deadline_ms).then_some((*id, met))
        };
        let due: Vec<(RequestId, bool)> = self.waiting.iter().filter_map(look).collect();
        due.into_iter().filter_map(|(id, met)| self.waiting.remove(&id).map(|w| (id, w, met))).collect()
    }

    pub(crate) fn deadline_ms(&self) -> Option<u64> {
        self.waiting.values().map(|w| w.deadline_ms).min()
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }
}
