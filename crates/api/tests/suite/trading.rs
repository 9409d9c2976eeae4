//! Suspensions of every scope, lists of events and markets, wagers that wait for a delay, odds at the edge.

use crdt::{Hlc, Site};
use engine::door::Request;
use model::{
    AccountId, Answer, Command, DelayView, EventKey, EventView, EventsQuery, MarketKey, MintedId, Query, SaleScope,
    Sport, Suspension, SuspensionView, Text, WagerAnswer, WagerView,
};
use serde_json::json;

use crate::support::{ID, desk};

fn event(name: &str) -> EventKey {
    EventKey::new(name).unwrap()
}

fn scopes() -> [(&'static str, Suspension); 5] {
    [
        (r#"{"scope":"all"}"#, Suspension::Sale(SaleScope::All)),
        (
            r#"{"scope":"sport","key":"Ice hockey"}"#,
            Suspension::Sale(SaleScope::Sport(Sport::new("Ice hockey").unwrap())),
        ),
        (r#"{"scope":"event","key":"sr:match:1"}"#, Suspension::Sale(SaleScope::Event(event("sr:match:1")))),
        (r#"{"scope":"market","key":"m:1"}"#, Suspension::Market(MarketKey::new("m:1").unwrap())),
        (r#"{"scope":"account","key":"p@eu"}"#, Suspension::Account(AccountId::new("p@eu").unwrap())),
    ]
}

#[tokio::test]
async fn every_scope_is_suspended_and_lifted() {
    for (body, scope) in scopes() {
        for (method, lift) in [("POST", false), ("DELETE", true)] {
            let by = if lift { vec![] } else { vec![(Site::new(1, 1), Hlc::new(1_700_000_000_123, 0))] };
            let shown = SuspensionView { scope: scope.clone(), by };
            let desk = desk(move |_| Answer::Suspended(shown.clone()));
            let got = desk.call(method, "/v1/suspensions", &[], body.into()).await;
            assert_eq!(got.status, 200);
            let command = Command::Suspend { scope: scope.clone(), lift };
            assert_eq!(desk.asked()[0].request, Request::Command(command));
            let said = got.json();
            assert_eq!((&said["scope"], &said["suspended"]), (&json!(scope.scope()), &json!(!lift)));
            assert_eq!(said["key"], json!(scope.key()));
            if !lift {
                assert_eq!(said["by"], json!([{"region": "eu", "at": "2023-11-14T22:13:20.123Z"}]));
            }
        }
    }
}

#[tokio::test]
async fn bad_scopes_are_refused_by_name() {
    let desk = desk(|request| panic!("asked for {request:?}"));
    let long = format!(r#"{{"scope":"event","key":"{}"}}"#, "x".repeat(201));
    for (body, fields) in [
        ("{}", &["scope"][..]),
        (r#"{"scope":"world"}"#, &["scope"]),
        (r#"{"scope":"sport"}"#, &["key"]),
        (r#"{"scope":"sport","key":""}"#, &["key"]),
        (r#"{"scope":"all","key":"x"}"#, &["key"]),
        (r#"{"scope":"account","key":"p"}"#, &["key"]),
        (r#"{"scope":"event","key":"a b"}"#, &["key"]),
        (&long, &["key"]),
        (r#"{"scope":"all","why":"x"}"#, &["why"]),
        (r#"{"scope":7}"#, &["scope"]),
    ] {
        for method in ["POST", "DELETE"] {
            let got = desk.call(method, "/v1/suspensions", &[], body.to_owned().into()).await;
            got.problem(422, "malformed");
            assert!(fields.iter().all(|f| got.fields().iter().any(|g| g == f)), "{body}: {:?}", got.fields());
        }
    }
}

#[tokio::test]
async fn suspensions_are_listed_and_the_next_page_begins_after_the_last() {
    let list: Vec<SuspensionView> =
        scopes().into_iter().map(|(_, scope)| SuspensionView { scope, by: vec![] }).collect();
    for view in list.clone() {
        let one = view.clone();
        let desk = desk(move |_| Answer::Suspensions { list: vec![one.clone()], more: true });
        let got = desk.get("/v1/suspensions?limit=1").await;
        assert_eq!(got.status, 200);
        let next = got.json()["next"].as_str().unwrap().to_owned();
        desk.get(&format!("/v1/suspensions?after={}", next.replace(' ', "%20"))).await;
        let asked = desk.asked();
        let (first, then) = (&asked[0].request, &asked[1].request);
        assert_eq!(*first, Request::Query(Query::Suspensions { after: None, limit: 1 }));
        assert_eq!(*then, Request::Query(Query::Suspensions { after: Some(view.scope), limit: 100 }));
    }
    let desk = desk(move |_| Answer::Suspensions { list: list.clone(), more: false });
    assert!(desk.get("/v1/suspensions").await.json()["next"].is_null());
    for bad in ["limit=0", "limit=1001", "limit=x", "after=world:1", "after=event:a%20b", "from=1", "limit=1&limit=1"] {
        desk.get(&format!("/v1/suspensions?{bad}")).await.problem(422, "malformed");
    }
}

#[tokio::test]
async fn events_are_asked_for_by_what_is_stated_of_them() {
    let view = EventView {
        event: event("e:1"),
        sports: vec![Text::new("tennis")],
        start_ms: 1_700_000_000_000,
        in_play: true,
        markets: 3,
    };
    let desk = desk(move |_| Answer::Events { list: vec![view.clone()], next: Some(event("e:1")) });
    let path =
        "/v1/events?sport=tennis&from=2023-11-14T00:00:00Z&to=2023-11-15T00:00:00Z&in_play=true&limit=7&after=e:0";
    let got = desk.get(path).await;
    let shown = json!({"event": "e:1", "sports": ["tennis"], "start": "2023-11-14T22:13:20.000Z", "in_play": true,
        "markets": 3});
    assert_eq!(got.json(), json!({"events": [shown], "next": "e:1"}));
    let asked = EventsQuery {
        sport: Some(Text::new("tennis")),
        from_ms: Some(1_699_920_000_000),
        to_ms: Some(1_700_006_400_000),
        in_play: Some(true),
        after: Some(event("e:0")),
        limit: 7,
    };
    assert_eq!(desk.asked()[0].request, Request::Query(Query::Events(Box::new(asked))));
    for bad in ["from=today", "to=1", "in_play=yes", "after=a%20b", "limit=1001", "league=x", "sport=a&sport=b"] {
        desk.get(&format!("/v1/events?{bad}")).await.problem(422, "malformed");
    }
    assert_eq!(desk.asked().len(), 1);
}

#[tokio::test]
async fn markets_are_asked_for_by_event_or_by_name() {
    let unknown = MarketKey::new("m:2").unwrap();
    let desk = desk(move |_| Answer::Markets { list: vec![], unknown: vec![unknown.clone()], next: None });
    let got = desk.get("/v1/markets?event=e:1&after=m:1&limit=500").await;
    assert_eq!(got.json(), json!({"markets": [], "unknown": ["m:2"], "next": null}));
    let after = Some(MarketKey::new("m:1").unwrap());
    let query = Query::EventMarkets { event: event("e:1"), after, limit: 500 };
    assert_eq!(desk.asked()[0].request, Request::Query(query));
    assert_eq!(desk.post("/v1/markets/query", r#"{"markets":["m:1","m:2"]}"#).await.status, 200);
    let names = ["m:1", "m:2"].map(|n| MarketKey::new(n).unwrap()).to_vec();
    assert_eq!(desk.asked()[1].request, Request::Query(Query::Markets(names)));
    for bad in ["", "?event=", "?event=a%20b", "?event=e&limit=501", "?event=e&sport=x"] {
        desk.get(&format!("/v1/markets{bad}")).await.problem(422, "malformed");
    }
    let many = format!(r#"{{"markets":[{}]}}"#, vec![r#""m""#; 501].join(","));
    for bad in ["{}", r#"{"markets":[]}"#, r#"{"markets":["a b"]}"#, r#"{"markets":[7]}"#, r#"{"markets":"m"}"#, &many]
    {
        desk.post("/v1/markets/query", bad).await.problem(422, "malformed");
    }
    assert_eq!(desk.asked().len(), 2);
}

#[tokio::test]
async fn a_wager_that_waits_for_a_delay_is_pending_with_its_end() {
    let delay = DelayView { owner: 1, asked_ms: 1_700_000_000_000, due_ms: 1_700_000_005_000 };
    let desk_place = desk(move |_| Answer::Placed(vec![WagerAnswer::Delayed(delay)]));
    let body = format!(
        r#"{{"id":"{ID}","account":"p@eu","unit_stake":"1.00","legs":[{{"market":"m:1","outcome":"7","odds":"2"}}]}}"#
    );
    let got = desk_place.post("/v1/wagers", &body).await;
    assert_eq!(got.status, 202);
    let pending = json!({
        "id": ID, "status": "pending", "final": false, "recorded": true, "owner": "eu", "why": "bet_delay",
        "since": "2023-11-14T22:13:20.000Z", "resolves_by": "2023-11-14T22:13:25.000Z",
        "follow": format!("/v1/wagers/{ID}"),
    });
    assert_eq!(got.json(), pending);
    let batch = desk_place.post("/v1/wagers/batch", &format!(r#"{{"items":[{body}]}}"#)).await;
    let item = &batch.json()["items"][0];
    assert_eq!((&item["http_status"], &item["body"]), (&json!(202), &pending));
    let id = MintedId::parse(ID).unwrap();
    let desk_read = desk(move |_| Answer::Wager { id, view: WagerView::Delayed(delay) });
    let said = desk_read.get(&format!("/v1/wagers/{ID}")).await.json();
    assert_eq!(
        (&said["status"], &said["why"], &said["definitive"]),
        (&json!("pending"), &json!("bet_delay"), &json!(false))
    );
}

#[tokio::test]
async fn odds_need_not_lie_on_a_ladder_and_are_refused_only_at_or_below_one_or_unrepresentable() {
    let place = |odds: &str| {
        format!(
            r#"{{"id":"{ID}","account":"p@eu","unit_stake":"1.00","legs":[{{"market":"m:1","outcome":"7","odds":"{odds}"}}]}}"#
        )
    };
    let fine =
        ["1.005", "3.01", "1001", "1.0000001", "8/13", "1/1000", "-110", "+100", "+99", "-99", "-100000", "2.37"];
    let bad =
        ["1", "1.0", "0.99", "0", "-0", "+0", "0/1", "1/0", "--110", "1e3", "NaN", "", "5000000000", "1/5000000000"];
    let delay = DelayView { owner: 1, asked_ms: 1, due_ms: 2 };
    let taken = desk(move |_| Answer::Placed(vec![WagerAnswer::Delayed(delay)]));
    for odds in fine {
        assert_eq!(taken.post("/v1/wagers", &place(odds)).await.status, 202, "{odds}");
    }
    let nothing = desk(|request| panic!("asked for {request:?}"));
    for odds in bad {
        let got = nothing.post("/v1/wagers", &place(odds)).await;
        assert_eq!(got.status, 422, "{odds}");
        assert_eq!(got.fields(), ["legs[0].odds"], "{odds}");
    }
}
