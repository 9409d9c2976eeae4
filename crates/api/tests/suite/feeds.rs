//! The exchange feed: lines refused by themselves, the rest in one request.

use engine::door::Request;
use model::{Answer, FeedReport, LineRefusal, Refusal};
use serde_json::json;

use crate::support::{config, desk, desk_with};

const LINE: &str = r#"{"op":"mcm","pt":1678252989773,"clk":"a","mc":[{"id":"1.2","rc":[{"id":7,"ltp":8.6}]}]}"#;

#[tokio::test]
async fn a_bad_line_is_refused_by_itself_and_reports_are_merged_in_line_order() {
    let desk = desk(|request| {
        let Request::Feed(lines) = request else { panic!("{request:?}") };
        let refused = vec![LineRefusal { line: lines[1].line, code: "image_needed", detail: "d".to_owned() }];
        Answer::Feed(FeedReport { messages: lines.len(), applied: lines.len() - 1, ignored: 0, refused })
    });
    let body = format!(
        "{LINE}\nnonsense\n\n{LINE}\r\n{}\n{}\n{LINE}",
        r#"{"op":"connection","connectionId":"x"}"#, r#"{"op":"mcm","pt":-1}"#
    );
    let got = desk.post("/v1/feeds/betfair", &body).await;
    assert_eq!(got.status, 200);
    let report = got.json();
    assert_eq!((&report["messages"], &report["applied"], &report["ignored"]), (&json!(6), &json!(2), &json!(1)));
    let refused: Vec<_> =
        report["refused"].as_array().unwrap().iter().map(|r| (r["line"].clone(), r["code"].clone())).collect();
    assert_eq!(
        refused,
        [(json!(2), json!("not_json")), (json!(4), json!("image_needed")), (json!(6), json!("bad_field"))]
    );
    let asked = desk.asked();
    assert_eq!(asked.len(), 1, "one request for all lines");
    let Request::Feed(lines) = &asked[0].request else { panic!() };
    assert_eq!(lines.iter().map(|l| l.line).collect::<Vec<_>>(), [1, 4, 7]);
    assert_eq!(lines[0].message.pt, 1_678_252_989_773);
    assert_eq!(lines[0].message.changes[0].id, "1.2");
}

#[tokio::test]
async fn more_lines_than_one_request_may_have_go_in_several() {
    let mut config = config();
    config.bulk_bytes_max = 8 << 20;
    let most = model::limits::FEED_LINES_MAX;
    let mut fine = 1;
    let desk = desk_with(config, move |request| {
        let Request::Feed(lines) = request else { panic!("{request:?}") };
        assert!(lines.len() <= most);
        fine -= 1;
        if fine < 0 {
            return Answer::Refused(Refusal::TokenAhead);
        }
        Answer::Feed(FeedReport { messages: lines.len(), applied: lines.len(), ignored: 0, refused: vec![] })
    });
    let body = "{\"op\":\"mcm\",\"pt\":1,\"ct\":\"HEARTBEAT\"}\n".repeat(most + 3);
    let problem = desk.post("/v1/feeds/betfair", &body).await.problem(503, "token_ahead");
    assert_eq!(problem["lines_taken"], most, "it says what was worked off");
    assert_eq!(desk.asked().len(), 2);
}

#[tokio::test]
async fn a_feed_without_a_usable_line_still_answers() {
    let desk = desk(|request| panic!("asked for {request:?}"));
    let got = desk.post("/v1/feeds/betfair", "x\n").await;
    assert_eq!((got.status.as_u16(), &got.json()["messages"]), (200, &json!(1)));
    assert_eq!(got.json()["refused"][0]["line"], 1);
}
