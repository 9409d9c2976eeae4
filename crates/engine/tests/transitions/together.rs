//! Where the pieces of the money plane meet: snapshots and what they bring, streams that stand still, sites in
//! quarantine, forged numbers. Each piece has tests of its own; here is what only shows when two of them work together.

use crdt::{Site, Vector};
use engine::door::{Kept, Lane, Request};
use engine::ledger::Tenure;
use engine::log::{Event, Grant, SharedWager, hash16, sum16};
use engine::port::{AccountHead, Durable, Handed, Write};
use engine::snapshot::{Record, check_of};
use engine::wire::{Hello, PROTOCOL, PeerMessage, SnapshotPage, SnapshotWord};
use minicbor::bytes::ByteVec;
use model::limits::HANDED_MAX;
use model::{
    Answer, Command, Durability, Hash16, MintedId, OutcomeResult, Query, Received, Reference, ReferenceDecision,
    ReferenceOutcome, Refusal, SentAmount, Text, WagerAnswer, WagerRequest, WagerState, WagerView,
};

use crate::cluster::{Cluster, WALL_MS, acc, accepted, dec, gbp};
use crate::store::MemStore;

const ONE: Site = Site::new(1, 1);
const TWO: Site = Site::new(2, 1);
const THREE: Site = Site::new(3, 1);
const ANNA: &str = "anna@eu-west";
/// Lives at region 3.
const DORA: &str = "dora@ap-south";

/// Three regions that keep little of their logs, two accounts with money, a market on sale.
fn short_logs() -> Cluster {
    let mut c = Cluster::apart(3, false);
    c.kept = Kept { tail: 4, max: 20 };
    (1..=3).for_each(|n| c.start(n, MemStore::default()));
    c.link_all();
    c.funded(ANNA, "100");
    c.funded(DORA, "100");
    c.on_sale(1);
    c
}

fn isolate(c: &mut Cluster, n: u16) {
    (1..=3).filter(|o| *o != n).for_each(|o| c.part(n, o));
}

/// Regions 1 and 2 write on and cut their logs, so that region 3, which is cut off, is behind.
fn leave_behind(c: &mut Cluster) {
    for _ in 0..60 {
        let id = c.mint(1);
        c.deposit(1, id, ANNA, "1");
    }
    c.pass(5_000);
    let known = c.engine(3).ledger().head(ONE).index;
    assert!((1..=2).all(|n| c.engine(n).ledger().head(ONE).cut_index() > known), "region 3 is behind the cut");
}

fn rejoin(c: &mut Cluster) {
    (1..=2).for_each(|o| c.heal(3, o));
    c.run_until_quiet();
    c.run_until_quiet();
}

/// Region 3, linked again, has asked for a snapshot: its first page, and who sent it. Nothing else reaches it.
fn first_page(c: &mut Cluster) -> (u16, SnapshotPage) {
    c.hold.extend([(1, 3, Lane::Bulk), (2, 3, Lane::Bulk)]);
    (1..=2).for_each(|o| c.heal(3, o));
    let page = c.first_held(|m| matches!(m, PeerMessage::SnapshotPage(_)));
    let (from, Some(PeerMessage::SnapshotPage(page))) = page.unwrap() else { panic!("a page") };
    (from, page)
}

/// A faulty region serves one page that holds `more` besides what is true, and it adds up. Region 3 takes it whole.
fn serve_with(c: &mut Cluster, more: Vec<Record>) {
    let (from, page) = first_page(c);
    let mut records = page.records;
    records.extend(more.iter().map(|r| ByteVec::from(minicbor::to_vec(r).unwrap())));
    let sum = records.iter().fold(Hash16::default(), |sum, r| sum16(sum, hash16(r)));
    let (id, pages) = (page.id, 1);
    c.peer(from, 3, &PeerMessage::SnapshotPage(SnapshotPage { id, page: 0, records, sum }));
    let logs = c.engine(from).ledger().logs.clone();
    let heads: Vec<_> = logs.iter().map(|(site, h)| (*site, h.index, h.hash, h.digest)).collect();
    let check = check_of(id, pages, sum, &heads);
    c.peer(from, 3, &PeerMessage::SnapshotWord(SnapshotWord::End { id, pages, sum, heads, check }));
    c.drop_held();
    isolate(c, 3);
    c.pass(500);
}

fn webhook(account: &str, name: &str) -> (Reference, Command) {
    let reference = Reference::new(&acc(account), "stripe", name).unwrap();
    let (account, amount) = (acc(account), dec("5"));
    (reference.clone(), Command::DepositByReference { reference, account, amount })
}

fn at_once(c: &mut Cluster, n: u16, command: Command) -> Answer {
    let id = c.send(n, Request::Command(command), 0);
    c.replies.remove(&id).expect("answered at once")
}

#[test]
fn a_snapshot_brings_no_decision_of_a_stream_that_stands_still() {
    let mut c = short_logs();
    c.funded("q@us-east", "10");
    c.inject(2, 3, vec![Event::Grant(Grant { to: ONE, account: acc(ANNA), amount: 0, request: 0 })]);
    assert!(c.engine(3).ledger().head(TWO).stopped.is_some());
    isolate(&mut c, 3);
    let (_, call) = webhook("q@us-east", "ch_1");
    assert!(matches!(at_once(&mut c, 2, call.clone()), Answer::Deposited { .. }));
    leave_behind(&mut c);
    rejoin(&mut c);
    assert_eq!(c.engine(3).stats().snapshots_taken, 1);
    // The posting stands in a log that is not followed here: its decision is no more known than it is.
    assert!(matches!(at_once(&mut c, 3, call), Answer::Received(_)), "taken in, for its birth site to answer");
}

#[test]
fn a_decision_that_comes_without_its_posting_is_answered_without_a_crash() {
    let (mut c, call) = served_decision(ANNA, ONE);
    assert_eq!(c.engine(3).stats().snapshots_taken, 1);
    let answer = at_once(&mut c, 3, call);
    assert!(!matches!(answer, Answer::Deposited { .. }), "{answer:?}");
}

#[test]
fn a_snapshot_decides_no_reference_for_its_birth_site() {
    let (mut c, call) = served_decision(DORA, ONE);
    assert_eq!((c.engine(3).stats().snapshots_taken, c.engine(3).stats().snapshots_refused), (0, 1));
    assert!(matches!(at_once(&mut c, 3, call), Answer::Deposited { .. }), "the birth site decides");
}

/// A snapshot at region 3 says that a site has decided a reference, and brings no posting of it.
fn served_decision(account: &str, by: Site) -> (Cluster, Command) {
    let mut c = short_logs();
    isolate(&mut c, 3);
    leave_behind(&mut c);
    let (reference, call) = webhook(account, "ch_9");
    let amount = SentAmount::of(dec("5")).unwrap();
    let at = crdt::Hlc::new(WALL_MS, 0);
    let body = hash16(format!("reference {account} 5").as_bytes());
    let received = Received { reference, account: acc(account), amount, body, at };
    let outcome = ReferenceOutcome::Posted(MintedId::mint(1, 1, 1, 1));
    let decision = ReferenceDecision { received, from: by, site: by, at, outcome };
    serve_with(&mut c, vec![Record::Reference(decision)]);
    (c, call)
}

#[test]
fn a_snapshot_replaces_no_wager_that_this_site_decided() {
    let mut c = short_logs();
    let wager = c.wager(3, DORA, "10");
    assert_eq!(accepted(&c.place(3, wager.clone())), Some(true));
    c.run_until_quiet();
    isolate(&mut c, 3);
    leave_behind(&mut c);
    let mut forged = c.known(3, wager.id);
    forged.owner = ONE;
    serve_with(&mut c, vec![Record::Wager(SharedWager(std::sync::Arc::new(forged)))]);
    c.result(3, "home", OutcomeResult::Won);
    c.pass(1_000);
    let known = c.known(3, wager.id);
    assert_eq!((known.owner, known.state), (THREE, WagerState::Won), "its own, and settled");
    assert!(c.alarms.iter().any(|(n, code, _)| (*n, *code) == (3, "snapshot_differs")));
}

#[test]
fn a_snapshot_confirms_no_more_than_it_brings() {
    let mut c = short_logs();
    isolate(&mut c, 3);
    leave_behind(&mut c);
    let far: Vector = [(ONE, u64::MAX)].into_iter().collect();
    serve_with(&mut c, vec![Record::Confirmed(far)]);
    let ledger = c.engine(3).ledger();
    assert!(ledger.confirmed.get(ONE) <= ledger.head(ONE).index);
}

#[test]
fn a_snapshot_answers_who_waits_for_a_confirmation() {
    let mut c = short_logs();
    c.hold.extend([(2, 1, Lane::Log), (3, 1, Lane::Log)]);
    let wager = WagerRequest { durability: Durability::Geo, ..c.wager(1, ANNA, "10") };
    let id = c.send(1, Request::Command(Command::Place(vec![wager.clone()])), 0);
    c.quiet();
    assert!(
        matches!(c.replies.remove(&id), Some(Answer::Placed(a)) if matches!(a[0], WagerAnswer::AwaitingAck { .. }))
    );
    let id = c.send(3, Request::Command(Command::Place(vec![wager])), 60_000);
    assert!(!c.replies.contains_key(&id), "it waits at region 3");
    c.drop_held();
    isolate(&mut c, 3);
    c.run_until_quiet();
    leave_behind(&mut c);
    rejoin(&mut c);
    assert_eq!(c.engine(3).stats().snapshots_taken, 1);
    let answer = c.replies.remove(&id).expect("the snapshot says that it is confirmed");
    assert!(matches!(answer, Answer::Placed(a) if accepted(&a[0]) == Some(true)));
}

/// Region 3 is behind, an id of region 1 has been handed to it, and of all this it holds a whole snapshot that it has
/// begun to take over: its records are here, the heads of the logs have not moved.
fn half_taken() -> (Cluster, WagerRequest) {
    let mut c = short_logs();
    c.funded("cleo@eu-west", "60");
    for from in [1, 2] {
        c.hold.extend([Lane::Log, Lane::Requests, Lane::Bulk].map(|lane| (from, 3, lane)));
    }
    let wager = c.wager(1, DORA, "5");
    c.send(3, Request::Command(Command::Place(vec![wager.clone()])), 1_000);
    c.peer(3, 1, &PeerMessage::ComeHome { account: acc("cleo@eu-west"), epoch: 0 });
    c.quiet();
    c.drop_held();
    isolate(&mut c, 3);
    c.crash(3);
    assert!(c.engine(1).ledger().handed.contains_key(&(wager.id, ONE)), "it is handed to region 3");
    leave_behind(&mut c);
    let (from, page) = first_page(&mut c);
    c.peer(from, 3, &PeerMessage::SnapshotPage(page));
    c.quiet();
    let (_, end) = c.first_held(|m| matches!(m, PeerMessage::SnapshotWord(SnapshotWord::End { .. }))).unwrap();
    let before = c.engine(3).ledger().head(ONE).index;
    c.peer(from, 3, &end.unwrap());
    c.drop_held();
    assert_eq!(c.engine(3).ledger().head(ONE).index, before, "the heads have not moved");
    assert!(c.engine(3).ledger().handed.contains_key(&(wager.id, ONE)), "and the records are here");
    (c, wager)
}

#[test]
fn what_a_snapshot_hands_over_counts_once_its_heads_have_moved() {
    let (mut c, wager) = half_taken();
    let id = c.send(3, Request::Command(Command::Place(vec![wager.clone()])), 0);
    let Some(Answer::Placed(answers)) = c.replies.remove(&id) else { panic!("answered at once") };
    assert_eq!(accepted(&answers[0]), None, "nothing is decided before: {:?}", answers[0]);
    c.pass(500);
    c.run_until_quiet();
    assert_eq!(accepted(&c.place(3, wager)), Some(true), "the right to decide has come");
    c.run_until_quiet();
    c.assert_equal();
    c.assert_conserved(DORA);
}

#[test]
fn a_home_that_a_snapshot_brings_moves_on_only_with_its_money() {
    let (mut c, _) = half_taken();
    let cleo = acc("cleo@eu-west");
    assert_eq!(c.engine(3).ledger().account_head(&cleo).unwrap().home, THREE);
    c.elapsed_ms += 120_000;
    c.peer(2, 3, &PeerMessage::ComeHome { account: cleo.clone(), epoch: 1 });
    c.pass(500);
    c.run_until_quiet();
    assert_eq!(c.engine(3).ledger().account_head(&cleo).unwrap().home, THREE, "not while its rights are on their way");
    assert_eq!(c.account(3, "cleo@eu-west").spendable_here, 6_000);
    c.assert_equal();
}

#[test]
fn a_fork_that_shows_while_a_snapshot_is_taken_over_stops_its_stream() {
    let (mut c, _) = half_taken();
    let index = c.engine(3).ledger().head(ONE).index;
    let hello = Hello {
        cluster: Text::new("test"),
        site: ONE,
        boot_nonce: 77,
        protocol: PROTOCOL,
        regions: c.topology(),
        logs: vec![(ONE, index, Hash16([9; 16]))],
        odds: Vector::default(),
        stamp_ms: 0,
        heard: true,
        windows: vec![],
        quarantined: false,
    };
    c.peer(1, 3, &PeerMessage::Hello(hello));
    c.pass(500);
    assert_eq!(c.engine(3).stats().snapshots_taken, 1);
    assert!(c.engine(3).ledger().head(ONE).stopped.is_some(), "still");
}

#[test]
fn a_home_of_a_number_beyond_all_counting_is_no_home() {
    let mut c = Cluster::new(3);
    c.funded(ANNA, "10");
    let tenure = Some(Tenure { epoch: u64::MAX, moves_ms: vec![] });
    let head = AccountHead { currency: gbp(), home: ONE, tenure, hearsay: None };
    c.inject(2, 1, vec![Event::Home(acc(DORA), head.clone())]);
    c.peer(3, 1, &PeerMessage::ComeHome { account: acc(DORA), epoch: u64::MAX });
    assert!(c.engine(1).ledger().head(TWO).stopped.is_some(), "its stream stands still");
    // And by a snapshot.
    let mut c = short_logs();
    isolate(&mut c, 3);
    leave_behind(&mut c);
    serve_with(&mut c, vec![Record::Account(acc("eve@eu-west"), AccountHead { home: THREE, ..head })]);
    assert_eq!(c.engine(3).stats().snapshots_refused, 1);
}

#[test]
fn nothing_is_given_to_a_site_in_quarantine() {
    let mut c = Cluster::new(3);
    c.funded(ANNA, "100");
    c.on_sale(1);
    c.hold.insert((3, 1, Lane::Requests));
    let foreign = c.wager(1, ANNA, "5");
    c.send(3, Request::Command(Command::Place(vec![foreign.clone()])), 60_000);
    let own = c.wager(3, ANNA, "7");
    c.send(3, Request::Command(Command::Place(vec![own])), 60_000);
    c.quiet();
    c.peer(2, 3, &PeerMessage::Twins { site: THREE });
    c.pass(1_000);
    assert!(c.engine(1).ledger().lost.contains(&THREE), "region 1 has heard of it");
    c.release();
    c.peer(3, 1, &PeerMessage::ComeHome { account: acc(ANNA), epoch: 0 });
    c.run_until_quiet();
    assert_eq!(c.engine(1).ledger().account_head(&acc(ANNA)).unwrap().home, ONE);
    assert_eq!(c.account(1, ANNA).spendable_here, 10_000, "it could never spend any of it");
    assert_eq!(accepted(&c.place(1, foreign)), Some(true), "nor decide the wager");
}

#[test]
fn credits_stay_where_they_can_be_spent_when_the_home_is_in_quarantine() {
    let mut c = Cluster::new(3);
    c.funded(DORA, "100");
    c.on_sale(1);
    c.peer(2, 3, &PeerMessage::Twins { site: THREE });
    c.pass(1_000);
    let id = c.mint(1);
    c.deposit(1, id, DORA, "20");
    c.run_until_quiet();
    assert_eq!(c.account(1, DORA).spendable_here, 2_000);
    let wager = c.wager(1, DORA, "20");
    assert_eq!(accepted(&c.place(1, wager)), Some(true));
    c.assert_conserved(DORA);
}

#[test]
fn a_repeat_of_what_was_taken_in_is_no_other_body_because_of_another_regions_word() {
    let mut c = Cluster::new(3);
    c.funded(ANNA, "10");
    isolate(&mut c, 1);
    c.part(2, 3);
    let (reference, call) = webhook(ANNA, "ch_1");
    let other = Command::DepositByReference { reference, account: acc(ANNA), amount: dec("6") };
    assert!(matches!(at_once(&mut c, 2, call.clone()), Answer::Received(_)));
    c.pass(100);
    assert!(matches!(at_once(&mut c, 3, other.clone()), Answer::Received(_)));
    c.heal(2, 3);
    c.run_until_quiet();
    assert!(matches!(at_once(&mut c, 2, call.clone()), Answer::Received(_)), "it stands as it stood");
    c.heal(1, 2);
    c.heal(1, 3);
    c.run_until_quiet();
    assert!(matches!(at_once(&mut c, 2, call), Answer::Deposited { .. }), "the earliest word is decided on");
    assert_eq!(at_once(&mut c, 3, other), Answer::Refused(Refusal::IdReused));
    c.assert_equal();
}

#[test]
fn fences_and_tombstones_are_bounded() {
    let mut c = Cluster::new(2);
    c.funded(ANNA, "100");
    c.on_sale(1);
    let mut store = c.store_of(1);
    let closed = Some(Handed { entry: 1, to: None });
    let id = |n: usize| MintedId::mint(WALL_MS + 3_600_000, 2, 1, 1_000_000 + u64::try_from(n).unwrap());
    let all: Vec<Write> = (0..HANDED_MAX).map(|n| Write::Handed(id(n), TWO, closed.clone())).collect();
    store.commit(&all).unwrap();
    c.start(1, store);
    c.link(1, 2);
    c.quiet();
    let wager = c.wager(1, ANNA, "5");
    let close = Command::CloseWager { id: wager.id, reason: None };
    assert!(matches!(c.ask(1, close), Answer::Refused(Refusal::Overloaded { .. })));
    assert_eq!(accepted(&c.place(2, wager.clone())), None, "nor is one handed over");
    assert_eq!(c.engine(1).ledger().handed.len(), HANDED_MAX);
    assert_eq!(accepted(&c.place(1, wager)), Some(true), "nothing of it is undone");
}

#[test]
fn a_home_stays_while_what_was_cut_is_unknown_to_others() {
    let mut c = short_logs();
    isolate(&mut c, 3);
    leave_behind(&mut c);
    c.incarnations.insert(2, 2);
    c.hold.extend([Lane::Log, Lane::Requests, Lane::Bulk].map(|lane| (1, 2, lane)));
    c.wipe(2);
    let ledger = c.engine(1).ledger();
    assert!(ledger.ack_floor < ledger.head(ONE).cut_index(), "nobody else is known to hold it");
    c.peer(2, 1, &PeerMessage::ComeHome { account: acc(ANNA), epoch: 0 });
    let home = c.engine(1).ledger().account_head(&acc(ANNA)).unwrap().home;
    assert_eq!(home, ONE, "a home takes its money along, or stays");
}

#[test]
fn reads_of_a_pending_wager_in_a_third_region_follow_the_snapshot() {
    let mut c = short_logs();
    c.hold.extend([(2, 1, Lane::Log), (3, 1, Lane::Log)]);
    let wager = WagerRequest { durability: Durability::Geo, ..c.wager(1, ANNA, "10") };
    c.send(1, Request::Command(Command::Place(vec![wager.clone()])), 0);
    c.quiet();
    let view = |c: &mut Cluster| match c.query(3, Query::Wager(wager.id)) {
        Answer::Wager { view, .. } => view,
        other => panic!("{other:?}"),
    };
    assert!(matches!(view(&mut c), WagerView::AwaitingAck(_)));
    c.drop_held();
    isolate(&mut c, 3);
    c.run_until_quiet();
    leave_behind(&mut c);
    rejoin(&mut c);
    assert!(matches!(view(&mut c), WagerView::Known(_)));
    c.crash(3);
    assert!(matches!(view(&mut c), WagerView::Known(_)), "and stays so");
}
