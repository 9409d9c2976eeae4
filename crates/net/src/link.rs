//! One connection in service: its streams, and the tasks that move frames between them, the queues and events.
//!
//! Must not dial, accept, or decide whether the peer is welcome.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use quinn::{Connection, RecvStream, SendStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::end::{CloseCode, LinkEnd};
use crate::lane::{CONTROL_PRIORITY, Lane, PerLane};
use crate::net::{Event, Shared};
use crate::peer::Peer;
use crate::queue::LaneQueue;
use crate::wire::{
    CONTROL_BYTE, ODDS_WINDOW_BYTES, STREAMS_PER_SIDE, StreamKind, read_confirmation, read_frame, read_header,
    stream_header, wire_bytes, write_frame,
};

/// What `Net::send` and the counters need of a connection in service.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) connection: Connection,
    pub(crate) queues: PerLane<LaneQueue>,
}

impl Link {
    pub(crate) fn new(connection: Connection) -> Self {
        Self { connection, queues: PerLane::from_fn(LaneQueue::new) }
    }
}

/// All streams of a connection, headers exchanged.
pub(crate) struct Streams {
    control_out: SendStream,
    control_in: RecvStream,
    out: PerLane<SendStream>,
    incoming: PerLane<RecvStream>,
}

impl Streams {
    /// Opens ours and waits for the peer's. That the peer's are there also proves that it has accepted our
    /// certificate, which TLS 1.3 alone does not tell a dialler.
    pub(crate) async fn open(connection: &Connection) -> Result<Self, LinkEnd> {
        let control_out = open_one(connection, CONTROL_BYTE, CONTROL_PRIORITY).await?;
        let out = PerLane {
            odds: open_lane(connection, Lane::Odds).await?,
            requests: open_lane(connection, Lane::Requests).await?,
            log: open_lane(connection, Lane::Log).await?,
            bulk: open_lane(connection, Lane::Bulk).await?,
        };
        let mut control_in = None;
        let mut incoming = PerLane::<Option<RecvStream>>::default();
        for _ in 0..STREAMS_PER_SIDE {
            let mut stream = connection.accept_uni().await?;
            let slot = match read_header(&mut stream).await? {
                StreamKind::Control => &mut control_in,
                StreamKind::Lane(lane) => incoming.get_mut(lane),
            };
            if slot.replace(stream).is_some() {
                return Err(LinkEnd::local(CloseCode::HeaderInvalid, "the peer opened a stream twice"));
            }
        }
        // Five streams, none twice, out of five kinds: all are there.
        match (control_in, incoming) {
            (
                Some(control_in),
                PerLane { log: Some(log), odds: Some(odds), requests: Some(requests), bulk: Some(bulk) },
            ) => {
                let incoming = PerLane { log, odds, requests, bulk };
                Ok(Self { control_out, control_in, out, incoming })
            }
            _ => Err(LinkEnd::local(CloseCode::HeaderInvalid, "a lane is missing")),
        }
    }
}

/// Serves `link` until it ends; when this returns, every event of its frames has been handed over.
pub(crate) async fn serve(shared: &Arc<Shared>, peer: &Arc<Peer>, link: &Arc<Link>, streams: Streams) -> LinkEnd {
    let (confirmed_in, confirmed) = watch::channel(0_u64);
    let (delivered_in, delivered) = watch::channel(0_u64);
    let odds_written = Arc::new(AtomicU64::new(0));
    let task = |lane| LaneTask { shared: Arc::clone(shared), peer: Arc::clone(peer), link: Arc::clone(link), lane };
    let Streams { control_out, control_in, out, incoming } = streams;
    let mut tasks = JoinSet::new();
    tasks.spawn(task(Lane::Log).write(out.log));
    tasks.spawn(task(Lane::Requests).write(out.requests));
    tasks.spawn(task(Lane::Bulk).write(out.bulk));
    tasks.spawn(task(Lane::Odds).write_odds(out.odds, Arc::clone(&odds_written), confirmed));
    tasks.spawn(task(Lane::Log).read(incoming.log, None));
    tasks.spawn(task(Lane::Requests).read(incoming.requests, None));
    tasks.spawn(task(Lane::Bulk).read(incoming.bulk, None));
    tasks.spawn(task(Lane::Odds).read(incoming.odds, Some(delivered_in)));
    tasks.spawn(read_confirmations(control_in, odds_written, confirmed_in));
    tasks.spawn(write_confirmations(control_out, delivered));

    let first = tokio::select! {
        () = shared.stopped() => LinkEnd::local(CloseCode::Shutdown, "the node stops"),
        ended = tasks.join_next() => match ended {
            Some(Ok(end)) => end,
            _ => LinkEnd::local(CloseCode::Internal, "a task of the connection failed"),
        },
    };
    // Closing ends all other tasks; the first end is the cause.
    first.close(&link.connection);
    while tasks.join_next().await.is_some() {}
    first
}

/// What the reader and the writer of one lane work with. Each runs until the connection ends.
struct LaneTask {
    shared: Arc<Shared>,
    peer: Arc<Peer>,
    link: Arc<Link>,
    lane: Lane,
}

impl LaneTask {
    async fn write(self, mut stream: SendStream) -> LinkEnd {
        loop {
            let written = async {
                let frame = self.next().await?;
                self.write_one(&mut stream, frame).await
            };
            if let Err(end) = written.await {
                return end;
            }
        }
    }

    /// Like `write`, within [`ODDS_WINDOW_BYTES`], and reporting each frame.
    async fn write_odds(
        self,
        mut stream: SendStream,
        written: Arc<AtomicU64>,
        mut confirmed: watch::Receiver<u64>,
    ) -> LinkEnd {
        let mut written_bytes = 0;
        loop {
            let sent = async {
                let frame = self.next().await?;
                let frame_bytes = wire_bytes(&frame);
                let fits = |confirmed: &u64| {
                    let on_the_way = written_bytes - confirmed;
                    on_the_way == 0 || on_the_way + frame_bytes <= ODDS_WINDOW_BYTES
                };
                if confirmed.wait_for(fits).await.is_err() {
                    // The control stream's reader is gone, and says why.
                    return Err(self.link.connection.closed().await.into());
                }
                written_bytes += frame_bytes;
                // Before the write, for the peer may confirm before the write returns.
                written.store(written_bytes, Ordering::Release);
                self.write_one(&mut stream, frame).await?;
                self.emit(Event::Sent { region: self.peer.region(), lane: self.lane }).await
            };
            if let Err(end) = sent.await {
                return end;
            }
        }
    }

    async fn read(self, mut stream: RecvStream, delivered: Option<watch::Sender<u64>>) -> LinkEnd {
        loop {
            let received = async {
                let frame = read_frame(&mut stream, self.lane).await?;
                let frame_bytes = wire_bytes(&frame);
                self.peer.counters.lanes.get(self.lane).received(&frame);
                self.emit(Event::Frame { region: self.peer.region(), lane: self.lane, bytes: frame }).await?;
                if let Some(delivered) = &delivered {
                    delivered.send_modify(|bytes| *bytes += frame_bytes);
                }
                Ok(())
            };
            if let Err(end) = received.await {
                return end;
            }
        }
    }

    async fn next(&self) -> Result<Bytes, LinkEnd> {
        tokio::select! {
            frame = self.link.queues.get(self.lane).pop() => Ok(frame),
            lost = self.link.connection.closed() => Err(lost.into()),
        }
    }

    async fn write_one(&self, stream: &mut SendStream, frame: Bytes) -> Result<(), LinkEnd> {
        let bytes = frame.len();
        write_frame(stream, frame).await?;
        self.peer.counters.lanes.get(self.lane).sent(bytes);
        Ok(())
    }

    async fn emit(&self, event: Event) -> Result<(), LinkEnd> {
        if self.shared.emit(event).await {
            return Ok(());
        }
        Err(LinkEnd::local(CloseCode::Shutdown, "the node stops"))
    }
}

/// What the peer has delivered of our odds; a number that cannot be true ends the connection.
async fn read_confirmations(mut stream: RecvStream, written: Arc<AtomicU64>, confirmed: watch::Sender<u64>) -> LinkEnd {
    loop {
        let number = match read_confirmation(&mut stream).await {
            Ok(number) => number,
            Err(end) => return end,
        };
        let (before, written) = (*confirmed.borrow(), written.load(Ordering::Acquire));
        if number < before || number > written {
            let why = format!("{number} bytes confirmed, of {written} written and {before} confirmed before");
            return LinkEnd::local(CloseCode::ConfirmationInvalid, why);
        }
        confirmed.send_replace(number);
    }
}

/// Tells the peer what we have delivered of its odds; only the newest number is worth sending.
async fn write_confirmations(mut stream: SendStream, mut delivered: watch::Receiver<u64>) -> LinkEnd {
    while delivered.changed().await.is_ok() {
        let number = *delivered.borrow_and_update();
        if let Err(error) = stream.write_all(&number.to_be_bytes()).await {
            return error.into();
        }
    }
    // The odds reader has ended and with it the connection, or it will be closed by the one that joins us.
    match stream.stopped().await {
        Err(quinn::StoppedError::ConnectionLost(lost)) => lost.into(),
        _ => LinkEnd::local(CloseCode::FrameTorn, "the control stream was stopped"),
    }
}

async fn open_lane(connection: &Connection, lane: Lane) -> Result<SendStream, LinkEnd> {
    open_one(connection, lane.wire_byte(), lane.priority()).await
}

async fn open_one(connection: &Connection, kind: u8, priority: i32) -> Result<SendStream, LinkEnd> {
    let mut stream = connection.open_uni().await?;
    // Fails only for a stream that is closed already, which the write then reports.
    let _ = stream.set_priority(priority);
    stream.write_all(&stream_header(kind)).await?;
    Ok(stream)
}
