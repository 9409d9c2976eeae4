//! Wagers on markets in play: pending for the market's delay, then judged against what is on offer then, for good.

use engine::door::Request;
use model::{
    Answer, Command, MarketDraft, MarketStatus, OddsPolicy, Query, Refusal, RejectCode, StatusAct, Suspension,
    WagerAnswer, WagerRequest, WagerView,
};

use crate::cluster::{Cluster, acc, accepted, definition, market, one, reason};

const P: &str = "p@eu-west";
const DELAY_MS: u32 = 5_000;

/// The market in play at 2.0, with a delay of five seconds.
fn world(size: u16) -> Cluster {
    let mut c = Cluster::new(size);
    c.funded(P, "10");
    c.on_sale(1);
    let definition = model::Definition { in_play: true, bet_delay_ms: DELAY_MS, ..definition(&["home", "away"]) };
    let draft = MarketDraft { market: market(), definition, status: MarketStatus::Active };
    c.ask(1, Command::PutMarket(Box::new(draft)));
    c.run_until_quiet();
    c
}

fn view(c: &mut Cluster, n: u16, w: &WagerRequest) -> WagerView {
    match c.query(n, Query::Wager(w.id)) {
        Answer::Wager { view, .. } => view,
        other => panic!("{other:?}"),
    }
}

fn waits(answer: &WagerAnswer) -> bool {
    matches!(answer, WagerAnswer::Delayed(_))
}

/// The decision of a wager, as any region knows it.
fn decided(c: &mut Cluster, n: u16, w: &WagerRequest) -> WagerAnswer {
    WagerAnswer::Decided { record: c.known(n, w.id).into(), replayed: true }
}

#[test]
fn a_wager_in_play_waits_for_the_delay_and_is_accepted_at_the_price_of_then() {
    let mut c = world(2);
    let w = c.wager(1, P, "4");
    let WagerAnswer::Delayed(delay) = c.place(1, w.clone()) else { panic!("it was answered at once") };
    assert_eq!(delay.due_ms, delay.asked_ms + u64::from(DELAY_MS));
    assert!(matches!(view(&mut c, 1, &w), WagerView::Delayed(d) if d == delay));
    assert_eq!(c.account(1, P).spendable_here, 600, "its stake is set aside");
    assert!(waits(&c.place(1, w.clone())), "sent again it waits on");
    c.price(1, "home", "3");
    c.pass(4_900);
    assert!(matches!(view(&mut c, 1, &w), WagerView::Delayed(_)), "and no sooner");
    c.pass(200);
    let record = c.known(1, w.id);
    assert!(record.is_accepted());
    assert_eq!(record.legs[0].odds.to_string(), "3");
    assert_eq!(record.asked_ms, Some(delay.asked_ms));
    assert!(record.placed_at.ms() >= delay.due_ms);
    c.run_until_quiet();
    assert!(c.known(2, w.id).is_accepted());
    assert!(matches!(c.place(1, w), WagerAnswer::Decided { replayed: true, .. }));
    c.assert_equal();
    c.assert_conserved(P);
}

#[test]
fn what_happens_in_between_counts() {
    type Act = fn(&mut Cluster);
    let acts: [(Act, RejectCode); 4] = [
        (|c| c.status(1, StatusAct::Suspend), RejectCode::MarketSuspended),
        (|c| c.price(1, "home", "1.5"), RejectCode::OddsChanged),
        (
            |c| drop(c.ask(1, Command::Suspend { scope: Suspension::Account(acc(P)), lift: false })),
            RejectCode::AccountExcluded,
        ),
        (|c| c.result(1, "away", model::OutcomeResult::Won), RejectCode::MarketSettled),
    ];
    for (act, code) in acts {
        let mut c = world(1);
        let w = WagerRequest { policy: OddsPolicy::Higher, ..c.wager(1, P, "4") };
        assert!(waits(&c.place(1, w.clone())));
        act(&mut c);
        c.pass(5_100);
        assert_eq!(reason(&decided(&mut c, 1, &w)), Some(code));
        assert_eq!(c.account(1, P).spendable_here, 1_000, "nothing is set aside any more");
    }
}

#[test]
fn a_suspension_that_was_lifted_in_between_rejects_nothing_and_a_problem_at_once_needs_no_delay() {
    let mut c = world(1);
    let w = c.wager(1, P, "4");
    assert!(waits(&c.place(1, w.clone())));
    c.status(1, StatusAct::Suspend);
    let other = c.wager(1, P, "1");
    assert_eq!(reason(&c.place(1, other)), Some(RejectCode::MarketSuspended), "at once");
    c.status(1, StatusAct::Resume);
    c.pass(5_100);
    assert!(c.known(1, w.id).is_accepted());
}

#[test]
fn a_client_that_waits_longer_than_the_delay_hears_the_end() {
    let mut c = world(1);
    let w = c.wager(1, P, "4");
    let short = c.send(1, Request::Command(Command::Place(vec![w.clone()])), 4_000);
    let long = c.send(1, Request::Command(Command::Place(vec![w.clone(), w.clone()])), 9_000);
    assert!(waits(&one(c.replies.remove(&short).unwrap())), "who waits less hears at once that it waits");
    c.pass(4_900);
    assert!(!c.replies.contains_key(&long));
    c.pass(300);
    let Some(Answer::Placed(answers)) = c.replies.remove(&long) else { panic!("no answer") };
    assert_eq!(answers.iter().map(accepted).collect::<Vec<_>>(), [Some(true); 2]);
}

#[test]
fn money_that_waits_is_not_spent_elsewhere() {
    let mut c = world(2);
    let w = c.wager(1, P, "8");
    assert!(waits(&c.place(1, w.clone())));
    let more = c.wager(1, P, "3");
    assert_eq!(reason(&c.place(1, more)), Some(RejectCode::InsufficientFunds));
    let id = c.mint(1);
    let asked = c.ask(1, Command::Withdraw { id, account: acc(P), amount: model_dec("3") });
    assert!(matches!(asked, Answer::Withdrawal { held: false, .. }), "{asked:?}");
    let away = c.wager(2, P, "3");
    assert_ne!(accepted(&c.place(2, away)), Some(true), "nor is it lent");
    c.pass(5_100);
    assert!(c.known(1, w.id).is_accepted());
    c.assert_conserved(P);
}

fn model_dec(text: &str) -> rust_decimal::Decimal {
    crate::cluster::dec(text)
}

#[test]
fn a_note_survives_a_crash_and_ends_all_the_same() {
    let mut c = world(2);
    let w = c.wager(1, P, "4");
    assert!(waits(&c.place(1, w.clone())));
    c.pass(1_000);
    c.crash(1);
    assert!(waits(&c.place(1, w.clone())));
    assert_eq!(c.account(1, P).spendable_here, 600);
    c.pass(4_200);
    assert!(c.known(1, w.id).is_accepted());
    c.crash(1);
    assert!(matches!(c.place(1, w), WagerAnswer::Decided { replayed: true, .. }));
    assert_eq!(c.engine(1).delayed().count(), 0);
    c.assert_conserved(P);
}

#[test]
fn abandoned_or_cancelled_in_between_it_is_never_placed() {
    for reason in [None, Some(model::Text::new("a wrong price"))] {
        let mut c = world(1);
        let w = c.wager(1, P, "4");
        let waiting = c.send(1, Request::Command(Command::Place(vec![w.clone()])), 9_000);
        let closed = c.ask(1, Command::CloseWager { id: w.id, reason });
        assert!(matches!(closed, Answer::Wager { view: WagerView::NotPlaced { definitive: true }, .. }), "{closed:?}");
        assert_eq!(one(c.replies.remove(&waiting).unwrap()), WagerAnswer::Refused(Refusal::IdClosed));
        assert_eq!(c.account(1, P).spendable_here, 1_000);
        c.pass(6_000);
        assert_eq!(c.place(1, w.clone()), WagerAnswer::Refused(Refusal::IdClosed));
        assert!(matches!(view(&mut c, 1, &w), WagerView::NotPlaced { definitive: true }));
    }
}

#[test]
fn tried_at_another_region_in_between_it_waits_there_and_is_accepted_once() {
    let mut c = world(3);
    let w = c.wager(1, P, "4");
    assert!(waits(&c.place(1, w.clone())));
    assert!(waits(&c.place(2, w.clone())), "handed over, it waits anew");
    assert_eq!(c.engine(1).delayed().count(), 0);
    c.pass(5_200);
    c.run_until_quiet();
    for n in 1..=3 {
        let record = c.known(n, w.id);
        assert_eq!((record.is_accepted(), record.owner.region), (true, 2), "region {n}");
    }
    assert_eq!(c.account(3, P).reserved, 400);
    c.assert_equal();
    c.assert_conserved(P);
}

#[test]
fn an_id_that_waits_is_no_other_wager_and_no_posting() {
    let mut c = world(1);
    let w = c.wager(1, P, "4");
    assert!(waits(&c.place(1, w.clone())));
    let other = WagerRequest { unit_stake: model_dec("5"), ..w.clone() };
    assert_eq!(c.place(1, other), WagerAnswer::Refused(Refusal::IdReused));
    assert_eq!(c.deposit(1, w.id, P, "5"), Answer::Refused(Refusal::IdReused));
}

#[test]
fn one_whose_time_passes_while_it_waits_is_decided_all_the_same() {
    let mut c = world(2);
    let mut w = c.wager(1, P, "4");
    let soon = c.engine(1).owner_ms() + 1_000;
    w.id = model::MintedId::mint(soon, 1, 1, 4_711);
    assert!(waits(&c.place(1, w.clone())));
    c.pass(2_000);
    assert!(matches!(view(&mut c, 1, &w), WagerView::Delayed(_)), "it is not called too late");
    assert!(!matches!(c.place(2, w.clone()), WagerAnswer::Refused(Refusal::IdExpired)), "nor elsewhere");
    c.pass(3_200);
    assert!(c.known(1, w.id).is_accepted());
}

#[test]
fn one_handed_here_whose_time_passes_while_it_waits_is_not_closed_before_it_is_decided() {
    let mut c = world(3);
    let mut w = c.wager(1, P, "4");
    w.id = model::MintedId::mint(c.engine(1).owner_ms() + 1_000, 1, 1, 4_712);
    assert!(waits(&c.place(1, w.clone())));
    assert!(waits(&c.place(2, w.clone())), "handed over, it waits anew");
    c.pass(6_000);
    c.run_until_quiet();
    assert!(c.engine(2).ledger().handed.keys().all(|(_, site)| site.region != 2), "no tombstone beside the decision");
    for n in 1..=3 {
        assert_eq!(c.known(n, w.id).owner.region, 2, "region {n}");
        assert!(c.engine(n).ledger().logs.values().all(|head| head.stopped.is_none()), "region {n}");
    }
    c.assert_equal();
}

#[test]
fn before_the_start_and_where_delays_are_off_nothing_waits() {
    let mut c = world(1);
    c.on_sale(1);
    let w = c.wager(1, P, "4");
    assert_eq!(accepted(&c.place(1, w)), Some(true), "not in play");
    let mut c = Cluster::apart(1, false);
    c.bet_delays = false;
    c.start(1, crate::store::MemStore::default());
    c.link_all();
    c.funded(P, "10");
    c.on_sale(1);
    let definition = model::Definition { in_play: true, bet_delay_ms: DELAY_MS, ..definition(&["home", "away"]) };
    c.ask(1, Command::PutMarket(Box::new(MarketDraft { market: market(), definition, status: MarketStatus::Active })));
    let w = c.wager(1, P, "4");
    assert_eq!(accepted(&c.place(1, w)), Some(true));
}
