//! Wager ids asked for in another region than their own: one decision, wherever it is made, and one final answer.

use crdt::Site;
use engine::door::{Lane, Request};
use engine::log::{Cancelled, Event, Fenced};
use engine::wire::{FenceOrFetch, PeerMessage, Want};
use model::limits::HANDED_KEPT_MS;
use model::{Answer, Command, Hash16, MintedId, Query, Refusal, Text, WagerAnswer, WagerRequest, WagerView};

use crate::cluster::{Cluster, acc, accepted, dec, one};

const P: &str = "p@eu-west";

fn house(size: u16) -> Cluster {
    let mut c = Cluster::new(size);
    c.funded(P, "100");
    c.on_sale(1);
    c
}

fn read(c: &mut Cluster, n: u16, id: MintedId) -> WagerView {
    let request = c.send(n, Request::Query(Query::Wager(id)), 1_000);
    c.quiet();
    c.pass(if c.replies.contains_key(&request) { 0 } else { 1_100 });
    match c.replies.remove(&request) {
        Some(Answer::Wager { view, .. }) => view,
        other => panic!("{other:?}"),
    }
}

fn close(c: &mut Cluster, n: u16, id: MintedId, reason: Option<&str>) -> Answer {
    let command = Command::CloseWager { id, reason: reason.map(Text::new) };
    let request = c.send(n, Request::Command(command), 1_000);
    c.quiet();
    c.pass(if c.replies.contains_key(&request) { 0 } else { 1_100 });
    c.replies.remove(&request).unwrap()
}

fn place_late(c: &mut Cluster, n: u16, w: &WagerRequest) -> WagerAnswer {
    let request = c.send(n, Request::Command(Command::Place(vec![w.clone()])), 1_000);
    c.quiet();
    c.pass(if c.replies.contains_key(&request) { 0 } else { 1_100 });
    one(c.replies.remove(&request).unwrap())
}

/// How many sites took a stake for it.
fn owners(c: &mut Cluster, size: u16, id: MintedId) -> Vec<u16> {
    c.run_until_quiet();
    let mut all: Vec<u16> = (1..=size).map(|n| c.known(n, id).owner.region).collect();
    all.dedup();
    all
}

const CLOSED: WagerView = WagerView::NotPlaced { definitive: true };

#[test]
fn a_retry_elsewhere_finds_the_decision_of_the_origin() {
    let mut c = house(2);
    let w = c.wager(1, P, "10");
    c.hold.insert((1, 2, Lane::Log));
    c.hold.insert((1, 2, Lane::Bulk));
    assert_eq!(accepted(&c.place(1, w.clone())), Some(true));
    // The record has not come yet: it is waited for.
    let request = c.send(2, Request::Command(Command::Place(vec![w.clone()])), 5_000);
    c.pass(500);
    assert!(!c.replies.contains_key(&request), "nothing is answered from a reply");
    c.release();
    let answer = one(c.replies.remove(&request).unwrap());
    assert!(matches!(&answer, WagerAnswer::Decided { record, replayed: true } if record.owner == Site::new(1, 1)));
    let mut other = w.clone();
    other.unit_stake = dec("11");
    assert_eq!(c.place(2, other), WagerAnswer::Refused(Refusal::IdReused));
    assert_eq!(c.account(1, P).reserved, 1000);
    c.assert_conserved(P);
}

#[test]
fn a_retry_that_wins_is_decided_where_it_is_and_the_delayed_original_is_not() {
    let mut c = house(3);
    let w = c.wager(1, P, "10");
    assert_eq!(accepted(&c.place(2, w.clone())), Some(true), "one round trip and the rights");
    // The original arrives at its origin, before and after that has heard of the decision, twice.
    for _ in 0..2 {
        assert!(matches!(c.place(1, w.clone()), WagerAnswer::Decided { replayed: true, .. }));
    }
    assert!(matches!(c.place(3, w.clone()), WagerAnswer::Decided { replayed: true, .. }));
    assert_eq!(owners(&mut c, 3, w.id), [2]);
    assert_eq!(c.account(3, P).reserved, 1000);
    c.assert_conserved(P);
    c.assert_equal();
}

#[test]
fn after_the_fence_the_origin_never_decides_even_cut_off_and_restarted() {
    let mut c = house(2);
    let w = c.wager(1, P, "10");
    c.hold.insert((2, 1, Lane::Log));
    c.hold.insert((2, 1, Lane::Bulk));
    assert_eq!(accepted(&c.place(2, w.clone())), Some(true));
    c.part(1, 2);
    let pending = |a: &WagerAnswer| matches!(a, WagerAnswer::Ticket(ticket) if ticket.owner == 2);
    assert!(pending(&c.place(1, w.clone())));
    c.crash(1);
    assert!(pending(&c.place(1, w.clone())), "the fence is durable");
    assert!(matches!(read(&mut c, 1, w.id), WagerView::Ticket(ticket) if ticket.owner == 2));
    let id = w.id;
    assert_eq!(c.deposit(1, id, P, "5"), Answer::Refused(Refusal::IdReused), "a fenced id is no posting's either");
    c.hold.clear();
    c.heal(1, 2);
    c.run_until_quiet();
    assert!(matches!(c.place(1, w.clone()), WagerAnswer::Decided { replayed: true, .. }));
    assert_eq!(owners(&mut c, 2, id), [2]);
    c.assert_conserved(P);
}

#[test]
fn a_fence_counts_only_when_its_entry_has_come() {
    let mut c = house(2);
    let w = c.wager(1, P, "10");
    c.hold.insert((1, 2, Lane::Log));
    c.hold.insert((1, 2, Lane::Bulk));
    let answer = place_late(&mut c, 2, &w);
    assert_eq!(answer, WagerAnswer::Refused(Refusal::NotOwner { region: 1 }), "undecided");
    assert_eq!(c.account(2, P).reserved, 0);
    // Region 2 dies between the reply and the entry; the right is there all the same.
    c.crash(2);
    c.release();
    c.run_until_quiet();
    assert_eq!(accepted(&c.place(2, w.clone())), Some(true));
    assert_eq!(owners(&mut c, 2, w.id), [2]);
}

#[test]
fn a_region_that_dies_with_the_right_has_it_afterwards() {
    let mut c = house(2);
    let mut w = c.wager(1, P, "10");
    w.account = acc("nobody@eu-west");
    assert_eq!(c.place(2, w.clone()), WagerAnswer::Refused(Refusal::AccountUnknown), "fenced and undecided");
    c.crash(2);
    c.part(1, 2);
    w.account = acc(P);
    let short = place_late(&mut c, 2, &w);
    assert!(matches!(short, WagerAnswer::Refused(Refusal::InsufficientLocalFunds { .. })), "{short:?}: judged here");
    c.heal(1, 2);
    assert_eq!(accepted(&c.place(2, w)), Some(true));
}

#[test]
fn a_cut_off_region_never_accepts_a_foreign_id() {
    let mut c = house(2);
    let w = c.wager(1, P, "10");
    c.part(1, 2);
    assert_eq!(read(&mut c, 2, w.id), WagerView::Unknown { owner: 1 });
    assert!(matches!(close(&mut c, 2, w.id, None), Answer::Wager { view: WagerView::Unknown { owner: 1 }, .. }));
    assert!(matches!(place_late(&mut c, 2, &w), WagerAnswer::Ticket(_)));
    assert!(matches!(read(&mut c, 2, w.id), WagerView::Ticket(_)));
    assert_eq!(accepted(&c.place(1, w.clone())), Some(true));
    c.heal(1, 2);
    c.run_until_quiet();
    assert!(matches!(c.place(2, w), WagerAnswer::Decided { replayed: true, .. }));
}

#[test]
fn without_time_to_wait_nothing_is_asked() {
    let mut c = house(2);
    let w = c.wager(1, P, "10");
    let request = c.send(2, Request::Command(Command::Place(vec![w.clone()])), 0);
    assert_eq!(one(c.replies.remove(&request).unwrap()), WagerAnswer::Refused(Refusal::NotOwner { region: 1 }));
    assert_eq!(accepted(&c.place(1, w)), Some(true));
}

#[test]
fn questions_that_are_lost_or_repeated_have_one_answer() {
    let mut c = house(2);
    let w = c.wager(1, P, "10");
    let want = Want::Place { body: Hash16([7; 16]), account: acc(P), need: None, want: None };
    for n in [900, 900, 901] {
        let ask = FenceOrFetch { n, id: w.id, want: want.clone() };
        c.peer(2, 1, &PeerMessage::FenceOrFetch(ask));
    }
    c.run_until_quiet();
    let own = c.engine(1).ledger().handed.get(&(w.id, Site::new(1, 1))).cloned();
    let fences =
        c.entries_of(1).iter().flat_map(|e| e.events.clone()).filter(|e| matches!(e, Event::Fenced(_))).count();
    assert_eq!((fences, own.unwrap().to), (1, Some(Site::new(2, 1))));
    // The answer is lost: the question is asked again.
    let v = c.wager(1, P, "10");
    c.hold.insert((1, 2, Lane::Requests));
    let request = c.send(2, Request::Command(Command::Place(vec![v.clone()])), 5_000);
    c.pass(100);
    c.drop_held();
    c.pass(2_500);
    assert_eq!(accepted(&one(c.replies.remove(&request).unwrap())), Some(true));
}

#[test]
fn a_read_never_fences() {
    let mut c = house(2);
    let w = c.wager(1, P, "10");
    assert_eq!(read(&mut c, 2, w.id), WagerView::NotPlaced { definitive: false });
    assert!(c.engine(1).ledger().handed.is_empty());
    assert_eq!(accepted(&c.place(1, w.clone())), Some(true));
    assert!(matches!(read(&mut c, 2, w.id), WagerView::Known(_)));
}

#[test]
fn an_expired_id_is_refused_for_good_by_its_owners_time() {
    let mut c = house(2);
    let w = c.wager(1, P, "10");
    c.pass(60_100);
    assert_eq!(c.place(2, w.clone()), WagerAnswer::Refused(Refusal::IdExpired));
    assert_eq!(read(&mut c, 2, w.id), CLOSED);
    c.crash(1);
    assert_eq!(c.place(1, w.clone()), WagerAnswer::Refused(Refusal::IdExpired));
    assert!(c.engine(1).ledger().handed.is_empty(), "no fence is given after place_by");
}

#[test]
fn an_abandoned_wager_is_never_placed_by_a_delayed_original() {
    let mut c = house(3);
    let closed = |a: &Answer| matches!(a, Answer::Wager { view: WagerView::NotPlaced { definitive: true }, .. });
    // At the owner, and through another region.
    for from in [1, 2] {
        let w = c.wager(1, P, "10");
        assert!(closed(&close(&mut c, from, w.id, None)));
        assert!(closed(&close(&mut c, from, w.id, None)), "again the same");
        c.crash(1);
        for at in [1, 2, 3] {
            assert_eq!(c.place(at, w.clone()), WagerAnswer::Refused(Refusal::IdClosed), "region {at}");
            assert_eq!(read(&mut c, at, w.id), CLOSED);
        }
    }
    assert_eq!(c.account(1, P).reserved, 0);
    c.run_until_quiet();
    c.assert_equal();
}

#[test]
fn closing_a_decided_wager_shows_the_decision_and_an_operator_is_refused() {
    let mut c = house(2);
    let w = c.wager(1, P, "10");
    c.place(1, w.clone());
    for from in [1, 2] {
        let shown = close(&mut c, from, w.id, None);
        assert!(matches!(shown, Answer::Wager { view: WagerView::Known(_), .. }), "{shown:?}");
        assert_eq!(close(&mut c, from, w.id, Some("a wrong price")), Answer::Refused(Refusal::WagerAccepted));
    }
    assert_eq!(c.account(1, P).reserved, 1000);
}

#[test]
fn a_right_moves_on_and_every_step_refuses_afterwards() {
    let mut c = house(3);
    let mut w = c.wager(1, P, "10");
    w.account = acc("nobody@eu-west");
    assert_eq!(c.place(2, w.clone()), WagerAnswer::Refused(Refusal::AccountUnknown), "fenced to region 2, undecided");
    c.run_until_quiet();
    w.account = acc(P);
    assert_eq!(accepted(&c.place(3, w.clone())), Some(true), "and from there to region 3");
    let to = |c: &Cluster, n: u16| c.engine(3).ledger().handed.get(&(w.id, Site::new(n, 1))).and_then(|h| h.to);
    assert_eq!((to(&c, 1), to(&c, 2)), (Some(Site::new(2, 1)), Some(Site::new(3, 1))));
    for at in [1, 2, 3] {
        assert!(matches!(c.place(at, w.clone()), WagerAnswer::Decided { replayed: true, .. }));
    }
    assert_eq!(owners(&mut c, 3, w.id), [3]);
    c.assert_conserved(P);
}

#[test]
fn a_right_never_goes_back_and_the_holder_still_decides() {
    let mut c = house(2);
    let mut w = c.wager(1, P, "10");
    w.account = acc("nobody@eu-west");
    c.place(2, w.clone());
    c.run_until_quiet();
    w.account = acc(P);
    assert_eq!(c.place(1, w.clone()), WagerAnswer::Refused(Refusal::NotOwner { region: 2 }));
    assert_eq!(accepted(&c.place(2, w)), Some(true));
}

#[test]
fn a_right_that_nobody_used_is_closed_after_its_time_and_forgotten_later() {
    let mut c = house(3);
    let mut w = c.wager(1, P, "10");
    w.account = acc("nobody@eu-west");
    c.place(2, w.clone());
    c.run_until_quiet();
    assert_eq!(c.place(1, w.clone()), WagerAnswer::Refused(Refusal::NotOwner { region: 2 }));
    c.pass(63_000);
    for at in [1, 2, 3] {
        assert_eq!(read(&mut c, at, w.id), CLOSED, "region {at}");
    }
    c.pass(HANDED_KEPT_MS + 2_000);
    for at in [1, 2, 3] {
        assert!(c.engine(at).ledger().handed.is_empty(), "region {at} has forgotten it");
        assert_eq!(read(&mut c, at, w.id), CLOSED);
        assert_eq!(c.place(at, w.clone()), WagerAnswer::Refused(Refusal::IdExpired));
    }
}

#[test]
fn a_site_that_gives_an_id_away_twice_or_decides_it_afterwards_is_stopped() {
    let id = |c: &mut Cluster| c.mint(1);
    let stopped = |c: &Cluster| c.engine(2).ledger().head(Site::new(1, 1)).stopped.is_some();
    let fenced = |id, to| Event::Fenced(Fenced { id, to: Site::new(to, 1), body: Hash16([0; 16]) });
    let mut c = house(3);
    let w = id(&mut c);
    c.inject(1, 2, vec![fenced(w, 3)]);
    assert!(!stopped(&c));
    c.inject(1, 2, vec![Event::Cancelled(Cancelled { id: w, reason: None })]);
    assert!(stopped(&c));
    let mut c = house(3);
    let w = id(&mut c);
    c.inject(1, 2, vec![fenced(w, 2), fenced(w, 3)]);
    assert!(stopped(&c));
    let mut c = house(3);
    let w = c.wager(1, P, "10");
    c.place(1, w.clone());
    c.run_until_quiet();
    c.inject(1, 2, vec![fenced(w.id, 2)]);
    assert!(stopped(&c));
}
