//! Every refusal has its status, its code and its way to retry.

use engine::door::Request;
use model::{Answer, Refusal, Text, WagerAnswer};
use node::NodeHandle;
use serde_json::{Value, json};

use crate::support::{WAGER, config, desk, gbp};

fn refusals() -> Vec<(Refusal, u16, &'static str, &'static str)> {
    let text = Text::new;
    vec![
        (Refusal::Malformed { field: text("unit_stake"), why: text("is too fine") }, 422, "malformed", "no"),
        (Refusal::Malformed { field: text("total_stake"), why: text("is off") }, 422, "stake_mismatch", "no"),
        (Refusal::IdReused, 409, "id_reused", "new_id"),
        (Refusal::NotOwner { region: 2 }, 503, "not_owner", "same_id"),
        (Refusal::IdHorizon, 422, "id_horizon", "new_id"),
        (
            Refusal::InsufficientLocalFunds { spendable_here: 150, elsewhere: 1_000, currency: gbp() },
            503,
            "insufficient_local_funds",
            "same_id",
        ),
        (Refusal::ReplicationWindow { spendable_here: 150, currency: gbp() }, 503, "replication_window", "same_id"),
        (Refusal::RegionUnreachable { region: text("us") }, 503, "region_unreachable", "same_id"),
        (Refusal::TokenAhead, 503, "token_ahead", "same_id"),
        (Refusal::TokenUnknownSite, 422, "token_unknown_site", "same_id"),
        (Refusal::NotReady { why: text("catching up") }, 503, "not_ready", "same_id"),
        (Refusal::Overloaded { what: text("parked") }, 503, "overloaded", "same_id"),
        (Refusal::AccountUnknown, 404, "account_unknown", "same_id"),
        (Refusal::MarketUnknown, 404, "market_unknown", "same_id"),
        (Refusal::SelectionUnknown, 404, "selection_unknown", "same_id"),
    ]
}

fn check(got: &crate::support::Got, status: u16, code: &str, retry: &str) -> Value {
    let body = got.problem(status, code);
    assert_eq!((&body["recorded"], &body["retry"]), (&json!(false), &json!(retry)), "{body}");
    assert_eq!(body["decided"], code == "id_reused", "{body}");
    assert_eq!(got.header("retry-after").is_some(), status == 503, "{body}");
    assert_eq!(body.get("retry_after_ms").is_some(), status == 503, "{body}");
    body
}

#[tokio::test]
async fn of_one_wager_and_of_the_whole_call() {
    for (refusal, status, code, retry) in refusals() {
        let one = refusal.clone();
        let desk_one = desk(move |_| Answer::Placed(vec![WagerAnswer::Refused(one.clone())]));
        let got = desk_one.post("/v1/wagers", WAGER).await;
        check(&got, status, code, retry);
        let desk_all = desk(move |_| Answer::Refused(refusal.clone()));
        let got = desk_all.post("/v1/wagers", WAGER).await;
        check(&got, status, code, retry);
        let got = desk_all.post("/v1/wagers/batch", &format!(r#"{{"items":[{WAGER}]}}"#)).await;
        check(&got, status, code, retry);
    }
}

#[tokio::test]
async fn they_say_what_helps() {
    let funds = Refusal::InsufficientLocalFunds { spendable_here: 150, elsewhere: 1_000, currency: gbp() };
    let desk_funds = desk(move |_| Answer::Placed(vec![WagerAnswer::Refused(funds.clone())]));
    let body = desk_funds.post("/v1/wagers", WAGER).await.json();
    assert_eq!((&body["spendable_here"], &body["elsewhere"]), (&json!("1.50"), &json!("10.00")));
    let desk_owner = desk(|_| Answer::Placed(vec![WagerAnswer::Refused(Refusal::NotOwner { region: 7 })]));
    let body = desk_owner.post("/v1/wagers", WAGER).await.json();
    assert_eq!(body["owner"], json!({"region": "7", "number": 7}), "a region without a name has its number");
    let desk_field =
        desk(|_| Answer::Refused(Refusal::Malformed { field: Text::new("amount"), why: Text::new("is too fine") }));
    let got = desk_field.post("/v1/accounts/p@eu/deposits", DEPOSIT).await;
    got.problem(422, "malformed");
    assert_eq!(got.fields(), ["amount"]);
}

const DEPOSIT: &str = r#"{"id":"018bcfe5-6800-8001-8000-00000000002a","amount":"1.00"}"#;

#[tokio::test]
async fn of_other_calls_they_say_nothing_of_decisions() {
    let desk_market = desk(|_| Answer::Refused(Refusal::MarketUnknown));
    let body = desk_market.get("/v1/markets/m:1").await.problem(404, "market_unknown");
    assert_eq!((body.get("decided"), body.get("retry")), (None, None));
    let desk_account = desk(|_| Answer::Refused(Refusal::CurrencyDiffers { has: gbp() }));
    let put = ("PUT", "/v1/accounts/p@eu", r#"{"currency":"EUR"}"#);
    let got = desk_account.call(put.0, put.1, &[], put.2.into()).await;
    assert_eq!(got.problem(409, "currency_differs")["has"], "GBP");
    let desk_clock = desk(|_| Answer::Refused(Refusal::ClockBack { now_ms: 1_000 }));
    let now = r#"{"now":"1970-01-01T00:00:00.500Z"}"#;
    let body = desk_clock.post("/admin/v1/clock", now).await.problem(409, "clock_back");
    assert_eq!(body["now"], "1970-01-01T00:00:01.000Z");
    let desk_real = desk(|_| Answer::Refused(Refusal::ClockNotReplay));
    desk_real.post("/admin/v1/clock", now).await.problem(409, "clock_not_replay");
    let desk_alive = desk(|_| Answer::Refused(Refusal::SourceOlder));
    desk_alive.post("/v1/producers/p/alive", "").await.problem(409, "source_older");
}

#[tokio::test]
async fn an_expired_posting_is_no_success() {
    let desk = desk(|_| Answer::Refused(Refusal::IdExpired));
    let body = desk.post("/v1/accounts/p@eu/deposits", DEPOSIT).await.problem(422, "id_expired");
    assert_eq!((&body["decided"], &body["recorded"], &body["retry"]), (&json!(true), &json!(false), &json!("new_id")));
}

#[tokio::test]
async fn an_answer_of_another_kind_is_a_bug_said_aloud() {
    let desk = desk(|_| Answer::Odds(model::OddsReport { applied: 0, ignored: 0, refused: vec![] }));
    desk.post("/v1/wagers", WAGER).await.problem(500, "internal");
    desk.get("/v1/producers").await.problem(500, "internal");
}

fn router_over(node: NodeHandle) -> crate::support::Desk {
    crate::support::Desk::over(node, config())
}

#[tokio::test]
async fn a_full_queue_is_overloaded_and_nothing_was_decided() {
    let (node, _requests) = NodeHandle::channel(1);
    let waiting = node.clone();
    let held = tokio::spawn(async move { waiting.ask(Request::Query(model::Query::Clock), None, 0).await });
    tokio::task::yield_now().await;
    let desk = router_over(node);
    let got = desk.post("/v1/wagers", WAGER).await;
    check(&got, 503, "overloaded", "same_id");
    assert_eq!(got.header("retry-after"), Some("1"));
    held.abort();
}

#[tokio::test]
async fn a_node_that_stops_before_it_answers_leaves_it_unknown() {
    let (node, mut requests) = NodeHandle::channel(4);
    tokio::spawn(async move {
        while let Some(envelope) = requests.recv().await {
            drop(envelope);
        }
    });
    let desk = router_over(node);
    // Not 503: of that the contract says that nothing was decided.
    let body = desk.post("/v1/wagers", WAGER).await.problem(502, "answer_lost");
    assert_eq!(body["decided"], Value::Null);
    assert_eq!((body.get("decided").is_some(), &body["retry"]), (true, &json!("same_id")));
    desk.get("/v1/markets/m:1").await.problem(503, "not_ready");
    desk.get("/health/ready").await.problem(503, "not_ready");
    assert_eq!(desk.get("/health/live").await.status, 200);
}
