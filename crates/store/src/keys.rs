//! Where every record lies: the one table of families and key layouts, written and read here only.
//! Knows no values, no RocksDB and no rule of betting.
//!
//! | family | key | what it holds |
//! |---|---|---|
//! | `log` | site · index | a log entry, as the bytes received |
//! | `rows` | account · 00 · 00 | an account's opening facts |
//! | `rows` | account · 00 · 01 · site | that site's row of the account |
//! | `rows` | account · 00 · 02 · site | last acquire request of that site granted here |
//! | `wagers` | id | a decided wager |
//! | `account_wagers` | account · 00 · id | nothing: an index |
//! | `market_wagers` | market · 00 · id | nothing: an index |
//! | `postings` | id | a decided deposit |
//! | `references` | region · 00 · provider · 00 · reference | a decided payment reference |
//! | `results` | market · 00 · scope | a result register |
//! | `odds` | 00 · producer | whether a producer may be believed |
//! | `odds` | 01 | the replay clock |
//! | `odds` | 02 · market | status |
//! | `odds` | 03 · market · 00 · scope | results in the odds plane |
//! | `odds` | 04 · market | definition |
//! | `odds` | 05 · market · 00 · outcome | price |
//! | `odds` | 06 · event · 00 · group | stops of a group of markets |
//! | `odds` | 07 · producer | newest `alive` of a producer |
//! | `odds` | 08 · number | groups of a kind of markets |
//! | `odds` | 09 · scope | suspension of a scope: 00 of all, 01 · sport, 02 · event |
//! | `books` | market | an exchange ladder |
//! | `meta` | 00 | whose directory this is, and its format |
//! | `meta` | 01 | the engine's own numbers |
//! | `meta` | 02 · site | how far that site's log is known |
//! | `meta` | 03 · market | a market whose wagers wait to be settled |
//! | `meta` | 08 · id · site | what that site did with a wager id instead of deciding it |
//! | `meta` | 09 · id | a wager id of a region that could not be heard |
//! | `meta` | 0c · site · region · 00 · provider · 00 · reference | a payment reference that site has taken in |
//! | `meta` | 10 · id | a session |
//! | `meta` | 13 · account · 00 · site | that site's row of the account's suspensions |
//! | `meta` | 14 · id | a wager that waits for its markets' delay |
//! | `meta` | 0a · number | a page of a snapshot that is coming in, as received; never loaded at start |
//!
//! site = region (2 bytes) · incarnation (4) · shard (2); index and numbers 8 bytes; all big-endian, so that byte
//! order is number order. id = its 16 bytes, which begin with `place_by`. scope = 00 for the market, 01 · outcome,
//! 02 · start · end for a cancel window, each 00 or 01 · ms; a kind's number 4 bytes.
//! Names are their own bytes. They never hold a zero byte, so the 00 after one keeps a name's records together and
//! apart from those of every longer name. Inside a family the byte order of keys is the order of [`Key`].

use crdt::Site;
use engine::odds::RegisterKey;
use model::{
    AccountId, CancelWindow, EventKey, GroupKey, MarketKey, MintedId, OutcomeKey, ProducerId, Reference, ResultScope,
    SaleScope, Sport,
};

/// A column family.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Family {
    Log,
    Rows,
    Wagers,
    AccountWagers,
    MarketWagers,
    Postings,
    References,
    Results,
    Odds,
    Books,
    Meta,
}

impl Family {
    pub(crate) const ALL: [Self; 11] = [
        Self::Log,
        Self::Rows,
        Self::Wagers,
        Self::AccountWagers,
        Self::MarketWagers,
        Self::Postings,
        Self::References,
        Self::Results,
        Self::Odds,
        Self::Books,
        Self::Meta,
    ];

    /// Its name on disk.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Rows => "rows",
            Self::Wagers => "wagers",
            Self::AccountWagers => "account_wagers",
            Self::MarketWagers => "market_wagers",
            Self::Postings => "postings",
            Self::References => "references",
            Self::Results => "results",
            Self::Odds => "odds",
            Self::Books => "books",
            Self::Meta => "meta",
        }
    }
}

/// The name of one record.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Key {
    Log(Site, u64),
    Rows(AccountId, OfAccount),
    Wager(MintedId),
    AccountWager(AccountId, MintedId),
    MarketWager(MarketKey, MintedId),
    Posting(MintedId),
    Reference(Reference),
    Result(MarketKey, ResultScope),
    Odds(RegisterKey),
    Book(MarketKey),
    Birth,
    Meta,
    LogHead(Site),
    Settle(MarketKey),
    Handed(MintedId, Site),
    Ticket(MintedId),
    Staged(u64),
    Received(Site, Reference),
    Session(MintedId),
    Exclusion(AccountId, Site),
    Delayed(MintedId),
}

/// What is kept under an account's name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum OfAccount {
    Head,
    Row(Site),
    Granted(Site),
}

/// These bytes are no key of that family.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("its key is not of this family's form")]
pub(crate) struct BadKey;

impl Key {
    pub(crate) const fn family(&self) -> Family {
        match self {
            Self::Log(..) => Family::Log,
            Self::Rows(..) => Family::Rows,
            Self::Wager(_) => Family::Wagers,
            Self::AccountWager(..) => Family::AccountWagers,
            Self::MarketWager(..) => Family::MarketWagers,
            Self::Posting(_) => Family::Postings,
            Self::Reference(_) => Family::References,
            Self::Result(..) => Family::Results,
            Self::Odds(_) => Family::Odds,
            Self::Book(_) => Family::Books,
            Self::Birth
            | Self::Meta
            | Self::LogHead(_)
            | Self::Settle(_)
            | Self::Handed(..)
            | Self::Ticket(_)
            | Self::Staged(_)
            | Self::Received(..)
            | Self::Session(_)
            | Self::Exclusion(..)
            | Self::Delayed(_) => Family::Meta,
        }
    }

    /// Replaces the contents of `out` by the key's bytes.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.clear();
        match self {
            Self::Log(site, index) => {
                put_site(out, *site);
                out.extend(index.to_be_bytes());
            }
            Self::Rows(account, of) => {
                put_name(out, account.as_str());
                match of {
                    OfAccount::Head => out.push(0),
                    OfAccount::Row(site) => put_tagged_site(out, 1, *site),
                    OfAccount::Granted(site) => put_tagged_site(out, 2, *site),
                }
            }
            Self::Wager(id) | Self::Posting(id) => out.extend(id.bytes()),
            Self::AccountWager(account, id) => {
                put_name(out, account.as_str());
                out.extend(id.bytes());
            }
            Self::MarketWager(market, id) => {
                put_name(out, market.as_str());
                out.extend(id.bytes());
            }
            Self::Result(market, scope) => {
                put_name(out, market.as_str());
                put_scope(out, scope);
            }
            Self::Odds(key) => put_register(out, key),
            Self::Book(market) => out.extend(market.as_str().as_bytes()),
            Self::Reference(reference) => put_reference(out, reference),
            Self::Received(site, reference) => {
                put_tagged_site(out, 12, *site);
                put_reference(out, reference);
            }
            Self::Session(id) => {
                out.push(16);
                out.extend(id.bytes());
            }
            Self::Exclusion(account, site) => {
                out.push(19);
                put_name(out, account.as_str());
                put_site(out, *site);
            }
            Self::Delayed(id) => {
                out.push(20);
                out.extend(id.bytes());
            }
            Self::Birth => out.push(0),
            Self::Meta => out.push(1),
            Self::LogHead(site) => put_tagged_site(out, 2, *site),
            Self::Settle(market) => put_tagged(out, 3, market.as_str()),
            Self::Handed(id, site) => {
                out.push(8);
                out.extend(id.bytes());
                put_site(out, *site);
            }
            Self::Ticket(id) => {
                out.push(9);
                out.extend(id.bytes());
            }
            Self::Staged(page) => {
                out.push(STAGED);
                out.extend(page.to_be_bytes());
            }
        }
    }

    /// The key's bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        self.write(&mut out);
        out
    }

    /// Reads a key back.
    pub(crate) fn read(family: Family, bytes: &[u8]) -> Result<Self, BadKey> {
        let mut r = Reader(bytes);
        let key = match family {
            Family::Log => Self::Log(r.site()?, u64::from_be_bytes(r.take()?)),
            Family::Rows => Self::Rows(r.account()?, r.of_account()?),
            Family::Wagers => Self::Wager(r.id()?),
            Family::AccountWagers => Self::AccountWager(r.account()?, r.id()?),
            Family::MarketWagers => Self::MarketWager(r.market()?, r.id()?),
            Family::Postings => Self::Posting(r.id()?),
            Family::References => Self::Reference(r.last_reference()?),
            Family::Results => Self::Result(r.market()?, r.scope()?),
            Family::Odds => Self::Odds(r.register()?),
            Family::Books => Self::Book(r.last_market()?),
            Family::Meta => match r.byte()? {
                0 => Self::Birth,
                1 => Self::Meta,
                2 => Self::LogHead(r.site()?),
                3 => Self::Settle(r.last_market()?),
                8 => Self::Handed(r.id()?, r.site()?),
                9 => Self::Ticket(r.id()?),
                16 => Self::Session(r.id()?),
                19 => Self::Exclusion(r.account()?, r.site()?),
                20 => Self::Delayed(r.id()?),
                12 => Self::Received(r.site()?, r.last_reference()?),
                STAGED => Self::Staged(u64::from_be_bytes(r.take()?)),
                _ => return Err(BadKey),
            },
        };
        if r.0.is_empty() { Ok(key) } else { Err(BadKey) }
    }
}

/// The first byte of the keys of staged pages in `meta`.
const STAGED: u8 = 10;

/// The keys of a tag in `meta`: from the first, and below the second.
pub(crate) fn tagged(tag: MetaTag) -> (Vec<u8>, Vec<u8>) {
    let tag = match tag {
        MetaTag::LogHeads => 2,
        MetaTag::Handed => 8,
        MetaTag::Staged => STAGED,
        MetaTag::Received => 12,
        MetaTag::Sessions => 16,
        MetaTag::Exclusions => 19,
    };
    (vec![tag], vec![tag + 1])
}

/// A kind of key in `meta` that is read or removed by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum MetaTag {
    LogHeads,
    Handed,
    Staged,
    Received,
    Sessions,
    Exclusions,
}

/// The keys of a log's entries up to one: from the first, and below the second. The first is no entry's own.
pub(crate) fn log_front(site: Site, upto: u64) -> (Vec<u8>, Vec<u8>) {
    let mut from = Vec::new();
    put_site(&mut from, site);
    (from, just_after(Key::Log(site, upto).bytes()))
}

/// All keys that begin with a name and its end.
pub(crate) fn name_prefix(name: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len() + 1);
    put_name(&mut out, name);
    out
}

/// The first key after all those that begin with a name and its end.
pub(crate) fn name_end(name: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len() + 1);
    out.extend(name.as_bytes());
    out.push(1);
    out
}

/// The first key after `key`.
pub(crate) fn just_after(mut key: Vec<u8>) -> Vec<u8> {
    key.push(0);
    key
}

fn put_name(out: &mut Vec<u8>, name: &str) {
    assert!(!name.as_bytes().contains(&0), "a name holds no zero byte, or its records would mix with another's");
    out.extend(name.as_bytes());
    out.push(0);
}

fn put_site(out: &mut Vec<u8>, site: Site) {
    out.extend(site.region.to_be_bytes());
    out.extend(site.incarnation.to_be_bytes());
    out.extend(site.shard.to_be_bytes());
}

fn put_tagged_site(out: &mut Vec<u8>, tag: u8, site: Site) {
    out.push(tag);
    put_site(out, site);
}

fn put_tagged(out: &mut Vec<u8>, tag: u8, name: &str) {
    out.push(tag);
    out.extend(name.as_bytes());
}

fn put_reference(out: &mut Vec<u8>, reference: &Reference) {
    put_name(out, reference.region());
    put_name(out, reference.provider());
    out.extend(reference.name().as_bytes());
}

fn put_scope(out: &mut Vec<u8>, scope: &ResultScope) {
    match scope {
        ResultScope::Market => out.push(0),
        ResultScope::Outcome(outcome) => put_tagged(out, 1, outcome.as_str()),
        ResultScope::Window(window) => {
            out.push(2);
            put_time(out, window.start_ms);
            put_time(out, window.end_ms);
        }
    }
}

fn put_time(out: &mut Vec<u8>, ms: Option<u64>) {
    out.push(u8::from(ms.is_some()));
    out.extend(ms.into_iter().flat_map(u64::to_be_bytes));
}

fn put_register(out: &mut Vec<u8>, key: &RegisterKey) {
    match key {
        RegisterKey::Producer(producer) => put_tagged(out, 0, producer.as_str()),
        RegisterKey::Clock => out.push(1),
        RegisterKey::Status(market) => put_tagged(out, 2, market.as_str()),
        RegisterKey::Resulted(market, scope) => {
            out.push(3);
            put_name(out, market.as_str());
            put_scope(out, scope);
        }
        RegisterKey::Definition(market) => put_tagged(out, 4, market.as_str()),
        RegisterKey::Price(market, outcome) => {
            out.push(5);
            put_name(out, market.as_str());
            out.extend(outcome.as_str().as_bytes());
        }
        RegisterKey::Stop(event, group) => {
            out.push(6);
            put_name(out, event.as_str());
            out.extend(group.as_str().as_bytes());
        }
        RegisterKey::Alive(producer) => put_tagged(out, 7, producer.as_str()),
        RegisterKey::Described(kind) => {
            out.push(8);
            out.extend(kind.to_be_bytes());
        }
        RegisterKey::Held(SaleScope::All) => out.extend([9, 0]),
        RegisterKey::Held(SaleScope::Sport(sport)) => {
            out.push(9);
            put_tagged(out, 1, sport.as_str());
        }
        RegisterKey::Held(SaleScope::Event(event)) => {
            out.push(9);
            put_tagged(out, 2, event.as_str());
        }
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], BadKey> {
        let (head, rest) = self.0.split_first_chunk().ok_or(BadKey)?;
        self.0 = rest;
        Ok(*head)
    }

    fn byte(&mut self) -> Result<u8, BadKey> {
        self.take::<1>().map(|[b]| b)
    }

    fn name(&mut self) -> Result<&str, BadKey> {
        let end = self.0.iter().position(|b| *b == 0).ok_or(BadKey)?;
        let (name, rest) = self.0.split_at(end);
        self.0 = rest.get(1..).unwrap_or_default();
        std::str::from_utf8(name).map_err(|_| BadKey)
    }

    fn last_name(&mut self) -> Result<&str, BadKey> {
        std::str::from_utf8(std::mem::take(&mut self.0)).map_err(|_| BadKey)
    }

    fn site(&mut self) -> Result<Site, BadKey> {
        let region = u16::from_be_bytes(self.take()?);
        let incarnation = u32::from_be_bytes(self.take()?);
        Ok(Site { region, incarnation, shard: u16::from_be_bytes(self.take()?) })
    }

    fn id(&mut self) -> Result<MintedId, BadKey> {
        MintedId::from_bytes(self.take()?).map_err(|_| BadKey)
    }

    fn last_reference(&mut self) -> Result<Reference, BadKey> {
        let (region, provider) = (self.name()?.to_owned(), self.name()?.to_owned());
        Reference::at(&region, &provider, self.last_name()?).map_err(|_| BadKey)
    }

    fn account(&mut self) -> Result<AccountId, BadKey> {
        AccountId::new(self.name()?).map_err(|_| BadKey)
    }

    fn market(&mut self) -> Result<MarketKey, BadKey> {
        MarketKey::new(self.name()?).map_err(|_| BadKey)
    }

    fn last_market(&mut self) -> Result<MarketKey, BadKey> {
        MarketKey::new(self.last_name()?).map_err(|_| BadKey)
    }

    fn last_outcome(&mut self) -> Result<OutcomeKey, BadKey> {
        OutcomeKey::new(self.last_name()?).map_err(|_| BadKey)
    }

    fn of_account(&mut self) -> Result<OfAccount, BadKey> {
        match self.byte()? {
            0 => Ok(OfAccount::Head),
            1 => Ok(OfAccount::Row(self.site()?)),
            2 => Ok(OfAccount::Granted(self.site()?)),
            _ => Err(BadKey),
        }
    }

    fn scope(&mut self) -> Result<ResultScope, BadKey> {
        match self.byte()? {
            0 => Ok(ResultScope::Market),
            1 => Ok(ResultScope::Outcome(self.last_outcome()?)),
            2 => Ok(ResultScope::Window(CancelWindow { start_ms: self.time()?, end_ms: self.time()? })),
            _ => Err(BadKey),
        }
    }

    fn time(&mut self) -> Result<Option<u64>, BadKey> {
        match self.byte()? {
            0 => Ok(None),
            1 => Ok(Some(u64::from_be_bytes(self.take()?))),
            _ => Err(BadKey),
        }
    }

    fn register(&mut self) -> Result<RegisterKey, BadKey> {
        Ok(match self.byte()? {
            0 => RegisterKey::Producer(ProducerId::new(self.last_name()?).map_err(|_| BadKey)?),
            1 => RegisterKey::Clock,
            2 => RegisterKey::Status(self.last_market()?),
            3 => RegisterKey::Resulted(self.market()?, self.scope()?),
            4 => RegisterKey::Definition(self.last_market()?),
            5 => RegisterKey::Price(self.market()?, self.last_outcome()?),
            6 => {
                let event = EventKey::new(self.name()?).map_err(|_| BadKey)?;
                RegisterKey::Stop(event, GroupKey::new(self.last_name()?).map_err(|_| BadKey)?)
            }
            7 => RegisterKey::Alive(ProducerId::new(self.last_name()?).map_err(|_| BadKey)?),
            8 => RegisterKey::Described(u32::from_be_bytes(self.take()?)),
            9 => RegisterKey::Held(match self.byte()? {
                0 => SaleScope::All,
                1 => SaleScope::Sport(Sport::new(self.last_name()?).map_err(|_| BadKey)?),
                2 => SaleScope::Event(EventKey::new(self.last_name()?).map_err(|_| BadKey)?),
                _ => return Err(BadKey),
            }),
            _ => return Err(BadKey),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Short names over few characters, the lowest and highest among them: prefixes of one another are common.
    fn name() -> impl Strategy<Value = String> {
        proptest::string::string_regex("[%a~]{1,4}").unwrap()
    }

    fn site() -> impl Strategy<Value = Site> {
        let number = prop_oneof![0u16..3, 250u16..260];
        (number.clone(), prop_oneof![0u32..3, 65_530u32..65_540], number)
            .prop_map(|(region, incarnation, shard)| Site { region, incarnation, shard })
    }

    fn id() -> impl Strategy<Value = MintedId> {
        (prop_oneof![0u64..3, 250u64..260], 1u16..3, 0u32..2, 0u64..3)
            .prop_map(|(ms, region, incarnation, random)| MintedId::mint(ms, region, incarnation, random))
    }

    fn market() -> impl Strategy<Value = MarketKey> {
        name().prop_map(|n| MarketKey::new(&n).unwrap())
    }

    fn outcome() -> impl Strategy<Value = OutcomeKey> {
        name().prop_map(|n| OutcomeKey::new(&n).unwrap())
    }

    fn account() -> impl Strategy<Value = AccountId> {
        (name(), name()).prop_map(|(a, b)| AccountId::new(&format!("{a}@{b}")).unwrap())
    }

    fn scope() -> impl Strategy<Value = ResultScope> {
        let time = || proptest::option::of(prop_oneof![0u64..3, 250u64..260]);
        prop_oneof![
            Just(ResultScope::Market),
            outcome().prop_map(ResultScope::Outcome),
            (time(), time()).prop_map(|(start_ms, end_ms)| ResultScope::Window(CancelWindow { start_ms, end_ms })),
        ]
    }

    fn register() -> impl Strategy<Value = RegisterKey> {
        prop_oneof![
            name().prop_map(|n| RegisterKey::Producer(ProducerId::new(&n).unwrap())),
            Just(RegisterKey::Clock),
            market().prop_map(RegisterKey::Status),
            (market(), scope()).prop_map(|(m, s)| RegisterKey::Resulted(m, s)),
            market().prop_map(RegisterKey::Definition),
            (market(), outcome()).prop_map(|(m, o)| RegisterKey::Price(m, o)),
            (name(), name())
                .prop_map(|(e, g)| { RegisterKey::Stop(EventKey::new(&e).unwrap(), GroupKey::new(&g).unwrap()) }),
            name().prop_map(|n| RegisterKey::Alive(ProducerId::new(&n).unwrap())),
            prop_oneof![0u32..3, 250u32..260].prop_map(RegisterKey::Described),
            Just(RegisterKey::Held(SaleScope::All)),
            name().prop_map(|n| RegisterKey::Held(SaleScope::Sport(Sport::new(&n).unwrap()))),
            name().prop_map(|n| RegisterKey::Held(SaleScope::Event(EventKey::new(&n).unwrap()))),
        ]
    }

    fn reference() -> impl Strategy<Value = Reference> {
        let short = || proptest::string::string_regex("[.a-]{1,3}").unwrap();
        (short(), short(), name())
            .prop_map(|(region, provider, name)| Reference::at(&region, &provider, &name).unwrap())
    }

    fn of_account() -> impl Strategy<Value = OfAccount> {
        prop_oneof![Just(OfAccount::Head), site().prop_map(OfAccount::Row), site().prop_map(OfAccount::Granted)]
    }

    fn key() -> impl Strategy<Value = Key> {
        prop_oneof![
            (site(), prop_oneof![0u64..3, 250u64..260]).prop_map(|(s, n)| Key::Log(s, n)),
            (account(), of_account()).prop_map(|(a, of)| Key::Rows(a, of)),
            id().prop_map(Key::Wager),
            (account(), id()).prop_map(|(a, i)| Key::AccountWager(a, i)),
            (market(), id()).prop_map(|(m, i)| Key::MarketWager(m, i)),
            id().prop_map(Key::Posting),
            (market(), scope()).prop_map(|(m, s)| Key::Result(m, s)),
            register().prop_map(Key::Odds),
            market().prop_map(Key::Book),
            Just(Key::Birth),
            Just(Key::Meta),
            site().prop_map(Key::LogHead),
            market().prop_map(Key::Settle),
            (id(), site()).prop_map(|(i, s)| Key::Handed(i, s)),
            id().prop_map(Key::Ticket),
            reference().prop_map(Key::Reference),
            id().prop_map(Key::Session),
            (account(), site()).prop_map(|(a, s)| Key::Exclusion(a, s)),
            id().prop_map(Key::Delayed),
            (site(), reference()).prop_map(|(s, r)| Key::Received(s, r)),
            prop_oneof![0u64..3, 250u64..260].prop_map(Key::Staged),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn a_key_is_read_back(key in key()) {
            prop_assert_eq!(Key::read(key.family(), &key.bytes()), Ok(key));
        }

        #[test]
        fn byte_order_is_key_order(keys in proptest::collection::vec(key(), 12)) {
            let placed = |k: &Key| (k.family(), k.bytes());
            for (a, b) in keys.iter().flat_map(|a| keys.iter().map(move |b| (a, b))) {
                prop_assert_eq!(placed(a).cmp(&placed(b)), a.cmp(b), "{:?} and {:?}", a, b);
            }
        }

        #[test]
        fn a_names_range_holds_its_own_keys_only(name in market(), key in (market(), id())) {
            let (other, id) = key;
            let bytes = Key::MarketWager(other.clone(), id).bytes();
            let inside = bytes >= name_prefix(name.as_str()) && bytes < name_end(name.as_str());
            prop_assert_eq!(inside, other == name);
        }

        #[test]
        fn other_bytes_are_refused_or_mean_one_key(family in 0usize..11, bytes: Vec<u8>) {
            let family = Family::ALL[family];
            if let Ok(key) = Key::read(family, &bytes) {
                prop_assert_eq!(key.bytes(), bytes);
            }
        }
    }
}
