//! Wagers as they are answered: decisions, batch items, and what GET knows. Written straight from the records.

use model::{Decision, LegTaken, MintedId, Problem as Why, WagerAnswer, WagerRecord, WagerView};
use serde::Serialize;
use utoipa::ToSchema;

use crate::config::ApiConfig;
use crate::dto::lines::SystemOut;
use crate::dto::pending::{PendingOut, TicketOut};
use crate::dto::shown::{Display3, Shown, Time};
use crate::dto::trail::{CancelledOut, EventOut, dropped, is_zero, trail};
use crate::problem::{Problem, ProblemBody};

/// A decision, final; or, with 202, a wager that is recorded and does not count yet.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Decision)]
pub(crate) struct DecisionOut<'a> {
    #[schema(value_type = String)]
    id: Shown<MintedId>,
    /// `accepted`, `rejected`, `pending` (202) or, for an id that was abandoned or cancelled before it was decided,
    /// `not_placed`.
    status: &'static str,
    /// False only while pending: a decision never changes.
    r#final: bool,
    /// False only for `id_expired`, which is final without a record.
    recorded: bool,
    #[serde(flatten)]
    pending: Option<AwaitingOut>,
    #[serde(flatten)]
    taken: Option<TakenOut<'a>>,
    /// Why it was rejected, for all legs at once.
    problems: Vec<WhyOut>,
}

/// Why a recorded wager does not count yet. Its money is reserved.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Pending)]
pub(crate) struct AwaitingOut {
    /// `awaiting_ack`: enough other regions have not said yet that they hold it. It was admitted and will be accepted:
    /// nothing but the loss of the region can come between.
    why: &'static str,
    /// When it is resolved at the latest; null where that hangs on no time but on another region being reached.
    #[schema(value_type = Option<String>, format = DateTime)]
    resolves_by: Option<Time>,
    /// Where to ask how it stands; sending the same request again says it as well.
    follow: String,
}

impl AwaitingOut {
    fn awaiting_ack(id: MintedId) -> Self {
        Self { why: "awaiting_ack", resolves_by: None, follow: format!("/v1/wagers/{id}") }
    }
}

/// What was decided upon.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Taken)]
pub(crate) struct TakenOut<'a> {
    account: &'a str,
    /// ISO 4217 code.
    currency: &'a str,
    /// Unit stakes in it: its lines, twice as many each-way.
    lines: u64,
    unit_stake: String,
    total_stake: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<SystemOut<'a>>,
    each_way: bool,
    /// What it pays if every leg wins, stake included.
    potential_payout: String,
    /// The rule of the one rounding of what it pays: `floor` or `half_up`.
    rounding: &'static str,
    /// The region that decided.
    region: String,
    /// Time of the decision.
    #[schema(value_type = String, format = DateTime)]
    placed_at: Time,
    /// Legs with the odds taken; of a rejected wager the odds asked for.
    legs: Vec<LegOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_ref: Option<&'a str>,
}

/// A leg as taken.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LegTaken)]
pub(crate) struct LegOut<'a> {
    market: &'a str,
    outcome: &'a str,
    /// Shortest exact form.
    #[schema(value_type = String)]
    odds: Shown<model::Odds>,
    display: Display3,
    /// Fraction of the winnings that the place part pays, each-way.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    place_fraction: Option<Shown<model::Share>>,
    /// Taken after its market had closed: void, whatever the result.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    past_posted: bool,
}

/// Why a leg, or the wager as a whole, was rejected.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WagerProblem)]
pub(crate) struct WhyOut {
    /// Index of the leg; null speaks of the wager.
    leg: Option<u8>,
    /// Reject code.
    code: &'static str,
    /// Odds on offer, where they moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    odds: Option<Shown<model::Odds>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    display: Option<Display3>,
}

impl<'a> DecisionOut<'a> {
    pub(crate) fn of(record: &'a WagerRecord, config: &ApiConfig) -> Self {
        let (status, problems) = match &record.decision {
            Decision::Accepted => ("accepted", &[][..]),
            Decision::Rejected(problems) => ("rejected", problems.as_slice()),
        };
        let taken = TakenOut {
            account: record.account.as_str(),
            currency: record.currency.code(),
            lines: record.lines(),
            unit_stake: record.currency.format(i128::from(record.unit_stake().minor())),
            system: record.system.as_ref().map(SystemOut::of),
            each_way: record.each_way.is_some(),
            rounding: record.rounding().name(),
            total_stake: record.currency.format(i128::from(record.stake.minor())),
            potential_payout: record.currency.format(i128::from(record.potential_payout())),
            region: config.region(record.owner.region),
            placed_at: Time(record.placed_at.ms()),
            legs: record.legs.iter().enumerate().map(|(n, leg)| LegOut::in_wager(record, n, leg)).collect(),
            client_ref: record.client_ref.as_ref().map(model::Text::as_str),
        };
        Self {
            id: Shown(record.id),
            status,
            r#final: true,
            recorded: true,
            pending: None,
            taken: Some(taken),
            problems: problems.iter().map(WhyOut::of).collect(),
        }
    }

    /// Prepared and recorded; accepted once enough other regions hold it.
    pub(crate) fn pending(record: &'a WagerRecord, config: &ApiConfig) -> Self {
        let pending = Some(AwaitingOut::awaiting_ack(record.id));
        Self { status: "pending", r#final: false, pending, ..Self::of(record, config) }
    }

    /// The id was abandoned or cancelled before it was decided; that is recorded.
    pub(crate) const fn closed(id: MintedId) -> Self {
        Self {
            id: Shown(id),
            status: "not_placed",
            r#final: true,
            recorded: true,
            pending: None,
            taken: None,
            problems: Vec::new(),
        }
    }

    /// The id's time is over: no record, and there never will be one.
    pub(crate) fn expired(id: MintedId) -> Self {
        let code = model::RejectCode::IdExpired.name();
        Self {
            id: Shown(id),
            status: "rejected",
            r#final: true,
            recorded: false,
            pending: None,
            taken: None,
            problems: vec![WhyOut { leg: None, code, odds: None, display: None }],
        }
    }
}

impl<'a> LegOut<'a> {
    pub(crate) fn of(leg: &'a LegTaken) -> Self {
        Self {
            market: leg.market.as_str(),
            outcome: leg.outcome.as_str(),
            odds: Shown(leg.odds),
            display: Display3::of(leg.odds),
            place_fraction: None,
            past_posted: false,
        }
    }

    fn in_wager(record: &WagerRecord, n: usize, leg: &'a LegTaken) -> Self {
        let place = record.each_way.as_ref().and_then(|all| all.get(n).copied());
        let past_posted = record.past_posted().iter().any(|of| usize::from(*of) == n);
        Self { place_fraction: place.map(Shown), past_posted, ..Self::of(leg) }
    }
}

impl WhyOut {
    pub(crate) fn of(why: &Why) -> Self {
        Self { leg: why.leg, code: why.code.name(), odds: why.odds.map(Shown), display: why.odds.map(Display3::of) }
    }
}

/// Answers to a batch, in order.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WagerBatchAnswer)]
pub(crate) struct BatchOut<'a> {
    pub(crate) items: Vec<ItemOut<'a>>,
}

/// One answer of a batch: what the single call would have said.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WagerBatchItem)]
pub(crate) struct ItemOut<'a> {
    /// Status code of the single call.
    pub(crate) http_status: u16,
    /// Whether it had been decided before.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) replayed: bool,
    /// A decision, or a problem.
    pub(crate) body: ItemBody<'a>,
}

/// Body of a batch item.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WagerBatchBody)]
#[serde(untagged)]
pub(crate) enum ItemBody<'a> {
    /// Decided, or pending.
    Decision(Box<DecisionOut<'a>>),
    /// Written down, and not decided.
    Pending(PendingOut),
    /// Not decided.
    Problem(ProblemBody),
}

impl<'a> ItemOut<'a> {
    /// The answer to one wager.
    pub(crate) fn of(id: MintedId, answer: &'a WagerAnswer, config: &ApiConfig) -> Self {
        match answer {
            WagerAnswer::Decided { record, replayed } => {
                let http_status = if record.is_accepted() && !replayed { 201 } else { 200 };
                let body = ItemBody::Decision(Box::new(DecisionOut::of(record, config)));
                Self { http_status, replayed: *replayed, body }
            }
            WagerAnswer::AwaitingAck { record, .. } => {
                let body = ItemBody::Decision(Box::new(DecisionOut::pending(record, config)));
                Self { http_status: 202, replayed: false, body }
            }
            WagerAnswer::Refused(model::Refusal::IdExpired) => {
                Self { http_status: 200, replayed: false, body: ItemBody::Decision(Box::new(DecisionOut::expired(id))) }
            }
            WagerAnswer::Refused(model::Refusal::IdClosed) => {
                Self { http_status: 200, replayed: false, body: ItemBody::Decision(Box::new(DecisionOut::closed(id))) }
            }
            WagerAnswer::Ticket(ticket) => {
                let body = ItemBody::Pending(PendingOut::of(id, *ticket, config));
                Self { http_status: 202, replayed: false, body }
            }
            WagerAnswer::Delayed(delay) => {
                let body = ItemBody::Pending(PendingOut::delayed(id, *delay, config));
                Self { http_status: 202, replayed: false, body }
            }
            WagerAnswer::Refused(why) => {
                Self::problem(crate::refusal::problem(why, crate::refusal::Concern::Decision, config))
            }
        }
    }

    pub(crate) fn problem(problem: Problem) -> Self {
        let http_status = problem.status().as_u16();
        Self { http_status, replayed: false, body: ItemBody::Problem(problem.into_body()) }
    }
}

/// What is known of a wager id.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WagerView)]
pub(crate) struct WagerOut<'a> {
    #[schema(value_type = String)]
    id: Shown<MintedId>,
    /// `accepted`, `rejected`, `pending`, `not_placed` or `unknown`.
    status: &'static str,
    /// Whether this can never change any more (the state of an accepted wager still moves).
    definitive: bool,
    /// The region that decides this id.
    owner: String,
    #[serde(flatten)]
    known: Option<KnownOut<'a>>,
    #[serde(flatten)]
    ticket: Option<TicketOut>,
}

/// A decided or pending wager and how it stands.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WagerKnown)]
pub(crate) struct KnownOut<'a> {
    r#final: bool,
    #[serde(flatten)]
    pending: Option<AwaitingOut>,
    #[serde(flatten)]
    taken: Option<TakenOut<'a>>,
    problems: Vec<WhyOut>,
    /// `open`, `won`, `lost`, `part` (less than the stake returned), `void`, `cashed_out` or `cancelled` (all of it);
    /// only of an accepted wager. Of one that was cashed out or cancelled in part it says how the rest stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    /// Paid out so far, net of clawbacks; cash-outs and returned stakes included.
    #[serde(skip_serializing_if = "Option::is_none")]
    paid: Option<String>,
    /// The part of the original stake that an operator cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    cancelled: Option<CancelledOut<'a>>,
    /// What happened to it, oldest first.
    events: Vec<EventOut<'a>>,
    /// Events after the decision that are listed no longer: the oldest settlements go first.
    #[serde(skip_serializing_if = "is_zero")]
    events_dropped: u32,
}

impl<'a> WagerOut<'a> {
    pub(crate) fn of(id: MintedId, view: &'a WagerView, config: &ApiConfig) -> Self {
        let (status, definitive, owner, known) = match view {
            WagerView::Known(record) => {
                let decision = DecisionOut::of(record, config);
                let status = decision.status;
                (status, true, record.owner.region, Some(KnownOut::of(record, decision)))
            }
            WagerView::AwaitingAck(record) => {
                let known = KnownOut::pending(record, DecisionOut::pending(record, config));
                ("pending", false, record.owner.region, Some(known))
            }
            WagerView::NotPlaced { definitive } => ("not_placed", *definitive, id.region(), None),
            WagerView::Unknown { owner } => ("unknown", false, *owner, None),
            WagerView::Ticket(ticket) => ("pending", false, ticket.owner, None),
            WagerView::Delayed(delay) => ("pending", false, delay.owner, None),
        };
        let ticket = match view {
            WagerView::Ticket(ticket) => Some(TicketOut::of(id, *ticket)),
            WagerView::Delayed(delay) => Some(TicketOut::delayed(id, *delay)),
            _ => None,
        };
        Self { id: Shown(id), status, definitive, owner: config.region(owner), known, ticket }
    }
}

impl<'a> KnownOut<'a> {
    fn of(record: &'a WagerRecord, decision: DecisionOut<'a>) -> Self {
        let accepted = record.is_accepted();
        let paid = accepted.then(|| record.currency.format(i128::from(record.paid.minor())));
        let state = accepted.then(|| record.state.name());
        let DecisionOut { r#final, pending, taken, problems, .. } = decision;
        Self {
            r#final,
            pending,
            taken,
            problems,
            state,
            paid,
            cancelled: record.cancelled().map(CancelledOut::of),
            events: trail(record),
            events_dropped: dropped(record),
        }
    }

    /// Nothing has happened to a pending wager that a client may build upon: not even its settlement is told.
    fn pending(record: &'a WagerRecord, decision: DecisionOut<'a>) -> Self {
        let DecisionOut { r#final, pending, taken, problems, .. } = decision;
        Self {
            r#final,
            pending,
            taken,
            problems,
            state: None,
            paid: None,
            cancelled: None,
            events: vec![EventOut::decided("prepared", record)],
            events_dropped: 0,
        }
    }
}
