//! QUIC's and TLS's settings: TLS 1.3 by aws-lc-rs only, certificates of both sides required, no resumption.
//!
//! Must not know which regions are expected; `net` and `peer` ask `identity` after the handshake.

use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{IdleTimeout, TransportConfig, VarInt};
use rustls::RootCertStore;
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::version::TLS13;

use crate::config::{Config, Timing};
use crate::identity::RegionIdentity;
use crate::net::NetError;
use crate::wire::{ALPN, STREAM_WINDOW_BYTES, STREAMS_PER_SIDE};

/// Twice what all streams may have on their way: never what a stream has to wait for.
const SEND_WINDOW_BYTES: u64 = 2 * (STREAM_WINDOW_BYTES as u64) * (STREAMS_PER_SIDE as u64);

/// Assumed until measured: a lost first packet is repeated after some three of these. QUIC's own 333 ms would
/// leave room for one repetition before `handshake_timeout`, and a healed link would stay down for longer.
const INITIAL_RTT: Duration = Duration::from_millis(150);

pub(crate) struct TlsConfigs {
    pub(crate) server: quinn::ServerConfig,
    pub(crate) client: quinn::ClientConfig,
}

/// Both sides' settings, after checking that our own certificate is the one that `identity` needs.
pub(crate) fn configs(config: &Config, identity: &RegionIdentity) -> Result<TlsConfigs, NetError> {
    let roots = Arc::new(roots(&config.ca_pem)?);
    let chain = chain(&config.cert_pem)?;
    let key = PrivateKeyDer::from_pem_slice(config.key_pem.as_bytes()).map_err(|e| NetError::Pem("key", e))?;
    let leaf = chain.first().ok_or(NetError::PemEmpty("certificate"))?;
    let named = RegionIdentity::from_certificate(leaf)?;
    if named != *identity {
        return Err(NetError::OwnCertificate { named: named.uri(), configured: identity.uri() });
    }

    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider))
        .build()
        .map_err(|e| NetError::Tls(rustls::Error::General(e.to_string())))?;
    let mut server = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain.clone(), key.clone_key())?;
    server.alpn_protocols = vec![ALPN.to_vec()];
    // Every connection proves its certificate anew: no tickets, and with them no early data.
    server.session_storage = Arc::new(NoServerSessionStorage {});
    server.send_tls13_tickets = 0;
    server.max_early_data_size = 0;

    let mut client = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)?;
    client.alpn_protocols = vec![ALPN.to_vec()];
    client.resumption = Resumption::disabled();
    client.enable_early_data = false;

    let transport = Arc::new(transport(&config.timing)?);
    let no_suite = |_| NetError::Tls(rustls::Error::General("no initial cipher suite for QUIC".to_owned()));
    let server = QuicServerConfig::try_from(server).map_err(no_suite)?;
    let client = QuicClientConfig::try_from(client).map_err(no_suite)?;
    let mut server = quinn::ServerConfig::with_crypto(Arc::new(server));
    server.transport_config(Arc::clone(&transport));
    let mut client = quinn::ClientConfig::new(Arc::new(client));
    client.transport_config(transport);
    Ok(TlsConfigs { server, client })
}

fn transport(timing: &Timing) -> Result<TransportConfig, NetError> {
    let idle = IdleTimeout::try_from(timing.idle_timeout)
        .map_err(|_| NetError::Timing("idle_timeout is too long for QUIC"))?;
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_uni_streams(VarInt::from_u32(STREAMS_PER_SIDE))
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None)
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW_BYTES))
        .receive_window(VarInt::from_u32(STREAM_WINDOW_BYTES * STREAMS_PER_SIDE))
        .send_window(SEND_WINDOW_BYTES)
        .initial_rtt(INITIAL_RTT)
        .keep_alive_interval(Some(timing.keep_alive))
        .max_idle_timeout(Some(idle));
    Ok(transport)
}

fn roots(ca_pem: &str) -> Result<RootCertStore, NetError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca_pem.as_bytes()) {
        roots.add(certificate.map_err(|e| NetError::Pem("CA", e))?)?;
    }
    if roots.is_empty() { Err(NetError::PemEmpty("CA")) } else { Ok(roots) }
}

fn chain(cert_pem: &str) -> Result<Vec<CertificateDer<'static>>, NetError> {
    CertificateDer::pem_slice_iter(cert_pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|e| NetError::Pem("certificate", e))
}
