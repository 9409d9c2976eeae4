//! What happened to a wager, oldest first: its decision, settlements, cash-outs and cancels.

use model::{Cancelled, MintedId, Step, StepKind, WagerRecord, WagerState};
use serde::Serialize;
use utoipa::ToSchema;

use crate::dto::shown::{Shown, Time};

/// Something that happened to a wager.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WagerEvent)]
pub(crate) struct EventOut<'a> {
    /// `prepared` (pending), `placed`, `rejected`, `settled`, `reopened`, `cashed_out` or `cancelled`.
    event: &'static str,
    #[schema(value_type = String, format = DateTime)]
    at: Time,
    /// Site log index of the decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    entry: Option<u64>,
    /// Number of the step, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u32>,
    /// State it led to.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    /// Paid out in all after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    paid: Option<String>,
    /// The cash-out's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    cash_out: Option<Shown<MintedId>>,
    /// The part of the original stake that it took out.
    #[serde(skip_serializing_if = "Option::is_none")]
    stake: Option<String>,
    /// What it paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pays: Option<String>,
    #[serde(flatten)]
    cancelled: Option<CancelledOut<'a>>,
}

/// A cancelled part.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WagerCancelled)]
pub(crate) struct CancelledOut<'a> {
    /// Of the original stake, in all.
    #[schema(value_type = String)]
    fraction: Shown<model::Share>,
    /// In the operator's words.
    reason: &'a str,
}

impl<'a> CancelledOut<'a> {
    pub(crate) fn of(cancelled: &'a Cancelled) -> Self {
        Self { fraction: Shown(cancelled.share), reason: cancelled.reason.as_str() }
    }
}

impl<'a> EventOut<'a> {
    pub(crate) fn decided(event: &'static str, record: &WagerRecord) -> Self {
        Self {
            event,
            at: Time(record.placed_at.ms()),
            entry: Some(record.entry),
            version: None,
            state: None,
            paid: None,
            cash_out: None,
            stake: None,
            pays: None,
            cancelled: None,
        }
    }

    fn of(record: &WagerRecord, step: &'a Step) -> Self {
        let money = |minor: u64| record.currency.format(i128::from(minor));
        let event = match &step.what {
            StepKind::Settled if step.state == WagerState::Open => "reopened",
            StepKind::Settled => "settled",
            StepKind::CashedOut(_) => "cashed_out",
            StepKind::Cancelled(_) => "cancelled",
        };
        let cash_out = if let StepKind::CashedOut(c) = &step.what { Some(c) } else { None };
        let cancelled = if let StepKind::Cancelled(c) = &step.what { Some(CancelledOut::of(c)) } else { None };
        Self {
            at: Time(step.at.ms()),
            entry: None,
            version: Some(step.version),
            state: Some(step.state.name()),
            paid: Some(money(step.paid.minor())),
            cash_out: cash_out.map(|c| Shown(c.id)),
            stake: cash_out.map(|c| money(c.stake.minor())),
            pays: cash_out.map(|c| money(c.pays.minor())),
            cancelled,
            ..Self::decided(event, record)
        }
    }
}

/// What happened to a decided wager. Of one from before trails were kept, the last settlement is told from the record.
pub(crate) fn trail(record: &WagerRecord) -> Vec<EventOut<'_>> {
    let mut events = vec![EventOut::decided(if record.is_accepted() { "placed" } else { "rejected" }, record)];
    if record.steps().is_empty() && record.settled_version > 0 {
        events.push(EventOut {
            at: Time(record.settled_at.ms()),
            entry: None,
            version: Some(record.settled_version),
            state: Some(record.state.name()),
            paid: Some(record.currency.format(i128::from(record.paid.minor()))),
            ..EventOut::decided(if record.state == WagerState::Open { "reopened" } else { "settled" }, record)
        });
    }
    events.extend(record.steps().iter().map(|step| EventOut::of(record, step)));
    events
}

/// Steps that are not among them.
pub(crate) fn dropped(record: &WagerRecord) -> u32 {
    let told_otherwise = u32::from(record.steps().is_empty() && record.settled_version > 0);
    record.steps_dropped() - told_otherwise
}

pub(crate) const fn is_zero(n: &u32) -> bool {
    *n == 0
}
