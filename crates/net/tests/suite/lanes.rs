//! What lanes promise: no lane waits behind another, queues are bounded, and a slow reader slows the sender.

use std::time::Duration;

use bytes::Bytes;
use net::relay::{Relay, RelayOptions};
use net::wire::{FRAME_BYTES_MAX, ODDS_WINDOW_BYTES};
use net::{Event, Lane, Net, SendError};

use crate::support::{ALPHA, BETA, Node, at, authority, config, loopback, waits_for};

const ODDS_FRAME_BYTES: usize = 16 * 1024;

/// Alpha dials beta through a relay of 20 ms each way; beta has room for `events_max` events.
async fn delayed_pair(events_max: usize) -> (Node, Node, Relay) {
    let ca = authority();
    let mut beta = Node::start_with_room(config(&ca, BETA, vec![waits_for(ALPHA)]), events_max).await;
    let options = RelayOptions { one_way_delay: Duration::from_millis(20), ..RelayOptions::default() };
    let relay = Relay::start(loopback(), beta.net.local_addr(), options).await.unwrap();
    let mut alpha = Node::start(config(&ca, ALPHA, vec![at(BETA, relay.local_addr())])).await;
    alpha.up(BETA.0).await;
    beta.up(ALPHA.0).await;
    (alpha, beta, relay)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_bulk_lane_does_not_delay_odds() {
    const BULK_FRAMES: usize = 64;
    // Beta's channel and both windows may hold this many bulk frames that were on their way already.
    const BULK_FRAMES_BEFORE_ODDS_MAX: usize = 10;
    let (mut alpha, mut beta, _relay) = delayed_pair(4).await;
    let bulk = Bytes::from(vec![1; FRAME_BYTES_MAX]);
    for _ in 0..BULK_FRAMES {
        alpha.net.send(BETA.0, Lane::Bulk, bulk.clone()).unwrap();
    }
    let mut bulk_received = 0;
    for n in 0..4_u8 {
        for _ in 0..4 {
            assert_eq!(beta.frame(Lane::Bulk).await, bulk);
            bulk_received += 1;
        }
        let odds = Bytes::from(vec![n; ODDS_FRAME_BYTES]);
        alpha.net.send(BETA.0, Lane::Odds, odds.clone()).unwrap();
        let bulk_before = bulk_received;
        loop {
            match beta.next().await {
                Event::Frame { lane: Lane::Bulk, .. } => bulk_received += 1,
                Event::Frame { lane: Lane::Odds, bytes, .. } => break assert_eq!(bytes, odds),
                other => panic!("{other:?}"),
            }
        }
        let between = bulk_received - bulk_before;
        assert!(between <= BULK_FRAMES_BEFORE_ODDS_MAX, "odds {n} waited behind {between} bulk frames");
        assert!(bulk_received < BULK_FRAMES, "the bulk is still in progress");
        assert_eq!(alpha.next().await, Event::Sent { region: BETA.0, lane: Lane::Odds });
    }
    while bulk_received < BULK_FRAMES {
        assert_eq!(beta.frame(Lane::Bulk).await, bulk);
        bulk_received += 1;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_goes_before_the_bulk() {
    const LOG_FRAMES: usize = 16;
    let (alpha, mut beta, _relay) = delayed_pair(4).await;
    let frame = Bytes::from(vec![1; FRAME_BYTES_MAX]);
    for _ in 0..64 {
        alpha.net.send(BETA.0, Lane::Bulk, frame.clone()).unwrap();
    }
    for _ in 0..LOG_FRAMES {
        alpha.net.send(BETA.0, Lane::Log, frame.clone()).unwrap();
    }
    let (mut log, mut bulk) = (0, 0);
    while log < LOG_FRAMES {
        match beta.next().await {
            Event::Frame { lane: Lane::Log, .. } => log += 1,
            Event::Frame { lane: Lane::Bulk, .. } => bulk += 1,
            other => panic!("{other:?}"),
        }
    }
    // Fair shares would have let as many bulk frames through as log frames.
    assert!(bulk <= LOG_FRAMES / 2, "{bulk} bulk frames went before the log");
}

/// Sends odds frames, each after the last was reported, until nothing is reported for a while.
async fn send_odds_until_stuck(alpha: &mut Node) -> u64 {
    let frame = Bytes::from(vec![3; ODDS_FRAME_BYTES]);
    let mut sent = 0;
    alpha.net.send(BETA.0, Lane::Odds, frame.clone()).unwrap();
    while let Ok(event) = tokio::time::timeout(Duration::from_millis(500), alpha.events.recv()).await {
        assert_eq!(event, Some(Event::Sent { region: BETA.0, lane: Lane::Odds }));
        sent += 1;
        alpha.net.send(BETA.0, Lane::Odds, frame.clone()).unwrap();
    }
    sent
}

#[tokio::test]
async fn odds_do_not_pile_up_in_the_transport_when_the_reader_is_slow() {
    let (mut alpha, mut beta, _relay) = delayed_pair(1).await;
    let sent = send_odds_until_stuck(&mut alpha).await;
    let most = ODDS_WINDOW_BYTES / ODDS_FRAME_BYTES as u64 + 1;
    assert!((2..=most).contains(&sent), "{sent} frames were taken for an unread lane, at most {most}");
    // Read again: all that was taken arrives, and sending goes on.
    for _ in 0..=sent {
        assert_eq!(beta.frame(Lane::Odds).await.len(), ODDS_FRAME_BYTES);
    }
    assert_eq!(alpha.next().await, Event::Sent { region: BETA.0, lane: Lane::Odds });
    assert!(send_odds_until_stuck(&mut alpha).await >= 2);
}

/// How many frames of `bytes` the lane takes before it is full.
fn fill(net: &Net, lane: Lane, bytes: usize) -> usize {
    let frame = Bytes::from(vec![0; bytes]);
    for taken in 0..100_000 {
        match net.send(BETA.0, lane, frame.clone()) {
            Ok(()) => {}
            Err(error) => {
                assert_eq!(error, SendError::Full);
                return taken;
            }
        }
    }
    panic!("{lane:?} is never full");
}

#[tokio::test]
async fn a_full_queue_says_so_and_loses_nothing() {
    // One thread: nothing is written while `fill` runs, so the counts are exact.
    let (alpha, mut beta, _relay) = delayed_pair(8).await;
    let log = fill(&alpha.net, Lane::Log, 1);
    assert_eq!(log, Lane::Log.queue_frames_max());
    let bulk = fill(&alpha.net, Lane::Bulk, FRAME_BYTES_MAX);
    assert_eq!(bulk, Lane::Bulk.queue_bytes_max() / FRAME_BYTES_MAX);
    let queued = alpha.net.stats().peers[&BETA.0].lanes.bulk;
    assert_eq!((queued.queued_frames, queued.queued_bytes), (bulk, bulk * FRAME_BYTES_MAX));
    let too_large = Bytes::from(vec![0; FRAME_BYTES_MAX + 1]);
    assert_eq!(alpha.net.send(BETA.0, Lane::Requests, too_large), Err(SendError::TooLarge));
    assert_eq!(alpha.net.send(99, Lane::Log, Bytes::new()), Err(SendError::NotConnected));

    let mut received = (0, 0);
    while received != (log, bulk) {
        match beta.next().await {
            Event::Frame { lane: Lane::Log, .. } => received.0 += 1,
            Event::Frame { lane: Lane::Bulk, .. } => received.1 += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(alpha.net.send(BETA.0, Lane::Log, Bytes::new()), Ok(()));
    assert!(beta.frame(Lane::Log).await.is_empty());
}
