//! Suspensions, freshness, relays, the replay clock and the exchange stream.

use crdt::{Dot, Site, Vector};
use engine::door::{Lane, Request};
use engine::odds::{RegisterKey, RegisterValue};
use engine::wire::{AliveAge, OddsFrame, PeerMessage, Upto};
use model::{
    Answer, Command, MarketDraft, MarketStatus, OddsChange, OddsWrite, OutcomeDef, Price, ProducerId, Query, Refusal,
    RejectCode, StatusAct, Text,
};

use crate::cluster::{Cluster, WALL_MS, accepted, definition, market, odds_bytes, outcome, reason, register, word};

const P: &str = "p@eu-west";

#[test]
fn a_suspension_beats_a_concurrent_resume() {
    let mut c = Cluster::new(3);
    c.on_sale(1);
    c.status(1, StatusAct::Suspend);
    c.run_until_quiet();
    c.part(1, 2);
    c.part(2, 3);
    c.status(2, StatusAct::Suspend);
    c.status(1, StatusAct::Resume);
    c.run_until_quiet();
    assert_eq!(c.refusal(1), None, "all that region 1 has seen is lifted");
    c.heal(1, 2);
    c.heal(2, 3);
    c.run_until_quiet();
    for n in 1..=3 {
        assert_eq!(c.refusal(n), Some(RejectCode::MarketSuspended), "region {n}");
    }
    c.assert_equal();
    c.status(3, StatusAct::Resume);
    c.run_until_quiet();
    assert_eq!((c.refusal(1), c.refusal(2), c.refusal(3)), (None, None, None));
}

#[test]
fn a_suspension_survives_a_crash_of_either_side_at_once() {
    let mut c = Cluster::new(2);
    c.on_sale(1);
    c.hold.insert((1, 2, Lane::Odds));
    c.status(1, StatusAct::Suspend);
    c.crash(1);
    c.crash(2);
    c.release();
    c.run_until_quiet();
    assert_eq!((c.refusal(1), c.refusal(2)), (Some(RejectCode::MarketSuspended), Some(RejectCode::MarketSuspended)));
    c.assert_equal();
}

#[test]
fn a_region_cut_off_stops_selling_others_odds_at_the_limit_and_never_its_own() {
    let mut c = Cluster::new(2);
    c.funded(P, "10");
    c.on_sale(2);
    c.part(1, 2);
    c.pass(19_000);
    assert_eq!(c.refusal(1), None);
    c.pass(2_000);
    assert_eq!(c.refusal(1), Some(RejectCode::OddsStale));
    assert_eq!(c.refusal(2), None, "a desk is alive while its region is");
    let w = c.wager(1, P, "1");
    assert_eq!(reason(&c.place(1, w)), Some(RejectCode::OddsStale));
    c.heal(1, 2);
    c.run_until_quiet();
    assert_eq!(c.refusal(1), None);
}

#[test]
fn odds_and_liveness_come_through_a_third_region_when_a_link_is_broken() {
    let mut c = Cluster::new(3);
    c.on_sale(1);
    c.part(1, 2);
    c.price(1, "home", "3");
    c.pass(30_000);
    assert_eq!(c.refusal(2), None, "ages add up over the relay and stay small");
    c.status(1, StatusAct::Suspend);
    c.run_until_quiet();
    assert_eq!(c.refusal(2), Some(RejectCode::MarketSuspended));
    c.assert_equal();
    c.heal(1, 2);
    c.part(1, 3);
    c.status(1, StatusAct::Resume);
    c.run_until_quiet();
    assert_eq!(c.refusal(3), None);
    c.assert_equal();
}

#[test]
fn only_an_upto_moves_a_vector() {
    let mut c = Cluster::new(2);
    c.on_sale(1);
    let before = c.engine(2).plane().vector().clone();
    let site = Site::new(1, 1);
    let value = RegisterValue::Status(register(
        "desk:eu-west",
        word(MarketStatus::Suspended, u64::MAX / 2, Dot { site, n: before.get(site) + 3 }),
    ));
    let frame = OddsFrame {
        session: 99,
        number: 1,
        values: vec![odds_bytes(&RegisterKey::Status(market()), &value)],
        upto: None,
    };
    c.peer(1, 2, &PeerMessage::Odds(frame));
    assert_eq!(c.engine(2).plane().vector(), &before);
    assert_eq!(c.refusal(2), Some(RejectCode::MarketSuspended), "it counts before it is covered");
}

#[test]
fn a_lost_odds_frame_is_noticed_and_made_good() {
    let mut c = Cluster::new(2);
    c.on_sale(1);
    c.cut.insert((1, 2));
    c.price(1, "home", "5");
    c.price(1, "away", "6");
    c.quiet();
    c.cut.clear();
    c.price(1, "home", "7");
    c.run_until_quiet();
    c.assert_equal();
}

#[test]
fn evidence_of_life_is_not_dated_after_its_arrival() {
    let mut c = Cluster::new(2);
    c.on_sale(2);
    let vector = c.engine(1).plane().vector().clone();
    let alive = AliveAge { producer: ProducerId::new("desk:us-east").unwrap(), reader: Site::new(2, 1), age_ms: 0 };
    // An echo of a stamp that this process has never sent, such as one of the process before it.
    let echo_ms = Some(c.steady_ms(1) + 3_600_000);
    let upto = Some(Upto { vector, echo_ms, alive: vec![alive] });
    c.peer(2, 1, &PeerMessage::Odds(OddsFrame { session: 77, number: 1, values: vec![], upto }));
    c.part(1, 2);
    c.pass(30_000);
    assert!(c.refusal(1).is_some(), "nothing was heard for longer than the limit");
}

#[test]
fn a_region_that_no_longer_reads_a_feed_does_not_declare_it_silent() {
    let mut c = Cluster::new(2);
    let heartbeat = |pt: u64| format!(r#"{{"op":"mcm","pt":{pt},"ct":"HEARTBEAT"}}"#);
    let now = |c: &Cluster| WALL_MS + c.elapsed_ms;
    let answer = c.feed(1, &[image("1.9", now(&c), "OPEN", "ACTIVE")]);
    assert!(matches!(answer, Answer::Feed(ref r) if r.applied == 1), "{answer:?}");
    c.run_until_quiet();
    // From now on region 2 reads it.
    let mut down = 0;
    for _ in 0..30 {
        c.feed(2, &[heartbeat(now(&c))]);
        c.pass(1_000);
        let Answer::Producers(views) = c.query(2, Query::Producers) else { panic!() };
        down += usize::from(views.iter().any(|v| v.producer.as_str() == "betfair" && !v.up));
    }
    assert_eq!(down, 0, "it was alive all the time");
}

/// A market image of the exchange: status, and the status of its one runner, on sale at 2.5.
fn image(market: &str, pt: u64, status: &str, runner: &str) -> String {
    let runner = format!(r#"{{"id":1,"status":"{runner}","sortPriority":1}}"#);
    let definition = format!(
        r#"{{"status":"{status}","version":1,"inPlay":false,"betDelay":0,"numberOfActiveRunners":1,"bspReconciled":false,"runners":[{runner}]}}"#
    );
    format!(
        r#"{{"op":"mcm","pt":{pt},"mc":[{{"id":"{market}","img":true,"marketDefinition":{definition},"rc":[{{"id":1,"atb":[[2.5,10]]}}]}}]}}"#
    )
}

#[test]
fn the_same_feed_read_in_two_regions_settles_once_and_ends_equal() {
    let mut c = Cluster::new(2);
    c.funded(P, "10");
    let t = WALL_MS + c.elapsed_ms;
    for n in [1, 2] {
        c.feed(n, &[image("1.9", t, "OPEN", "ACTIVE")]);
    }
    c.run_until_quiet();
    let mut ids = Vec::new();
    for n in [1, 2] {
        let mut w = c.wager(n, P, "1");
        w.legs[0].market = model::MarketKey::new("betfair:1.9").unwrap();
        w.legs[0].outcome = outcome("1");
        ids.push(w.id);
        let answer = c.place(n, w);
        assert_eq!(accepted(&answer), Some(true), "{answer:?}");
    }
    let closed = WALL_MS + c.elapsed_ms + 500;
    for n in [2, 1] {
        c.feed(n, &[image("1.9", closed, "CLOSED", "WINNER")]);
    }
    c.run_until_quiet();
    for id in ids {
        assert_eq!((c.known(1, id).paid.minor(), c.known(2, id).settled_version), (250, 1));
    }
    assert_eq!(c.account(1, P).balance, 800 + 500);
    c.assert_conserved(P);
    c.assert_equal();
}

#[test]
fn a_message_of_which_one_market_is_refused_changes_nothing() {
    let mut c = Cluster::new(1);
    let t = WALL_MS + c.elapsed_ms;
    c.feed(1, &[image("1.9", t, "OPEN", "ACTIVE")]);
    let before = c.engine(1).plane().clone();
    let line = format!(
        r#"{{"op":"mcm","pt":{},"mc":[{{"id":"1.9","rc":[{{"id":1,"atb":[[9.5,10]]}}]}},{{"id":"1.8","rc":[{{"id":1,"atb":[[2.5,1]]}}]}}]}}"#,
        t + 1
    );
    let old = image("1.9", t - 5, "SUSPENDED", "ACTIVE");
    let Answer::Feed(report) = c.feed(1, &[line, old]) else { panic!() };
    assert_eq!(report.applied, 0);
    assert_eq!(report.refused.iter().map(|r| r.line).collect::<Vec<_>>(), [1, 2]);
    assert!(c.engine(1).plane() == &before, "not a register moved");
}

#[test]
fn a_desk_is_alive_only_by_its_own_region() {
    let mut c = Cluster::new(2);
    c.on_sale(2);
    c.part(1, 2);
    c.pass(30_000);
    let producer = ProducerId::new("desk:us-east").unwrap();
    c.ask(1, Command::Alive { producer, source_time_ms: None });
    assert!(c.refusal(1).is_some(), "another region's desk is not alive because somebody here says so");
}

#[test]
fn a_write_of_active_never_carries_a_pin_into_a_feeds_slot() {
    let mut c = Cluster::new(1);
    c.on_sale(1);
    let desk = ProducerId::desk("eu-west").unwrap();
    let write = |producer: Option<&ProducerId>, change| OddsWrite {
        market: market(),
        outcome: outcome("home"),
        change,
        producer: producer.cloned(),
        source_time_ms: None,
        source_seq: 9,
    };
    c.pass(10);
    c.ask(1, Command::WriteOdds(vec![write(Some(&desk), OddsChange::Active(true))]));
    let slot = c.engine(1).plane().markets()[&market()].prices[&outcome("home")].feeds[&desk].value;
    assert_eq!(slot, Price { active: true, odds: None }, "the pin's odds are the operator's, not the feed's");
}

#[test]
fn a_register_too_large_for_a_frame_is_refused_where_it_enters() {
    let mut c = Cluster::new(2);
    c.on_sale(1);
    let mut draft = MarketDraft {
        market: model::MarketKey::new("big").unwrap(),
        definition: definition(&[]),
        status: MarketStatus::Active,
    };
    draft.definition.outcomes = (0..1_000)
        .map(|n| OutcomeDef { key: outcome(&format!("{n:0200}")), name: Text::new(&"x".repeat(1_024)) })
        .collect();
    c.ask(1, Command::PutMarket(Box::new(draft)));
    c.run_until_quiet();
    c.price(1, "home", "9");
    c.run_until_quiet();
    c.assert_equal();
}

#[test]
fn the_replay_clock_travels_with_the_odds_and_does_not_go_back() {
    let mut c = Cluster::replaying(2);
    let set = |c: &mut Cluster, n, now_ms| c.ask(n, Command::SetClock { now_ms });
    assert!(matches!(set(&mut c, 1, 5_000_000), Answer::Clock(v) if v.now_ms == 5_000_000));
    let token = c.engine(1).token();
    let (id, input) = c.input(Request::Query(Query::Clock), Some(token), 2_000);
    c.group(2, vec![input]);
    c.run_until_quiet();
    assert!(matches!(c.replies.remove(&id), Some(Answer::Clock(v)) if v.now_ms == 5_000_000));
    assert_eq!(set(&mut c, 2, 4_999_999), Answer::Refused(Refusal::ClockBack { now_ms: 5_000_000 }));
}

#[test]
fn with_the_replay_clock_an_uncovered_sign_of_life_does_not_hide_a_covered_one() {
    let mut c = Cluster::replaying(2);
    c.feed(1, &[image("1.9", WALL_MS, "OPEN", "ACTIVE")]);
    c.run_until_quiet();
    let up = |c: &mut Cluster| match c.query(2, Query::Producers) {
        Answer::Producers(views) => views.iter().any(|v| v.producer.as_str() == "betfair" && v.up),
        other => panic!("{other:?}"),
    };
    assert!(up(&mut c));
    // The next message's urgent part is here, the `upto` that covers it is not.
    let site = Site::new(1, 1);
    let dot = Dot { site, n: c.engine(2).plane().vector().get(site) + 2 };
    let producer = ProducerId::new("betfair").unwrap();
    let value = RegisterValue::Producer(register("betfair", word(model::ProducerState::Up, WALL_MS + 100, dot)));
    let values = vec![odds_bytes(&RegisterKey::Producer(producer), &value)];
    c.peer(1, 2, &PeerMessage::Odds(OddsFrame { session: 3, number: 1, values, upto: None }));
    assert!(up(&mut c), "100 ms ago it was alive, and that is covered");
}

#[test]
fn no_replay_time_is_too_large_to_answer() {
    let mut c = Cluster::replaying(1);
    c.ask(1, Command::SetClock { now_ms: u64::MAX });
    c.query(1, Query::Clock);
}

#[test]
fn a_wager_waits_for_its_token_and_is_refused_when_that_does_not_come() {
    let mut c = Cluster::new(2);
    c.funded(P, "10");
    c.on_sale(1);
    let ahead = model::Token { log: Vector::default(), odds: [(Site::new(2, 1), 1_000)].into_iter().collect() };
    let w = c.wager(1, P, "1");
    let (id, input) = c.input(Request::Command(Command::Place(vec![w.clone()])), Some(ahead), 500);
    c.group(1, vec![input]);
    c.pass(1_000);
    assert_eq!(c.replies.remove(&id), Some(Answer::Refused(Refusal::TokenAhead)));
    assert_eq!(accepted(&c.place(1, w)), Some(true), "nothing was recorded");
}
