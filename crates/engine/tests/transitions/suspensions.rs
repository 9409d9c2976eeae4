//! Suspensions of every scope: all, a sport, an event, a market, an account. A suspension beats every concurrent lifting;
//! lies of peers about them are refused.

use crdt::{Dot, Hlc, Register, Site};
use engine::log::Event;
use engine::odds::{RegisterKey, RegisterValue};
use engine::port::Exclusion;
use engine::wire::{OddsFrame, PeerMessage};
use model::{
    Answer, Command, EventKey, MarketStatus, OutcomeResult, Query, Refusal, RejectCode, SaleScope, Sport, Suspension,
    SuspensionView,
};

use crate::cluster::{Cluster, WALL_MS, acc, accepted, dec, market, odds_bytes, reason, register, word};

const P: &str = "p@eu-west";

fn sport(name: &str) -> Suspension {
    Suspension::Sale(SaleScope::Sport(Sport::new(name).unwrap()))
}

fn event(name: &str) -> Suspension {
    Suspension::Sale(SaleScope::Event(EventKey::new(name).unwrap()))
}

fn act(c: &mut Cluster, n: u16, scope: &Suspension, lift: bool) -> SuspensionView {
    match c.ask(n, Command::Suspend { scope: scope.clone(), lift }) {
        Answer::Suspended(view) => view,
        other => panic!("{other:?}"),
    }
}

fn listed(c: &mut Cluster, n: u16, after: Option<Suspension>, limit: usize) -> (Vec<Suspension>, bool) {
    match c.query(n, Query::Suspensions { after, limit }) {
        Answer::Suspensions { list, more } => (list.into_iter().map(|view| view.scope).collect(), more),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_scope_takes_the_market_off_sale_everywhere_and_only_its_own_markets() {
    for scope in [Suspension::Sale(SaleScope::All), sport("football"), event("e1"), Suspension::Market(market())] {
        let mut c = Cluster::new(3);
        c.funded(P, "10");
        c.on_sale(1);
        assert_eq!(act(&mut c, 2, &scope, false).by.len(), 1);
        c.run_until_quiet();
        for n in 1..=3 {
            assert_eq!(c.refusal(n), Some(RejectCode::MarketSuspended), "{scope:?} at region {n}");
            assert_eq!(listed(&mut c, n, None, 10), (vec![scope.clone()], false));
        }
        let w = c.wager(1, P, "1");
        assert_eq!(reason(&c.place(1, w)), Some(RejectCode::MarketSuspended), "{scope:?}");
        assert!(act(&mut c, 3, &scope, true).by.is_empty());
        c.run_until_quiet();
        assert_eq!((c.refusal(1), c.refusal(2), c.refusal(3)), (None, None, None), "{scope:?} lifted");
        c.assert_equal();
    }
    let mut c = Cluster::new(1);
    c.on_sale(1);
    for other in [sport("tennis"), event("e2")] {
        act(&mut c, 1, &other, false);
        assert_eq!(c.refusal(1), None, "{other:?} is nobody's here");
    }
}

#[test]
fn a_suspension_of_a_scope_beats_a_concurrent_lifting_and_survives_crashes() {
    for scope in [Suspension::Sale(SaleScope::All), sport("football"), event("e1")] {
        let mut c = Cluster::new(3);
        c.on_sale(1);
        act(&mut c, 1, &scope, false);
        c.run_until_quiet();
        c.part(1, 2);
        c.part(2, 3);
        act(&mut c, 2, &scope, false);
        assert!(act(&mut c, 1, &scope, true).by.is_empty(), "all that region 1 has seen is lifted");
        c.run_until_quiet();
        assert_eq!(c.refusal(1), None);
        c.heal(1, 2);
        c.heal(2, 3);
        c.run_until_quiet();
        (1..=3).for_each(|n| c.crash(n));
        c.run_until_quiet();
        for n in 1..=3 {
            assert_eq!(c.refusal(n), Some(RejectCode::MarketSuspended), "{scope:?} at region {n}");
        }
        c.assert_equal();
        act(&mut c, 3, &scope, true);
        c.run_until_quiet();
        assert_eq!((c.refusal(1), c.refusal(2), c.refusal(3)), (None, None, None));
    }
}

#[test]
fn a_market_that_comes_after_its_scope_was_suspended_is_off_sale() {
    for scope in [Suspension::Sale(SaleScope::All), sport("football"), event("e1")] {
        let mut c = Cluster::new(2);
        act(&mut c, 2, &scope, false);
        c.run_until_quiet();
        c.on_sale(1);
        assert_eq!(
            (c.refusal(1), c.refusal(2)),
            (Some(RejectCode::MarketSuspended), Some(RejectCode::MarketSuspended))
        );
    }
}

#[test]
fn a_scope_that_was_never_suspended_is_lifted_without_a_trace() {
    let mut c = Cluster::new(1);
    c.on_sale(1);
    let before = c.engine(1).plane().clone();
    assert!(act(&mut c, 1, &event("e1"), true).by.is_empty());
    assert_eq!(c.engine(1).plane(), &before);
}

#[test]
fn suspensions_are_listed_page_by_page_in_order() {
    let mut c = Cluster::new(1);
    c.funded(P, "10");
    c.on_sale(1);
    let all = [
        Suspension::Sale(SaleScope::All),
        sport("football"),
        event("e1"),
        Suspension::Market(market()),
        Suspension::Account(acc(P)),
    ];
    all.iter().rev().for_each(|scope| drop(act(&mut c, 1, scope, false)));
    let mut after = None;
    let mut seen = Vec::new();
    loop {
        let (page, more) = listed(&mut c, 1, after, 2);
        assert!(page.len() <= 2);
        after = page.last().cloned();
        seen.extend(page);
        if !more {
            break;
        }
    }
    assert_eq!(seen, all);
}

#[test]
fn a_suspended_account_takes_no_wager_and_keeps_its_money_and_its_open_wagers() {
    let mut c = Cluster::new(3);
    c.funded(P, "10");
    c.on_sale(1);
    let open = c.wager(1, P, "2");
    assert_eq!(accepted(&c.place(1, open.clone())), Some(true));
    let scope = Suspension::Account(acc(P));
    act(&mut c, 2, &scope, false);
    c.run_until_quiet();
    for n in 1..=3 {
        let w = c.wager(n, P, "1");
        let answer = c.place(n, w.clone());
        assert_eq!(reason(&answer), Some(RejectCode::AccountExcluded), "region {n}: {answer:?}");
        assert!(c.account(n, P).excluded);
        let again = c.place(n, w);
        assert_eq!(reason(&again), Some(RejectCode::AccountExcluded), "it is final");
    }
    let id = c.mint(1);
    assert!(matches!(c.deposit(1, id, P, "5"), Answer::Deposited { replayed: false, .. }));
    let id = c.mint(1);
    c.run_until_quiet();
    let withdrawn = c.ask(1, Command::Withdraw { id, account: acc(P), amount: dec("1") });
    assert!(matches!(withdrawn, Answer::Withdrawal { .. }), "{withdrawn:?}");
    c.result(1, "home", OutcomeResult::Won);
    c.run_until_quiet();
    assert_eq!(c.known(1, open.id).paid.minor(), 400, "what is open settles");
    c.assert_equal();
    c.assert_conserved(P);
}

#[test]
fn only_the_home_readmits_and_only_what_it_has_seen() {
    let mut c = Cluster::new(3);
    c.funded(P, "10");
    c.on_sale(1);
    let scope = Suspension::Account(acc(P));
    act(&mut c, 2, &scope, false);
    c.run_until_quiet();
    let elsewhere = c.ask(3, Command::Suspend { scope: scope.clone(), lift: true });
    assert_eq!(elsewhere, Answer::Refused(Refusal::NotOwner { region: 1 }));
    c.part(1, 3);
    c.part(2, 3);
    act(&mut c, 3, &scope, false);
    assert!(act(&mut c, 1, &scope, true).by.is_empty());
    let w = c.wager(1, P, "1");
    assert_eq!(accepted(&c.place(1, w)), Some(true));
    c.heal(1, 3);
    c.heal(2, 3);
    c.run_until_quiet();
    let w = c.wager(1, P, "1");
    assert_eq!(reason(&c.place(1, w)), Some(RejectCode::AccountExcluded), "region 3's had not been seen");
    (1..=3).for_each(|n| c.crash(n));
    c.run_until_quiet();
    let w = c.wager(2, P, "1");
    assert_eq!(reason(&c.place(2, w)), Some(RejectCode::AccountExcluded));
    assert!(act(&mut c, 1, &scope, true).by.is_empty());
    c.run_until_quiet();
    for n in 1..=3 {
        assert!(!c.account(n, P).excluded, "region {n}");
        assert!(listed(&mut c, n, None, 10).0.is_empty());
    }
    c.assert_equal();
}

#[test]
fn an_account_that_is_unknown_is_not_suspended() {
    let mut c = Cluster::new(1);
    let scope = Suspension::Account(acc(P));
    assert_eq!(c.ask(1, Command::Suspend { scope, lift: false }), Answer::Refused(Refusal::AccountUnknown));
    let scope = Suspension::Market(market());
    assert_eq!(c.ask(1, Command::Suspend { scope, lift: false }), Answer::Refused(Refusal::MarketUnknown));
}

#[test]
fn forged_rows_of_suspensions_stop_their_sites_stream() {
    let row = |raised, lifted: Vec<(Site, u64)>, ms| Exclusion {
        raised,
        lifted: lifted.into_iter().collect(),
        at: Hlc::new(ms, 0),
    };
    let me = Site::new(1, 1);
    let forged = [
        ("names an entry that it is not", row(7_000, vec![], WALL_MS)),
        ("lifts what was never written", row(0, vec![(me, 9_000)], WALL_MS)),
        ("lifts its own future", row(0, vec![(Site::new(2, 1), 9_000)], WALL_MS)),
        ("is beyond all time", row(0, vec![], 1 << 47 | 1)),
    ];
    for (what, row) in forged {
        let mut c = Cluster::new(2);
        c.funded(P, "10");
        c.inject(2, 1, vec![Event::Excluded(acc(P), row)]);
        assert!(c.engine(1).ledger().head(Site::new(2, 1)).stopped.is_some(), "a row that {what}");
        assert!(!c.account(1, P).excluded, "a row that {what}");
    }
    // A row that goes back: a suspension is taken back by nobody but the home.
    let mut c = Cluster::new(2);
    c.funded(P, "10");
    act(&mut c, 2, &Suspension::Account(acc(P)), false);
    c.run_until_quiet();
    c.inject(2, 1, vec![Event::Excluded(acc(P), row(0, vec![], WALL_MS + 60_000))]);
    assert!(c.engine(1).ledger().head(Site::new(2, 1)).stopped.is_some());
    assert!(c.account(1, P).excluded);
}

#[test]
fn a_producer_does_not_speak_in_an_operators_scope() {
    let mut c = Cluster::new(2);
    c.on_sale(1);
    let dot = Dot { site: Site::new(2, 1), n: 50 };
    let value = RegisterValue::Held(register("uof:1", word(MarketStatus::Suspended, WALL_MS, dot)));
    let values = vec![odds_bytes(&RegisterKey::Held(SaleScope::All), &value)];
    c.peer(2, 1, &PeerMessage::Odds(OddsFrame { session: 9, number: 1, values, upto: None }));
    assert!(c.engine(1).plane().holds().scopes().is_empty());
    assert!(c.alarms.iter().any(|(n, code, _)| (*n, *code) == (1, "odds_refused")));
    // A register of one kind under the key of another.
    let value = RegisterValue::Status(Register::default());
    let values = vec![odds_bytes(&RegisterKey::Held(SaleScope::All), &value)];
    c.peer(2, 1, &PeerMessage::Odds(OddsFrame { session: 9, number: 2, values, upto: None }));
    assert!(c.engine(1).plane().holds().scopes().is_empty());
    assert_eq!(c.refusal(1), None);
}
