//! Results as registers, money that follows them, slices, rollbacks.

use engine::door::{Lane, Request};
use model::{Command, OutcomeResult, RejectCode, ResultScope, ResultWrite, WagerState};

use crate::cluster::{Cluster, accepted, market, outcome};

const P: &str = "p@eu-west";

/// Two regions, 100.00 at home, one wager of 10.00 at 2.0 on `home`, accepted at `n`.
fn one_wager(n: u16) -> (Cluster, model::MintedId) {
    let mut c = Cluster::new(2);
    c.funded(P, "100");
    c.on_sale(1);
    let w = c.wager(n, P, "10");
    let id = w.id;
    assert_eq!(accepted(&c.place(n, w)), Some(true));
    c.run_until_quiet();
    (c, id)
}

#[test]
fn money_follows_the_current_result_through_every_change() {
    for owner in [1, 2] {
        let (mut c, id) = one_wager(owner);
        let steps = [
            (OutcomeResult::Won, WagerState::Won, 2_000),
            (OutcomeResult::Won, WagerState::Won, 2_000),
            (OutcomeResult::Lost, WagerState::Lost, 0),
            (OutcomeResult::Void, WagerState::Void, 1_000),
            (OutcomeResult::Open, WagerState::Open, 0),
            (OutcomeResult::Won, WagerState::Won, 2_000),
            (OutcomeResult::None, WagerState::Open, 0),
            (OutcomeResult::Lost, WagerState::Lost, 0),
        ];
        for (n, (result, state, paid)) in steps.into_iter().enumerate() {
            c.result(if n % 2 == 0 { 1 } else { 2 }, "home", result);
            c.run_until_quiet();
            for region in [1, 2] {
                let known = c.known(region, id);
                assert_eq!((known.state, known.paid.minor()), (state, paid), "step {n} at {region}, owner {owner}");
            }
            let view = c.account(1, P);
            assert_eq!(view.balance - view.debt, 9_000 + i128::from(paid), "step {n}, owner {owner}");
            c.assert_conserved(P);
            c.assert_equal();
        }
    }
}

#[test]
fn a_payout_away_from_home_goes_home() {
    let (mut c, _) = one_wager(2);
    let before = c.account(1, P).spendable_here;
    c.result(2, "home", OutcomeResult::Won);
    c.run_until_quiet();
    assert_eq!(c.account(1, P).spendable_here, before + 2_000);
}

#[test]
fn debt_away_from_home_is_served_from_the_home() {
    let (mut c, _) = one_wager(2);
    // Nothing else is left at region 2: its payout went home, and the correction finds no free money there.
    let spend = c.account(2, P).spendable_here;
    let w = c.wager(2, P, &format!("{}.{:02}", spend / 100, spend % 100));
    assert_eq!(accepted(&c.place(2, w)), Some(true));
    c.result(1, "home", OutcomeResult::Won);
    c.run_until_quiet();
    c.result(1, "home", OutcomeResult::Lost);
    c.run_until_quiet();
    c.pass(5_000);
    let view = c.account(1, P);
    assert_eq!(view.debt, 0, "the home holds {} and the debt is {}", view.balance, view.debt);
}

#[test]
fn a_wager_accepted_while_a_result_was_on_its_way_is_settled() {
    let (mut c, _) = one_wager(2);
    // The log lane is faster than the odds lane: region 2 settles the market, and still sells it.
    c.hold.insert((1, 2, Lane::Odds));
    c.result(1, "home", OutcomeResult::Won);
    c.quiet();
    c.pass(1_000);
    let w = c.wager(2, P, "5");
    let id = w.id;
    let answer = c.place(2, w);
    c.release();
    c.run_until_quiet();
    c.pass(5_000);
    if accepted(&answer) == Some(true) {
        assert_ne!(c.known(2, id).state, WagerState::Open, "its stake would be reserved for ever");
    }
    c.assert_conserved(P);
}

#[test]
fn a_market_with_a_result_is_not_sold_anywhere_until_it_is_rolled_back() {
    let (mut c, _) = one_wager(1);
    c.result(2, "away", OutcomeResult::Lost);
    c.run_until_quiet();
    assert_eq!((c.refusal(1), c.refusal(2)), (Some(RejectCode::MarketSettled), Some(RejectCode::MarketSettled)));
    c.result(1, "away", OutcomeResult::Open);
    c.run_until_quiet();
    assert_eq!((c.refusal(1), c.refusal(2)), (None, None));
}

#[test]
fn differing_concurrent_results_settle_nothing_until_superseded() {
    let (mut c, id) = one_wager(1);
    c.part(1, 2);
    c.result(1, "home", OutcomeResult::Won);
    c.pass(500);
    assert_eq!(c.known(1, id).state, WagerState::Won);
    c.result(2, "home", OutcomeResult::Lost);
    c.heal(1, 2);
    c.run_until_quiet();
    assert_eq!(c.known(1, id).state, WagerState::Won, "a paid wager keeps what it has");
    c.result(2, "home", OutcomeResult::Lost);
    c.run_until_quiet();
    assert_eq!(c.known(1, id).state, WagerState::Lost);
    c.assert_equal();
}

#[test]
fn the_last_of_two_results_of_one_call_counts() {
    let (mut c, id) = one_wager(1);
    let write = |result| ResultWrite { scope: ResultScope::Outcome(outcome("home")), result };
    let results = vec![write(OutcomeResult::Lost), write(OutcomeResult::Won), write(OutcomeResult::Void)];
    c.ask(1, Command::WriteResults { market: market(), results, closed_ms: None });
    c.run_until_quiet();
    assert_eq!((c.known(1, id).state, c.known(2, id).state), (WagerState::Void, WagerState::Void));
    c.assert_equal();
}

#[test]
fn results_that_change_between_slices_and_a_crash_end_in_the_last_one() {
    let mut c = Cluster::new(2);
    c.funded(P, "100000");
    c.on_sale(1);
    let wagers: Vec<_> = (0..2_500).map(|_| c.wager(1, P, "1")).collect();
    let ids: Vec<_> = wagers.iter().map(|w| w.id).collect();
    let place = c.send(1, Request::Command(Command::Place(wagers)), 0);
    assert!(c.replies.contains_key(&place));
    c.result(1, "home", OutcomeResult::Won);
    c.group(1, vec![]);
    c.crash(1);
    c.result(2, "home", OutcomeResult::Lost);
    c.group(1, vec![]);
    c.crash(1);
    c.run_until_quiet();
    let states: Vec<_> = ids.iter().map(|id| c.known(1, *id).state).collect();
    assert!(states.iter().all(|s| *s == WagerState::Lost), "every wager follows the last result");
    assert_eq!(c.account(1, P).balance, 10_000_000 - 250_000);
    c.assert_conserved(P);
    c.assert_equal();
}
