//! Slot registers: one slot per producer, and one multi-value slot for operators.
//! Values of different slots are never merged; only a reader compares them (DESIGN.md section 4).
//! Knows nothing of what a value means except its order of restrictiveness.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::num::NonZeroU64;

use minicbor::{Decode, Encode};

use crate::{Dot, Hlc, Vector};

/// How careful a value is: on a tie of source time and sequence the greater (more restrictive) one wins,
/// so that a doubt is never resolved towards selling. Must be a total order in which only equal values are `Equal`.
pub trait Restrict {
    /// Whether the marks of equal source time and sequence join by maximum. Else a mark stands and falls with its word.
    const MARKS_JOIN: bool = false;

    /// `Greater` when `self` is more restrictive than `other`.
    fn restrict_cmp(&self, other: &Self) -> Ordering;
}

/// A producer's latest word, ordered by the producer's own time and sequence.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Encode, Decode)]
pub struct FeedSlot<V> {
    /// Source time, Unix ms of the producer's clock.
    #[n(0)]
    pub time_ms: u64,
    /// Source sequence among messages of equal time.
    #[n(1)]
    pub seq: u32,
    /// The value.
    #[n(2)]
    pub value: V,
    /// The write that brought it into the plane.
    #[n(3)]
    pub dot: Dot,
    /// Hybrid time of that write.
    #[n(4)]
    pub at: Hlc,
    /// A time that the writer notes beside the word, Unix ms. No part of its order.
    #[n(5)]
    pub mark: Option<NonZeroU64>,
}

impl<V: Restrict> FeedSlot<V> {
    /// Total order of which join takes the maximum. Equal words read in several regions differ only in their dot;
    /// the smaller dot then wins, so that regions agree on it.
    fn word_cmp(&self, other: &Self) -> Ordering {
        (self.time_ms, self.seq)
            .cmp(&(other.time_ms, other.seq))
            .then_with(|| self.value.restrict_cmp(&other.value))
            .then_with(|| other.dot.cmp(&self.dot))
    }

    /// Joins another word of the same producer.
    fn join(&mut self, word: Self) -> Joined {
        let marks = V::MARKS_JOIN && (self.time_ms, self.seq) == (word.time_ms, word.seq);
        let mark = if marks { self.mark.max(word.mark) } else { None };
        let stays = self.word_cmp(&word) != Ordering::Less;
        if stays && (!marks || mark == self.mark) {
            return Joined::Unchanged;
        }
        if !stays {
            *self = word;
        }
        if marks {
            self.mark = mark;
        }
        Joined::Changed
    }
}

/// One operator's value; `None` is "cleared".
#[derive(Clone, PartialEq, Eq, Hash, Debug, Encode, Decode)]
pub struct OperatorValue<V> {
    /// Hybrid time of the write.
    #[n(0)]
    pub at: Hlc,
    /// The value, or `None` when the operator cleared the slot.
    #[n(1)]
    pub value: Option<V>,
    /// A time that the writer notes beside the value, Unix ms.
    #[n(2)]
    pub mark: Option<NonZeroU64>,
}

/// Multi-value slot: concurrent values live side by side until a write that has seen them replaces them.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Encode, Decode)]
pub struct OperatorSlot<V> {
    /// Living values by the dot that wrote them.
    #[n(0)]
    pub values: BTreeMap<Dot, OperatorValue<V>>,
    /// Per site the greatest dot *of this register* that is known here.
    #[n(1)]
    pub context: Vector,
}

impl<V> Default for OperatorSlot<V> {
    fn default() -> Self {
        Self { values: BTreeMap::new(), context: Vector::default() }
    }
}

impl<V: Clone> OperatorSlot<V> {
    /// Writes a value that has seen all values here: it replaces them.
    pub fn write(&mut self, dot: Dot, at: Hlc, value: Option<V>) {
        assert!(!self.context.covers_dot(dot), "a dot is written once");
        self.values.clear();
        self.values.insert(dot, OperatorValue { at, value, mark: None });
        self.context.raise(dot.site, dot.n);
    }

    /// Values that are not `None`, in dot order.
    pub fn held(&self) -> impl Iterator<Item = (Dot, Hlc, &V)> {
        self.values.iter().filter_map(|(d, v)| v.value.as_ref().map(|x| (*d, v.at, x)))
    }

    fn join(&mut self, other: &Self) -> bool {
        let before = self.values.len();
        let mine = std::mem::take(&mut self.values);
        let mut changed = false;
        for (dot, value) in mine {
            if other.values.contains_key(&dot) || !other.context.covers_dot(dot) {
                self.values.insert(dot, value);
            }
        }
        changed |= self.values.len() != before;
        for (dot, value) in &other.values {
            if !self.values.contains_key(dot) && !self.context.covers_dot(*dot) {
                self.values.insert(*dot, value.clone());
                changed = true;
            }
        }
        if !self.context.covers(&other.context) {
            self.context.join(&other.context);
            changed = true;
        }
        changed
    }
}

/// What a join did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Joined {
    /// The register stayed as it was.
    Unchanged,
    /// Something of the other side was taken over.
    Changed,
}

/// A register: producers' slots and the operators' slot. `P` names producers.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Encode, Decode)]
pub struct Register<P: Ord, V> {
    /// One slot per producer.
    #[n(0)]
    pub feeds: BTreeMap<P, FeedSlot<V>>,
    /// The operators' slot.
    #[n(1)]
    pub operator: OperatorSlot<V>,
}

impl<P: Ord, V> Default for Register<P, V> {
    fn default() -> Self {
        Self { feeds: BTreeMap::new(), operator: OperatorSlot::default() }
    }
}

impl<P: Ord + Clone, V: Clone + Restrict + Eq> Register<P, V> {
    /// Offers a producer's word to its slot. Older words change nothing.
    pub fn offer(&mut self, producer: &P, word: FeedSlot<V>) -> Joined {
        match self.feeds.get_mut(producer) {
            Some(slot) => slot.join(word),
            None => {
                self.feeds.insert(producer.clone(), word);
                Joined::Changed
            }
        }
    }

    /// Joins another replica's state of this register.
    pub fn join(&mut self, other: &Self) -> Joined {
        let mut changed = false;
        for (producer, word) in &other.feeds {
            changed |= self.offer(producer, word.clone()) == Joined::Changed;
        }
        changed |= self.operator.join(&other.operator);
        if changed { Joined::Changed } else { Joined::Unchanged }
    }

    /// Dots of all living values; the plane's index is built from them.
    pub fn dots(&self) -> impl Iterator<Item = Dot> + '_ {
        self.feeds.values().map(|s| s.dot).chain(self.operator.values.keys().copied())
    }

    /// The greatest number of a site that this register names, in a living value or in an operator's context.
    #[must_use]
    pub fn greatest_of(&self, site: crate::Site) -> u64 {
        let dots = self.dots().filter(|d| d.site == site).map(|d| d.n).max().unwrap_or(0);
        dots.max(self.operator.context.get(site))
    }

    /// Hybrid time of the newest living write; zero for an empty register.
    #[must_use]
    pub fn newest(&self) -> Hlc {
        let feeds = self.feeds.values().map(|s| s.at);
        feeds.chain(self.operator.values.values().map(|v| v.at)).max().unwrap_or_default()
    }

    /// Whether nothing was ever written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.feeds.is_empty() && self.operator.values.is_empty()
    }
}
