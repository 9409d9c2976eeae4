//! What a node is told before it starts: who it is, who its peers are, and how patient it is.
//!
//! Must not read files or the environment: certificates come as PEM text.

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use crate::identity::{RegionIdentity, check_name};
use crate::net::NetError;

/// The lowest region number.
pub const REGION_MIN: u16 = 1;
/// The highest region number.
pub const REGION_MAX: u16 = 4095;

/// Everything a [`Net`](crate::Net) needs to start.
#[derive(Clone)]
pub struct Config {
    /// Name of the cluster; certificates of any other are refused.
    pub cluster: String,
    /// This region's number, 1 to 4095.
    pub region: u16,
    /// This region's name.
    pub name: String,
    /// The UDP address to listen on and dial from; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// The other regions. A region not listed is refused.
    pub peers: Vec<PeerConfig>,
    /// The cluster's certificate authority, PEM; several certificates while it is being replaced.
    pub ca_pem: String,
    /// This region's certificate, PEM, leaf first.
    pub cert_pem: String,
    /// The certificate's private key, PEM.
    pub key_pem: String,
    /// Intervals and limits of patience.
    pub timing: Timing,
}

/// Another region of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerConfig {
    /// Its number, 1 to 4095. If it is above ours we dial it, else we wait for it.
    pub region: u16,
    /// Its name; its certificate must carry `<name>.<cluster>.stakehold`.
    pub name: String,
    /// `host:port`, resolved again at every attempt. Not used when the peer dials us.
    pub address: String,
}

/// Intervals and limits of patience. The defaults suit links of up to 500 ms round trip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// An idle link is probed this often. Keep it at a quarter of `idle_timeout` or less. Default 1 s.
    pub keep_alive: Duration,
    /// A link on which nothing was heard for this long is down. The smaller of both sides' counts. Default 5 s.
    pub idle_timeout: Duration,
    /// Dialling, TLS and the opening of all streams must each be done in this time. Default 3 s.
    pub handshake_timeout: Duration,
    /// The first pause before dialling again; doubled at each failure. Default 100 ms.
    pub backoff_min: Duration,
    /// The longest pause; a link that lived at least this long starts again at `backoff_min`. Default 5 s.
    pub backoff_max: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            keep_alive: Duration::from_secs(1),
            idle_timeout: Duration::from_secs(5),
            handshake_timeout: Duration::from_secs(3),
            backoff_min: Duration::from_millis(100),
            backoff_max: Duration::from_secs(5),
        }
    }
}

impl Config {
    /// Checks everything that can be checked without touching the network or the certificates.
    pub(crate) fn check(&self) -> Result<RegionIdentity, NetError> {
        let identity = RegionIdentity::new(&self.cluster, self.region)?;
        check_name(&self.name)?;
        let mut seen = BTreeSet::from([self.region]);
        for peer in &self.peers {
            RegionIdentity::new(&self.cluster, peer.region)?;
            check_name(&peer.name)?;
            if !seen.insert(peer.region) {
                return Err(NetError::PeerTwice(peer.region));
            }
        }
        let timing = &self.timing;
        if timing.keep_alive.is_zero() || timing.keep_alive >= timing.idle_timeout {
            return Err(NetError::Timing("keep_alive must be above zero and below idle_timeout"));
        }
        if timing.backoff_min.is_zero() || timing.backoff_min > timing.backoff_max {
            return Err(NetError::Timing("backoff_min must be above zero and at most backoff_max"));
        }
        if timing.handshake_timeout.is_zero() {
            return Err(NetError::Timing("handshake_timeout must be above zero"));
        }
        Ok(identity)
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the private key; the certificates would only be noise.
        f.debug_struct("Config")
            .field("cluster", &self.cluster)
            .field("region", &self.region)
            .field("name", &self.name)
            .field("listen", &self.listen)
            .field("peers", &self.peers)
            .field("timing", &self.timing)
            .finish_non_exhaustive()
    }
}
