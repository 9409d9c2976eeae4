//! The two queues before the engine, clients' and the network's: waiting for the first input, then draining both,
//! one by one in turns, into a group. Knows how much a group may hold; not what is done with it.

use std::time::Duration;

use engine::door::{Input, Request};
use model::Command;
use net::Event;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use crate::handle::Envelope;

/// Inputs in one group.
pub(crate) const GROUP_INPUTS_MAX: usize = 1_024;
/// Wagers, odds and stream lines in one group: what is found queued beyond it waits for the next commit. Four full
/// batches keep a commit well under a second and lose nothing to the fsync.
pub(crate) const GROUP_ITEMS_MAX: usize = 40_000;

/// So many bytes of a peer's frame count as one item: about one log entry of one wager.
const FRAME_ITEM_BYTES: usize = 256;

/// Something to feed the engine.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// A client asks.
    Asked(Envelope),
    /// The network reports.
    Net(Event),
    /// Something done beside the commits is done.
    Beside(Input),
}

/// Why the wait ended.
#[derive(Debug)]
pub(crate) enum Woken {
    /// By an input.
    Arrival(Arrival),
    /// By the engine's deadline.
    Due,
    /// The node is to stop.
    Stop,
}

/// Both queues, and the word to stop.
#[derive(Debug)]
pub(crate) struct Sources {
    requests: mpsc::Receiver<Envelope>,
    events: mpsc::Receiver<Event>,
    stop: watch::Receiver<bool>,
    /// What is done beside the commits; absent only in tests.
    beside: Option<mpsc::Receiver<Input>>,
}

impl Sources {
    pub(crate) const fn new(
        requests: mpsc::Receiver<Envelope>,
        events: mpsc::Receiver<Event>,
        stop: watch::Receiver<bool>,
    ) -> Self {
        Self { requests, events, stop, beside: None }
    }

    /// The same, hearing also what is done beside the commits.
    pub(crate) fn hearing(mut self, beside: mpsc::Receiver<Input>) -> Self {
        self.beside = Some(beside);
        self
    }

    /// Waits for an input, at most until `due_in`.
    pub(crate) async fn wait(&mut self, due_in: Option<Duration>) -> Woken {
        let due = async {
            match due_in {
                Some(due_in) => sleep(due_in).await,
                None => std::future::pending().await,
            }
        };
        let heard = &mut self.beside;
        let beside = async move {
            match heard {
                Some(heard) => heard.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // An error says that nobody is left who could say stop: the node was dropped.
            _ = self.stop.wait_for(|stop| *stop) => Woken::Stop,
            Some(envelope) = self.requests.recv() => Woken::Arrival(Arrival::Asked(envelope)),
            Some(event) = self.events.recv() => Woken::Arrival(Arrival::Net(event)),
            Some(input) = beside => Woken::Arrival(Arrival::Beside(input)),
            () = due => Woken::Due,
        }
    }

    /// Whether the node is to stop.
    pub(crate) fn is_stopped(&self) -> bool {
        *self.stop.borrow() || self.stop.has_changed().is_err()
    }

    /// From now on nobody can ask; what is queued can still be drained.
    pub(crate) fn close(&mut self) {
        self.requests.close();
        self.events.close();
    }

    /// Takes what is queued into `group`, in turns, without waiting, until the group is full.
    pub(crate) fn drain(&mut self, group: &mut Vec<Arrival>) {
        let mut items: usize = group.iter().map(weight).sum();
        loop {
            let asked = self.requests.try_recv().ok().map(Arrival::Asked);
            let told = self.events.try_recv().ok().map(Arrival::Net);
            let done = self.beside.as_mut().and_then(|b| b.try_recv().ok()).map(Arrival::Beside);
            if asked.is_none() && told.is_none() && done.is_none() {
                return;
            }
            for arrival in asked.into_iter().chain(told).chain(done) {
                items += weight(&arrival);
                group.push(arrival);
            }
            if group.len() >= GROUP_INPUTS_MAX || items >= GROUP_ITEMS_MAX {
                return;
            }
        }
    }
}

/// How much work an input is.
fn weight(arrival: &Arrival) -> usize {
    match arrival {
        Arrival::Asked(envelope) => match &envelope.request {
            Request::Command(Command::Place(wagers)) => wagers.len(),
            Request::Command(Command::WriteOdds(odds)) => odds.len(),
            Request::Feed(lines) => lines.len(),
            Request::Uof(messages) => messages.len(),
            Request::Command(_) | Request::Query(_) => 1,
        },
        Arrival::Net(Event::Frame { bytes, .. }) => 1 + bytes.len() / FRAME_ITEM_BYTES,
        Arrival::Net(_) | Arrival::Beside(_) => 1,
    }
}

#[cfg(test)]
mod tests {
    use model::Query;
    use tokio::sync::oneshot;

    use super::*;

    fn ask() -> Envelope {
        Envelope { request: Request::Query(Query::Clock), token: None, wait_ms: 0, reply: oneshot::channel().0 }
    }

    fn queues(depth_max: usize) -> (mpsc::Sender<Envelope>, mpsc::Sender<Event>, watch::Sender<bool>, Sources) {
        let (requests, events) = (mpsc::channel(depth_max), mpsc::channel(depth_max));
        let stop = watch::channel(false);
        (requests.0, events.0, stop.0, Sources::new(requests.1, events.1, stop.1))
    }

    #[test]
    fn a_group_is_bounded_and_neither_queue_starves_the_other() {
        let (requests, events, _stop, mut sources) = queues(3 * GROUP_INPUTS_MAX);
        for _ in 0..2 * GROUP_INPUTS_MAX {
            requests.try_send(ask()).unwrap();
            events.try_send(Event::Down { region: 2, why: String::new() }).unwrap();
        }
        let mut group = Vec::new();
        sources.drain(&mut group);
        assert_eq!(group.len(), GROUP_INPUTS_MAX);
        let told = group.iter().filter(|a| matches!(a, Arrival::Net(_))).count();
        assert_eq!(told, GROUP_INPUTS_MAX / 2);
    }

    #[test]
    fn a_group_of_large_batches_ends_early() {
        let (requests, _events, _stop, mut sources) = queues(16);
        let lines = |count| Request::Command(Command::WriteOdds(vec![odds(); count]));
        for _ in 0..8 {
            requests.try_send(Envelope { request: lines(GROUP_ITEMS_MAX / 2), ..ask() }).unwrap();
        }
        let mut group = Vec::new();
        sources.drain(&mut group);
        assert_eq!(group.len(), 2);
    }

    fn odds() -> model::OddsWrite {
        model::OddsWrite {
            market: model::MarketKey::new("m").unwrap(),
            outcome: model::OutcomeKey::new("1").unwrap(),
            change: model::OddsChange::Active(true),
            producer: None,
            source_time_ms: None,
            source_seq: 0,
        }
    }

    #[tokio::test]
    async fn waiting_ends_by_input_deadline_or_stop() {
        let (requests, _events, stop, mut sources) = queues(4);
        assert!(matches!(sources.wait(Some(Duration::ZERO)).await, Woken::Due));
        requests.try_send(ask()).unwrap();
        assert!(matches!(sources.wait(None).await, Woken::Arrival(Arrival::Asked(_))));
        assert!(!sources.is_stopped());
        stop.send(true).unwrap();
        assert!(matches!(sources.wait(None).await, Woken::Stop));
        assert!(sources.is_stopped());
        drop(stop);
        assert!(sources.is_stopped());
    }
}
