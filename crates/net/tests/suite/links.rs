//! Connections that work: frames, reconnecting, replacing, stopping.

use std::time::Duration;

use bytes::Bytes;
use net::relay::{Direction, Relay, RelayOptions};
use net::wire::FRAME_BYTES_MAX;
use net::{CloseCode, Config, Event, Lane, Net, NetError, SendError};
use tokio::sync::mpsc;

use crate::support::{
    ALPHA, BETA, GAMMA, Node, at, authority, config, exchange, issue, loopback, pair, raw_closed, raw_connect,
    raw_endpoint, raw_streams, waits_for,
};

/// Sends `count` numbered frames on `lane` (odds one at a time), the last of the largest size.
async fn send_numbered(from: &mut Node, region: u16, lane: Lane, count: u32) {
    for n in 0..count {
        let mut frame = n.to_be_bytes().to_vec();
        if n + 1 == count {
            frame.resize(FRAME_BYTES_MAX, 7);
        }
        from.net.send(region, lane, Bytes::from(frame)).unwrap();
        if lane == Lane::Odds {
            assert_eq!(from.next().await, Event::Sent { region, lane });
        }
    }
}

async fn expect_numbered(to: &mut Node, lane: Lane, count: u32) {
    for n in 0..count {
        let frame = to.frame(lane).await;
        assert_eq!(frame[..4], n.to_be_bytes(), "in order");
        assert_eq!(frame.len(), if n + 1 == count { FRAME_BYTES_MAX } else { 4 }, "whole");
    }
}

#[tokio::test]
async fn frames_of_every_lane_arrive_whole_and_in_order() {
    let (mut alpha, mut beta) = pair(&authority()).await;
    for lane in Lane::ALL {
        send_numbered(&mut alpha, BETA.0, lane, 50).await;
        expect_numbered(&mut beta, lane, 50).await;
        send_numbered(&mut beta, ALPHA.0, lane, 50).await;
        expect_numbered(&mut alpha, lane, 50).await;
        alpha.net.send(BETA.0, lane, Bytes::new()).unwrap();
        assert!(beta.frame(lane).await.is_empty());
        if lane == Lane::Odds {
            assert_eq!(alpha.next().await, Event::Sent { region: BETA.0, lane });
        }
    }
    let (sent, received) = (alpha.net.stats().peers[&BETA.0], beta.net.stats().peers[&ALPHA.0]);
    assert_eq!((sent.connects, received.connects), (1, 1));
    assert!(sent.connected && sent.rtt.is_some());
    for lane in Lane::ALL {
        let (sent, received) = (sent.lanes.get(lane), received.lanes.get(lane));
        assert_eq!((sent.frames_sent, sent.bytes_sent), (51, 49 * 4 + FRAME_BYTES_MAX as u64));
        assert_eq!((received.frames_received, received.bytes_received), (sent.frames_sent, sent.bytes_sent));
        assert_eq!((sent.queued_frames, sent.queued_bytes), (0, 0));
    }
}

#[tokio::test]
async fn a_link_comes_back_after_a_cut() {
    let ca = authority();
    let mut beta = Node::start(config(&ca, BETA, vec![waits_for(ALPHA)])).await;
    let relay = Relay::start(loopback(), beta.net.local_addr(), RelayOptions::default()).await.unwrap();
    let mut alpha = Node::start(config(&ca, ALPHA, vec![at(BETA, relay.local_addr())])).await;
    alpha.up(BETA.0).await;
    beta.up(ALPHA.0).await;
    exchange(&mut alpha, &mut beta).await;

    relay.cut();
    assert!(alpha.down(BETA.0).await.starts_with("timed out"));
    assert!(beta.down(ALPHA.0).await.starts_with("timed out"));
    assert_eq!(alpha.net.send(BETA.0, Lane::Log, Bytes::new()), Err(SendError::NotConnected));
    relay.heal();
    alpha.up(BETA.0).await;
    beta.up(ALPHA.0).await;
    exchange(&mut alpha, &mut beta).await;
}

#[tokio::test]
async fn a_link_that_is_cut_in_one_direction_is_down_on_both_sides() {
    let ca = authority();
    let mut beta = Node::start(config(&ca, BETA, vec![waits_for(ALPHA)])).await;
    let relay = Relay::start(loopback(), beta.net.local_addr(), RelayOptions::default()).await.unwrap();
    let mut alpha = Node::start(config(&ca, ALPHA, vec![at(BETA, relay.local_addr())])).await;
    alpha.up(BETA.0).await;
    beta.up(ALPHA.0).await;

    for direction in [Direction::ToDialler, Direction::ToTarget] {
        relay.cut_direction(direction);
        alpha.down(BETA.0).await;
        beta.down(ALPHA.0).await;
        relay.heal();
        alpha.up(BETA.0).await;
        beta.up(ALPHA.0).await;
        exchange(&mut alpha, &mut beta).await;
    }
}

#[tokio::test]
async fn a_newer_connection_of_a_region_replaces_the_older() {
    let ca = authority();
    let mut beta = Node::start(config(&ca, BETA, vec![waits_for(ALPHA)])).await;
    let endpoint = raw_endpoint(&ca, Some(&issue(&ca, ALPHA)));
    let older = raw_connect(&endpoint, &beta, BETA.1).await;
    let _older_streams = raw_streams(&older).await;
    beta.up(ALPHA.0).await;

    let newer = raw_connect(&endpoint, &beta, BETA.1).await;
    let mut streams = raw_streams(&newer).await;
    assert!(beta.down(ALPHA.0).await.starts_with("replaced"));
    beta.up(ALPHA.0).await;
    assert_eq!(raw_closed(&older).await.0, u64::from(CloseCode::Replaced.number()));
    streams[3].write_all(&[0, 0, 0, 2, b'h', b'i']).await.unwrap();
    assert_eq!(beta.frame(Lane::Log).await, "hi");
}

/// QUIC's driver gives the address back a moment after the node stopped.
async fn start_on_freed_address(config: Config) -> Node {
    for _ in 0..100 {
        let (sender, events) = mpsc::channel(64);
        match Net::start(config.clone(), sender).await {
            Ok(net) => return Node { net, events },
            Err(NetError::Listen(_)) => tokio::time::sleep(Duration::from_millis(20)).await,
            Err(other) => panic!("{other}"),
        }
    }
    panic!("the address is never free");
}

#[tokio::test]
async fn stopping_tells_the_peer_and_a_restarted_peer_is_found_again() {
    let ca = authority();
    let (alpha, mut beta) = pair(&ca).await;
    alpha.net.shutdown().await;
    assert!(beta.down(ALPHA.0).await.starts_with("closed by the peer: shutdown"));

    let mut alpha = Node::start(config(&ca, ALPHA, vec![at(BETA, beta.net.local_addr())])).await;
    alpha.up(BETA.0).await;
    beta.up(ALPHA.0).await;
    let mut again = config(&ca, BETA, vec![waits_for(ALPHA)]);
    again.listen = beta.net.local_addr();
    beta.net.shutdown().await;
    assert!(alpha.down(BETA.0).await.starts_with("closed by the peer: shutdown"));
    let mut beta = start_on_freed_address(again).await;
    alpha.up(BETA.0).await;
    beta.up(ALPHA.0).await;
    exchange(&mut alpha, &mut beta).await;
}

#[tokio::test]
async fn a_node_that_nobody_listens_to_stops() {
    let (alpha, mut beta) = pair(&authority()).await;
    drop(alpha.events);
    assert!(beta.down(ALPHA.0).await.starts_with("closed by the peer: shutdown"));
}

#[tokio::test]
async fn dropping_the_last_handle_stops_the_node() {
    let (alpha, mut beta) = pair(&authority()).await;
    let Node { net, events: _events } = alpha;
    let clone = net.clone();
    drop(net);
    clone.send(BETA.0, Lane::Log, Bytes::from_static(b"a clone keeps it")).unwrap();
    assert_eq!(beta.frame(Lane::Log).await, "a clone keeps it");
    drop(clone);
    assert!(beta.down(ALPHA.0).await.starts_with("closed by the peer: shutdown"));
}

#[tokio::test]
async fn one_node_serves_several_peers() {
    let ca = authority();
    let gamma = config(&ca, GAMMA, vec![waits_for(ALPHA), waits_for(BETA)]);
    let mut gamma = Node::start(gamma).await;
    let mut beta = Node::start(config(&ca, BETA, vec![waits_for(ALPHA), at(GAMMA, gamma.net.local_addr())])).await;
    beta.up(GAMMA.0).await;
    gamma.up(BETA.0).await;
    let peers = vec![at(BETA, beta.net.local_addr()), at(GAMMA, gamma.net.local_addr())];
    let alpha = Node::start(config(&ca, ALPHA, peers)).await;
    beta.up(ALPHA.0).await;
    gamma.up(ALPHA.0).await;
    beta.net.send(ALPHA.0, Lane::Requests, Bytes::from_static(b"from beta")).unwrap();
    gamma.net.send(ALPHA.0, Lane::Requests, Bytes::from_static(b"from gamma")).unwrap();
    let mut alpha = alpha;
    let mut heard = Vec::new();
    while heard.len() < 2 {
        if let Event::Frame { region, bytes, .. } = alpha.next().await {
            heard.push((region, bytes));
        }
    }
    heard.sort();
    assert_eq!(heard, [(BETA.0, Bytes::from("from beta")), (GAMMA.0, Bytes::from("from gamma"))]);
}
