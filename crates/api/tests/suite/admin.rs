//! What operators see, health and metrics.

use crdt::{Site, Vector};
use engine::door::Request;
use model::{
    Answer, ClockView, Command, DigestView, Hash16, LinkView, LogView, Mint, ProducerId, ProducerView, ReadyView,
    RegionView, RegionsView, RejectCode, ReplicationView, SnapshotView, Text,
};
use serde_json::json;

use crate::support::desk;

fn logs() -> Vec<LogView> {
    vec![LogView {
        site: Site::new(1, 1),
        index: 9,
        hash: Hash16([1; 16]),
        digest: Hash16([2; 16]),
        stopped: Some(Text::new("bad entry 10")),
    }]
}

fn odds() -> Vector {
    [(Site::new(2, 1), 4)].into_iter().collect()
}

#[tokio::test]
async fn regions_replication_and_digest() {
    let here = RegionView { region: 1, name: Text::new("eu"), here: true, connected: true, reached_through: None };
    let view = RegionsView { cluster: Text::new("c"), site: Site::new(1, 1), regions: vec![here] };
    let desk_regions = desk(move |_| Answer::Regions(view.clone()));
    assert_eq!(
        desk_regions.get("/admin/v1/regions").await.json(),
        json!({"cluster": "c", "site": "1.1.0", "regions": [{"number": 1, "name": "eu", "here": true, "connected": true, "reached_through": null}]})
    );

    let link = LinkView {
        region: 2,
        name: Text::new("us"),
        connected: true,
        site: Some(Site::new(2, 1)),
        acked: 8,
        odds_dirty: 3,
    };
    let cuts = vec![(Site::new(1, 1), 2)];
    let snapshot = Some(SnapshotView { from: Some(2), pages: 3, taken: None });
    let view = ReplicationView { ack_floor: 7, logs: logs(), links: vec![link], odds: odds(), cuts, snapshot };
    let desk_replication = desk(move |_| Answer::Replication(view.clone()));
    let log = json!({"index": 9, "hash": "01".repeat(16), "digest": "02".repeat(16), "stopped": "bad entry 10"});
    assert_eq!(
        desk_replication.get("/admin/v1/replication").await.json(),
        json!({"ack_floor": 7, "logs": {"1.1.0": log}, "odds": {"2.1.0": 4}, "cuts": {"1.1.0": 2},
            "snapshot": {"from": 2, "pages": 3, "taken": null}, "links": [
            {"number": 2, "name": "us", "connected": true, "site": "2.1.0", "acked": 8, "odds_dirty": 3}]})
    );

    let view = DigestView { logs: logs(), odds: odds(), odds_digest: Hash16([3; 16]), ledger_digest: Hash16([4; 16]) };
    let desk_digest = desk(move |_| Answer::Digest(view.clone()));
    assert_eq!(
        desk_digest.get("/admin/v1/digest").await.json(),
        json!({"log": {"1.1.0": log}, "odds": {"vector": {"2.1.0": 4}, "digest": "03".repeat(16)},
            "ledger": {"digest": "04".repeat(16)}})
    );
}

#[tokio::test]
async fn the_clock_is_read_and_set() {
    let desk = desk(|_| {
        let mint = Mint { region: 1, incarnation: 1, now_ms: 1_500, place_by_ms_max: 2_000 };
        Answer::Clock(ClockView { now_ms: 1_500, replay: true, peer_ahead_ms_max: 2, mint })
    });
    let body = desk.get("/admin/v1/clock").await.json();
    assert_eq!(
        (&body["now"], &body["now_ms"], &body["replay"]),
        (&json!("1970-01-01T00:00:01.500Z"), &json!(1500), &json!(true))
    );
    assert_eq!(desk.post("/admin/v1/clock", r#"{"now":"1970-01-01T00:00:01.5Z"}"#).await.status, 200);
    assert_eq!(desk.asked()[1].request, Request::Command(Command::SetClock { now_ms: 1_500 }));
    for bad in ["{}", r#"{"now":1500}"#, r#"{"now":"1970-01-01"}"#, r#"{"now":"1970-02-30T00:00:00Z"}"#] {
        let got = desk.post("/admin/v1/clock", bad).await;
        got.problem(422, "malformed");
        assert_eq!(got.fields(), ["now"]);
    }
}

#[tokio::test]
async fn producers_are_heard_and_shown() {
    let view = ProducerView {
        producer: ProducerId::new("desk:eu").unwrap(),
        up: false,
        refusal: Some(RejectCode::ProducerDown),
        age_ms: None,
    };
    let desk = desk(move |_| Answer::Producers(vec![view.clone()]));
    let shown =
        json!({"producers": [{"producer": "desk:eu", "up": false, "refusal": "producer_down", "age_ms": null}]});
    assert_eq!(desk.get("/v1/producers").await.json(), shown);
    let path = "/v1/producers/desk:eu/alive";
    assert_eq!(desk.post(path, "").await.json(), shown);
    assert_eq!(desk.post(path, r#"{"source_time":"1970-01-01T00:00:01Z"}"#).await.status, 200);
    desk.post(path, r#"{"source_time":"now"}"#).await.problem(422, "malformed");
    let alive = |source_time_ms| {
        Request::Command(Command::Alive { producer: ProducerId::new("desk:eu").unwrap(), source_time_ms })
    };
    let asked = desk.asked();
    assert_eq!((&asked[1].request, &asked[2].request), (&alive(None), &alive(Some(1_000))));
}

#[tokio::test]
async fn readiness_is_told_by_function() {
    let ready = |replication: Option<&str>| {
        let replication = replication.map(Text::new);
        desk(move |_| Answer::Ready(ReadyView { money: None, odds: None, replication: replication.clone() }))
    };
    let got = ready(None).get("/health/ready").await;
    assert_eq!((got.status.as_u16(), &got.json()["ready"]), (200, &json!(true)));
    let got = ready(Some("hears nobody")).get("/health/ready").await;
    assert_eq!((got.status.as_u16(), got.header("retry-after")), (503, Some("1")));
    assert_eq!(
        got.json(),
        json!({"ready": false, "money": {"ready": true}, "odds": {"ready": true},
            "replication": {"ready": false, "why": "hears nobody"}})
    );
}

#[tokio::test]
async fn metrics_are_the_nodes_own_text() {
    let got = desk(|_| panic!("not asked")).get("/metrics").await;
    assert_eq!(got.body, "stakehold_up 1\n");
    assert!(got.header("content-type").unwrap().starts_with("text/plain; version=0.0.4"));
}
