//! Configurations and their runs: small ones with every test run, large ones with `make model`, and every planted bug
//! of the ledger, which must yield a counterexample. Prints what was explored.

use std::io::Write as _;

use model::limits::PREPARED_ENTRIES_MAX;
use model::{MintedId, OutcomeResult};
use stateright::{Checker, Expectation, HasDiscoveries, Model};

use super::{Bounds, Told};
use crate::planted::Planted;

const THREADS: usize = 2;

/// One wager at a region that must borrow for it; the home bets too; two requests, both repeatable.
pub(super) const BORROW: Bounds = Bounds {
    name: "borrow",
    deposits: &[(0, 2), (2, 1)],
    wagers: &[(1, 1), (0, 2)],
    geo: &[],
    asks: &[(1, 0, 1, 1), (2, 0, 1, 2)],
    retries: &[],
    closes: &[],
    moves: &[],
    withdrawals: &[],
    window: None,
    results: &[],
    log_max: 4,
    ackers: &[2],
    repeats: false,
    planted: Planted::Nothing,
    sometimes: &[
        "a bet accepted from borrowed rights",
        "a grant in flight",
        "all rights have moved",
        "a wager rejected for good",
        "all regions level",
    ],
};

/// A wager placed away from home wins, is paid, its winnings go home, and the result turns: debt, asked for at home.
const SETTLE: Bounds = Bounds {
    name: "settle",
    deposits: &[(0, 1)],
    wagers: &[(1, 1)],
    geo: &[],
    asks: &[(1, 0, 1, 1), (1, 0, 2, 2)],
    retries: &[],
    closes: &[],
    moves: &[],
    withdrawals: &[],
    window: None,
    results: &[OutcomeResult::Won, OutcomeResult::Lost],
    log_max: 6,
    ackers: &[2],
    repeats: false,
    planted: Planted::Nothing,
    sometimes: &[
        "a bet accepted from borrowed rights",
        "a clawback that makes debt",
        "debt repaid",
        "a settlement corrected",
    ],
};

/// A wager of level `geo` at home, one of borrowed rights away from home, and one that is local.
const GEO: Bounds = Bounds {
    name: "geo",
    deposits: &[(0, 3)],
    wagers: &[(0, 1), (1, 1), (0, 1)],
    geo: &[0, 1],
    asks: &[(1, 0, 1, 1)],
    log_max: 5,
    sometimes: &["a prepared bet pending", "a prepared bet confirmed", "a confirmation known elsewhere"],
    ..BORROW
};

/// Runs a configuration to its end; prints and returns (total, unique) states.
pub(super) fn explore(bounds: Bounds) -> (usize, usize) {
    let name = bounds.name;
    let checker = bounds.checker().threads(THREADS).spawn_bfs().join();
    checker.assert_properties();
    let (total, unique, depth) = (checker.state_count(), checker.unique_state_count(), checker.max_depth());
    let line = format!("model {name:<10} | states {total:>9} | unique {unique:>8} | depth {depth:>3} | all held");
    writeln!(std::io::stdout(), "{line}").expect("stdout takes a line");
    (total, unique)
}

/// Longest counterexample that is looked for.
const STEPS_MAX: usize = 16;

/// Looks for the shortest counterexample; prints it and asserts which law it breaks.
pub(super) fn caught(bounds: &Bounds, by: &str) {
    let bug = bounds.planted;
    for depth in 2..=STEPS_MAX {
        let builder = bounds.clone().checker().threads(THREADS).target_max_depth(depth);
        let checker = builder.finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
        let broken = |name: &'static str| checker.model().property(name).expectation == Expectation::Always;
        let mut found: Vec<_> = checker.discoveries().into_iter().filter(|(name, _)| broken(name)).collect();
        found.sort_by_key(|(name, _)| *name != by);
        let Some((law, path)) = found.into_iter().next() else { continue };
        let steps: Vec<String> = path.into_actions().iter().map(|a| format!("{a:?}")).collect();
        let line = format!("model {bug:?} | caught by {law} | {} steps: {}", steps.len(), steps.join(", "));
        writeln!(std::io::stdout(), "{line}").expect("stdout takes a line");
        assert_eq!(law, by, "{bug:?} broke another law first");
        return;
    }
    panic!("{bug:?} went unnoticed in {STEPS_MAX} steps");
}

#[test]
fn borrowing_holds_in_every_order() {
    let (_, unique) = explore(BORROW);
    assert!(unique > 1_000, "only {unique} states: the bounds show nothing");
}

#[test]
fn settlement_away_from_home_holds_in_every_order() {
    let (_, unique) = explore(SETTLE);
    assert!(unique > 1_000, "only {unique} states: the bounds show nothing");
}

#[test]
fn prepared_bets_hold_in_every_order() {
    let (_, unique) = explore(GEO);
    assert!(unique > 1_000, "only {unique} states: the bounds show nothing");
}

/// Not of the model: the named limit of what may wait.
#[test]
fn beyond_the_limit_of_prepared_entries_only_local_wagers_are_taken() {
    let mut region = super::region::Region::new(1, &GEO);
    region.open_account();
    region.deposit(0, 3);
    region.ack(crdt::Site::new(2, 1), 2);
    region.ledger.prepared = (1_000..1_000 + PREPARED_ENTRIES_MAX as u64).collect();
    let mut place = |n, geo| (region.place(GEO.wager_id(n), 1, geo), region.disk.wagers.len());
    assert_eq!(place(0, true), (None, 0), "undecided, nothing recorded");
    assert_eq!(place(2, false), (Some(Told::Accepted), 1));
    region.ledger.prepared.pop_last();
    let pending = MintedId::mint(1, 1, 1, 9);
    assert_eq!((region.place(pending, 1, true), region.disk.wagers.len()), (None, 2), "pending");
}

#[test]
fn a_prepared_bet_answered_before_its_ack_has_a_counterexample() {
    let planted = Planted::GeoEarly;
    caught(&Bounds { planted, sometimes: &[], ..GEO }, "confirmed bets are durable elsewhere");
}

#[test]
fn planted_bugs_of_the_ledger_have_counterexamples() {
    let caught = |planted, by| caught(&Bounds { planted, sometimes: &[], ..BORROW }, by);
    caught(Planted::RegrantRepeats, "one grant a request");
    caught(Planted::GrantKept, "P2 conservation");
    caught(Planted::GrantFromReply, "P10 grants in-stream");
    caught(Planted::NotSticky, "P9 sticky");
    caught(Planted::RefundOnTimeout, "P17 monotone rows");
}

/// The bug and its control: repeats harm increments, and absolute rows in no order at all.
#[test]
fn repeats_harm_increments_and_not_absolute_rows() {
    explore(Bounds { name: "repeats", repeats: true, ..BORROW });
    let planted = Planted::IncrementDeltas;
    caught(&Bounds { repeats: true, planted, sometimes: &[], ..BORROW }, "P3 rights conservation");
}

#[test]
fn entries_applied_across_a_gap_have_a_counterexample() {
    caught(&Bounds { planted: Planted::GapApplied, sometimes: &[], ..SETTLE }, "P15 single writer");
}

/// The larger bounds of `make model`.
#[cfg(feature = "exhaustive")]
mod large {
    use super::*;

    #[test]
    fn three_regions_borrow_from_each_other() {
        explore(Bounds {
            name: "exchange",
            deposits: &[(0, 2), (2, 1)],
            wagers: &[(1, 1), (2, 2)],
            asks: &[(1, 0, 1, 1), (2, 0, 1, 2), (0, 1, 1, 1)],
            log_max: 5,
            sometimes: &["a bet accepted from borrowed rights", "a grant in flight", "all regions level"],
            ..BORROW
        });
    }

    #[test]
    fn floors_rise_in_every_order() {
        explore(Bounds {
            name: "acks",
            deposits: &[(0, 2)],
            wagers: &[(1, 1)],
            asks: &[(1, 0, 1, 1), (2, 0, 1, 1)],
            ackers: &[0, 1, 2],
            sometimes: &["a bet accepted from borrowed rights", "all rights have moved", "all regions level"],
            ..BORROW
        });
    }

    #[test]
    fn a_result_turns_twice() {
        let results = &[OutcomeResult::Won, OutcomeResult::Lost, OutcomeResult::Won];
        explore(Bounds { name: "turns", results, ..SETTLE });
    }

    #[test]
    fn two_wagers_of_two_regions_settle() {
        explore(Bounds {
            name: "settle two",
            deposits: &[(0, 2)],
            wagers: &[(1, 1), (0, 1)],
            asks: &[(1, 0, 1, 1)],
            results: &[OutcomeResult::Won],
            log_max: 5,
            sometimes: &["a bet accepted from borrowed rights", "all regions level"],
            ..SETTLE
        });
    }
}
