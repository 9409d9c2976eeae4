//! The relay itself, with plain datagrams.

use std::time::Duration;

use net::relay::{Direction, Relay, RelayOptions};
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout};

use crate::support::{loopback, within};

async fn receive(socket: &UdpSocket) -> Vec<u8> {
    let mut buffer = [0; 64];
    let length = within(socket.recv(&mut buffer)).await.unwrap();
    buffer[..length].to_vec()
}

#[tokio::test]
async fn delays_cuts_and_heals_each_direction() {
    let delay = Duration::from_millis(50);
    let target = UdpSocket::bind(loopback()).await.unwrap();
    let options = RelayOptions { one_way_delay: delay, ..RelayOptions::default() };
    let relay = Relay::start(loopback(), target.local_addr().unwrap(), options).await.unwrap();
    let dialler = UdpSocket::bind(loopback()).await.unwrap();
    dialler.connect(relay.local_addr()).await.unwrap();

    let began = Instant::now();
    dialler.send(b"one").await.unwrap();
    let mut buffer = [0; 64];
    let (length, back) = within(target.recv_from(&mut buffer)).await.unwrap();
    assert_eq!(buffer[..length], *b"one");
    assert!(began.elapsed() >= delay);
    target.send_to(b"two", back).await.unwrap();
    assert_eq!(receive(&dialler).await, b"two");
    assert!(began.elapsed() >= 2 * delay);

    relay.cut_direction(Direction::ToDialler);
    target.send_to(b"lost", back).await.unwrap();
    dialler.send(b"three").await.unwrap();
    assert_eq!(receive(&target).await, b"three");
    assert!(timeout(4 * delay, dialler.recv(&mut buffer)).await.is_err());
    assert_eq!(relay.counts(Direction::ToDialler), (1, 1));
    assert_eq!(relay.counts(Direction::ToTarget), (2, 0));

    relay.cut();
    dialler.send(b"lost").await.unwrap();
    assert!(timeout(4 * delay, target.recv(&mut buffer)).await.is_err());
    relay.heal();
    dialler.send(b"four").await.unwrap();
    assert_eq!(receive(&target).await, b"four");
    target.send_to(b"five", back).await.unwrap();
    assert_eq!(receive(&dialler).await, b"five");
}

#[tokio::test]
async fn holds_a_bounded_number_of_datagrams() {
    let target = UdpSocket::bind(loopback()).await.unwrap();
    let options = RelayOptions { one_way_delay: Duration::from_millis(200), queue_datagrams_max: 2 };
    let relay = Relay::start(loopback(), target.local_addr().unwrap(), options).await.unwrap();
    let dialler = UdpSocket::bind(loopback()).await.unwrap();
    for n in 0..10_u8 {
        dialler.send_to(&[n], relay.local_addr()).await.unwrap();
    }
    assert_eq!(receive(&target).await, [0]);
    assert_eq!(receive(&target).await, [1]);
    let counts = || relay.counts(Direction::ToTarget);
    within(async {
        while counts().0 + counts().1 < 10 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    // The oldest may have left the queue, to be waited for, before the third came.
    assert!((2..=3).contains(&counts().0), "{:?}", counts());
}
