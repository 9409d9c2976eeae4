//! The Unified Odds Feed: raw XML in, messages refused by themselves, the rest in one request.

use engine::door::Request;
use feeds::uof::Body;
use model::{Answer, FeedReport, LineRefusal};
use serde_json::json;

use crate::support::desk;

#[tokio::test]
async fn messages_of_one_body_are_told_apart_and_reports_are_merged_in_line_order() {
    let desk = desk(|request| {
        let Request::Uof(messages) = request else { panic!("{request:?}") };
        let refused = vec![LineRefusal { line: messages[1].line, code: "source_ahead", detail: "d".to_owned() }];
        Answer::Feed(FeedReport { messages: messages.len(), applied: 1, ignored: 1, refused })
    });
    let body = "<?xml version=\"1.0\"?>\n<alive product=\"1\" timestamp=\"5\" subscribed=\"1\"/>\n\
        <alive product=\"1\" timestamp=\"then\"/>\n<product_down product=\"1\" timestamp=\"9\"/>\n\
        <odds_change product=\"1\"\n<fixtures_fixture/>";
    let got = desk.post("/v1/feeds/uof", body).await;
    assert_eq!(got.status, 200);
    let report = got.json();
    assert_eq!((&report["messages"], &report["applied"], &report["ignored"]), (&json!(5), &json!(1), &json!(1)));
    let refused: Vec<_> =
        report["refused"].as_array().unwrap().iter().map(|r| (r["line"].clone(), r["code"].clone())).collect();
    let expected = [(json!(3), json!("bad_field")), (json!(4), json!("source_ahead")), (json!(5), json!("not_xml"))];
    assert_eq!(refused, expected);
    let asked = desk.asked();
    assert_eq!(asked.len(), 1, "one request for all messages");
    let Request::Uof(messages) = &asked[0].request else { panic!() };
    assert_eq!(messages.iter().map(|m| m.line).collect::<Vec<_>>(), [2, 4, 6]);
    assert_eq!(messages[0].message.body, Body::Alive { subscribed: true });
    assert_eq!(messages[0].message.time_ms, Some(5));
}

#[tokio::test]
async fn a_feed_without_a_usable_message_still_answers() {
    let desk = desk(|request| panic!("asked for {request:?}"));
    let got = desk.post("/v1/feeds/uof", "<!DOCTYPE x [<!ENTITY y \"z\">]>").await;
    assert_eq!((got.status.as_u16(), &got.json()["refused"][0]["code"]), (200, &json!("doctype_refused")));
}
