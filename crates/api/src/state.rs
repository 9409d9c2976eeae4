//! What every handler works with: the way to the node, the settings, and what the node lends (chance, metrics).

use std::fmt;
use std::sync::Arc;

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use engine::door::Request;
use model::{Answer, Command, Query, Token};
use node::{AskError, NodeHandle};
use serde::Serialize;
use tokio::sync::Semaphore;

use crate::config::ApiConfig;
use crate::problem::{Problem, Retry};
use crate::refusal::{self, Concern};
use crate::token::{Asked, Seen};

/// Everything the router needs. Cheap to clone.
#[derive(Clone)]
pub struct AppState {
    node: NodeHandle,
    pub(crate) config: Arc<ApiConfig>,
    random: Arc<dyn Fn() -> u64 + Send + Sync>,
    metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// KiB of request bodies that may still be held.
    pub(crate) held_kib: Arc<Semaphore>,
}

impl fmt::Debug for AppState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppState").field("node", &self.node).field("config", &self.config).finish_non_exhaustive()
    }
}

impl AppState {
    /// `random` must give 64 unpredictable bits a call (ids are made of them); `metrics` renders the metrics in
    /// Prometheus' text format.
    pub fn new(
        node: NodeHandle,
        config: ApiConfig,
        random: impl Fn() -> u64 + Send + Sync + 'static,
        metrics: impl Fn() -> String + Send + Sync + 'static,
    ) -> Self {
        let held_kib = Arc::new(Semaphore::new((config.held_bytes_max >> 10).min(Semaphore::MAX_PERMITS)));
        Self { node, config: Arc::new(config), random: Arc::new(random), metrics: Arc::new(metrics), held_kib }
    }

    pub(crate) fn random(&self) -> u64 {
        (self.random)()
    }

    pub(crate) fn metrics(&self) -> String {
        (self.metrics)()
    }

    /// Asks for something that decides about money: a refusal says what was decided and how to retry.
    pub(crate) async fn decide(&self, asked: &Asked, command: Command, wait_ms: u64) -> Result<Heard, Problem> {
        let token = asked.token.as_deref().cloned();
        let reply = self.node.ask(Request::Command(command), token, wait_ms).await.map_err(|e| match e {
            AskError::Overloaded => overloaded().undecided_retry(Retry::SameId),
            // Not 503: the contract says of every 503 that nothing was decided.
            AskError::Stopped => Problem::new(
                StatusCode::BAD_GATEWAY,
                "answer_lost",
                "the node stopped before it answered; whether this was decided is unknown: send it again with the \
                 same id, or ask for the id",
            )
            .unknown(),
        })?;
        self.heard(reply, Concern::Decision)
    }

    /// Asks for something that writes odds, results and the like.
    pub(crate) async fn write(&self, asked: &Asked, command: Command) -> Result<Heard, Problem> {
        self.ask(asked, Request::Command(command)).await
    }

    /// Asks for something that reads.
    pub(crate) async fn read(&self, asked: &Asked, query: Query) -> Result<Heard, Problem> {
        self.ask(asked, Request::Query(query)).await
    }

    pub(crate) async fn ask(&self, asked: &Asked, request: Request) -> Result<Heard, Problem> {
        let token = asked.token.as_deref().cloned();
        let reply = self.node.ask(request, token, asked.wait_ms).await.map_err(|e| match e {
            AskError::Overloaded => overloaded(),
            AskError::Stopped => Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "not_ready",
                "the node is stopping; ask again, here or in another region",
            )
            .retry_after(1_000),
        })?;
        self.heard(reply, Concern::Other)
    }

    fn heard(&self, reply: node::Reply, concern: Concern) -> Result<Heard, Problem> {
        match reply.answer {
            Answer::Refused(why) => Err(refusal::problem(&why, concern, &self.config).seen(reply.token)),
            answer => Ok(Heard { answer, token: reply.token }),
        }
    }
}

fn overloaded() -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", "the queue of this node is full; wait and ask again")
        .retry_after(1_000)
}

/// An answer of the node that is not a refusal, and what it had seen.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) answer: Answer,
    pub(crate) token: Arc<Token>,
}

/// Writes a JSON answer that carries what the node had seen, if it was asked.
pub(crate) fn json(status: StatusCode, body: &impl Serialize, token: impl Into<Option<Arc<Token>>>) -> Response {
    let mut response = match serde_json::to_vec(body) {
        Ok(bytes) => (status, [(CONTENT_TYPE, "application/json")], bytes).into_response(),
        Err(e) => Problem::internal(&format!("the answer could not be written: {e}")).into_response(),
    };
    if let Some(token) = token.into() {
        response.extensions_mut().insert(Seen(token));
    }
    response
}

/// An answer of a kind that does not belong to what was asked: a bug of the node, said without a crash.
pub(crate) fn misfit(heard: Heard) -> Problem {
    Problem::internal("the node gave an answer of another kind").seen(heard.token)
}
