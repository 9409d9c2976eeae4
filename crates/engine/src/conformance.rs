//! What every store behind the port must do, as one suite: RocksDB and the simulator's disk both pass it.
//! Knows the port only. A claim that does not hold panics with its words.
//!
//! ```text
//! conformance::run(|| Store::open(..));   // every call reopens the same state, which starts empty
//! ```

mod archive;
mod samples;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use crdt::{Dot, FeedSlot, Hlc, Register, Row, Site, Vector};
use feeds::betfair::{Book, StreamMessage, parse_line};
use model::{
    AccountId, Amount, Currency, Decision, Hash16, LegTaken, MarketKey, MarketStatus, MintedId, Odds, OddsPolicy,
    OutcomeKey, OutcomeResult, Posting, ProducerId, Received, Reference, ReferenceDecision, ReferenceOutcome,
    ReferenceRefusal, ResultRegister, ResultScope, SentAmount, Session, SessionRecord, Text, WagerRecord, WagerState,
};

use samples::*;

use crate::ledger::{Announced, Exposure};
use crate::odds::{RegisterKey, RegisterValue};
use crate::port::{AccountHead, Cut, Durable, Handed, LogHead, Meta, SettleCursor, Taking, Ticket, View, Write};

pub use archive::run_archive;

/// Runs the suite. `open` opens the same state every time, after the store opened before has been dropped; at the
/// first call that state is empty. Bounded: about 150 small batches and 20 reopenings.
pub fn run<S: Durable>(open: impl FnMut() -> S) {
    let mut bench = Bench::new(open);
    bench.check("a fresh store shows nothing");
    a_batch_of_every_kind_is_whole_and_survives(&mut bench);
    an_empty_batch_is_fine(&mut bench);
    the_last_write_of_a_key_wins(&mut bench);
    a_wager_is_replaced_by_its_id(&mut bench);
    a_settle_mark_is_removed_by_none(&mut bench);
    a_hand_over_is_removed_by_none(&mut bench);
    a_ticket_is_replaced_and_removed_by_none(&mut bench);
    a_reference_is_kept_by_all_its_parts(&mut bench);
    a_session_is_removed_by_none(&mut bench);
    a_log_range_has_no_hole_and_bounds(&mut bench);
    a_cut_takes_a_logs_front_and_nothing_else(&mut bench);
    staged_pages_are_kept_until_they_are_removed(&mut bench);
    an_index_keeps_to_its_name_its_order_and_its_limit(&mut bench);
    results_are_those_of_one_market(&mut bench);
    any_mix_of_writes_reads_like_a_map(&mut bench);
}

/// One change of every kind with every field in use, all of one small story: for golden bytes and first tests.
#[must_use]
pub fn one_of_each() -> Vec<Write> {
    let (site, account, market) = (Site::new(1, 1), account("p1@eu-west"), market("betfair:1.1"));
    let (id, outcome) = (id(1_700_000_000_000, 7), outcome("10@-1.5"));
    let mut row = row(5_000);
    row.sent.insert(Site::new(2, 1), 300);
    row.recv.insert(Site { region: 3, incarnation: 2, shard: 1 }, 40);
    let cut = Some(Cut { index: 2, hash: Hash16([5; 16]), digest: Hash16([6; 16]) });
    let head =
        LogHead { index: 3, hash: Hash16([1; 16]), digest: Hash16([2; 16]), stopped: Some(Text::new("why")), cut };
    let odds: Vector = [(site, 9)].into_iter().collect();
    let exposure = Exposure { currency: gbp(), per_account: Some(5), per_region: None };
    let meta = Meta {
        owner_ms: 1_700_000_000_000,
        hlc: Hlc::new(1_700_000_000_001, 2),
        odds,
        acks: vec![(Site::new(2, 1), 3)],
        lost: vec![Site::new(3, 1)],
        quarantine: Some(Text::new("old")),
        ack_floor: 3,
        acquires: 4,
        joined: true,
        windows: vec![Announced { index: 2, exposures: vec![exposure] }],
        confirmed: [(site, 3), (Site::new(2, 1), 2)].into_iter().collect(),
        taking: Some(Taking { heads: vec![(site, head.clone())], pages: 2, next: 1 }),
        staged: true,
    };
    vec![
        Write::Log(site, 3, Bytes::from_static(b"an entry's bytes")),
        Write::LogHead(site, head),
        Write::Account(account.clone(), AccountHead { currency: gbp(), home: site, tenure: None, hearsay: None }),
        Write::Ticket(id, Some(ticket(&account))),
        Write::Row(account.clone(), site, row),
        Write::Wager(Arc::new(wager(id, 250))),
        Write::AccountWager(account.clone(), id),
        Write::MarketWager(market.clone(), id),
        Write::Posting(posting(id, 5_000)),
        Write::Result(market.clone(), ResultScope::Outcome(outcome), result(OutcomeResult::Won)),
        Write::Settle(market.clone(), Some(SettleCursor { after: Some(id) })),
        Write::Odds(RegisterKey::Status(market.clone()), status(MarketStatus::Suspended, 5)),
        Write::Book(market, Arc::new(book(5))),
        Write::Granted(Site::new(2, 1), account, 4),
        Write::Meta(Box::new(meta)),
        Write::Handed(id, site, Some(Handed { entry: 3, to: Some(Site::new(2, 1)) })),
        Write::Reference(decided("stripe", "ch_1", Some(id))),
        taken("stripe", "ch_2", site, true),
        Write::Session(id, Some(session(id, true))),
        Write::Exclusion(samples::account("p1@eu-west"), site, exclusion()),
        Write::Delayed(
            id,
            Some(crate::delayed::sample(
                samples::account("p1@eu-west"),
                samples::market("betfair:1.1"),
                samples::outcome("10"),
            )),
        ),
        Write::Staged(1, Bytes::from_static(b"a page of a snapshot")),
    ]
}

/// The store under test beside a plain map of all that it was told.
struct Bench<S, F> {
    open: F,
    store: Option<S>,
    told: Told,
}

impl<S: Durable, F: FnMut() -> S> Bench<S, F> {
    fn new(mut open: F) -> Self {
        let store = Some(open());
        Self { open, store, told: Told::default() }
    }

    fn commit(&mut self, batch: &[Write]) {
        self.store.as_mut().expect("open").commit(batch).expect("a healthy store takes every batch");
        batch.iter().for_each(|write| self.told.take(write));
    }

    fn reopen(&mut self) {
        self.store = None;
        self.store = Some((self.open)());
    }

    fn store(&self) -> &S {
        self.store.as_ref().expect("open")
    }

    /// What is shown is what was told, now and after reopening.
    fn check(&mut self, claim: &str) {
        self.told.check(self.store(), claim);
        self.reopen();
        self.told.check(self.store(), &format!("{claim} (reopened)"));
    }
}

fn a_batch_of_every_kind_is_whole_and_survives<S: Durable, F: FnMut() -> S>(bench: &mut Bench<S, F>) {
    bench.commit(&one_of_each());
    bench.check("a batch of every kind is there as a whole");
}

fn an_empty_batch_is_fine<S: Durable, F: FnMut() -> S>(bench: &mut Bench<S, F>) {
    bench.commit(&[]);
    bench.check("an empty batch changes nothing");
}

fn the_last_write_of_a_key_wins<S: Durable, F: FnMut() -> S>(bench: &mut Bench<S, F>) {
    let (key, site) = (account("last@eu-west"), Site::new(1, 1));
    bench.commit(&[Write::Row(key.clone(), site, row(1)), Write::Row(key.clone(), site, row(2))]);
    bench.check("in a batch the last write of a key wins");
    bench.commit(&[Write::Row(key, site, row(3))]);
    bench.check("a later batch wins over an earlier one");
}

fn a_wager_is_replaced_by_its_id<S: Durable, F: FnMut() -> S>(bench: &mut Bench<S, F>) {
    let id = id(42, 1);
    bench.commit(&[Write::Wager(Arc::new(wager(id, 100)))]);
    let mut settled = wager(id, 100);
    settled.state = WagerState::Won;
    settled.settled_version = 1;
    bench.commit(&[Write::Wager(Arc::new(settled.clone()))]);
    assert_eq!(bench.store().wager(id).as_deref(), Some(&settled), "a wager is replaced by its id");
    bench.check("a replaced wager stays replaced");
}

fn a_settle_mark_is_removed_by_none<S: Durable, F: FnMut() -> S>(bench: &mut Bench<S, F>) {
    let (gone, kept) = (market("gone"), market("gone-not"));
    let mark = |m: &MarketKey, after| Write::Settle(m.clone(), Some(SettleCursor { after }));
    bench.commit(&[mark(&gone, None), mark(&kept, Some(id(7, 7)))]);
    bench.check("settle marks are kept");
    bench.commit(&[Write::Settle(gone.clone(), None)]);
    bench.check("None removes a settle mark, and only that one");
    bench.commit(&[mark(&gone, None), Write::Settle(gone, None)]);
    bench.check("a mark set and removed in one batch is gone");
}

fn a_hand_over_is_removed_by_none<S: Durable, F: FnMut() -> S>(bench: &mut Bench<S, F>) {
    let (one, two, id) = (Site::new(1, 1), Site::new(2, 1), id(77, 3));
    let handed = |entry, to| Some(Handed { entry, to });
    bench.commit(&[Write::Handed(id, one, handed(4, Some(two))), Write::Handed(id, two, handed(9, None))]);
    bench.check("what each site did with an id is kept by itself");
    bench.commit(&[Write::Handed(id, one, None)]);
    bench.check("one site's hand-over is removed");
}

fn a_ticket_is_replaced_and_removed_by_none<S: Durable, F: FnMut() -> S>(bench: &mut Bench<S, F>) {
    let (gone, kept, account) = (id(77, 4), id(77, 5), account("ticket@eu-west"));
    let first = Ticket { reason: None, ended_ms: None, ..ticket(&account) };
    bench.commit(&[Write::Ticket(gone, Some(first.clone())), Write::Ticket(kept, Some(first))]);
    bench.check("tickets are kept by their ids");
    bench.commit(&[Write::Ticket(kept, Some(ticket(&account))), Write::Ticket(gone, None)]);
    bench.check("one ticket is replaced, the other removed");
}

fn ticket(account: &AccountId) -> Ticket {
    let (opened_ms, ended_ms) = (1_700_000_000_000, Some(1_700_000_060_000));
    let reason = Some(Text::new("a wrong price"));
    Ticket { account: account.clone(), body: Hash16([4; 16]), opened_ms, reason, ended_ms }
}

fn a_reference_is_kept_by_all_its_parts<S: Durable, F: FnMut() -> S>(bench: &mut Bench<S, F>) {
    let (one, two) = (Site::new(1, 1), Site::new(2, 1));
    bench.commit(&[
        Write::Reference(decided("pay", "a", None)),
        Write::Reference(decided("pay", "ab", Some(id(5, 5)))),
        Write::Reference(decided("paya", "b", Some(id(6, 6)))),
        taken("pay", "b", one, true),
        taken("pay", "b", two, true),
    ]);
    bench.check("references are kept, and what each site has taken in by itself");
    bench.commit(&[taken("pay", "b", one, false), Write::Reference(decided("pay", "b", None))]);
    bench.check("what one site has taken in is forgotten, and the other's stays");
}

fn a_session_is_removed_by_none<S: Durable, F: FnMut() -> S>(bench: &mut Bench<S, F>) {
    let (gone, kept) = (id(90, 1), id(90, 2));
    let write = |id, ended| Write::Session(id, Some(session(id, ended)));
    bench.commit(&[write(gone, false), write(kept, false), write(kept, true)]);
    bench.check("sessions are kept, and how they ended");
    bench.commit(&[Write::Session(gone, None)]);
    bench.check("a session is forgotten");
    let note = || crate::delayed::sample(account("p1@eu-west"), market("m"), outcome("o"));
    bench.commit(&[Write::Delayed(gone, Some(note())), Write::Delayed(kept, Some(note()))]);
    let row = |name, site| Write::Exclusion(account(name), Site::new(site, 1), exclusion());
    bench.commit(&[Write::Delayed(gone, None), row("a@eu-west", 1), row("a@eu-west", 2), row("aa@eu-west", 1)]);
    bench.check("a delayed wager is forgotten, and rows of suspensions are kept by account and site");
}

fn a_log_range_has_no_hole_and_bounds<S: Durable, F: FnMut() -> S>(bench: &mut Bench<S, F>) {
    let (site, next) = (Site::new(9, 1), Site::new(9, 2));
    let entry = |site, index| Write::Log(site, index, Bytes::from(vec![0xab; 100]));
    // Cut at the front, a hole at 300, and a neighbour whose log must not be read on into.
    let batch: Vec<Write> = (250..300).chain(301..310).map(|n| entry(site, n)).collect();
    bench.commit(&batch);
    bench.commit(&[entry(next, 1), entry(next, 2), entry(next, 310)]);
    let count = |from, count_max, bytes_max| bench.store().log(site, from, count_max, bytes_max).len();
    assert_eq!(count(250, 1_000, usize::MAX), 50, "a log range ends at a hole");
    assert_eq!(count(301, 1_000, usize::MAX), 9, "a log range ends at the log's end, not in another site's log");
    assert_eq!(count(249, 1_000, usize::MAX), 0, "a log range that cannot begin where asked is empty");
    assert_eq!(count(300, 1_000, usize::MAX), 0, "a hole is not skipped");
    assert_eq!(count(250, 3, usize::MAX), 3, "a log range is bounded by count");
    assert_eq!(count(250, 0, usize::MAX), 0, "a count of nothing is nothing");
    assert_eq!(count(250, 1_000, 0), 1, "at least one entry comes, however small the byte bound");
    assert!((4..=6).contains(&count(250, 1_000, 500)), "a log range is bounded by bytes, about");
    bench.check("logs are kept");
}

fn a_cut_takes_a_logs_front_and_nothing_else<S: Durable, F: FnMut() -> S>(bench: &mut Bench<S, F>) {
    let (site, before, after) = (Site::new(20, 1), Site::new(19, 9), Site::new(20, 2));
    let entry = |site, index| Write::Log(site, index, Bytes::from(vec![0xcd; 10]));
    let batch: Vec<Write> = [before, site, after].iter().flat_map(|s| (1..=300).map(|n| entry(*s, n))).collect();
    bench.commit(&batch);
    bench.commit(&[entry(site, 301), Write::Cut(site, 257)]);
    bench.check("a cut removes the front of one log");
    bench.commit(&[Write::Cut(site, 257)]);
    bench.check("a cut repeated changes nothing");
    bench.commit(&[Write::Cut(site, u64::MAX)]);
    bench.check("a log can be cut as a whole");
    bench.commit(&[entry(site, 400)]);
    bench.check("a log goes on after its cut");
}

fn staged_pages_are_kept_until_they_are_removed<S: Durable, F: FnMut() -> S>(bench: &mut Bench<S, F>) {
    let page = |n, byte: u8| Write::Staged(n, Bytes::from(vec![byte; 2_000]));
    bench.commit(&[page(0, 1), page(255, 2), page(256, 3)]);
    bench.commit(&[page(0, 4)]);
    bench.check("pages are kept and replaced");
    bench.commit(&[Write::Unstage]);
    bench.check("all pages are removed, and nothing else");
    bench.commit(&[page(7, 5)]);
    bench.check("pages are kept again");
    bench.commit(&[Write::Unstage]);
}

fn an_index_keeps_to_its_name_its_order_and_its_limit<S: Durable, F: FnMut() -> S>(bench: &mut Bench<S, F>) {
    let names = ["ix", "ix1", "ix:", "i"];
    let ids: Vec<MintedId> = [3, 255, 256, 65_536].iter().map(|ms| id(*ms, 1)).collect();
    let mut batch = Vec::new();
    for name in names {
        let player = account(&format!("{name}@r"));
        batch.extend(ids.iter().map(|id| Write::AccountWager(player.clone(), *id)));
        batch.extend(ids.iter().map(|id| Write::MarketWager(market(name), *id)));
    }
    bench.commit(&batch);
    let newest: Vec<MintedId> = ids.iter().rev().copied().collect();
    let (player, game, store) = (account("ix@r"), market("ix"), bench.store());
    assert_eq!(store.account_wagers(&player, None, 99), newest, "an account's wagers come newest first, none else's");
    assert_eq!(store.market_wagers(&game, None, 99), ids, "a market's wagers come in id order, no other market's");
    let (third, rest) = (ids.get(2).copied(), newest.get(2..).unwrap_or_default());
    assert_eq!(store.account_wagers(&player, third, 99), rest, "`before` is exclusive");
    assert_eq!(store.account_wagers(&player, third, 1), rest.get(..1).unwrap_or_default(), "the limit holds");
    assert_eq!(store.market_wagers(&game, third, 99), ids.get(3..).unwrap_or_default(), "`after` is exclusive");
    assert_eq!(store.market_wagers(&game, None, 2), ids.get(..2).unwrap_or_default(), "the limit holds");
    assert!(store.market_wagers(&market("ix0"), None, 99).is_empty(), "an unknown market has no wagers");
    bench.check("indexes are kept");
}

fn results_are_those_of_one_market<S: Durable, F: FnMut() -> S>(bench: &mut Bench<S, F>) {
    let write = |m: &str, scope, r| Write::Result(market(m), scope, result(r));
    let one = |o: &str| ResultScope::Outcome(outcome(o));
    bench.commit(&[
        write("a", ResultScope::Market, OutcomeResult::Void),
        write("a", one("b"), OutcomeResult::Won),
        write("ab", ResultScope::Market, OutcomeResult::Lost),
        write("ab", one("b"), OutcomeResult::Lost),
        write("a", one("bb"), OutcomeResult::Lost),
    ]);
    assert_eq!(bench.store().results(&market("a")).len(), 3, "results of `a` are not those of `ab`");
    bench.check("results are kept");
}

/// Seeded batches over a few colliding keys, compared with a map after each and after reopening.
fn any_mix_of_writes_reads_like_a_map<S: Durable, F: FnMut() -> S>(bench: &mut Bench<S, F>) {
    let mut draw = Draw(0x5eed);
    for step in 0..100 {
        let batch: Vec<Write> = (0..=draw.below(12)).map(|_| any_write(&mut draw)).collect();
        bench.commit(&batch);
        if step % 10 == 9 {
            bench.reopen();
        }
        bench.told.check(bench.store.as_ref().expect("open"), "any mix of writes reads like a map");
    }
}

/// SplitMix64: the suite is the same everywhere.
struct Draw(u64);

impl Draw {
    const fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }

    fn of<T: Copy>(&mut self, list: &[T]) -> T {
        let at = usize::try_from(self.below(list.len() as u64)).unwrap_or(0);
        *list.get(at).expect("below the length")
    }
}

const NAMES: [&str; 4] = ["w", "wa", "wa~", "w:"];
const NUMBERS: [u64; 5] = [1, 2, 255, 256, 257];

fn any_write(draw: &mut Draw) -> Write {
    let (name, other) = (draw.of(&NAMES), draw.of(&NAMES));
    let (player, game) = (account(&format!("{name}@{other}")), market(name));
    let site = Site { region: draw.of(&[1, 255, 256]), incarnation: draw.of(&[1, 256]), shard: draw.of(&[0, 1]) };
    let (n, wager_id) = (draw.of(&NUMBERS), id(draw.of(&NUMBERS), draw.below(2)));
    let scope = if draw.below(3) == 0 { ResultScope::Market } else { ResultScope::Outcome(outcome(other)) };
    match draw.below(16) {
        0 => Write::Log(site, n, Bytes::from(vec![1; usize::try_from(draw.below(50)).unwrap_or(0)])),
        1 => Write::LogHead(site, LogHead { index: n, ..LogHead::default() }),
        2 => Write::Account(player, AccountHead { currency: gbp(), home: site, tenure: None, hearsay: None }),
        3 => Write::Row(player, site, row(draw.below(9))),
        4 => Write::Wager(Arc::new(wager(wager_id, draw.below(9)))),
        5 => Write::AccountWager(player, wager_id),
        6 => Write::MarketWager(game, wager_id),
        7 => Write::Posting(posting(wager_id, draw.below(9))),
        8 => Write::Result(game, scope, result(draw.of(&[OutcomeResult::Won, OutcomeResult::Lost]))),
        9 => Write::Settle(game, (draw.below(2) == 0).then_some(SettleCursor { after: Some(wager_id) })),
        10 => Write::Odds(RegisterKey::Status(game), status(MarketStatus::Active, draw.below(9))),
        11 => Write::Book(game, Arc::new(book(draw.below(9)))),
        12 => Write::Granted(site, player, draw.below(9)),
        13 => Write::Reference(decided("pay", name, (draw.below(2) == 0).then_some(wager_id))),
        14 => taken("pay", name, site, draw.below(2) == 0),
        _ => Write::Meta(Box::new(Meta { owner_ms: draw.below(9), ..Meta::default() })),
    }
}

/// A record of the tables that are loaded at start.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum BootKey {
    LogHead(Site),
    Account(AccountId),
    Row(AccountId, Site),
    Settle(MarketKey),
    Odds(RegisterKey),
    Book(MarketKey),
    Granted(Site, AccountId),
    Meta,
    Handed(MintedId, Site),
    Ticket(MintedId),
    Received(Reference, Site),
    Session(MintedId),
    Exclusion(AccountId, Site),
    Delayed(MintedId),
}

/// All that a store was told, the plain way.
#[derive(Default)]
struct Told {
    logs: BTreeMap<(Site, u64), Bytes>,
    wagers: BTreeMap<MintedId, Arc<WagerRecord>>,
    postings: BTreeMap<MintedId, Posting>,
    references: BTreeMap<Reference, ReferenceDecision>,
    account_wagers: BTreeMap<AccountId, BTreeSet<MintedId>>,
    market_wagers: BTreeMap<MarketKey, BTreeSet<MintedId>>,
    results: BTreeMap<MarketKey, BTreeMap<ResultScope, ResultRegister>>,
    staged: BTreeMap<u64, Bytes>,
    boot: BTreeMap<BootKey, Write>,
}

impl Told {
    fn take(&mut self, write: &Write) {
        match write.clone() {
            Write::Log(site, index, entry) => drop(self.logs.insert((site, index), entry)),
            Write::Wager(wager) => drop(self.wagers.insert(wager.id, wager)),
            Write::Posting(posting) => drop(self.postings.insert(posting.id, posting)),
            Write::AccountWager(account, id) => drop(self.account_wagers.entry(account).or_default().insert(id)),
            Write::MarketWager(market, id) => drop(self.market_wagers.entry(market).or_default().insert(id)),
            Write::Result(market, scope, r) => drop(self.results.entry(market).or_default().insert(scope, r)),
            Write::Settle(market, None) => drop(self.boot.remove(&BootKey::Settle(market))),
            Write::Handed(id, site, None) => drop(self.boot.remove(&BootKey::Handed(id, site))),
            Write::Ticket(id, None) => drop(self.boot.remove(&BootKey::Ticket(id))),
            Write::Session(id, None) => drop(self.boot.remove(&BootKey::Session(id))),
            Write::Delayed(id, None) => drop(self.boot.remove(&BootKey::Delayed(id))),
            Write::Received(name, site, None) => drop(self.boot.remove(&BootKey::Received(name, site))),
            Write::Reference(d) => drop(self.references.insert(d.received.reference.clone(), d)),
            Write::Cut(site, upto) => self.logs.retain(|(of, index), _| *of != site || *index > upto),
            Write::Staged(page, bytes) => drop(self.staged.insert(page, bytes)),
            Write::Unstage => self.staged.clear(),
            _ => drop(self.boot.insert(boot_key(write).expect("a boot table's record"), write.clone())),
        }
    }

    fn check(&self, store: &impl Durable, claim: &str) {
        let mut loaded = BTreeMap::new();
        store.load(&mut |write| {
            let key = boot_key(&write).unwrap_or_else(|| panic!("{claim}: load shows {write:?}, no boot table's"));
            assert!(loaded.insert(key.clone(), write).is_none(), "{claim}: load shows {key:?} twice");
        });
        assert_eq!(loaded, self.boot, "{claim}: load shows exactly the boot tables");
        self.check_points(store, claim);
        self.check_indexes(store, claim);
        self.check_logs(store, claim);
        for page in [0, 1, 7, 255, 256] {
            assert_eq!(store.staged(page), self.staged.get(&page).cloned(), "{claim}: page {page}");
        }
    }

    fn check_points(&self, view: &impl View, claim: &str) {
        let ids = self.wagers.keys().chain(self.postings.keys());
        for id in ids {
            assert_eq!(view.wager(*id), self.wagers.get(id).cloned(), "{claim}: wager {id}");
            assert_eq!(view.posting(*id), self.postings.get(id).cloned(), "{claim}: posting {id}");
        }
        for (reference, decision) in &self.references {
            assert_eq!(view.reference(reference).as_ref(), Some(decision), "{claim}: reference {reference}");
        }
        assert!(view.reference(&reference("pay", "absent")).is_none(), "{claim}: an unknown reference is absent");
        let absent = id(1, 0xdead);
        assert!(view.wager(absent).is_none() && view.posting(absent).is_none(), "{claim}: an unknown id is absent");
        for (market, results) in &self.results {
            let shown = view.results(market);
            let count = shown.len();
            let shown: BTreeMap<_, _> = shown.into_iter().collect();
            assert_eq!((&shown, count), (results, results.len()), "{claim}: results of {market}");
        }
    }

    fn check_indexes(&self, view: &impl View, claim: &str) {
        for (account, ids) in &self.account_wagers {
            for before in ids.iter().map(|id| Some(*id)).chain([None]) {
                let below = ids.iter().rev().filter(|id| before.is_none_or(|b| **id < b));
                let expected: Vec<MintedId> = below.take(3).copied().collect();
                assert_eq!(view.account_wagers(account, before, 3), expected, "{claim}: {account} before {before:?}");
            }
        }
        for (market, ids) in &self.market_wagers {
            for after in ids.iter().map(|id| Some(*id)).chain([None]) {
                let above = ids.iter().filter(|id| after.is_none_or(|a| **id > a));
                let expected: Vec<MintedId> = above.take(3).copied().collect();
                assert_eq!(view.market_wagers(market, after, 3), expected, "{claim}: {market} after {after:?}");
            }
        }
    }

    fn check_logs(&self, view: &impl View, claim: &str) {
        let cut = Site::new(20, 1);
        for index in [1, 257, 258, 301].iter().filter(|n| !self.logs.contains_key(&(cut, **n))) {
            assert!(view.log(cut, *index, 1, usize::MAX).is_empty(), "{claim}: entry {index} of {cut} is gone");
        }
        for (site, from) in self.logs.keys() {
            let run: Vec<Bytes> = (*from..).map_while(|n| self.logs.get(&(*site, n)).cloned()).collect();
            assert_eq!(view.log(*site, *from, usize::MAX, usize::MAX), run, "{claim}: log of {site} from {from}");
            let two = run.get(..run.len().min(2)).unwrap_or_default();
            assert_eq!(view.log(*site, *from, 2, usize::MAX), two, "{claim}: two entries of {site} from {from}");
        }
    }
}

fn boot_key(write: &Write) -> Option<BootKey> {
    Some(match write {
        Write::LogHead(site, _) => BootKey::LogHead(*site),
        Write::Account(account, _) => BootKey::Account(account.clone()),
        Write::Row(account, site, _) => BootKey::Row(account.clone(), *site),
        Write::Settle(market, Some(_)) => BootKey::Settle(market.clone()),
        Write::Odds(key, _) => BootKey::Odds(key.clone()),
        Write::Book(market, _) => BootKey::Book(market.clone()),
        Write::Granted(site, account, _) => BootKey::Granted(*site, account.clone()),
        Write::Meta(_) => BootKey::Meta,
        Write::Handed(id, site, Some(_)) => BootKey::Handed(*id, *site),
        Write::Ticket(id, Some(_)) => BootKey::Ticket(*id),
        Write::Session(id, Some(_)) => BootKey::Session(*id),
        Write::Exclusion(account, site, _) => BootKey::Exclusion(account.clone(), *site),
        Write::Delayed(id, Some(_)) => BootKey::Delayed(*id),
        Write::Received(name, site, Some(_)) => BootKey::Received(name.clone(), *site),
        _ => return None,
    })
}
