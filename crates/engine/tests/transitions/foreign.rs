//! Bytes of peers that a healthy peer would not send: each is refused by itself; no panic, nothing half applied.

use crdt::{Dot, Hlc, Row, Site, Vector};
use engine::log::{Event, Grant, Settled, SharedWager};
use engine::odds::{RegisterKey, RegisterValue};
use engine::port::AccountHead;
use engine::wire::{AliveAge, Entries, Have, OddsFrame, PeerMessage, Upto};
use minicbor::bytes::ByteVec;
use model::{
    Amount, Answer, Decision, Hash16, LegTaken, MarketStatus, MintedId, Odds, OddsPolicy, OutcomeResult, Posting,
    ProducerId, Query, Refusal, ResultRegister, ResultScope, StatusAct, WagerRecord, WagerState,
};

use crate::cluster::{Cluster, WALL_MS, acc, accepted, gbp, market, odds_bytes, outcome, register, word};

const P: &str = "p@eu-west";
const ME: Site = Site::new(1, 1);
const PEER: Site = Site::new(2, 1);

/// Region 1 under test, with money and a market; region 2 is the one that sends nonsense.
fn world() -> Cluster {
    let mut c = Cluster::new(3);
    c.funded(P, "100");
    c.on_sale(1);
    c
}

/// Region 1 works, and hears region 3.
fn assert_alive(c: &mut Cluster) {
    c.pass(1_000);
    c.status(1, StatusAct::Suspend);
    c.status(1, StatusAct::Resume);
    c.price(1, "home", "2");
    let w = c.wager(1, P, "1");
    assert_eq!(accepted(&c.place(1, w)), Some(true));
    let id = c.mint(3);
    c.deposit(3, id, P, "1");
    c.run_until_quiet();
    let index = |c: &Cluster, n| c.engine(n).ledger().head(Site::new(3, 1)).index;
    assert_eq!(index(c, 1), index(c, 3), "region 3's log still comes in");
}

fn stopped(c: &Cluster, site: Site) -> bool {
    c.engine(1).ledger().head(site).stopped.is_some()
}

fn record(c: &Cluster, n: u64) -> WagerRecord {
    let leg = LegTaken {
        market: market(),
        outcome: outcome("home"),
        odds: Odds::parse("2").unwrap(),
        version: Hlc(1),
        price_dot: None,
    };
    WagerRecord {
        id: MintedId::mint(WALL_MS + 60_000, 2, 1, n),
        account: acc(P),
        currency: gbp(),
        owner: PEER,
        entry: c.engine(1).ledger().head(PEER).index + 1,
        body: Hash16([1; 16]),
        stake: Amount::from_minor(100).unwrap(),
        legs: vec![leg],
        policy: OddsPolicy::None,
        client_ref: None,
        placed_at: Hlc::new(WALL_MS, 1),
        decision: Decision::Accepted,
        state: WagerState::Open,
        paid: Amount::default(),
        settled_version: 0,
        settled_at: Hlc::default(),
        prepared: None,
        unit: None,
        system: None,
        each_way: None,
        rounding: None,
        asked_ms: None,
        later: None,
    }
}

fn decided(r: WagerRecord) -> Event {
    Event::Wager(SharedWager(std::sync::Arc::new(r)))
}

fn settled(id: MintedId, version: u32, paid: u64) -> Event {
    Event::Settled(Settled { id, version, state: WagerState::Won, paid, past_posted: None })
}

/// An entry with these events stops region 2's stream at region 1, changes nothing and harms nothing else.
fn assert_refused(c: &mut Cluster, events: Vec<Event>) {
    let before = c.engine(1).ledger().accounts.clone();
    c.inject(2, 1, events);
    assert_eq!(c.engine(1).ledger().accounts, before, "a refused entry changes nothing");
    assert!(stopped(c, PEER), "its stream stands still");
    assert!(c.alarms.iter().any(|(n, code, _)| *n == 1 && *code == "stream_stopped"));
    assert_alive(c);
}

#[test]
fn an_entry_of_garbage_stops_its_stream_only() {
    let mut c = world();
    let first = c.engine(1).ledger().head(PEER).index + 1;
    let items = vec![ByteVec::from(vec![0xff; 20])];
    c.peer(2, 1, &PeerMessage::Entries(Entries { site: PEER, first, items }));
    assert!(stopped(&c, PEER));
    assert_alive(&mut c);
    c.crash(1);
    assert!(stopped(&c, PEER), "until a person decides");
    assert_alive(&mut c);
}

#[test]
fn a_row_that_spends_what_is_not_there_is_refused() {
    let mut c = world();
    assert_refused(&mut c, vec![Event::Row(acc(P), Row { stk: 1, ..Row::default() })]);
}

#[test]
fn a_row_that_takes_more_than_was_granted_is_refused() {
    let mut c = world();
    let row = Row { recv: [(ME, 5)].into_iter().collect(), ..Row::default() };
    assert_refused(&mut c, vec![Event::Row(acc(P), row)]);
}

#[test]
fn a_row_that_counts_beyond_belief_is_refused() {
    let mut c = world();
    assert_refused(&mut c, vec![Event::Row(acc(P), Row { dep: u64::MAX, ..Row::default() })]);
}

#[test]
fn a_row_that_goes_back_within_its_entry_is_refused() {
    let mut c = world();
    let sent = Row { dep: 500, sent: [(ME, 500)].into_iter().collect(), ..Row::default() };
    assert_refused(&mut c, vec![Event::Row(acc(P), sent), Event::Row(acc(P), Row::default())]);
}

#[test]
fn a_settlement_in_the_entry_of_its_wager_is_checked_like_any_other() {
    let mut c = world();
    let r = record(&c, 1);
    let id = r.id;
    assert_refused(&mut c, vec![decided(r), settled(id, 1, u64::MAX)]);
}

#[test]
fn a_settlement_before_its_wager_in_one_entry_is_refused() {
    let mut c = world();
    let r = record(&c, 1);
    let id = r.id;
    assert_refused(&mut c, vec![settled(id, 1, 100), decided(r)]);
}

#[test]
fn a_settlement_of_a_rejected_wager_is_refused() {
    let mut c = world();
    let mut r = record(&c, 1);
    r.decision = Decision::Rejected(vec![]);
    let id = r.id;
    assert_refused(&mut c, vec![decided(r), settled(id, 1, 100)]);
}

#[test]
fn a_decision_that_is_paid_already_is_refused() {
    let mut c = world();
    let mut r = record(&c, 1);
    r.state = WagerState::Won;
    r.paid = Amount::from_minor(200).unwrap();
    assert_refused(&mut c, vec![decided(r)]);
}

#[test]
fn a_posting_twice_in_a_log_is_refused() {
    let mut c = world();
    let id = MintedId::mint(WALL_MS + 60_000, 2, 1, 5);
    let amount = Amount::from_minor(100).unwrap();
    let posting = Posting { id, account: acc(P), amount, body: Hash16([1; 16]), at: Hlc(1), site: PEER, act: None };
    let row = |dep| Event::Row(acc(P), Row { dep, ..Row::default() });
    c.inject(2, 1, vec![Event::Posting(posting.clone()), row(100)]);
    assert!(!stopped(&c, PEER));
    assert_refused(&mut c, vec![Event::Posting(posting), row(200)]);
}

#[test]
fn an_account_whose_home_is_not_the_writer_is_refused() {
    let mut c = world();
    let head = AccountHead { currency: gbp(), home: Site::new(2, 9), tenure: None, hearsay: None };
    assert_refused(&mut c, vec![Event::Account(acc("x@us-east"), head)]);
}

#[test]
fn an_account_opened_two_ways_in_one_entry_is_refused() {
    let mut c = world();
    let head =
        |code| AccountHead { currency: model::Currency::new(code).unwrap(), home: PEER, tenure: None, hearsay: None };
    let open = |code| Event::Account(acc("x@us-east"), head(code));
    assert_refused(&mut c, vec![open("GBP"), open("EUR")]);
}

#[test]
fn a_grant_of_nothing_is_refused() {
    let mut c = world();
    assert_refused(&mut c, vec![Event::Grant(Grant { to: ME, account: acc(P), amount: 0, request: 0 })]);
}

#[test]
fn a_result_that_claims_to_have_seen_writes_never_made_is_refused() {
    let mut c = world();
    let mut r = ResultRegister::default();
    r.operator.write(Dot { site: PEER, n: 1 }, Hlc(1), Some(OutcomeResult::Open));
    r.operator.context.raise(ME, u64::MAX / 2);
    c.inject(2, 1, vec![Event::Result(market(), ResultScope::Outcome(outcome("home")), r)]);
    // Whatever was made of it, this region can still say what it has to say.
    c.result(1, "home", OutcomeResult::Won);
    c.result(1, "home", OutcomeResult::Open);
    c.run_until_quiet();
    assert_alive(&mut c);
}

#[test]
fn an_odds_value_that_claims_to_have_seen_writes_never_made_loses_no_suspension() {
    let mut c = world();
    let mut r = crdt::Register::<ProducerId, MarketStatus>::default();
    r.operator.write(Dot { site: PEER, n: 1 }, Hlc(1), None);
    r.operator.context.raise(ME, u64::MAX / 2);
    let value = odds_bytes(&RegisterKey::Status(market()), &RegisterValue::Status(r));
    c.peer(2, 1, &PeerMessage::Odds(OddsFrame { session: 5, number: 1, values: vec![value], upto: None }));
    c.status(1, StatusAct::Suspend);
    assert_eq!(c.refusal(1), Some(model::RejectCode::MarketSuspended));
}

#[test]
fn odds_at_or_below_one_are_refused_in_a_frame() {
    let mut c = world();
    // Price of `home` by the market's desk: 5/0, written as a healthy encoder would write 5/2.
    let dot = Dot { site: PEER, n: 1 };
    let price = model::Price { active: true, odds: Some(Odds::parse("2.5").unwrap()) };
    let mut r = register("desk:eu-west", word(price, 0, dot));
    r.feeds.clear();
    r.operator.write(dot, Hlc::new(WALL_MS + 3_600_000, 0), Some(price));
    let key = RegisterKey::Price(market(), outcome("home"));
    let mut bytes = minicbor::to_vec((&key, &RegisterValue::Price(r))).unwrap();
    let at = bytes.windows(3).position(|w| w == [0x82, 5, 2]).expect("the odds stand in the bytes");
    bytes[at + 2] = 0;
    let frame = OddsFrame { session: 5, number: 1, values: vec![bytes.into()], upto: None };
    c.peer(2, 1, &PeerMessage::Odds(frame));
    let w = c.wager(1, P, "1");
    assert_eq!(accepted(&c.place(1, w)), Some(true), "taken at the odds that were there");
}

#[test]
fn an_upto_never_moves_the_receivers_own_numbers() {
    let mut c = world();
    let vector: Vector = [(ME, u64::MAX)].into_iter().collect();
    let before = c.engine(1).plane().vector().get(ME);
    let upto = Some(Upto { vector, echo_ms: None, alive: vec![] });
    c.peer(2, 1, &PeerMessage::Odds(OddsFrame { session: 5, number: 1, values: vec![], upto }));
    assert_eq!(c.engine(1).plane().vector().get(ME), before);
    assert_alive(&mut c);
}

#[test]
fn an_odds_start_from_the_end_of_all_numbers_is_harmless() {
    let mut c = world();
    let vector: Vector = [(ME, u64::MAX), (PEER, u64::MAX)].into_iter().collect();
    c.peer(2, 1, &PeerMessage::OddsFrom { vector });
    assert_alive(&mut c);
}

fn empty_have() -> Have {
    let (log, odds) = (Vector::default(), Vector::default());
    Have { log, odds, stamp_ms: 0, linked: vec![], acks: vec![], quarantined: false }
}

#[test]
fn an_ack_of_more_than_there_is_is_harmless_or_quarantines() {
    let mut c = world();
    let log: Vector = [(ME, u64::MAX)].into_iter().collect();
    c.peer(2, 1, &PeerMessage::Have(Have { log, stamp_ms: 1, ..empty_have() }));
    assert!(c.engine(1).ledger().ack_floor <= c.engine(1).ledger().head(ME).index);
    if !c.quarantined.contains_key(&1) {
        assert_alive(&mut c);
    }
}

#[test]
fn entries_numbered_at_the_end_of_all_numbers_are_harmless() {
    let mut c = world();
    let items = vec![ByteVec::from(vec![1, 2, 3])];
    c.peer(2, 1, &PeerMessage::Entries(Entries { site: PEER, first: u64::MAX, items }));
    assert_alive(&mut c);
}

#[test]
fn a_pull_from_the_end_of_all_numbers_is_harmless() {
    let mut c = world();
    c.peer(2, 1, &PeerMessage::Pull { site: ME, from: u64::MAX });
    c.peer(2, 1, &PeerMessage::Pull { site: ME, from: 0 });
    assert_alive(&mut c);
}

#[test]
fn a_site_outside_the_topology_is_not_taken_up() {
    let mut c = world();
    let stranger = Site::new(9, 1);
    let items = vec![ByteVec::from(vec![0xff; 4])];
    c.peer(2, 1, &PeerMessage::Entries(Entries { site: stranger, first: 1, items }));
    assert!(!c.engine(1).ledger().logs.contains_key(&stranger), "no log, no token, no digest names it");
    let token = c.engine(1).token();
    let (id, input) = c.input(engine::door::Request::Query(Query::Clock), Some(token), 0);
    c.group(1, vec![input]);
    let answer = c.replies.remove(&id).unwrap();
    assert_ne!(answer, Answer::Refused(Refusal::TokenUnknownSite), "this region's own token is good");
    assert_alive(&mut c);
}

#[test]
fn a_claim_to_hold_what_cannot_be_served_starves_no_other_log() {
    let mut c = world();
    // Region 2 says that it holds a log of another life of region 1, and has none of it. Region 3's log can only be
    // had through region 2.
    c.part(1, 3);
    let mut log = c.engine(2).token().log;
    log.raise(Site::new(1, 7), 50);
    let have = Have { log, stamp_ms: 1, linked: vec![1, 3], ..empty_have() };
    c.peer(2, 1, &PeerMessage::Have(have));
    let id = c.mint(3);
    c.deposit(3, id, P, "5");
    c.pass(10_000);
    let index = |c: &Cluster, n| c.engine(n).ledger().head(Site::new(3, 1)).index;
    assert_eq!(index(&c, 1), index(&c, 3));
}

#[test]
fn evidence_read_here_comes_from_here() {
    let mut c = world();
    c.status(1, StatusAct::Suspend);
    let producer = ProducerId::new("betfair").unwrap();
    let alive = AliveAge { producer: producer.clone(), reader: ME, age_ms: 0 };
    let upto = Some(Upto { vector: Vector::default(), echo_ms: Some(c.steady_ms(1)), alive: vec![alive] });
    c.peer(2, 1, &PeerMessage::Odds(OddsFrame { session: 5, number: 1, values: vec![], upto }));
    let Answer::Producers(views) = c.query(1, Query::Producers) else { panic!() };
    assert!(views.iter().all(|v| v.producer != producer || !v.up), "nobody here has read it");
}

#[test]
fn one_value_that_cannot_be_read_costs_one_new_start_of_the_lane() {
    let mut c = world();
    c.pass(2_000);
    let before = c.sent;
    c.pass(5_000);
    let idle = c.sent - before;
    let frame = OddsFrame { session: 5, number: 1, values: vec![ByteVec::from(vec![0xff])], upto: None };
    c.peer(2, 1, &PeerMessage::Odds(frame));
    c.pass(2_000);
    let before = c.sent;
    c.pass(5_000);
    assert!(c.sent - before <= idle + 20, "quiet again: {} frames in 5 s, {idle} before", c.sent - before);
    c.price(2, "home", "4");
    c.run_until_quiet();
    c.assert_equal();
}
