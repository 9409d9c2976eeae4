//! Stops of groups of an event's markets, and what they come to for one market. A stop is one register; markets that
//! it hits are found here, by every region for itself, when either changes. Knows no lanes and no wagers.

use std::collections::{BTreeMap, BTreeSet};

use crdt::{Dot, Joined, Register};
use model::limits::{DESCRIPTIONS_MAX, STOPS_MAX, STOPS_PER_EVENT_MAX};
use model::{EventKey, GroupKey, Groups, MarketKey, MarketStatus, ProducerId};

use super::events::event_in;
use super::plane::{Market, join_in};
use super::register::RegisterKey;

/// The group that every market is in.
const ALL: &str = "all";

/// What stops come to for one market: per producer and status the newest stop's source time, Unix ms.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Stopped(BTreeMap<ProducerId, BTreeMap<MarketStatus, u64>>);

impl Stopped {
    /// What a producer's `active` of a source time amounts to: the most restrictive stop not older than it.
    pub(crate) fn status(&self, producer: &ProducerId, active_ms: u64) -> MarketStatus {
        let stops = self.0.get(producer).into_iter().flatten();
        let hit = stops.filter(|(_, stop_ms)| **stop_ms >= active_ms).map(|(status, _)| *status);
        hit.max().unwrap_or(MarketStatus::Active)
    }

    /// When the first stop that is known and hits a producer's `active` of a source time came, if one does.
    pub(crate) fn since(&self, producer: &ProducerId, active_ms: u64) -> Option<u64> {
        let stops = self.0.get(producer).into_iter().flatten();
        stops.map(|(_, stop_ms)| *stop_ms).filter(|stop_ms| *stop_ms >= active_ms).min()
    }
}

/// All stops, and the descriptions that say whom they hit.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Stops {
    events: BTreeMap<EventKey, BTreeMap<GroupKey, Register<ProducerId, MarketStatus>>>,
    kinds: BTreeMap<u32, Register<ProducerId, Groups>>,
    /// Every group that a description names, and how many do.
    named: BTreeMap<GroupKey, usize>,
    /// Whether a group has come to be named, or ceased to be, since stops were last worked out.
    renamed: bool,
    /// Registers in `events`.
    count: usize,
}

impl Stops {
    pub(crate) fn stop(&self, event: &EventKey, group: &GroupKey) -> Option<&Register<ProducerId, MarketStatus>> {
        self.events.get(event)?.get(group)
    }

    pub(crate) fn stop_mut(&mut self, event: &EventKey, group: &GroupKey) -> &mut Register<ProducerId, MarketStatus> {
        let groups = self.events.entry(event.clone()).or_default();
        if !groups.contains_key(group) {
            self.count += 1;
            groups.insert(group.clone(), Register::default());
        }
        groups.get_mut(group).expect("just made sure")
    }

    pub(crate) fn described(&self, kind: u32) -> Option<&Register<ProducerId, Groups>> {
        self.kinds.get(&kind)
    }

    /// Joins a description. Costs its own groups, however many there are of others.
    pub(crate) fn join_described(
        &mut self,
        kind: u32,
        other: &Register<ProducerId, Groups>,
    ) -> (Joined, Vec<Dot>, Vec<Dot>) {
        let register = self.kinds.entry(kind).or_default();
        let was: BTreeSet<GroupKey> = groups_in(register).cloned().collect();
        let joined = join_in(register, other);
        let is: BTreeSet<GroupKey> = groups_in(register).cloned().collect();
        for group in is.difference(&was) {
            let count = self.named.entry(group.clone()).or_default();
            self.renamed |= *count == 0;
            *count += 1;
        }
        for group in was.difference(&is) {
            let count = self.named.entry(group.clone()).or_default();
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.named.remove(group);
                self.renamed = true;
            }
        }
        joined
    }

    pub(crate) fn described_count(&self) -> usize {
        self.kinds.len()
    }

    /// Whether a register of that name is known here or may be made.
    pub(crate) fn has_room(&self, key: &RegisterKey) -> bool {
        match key {
            RegisterKey::Stop(event, group) => self.has_room_for(event, std::slice::from_ref(group)),
            RegisterKey::Described(kind) => self.kinds.contains_key(kind) || self.kinds.len() < DESCRIPTIONS_MAX,
            _ => true,
        }
    }

    /// Whether an event's groups are known here or all of them may be made. `all` has a place of its own.
    pub(crate) fn has_room_for(&self, event: &EventKey, groups: &[GroupKey]) -> bool {
        let held = self.events.get(event);
        let new = groups.iter().filter(|g| held.is_none_or(|h| !h.contains_key(g))).count();
        let named = held.map_or(0, BTreeMap::len) + new;
        let most = STOPS_PER_EVENT_MAX + usize::from(groups.iter().any(is_all));
        new == 0 || (self.count + new <= STOPS_MAX && named <= most)
    }

    /// What the stops come to for one market.
    pub(crate) fn of(&self, market: &MarketKey) -> Stopped {
        let mut stopped = Stopped::default();
        let Some(event) = event_in(market) else { return stopped };
        let kind = kind_of(market);
        let Some(groups) = self.events.get(&event) else { return stopped };
        for (group, register) in groups {
            if !self.hits(group, kind) {
                continue;
            }
            for (producer, slot) in &register.feeds {
                let newest = stopped.0.entry(producer.clone()).or_default().entry(slot.value).or_default();
                *newest = (*newest).max(slot.time_ms);
            }
        }
        stopped
    }

    /// Whether a stop of a group hits markets of a kind: in doubt, it does. A kind without a description may be in any
    /// group, and a group that no description names may be any.
    fn hits(&self, group: &GroupKey, kind: Option<u32>) -> bool {
        let mut mine = kind.and_then(|k| self.kinds.get(&k)).into_iter().flat_map(groups_in).peekable();
        mine.peek().is_none() || is_all(group) || !self.named.contains_key(group) || mine.any(|g| g == group)
    }

    /// A register has changed: what follows for the markets.
    pub(crate) fn work_out(&mut self, key: &RegisterKey, markets: &mut BTreeMap<MarketKey, Market>) {
        let (events, kind): (Vec<&EventKey>, _) = match key {
            RegisterKey::Stop(event, _) => (vec![event], None),
            RegisterKey::Described(kind) => {
                let same = !std::mem::take(&mut self.renamed);
                let by_name = self.events.iter().filter(|(_, groups)| !groups.keys().all(is_all));
                (by_name.map(|(event, _)| event).collect(), same.then_some(*kind))
            }
            _ => return,
        };
        for event in events {
            let prefix = format!("uof:{event};");
            // A prefix that is no key is longer than every market's.
            let Ok(first) = MarketKey::new(&prefix) else { continue };
            let of_event = markets.range_mut(first..).take_while(|(m, _)| m.as_str().starts_with(&prefix));
            let concerned = of_event.filter(|(m, _)| kind.is_none() || kind_of(m) == kind);
            concerned.for_each(|(key, market)| market.stopped = self.of(key));
        }
    }
}

fn is_all(group: &GroupKey) -> bool {
    group.as_str() == ALL
}

fn groups_in(register: &Register<ProducerId, Groups>) -> impl Iterator<Item = &GroupKey> {
    register.feeds.values().flat_map(|slot| &slot.value.0)
}

/// The vendor's number of its kind, from its key.
fn kind_of(market: &MarketKey) -> Option<u32> {
    market.as_str().strip_prefix("uof:")?.split(';').nth(1)?.parse().ok()
}
