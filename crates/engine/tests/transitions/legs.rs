//! Wagers of several legs: admission of all legs at once, systems and each-way, and money that follows the results of
//! all legs in whatever order they come.

use engine::door::Request;
use engine::port::View;
use model::settlement::System;
use model::{
    Answer, Command, Deduction, DeductionFrom, Deductions, Definition, EachWayTerms, EventKey, Leg, MarketDraft,
    MarketKey, MarketStatus, MarketTerms, Odds, OddsChange, OddsWrite, OutcomeResult, Problem, Query, QuoteRequest,
    QuoteView, Refusal, RejectCode, ResultScope, ResultWrite, Share, Verdict, WagerAnswer, WagerRequest, WagerState,
};
use proptest::prelude::*;

use crate::cluster::{Cluster, acc, accepted, dec, definition, outcome};

const P: &str = "p@eu-west";

fn key(name: &str) -> MarketKey {
    MarketKey::new(name).unwrap()
}

/// Markets `a` to `d`, each of its own event, `home` on sale at 2, 3, 4 and 5, each-way at a fifth; and `a2` of the
/// event of `a`.
fn book(regions: u16) -> Cluster {
    let mut c = Cluster::new(regions);
    c.funded(P, "1000");
    for (name, event, odds) in
        [("a", "e-a", "2"), ("b", "e-b", "3"), ("c", "e-c", "4"), ("d", "e-d", "5"), ("a2", "e-a", "2")]
    {
        let terms = MarketTerms {
            each_way: Some(EachWayTerms { fraction: Share::new(1, 5).unwrap(), places: 3 }),
            combinable: false,
        };
        sell(&mut c, name, event, odds, Some(terms));
    }
    c.run_until_quiet();
    c
}

fn sell(c: &mut Cluster, name: &str, event: &str, odds: &str, terms: Option<MarketTerms>) {
    let definition = Definition { event: EventKey::new(event).unwrap(), terms, ..definition(&["home", "away"]) };
    let draft = MarketDraft { market: key(name), definition, status: MarketStatus::Active };
    c.ask(1, Command::PutMarket(Box::new(draft)));
    let write = |side| OddsWrite {
        market: key(name),
        outcome: outcome(side),
        change: OddsChange::Odds(Odds::parse(odds).unwrap()),
        producer: None,
        source_time_ms: None,
        source_seq: 0,
    };
    let answer = c.ask(1, Command::WriteOdds(vec![write("home"), write("away")]));
    assert!(matches!(answer, Answer::Odds(ref r) if r.refused.is_empty()), "{answer:?}");
}

fn legs(names: &[&str]) -> Vec<Leg> {
    let leg = |name: &&str| Leg { market: key(name), outcome: outcome("home"), odds: Odds::parse("2").unwrap() };
    names.iter().map(leg).collect()
}

fn wager(c: &mut Cluster, n: u16, unit: &str, names: &[&str]) -> WagerRequest {
    WagerRequest { legs: legs(names), ..c.wager(n, P, unit) }
}

fn result(c: &mut Cluster, n: u16, name: &str, result: OutcomeResult) {
    let results = vec![ResultWrite { scope: ResultScope::Outcome(outcome("home")), result }];
    let answer = c.ask(n, Command::WriteResults { market: key(name), results, closed_ms: None });
    assert!(matches!(answer, Answer::Market(_)), "{answer:?}");
}

fn graded(verdict: Verdict) -> OutcomeResult {
    OutcomeResult::of(verdict).unwrap()
}

fn half_won() -> OutcomeResult {
    graded(Verdict { void_factor: Share::HALF, ..Verdict::plain(true) })
}

fn half_lost() -> OutcomeResult {
    graded(Verdict { void_factor: Share::HALF, ..Verdict::plain(false) })
}

fn placed() -> OutcomeResult {
    graded(Verdict { placed: true, ..Verdict::plain(false) })
}

fn place_ok(c: &mut Cluster, n: u16, w: WagerRequest) -> model::MintedId {
    let id = w.id;
    let answer = c.place(n, w);
    assert_eq!(accepted(&answer), Some(true), "{answer:?}");
    c.run_until_quiet();
    id
}

fn problems(answer: &WagerAnswer) -> Vec<Problem> {
    match answer {
        WagerAnswer::Decided { record, .. } => match &record.decision {
            model::Decision::Rejected(problems) => problems.clone(),
            model::Decision::Accepted => Vec::new(),
        },
        other => panic!("{other:?}"),
    }
}

fn problem(leg: u8, code: RejectCode) -> Problem {
    Problem { leg: Some(leg), code, odds: None }
}

#[test]
fn an_accumulator_is_settled_when_its_last_leg_is_and_follows_every_change() {
    for owner in [1, 2] {
        let mut c = book(2);
        let w = wager(&mut c, owner, "10", &["a", "b", "c"]);
        let id = place_ok(&mut c, owner, w);
        assert_eq!(c.known(1, id).potential_payout(), 24_000);
        let (won, lost, void) = (OutcomeResult::Won, OutcomeResult::Lost, OutcomeResult::Void);
        let steps = [
            ("a", won, WagerState::Open, 0),
            ("c", lost, WagerState::Open, 0),
            ("b", won, WagerState::Lost, 0),
            ("c", won, WagerState::Won, 24_000),
            ("b", void, WagerState::Won, 8_000),
            ("a", half_lost(), WagerState::Won, 2_000),
            ("c", void, WagerState::Part, 500),
            ("a", void, WagerState::Void, 1_000),
            ("a", OutcomeResult::Open, WagerState::Open, 0),
            ("a", half_won(), WagerState::Won, 1_500),
            ("b", OutcomeResult::Withdrawn, WagerState::Won, 1_500),
        ];
        for (n, (market, value, state, paid)) in steps.into_iter().enumerate() {
            result(&mut c, if n % 2 == 0 { 1 } else { 2 }, market, value);
            c.run_until_quiet();
            for region in [1, 2] {
                let known = c.known(region, id);
                assert_eq!((known.state, known.paid.minor()), (state, paid), "step {n} at {region}, owner {owner}");
            }
            let view = c.account(1, P);
            assert_eq!(view.balance - view.debt, 99_000 + i128::from(paid), "step {n}, owner {owner}");
            c.assert_conserved(P);
            c.assert_equal();
        }
    }
}

#[test]
fn a_system_reserves_the_stake_of_all_lines_and_pays_those_that_win() {
    let mut c = book(2);
    let system = System::new(3, vec![2, 3], Vec::new()).unwrap();
    let trixie = WagerRequest {
        system: Some(system),
        total_stake: Some(dec("4.00")),
        ..wager(&mut c, 1, "1", &["a", "b", "c"])
    };
    let id = place_ok(&mut c, 1, trixie);
    let known = c.known(1, id);
    assert_eq!((known.stake.minor(), known.unit_stake().minor(), known.lines()), (400, 100, 4));
    assert_eq!(known.potential_payout(), 100 * (6 + 8 + 12 + 24));
    assert_eq!(c.account(1, P).balance, 99_600);
    result(&mut c, 1, "a", OutcomeResult::Won);
    result(&mut c, 1, "b", OutcomeResult::Lost);
    result(&mut c, 1, "c", OutcomeResult::Won);
    c.run_until_quiet();
    let known = c.known(1, id);
    assert_eq!((known.state, known.paid.minor()), (WagerState::Won, 800));
    // A void leg leaves its lines at their other legs.
    result(&mut c, 1, "c", OutcomeResult::Void);
    c.run_until_quiet();
    let known = c.known(1, id);
    assert_eq!((known.state, known.paid.minor()), (WagerState::Part, 200));
    c.assert_conserved(P);
}

#[test]
fn an_each_way_wager_keeps_the_terms_of_its_acceptance() {
    let mut c = book(2);
    let each_way = WagerRequest { each_way: true, ..wager(&mut c, 1, "5", &["d"]) };
    let id = place_ok(&mut c, 1, each_way);
    assert_eq!((c.known(1, id).stake.minor(), c.known(1, id).lines()), (1_000, 2));
    // Other terms from now on: nothing changes for what was sold.
    let other = MarketTerms { each_way: Some(EachWayTerms { fraction: Share::HALF, places: 2 }), combinable: false };
    sell(&mut c, "d", "e-d", "5", Some(other));
    result(&mut c, 1, "d", placed());
    c.run_until_quiet();
    assert_eq!((c.known(1, id).state, c.known(1, id).paid.minor()), (WagerState::Part, 900));
    result(&mut c, 1, "d", OutcomeResult::Won);
    c.run_until_quiet();
    assert_eq!((c.known(1, id).state, c.known(1, id).paid.minor()), (WagerState::Won, 3_400));
    let tied = Verdict { dead_heat_factor: Share::HALF, ..Verdict::plain(true) };
    result(&mut c, 1, "d", graded(tied));
    c.run_until_quiet();
    assert_eq!(c.known(1, id).paid.minor(), 1_250 + 900);
    c.assert_conserved(P);
}

#[test]
fn a_deduction_is_taken_from_wagers_struck_before_the_withdrawal_only() {
    let mut c = book(2);
    let early = wager(&mut c, 1, "10", &["d"]);
    let early = place_ok(&mut c, 1, early);
    c.pass(5_000);
    let before_ms = Some(c.known(1, early).placed_at.ms() + 1_000);
    let late = wager(&mut c, 1, "10", &["d"]);
    let late = place_ok(&mut c, 1, late);
    let share = Share::new(1, 4).unwrap();
    let deduction = Deduction { from: DeductionFrom::Winnings, share, before_ms };
    let deductions = Deductions::new(vec![deduction], None).unwrap();
    result(&mut c, 1, "d", graded(Verdict { deductions, ..Verdict::plain(true) }));
    c.run_until_quiet();
    assert_eq!((c.known(1, early).paid.minor(), c.known(1, late).paid.minor()), (4_000, 5_000));
}

#[test]
fn the_problems_of_all_legs_are_listed_and_of_each_only_the_first() {
    let mut c = book(2);
    result(&mut c, 1, "b", OutcomeResult::Lost);
    c.ask(1, Command::SetStatus { market: key("c"), act: model::StatusAct::Suspend });
    let w = WagerRequest { policy: model::OddsPolicy::None, ..wager(&mut c, 1, "10", &["a", "b", "c", "d"]) };
    let answer = c.place(1, w.clone());
    let changed = Problem { odds: Some(Odds::parse("5").unwrap()), ..problem(3, RejectCode::OddsChanged) };
    let expected = [problem(1, RejectCode::MarketSettled), problem(2, RejectCode::MarketSuspended), changed];
    assert_eq!(problems(&answer), expected);
    assert!(matches!(c.place(1, w), WagerAnswer::Decided { replayed: true, .. }), "a rejection is recorded");
    assert_eq!(c.account(1, P).balance, 100_000);
}

#[test]
fn legs_of_one_event_do_not_combine_unless_both_markets_say_so() {
    let mut c = book(2);
    let w = wager(&mut c, 1, "10", &["a", "b", "a2"]);
    let both = [problem(0, RejectCode::LegsNotCombinable), problem(2, RejectCode::LegsNotCombinable)];
    assert_eq!(problems(&c.place(1, w)), both);
    let combinable = Some(MarketTerms { each_way: None, combinable: true });
    sell(&mut c, "a", "e-a", "2", combinable);
    let w = wager(&mut c, 1, "10", &["a", "a2"]);
    assert_eq!(problems(&c.place(1, w)).len(), 2, "one of them alone does not allow it");
    sell(&mut c, "a2", "e-a", "2", combinable);
    let w = wager(&mut c, 1, "10", &["a", "a2"]);
    assert_eq!(accepted(&c.place(1, w)), Some(true));
    let w = wager(&mut c, 1, "10", &["a", "a"]);
    assert_eq!(problems(&c.place(1, w)).len(), 2, "the same market never stands twice");
}

#[test]
fn what_is_no_wager_is_refused_with_its_field_and_nothing_is_recorded() {
    let mut c = book(2);
    sell(&mut c, "plain", "e-p", "2", None);
    let system = |sizes: &[u8], legs| Some(System::new(legs, sizes.to_vec(), Vec::new()).unwrap());
    let base = wager(&mut c, 1, "10", &["a", "b"]);
    let long = vec!["a"; 31];
    let cases = [
        ("legs", WagerRequest { legs: Vec::new(), ..base.clone() }),
        ("legs", WagerRequest { legs: legs(&long), ..base.clone() }),
        ("system", WagerRequest { system: system(&[3], 3), ..base.clone() }),
        ("total_stake", WagerRequest { total_stake: Some(dec("20")), ..base.clone() }),
        ("total_stake", WagerRequest { system: system(&[1], 2), total_stake: Some(dec("10")), ..base.clone() }),
        ("each_way", WagerRequest { each_way: true, legs: legs(&["a", "plain"]), ..base.clone() }),
        ("unit_stake", WagerRequest { unit_stake: dec("2000000000000"), ..base.clone() }),
    ];
    for (field, case) in cases {
        match c.place(1, case) {
            WagerAnswer::Refused(Refusal::Malformed { field: named, .. }) => assert_eq!(named.as_str(), field),
            other => panic!("{field}: {other:?}"),
        }
    }
    assert_eq!(accepted(&c.place(1, base)), Some(true), "the id is still free");
}

#[test]
fn another_system_is_another_body() {
    let mut c = book(2);
    let of = |sizes: &[u8]| Some(System::new(3, sizes.to_vec(), Vec::new()).unwrap());
    let w = WagerRequest { system: of(&[2]), ..wager(&mut c, 1, "1", &["a", "b", "c"]) };
    assert_eq!(accepted(&c.place(1, w.clone())), Some(true));
    assert!(matches!(c.place(1, w.clone()), WagerAnswer::Decided { replayed: true, .. }));
    for other in [
        WagerRequest { system: of(&[2, 3]), ..w.clone() },
        WagerRequest { system: None, ..w.clone() },
        WagerRequest { each_way: true, ..w.clone() },
    ] {
        assert!(matches!(c.place(1, other), WagerAnswer::Refused(Refusal::IdReused)));
    }
}

fn quote(c: &mut Cluster, w: &WagerRequest) -> QuoteView {
    let asked = QuoteRequest {
        account: acc(P),
        unit_stake: w.unit_stake,
        total_stake: w.total_stake,
        system: w.system.clone(),
        each_way: w.each_way,
        legs: w.legs.clone(),
        policy: w.policy,
    };
    match c.query(1, Query::Quote(Box::new(asked))) {
        Answer::Quote(view) => *view,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_quote_says_what_placing_comes_to_and_records_nothing() {
    let mut c = book(2);
    let system = System::new(3, vec![2], Vec::new()).unwrap();
    let w = WagerRequest { system: Some(system), ..wager(&mut c, 1, "100", &["a", "b", "c"]) };
    let log = c.engine(1).ledger().next_seq();
    let said = quote(&mut c, &w);
    assert_eq!(c.engine(1).ledger().next_seq(), log);
    assert!(said.placeable && said.problems.is_empty());
    assert_eq!((said.lines, said.stake.minor(), said.spendable_here), (3, 30_000, 100_000));
    assert_eq!((said.potential_payout, said.max_unit_stake), (260_000, 33_333));
    let record = {
        let id = place_ok(&mut c, 1, w.clone());
        c.known(1, id)
    };
    assert_eq!((record.stake, record.potential_payout()), (said.stake, said.potential_payout));
    assert_eq!(record.legs, said.legs);
    let again = quote(&mut c, &WagerRequest { unit_stake: dec("300"), ..w.clone() });
    assert!(!again.placeable);
    let short = Problem { leg: None, code: RejectCode::InsufficientFunds, odds: None };
    assert_eq!((again.problems, again.max_unit_stake), (vec![short], 23_333));
    result(&mut c, 1, "b", OutcomeResult::Won);
    let closed = quote(&mut c, &w);
    assert_eq!((closed.placeable, closed.problems), (false, vec![problem(1, RejectCode::MarketSettled)]));
}

#[test]
fn an_entry_of_long_wagers_stays_within_a_frame() {
    let mut c = Cluster::new(2);
    c.funded(P, "1000");
    let long = |n: usize| format!("{n:0>200}");
    let names: Vec<String> = (0..model::limits::LEGS_MAX).map(long).collect();
    for (n, name) in names.iter().enumerate() {
        sell(&mut c, name, &format!("e-{n}"), "1.01", None);
    }
    c.run_until_quiet();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let wagers: Vec<_> = (0..200).map(|_| wager(&mut c, 1, "1", &names)).collect();
    let ids: Vec<_> = wagers.iter().map(|w| w.id).collect();
    c.send(1, Request::Command(Command::Place(wagers)), 0);
    c.run_until_quiet();
    assert!(ids.iter().all(|id| c.known(2, *id).is_accepted()));
    let entries = c.store_of(1).log(crdt::Site::new(1, 1), 1, 10_000, usize::MAX);
    let longest = entries.iter().map(bytes::Bytes::len).max().unwrap();
    assert!((64 * 1024..model::limits::FRAME_BYTES_MAX / 2).contains(&longest), "{longest} bytes");
}

#[test]
fn a_single_and_a_system_of_its_one_leg_stand_alike_under_every_result() {
    let mut c = book(2);
    let single = wager(&mut c, 1, "7.03", &["b"]);
    let single = place_ok(&mut c, 1, single);
    let of_one = Some(System::new(1, vec![1], Vec::new()).unwrap());
    let system = WagerRequest { system: of_one, ..wager(&mut c, 1, "7.03", &["b"]) };
    let system = place_ok(&mut c, 1, system);
    for value in words() {
        result(&mut c, 1, "b", value);
        c.run_until_quiet();
        let stand = standings(&mut c, &[single, system]);
        assert_eq!(stand[0], stand[1], "{value:?}");
    }
}

/// One act of the random story: which region, which market, what it says, how much is delivered before the next.
type Act = (u16, usize, usize, u8);

fn words() -> Vec<OutcomeResult> {
    vec![
        OutcomeResult::Won,
        OutcomeResult::Lost,
        OutcomeResult::Void,
        half_won(),
        half_lost(),
        placed(),
        OutcomeResult::Open,
        OutcomeResult::None,
    ]
}

const MARKETS: [&str; 4] = ["a", "b", "c", "d"];

/// A cluster with one wager of each kind, of every owner.
fn mixed() -> (Cluster, Vec<model::MintedId>) {
    let mut c = book(3);
    let mut ids = Vec::new();
    for n in 1..=3 {
        let sizes = |sizes: &[u8], bankers: &[u8]| Some(System::new(4, sizes.to_vec(), bankers.to_vec()).unwrap());
        let all = [
            wager(&mut c, n, "7.03", &["a"]),
            wager(&mut c, n, "3.01", &["b", "c"]),
            WagerRequest { system: sizes(&[1, 2, 3, 4], &[]), ..wager(&mut c, n, "0.33", &MARKETS) },
            WagerRequest { system: sizes(&[2], &[3]), each_way: true, ..wager(&mut c, n, "0.77", &MARKETS) },
        ];
        for w in all {
            ids.push(place_ok(&mut c, n, w));
        }
    }
    (c, ids)
}

fn standings(c: &mut Cluster, ids: &[model::MintedId]) -> Vec<(WagerState, u64)> {
    ids.iter()
        .map(|id| {
            let known = c.known(1, *id);
            (known.state, known.paid.minor())
        })
        .collect()
}

/// The same results, each written once, in a world where nothing else ever happened.
fn only_the_last(last: &[OutcomeResult]) -> Vec<(WagerState, u64)> {
    let (mut c, ids) = mixed();
    for (market, value) in MARKETS.iter().zip(last) {
        result(&mut c, 1, market, *value);
    }
    c.run_until_quiet();
    standings(&mut c, &ids)
}

fn told(acts: &[Act], last: &[usize]) -> Result<(), TestCaseError> {
    let (mut c, ids) = mixed();
    let words = words();
    for (region, market, word, deliver) in acts {
        let results = vec![ResultWrite { scope: ResultScope::Outcome(outcome("home")), result: words[*word] }];
        let command = Command::WriteResults { market: key(MARKETS[*market]), results, closed_ms: None };
        for _ in 0..=(deliver % 2) {
            c.send(*region, Request::Command(command.clone()), 0);
        }
        match deliver {
            0 | 1 => {}
            2 => c.pass(100),
            3 if c.cut.is_empty() => c.part(1, 2),
            4 if !c.cut.is_empty() => c.heal(1, 2),
            3 | 4 => {}
            _ => c.run_until_quiet(),
        }
    }
    if !c.cut.is_empty() {
        c.heal(1, 2);
    }
    c.run_until_quiet();
    // Whatever was disputed: the last word on each has seen all others.
    let last: Vec<OutcomeResult> = last.iter().map(|w| words[*w]).collect();
    for (n, (market, value)) in MARKETS.iter().zip(&last).enumerate() {
        result(&mut c, 1 + u16::try_from(n % 3).unwrap(), market, *value);
        c.run_until_quiet();
    }
    let told = standings(&mut c, &ids);
    prop_assert_eq!(&told, &only_the_last(&last));
    let view = c.account(1, P);
    let paid: u64 = told.iter().map(|(_, paid)| paid).sum();
    let staked: u64 = ids.iter().map(|id| c.known(1, *id).stake.minor()).sum();
    prop_assert_eq!(view.balance - view.debt, 100_000 - i128::from(staked) + i128::from(paid));
    c.assert_conserved(P);
    c.assert_equal();
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn the_end_depends_only_on_what_the_registers_say_last(
        acts in proptest::collection::vec((1u16..4, 0usize..4, 0usize..8, 0u8..6), 0..14),
        last in proptest::collection::vec(0usize..8, 4),
    ) {
        told(&acts, &last)?;
    }
}
