//! Peers that are not welcome, and configurations that cannot start. The node serves on each time.

use net::certs::{Issued, create_cluster};
use net::{CloseCode, NetError, server_name};
use rcgen::{CertificateParams, Issuer, KeyPair, SanType};
use tokio::sync::mpsc;

use crate::support::{
    ALPHA, BETA, CLUSTER, GAMMA, Node, at, authority, config, exchange, issue, now_unix_s, pair, raw_closed,
    raw_connect, raw_endpoint, raw_streams, waits_for, within,
};

#[tokio::test]
async fn another_clusters_authority_is_refused() {
    let (ours, theirs) = (authority(), create_cluster(CLUSTER, now_unix_s()).unwrap());
    let (mut alpha, mut beta) = pair(&ours).await;
    // It trusts us, but its own certificate is of an authority with the same name and another key.
    let endpoint = raw_endpoint(&ours, Some(&issue(&theirs, ALPHA)));
    let connection = endpoint.connect(beta.net.local_addr(), &server_name(CLUSTER, BETA.1)).unwrap();
    if let Ok(connection) = within(connection).await {
        within(connection.closed()).await;
    }
    assert!(beta.refused().await.contains("certificate"));
    assert_eq!(beta.net.stats().refused, 1);
    exchange(&mut alpha, &mut beta).await;
}

#[tokio::test]
async fn a_dialler_refuses_another_clusters_authority() {
    let (ours, theirs) = (authority(), authority());
    let mut beta = Node::start(config(&theirs, BETA, vec![waits_for(ALPHA)])).await;
    let mut alpha = Node::start(config(&ours, ALPHA, vec![at(BETA, beta.net.local_addr())])).await;
    assert!(alpha.refused().await.contains("certificate"));
    assert!(!beta.refused().await.is_empty());
    let stats = alpha.net.stats().peers[&BETA.0];
    assert_eq!(stats.connects, 0);
    assert!(stats.refused >= 1 && stats.dial_failures + 1 >= stats.refused);
}

#[tokio::test]
async fn a_peer_without_a_certificate_is_refused() {
    let ca = authority();
    let (mut alpha, mut beta) = pair(&ca).await;
    let endpoint = raw_endpoint(&ca, None);
    let connection = endpoint.connect(beta.net.local_addr(), &server_name(CLUSTER, BETA.1)).unwrap();
    if let Ok(connection) = within(connection).await {
        within(connection.closed()).await;
    }
    assert!(beta.refused().await.contains("certificate"));
    exchange(&mut alpha, &mut beta).await;
}

#[tokio::test]
async fn a_region_that_is_not_a_peer_is_refused() {
    let ca = authority();
    let (mut alpha, mut beta) = pair(&ca).await;
    let code = u64::from(CloseCode::UnexpectedRegion.number());
    // Unknown; our own; known, but one that we dial.
    for region in [GAMMA, BETA] {
        let endpoint = raw_endpoint(&ca, Some(&issue(&ca, region)));
        let connection = raw_connect(&endpoint, &beta, BETA.1).await;
        let (closed, why) = raw_closed(&connection).await;
        assert_eq!(closed, code);
        assert!(why.contains(&format!("stakehold://test/region/{}", region.0)));
        assert!(beta.refused().await.starts_with("unexpected_region"));
    }
    let endpoint = raw_endpoint(&ca, Some(&issue(&ca, BETA)));
    let connection = raw_connect(&endpoint, &alpha, ALPHA.1).await;
    assert_eq!(raw_closed(&connection).await.0, code);
    assert!(alpha.refused().await.contains("the lower number of a pair dials"));
    exchange(&mut alpha, &mut beta).await;
}

#[tokio::test]
async fn a_dialler_refuses_a_region_that_it_did_not_dial() {
    let ca = authority();
    // Right name, wrong number: only the check after the handshake sees it.
    let beta = Node::start(config(&ca, (7, BETA.1), vec![waits_for(ALPHA)])).await;
    let mut alpha = Node::start(config(&ca, ALPHA, vec![at(BETA, beta.net.local_addr())])).await;
    let why = alpha.refused().await;
    assert!(why.starts_with("unexpected_region") && why.contains("/region/7"), "{why}");
    assert_eq!(beta.net.stats().peers[&ALPHA.0].connects, 0);
}

#[tokio::test]
async fn a_certificate_of_our_authority_with_another_clusters_name_is_refused() {
    let ca = authority();
    let mut beta = Node::start(config(&ca, BETA, vec![waits_for(ALPHA)])).await;
    for (uris, code) in [
        (vec!["stakehold://other/region/1"], CloseCode::WrongCluster),
        (vec!["stakehold://test/region/one"], CloseCode::CertificateInvalid),
        (vec!["stakehold://test/region/1", "stakehold://test/region/2"], CloseCode::CertificateInvalid),
        (vec![], CloseCode::CertificateInvalid),
    ] {
        let issuer = Issuer::from_ca_cert_pem(ca.cert_pem(), KeyPair::from_pem(&ca.key_pem()).unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![server_name(CLUSTER, ALPHA.1)]).unwrap();
        params.subject_alt_names.extend(uris.iter().map(|uri| SanType::URI((*uri).try_into().unwrap())));
        let cert_pem = params.signed_by(&key, &issuer).unwrap().pem();
        let endpoint = raw_endpoint(&ca, Some(&Issued { cert_pem, key_pem: key.serialize_pem() }));
        let connection = raw_connect(&endpoint, &beta, BETA.1).await;
        assert_eq!(raw_closed(&connection).await.0, u64::from(code.number()), "{uris:?}");
        assert!(beta.refused().await.starts_with(code.as_str()));
    }
    let endpoint = raw_endpoint(&ca, Some(&issue(&ca, ALPHA)));
    let connection = raw_connect(&endpoint, &beta, BETA.1).await;
    let _streams = raw_streams(&connection).await;
    beta.up(ALPHA.0).await;
}

#[tokio::test]
async fn wrong_configurations_do_not_start() {
    let ca = authority();
    let good = config(&ca, ALPHA, vec![waits_for(BETA)]);
    let start = |config| async { net::Net::start(config, mpsc::channel(1).0).await.map(|_| ()).unwrap_err() };

    let mut other = good.clone();
    other.region = GAMMA.0;
    assert!(matches!(start(other).await, NetError::OwnCertificate { .. }));
    let mut twice = good.clone();
    twice.peers.push(waits_for(BETA));
    assert!(matches!(start(twice).await, NetError::PeerTwice(2)));
    let mut own = good.clone();
    own.peers.push(waits_for(ALPHA));
    assert!(matches!(start(own).await, NetError::PeerTwice(1)));
    let mut number = good.clone();
    number.peers.push(waits_for((4096, "far")));
    assert!(matches!(start(number).await, NetError::Identity(_)));
    let mut key = good.clone();
    key.key_pem = issue(&ca, ALPHA).key_pem;
    assert!(matches!(start(key).await, NetError::Tls(_)), "the key of another certificate");
    let mut no_ca = good.clone();
    no_ca.ca_pem = String::new();
    assert!(matches!(start(no_ca).await, NetError::PemEmpty("CA")));
    let mut timing = good.clone();
    timing.timing.keep_alive = timing.timing.idle_timeout;
    assert!(matches!(start(timing).await, NetError::Timing(_)));
    assert!(!format!("{good:?}").contains("PRIVATE KEY"));
}
