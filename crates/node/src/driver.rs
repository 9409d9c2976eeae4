//! The engine's own thread: waits for input, drains a group, runs it through the commit loop, lets its effects out.
//! One group at a time; a single request on an idle node does not wait for company. Knows nothing of what is decided.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use engine::commit::Region;
use engine::door::{Input, Now};
use metrics::Histogram;
use model::Token;

use crate::clock::Clock;
use crate::disk::Disk;
use crate::effects::Effects;
use crate::figures::{Board, METRIC_COMMIT_SECONDS, METRIC_GROUP_INPUTS};
use crate::running::NodeError;
use crate::sources::{Arrival, Sources, Woken};
use crate::watch::Watch;

/// The store's figures are read at most this often.
const USAGE_EVERY: Duration = Duration::from_secs(2);
/// Groups that a stopping node still runs of what was queued: beyond them, askers hear that it stopped.
const LAST_GROUPS_MAX: usize = 64;

/// Everything the thread owns.
pub(crate) struct Driver<S> {
    region: Region<S>,
    sources: Sources,
    effects: Effects,
    clock: Clock,
    watch: Arc<Watch>,
    board: Board,
    group: Vec<Arrival>,
    usage_read: Option<Duration>,
    group_inputs: Histogram,
    commit_seconds: Histogram,
}

impl<S: Disk> Driver<S> {
    pub(crate) fn new(
        region: Region<S>,
        sources: Sources,
        effects: Effects,
        (clock, watch, board): (Clock, Arc<Watch>, Board),
    ) -> Self {
        Self {
            region,
            sources,
            effects,
            clock,
            watch,
            board,
            group: Vec::new(),
            usage_read: None,
            group_inputs: metrics::histogram!(METRIC_GROUP_INPUTS),
            commit_seconds: metrics::histogram!(METRIC_COMMIT_SECONDS),
        }
    }

    /// Runs until told to stop, then closes the store.
    ///
    /// # Errors
    /// [`NodeError`] when the engine wants the process stopped or the store failed. What was acknowledged is durable;
    /// whoever still waits hears that the node stopped.
    pub(crate) fn run(mut self) -> Result<(), NodeError> {
        let timer = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let timer = timer.map_err(|e| NodeError::Stopped(format!("the engine's timer cannot start: {e}")))?;
        let mut first = vec![Input::Started { boot_nonce: rand::random() }];
        self.step(self.clock.now(), &mut first)?;
        let mut inputs = Vec::new();
        while !self.sources.is_stopped() {
            self.sources.drain(&mut self.group);
            if self.group.is_empty() {
                let due_in = self.due_in();
                if due_in != Some(Duration::ZERO) {
                    match timer.block_on(self.sources.wait(due_in)) {
                        Woken::Stop => break,
                        Woken::Due => {}
                        Woken::Arrival(arrival) => self.group.push(arrival),
                    }
                    self.sources.drain(&mut self.group);
                }
            }
            self.fill(&mut inputs);
            self.step(self.clock.now(), &mut inputs)?;
        }
        self.finish(inputs)
    }

    /// Decides what is queued, within bounds, and closes the store.
    fn finish(mut self, mut inputs: Vec<Input>) -> Result<(), NodeError> {
        self.sources.close();
        for _ in 0..LAST_GROUPS_MAX {
            self.sources.drain(&mut self.group);
            if self.group.is_empty() {
                break;
            }
            self.fill(&mut inputs);
            self.step(self.clock.now(), &mut inputs)?;
        }
        let waiting = self.effects.waiting();
        tracing::info!(waiting, "the engine has stopped; closing the store");
        Ok(self.region.into_store().close()?)
    }

    /// How long the engine can be left alone.
    fn due_in(&self) -> Option<Duration> {
        let due_ms = self.region.engine().deadline_ms()?;
        Some(Duration::from_millis(due_ms.saturating_sub(self.clock.now().steady_ms)))
    }

    fn fill(&mut self, inputs: &mut Vec<Input>) {
        for arrival in self.group.drain(..) {
            inputs.extend(match arrival {
                Arrival::Asked(envelope) => self.effects.admit(envelope),
                Arrival::Net(event) => self.effects.told(event),
            });
        }
    }

    /// Runs one group; `inputs` is empty afterwards.
    fn step(&mut self, now: Now, inputs: &mut Vec<Input>) -> Result<(), NodeError> {
        let count = inputs.len();
        let mut token: Option<Arc<Token>> = None;
        let effects = &mut self.effects;
        self.watch.enter();
        let wrote = self.region.step(now, inputs.drain(..), |effect, seen| {
            effects.perform(effect, token.get_or_insert_with(|| Arc::new(seen.clone())));
        })?;
        let took = self.watch.leave();
        #[expect(clippy::cast_precision_loss, reason = "a group's size is small")]
        self.group_inputs.record(count as f64);
        if wrote > 0 {
            self.commit_seconds.record(took.as_secs_f64());
        }
        self.publish(wrote);
        self.effects.stop().map_or(Ok(()), |why| Err(NodeError::Stopped(why)))
    }

    fn publish(&mut self, wrote: usize) {
        let steady = self.clock.steady();
        let is_usage_due = self.usage_read.is_none_or(|read| steady >= read + USAGE_EVERY);
        let usage = is_usage_due.then(|| self.region.store().usage());
        let mut board = self.board.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(usage) = usage {
            board.store = usage;
            self.usage_read = Some(steady);
        }
        board.engine = *self.region.engine().stats();
        board.groups += 1;
        board.commits += u64::from(wrote > 0);
        board.writes += wrote as u64;
        board.frames_dropped = self.effects.frames_dropped;
        board.waiting = self.effects.waiting();
    }
}
