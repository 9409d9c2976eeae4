//! Connections and frames: what happens between machines. Knows the network and who has been told of what.

use bytes::Bytes;
use engine::door::{Input, Lane};

use super::words::{broken, is_news, kind};
use super::{Event, Flying, World};
use crate::network::{Way, region_of};

impl World {
    /// A machine's frame for a region goes to whichever machine of it the connection leads to.
    pub(super) fn send(&mut self, from: u16, region: u16, lane: Lane, frame: &Bytes) {
        let Some(connection) = self.node(from).links.get(&region).copied() else { return };
        let Some(to) = self.network.other_end(connection, from) else { return };
        let way = (from, to);
        self.trace.mix(self.now_ms, frame);
        if is_news(frame) {
            let kind = kind(frame);
            self.trace.note(self.now_ms, &format!("{} -> {}: {kind} {} bytes on {lane:?}", way.0, way.1, frame.len()));
        }
        if lane == Lane::Odds {
            let left = self.faults.below(30);
            self.after(left, Event::OddsSent(way, connection));
        }
        let causal = self.node(way.0).causal.clone();
        let arrivals = self.network.arrivals(way, lane, self.now_ms);
        for at in arrivals {
            let corrupt = self.healed_ms.is_none() && self.faults.ppm(self.options.corrupt_ppm);
            let frame = if corrupt { broken(&mut self.faults, frame) } else { frame.clone() };
            let flying = Flying { way, connection, lane, frame, causal: causal.clone() };
            self.at(at, Event::Frame(Box::new(flying)));
        }
    }

    pub(super) fn arrive(&mut self, flying: Flying) {
        let (from, to) = flying.way;
        if self.node(to).links.get(&region_of(from)) == Some(&flying.connection) {
            let node = self.node_mut(to);
            for (region, at) in &flying.causal {
                let known = node.causal.entry(*region).or_default();
                *known = (*known).max(*at);
            }
            self.give(to, Input::Peer { region: region_of(from), lane: flying.lane, frame: flying.frame });
        } else if self.network.connection(from, to) == Some(flying.connection) && self.running(to) {
            // The connection stands and this end has not been told yet: the frame waits in the transport.
            self.after(1, Event::Frame(Box::new(flying)));
        }
    }

    pub(super) fn connect(&mut self, (a, b): Way) {
        let (a, b) = (self.present(a), self.present(b));
        if !self.running(a) || !self.running(b) || self.network.connection(a, b).is_some() {
            return;
        }
        let replaced = self.network.between(a, b);
        match self.network.connect(a, b, self.now_ms) {
            Some(connection) => {
                if let Some((old, ends)) = replaced {
                    self.replaced(old, ends);
                }
                for way in [(a, b), (b, a)] {
                    let late = self.faults.below(25);
                    self.after(late, Event::LinkUp(way, connection));
                }
            }
            None => {
                let again = self.faults.between(50, 600);
                self.after(again, Event::Connect((a, b)));
            }
        }
    }

    pub(super) fn link_up(&mut self, (node, peer): Way, connection: u64) {
        if !self.running(node) || self.network.connection(node, peer) != Some(connection) {
            return;
        }
        let region = region_of(peer);
        let before = self.node_mut(node).links.insert(region, connection);
        // A new connection may replace an old one before that one is known to be dead.
        if before.is_some() && self.faults.percent(70) {
            self.give(node, Input::PeerDown { region });
        }
        self.trace.note(self.now_ms, &format!("{node}: link to {peer} up ({connection})"));
        self.give(node, Input::PeerUp { region });
    }

    pub(super) fn link_down(&mut self, (node, peer): Way, connection: u64) {
        let region = region_of(peer);
        if self.node(node).links.get(&region) == Some(&connection) {
            self.node_mut(node).links.remove(&region);
            self.trace.note(self.now_ms, &format!("{node}: link to {peer} down"));
            self.give(node, Input::PeerDown { region });
        }
    }

    /// Ends a connection: each side hears of it within `late_ms`, and it is tried again.
    pub(super) fn disconnect(&mut self, a: u16, b: u16, late_ms: u64) {
        if let Some(connection) = self.network.disconnect(a, b) {
            for way in [(a, b), (b, a)] {
                let late = self.faults.between(0, late_ms);
                self.after(late, Event::LinkDown(way, connection));
            }
        }
        let again = self.faults.between(10, 1_000);
        self.after(again, Event::Connect((a, b)));
    }
}
