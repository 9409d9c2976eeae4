//! Homes that follow their players: when they move, what goes with them, and what stays put.

use crdt::{Hlc, Row, Site};
use engine::door::Lane;
use engine::ledger::Tenure;
use engine::log::{Event, Grant};
use engine::port::AccountHead;
use engine::wire::PeerMessage;

use model::{Amount, Answer, Hash16, InFlight, MintedId, Posting, Query, Refusal};

use crate::cluster::{Cluster, WALL_MS, acc, accepted, gbp};

const P: &str = "p@eu-west";

fn home(c: &Cluster, at: u16) -> (u16, u64) {
    let head = c.engine(at).ledger().account_head(&acc(P)).unwrap().clone();
    (head.home.region, head.epoch())
}

fn bet(c: &mut Cluster, at: u16, stake: &str) {
    let wager = c.wager(at, P, stake);
    assert_eq!(accepted(&c.place(at, wager)), Some(true));
    c.quiet();
}

/// A player of region 1 with 100.00 who has bet at home long ago.
fn travelling(size: u16) -> Cluster {
    let mut c = Cluster::new(size);
    c.funded(P, "100");
    c.on_sale(1);
    bet(&mut c, 1, "1");
    c.pass(61_000);
    c
}

#[test]
fn two_bets_away_bring_the_home_and_all_rights() {
    let mut c = travelling(3);
    bet(&mut c, 2, "1");
    assert_eq!(home(&c, 1), (1, 0), "one bet away is a borrow");
    bet(&mut c, 2, "1");
    c.run_until_quiet();
    (1..=3).for_each(|n| assert_eq!(home(&c, n), (2, 1), "region {n}"));
    assert_eq!(c.account(1, P).spendable_here, 0);
    assert_eq!(c.account(2, P).spendable_here, 9_700);
    let asked = c.engine(2).stats().acquires;
    bet(&mut c, 2, "90");
    assert_eq!(c.engine(2).stats().acquires, asked, "a bet at the new home asks nobody");
    c.assert_conserved(P);
    c.assert_equal();
    c.crash(1);
    c.crash(2);
    (1..=3).for_each(|n| assert_eq!(home(&c, n), (2, 1), "region {n} after crashes"));
}

#[test]
fn a_home_that_is_bet_at_stays() {
    let mut c = travelling(2);
    bet(&mut c, 1, "1");
    bet(&mut c, 2, "1");
    bet(&mut c, 2, "1");
    c.run_until_quiet();
    assert_eq!(home(&c, 2), (1, 0));
}

#[test]
fn a_home_does_not_flutter() {
    let mut c = travelling(2);
    let mut at = 2;
    for moves in 1..=3 {
        bet(&mut c, at, "1");
        bet(&mut c, at, "1");
        c.run_until_quiet();
        assert_eq!(home(&c, 1), (at, moves));
        c.pass(61_000);
        at = 3 - at;
    }
    bet(&mut c, at, "1");
    bet(&mut c, at, "1");
    c.run_until_quiet();
    assert_eq!(home(&c, 1), (3 - at, 3), "three moves in ten minutes: it stays for thirty");
    c.pass(1_800_000);
    bet(&mut c, at, "1");
    bet(&mut c, at, "1");
    c.run_until_quiet();
    assert_eq!(home(&c, 1), (at, 4));
    c.assert_conserved(P);
}

#[test]
fn a_repeated_wish_moves_nothing_twice() {
    let mut c = travelling(2);
    let wish = PeerMessage::ComeHome { account: acc(P), epoch: 0 };
    c.peer(2, 1, &wish);
    c.peer(2, 1, &wish);
    c.run_until_quiet();
    assert_eq!(home(&c, 2), (2, 1));
    // A late repeat, after the home has come back.
    c.pass(61_000);
    c.peer(1, 2, &PeerMessage::ComeHome { account: acc(P), epoch: 1 });
    c.run_until_quiet();
    assert_eq!(home(&c, 1), (1, 2));
    c.pass(61_000);
    c.peer(2, 1, &wish);
    c.run_until_quiet();
    assert_eq!(home(&c, 1), (1, 2), "the wish spoke of another home");
    c.assert_conserved(P);
}

#[test]
fn money_pushed_to_an_old_home_follows_to_the_new_one() {
    let mut c = travelling(3);
    // Region 3 does not hear of the move and pushes a deposit to region 1.
    c.hold.insert((1, 3, Lane::Log));
    c.hold.insert((2, 3, Lane::Log));
    c.peer(2, 1, &PeerMessage::ComeHome { account: acc(P), epoch: 0 });
    c.quiet();
    assert_eq!((home(&c, 1), home(&c, 3)), ((2, 1), (1, 0)));
    let id = c.mint(3);
    c.deposit(3, id, P, "5");
    c.quiet();
    c.release();
    c.run_until_quiet();
    assert_eq!(c.account(2, P).spendable_here, 10_400);
    assert_eq!(c.account(1, P).spendable_here, 0);
    c.assert_conserved(P);
    c.assert_equal();
}

#[test]
fn a_home_counts_only_in_stream() {
    let mut c = travelling(2);
    c.hold.insert((1, 2, Lane::Log));
    c.peer(2, 1, &PeerMessage::ComeHome { account: acc(P), epoch: 0 });
    c.quiet();
    assert_eq!((home(&c, 1), home(&c, 2)), ((2, 1), (1, 0)), "on its way");
    assert_eq!(c.account(2, P).spendable_here, 0);
    c.crash(1);
    c.release();
    c.run_until_quiet();
    assert_eq!((home(&c, 1), home(&c, 2)), ((2, 1), (2, 1)));
    assert_eq!(c.account(2, P).spendable_here, 9_900);
}

#[test]
fn only_the_home_moves_a_home() {
    let head = |epoch, to: u16| AccountHead {
        currency: gbp(),
        home: Site::new(to, 1),
        tenure: Some(Tenure { epoch, moves_ms: vec![1] }),
        hearsay: None,
    };
    for forged in [head(1, 3), head(0, 1), head(1, 2), head(7, 3)] {
        let mut c = travelling(3);
        c.inject(2, 1, vec![Event::Home(acc(P), forged.clone())]);
        assert!(c.engine(1).ledger().head(Site::new(2, 1)).stopped.is_some(), "{forged:?}");
        assert_eq!(home(&c, 1), (1, 0));
    }
    let mut c = travelling(2);
    c.inject(2, 1, vec![Event::Grant(Grant { to: Site::new(1, 1), account: acc(P), amount: 500, request: 0 })]);
    assert_eq!(c.account(1, P).spendable_here, 9_900, "a grant without its row gives nothing");
}

#[test]
fn an_operator_sees_every_row_and_what_binds() {
    let mut c = travelling(2);
    c.hold.insert((1, 2, Lane::Log));
    c.peer(2, 1, &PeerMessage::ComeHome { account: acc(P), epoch: 0 });
    c.quiet();
    let escrow = |c: &mut Cluster, n| match c.query(n, Query::Escrow(acc(P))) {
        Answer::Escrow(view) => view,
        other => panic!("{other:?}"),
    };
    let view = escrow(&mut c, 1);
    let flight = InFlight { from: Site::new(1, 1), to: Site::new(2, 1), amount: 9_900 };
    assert_eq!((view.home, view.epoch, view.in_flight.as_slice()), (Site::new(2, 1), 1, [flight].as_slice()));
    assert_eq!(view.here.binding(), (0, "S1"));
    c.release();
    c.run_until_quiet();
    let view = escrow(&mut c, 2);
    assert_eq!((view.here.binding().0, view.rows.len(), view.in_flight.len()), (9_900, 2, 0));
    let unknown = c.query(1, Query::Escrow(acc("nobody@eu-west")));
    assert_eq!(unknown, Answer::Refused(Refusal::AccountUnknown));
}

/// A site may lie about an account that it does not own and that is not known here yet: its birth site is not made to
/// pay for it.
#[test]
fn a_lie_about_an_unknown_account_does_not_stop_its_birth_site() {
    let mut c = Cluster::new(3);
    c.hold.insert((1, 3, Lane::Log));
    let tenure = Some(Tenure { epoch: 1, moves_ms: vec![1] });
    let currency = model::Currency::new("EUR").unwrap();
    let lie = AccountHead { currency, home: Site::new(3, 1), tenure, hearsay: None };
    c.inject(2, 3, vec![Event::Home(acc(P), lie)]);
    c.ask(1, model::Command::OpenAccount { account: acc(P), currency: gbp() });
    c.release();
    c.run_until_quiet();
    assert_eq!(c.engine(3).ledger().head(Site::new(1, 1)).stopped, None);
    assert_eq!(c.engine(3).ledger().account_head(&acc(P)).unwrap().currency, gbp());
}

/// Region 3, which has not heard of the move, pushes a credit to region 1.
fn push_to_old_home(c: &mut Cluster) {
    let mut row = Row { dep: 500, ..Row::default() };
    row.sent.insert(Site::new(1, 1), 500);
    let grant = Grant { to: Site::new(1, 1), account: acc(P), amount: 500, request: 0 };
    let (id, amount) = (MintedId::mint(WALL_MS + 60_000, 3, 1, 77), Amount::from_minor(500).unwrap());
    let site = Site::new(3, 1);
    let credit = Posting { id, account: acc(P), amount, body: Hash16([1; 16]), at: Hlc(1), site, act: None };
    c.inject(3, 1, vec![Event::Posting(credit), Event::Grant(grant), Event::Row(acc(P), row)]);
}

#[test]
fn what_is_pushed_to_an_old_home_is_sent_on_in_the_same_step() {
    let mut c = travelling(3);
    c.peer(2, 1, &PeerMessage::ComeHome { account: acc(P), epoch: 0 });
    c.run_until_quiet();
    push_to_old_home(&mut c);
    let rows = &c.engine(1).ledger().accounts[&acc(P)].rows;
    let own = &rows[&Site::new(1, 1)];
    assert_eq!((own.free(), own.sent[&Site::new(2, 1)]), (0, 10_400));
}

#[test]
fn an_old_home_in_quarantine_forwards_nothing() {
    let mut c = travelling(3);
    c.peer(2, 1, &PeerMessage::ComeHome { account: acc(P), epoch: 0 });
    c.run_until_quiet();
    bet(&mut c, 1, "1");
    assert!(c.account(1, P).spendable_here > 0, "over-asked rights lie at the old home");
    c.peer(2, 1, &PeerMessage::Twins { site: Site::new(1, 1) });
    let before = c.engine(1).ledger().head(Site::new(1, 1)).index;
    push_to_old_home(&mut c);
    assert_eq!(c.engine(1).ledger().head(Site::new(1, 1)).index, before);
}
