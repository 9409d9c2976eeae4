//! Numbered batches that touch every family, and the check that they are whole.

use std::sync::Arc;

use bytes::Bytes;
use crdt::{FeedSlot, Hlc, Register, Row, Site};
use engine::conformance::one_of_each;
use engine::odds::{RegisterKey, RegisterValue};
use engine::port::{Durable, LogHead, Meta, View, Write};
use model::{AccountId, MarketKey, MarketStatus, MintedId, Posting, ProducerId, ResultScope, WagerRecord};
use store::Store;

const WAGERS: u64 = 20;
const ENTRIES: u64 = 3;
const SITE: Site = Site::new(1, 1);

fn account() -> AccountId {
    AccountId::new("p1@eu-west").unwrap()
}

fn market() -> MarketKey {
    MarketKey::new("m:1").unwrap()
}

fn wager_id(n: u64, j: u64) -> MintedId {
    MintedId::mint(n, 1, 1, j)
}

fn posting_id(n: u64) -> MintedId {
    MintedId::mint(n, 1, 1, 999)
}

/// Sizes differ from batch to batch, up to 64 KiB an entry: a kill can strike inside a write.
fn entry(n: u64, j: u64) -> Bytes {
    let size = (n * 7_919 + j * 104_729) % 65_536;
    Bytes::from(format!("{n}/{j}/").repeat(usize::try_from(size / 8).unwrap() + 1))
}

fn templates() -> (WagerRecord, Posting) {
    let (mut wager, mut posting) = (None, None);
    for write in one_of_each() {
        match write {
            Write::Wager(w) => wager = Some((*w).clone()),
            Write::Posting(p) => posting = Some(p),
            _ => {}
        }
    }
    (wager.unwrap(), posting.unwrap())
}

/// The `n`-th batch, from 1.
pub(crate) fn batch(n: u64) -> Vec<Write> {
    let (wager, posting) = templates();
    let mut out = Vec::new();
    for j in 0..WAGERS {
        let id = wager_id(n, j);
        out.push(Write::Wager(Arc::new(WagerRecord { id, entry: n, ..wager.clone() })));
        out.push(Write::AccountWager(account(), id));
        out.push(Write::MarketWager(market(), id));
    }
    out.extend((0..ENTRIES).map(|j| Write::Log(SITE, (n - 1) * ENTRIES + j + 1, entry(n, j))));
    out.push(Write::Posting(Posting { id: posting_id(n), ..posting }));
    out.push(Write::LogHead(SITE, LogHead { index: n * ENTRIES, ..LogHead::default() }));
    out.push(Write::Row(account(), SITE, Row { dep: n, ..Row::default() }));
    let dot = crdt::Dot { site: SITE, n };
    let producer = ProducerId::new("betfair").unwrap();
    let slot = FeedSlot { time_ms: n, seq: 0, value: MarketStatus::Active, dot, at: Hlc(n), mark: None };
    let register = Register { feeds: [(producer.clone(), slot)].into(), ..Register::default() };
    out.push(Write::Odds(RegisterKey::Status(market()), RegisterValue::Status(register)));
    let slot = FeedSlot { time_ms: n, seq: 0, value: model::OutcomeResult::Won, dot, at: Hlc(n), mark: None };
    let register = Register { feeds: [(producer, slot)].into(), ..Register::default() };
    out.push(Write::Result(market(), ResultScope::Market, register));
    out.push(Write::Meta(Box::new(Meta { owner_ms: n, ..Meta::default() })));
    out
}

/// The number of the last batch there; panics unless every batch up to it is whole and nothing of a later one is there.
pub(crate) fn last_whole(store: &Store) -> u64 {
    let (mut meta, mut head, mut row, mut odds) = (0, 0, 0, 0);
    store.load(&mut |write| match write {
        Write::Meta(m) => meta = m.owner_ms,
        Write::LogHead(_, h) => head = h.index,
        Write::Row(_, _, r) => row = r.dep,
        Write::Odds(_, r) => odds = r.newest().0,
        other => panic!("load shows {other:?}"),
    });
    let last = meta;
    assert_eq!((head, row, odds), (last * ENTRIES, last, last), "the tables loaded at start are of one batch");
    let result = store.results(&market()).first().map_or(0, |(_, r)| r.newest().0);
    assert_eq!(result, last, "the result is of the same batch");
    let (wager, posting) = templates();
    for n in 1..=last {
        for j in 0..WAGERS {
            let id = wager_id(n, j);
            let expected = WagerRecord { id, entry: n, ..wager.clone() };
            assert_eq!(store.wager(id).as_deref(), Some(&expected), "wager {j} of batch {n}");
        }
        assert_eq!(store.posting(posting_id(n)), Some(Posting { id: posting_id(n), ..posting.clone() }));
        let expected: Vec<Bytes> = (0..ENTRIES).map(|j| entry(n, j)).collect();
        assert_eq!(store.log(SITE, (n - 1) * ENTRIES + 1, 3, usize::MAX), expected, "log of batch {n}");
    }
    let next = last + 1;
    assert!((0..WAGERS).all(|j| store.wager(wager_id(next, j)).is_none()), "no wager of a half batch");
    assert!(store.posting(posting_id(next)).is_none(), "no posting of a half batch");
    assert!(store.log(SITE, last * ENTRIES + 1, 3, usize::MAX).is_empty(), "no entry of a half batch");
    let ids: Vec<MintedId> = (1..=last).flat_map(|n| (0..WAGERS).map(move |j| wager_id(n, j))).collect();
    assert_eq!(store.market_wagers(&market(), None, usize::MAX), ids, "the market's index is of whole batches");
    let newest: Vec<MintedId> = ids.into_iter().rev().collect();
    assert_eq!(store.account_wagers(&account(), None, usize::MAX), newest, "the account's too");
    last
}
