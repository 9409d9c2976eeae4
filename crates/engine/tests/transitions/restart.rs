//! A crash at any moment: what was acknowledged is there, what must happen still happens.

use crdt::Site;
use engine::door::{Lane, Request};
use model::{Command, OutcomeResult, StatusAct, WagerState};

use crate::cluster::{Cluster, accepted};

const P: &str = "p@eu-west";

#[test]
fn everything_answered_is_there_after_a_crash_of_every_region() {
    let mut c = Cluster::new(3);
    c.funded(P, "100");
    c.on_sale(1);
    let w = c.wager(3, P, "10");
    let id = w.id;
    assert_eq!(accepted(&c.place(3, w)), Some(true));
    c.status(2, StatusAct::Suspend);
    c.run_until_quiet();
    let before = (c.engine(1).token(), c.engine(2).token(), c.engine(3).token());
    for n in 1..=3 {
        c.crash(n);
    }
    c.run_until_quiet();
    assert!(c.engine(1).token().covers(&before.0) && c.engine(3).token().covers(&before.2));
    assert_eq!(c.known(1, id).state, WagerState::Open);
    assert_eq!(c.refusal(1), Some(model::RejectCode::MarketSuspended));
    c.assert_conserved(P);
    c.assert_equal();
}

#[test]
fn odds_numbers_and_request_numbers_are_not_used_again_after_a_crash() {
    let mut c = Cluster::new(2);
    c.funded(P, "100");
    c.on_sale(1);
    for odds in ["3", "4", "5"] {
        let before = c.engine(1).plane().vector().get(Site::new(1, 1));
        c.crash(1);
        c.price(1, "home", odds);
        assert_eq!(c.engine(1).plane().vector().get(Site::new(1, 1)), before + 1);
        c.run_until_quiet();
        c.assert_equal();
    }
    for _ in 0..3 {
        c.crash(2);
        c.run_until_quiet();
        let left = c.account(2, P).spendable_here / 100;
        let w = c.wager(2, P, &(left + 1).to_string());
        assert_eq!(accepted(&c.place(2, w)), Some(true), "a request after a crash is not taken for an old one");
    }
    c.assert_conserved(P);
}

#[test]
fn rights_on_their_way_arrive_whoever_crashes() {
    for crash in [1, 2] {
        let mut c = Cluster::new(2);
        c.funded(P, "100");
        c.on_sale(1);
        c.hold.insert((1, 2, Lane::Log));
        c.hold.insert((1, 2, Lane::Bulk));
        let w = c.wager(2, P, "10");
        c.send(2, Request::Command(Command::Place(vec![w.clone()])), 60_000);
        c.quiet();
        c.crash(crash);
        c.release();
        c.run_until_quiet();
        assert_eq!(accepted(&c.place(2, w)), Some(true), "region {crash} crashed");
        c.run_until_quiet();
        assert_eq!(c.account(1, P).in_transfer, 0);
        c.assert_conserved(P);
        c.assert_equal();
    }
}

#[test]
fn settlement_goes_on_after_a_crash() {
    let mut c = Cluster::new(2);
    c.funded(P, "10000");
    c.on_sale(1);
    let wagers: Vec<_> = (0..1_500).map(|_| c.wager(1, P, "1")).collect();
    let last = wagers.last().unwrap().id;
    c.send(1, Request::Command(Command::Place(wagers)), 0);
    c.result(2, "home", OutcomeResult::Won);
    c.crash(1);
    c.crash(2);
    c.run_until_quiet();
    assert_eq!((c.known(1, last).state, c.known(2, last).state), (WagerState::Won, WagerState::Won));
    c.assert_equal();
}

#[test]
fn an_entry_applied_twice_changes_nothing() {
    let mut c = Cluster::new(2);
    c.funded(P, "100");
    c.on_sale(1);
    c.hold.insert((1, 2, Lane::Log));
    let id = c.mint(1);
    c.deposit(1, id, P, "1");
    c.quiet();
    c.hold.clear();
    c.pass(3_000);
    // By now the entry has been pulled; the push comes late.
    let before = c.engine(2).ledger().clone();
    assert_eq!(before.head(Site::new(1, 1)).index, c.engine(1).ledger().head(Site::new(1, 1)).index);
    c.release();
    assert_eq!(c.engine(2).ledger().accounts, before.accounts);
    c.assert_equal();
}
