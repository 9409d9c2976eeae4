//! The spend rule S1 to S4: what a region may spend before another one knows of it, also after a restart.

use crdt::Site;
use engine::door::{Lane, Request};
use engine::ledger::Exposure;
use engine::log::{Entry, Event};
use engine::port::View;
use model::{Command, OutcomeResult, Refusal, RejectCode, WagerAnswer};

use crate::cluster::{Cluster, accepted, gbp, one, reason};

const P: &str = "p@eu-west";
const Q: &str = "q@eu-west";

fn window(per_account: Option<u64>, per_region: Option<u64>) -> Vec<Exposure> {
    vec![Exposure { currency: gbp(), per_account, per_region }]
}

/// Regions with these windows, P funded with 100.00 at region 1, and a market on sale.
fn cluster(size: u16, windows: Vec<Exposure>) -> Cluster {
    let mut c = Cluster::new(size);
    c.windows = windows;
    (1..=size).for_each(|n| c.crash(n));
    c.run_until_quiet();
    c.funded(P, "100");
    c.on_sale(1);
    c
}

/// What is left to spend according to a refusal for the window.
fn left(answer: &WagerAnswer) -> u64 {
    match answer {
        WagerAnswer::Refused(Refusal::ReplicationWindow { spendable_here, .. }) => *spendable_here,
        other => panic!("{other:?}"),
    }
}

fn bet(c: &mut Cluster, n: u16, account: &str, stake: &str) -> WagerAnswer {
    let w = c.wager(n, account, stake);
    c.place(n, w)
}

fn apart(c: &mut Cluster) {
    c.part(1, 2);
}

#[test]
fn a_region_cut_off_spends_its_window_and_no_more() {
    let mut c = cluster(2, window(Some(3_000), None));
    apart(&mut c);
    assert_eq!(accepted(&bet(&mut c, 1, P, "20")), Some(true));
    assert_eq!(c.account(1, P).spendable_here, 1_000);
    let w = c.wager(1, P, "10.01");
    assert_eq!(left(&c.place(1, w.clone())), 1_000);
    assert_eq!(accepted(&bet(&mut c, 1, P, "10")), Some(true), "exactly the window");
    assert_eq!(left(&bet(&mut c, 1, P, "0.01")), 0);
    assert_eq!(c.account(1, P).balance, 7_000, "the money is there");
    c.heal(1, 2);
    assert_eq!(c.account(1, P).spendable_here, 3_000);
    assert_eq!(accepted(&c.place(1, w)), Some(true), "the same id: nothing was recorded");
    c.run_until_quiet();
    c.assert_conserved(P);
    c.assert_equal();
}

#[test]
fn a_restart_while_cut_off_brings_no_fresh_window() {
    let mut c = cluster(2, window(Some(3_000), None));
    apart(&mut c);
    assert_eq!(accepted(&bet(&mut c, 1, P, "20")), Some(true));
    let id = c.mint(1);
    c.deposit(1, id, P, "50");
    let before = c.engine(1).ledger().clone();
    for _ in 0..2 {
        c.crash(1);
        assert_eq!(c.engine(1).ledger().window, before.window);
        assert_eq!(c.engine(1).ledger().accounts, before.accounts);
        assert_eq!(c.engine(1).ledger().ack_floor, before.ack_floor);
    }
    assert_eq!(left(&bet(&mut c, 1, P, "10.01")), 1_000);
    c.heal(1, 2);
    assert!(c.engine(1).ledger().window.is_empty());
    assert_eq!(accepted(&bet(&mut c, 1, P, "30")), Some(true));
    c.run_until_quiet();
    c.assert_conserved(P);
}

#[test]
fn settlements_are_found_again_after_a_restart() {
    let mut c = cluster(2, Vec::new());
    let w = c.wager(1, P, "60");
    assert_eq!(accepted(&c.place(1, w)), Some(true));
    c.run_until_quiet();
    apart(&mut c);
    c.result(1, "home", OutcomeResult::Won);
    c.pass(1_000);
    assert_eq!((c.account(1, P).balance, c.account(1, P).spendable_here), (16_000, 4_000), "the payout is unknown");
    let before = c.engine(1).ledger().clone();
    c.crash(1);
    assert_eq!(c.engine(1).ledger().window, before.window);
    assert_eq!(c.account(1, P).spendable_here, 4_000);
    c.heal(1, 2);
    assert_eq!(c.account(1, P).spendable_here, 16_000);
    c.assert_conserved(P);
}

#[test]
fn the_region_s_window_holds_over_all_accounts_of_its_currency() {
    let mut c = cluster(2, window(None, Some(2_500)));
    c.funded(Q, "100");
    apart(&mut c);
    assert_eq!(accepted(&bet(&mut c, 1, P, "15")), Some(true));
    assert_eq!(left(&bet(&mut c, 1, Q, "10.01")), 1_000);
    assert_eq!(accepted(&bet(&mut c, 1, Q, "10")), Some(true));
    assert_eq!((c.account(1, P).spendable_here, c.account(1, Q).spendable_here), (0, 0));
    c.heal(1, 2);
    assert_eq!(accepted(&bet(&mut c, 1, P, "25")), Some(true));
}

#[test]
fn a_deposit_is_spent_once_another_region_knows_of_it_and_is_never_called_missing() {
    let mut c = cluster(2, Vec::new());
    apart(&mut c);
    let id = c.mint(1);
    c.deposit(1, id, P, "50");
    let w = c.wager(1, P, "120");
    assert_eq!(left(&c.place(1, w.clone())), 10_000);
    let more = bet(&mut c, 1, P, "150.01");
    assert_eq!(reason(&more), Some(RejectCode::InsufficientFunds), "more than there is: certain at home");
    c.heal(1, 2);
    assert_eq!(accepted(&c.place(1, w)), Some(true));
}

#[test]
fn a_wager_right_after_a_deposit_waits_for_the_ack_and_passes() {
    let mut c = cluster(2, window(Some(3_000), None));
    let id = c.mint(1);
    let deposit =
        Request::Command(Command::Deposit { id, account: super::cluster::acc(Q), amount: "20".parse().unwrap() });
    c.ask(1, Command::OpenAccount { account: super::cluster::acc(Q), currency: gbp() });
    c.send(1, deposit, 0);
    let w = c.wager(1, Q, "15");
    let id = c.send(1, Request::Command(Command::Place(vec![w])), 500);
    assert!(!c.replies.contains_key(&id), "it waits");
    c.quiet();
    let answer = one(c.replies.remove(&id).expect("answered while the clock stands"));
    assert_eq!(accepted(&answer), Some(true));
}

#[test]
fn wagers_beyond_the_window_wait_for_acks_up_to_their_deadline() {
    let mut c = cluster(2, window(Some(1_000), None));
    let wagers: Vec<_> = (0..5).map(|_| c.wager(1, P, "10")).collect();
    let answers = match c.ask(1, Command::Place(wagers)) {
        model::Answer::Placed(answers) => answers,
        other => panic!("{other:?}"),
    };
    assert!(answers.iter().all(|a| accepted(a) == Some(true)), "a healthy cluster shows no window: {answers:?}");
    c.run_until_quiet();
    c.hold.insert((2, 1, Lane::Log));
    assert_eq!(accepted(&bet(&mut c, 1, P, "10")), Some(true));
    let w = c.wager(1, P, "10");
    let id = c.send(1, Request::Command(Command::Place(vec![w])), 300);
    c.quiet();
    assert!(!c.replies.contains_key(&id));
    c.pass(300);
    assert_eq!(left(&one(c.replies.remove(&id).expect("the deadline has passed"))), 0);
}

#[test]
fn a_grant_takes_acknowledged_credits_only_and_comes_once_they_are() {
    let mut c = cluster(3, Vec::new());
    c.funded(Q, "5");
    // Region 1's log reaches nobody: its new deposit is known to no one else.
    c.hold.extend([(1, 2, Lane::Log), (1, 3, Lane::Log), (1, 2, Lane::Bulk), (1, 3, Lane::Bulk)]);
    let id = c.mint(1);
    c.send(
        1,
        Request::Command(Command::Deposit { id, account: super::cluster::acc(Q), amount: "20".parse().unwrap() }),
        0,
    );
    let w = c.wager(2, Q, "10");
    let id = c.send(2, Request::Command(Command::Place(vec![w])), 30_000);
    c.quiet();
    assert!(!c.replies.contains_key(&id));
    assert_eq!(c.engine(1).stats().grants, 0);
    c.release();
    let answer = one(c.replies.remove(&id).expect("answered"));
    assert_eq!(accepted(&answer), Some(true));
    assert_eq!(c.engine(1).stats().grants, 1);
    c.run_until_quiet();
    c.assert_conserved(Q);
    c.assert_equal();
}

#[test]
fn received_rights_are_spent_at_once_and_grants_are_exempt_from_windows() {
    let mut c = cluster(2, window(Some(2_000), Some(2_000)));
    let w = c.wager(2, P, "20");
    assert_eq!(accepted(&c.place(2, w)), Some(true), "80.00 are granted beyond a window of 20.00");
    assert!(c.engine(1).stats().grants > 0);
    c.assert_conserved(P);
}

#[test]
fn a_credit_away_from_home_goes_home_once_it_is_known_elsewhere() {
    let mut c = cluster(2, Vec::new());
    apart(&mut c);
    let id = c.mint(2);
    c.deposit(2, id, P, "30");
    assert_eq!(c.account(2, P).in_transfer, 0, "nothing is granted that nobody else knows of");
    c.crash(2);
    c.heal(1, 2);
    c.run_until_quiet();
    assert_eq!((c.account(1, P).spendable_here, c.account(2, P).spendable_here), (13_000, 0));
    c.assert_conserved(P);
    c.assert_equal();
}

#[test]
fn a_lowered_window_is_in_force_at_once_and_a_raised_one_once_it_is_acknowledged() {
    let mut c = cluster(2, window(Some(3_000), None));
    apart(&mut c);
    c.windows = window(Some(1_000), None);
    c.crash(1);
    assert_eq!(c.account(1, P).spendable_here, 1_000, "lowered: at once");
    c.windows = window(Some(5_000), None);
    c.crash(1);
    assert_eq!(c.account(1, P).spendable_here, 1_000, "raised: not before its ack");
    c.crash(1);
    assert_eq!(c.account(1, P).spendable_here, 1_000, "and a restart changes nothing of that");
    c.windows = Vec::new();
    c.crash(1);
    assert_eq!(c.account(1, P).spendable_here, 1_000, "without a window: raised beyond all");
    c.windows = window(Some(5_000), None);
    c.crash(1);
    c.heal(1, 2);
    assert_eq!(c.account(1, P).spendable_here, 5_000);
    assert_eq!(
        said(&c),
        vec![
            window(Some(3_000), None),
            window(Some(1_000), None),
            window(Some(5_000), None),
            vec![],
            window(Some(5_000), None)
        ],
        "each change is one entry of the own log"
    );
    c.assert_equal();
}

/// All windows in region 1's log, as region 2 holds it.
fn said(c: &Cluster) -> Vec<Vec<Exposure>> {
    let log = c.store_of(2).log(Site::new(1, 1), 1, 10_000, usize::MAX);
    let events = log.iter().flat_map(|bytes| Entry::decode(bytes).unwrap().events);
    events.filter_map(|event| if let Event::Windows(exposures) = event { Some(exposures) } else { None }).collect()
}

#[test]
fn other_windows_in_a_hello_are_alarmed_and_nothing_else() {
    let mut c = cluster(2, window(Some(3_000), None));
    let before = c.engine(1).stats().windows_differ;
    c.link_all();
    assert_eq!(c.engine(1).stats().windows_differ, before, "equal windows are no news");
    c.alarms.clear();
    c.windows = window(Some(4_000), None);
    c.crash(2);
    c.run_until_quiet();
    assert!(c.alarms.iter().any(|(n, code, _)| *n == 1 && *code == "windows_differ"), "{:?}", c.alarms);
    assert!(c.engine(1).stats().windows_differ > before && c.engine(2).stats().windows_differ > 0);
    assert_eq!(accepted(&bet(&mut c, 1, P, "30")), Some(true), "each keeps its own");
    c.run_until_quiet();
    c.assert_equal();
}

#[test]
fn one_region_alone_has_no_window() {
    let mut c = cluster(1, window(Some(1), Some(1)));
    assert_eq!(accepted(&bet(&mut c, 1, P, "60")), Some(true));
    let id = c.mint(1);
    c.deposit(1, id, P, "10");
    assert_eq!(c.account(1, P).spendable_here, 5_000);
    assert!(c.engine(1).ledger().window.is_empty());
}

#[test]
fn a_clawback_is_never_refused_and_takes_nothing_of_the_window() {
    let mut c = cluster(2, window(Some(2_000), None));
    let w = c.wager(1, P, "20");
    assert_eq!(accepted(&c.place(1, w)), Some(true));
    c.result(1, "home", OutcomeResult::Won);
    c.run_until_quiet();
    apart(&mut c);
    c.result(1, "home", OutcomeResult::Lost);
    c.pass(1_000);
    assert_eq!((c.account(1, P).balance, c.account(1, P).spendable_here), (8_000, 2_000));
    c.heal(1, 2);
    c.run_until_quiet();
    c.assert_conserved(P);
    c.assert_equal();
}
