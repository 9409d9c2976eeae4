//! Wagers whose owner cannot be heard where they are asked for: noted, never placed from there, and resolved by
//! themselves once the owner can be heard.

use crdt::Site;
use engine::door::{Lane, Request};
use engine::log::{Cause, Event};
use model::limits::{HANDED_KEPT_MS, TICKETS_MAX, WAGER_HORIZON_MS};
use model::{Answer, Command, MintedId, Query, Refusal, Text, WagerAnswer, WagerRequest, WagerView};

use crate::cluster::{Cluster, WALL_MS, acc, accepted, dec, one};

const P: &str = "p@eu-west";
const CLOSED: WagerView = WagerView::NotPlaced { definitive: true };

fn house(size: u16) -> Cluster {
    let mut c = Cluster::new(size);
    c.funded(P, "100");
    c.on_sale(1);
    c
}

/// Asks with a second to wait, and lets it pass if need be.
fn wait(c: &mut Cluster, n: u16, request: Request) -> Answer {
    let request = c.send(n, request, 1_000);
    c.quiet();
    c.pass(if c.replies.contains_key(&request) { 0 } else { 1_100 });
    c.replies.remove(&request).unwrap()
}

fn place(c: &mut Cluster, n: u16, w: &WagerRequest) -> WagerAnswer {
    one(wait(c, n, Request::Command(Command::Place(vec![w.clone()]))))
}

fn read(c: &mut Cluster, n: u16, id: MintedId) -> WagerView {
    match wait(c, n, Request::Query(Query::Wager(id))) {
        Answer::Wager { view, .. } => view,
        other => panic!("{other:?}"),
    }
}

fn close(c: &mut Cluster, n: u16, id: MintedId, reason: Option<&str>) -> Answer {
    wait(c, n, Request::Command(Command::CloseWager { id, reason: reason.map(Text::new) }))
}

/// The region named in a pending answer.
fn pending(answer: &WagerAnswer) -> Option<u16> {
    match answer {
        WagerAnswer::Ticket(ticket) => Some(ticket.owner),
        _ => None,
    }
}

fn is_pending(view: &WagerView) -> bool {
    matches!(view, WagerView::Ticket(_))
}

fn standing(c: &Cluster, n: u16) -> Vec<MintedId> {
    c.engine(n).tickets().collect()
}

fn healed(c: &mut Cluster, a: u16, b: u16) {
    c.heal(a, b);
    c.run_until_quiet();
}

#[test]
fn a_wager_whose_owner_is_cut_off_is_noted_and_never_placed_from_here() {
    let mut c = house(2);
    let w = c.wager(1, P, "10");
    c.part(1, 2);
    let log = c.entries_of(2).len();
    assert_eq!(pending(&place(&mut c, 2, &w)), Some(1));
    assert_eq!(pending(&place(&mut c, 2, &w)), Some(1), "again the same");
    let mut other = w.clone();
    other.unit_stake = dec("11");
    assert_eq!(place(&mut c, 2, &other), WagerAnswer::Refused(Refusal::IdReused));
    assert_eq!(standing(&c, 2), [w.id], "one ticket");
    assert!(is_pending(&read(&mut c, 2, w.id)));
    assert_eq!((c.account(2, P).reserved, c.entries_of(2).len()), (0, log), "no money, no entry");
    healed(&mut c, 1, 2);
    assert!(standing(&c, 2).is_empty());
    for at in [2, 1] {
        assert_eq!(read(&mut c, at, w.id), CLOSED, "region {at}");
        assert_eq!(place(&mut c, at, &w), WagerAnswer::Refused(Refusal::IdClosed), "region {at}");
    }
    assert_eq!(c.account(1, P).reserved, 0);
    c.assert_conserved(P);
    c.assert_equal();
}

#[test]
fn a_ticket_finds_the_decision_there_was() {
    let mut c = house(2);
    let w = c.wager(1, P, "10");
    c.part(1, 2);
    assert_eq!(accepted(&place(&mut c, 1, &w)), Some(true));
    assert_eq!(pending(&place(&mut c, 2, &w)), Some(1));
    healed(&mut c, 1, 2);
    assert!(standing(&c, 2).is_empty());
    assert!(matches!(read(&mut c, 2, w.id), WagerView::Known(record) if record.owner == Site::new(1, 1)));
    assert!(matches!(place(&mut c, 2, &w), WagerAnswer::Decided { replayed: true, .. }));
    c.assert_conserved(P);
    c.assert_equal();
}

#[test]
fn a_client_that_goes_to_the_owner_meanwhile_is_served_there() {
    let mut c = house(2);
    let w = c.wager(1, P, "10");
    c.part(1, 2);
    assert_eq!(pending(&place(&mut c, 2, &w)), Some(1));
    assert_eq!(accepted(&place(&mut c, 1, &w)), Some(true), "the owner decides");
    healed(&mut c, 1, 2);
    assert!(standing(&c, 2).is_empty());
    assert!(matches!(place(&mut c, 2, &w), WagerAnswer::Decided { replayed: true, .. }));
    assert_eq!(c.account(2, P).reserved, 1_000);
    c.assert_conserved(P);
}

#[test]
fn a_ticket_survives_restarts_at_both_ends() {
    let mut c = house(2);
    let w = c.wager(1, P, "10");
    c.part(1, 2);
    assert_eq!(pending(&place(&mut c, 2, &w)), Some(1));
    c.crash(2);
    assert!(is_pending(&read(&mut c, 2, w.id)));
    assert_eq!(pending(&place(&mut c, 2, &w)), Some(1));
    c.crash(1);
    // The question and its answer are lost with the process that asked.
    c.hold.insert((1, 2, Lane::Requests));
    c.hold.insert((1, 2, Lane::Log));
    c.hold.insert((1, 2, Lane::Bulk));
    healed(&mut c, 1, 2);
    c.crash(2);
    c.drop_held();
    assert_eq!(standing(&c, 2), [w.id]);
    c.part(1, 2);
    healed(&mut c, 1, 2);
    assert!(standing(&c, 2).is_empty());
    c.crash(2);
    assert_eq!(read(&mut c, 2, w.id), CLOSED);
    assert_eq!(place(&mut c, 2, &w), WagerAnswer::Refused(Refusal::IdClosed));
    c.assert_equal();
}

#[test]
fn an_owner_that_does_not_answer_in_time_is_one_that_cannot_be_heard() {
    let mut c = house(2);
    let w = c.wager(1, P, "10");
    for lane in [Lane::Requests, Lane::Log, Lane::Bulk] {
        c.hold.insert((1, 2, lane));
    }
    assert_eq!(pending(&place(&mut c, 2, &w)), Some(1), "asked, and no answer within the wait");
    // The owner had handed the id over at once. The right arrives after the client was told `pending`: it closes the id.
    c.release();
    c.run_until_quiet();
    let to = |c: &Cluster, n: u16| c.engine(1).ledger().handed.get(&(w.id, Site::new(n, 1))).map(|h| h.to);
    assert_eq!((to(&c, 1), to(&c, 2)), (Some(Some(Site::new(2, 1))), Some(None)), "handed over, and closed there");
    assert!(standing(&c, 2).is_empty());
    for at in [1, 2] {
        assert_eq!(read(&mut c, at, w.id), CLOSED);
    }
    assert_eq!(c.account(2, P).reserved, 0);
    c.assert_conserved(P);
    c.assert_equal();
}

#[test]
fn an_answer_whose_entry_is_on_its_way_is_no_ticket() {
    let mut c = house(2);
    let w = c.wager(1, P, "10");
    c.hold.insert((1, 2, Lane::Log));
    c.hold.insert((1, 2, Lane::Bulk));
    assert_eq!(place(&mut c, 2, &w), WagerAnswer::Refused(Refusal::NotOwner { region: 1 }));
    assert!(standing(&c, 2).is_empty());
    c.release();
    assert_eq!(accepted(&c.place(2, w)), Some(true));
}

#[test]
fn an_entry_that_comes_round_another_region_resolves_a_ticket() {
    let mut c = house(3);
    let (w, v) = (c.wager(1, P, "10"), c.wager(1, P, "7"));
    c.part(1, 2);
    for lane in [Lane::Requests, Lane::Log, Lane::Bulk] {
        c.hold.insert((3, 2, lane));
    }
    // Nor does a question get round before the owner has decided.
    c.hold.insert((2, 3, Lane::Requests));
    for id in [&w, &v] {
        assert_eq!(pending(&place(&mut c, 2, id)), Some(1));
    }
    assert_eq!(accepted(&place(&mut c, 1, &w)), Some(true));
    assert!(matches!(close(&mut c, 1, v.id, None), Answer::Wager { view: CLOSED, .. }));
    c.run_until_quiet();
    assert_eq!(standing(&c, 2).len(), 2);
    c.release();
    c.run_until_quiet();
    assert!(standing(&c, 2).is_empty(), "regions 1 and 2 are still apart");
    assert!(matches!(read(&mut c, 2, w.id), WagerView::Known(_)));
    assert_eq!(read(&mut c, 2, v.id), CLOSED);
}

#[test]
fn an_id_that_was_handed_on_is_asked_for_where_it_is() {
    // Whether region 2 has heard of the hand-over by log, or hears of it in the origin's answer.
    for by_answer in [false, true] {
        let mut c = house(3);
        let mut w = c.wager(1, P, "10");
        if by_answer {
            for lane in [Lane::Log, Lane::Bulk] {
                c.hold.extend([(1, 2, lane), (3, 2, lane)]);
            }
        }
        w.account = acc("nobody@eu-west");
        assert_eq!(place(&mut c, 3, &w), WagerAnswer::Refused(Refusal::AccountUnknown), "handed to region 3");
        w.account = acc(P);
        c.part(3, 1);
        c.part(3, 2);
        let answer = place(&mut c, 2, &w);
        assert!(pending(&answer).is_some(), "{answer:?}");
        c.release();
        c.run_until_quiet();
        assert_eq!(standing(&c, 2), [w.id], "region 1 cannot end it");
        healed(&mut c, 3, 2);
        healed(&mut c, 3, 1);
        assert!(standing(&c, 2).is_empty());
        for at in [1, 2, 3] {
            assert_eq!(read(&mut c, at, w.id), CLOSED, "region {at}");
        }
        let closed = c.engine(2).ledger().handed.get(&(w.id, Site::new(3, 1))).map(|h| h.to);
        assert_eq!(closed, Some(None), "closed where the right was");
        c.assert_equal();
    }
}

#[test]
fn only_the_owners_time_ends_a_ticket() {
    let mut c = house(2);
    let w = c.wager(1, P, "10");
    c.part(1, 2);
    assert_eq!(pending(&place(&mut c, 2, &w)), Some(1));
    c.pass(62_000);
    assert!(is_pending(&read(&mut c, 2, w.id)), "region 1 may have taken it in time");
    assert_eq!(pending(&place(&mut c, 2, &w)), Some(1));
    healed(&mut c, 1, 2);
    assert!(standing(&c, 2).is_empty());
    assert!(c.engine(1).ledger().handed.is_empty(), "an expired id is closed by no entry");
    c.part(1, 2);
    c.crash(2);
    assert_eq!(read(&mut c, 2, w.id), CLOSED, "the owner's word is kept");
    assert_eq!(place(&mut c, 2, &w), WagerAnswer::Refused(Refusal::IdExpired));
    c.pass(HANDED_KEPT_MS + 1_000);
    assert_eq!(read(&mut c, 2, w.id), WagerView::Unknown { owner: 1 }, "and forgotten some minutes later");
}

#[test]
fn a_ticket_of_an_accepted_wager_finds_it_long_after_its_time() {
    let mut c = house(2);
    let w = c.wager(1, P, "10");
    assert_eq!(
        pending(&{
            c.part(1, 2);
            place(&mut c, 2, &w)
        }),
        Some(1)
    );
    assert_eq!(accepted(&place(&mut c, 1, &w)), Some(true));
    c.pass(60_000 + HANDED_KEPT_MS + 5_000);
    assert!(is_pending(&read(&mut c, 2, w.id)));
    healed(&mut c, 1, 2);
    assert!(matches!(read(&mut c, 2, w.id), WagerView::Known(_)));
}

#[test]
fn each_wager_of_a_batch_has_its_own_answer() {
    let mut c = house(2);
    let (mine, theirs) = (c.wager(2, P, "1"), c.wager(1, P, "2"));
    let lent = c.wager(2, P, "5");
    c.place(2, lent);
    c.part(1, 2);
    let mut other = theirs.clone();
    other.unit_stake = dec("3");
    let batch = vec![theirs.clone(), mine, theirs.clone(), other];
    let Answer::Placed(answers) = wait(&mut c, 2, Request::Command(Command::Place(batch))) else { panic!() };
    assert_eq!((pending(&answers[0]), accepted(&answers[1]), pending(&answers[2])), (Some(1), Some(true), Some(1)));
    assert_eq!(answers[3], WagerAnswer::Refused(Refusal::IdReused));
    assert_eq!(standing(&c, 2), [theirs.id]);
}

#[test]
fn tickets_are_bounded_and_so_is_what_they_are_written_for() {
    let mut c = house(2);
    let far = MintedId::mint(WALL_MS + c.elapsed_ms + WAGER_HORIZON_MS + 60_000, 1, 1, 7);
    let nowhere = MintedId::mint(WALL_MS + c.elapsed_ms + 60_000, 9, 1, 7);
    let former = MintedId::mint(WALL_MS + c.elapsed_ms + 60_000, 2, 5, 7);
    let w = c.wager(1, P, "1");
    let of = |id| WagerRequest { id, ..w.clone() };
    c.part(1, 2);
    let cut = WagerAnswer::Refused(Refusal::RegionUnreachable { region: Text::new("eu-west") });
    assert_eq!(place(&mut c, 2, &of(far)), cut, "nobody may decide it yet");
    assert_eq!(place(&mut c, 2, &of(nowhere)), WagerAnswer::Refused(Refusal::NotOwner { region: 9 }));
    assert_eq!(place(&mut c, 2, &of(former)), WagerAnswer::Refused(Refusal::NotOwner { region: 2 }));
    assert!(standing(&c, 2).is_empty());
    let batch: Vec<WagerRequest> = (0..=TICKETS_MAX).map(|_| of(c.mint(1))).collect();
    let Answer::Placed(answers) = wait(&mut c, 2, Request::Command(Command::Place(batch.clone()))) else { panic!() };
    assert!(answers[..TICKETS_MAX].iter().all(|a| pending(a) == Some(1)));
    assert_eq!(answers[TICKETS_MAX], cut);
    // All of them resolve, some at a time.
    c.heal(1, 2);
    c.pass(30_000);
    assert!(standing(&c, 2).is_empty(), "{} are left", standing(&c, 2).len());
    assert_eq!(
        pending(&{
            c.part(1, 2);
            place(&mut c, 2, &w)
        }),
        Some(1),
        "and there is room again"
    );
}

#[test]
fn without_time_to_wait_a_linked_owner_is_not_asked_and_nothing_is_noted() {
    let mut c = house(2);
    let w = c.wager(1, P, "10");
    let request = c.send(2, Request::Command(Command::Place(vec![w.clone()])), 0);
    assert_eq!(one(c.replies.remove(&request).unwrap()), WagerAnswer::Refused(Refusal::NotOwner { region: 1 }));
    assert!(standing(&c, 2).is_empty());
    c.part(1, 2);
    let request = c.send(2, Request::Command(Command::Place(vec![w])), 0);
    assert_eq!(pending(&one(c.replies.remove(&request).unwrap())), Some(1));
}

#[test]
fn abandoning_changes_nothing_about_a_ticket_and_an_operator_signs_its_tombstone() {
    let mut c = house(2);
    let (w, v) = (c.wager(1, P, "10"), c.wager(1, P, "7"));
    c.part(1, 2);
    for wager in [&w, &v] {
        place(&mut c, 2, wager);
        assert!(matches!(close(&mut c, 2, wager.id, None), Answer::Wager { view, .. } if is_pending(&view)));
    }
    let cancelled = close(&mut c, 2, v.id, Some("a wrong price"));
    assert!(matches!(&cancelled, Answer::Wager { view, .. } if is_pending(view)), "{cancelled:?}");
    c.crash(2);
    healed(&mut c, 1, 2);
    let tombstones = c.entries_of(1).into_iter().flat_map(|e| e.events.into_iter().map(move |v| (e.by, v)));
    let said = tombstones.into_iter().filter_map(|(by, event)| match event {
        Event::Cancelled(cancelled) => Some((cancelled.id, (by, cancelled.reason))),
        _ => None,
    });
    let said: std::collections::BTreeMap<_, _> = said.collect();
    assert_eq!(said[&w.id], (Cause::Client, None));
    assert_eq!(said[&v.id], (Cause::Operator, Some(Text::new("a wrong price"))));
    assert_eq!(close(&mut c, 2, v.id, None), Answer::Wager { id: v.id, view: CLOSED });
}

#[test]
fn an_operator_who_cancels_what_was_accepted_learns_so_after_the_heal() {
    let mut c = house(2);
    let w = c.wager(1, P, "10");
    c.part(1, 2);
    place(&mut c, 1, &w);
    place(&mut c, 2, &w);
    assert!(matches!(close(&mut c, 2, w.id, Some("no")), Answer::Wager { view, .. } if is_pending(&view)));
    c.heal(1, 2);
    assert_eq!(close(&mut c, 2, w.id, Some("no")), Answer::Refused(Refusal::WagerAccepted));
    c.run_until_quiet();
    assert_eq!(c.account(2, P).reserved, 1_000);
}

#[test]
fn a_ticket_for_the_id_of_a_posting_ends_when_the_posting_comes() {
    let mut c = house(2);
    let mut w = c.wager(1, P, "10");
    c.part(1, 2);
    let id = c.mint(1);
    w.id = id;
    assert!(matches!(c.deposit(1, id, P, "5"), Answer::Deposited { .. }));
    assert_eq!(pending(&place(&mut c, 2, &w)), Some(1));
    healed(&mut c, 1, 2);
    assert!(standing(&c, 2).is_empty());
    assert_eq!(place(&mut c, 2, &w), WagerAnswer::Refused(Refusal::IdReused));
}

#[test]
fn a_ticket_is_in_no_digest() {
    let mut c = house(2);
    let w = c.wager(1, P, "10");
    c.run_until_quiet();
    c.part(1, 2);
    let digest = |c: &mut Cluster| match c.query(2, Query::Digest) {
        Answer::Digest(d) => (d.logs, d.ledger_digest),
        other => panic!("{other:?}"),
    };
    let before = digest(&mut c);
    assert_eq!(pending(&place(&mut c, 2, &w)), Some(1));
    assert_eq!(digest(&mut c), before);
}
