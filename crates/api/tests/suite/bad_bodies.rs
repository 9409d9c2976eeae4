//! Bad input: each a precise refusal, and the node is never asked.

use axum::body::{Body, Bytes, HttpBody as _};
use http_body_util::{BodyExt, Full};
use serde_json::json;

use crate::support::{Desk, Got, WAGER, desk, desk_with};

fn untouched() -> Desk {
    desk(|request| panic!("asked for {request:?}"))
}

async fn wager(body: &str) -> Got {
    untouched().post("/v1/wagers", body).await
}

async fn check(from: &str, to: &str, code: &str, fields: &[&str]) -> serde_json::Value {
    let body = WAGER.replace(from, to);
    assert_ne!(body, WAGER, "{from} is not in the wager");
    let got = wager(&body).await;
    let problem = got.problem(422, code);
    assert_eq!(got.fields(), fields, "{problem}");
    assert_eq!((&problem["decided"], &problem["recorded"]), (&json!(false), &json!(false)));
    problem
}

#[tokio::test]
async fn text_that_is_no_json_is_refused_with_its_place() {
    let problem = wager("{\n  \"id\": }").await.problem(422, "malformed_json");
    assert_eq!((&problem["line"], &problem["column"]), (&json!(2), &json!(9)), "{problem}");
    assert_eq!(problem["recorded"], false);
    wager("").await.problem(422, "malformed_json");
    wager("{} {}").await.problem(422, "malformed_json");
    wager("{\"id\":\"\u{1}\"}").await.problem(422, "malformed_json");
}

#[tokio::test]
async fn a_body_that_is_no_object_is_refused() {
    for body in ["[]", "7", "null", "\"x\"", r#"["018bcfe5-6800-8001-8000-00000000002a"]"#] {
        wager(body).await.problem(422, "malformed");
    }
    check(r#"[{"market":"m:1","outcome":"7","odds":"7.4"}]"#, r#"[["m:1","7","7.4"]]"#, "malformed", &["legs[0]"])
        .await;
}

#[tokio::test]
async fn unknown_fields_are_refused_by_name() {
    let problem = check("\"account\"", "\"stake\":1,\"account\"", "malformed", &["stake"]).await;
    assert!(problem["detail"].as_str().unwrap().contains("unknown field `stake`"), "{problem}");
    check("\"market\"", "\"side\":\"back\",\"market\"", "malformed", &["legs[0].side"]).await;
}

#[tokio::test]
async fn a_field_given_twice_is_refused() {
    let problem =
        wager(&WAGER.replace("\"account\"", "\"account\":\"x@eu\",\"account\"")).await.problem(422, "malformed");
    assert!(problem["detail"].as_str().unwrap().contains("duplicate field `account`"), "{problem}");
}

#[tokio::test]
async fn amounts_are_exact_positive_strings() {
    for (amount, says) in [
        ("\"-1.00\"", "is negative"),
        ("\"-0.0\"", "is zero"),
        ("\"0.00\"", "is zero"),
        ("\"1e3\"", "is not a decimal number"),
        ("\" 1\"", "is not a decimal number"),
        ("\"\"", "is not a decimal number"),
        ("\"+1\"", "is not a decimal number"),
        ("\"1_000\"", "is not a decimal number"),
        ("\"10.0001\"", "more decimal places"),
        ("\"99999999999999999999999999999999\"", "is not a decimal number"),
        ("\"9999999999999999\"", "is too large"),
        ("10.00", "expected a string in quotes"),
        ("10", "expected a string in quotes"),
    ] {
        let problem = check("\"10.00\"", amount, "malformed", &["unit_stake"]).await;
        assert!(problem["detail"].as_str().unwrap().contains(says), "{amount}: {problem}");
    }
}

#[tokio::test]
async fn odds_are_above_one_and_exact() {
    for odds in ["1", "1.0", "0.5", "0/5", "-0", "x", "1e3", "1.00000000001", ""] {
        check("7.4", odds, "malformed", &["legs[0].odds"]).await;
    }
}

#[tokio::test]
async fn ids_and_keys_are_checked() {
    check("018bcfe5-6800-8001", "018bcfe5-6800-4001", "malformed", &["id"]).await;
    check("p@eu", "p", "malformed", &["account"]).await;
    check("m:1", "m 1", "malformed", &["legs[0].market"]).await;
    check("\"7\"", &format!("\"{}\"", "7".repeat(201)), "malformed", &["legs[0].outcome"]).await;
}

#[tokio::test]
async fn every_field_at_fault_is_named_in_one_answer() {
    let got = wager(
        r#"{"id":"nonsense","acount":"p@eu","unit_stake":-1,"odds_policy":"best","durability":"far","wait_ms":-1,
        "legs":[{"market":"m 1","outcome":"7","odds":"1"}]}"#,
    )
    .await;
    let problem = got.problem(422, "malformed");
    let mut fields = got.fields();
    fields.sort();
    assert_eq!(
        fields,
        [
            "account",
            "acount",
            "durability",
            "id",
            "legs[0].market",
            "legs[0].odds",
            "odds_policy",
            "unit_stake",
            "wait_ms",
        ],
        "{problem}"
    );
}

#[tokio::test]
async fn what_is_not_offered_yet_is_refused_by_name() {
    let with = |more: &str| format!("{more},\"account\"");
    check("\"account\"", &with(r#""durability":"far""#), "malformed", &["durability"]).await;
    check("\"account\"", &with(r#""each_way":"yes""#), "malformed", &["each_way"]).await;
    check("\"account\"", &with(r#""system":{"sizes":[2],"bankers":[]}"#), "malformed", &["system"]).await;
    check("\"account\"", &with(r#""system":{"sizes":[1],"bankers":[1]}"#), "malformed", &["system"]).await;
    check("\"account\"", &with(r#""system":{"bankers":[]}"#), "malformed", &["system.sizes"]).await;
    let leg = r#"{"market":"m:1","outcome":"7","odds":"7.4"}"#;
    check(leg, "", "malformed", &["legs"]).await;
    check("\"account\"", &with(r#""total_stake":"20""#), "stake_mismatch", &["total_stake"]).await;
    check("\"account\"", &with(r#""wait_ms":30001"#), "malformed", &["wait_ms"]).await;
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_whether_or_not_it_says_so() {
    let desk = untouched();
    let long = format!("{{\"client_ref\":\"{}\"}}", "x".repeat(5_000));
    let problem = desk.post("/v1/wagers", &long).await.problem(413, "body_too_large");
    assert_eq!(problem["recorded"], false);
    let chunks = unsized_body(long.clone());
    assert_eq!(chunks.size_hint().upper(), None);
    desk.call("POST", "/v1/wagers", &[], chunks).await.problem(413, "body_too_large");
    desk.post("/v1/feeds/betfair", &"\n".repeat(8_193)).await.problem(413, "body_too_large");
    desk.call("PUT", "/v1/markets/m:1", &[], Body::from(long)).await.problem(413, "body_too_large");
}

/// A body of unknown length.
fn unsized_body(text: String) -> Body {
    Body::new(Full::new(Bytes::from(text)).map_frame(|frame| frame))
}

#[tokio::test]
async fn bodies_held_at_a_time_are_bounded() {
    let mut config = crate::support::config();
    config.held_bytes_max = 2_048;
    let desk = desk_with(config, |request| panic!("asked for {request:?}"));
    // Its length is unknown, so it counts with the limit of its call, which is more than may be held.
    let got = desk.call("POST", "/v1/wagers", &[], unsized_body(WAGER.to_owned())).await;
    let problem = got.problem(503, "overloaded");
    assert_eq!((&problem["recorded"], &problem["retry"]), (&json!(false), &json!("same_id")));
    assert_eq!(got.header("retry-after"), Some("1"));
    desk.post("/v1/wagers", "{}").await.problem(422, "malformed");
}
