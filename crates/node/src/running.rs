//! A node as a whole: its store, its engine's thread and its network, started in order and stopped in order.
//! Reads no configuration file and serves no HTTP.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use engine::commit::Region;
use engine::door::Config;
use engine::port::StoreError;
use net::{Net, NetError};
use store::{Identity, OpenError, Store, StoreOptions};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use crate::beside::{Beside, SEALED_MAX};
use crate::clock::Clock;
use crate::driver::Driver;
use crate::effects::Effects;
use crate::figures::{Board, Figures};
use crate::handle::NodeHandle;
use crate::sources::Sources;
use crate::watch::Watch;

/// Requests waiting before the engine, unless set otherwise: a fraction of a second of single requests.
pub const QUEUE_DEPTH_DEFAULT: usize = 8_192;
/// Reports of the network waiting before the engine; when there are more, receiving stops. A frame is at most 1 MiB.
const NET_EVENTS_MAX: usize = 256;
/// The longest a stopping node waits for its last commit and for the store to close.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// What a node is told.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// For the engine: who this region is, who the others are, its policies.
    pub engine: Config,
    /// The data directory; created when it is not there.
    pub data_dir: PathBuf,
    /// Sizes of the store.
    pub store: StoreOptions,
    /// The network; `None` in a cluster of one region.
    pub net: Option<net::Config>,
    /// Requests that may wait before the engine; more are refused at once. [`QUEUE_DEPTH_DEFAULT`] suits two cores.
    pub queue_depth_max: usize,
}

/// Why a node did not start. Nothing runs then; an opened store has been closed again.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The network cannot start.
    #[error("gossip: {0}")]
    Net(#[from] NetError),
    /// The engine's thread did not come up.
    #[error(transparent)]
    Node(#[from] NodeError),
}

/// Why a node ended by itself. What it acknowledged is on disk; nothing more was answered.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The engine ended unasked, or the machine gave no thread.
    #[error("{0}")]
    Stopped(String),
    /// The disk failed a commit.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A bug, or a damaged data directory.
    #[error("the engine failed: {0}")]
    Panicked(String),
    /// The last commit or the closing of the store took longer than ten seconds.
    #[error("the engine did not stop in {} s", STOP_TIMEOUT.as_secs())]
    Stuck,
}

/// A running node. Dropping it stops it too, without waiting.
#[derive(Debug)]
pub struct Node {
    handle: NodeHandle,
    figures: Figures,
    net: Option<Net>,
    stop: watch::Sender<bool>,
    end: End,
}

/// How the engine's thread ended, once it has.
#[derive(Debug)]
struct End(oneshot::Receiver<Result<(), NodeError>>);

impl End {
    async fn wait(&mut self) -> Result<(), NodeError> {
        let lost = || Err(NodeError::Stopped("the engine's thread is gone".to_owned()));
        (&mut self.0).await.unwrap_or_else(|_| lost())
    }
}

impl Node {
    /// Opens the store, starts the engine's thread, then the network. Runs on the caller's tokio runtime.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left running.
    pub async fn start(config: NodeConfig) -> Result<Self, StartError> {
        let clock = Clock::start();
        let watch = Arc::new(Watch::new(clock));
        let board = Board::default();
        let (handle, requests) = NodeHandle::channel(config.queue_depth_max.max(1));
        let handle = handle.watched(Arc::clone(&watch));
        let (events, reported) = mpsc::channel(NET_EVENTS_MAX);
        let (stop, stopped) = watch::channel(false);
        let (opened, is_open) = oneshot::channel();
        let (connected, net) = oneshot::channel();
        let NodeConfig { engine, data_dir, store, net: net_config, .. } = config;
        let thread = Thread {
            engine,
            data_dir,
            store,
            sources: Sources::new(requests, reported, stopped),
            shared: (clock, Arc::clone(&watch), Arc::clone(&board)),
            opened,
            net,
        };
        let mut end = End(thread.spawn()?);
        match is_open.await {
            Ok(result) => result?,
            Err(_) => return Err(StartError::Node(end.wait().await.err().unwrap_or(NodeError::Stuck))),
        }
        let net = match net_config {
            Some(net_config) => match Net::start(net_config, events).await {
                Ok(net) => Some(net),
                Err(error) => {
                    drop(connected);
                    end.wait().await?;
                    return Err(error.into());
                }
            },
            None => None,
        };
        // The thread may have failed since; `ended` says so.
        let _ = connected.send(net.clone());
        let figures = Figures::new(board, handle.clone(), net.clone(), watch);
        Ok(Self { handle, figures, net, stop, end })
    }

    /// The way to ask.
    #[must_use]
    pub fn handle(&self) -> NodeHandle {
        self.handle.clone()
    }

    /// What it does, in figures.
    #[must_use]
    pub fn figures(&self) -> Figures {
        self.figures.clone()
    }

    /// Where it listens for other regions.
    #[must_use]
    pub fn gossip_addr(&self) -> Option<SocketAddr> {
        self.net.as_ref().map(Net::local_addr)
    }

    /// Resolves when the node ends by itself, with the reason. Cancel it freely; do not call it again once it has
    /// resolved.
    pub async fn ended(&mut self) -> NodeError {
        self.end.wait().await.err().unwrap_or_else(|| NodeError::Stopped("the engine ended unasked".to_owned()))
    }

    /// Decides what is queued, commits it, closes the store, tells the peers. Takes seconds at most.
    ///
    /// # Errors
    /// [`NodeError`] when the last commit failed or took too long; what was acknowledged is durable all the same.
    pub async fn shutdown(mut self) -> Result<(), NodeError> {
        self.stop.send_replace(true);
        let result = timeout(STOP_TIMEOUT, self.end.wait()).await.unwrap_or(Err(NodeError::Stuck));
        if let Some(net) = self.net.take() {
            net.shutdown().await;
        }
        result
    }
}

/// What the engine's thread begins with.
struct Thread {
    engine: Config,
    data_dir: PathBuf,
    store: StoreOptions,
    sources: Sources,
    shared: (Clock, Arc<Watch>, Board),
    opened: oneshot::Sender<Result<(), OpenError>>,
    net: oneshot::Receiver<Option<Net>>,
}

impl Thread {
    /// A failed assertion ends the thread, not the process: the process then ends in order, with a clear last line.
    fn spawn(self) -> Result<oneshot::Receiver<Result<(), NodeError>>, NodeError> {
        let (ended, end) = oneshot::channel();
        // Nobody waits for the end of a node that was dropped.
        let work = move || drop(ended.send(caught(|| self.run())));
        let spawned = std::thread::Builder::new().name("engine".to_owned()).spawn(work);
        spawned.map_err(|e| NodeError::Stopped(format!("cannot start the engine's thread: {e}")))?;
        Ok(end)
    }

    fn run(self) -> Result<(), NodeError> {
        let identity = Identity {
            cluster: self.engine.cluster.as_str().to_owned(),
            region: self.engine.region,
            region_name: name(&self.engine),
            incarnation: self.engine.incarnation,
        };
        let store = match Store::open_with(&self.data_dir, identity, &self.store) {
            Ok(store) => store,
            Err(error) => {
                // Told to `start`, which reports it.
                let _ = self.opened.send(Err(error));
                return Ok(());
            }
        };
        let region = Region::open(self.engine, store);
        if self.opened.send(Ok(())).is_err() {
            return Ok(());
        }
        // No network comes when starting it failed: then nothing is run, and dropping the store closes it.
        let Ok(net) = self.net.blocking_recv() else { return Ok(()) };
        let (told, done) = mpsc::channel(SEALED_MAX);
        let beside = Beside::new(region.store().beside(), net.clone(), told);
        let effects = Effects::new(self.shared.0, net).with(beside);
        Driver::new(region, self.sources.hearing(done), effects, self.shared).run()
    }
}

/// This region's name; its number if the topology does not have it.
fn name(config: &Config) -> String {
    let own = config.regions.iter().find(|r| r.number == config.region);
    own.map_or_else(|| config.region.to_string(), |r| r.name.as_str().to_owned())
}

/// Turns a panic into an error with its words. What the work owned is gone with it.
fn caught(work: impl FnOnce() -> Result<(), NodeError>) -> Result<(), NodeError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(NodeError::Panicked(words(panic.as_ref()))))
}

/// The words of a panic.
fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without words".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_ends_with_its_words() {
        let said = |work: fn()| {
            caught(|| {
                work();
                Ok(())
            })
            .map_err(|e| e.to_string())
        };
        assert_eq!(
            said(|| panic!("an account has {} cents", -1)),
            Err("the engine failed: an account has -1 cents".into())
        );
        assert_eq!(said(|| panic!("plain")), Err("the engine failed: plain".into()));
        assert_eq!(said(|| std::panic::panic_any(7)), Err("the engine failed: a panic without words".into()));
        assert_eq!(said(|| ()), Ok(()));
    }
}
