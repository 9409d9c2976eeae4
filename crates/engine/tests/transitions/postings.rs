//! Postings: an operator's adjustments, decided once, recorded with their reason, and never below zero.

use engine::log::{Cause, Entry, Event};
use model::{AdjustmentKind, Answer, Command, MintedId, Posting, Refusal, Text};

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
