//! Adjustments and withdrawals, both ways.

use model::limits::REASON_BYTES_MAX;
use model::{AccountId, Adjustment, AdjustmentKind, Currency, MintedId, Posting, Text, WithdrawalState};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::config::ApiConfig;
use crate::dto::shown::{Shown, Time};
use crate::strict::{self, Body, Faults, Str};

/// An operator gives or takes money, once per id.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = Adjust)]
#[serde(deny_unknown_fields)]
pub(crate) struct AdjustIn<'a> {
    /// Minted id (`POST /v1/ids?for=posting`).
    #[serde(borrow)]
    #[schema(value_type = String, required)]
    id: Option<Str<'a>>,
    /// In the account's currency; below zero is taken.
    #[schema(value_type = String, required, example = "-10.50")]
    amount: Option<Str<'a>>,
    /// `correction`, `chargeback`, `bonus` or `opening_balance`.
    #[schema(value_type = String, required, example = "correction")]
    kind: Option<Str<'a>>,
    /// 1 to 500 bytes, kept with the posting.
    #[schema(value_type = String, required)]
    reason: Option<Str<'a>>,
}

/// Reads an adjustment.
pub(crate) struct AdjustBody;

/// An adjustment as asked for.
pub(crate) struct Adjusted {
    pub(crate) id: MintedId,
    pub(crate) amount: Decimal,
    pub(crate) kind: AdjustmentKind,
    pub(crate) reason: Text,
}

impl Body for AdjustBody {
    type In<'a> = AdjustIn<'a>;
    type Parsed = Adjusted;

    fn parse(input: AdjustIn<'_>, faults: &mut Faults) -> Option<Adjusted> {
        let id = faults.need("id", input.id.as_ref(), MintedId::parse);
        let amount = faults.need("amount", input.amount.as_ref(), strict::signed_amount);
        let kind = faults.need("kind", input.kind.as_ref(), |name| {
            AdjustmentKind::named(name).ok_or("is none of correction, chargeback, bonus, opening_balance")
        });
        let reason = faults.need("reason", input.reason.as_ref(), |text| {
            let fits = (1..=REASON_BYTES_MAX).contains(&text.len());
            if fits { Ok(Text::new(text)) } else { Err("must have 1 to 500 bytes") }
        });
        Some(Adjusted { id: id?, amount: amount?, kind: kind?, reason: reason? })
    }
}

/// A decided adjustment.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Adjustment)]
pub(crate) struct AdjustedOut<'a> {
    #[schema(value_type = String)]
    id: Shown<MintedId>,
    #[schema(value_type = String)]
    account: Shown<&'a AccountId>,
    /// Below zero was taken.
    amount: String,
    currency: &'a str,
    /// `correction`, `chargeback`, `bonus` or `opening_balance`.
    kind: &'static str,
    reason: &'a str,
    /// The desk that did it.
    actor: &'a str,
    /// The part of a taken amount that was not free in the region that posted it.
    became_debt: String,
    /// Always `posted`.
    status: &'static str,
    /// The region that posted it.
    region: String,
    #[schema(value_type = String, format = DateTime)]
    posted_at: Time,
}

impl<'a> AdjustedOut<'a> {
    pub(crate) fn of(
        posting: &'a Posting,
        adjustment: &'a Adjustment,
        currency: &'a Currency,
        config: &ApiConfig,
    ) -> Self {
        let amount = i128::from(posting.amount.minor());
        Self {
            id: Shown(posting.id),
            account: Shown(&posting.account),
            amount: currency.format(if adjustment.taken { -amount } else { amount }),
            currency: currency.code(),
            kind: adjustment.kind.as_str(),
            reason: adjustment.reason.as_str(),
            actor: adjustment.actor.as_str(),
            became_debt: currency.format(i128::from(adjustment.debt)),
            status: "posted",
            region: config.region(posting.site.region),
            posted_at: Time(posting.at.ms()),
        }
    }
}

/// Sets money aside for a payment out, once per id.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = Withdraw)]
#[serde(deny_unknown_fields)]
pub(crate) struct WithdrawIn<'a> {
    /// Minted id (`POST /v1/ids?for=posting`).
    #[serde(borrow)]
    #[schema(value_type = String, required)]
    id: Option<Str<'a>>,
    /// In the account's currency.
    #[schema(value_type = String, required, example = "10.50")]
    amount: Option<Str<'a>>,
}

/// Reads id and amount.
pub(crate) struct WithdrawBody;

impl Body for WithdrawBody {
    type In<'a> = WithdrawIn<'a>;
    type Parsed = (MintedId, Decimal);

    fn parse(input: WithdrawIn<'_>, faults: &mut Faults) -> Option<(MintedId, Decimal)> {
        let id = faults.need("id", input.id.as_ref(), MintedId::parse);
        let amount = faults.need("amount", input.amount.as_ref(), strict::amount);
        Some((id?, amount?))
    }
}

/// A withdrawal as it stands.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Withdrawal)]
pub(crate) struct WithdrawalOut<'a> {
    #[schema(value_type = String)]
    id: Shown<MintedId>,
    #[schema(value_type = String)]
    account: Shown<&'a AccountId>,
    amount: String,
    currency: &'a str,
    /// `pending` (then `reason` is `awaiting_ack`), `held`, `confirmed`, `released` or `rejected` (then `reason` is
    /// `insufficient_funds`).
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    /// The region that decided it.
    region: String,
    #[schema(value_type = String, format = DateTime)]
    decided_at: Time,
}

impl<'a> WithdrawalOut<'a> {
    pub(crate) fn is_pending(&self) -> bool {
        self.status == "pending"
    }

    /// `None` when the posting is no withdrawal.
    pub(crate) fn of(posting: &'a Posting, held: bool, currency: &'a Currency, config: &ApiConfig) -> Option<Self> {
        let (status, reason) = match posting.withdrawal()?.state {
            WithdrawalState::Prepared if held => ("held", None),
            WithdrawalState::Prepared => ("pending", Some("awaiting_ack")),
            WithdrawalState::Insufficient => ("rejected", Some("insufficient_funds")),
            WithdrawalState::Confirmed => ("confirmed", None),
            WithdrawalState::Released => ("released", None),
        };
        Some(Self {
            id: Shown(posting.id),
            account: Shown(&posting.account),
            amount: currency.format(i128::from(posting.amount.minor())),
            currency: currency.code(),
            status,
            reason,
            region: config.region(posting.site.region),
            decided_at: Time(posting.at.ms()),
        })
    }
}
