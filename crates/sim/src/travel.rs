//! Players who travel: each bets some times in one region and goes on to another, so that homes move by intent while
//! grants, fences and partitions are under way. Knows who is where; knows no wagers.

use std::collections::BTreeMap;

use model::AccountId;

use crate::draw::Draw;
use crate::world::REGIONS;

/// Bets of one stay.
const STAY_MIN: u64 = 3;
const STAY_MAX: u64 = 9;

/// Where every player is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Travel {
    at: BTreeMap<AccountId, (u16, u64)>,
}

impl Travel {
    /// Where a player bets next.
    pub(crate) fn next(&mut self, draw: &mut Draw, account: &AccountId) -> u16 {
        let (region, left) = self.at.get(account).copied().unwrap_or_default();
        let (region, left) = if left == 0 {
            let others: Vec<u16> = REGIONS.iter().map(|(n, _)| *n).filter(|n| *n != region).collect();
            (draw.one(&others), draw.between(STAY_MIN, STAY_MAX))
        } else {
            (region, left)
        };
        self.at.insert(account.clone(), (region, left - 1));
        region
    }
}
