//! Postings: an operator's adjustments, decided once, recorded with their reason, and never below zero.

use engine::log::{Cause, Entry, Event};
use model::{AdjustmentKind, Answer, Command, MintedId, Posting, Query, Refusal, Text, WithdrawalState};

use crate::cluster::{Cluster, acc, accepted, dec};

const P: &str = "p@eu-west";

fn adjust(c: &mut Cluster, n: u16, id: MintedId, amount: &str, reason: &str) -> Answer {
    let (account, amount, reason) = (acc(P), dec(amount), Text::new(reason));
    c.ask(n, Command::Adjust { id, account, amount, kind: AdjustmentKind::Correction, reason })
}

fn posted(answer: Answer) -> (Posting, bool) {
    match answer {
        Answer::Deposited { posting, replayed, .. } => (posting, replayed),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_adjustment_is_decided_once_and_another_body_is_told_so() {
    let mut c = Cluster::new(2);
    c.funded(P, "10");
    let id = c.mint(1);
    let (first, replayed) = posted(adjust(&mut c, 1, id, "2.50", "a goodwill gesture"));
    assert!(!replayed);
    assert_eq!(posted(adjust(&mut c, 1, id, "2.5", "a goodwill gesture")), (first.clone(), true));
    c.crash(1);
    assert_eq!(posted(adjust(&mut c, 1, id, "2.50", "a goodwill gesture")), (first, true));
    for (amount, reason) in [("2.51", "a goodwill gesture"), ("-2.50", "a goodwill gesture"), ("2.50", "another")] {
        assert_eq!(adjust(&mut c, 1, id, amount, reason), Answer::Refused(Refusal::IdReused));
    }
    assert_eq!(c.deposit(1, id, P, "2.50"), Answer::Refused(Refusal::IdReused));
    assert_eq!(adjust(&mut c, 2, id, "2.50", "a goodwill gesture"), Answer::Refused(Refusal::NotOwner { region: 1 }));
    c.run_until_quiet();
    assert_eq!(c.account(2, P).balance, 1_250);
    c.assert_equal();
    c.assert_conserved(P);
}

#[test]
fn who_adjusted_and_why_is_in_the_posting_and_in_the_log() {
    let mut c = Cluster::new(2);
    c.funded(P, "10");
    let id = c.mint(1);
    let (posting, _) = posted(adjust(&mut c, 1, id, "-1", "booked twice by mistake"));
    let said = posting.adjustment().unwrap();
    assert_eq!((said.actor.as_str(), said.reason.as_str()), ("desk:eu-west", "booked twice by mistake"));
    assert!(said.taken && said.debt == 0);
    let store = c.store_of(1);
    let site = c.engine(1).site();
    let entries = engine::port::View::log(&store, site, 1, 100, usize::MAX);
    let of_it = |bytes: &bytes::Bytes| {
        let entry = Entry::decode(bytes).unwrap();
        entry.events.contains(&Event::Posting(posting.clone())).then_some(entry.by)
    };
    assert_eq!(entries.iter().find_map(of_it), Some(Cause::Operator));
}

#[test]
fn what_cannot_be_taken_becomes_debt_and_later_money_of_the_house_repays_it() {
    let mut c = Cluster::new(2);
    c.funded(P, "10");
    c.on_sale(1);
    let w = c.wager(1, P, "4");
    assert_eq!(accepted(&c.place(1, w)), Some(true));
    let id = c.mint(1);
    let (posting, _) = posted(adjust(&mut c, 1, id, "-9", "taken back by the card's bank"));
    assert_eq!(posting.adjustment().unwrap().debt, 300, "six were free");
    let view = c.account(1, P);
    assert_eq!((view.balance, view.reserved, view.debt), (0, 400, 300));
    c.assert_conserved(P);
    let id = c.mint(1);
    posted(adjust(&mut c, 1, id, "5", "the bank has paid again"));
    let view = c.account(1, P);
    assert_eq!((view.balance, view.debt), (200, 0));
    c.run_until_quiet();
    c.assert_equal();
    c.assert_conserved(P);
}

#[test]
fn what_is_taken_away_from_home_is_asked_of_the_home() {
    let mut c = Cluster::new(2);
    c.funded(P, "10");
    let id = c.mint(2);
    let (posting, _) = posted(adjust(&mut c, 2, id, "-4", "a chargeback seen at another region"));
    assert_eq!(posting.adjustment().unwrap().debt, 400, "nothing is free at region 2");
    c.run_until_quiet();
    let view = c.account(1, P);
    assert_eq!((view.balance, view.debt), (600, 0));
    let id = c.mint(2);
    posted(adjust(&mut c, 2, id, "3", "a gift"));
    c.run_until_quiet();
    let view = c.account(1, P);
    assert_eq!((view.balance, view.spendable_here), (900, 900), "credits go home at once");
    c.assert_equal();
    c.assert_conserved(P);
}

#[test]
fn an_adjustment_of_nothing_or_without_a_reason_is_refused() {
    let mut c = Cluster::new(1);
    c.funded(P, "10");
    let long = "r".repeat(501);
    for (amount, reason) in [("0", "r"), ("1", ""), ("1", long.as_str()), ("0.001", "r"), ("-0.001", "r")] {
        let id = c.mint(1);
        let answer = adjust(&mut c, 1, id, amount, reason);
        assert!(matches!(answer, Answer::Refused(Refusal::Malformed { .. })), "{amount} {reason}: {answer:?}");
    }
    assert_eq!(c.account(1, P).balance, 1_000);
}

fn withdraw(c: &mut Cluster, n: u16, id: MintedId, amount: &str) -> Answer {
    c.ask(n, Command::Withdraw { id, account: acc(P), amount: dec(amount) })
}

fn resolve(c: &mut Cluster, n: u16, id: MintedId, confirm: bool) -> Answer {
    c.ask(n, Command::ResolveWithdrawal { id, account: acc(P), confirm })
}

fn standing(answer: &Answer) -> (WithdrawalState, bool) {
    match answer {
        Answer::Withdrawal { posting, held, .. } => (posting.withdrawal().unwrap().state, *held),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_withdrawal_is_held_only_once_another_region_has_its_entry() {
    let mut c = Cluster::new(2);
    c.funded(P, "10");
    c.part(1, 2);
    let id = c.mint(1);
    assert_eq!(standing(&withdraw(&mut c, 1, id, "4")), (WithdrawalState::Prepared, false));
    assert_eq!(c.account(1, P).spendable_here, 600, "free goes down at once");
    assert_eq!(c.account(1, P).held, 400);
    assert_eq!(resolve(&mut c, 1, id, true), Answer::Refused(Refusal::NotHeldYet));
    assert_eq!(resolve(&mut c, 1, id, false), Answer::Refused(Refusal::NotHeldYet));
    c.crash(1);
    assert_eq!(standing(&withdraw(&mut c, 1, id, "4")), (WithdrawalState::Prepared, false));
    c.heal(1, 2);
    c.run_until_quiet();
    let seen = c.query(1, Query::Withdrawal(acc(P), id));
    assert_eq!(standing(&seen), (WithdrawalState::Prepared, true));
    c.crash(1);
    assert_eq!(standing(&c.query(1, Query::Withdrawal(acc(P), id))), (WithdrawalState::Prepared, true));
    assert_eq!(standing(&resolve(&mut c, 1, id, true)), (WithdrawalState::Confirmed, false));
    assert_eq!(standing(&resolve(&mut c, 1, id, true)), (WithdrawalState::Confirmed, false));
    assert_eq!(resolve(&mut c, 1, id, false), Answer::Refused(Refusal::WithdrawalConfirmed));
    c.run_until_quiet();
    let view = c.account(2, P);
    assert_eq!((view.balance, view.held), (600, 0));
    assert_eq!(standing(&c.query(2, Query::Withdrawal(acc(P), id))), (WithdrawalState::Confirmed, false));
    c.assert_equal();
    c.assert_conserved(P);
}

#[test]
fn away_from_home_the_home_is_asked_and_another_region_forwards_the_end() {
    let mut c = Cluster::new(3);
    c.funded(P, "10");
    let id = c.mint(2);
    assert_eq!(standing(&withdraw(&mut c, 2, id, "4")).0, WithdrawalState::Prepared);
    c.run_until_quiet();
    assert_eq!(c.account(1, P).held, 400);
    let read = c.query(3, Query::Withdrawal(acc(P), id));
    assert_eq!(read, Answer::Refused(Refusal::NotOwner { region: 2 }), "only the origin knows whether it is held");
    assert_eq!(standing(&resolve(&mut c, 3, id, false)), (WithdrawalState::Released, false));
    assert_eq!(resolve(&mut c, 1, id, true), Answer::Refused(Refusal::WithdrawalReleased));
    c.run_until_quiet();
    let view = c.account(1, P);
    assert_eq!((view.balance, view.spendable_here, view.held), (1_000, 1_000, 0), "released money goes home");
    c.assert_equal();
    c.assert_conserved(P);
}

#[test]
fn a_withdrawal_is_refused_while_its_home_knows_of_debt_and_undecided_while_the_home_is_away() {
    let mut c = Cluster::new(3);
    c.funded(P, "10");
    let moved = c.mint(2);
    assert_eq!(standing(&withdraw(&mut c, 2, moved, "5")).0, WithdrawalState::Prepared);
    c.run_until_quiet();
    standing(&resolve(&mut c, 2, moved, false));
    c.part(1, 2);
    c.part(2, 3);
    let id = c.mint(2);
    let away = withdraw(&mut c, 2, id, "1");
    assert_eq!(away, Answer::Refused(Refusal::RegionUnreachable { region: Text::new("eu-west") }));
    let debt = c.mint(1);
    posted(adjust(&mut c, 1, debt, "-20", "a chargeback"));
    c.heal(1, 2);
    assert_eq!(withdraw(&mut c, 2, id, "1"), Answer::Refused(Refusal::DebtOutstanding));
    c.assert_conserved(P);
}

#[test]
fn a_withdrawal_of_money_that_is_nowhere_is_refused_for_good() {
    let mut c = Cluster::new(2);
    c.funded(P, "10");
    for n in [1, 2] {
        let id = c.mint(n);
        assert_eq!(standing(&withdraw(&mut c, n, id, "11")), (WithdrawalState::Insufficient, false), "region {n}");
        c.run_until_quiet();
        let more = c.mint(1);
        c.deposit(1, more, P, "0.01");
        assert_eq!(standing(&withdraw(&mut c, n, id, "11")).0, WithdrawalState::Insufficient);
        assert_eq!(resolve(&mut c, n, id, true), Answer::Refused(Refusal::WithdrawalRefused));
    }
    c.run_until_quiet();
    c.assert_equal();
    c.assert_conserved(P);
}
