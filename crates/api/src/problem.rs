//! Errors as `application/problem+json`: a stable code, a detail that says what to do, and, where a decision is
//! concerned, whether there is one and how to retry. Knows no refusals (those are mapped in `refusal`).

use std::borrow::Cow;
use std::sync::Arc;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use model::Token;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::token::Seen;

/// How to try again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Retry {
    /// It would be refused again.
    No,
    /// With the same id: it can never count twice.
    SameId,
    /// With a new id: this one is spent.
    NewId,
}

/// One field at fault.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub(crate) struct Fault {
    /// Path of the field, such as `legs[0].odds`.
    pub(crate) field: String,
    /// What is wrong with it.
    pub(crate) detail: String,
}

/// RFC 9457 problem, with `type` left at `about:blank`.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody {
    /// The status code's own name.
    title: &'static str,
    /// The status code.
    status: u16,
    /// Stable snake_case code.
    code: &'static str,
    /// What happened and what to do.
    #[schema(value_type = String)]
    detail: Cow<'static, str>,
    /// Every field at fault that was found.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Fault>,
    /// Whether there is a decision; null when that is unknown. Only where a decision is concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<bool>)]
    decided: Option<Option<bool>>,
    /// Whether anything was recorded; null when that is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<bool>)]
    recorded: Option<Option<bool>>,
    /// How to try again.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry: Option<Retry>,
    /// When to try again, in ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
    /// More, by code: `owner`, `region`, `has`, `now`, `spendable_here`, `elsewhere`, `state`, `problems`, `quote`.
    #[serde(flatten)]
    #[schema(ignore)]
    more: serde_json::Map<String, Value>,
}

/// A problem on its way out; boxed, because it travels in every `Result`.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    body: Box<ProblemBody>,
    seen: Option<Arc<Token>>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        let body = ProblemBody {
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            code,
            detail: detail.into(),
            errors: Vec::new(),
            decided: None,
            recorded: None,
            retry: None,
            retry_after_ms: None,
            more: serde_json::Map::new(),
        };
        Self { body: Box::new(body), seen: None }
    }

    /// A bug on our side: said, not hidden.
    pub(crate) fn internal(detail: &str) -> Self {
        tracing::error!(detail, "internal error");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail.to_owned())
    }

    /// 422 with the fields at fault.
    pub(crate) fn malformed(code: &'static str, errors: Vec<Fault>) -> Self {
        let named: Vec<String> = errors.iter().map(|f| format!("{}: {}", f.field, f.detail)).collect();
        let mut problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, named.join("; "));
        problem.body.errors = errors;
        problem
    }

    /// 422 for one field.
    pub(crate) fn field(field: &str, detail: impl std::fmt::Display) -> Self {
        Self::malformed("malformed", vec![Fault { field: field.to_owned(), detail: detail.to_string() }])
    }

    /// Nothing was decided and nothing recorded; the call would be refused again as it stands.
    pub(crate) fn undecided(self) -> Self {
        self.undecided_retry(Retry::No)
    }

    /// Nothing was decided and nothing recorded.
    pub(crate) fn undecided_retry(self, retry: Retry) -> Self {
        let retry = if self.body.retry_after_ms.is_some() { Retry::SameId } else { retry };
        self.decision(Some(false), Some(false), retry)
    }

    /// Whether it was decided is unknown.
    pub(crate) fn unknown(self) -> Self {
        self.decision(None, None, Retry::SameId)
    }

    pub(crate) fn decision(mut self, decided: Option<bool>, recorded: Option<bool>, retry: Retry) -> Self {
        self.body.decided = Some(decided);
        self.body.recorded = Some(recorded);
        self.body.retry = Some(retry);
        self
    }

    pub(crate) fn retry_after(mut self, ms: u64) -> Self {
        self.body.retry_after_ms = Some(ms);
        self
    }

    pub(crate) fn with(mut self, key: &'static str, value: impl Into<Value>) -> Self {
        self.body.more.insert(key.to_owned(), value.into());
        self
    }

    /// What the node had seen when it refused.
    pub(crate) fn seen(mut self, token: Arc<Token>) -> Self {
        self.seen = Some(token);
        self
    }

    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.body.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    pub(crate) const fn code(&self) -> &'static str {
        self.body.code
    }

    pub(crate) fn detail(&self) -> &str {
        &self.body.detail
    }

    pub(crate) fn into_body(self) -> ProblemBody {
        *self.body
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let bytes = serde_json::to_vec(&self.body).unwrap_or_default();
        let mut response = (self.status(), bytes).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(ms) = self.body.retry_after_ms {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(ms.div_ceil(1_000).max(1)));
        }
        if let Some(token) = self.seen {
            response.extensions_mut().insert(Seen(token));
        }
        response
    }
}
