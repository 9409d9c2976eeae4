//! The vocabulary of the house: only valid values exist.
//! Ids, keys, money, odds, markets, wagers, results, and what clients ask and hear.
//!
//! This crate decides nothing: no state, no IO, no clock, no randomness. JSON lives in `api`, bytes on disk in `store`.

mod cancel;
mod cash_out;
mod command;
mod escrow;
mod grade;
mod ids;
mod keys;
mod later;
pub mod limits;
mod market;
mod money;
mod odds;
mod outcome;
mod posting;
mod quote;
mod reference;
mod result;
mod session;
pub mod settlement;
mod share;
mod suspension;
mod token;
mod trading_views;
mod wager;

pub use cancel::CancelWindow;
pub use cash_out::CashOutQuote;
pub use command::{
    AccountQuery, Command, EventsQuery, MarketDraft, OddsChange, OddsWrite, Query, QuoteRequest, ResultWrite,
    StatusAct, WagerRequest,
};
pub use escrow::{EscrowView, InFlight, ShareView, SpendView};
pub use grade::{Deduction, DeductionFrom, Deductions, Grade, Verdict, VerdictError};
pub use ids::{IdError, MintedId};
pub use keys::{AccountId, EventKey, GroupKey, KeyError, MarketKey, OutcomeKey, ProducerId, Text};
pub use later::{Cancelled, CashOut, Later, Step, StepKind};
pub use market::{Definition, EachWayTerms, Groups, MarketStatus, MarketTerms, OutcomeDef, Price, ProducerState};
pub use money::{Amount, Currency, MoneyError};
pub use odds::{Odds, OddsDisplay, OddsError};
pub use outcome::{
    AccountView, Answer, ClockView, DigestView, ExchangeRunnerView, ExchangeView, FeedReport, LineRefusal, LinkView,
    LogView, MarketView, OddsReport, OutcomeView, ProducerView, ReadyView, Refusal, RegionView, RegionsView,
    ReplicationView, SnapshotView, WagerAnswer, WagerView,
};
pub use posting::{Adjustment, AdjustmentKind, CashedWager, Posting, PostingAct, Withdrawal, WithdrawalState};
pub use quote::QuoteView;
pub use reference::{
    Received, Reference, ReferenceDecision, ReferenceError, ReferenceOutcome, ReferenceRefusal, SentAmount,
};
pub use result::{OutcomeResult, ResultRegister, ResultScope, SettlementCall};
pub use session::{Session, SessionRecord, SessionView};
pub use share::{Share, ShareError};
pub use suspension::{SaleScope, Sport, Suspension};
pub use token::{Token, TokenError};
pub use trading_views::{DelayView, EventView, SuspensionView, TicketView};
pub use wager::{
    Decision, Durability, Hash16, Leg, LegTaken, Mint, OddsPolicy, Problem, RejectCode, WagerRecord, WagerState,
};
