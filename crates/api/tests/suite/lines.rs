//! Wagers of several lines, quotes of them, and the results that settle them: read as they were written, shown as they
//! stand, refused by the name of what is wrong.

use std::sync::Arc;

use engine::door::Request;
use model::settlement::System;
use model::{
    Amount, Answer, Command, Decision, Deduction, DeductionFrom, Deductions, Odds, OutcomeResult, Problem, Query,
    QuoteView, RejectCode, Share, Verdict, WagerAnswer, WagerRecord,
};
use serde_json::json;

use crate::support::{ID, desk, gbp, record};

const LEGS: &str = r#"[{"market":"m:1","outcome":"7","odds":"2"},{"market":"m:2","outcome":"7","odds":"3"},
    {"market":"m:3","outcome":"7","odds":"4"}]"#;

fn system(sizes: &[u8]) -> System {
    System::new(3, sizes.to_vec(), Vec::new()).unwrap()
}

#[tokio::test]
async fn a_system_is_asked_as_it_was_written_and_shown_as_it_was_taken() {
    let desk = desk(|_| {
        let one = record(Decision::Accepted);
        let legs = vec![one.legs[0].clone(); 3];
        let (unit, stake) = (Some(Amount::from_minor(100).unwrap()), Amount::from_minor(800).unwrap());
        let each_way = Some(vec![Share::new(1, 5).unwrap(); 3]);
        let taken = WagerRecord { legs, unit, stake, each_way, system: Some(system(&[2, 3])), ..one };
        Answer::Placed(vec![WagerAnswer::Decided { record: Arc::new(taken), replayed: false }])
    });
    let body = format!(
        r#"{{"id":"{ID}","account":"p@eu","unit_stake":"1.00","total_stake":"8.00","each_way":true,
        "system":{{"sizes":[3,2]}},"legs":{LEGS}}}"#
    );
    let got = desk.post("/v1/wagers", &body).await;
    assert_eq!(got.status, 201);
    let shown = got.json();
    assert_eq!(
        (&shown["lines"], &shown["unit_stake"], &shown["total_stake"]),
        (&json!(8), &json!("1.00"), &json!("8.00"))
    );
    assert_eq!((&shown["system"], &shown["each_way"]), (&json!({"sizes": [2, 3], "bankers": []}), &json!(true)));
    assert_eq!(shown["legs"][2]["place_fraction"], "1/5");
    let Request::Command(Command::Place(wagers)) = &desk.asked()[0].request else { panic!() };
    assert_eq!((wagers[0].system.as_ref(), wagers[0].each_way), (Some(&system(&[2, 3])), true));
    assert_eq!(wagers[0].legs.len(), 3);
    let wrong = body.replace("8.00", "4.00");
    desk.post("/v1/wagers", &wrong).await.problem(422, "stake_mismatch");
}

#[tokio::test]
async fn a_quote_is_a_wager_without_an_id() {
    let desk = desk(|_| {
        let odds = Some(Odds::parse("2.5").unwrap());
        Answer::Quote(Box::new(QuoteView {
            currency: gbp(),
            placeable: false,
            problems: vec![Problem { leg: Some(1), code: RejectCode::OddsChanged, odds }],
            lines: 3,
            stake: Amount::from_minor(300).unwrap(),
            max_unit_stake: 3_333,
            potential_payout: 2_600,
            spendable_here: 10_000,
            legs: record(Decision::Accepted).legs,
        }))
    });
    let body = format!(r#"{{"account":"p@eu","unit_stake":"1","system":{{"sizes":[2]}},"legs":{LEGS}}}"#);
    let got = desk.post("/v1/wagers/quote", &body).await;
    assert_eq!(got.status, 200);
    let shown = got.json();
    assert_eq!((&shown["placeable"], &shown["lines"]), (&json!(false), &json!(3)));
    assert_eq!((&shown["total_stake"], &shown["max_unit_stake"]), (&json!("3.00"), &json!("33.33")));
    assert_eq!((&shown["potential_payout"], &shown["spendable_here"]), (&json!("26.00"), &json!("100.00")));
    assert_eq!(shown["problems"][0]["code"], "odds_changed");
    let Request::Query(Query::Quote(asked)) = &desk.asked()[0].request else { panic!() };
    assert_eq!((asked.system.as_ref(), asked.legs.len()), (Some(&system(&[2])), 3));
    let named =
        desk.post("/v1/wagers/quote", &body.replace("\"account\"", &format!("\"id\":\"{ID}\",\"account\""))).await;
    named.problem(422, "malformed");
}

#[tokio::test]
async fn results_carry_their_factors() {
    let result = |rest: &str| {
        let body = format!(r#"{{"results":[{{"outcome":"7",{rest}}}]}}"#);
        async move {
            let desk = desk(|_| Answer::Refused(model::Refusal::MarketUnknown));
            desk.post("/v1/markets/m:1/result", &body).await;
            match &desk.asked()[0].request {
                Request::Command(Command::WriteResults { results, .. }) => results[0].result,
                other => panic!("{other:?}"),
            }
        }
    };
    let graded = |verdict| OutcomeResult::of(verdict).unwrap();
    let (won, lost) = (Verdict::plain(true), Verdict::plain(false));
    let half = graded(Verdict { void_factor: Share::HALF, ..won });
    assert_eq!(result(r#""result":"won","void_factor":"0.5""#).await, half);
    assert_eq!(result(r#""result":"lost","void_factor":"1""#).await, OutcomeResult::Void);
    assert_eq!(result(r#""result":"won","dead_heat_factor":"1""#).await, OutcomeResult::Won);
    let placed = graded(Verdict { placed: true, ..lost });
    assert_eq!(result(r#""result":"placed""#).await, placed);
    assert_eq!(result(r#""result":"lost","placed":true"#).await, placed);
    let deduction =
        Deduction { from: DeductionFrom::Winnings, share: Share::new(1, 4).unwrap(), before_ms: Some(1_000) };
    let deductions = Deductions::new(vec![deduction], Some(Share::HALF)).unwrap();
    let taken =
        r#""result":"won","deductions":[{"share":"0.25","before":"1970-01-01T00:00:01Z"}],"deduction_cap":"1/2""#;
    assert_eq!(result(taken).await, graded(Verdict { deductions, ..won }));
}

#[tokio::test]
async fn factors_that_mean_nothing_are_refused_by_name() {
    let desk = desk(|request| panic!("asked for {request:?}"));
    for (rest, fields) in [
        (r#""result":"void","void_factor":"0.5""#, "results[0].result"),
        (r#""result":"won","void_factor":"0.3""#, "results[0].result"),
        (r#""result":"won","dead_heat_factor":"0""#, "results[0].result"),
        (r#""result":"won","dead_heat_factor":"2""#, "results[0].dead_heat_factor"),
        (r#""result":"won","placed":false"#, "results[0].placed"),
        (r#""result":"won","deductions":[{"share":"x"}]"#, "results[0].deductions[0].share"),
    ] {
        let body = format!(r#"{{"results":[{{"outcome":"7",{rest}}}]}}"#);
        let got = desk.post("/v1/markets/m:1/result", &body).await;
        got.problem(422, "malformed");
        assert_eq!(got.fields(), [fields], "{rest}");
    }
}
