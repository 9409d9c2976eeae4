//! The laws, attacked: join is associative, commutative and idempotent on every kind, ties included.
//! Operator slots are only joined in states that real histories produce, so replicas are grown from writes.

use std::cmp::Ordering;

use proptest::prelude::*;

use crate::{Dot, FeedSlot, Hlc, Register, Restrict, Row, Site, Vector};

#[derive(Clone, PartialEq, Eq, Debug)]
struct Level(u8);

impl Restrict for Level {
    const MARKS_JOIN: bool = true;

    fn restrict_cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

type Reg = Register<u8, Level>;

/// A value whose mark follows its word.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Followed(u8);

impl Restrict for Followed {
    fn restrict_cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

/// One step of a history over three replicas: a write at one of them, or a delivery between two.
#[derive(Clone, Debug)]
enum Step {
    Feed { at: usize, producer: u8, time: u64, seq: u32, value: u8, mark: u64 },
    Operator { at: usize, value: Option<u8> },
    Deliver { from: usize, to: usize },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..3usize, 0..2u8, 0..3u64, 0..2u32, 0..3u8, 0..3u64)
            .prop_map(|(at, producer, time, seq, value, mark)| { Step::Feed { at, producer, time, seq, value, mark } }),
        (0..3usize, proptest::option::of(0..3u8)).prop_map(|(at, value)| Step::Operator { at, value }),
        (0..3usize, 0..3usize).prop_map(|(from, to)| Step::Deliver { from, to }),
    ]
}

fn grow(steps: &[Step]) -> [Reg; 3] {
    grown(steps, Level)
}

fn grown<V: Clone + Restrict + Eq>(steps: &[Step], of: impl Fn(u8) -> V) -> [Register<u8, V>; 3] {
    let mut replicas = [Register::default(), Register::default(), Register::default()];
    let mut written = [0u64; 3];
    for step in steps {
        match step {
            Step::Feed { at, producer, time, seq, value, mark } => {
                written[*at] += 1;
                let dot = Dot { site: site(*at), n: written[*at] };
                let (value, mark) = (of(*value), std::num::NonZeroU64::new(*mark));
                let word = FeedSlot { time_ms: *time, seq: *seq, value, dot, at: Hlc(dot.n), mark };
                replicas[*at].offer(producer, word);
            }
            Step::Operator { at, value } => {
                written[*at] += 1;
                let dot = Dot { site: site(*at), n: written[*at] };
                replicas[*at].operator.write(dot, Hlc(dot.n), value.map(&of));
            }
            Step::Deliver { from, to } => {
                let sent = replicas[*from].clone();
                replicas[*to].join(&sent);
            }
        }
    }
    replicas
}

fn site(i: usize) -> Site {
    Site::new(u16::try_from(i).unwrap() + 1, 1)
}

fn joined<V: Clone + Restrict + Eq>(a: &Register<u8, V>, b: &Register<u8, V>) -> Register<u8, V> {
    let mut out = a.clone();
    out.join(b);
    out
}

proptest! {
    #[test]
    fn register_join_is_a_lattice_join(steps in proptest::collection::vec(step(), 0..40)) {
        let [a, b, c] = grow(&steps);
        prop_assert_eq!(joined(&a, &b), joined(&b, &a));
        prop_assert_eq!(joined(&joined(&a, &b), &c), joined(&a, &joined(&b, &c)));
        prop_assert_eq!(joined(&a, &a), a.clone());
        let ab = joined(&a, &b);
        prop_assert_eq!(joined(&ab, &b), ab);
    }

    #[test]
    fn a_mark_that_follows_its_word_keeps_the_laws(steps in proptest::collection::vec(step(), 0..40)) {
        let [a, b, c] = grown(&steps, Followed);
        prop_assert_eq!(joined(&a, &b), joined(&b, &a));
        prop_assert_eq!(joined(&joined(&a, &b), &c), joined(&a, &joined(&b, &c)));
        prop_assert_eq!(joined(&a, &a), a);
    }

    #[test]
    fn marks_of_one_time_and_sequence_join_by_maximum(steps in proptest::collection::vec(step(), 0..40)) {
        let [a, b, c] = grow(&steps);
        let all = joined(&joined(&a, &b), &c);
        for (producer, slot) in &all.feeds {
            let here = |r: &Reg| r.feeds.get(producer).filter(|s| (s.time_ms, s.seq) == (slot.time_ms, slot.seq)).cloned();
            let marks = [&a, &b, &c].into_iter().filter_map(here).map(|s| s.mark);
            prop_assert_eq!(slot.mark, marks.max().flatten());
        }
    }

    #[test]
    fn an_operator_value_is_only_removed_by_a_write_that_saw_it(steps in proptest::collection::vec(step(), 0..40)) {
        let [a, b, c] = grow(&steps);
        let all = joined(&joined(&a, &b), &c);
        for replica in [&a, &b, &c] {
            for dot in replica.operator.values.keys() {
                let seen_elsewhere = [&a, &b, &c].into_iter().any(|r| {
                    r.operator.context.covers_dot(*dot) && !r.operator.values.contains_key(dot)
                });
                prop_assert_eq!(all.operator.values.contains_key(dot), !seen_elsewhere);
            }
        }
    }

    #[test]
    fn row_join_is_a_lattice_join(a in row(), b in row(), c in row()) {
        let j = |x: &Row, y: &Row| { let mut o = x.clone(); o.join(y); o };
        prop_assert_eq!(j(&a, &b), j(&b, &a));
        prop_assert_eq!(j(&j(&a, &b), &c), j(&a, &j(&b, &c)));
        prop_assert_eq!(j(&a, &a), a.clone());
        prop_assert!(a.check_successor(&j(&a, &b)).is_ok());
    }

    #[test]
    fn a_regressed_row_is_no_successor(a in row(), field in 0..11usize) {
        let mut next = a.clone();
        let counter = match field {
            0 => &mut next.dep, 1 => &mut next.wdr, 2 => &mut next.stk, 3 => &mut next.rel, 4 => &mut next.bur,
            5 => &mut next.pay, 6 => &mut next.clw, 7 => &mut next.dbt, 8 => &mut next.dpd, 9 => &mut next.hld,
            _ => &mut next.unh,
        };
        prop_assume!(*counter > 0);
        *counter -= 1;
        prop_assert!(a.check_successor(&next).is_err());
    }

    #[test]
    fn vector_join_covers_both(a in vector(), b in vector()) {
        let mut j = a.clone();
        j.join(&b);
        prop_assert!(j.covers(&a) && j.covers(&b));
        let mut k = b.clone();
        k.join(&a);
        prop_assert_eq!(j, k);
    }
}

fn vector() -> impl Strategy<Value = Vector> {
    proptest::collection::vec((0..3usize, 1..9u64), 0..5)
        .prop_map(|parts| parts.into_iter().map(|(s, n)| (site(s), n)).collect())
}

fn row() -> impl Strategy<Value = Row> {
    let map = || {
        proptest::collection::btree_map(0..3usize, 0..9u64, 0..3)
            .prop_map(|m| m.into_iter().map(|(s, n)| (site(s), n)).collect())
    };
    (proptest::array::uniform11(0..9u64), map(), map()).prop_map(
        |([dep, wdr, stk, rel, bur, pay, clw, dbt, dpd, hld, unh], sent, recv)| Row {
            dep,
            wdr,
            stk,
            rel,
            bur,
            pay,
            clw,
            dbt,
            dpd,
            sent,
            recv,
            hld,
            unh,
        },
    )
}
