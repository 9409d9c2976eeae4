//! The rights of one account, for operators. Knows no rules: what binds is the ledger's word.

use model::EscrowView;
use serde::Serialize;
use utoipa::ToSchema;

use crate::config::ApiConfig;
use crate::dto::shown::Time;

/// Every row of an account, what is on its way, where its home has been, what may be spent here and why not more.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Escrow)]
pub(crate) struct EscrowOut<'a> {
    account: &'a str,
    currency: &'a str,
    home: HomeOut,
    here: SpendOut,
    /// Rights granted and not yet taken, as known here.
    in_flight: Vec<InFlightOut>,
    rows: Vec<RowOut>,
}

/// Where all rights live.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EscrowHome)]
pub(crate) struct HomeOut {
    region: String,
    /// `region.incarnation.shard`.
    site: String,
    /// Number of the move that made this home; 0 where the account was opened.
    epoch: u64,
    /// Times of the last moves, at most three, oldest first.
    #[schema(value_type = Vec<String>)]
    moved_at: Vec<Time>,
}

/// What a wager could spend here now.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EscrowSpend)]
pub(crate) struct SpendOut {
    spendable: String,
    /// The rule that leaves least: `S1` rights, `S2` the account's window, `S3` replicated credits, `S4` the region's window.
    binds: &'static str,
    /// S1: free rights here.
    rights: String,
    /// S2: what is left of the account's window; absent while no window is in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    account_window: Option<String>,
    /// S3: rights without credits that other regions do not hold yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    replicated: Option<String>,
    /// S4: what is left of this region's window in the currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    region_window: Option<String>,
}

/// Rights on their way.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EscrowInFlight)]
pub(crate) struct InFlightOut {
    from: String,
    to: String,
    amount: String,
}

/// A site's row: cumulative, only rising; and what it comes to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EscrowRow)]
pub(crate) struct RowOut {
    region: String,
    /// `region.incarnation.shard`.
    site: String,
    /// May be negative in a foreign row while something is on its way.
    free: String,
    reserved: String,
    debt: String,
    deposited: String,
    withdrawn: String,
    staked: String,
    released: String,
    consumed: String,
    paid: String,
    clawed_back: String,
    sent: String,
    received: String,
}

impl<'a> EscrowOut<'a> {
    pub(crate) fn of(view: &'a EscrowView, config: &ApiConfig) -> Self {
        let money = |minor: i128| view.currency.format(minor);
        let minor = |n: u64| money(i128::from(n));
        let (spendable, binds) = view.here.binding();
        let rows = view.rows.iter().map(|(site, row)| RowOut {
            region: config.region(site.region),
            site: site.to_string(),
            free: money(row.free()),
            reserved: money(row.reserved()),
            debt: money(row.debt()),
            deposited: minor(row.dep),
            withdrawn: minor(row.wdr),
            staked: minor(row.stk),
            released: minor(row.rel),
            consumed: minor(row.bur),
            paid: minor(row.pay),
            clawed_back: minor(row.clw),
            sent: money(row.sent.values().map(|n| i128::from(*n)).sum()),
            received: money(row.recv.values().map(|n| i128::from(*n)).sum()),
        });
        let in_flight = view.in_flight.iter().map(|f| InFlightOut {
            from: f.from.to_string(),
            to: f.to.to_string(),
            amount: minor(f.amount),
        });
        Self {
            account: view.account.as_str(),
            currency: view.currency.code(),
            home: HomeOut {
                region: config.region(view.home.region),
                site: view.home.to_string(),
                epoch: view.epoch,
                moved_at: view.moves_ms.iter().map(|ms| Time(*ms)).collect(),
            },
            here: SpendOut {
                spendable: minor(spendable),
                binds,
                rights: minor(view.here.rights),
                account_window: view.here.account_window.map(minor),
                replicated: view.here.replicated.map(minor),
                region_window: view.here.region_window.map(minor),
            },
            in_flight: in_flight.collect(),
            rows: rows.collect(),
        }
    }
}
