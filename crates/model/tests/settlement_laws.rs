//! Laws of the settlement arithmetic over any legs, factors and systems: what must hold whatever the numbers are.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed test is what a panic is for")]

use model::settlement::{Exact, LegMultiplier, Rounding, System, multiplier, payout, whole};
use model::{Deduction, DeductionFrom, Deductions, Odds, OutcomeResult, Share, Verdict};
use proptest::prelude::*;

fn share() -> impl Strategy<Value = Share> {
    (0u64..=12, 1u64..=12).prop_map(|(n, d)| Share::new(n.min(d), d).unwrap())
}

fn verdict() -> impl Strategy<Value = Verdict> {
    let void = prop_oneof![4 => Just(Share::ZERO), 1 => Just(Share::HALF), 1 => Just(Share::ONE)];
    let heat = (1u64..4, 1u64..4).prop_map(|(n, d)| Share::new(n.min(d), d).unwrap());
    let deductions = proptest::collection::vec((any::<bool>(), share(), proptest::option::of(0u64..4)), 0..3);
    (any::<bool>(), any::<bool>(), void, heat.clone(), heat, deductions).prop_map(
        |(won, placed, void_factor, dead_heat_factor, place_dead_heat_factor, all)| {
            let all = all.into_iter().map(|(price, share, before_ms)| {
                let from = if price { DeductionFrom::Price } else { DeductionFrom::Winnings };
                Deduction { from, share, before_ms }
            });
            let deductions = Deductions::new(all.collect(), None).unwrap();
            Verdict { won, placed, void_factor, dead_heat_factor, place_dead_heat_factor, deductions }
        },
    )
}

#[derive(Clone, Debug)]
struct Leg {
    odds: Odds,
    verdict: Verdict,
}

fn legs() -> impl Strategy<Value = Vec<Leg>> {
    let odds = (1u128..400, 1u128..40).prop_map(|(up, den)| Odds::new(up + den, den).unwrap());
    proptest::collection::vec((odds, verdict()).prop_map(|(odds, verdict)| Leg { odds, verdict }), 1..8)
}

fn multipliers(legs: &[Leg], place: Option<Share>) -> Vec<LegMultiplier> {
    legs.iter().map(|l| multiplier(l.odds, place, &l.verdict, 2)).collect()
}

/// A system over so many legs from any bits.
fn system_of(legs: usize, bits: u16) -> Option<System> {
    let bankers: Vec<u8> = (0..2u8).filter(|b| (bits >> (8 + b)) & 1 == 1 && usize::from(*b) < legs).collect();
    let sizes: Vec<u8> = (1..=8u8).filter(|s| (bits >> (s - 1)) & 1 == 1).collect();
    System::new(legs, sizes, bankers).ok()
}

/// Sum over listed lines, by definition.
fn listed(system: &System, legs: &[LegMultiplier]) -> Exact {
    let mut sum = whole(0);
    for subset in 0u32..1 << legs.len() {
        let holds = |n: usize| subset & (1 << n) != 0;
        let banker = |n: usize| system.bankers().iter().any(|b| usize::from(*b) == n);
        let free = (0..legs.len()).filter(|n| holds(*n) && !banker(*n)).count();
        let banked = (0..legs.len()).filter(|n| banker(*n)).all(holds);
        if banked && system.sizes().iter().any(|s| usize::from(*s) == free) {
            sum += (0..legs.len()).filter(|n| holds(*n)).fold(whole(1), |product, n| product * &legs[n].win);
        }
    }
    sum
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn lines_are_summed_as_if_they_were_listed(legs in legs(), bits: u16, unit in 1u64..1_000_000) {
        let legs = multipliers(&legs, None);
        if let Some(system) = system_of(legs.len(), bits) {
            prop_assert_eq!(payout(unit, Some(&system), &legs), listed(&system, &legs) * whole(unit));
        }
    }

    #[test]
    fn higher_odds_never_pay_less(legs in legs(), bits: u16, at: prop::sample::Index, more in 1u128..50, fraction in share()) {
        let (system, place) = (system_of(legs.len(), bits), (fraction > Share::ZERO).then_some(fraction));
        let mut better = legs.clone();
        let leg = &mut better[at.index(legs.len())];
        let (num, den) = (u128::from(leg.odds.num()), u128::from(leg.odds.den()));
        leg.odds = Odds::new(num * 50 + more * den, den * 50).unwrap();
        let pays = |legs: &[Leg]| payout(100, system.as_ref(), &multipliers(legs, place));
        prop_assert!(pays(&better) >= pays(&legs));
    }

    #[test]
    fn all_void_is_the_stake_back(legs in legs(), bits: u16, each_way: bool, unit in 1u64..1_000_000) {
        let mut legs = legs;
        for leg in &mut legs {
            leg.verdict.void_factor = Share::ONE;
        }
        let system = system_of(legs.len(), bits);
        let stake = unit * model::settlement::lines_of(system.as_ref(), legs.len(), each_way);
        let place = each_way.then_some(Share::HALF);
        prop_assert_eq!(payout(unit, system.as_ref(), &multipliers(&legs, place)), whole(stake));
    }

    #[test]
    fn the_order_of_legs_does_not_matter(legs in legs(), bits: u16, by in 0usize..8) {
        // Bankers are named by index: only systems without them may be turned.
        let system = system_of(legs.len(), bits & 0xff);
        let mut turned = legs.clone();
        let by = by % turned.len();
        turned.rotate_left(by);
        let pays = |legs: &[Leg]| payout(100, system.as_ref(), &multipliers(legs, Some(Share::HALF)));
        prop_assert_eq!(pays(&turned), pays(&legs));
    }

    #[test]
    fn a_void_leg_is_a_leg_at_odds_of_one(legs in legs(), void in verdict()) {
        let mut with = legs.clone();
        let void = Verdict { void_factor: Share::ONE, ..void };
        with.push(Leg { odds: Odds::parse("9.5").unwrap(), verdict: void });
        prop_assert_eq!(payout(100, None, &multipliers(&with, None)), payout(100, None, &multipliers(&legs, None)));
    }

    #[test]
    fn no_verdict_pays_more_than_winning_outright(legs in legs(), bits: u16, rule: bool) {
        let system = system_of(legs.len(), bits);
        let rule = if rule { Rounding::HalfUp } else { Rounding::Floor };
        let outright: Vec<Leg> = legs.iter().map(|l| Leg { verdict: Verdict::plain(true), ..l.clone() }).collect();
        let pays = |legs: &[Leg]| rule.round(&payout(100, system.as_ref(), &multipliers(legs, Some(Share::HALF))));
        prop_assert!(pays(&legs) <= pays(&outright));
    }

    #[test]
    fn the_canonical_form_of_a_verdict_pays_the_same(legs in legs(), fraction in share()) {
        let place = (fraction > Share::ZERO).then_some(fraction);
        for leg in &legs {
            let canonical = OutcomeResult::of(leg.verdict).unwrap();
            let again = Leg { verdict: canonical.verdict().unwrap(), ..leg.clone() };
            prop_assert_eq!(multipliers(&[again], place), multipliers(std::slice::from_ref(leg), place));
            let bytes = minicbor::to_vec(canonical).unwrap();
            prop_assert_eq!(minicbor::decode::<OutcomeResult>(&bytes).unwrap(), canonical);
        }
    }
}
