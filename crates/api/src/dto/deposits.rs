//! Deposits, both ways: by a minted id, or by a payment provider's reference.

use model::{
    AccountId, Command, Currency, MintedId, Posting, Received, Reference, ReferenceDecision, ReferenceOutcome,
};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::config::ApiConfig;
use crate::dto::shown::{Shown, Time};
use crate::strict::{self, Body, Faults, Str};

/// Credits money, once per id or once per reference of a payment provider.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = Deposit)]
#[serde(deny_unknown_fields)]
pub(crate) struct DepositIn<'a> {
    /// Minted id (`POST /v1/ids?for=posting`). Either this, or `provider` and `provider_ref`.
    #[serde(borrow)]
    #[schema(value_type = Option<String>)]
    id: Option<Str<'a>>,
    /// In the account's currency.
    #[schema(value_type = String, required, example = "10.50")]
    amount: Option<Str<'a>>,
    /// A payment provider: 1 to 64 characters of `A-Z a-z 0-9 . _ : -`.
    #[schema(value_type = Option<String>, example = "stripe")]
    provider: Option<Str<'a>>,
    /// Its own name of the payment: 1 to 200 visible ASCII characters.
    #[schema(value_type = Option<String>, example = "ch_3NqYkL2eZvKYlo2C")]
    provider_ref: Option<Str<'a>>,
}

/// Under which name a deposit is posted once.
#[derive(Debug)]
pub(crate) enum Once {
    Id(MintedId),
    Reference { provider: String, name: String },
}

/// A deposit as asked for.
pub(crate) struct Deposited {
    pub(crate) once: Once,
    pub(crate) amount: Decimal,
}

impl Deposited {
    /// The command for an account. The parts of a reference have been checked.
    pub(crate) fn command(self, account: AccountId) -> Option<Command> {
        let amount = self.amount;
        match self.once {
            Once::Id(id) => Some(Command::Deposit { id, account, amount }),
            Once::Reference { provider, name } => {
                let reference = Reference::new(&account, &provider, &name).ok()?;
                Some(Command::DepositByReference { reference, account, amount })
            }
        }
    }
}

/// Reads the amount and what names it.
pub(crate) struct DepositBody;

impl Body for DepositBody {
    type In<'a> = DepositIn<'a>;
    type Parsed = Deposited;

    fn parse(input: DepositIn<'_>, faults: &mut Faults) -> Option<Deposited> {
        let amount = faults.need("amount", input.amount.as_ref(), strict::amount);
        let once = if input.provider.is_none() && input.provider_ref.is_none() {
            faults.need("id", input.id.as_ref(), MintedId::parse).map(Once::Id)
        } else {
            if input.id.is_some() {
                faults.add("id", "is given beside provider and provider_ref; give one or the other");
            }
            let checked = |text: &str, check: fn(&str) -> Result<(), model::ReferenceError>| {
                check(text).map(|()| text.to_owned())
            };
            let provider =
                faults.need("provider", input.provider.as_ref(), |text| checked(text, Reference::check_provider));
            let name =
                faults.need("provider_ref", input.provider_ref.as_ref(), |text| checked(text, Reference::check_name));
            provider.zip(name).map(|(provider, name)| Once::Reference { provider, name })
        };
        Some(Deposited { once: once?, amount: amount? })
    }
}

/// A decided deposit.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Posted)]
pub(crate) struct PostedOut<'a> {
    #[schema(value_type = String)]
    id: Shown<MintedId>,
    #[schema(value_type = String)]
    account: Shown<&'a AccountId>,
    amount: String,
    currency: &'a str,
    /// The payment provider, if it is a provider's deposit.
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<&'a str>,
    /// The provider's own name of the payment.
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_ref: Option<&'a str>,
    /// Always `posted`.
    status: &'static str,
    /// The region that posted it.
    region: String,
    #[schema(value_type = String, format = DateTime)]
    posted_at: Time,
}

impl<'a> PostedOut<'a> {
    pub(crate) fn of(posting: &'a Posting, currency: &'a Currency, config: &ApiConfig) -> Self {
        Self {
            id: Shown(posting.id),
            account: Shown(&posting.account),
            amount: currency.format(i128::from(posting.amount.minor())),
            currency: currency.code(),
            provider: posting.reference().map(Reference::provider),
            provider_ref: posting.reference().map(Reference::name),
            status: "posted",
            region: config.region(posting.site.region),
            posted_at: Time(posting.at.ms()),
        }
    }
}

/// A payment provider's deposit that is not posted: not yet, or never.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReceivedDeposit)]
pub(crate) struct ReceivedOut<'a> {
    provider: &'a str,
    provider_ref: &'a str,
    #[schema(value_type = String)]
    account: Shown<&'a AccountId>,
    /// As it was sent: the account's currency may not be known here.
    amount: String,
    /// `received`: durably here, and the region in the account's name decides it as soon as it hears of it; or
    /// `rejected`, for good (then `reason` is `account_unknown`, `amount_over_precise` or `amount_too_large`).
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    /// The region that decides it.
    region: &'a str,
    /// When it was taken in, or rejected.
    #[schema(value_type = String, format = DateTime)]
    at: Time,
    /// While it is `received`: send the same there again, in any region; 200 once it is decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    follow: Option<String>,
}

impl<'a> ReceivedOut<'a> {
    pub(crate) fn received(received: &'a Received) -> Self {
        Self {
            provider: received.reference.provider(),
            provider_ref: received.reference.name(),
            account: Shown(&received.account),
            amount: received.amount.decimal().to_string(),
            status: "received",
            reason: None,
            region: received.reference.region(),
            at: Time(received.at.ms()),
            follow: Some(format!("/v1/accounts/{}/deposits", received.account)),
        }
    }

    /// `None` when it was not refused.
    pub(crate) fn refused(decision: &'a ReferenceDecision) -> Option<Self> {
        let ReferenceOutcome::Refused(why) = decision.outcome else { return None };
        let received = Self::received(&decision.received);
        let at = Time(decision.at.ms());
        Some(Self { status: "rejected", reason: Some(why.as_str()), at, follow: None, ..received })
    }
}
