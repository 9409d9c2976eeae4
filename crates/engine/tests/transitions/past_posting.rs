//! Past-posting: legs that were taken after their market had closed are void, whatever their results say, beyond an
//! allowance for clocks; and only those.

use engine::door::{Lane, Rules};
use model::{Command, OutcomeResult, ResultScope, ResultWrite, WagerState};

use crate::cluster::{Cluster, WALL_MS, accepted, market, outcome};
use crate::uof::{alive, at, funded, on_sale, placed, settlement, stop, tell};

const P: &str = "p@us-east";

fn cut_off_desk() -> Cluster {
    let mut c = Cluster::new(2);
    c.funded(P, "100");
    c.on_sale(1);
    for lane in [Lane::Log, Lane::Odds, Lane::Bulk] {
        c.hold.insert((1, 2, lane));
    }
    c
}

fn bet(c: &mut Cluster) -> model::MintedId {
    let w = c.wager(2, P, "10");
    let id = w.id;
    assert_eq!(accepted(&c.place(2, w)), Some(true));
    id
}

fn stands(c: &mut Cluster, id: model::MintedId) -> (WagerState, u64, Vec<u8>) {
    let [here, there] = [1, 2].map(|n| c.known(n, id));
    assert_eq!(here, there, "the record is the same in both regions");
    (here.state, here.paid.minor(), here.past_posted().to_vec())
}

#[test]
fn what_was_taken_while_the_result_was_on_its_way_stands_within_the_allowance_and_is_void_beyond() {
    let mut c = cut_off_desk();
    c.result(1, "home", OutcomeResult::Won);
    c.pass(900);
    let within = bet(&mut c);
    c.pass(300);
    let beyond = bet(&mut c);
    c.release();
    c.run_until_quiet();
    assert_eq!(stands(&mut c, within), (WagerState::Won, 2_000, vec![]));
    assert_eq!(stands(&mut c, beyond), (WagerState::Void, 1_000, vec![0]));
    // What is taken back and said again later counts for both.
    c.result(1, "home", OutcomeResult::None);
    c.run_until_quiet();
    assert_eq!(stands(&mut c, beyond), (WagerState::Open, 0, vec![]));
    c.result(1, "home", OutcomeResult::Lost);
    c.run_until_quiet();
    assert_eq!([within, beyond].map(|id| stands(&mut c, id)), [(); 2].map(|()| (WagerState::Lost, 0, vec![])));
    c.assert_conserved(P);
    c.assert_equal();
}

#[test]
fn the_allowance_is_a_setting() {
    let mut c = Cluster::apart(2, false);
    c.rules = Rules { skew_allowance_ms: 5_000, ..Rules::default() };
    (1..=2).for_each(|n| c.start(n, crate::store::MemStore::default()));
    c.link_all();
    c.funded(P, "100");
    c.on_sale(1);
    for lane in [Lane::Log, Lane::Odds, Lane::Bulk] {
        c.hold.insert((1, 2, lane));
    }
    c.result(1, "home", OutcomeResult::Won);
    c.pass(4_000);
    let within = bet(&mut c);
    c.release();
    c.run_until_quiet();
    assert_eq!(stands(&mut c, within).0, WagerState::Won);
}

#[test]
fn an_operator_states_when_the_market_had_closed() {
    let mut c = Cluster::new(2);
    c.funded(P, "100");
    c.on_sale(1);
    let before = bet(&mut c);
    let closed_ms = WALL_MS + c.elapsed_ms;
    c.pass(2_000);
    let after = bet(&mut c);
    c.run_until_quiet();
    let results = || vec![ResultWrite { scope: ResultScope::Outcome(outcome("home")), result: OutcomeResult::Won }];
    let tell = |c: &mut Cluster, closed_ms| {
        let answer = c.ask(1, Command::WriteResults { market: market(), results: results(), closed_ms });
        c.run_until_quiet();
        answer
    };
    let future = tell(&mut c, Some(closed_ms + 3_600_000));
    assert!(matches!(future, model::Answer::Refused(model::Refusal::Malformed { .. })), "{future:?}");
    assert_eq!(stands(&mut c, before).0, WagerState::Open, "a refused call changes nothing");
    tell(&mut c, Some(closed_ms));
    assert_eq!(stands(&mut c, before), (WagerState::Won, 2_000, vec![]));
    assert_eq!(stands(&mut c, after), (WagerState::Void, 1_000, vec![0]));
    tell(&mut c, None);
    assert_eq!(stands(&mut c, after), (WagerState::Won, 2_000, vec![]), "the last word, without a time, is its own");
    c.assert_conserved(P);
    c.assert_equal();
}

/// The feed's status left active with the stop, which came late; the settlement follows.
#[test]
fn a_feeds_result_closes_the_market_when_its_status_left_active() {
    for direct in [true, false] {
        let mut c = on_sale(2);
        funded(&mut c);
        tell(&mut c, 1, &alive(1, 2));
        c.run_until_quiet();
        let before = placed(&mut c, 1, "1");
        tell(&mut c, 1, &alive(1, 5));
        c.run_until_quiet();
        let after = placed(&mut c, 1, "1");
        tell(&mut c, 1, &stop(1, 3, "all"));
        if !direct {
            // The status says so itself, later: it left active when it was stopped.
            tell(&mut c, 1, &crate::uof::change(1, 6, &crate::uof::listed(1, -1, "1.9")));
        }
        tell(&mut c, 1, &settlement(1, 10, "result='1'", "result='0'"));
        c.run_until_quiet();
        let known = [before, after].map(|id| c.known(2, id));
        assert_eq!(known.each_ref().map(|r| r.state), [WagerState::Won, WagerState::Void], "direct: {direct}");
        assert_eq!(known[1].past_posted(), [0]);
        assert!(known[0].placed_at.ms() <= at(3) && known[1].placed_at.ms() > at(3));
        c.assert_equal();
    }
}
