//! Logs are cut where every other region holds them, sealed before; who is behind the cut takes a snapshot and ends
//! equal, with everything that was on its way to it.

use bytes::Bytes;
use crdt::Site;
use engine::door::{Input, Kept, Lane};
use engine::log::seal_of;
use engine::port::{Archive, View};
use engine::wire::{PeerMessage, SnapshotPage, SnapshotWord};
use model::{Answer, OutcomeResult, Query, Refusal, ReplicationView, WagerAnswer, WagerRequest};

use crate::cluster::{Cluster, acc, accepted, dec};
use crate::store::MemStore;

const ONE: Site = Site::new(1, 1);
const ANNA: &str = "anna@eu-west";

/// Three regions that keep little, an account with money, a market on sale.
fn short_logs(tail: u64, max: u64) -> Cluster {
    let mut c = Cluster::apart(3, false);
    c.kept = Kept { tail, max };
    (1..=3).for_each(|n| c.start(n, MemStore::default()));
    c.link_all();
    c.funded(ANNA, "100");
    c.on_sale(1);
    c
}

/// As many entries in the log of region 1.
fn write(c: &mut Cluster, entries: u64) {
    for _ in 0..entries {
        let id = c.mint(1);
        let answer = c.deposit(1, id, ANNA, "1");
        assert!(matches!(answer, Answer::Deposited { .. }), "{answer:?}");
    }
}

fn cut_of(c: &Cluster, n: u16, site: Site) -> u64 {
    c.engine(n).ledger().head(site).cut_index()
}

fn length(c: &Cluster, n: u16) -> u64 {
    c.engine(n).ledger().head(ONE).index
}

/// Long enough for the logs to be looked at as often as they want to.
fn settle(c: &mut Cluster) {
    c.pass(5_000);
}

fn replication(c: &mut Cluster, n: u16) -> ReplicationView {
    match c.query(n, Query::Replication) {
        Answer::Replication(view) => view,
        other => panic!("{other:?}"),
    }
}

fn isolate(c: &mut Cluster, n: u16) {
    (1..=3).filter(|o| *o != n).for_each(|o| c.part(n, o));
}

fn rejoin(c: &mut Cluster, n: u16) {
    (1..=3).filter(|o| *o != n).for_each(|o| c.heal(n, o));
    c.run_until_quiet();
    c.run_until_quiet();
}

#[test]
fn a_log_is_cut_where_all_hold_it_and_keeps_its_tail() {
    let mut c = short_logs(5, 1_000);
    write(&mut c, 32);
    settle(&mut c);
    for n in 1..=3 {
        let (cut, length, store) = (cut_of(&c, n, ONE), length(&c, n), c.store_of(n));
        assert!(cut > 20 && length - cut >= 5 && length - cut < 10, "region {n} keeps {cut} to {length}");
        assert!(store.log(ONE, cut, 1, 1).is_empty(), "what is cut is gone");
        assert_eq!(store.log(ONE, cut + 1, 100, usize::MAX).len() as u64, length - cut, "the rest is whole");
        let segments = store.segments.borrow();
        let all: Vec<Bytes> = segments.values().flatten().cloned().collect();
        assert_eq!(all.len() as u64, cut, "everything that was cut lies in segments");
        let seal = seal_of(ONE, 1, &all).unwrap();
        let front = c.engine(n).ledger().head(ONE).cut.unwrap();
        assert_eq!((front.hash, front.digest), (seal.hash, seal.sum), "the cut is where the segments end");
    }
    assert_eq!(replication(&mut c, 2).cuts, vec![(ONE, cut_of(&c, 2, ONE))]);
    c.crash(1);
    c.crash(2);
    write(&mut c, 12);
    settle(&mut c);
    assert_eq!(cut_of(&c, 1, ONE), cut_of(&c, 2, ONE), "a restart changes nothing");
    c.assert_equal();
}

#[test]
fn nothing_is_cut_that_is_not_sealed() {
    let mut c = short_logs(5, 1_000);
    c.archive_fails = true;
    write(&mut c, 32);
    settle(&mut c);
    assert_eq!((cut_of(&c, 1, ONE), c.store_of(1).log(ONE, 1, 1, 1).len()), (0, 1));
    c.archive_fails = false;
    c.pass(70_000);
    assert!(cut_of(&c, 1, ONE) > 20, "and it is wished for again");
}

#[test]
fn a_seal_that_was_not_wished_or_does_not_fit_cuts_nothing() {
    let mut c = short_logs(5, 1_000);
    c.archive_fails = true;
    write(&mut c, 32);
    settle(&mut c);
    let store = c.store_of(1);
    let forged = engine::port::Seal { hash: model::Hash16([7; 16]), sum: model::Hash16([7; 16]) };
    let other = store.seal(ONE, 1, 7).unwrap();
    c.group(1, vec![Input::Archived { site: ONE, first: 1, last: 7, seal: other }]);
    assert_eq!(cut_of(&c, 1, ONE), 0, "nobody wished these");
    c.group(1, vec![Input::Archived { site: ONE, first: 1, last: 5, seal: forged }]);
    assert_eq!(cut_of(&c, 1, ONE), 0, "the segment is not the log's");
    assert!(c.alarms.iter().any(|(n, code, _)| (*n, *code) == (1, "segment_differs")));
}

#[test]
fn relayed_acks_move_the_cut() {
    let mut c = short_logs(5, 1_000);
    c.part(1, 3);
    write(&mut c, 30);
    settle(&mut c);
    assert_eq!(length(&c, 3), length(&c, 1), "region 2 passes the log on");
    assert!(cut_of(&c, 1, ONE) > 20, "and what region 3 says of it");
}

#[test]
fn a_region_that_is_cut_off_holds_the_cut_until_the_bound() {
    let mut c = short_logs(5, 40);
    settle(&mut c);
    isolate(&mut c, 3);
    let known = length(&c, 3);
    write(&mut c, 30);
    settle(&mut c);
    assert!(cut_of(&c, 1, ONE) <= known && cut_of(&c, 2, ONE) <= known, "what region 3 lacks is kept");
    write(&mut c, 30);
    settle(&mut c);
    for n in 1..=2 {
        let (cut, length) = (cut_of(&c, n, ONE), length(&c, n));
        assert!(
            cut > known && length - cut >= 40,
            "region {n} keeps as much as it must, and no more: {cut} of {length}"
        );
    }
}

#[test]
fn the_own_log_is_never_cut_above_the_ack_floor() {
    let mut c = short_logs(2, 4);
    settle(&mut c);
    isolate(&mut c, 1);
    let floor = c.engine(1).ledger().ack_floor;
    write(&mut c, 40);
    settle(&mut c);
    assert_eq!(c.engine(1).ledger().ack_floor, floor);
    assert!(cut_of(&c, 1, ONE) <= floor, "nobody else holds it");
    c.crash(1);
    c.heal(1, 2);
    c.heal(1, 3);
    c.run_until_quiet();
    c.assert_equal();
}

/// Region 3 is left behind the cut, with a grant, a wager id and a home on their way to it.
fn left_behind() -> (Cluster, WagerRequest) {
    let mut c = short_logs(4, 20);
    c.funded("ben@eu-west", "50");
    c.funded("cleo@eu-west", "60");
    for from in [1, 2] {
        c.hold.extend([Lane::Log, Lane::Requests, Lane::Bulk].map(|lane| (from, 3, lane)));
    }
    let wager = c.wager(3, "ben@eu-west", "20");
    c.send(3, engine::door::Request::Command(model::Command::Place(vec![wager])), 1_000);
    let foreign = c.wager(1, ANNA, "5");
    c.send(3, engine::door::Request::Command(model::Command::Place(vec![foreign.clone()])), 1_000);
    c.peer(3, 1, &PeerMessage::ComeHome { account: acc("cleo@eu-west"), epoch: 0 });
    c.quiet();
    c.drop_held();
    isolate(&mut c, 3);
    c.pass(2_000);
    assert_eq!(c.engine(1).ledger().account_head(&acc("cleo@eu-west")).unwrap().home, Site::new(3, 1));
    assert_eq!(c.engine(3).ledger().account_head(&acc("cleo@eu-west")).unwrap().home, ONE, "it has not arrived");
    write(&mut c, 60);
    let settled = c.wager(1, ANNA, "10");
    assert_eq!(accepted(&c.place(1, settled)), Some(true));
    c.result(1, "home", OutcomeResult::Won);
    c.run_until_quiet();
    settle(&mut c);
    assert!(cut_of(&c, 1, ONE) > length(&c, 3) && cut_of(&c, 2, ONE) > length(&c, 3), "region 3 is behind the cut");
    (c, foreign)
}

fn assert_caught_up(c: &mut Cluster, foreign: WagerRequest) {
    assert_eq!(c.engine(3).ledger().head(ONE).index, length(c, 1));
    c.assert_equal();
    for name in [ANNA, "ben@eu-west", "cleo@eu-west"] {
        c.assert_conserved(name);
        let view = c.account(3, name);
        assert_eq!(view.in_transfer, 0, "what was granted to region 3 has been taken there: {name}");
    }
    assert!(c.account(3, "ben@eu-west").spendable_here >= 2_000, "the grant counts");
    assert_eq!(c.account(3, "cleo@eu-west").spendable_here, 6_000, "the home has moved, with the money");
    // The call ended without an answer and left a ticket. The id is region 3's to close, by a fence that came with the
    // snapshot: nobody else could.
    assert_eq!(c.place(3, foreign.clone()), WagerAnswer::Refused(Refusal::IdClosed));
    let closed =
        |n: u16| c.engine(n).ledger().handed.get(&(foreign.id, Site::new(3, 1))).is_some_and(|h| h.to.is_none());
    assert!((1..=3).all(closed), "the fence counts");
}

#[test]
fn a_region_behind_the_cut_takes_a_snapshot_and_what_was_on_its_way_to_it() {
    let (mut c, foreign) = left_behind();
    rejoin(&mut c, 3);
    assert_eq!(c.engine(3).stats().snapshots_taken, 1);
    assert_eq!(c.engine(1).stats().snapshots_taken + c.engine(2).stats().snapshots_taken, 0);
    assert_eq!(replication(&mut c, 3).snapshot, None);
    assert_caught_up(&mut c, foreign);
    write(&mut c, 30);
    settle(&mut c);
    assert!(cut_of(&c, 3, ONE) > cut_of(&c, 1, ONE) - 10, "its own log copies are cut as all others'");
    c.crash(3);
    c.run_until_quiet();
    c.assert_equal();
}

#[test]
fn a_region_that_is_not_behind_takes_no_snapshot() {
    let mut c = short_logs(5, 200);
    isolate(&mut c, 3);
    write(&mut c, 100);
    settle(&mut c);
    rejoin(&mut c, 3);
    assert_eq!((c.engine(3).stats().snapshots_taken, c.engine(3).stats().snapshot_pages), (0, 0));
    c.assert_equal();
}

/// Frames from both others to region 3 by the bulk lane are kept back.
fn hold_pages(c: &mut Cluster) {
    c.hold.extend([(1, 3, Lane::Bulk), (2, 3, Lane::Bulk)]);
}

#[test]
fn a_crash_before_the_end_begins_again_and_has_changed_nothing() {
    let (mut c, foreign) = left_behind();
    hold_pages(&mut c);
    (1..=2).for_each(|o| c.heal(3, o));
    assert_eq!(c.engine(3).ledger().head(ONE).index, length(&c, 3));
    let page = c.first_held(|m| matches!(m, PeerMessage::SnapshotPage(_)));
    let (from, Some(PeerMessage::SnapshotPage(page))) = page.unwrap() else { panic!("a page") };
    let before = (c.engine(3).ledger().digest(), length(&c, 3));
    c.peer(from, 3, &PeerMessage::SnapshotPage(page));
    assert_eq!(c.engine(3).stats().snapshot_pages, 1);
    assert_eq!((c.engine(3).ledger().digest(), length(&c, 3)), before, "a page by itself says nothing");
    assert!(c.store_of(3).staged(0).is_some());
    c.drop_held();
    c.crash(3);
    c.run_until_quiet();
    c.run_until_quiet();
    assert_eq!(c.engine(3).stats().snapshots_taken, 1);
    assert!(c.store_of(3).staged(0).is_none(), "pages are removed in the end");
    assert_caught_up(&mut c, foreign);
}

#[test]
fn a_whole_snapshot_is_taken_to_its_end_over_crashes_with_nobody_there() {
    let (mut c, foreign) = left_behind();
    hold_pages(&mut c);
    (1..=2).for_each(|o| c.heal(3, o));
    // Page by page by hand, up to the end.
    for _ in 0..50 {
        let Some((from, Some(message))) = c.first_held(|_| true) else { break };
        let is_end = matches!(message, PeerMessage::SnapshotWord(SnapshotWord::End { .. }));
        c.peer(from, 3, &message);
        if is_end {
            break;
        }
        c.quiet();
    }
    c.drop_held();
    isolate(&mut c, 3);
    for _ in 0..4 {
        let store = c.store_of(3);
        c.start(3, store);
    }
    c.pass(500);
    assert_eq!(length(&c, 3), length(&c, 1), "its own disk was enough");
    rejoin(&mut c, 3);
    assert_caught_up(&mut c, foreign);
}

#[test]
fn a_page_or_an_end_that_does_not_add_up_is_refused_and_begun_again() {
    let (mut c, foreign) = left_behind();
    hold_pages(&mut c);
    (1..=2).for_each(|o| c.heal(3, o));
    let page = c.first_held(|m| matches!(m, PeerMessage::SnapshotPage(_)));
    let (from, Some(PeerMessage::SnapshotPage(page))) = page.unwrap() else { panic!("a page") };
    let before = c.engine(3).ledger().digest();
    let mut records = page.records.clone();
    records.pop();
    c.peer(from, 3, &PeerMessage::SnapshotPage(SnapshotPage { records, ..page }));
    assert_eq!((c.engine(3).stats().snapshots_refused, c.engine(3).ledger().digest()), (1, before));
    assert!(c.alarms.iter().any(|(n, code, _)| (*n, *code) == (3, "snapshot_given_up")));
    c.drop_held();
    c.pass(8_000);
    c.run_until_quiet();
    assert_eq!(c.engine(3).stats().snapshots_taken, 1);
    assert_caught_up(&mut c, foreign);
}

#[test]
fn a_wiped_directory_comes_back_as_a_new_incarnation_by_a_snapshot() {
    let mut c = short_logs(4, 20);
    let wager = c.wager(3, ANNA, "5");
    assert_eq!(accepted(&c.place(3, wager.clone())), Some(true));
    write(&mut c, 40);
    settle(&mut c);
    c.incarnations.insert(3, 2);
    c.wipe(3);
    c.run_until_quiet();
    c.run_until_quiet();
    assert_eq!(c.engine(3).stats().snapshots_taken, 1);
    c.assert_equal();
    assert_eq!(c.known(3, wager.id).owner, Site::new(3, 1), "what its dead incarnation decided is known");
    let mut next = c.wager(3, ANNA, "5");
    next.id = model::MintedId::mint(next.id.place_by_ms(), 3, 2, 77);
    assert_eq!(accepted(&c.place(3, next)), Some(true), "and it serves");
    c.run_until_quiet();
    c.assert_equal();
}

#[test]
fn nothing_is_spent_while_the_floor_lies_below_the_cut() {
    let mut c = short_logs(4, 20);
    settle(&mut c);
    isolate(&mut c, 3);
    write(&mut c, 60);
    settle(&mut c);
    let cut = cut_of(&c, 1, ONE);
    // Region 2 loses its disk, the only one that held what was cut; its new process has heard nothing so far.
    c.incarnations.insert(2, 2);
    c.hold.extend([Lane::Log, Lane::Requests, Lane::Bulk].map(|lane| (1, 2, lane)));
    c.wipe(2);
    assert!(c.engine(1).ledger().ack_floor < cut, "nobody else is known to hold it");
    assert_eq!(c.account(1, ANNA).spendable_here, 0);
    let stake = dec("1");
    let mut wager = c.wager(1, ANNA, "1");
    wager.unit_stake = stake;
    let id = c.send(1, engine::door::Request::Command(model::Command::Place(vec![wager])), 0);
    let refused = c.replies.remove(&id).unwrap();
    assert!(format!("{refused:?}").contains("ReplicationWindow"), "{refused:?}");
    c.crash(1);
    assert_eq!(c.account(1, ANNA).spendable_here, 0, "a restart finds no more than there was");
}
