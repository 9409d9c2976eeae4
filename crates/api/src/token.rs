//! The causality token at the edge: read from headers, joined, carried through, written on every answer.
//! Base64url without padding; what is inside is the model's business.

use std::sync::Arc;

use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use model::Token;
use model::limits::TOKEN_BYTES_MAX;

use crate::problem::{Fault, Problem};
use crate::state::AppState;

/// The token, in requests (any number, joined) and on every answer.
pub(crate) const TOKEN: HeaderName = HeaderName::from_static("stakehold-token");
/// Longest wait for the token, in ms.
pub(crate) const WAIT_MS: HeaderName = HeaderName::from_static("stakehold-wait-ms");
/// The answer had not seen all of the request's token.
pub(crate) const STALE: HeaderName = HeaderName::from_static("stakehold-stale");
/// The answer was given before.
pub(crate) const REPLAYED: HeaderName = HeaderName::from_static("stakehold-replayed");

/// Token headers of one request, at most.
const TOKENS_MAX: usize = 16;

/// What a request says about causality.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// All its tokens joined; `None` when it has none.
    pub(crate) token: Option<Arc<Token>>,
    /// Longest wait in ms; 0 answers with what is here.
    pub(crate) wait_ms: u64,
}

/// What the node had seen when it answered; a response extension that becomes the header.
#[derive(Clone, Debug)]
pub(crate) struct Seen(pub(crate) Arc<Token>);

impl<S: Sync> FromRequestParts<S> for Asked {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Problem::internal("the token layer is missing"))
    }
}

/// Reads the headers, calls on, and writes the headers of the answer.
pub(crate) async fn carry(State(app): State<AppState>, mut request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let method = request.method().clone();
    let (mut response, asked) = match read(request.headers(), &app) {
        Ok(asked) => {
            request.extensions_mut().insert(asked.clone());
            (next.run(request).await, Some(asked))
        }
        Err(problem) => (problem.undecided().into_response(), None),
    };
    write(&mut response, asked.as_ref());
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    let status = response.status().as_u16();
    tracing::debug!(%method, route, status, "answered");
    let (method, route) = (method.to_string(), route.to_owned());
    metrics::counter!("stakehold_http_answers_total", "method" => method, "route" => route, "status" => status.to_string())
        .increment(1);
    response
}

fn read(headers: &HeaderMap, app: &AppState) -> Result<Asked, Problem> {
    let wrong = |header: &HeaderName, code, detail: String| {
        Problem::malformed(code, vec![Fault { field: format!("header {header}"), detail }])
    };
    let mut joined: Option<Token> = None;
    for (n, value) in headers.get_all(TOKEN).iter().flat_map(|v| v.as_bytes().split(|b| *b == b',')).enumerate() {
        let token = (n < TOKENS_MAX).then(|| decode(value.trim_ascii())).flatten().ok_or_else(|| {
            wrong(&TOKEN, "token_malformed", format!("is not a token of this cluster, or more than {TOKENS_MAX}"))
        })?;
        match &mut joined {
            Some(all) => all.join(&token),
            None => joined = Some(token),
        }
    }
    let most = app.config.wait_ms_max;
    let wait_ms = match headers.get(WAIT_MS) {
        None => app.config.wait_ms_default,
        Some(value) => (value.to_str().ok())
            .filter(|text| text.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|text| text.parse().ok())
            .filter(|ms| *ms <= most)
            .ok_or_else(|| wrong(&WAIT_MS, "malformed", format!("is not a number of ms from 0 to {most}")))?,
    };
    Ok(Asked { token: joined.map(Arc::new), wait_ms })
}

fn write(response: &mut Response, asked: Option<&Asked>) {
    let seen = response.extensions_mut().remove::<Seen>();
    let token = asked.and_then(|a| a.token.as_deref());
    let stale = match (&seen, token) {
        (Some(seen), Some(token)) => !seen.0.covers(token),
        _ => false,
    };
    let text = match (&seen, token) {
        (Some(seen), Some(token)) if stale => {
            let mut both = (*seen.0).clone();
            both.join(token);
            // Sites nobody has heard of can blow a token up; then what this region knows is all it can say.
            encode(if fits(&both) { &both } else { &seen.0 })
        }
        (Some(seen), _) => encode(&seen.0),
        (None, Some(token)) if fits(token) => encode(token),
        (None, _) => encode(&Token::default()),
    };
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&text) {
        headers.insert(TOKEN, value);
    }
    if stale && asked.is_some_and(|a| a.wait_ms == 0) {
        headers.insert(STALE, HeaderValue::from_static("true"));
    }
}

/// Whether the token's text stays within its bound, told without writing it.
fn fits(token: &Token) -> bool {
    let number = |n: u64| match n {
        0..24 => 1,
        24..0x100 => 2,
        0x100..0x1_0000 => 3,
        0x1_0000..0x1_0000_0000 => 5,
        _ => 9,
    };
    // Around the entries: the pair and two map headers.
    let mut bytes = 8;
    for (site, n) in token.log.iter().chain(token.odds.iter()) {
        bytes += 1 + number(u64::from(site.region)) + number(u64::from(site.incarnation));
        bytes += number(u64::from(site.shard)) + number(n);
    }
    bytes <= TOKEN_BYTES_MAX / 4 * 3
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn encode(token: &Token) -> String {
    text_of(&token.encode())
}

/// Base64url without padding.
pub(crate) fn text_of(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0u32, |word, byte| (word << 8) | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            let six = usize::try_from((word >> (18 - 6 * place)) & 63).unwrap_or(0);
            text.push(ALPHABET.get(six).map_or('A', |b| char::from(*b)));
        }
    }
    text
}

fn decode(text: &[u8]) -> Option<Token> {
    if text.is_empty() || text.len() > TOKEN_BYTES_MAX {
        return None;
    }
    Token::decode(&bytes_of(text)?).ok()
}

/// The bytes of a base64url text without padding; `None` when it is none.
pub(crate) fn bytes_of(text: &[u8]) -> Option<Vec<u8>> {
    if text.len() % 4 == 1 {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for chunk in text.chunks(4) {
        let mut word = 0u32;
        for byte in chunk {
            word = (word << 6) | six(*byte)?;
        }
        word <<= 6 * (4 - chunk.len());
        // The first octet of the four is empty: 24 bits hold three bytes.
        let [_, octets @ ..] = word.to_be_bytes();
        bytes.extend(octets.iter().take(chunk.len() - 1));
    }
    Some(bytes)
}

fn six(byte: u8) -> Option<u32> {
    let value = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'-' => 62,
        b'_' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

#[cfg(test)]
mod tests {
    use crdt::{Site, Vector};

    use super::*;

    #[test]
    fn a_token_of_any_length_comes_back_from_its_text() {
        let token = |sites: u16| {
            let log: Vector = (1..=sites).map(|n| (Site::new(n, 1), 1 << (n % 40))).collect();
            Token { odds: log.clone(), log }
        };
        for sites in 0..16 {
            let text = encode(&token(sites));
            assert!(fits(&token(sites)) && text.len() <= TOKEN_BYTES_MAX, "{sites} sites take {} bytes", text.len());
            assert_eq!(decode(text.as_bytes()), Some(token(sites)));
        }
        assert!(!fits(&token(40)));
    }

    #[test]
    fn what_is_not_a_token_is_refused() {
        for text in ["", "A", "!!!!", "AAAA", "gqCg=", "zzzzzzzz"] {
            assert_eq!(decode(text.as_bytes()), None, "{text}");
        }
        assert_eq!(decode(&[b'A'; TOKEN_BYTES_MAX + 1]), None);
    }
}
