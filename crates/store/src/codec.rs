//! One durable change as a key and a record, and back. The two functions are inverses; all reads and writes pass here.
//! Knows the port's kinds of change and where each lies; knows no RocksDB.

use std::sync::Arc;

use engine::port::Write;
use minicbor::Decode;
use model::{Posting, ReferenceDecision, WagerRecord};

use crate::keys::{Family, Key, MetaTag, OfAccount, log_front, tagged};
use crate::record::{self, Damage};

/// A change ready for the disk. Its buffers are used again for the next one.
#[derive(Default)]
pub(crate) struct Sealed {
    pub(crate) key: Vec<u8>,
    /// Meaningless when the key is to be removed.
    pub(crate) record: Vec<u8>,
}

/// What is to be done with the key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Act {
    Put,
    Remove,
    /// Remove all keys from this one on, below the one in the place of the record. Such keys are no record's own, and
    /// in a batch they come before all others of their range: what a batch writes stays, wherever it stands in it.
    RemoveRange,
}

impl Sealed {
    /// Replaces the contents by those of `write`.
    pub(crate) fn seal(&mut self, write: &Write) -> (Family, Act) {
        match write {
            Write::Cut(site, upto) => return self.range(Family::Log, log_front(*site, *upto)),
            Write::Unstage => return self.range(Family::Meta, tagged(MetaTag::Staged)),
            _ => {}
        }
        let name = key_of(write);
        let family = name.family();
        name.write(&mut self.key);
        let (key, out) = (&self.key, &mut self.record);
        match write {
            Write::Log(_, _, entry) => record::seal_entry(family, key, entry, out),
            Write::LogHead(_, head) => record::seal(family, key, head, out),
            Write::Account(_, head) => record::seal(family, key, head, out),
            Write::Row(_, _, row) => record::seal(family, key, row, out),
            Write::Wager(wager) => record::seal(family, key, &**wager, out),
            Write::AccountWager(..) | Write::MarketWager(..) => out.clear(),
            Write::Posting(posting) => record::seal(family, key, posting, out),
            Write::Result(_, _, register) => record::seal(family, key, register, out),
            Write::Settle(_, Some(cursor)) => record::seal(family, key, cursor, out),
            Write::Settle(_, None) => return (family, Act::Remove),
            Write::Odds(_, value) => record::seal(family, key, value, out),
            Write::Book(_, book) => record::seal(family, key, &**book, out),
            Write::Granted(_, _, request) => record::seal(family, key, request, out),
            Write::Meta(meta) => record::seal(family, key, meta, out),
            Write::Handed(_, _, Some(handed)) => record::seal(family, key, handed, out),
            Write::Handed(_, _, None) => return (family, Act::Remove),
            Write::Ticket(_, Some(ticket)) => record::seal(family, key, ticket, out),
            Write::Ticket(_, None) => return (family, Act::Remove),
            Write::Reference(decision) => record::seal(family, key, decision, out),
            Write::Received(_, _, Some(received)) => record::seal(family, key, received, out),
            Write::Received(_, _, None) => return (family, Act::Remove),
            Write::Session(_, Some(session)) => record::seal(family, key, session, out),
            Write::Session(_, None) => return (family, Act::Remove),
            Write::Exclusion(_, _, row) => record::seal(family, key, row, out),
            Write::Delayed(_, Some(note)) => record::seal(family, key, note, out),
            Write::Delayed(_, None) => return (family, Act::Remove),
            Write::Staged(_, page) => record::seal_entry(family, key, page, out),
            Write::Cut(..) | Write::Unstage => unreachable!("ranges have been dealt with"),
        }
        (family, Act::Put)
    }

    fn range(&mut self, family: Family, (from, to): (Vec<u8>, Vec<u8>)) -> (Family, Act) {
        (self.key, self.record) = (from, to);
        (family, Act::RemoveRange)
    }
}

/// Reads a record back as the change that wrote it.
pub(crate) fn read(family: Family, key: &[u8], bytes: &[u8]) -> Result<Write, Damage> {
    Ok(match Key::read(family, key)? {
        Key::Log(site, index) => Write::Log(site, index, record::open_entry(family, key, bytes)?),
        Key::Rows(account, OfAccount::Head) => Write::Account(account, record::open(family, key, bytes)?),
        Key::Rows(account, OfAccount::Row(site)) => Write::Row(account, site, record::open(family, key, bytes)?),
        Key::Rows(account, OfAccount::Granted(site)) => {
            Write::Granted(site, account, record::open(family, key, bytes)?)
        }
        Key::Wager(id) => Write::Wager(Arc::new(own(id, record::open(family, key, bytes)?, |w: &WagerRecord| w.id)?)),
        Key::Posting(id) => Write::Posting(own(id, record::open(family, key, bytes)?, |p: &Posting| p.id)?),
        Key::AccountWager(account, id) => {
            record::open_index(bytes)?;
            Write::AccountWager(account, id)
        }
        Key::MarketWager(market, id) => {
            record::open_index(bytes)?;
            Write::MarketWager(market, id)
        }
        Key::Result(market, scope) => Write::Result(market, scope, record::open(family, key, bytes)?),
        Key::Odds(register) => Write::Odds(register, record::open(family, key, bytes)?),
        Key::Book(market) => Write::Book(market, Arc::new(record::open(family, key, bytes)?)),
        Key::Meta => Write::Meta(Box::new(record::open(family, key, bytes)?)),
        Key::LogHead(site) => Write::LogHead(site, record::open(family, key, bytes)?),
        Key::Settle(market) => Write::Settle(market, Some(record::open(family, key, bytes)?)),
        Key::Handed(id, site) => Write::Handed(id, site, Some(record::open(family, key, bytes)?)),
        Key::Ticket(id) => Write::Ticket(id, Some(record::open(family, key, bytes)?)),
        Key::Reference(name) => {
            Write::Reference(own(name, record::open(family, key, bytes)?, |d: &ReferenceDecision| {
                d.received.reference.clone()
            })?)
        }
        Key::Received(site, name) => Write::Received(name, site, Some(record::open(family, key, bytes)?)),
        Key::Session(id) => Write::Session(id, Some(record::open(family, key, bytes)?)),
        Key::Exclusion(account, site) => Write::Exclusion(account, site, record::open(family, key, bytes)?),
        Key::Delayed(id) => Write::Delayed(id, Some(record::open(family, key, bytes)?)),
        Key::Staged(page) => Write::Staged(page, record::open_entry(family, key, bytes)?),
        Key::Birth => return Err(Damage::Key(crate::keys::BadKey)),
    })
}

/// Where a change lies.
pub(crate) fn key_of(write: &Write) -> Key {
    match write {
        Write::Log(site, index, _) => Key::Log(*site, *index),
        Write::LogHead(site, _) => Key::LogHead(*site),
        Write::Account(account, _) => Key::Rows(account.clone(), OfAccount::Head),
        Write::Row(account, site, _) => Key::Rows(account.clone(), OfAccount::Row(*site)),
        Write::Wager(wager) => Key::Wager(wager.id),
        Write::AccountWager(account, id) => Key::AccountWager(account.clone(), *id),
        Write::MarketWager(market, id) => Key::MarketWager(market.clone(), *id),
        Write::Posting(posting) => Key::Posting(posting.id),
        Write::Result(market, scope, _) => Key::Result(market.clone(), scope.clone()),
        Write::Settle(market, _) => Key::Settle(market.clone()),
        Write::Odds(register, _) => Key::Odds(register.clone()),
        Write::Book(market, _) => Key::Book(market.clone()),
        Write::Granted(site, account, _) => Key::Rows(account.clone(), OfAccount::Granted(*site)),
        Write::Meta(_) => Key::Meta,
        Write::Handed(id, site, _) => Key::Handed(*id, *site),
        Write::Ticket(id, _) => Key::Ticket(*id),
        Write::Reference(decision) => Key::Reference(decision.received.reference.clone()),
        Write::Received(name, site, _) => Key::Received(*site, name.clone()),
        Write::Session(id, _) => Key::Session(*id),
        Write::Exclusion(account, site, _) => Key::Exclusion(account.clone(), *site),
        Write::Delayed(id, _) => Key::Delayed(*id),
        Write::Staged(page, _) => Key::Staged(*page),
        Write::Cut(..) | Write::Unstage => unreachable!("a range has no one key"),
    }
}

/// The record's own id must be the one it lies under.
fn own<T: for<'b> Decode<'b, ()>, I: PartialEq>(id: I, value: T, id_of: fn(&T) -> I) -> Result<T, Damage> {
    if id_of(&value) == id { Ok(value) } else { Err(Damage::OtherId) }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use bytes::Bytes;
    use crdt::{Dot, FeedSlot, Hlc, Register, Row, Site, Vector};
    use engine::conformance::one_of_each;
    use engine::odds::{ClockTime, RegisterKey, RegisterValue, ResultTwin};
    use engine::port::{LogHead, Meta};
    use model::settlement::{Rounding, System};
    use model::{
        AccountId, Amount, CancelWindow, Cancelled, CashOut, Decision, Deduction, DeductionFrom, Deductions,
        Definition, EventKey, GroupKey, Groups, Hash16, MarketKey, MarketStatus, MintedId, Odds, OutcomeDef,
        OutcomeKey, OutcomeResult, Price, Problem, ProducerId, ProducerState, RejectCode, ResultRegister, ResultScope,
        SaleScope, Share, Sport, Step, StepKind, Text, Verdict, WagerState,
    };
    use proptest::prelude::*;

    use super::*;
    use crate::identity::{Birth, FORMAT_VERSION, Identity};

    fn sealed(write: &Write) -> (Family, Act, Sealed) {
        let mut sealed = Sealed::default();
        let (family, act) = sealed.seal(write);
        (family, act, sealed)
    }

    fn producer() -> ProducerId {
        ProducerId::new("desk:eu-west").unwrap()
    }

    fn register<V>(value: V) -> Register<ProducerId, V> {
        let dot = Dot { site: Site::new(1, 1), n: 2 };
        Register {
            feeds: [(producer(), FeedSlot { time_ms: 5, seq: 6, value, dot, at: Hlc(7), mark: None })].into(),
            ..Register::default()
        }
    }

    /// Every kind of value that [`one_of_each`] shows only one variant of.
    fn more() -> Vec<(&'static str, Write)> {
        let (market, outcome) = (MarketKey::new("m:1").unwrap(), OutcomeKey::new("home").unwrap());
        let name = Text::new("Home");
        let definition = Definition {
            name: Text::new("Match odds"),
            event: EventKey::new("e:1").unwrap(),
            sport: Text::new("football"),
            start_ms: 1,
            in_play: true,
            bet_delay_ms: 5_000,
            outcomes: vec![OutcomeDef { key: outcome.clone(), name }],
            exchange: false,
            terms: None,
        };
        let price = Price { active: true, odds: Some(Odds::new(21, 13).unwrap()) };
        let resulted: ResultRegister = register(OutcomeResult::Void);
        let mut rejected = one_of_each()
            .into_iter()
            .find_map(|w| if let Write::Wager(w) = w { Some((*w).clone()) } else { None })
            .unwrap();
        let prepared = WagerRecord { prepared: Some(true), ..rejected.clone() };
        let problem = Problem { leg: Some(0), code: RejectCode::OddsChanged, odds: price.odds };
        rejected.decision = Decision::Rejected(vec![problem]);
        let scope = ResultScope::Outcome(outcome.clone());
        let mut system = rejected.clone();
        system.decision = Decision::Accepted;
        system.legs = vec![rejected.legs[0].clone(), rejected.legs[0].clone(), rejected.legs[0].clone()];
        (system.stake, system.unit) = (Amount::from_minor(800).unwrap(), Some(Amount::from_minor(100).unwrap()));
        system.system = Some(System::new(3, vec![2, 3], Vec::new()).unwrap());
        system.each_way = Some(vec![Share::new(1, 5).unwrap(); 3]);
        system.rounding = Some(Rounding::HalfUp);
        let (id, minor) = (MintedId::mint(9, 1, 1, 8), |n| Amount::from_minor(n).unwrap());
        let cash_out = CashOut { id, stake: minor(200), pays: minor(285) };
        let step = |version, state, paid, what| Step { version, at: Hlc(8), state, paid: minor(paid), what };
        let cashed = step(1, WagerState::Open, 285, StepKind::CashedOut(cash_out));
        let cancelled = Cancelled { share: Share::HALF, reason: Text::new("late") };
        let revoked = step(2, WagerState::Void, 585, StepKind::Cancelled(cancelled));
        let later = prepared.after(cashed, minor(200), Vec::new()).after(revoked, prepared.stake, vec![0]);
        let mut closed: ResultRegister = register(OutcomeResult::Won);
        closed.feeds.values_mut().for_each(|slot| slot.mark = std::num::NonZeroU64::new(4));
        let deduction = Deduction { from: DeductionFrom::Winnings, share: Share::HALF, before_ms: Some(9) };
        let deductions = Deductions::new(vec![deduction], Some(Share::new(3, 4).unwrap())).unwrap();
        let verdict = Verdict { void_factor: Share::HALF, deductions, ..Verdict::plain(true) };
        let graded = register(OutcomeResult::of(verdict).unwrap());
        let window = CancelWindow { start_ms: Some(3), end_ms: None };
        let group = GroupKey::new("all").unwrap();
        let odds = |key, value| Write::Odds(key, value);
        vec![
            ("wager_rejected", Write::Wager(Arc::new(rejected))),
            ("wager_prepared", Write::Wager(Arc::new(prepared))),
            ("wager_system", Write::Wager(Arc::new(system))),
            ("wager_later", Write::Wager(Arc::new(later))),
            ("result_closed", Write::Result(market.clone(), scope.clone(), closed)),
            ("result_graded", Write::Result(market.clone(), scope.clone(), graded)),
            (
                "odds_producer",
                odds(RegisterKey::Producer(producer()), RegisterValue::Producer(register(ProducerState::Down))),
            ),
            ("odds_clock", odds(RegisterKey::Clock, RegisterValue::Clock(register(ClockTime(8))))),
            (
                "odds_resulted",
                odds(
                    RegisterKey::Resulted(market.clone(), scope),
                    RegisterValue::Resulted(ResultTwin {
                        results: resulted,
                        carried: [(Site::new(1, 1), 7)].into_iter().collect(),
                    }),
                ),
            ),
            (
                "odds_definition",
                odds(RegisterKey::Definition(market.clone()), RegisterValue::Definition(register(definition))),
            ),
            (
                "result_window",
                Write::Result(market.clone(), ResultScope::Window(window), register(OutcomeResult::Void)),
            ),
            (
                "odds_stop",
                odds(
                    RegisterKey::Stop(EventKey::new("e:1").unwrap(), group.clone()),
                    RegisterValue::Stop(register(MarketStatus::Suspended)),
                ),
            ),
            ("odds_alive", odds(RegisterKey::Alive(producer()), RegisterValue::Alive(register(ClockTime(8))))),
            (
                "odds_described",
                odds(RegisterKey::Described(18), RegisterValue::Described(register(Groups(vec![group])))),
            ),
            (
                "odds_held",
                odds(
                    RegisterKey::Held(SaleScope::Sport(Sport::new("tennis").unwrap())),
                    RegisterValue::Held(register(MarketStatus::Suspended)),
                ),
            ),
            ("odds_price", odds(RegisterKey::Price(market, outcome), RegisterValue::Price(register(price)))),
        ]
    }

    fn named(write: Write) -> (&'static str, Write) {
        let name = match &write {
            Write::Log(..) => "log",
            Write::LogHead(..) => "log_head",
            Write::Account(..) => "account",
            Write::Row(..) => "row",
            Write::Wager(_) => "wager",
            Write::AccountWager(..) => "account_wager",
            Write::MarketWager(..) => "market_wager",
            Write::Posting(_) => "posting",
            Write::Result(..) => "result",
            Write::Settle(..) => "settle",
            Write::Odds(..) => "odds_status",
            Write::Book(..) => "book",
            Write::Granted(..) => "granted",
            Write::Meta(_) => "meta",
            Write::Handed(..) => "handed",
            Write::Ticket(..) => "ticket",
            Write::Reference(_) => "reference",
            Write::Received(..) => "received",
            Write::Session(..) => "session",
            Write::Exclusion(..) => "exclusion",
            Write::Delayed(..) => "delayed",
            Write::Staged(..) => "staged",
            Write::Cut(..) | Write::Unstage => panic!("a range is no record"),
        };
        (name, write)
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }

    fn unhex(text: &str) -> Vec<u8> {
        (0..text.len() / 2).map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap()).collect()
    }

    /// Compares with the checked-in bytes, or writes them when `STAKEHOLD_BLESS=1`.
    fn golden(name: &str, family: Family, key: &[u8], record: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../schemas/records");
        let path = folder.join(format!("{name}.hex"));
        let now = format!("family {}\nkey {}\nrecord {}\n", family.name(), hex(key), hex(record));
        if std::env::var("STAKEHOLD_BLESS").is_ok_and(|v| v == "1") {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, &now).unwrap();
        }
        let then = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("schemas/records/{name}.hex: {e}"));
        assert_eq!(then, now, "the bytes of {name} have changed: old data would not be read the same");
        let part = |word: &str| unhex(then.lines().find_map(|l| l.strip_prefix(word)).unwrap().trim());
        (part("key"), part("record"))
    }

    #[test]
    fn the_bytes_of_every_kind_are_those_checked_in() {
        let all: Vec<_> = one_of_each().into_iter().map(named).chain(more()).collect();
        let names: std::collections::BTreeSet<_> = all.iter().map(|(n, _)| *n).collect();
        assert_eq!(names.len(), 38, "one of each kind, each once");
        for (name, write) in all {
            let (family, act, now) = sealed(&write);
            assert_eq!(act, Act::Put);
            let (key, record) = golden(name, family, &now.key, &now.record);
            assert_eq!(read(family, &key, &record), Ok(write), "{name} is read back from the checked-in bytes");
        }
        let identity = Identity { cluster: "demo".into(), region: 1, region_name: "eu-west".into(), incarnation: 1 };
        let (birth, key) = (Birth { format: FORMAT_VERSION, identity }, Key::Birth.bytes());
        let mut record = Vec::new();
        record::seal(Family::Meta, &key, &birth, &mut record);
        let (key, record) = golden("birth", Family::Meta, &key, &record);
        assert_eq!(record::open(Family::Meta, &key, &record), Ok(birth));
    }

    #[test]
    fn no_mark_removes_the_key() {
        let market = MarketKey::new("m").unwrap();
        let (family, act, now) = sealed(&Write::Settle(market.clone(), None));
        assert_eq!((family, act, now.key), (Family::Meta, Act::Remove, Key::Settle(market).bytes()));
    }

    #[test]
    fn a_sound_record_in_anothers_place_is_damage() {
        for write in one_of_each() {
            let (family, _, now) = sealed(&write);
            let (Write::Wager(_) | Write::Posting(_) | Write::Log(..) | Write::Staged(..)) = write else { continue };
            let mut key = now.key.clone();
            *key.last_mut().unwrap() ^= 1;
            assert_eq!(read(family, &key, &now.record), Err(Damage::Checksum));
        }
    }

    #[test]
    fn damage_is_named() {
        let key = Key::Meta.bytes();
        let mut out = Vec::new();
        assert_eq!(read(Family::Meta, &key, &[1, 2, 3]), Err(Damage::Short(3)));
        record::seal(Family::Meta, &key, &"not a meta", &mut out);
        assert!(matches!(read(Family::Meta, &key, &out), Err(Damage::Undecodable(_))));
        let entry = |bytes: &[u8]| {
            let mut out = Vec::new();
            record::seal_entry(Family::Meta, &key, bytes, &mut out);
            read(Family::Meta, &key, &out)
        };
        assert_eq!(entry(&[9, 0xa0]), Err(Damage::Version(9)));
        let mut long = vec![record::RECORD_VERSION];
        long.extend(minicbor::to_vec(Meta::default()).unwrap());
        assert_eq!(entry(&long), Ok(Write::Meta(Box::default())));
        long.push(0);
        assert_eq!(entry(&long), Err(Damage::Trailing));
        assert_eq!(read(Family::Meta, &[9], &out), Err(Damage::Key(crate::keys::BadKey)));
        let index = Key::MarketWager(MarketKey::new("m").unwrap(), MintedId::mint(1, 1, 1, 1)).bytes();
        assert_eq!(read(Family::MarketWagers, &index, &[0]), Err(Damage::NotEmpty));
    }

    fn site() -> impl Strategy<Value = Site> {
        (1u16..4096, any::<u32>(), any::<u16>()).prop_map(|(region, incarnation, shard)| Site {
            region,
            incarnation,
            shard,
        })
    }

    fn any_row() -> impl Strategy<Value = Row> {
        let map = || proptest::collection::btree_map(site(), any::<u64>(), 0..4);
        (any::<[u64; 11]>(), map(), map()).prop_map(|(n, sent, recv)| {
            let [dep, wdr, stk, rel, bur, pay, clw, dbt, dpd, hld, unh] = n;
            Row { dep, wdr, stk, rel, bur, pay, clw, dbt, dpd, sent, recv, hld, unh }
        })
    }

    fn any_wager() -> impl Strategy<Value = Write> {
        let id = (any::<u64>(), 1u16..4096, any::<u32>(), any::<u64>());
        (id, any::<u64>(), any::<[u8; 16]>(), any::<u32>(), proptest::option::of(".{0,40}")).prop_map(
            |((ms, region, incarnation, random), entry, body, version, text)| {
                let template = one_of_each().into_iter().find_map(|w| match w {
                    Write::Wager(w) => Some((*w).clone()),
                    _ => None,
                });
                let mut wager = template.unwrap();
                wager.id = MintedId::mint(ms, region, incarnation, random);
                (wager.entry, wager.body, wager.settled_version) = (entry, Hash16(body), version);
                wager.client_ref = text.as_deref().map(Text::new);
                Write::Wager(Arc::new(wager))
            },
        )
    }

    fn any_write() -> impl Strategy<Value = Write> {
        let account = AccountId::new("p@r").unwrap();
        let vector = proptest::collection::vec((site(), any::<u64>()), 0..4);
        prop_oneof![
            any_wager(),
            (site(), any_row()).prop_map(move |(site, row)| Write::Row(account.clone(), site, row)),
            (site(), any::<u64>(), any::<Vec<u8>>()).prop_map(|(s, n, b)| Write::Log(s, n, Bytes::from(b))),
            (site(), any::<u64>(), any::<[u8; 16]>(), proptest::option::of(".*")).prop_map(|(s, index, h, stopped)| {
                let stopped = stopped.as_deref().map(Text::new);
                Write::LogHead(s, LogHead { index, hash: Hash16(h), digest: Hash16(h), stopped, cut: None })
            }),
            (any::<u64>(), vector, any::<bool>()).prop_map(|(owner_ms, v, joined)| {
                let odds: Vector = v.into_iter().collect();
                Write::Meta(Box::new(Meta { owner_ms, odds, joined, ..Meta::default() }))
            }),
            proptest::sample::select(one_of_each()),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1024))]

        #[test]
        fn a_record_is_read_back(write in any_write()) {
            let (family, _, now) = sealed(&write);
            prop_assert_eq!(read(family, &now.key, &now.record), Ok(write));
        }

        #[test]
        fn one_flipped_bit_anywhere_in_a_record_is_noticed(write in any_write(), at: prop::sample::Index, bit in 0u8..8) {
            let (family, _, mut now) = sealed(&write);
            prop_assume!(!now.record.is_empty());
            let at = at.index(now.record.len());
            now.record[at] ^= 1 << bit;
            prop_assert_eq!(read(family, &now.key, &now.record), Err(Damage::Checksum));
        }

        #[test]
        fn foreign_bytes_are_refused_without_a_panic(family in 0usize..11, write in any_write(), record: Vec<u8>) {
            let (_, _, now) = sealed(&write);
            let family = Family::ALL[family];
            let is_index = matches!(family, Family::AccountWagers | Family::MarketWagers);
            let read = read(family, &now.key, &record);
            prop_assert!(read.is_err() || (is_index && record.is_empty()));
        }
    }
}
