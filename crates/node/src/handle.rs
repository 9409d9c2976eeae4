//! The way in: a cheap handle that asks the engine's thread and waits for the answer.
//! Knows the channel, its bound and the watchdog; knows neither HTTP nor the engine's state.

use std::sync::Arc;

use engine::door::Request;
use model::{Answer, Query, Token};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::watch::{self, STALL, Watch};

/// A request on its way to the engine's thread.
#[derive(Debug)]
pub struct Envelope {
    /// What is asked.
    pub request: Request,
    /// Wait until this much is known here.
    pub token: Option<Token>,
    /// Longest wait for the token or for rights, in ms; 0 answers with what is here.
    pub wait_ms: u64,
    /// Where the answer goes.
    pub reply: oneshot::Sender<Reply>,
}

/// An answer and what it had seen.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The answer.
    pub answer: Answer,
    /// The cut it was given at; shared by all answers of one commit.
    pub token: Arc<Token>,
}

/// Why there is no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AskError {
    /// The queue before the engine is full. Nothing was decided.
    #[error("the queue before the engine is full")]
    Overloaded,
    /// The node stops. A request already handed over may have been decided: ask again with the same id.
    #[error("the node is stopping")]
    Stopped,
}

/// Asks the engine; clone it freely.
#[derive(Clone, Debug)]
pub struct NodeHandle {
    requests: mpsc::Sender<Envelope>,
    /// Present when a driver drains the queue.
    watch: Option<Arc<Watch>>,
}

impl NodeHandle {
    /// A handle and the end that the driver drains. `depth_max` bounds the queue.
    #[must_use]
    pub fn channel(depth_max: usize) -> (Self, mpsc::Receiver<Envelope>) {
        let (requests, drained) = mpsc::channel(depth_max);
        (Self { requests, watch: None }, drained)
    }

    /// The same handle, which answers questions about readiness by itself while the engine does not.
    pub(crate) fn watched(mut self, watch: Arc<Watch>) -> Self {
        self.watch = Some(watch);
        self
    }

    /// Asks and waits for the answer.
    ///
    /// # Errors
    /// [`AskError::Overloaded`] at once when the queue is full (nothing happened); [`AskError::Stopped`] when the node
    /// stops before it answers (unknown whether it was decided).
    pub async fn ask(&self, request: Request, token: Option<Token>, wait_ms: u64) -> Result<Reply, AskError> {
        match &self.watch {
            Some(watch) if request == Request::Query(Query::Ready) => self.ask_ready(watch).await,
            _ => self.put(request, token, wait_ms).await,
        }
    }

    /// Whoever probes readiness must hear of an engine that does not answer, not wait for it.
    async fn ask_ready(&self, watch: &Watch) -> Result<Reply, AskError> {
        let unready = |view| Reply { answer: Answer::Ready(view), token: Arc::default() };
        if let Some(view) = watch.stalled() {
            return Ok(unready(view));
        }
        let asked = timeout(STALL, self.put(Request::Query(Query::Ready), None, 0)).await;
        asked.unwrap_or_else(|_| Ok(unready(watch::not_ready(watch.busy().max(STALL)))))
    }

    async fn put(&self, request: Request, token: Option<Token>, wait_ms: u64) -> Result<Reply, AskError> {
        let (reply, answer) = oneshot::channel();
        let envelope = Envelope { request, token, wait_ms, reply };
        self.requests.try_send(envelope).map_err(|e| match e {
            mpsc::error::TrySendError::Full(_) => AskError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => AskError::Stopped,
        })?;
        answer.await.map_err(|_| AskError::Stopped)
    }

    /// Requests waiting before the engine.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.requests.max_capacity() - self.requests.capacity()
    }
}
