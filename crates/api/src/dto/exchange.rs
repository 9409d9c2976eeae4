//! The exchange's own view of a market. Prices and sizes are numbers, digit for digit as the stream gave them.

use model::{ExchangeRunnerView, ExchangeView};
use serde::Serialize;
use utoipa::ToSchema;

use crate::dto::shown::Exact;

/// An exchange market, in the region where its stream enters.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Exchange)]
pub(crate) struct ExchangeOut<'a> {
    /// The stream's own status, such as `OPEN`.
    status: &'a str,
    in_play: bool,
    /// In s.
    bet_delay: u32,
    active_runners: u32,
    bsp_reconciled: bool,
    /// Version of the definition.
    version: u64,
    runners: Vec<RunnerOut<'a>>,
}

/// A runner.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExchangeRunner)]
pub(crate) struct RunnerOut<'a> {
    /// Selection id.
    id: u64,
    /// Handicap.
    #[schema(value_type = f64)]
    hc: Exact<'a>,
    /// The stream's own status; null without a definition.
    status: Option<&'a str>,
    #[schema(value_type = Option<f64>)]
    adjustment_factor: Option<Exact<'a>>,
    /// Starting price.
    #[schema(value_type = Option<f64>)]
    bsp: Option<Exact<'a>>,
    /// Last traded price.
    #[schema(value_type = Option<f64>)]
    ltp: Option<Exact<'a>>,
    /// Price and size.
    #[schema(value_type = Option<Vec<f64>>)]
    best_back: Option<(Exact<'a>, Exact<'a>)>,
    /// Price and size.
    #[schema(value_type = Option<Vec<f64>>)]
    best_lay: Option<(Exact<'a>, Exact<'a>)>,
    back_levels: usize,
    lay_levels: usize,
}

impl<'a> ExchangeOut<'a> {
    pub(crate) fn of(view: &'a ExchangeView) -> Self {
        Self {
            status: &view.status,
            in_play: view.in_play,
            bet_delay: view.bet_delay,
            active_runners: view.active_runners,
            bsp_reconciled: view.bsp_reconciled,
            version: view.version,
            runners: view.runners.iter().map(RunnerOut::of).collect(),
        }
    }
}

impl<'a> RunnerOut<'a> {
    fn of(runner: &'a ExchangeRunnerView) -> Self {
        fn exact(text: &Option<String>) -> Option<Exact<'_>> {
            text.as_deref().map(Exact)
        }
        fn level(level: &Option<(String, String)>) -> Option<(Exact<'_>, Exact<'_>)> {
            level.as_ref().map(|(price, size)| (Exact(price), Exact(size)))
        }
        Self {
            id: runner.id,
            hc: Exact(&runner.hc),
            status: runner.status.as_deref(),
            adjustment_factor: exact(&runner.adjustment_factor),
            bsp: exact(&runner.bsp),
            ltp: exact(&runner.ltp),
            best_back: level(&runner.best_back),
            best_lay: level(&runner.best_lay),
            back_levels: runner.back_levels,
            lay_levels: runner.lay_levels,
        }
    }
}
