//! An authenticated peer that breaks the wire protocol: its connection ends with a code, the node serves on.

use net::wire::{CONTROL_BYTE, FRAME_BYTES_MAX, MAGIC, VERSION, stream_header};
use net::{CloseCode, Event, Lane};

use crate::support::{
    ALPHA, BETA, GAMMA, Node, at, authority, config, issue, raw_closed, raw_connect, raw_endpoint, raw_streams,
    waits_for, within,
};

/// Index of the control stream, and of the log lane, in what `raw_streams` returns.
const CONTROL: usize = 0;
const LOG: usize = 3;

/// Gamma with a good peer (beta, whose link must survive) and a bad one that poses as alpha.
struct Case {
    beta: Node,
    gamma: Node,
    endpoint: quinn::Endpoint,
}

impl Case {
    async fn start() -> Self {
        let ca = authority();
        let mut gamma = Node::start(config(&ca, GAMMA, vec![waits_for(ALPHA), waits_for(BETA)])).await;
        let mut beta = Node::start(config(&ca, BETA, vec![at(GAMMA, gamma.net.local_addr())])).await;
        gamma.up(BETA.0).await;
        beta.up(GAMMA.0).await;
        let endpoint = raw_endpoint(&ca, Some(&issue(&ca, ALPHA)));
        Self { beta, gamma, endpoint }
    }

    async fn bad_peer(&mut self) -> (quinn::Connection, Vec<quinn::SendStream>) {
        let connection = raw_connect(&self.endpoint, &self.gamma, GAMMA.1).await;
        let streams = raw_streams(&connection).await;
        self.gamma.up(ALPHA.0).await;
        (connection, streams)
    }

    /// The bad connection went down with `code`, told to both sides; the good link and a new one work.
    async fn ends(mut self, connection: &quinn::Connection, code: CloseCode) {
        let why = self.gamma.down(ALPHA.0).await;
        assert!(why.starts_with(code.as_str()), "{why}");
        self.serves_on(connection, code).await;
    }

    async fn serves_on(mut self, connection: &quinn::Connection, code: CloseCode) {
        assert_eq!(raw_closed(connection).await.0, u64::from(code.number()));
        self.beta.net.send(GAMMA.0, Lane::Log, "still here".into()).unwrap();
        assert_eq!(self.gamma.frame(Lane::Log).await, "still here");
        let (_connection, mut streams) = self.bad_peer().await;
        streams[LOG].write_all(&[0, 0, 0, 2, b'o', b'k']).await.unwrap();
        assert_eq!(self.gamma.frame(Lane::Log).await, "ok");
        assert_eq!(self.gamma.net.stats().peers[&BETA.0].connects, 1);
    }
}

#[tokio::test]
async fn a_frame_that_is_too_long() {
    let mut case = Case::start().await;
    let (connection, mut streams) = case.bad_peer().await;
    let length = u32::try_from(FRAME_BYTES_MAX + 1).unwrap();
    streams[LOG].write_all(&length.to_be_bytes()).await.unwrap();
    case.ends(&connection, CloseCode::FrameTooLarge).await;
}

#[tokio::test]
async fn a_frame_that_is_torn() {
    let mut case = Case::start().await;
    let (connection, mut streams) = case.bad_peer().await;
    streams[LOG].write_all(&[0, 0, 0, 1, b'x', 0, 0, 0, 9, b'h', b'a', b'l', b'f']).await.unwrap();
    streams[LOG].finish().unwrap();
    assert_eq!(case.gamma.frame(Lane::Log).await, "x", "what was whole before is kept");
    case.ends(&connection, CloseCode::FrameTorn).await;
}

#[tokio::test]
async fn a_lane_that_is_reset() {
    let mut case = Case::start().await;
    let (connection, mut streams) = case.bad_peer().await;
    streams[LOG].reset(9_u32.into()).unwrap();
    case.ends(&connection, CloseCode::FrameTorn).await;
}

#[tokio::test]
async fn a_confirmation_of_what_was_never_sent() {
    let mut case = Case::start().await;
    let (connection, mut streams) = case.bad_peer().await;
    streams[CONTROL].write_all(&1_u64.to_be_bytes()).await.unwrap();
    case.ends(&connection, CloseCode::ConfirmationInvalid).await;
}

#[tokio::test]
async fn streams_that_do_not_open_as_they_should() {
    let [m, a, g, _] = MAGIC;
    for (header, code) in [
        ([m, a, g, b'?', VERSION, CONTROL_BYTE], CloseCode::HeaderInvalid),
        ([m, a, g, MAGIC[3], VERSION + 1, CONTROL_BYTE], CloseCode::VersionUnknown),
        (stream_header(99), CloseCode::HeaderInvalid),
        (stream_header(Lane::Log.wire_byte()), CloseCode::HeaderInvalid),
    ] {
        let mut case = Case::start().await;
        let connection = raw_connect(&case.endpoint, &case.gamma, GAMMA.1).await;
        let mut first = within(connection.open_uni()).await.unwrap();
        first.write_all(&stream_header(Lane::Log.wire_byte())).await.unwrap();
        let mut second = within(connection.open_uni()).await.unwrap();
        second.write_all(&header).await.unwrap();
        let Event::Refused { why, .. } = case.gamma.next().await else { panic!("not refused") };
        assert!(why.starts_with(code.as_str()), "{why}");
        case.serves_on(&connection, code).await;
    }
}
