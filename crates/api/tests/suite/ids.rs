//! Minting.

use std::collections::BTreeSet;

use model::limits::{POSTING_HORIZON_MS, WAGER_HORIZON_MS};
use model::{Answer, ClockView, Mint, MintedId};
use serde_json::json;

use crate::support::{Desk, desk};

const NOW_MS: u64 = 1_700_000_000_000;

fn clocked() -> Desk {
    desk(|_| {
        let mint = Mint { region: 2, incarnation: 3, now_ms: NOW_MS, place_by_ms_max: NOW_MS + WAGER_HORIZON_MS };
        Answer::Clock(ClockView { now_ms: NOW_MS, replay: false, peer_ahead_ms_max: 0, mint })
    })
}

async fn minted(query: &str) -> Vec<MintedId> {
    let body = clocked().post(&format!("/v1/ids{query}"), "").await.json();
    assert_eq!(
        body["mint"],
        json!({"region": 2, "name": "us", "incarnation": 3, "now_ms": NOW_MS,
            "place_by_ms_max": NOW_MS + WAGER_HORIZON_MS})
    );
    body["ids"].as_array().unwrap().iter().map(|id| MintedId::parse(id.as_str().unwrap()).unwrap()).collect()
}

#[tokio::test]
async fn ids_carry_their_origin_and_no_two_are_equal() {
    let ids = minted("?count=1000").await;
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 1_000);
    for id in ids {
        assert_eq!((id.region(), id.incarnation_residue(), id.place_by_ms()), (2, 3, NOW_MS + 60_000));
    }
}

#[tokio::test]
async fn how_long_they_hold_follows_what_they_are_for() {
    assert_eq!(minted("").await[0].place_by_ms(), NOW_MS + 60_000);
    assert_eq!(minted("?for=wager&place_by_ms=5000").await[0].place_by_ms(), NOW_MS + 5_000);
    let posting = minted("?for=posting").await[0].place_by_ms();
    assert!(posting > NOW_MS + POSTING_HORIZON_MS - 7_200_000 && posting < NOW_MS + POSTING_HORIZON_MS);
}

#[tokio::test]
async fn wishes_out_of_range_are_refused_by_name() {
    let desk = clocked();
    for (query, fields) in [
        ("?count=0", &["query count"][..]),
        ("?count=10001", &["query count"]),
        ("?count=x&for=fun", &["query count", "query for"]),
        ("?place_by_ms=86400001", &["query place_by_ms"]),
        ("?for=posting&place_by_ms=3024000001", &["query place_by_ms"]),
        ("?number=1", &["query number"]),
        ("?count=1&count=2", &["query count"]),
    ] {
        let got = desk.post(&format!("/v1/ids{query}"), "").await;
        got.problem(422, "malformed");
        assert_eq!(got.fields(), fields, "{query}");
    }
    assert!(desk.asked().is_empty());
}
