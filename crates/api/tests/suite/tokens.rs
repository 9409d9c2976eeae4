//! The token: in, joined, and out on every answer.

use axum::body::Body;
use engine::door::Request;
use model::{Answer, Query, Refusal, Token};

use crate::support::{Desk, Got, desk, token};

fn clerk() -> Desk {
    desk(|request| match request {
        Request::Query(Query::Producers) => Answer::Producers(vec![]),
        _ => Answer::Refused(Refusal::TokenAhead),
    })
}

/// Base64url of a token, made here by the long way round.
fn text(token: &Token) -> String {
    let bits: String = token.encode().iter().map(|b| format!("{b:08b}")).collect();
    let alphabet: Vec<char> = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['-', '_']).collect();
    let six = |chunk: &[u8]| {
        let padded = format!("{:0<6}", std::str::from_utf8(chunk).unwrap());
        alphabet[usize::from_str_radix(&padded, 2).unwrap()]
    };
    bits.as_bytes().chunks(6).map(six).collect()
}

async fn producers(headers: &[(&str, &str)]) -> (Desk, Got) {
    let desk = clerk();
    let got = desk.call("GET", "/v1/producers", headers, Body::empty()).await;
    (desk, got)
}

#[tokio::test]
async fn without_one_the_answer_has_what_the_node_had_seen() {
    let (desk, got) = producers(&[]).await;
    assert_eq!(got.header("stakehold-token"), Some(&*text(&token(&[(1, 5)]))));
    assert_eq!((&desk.asked()[0].token, desk.asked()[0].wait_ms), (&None, 500));
}

#[tokio::test]
async fn several_are_joined_and_covered_by_the_answer() {
    let (a, b, c) = (text(&token(&[(1, 3)])), text(&token(&[(2, 7)])), text(&token(&[(1, 4), (3, 1)])));
    let listed = format!("{b}, {c}");
    let headers = [("stakehold-token", &*a), ("stakehold-token", &*listed), ("stakehold-wait-ms", "5000")];
    let (desk, got) = producers(&headers).await;
    let asked = &desk.asked()[0];
    assert_eq!(asked.token, Some(token(&[(1, 4), (2, 7), (3, 1)])));
    assert_eq!(asked.wait_ms, 5_000);
    assert_eq!(got.header("stakehold-token"), Some(&*text(&token(&[(1, 5), (2, 7), (3, 1)]))));
    assert_eq!(got.header("stakehold-stale"), None);
}

#[tokio::test]
async fn with_wait_0_an_answer_that_lags_says_that_it_is_stale() {
    let ahead = text(&token(&[(1, 6)]));
    let (_, got) = producers(&[("stakehold-token", &ahead), ("stakehold-wait-ms", "0")]).await;
    assert_eq!((got.status.as_u16(), got.header("stakehold-stale")), (200, Some("true")));
    assert_eq!(got.header("stakehold-token"), Some(&*ahead));
    let known = text(&token(&[(1, 5)]));
    let (_, got) = producers(&[("stakehold-token", &known), ("stakehold-wait-ms", "0")]).await;
    assert_eq!(got.header("stakehold-stale"), None);
}

#[tokio::test]
async fn errors_carry_it_too_wherever_they_come_from() {
    let sent = text(&token(&[(2, 7)]));
    let desk = clerk();
    let headers = [("stakehold-token", &*sent)];
    let got = desk.call("GET", "/v1/markets/m:1", &headers, Body::empty()).await;
    got.problem(503, "token_ahead");
    assert_eq!(got.header("stakehold-token"), Some(&*text(&token(&[(1, 5), (2, 7)]))));
    let got = desk.call("POST", "/v1/wagers", &headers, Body::from("nonsense")).await;
    got.problem(422, "malformed_json");
    assert_eq!(got.header("stakehold-token"), Some(&*sent));
    let got = desk.call("GET", "/no/such/call", &headers, Body::empty()).await;
    got.problem(404, "not_found");
    assert_eq!(got.header("stakehold-token"), Some(&*sent));
}

#[tokio::test]
async fn a_bad_one_and_a_bad_wait_are_refused_by_name() {
    let long = "A".repeat(513);
    for bad in ["", "!", "nonsense", &*long, "AAAA,AAAA"] {
        let (desk, got) = producers(&[("stakehold-token", bad)]).await;
        got.problem(422, "token_malformed");
        assert_eq!(got.fields(), ["header stakehold-token"]);
        assert!(desk.asked().is_empty());
    }
    let one = text(&token(&[(1, 1)]));
    let many = vec![one; 17].join(",");
    producers(&[("stakehold-token", &many)]).await.1.problem(422, "token_malformed");
    for bad in ["", "-1", "+1", "soon", "30001", "1.5"] {
        let (_, got) = producers(&[("stakehold-wait-ms", bad)]).await;
        got.problem(422, "malformed");
        assert_eq!(got.fields(), ["header stakehold-wait-ms"]);
    }
}

#[tokio::test]
async fn a_token_never_grows_beyond_what_a_header_may_hold() {
    let crowd: Vec<(u16, u64)> = (100..135).map(|region| (region, 1 << 20)).collect();
    let more: Vec<(u16, u64)> = (200..235).map(|region| (region, 1 << 20)).collect();
    let (a, b) = (text(&token(&crowd)), text(&token(&more)));
    assert!(a.len() <= 512 && b.len() <= 512, "{} {}", a.len(), b.len());
    let (_, got) = producers(&[("stakehold-token", &a), ("stakehold-token", &b)]).await;
    assert_eq!(got.header("stakehold-token"), Some(&*text(&token(&[(1, 5)]))));
}
