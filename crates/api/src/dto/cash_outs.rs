//! Cash-outs, both ways: the part asked for, the quote as an opaque text, and what was decided.

use model::{CashOutQuote, CashedWager, Currency, MintedId, Posting, Share, WagerRecord};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::config::ApiConfig;
use crate::dto::shown::{Shown, Time};
use crate::strict::{Body, Faults, Str};
use crate::token::{bytes_of, text_of};

/// Longest quote, in bytes of its text.
const QUOTE_BYTES_MAX: usize = 200;

/// Which part of a wager would be cashed out.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CashOutAsk)]
#[serde(deny_unknown_fields)]
pub(crate) struct CashOutAskIn<'a> {
    /// Part of the original stake, such as `"0.4"` or `"1/3"`; all that is in play when absent. Parts add up.
    #[serde(borrow)]
    #[schema(value_type = Option<String>, example = "0.4")]
    fraction: Option<Str<'a>>,
}

/// Reads the part.
pub(crate) struct CashOutAskBody;

impl Body for CashOutAskBody {
    type In<'a> = CashOutAskIn<'a>;
    type Parsed = Option<Share>;

    fn parse(input: CashOutAskIn<'_>, faults: &mut Faults) -> Option<Option<Share>> {
        let share = faults.may("fraction", input.fraction.as_ref(), Share::parse)?;
        if share == Some(Share::ZERO) {
            faults.add("fraction", "must be above 0");
            return None;
        }
        Some(share)
    }
}

/// An offer.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CashOutQuote)]
pub(crate) struct CashOutQuoteOut<'a> {
    /// Opaque; sent back to take the offer.
    pub(crate) quote: String,
    #[schema(value_type = String)]
    wager: Shown<MintedId>,
    /// The part of the original stake that leaves the wager.
    stake: String,
    /// What is paid for it.
    pays: String,
    currency: &'a str,
    /// The last moment it holds; sooner if a price or the wager moves.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Time,
}

impl<'a> CashOutQuoteOut<'a> {
    pub(crate) fn of(quote: &CashOutQuote, currency: &'a Currency) -> Self {
        Self {
            quote: text_of(&quote.encode()),
            wager: Shown(quote.wager),
            stake: currency.format(i128::from(quote.stake.minor())),
            pays: currency.format(i128::from(quote.pays.minor())),
            currency: currency.code(),
            expires_at: Time(quote.expires_ms),
        }
    }
}

/// Takes an offer.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CashOut)]
#[serde(deny_unknown_fields)]
pub(crate) struct CashOutIn<'a> {
    /// Minted id (`POST /v1/ids?for=posting`) of the region that decided the wager.
    #[serde(borrow)]
    #[schema(value_type = String, required)]
    id: Option<Str<'a>>,
    /// As it was given.
    #[schema(value_type = String, required)]
    quote: Option<Str<'a>>,
}

/// Reads a cash-out.
pub(crate) struct CashOutBody;

impl Body for CashOutBody {
    type In<'a> = CashOutIn<'a>;
    type Parsed = (MintedId, CashOutQuote);

    fn parse(input: CashOutIn<'_>, faults: &mut Faults) -> Option<(MintedId, CashOutQuote)> {
        let id = faults.need("id", input.id.as_ref(), MintedId::parse);
        let quote = faults.need("quote", input.quote.as_ref(), |text| {
            let bytes = (text.len() <= QUOTE_BYTES_MAX).then(|| bytes_of(text.as_bytes())).flatten();
            bytes.and_then(|b| CashOutQuote::decode(&b)).ok_or("is no cash-out quote")
        });
        Some((id?, quote?))
    }
}

/// A decided cash-out.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CashedOut)]
pub(crate) struct CashedOutOut<'a> {
    #[schema(value_type = String)]
    id: Shown<MintedId>,
    #[schema(value_type = String)]
    wager: Shown<MintedId>,
    account: &'a str,
    /// Always `accepted`.
    status: &'static str,
    r#final: bool,
    /// The part of the original stake that has left the wager.
    stake: String,
    /// What was paid for it.
    pays: String,
    currency: &'a str,
    /// The region that decided.
    region: String,
    #[schema(value_type = String, format = DateTime)]
    decided_at: Time,
    /// How the wager stands now: `cashed_out` when nothing of it is in play any more.
    state: &'static str,
    /// What it has paid in all.
    paid: String,
}

impl<'a> CashedOutOut<'a> {
    pub(crate) fn of(posting: &'a Posting, cashed: CashedWager, record: &'a WagerRecord, config: &ApiConfig) -> Self {
        let money = |minor: u64| record.currency.format(i128::from(minor));
        Self {
            id: Shown(posting.id),
            wager: Shown(cashed.wager),
            account: posting.account.as_str(),
            status: "accepted",
            r#final: true,
            stake: money(cashed.stake.minor()),
            pays: money(posting.amount.minor()),
            currency: record.currency.code(),
            region: config.region(posting.site.region),
            decided_at: Time(posting.at.ms()),
            state: record.state.name(),
            paid: money(record.paid.minor()),
        }
    }
}
