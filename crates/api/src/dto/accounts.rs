//! Accounts, both ways.

use model::{AccountView, Currency};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::config::ApiConfig;
use crate::dto::shown::Shown;
use crate::strict::{Body, Faults, Str};

/// Opens an account.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = OpenAccount)]
#[serde(deny_unknown_fields)]
pub(crate) struct OpenIn<'a> {
    /// ISO 4217 code, for good.
    #[serde(borrow)]
    #[schema(value_type = String, required, example = "GBP")]
    currency: Option<Str<'a>>,
    #[schema(ignore)]
    brand: Option<Str<'a>>,
    #[schema(ignore)]
    licence: Option<Str<'a>>,
    #[schema(ignore)]
    person: Option<Str<'a>>,
}

/// Reads the currency.
pub(crate) struct OpenBody;

impl Body for OpenBody {
    type In<'a> = OpenIn<'a>;
    type Parsed = Currency;

    fn parse(input: OpenIn<'_>, faults: &mut Faults) -> Option<Currency> {
        for (field, given) in [("brand", input.brand), ("licence", input.licence), ("person", input.person)] {
            if given.is_some() {
                faults.add_as("unsupported", field, "is not kept yet; leave it out");
            }
        }
        faults.need("currency", input.currency.as_ref(), Currency::new)
    }
}

/// An account as this region knows it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Account)]
pub(crate) struct AccountOut<'a> {
    account: &'a str,
    currency: &'a str,
    /// Free money everywhere, in transfer included.
    balance: String,
    /// What a wager may take here at once.
    spendable_here: String,
    /// What a wager may take here if it waits for money from elsewhere.
    spendable_with_wait: String,
    /// Reserved for open wagers, everywhere.
    reserved: String,
    /// On its way between regions.
    in_transfer: String,
    /// Set aside for withdrawals, everywhere.
    held: String,
    debt: String,
    /// The region where its rights are kept.
    home: String,
    /// `open`, or `suspended`: its wagers are refused as `account_excluded`, its money moves and what is open settles.
    status: &'static str,
    shares: Vec<ShareOut>,
}

/// One region's share of an account.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Share)]
pub(crate) struct ShareOut {
    region: String,
    /// `region.incarnation.shard`.
    #[schema(value_type = String)]
    site: Shown<String>,
    /// May be negative while something is on its way.
    free: String,
    reserved: String,
}

impl<'a> AccountOut<'a> {
    pub(crate) fn of(view: &'a AccountView, config: &ApiConfig) -> Self {
        let money = |minor| view.currency.format(minor);
        let share = |s: &model::ShareView| ShareOut {
            region: config.region(s.site.region),
            site: Shown(s.site.to_string()),
            free: money(s.free),
            reserved: money(s.reserved),
        };
        Self {
            account: view.account.as_str(),
            currency: view.currency.code(),
            balance: money(view.balance),
            spendable_here: money(view.spendable_here),
            spendable_with_wait: money(view.spendable_with_wait),
            reserved: money(view.reserved),
            in_transfer: money(view.in_transfer),
            held: money(view.held),
            debt: money(view.debt),
            home: config.region(view.home.region),
            status: if view.excluded { "suspended" } else { "open" },
            shares: view.shares.iter().map(share).collect(),
        }
    }
}
