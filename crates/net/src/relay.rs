//! A UDP relay for tests and demonstrations: adds delay to a link and cuts it, in one direction or both.
//!
//! Must not know what the datagrams carry. One dialling endpoint per relay: answers go to the address that
//! was heard last.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

const DATAGRAM_BYTES_MAX: usize = 65_535;

/// How a relay treats the datagrams that it lets pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelayOptions {
    /// How long each datagram is held, in each direction: a round trip grows by twice this. Default 0.
    pub one_way_delay: Duration,
    /// Most datagrams held in each direction; more are lost. Default 65,536.
    pub queue_datagrams_max: usize,
}

impl Default for RelayOptions {
    fn default() -> Self {
        Self { one_way_delay: Duration::ZERO, queue_datagrams_max: 65_536 }
    }
}

/// A direction through the relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the dialler to the target.
    ToTarget,
    /// From the target to the dialler.
    ToDialler,
}

/// A running relay; stops when dropped.
#[derive(Debug)]
pub struct Relay {
    listen: SocketAddr,
    to_target: Arc<Way>,
    to_dialler: Arc<Way>,
    _tasks: JoinSet<()>,
}

/// The state of one direction.
#[derive(Debug, Default)]
struct Way {
    cut: AtomicBool,
    forwarded: AtomicU64,
    lost: AtomicU64,
}

/// A datagram and when it is due.
type Held = (Instant, Bytes);

impl Relay {
    /// Relays between whoever sends to `listen` (port 0: the system chooses) and `target`.
    ///
    /// # Errors
    /// When a socket cannot be bound or connected.
    pub async fn start(listen: SocketAddr, target: SocketAddr, options: RelayOptions) -> std::io::Result<Self> {
        let front = Arc::new(UdpSocket::bind(listen).await?);
        let any_port: SocketAddr = if target.is_ipv4() {
            (std::net::Ipv4Addr::UNSPECIFIED, 0).into()
        } else {
            (std::net::Ipv6Addr::UNSPECIFIED, 0).into()
        };
        let back = Arc::new(UdpSocket::bind(any_port).await?);
        back.connect(target).await?;
        let listen = front.local_addr()?;

        let dialler = Arc::new(Mutex::new(None));
        let (to_target, to_dialler) = (Arc::new(Way::default()), Arc::new(Way::default()));
        let queue_max = options.queue_datagrams_max.max(1);
        let (hold_to_target, held_to_target) = mpsc::channel(queue_max);
        let (hold_to_dialler, held_to_dialler) = mpsc::channel(queue_max);
        let delay = options.one_way_delay;
        let mut tasks = JoinSet::new();
        tasks.spawn(take(
            Arc::clone(&front),
            Arc::clone(&to_target),
            hold_to_target,
            delay,
            Some(Arc::clone(&dialler)),
        ));
        tasks.spawn(take(Arc::clone(&back), Arc::clone(&to_dialler), hold_to_dialler, delay, None));
        tasks.spawn(give(back, Arc::clone(&to_target), held_to_target, None));
        tasks.spawn(give(front, Arc::clone(&to_dialler), held_to_dialler, Some(dialler)));
        Ok(Self { listen, to_target, to_dialler, _tasks: tasks })
    }

    /// The address to dial instead of the target's.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.listen
    }

    /// Loses everything from now on in both directions, also what is held.
    pub fn cut(&self) {
        self.cut_direction(Direction::ToTarget);
        self.cut_direction(Direction::ToDialler);
    }

    /// Loses everything from now on in one direction, also what is held.
    pub fn cut_direction(&self, direction: Direction) {
        self.way(direction).cut.store(true, Ordering::SeqCst);
    }

    /// Lets everything pass again.
    pub fn heal(&self) {
        self.to_target.cut.store(false, Ordering::SeqCst);
        self.to_dialler.cut.store(false, Ordering::SeqCst);
    }

    /// Datagrams forwarded and lost so far (cut off, or beyond the queue) in `direction`.
    #[must_use]
    pub fn counts(&self, direction: Direction) -> (u64, u64) {
        let way = self.way(direction);
        (way.forwarded.load(Ordering::Relaxed), way.lost.load(Ordering::Relaxed))
    }

    fn way(&self, direction: Direction) -> &Way {
        match direction {
            Direction::ToTarget => &self.to_target,
            Direction::ToDialler => &self.to_dialler,
        }
    }
}

impl Way {
    fn is_cut(&self) -> bool {
        self.cut.load(Ordering::SeqCst)
    }

    fn lose(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }
}

/// The address heard last at the front.
type Dialler = Arc<Mutex<Option<SocketAddr>>>;

async fn take(
    socket: Arc<UdpSocket>,
    way: Arc<Way>,
    hold: mpsc::Sender<Held>,
    delay: Duration,
    dialler: Option<Dialler>,
) {
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    loop {
        // Errors here are an unreachable other end's answers to what we sent: that datagram is lost, no more.
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else { continue };
        if let Some(dialler) = &dialler {
            *dialler.lock().unwrap_or_else(PoisonError::into_inner) = Some(from);
        }
        let datagram = Bytes::copy_from_slice(buffer.get(..length).unwrap_or_default());
        if way.is_cut() || hold.try_send((Instant::now() + delay, datagram)).is_err() {
            way.lose();
        }
    }
}

async fn give(socket: Arc<UdpSocket>, way: Arc<Way>, mut held: mpsc::Receiver<Held>, dialler: Option<Dialler>) {
    // The delay is the same for all, so the oldest is always the next that is due.
    while let Some((due, datagram)) = held.recv().await {
        // The timer counts whole milliseconds, rounded up: do not ask it for what is due already.
        if due > Instant::now() {
            sleep_until(due).await;
        }
        if way.is_cut() {
            way.lose();
            continue;
        }
        let sent = match &dialler {
            None => socket.send(&datagram).await,
            Some(dialler) => {
                let to = *dialler.lock().unwrap_or_else(PoisonError::into_inner);
                let Some(to) = to else { continue };
                socket.send_to(&datagram, to).await
            }
        };
        if sent.is_ok() {
            way.forwarded.fetch_add(1, Ordering::Relaxed);
        } else {
            way.lose();
        }
    }
}
