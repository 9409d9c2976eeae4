//! The worked examples of settlement, each under its name: the exact payout of stakes in minor units.

#![allow(clippy::unwrap_used, reason = "a failed test is what a panic is for")]

use model::settlement::{Exact, LegMultiplier, Rounding, System, free_bet, multiplier, partly_cancelled, payout};
use model::{Deduction, DeductionFrom, Deductions, Odds, Share, Verdict};

fn share(text: &str) -> Share {
    Share::parse(text).unwrap()
}

fn leg(odds: &str, verdict: Verdict) -> LegMultiplier {
    multiplier(Odds::parse(odds).unwrap(), None, &verdict, 0)
}

fn each_way(odds: &str, fraction: &str, verdict: Verdict) -> LegMultiplier {
    multiplier(Odds::parse(odds).unwrap(), Some(share(fraction)), &verdict, 0)
}

const WON: Verdict = Verdict::plain(true);
const LOST: Verdict = Verdict::plain(false);
const VOID: Verdict = Verdict { void_factor: Share::ONE, ..LOST };
const HALF_WON: Verdict = Verdict { void_factor: Share::HALF, ..WON };
const HALF_LOST: Verdict = Verdict { void_factor: Share::HALF, ..LOST };
const PLACED: Verdict = Verdict { placed: true, ..LOST };

fn dead_heat(factor: &str) -> Verdict {
    Verdict { dead_heat_factor: share(factor), ..WON }
}

fn deducted(shares: &[&str], cap: Option<&str>) -> Verdict {
    let from = DeductionFrom::Winnings;
    let all = shares.iter().map(|s| Deduction { from, share: share(s), before_ms: None }).collect();
    Verdict { deductions: Deductions::new(all, cap.map(share)).unwrap(), ..WON }
}

#[track_caller]
fn pays(exact: &Exact, num: u64, den: u64) {
    assert_eq!(*exact, Exact::new(num.into(), den.into()));
}

#[track_caller]
fn accumulator(stake: u64, legs: &[LegMultiplier], num: u64) {
    pays(&payout(stake, None, legs), num, 1);
}

#[track_caller]
fn system(unit: u64, sizes: &[u8], legs: &[LegMultiplier], num: u64) {
    let system = System::new(legs.len(), sizes.to_vec(), Vec::new()).unwrap();
    pays(&payout(unit, Some(&system), legs), num, 1);
}

#[test]
fn ex_01_single_won() {
    accumulator(1000, &[leg("2.35", WON)], 2350);
}

#[test]
fn ex_02_full_void() {
    accumulator(1000, &[leg("17.5", VOID)], 1000);
}

#[test]
fn ex_03_half_lose() {
    accumulator(1000, &[leg("1.98", HALF_LOST)], 500);
}

#[test]
fn ex_04_half_win() {
    accumulator(1000, &[leg("1.86", HALF_WON)], 1430);
}

#[test]
fn ex_05_half_win_at_evens() {
    accumulator(1000, &[leg("2.00", HALF_WON)], 1500);
}

#[test]
fn ex_06_dead_heat_of_two_for_one_place() {
    accumulator(1000, &[leg("5.00", dead_heat("1/2"))], 2500);
}

#[test]
fn ex_07_dead_heat_of_three_for_one_place_is_rounded_by_rule() {
    let exact = payout(2000, None, &[leg("4.00", dead_heat("1/3"))]);
    pays(&exact, 8000, 3);
    assert_eq!(Rounding::Floor.round(&exact), Some(2666));
    assert_eq!(Rounding::HalfUp.round(&exact), Some(2667));
}

#[test]
fn ex_08_four_tie_for_the_last_two_places() {
    accumulator(6000, &[leg("6.00", dead_heat("2/4"))], 18000);
}

#[test]
fn ex_09_exchange_three_way() {
    accumulator(30000, &[leg("4.0", dead_heat("1/3"))], 40000);
}

#[test]
fn ex_10_treble() {
    accumulator(1000, &[leg("1.5", WON), leg("2.0", WON), leg("1.8", WON)], 5400);
}

#[test]
fn ex_11_treble_with_its_middle_leg_void() {
    accumulator(1000, &[leg("1.5", WON), leg("2.0", VOID), leg("1.8", WON)], 2700);
}

#[test]
fn ex_12_double_with_a_half_win() {
    accumulator(1000, &[leg("1.5", WON), leg("1.98", HALF_WON)], 2235);
}

#[test]
fn ex_13_double_with_a_half_lose() {
    accumulator(1000, &[leg("1.5", WON), leg("1.98", HALF_LOST)], 750);
}

#[test]
fn ex_14_double_with_a_dead_heat() {
    accumulator(1000, &[leg("1.5", WON), leg("7.00", dead_heat("0.5"))], 5250);
}

#[test]
fn ex_15_each_way_single_wins() {
    accumulator(1000, &[each_way("9.00", "1/5", WON)], 11600);
}

#[test]
fn ex_16_each_way_single_placed_only() {
    accumulator(1000, &[each_way("9.00", "1/5", PLACED)], 2600);
}

#[test]
fn ex_17_each_way_at_fractional_odds() {
    accumulator(10000, &[each_way("11/4", "1/5", WON)], 37500 + 15500);
    accumulator(10000, &[each_way("11/4", "1/5", PLACED)], 15500);
}

#[test]
fn ex_18_each_way_with_a_dead_heat_for_the_last_place() {
    let tied = Verdict { place_dead_heat_factor: Share::HALF, ..PLACED };
    accumulator(2000, &[each_way("16/1", "1/4", tied)], 5000);
}

#[test]
fn ex_19_each_way_double_of_a_winner_and_a_placed_one() {
    accumulator(500, &[each_way("5.00", "1/4", WON), each_way("4.00", "1/5", PLACED)], 1600);
}

#[test]
fn ex_20_each_way_double_of_two_winners() {
    accumulator(500, &[each_way("5.00", "1/4", WON), each_way("4.00", "1/5", WON)], 11600);
}

#[test]
fn ex_21_rule_4_of_80p() {
    accumulator(1000, &[leg("2.25", deducted(&["0.80"], None))], 1250);
}

#[test]
fn ex_22_rule_4_of_25p() {
    accumulator(1000, &[leg("8/1", deducted(&["0.25"], None))], 7000);
}

#[test]
fn ex_23_rule_4_of_two_withdrawals_to_the_cap() {
    accumulator(1000, &[leg("6.00", deducted(&["0.45", "0.55"], None))], 1500);
    accumulator(1000, &[leg("6.00", deducted(&["0.45", "0.55"], Some("0.75")))], 2250);
}

#[test]
fn ex_24_rule_4_and_a_dead_heat() {
    let both = Verdict { dead_heat_factor: Share::HALF, ..deducted(&["0.20"], None) };
    accumulator(1000, &[leg("6.00", both)], 2500);
}

#[test]
fn ex_25_yankee_of_four_winners() {
    system(30, &[2, 3, 4], &vec![leg("3/1", WON); 4], 18240);
}

#[test]
fn ex_26_lucky_15_of_three_winners_and_a_non_runner() {
    let mut legs = vec![leg("3/1", WON); 3];
    legs.push(leg("3/1", VOID));
    system(30, &[1, 2, 3, 4], &legs, 7470);
}

#[test]
fn ex_27_lucky_15_of_one_winner() {
    let legs = [leg("5.00", WON), leg("5.00", LOST), leg("5.00", LOST), leg("5.00", LOST)];
    system(100, &[1, 2, 3, 4], &legs, 500);
}

#[test]
fn ex_28_trixie() {
    let (won, lost) = (leg("2.00", WON), leg("2.00", LOST));
    system(100, &[2, 3], &[won.clone(), won.clone(), won.clone()], 2000);
    system(100, &[2, 3], &[won.clone(), lost, won], 400);
}

#[test]
fn ex_29_patent() {
    system(100, &[1, 2, 3], &vec![leg("2.00", WON); 3], 2600);
}

#[test]
fn ex_30_free_bet_whose_stake_is_not_returned() {
    let exact = payout(1000, None, &[leg("3.50", WON)]);
    pays(&free_bet(1000, &exact), 2500, 1);
    pays(&free_bet(1000, &payout(1000, None, &[leg("3.50", LOST)])), 0, 1);
}

#[test]
fn ex_31_american_odds_are_exact() {
    accumulator(1100, &[leg("-110", WON)], 2100);
}

#[test]
fn a_banker_stands_in_every_line() {
    // Two of three at 2.00 beside a banker at 1.50: three lines of 1.5 × 4; without the banker nothing.
    let legs = |banker| [leg("1.50", banker), leg("2.00", WON), leg("2.00", WON), leg("2.00", WON)];
    let system = System::new(4, vec![2], vec![0]).unwrap();
    pays(&payout(100, Some(&system), &legs(WON)), 1800, 1);
    pays(&payout(100, Some(&system), &legs(LOST)), 0, 1);
    pays(&payout(100, Some(&system), &legs(VOID)), 1200, 1);
}

#[test]
fn a_reduction_factor_lowers_the_price_and_never_below_one() {
    let reduced = |odds: &str, place: Option<&str>, by: &str| {
        let from = DeductionFrom::Price;
        let all = vec![Deduction { from, share: share(by), before_ms: None }];
        let verdict = Verdict { deductions: Deductions::new(all, None).unwrap(), ..WON };
        multiplier(Odds::parse(odds).unwrap(), place.map(share), &verdict, 0)
    };
    pays(&reduced("8.0", None, "0.25").win, 6, 1);
    pays(&reduced("8.0", Some("1"), "0.25").place.unwrap(), 25, 4);
    pays(&reduced("1.10", None, "0.25").win, 1, 1);
}

#[test]
fn only_wagers_struck_before_the_withdrawal_pay_for_it() {
    let deduction = Deduction { from: DeductionFrom::Winnings, share: Share::HALF, before_ms: Some(1_000) };
    let verdict = Verdict { deductions: Deductions::new(vec![deduction], None).unwrap(), ..WON };
    let at = |struck_ms| multiplier(Odds::parse("3.0").unwrap(), None, &verdict, struck_ms).win;
    pays(&at(999), 2, 1);
    pays(&at(1_000), 3, 1);
}

#[test]
fn the_total_is_rounded_once_and_not_line_by_line() {
    let line = payout(333, None, &[leg("1.155", WON)]);
    assert_eq!(Rounding::Floor.round(&line).unwrap() * 3, 1152);
    let system = System::new(3, vec![1], Vec::new()).unwrap();
    let total = payout(333, Some(&system), &vec![leg("1.155", WON); 3]);
    assert_eq!(Rounding::Floor.round(&total), Some(1153));
}

#[test]
fn a_cancelled_part_returns_and_the_rest_plays_on() {
    let exact = payout(1000, None, &[leg("3.00", WON)]);
    pays(&partly_cancelled(1000, exact.clone(), share("0.4")), 400 + 1800, 1);
    pays(&partly_cancelled(1000, exact.clone(), Share::ONE), 1000, 1);
    pays(&partly_cancelled(1000, exact, Share::ZERO), 3000, 1);
}

#[test]
fn the_named_systems_pay_what_their_lines_pay_one_by_one() {
    // At 2.00 every fold of k winners pays 2^k: the sum over sizes is counted here by listing subsets.
    let names: [(&str, usize, u8); 10] = [
        ("trixie", 3, 2),
        ("patent", 3, 1),
        ("yankee", 4, 2),
        ("lucky 15", 4, 1),
        ("canadian", 5, 2),
        ("lucky 31", 5, 1),
        ("heinz", 6, 2),
        ("lucky 63", 6, 1),
        ("super heinz", 7, 2),
        ("goliath", 8, 2),
    ];
    for (name, n, from) in names {
        let legs: Vec<LegMultiplier> = (0..n).map(|i| leg("2.00", if i % 3 == 2 { LOST } else { WON })).collect();
        let mut listed = Exact::from_integer(0u32.into());
        let mut lines = 0;
        for subset in 1u32..1 << n {
            if subset.count_ones() >= u32::from(from) {
                lines += 1;
                let chosen = legs.iter().enumerate().filter(|(i, _)| subset & (1 << i) != 0);
                listed += chosen.fold(Exact::from_integer(7u32.into()), |product, (_, m)| product * &m.win);
            }
        }
        let sizes = (from..=u8::try_from(n).unwrap()).collect();
        let system = System::new(n, sizes, Vec::new()).unwrap();
        assert_eq!(system.lines(n), lines, "{name}");
        assert_eq!(payout(7, Some(&system), &legs), listed, "{name}");
    }
}
