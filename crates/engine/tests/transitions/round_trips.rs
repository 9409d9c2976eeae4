//! What an answer costs, in virtual time: a wager at home one commit and no message; a borrow, and a retry in another
//! region, one round trip and two commits. Every frame takes the same time one way, every commit the same time.

use std::collections::BTreeMap;

use engine::door::{Input, Request};
use engine::log::Event;
use model::{Answer, Command, WagerAnswer, WagerRequest};

use crate::cluster::{Cluster, Frame, accepted, one};

/// One way between any two regions.
const ONE_WAY_MS: u64 = 40;
/// What a commit takes.
const COMMIT_MS: u64 = 3;
const P: &str = "p@eu-west";
const Q: &str = "q@us-east";

/// How an answer was come by.
struct Journey {
    answer: WagerAnswer,
    took_ms: u64,
    /// Commits by region until the answer left.
    commits: BTreeMap<u16, u64>,
    /// Frames that had arrived anywhere by then.
    frames: usize,
}

/// Frames and commits that take their time.
#[derive(Default)]
struct Clockwork {
    flying: BTreeMap<(u64, usize), Frame>,
    busy_until_ms: BTreeMap<u16, u64>,
    sent: usize,
}

impl Clockwork {
    /// Runs a group that begins now. Returns when its effects leave.
    fn step(&mut self, c: &mut Cluster, n: u16, inputs: Vec<Input>) -> u64 {
        let before = c.commits.get(&n).copied().unwrap_or(0);
        c.group(n, inputs);
        let wrote = c.commits.get(&n).copied().unwrap_or(0) - before;
        let left_ms = c.elapsed_ms + wrote * COMMIT_MS;
        self.busy_until_ms.insert(n, left_ms);
        for frame in c.take_sent() {
            self.sent += 1;
            self.flying.insert((left_ms + ONE_WAY_MS, self.sent), frame);
        }
        left_ms
    }

    /// All frames that the region of the earliest one drains in one go, and when it does.
    fn next_group(&mut self) -> (u16, u64, Vec<Input>) {
        let (at_ms, to) = self.flying.first_key_value().map(|((at, _), frame)| (*at, frame.1)).expect("on its way");
        let begins_ms = at_ms.max(self.busy_until_ms.get(&to).copied().unwrap_or(0));
        let ripe: Vec<_> =
            self.flying.iter().filter(|((at, _), f)| *at <= begins_ms && f.1 == to).map(|(k, _)| *k).collect();
        let frames = ripe.iter().filter_map(|key| self.flying.remove(key));
        (to, begins_ms, frames.map(|(region, _, lane, frame)| Input::Peer { region, lane, frame }).collect())
    }
}

/// Places a wager at a region and follows it to its answer.
fn place(c: &mut Cluster, n: u16, wager: &WagerRequest) -> Journey {
    let (mut clockwork, mut frames) = (Clockwork::default(), 0);
    let (began_ms, commits) = (c.elapsed_ms, c.commits.clone());
    let (id, input) = c.input(Request::Command(Command::Place(vec![wager.clone()])), None, 2_000);
    let mut left_ms = clockwork.step(c, n, vec![input]);
    while !c.replies.contains_key(&id) {
        let (to, begins_ms, inputs) = clockwork.next_group();
        frames += inputs.len();
        c.elapsed_ms = begins_ms;
        left_ms = clockwork.step(c, to, inputs);
    }
    let made = c.commits.iter().map(|(r, now)| (*r, now - commits.get(r).copied().unwrap_or(0))).collect();
    let Some(answer @ Answer::Placed(_)) = c.replies.remove(&id) else { panic!("a wager's answer") };
    Journey { answer: one(answer), took_ms: left_ms - began_ms, commits: made, frames }
}

/// Three regions, money at homes 1 and 2, a market on sale; every region has asked for rights before.
fn house() -> Cluster {
    let mut c = Cluster::new(3);
    c.funded(P, "100");
    c.funded(Q, "100");
    c.funded("first@eu-west", "10");
    c.on_sale(1);
    let w = c.wager(2, "first@eu-west", "1");
    assert_eq!(accepted(&c.place(2, w)), Some(true));
    c.run_until_quiet();
    c
}

#[test]
fn a_bet_at_home_costs_one_commit_and_no_message() {
    let mut c = house();
    let w = c.wager(1, P, "10");
    let home = place(&mut c, 1, &w);
    assert_eq!(accepted(&home.answer), Some(true));
    assert_eq!((home.took_ms, home.frames), (COMMIT_MS, 0));
    assert_eq!(home.commits.get(&1), Some(&1));
    c.run_until_quiet();
    // Nor does it send one when there is nobody to send it to.
    c.part(1, 2);
    c.part(1, 3);
    let sent = c.sent;
    let w = c.wager(1, P, "10");
    let alone = place(&mut c, 1, &w);
    assert_eq!((accepted(&alone.answer), alone.took_ms, c.sent - sent), (Some(true), COMMIT_MS, 0));
}

#[test]
fn a_borrow_costs_one_round_trip_and_two_commits() {
    let mut c = house();
    let w = c.wager(2, P, "10");
    let borrowed = place(&mut c, 2, &w);
    assert_eq!(accepted(&borrowed.answer), Some(true));
    assert_eq!(borrowed.took_ms, 2 * ONE_WAY_MS + 2 * COMMIT_MS);
    assert_eq!((borrowed.commits[&1], borrowed.commits[&2]), (1, 1), "the grant; the grant's entry and the wager");
    c.run_until_quiet();
    c.assert_conserved(P);
}

#[test]
fn a_retry_in_another_region_costs_one_round_trip_and_two_commits() {
    let mut c = house();
    let w = c.wager(1, Q, "10");
    let handed = place(&mut c, 2, &w);
    assert_eq!(accepted(&handed.answer), Some(true));
    assert_eq!(handed.took_ms, 2 * ONE_WAY_MS + 2 * COMMIT_MS);
    assert_eq!((handed.commits[&1], handed.commits[&2]), (1, 1), "the fence; the fence's entry and the wager");
    c.run_until_quiet();
    // One that was decided at its origin is answered from the log; nobody writes anything.
    let w = c.wager(1, P, "10");
    assert_eq!(accepted(&c.place(1, w.clone())), Some(true));
    c.run_until_quiet();
    let again = place(&mut c, 2, &w);
    assert!(matches!(again.answer, WagerAnswer::Decided { replayed: true, .. }));
    assert!(again.took_ms <= 2 * ONE_WAY_MS, "{} ms", again.took_ms);
    c.assert_conserved(Q);
}

#[test]
fn a_borrow_round_a_cut_link_costs_six_legs_and_three_commits() {
    let mut c = house();
    c.part(1, 2);
    c.run_until_quiet();
    let w = c.wager(2, P, "10");
    let borrowed = place(&mut c, 2, &w);
    assert_eq!(accepted(&borrowed.answer), Some(true));
    // Ask and answer take two legs each; then the giver's log is pulled from the middle, which holds it durably.
    assert_eq!(borrowed.took_ms, 6 * ONE_WAY_MS + 3 * COMMIT_MS);
    assert_eq!((borrowed.commits[&1], borrowed.commits[&3], borrowed.commits[&2]), (1, 1, 1));
    c.assert_conserved(P);
}

#[test]
fn a_restarted_region_never_uses_a_requests_number_again() {
    let mut c = house();
    let players = ["a@eu-west", "b@eu-west", "c@eu-west"];
    players.iter().for_each(|player| c.funded(player, "100"));
    for player in players {
        c.crash(2);
        c.run_until_quiet();
        let w = c.wager(2, player, "10");
        assert_eq!(accepted(&c.place(2, w)), Some(true));
    }
    let grants = c.entries_of(1).into_iter().flat_map(|e| e.events);
    let used: Vec<u64> = grants.filter_map(|e| if let Event::Grant(g) = e { Some(g.request) } else { None }).collect();
    assert_eq!(used.len(), 4, "one in every life: {used:?}");
    assert!(used.is_sorted_by(|a, b| a < b), "{used:?}");
}
