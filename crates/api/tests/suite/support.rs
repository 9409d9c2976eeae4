//! A node of cardboard: it notes what it is asked and answers from a script. And a small client.

use std::sync::{Arc, Mutex};

use api::{ApiConfig, AppState, router};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Request as HttpRequest, StatusCode};
use crdt::{Hlc, Site, Vector};
use engine::door::Request;
use model::{
    AccountId, Amount, Answer, Currency, Decision, Hash16, LegTaken, MarketKey, MintedId, Odds, OddsPolicy, OutcomeKey,
    Token, WagerRecord, WagerState,
};
use node::{NodeHandle, Reply};
use serde_json::Value;
use tower::ServiceExt;

pub(crate) const ID: &str = "018bcfe5-6800-8001-8000-00000000002a";
pub(crate) const WAGER: &str = r#"{"id":"018bcfe5-6800-8001-8000-00000000002a","account":"p@eu","unit_stake":"10.00",
    "legs":[{"market":"m:1","outcome":"7","odds":"7.4"}]}"#;

/// What the node was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) request: Request,
    pub(crate) token: Option<Token>,
    pub(crate) wait_ms: u64,
}

/// A router over the cardboard node.
pub(crate) struct Desk {
    pub(crate) router: Router,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// What a call got.
pub(crate) struct Got {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Got {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {:?}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|v| v.to_str().unwrap())
    }

    /// Checks that it is a problem of this status and code.
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        let body = self.json();
        assert_eq!(
            (self.status.as_u16(), &body["code"], self.header("content-type")),
            (status, &Value::from(code), Some("application/problem+json")),
            "{body}"
        );
        assert_eq!(body["status"], status);
        assert!(self.header("stakehold-token").is_some());
        body
    }

    /// Fields named in `errors`.
    pub(crate) fn fields(&self) -> Vec<String> {
        let body = self.json();
        body["errors"].as_array().unwrap().iter().map(|e| e["field"].as_str().unwrap().to_owned()).collect()
    }
}

pub(crate) fn config() -> ApiConfig {
    let regions = [(1, "eu".to_owned()), (2, "us".to_owned())].into();
    ApiConfig { regions, body_bytes_max: 4_096, bulk_bytes_max: 8_192, ..ApiConfig::default() }
}

/// The token every answer of the cardboard node carries.
pub(crate) fn seen() -> Token {
    token(&[(1, 5)])
}

pub(crate) fn token(log: &[(u16, u64)]) -> Token {
    Token { log: log.iter().map(|(region, n)| (Site::new(*region, 1), *n)).collect(), odds: Vector::default() }
}

pub(crate) fn desk(script: impl FnMut(Request) -> Answer + Send + 'static) -> Desk {
    desk_with(config(), script)
}

pub(crate) fn desk_with(config: ApiConfig, mut script: impl FnMut(Request) -> Answer + Send + 'static) -> Desk {
    let (node, mut requests) = NodeHandle::channel(16);
    let asked = Arc::new(Mutex::new(Vec::new()));
    let notes = asked.clone();
    tokio::spawn(async move {
        let token = Arc::new(seen());
        while let Some(envelope) = requests.recv().await {
            let (request, wait_ms) = (envelope.request.clone(), envelope.wait_ms);
            notes.lock().unwrap().push(Asked { request, token: envelope.token, wait_ms });
            let answer = script(envelope.request);
            let _ = envelope.reply.send(Reply { answer, token: token.clone() });
        }
    });
    Desk { asked, ..Desk::over(node, config) }
}

impl Desk {
    /// A router over any node. Its chance counts from 1.
    pub(crate) fn over(node: NodeHandle, config: ApiConfig) -> Self {
        let chance = Mutex::new(0u64);
        let random = move || {
            let mut n = chance.lock().unwrap();
            *n += 1;
            *n
        };
        let state = AppState::new(node, config, random, || "stakehold_up 1\n".to_owned());
        Self { router: router(state).unwrap(), asked: Arc::default() }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) async fn get(&self, path: &str) -> Got {
        self.call("GET", path, &[], Body::empty()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Got {
        self.call("POST", path, &[], Body::from(body.to_owned())).await
    }

    pub(crate) async fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Body) -> Got {
        let mut request = HttpRequest::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        Got { status: parts.status, headers: parts.headers, body }
    }
}

pub(crate) fn gbp() -> Currency {
    Currency::new("GBP").unwrap()
}

pub(crate) fn record(decision: Decision) -> WagerRecord {
    WagerRecord {
        id: MintedId::parse(ID).unwrap(),
        account: AccountId::new("p@eu").unwrap(),
        currency: gbp(),
        owner: Site::new(1, 1),
        entry: 9,
        body: Hash16::default(),
        stake: Amount::from_minor(1_000).unwrap(),
        legs: vec![LegTaken {
            market: MarketKey::new("m:1").unwrap(),
            outcome: OutcomeKey::new("7").unwrap(),
            odds: Odds::parse("8/13").unwrap(),
            version: Hlc::default(),
            price_dot: None,
        }],
        policy: OddsPolicy::None,
        client_ref: None,
        placed_at: Hlc::new(1_700_000_000_123, 4),
        decision,
        state: WagerState::Open,
        paid: Amount::default(),
        settled_version: 0,
        settled_at: Hlc::default(),
        prepared: None,
        unit: None,
        system: None,
        each_way: None,
        rounding: None,
        asked_ms: None,
        later: None,
    }
}
