//! Markets, with the exchange's own view.

use crdt::{Dot, Hlc, Site};
use engine::door::Request;
use model::{
    Answer, Command, Definition, EventKey, ExchangeRunnerView, ExchangeView, MarketDraft, MarketKey, MarketStatus,
    MarketView, Odds, OutcomeDef, OutcomeKey, OutcomeResult, OutcomeView, ProducerId, Query, RejectCode, ResultScope,
    ResultWrite, StatusAct, Text,
};
use serde_json::json;

use crate::support::{Desk, desk};

fn definition() -> Definition {
    Definition {
        name: Text::new("Winner"),
        event: EventKey::new("e:1").unwrap(),
        sport: Text::new(""),
        start_ms: 1_700_000_000_000,
        in_play: false,
        bet_delay_ms: 5_000,
        outcomes: vec![OutcomeDef { key: OutcomeKey::new("7").unwrap(), name: Text::new("Seven") }],
        exchange: false,
        terms: None,
    }
}

fn view() -> MarketView {
    let text = |t: &str| Some(t.to_owned());
    let level = |p: &str, s: &str| Some((p.to_owned(), s.to_owned()));
    MarketView {
        market: MarketKey::new("m:1").unwrap(),
        definition: definition(),
        status: MarketStatus::Suspended,
        held: true,
        producer: Some(ProducerId::new("betfair").unwrap()),
        sellable: false,
        refusal: Some(RejectCode::MarketSuspended),
        version: Hlc(u64::MAX),
        outcomes: vec![OutcomeView {
            key: OutcomeKey::new("7").unwrap(),
            name: Text::new("Seven"),
            sellable: false,
            refusal: Some(RejectCode::MarketSuspended),
            odds: Some(Odds::parse("8.6").unwrap()),
            pinned: true,
            dot: Some(Dot { site: Site::new(1, 1), n: 3 }),
            result: Some(OutcomeResult::Won),
        }],
        exchange: Some(ExchangeView {
            status: "OPEN".to_owned(),
            in_play: true,
            bet_delay: 5,
            active_runners: 1,
            bsp_reconciled: true,
            version: 4_495_990_919,
            runners: vec![ExchangeRunnerView {
                id: 7,
                hc: "-1.5".to_owned(),
                status: text("ACTIVE"),
                adjustment_factor: text("4.34"),
                bsp: text("25.0"),
                ltp: None,
                best_back: level("8.6", "2.96"),
                best_lay: None,
                back_levels: 3,
                lay_levels: 0,
            }],
        }),
    }
}

fn desk_of_market() -> Desk {
    desk(|_| Answer::Market(Box::new(view())))
}

#[tokio::test]
async fn a_market_is_shown_as_it_is_sold_and_exchange_numbers_are_exact() {
    let desk = desk_of_market();
    let got = desk.get("/v1/markets/m:1").await;
    assert_eq!(
        got.json(),
        json!({
            "market": "m:1", "name": "Winner", "event": "e:1", "sport": "", "start": "2023-11-14T22:13:20.000Z",
            "in_play": false, "bet_delay_ms": 5000, "status": "suspended", "held": true, "producer": "betfair",
            "sellable": false, "refusal": "market_suspended", "version": "18446744073709551615",
            "outcomes": [{
                "outcome": "7", "name": "Seven", "sellable": false, "refusal": "market_suspended", "odds": "8.6",
                "display": {"decimal": "8.6", "fractional": "38/5", "american": "+760"}, "pinned": true, "result": "won",
            }],
            "combinable": false,
            "exchange": {
                "status": "OPEN", "in_play": true, "bet_delay": 5, "active_runners": 1, "bsp_reconciled": true,
                "version": 4_495_990_919u64,
                "runners": [{
                    "id": 7, "hc": -1.5, "status": "ACTIVE", "adjustment_factor": 4.34, "bsp": 25.0, "ltp": null,
                    "best_back": [8.6, 2.96], "best_lay": null, "back_levels": 3, "lay_levels": 0,
                }],
            },
        })
    );
    let text = String::from_utf8(got.body.to_vec()).unwrap();
    assert!(text.contains(r#""bsp":25.0"#) && text.contains(r#""best_back":[8.6,2.96]"#), "{text}");
}

#[tokio::test]
async fn keys_in_paths_may_be_escaped_and_may_hold_escapes() {
    for (path, key) in [
        ("uof:sr:match:123;18;total=2.5", "uof:sr:match:123;18;total=2.5"),
        ("uof%3Asr%3Amatch%3A123%3B18%3Btotal%3D2.5", "uof:sr:match:123;18;total=2.5"),
        ("a%2520b", "a%20b"),
        ("a%20b", "a%20b"),
        ("a%2Fb", "a%2Fb"),
    ] {
        let desk = desk_of_market();
        desk.get(&format!("/v1/markets/{path}")).await;
        let market = MarketKey::new(key).unwrap();
        assert_eq!(desk.asked()[0].request, Request::Query(Query::Market(market)), "{path}");
    }
    let desk = desk_of_market();
    for bad in ["x".repeat(201), "%FF".to_owned()] {
        let got = desk.get(&format!("/v1/markets/{bad}")).await;
        got.problem(422, "malformed");
    }
    assert!(desk.asked().is_empty());
}

#[tokio::test]
async fn a_market_is_made_by_hand() {
    let desk = desk_of_market();
    let body = r#"{"name":"Winner","event":"e:1","start":"2023-11-14T22:13:20Z","bet_delay_ms":5000,"status":"suspended",
        "outcomes":[{"outcome":"7","name":"Seven"}]}"#;
    assert_eq!(desk.call("PUT", "/v1/markets/m:1", &[], body.into()).await.status, 200);
    let market = MarketKey::new("m:1").unwrap();
    let draft = MarketDraft { market, definition: definition(), status: MarketStatus::Suspended };
    assert_eq!(desk.asked()[0].request, Request::Command(Command::PutMarket(Box::new(draft))));
}

#[tokio::test]
async fn bad_markets_are_refused_by_name() {
    let desk = desk(|request| panic!("asked for {request:?}"));
    for (body, fields) in [
        ("{}", &["name", "event", "outcomes"][..]),
        (r#"{"name":"W","event":"e 1","outcomes":[]}"#, &["event", "outcomes"]),
        (
            r#"{"name":"W","event":"e","status":"settled","start":"today","outcomes":[{"outcome":"7"},{"outcome":"7"}]}"#,
            &["start", "status", "outcomes[1].outcome"],
        ),
        (
            r#"{"name":"W","event":"e","bet_delay_ms":-1,"outcomes":[{"key":"7"}]}"#,
            &["bet_delay_ms", "outcomes[0].key", "outcomes[0].outcome"],
        ),
    ] {
        let got = desk.call("PUT", "/v1/markets/m:1", &[], body.into()).await;
        got.problem(422, "malformed");
        assert_eq!(got.fields(), fields, "{body}");
    }
}

#[tokio::test]
async fn suspend_and_resume_need_no_body_and_take_no_fields() {
    for (call, act) in [("suspend", StatusAct::Suspend), ("resume", StatusAct::Resume)] {
        let path = format!("/v1/markets/m:1/{call}");
        let desk = desk_of_market();
        for body in ["", "{}"] {
            assert_eq!(desk.post(&path, body).await.status, 200);
        }
        desk.post(&path, r#"{"until":"x"}"#).await.problem(422, "malformed");
        let market = MarketKey::new("m:1").unwrap();
        assert_eq!(desk.asked().len(), 2);
        assert_eq!(desk.asked()[0].request, Request::Command(Command::SetStatus { market, act }));
    }
}

#[tokio::test]
async fn results_are_written_by_outcome_or_for_all() {
    let desk = desk_of_market();
    let body = r#"{"results":[{"outcome":"7","result":"won"},{"outcome":"*","result":"none"}]}"#;
    assert_eq!(desk.post("/v1/markets/m:1/result", body).await.status, 200);
    let results = vec![
        ResultWrite { scope: ResultScope::Outcome(OutcomeKey::new("7").unwrap()), result: OutcomeResult::Won },
        ResultWrite { scope: ResultScope::Market, result: OutcomeResult::None },
    ];
    let market = MarketKey::new("m:1").unwrap();
    assert_eq!(desk.asked()[0].request, Request::Command(Command::WriteResults { market, results, closed_ms: None }));
    let closed = body.replace("]}", r#"],"closed_at":"2023-11-14T22:13:20.123Z"}"#);
    assert_eq!(desk.post("/v1/markets/m:1/result", &closed).await.status, 200);
    let Request::Command(Command::WriteResults { closed_ms, .. }) = desk.asked()[1].request else { panic!() };
    assert_eq!(closed_ms, Some(1_700_000_000_123));
    for (bad, fields) in [
        ("{}", &["results"][..]),
        (r#"{"results":[{"outcome":"7","result":"won"}],"closed_at":"yesterday"}"#, &["closed_at"]),
        (r#"{"results":[]}"#, &["results"]),
        (r#"{"results":[{"outcome":"7","result":"maybe"}]}"#, &["results[0].result"]),
        (r#"{"results":[{"outcome":"7","result":"won"},{"outcome":"7","result":"lost"}]}"#, &["results[1].outcome"]),
    ] {
        let got = desk.post("/v1/markets/m:1/result", bad).await;
        got.problem(422, "malformed");
        assert_eq!(got.fields(), fields, "{bad}");
    }
}
