//! Operators who take more than one market off sale: everything, a sport, an event, an account; and lift it again.
//! Draws for itself, so that what the others draw stays what it was. Judges nothing.

use model::{Command, EventKey, SaleScope, Sport, Suspension};

use super::{Load, call};
use crate::draw::Draw;
use crate::oracle::Call;

/// Suspensions and liftings that are of another scope than a market, in percent.
const WIDE_PERCENT: u64 = 40;

/// The operators, if there are any in this run.
#[derive(Clone, Debug)]
pub(super) struct Scopes {
    draw: Draw,
    there: bool,
    delays: bool,
}

impl Scopes {
    pub(super) fn new(seed: u64, there: bool, delays: bool) -> Self {
        Self { draw: Draw::new(seed, 0x5c0e), there, delays }
    }

    /// How long a market in play lets wagers wait, ms.
    pub(super) fn delay_ms(&mut self) -> u32 {
        if !self.delays {
            return 0;
        }
        u32::try_from(self.draw.one(&[0, 0, 150, 400, 1_500])).unwrap_or(0)
    }
}

impl Load {
    /// Perhaps an act on a wider scope, in place of one on a market. Liftings are the more frequent, and `all` is rare:
    /// most of the time something is on sale.
    pub(super) fn wide_act(&mut self, region: u16, lift: bool) -> Option<Call> {
        let Scopes { draw, there, .. } = &mut self.scopes;
        if !*there || !draw.percent(WIDE_PERCENT) {
            return None;
        }
        let kind = draw.below(8);
        let scope = match kind {
            0 => Suspension::Sale(SaleScope::All),
            1 | 2 => Suspension::Sale(SaleScope::Sport(Sport::new(draw.one(&["football", "1", "tennis"])).ok()?)),
            3 | 4 => Suspension::Sale(SaleScope::Event(EventKey::new(draw.one(&["match", "other"])).ok()?)),
            _ => Suspension::Account(draw.of(&self.accounts)?.clone()),
        };
        Some(call(region, Command::Suspend { scope, lift }))
    }
}
