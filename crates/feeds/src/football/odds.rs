//! Chances of a football match from two goal rates, and the exchange's price ladder. Integers only.
//!
//! It must not know markets or messages.

use crate::decimal::Decimal;

/// One, as a chance: chances are fixed-point numbers with 32 binary places.
pub(super) const ONE: u64 = 1 << 32;
/// More goals of one side in the rest of a match are counted as this many.
const GOALS_MAX: u32 = 12;
/// The ladder: up to a price, in hundredths, the step in hundredths.
const STEPS: [(u32, u32); 10] = [
    (200, 1),
    (300, 2),
    (400, 5),
    (600, 10),
    (1_000, 20),
    (2_000, 50),
    (3_000, 100),
    (5_000, 200),
    (10_000, 500),
    (100_000, 1_000),
];
/// The number of prices of the ladder, 1.01 to 1000.
pub(super) const PRICES: u32 = 350;

/// The price at a place of the ladder, in hundredths; the last one for places beyond it.
pub(super) fn price_at(place: u32) -> u32 {
    let (mut price, mut left) = (101, place);
    for (end, step) in STEPS {
        let places = (end - price) / step;
        if left <= places {
            return price + left * step;
        }
        left -= places;
        price = end;
    }
    price
}

/// The highest place whose price is at or below this many hundredths; 0 below 1.01.
pub(super) fn place_of(hundredths: u64) -> u32 {
    let (mut low, mut high) = (0, PRICES - 1);
    while low < high {
        let middle = (low + high).div_ceil(2);
        if u64::from(price_at(middle)) <= hundredths { low = middle } else { high = middle - 1 }
    }
    low
}

/// Hundredths as an exact number.
pub(super) fn hundredths(value: u32) -> Decimal {
    Decimal::new(i64::from(value), 2).unwrap_or_default()
}

/// The fair price of a chance, in hundredths, at most 1000.00.
pub(super) fn fair(chance: u64) -> u64 {
    (100 * ONE).checked_div(chance).unwrap_or(100_000).min(100_000)
}

/// The chances of what can still come of a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chances {
    pub(super) home: u64,
    pub(super) draw: u64,
    pub(super) away: u64,
    /// Of at most two goals in all.
    pub(super) under: u64,
}

/// From the score and the goals that each side is still expected to score, in thousandths.
pub(super) fn chances(score: (u32, u32), expected_milli: (u32, u32)) -> Chances {
    let (home, away) = (poisson(expected_milli.0), poisson(expected_milli.1));
    let mut sum = Chances { home: 0, draw: 0, away: 0, under: 0 };
    for (more_home, p) in (0_u32..).zip(home) {
        for (more_away, q) in (0_u32..).zip(away) {
            let both = product(p, q);
            let (h, a) = (score.0 + more_home, score.1 + more_away);
            let outcome = match h.cmp(&a) {
                std::cmp::Ordering::Greater => &mut sum.home,
                std::cmp::Ordering::Equal => &mut sum.draw,
                std::cmp::Ordering::Less => &mut sum.away,
            };
            *outcome += both;
            if h + a <= 2 {
                sum.under += both;
            }
        }
    }
    sum
}

/// The chances of 0, 1, ... goals at a rate in thousandths; the last one takes the tail. They add up to [`ONE`].
fn poisson(rate_milli: u32) -> [u64; GOALS_MAX as usize + 1] {
    let mut chances = [0; GOALS_MAX as usize + 1];
    let (mut term, mut left) = (exp_minus(rate_milli), ONE);
    for (goals, chance) in (0_u64..).zip(chances.iter_mut()) {
        *chance = if goals == u64::from(GOALS_MAX) { left } else { term.min(left) };
        left -= *chance;
        term = term * u64::from(rate_milli) / (1_000 * (goals + 1));
    }
    chances
}

/// The chance of two independent things.
fn product(p: u64, q: u64) -> u64 {
    u64::try_from((u128::from(p) * u128::from(q)) >> 32).unwrap_or(ONE)
}

/// e to the power of minus `milli / 1000`, by its series at a 16th of the way and four squarings.
fn exp_minus(milli: u32) -> u64 {
    let one = 1_u128 << 60;
    let x = (u128::from(milli) << 60) / 16_000;
    let (mut power, mut sum) = (one, one);
    for n in 1..=20_u32 {
        power = ((power * x) >> 60) / u128::from(n);
        sum += power;
    }
    // 1/e^x converges without alternating signs.
    let mut value = (one << 60) / sum;
    for _ in 0..4 {
        value = (value * value) >> 60;
    }
    u64::try_from(value >> 28).unwrap_or(ONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ladder_is_the_exchanges_own() {
        let ladder: Vec<u32> = (0..PRICES).map(price_at).collect();
        assert_eq!((ladder[0], ladder[1], ladder[349]), (101, 102, 100_000));
        for known in [200, 202, 300, 305, 400, 410, 600, 620, 1_000, 1_050, 2_000, 2_100, 3_000, 3_200, 5_500, 11_000] {
            assert!(ladder.contains(&known), "{known}");
        }
        assert!(ladder.windows(2).all(|pair| pair[0] < pair[1]));
        for (place, price) in (0..).zip(&ladder) {
            assert_eq!(place_of(u64::from(*price)), place);
        }
        assert_eq!((place_of(0), price_at(place_of(412)), place_of(u64::MAX)), (0, 410, 349));
    }

    #[test]
    fn chances_are_those_of_poisson() {
        // e^-1.5 = 0.22313016 and e^-0.1 = 0.90483742, in 2^-32.
        assert!(exp_minus(1_500).abs_diff(958_336_741) < 100, "{}", exp_minus(1_500));
        assert!(exp_minus(100).abs_diff(3_886_247_117) < 100, "{}", exp_minus(100));
        assert_eq!(exp_minus(0), ONE);
        assert_eq!(poisson(2_700).iter().sum::<u64>(), ONE);
        let even = chances((0, 0), (1_300, 1_300));
        assert!(even.home.abs_diff(even.away) < 1_000 && even.draw > ONE / 5 && even.draw < ONE / 3, "{even:?}");
        let over = chances((2, 1), (0, 0));
        assert_eq!((over.home, over.draw, over.away, over.under), (ONE, 0, 0, 0));
    }
}
