//! The bytes between regions, held against `schemas/wire`: a frame of every kind, and the log entry inside one.
//! A difference is a change of the contract; `STAKEHOLD_BLESS=1` writes the files anew.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use crdt::{Dot, FeedSlot, Hlc, Register, Restrict, Row, Site, Vector};
use engine::ledger::Exposure;
use engine::log::{CashedOut, Cause, Entry, Event, Grant, Revoked, SessionEnded, Settled};
use engine::odds::{ClockTime, RegisterKey, RegisterValue, ResultTwin};
use engine::port::{AccountHead, Exclusion, Handed};
use engine::snapshot::{Record, check_of, sum_of};
use engine::wire::{
    Acquire, Acquired, AliveAge, Entries, FenceOrFetch, Fetched, Have, Hello, OddsFrame, PROTOCOL, PeerMessage,
    Relayed, Resolve, ResolveReply, SnapshotAsk, SnapshotPage, SnapshotWord, Upto, WagerStanding, Want,
};
use minicbor::bytes::ByteVec;
use model::{
    AccountId, Amount, CancelWindow, Cancelled, CashedWager, Currency, EventKey, GroupKey, Groups, Hash16, MarketKey,
    MarketStatus, MintedId, Odds, OutcomeKey, OutcomeResult, Posting, PostingAct, Price, ProducerId, Received,
    Reference, ReferenceDecision, ReferenceOutcome, ReferenceRefusal, ResultRegister, ResultScope, SaleScope,
    SentAmount, Session, Share, Sport, Text, WagerState, Withdrawal, WithdrawalState,
};

const HERE: Site = Site::new(1, 1);
const THERE: Site = Site::new(2, 3);

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas/wire")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, b| {
        write!(out, "{b:02x}").unwrap();
        out
    })
}

fn account() -> AccountId {
    AccountId::new("anna@eu-west").unwrap()
}

fn gbp() -> Currency {
    Currency::new("GBP").unwrap()
}

fn entry() -> Entry {
    let id = MintedId::mint(1_795_000_000_000, 1, 1, 42);
    let row = Row { dep: 5_000, stk: 500, sent: [(THERE, 700)].into_iter().collect(), ..Row::default() };
    let events = vec![
        Event::Account(account(), AccountHead { currency: gbp(), home: HERE, tenure: None, hearsay: None }),
        Event::Settled(Settled { id, version: 1, state: WagerState::Won, paid: 1_250, past_posted: None }),
        Event::Grant(Grant { to: THERE, account: account(), amount: 700, request: 9 }),
        Event::Windows(vec![Exposure { currency: gbp(), per_account: None, per_region: Some(7) }]),
        Event::Row(account(), row),
    ];
    Entry { site: HERE, seq: 7, prev: Hash16([9; 16]), at: Hlc::new(1_795_000_000_000, 1), by: Cause::Client, events }
}

/// What payment references look like in a log.
fn references() -> Entry {
    let at = Hlc::new(1_795_000_000_000, 3);
    let reference = Reference::new(&account(), "stripe", "ch_1").unwrap();
    let amount = SentAmount::of(rust_decimal::Decimal::new(105, 1)).unwrap();
    let received = Received { reference: reference.clone(), account: account(), amount, body: Hash16([6; 16]), at };
    let id = MintedId::mint(1_795_000_000_000, 1, 1, 44);
    let decision = |outcome| ReferenceDecision { received: received.clone(), from: THERE, site: HERE, at, outcome };
    let act = Some(PostingAct::Reference(reference));
    let events = vec![
        Event::Posting(Posting { id, body: Hash16([6; 16]), act, ..posting() }),
        Event::Referenced(decision(ReferenceOutcome::Posted(id))),
        Event::Referenced(decision(ReferenceOutcome::Refused(ReferenceRefusal::TooLarge))),
        Event::Received(received.clone()),
    ];
    Entry { seq: 8, events, ..entry() }
}

/// What sessions look like in a log.
fn sessions() -> Entry {
    let (id, at) = (MintedId::mint(1_797_000_000_000, 1, 1, 45), Hlc::new(1_795_000_000_000, 4));
    let opened = Session { id, account: account(), channel: Text::new("web"), at };
    let events = vec![Event::Session(opened), Event::SessionEnded(SessionEnded { id, at })];
    Entry { seq: 9, events, ..entry() }
}

/// What suspensions look like: of an account in a log, of a scope in the odds plane.
fn suspensions() -> (Entry, ByteVec) {
    let lifted = [(THERE, 4)].into_iter().collect();
    let row = Exclusion { raised: 10, lifted, at: Hlc::new(1_795_000_000_000, 5) };
    let entry = Entry { seq: 10, events: vec![Event::Excluded(account(), row)], ..entry() };
    let mut register = Register::default();
    register.operator.write(Dot { site: HERE, n: 14 }, Hlc(99), Some(MarketStatus::Suspended));
    let key = RegisterKey::Held(SaleScope::Sport(Sport::new("tennis").unwrap()));
    (entry, ByteVec::from(minicbor::to_vec((key, RegisterValue::Held(register))).unwrap()))
}

/// What happens to a wager beside its results, in a log; and results with the time at which their market had closed.
fn later() -> Entry {
    let wager = MintedId::mint(1_795_000_000_000, 1, 1, 42);
    let amount = |minor| Amount::from_minor(minor).unwrap();
    let act = Some(PostingAct::CashOut(CashedWager { wager, stake: amount(200) }));
    let settled = |version, state, paid| Settled { id: wager, version, state, paid, past_posted: None };
    let cashed = CashedOut {
        posting: Posting { act, amount: amount(285), ..posting() },
        settled: settled(1, WagerState::Open, 285),
        burned: amount(200),
    };
    let revoked = Revoked {
        settled: settled(2, WagerState::Cancelled, 585),
        cancelled: Cancelled { share: Share::ONE, reason: Text::new("a wrong price") },
        burned: amount(500),
    };
    let late = Settled { past_posted: Some(vec![0]), ..settled(3, WagerState::Void, 500) };
    let mut results = register(OutcomeResult::Won);
    results.feeds.values_mut().for_each(|slot| slot.mark = NonZeroU64::new(1_794_999_999_000));
    results.operator.write(Dot { site: HERE, n: 10 }, Hlc(99), Some(OutcomeResult::Won));
    results.operator.values.values_mut().for_each(|v| v.mark = NonZeroU64::new(1_794_999_998_000));
    let market = MarketKey::new("uof:sr:match:1;18;total=2.5").unwrap();
    let events = vec![
        Event::CashedOut(cashed),
        Event::Revoked(revoked),
        Event::Settled(late),
        Event::Result(market, ResultScope::Market, results),
    ];
    Entry { seq: 10, events, ..entry() }
}

fn posting() -> Posting {
    let id = MintedId::mint(1_795_000_000_000, 1, 1, 43);
    let (amount, at) = (Amount::from_minor(1_000).unwrap(), Hlc::new(1_795_000_000_000, 2));
    let act = Some(PostingAct::Withdrawal(Withdrawal { entry: 7, state: WithdrawalState::Confirmed }));
    Posting { id, account: account(), amount, body: Hash16([3; 16]), at, site: HERE, act }
}

fn resolved() -> ResolveReply {
    ResolveReply { n: 3, seq: 8, posting: Some(posting()), replayed: false, refused: None }
}

fn relayed_frame() -> ByteVec {
    let inner = PeerMessage::ComeHome { account: account(), epoch: 2 };
    ByteVec::from(inner.encode().to_vec())
}

fn odds_value() -> ByteVec {
    let mut register = Register::default();
    let dot = Dot { site: HERE, n: 12 };
    let value = Price { active: true, odds: Some(Odds::parse("8/13").unwrap()) };
    let word = FeedSlot { time_ms: 1_795_000_000_000, seq: 2, value, dot, at: Hlc(99), mark: None };
    register.offer(&ProducerId::new("betfair").unwrap(), word);
    let key = RegisterKey::Price(MarketKey::new("betfair:1.2").unwrap(), OutcomeKey::new("47972").unwrap());
    ByteVec::from(minicbor::to_vec((key, RegisterValue::Price(register))).unwrap())
}

fn bytes_of(entry: &Entry) -> ByteVec {
    ByteVec::from(entry.encode().to_vec())
}

fn register<V: Clone + Eq + Restrict>(value: V) -> Register<ProducerId, V> {
    let mut register = Register::default();
    let word =
        FeedSlot { time_ms: 1_795_000_000_000, seq: 0, value, dot: Dot { site: HERE, n: 13 }, at: Hlc(99), mark: None };
    register.offer(&ProducerId::new("uof:1").unwrap(), word);
    register
}

/// Registers that the Unified Odds Feed brought.
fn uof_values() -> Vec<ByteVec> {
    let group = GroupKey::new("all").unwrap();
    let window = ResultScope::Window(CancelWindow { start_ms: None, end_ms: Some(1_795_000_000_000) });
    let market = MarketKey::new("uof:sr:match:1;18;total=2.5").unwrap();
    let twin = ResultTwin { results: register(OutcomeResult::Void), carried: [(HERE, 13)].into_iter().collect() };
    let values = [
        (
            RegisterKey::Stop(EventKey::new("sr:match:1").unwrap(), group.clone()),
            RegisterValue::Stop(register(MarketStatus::Suspended)),
        ),
        (
            RegisterKey::Alive(ProducerId::new("uof:1").unwrap()),
            RegisterValue::Alive(register(ClockTime(1_795_000_000_000))),
        ),
        (RegisterKey::Described(18), RegisterValue::Described(register(Groups(vec![group])))),
        (RegisterKey::Resulted(market, window), RegisterValue::Resulted(twin)),
    ];
    values.into_iter().map(|pair| ByteVec::from(minicbor::to_vec(pair).unwrap())).collect()
}

fn frames() -> Vec<(&'static str, PeerMessage)> {
    let vector: Vector = [(HERE, 7), (THERE, 3)].into_iter().collect();
    let hello = Hello {
        cluster: Text::new("demo"),
        site: HERE,
        boot_nonce: 77,
        protocol: PROTOCOL,
        regions: vec![(1, Text::new("eu-west")), (2, Text::new("us-east"))],
        logs: vec![(HERE, 7, Hash16([1; 16]))],
        odds: vector.clone(),
        stamp_ms: 1_234,
        heard: true,
        windows: vec![Exposure { currency: gbp(), per_account: Some(500_000), per_region: None }],
        quarantined: false,
    };
    let alive = AliveAge { producer: ProducerId::new("betfair").unwrap(), reader: HERE, age_ms: 250 };
    let upto = Upto { vector: vector.clone(), echo_ms: Some(1_000), alive: vec![alive] };
    let odds = OddsFrame { session: 5, number: 6, values: vec![odds_value()], upto: Some(upto) };
    let entries = Entries { site: HERE, first: 7, items: vec![ByteVec::from(entry().encode().to_vec())] };
    let confirms = Entry { seq: 8, events: vec![Event::Confirmed(7)], ..entry() };
    let confirmed = Entries { site: HERE, first: 8, items: vec![ByteVec::from(confirms.encode().to_vec())] };
    let have = Have {
        log: vector.clone(),
        odds: vector.clone(),
        stamp_ms: 8,
        linked: vec![2, 3],
        acks: vec![(THERE, vector.clone())],
        quarantined: false,
    };
    let id = MintedId::mint(1_795_000_000_000, 1, 1, 42);
    let want = Want::Place { body: Hash16([7; 16]), account: account(), need: None, want: None };
    let short = Want::Place { body: Hash16([7; 16]), account: account(), need: Some(500), want: Some(2_000) };
    let state = WagerStanding::Written { site: HERE, entry: 8 };
    vec![
        ("hello", PeerMessage::Hello(hello)),
        ("entries", PeerMessage::Entries(entries)),
        ("entries_confirmed", PeerMessage::Entries(confirmed)),
        (
            "entries_sessions",
            PeerMessage::Entries(Entries { site: HERE, first: 9, items: vec![bytes_of(&sessions())] }),
        ),
        (
            "entries_references",
            PeerMessage::Entries(Entries { site: HERE, first: 8, items: vec![bytes_of(&references())] }),
        ),
        (
            "entries_suspensions",
            PeerMessage::Entries(Entries { site: HERE, first: 10, items: vec![bytes_of(&suspensions().0)] }),
        ),
        (
            "odds_held",
            PeerMessage::Odds(OddsFrame { session: 5, number: 8, values: vec![suspensions().1], upto: None }),
        ),
        ("entries_later", PeerMessage::Entries(Entries { site: HERE, first: 10, items: vec![bytes_of(&later())] })),
        ("have", PeerMessage::Have(have)),
        ("pull", PeerMessage::Pull { site: THERE, from: 4 }),
        ("acquire", PeerMessage::Acquire(Acquire { n: 9, account: account(), need: 500, want: 2_000, purpose: None })),
        ("acquired", PeerMessage::Acquired(Acquired { n: 9, account: account(), granted: 700, seq: 7, debt: None })),
        ("odds", PeerMessage::Odds(odds)),
        ("odds_uof", PeerMessage::Odds(OddsFrame { session: 5, number: 7, values: uof_values(), upto: None })),
        ("odds_from", PeerMessage::OddsFrom { vector }),
        ("relayed", PeerMessage::Relayed(Relayed { from: HERE, to: 3, frame: relayed_frame() })),
        ("twins", PeerMessage::Twins { site: THERE }),
        ("resolve", PeerMessage::Resolve(Resolve { n: 3, account: account(), id: posting().id, confirm: true })),
        ("resolved", PeerMessage::Resolved(resolved())),
        ("open_account", PeerMessage::OpenAccount { account: account(), currency: gbp() }),
        ("fence_or_fetch", PeerMessage::FenceOrFetch(FenceOrFetch { n: 4, id, want })),
        ("fence_and_fetch_rights", PeerMessage::FenceOrFetch(FenceOrFetch { n: 4, id, want: short })),
        ("fetched", PeerMessage::Fetched(Fetched { n: 4, id, state })),
    ]
    .into_iter()
    .chain(snapshot_frames())
    .collect()
}

fn snapshot_frames() -> Vec<(&'static str, PeerMessage)> {
    let head = AccountHead { currency: gbp(), home: HERE, tenure: None, hearsay: None };
    let row = Row { dep: 5_000, stk: 500, ..Row::default() };
    let id = MintedId::mint(1_795_000_000_000, 1, 1, 44);
    let records = [
        Record::Account(account(), head),
        Record::Row(account(), THERE, row),
        Record::Posting(posting()),
        Record::Result(MarketKey::new("m").unwrap(), ResultScope::Market, ResultRegister::default()),
        Record::Handed(id, HERE, Handed { entry: 4, to: Some(THERE) }),
    ];
    let records: Vec<ByteVec> = records.iter().map(|r| ByteVec::from(minicbor::to_vec(r).unwrap())).collect();
    let sum = sum_of(&records);
    let heads = vec![(HERE, 7, Hash16([1; 16]), Hash16([2; 16]))];
    let check = check_of(6, 2, sum, &heads);
    vec![
        ("snapshot_ask", PeerMessage::SnapshotAsk(SnapshotAsk { id: 6, page: 1 })),
        ("snapshot_page", PeerMessage::SnapshotPage(SnapshotPage { id: 6, page: 1, records, sum })),
        ("snapshot_end", PeerMessage::SnapshotWord(SnapshotWord::End { id: 6, pages: 2, sum, heads, check })),
        ("snapshot_behind", PeerMessage::SnapshotWord(SnapshotWord::Behind { site: THERE, cut: 3 })),
        ("snapshot_unknown", PeerMessage::SnapshotWord(SnapshotWord::Unknown { id: 6 })),
    ]
}

#[test]
fn frames_have_the_bytes_of_the_contract() {
    let bless = std::env::var_os("STAKEHOLD_BLESS").is_some();
    for (name, message) in frames() {
        let path = folder().join(format!("{name}.hex"));
        let written = format!("{}\n", hex(&message.encode()));
        if bless {
            std::fs::create_dir_all(folder()).unwrap();
            std::fs::write(&path, &written).unwrap();
        }
        let held = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        assert_eq!(held, written, "the bytes of `{name}` have changed");
        assert_eq!(PeerMessage::decode(&message.encode()), Ok(message), "`{name}` is read back");
    }
}

#[test]
fn every_torn_frame_is_refused() {
    for (name, message) in frames() {
        let whole = message.encode();
        for end in 0..whole.len() {
            assert!(PeerMessage::decode(&whole[..end]).is_err(), "`{name}` cut at {end}");
        }
        let longer = [whole.as_ref(), &[0]].concat();
        assert!(PeerMessage::decode(&longer).is_err(), "`{name}` with a byte too many");
    }
}
