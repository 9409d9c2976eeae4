//! Forged money events of a peer, rightly chained: ends of withdrawals, moves of homes, windows, gifts to strangers.
//! Each stops its own site's stream, changes nothing, and harms nothing else.

use crdt::{Hlc, Row, Site};
use engine::ledger::{Exposure, Tenure};
use engine::log::{Event, Fenced, Grant, Resolved};
use engine::port::AccountHead;
use model::{
    Amount, Answer, Command, Currency, Hash16, MintedId, Posting, PostingAct, Query, Withdrawal, WithdrawalState,
};

use crate::cluster::{Cluster, WALL_MS, acc, accepted, dec, gbp};

const P: &str = "p@eu-west";
const ME: Site = Site::new(1, 1);
const PEER: Site = Site::new(2, 1);

/// Region 1 under test, with money and a market; region 2 is the one that lies.
fn world() -> Cluster {
    let mut c = Cluster::new(3);
    c.funded(P, "100");
    c.on_sale(1);
    c
}

fn stopped(c: &Cluster) -> bool {
    c.engine(1).ledger().head(PEER).stopped.is_some()
}

/// These events stop region 2's stream at region 1, change nothing, and leave regions 1 and 3 at work.
fn assert_refused(c: &mut Cluster, events: Vec<Event>) {
    let (accounts, windows) = (c.engine(1).ledger().accounts.clone(), c.engine(1).ledger().window.clone());
    c.inject(2, 1, events);
    assert!(stopped(c), "its stream stands still");
    assert_eq!((&c.engine(1).ledger().accounts, &c.engine(1).ledger().window), (&accounts, &windows));
    assert!(c.engine(1).ledger().head(Site::new(3, 1)).stopped.is_none(), "and no other");
    let w = c.wager(1, P, "1");
    assert_eq!(accepted(&c.place(1, w)), Some(true));
    let id = c.mint(3);
    c.deposit(3, id, P, "1");
    c.run_until_quiet();
    assert_eq!(c.engine(1).ledger().head(Site::new(3, 1)), c.engine(3).ledger().head(Site::new(3, 1)));
}

/// A posting of region 2: a deposit, unless `act` says otherwise.
fn posting(n: u64, act: Option<PostingAct>) -> Posting {
    let id = MintedId::mint(WALL_MS + 60_000, 2, 1, n);
    let amount = Amount::from_minor(100).unwrap();
    Posting { id, account: acc(P), amount, body: Hash16([1; 16]), at: Hlc(1), site: PEER, act }
}

fn row(row: Row) -> Event {
    Event::Row(acc(P), row)
}

/// A deposit and a withdrawal of it in region 2's own log, as region 1 knows them.
fn prepared(c: &mut Cluster, n: u64, state: WithdrawalState) -> MintedId {
    let entry = c.engine(1).ledger().head(PEER).index + 1;
    let withdrawal = posting(n, Some(PostingAct::Withdrawal(Withdrawal { entry, state })));
    let (id, hld) = (withdrawal.id, if state == WithdrawalState::Prepared { 100 } else { 0 });
    let after = row(Row { dep: 100, hld, ..Row::default() });
    c.inject(2, 1, vec![Event::Posting(posting(n + 50, None)), Event::Posting(withdrawal), after]);
    assert!(!stopped(c));
    id
}

fn ended(id: MintedId, confirmed: bool) -> Event {
    Event::Resolved(Resolved { id, confirmed })
}

#[test]
fn a_withdrawal_is_not_ended_by_another_site_than_its_own() {
    for confirmed in [true, false] {
        let mut c = world();
        let id = c.mint(1);
        let answer = c.ask(1, Command::Withdraw { id, account: acc(P), amount: dec("5") });
        assert!(matches!(answer, Answer::Withdrawal { .. }), "{answer:?}");
        c.run_until_quiet();
        assert_refused(&mut c, vec![ended(id, confirmed)]);
        let Answer::Withdrawal { posting, held, .. } = c.query(1, Query::Withdrawal(acc(P), id)) else { panic!() };
        assert_eq!(
            (posting.withdrawal().unwrap().state, held),
            (WithdrawalState::Prepared, true),
            "it stands as it was"
        );
    }
}

#[test]
fn a_withdrawal_that_nobody_knows_is_not_ended() {
    let mut c = world();
    assert_refused(&mut c, vec![ended(MintedId::mint(WALL_MS + 60_000, 2, 1, 9), true)]);
}

#[test]
fn a_deposit_is_not_ended() {
    let mut c = world();
    let id = c.mint(2);
    c.deposit(2, id, P, "1");
    c.run_until_quiet();
    assert_refused(&mut c, vec![ended(id, false)]);
}

#[test]
fn a_withdrawal_is_not_ended_twice_in_two_ways() {
    let mut c = world();
    let id = prepared(&mut c, 1, WithdrawalState::Prepared);
    c.inject(2, 1, vec![ended(id, true), row(Row { dep: 100, hld: 100, wdr: 100, ..Row::default() })]);
    assert!(!stopped(&c));
    assert_refused(&mut c, vec![ended(id, false)]);
    let mut c = world();
    let id = prepared(&mut c, 1, WithdrawalState::Prepared);
    assert_refused(&mut c, vec![ended(id, true), ended(id, false)]);
}

#[test]
fn a_withdrawal_that_was_refused_is_not_ended() {
    let mut c = world();
    let id = prepared(&mut c, 1, WithdrawalState::Insufficient);
    assert_refused(&mut c, vec![ended(id, true)]);
}

#[test]
fn a_withdrawal_does_not_begin_ended() {
    for state in [WithdrawalState::Confirmed, WithdrawalState::Released] {
        let mut c = world();
        let entry = c.engine(1).ledger().head(PEER).index + 1;
        let act = Some(PostingAct::Withdrawal(Withdrawal { entry, state }));
        assert_refused(&mut c, vec![Event::Posting(posting(1, act))]);
    }
}

fn moved(to: Site, epoch: u64, moves_ms: Vec<u64>) -> Event {
    let tenure = (epoch > 0).then_some(Tenure { epoch, moves_ms });
    Event::Home(acc(P), AccountHead { currency: gbp(), home: to, tenure, hearsay: None })
}

#[test]
fn a_home_is_not_moved_by_who_is_not_home() {
    // To itself, to a third region, without a number, over several moves that nobody has seen.
    for (to, epoch) in [(PEER, 1), (Site::new(3, 1), 1), (Site::new(3, 1), 0), (Site::new(3, 1), 7), (ME, 1)] {
        let mut c = world();
        assert_refused(&mut c, vec![moved(to, epoch, vec![WALL_MS])]);
        assert_eq!(c.engine(1).ledger().account_head(&acc(P)).unwrap().home, ME);
    }
}

/// An account whose home is the lying region itself.
fn opened_there(c: &mut Cluster) -> model::AccountId {
    let account = acc("q@us-east");
    let opened = c.ask(2, Command::OpenAccount { account: account.clone(), currency: gbp() });
    assert!(matches!(opened, Answer::AccountOpened { .. }));
    c.run_until_quiet();
    account
}

#[test]
fn a_home_does_not_move_out_of_the_topology_nor_with_an_endless_past_nor_into_another_currency() {
    let yen = Currency::new("JPY").unwrap();
    let third = Site::new(3, 1);
    let cases = [
        (Site::new(9, 1), vec![WALL_MS], gbp()),
        (Site::new(3, 0), vec![WALL_MS], gbp()),
        (third, vec![WALL_MS; 4], gbp()),
        (third, vec![u64::MAX], gbp()),
        (third, vec![WALL_MS], yen),
    ];
    for (home, moves_ms, currency) in cases {
        let mut c = world();
        let account = opened_there(&mut c);
        let tenure = Some(Tenure { epoch: 1, moves_ms });
        let head = AccountHead { currency, home, tenure, hearsay: None };
        assert_refused(&mut c, vec![Event::Home(account.clone(), head)]);
        assert_eq!(c.engine(1).ledger().account_head(&account).unwrap().home, PEER);
    }
}

#[test]
fn one_move_does_not_lead_to_two_homes() {
    let mut c = world();
    let account = opened_there(&mut c);
    let to = |home| {
        let tenure = Some(Tenure { epoch: 1, moves_ms: vec![WALL_MS] });
        Event::Home(account.clone(), AccountHead { currency: gbp(), home, tenure, hearsay: None })
    };
    c.inject(2, 1, vec![to(Site::new(3, 1))]);
    assert!(!stopped(&c));
    assert_refused(&mut c, vec![to(ME)]);
}

#[test]
fn rights_and_ids_are_not_handed_to_strangers() {
    let stranger = Site::new(9, 1);
    let grant = Event::Grant(Grant { to: stranger, account: acc(P), amount: 1, request: 0 });
    let id = MintedId::mint(WALL_MS + 60_000, 2, 1, 3);
    let fenced = Event::Fenced(Fenced { id, to: stranger, body: Hash16([1; 16]) });
    for event in [grant, fenced] {
        let mut c = world();
        assert_refused(&mut c, vec![event]);
    }
}

#[test]
fn windows_that_say_two_things_of_one_currency_are_refused_and_anothers_windows_bind_nobody_else() {
    let window = |per_account| Exposure { currency: gbp(), per_account: Some(per_account), per_region: None };
    let mut c = world();
    c.inject(2, 1, vec![Event::Windows(vec![window(0)])]);
    assert!(!stopped(&c), "what another site allows itself is its own affair");
    let w = c.wager(1, P, "50");
    assert_eq!(accepted(&c.place(1, w)), Some(true));
    assert_refused(&mut c, vec![Event::Windows(vec![window(5), window(500)])]);
}

#[test]
fn a_row_alone_moves_no_money() {
    let grown = [
        Row { dep: 5, ..Row::default() },
        Row { pay: 5, ..Row::default() },
        Row { dep: 5, stk: 5, ..Row::default() },
        Row { dep: 5, stk: 5, rel: 5, ..Row::default() },
        Row { dep: 5, clw: 5, ..Row::default() },
        Row { dbt: 5, ..Row::default() },
        Row { dep: 5, hld: 5, ..Row::default() },
        Row { dep: 5, hld: 5, unh: 5, ..Row::default() },
    ];
    for after in grown {
        let mut c = world();
        assert_refused(&mut c, vec![row(after)]);
    }
}

#[test]
fn a_deposit_credits_what_it_says_and_not_without_its_row() {
    for dep in [0, 99, 101] {
        let mut c = world();
        assert_refused(&mut c, vec![Event::Posting(posting(1, None)), row(Row { dep, ..Row::default() })]);
    }
    let mut c = world();
    assert_refused(&mut c, vec![Event::Posting(posting(1, None))]);
}

#[test]
fn a_withdrawal_takes_what_it_says() {
    for (hld, confirmed, wdr, unh) in
        [(100, true, 99, 0), (100, true, 0, 100), (100, false, 100, 0), (100, false, 0, 0)]
    {
        let mut c = world();
        let id = prepared(&mut c, 1, WithdrawalState::Prepared);
        assert_refused(&mut c, vec![ended(id, confirmed), row(Row { dep: 100, hld, wdr, unh, ..Row::default() })]);
    }
}
