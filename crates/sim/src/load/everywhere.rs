//! The same wagers at every region in one moment: a client that has not heard in time and tries all addresses it knows,
//! sometimes with another stake at one of them. Knows what a client knows; judges nothing.

use std::collections::VecDeque;

use engine::door::Request;
use model::Command;
use rust_decimal::Decimal;

use super::Load;
use crate::draw::Draw;
use crate::oracle::Call;
use crate::world::REGIONS;

/// Place calls that go to all regions, in percent.
const EVERYWHERE_PERCENT: u64 = 10;
/// Of the calls at the other regions, those with another stake, in percent.
const OTHER_BODY_PERCENT: u64 = 4;

/// Calls for the moment of the one before.
#[derive(Clone, Debug)]
pub(super) struct Everywhere {
    /// Of its own, so that what the others draw stays what it was.
    draw: Draw,
    next: VecDeque<Call>,
}

impl Everywhere {
    pub(super) fn new(seed: u64) -> Self {
        Self { draw: Draw::new(seed, 0xe7e2), next: VecDeque::new() }
    }
}

impl Load {
    /// A call that is made in the same moment as the last act.
    pub(crate) fn at_once(&mut self) -> Option<Call> {
        self.everywhere.next.pop_front()
    }

    /// Perhaps the same wagers at the other regions too.
    pub(super) fn send_everywhere(&mut self, call: &Call) {
        let Everywhere { draw, next } = &mut self.everywhere;
        if !draw.percent(EVERYWHERE_PERCENT) {
            return;
        }
        for (region, _) in REGIONS.into_iter().filter(|(n, _)| *n != call.region) {
            let wait_ms = draw.one(&[0, 500, 2_000, 4_000]);
            let mut again = Call { region, wait_ms, ..call.clone() };
            if draw.percent(OTHER_BODY_PERCENT)
                && let Request::Command(Command::Place(items)) = &mut again.request
            {
                items.iter_mut().for_each(|item| item.unit_stake += Decimal::ONE);
            }
            next.push_back(again);
        }
    }
}
