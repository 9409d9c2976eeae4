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
    /// [`NodeError`] when the store failed. What was acknowledged is durable;
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
        self.effects.rest();
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
                Arrival::Beside(input) => Some(input),
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
        Ok(())
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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread::{self, JoinHandle};

    use bytes::Bytes;
    use crdt::Site;
    use engine::door::{Config, Kept, RegionConfig, Request};
    use engine::port::{Durable, StoreError, View, Write};
    use model::{
        AccountId, Answer, Command, Currency, MarketKey, MintedId, Posting, Query, Reference, ReferenceDecision,
        ResultRegister, ResultScope, Text, WagerRecord,
    };
    use store::{Identity, Store, Usage};
    use tokio::sync::{mpsc, watch};

    use super::*;
    use crate::handle::NodeHandle;

    /// A real store whose commits begin to fail.
    struct Failing {
        store: Store,
        /// Commits that still succeed.
        left: Arc<AtomicUsize>,
        /// Whoever holds it holds up every commit.
        slow: Arc<Mutex<()>>,
    }

    impl View for Failing {
        fn wager(&self, id: MintedId) -> Option<Arc<WagerRecord>> {
            self.store.wager(id)
        }
        fn posting(&self, id: MintedId) -> Option<Posting> {
            self.store.posting(id)
        }
        fn reference(&self, reference: &Reference) -> Option<ReferenceDecision> {
            self.store.reference(reference)
        }
        fn log(&self, site: Site, from: u64, count_max: usize, bytes_max: usize) -> Vec<Bytes> {
            self.store.log(site, from, count_max, bytes_max)
        }
        fn market_wagers(&self, market: &MarketKey, after: Option<MintedId>, count_max: usize) -> Vec<MintedId> {
            self.store.market_wagers(market, after, count_max)
        }
        fn account_wagers(&self, account: &AccountId, before: Option<MintedId>, count_max: usize) -> Vec<MintedId> {
            self.store.account_wagers(account, before, count_max)
        }
        fn results(&self, market: &MarketKey) -> Vec<(ResultScope, ResultRegister)> {
            self.store.results(market)
        }
        fn staged(&self, page: u64) -> Option<Bytes> {
            self.store.staged(page)
        }
    }

    impl Durable for Failing {
        fn load(&self, visit: &mut dyn FnMut(Write)) {
            self.store.load(visit);
        }
        fn commit(&mut self, batch: &[Write]) -> Result<(), StoreError> {
            if self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_err() {
                return Err(StoreError { place: "here".to_owned(), why: "no space left".to_owned() });
            }
            drop(self.slow.lock().unwrap());
            self.store.commit(batch)
        }
    }

    impl Disk for Failing {
        fn usage(&self) -> Usage {
            self.store.usage()
        }
        fn close(self) -> Result<(), StoreError> {
            self.store.close()
        }
    }

    struct Bench {
        handle: NodeHandle,
        left: Arc<AtomicUsize>,
        slow: Arc<Mutex<()>>,
        thread: JoinHandle<Result<(), NodeError>>,
        stop: watch::Sender<bool>,
        _events: mpsc::Sender<net::Event>,
        _dir: tempfile::TempDir,
    }

    fn bench() -> Bench {
        let dir = tempfile::tempdir().unwrap();
        let identity = Identity { cluster: "t".to_owned(), region: 1, region_name: "eu".to_owned(), incarnation: 1 };
        let left = Arc::new(AtomicUsize::new(usize::MAX));
        let slow = Arc::new(Mutex::new(()));
        let store = Store::open(dir.path(), identity).unwrap();
        let store = Failing { store, left: Arc::clone(&left), slow: Arc::clone(&slow) };
        let config = Config {
            cluster: Text::new("t"),
            region: 1,
            incarnation: 1,
            regions: vec![RegionConfig { number: 1, name: Text::new("eu") }],
            ack_quorum: 0,
            freshness_ms: 20_000,
            replay: false,
            first_start: false,
            gossip_ms: 100,
            bet_delays: true,
            windows: Vec::new(),
            kept: Kept::default(),
            rules: engine::door::Rules::default(),
        };
        let (handle, requests) = NodeHandle::channel(16);
        let (events, reported) = mpsc::channel(16);
        let (stop, stopped) = watch::channel(false);
        let clock = Clock::start();
        let watch = Arc::new(Watch::new(clock));
        let handle = handle.watched(Arc::clone(&watch));
        let shared = (clock, watch, Board::default());
        let sources = Sources::new(requests, reported, stopped);
        let driver = Driver::new(Region::open(config, store), sources, Effects::new(clock, None), shared);
        let thread = thread::spawn(move || driver.run());
        Bench { handle, left, slow, thread, stop, _events: events, _dir: dir }
    }

    fn open(name: &str) -> Request {
        let account = AccountId::new(&format!("{name}@eu")).unwrap();
        Request::Command(Command::OpenAccount { account, currency: Currency::new("GBP").unwrap() })
    }

    #[tokio::test]
    async fn a_disk_that_fails_ends_the_node_and_nothing_more_is_answered() {
        let bench = bench();
        let opened = bench.handle.ask(open("a"), None, 0).await.unwrap();
        assert!(matches!(opened.answer, Answer::AccountOpened { created: true, .. }));
        bench.left.store(0, Ordering::SeqCst);
        assert_eq!(bench.handle.ask(open("b"), None, 0).await.unwrap_err(), crate::AskError::Stopped);
        assert_eq!(
            bench.handle.ask(Request::Query(Query::Clock), None, 0).await.unwrap_err(),
            crate::AskError::Stopped
        );
        let error = bench.thread.join().unwrap().unwrap_err();
        assert_eq!(error.to_string(), "cannot write to here: no space left");
    }

    #[tokio::test]
    async fn an_answer_of_a_read_carries_the_cut_of_its_group() {
        let bench = bench();
        let opened = bench.handle.ask(open("a"), None, 0).await.unwrap();
        let read = bench.handle.ask(Request::Query(Query::Clock), None, 0).await.unwrap();
        assert!(read.token.covers(&opened.token));
        assert_eq!(opened.token.log.iter().map(|(_, n)| n).sum::<u64>(), 1);
        bench.stop.send(true).unwrap();
        bench.thread.join().unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_step_that_does_not_end_turns_readiness_off_until_it_does() {
        let bench = bench();
        let ready = async || match bench.handle.ask(Request::Query(Query::Ready), None, 0).await.unwrap().answer {
            Answer::Ready(view) => view.money,
            other => panic!("{other:?}"),
        };
        assert_eq!(ready().await, None);
        let (held, handle) = (Arc::clone(&bench.slow), bench.handle.clone());
        let (release, released) = std::sync::mpsc::channel::<()>();
        let holder = thread::spawn(move || {
            let _held = held.lock().unwrap();
            let _ = released.recv();
        });
        while bench.slow.try_lock().is_ok() {
            tokio::task::yield_now().await;
        }
        let opening = tokio::spawn(async move { handle.ask(open("a"), None, 0).await });
        // The first one waits for the engine in vain, the second one is answered at once.
        for _ in 0..2 {
            let why = loop {
                if let Some(why) = ready().await {
                    break why;
                }
            };
            assert!(why.as_str().starts_with("the engine has been busy with one step for "), "{why}");
        }
        release.send(()).unwrap();
        holder.join().unwrap();
        assert!(opening.await.unwrap().is_ok());
        // The step ends a moment after its answers have left.
        while ready().await.is_some() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_full_queue_refuses_at_once() {
        let (handle, _requests) = NodeHandle::channel(1);
        let first = tokio::spawn({
            let handle = handle.clone();
            async move { handle.ask(open("a"), None, 0).await }
        });
        while handle.queued() == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(handle.ask(open("b"), None, 0).await.unwrap_err(), crate::AskError::Overloaded);
        first.abort();
    }

    #[tokio::test]
    async fn a_node_that_is_dropped_stops() {
        let bench = bench();
        drop(bench.stop);
        bench.thread.join().unwrap().unwrap();
    }
}
