//! What became of the items of a bulk call: those that were refused are named one by one.

use model::FeedReport;
use serde::Serialize;
use utoipa::ToSchema;

/// An item that was refused by itself.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = RefusedItem)]
pub(crate) struct RefusedOut {
    /// Line of the body (element of the array), from 1.
    pub(crate) line: usize,
    /// Stable code.
    pub(crate) code: &'static str,
    /// What is wrong with it.
    pub(crate) detail: String,
}

/// What became of a feed call.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
#[schema(as = FeedReport)]
pub(crate) struct FeedOut {
    /// Lines with something on them.
    pub(crate) messages: usize,
    /// Applied.
    pub(crate) applied: usize,
    /// Known and not used.
    pub(crate) ignored: usize,
    /// Refused, in line order; the rest went on.
    pub(crate) refused: Vec<RefusedOut>,
}

impl FeedOut {
    /// Adds what the engine made of its share of the lines.
    pub(crate) fn add(&mut self, report: FeedReport) {
        self.applied += report.applied;
        self.ignored += report.ignored;
        let refused = |r: model::LineRefusal| RefusedOut { line: r.line, code: r.code, detail: r.detail };
        self.refused.extend(report.refused.into_iter().map(refused));
        self.refused.sort_by_key(|r| r.line);
    }
}

/// What became of price writes.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
#[schema(as = OddsReport)]
pub(crate) struct OddsOut {
    /// Written.
    pub(crate) applied: usize,
    /// Said nothing newer than what is held.
    pub(crate) ignored: usize,
    /// Refused, in order; the rest was written.
    pub(crate) refused: Vec<RefusedOut>,
}
