//! Freshness: whether a producer's word may be sold on here, and why not. Clocks are never compared between regions:
//! ages are stated, and the time on the way is measured by an echo of our own stamp. Knows no markets.

use std::collections::BTreeMap;

use crdt::Site;
use model::limits::PRODUCERS_MAX;
use model::{ProducerId, ProducerState, RejectCode};

use crate::wire::AliveAge;

/// Evidence that a producer was alive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Evidence {
    /// Steady time here when it was surely alive (a lower bound).
    alive_ms: u64,
    /// The age its reader stated: how silent it was where it is read.
    stated_ms: u64,
}

/// What is known of producers' liveness since this process started; never stored.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Freshness {
    /// Per producer and reading site. Bounded by producers times regions.
    seen: BTreeMap<(ProducerId, Site), Evidence>,
    /// Source time of the last sign of life read here, Unix ms.
    sources: BTreeMap<ProducerId, u64>,
    /// Newest word of each producer that the vector covers: source time, Unix ms, and state. For the replay clock.
    covered: BTreeMap<ProducerId, (u64, ProducerState)>,
    /// Newest `alive` that the vector covers, source time, Unix ms, of producers whose state is told apart from it.
    alive: BTreeMap<ProducerId, u64>,
}

impl Freshness {
    /// A sign of life read here, now.
    pub(crate) fn heard(&mut self, producer: &ProducerId, here: Site, steady_ms: u64, source_ms: u64) {
        self.seen.insert((producer.clone(), here), Evidence { alive_ms: steady_ms, stated_ms: 0 });
        let source = self.sources.entry(producer.clone()).or_default();
        *source = (*source).max(source_ms);
    }

    /// What a peer's `upto` states, made at the latest when it saw our stamp `echo_ms`.
    pub(crate) fn stated(&mut self, stated: &AliveAge, echo_ms: u64) {
        let alive_ms = echo_ms.saturating_sub(stated.age_ms);
        let evidence = Evidence { alive_ms, stated_ms: stated.age_ms };
        let slot = self.seen.entry((stated.producer.clone(), stated.reader)).or_insert(evidence);
        if alive_ms >= slot.alive_ms {
            *slot = evidence;
        }
    }

    /// Age of the newest sign of life, ms; `None` if there was none since start.
    pub(crate) fn age_ms(&self, producer: &ProducerId, steady_ms: u64) -> Option<u64> {
        self.of(producer).map(|(_, e)| steady_ms.saturating_sub(e.alive_ms)).min()
    }

    /// Notes a covered word; a later one replaces it, and down wins a tie.
    pub(crate) fn covered(&mut self, producer: &ProducerId, time_ms: u64, state: ProducerState) {
        let slot = self.covered.entry(producer.clone()).or_insert((time_ms, state));
        *slot = (*slot).max((time_ms, state));
    }

    /// Notes a covered `alive`.
    pub(crate) fn alive_covered(&mut self, producer: &ProducerId, time_ms: u64) {
        let newest = self.alive.entry(producer.clone()).or_default();
        *newest = (*newest).max(time_ms);
    }

    /// The newest covered `alive`.
    pub(crate) fn covered_alive(&self, producer: &ProducerId) -> Option<u64> {
        self.alive.get(producer).copied()
    }

    /// The newest covered word.
    pub(crate) fn covered_word(&self, producer: &ProducerId) -> Option<(u64, ProducerState)> {
        self.covered.get(producer).copied()
    }

    /// Whether one more producer may be heard of.
    pub(crate) fn has_room(&self, producer: &ProducerId) -> bool {
        let known = self.covered.contains_key(producer) || self.seen.keys().any(|(p, _)| p == producer);
        known || self.covered.len().max(self.seen.len()) < PRODUCERS_MAX
    }

    /// Everyone heard of since start.
    pub(crate) fn producers(&self) -> impl Iterator<Item = &ProducerId> {
        self.seen.keys().map(|(producer, _)| producer)
    }

    /// Why a producer's odds are not sold here; `None` if they are.
    pub(crate) fn refusal(&self, producer: &ProducerId, steady_ms: u64, limit_ms: u64) -> Option<RejectCode> {
        if self.age_ms(producer, steady_ms).is_some_and(|age| age <= limit_ms) {
            return None;
        }
        // Alive where it was read when we last heard: then it is our link that is old.
        let newest = self.of(producer).max_by_key(|(_, e)| e.alive_ms);
        let link_is_old = newest.is_some_and(|(remote, e)| remote && e.stated_ms <= limit_ms);
        Some(if link_is_old { RejectCode::OddsStale } else { RejectCode::ProducerDown })
    }

    /// What may be told to a peer: evidence read at the given sites, as (producer, reader, steady time alive).
    pub(crate) fn evidence(&self, readers: impl Fn(Site) -> bool) -> Vec<(ProducerId, Site, u64)> {
        let told = self.seen.iter().filter(|((_, reader), _)| readers(*reader));
        told.map(|((producer, reader), e)| (producer.clone(), *reader, e.alive_ms)).collect()
    }

    /// Producers read here that have been silent for longer than the limit: (producer, source time of the last sign).
    pub(crate) fn silent(&self, here: Site, steady_ms: u64, limit_ms: u64) -> Vec<(ProducerId, u64)> {
        let read_here = self.seen.iter().filter(|((_, reader), _)| *reader == here);
        let late = read_here.filter(|((p, _), _)| self.age_ms(p, steady_ms).is_some_and(|age| age > limit_ms));
        late.filter_map(|((p, _), _)| self.sources.get(p).map(|t| (p.clone(), *t))).collect()
    }

    fn of<'a>(&'a self, producer: &'a ProducerId) -> impl Iterator<Item = (bool, Evidence)> + 'a {
        let of_producer = self.seen.iter().filter(move |((p, _), _)| p == producer);
        of_producer.map(|((p, _), e)| (!self.sources.contains_key(p), *e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn producer() -> ProducerId {
        ProducerId::new("betfair").unwrap()
    }

    #[test]
    fn silence_where_it_is_read_and_an_old_link_are_told_apart() {
        let mut f = Freshness::default();
        assert_eq!(f.refusal(&producer(), 1_000, 20_000), Some(RejectCode::ProducerDown), "never heard");
        let reader = Site::new(2, 1);
        f.stated(&AliveAge { producer: producer(), reader, age_ms: 500 }, 10_000);
        assert_eq!(f.refusal(&producer(), 12_000, 20_000), None);
        assert_eq!(f.age_ms(&producer(), 12_000), Some(2_500), "stated age plus the time since our echoed stamp");
        assert_eq!(f.refusal(&producer(), 40_000, 20_000), Some(RejectCode::OddsStale));
        f.stated(&AliveAge { producer: producer(), reader, age_ms: 30_000 }, 41_000);
        assert_eq!(f.refusal(&producer(), 41_000, 20_000), Some(RejectCode::ProducerDown));
    }
}
