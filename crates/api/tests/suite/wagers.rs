//! Wagers: every status of the contract, the parsed request, the batch, and what GET says.

use std::sync::Arc;

use crdt::Hlc;
use engine::door::Request;
use model::{
    Amount, Answer, Command, Decision, MintedId, Odds, OddsPolicy, Problem, Query, Refusal, RejectCode, TicketView,
    WagerAnswer, WagerState, WagerView,
};
use serde_json::json;

use crate::support::{ID, WAGER, desk, record};

fn decided(decision: Decision, replayed: bool) -> Answer {
    Answer::Placed(vec![WagerAnswer::Decided { record: Arc::new(record(decision)), replayed }])
}

#[tokio::test]
async fn a_wager_is_asked_as_it_was_written_and_answered_201() {
    let desk = desk(|_| decided(Decision::Accepted, false));
    let body = format!(
        r#"{{"id":"{ID}","account":"p@eu","unit_stake":"10.50","total_stake":"10.5","odds_policy":"higher","wait_ms":2000,
        "client_ref":"r","durability":"local","each_way":false,
        "legs":[{{"market":"uof:sr:match:1;18;total=2.5","outcome":"7@-1.5","odds":"-110"}}]}}"#
    );
    let got = desk.post("/v1/wagers", &body).await;
    assert_eq!(got.status, 201);
    assert_eq!(
        got.json(),
        json!({
            "id": ID, "status": "accepted", "final": true, "recorded": true, "account": "p@eu", "currency": "GBP",
            "lines": 1, "unit_stake": "10.00", "total_stake": "10.00", "each_way": false, "rounding": "floor",
            "potential_payout": "16.15", "region": "eu",
            "placed_at": "2023-11-14T22:13:20.123Z", "problems": [],
            "legs": [{"market": "m:1", "outcome": "7", "odds": "8/13",
                "display": {"decimal": "1.615", "fractional": "8/13", "american": "-163"}}],
        })
    );
    assert_eq!(got.header("stakehold-replayed"), None);
    let asked = &desk.asked()[0];
    assert_eq!(asked.wait_ms, 2_000);
    let Request::Command(Command::Place(wagers)) = &asked.request else { panic!("{asked:?}") };
    let wager = &wagers[0];
    assert_eq!(wager.id, MintedId::parse(ID).unwrap());
    assert_eq!((wager.unit_stake.to_string(), wager.policy), ("10.50".to_owned(), OddsPolicy::Higher));
    assert_eq!(wager.legs[0].odds, Odds::new(21, 11).unwrap());
    assert_eq!(wager.legs[0].outcome.as_str(), "7@-1.5");
    assert_eq!(wager.client_ref.as_ref().unwrap().as_str(), "r");
}

#[tokio::test]
async fn a_rejection_is_200_and_names_the_problems_of_all_legs() {
    let odds = Some(Odds::parse("2.35").unwrap());
    let problems = vec![
        Problem { leg: Some(0), code: RejectCode::OddsChanged, odds },
        Problem { leg: None, code: RejectCode::InsufficientFunds, odds: None },
    ];
    let desk = desk(move |_| decided(Decision::Rejected(problems.clone()), false));
    let got = desk.post("/v1/wagers", WAGER).await;
    let body = got.json();
    assert_eq!((got.status.as_u16(), &body["status"], &body["final"]), (200, &json!("rejected"), &json!(true)));
    assert_eq!(body["problems"][0]["code"], "odds_changed");
    assert_eq!(body["problems"][0]["odds"], "2.35");
    assert_eq!(body["problems"][1], json!({"leg": null, "code": "insufficient_funds"}));
}

#[tokio::test]
async fn a_repeat_is_200_and_says_so() {
    let desk = desk(|_| decided(Decision::Accepted, true));
    let got = desk.post("/v1/wagers", WAGER).await;
    assert_eq!((got.status.as_u16(), got.header("stakehold-replayed")), (200, Some("true")));
    assert_eq!(got.json()["status"], "accepted");
}

#[tokio::test]
async fn an_expired_id_is_rejected_for_good_without_a_record() {
    let desk = desk(|_| Answer::Placed(vec![WagerAnswer::Refused(Refusal::IdExpired)]));
    let got = desk.post("/v1/wagers", WAGER).await;
    assert_eq!(got.status, 200);
    assert_eq!(
        got.json(),
        json!({"id": ID, "status": "rejected", "final": true, "recorded": false,
            "problems": [{"leg": null, "code": "id_expired"}]})
    );
}

#[tokio::test]
async fn a_batch_answers_item_by_item_in_order() {
    let desk = desk(|request| {
        let Request::Command(Command::Place(wagers)) = request else { panic!("{request:?}") };
        assert_eq!(wagers.len(), 3, "the two faulty ones are not asked");
        Answer::Placed(vec![
            WagerAnswer::Decided { record: Arc::new(record(Decision::Accepted)), replayed: false },
            WagerAnswer::Refused(Refusal::NotOwner { region: 2 }),
            WagerAnswer::Decided { record: Arc::new(record(Decision::Accepted)), replayed: true },
        ])
    });
    let odd = WAGER.replace("7.4", "1.0");
    let unknown = WAGER.replace("\"account\"", "\"acount\"");
    let got = desk.post("/v1/wagers/batch", &format!(r#"{{"items":[{WAGER},{odd},{WAGER},{unknown},{WAGER}]}}"#)).await;
    assert_eq!(got.status, 200);
    let body = got.json();
    let items = body["items"].as_array().unwrap();
    let statuses: Vec<_> = items.iter().map(|i| i["http_status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [201, 422, 503, 422, 200]);
    assert_eq!(items[0]["body"]["status"], "accepted");
    assert_eq!(items[1]["body"]["errors"][0]["field"], "legs[0].odds");
    assert_eq!(items[1]["body"]["recorded"], false);
    assert_eq!(items[2]["body"]["owner"], json!({"region": "us", "number": 2}));
    assert_eq!(items[3]["body"]["errors"][0]["field"], "acount");
    assert_eq!(items[3]["body"]["errors"][1]["field"], "account");
    assert_eq!((&items[4]["replayed"], items[0].get("replayed")), (&json!(true), None));
}

#[tokio::test]
async fn a_batch_that_is_none_is_refused_as_a_whole() {
    let desk = desk(|_| panic!("nothing is asked"));
    for body in ["[]", "{}", r#"{"items":{}}"#, r#"{"items":[],"more":1}"#, r#"{"items":7}"#] {
        desk.post("/v1/wagers/batch", body).await.problem(422, "malformed");
    }
    desk.post("/v1/wagers/batch", r#"{"items":["#).await.problem(422, "malformed_json");
    let many = format!(r#"{{"items":[{}{{}}]}}"#, "{},".repeat(2_800));
    desk.post("/v1/wagers/batch", &many).await.problem(413, "body_too_large");
}

async fn view(view: WagerView) -> serde_json::Value {
    let desk = desk(move |request| {
        let id = MintedId::parse(ID).unwrap();
        assert_eq!(request, Request::Query(Query::Wager(id)));
        Answer::Wager { id, view: view.clone() }
    });
    let got = desk.get(&format!("/v1/wagers/{ID}")).await;
    assert_eq!(got.status, 200);
    got.json()
}

#[tokio::test]
async fn get_says_what_is_known_and_whether_it_can_still_change() {
    let open = view(WagerView::NotPlaced { definitive: false }).await;
    assert_eq!(open, json!({"id": ID, "status": "not_placed", "definitive": false, "owner": "eu"}));
    assert_eq!(view(WagerView::NotPlaced { definitive: true }).await["definitive"], true);
    let unknown = view(WagerView::Unknown { owner: 2 }).await;
    assert_eq!(unknown, json!({"id": ID, "status": "unknown", "definitive": false, "owner": "us"}));
}

/// Owner `us` cannot be heard since 2023-11-14T22:14:20Z.
fn ticket() -> TicketView {
    TicketView { owner: 2, opened_ms: 1_700_000_060_000 }
}

#[tokio::test]
async fn a_wager_whose_owner_cannot_be_heard_is_202_pending() {
    let desk = desk(|_| Answer::Placed(vec![WagerAnswer::Ticket(ticket())]));
    let got = desk.post("/v1/wagers", WAGER).await;
    assert_eq!((got.status.as_u16(), got.header("stakehold-replayed")), (202, None));
    assert!(got.header("stakehold-token").is_some());
    let place_by = feeds::instant::format_utc_ms(MintedId::parse(ID).unwrap().place_by_ms());
    assert_eq!(
        got.json(),
        json!({"id": ID, "status": "pending", "final": false, "recorded": true, "owner": "us",
            "why": "owner_unreachable", "since": "2023-11-14T22:14:20.000Z", "resolves_by": place_by,
            "follow": format!("/v1/wagers/{ID}")})
    );
}

#[tokio::test]
async fn a_pending_item_of_a_batch_is_202_by_itself() {
    let desk = desk(|_| {
        Answer::Placed(vec![
            WagerAnswer::Ticket(ticket()),
            WagerAnswer::Decided { record: Arc::new(record(Decision::Accepted)), replayed: false },
            WagerAnswer::Refused(Refusal::IdReused),
        ])
    });
    let got = desk.post("/v1/wagers/batch", &format!(r#"{{"items":[{WAGER},{WAGER},{WAGER}]}}"#)).await;
    let body = got.json();
    let statuses: Vec<_> =
        body["items"].as_array().unwrap().iter().map(|i| i["http_status"].as_u64().unwrap()).collect();
    assert_eq!((got.status.as_u16(), statuses), (200, vec![202, 201, 409]));
    assert_eq!(body["items"][0]["body"]["why"], "owner_unreachable");
}

#[tokio::test]
async fn get_and_abandon_of_a_pending_id_say_what_it_waits_for() {
    let body = view(WagerView::Ticket(ticket())).await;
    assert_eq!(
        (&body["status"], &body["definitive"], &body["owner"]),
        (&json!("pending"), &json!(false), &json!("us"))
    );
    assert_eq!((&body["why"], &body["follow"]), (&json!("owner_unreachable"), &json!(format!("/v1/wagers/{ID}"))));
    assert!(body["resolves_by"].is_string() && body["since"].is_string(), "{body}");
    let desk = desk(|_| Answer::Wager { id: MintedId::parse(ID).unwrap(), view: WagerView::Ticket(ticket()) });
    let got = desk.post(&format!("/v1/wagers/{ID}/abandon"), "").await;
    assert_eq!((got.status.as_u16(), &got.json()["status"]), (200, &json!("pending")));
}

#[tokio::test]
async fn get_of_a_settled_wager_tells_its_trail() {
    let mut settled = record(Decision::Accepted);
    settled.state = WagerState::Won;
    settled.paid = Amount::from_minor(1_615).unwrap();
    settled.settled_version = 2;
    settled.settled_at = Hlc::new(1_700_000_060_000, 0);
    let body = view(WagerView::Known(Arc::new(settled))).await;
    assert_eq!((&body["status"], &body["state"], &body["paid"]), (&json!("accepted"), &json!("won"), &json!("16.15")));
    assert_eq!(body["definitive"], true);
    assert_eq!(
        body["events"],
        json!([
            {"event": "placed", "at": "2023-11-14T22:13:20.123Z", "entry": 9},
            {"event": "settled", "at": "2023-11-14T22:14:20.000Z", "version": 2, "state": "won", "paid": "16.15"},
        ])
    );
}

#[tokio::test]
async fn get_of_a_rejected_wager_has_no_state() {
    let problems = vec![Problem { leg: Some(0), code: RejectCode::NoPrice, odds: None }];
    let body = view(WagerView::Known(Arc::new(record(Decision::Rejected(problems))))).await;
    assert_eq!((&body["status"], body.get("state"), body.get("paid")), (&json!("rejected"), None, None));
    assert_eq!(body["problems"][0]["code"], "no_price");
    assert_eq!(body["events"][0]["event"], "rejected");
}

#[tokio::test]
async fn get_of_what_is_no_id_is_refused() {
    let desk = desk(|_| panic!("nothing is asked"));
    let body = desk.get("/v1/wagers/6f9619ff-8b86-4011-b42d-00c04fc964ff").await.problem(422, "malformed");
    assert!(body["detail"].as_str().unwrap().contains("version 8"), "{body}");
}

#[tokio::test]
async fn a_batch_without_one_good_item_is_answered_without_the_node() {
    let desk = desk(|request| panic!("asked for {request:?}"));
    let got = desk.post("/v1/wagers/batch", r#"{"items":[{},7]}"#).await;
    assert_eq!(got.status, 200);
    assert_eq!(got.json()["items"][0]["http_status"], 422);
    assert_eq!(got.json()["items"][1]["body"]["code"], "malformed");
    assert_eq!(desk.post("/v1/wagers/batch", r#"{"items":[]}"#).await.json(), json!({"items": []}));
}

#[tokio::test]
async fn a_closed_id_is_not_placed_for_good() {
    let desk = desk(|_| Answer::Placed(vec![WagerAnswer::Refused(Refusal::IdClosed)]));
    let got = desk.post("/v1/wagers", WAGER).await;
    assert_eq!(got.status, 200);
    assert_eq!(got.json(), json!({"id": ID, "status": "not_placed", "final": true, "recorded": true, "problems": []}));
}

#[tokio::test]
async fn abandoning_and_cancelling_ask_for_the_same_and_only_an_operator_gives_a_reason() {
    let id = MintedId::parse(ID).unwrap();
    let abandon = desk(move |request| {
        assert_eq!(request, Request::Command(Command::CloseWager { id, reason: None }));
        Answer::Wager { id, view: WagerView::NotPlaced { definitive: true } }
    });
    let got = abandon.post(&format!("/v1/wagers/{ID}/abandon"), "").await;
    let body = got.json();
    assert_eq!((got.status.as_u16(), &body["status"], &body["definitive"]), (200, &json!("not_placed"), &json!(true)));
    let cancel = desk(move |request| {
        let reason = model::Text::new("a wrong price");
        assert_eq!(request, Request::Command(Command::CancelWager { id, reason, share: None }));
        Answer::Refused(Refusal::WagerAccepted)
    });
    let got = cancel.post(&format!("/v1/wagers/{ID}/cancel"), r#"{"reason":"a wrong price"}"#).await;
    got.problem(409, "wager_accepted");
    let got = cancel.post(&format!("/v1/wagers/{ID}/cancel"), "{}").await;
    got.problem(422, "malformed");
}

fn prepared() -> Arc<model::WagerRecord> {
    Arc::new(model::WagerRecord { prepared: Some(true), ..record(Decision::Accepted) })
}

#[tokio::test]
async fn a_geo_wager_is_202_until_it_counts_and_says_where_to_follow_it() {
    for replayed in [false, true] {
        let answer = Answer::Placed(vec![WagerAnswer::AwaitingAck { record: prepared(), replayed }]);
        let desk = desk(move |_| answer.clone());
        let got = desk.post("/v1/wagers", &WAGER.replace("\"account\"", "\"durability\":\"geo\",\"account\"")).await;
        assert_eq!((got.status.as_u16(), got.header("stakehold-replayed")), (202, None));
        let body = got.json();
        assert_eq!(
            (&body["status"], &body["final"], &body["recorded"]),
            (&json!("pending"), &json!(false), &json!(true))
        );
        assert_eq!((&body["why"], &body["resolves_by"]), (&json!("awaiting_ack"), &json!(null)));
        assert_eq!(body["follow"], format!("/v1/wagers/{ID}"));
        assert_eq!((&body["total_stake"], &body["problems"]), (&json!("10.00"), &json!([])));
        let Request::Command(Command::Place(wagers)) = &desk.asked()[0].request else { panic!() };
        assert_eq!(wagers[0].durability, model::Durability::Geo);
    }
}

#[tokio::test]
async fn a_geo_wager_that_counts_is_answered_like_any_other() {
    for (replayed, status) in [(false, 201), (true, 200)] {
        let answer = Answer::Placed(vec![WagerAnswer::Decided { record: prepared(), replayed }]);
        let got = desk(move |_| answer.clone()).post("/v1/wagers", WAGER).await;
        assert_eq!((got.status.as_u16(), got.header("stakehold-replayed")), (status, replayed.then_some("true")));
        let body = got.json();
        assert_eq!((&body["status"], &body["final"]), (&json!("accepted"), &json!(true)));
        assert_eq!((body.get("why"), body.get("follow")), (None, None));
    }
}

#[tokio::test]
async fn get_of_a_pending_wager_says_why_and_tells_no_settlement() {
    let mut settled = model::WagerRecord::clone(&prepared());
    (settled.state, settled.settled_version) = (WagerState::Won, 1);
    settled.paid = Amount::from_minor(1_615).unwrap();
    let body = view(WagerView::AwaitingAck(Arc::new(settled.clone()))).await;
    assert_eq!(
        (&body["status"], &body["definitive"], &body["final"]),
        (&json!("pending"), &json!(false), &json!(false))
    );
    assert_eq!((&body["why"], &body["follow"]), (&json!("awaiting_ack"), &json!(format!("/v1/wagers/{ID}"))));
    assert_eq!((body.get("state"), body.get("paid")), (None, None));
    assert_eq!(body["events"], json!([{"event": "prepared", "at": "2023-11-14T22:13:20.123Z", "entry": 9}]));
    let body = view(WagerView::Known(Arc::new(settled))).await;
    assert_eq!((&body["status"], &body["state"]), (&json!("accepted"), &json!("won")));
}

#[tokio::test]
async fn an_item_whose_owner_is_cut_off_is_202_by_itself() {
    let desk = desk(|_| {
        Answer::Placed(vec![
            WagerAnswer::AwaitingAck { record: prepared(), replayed: false },
            WagerAnswer::Decided { record: Arc::new(record(Decision::Accepted)), replayed: false },
        ])
    });
    let body = desk.post("/v1/wagers/batch", &format!(r#"{{"items":[{WAGER},{WAGER}]}}"#)).await.json();
    let items = body["items"].as_array().unwrap();
    assert_eq!((&items[0]["http_status"], &items[1]["http_status"]), (&json!(202), &json!(201)));
    assert_eq!((&items[0]["body"]["status"], &items[0]["body"]["why"]), (&json!("pending"), &json!("awaiting_ack")));
    assert_eq!(items[1]["body"]["status"], "accepted");
}
