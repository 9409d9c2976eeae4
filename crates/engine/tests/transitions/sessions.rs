//! Sessions: opened where the player is, ended anywhere and for good; opening one asks the account's home to come.

use crdt::{Hlc, Site};
use engine::door::{Lane, Request};
use engine::log::{Event, SessionEnded};
use model::limits::{SESSION_KEPT_MS, SESSION_LIFE_MS_MAX};
use model::{Answer, Command, MintedId, Refusal, Session, SessionView, Text};

use crate::cluster::{Cluster, WALL_MS, acc, accepted};

const P: &str = "p@eu-west";
const DAY_MS: u64 = 24 * 3_600_000;

fn mint(c: &mut Cluster, n: u16) -> MintedId {
    let unique = c.mint(n);
    let random = u64::from_be_bytes(*unique.bytes().last_chunk::<8>().unwrap());
    MintedId::mint(WALL_MS + c.elapsed_ms + DAY_MS, n, 1, random)
}

fn command(id: MintedId, account: &str, channel: &str) -> Command {
    Command::OpenSession { id, account: acc(account), channel: Text::new(channel) }
}

/// Opens a session; what it sets off is delivered afterwards.
fn open(c: &mut Cluster, n: u16, account: &str) -> SessionView {
    let id = mint(c, n);
    let request = c.send(n, Request::Command(command(id, account, "web")), 0);
    match c.replies.remove(&request).unwrap() {
        Answer::Session(view) => view,
        other => panic!("{other:?}"),
    }
}

fn end(c: &mut Cluster, n: u16, id: MintedId) -> Answer {
    c.ask(n, Command::EndSession { id })
}

fn home(c: &Cluster, n: u16) -> u16 {
    c.engine(n).ledger().account_head(&acc(P)).unwrap().home.region
}

#[test]
fn opening_a_session_away_from_home_moves_the_home_here() {
    let mut c = Cluster::new(3);
    c.funded(P, "100");
    c.on_sale(1);
    let view = open(&mut c, 2, P);
    assert_eq!((view.home.region, view.moving_here), (1, true));
    assert_eq!((view.mint.region, view.mint.incarnation), (2, 1));
    c.run_until_quiet();
    assert!((1..=3).all(|n| home(&c, n) == 2), "the home has come");
    let wager = c.wager(2, P, "40");
    let id = c.send(2, Request::Command(Command::Place(vec![wager])), 0);
    let answer = crate::cluster::one(c.replies.remove(&id).unwrap());
    assert_eq!(accepted(&answer), Some(true), "the first bet here waits for nobody");
    let again = open(&mut c, 2, P);
    assert_eq!((again.home.region, again.moving_here), (2, false));
    c.run_until_quiet();
    c.assert_equal();
    c.assert_conserved(P);
}

#[test]
fn a_home_that_has_just_moved_stays_whatever_sessions_are_opened() {
    let mut c = Cluster::new(3);
    c.funded(P, "100");
    open(&mut c, 2, P);
    c.run_until_quiet();
    assert_eq!(home(&c, 1), 2);
    let view = open(&mut c, 3, P);
    assert!(view.moving_here, "it is asked");
    c.run_until_quiet();
    assert_eq!(home(&c, 1), 2, "and stays for its residence");
    c.pass(61_000);
    open(&mut c, 3, P);
    c.run_until_quiet();
    assert_eq!(home(&c, 1), 3);
    c.assert_conserved(P);
}

#[test]
fn a_session_opens_while_the_home_is_out_of_reach() {
    let mut c = Cluster::new(2);
    c.funded(P, "100");
    c.part(1, 2);
    let view = open(&mut c, 2, P);
    assert_eq!((view.home.region, view.moving_here), (1, false));
    assert!(matches!(end(&mut c, 1, view.session.id), Answer::Refused(Refusal::SessionUnknown)));
    c.heal(1, 2);
    c.run_until_quiet();
    assert!(matches!(end(&mut c, 1, view.session.id), Answer::SessionEnded { replayed: false, .. }));
}

#[test]
fn a_session_that_is_ended_anywhere_is_ended_for_good() {
    let mut c = Cluster::new(3);
    c.funded(P, "100");
    let id = open(&mut c, 2, P).session.id;
    c.run_until_quiet();
    // Two regions end it without hearing of each other.
    c.part(1, 3);
    c.part(2, 3);
    assert!(matches!(end(&mut c, 3, id), Answer::SessionEnded { replayed: false, .. }));
    c.pass(500);
    assert!(matches!(end(&mut c, 1, id), Answer::SessionEnded { replayed: false, .. }));
    c.heal(1, 3);
    c.heal(2, 3);
    c.run_until_quiet();
    let first = c.engine(3).ledger().sessions[&id].clone();
    assert!(first.ended.is_some());
    assert!((1..=3).all(|n| c.engine(n).ledger().sessions[&id] == first), "the earliest end stands");
    c.crash(2);
    assert!(matches!(end(&mut c, 2, id), Answer::SessionEnded { replayed: true, .. }));
    c.assert_equal();
}

#[test]
fn an_end_that_overtakes_its_opening_stays() {
    let mut c = Cluster::new(3);
    c.funded(P, "100");
    c.hold.extend([(2, 3, Lane::Log), (2, 3, Lane::Bulk), (1, 3, Lane::Bulk)]);
    let id = open(&mut c, 2, P).session.id;
    c.quiet();
    assert!(matches!(end(&mut c, 1, id), Answer::SessionEnded { .. }));
    c.quiet();
    let early = c.engine(3).ledger().sessions.get(&id).cloned();
    assert!(early.is_some_and(|r| r.opened.is_none() && r.ended.is_some()), "the end alone is here");
    c.release();
    c.run_until_quiet();
    let whole = c.engine(3).ledger().sessions[&id].clone();
    assert!(whole.opened.is_some() && whole.ended.is_some());
    assert_eq!(c.engine(1).ledger().sessions[&id], whole);
}

#[test]
fn a_session_is_opened_once_under_its_id_and_bad_ones_are_not() {
    let mut c = Cluster::new(2);
    c.funded(P, "100");
    c.funded("q@eu-west", "1");
    let id = mint(&mut c, 1);
    let Answer::Session(first) = c.ask(1, command(id, P, "web")) else { panic!() };
    let Answer::Session(again) = c.ask(1, command(id, P, "web")) else { panic!() };
    assert_eq!(again.session, first.session);
    for (account, channel) in [(P, "app"), ("q@eu-west", "web")] {
        assert_eq!(c.ask(1, command(id, account, channel)), Answer::Refused(Refusal::IdReused));
    }
    let next = c.engine(1).ledger().next_seq();
    let id = mint(&mut c, 1);
    assert_eq!(c.ask(1, command(id, "nobody@eu-west", "web")), Answer::Refused(Refusal::AccountUnknown));
    assert!(matches!(c.ask(1, command(id, P, "Web")), Answer::Refused(Refusal::Malformed { .. })));
    let foreign = mint(&mut c, 2);
    assert_eq!(c.ask(1, command(foreign, P, "web")), Answer::Refused(Refusal::NotOwner { region: 2 }));
    let far = MintedId::mint(WALL_MS + c.elapsed_ms + SESSION_LIFE_MS_MAX + 10_000, 1, 1, 9);
    assert_eq!(c.ask(1, command(far, P, "web")), Answer::Refused(Refusal::IdHorizon));
    let past = MintedId::mint(WALL_MS - 1, 1, 1, 9);
    assert_eq!(c.ask(1, command(past, P, "web")), Answer::Refused(Refusal::IdExpired));
    assert_eq!(end(&mut c, 1, id), Answer::Refused(Refusal::SessionUnknown));
    assert_eq!(c.engine(1).ledger().next_seq(), next, "nothing was recorded");
}

#[test]
fn what_has_expired_is_forgotten_everywhere() {
    let mut c = Cluster::new(2);
    c.funded(P, "100");
    let soon = MintedId::mint(WALL_MS + c.elapsed_ms + 5_000, 2, 1, 5);
    assert!(matches!(c.ask(2, command(soon, P, "web")), Answer::Session(_)));
    let later = open(&mut c, 2, P).session.id;
    c.run_until_quiet();
    assert!((1..=2).all(|n| c.engine(n).ledger().sessions.len() == 2));
    c.elapsed_ms += SESSION_KEPT_MS + 10_000;
    c.pass(2_000);
    for n in [1, 2] {
        assert!(c.engine(n).ledger().sessions.keys().eq([&later]), "region {n}");
    }
    c.crash(1);
    assert!(c.engine(1).ledger().sessions.keys().eq([&later]), "on disk too");
    assert_eq!(end(&mut c, 1, soon), Answer::Refused(Refusal::SessionUnknown));
}

#[test]
fn foreign_sessions_that_no_healthy_site_writes_stop_their_stream() {
    let id = |region, days| MintedId::mint(WALL_MS + days * DAY_MS, region, 1, 3);
    let opened = |id, channel: &str| {
        Event::Session(Session { id, account: acc(P), channel: Text::new(channel), at: Hlc::new(WALL_MS, 1) })
    };
    let bad = [
        vec![opened(id(1, 1), "web")],
        vec![opened(id(2, 91), "web")],
        vec![opened(id(2, 1), "no channel")],
        vec![opened(id(2, 1), "web"), Event::SessionEnded(SessionEnded { id: id(2, 91), at: Hlc(1) })],
    ];
    for events in bad {
        let mut c = Cluster::new(3);
        c.funded(P, "10");
        c.inject(2, 1, events.clone());
        assert!(c.engine(1).ledger().head(Site::new(2, 1)).stopped.is_some(), "{events:?}");
        assert!(c.engine(1).ledger().sessions.is_empty());
    }
    let mut c = Cluster::new(3);
    c.funded(P, "10");
    c.inject(2, 1, vec![opened(id(2, 1), "web")]);
    assert_eq!(c.engine(1).ledger().sessions.len(), 1);
    c.inject(2, 1, vec![opened(id(2, 1), "app")]);
    assert!(c.engine(1).ledger().head(Site::new(2, 1)).stopped.is_some(), "opened in two ways");
}
