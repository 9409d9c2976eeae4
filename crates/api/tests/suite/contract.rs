//! The contract as a document, and what is not in it.

use std::path::Path;

use axum::body::Body;
use serde_json::Value;

use crate::support::{WAGER, config, desk, desk_with};

#[test]
fn the_checked_in_document_is_the_one_the_code_makes() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas/openapi.json");
    let made = api::openapi_json();
    if std::env::var_os("STAKEHOLD_BLESS").is_some_and(|v| v == "1") {
        std::fs::write(&file, &made).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        kept == made,
        "schemas/openapi.json differs from the code; run this test with STAKEHOLD_BLESS=1 and read the diff"
    );
}

#[tokio::test]
async fn every_call_of_the_document_is_there_and_it_is_served() {
    let desk = desk(|_| model::Answer::Refused(model::Refusal::TokenAhead));
    let got = desk.get("/openapi.json").await;
    let document: Value = got.json();
    assert_eq!(document, serde_json::from_str::<Value>(&api::openapi_json()).unwrap());
    let paths = document["paths"].as_object().unwrap();
    assert_eq!(paths.len(), 39, "{:?}", paths.keys());
    for (path, calls) in paths {
        let path = path.replace("{account}", "p@eu").replace("{id}", crate::support::ID);
        let path = path.replace("{market}", "m:1").replace("{producer}", "p").replace("{session}", crate::support::ID);
        for method in calls.as_object().unwrap().keys() {
            let got = desk.call(&method.to_uppercase(), &path, &[], Body::empty()).await;
            assert!(!matches!(got.status.as_u16(), 404 | 405), "{method} {path}: {}", got.status);
        }
    }
    // References lead somewhere.
    let text = String::from_utf8(got.body.to_vec()).unwrap();
    for reference in text.split("\"$ref\":\"#").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(document.pointer(reference).is_some(), "{reference} leads nowhere");
    }
}

#[tokio::test]
async fn calls_of_later_issues_are_absent() {
    let desk = desk(|request| panic!("asked for {request:?}"));
    let later = [("GET", "/admin/v1/conflicts"), ("GET", "/console")];
    for (method, path) in later {
        let got = desk.call(method, path, &[], Body::empty()).await;
        // A path that a key could match has other methods.
        let code = if got.status == 405 { "method_not_allowed" } else { "not_found" };
        got.problem(if code == "not_found" { 404 } else { 405 }, code);
    }
    let got = desk.call("DELETE", "/v1/wagers", &[], Body::empty()).await;
    got.problem(405, "method_not_allowed");
    assert_eq!(got.header("allow"), Some("POST"));
}

#[tokio::test]
async fn browsers_are_let_in_only_where_configured() {
    let origin = [("origin", "https://desk.example"), ("access-control-request-method", "POST")];
    let closed = desk(|_| panic!("not asked"));
    let got = closed.call("POST", "/v1/wagers", &origin, Body::from("{")).await;
    assert_eq!(got.header("access-control-allow-origin"), None);
    let mut config = config();
    config.cors_origins = vec!["https://desk.example".to_owned()];
    let open = desk_with(config.clone(), |_| panic!("not asked"));
    let got = open.call("POST", "/v1/wagers", &origin, Body::from(WAGER.replace("id", "di"))).await;
    assert_eq!(got.header("access-control-allow-origin"), Some("https://desk.example"));
    let exposed = got.header("access-control-expose-headers").unwrap();
    for header in ["stakehold-token", "stakehold-stale", "stakehold-replayed", "retry-after"] {
        assert!(exposed.contains(header), "{exposed}");
    }
    let got = open.call("OPTIONS", "/v1/wagers", &origin, Body::empty()).await;
    assert!(got.header("access-control-allow-headers").unwrap().contains("stakehold-wait-ms"));
    for bad in ["*", "desk.example", "https://", "https://desk.example/path"] {
        config.cors_origins = vec![bad.to_owned()];
        assert!(config.origins().is_err(), "{bad}");
    }
}
