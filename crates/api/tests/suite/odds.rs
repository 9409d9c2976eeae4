//! Price writes: NDJSON and arrays, refused item by item.

use engine::door::Request;
use model::{Answer, Command, MarketKey, Odds, OddsChange, OddsReport, OddsWrite, OutcomeKey, ProducerId, Refusal};
use serde_json::json;

use crate::support::{Desk, desk};

fn market(refused: Vec<(usize, Refusal)>) -> Desk {
    desk(move |request| {
        let Request::Command(Command::WriteOdds(writes)) = request else { panic!("{request:?}") };
        Answer::Odds(OddsReport { applied: writes.len() - refused.len(), ignored: 0, refused: refused.clone() })
    })
}

#[tokio::test]
async fn lines_and_elements_mean_the_same() {
    let one = r#"{"market":"m:1","outcome":"7","odds":"8/13","producer":"p","source_time":"1970-01-01T00:00:01.500Z","source_seq":4}"#;
    let two = r#"{"market":"m:1","outcome":"8","active":false}"#;
    for body in [format!("{one}\r\n\n{two}\n"), format!("[{one},{two}]")] {
        let desk = market(vec![]);
        let got = desk.post("/v1/odds", &body).await;
        assert_eq!((got.status.as_u16(), got.json()), (200, json!({"applied": 2, "ignored": 0, "refused": []})));
        let write = |outcome: &str, change, producer, source_time_ms, source_seq| OddsWrite {
            market: MarketKey::new("m:1").unwrap(),
            outcome: OutcomeKey::new(outcome).unwrap(),
            change,
            producer,
            source_time_ms,
            source_seq,
        };
        let odds = OddsChange::Odds(Odds::new(21, 13).unwrap());
        let writes = vec![
            write("7", odds, Some(ProducerId::new("p").unwrap()), Some(1_500), 4),
            write("8", OddsChange::Active(false), None, None, 0),
        ];
        assert_eq!(desk.asked()[0].request, Request::Command(Command::WriteOdds(writes)));
    }
}

#[tokio::test]
async fn a_bad_item_is_refused_by_its_place_and_the_rest_goes_on() {
    // The engine refuses the second of those it got, which is line 4.
    let desk = market(vec![(1, Refusal::MarketUnknown)]);
    let good = r#"{"market":"m:1","outcome":"7","odds":"2"}"#;
    let got = desk
        .post("/v1/odds", &format!("{good}\n{{\"market\":\"m:1\"\n\n{good}\n{}\n", good.replace("\"2\"", "\"1\"")))
        .await;
    assert_eq!(got.status, 200);
    let body = got.json();
    let refused: Vec<_> =
        body["refused"].as_array().unwrap().iter().map(|r| (r["line"].clone(), r["code"].clone())).collect();
    assert_eq!(
        refused,
        [(json!(2), json!("malformed_json")), (json!(4), json!("market_unknown")), (json!(5), json!("malformed")),]
    );
    assert_eq!(body["applied"], 1);
}

#[tokio::test]
async fn exactly_one_of_odds_and_active_is_given() {
    let desk = market(vec![]);
    let bodies = [
        r#"[{"market":"m:1","outcome":"7"}]"#,
        r#"[{"market":"m:1","outcome":"7","odds":"2","active":true}]"#,
        r#"[{"market":"m:1","outcome":"7","price":"2"}]"#,
        "[7]",
    ];
    for body in bodies {
        let refused = desk.post("/v1/odds", body).await.json()["refused"].clone();
        assert_eq!((&refused[0]["line"], &refused[0]["code"]), (&json!(1), &json!("malformed")), "{body}");
    }
}

#[tokio::test]
async fn what_is_no_list_is_refused_as_a_whole() {
    let desk = desk(|request| panic!("asked for {request:?}"));
    for body in ["", "\n\n"] {
        desk.post("/v1/odds", body).await.problem(422, "malformed");
    }
    for body in ["[", "[] []", "[{]"] {
        desk.post("/v1/odds", body).await.problem(422, "malformed_json");
    }
}
