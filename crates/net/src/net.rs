//! The handle and the endpoint: starting, accepting, sending, stopping; and what all tasks share.
//!
//! Must not know how a connection is served (`link`) or when it is dialled (`peer`).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use quinn::{Endpoint, EndpointConfig, ServerConfig};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::config::Config;
use crate::end::CloseCode;
use crate::identity::{IdentityError, RegionIdentity};
use crate::lane::Lane;
use crate::peer::{self, Peer};
use crate::stats::{Counter, NetStats};
use crate::wire::FRAME_BYTES_MAX;
use crate::{link::Streams, tls};

/// Handshakes of strangers in progress at once; more are refused before any cryptography.
const HANDSHAKES_MAX: usize = 64;
/// How long [`Net::shutdown`] waits for tasks, and again for closes to reach the peers.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// What happened, in the order it happened for each peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A connection with `region` is in service; both sides accept each other and all lanes are open.
    Up {
        /// The peer.
        region: u16,
        /// The path's round trip, from the handshake.
        rtt: Duration,
    },
    /// The connection is gone, and with it all that was queued or not yet received.
    Down {
        /// The peer.
        region: u16,
        /// For the operator; begins with a [`CloseCode`]'s name when a side closed it on purpose.
        why: String,
    },
    /// A whole frame arrived.
    Frame {
        /// From whom.
        region: u16,
        /// On which lane.
        lane: Lane,
        /// The frame, 0 to [`FRAME_BYTES_MAX`] bytes.
        bytes: Bytes,
    },
    /// A frame of the odds lane was handed to QUIC whole and within its window: send the next. A frame that
    /// `Down` overtook gets no `Sent`.
    Sent {
        /// To whom.
        region: u16,
        /// Always [`Lane::Odds`].
        lane: Lane,
    },
    /// A connection did not come about because one side refused the other.
    Refused {
        /// The other side's address.
        remote: SocketAddr,
        /// For the operator; names the [`CloseCode`] or TLS's reason.
        why: String,
    },
}

/// Why a [`Net`] did not start. Nothing is left behind.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// A name, a number or our own certificate is malformed.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// A peer's number is listed twice, or is our own.
    #[error("region {0} is listed twice, or is this region")]
    PeerTwice(u16),
    /// A setting of [`Timing`](crate::Timing) is out of range.
    #[error("timing: {0}")]
    Timing(&'static str),
    /// PEM text that cannot be read; the first part says which.
    #[error("the {0} PEM cannot be read: {1}")]
    Pem(&'static str, rustls::pki_types::pem::Error),
    /// PEM text without the expected section.
    #[error("the {0} PEM holds no certificate")]
    PemEmpty(&'static str),
    /// Our certificate is somebody else's.
    #[error("the certificate names {named}, this node is {configured}")]
    OwnCertificate {
        /// What the certificate names.
        named: String,
        /// What the configuration says.
        configured: String,
    },
    /// TLS refuses the certificates or the key.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The address cannot be bound.
    #[error("cannot listen: {0}")]
    Listen(#[from] std::io::Error),
}

/// Why a frame was not taken. Nothing was queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// There is no connection with that region, or no such peer.
    #[error("not connected")]
    NotConnected,
    /// The lane's queue holds [`Lane::queue_frames_max`] frames, or would pass [`Lane::queue_bytes_max`].
    #[error("the lane's queue is full")]
    Full,
    /// The frame is longer than [`FRAME_BYTES_MAX`].
    #[error("the frame is longer than {FRAME_BYTES_MAX} bytes")]
    TooLarge,
}

/// A running transport. Clones are handles of the same; when the last is dropped, everything stops at once.
#[derive(Debug, Clone)]
pub struct Net {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    local_addr: SocketAddr,
    stop: watch::Sender<bool>,
    /// Aborted when dropped.
    tasks: Mutex<JoinSet<()>>,
}

/// What all tasks of a node share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) endpoint: Endpoint,
    pub(crate) peers: BTreeMap<u16, Arc<Peer>>,
    events: mpsc::Sender<Event>,
    stop: watch::Receiver<bool>,
    refused: Counter,
}

/// Binds the socket. The key of stateless resets follows from the region's private key, so that a region that was killed
/// and is back ends its old connections at the peers' next packet, instead of after their idle timeout.
fn endpoint(server: ServerConfig, config: &Config) -> Result<Endpoint, NetError> {
    let secret = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, config.key_pem.as_bytes());
    let reset_key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret.as_ref());
    let socket = std::net::UdpSocket::bind(config.listen)?;
    let endpoint = EndpointConfig::new(Arc::new(reset_key));
    Ok(Endpoint::new(endpoint, Some(server), socket, Arc::new(quinn::TokioRuntime))?)
}

impl Net {
    /// Binds the address, begins to listen, and to dial every peer with a higher region number.
    ///
    /// `events` should hold some hundreds: when it is full, receiving stops for all peers until there is room.
    /// When its receiver is dropped, the transport stops.
    ///
    /// # Errors
    /// When the configuration or the certificates are wrong, or the address cannot be bound.
    pub async fn start(config: Config, events: mpsc::Sender<Event>) -> Result<Self, NetError> {
        let identity = config.check()?;
        let tls = tls::configs(&config, &identity)?;
        let mut endpoint = endpoint(tls.server, &config)?;
        endpoint.set_default_client_config(tls.client);
        let local_addr = endpoint.local_addr()?;

        let (stop, stopped) = watch::channel(false);
        let mut arrivals = Vec::new();
        let mut peers = BTreeMap::new();
        for peer_config in &config.peers {
            let (peer, arriving) = Peer::new(peer_config.clone());
            let peer = Arc::new(peer);
            peers.insert(peer_config.region, Arc::clone(&peer));
            arrivals.push((peer, arriving));
        }
        let shared = Arc::new(Shared { config, endpoint, peers, events, stop: stopped, refused: Counter::default() });

        let mut tasks = JoinSet::new();
        for (peer, arriving) in arrivals {
            let shared = Arc::clone(&shared);
            if shared.dials(peer.region()) {
                tasks.spawn(peer::dial_forever(shared, peer));
            } else {
                tasks.spawn(peer::serve_arriving(shared, peer, arriving));
            }
        }
        tasks.spawn(accept_forever(Arc::clone(&shared)));
        Ok(Self { inner: Arc::new(Inner { shared, local_addr, stop, tasks: Mutex::new(tasks) }) })
    }

    /// Queues `frame` for `region`; never waits. Taken does not mean received: what the link loses, only the
    /// peer's own protocol can notice.
    ///
    /// # Errors
    /// See [`SendError`]; nothing is queued then.
    pub fn send(&self, region: u16, lane: Lane, frame: Bytes) -> Result<(), SendError> {
        if frame.len() > FRAME_BYTES_MAX {
            return Err(SendError::TooLarge);
        }
        let peer = self.inner.shared.peers.get(&region).ok_or(SendError::NotConnected)?;
        let link = peer.link().ok_or(SendError::NotConnected)?;
        if link.queues.get(lane).push(frame) { Ok(()) } else { Err(SendError::Full) }
    }

    /// The address bound, with the port the system chose.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.inner.local_addr
    }

    /// All counters.
    #[must_use]
    pub fn stats(&self) -> NetStats {
        let shared = &self.inner.shared;
        let peers = shared.peers.iter().map(|(region, peer)| (*region, peer.stats())).collect();
        NetStats { refused: shared.refused.get(), peers }
    }

    /// Closes every connection and waits, a few seconds at most, until the peers are told. What is queued is
    /// dropped, and no event is reported from now on. Stops the transport for every clone of this handle.
    /// The address is free again a moment after the last clone is gone.
    pub async fn shutdown(self) {
        self.inner.stop.send_replace(true);
        let endpoint = &self.inner.shared.endpoint;
        endpoint.close(CloseCode::Shutdown.var_int(), b"the node stops");
        let mut tasks = std::mem::take(&mut *self.inner.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        let joined = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(SHUTDOWN_TIMEOUT, joined).await.is_err() {
            tracing::warn!("tasks of the transport did not end in time; aborted");
        }
        // Past this, a peer has to notice by its idle timeout.
        let _ = tokio::time::timeout(SHUTDOWN_TIMEOUT, endpoint.wait_idle()).await;
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // The endpoint closes when the aborted tasks let go of `Shared`; this tells the peers why.
        self.shared.endpoint.close(CloseCode::Shutdown.var_int(), b"the node stops");
    }
}

impl Shared {
    /// Whether this node dials `region`; the higher number of a pair waits.
    pub(crate) fn dials(&self, region: u16) -> bool {
        self.config.region < region
    }

    pub(crate) fn identity_of(&self, region: u16) -> RegionIdentity {
        RegionIdentity { cluster: self.config.cluster.clone(), region }
    }

    /// Waits for room in the caller's channel; false when the node stops or nobody listens.
    pub(crate) async fn emit(&self, event: Event) -> bool {
        tokio::select! {
            biased;
            () = self.stopped() => false,
            sent = self.events.send(event) => sent.is_ok(),
        }
    }

    pub(crate) async fn stopped(&self) {
        let mut stop = self.stop.clone();
        tokio::select! {
            // An error means that the last handle is gone.
            _ = stop.wait_for(|stop| *stop) => {}
            () = self.events.closed() => {}
        }
    }

    /// Counts and reports; never waits, for strangers cause this.
    pub(crate) fn refused(&self, peer: Option<&Peer>, remote: SocketAddr, why: String) {
        self.refused.add(1);
        if let Some(peer) = peer {
            peer.counters.refused.add(1);
        }
        tracing::warn!(%remote, why, "connection refused");
        // Full or closed: it is counted, see the crate's documentation.
        let _ = self.events.try_send(Event::Refused { remote, why });
    }
}

async fn accept_forever(shared: Arc<Shared>) {
    let mut handshakes = JoinSet::new();
    loop {
        tokio::select! {
            () = shared.stopped() => return,
            Some(_) = handshakes.join_next(), if !handshakes.is_empty() => {}
            incoming = shared.endpoint.accept() => {
                let Some(incoming) = incoming else { return };
                if handshakes.len() >= HANDSHAKES_MAX {
                    shared.refused.add(1);
                    incoming.refuse();
                } else {
                    handshakes.spawn(peer::receive(Arc::clone(&shared), incoming));
                }
            }
        }
    }
}

/// A connection ready to be served.
pub(crate) type Arrival = (quinn::Connection, Streams);
