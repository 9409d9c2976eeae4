//! Records of every kind that the suite writes. Knows values only.

use super::*;

pub(super) fn account(name: &str) -> AccountId {
    AccountId::new(name).expect("a valid account")
}

pub(super) fn market(name: &str) -> MarketKey {
    MarketKey::new(name).expect("a valid market")
}

pub(super) fn outcome(name: &str) -> OutcomeKey {
    OutcomeKey::new(name).expect("a valid outcome")
}

pub(super) fn gbp() -> Currency {
    Currency::new("GBP").expect("a known currency")
}

pub(super) fn id(place_by_ms: u64, random: u64) -> MintedId {
    MintedId::mint(place_by_ms, 1, 1, random)
}

pub(super) fn row(dep: u64) -> Row {
    Row { dep, stk: 1, ..Row::default() }
}

pub(super) fn wager(id: MintedId, stake: u64) -> WagerRecord {
    let price_dot = Some(Dot { site: Site::new(1, 1), n: 4 });
    let odds = Odds::new(47, 20).expect("odds above 1");
    let leg = LegTaken { market: market("betfair:1.1"), outcome: outcome("10"), odds, version: Hlc(9), price_dot };
    WagerRecord {
        id,
        account: account("p1@eu-west"),
        currency: gbp(),
        owner: Site::new(1, 1),
        entry: 3,
        body: Hash16([3; 16]),
        stake: Amount::from_minor(stake).expect("a small amount"),
        legs: vec![leg],
        policy: OddsPolicy::Higher,
        client_ref: Some(Text::new("ref")),
        placed_at: Hlc::new(1_700_000_000_000, 1),
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

pub(super) fn posting(id: MintedId, minor: u64) -> Posting {
    let amount = Amount::from_minor(minor).expect("a small amount");
    Posting {
        id,
        account: account("p1@eu-west"),
        amount,
        body: Hash16([4; 16]),
        at: Hlc(5),
        site: Site::new(1, 1),
        act: None,
    }
}

pub(super) fn reference(provider: &str, name: &str) -> Reference {
    Reference::new(&account("p1@eu-west"), provider, name).expect("a valid reference")
}

pub(super) fn received(provider: &str, name: &str) -> Received {
    let amount = SentAmount::of(rust_decimal::Decimal::new(105, 1)).expect("an amount");
    let (account, body) = (account("p1@eu-west"), Hash16([5; 16]));
    Received { reference: reference(provider, name), account, amount, body, at: Hlc(6) }
}

/// A decision: credited by a posting, or refused.
pub(super) fn decided(provider: &str, name: &str, posting: Option<MintedId>) -> ReferenceDecision {
    let refused = ReferenceOutcome::Refused(ReferenceRefusal::OverPrecise);
    ReferenceDecision {
        received: received(provider, name),
        from: Site::new(2, 1),
        site: Site::new(1, 1),
        at: Hlc(7),
        outcome: posting.map_or(refused, ReferenceOutcome::Posted),
    }
}

pub(super) fn taken(provider: &str, name: &str, by: Site, there: bool) -> Write {
    Write::Received(reference(provider, name), by, there.then(|| received(provider, name)))
}

pub(super) fn session(id: MintedId, ended: bool) -> SessionRecord {
    let opened = Session { id, account: account("p1@eu-west"), channel: Text::new("web"), at: Hlc(8) };
    SessionRecord { opened: Some(opened), ended: ended.then_some(Hlc(9)) }
}

pub(super) fn word<V>(value: V, n: u64) -> FeedSlot<V> {
    FeedSlot { time_ms: n, seq: 1, value, dot: Dot { site: Site::new(1, 1), n: n + 1 }, at: Hlc(n), mark: None }
}

pub(super) fn result(value: OutcomeResult) -> ResultRegister {
    let mut register = ResultRegister::default();
    register.offer(&ProducerId::new("betfair").expect("a valid producer"), word(value, 8));
    register.operator.write(Dot { site: Site::new(2, 1), n: 3 }, Hlc(9), Some(value));
    register
}

pub(super) fn status(value: MarketStatus, n: u64) -> RegisterValue {
    let mut register = Register::default();
    register.offer(&ProducerId::new("betfair").expect("a valid producer"), word(value, n));
    RegisterValue::Status(register)
}

/// A small book whose price says `n`.
pub(super) fn book(n: u64) -> Book {
    let line = format!(
        r#"{{"op":"mcm","pt":{n},"mc":[{{"id":"1.1","img":true,"rc":[{{"id":10,"ltp":2.{n},"atb":[[2.{n},5.5]]}}]}}]}}"#
    );
    let mut book = Book::empty();
    match parse_line(line.as_bytes()) {
        Ok(StreamMessage::Market(message)) => {
            let change = message.changes.first().expect("the line holds one change");
            book.apply(n, change).expect("an image always fits");
        }
        other => panic!("the suite's own stream line is read as {other:?}"),
    }
    book
}

pub(super) fn exclusion() -> crate::port::Exclusion {
    let lifted = [(Site::new(2, 1), 7)].into_iter().collect();
    crate::port::Exclusion { raised: 3, lifted, at: Hlc::new(1_700_000_000_000, 3) }
}
