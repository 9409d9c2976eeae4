//! Performs what the engine wants done once its batch is durable: answers, frames, alarms, quarantine.
//! Knows who waits for which answer; not why anything is done.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use engine::door::{Effect, Input, Lane, RequestId};
use model::Token;
use net::{Event, Net, SendError};
use tokio::sync::oneshot;

use crate::beside::Wishes;
use crate::clock::Clock;
use crate::handle::{Envelope, Reply};

/// Log lines of one kind that strangers or faulty peers can cause: one in this time, the others are only counted.
const WARN_EVERY: Duration = Duration::from_secs(1);

/// Everything that leaves the engine's thread.
pub(crate) struct Effects {
    clock: Clock,
    net: Option<Net>,
    waiting: BTreeMap<RequestId, oneshot::Sender<Reply>>,
    last_id: RequestId,
    /// When each kind was logged last.
    warned: BTreeMap<&'static str, Duration>,
    /// What works beside the commits; absent only in tests.
    beside: Option<Box<dyn Wishes>>,
    /// Frames that the network did not take.
    pub(crate) frames_dropped: u64,
}

impl Effects {
    /// `net` is absent in a cluster of one region.
    pub(crate) const fn new(clock: Clock, net: Option<Net>) -> Self {
        Self {
            clock,
            net,
            waiting: BTreeMap::new(),
            last_id: 0,
            warned: BTreeMap::new(),
            beside: None,
            frames_dropped: 0,
        }
    }

    /// The same, with someone to work beside the commits.
    pub(crate) fn with(mut self, beside: impl Wishes + 'static) -> Self {
        self.beside = Some(Box::new(beside));
        self
    }

    /// Ends what works beside the commits, so that the store can be closed.
    pub(crate) fn rest(&mut self) {
        self.beside = None;
    }

    /// Names a request and remembers who waits for it. `None` when nobody does any more: then it need not be decided.
    pub(crate) fn admit(&mut self, envelope: Envelope) -> Option<Input> {
        let Envelope { request, token, wait_ms, reply } = envelope;
        if reply.is_closed() {
            return None;
        }
        self.last_id += 1;
        self.waiting.insert(self.last_id, reply);
        Some(Input::Request { id: self.last_id, request, token, wait_ms })
    }

    /// What the network reports, in the engine's words. `None` for what only the operator should see.
    pub(crate) fn told(&mut self, event: Event) -> Option<Input> {
        match event {
            Event::Up { region, rtt } => {
                tracing::debug!(region, ?rtt, "link up");
                Some(Input::PeerUp { region })
            }
            Event::Down { region, why } => {
                tracing::debug!(region, why, "link down");
                Some(Input::PeerDown { region })
            }
            Event::Frame { region, lane, bytes } => Some(Input::Peer { region, lane: heard(lane), frame: bytes }),
            Event::Sent { region, lane: _ } => Some(Input::OddsSent { region }),
            Event::Refused { remote, why } => {
                if self.may_warn("refused") {
                    tracing::warn!(%remote, why, "connection refused");
                }
                None
            }
        }
    }

    /// Performs one effect of a group whose batch is durable.
    pub(crate) fn perform(&mut self, effect: Effect, token: &Arc<Token>) {
        match effect {
            Effect::Reply { id, answer } => {
                if let Some(reply) = self.waiting.remove(&id) {
                    // Nobody may be waiting any more: the decision stands all the same.
                    let _ = reply.send(Reply { answer: *answer, token: Arc::clone(token) });
                }
            }
            Effect::Send { region, lane, frame } => self.send(region, lane, frame),
            Effect::Archive { site, first, last } => {
                if let Some(beside) = &mut self.beside {
                    beside.seal(site, first, last);
                }
            }
            Effect::Snapshot { region, ask } => {
                if let Some(beside) = &mut self.beside {
                    beside.serve(region, ask);
                }
            }
            Effect::Quarantine { why } => {
                metrics::gauge!("stakehold_quarantined").set(1.0);
                tracing::error!(why, "this region is read-only");
            }
            Effect::Alarm { code, detail } => {
                metrics::counter!("stakehold_alarms_total", "code" => code).increment(1);
                if self.may_warn(code) {
                    tracing::warn!(code, detail, "alarm");
                }
            }
        }
    }

    /// Requests not answered yet.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    fn send(&mut self, region: u16, lane: Lane, frame: Bytes) {
        let taken = match &self.net {
            Some(net) => net.send(region, spoken(lane), frame),
            None => Err(SendError::NotConnected),
        };
        if let Err(why) = taken {
            // Repaired by pulls, or by the next link: see the door.
            self.frames_dropped += 1;
            tracing::debug!(region, ?lane, %why, "frame dropped");
        }
    }

    fn may_warn(&mut self, kind: &'static str) -> bool {
        let now = self.clock.steady();
        let is_due = self.warned.get(kind).is_none_or(|last| now >= *last + WARN_EVERY);
        if is_due {
            self.warned.insert(kind, now);
        }
        is_due
    }
}

const fn heard(lane: net::Lane) -> Lane {
    match lane {
        net::Lane::Log => Lane::Log,
        net::Lane::Odds => Lane::Odds,
        net::Lane::Requests => Lane::Requests,
        net::Lane::Bulk => Lane::Bulk,
    }
}

const fn spoken(lane: Lane) -> net::Lane {
    match lane {
        Lane::Log => net::Lane::Log,
        Lane::Odds => net::Lane::Odds,
        Lane::Requests => net::Lane::Requests,
        Lane::Bulk => net::Lane::Bulk,
    }
}

#[cfg(test)]
mod tests {
    use engine::door::Request;
    use model::{Answer, Query, Refusal, Text};

    use super::*;

    fn effects() -> Effects {
        Effects::new(Clock::start(), None)
    }

    #[test]
    fn an_answer_finds_its_asker_once() {
        let mut effects = effects();
        let (reply, mut answer) = oneshot::channel();
        let envelope = Envelope { request: Request::Query(Query::Ready), token: None, wait_ms: 0, reply };
        let Some(Input::Request { id, .. }) = effects.admit(envelope) else { panic!("somebody waits") };
        let refused =
            || Effect::Reply { id, answer: Box::new(Answer::Refused(Refusal::NotReady { why: Text::new("x") })) };
        effects.perform(refused(), &Arc::default());
        assert!(answer.try_recv().is_ok());
        assert_eq!(effects.waiting(), 0);
        effects.perform(refused(), &Arc::default());
    }

    #[test]
    fn what_nobody_waits_for_is_not_decided() {
        let (reply, answer) = oneshot::channel();
        drop(answer);
        let envelope = Envelope { request: Request::Query(Query::Ready), token: None, wait_ms: 0, reply };
        assert_eq!(effects().admit(envelope), None);
    }

    #[test]
    fn a_frame_that_nobody_takes_is_counted() {
        let mut effects = effects();
        effects.perform(Effect::Send { region: 2, lane: Lane::Log, frame: Bytes::new() }, &Arc::default());
        assert_eq!(effects.frames_dropped, 1);
    }

    #[test]
    fn one_kind_of_warning_does_not_flood_the_log() {
        let mut effects = effects();
        assert!(effects.may_warn("a"));
        assert!(!effects.may_warn("a"));
        assert!(effects.may_warn("b"));
    }

    #[test]
    fn lanes_keep_their_names_both_ways() {
        for lane in net::Lane::ALL {
            assert_eq!(spoken(heard(lane)), lane);
        }
    }
}
