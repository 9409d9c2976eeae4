//! settle-once: every accepted wager stands as the results of all its legs say, at its owner: what was cashed out and what
//! was cancelled is off it, and legs that were taken after their market had closed are void. By arithmetic of its own.

use model::limits::SKEW_ALLOWANCE_MS_DEFAULT;
use model::{LegTaken, OutcomeResult, ResultRegister, ResultScope, SettlementCall, Share, WagerRecord, WagerState};

use crate::world::World;

pub(super) fn settled(world: &World, exempt: &[u16]) -> Result<(), String> {
    let allowance_ms = if world.options.replay { 0 } else { SKEW_ALLOWANCE_MS_DEFAULT };
    for wager in world.ghost.wagers.values().filter(|w| w.is_accepted() && !exempt.contains(&w.owner.region)) {
        let results = &world.node(wager.owner.region).disk.tables().results;
        let call = |leg: &LegTaken| {
            let of = |scope: ResultScope| {
                let register = results.get(&(leg.market.clone(), scope.clone()))?;
                Some((scope, register.clone()))
            };
            let all = [ResultScope::Outcome(leg.outcome.clone()), ResultScope::Market].map(of);
            let all: Vec<(ResultScope, ResultRegister)> = all.into_iter().flatten().collect();
            let call = SettlementCall::of_leg(&all, &leg.outcome, wager.placed_at.ms());
            let closed_ms = SettlementCall::closed_ms(&all, &leg.outcome).unwrap_or(u64::MAX);
            let late = wager.placed_at.ms() > closed_ms.saturating_add(allowance_ms);
            if late && call.is_result() { SettlementCall::Result(OutcomeResult::Void) } else { call }
        };
        let calls: Vec<SettlementCall> = wager.legs.iter().map(call).collect();
        if expected(wager, &calls).is_some_and(|e| e != (wager.state, wager.paid.minor())) {
            let text = format!("wager {wager:?} stands {:?}, its results say {calls:?}", wager.state);
            return Err(text);
        }
    }
    Ok(())
}

/// How the parts say that it stands; `None` while that hangs on a dispute.
fn expected(wager: &WagerRecord, calls: &[SettlementCall]) -> Option<(WagerState, u64)> {
    let stake = u128::from(wager.stake.minor());
    let taken: u128 = wager.cash_outs().iter().map(|c| u128::from(c.stake.minor())).sum();
    let pays: u64 = wager.cash_outs().iter().map(|c| c.pays.minor()).sum();
    let share = wager.cancelled().map_or(Share::ZERO, |c| c.share);
    // In parts of stake times the share's denominator: what is cancelled, and what plays on.
    let (num, den) = (u128::from(share.num()), u128::from(share.den()));
    let cancelled = (stake * num).min((stake - taken) * den);
    let live = (stake - taken) * den - cancelled;
    if live == 0 {
        let whole = share == Share::ONE && taken < stake;
        let state = if whole { WagerState::Cancelled } else { WagerState::CashedOut };
        return Some((state, pays + u64::try_from(cancelled / den).ok()?));
    }
    let (state, won, of) = as_a_whole(wager, calls)?;
    // Returned: cancelled / den. Won: won / of times live / (stake * den).
    let exact = (cancelled * stake * of + won * live) / (stake * den * of);
    Some((state, pays + u64::try_from(exact).ok()?))
}

/// The state, and what all of it would pay as a fraction: an accumulator of plain results, or all pairs of its legs.
fn as_a_whole(wager: &WagerRecord, calls: &[SettlementCall]) -> Option<(WagerState, u128, u128)> {
    if calls.contains(&SettlementCall::Disputed) {
        return None;
    }
    let mut factors = Vec::new();
    for (leg, call) in wager.legs.iter().zip(calls) {
        factors.push(match call {
            SettlementCall::Result(OutcomeResult::Won) => (u128::from(leg.odds.num()), u128::from(leg.odds.den())),
            SettlementCall::Result(OutcomeResult::Lost) => (0, 1),
            SettlementCall::Result(OutcomeResult::Void | OutcomeResult::Withdrawn) => (1, 1),
            SettlementCall::Result(OutcomeResult::Graded(_)) => return None,
            _ => return Some((WagerState::Open, 0, 1)),
        });
    }
    let voided =
        |call: &SettlementCall| matches!(call, SettlementCall::Result(OutcomeResult::Void | OutcomeResult::Withdrawn));
    let unit = u128::from(wager.unit_stake().minor());
    let den: u128 = factors.iter().map(|f| f.1).product();
    let lines: Vec<u128> = match &wager.system {
        None => vec![factors.iter().map(|f| f.0).product()],
        Some(_) => pairs(&factors),
    };
    let num = unit * lines.iter().sum::<u128>();
    let state = if calls.iter().all(voided) {
        WagerState::Void
    } else if num == 0 {
        WagerState::Lost
    } else if num < u128::from(wager.stake.minor()) * den {
        WagerState::Part
    } else {
        WagerState::Won
    };
    Some((state, num, den))
}

/// Numerators of the products of all pairs, over the product of all denominators.
fn pairs(factors: &[(u128, u128)]) -> Vec<u128> {
    let mut all = Vec::new();
    for a in 0..factors.len() {
        for b in a + 1..factors.len() {
            let part = |(n, f): (usize, &(u128, u128))| if n == a || n == b { f.0 } else { f.1 };
            all.push(factors.iter().enumerate().map(part).product());
        }
    }
    all
}
