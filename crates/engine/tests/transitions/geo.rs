//! Level `geo`: a prepared wager counts once enough other regions hold it, is pending until then, and never goes back;
//! and a withdrawal that was held stays held.

use crdt::{Site, Vector};
use engine::door::{Input, Lane, Request};
use engine::ledger::Exposure;
use engine::log::Event;
use engine::wire::{Hello, PROTOCOL, PeerMessage};
use model::{
    Answer, Command, Durability, MintedId, OutcomeResult, Query, Refusal, StatusAct, Text, WagerAnswer, WagerRequest,
    WagerView, WithdrawalState,
};

use crate::cluster::{Cluster, acc, accepted, dec, gbp, one};

const P: &str = "p@eu-west";
const ONE: Site = Site::new(1, 1);

/// P has 100.00 at region 1, and a market is on sale everywhere.
fn house(size: u16, ack_quorum: usize) -> Cluster {
    let mut c = Cluster::with_quorum(size, ack_quorum);
    c.funded(P, "100");
    c.on_sale(1);
    c
}

fn geo(c: &mut Cluster, n: u16, stake: &str) -> WagerRequest {
    WagerRequest { durability: Durability::Geo, ..c.wager(n, P, stake) }
}

/// Whether an answer says pending; a final one must be an acceptance.
fn pending(answer: &WagerAnswer) -> bool {
    match answer {
        WagerAnswer::AwaitingAck { record, .. } => {
            assert!(record.is_accepted() && record.is_prepared());
            true
        }
        WagerAnswer::Decided { record, .. } => {
            assert!(record.is_accepted());
            false
        }
        WagerAnswer::Refused(refusal) => panic!("{refusal:?}"),
        WagerAnswer::Ticket(ticket) => panic!("{ticket:?}"),
        WagerAnswer::Delayed(delay) => panic!("{delay:?}"),
    }
}

fn is_replay(answer: &WagerAnswer) -> bool {
    matches!(answer, WagerAnswer::Decided { replayed: true, .. } | WagerAnswer::AwaitingAck { replayed: true, .. })
}

/// Whether a read at region `n` says pending.
fn reads_pending(c: &mut Cluster, n: u16, id: MintedId) -> bool {
    match c.query(n, Query::Wager(id)) {
        Answer::Wager { view: WagerView::AwaitingAck(_), .. } => true,
        Answer::Wager { view: WagerView::Known(record), .. } if record.is_accepted() => false,
        other => panic!("{other:?}"),
    }
}

fn withhold_acks(c: &mut Cluster, to: u16) {
    (1..=3).filter(|n| *n != to).for_each(|n| {
        c.hold.insert((n, to, Lane::Log));
    });
}

/// Region 2 comes back and says that it holds nothing any more of region 1's log.
fn region_2_has_lost_its_disk(c: &mut Cluster) {
    c.group(1, vec![Input::PeerDown { region: 2 }, Input::PeerUp { region: 2 }]);
    let hello = Hello {
        cluster: Text::new("test"),
        site: Site::new(2, 1),
        boot_nonce: 77,
        protocol: PROTOCOL,
        regions: c.topology(),
        logs: vec![],
        odds: Vector::default(),
        stamp_ms: 0,
        heard: true,
        windows: c.windows.clone(),
        quarantined: false,
    };
    c.peer(2, 1, &PeerMessage::Hello(hello));
    assert_eq!(c.engine(1).ledger().ack_floor, 0, "the floor falls");
}

#[test]
fn a_geo_wager_is_answered_by_its_call_once_another_region_holds_it() {
    let mut c = house(2, 1);
    withhold_acks(&mut c, 1);
    let w = geo(&mut c, 1, "10");
    let id = c.send(1, Request::Command(Command::Place(vec![w.clone()])), 2_000);
    c.quiet();
    assert!(!c.replies.contains_key(&id), "region 2 holds it and has not said so");
    c.release();
    let answer = one(c.replies.remove(&id).expect("answered while the clock stands"));
    assert!(!pending(&answer) && !is_replay(&answer));
    let again = c.place(1, WagerRequest { durability: Durability::Local, ..w.clone() });
    assert!(!pending(&again) && is_replay(&again), "the level is no part of the body");
    c.run_until_quiet();
    assert!(!reads_pending(&mut c, 1, w.id) && !reads_pending(&mut c, 2, w.id));
    assert!(c.engine(1).ledger().prepared.is_empty());
    c.assert_conserved(P);
    c.assert_equal();
}

#[test]
fn a_geo_wager_is_pending_while_no_other_region_holds_it_and_after_restarts_too() {
    let mut c = house(2, 1);
    c.part(1, 2);
    let w = geo(&mut c, 1, "10");
    let first = c.place(1, w.clone());
    assert!(pending(&first) && !is_replay(&first), "without waiting: no ack can come");
    assert_eq!((c.account(1, P).reserved, c.account(1, P).balance), (1_000, 9_000));
    for _ in 0..2 {
        let again = c.place(1, w.clone());
        assert!(pending(&again) && is_replay(&again));
        assert!(reads_pending(&mut c, 1, w.id));
        c.crash(1);
        assert_eq!(c.engine(1).ledger().prepared.len(), 1, "found again in the log");
    }
    let other = WagerRequest { unit_stake: dec("11"), ..w.clone() };
    assert_eq!(c.place(1, other), WagerAnswer::Refused(Refusal::IdReused));
    c.heal(1, 2);
    c.run_until_quiet();
    assert!(!reads_pending(&mut c, 1, w.id) && !reads_pending(&mut c, 2, w.id));
    c.part(1, 2);
    c.crash(1);
    c.crash(2);
    for n in [1, 2] {
        let again = c.place(n, w.clone());
        assert!(!pending(&again) && is_replay(&again), "region {n}");
    }
    c.assert_conserved(P);
}

#[test]
fn the_call_s_deadline_answers_pending_and_a_repeat_may_wait_as_well() {
    let mut c = house(2, 1);
    withhold_acks(&mut c, 1);
    let w = geo(&mut c, 1, "10");
    let first = c.send(1, Request::Command(Command::Place(vec![w.clone()])), 300);
    let second = c.send(1, Request::Command(Command::Place(vec![w.clone()])), 30_000);
    c.pass(300);
    assert!(pending(&one(c.replies.remove(&first).expect("its time is over"))));
    assert!(!c.replies.contains_key(&second));
    let zero = c.send(1, Request::Command(Command::Place(vec![w])), 0);
    assert!(pending(&one(c.replies.remove(&zero).expect("answered at once"))));
    c.release();
    let answer = one(c.replies.remove(&second).expect("answered"));
    assert!(!pending(&answer) && is_replay(&answer));
}

#[test]
fn a_stake_above_a_window_is_always_geo_and_leaves_the_windows_alone() {
    for (per_account, per_region) in [(Some(3_000), None), (None, Some(3_000))] {
        let mut c = Cluster::new(2);
        c.windows = vec![Exposure { currency: gbp(), per_account, per_region }];
        (1..=2).for_each(|n| c.crash(n));
        c.funded(P, "100");
        c.on_sale(1);
        let w = c.wager(1, P, "40");
        assert!(!pending(&c.place(1, w)), "a healthy cluster shows no window");
        c.part(1, 2);
        let w = c.wager(1, P, "30.01");
        assert!(pending(&c.place(1, w)));
        assert_eq!(c.account(1, P).spendable_here, 2_999, "of 100.00: what is free, not what is left of a window");
        let w = c.wager(1, P, "20");
        assert_eq!(accepted(&c.place(1, w)), Some(true), "within the window, as if nothing were prepared");
        let w = c.wager(1, P, "9.98");
        assert_eq!(accepted(&c.place(1, w)), Some(true));
        let within = geo(&mut c, 1, "0.01");
        assert!(pending(&c.place(1, within)));
        c.crash(1);
        assert_eq!(c.account(1, P).spendable_here, 0);
        c.heal(1, 2);
        c.run_until_quiet();
        c.assert_conserved(P);
        c.assert_equal();
    }
}

#[test]
fn a_local_wager_within_the_window_is_still_refused_for_it() {
    let mut c = Cluster::new(2);
    c.windows = vec![Exposure { currency: gbp(), per_account: Some(3_000), per_region: None }];
    (1..=2).for_each(|n| c.crash(n));
    c.funded(P, "100");
    c.on_sale(1);
    c.part(1, 2);
    let w = c.wager(1, P, "20");
    assert_eq!(accepted(&c.place(1, w)), Some(true));
    let w = c.wager(1, P, "20");
    assert!(matches!(c.place(1, w.clone()), WagerAnswer::Refused(Refusal::ReplicationWindow { .. })));
    assert!(pending(&c.place(1, WagerRequest { durability: Durability::Geo, ..w })), "the same id, at level geo");
}

#[test]
fn a_geo_wager_takes_no_unreplicated_credit() {
    let mut c = house(2, 1);
    c.part(1, 2);
    let id = c.mint(1);
    c.deposit(1, id, P, "50");
    let w = geo(&mut c, 1, "100.01");
    let refused = c.place(1, w.clone());
    assert!(matches!(refused, WagerAnswer::Refused(Refusal::ReplicationWindow { spendable_here: 10_000, .. })));
    let less = geo(&mut c, 1, "100");
    assert!(pending(&c.place(1, less)));
    let id = c.mint(1);
    c.deposit(1, id, P, "60");
    c.heal(1, 2);
    assert!(!pending(&c.place(1, w)), "nothing was recorded");
    c.run_until_quiet();
    c.assert_conserved(P);
}

#[test]
fn no_other_region_says_accepted_before_the_owner_s_log_does() {
    let mut c = house(3, 2);
    c.part(1, 3);
    c.part(2, 3);
    let w = geo(&mut c, 1, "10");
    assert!(pending(&c.place(1, w.clone())));
    c.run_until_quiet();
    assert!(reads_pending(&mut c, 2, w.id), "it holds the entry, and two others must");
    assert!(reads_pending(&mut c, 1, w.id));
    let again = c.send(2, Request::Command(Command::Place(vec![w.clone()])), 300);
    c.pass(300);
    assert!(pending(&one(c.replies.remove(&again).expect("its time is over"))), "and so it answers a repeat");
    // Region 3 hears it from region 2, and region 1 of that.
    c.heal(2, 3);
    c.run_until_quiet();
    for n in [1, 2, 3] {
        assert!(!reads_pending(&mut c, n, w.id), "region {n}");
        c.crash(n);
        assert!(!reads_pending(&mut c, n, w.id), "region {n} after a restart");
        let again = c.place(n, w.clone());
        assert!(!pending(&again) && is_replay(&again));
    }
}

#[test]
fn a_repeat_elsewhere_waits_for_the_owner_s_word() {
    let mut c = house(2, 1);
    // Acks of region 2 and the words of region 1 that follow its wager travel slowly.
    withhold_acks(&mut c, 1);
    let w = geo(&mut c, 1, "10");
    let first = c.send(1, Request::Command(Command::Place(vec![w.clone()])), 0);
    c.quiet();
    assert!(pending(&one(c.replies.remove(&first).unwrap())));
    let elsewhere = c.send(2, Request::Command(Command::Place(vec![w])), 5_000);
    c.quiet();
    assert!(!c.replies.contains_key(&elsewhere));
    c.release();
    let answer = one(c.replies.remove(&elsewhere).expect("answered while the clock stands"));
    assert!(!pending(&answer) && is_replay(&answer));
}

#[test]
fn the_token_of_an_acceptance_covers_what_says_so() {
    let mut c = house(2, 1);
    let w = geo(&mut c, 1, "10");
    withhold_acks(&mut c, 1);
    let id = c.send(1, Request::Command(Command::Place(vec![w.clone()])), 2_000);
    c.quiet();
    c.hold.extend([(1, 2, Lane::Log), (1, 2, Lane::Bulk)]);
    c.hold.remove(&(2, 1, Lane::Log));
    c.pass(200);
    assert!(!pending(&one(c.replies.remove(&id).expect("answered"))));
    assert!(reads_pending(&mut c, 2, w.id), "the owner's word has not come");
    let token = c.engine(1).token();
    let (read, input) = c.input(Request::Query(Query::Wager(w.id)), Some(token), 5_000);
    c.group(2, vec![input]);
    assert!(!c.replies.contains_key(&read), "it waits for it");
    c.release();
    c.pass(100);
    let answer = c.replies.remove(&read).expect("answered");
    assert!(matches!(answer, Answer::Wager { view: WagerView::Known(_), .. }), "{answer:?}");
}

#[test]
fn an_acceptance_once_heard_outlives_the_acks_it_rested_on() {
    let mut c = house(2, 1);
    let w = geo(&mut c, 1, "10");
    assert!(!pending(&c.place(1, w.clone())));
    c.part(1, 2);
    region_2_has_lost_its_disk(&mut c);
    let again = c.place(1, w.clone());
    assert!(!pending(&again) && is_replay(&again));
    // After a restart with nothing but what was durable.
    let store = c.store_of(1);
    c.start(1, store);
    assert_eq!(c.engine(1).ledger().ack_floor, 0);
    assert!(!reads_pending(&mut c, 1, w.id));
    let next = geo(&mut c, 1, "10");
    let refused = c.place(1, next);
    assert!(matches!(refused, WagerAnswer::Refused(Refusal::ReplicationWindow { .. })), "today's acks: {refused:?}");
}

#[test]
fn a_withdrawal_once_held_stays_held_when_the_floor_falls() {
    let mut c = house(2, 1);
    let id = c.mint(1);
    c.ask(1, Command::Withdraw { id, account: acc(P), amount: dec("4") });
    c.run_until_quiet();
    let held = |answer: Answer| match answer {
        Answer::Withdrawal { held, .. } => held,
        other => panic!("{other:?}"),
    };
    assert!(held(c.query(1, Query::Withdrawal(acc(P), id))));
    c.part(1, 2);
    region_2_has_lost_its_disk(&mut c);
    assert!(held(c.query(1, Query::Withdrawal(acc(P), id))));
    let store = c.store_of(1);
    c.start(1, store);
    assert!(held(c.query(1, Query::Withdrawal(acc(P), id))));
    let late = c.mint(1);
    c.ask(1, Command::Withdraw { id: late, account: acc(P), amount: dec("4") });
    assert!(!held(c.query(1, Query::Withdrawal(acc(P), late))));
    let ended = c.ask(1, Command::ResolveWithdrawal { id, account: acc(P), confirm: true });
    let Answer::Withdrawal { posting, .. } = ended else { panic!("{ended:?}") };
    assert_eq!(posting.withdrawal().unwrap().state, WithdrawalState::Confirmed);
}

#[test]
fn a_geo_wager_short_of_rights_borrows_first() {
    let mut c = house(2, 1);
    let w = geo(&mut c, 2, "20");
    c.hold.insert((1, 2, Lane::Log));
    let id = c.send(2, Request::Command(Command::Place(vec![w.clone()])), 30_000);
    c.quiet();
    assert!(!c.replies.contains_key(&id) && c.engine(2).ledger().prepared.is_empty(), "the grant has not come");
    c.release();
    let answer = one(c.replies.remove(&id).expect("answered while the clock stands"));
    assert!(!pending(&answer) && c.engine(1).stats().grants > 0);
    c.run_until_quiet();
    assert_eq!(c.known(1, w.id).owner, Site::new(2, 1));
    c.assert_conserved(P);
    c.assert_equal();
}

#[test]
fn another_region_s_id_is_fenced_first_and_then_prepared() {
    let mut c = house(3, 1);
    let w = WagerRequest { id: c.mint(1), ..geo(&mut c, 2, "20") };
    assert!(!pending(&c.place(2, w.clone())));
    assert_eq!(c.known(2, w.id).owner, Site::new(2, 1), "its owner is whom its origin gave it to");
    c.run_until_quiet();
    for n in [1, 2, 3] {
        assert!(!reads_pending(&mut c, n, w.id), "region {n}");
    }
    c.assert_equal();
}

#[test]
fn a_market_that_is_suspended_or_decided_meanwhile_changes_nothing_for_a_prepared_wager() {
    let mut c = house(2, 1);
    c.part(1, 2);
    let w = geo(&mut c, 1, "60");
    assert!(pending(&c.place(1, w.clone())));
    c.status(1, StatusAct::Suspend);
    c.result(1, "home", OutcomeResult::Won);
    c.pass(1_000);
    let view = c.account(1, P);
    assert_eq!((view.balance, view.spendable_here), (16_000, 4_000), "what it pays is as unknown elsewhere as itself");
    assert!(reads_pending(&mut c, 1, w.id), "settled and still pending");
    c.crash(1);
    assert!(reads_pending(&mut c, 1, w.id));
    assert_eq!(c.account(1, P).spendable_here, 4_000);
    c.heal(1, 2);
    c.run_until_quiet();
    assert!(!reads_pending(&mut c, 1, w.id) && !reads_pending(&mut c, 2, w.id));
    assert_eq!(c.account(1, P).spendable_here, 16_000);
    c.assert_conserved(P);
    c.assert_equal();
}

#[test]
fn the_items_of_a_batch_are_answered_each_by_itself() {
    let mut c = house(2, 1);
    c.part(1, 2);
    let (local, prepared, dear) = (c.wager(1, P, "10"), geo(&mut c, 1, "10"), geo(&mut c, 1, "200"));
    let items = vec![local, prepared.clone(), dear, prepared];
    let Answer::Placed(answers) = c.ask(1, Command::Place(items)) else { panic!() };
    assert_eq!(accepted(&answers[0]), Some(true));
    assert!(pending(&answers[1]) && !is_replay(&answers[1]));
    assert_eq!(accepted(&answers[2]), Some(false), "a rejection needs no ack");
    assert!(pending(&answers[3]) && is_replay(&answers[3]));
    assert_eq!(c.account(1, P).reserved, 2_000);
}

#[test]
fn one_region_alone_accepts_at_once() {
    let mut c = house(1, 1);
    let w = geo(&mut c, 1, "10");
    let answer = c.place(1, w.clone());
    assert!(!pending(&answer) && !is_replay(&answer));
    assert!(!c.known(1, w.id).is_prepared());
    assert!(!c.entries_of(1).iter().any(|e| e.events.iter().any(|x| matches!(x, Event::Confirmed(_)))));
}

#[test]
fn a_prepared_wager_is_not_cancelled_and_its_abandon_says_pending() {
    let mut c = house(2, 1);
    c.part(1, 2);
    let w = geo(&mut c, 1, "10");
    c.place(1, w.clone());
    for reason in [None, Some(Text::new("a wrong price"))] {
        let answer = c.ask(1, Command::CloseWager { id: w.id, reason });
        assert!(matches!(answer, Answer::Wager { view: WagerView::AwaitingAck(_), .. }), "{answer:?}");
    }
    assert_eq!(c.account(1, P).reserved, 1_000);
}

#[test]
fn each_rise_of_the_floor_over_prepared_wagers_is_one_entry_and_no_other_is() {
    let mut c = house(2, 1);
    let said = |c: &Cluster| {
        let events = c.entries_of(1).into_iter().flat_map(|e| e.events.into_iter().map(move |x| (e.seq, x)));
        events.filter_map(|(seq, e)| if let Event::Confirmed(upto) = e { Some((seq, upto)) } else { None }).collect()
    };
    let none: Vec<(u64, u64)> = said(&c);
    assert!(none.is_empty());
    c.part(1, 2);
    let items = vec![geo(&mut c, 1, "1"), geo(&mut c, 1, "1")];
    c.ask(1, Command::Place(items));
    let w = geo(&mut c, 1, "1");
    c.place(1, w);
    c.heal(1, 2);
    c.run_until_quiet();
    let once = said(&c);
    assert_eq!(once.len(), 1, "{once:?}");
    assert!(once.iter().all(|(seq, upto)| upto < seq));
    c.crash(1);
    c.run_until_quiet();
    assert_eq!(said(&c), once);
}

#[test]
fn quarantine_answers_those_who_wait_with_what_is_recorded() {
    let mut c = house(2, 1);
    withhold_acks(&mut c, 1);
    let w = geo(&mut c, 1, "10");
    let id = c.send(1, Request::Command(Command::Place(vec![w.clone()])), 60_000);
    c.peer(2, 1, &PeerMessage::Twins { site: ONE });
    c.pass(100);
    assert!(pending(&one(c.replies.remove(&id).expect("it does not wait any longer"))), "it is recorded");
    c.release();
    c.pass(1_000);
    assert!(reads_pending(&mut c, 1, w.id), "in quarantine nothing is confirmed any more");
}

#[test]
fn entries_that_confirm_what_follows_them_are_refused() {
    let mut c = house(2, 1);
    let next = c.engine(1).ledger().head(Site::new(2, 1)).index + 1;
    c.inject(2, 1, vec![Event::Confirmed(next)]);
    assert!(c.engine(1).ledger().head(Site::new(2, 1)).stopped.is_some());
    assert_eq!(c.engine(1).ledger().confirmed.get(Site::new(2, 1)), 0);
}
