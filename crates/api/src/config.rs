//! What an operator can set about the HTTP side. Knows no files and no addresses.

use std::collections::BTreeMap;

use axum::http::HeaderValue;

/// Settings of the HTTP side. Tuned for one region behind a load balancer on a small machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ApiConfig {
    /// Names of the regions by number: answers speak of regions by name.
    pub regions: BTreeMap<u16, String>,
    /// Where clients find the regions, by number; those that are not named are not shown.
    pub urls: BTreeMap<u16, String>,
    /// Longest body of an ordinary call, in bytes.
    pub body_bytes_max: usize,
    /// Longest body of a batch, a feed call or a list of odds, in bytes.
    pub bulk_bytes_max: usize,
    /// Bytes of bodies held at a time over all connections. Beyond it a call is answered `overloaded`.
    /// At least `bulk_bytes_max`, or bulk calls without a length are always refused.
    pub held_bytes_max: usize,
    /// Longest time a client may take to send its body, in ms.
    pub body_ms_max: u64,
    /// `Stakehold-Wait-Ms` when a request has none, in ms.
    pub wait_ms_default: u64,
    /// Greatest `Stakehold-Wait-Ms` (and `wait_ms`) that is taken, in ms.
    pub wait_ms_max: u64,
    /// Connections served at a time; further ones wait to be accepted.
    pub connections_max: usize,
    /// Origins a browser may call from, such as `https://desk.example`. Empty: no CORS headers at all.
    pub cors_origins: Vec<String>,
}

/// A setting that cannot be used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ApiConfigError {
    /// A CORS origin that cannot stand in a header.
    Origin {
        /// As given.
        origin: String,
    },
}

impl std::fmt::Display for ApiConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Origin { origin } => write!(f, "cors_origins: {origin:?} is not an origin (scheme://host[:port])"),
        }
    }
}

impl std::error::Error for ApiConfigError {}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            regions: BTreeMap::new(),
            urls: BTreeMap::new(),
            body_bytes_max: 8 << 20,
            bulk_bytes_max: 64 << 20,
            held_bytes_max: 512 << 20,
            body_ms_max: 60_000,
            wait_ms_default: 500,
            wait_ms_max: 30_000,
            connections_max: 4_096,
            cors_origins: Vec::new(),
        }
    }
}

impl ApiConfig {
    /// The CORS origins as header values.
    ///
    /// # Errors
    /// [`ApiConfigError::Origin`] for the first one that is not `scheme://host[:port]`.
    pub fn origins(&self) -> Result<Vec<HeaderValue>, ApiConfigError> {
        let value = |origin: &String| {
            let shaped = origin.split_once("://").is_some_and(|(scheme, host)| {
                !scheme.is_empty() && !host.is_empty() && !host.contains(['/', '*', ' '])
            });
            let wrong = || ApiConfigError::Origin { origin: origin.clone() };
            if shaped { HeaderValue::from_str(origin).map_err(|_| wrong()) } else { Err(wrong()) }
        };
        self.cors_origins.iter().map(value).collect()
    }

    /// A region's name; a region that is not in the topology is named by its number.
    pub(crate) fn region(&self, number: u16) -> String {
        self.regions.get(&number).cloned().unwrap_or_else(|| number.to_string())
    }
}
