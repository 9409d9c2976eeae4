//! What handlers take from a request besides JSON: bodies under a limit, keys in paths, strict queries.

use std::borrow::Cow;
use std::time::Duration;

use axum::body::HttpBody as _;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use model::{AccountId, KeyError, MintedId};
use tokio::sync::OwnedSemaphorePermit;

use crate::problem::{Fault, Problem};
use crate::state::AppState;

/// A body of an ordinary call.
#[derive(Debug)]
pub(crate) struct Small(pub(crate) Held);

/// A body of a bulk call.
#[derive(Debug)]
pub(crate) struct Bulk(pub(crate) Held);

/// A whole body, counted against what the node may hold until it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) bytes: Bytes,
    _counted: OwnedSemaphorePermit,
}

impl FromRequest<AppState> for Small {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &AppState) -> Result<Self, Problem> {
        hold(request, app, app.config.body_bytes_max).await.map(Self)
    }
}

impl FromRequest<AppState> for Bulk {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &AppState) -> Result<Self, Problem> {
        hold(request, app, app.config.bulk_bytes_max).await.map(Self)
    }
}

/// Any fault here means that the handler never ran: nothing was decided.
async fn hold(request: Request, app: &AppState, bytes_max: usize) -> Result<Held, Problem> {
    let body = request.into_body();
    let too_large = || {
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            format!("the body is longer than {bytes_max} bytes; send it in parts"),
        )
        .undecided()
    };
    let size = body.size_hint();
    if size.lower() > u64::try_from(bytes_max).unwrap_or(u64::MAX) {
        return Err(too_large());
    }
    let held_bytes = size.upper().and_then(|n| usize::try_from(n).ok()).unwrap_or(bytes_max).min(bytes_max);
    let kib = u32::try_from(held_bytes.div_ceil(1024)).unwrap_or(u32::MAX);
    let counted = app.held_kib.clone().try_acquire_many_owned(kib).map_err(|_| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", "too many large bodies at a time; send it again")
            .retry_after(1_000)
            .undecided()
    })?;
    let whole = Limited::new(body, bytes_max).collect();
    match tokio::time::timeout(Duration::from_millis(app.config.body_ms_max), whole).await {
        Ok(Ok(whole)) => Ok(Held { bytes: whole.to_bytes(), _counted: counted }),
        Ok(Err(e)) if e.downcast_ref::<LengthLimitError>().is_some() => Err(too_large()),
        Ok(Err(e)) => {
            Err(Problem::new(StatusCode::BAD_REQUEST, "body_broken", format!("the body ended early: {e}")).undecided())
        }
        Err(_) => {
            let ms = app.config.body_ms_max;
            let detail = format!("the body did not arrive within {ms} ms; send it again");
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "body_late", detail).undecided())
        }
    }
}

/// The one key of a path, as text: percent-decoded once.
#[derive(Debug)]
pub(crate) struct Segment(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(text)) => Ok(Self(text)),
            Err(e) => Err(Problem::field("path", e.body_text()).undecided()),
        }
    }
}

/// An account and the id of one of its postings.
#[derive(Debug)]
pub(crate) struct Posted {
    pub(crate) account: AccountId,
    pub(crate) id: MintedId,
}

impl<S: Send + Sync> FromRequestParts<S> for Posted {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path((account, id)) = Path::<(String, String)>::from_request_parts(parts, state)
            .await
            .map_err(|e| Problem::field("path", e.body_text()).undecided())?;
        let account = Segment(account).key("account", AccountId::new)?;
        let id = MintedId::parse(&id).map_err(|e| Problem::field("id", e).undecided())?;
        Ok(Self { account, id })
    }
}

impl Segment {
    /// The key. A key that itself holds percent escapes may stand in a URL as it is or escaped again.
    pub(crate) fn key<T>(&self, field: &str, parse: fn(&str) -> Result<T, KeyError>) -> Result<T, Problem> {
        let spelled = match parse(&self.0) {
            Err(KeyError::BadCharacter) => Cow::Owned(escape(&self.0)),
            _ => Cow::Borrowed(self.0.as_str()),
        };
        parse(&spelled).map_err(|e| Problem::field(field, e).undecided())
    }
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b":._;=,@~-".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

/// Query parameters: each at most once, only those that are known.
#[derive(Debug, Default)]
pub(crate) struct Params(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let pairs = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        pairs.map(|q| Self(q.0)).map_err(|e| Problem::field("query", e.body_text()))
    }
}

impl Params {
    /// Takes out the parameter's value.
    pub(crate) fn take(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(key, _)| key == name)?;
        Some(self.0.remove(at).1)
    }

    /// The faults of whatever is left: unknown, or given twice.
    pub(crate) fn left(self, known: &[&str]) -> Vec<Fault> {
        let fault = |(name, _): (String, String)| {
            let detail = if known.contains(&name.as_str()) {
                "is given twice".to_owned()
            } else {
                format!("is not a parameter; known are {}", known.join(", "))
            };
            Fault { field: format!("query {name}"), detail }
        };
        self.0.into_iter().map(fault).collect()
    }
}
