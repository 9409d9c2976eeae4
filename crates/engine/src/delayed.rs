//! A wager that waits for its markets' in-play delay, as it is stored: what was asked for, and when it is judged. A
//! durable note of one region, in no log and no digest. Knows no rule; what becomes of it is `delaying`.

use minicbor::{Decode, Encode};
use model::settlement::System;
use model::{
    AccountId, Amount, Durability, Hash16, Leg, MarketKey, MintedId, Odds, OddsPolicy, OutcomeKey, Text, WagerRequest,
};
use rust_decimal::Decimal;

/// The note. Its id is its key.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Encode, Decode)]
pub struct Delayed {
    /// Whose money.
    #[n(0)]
    pub account: AccountId,
    /// Hash of the parsed body: another one is another wager.
    #[n(1)]
    pub body: Hash16,
    /// Money set aside for it here, minor units: its whole stake.
    #[n(2)]
    pub stake: Amount,
    /// When it was taken in, Unix ms of this region's own time.
    #[n(3)]
    pub asked_ms: u64,
    /// When it is judged for good, Unix ms of this region's own time.
    #[n(4)]
    pub due_ms: u64,
    /// Stake per line as a decimal text.
    #[n(5)]
    unit_stake: Text,
    #[n(6)]
    total_stake: Option<Text>,
    #[n(7)]
    system: Option<System>,
    #[n(8)]
    each_way: bool,
    #[n(9)]
    legs: Vec<(MarketKey, OutcomeKey, Odds)>,
    #[n(10)]
    policy: OddsPolicy,
    #[n(11)]
    client_ref: Option<Text>,
    #[n(12)]
    geo: bool,
}

impl Delayed {
    pub(crate) fn of(item: &WagerRequest, body: Hash16, stake: Amount, asked_ms: u64, due_ms: u64) -> Self {
        let text = |d: Decimal| Text::new(&d.to_string());
        Self {
            account: item.account.clone(),
            body,
            stake,
            asked_ms,
            due_ms,
            unit_stake: text(item.unit_stake),
            total_stake: item.total_stake.map(text),
            system: item.system.clone(),
            each_way: item.each_way,
            legs: item.legs.iter().map(|l| (l.market.clone(), l.outcome.clone(), l.odds)).collect(),
            policy: item.policy,
            client_ref: item.client_ref.clone(),
            geo: item.durability == Durability::Geo,
        }
    }

    /// The wager as it was asked for; `None` if its numbers are none, which is damage.
    pub(crate) fn request(&self, id: MintedId) -> Option<WagerRequest> {
        let decimal = |text: &Text| text.as_str().parse::<Decimal>().ok();
        let leg = |(market, outcome, odds): &(MarketKey, OutcomeKey, Odds)| Leg {
            market: market.clone(),
            outcome: outcome.clone(),
            odds: *odds,
        };
        Some(WagerRequest {
            id,
            account: self.account.clone(),
            unit_stake: decimal(&self.unit_stake)?,
            total_stake: match &self.total_stake {
                Some(total) => Some(decimal(total)?),
                None => None,
            },
            system: self.system.clone(),
            each_way: self.each_way,
            legs: self.legs.iter().map(leg).collect(),
            policy: self.policy,
            client_ref: self.client_ref.clone(),
            durability: if self.geo { Durability::Geo } else { Durability::Local },
        })
    }
}

/// A note for tests of stores.
#[must_use]
pub(crate) fn sample(account: AccountId, market: MarketKey, outcome: OutcomeKey) -> Delayed {
    Delayed {
        account,
        body: Hash16([4; 16]),
        stake: Amount::from_minor(250).expect("a small amount"),
        asked_ms: 1_700_000_000_000,
        due_ms: 1_700_000_005_000,
        unit_stake: Text::new("2.50"),
        total_stake: Some(Text::new("2.5")),
        system: None,
        each_way: false,
        legs: vec![(market, outcome, Odds::new(47, 20).expect("odds above 1"))],
        policy: OddsPolicy::Higher,
        client_ref: Some(Text::new("ref")),
        geo: true,
    }
}
