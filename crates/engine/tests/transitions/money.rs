//! Deposits, placing, borrowing and final answers.

use engine::door::{Input, Lane, Request};
use engine::wire::{Acquire, PeerMessage};
use model::limits::{AMOUNT_MINOR_MAX, WAGER_HORIZON_MS};
use model::{Answer, Command, MintedId, Query, Refusal, RejectCode, WagerAnswer, WagerView};

use crate::cluster::{Cluster, WALL_MS, acc, accepted, dec, one, reason};

const P: &str = "p@eu-west";

#[test]
fn a_deposit_is_posted_once_and_only_by_its_origin() {
    let mut c = Cluster::new(2);
    c.funded(P, "10");
    let id = c.mint(1);
    let replayed = |a: &Answer| match a {
        Answer::Deposited { replayed, .. } => *replayed,
        other => panic!("{other:?}"),
    };
    assert!(!replayed(&c.deposit(1, id, P, "5")));
    assert!(replayed(&c.deposit(1, id, P, "5.00")), "the same again is the same answer");
    assert_eq!(c.deposit(1, id, P, "6"), Answer::Refused(Refusal::IdReused));
    assert_eq!(c.deposit(2, id, P, "5"), Answer::Refused(Refusal::NotOwner { region: 1 }));
    let mut w = c.wager(1, P, "1");
    w.id = id;
    c.on_sale(1);
    assert_eq!(c.place(1, w), WagerAnswer::Refused(Refusal::IdReused), "an id is one posting or one wager");
    assert_eq!(c.account(1, P).balance, 1500);
    c.assert_conserved(P);
}

#[test]
fn a_deposit_away_from_home_goes_home() {
    let mut c = Cluster::new(2);
    c.funded(P, "10");
    let id = c.mint(2);
    c.deposit(2, id, P, "7");
    c.run_until_quiet();
    assert_eq!(c.account(1, P).spendable_here, 1700);
    assert_eq!(c.account(2, P).spendable_here, 0);
    c.assert_conserved(P);
    c.assert_equal();
}

#[test]
fn a_wager_id_is_accepted_once_and_its_answer_stays() {
    let mut c = Cluster::new(2);
    c.funded(P, "10");
    c.on_sale(1);
    let w = c.wager(1, P, "4");
    // Twice in one batch, twice in one group, again later, again after a crash.
    let (a, first) = c.input(Request::Command(Command::Place(vec![w.clone(), w.clone()])), None, 0);
    let (b, second) = c.input(Request::Command(Command::Place(vec![w.clone()])), None, 0);
    c.group(1, vec![first, second]);
    let Some(Answer::Placed(twice)) = c.replies.remove(&a) else { panic!() };
    assert!(matches!(twice[0], WagerAnswer::Decided { replayed: false, .. }));
    assert!(matches!(twice[1], WagerAnswer::Decided { replayed: true, .. }));
    let Some(Answer::Placed(again)) = c.replies.remove(&b) else { panic!() };
    assert!(matches!(again[0], WagerAnswer::Decided { replayed: true, .. }));
    c.crash(1);
    assert!(matches!(c.place(1, w.clone()), WagerAnswer::Decided { replayed: true, .. }));
    assert!(matches!(c.place(2, w.clone()), WagerAnswer::Decided { replayed: true, .. }), "in every region");
    let mut other = w.clone();
    other.unit_stake = dec("5");
    assert_eq!(c.place(1, other), WagerAnswer::Refused(Refusal::IdReused));
    assert_eq!(c.account(1, P).reserved, 400);
    c.assert_conserved(P);
}

#[test]
fn a_rejection_is_final_even_when_money_comes_later() {
    let mut c = Cluster::new(2);
    c.funded(P, "1");
    c.on_sale(1);
    let w = c.wager(1, P, "4");
    assert_eq!(reason(&c.place(1, w.clone())), Some(RejectCode::InsufficientFunds));
    let id = c.mint(1);
    c.deposit(1, id, P, "100");
    assert_eq!(reason(&c.place(1, w)), Some(RejectCode::InsufficientFunds));
}

#[test]
fn an_id_is_not_decided_beyond_its_horizon_nor_after_its_time() {
    let mut c = Cluster::new(1);
    c.funded(P, "10");
    c.on_sale(1);
    let mut w = c.wager(1, P, "1");
    w.id = MintedId::mint(WALL_MS + WAGER_HORIZON_MS + 3_600_000, 1, 1, 1);
    assert_eq!(c.place(1, w.clone()), WagerAnswer::Refused(Refusal::IdHorizon));
    w.id = MintedId::mint(WALL_MS - 1, 1, 1, 1);
    assert_eq!(c.place(1, w.clone()), WagerAnswer::Refused(Refusal::IdExpired));
    let view = c.query(1, Query::Wager(w.id));
    assert!(matches!(view, Answer::Wager { view: WagerView::NotPlaced { definitive: true }, .. }));
    c.crash(1);
    assert_eq!(c.place(1, w), WagerAnswer::Refused(Refusal::IdExpired));
}

#[test]
fn rights_are_borrowed_in_one_round_trip() {
    let mut c = Cluster::new(3);
    c.funded(P, "100");
    c.on_sale(1);
    let w = c.wager(2, P, "10");
    assert_eq!(accepted(&c.place(2, w)), Some(true), "answered while the clock stands");
    c.run_until_quiet();
    assert_eq!(c.account(3, P).reserved, 1000);
    c.assert_conserved(P);
    c.assert_equal();
}

#[test]
fn a_grant_counts_only_when_its_entry_has_come() {
    let mut c = Cluster::new(2);
    c.funded(P, "100");
    c.on_sale(1);
    c.hold.insert((1, 2, Lane::Log));
    c.hold.insert((1, 2, Lane::Bulk));
    let w = c.wager(2, P, "10");
    let id = c.send(2, Request::Command(Command::Place(vec![w])), 30_000);
    c.quiet();
    assert!(!c.replies.contains_key(&id), "the reply alone gives no rights");
    c.release();
    assert_eq!(accepted(&one(c.replies.remove(&id).unwrap())), Some(true));
    c.assert_conserved(P);
}

#[test]
fn a_repeated_request_for_rights_is_granted_once() {
    let mut c = Cluster::new(2);
    c.funded(P, "100");
    let ask = Acquire { n: 7, account: acc(P), need: 1000, want: 1000, purpose: None };
    (0..3).for_each(|_| c.peer(2, 1, &PeerMessage::Acquire(ask.clone())));
    c.crash(1);
    c.peer(2, 1, &PeerMessage::Acquire(ask));
    c.run_until_quiet();
    assert_eq!(c.account(2, P).spendable_here, 1000);
    c.assert_conserved(P);
}

#[test]
fn away_from_home_a_lack_everywhere_is_final_within_a_round_trip() {
    let mut c = Cluster::new(2);
    c.funded(P, "5");
    c.on_sale(1);
    let w = c.wager(2, P, "10");
    assert_eq!(reason(&c.place(2, w)), Some(RejectCode::InsufficientFunds));
    // What little there was has come along (partial grants are kept); another account's money cannot come while cut.
    let other = "q@eu-west";
    c.funded(other, "5");
    c.part(1, 2);
    let w = c.wager(2, other, "4");
    assert!(matches!(c.place(2, w), WagerAnswer::Refused(Refusal::InsufficientLocalFunds { elsewhere: 500, .. })));
}

#[test]
fn two_wagers_for_one_sum_get_one_acceptance_and_one_final_rejection_in_time() {
    let mut c = Cluster::new(2);
    c.funded(P, "10");
    c.on_sale(1);
    let (first, second) = (c.wager(2, P, "10"), c.wager(2, P, "10"));
    let a = c.send(2, Request::Command(Command::Place(vec![first])), 60_000);
    let b = c.send(2, Request::Command(Command::Place(vec![second])), 60_000);
    c.quiet();
    c.pass(5_000);
    let a = c.replies.remove(&a).map(one).expect("the first is answered");
    let b = c.replies.remove(&b).map(one).expect("the second is answered long before its deadline");
    assert_eq!(accepted(&a), Some(true));
    assert_eq!(reason(&b), Some(RejectCode::InsufficientFunds), "{b:?}");
    c.assert_conserved(P);
}

#[test]
fn a_wager_too_large_does_not_deny_a_small_one_beside_it() {
    let mut c = Cluster::new(2);
    c.funded(P, "50");
    c.on_sale(1);
    let (large, small) = (c.wager(2, P, "100"), c.wager(2, P, "5"));
    let id = c.send(2, Request::Command(Command::Place(vec![large, small])), 60_000);
    c.quiet();
    c.pass(5_000);
    let Some(Answer::Placed(answers)) = c.replies.remove(&id) else { panic!("not answered in time") };
    assert_eq!(reason(&answers[0]), Some(RejectCode::InsufficientFunds), "{answers:?}");
    assert_eq!(accepted(&answers[1]), Some(true), "its home is linked and has 50.00: {answers:?}");
}

#[test]
fn a_givers_refusal_counts_once_its_cut_is_here_whatever_entry_brings_it() {
    let mut c = Cluster::new(2);
    c.funded(P, "5");
    c.funded("q@eu-west", "5");
    c.on_sale(1);
    // The giver's answer overtakes an entry about somebody else.
    c.hold.insert((1, 2, Lane::Log));
    let id = c.mint(1);
    c.deposit(1, id, "q@eu-west", "1");
    let w = c.wager(2, P, "10");
    let place = c.send(2, Request::Command(Command::Place(vec![w])), 60_000);
    c.quiet();
    assert!(!c.replies.contains_key(&place), "not certain yet");
    c.release();
    c.pass(500);
    let answer = c.replies.remove(&place).map(one).expect("certain once the giver's cut is here");
    assert_eq!(reason(&answer), Some(RejectCode::InsufficientFunds));
}

#[test]
fn money_left_at_two_other_regions_can_be_spent_at_home() {
    let mut c = Cluster::new(3);
    c.funded(P, "100");
    c.on_sale(1);
    for n in [2, 3] {
        let w = c.wager(n, P, "10");
        assert_eq!(accepted(&c.place(n, w)), Some(true));
    }
    c.run_until_quiet();
    let free = c.account(1, P).balance;
    assert_eq!(free, 8000);
    // All that is left, at home, with every region linked: a second attempt may be needed, a third may not.
    let mut w = c.wager(1, P, "80");
    let mut answer = c.place(1, w.clone());
    for _ in 0..3 {
        c.run_until_quiet();
        w.id = c.mint(1);
        answer = if accepted(&answer) == Some(true) { answer } else { c.place(1, w.clone()) };
    }
    assert_eq!(accepted(&answer), Some(true), "{answer:?}");
    c.assert_conserved(P);
}

#[test]
fn what_over_asking_left_at_one_region_can_be_spent_at_another() {
    let mut c = Cluster::new(3);
    c.funded(P, "3");
    c.on_sale(1);
    let w = c.wager(3, P, "0.10");
    assert_eq!(accepted(&c.place(3, w)), Some(true));
    c.run_until_quiet();
    // The home holds less than the stake; with what lies idle at region 3 it is enough.
    let w = c.wager(2, P, "2.50");
    let answer = c.place(2, w);
    assert_eq!(accepted(&answer), Some(true), "{answer:?}");
    c.run_until_quiet();
    c.assert_conserved(P);
}

/// `thousands` times a thousand of the largest deposits to one account.
fn pour(c: &mut Cluster, thousands: usize) {
    let most = dec(&format!("{}.{:02}", AMOUNT_MINOR_MAX / 100, AMOUNT_MINOR_MAX % 100));
    for _ in 0..thousands {
        let inputs: Vec<Input> = (0..1_000)
            .map(|_| {
                let id = c.mint(1);
                let command = Command::Deposit { id, account: acc(P), amount: most };
                c.input(Request::Command(command), None, 0).1
            })
            .collect();
        c.group(1, inputs);
        c.quiet();
    }
}

#[test]
fn deposits_never_carry_a_row_beyond_what_peers_take() {
    let mut c = Cluster::new(2);
    c.funded(P, "10");
    pour(&mut c, 5);
    c.run_until_quiet();
    assert!(c.alarms.iter().all(|(_, code, _)| *code != "stream_stopped"), "{:?}", c.alarms.last());
    c.assert_equal();
}

#[test]
fn deposits_beyond_what_a_row_can_count_are_refused() {
    let mut c = Cluster::new(1);
    c.funded(P, "10");
    pour(&mut c, 19);
    assert!(c.replies.values().any(|a| matches!(a, Answer::Refused(_))));
    c.assert_conserved(P);
}

#[test]
fn a_wait_of_any_length_is_taken() {
    let mut c = Cluster::new(2);
    c.funded(P, "100");
    c.on_sale(1);
    c.hold.insert((2, 1, Lane::Requests));
    let w = c.wager(2, P, "10");
    let id = c.send(2, Request::Command(Command::Place(vec![w])), u64::MAX);
    c.release();
    c.run_until_quiet();
    assert_eq!(accepted(&one(c.replies.remove(&id).unwrap())), Some(true));
}
