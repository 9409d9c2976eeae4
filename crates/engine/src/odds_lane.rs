//! The odds lane at an engine: frames out as links allow, values and rounds in. What a peer says is checked against what
//! only this site can know: nobody moves its own numbers. Knows no logs; the rounds themselves are in `odds/link.rs`.

use crdt::{Joined, Site, Vector};
use model::limits::{PEER_AHEAD_MS_MAX, TIME_MS_MAX};

use crate::door::{Effect, Lane};
use crate::engine::Engine;
use crate::odds::{Follows, RegisterKey, RegisterValue};
use crate::planted::Planted;
use crate::port::View;
use crate::tx::Tx;
use crate::wire::{OddsFrame, PeerMessage, Upto};

impl Engine {
    /// In quarantine nothing is sent: own numbers may name other writes than those that others know by them.
    pub(crate) fn begin_odds(&mut self, region: u16, theirs: &Vector) {
        if self.ledger.read_only {
            return;
        }
        let me = self.site;
        if let Some(link) = self.links.get_mut(&region) {
            link.odds.begin(&self.plane, me, region, theirs);
        }
    }

    /// Lets the next odds frame of every link out, if one may leave.
    pub(crate) fn pump_odds(&mut self, steady_ms: u64, then: &mut Vec<Effect>) {
        if self.meta.joined && !self.ledger.read_only && !self.config.replay {
            // This region's desk is alive while the region is, and can stop a sale.
            let desk = self.desk_producer();
            self.fresh.heard(&desk, self.site, steady_ms, self.time.owner_ms());
        }
        for (region, link) in &mut self.links {
            if let Some(frame) = link.odds.pump(&self.plane, &self.fresh, self.site, steady_ms, self.planted) {
                let frame = PeerMessage::Odds(frame).encode();
                then.push(Effect::Send { region: *region, lane: Lane::Odds, frame });
            }
        }
    }

    pub(crate) fn odds_frame<V: View>(&mut self, tx: &mut Tx<'_, V>, region: u16, frame: OddsFrame) {
        self.stats.odds_frames += 1;
        let Some(link) = self.links.get_mut(&region) else { return };
        let follows = link.odds.follows(&frame, tx.now.steady_ms);
        let mut refused = None;
        for bytes in &frame.values {
            if let Err(why) = self.odds_value(tx, region, bytes) {
                refused = Some(why);
            }
        }
        self.time.set_replay(self.plane.clock_ms());
        if let Some(why) = refused {
            self.stats.odds_refused += 1;
            if let Some(link) = self.links.get_mut(&region) {
                link.odds.spoiled();
            }
            return tx.alarm("odds_refused", format!("an odds value of region {region} cannot be taken: {why}"));
        }
        match (follows, frame.upto) {
            (Follows::Next, Some(upto)) => self.upto(tx.now.steady_ms, &upto),
            (Follows::Gap { ask: true }, _) => {
                let vector = self.plane.vector().clone();
                tx.send(region, Lane::Requests, &PeerMessage::OddsFrom { vector });
            }
            _ => {}
        }
    }
}

impl Engine {
    /// The end of a round: its vector counts, and so does its evidence of life. Own numbers are never taken from others.
    fn upto(&mut self, steady_ms: u64, upto: &Upto) {
        let mut vector = self.known_sites(&upto.vector);
        vector = vector.iter().filter(|(site, _)| *site != self.site).collect();
        self.plane.vector_mut().join(&vector);
        self.progressed = true;
        self.refresh_covered();
        let Some(echo_ms) = upto.echo_ms.filter(|echo| *echo <= steady_ms) else { return };
        for stated in &upto.alive {
            let elsewhere = stated.reader != self.site && self.is_known(stated.reader);
            if elsewhere && self.fresh.has_room(&stated.producer) {
                self.fresh.stated(stated, echo_ms);
            }
        }
    }

    /// Remembers the newest word of every producer that the vector covers.
    pub(crate) fn refresh_covered(&mut self) {
        let vector = self.plane.vector();
        for (producer, register) in self.plane.producers() {
            if let Some(word) = register.feeds.get(producer).filter(|w| vector.covers_dot(w.dot)) {
                self.fresh.covered(producer, word.time_ms, word.value);
            }
        }
        for (producer, register) in self.plane.alive() {
            if let Some(word) = register.feeds.get(producer).filter(|w| vector.covers_dot(w.dot)) {
                self.fresh.alive_covered(producer, word.time_ms);
            }
        }
    }

    /// Whether a site belongs to the topology.
    pub(crate) fn is_known(&self, site: Site) -> bool {
        site.shard == 0 && site.incarnation > 0 && self.config.regions.iter().any(|r| r.number == site.region)
    }

    pub(crate) fn known_sites(&self, vector: &Vector) -> Vector {
        vector.iter().filter(|(site, _)| self.is_known(*site)).collect()
    }

    fn odds_value<V: View>(&mut self, tx: &mut Tx<'_, V>, region: u16, bytes: &[u8]) -> Result<(), String> {
        let (key, value): (RegisterKey, RegisterValue) = minicbor::decode(bytes).map_err(|e| e.to_string())?;
        let newest = value.newest();
        if newest > self.time.hlc && self.time.learn(newest, PEER_AHEAD_MS_MAX) {
            tx.alarm("peer_clock_ahead", format!("region {region} stamps odds more than 1 s ahead of this region"));
        }
        if key.market().is_some_and(|m| self.room_for(m).is_err()) {
            return Err("this region holds no more markets".to_owned());
        }
        if let RegisterKey::Producer(producer) | RegisterKey::Alive(producer) = &key
            && !self.has_room_for_producer(producer)
        {
            return Err("this region holds no more producers".to_owned());
        }
        if !self.plane.holds().has_room(&key) {
            return Err("this region holds no more suspended scopes".to_owned());
        }
        if let RegisterValue::Held(register) = &value
            && !register.feeds.is_empty()
        {
            return Err(format!("{key:?} is an operator's, and a producer speaks in it"));
        }
        if !self.plane.stops().has_room(&key) {
            return Err("this region holds no more stops or descriptions".to_owned());
        }
        let forgetful = self.ledger.read_only;
        if value.greatest_of(self.site) > self.plane.vector().get(self.site) && !forgetful {
            return Err(format!("{key:?} has seen writes that this site never made"));
        }
        if let RegisterValue::Resulted(twin) = &value
            && twin.results.greatest_of(self.site) >= self.ledger.next_seq()
            && !forgetful
        {
            return Err(format!("{key:?} has seen log entries that this site never wrote"));
        }
        if newest.ms() > TIME_MS_MAX {
            return Err(format!("{key:?} is stamped beyond all time"));
        }
        match self.plane.join(&key, &value) {
            Some(Joined::Changed) => {
                self.stats.odds_merged += 1;
                if let (Planted::ResumeClearsAll, RegisterKey::Status(market)) = (self.planted, &key) {
                    // The bug: a resume removes suspensions that it never saw.
                    let values = &mut self.plane.market_mut(market).status.operator.values;
                    if values.values().any(|v| v.value.is_none()) {
                        values.retain(|_, v| v.value.is_none());
                    }
                }
                if let RegisterKey::Resulted(market, _) = &key {
                    // A wager may have been sold here after the result's log entry had been settled.
                    self.ledger.mark_settle(tx, market);
                }
                self.odds_changed(key, Some(region));
                Ok(())
            }
            Some(Joined::Unchanged) => Ok(()),
            None => Err(format!("the register {key:?} is of another kind")),
        }
    }
}
