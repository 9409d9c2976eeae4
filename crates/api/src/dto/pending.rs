//! A wager that is written down and not decided: because its owner cannot be heard, or because its markets are in play
//! and it waits. What was noted, what that promises, and where to follow it.

use model::{DelayView, MintedId, TicketView};
use serde::Serialize;
use utoipa::ToSchema;

use crate::config::ApiConfig;
use crate::dto::shown::{Shown, Time};
use crate::dto::wager_views::DecisionOut;

/// Not decided yet, but written down here.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WagerPending)]
pub(crate) struct PendingOut {
    #[schema(value_type = String)]
    id: Shown<MintedId>,
    /// `pending`.
    status: &'static str,
    /// Always false.
    r#final: bool,
    /// Always true: this region finds out by itself what becomes of the id, also after a restart.
    recorded: bool,
    /// The region that decides this id.
    owner: String,
    #[serde(flatten)]
    ticket: TicketOut,
}

/// What a pending wager waits for.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WagerTicket)]
pub(crate) struct TicketOut {
    /// `owner_unreachable`: the region that decides this id cannot be heard. No money is set aside, and this region never
    /// places the wager itself: it learns the decision there was, or makes sure that there never is one.
    /// `bet_delay`: a market of it is in play. Its stake is set aside, and after the market's delay it is admitted again
    /// against the prices of then, and accepted or rejected for good.
    why: &'static str,
    /// Since when, in this region's time.
    #[schema(value_type = String, format = DateTime)]
    since: Time,
    /// The id's `place_by`: from then on nothing new is decided under it. The answer itself is known here as soon as the
    /// owner can be heard, which may be sooner or later; no clock bounds it. Of a `bet_delay` the end of the delay.
    #[schema(value_type = String, format = DateTime)]
    resolves_by: Time,
    /// Where to ask, in this region.
    follow: String,
}

impl PendingOut {
    pub(crate) fn delayed(id: MintedId, delay: DelayView, config: &ApiConfig) -> Self {
        Self {
            id: Shown(id),
            status: "pending",
            r#final: false,
            recorded: true,
            owner: config.region(delay.owner),
            ticket: TicketOut::delayed(id, delay),
        }
    }

    pub(crate) fn of(id: MintedId, ticket: TicketView, config: &ApiConfig) -> Self {
        Self {
            id: Shown(id),
            status: "pending",
            r#final: false,
            recorded: true,
            owner: config.region(ticket.owner),
            ticket: TicketOut::of(id, ticket),
        }
    }
}

impl TicketOut {
    pub(crate) fn delayed(id: MintedId, delay: DelayView) -> Self {
        Self {
            why: "bet_delay",
            since: Time(delay.asked_ms),
            resolves_by: Time(delay.due_ms),
            follow: format!("/v1/wagers/{id}"),
        }
    }

    pub(crate) fn of(id: MintedId, ticket: TicketView) -> Self {
        Self {
            why: "owner_unreachable",
            since: Time(ticket.opened_ms),
            resolves_by: Time(id.place_by_ms()),
            follow: format!("/v1/wagers/{id}"),
        }
    }
}

/// Body of a 202.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Pended)]
#[serde(untagged)]
pub(crate) enum PendedOut<'a> {
    /// Recorded, its money reserved: it counts once enough other regions hold it.
    Prepared(Box<DecisionOut<'a>>),
    /// Written down, and not decided.
    Noted(PendingOut),
}
