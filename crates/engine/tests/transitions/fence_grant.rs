//! Rights that come with a wager id: in the entry that hands it over, once, and under the guards of any grant.

use crdt::Site;
use engine::door::{Lane, Request};
use engine::log::{Cause, Entry, Event};
use engine::wire::{FenceOrFetch, PeerMessage, Want};
use model::{Command, Hash16, WagerAnswer, WagerRequest};

use crate::cluster::{Cluster, acc, accepted, one};

const P: &str = "p@eu-west";

fn house(size: u16) -> Cluster {
    let mut c = Cluster::new(size);
    c.funded(P, "100");
    c.on_sale(1);
    c
}

/// Places at a region and counts one-way delays until it is answered, and the questions and answers between regions.
fn timed(c: &mut Cluster, n: u16, w: &WagerRequest) -> (WagerAnswer, usize, Vec<&'static str>) {
    let request = c.send(n, Request::Command(Command::Place(vec![w.clone()])), 10_000);
    let mut words = Vec::new();
    for waves in 0..20 {
        if let Some(answer) = c.replies.remove(&request) {
            c.quiet();
            return (one(answer), waves, words);
        }
        words.extend(c.wave().iter().filter_map(|message| match message {
            PeerMessage::FenceOrFetch(_) => Some("fence?"),
            PeerMessage::Fetched(_) => Some("fetched"),
            PeerMessage::Acquire(_) => Some("rights?"),
            PeerMessage::Acquired(_) => Some("granted"),
            _ => None,
        }));
    }
    panic!("unanswered")
}

/// Entries of a region's own log from an index on, each as the names of its events.
fn written(c: &Cluster, n: u16, from: usize) -> Vec<Vec<&'static str>> {
    let name = |event: &Event| match event {
        Event::Fenced(_) => "fenced",
        Event::Grant(_) => "grant",
        Event::Row(..) => "row",
        Event::Wager(_) => "wager",
        _ => "other",
    };
    let names = |entry: &Entry| entry.events.iter().map(name).collect();
    c.entries_of(n)[from..].iter().map(names).collect()
}

/// Proves: with the money at the id's owner, a wager tried again in another region is decided there after one round
/// trip (two one-way delays, one question, one answer), and nothing is durable on the way but one group at either end:
/// the asker writes nothing before it asks, the owner one entry, the asker the rest in one group.
#[test]
fn a_retry_whose_money_is_at_the_owner_takes_one_round_trip_and_two_commits() {
    let mut c = house(2);
    let w = c.wager(1, P, "10");
    let (owner, asker) = (c.entries_of(1).len(), c.entries_of(2).len());
    let request = c.send(2, Request::Command(Command::Place(vec![w.clone()])), 10_000);
    assert_eq!(c.entries_of(2).len(), asker, "nothing is written to ask");
    assert_eq!(c.wave().len(), 1);
    assert_eq!(written(&c, 1, owner), [["fenced", "grant", "row"]], "one entry brings both");
    assert!(!c.replies.contains_key(&request));
    c.wave();
    assert_eq!(accepted(&one(c.replies.remove(&request).unwrap())), Some(true));
    assert!(c.entries_of(2).len() > asker);
    c.quiet();
    // And the words that it took.
    let v = c.wager(1, P, "60");
    let (answer, waves, words) = timed(&mut c, 2, &v);
    assert_eq!((accepted(&answer), waves, words), (Some(true), 2, vec!["fence?", "fetched"]));
    c.run_until_quiet();
    assert_eq!(c.account(1, P).reserved, 7_000);
    c.assert_conserved(P);
    c.assert_equal();
}

/// The control: with the money at a third region the fence brings no rights, and they cost a second round trip.
#[test]
fn money_elsewhere_is_asked_for_as_before() {
    let mut c = house(3);
    let w = c.wager(3, P, "10");
    let (answer, waves, words) = timed(&mut c, 2, &w);
    assert_eq!((accepted(&answer), waves), (Some(true), 4));
    assert_eq!(words, ["fence?", "fetched", "rights?", "granted"]);
    c.run_until_quiet();
    c.assert_conserved(P);
}

#[test]
fn what_comes_with_an_id_stays_where_the_wager_is() {
    let mut c = house(2);
    let mut w = c.wager(1, P, "10");
    w.legs[0].odds = model::Odds::parse("9").unwrap();
    w.policy = model::OddsPolicy::None;
    assert_eq!(accepted(&c.place(2, w)), Some(false), "the odds are others: rejected there");
    c.run_until_quiet();
    let here = |c: &mut Cluster| c.account(2, P).shares.iter().find(|s| s.site == Site::new(2, 1)).unwrap().free;
    assert_eq!(here(&mut c), 4_000, "four times what was missing, and not pushed home again");
    c.assert_conserved(P);
}

#[test]
fn a_question_that_is_repeated_brings_rights_once() {
    let mut c = house(2);
    let w = c.wager(1, P, "10");
    let want = Want::Place { body: Hash16([7; 16]), account: acc(P), need: Some(1_000), want: Some(4_000) };
    for n in [900, 900, 901] {
        c.peer(2, 1, &PeerMessage::FenceOrFetch(FenceOrFetch { n, id: w.id, want: want.clone() }));
    }
    c.run_until_quiet();
    let sent = c.engine(1).ledger().accounts[&acc(P)].rows[&Site::new(1, 1)].sent[&Site::new(2, 1)];
    assert_eq!(sent, 4_000);
    let by: Vec<Cause> = c.entries_of(1).iter().rev().take(1).map(|e| e.by).collect();
    assert_eq!(by, [Cause::Peer]);
    c.assert_conserved(P);
}

#[test]
fn unreplicated_credits_do_not_come_with_an_id() {
    let mut c = house(2);
    // Region 1 hears no acks: what is deposited now is its own knowledge alone (S3).
    c.run_until_quiet();
    c.hold.insert((2, 1, Lane::Log));
    let id = c.mint(1);
    c.deposit(1, id, P, "50");
    let w = c.wager(1, P, "120");
    let request = c.send(2, Request::Command(Command::Place(vec![w.clone()])), 10_000);
    c.quiet();
    let fenced = c.engine(1).ledger().handed.contains_key(&(w.id, Site::new(1, 1)));
    let row = c.engine(1).ledger().accounts[&acc(P)].rows[&Site::new(1, 1)].clone();
    assert!(fenced && row.sent.is_empty(), "the id has gone, no rights with it: {row:?}");
    c.release();
    c.pass(2_000);
    assert_eq!(accepted(&one(c.replies.remove(&request).unwrap())), Some(true), "they follow on request");
    c.assert_conserved(P);
}

#[test]
fn rights_that_a_wager_waits_for_at_the_owner_do_not_leave_it() {
    let mut c = house(3);
    // Region 2 owns the id and waits for rights itself; what it has is for its own wager.
    let first = c.wager(2, P, "20");
    assert_eq!(accepted(&c.place(2, first)), Some(true));
    let free = c.account(2, P).shares.iter().find(|s| s.site == Site::new(2, 1)).unwrap().free;
    assert!(free > 0);
    c.hold.insert((1, 2, Lane::Requests));
    let own = c.wager(2, P, "90");
    let waiting = c.send(2, Request::Command(Command::Place(vec![own])), 3_000);
    c.quiet();
    let w = c.wager(2, P, "5");
    let request = c.send(3, Request::Command(Command::Place(vec![w])), 10_000);
    c.quiet();
    let sent = c.engine(2).ledger().accounts[&acc(P)].rows[&Site::new(2, 1)].sent.get(&Site::new(3, 1)).copied();
    assert_eq!(sent, None, "held for the wager that waits");
    c.release();
    c.pass(4_000);
    assert!(c.replies.contains_key(&waiting) && c.replies.contains_key(&request));
    c.assert_conserved(P);
}
