//! The real listener, on loopback: connections bounded, shutdown orderly.

use std::time::Duration;

use api::serve;
use engine::door::Request;
use model::{Answer, Query};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::support::{Desk, config};

const CALL: &[u8] = b"GET /v1/producers HTTP/1.1\r\nhost: x\r\n\r\n";

async fn answer(stream: &mut TcpStream) -> String {
    let mut buffer = vec![0; 4_096];
    let n = timeout(Duration::from_secs(10), stream.read(&mut buffer)).await.unwrap().unwrap();
    String::from_utf8(buffer[..n].to_vec()).unwrap()
}

#[tokio::test]
async fn what_is_under_way_is_finished_before_it_stops() {
    let (node, mut requests) = node::NodeHandle::channel(4);
    let (go, mut wait) = mpsc::channel::<()>(1);
    let (reached, asked) = oneshot::channel();
    tokio::spawn(async move {
        let envelope = requests.recv().await.unwrap();
        assert_eq!(envelope.request, Request::Query(Query::Producers));
        reached.send(()).unwrap();
        wait.recv().await;
        let _ = envelope.reply.send(node::Reply { answer: Answer::Producers(vec![]), token: Default::default() });
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let served = tokio::spawn(serve(listener, Desk::over(node, config()).router, 8, async move {
        let _ = stopped.await;
    }));
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(CALL).await.unwrap();
    asked.await.unwrap();
    stop.send(()).unwrap();
    go.send(()).await.unwrap();
    assert!(answer(&mut stream).await.starts_with("HTTP/1.1 200"));
    timeout(Duration::from_secs(10), served).await.unwrap().unwrap().unwrap();
    assert!(TcpStream::connect(addr).await.is_err(), "it listens no more");
}

#[tokio::test]
async fn a_connection_beyond_the_bound_waits_for_a_place() {
    let (node, mut requests) = node::NodeHandle::channel(4);
    tokio::spawn(async move {
        while let Some(envelope) = requests.recv().await {
            let _ = envelope.reply.send(node::Reply { answer: Answer::Producers(vec![]), token: Default::default() });
        }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, Desk::over(node, config()).router, 1, std::future::pending()));
    let mut first = TcpStream::connect(addr).await.unwrap();
    first.write_all(CALL).await.unwrap();
    assert!(answer(&mut first).await.starts_with("HTTP/1.1 200"));
    let mut second = TcpStream::connect(addr).await.unwrap();
    second.write_all(CALL).await.unwrap();
    let mut byte = [0];
    let early = timeout(Duration::from_millis(200), second.read(&mut byte)).await;
    assert!(early.is_err(), "there is no place for it yet");
    drop(first);
    assert!(answer(&mut second).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_given_up() {
    let (node, _requests) = node::NodeHandle::channel(4);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let config = api::ApiConfig { body_ms_max: 50, ..config() };
    tokio::spawn(serve(listener, Desk::over(node, config).router, 8, std::future::pending()));
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(b"POST /v1/wagers HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{").await.unwrap();
    let got = answer(&mut stream).await;
    assert!(got.starts_with("HTTP/1.1 408") && got.contains("body_late"), "{got}");
}

#[tokio::test]
async fn a_body_that_breaks_off_decides_nothing() {
    let (node, mut requests) = node::NodeHandle::channel(4);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let router = Desk::over(node, config()).router;
    let served = tokio::spawn(serve(listener, router, 8, async move {
        let _ = stopped.await;
    }));
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let wager = crate::support::WAGER;
    let head = format!("POST /v1/wagers HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", wager.len() + 1);
    stream.write_all(format!("{head}{wager}").as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    stop.send(()).unwrap();
    timeout(Duration::from_secs(10), served).await.unwrap().unwrap().unwrap();
    assert!(requests.try_recv().is_err(), "the node was not asked");
}
