//! Cash-outs, cancels of accepted wagers and the trail, as JSON.

use std::sync::Arc;

use crdt::{Hlc, Site};
use engine::door::Request;
use model::{
    Amount, Answer, CashOut, CashOutQuote, CashedWager, Command, Decision, Hash16, MintedId, Posting, PostingAct,
    Problem, Query, Refusal, RejectCode, Share, Step, StepKind, WagerRecord, WagerState, WagerView,
};
use serde_json::json;

use crate::support::{Desk, ID, desk, gbp, record};

const CASH_OUT: &str = "018bcfe5-6800-8001-8000-00000000002b";

fn amount(minor: u64) -> Amount {
    Amount::from_minor(minor).unwrap()
}

fn quote() -> CashOutQuote {
    let wager = MintedId::parse(ID).unwrap();
    let (stake, pays) = (amount(400), amount(570));
    CashOutQuote { wager, stake, pays, expires_ms: 1_700_000_005_000, seen: Hash16([3; 16]) }
}

fn quoting() -> Desk {
    desk(|_| Answer::CashOutQuoted { quote: quote(), currency: gbp() })
}

async fn text() -> String {
    let got = quoting().post(&format!("/v1/wagers/{ID}/cash-out/quote"), "").await;
    got.json()["quote"].as_str().unwrap().to_owned()
}

fn taken() -> (Posting, Arc<WagerRecord>) {
    let (id, wager) = (MintedId::parse(CASH_OUT).unwrap(), MintedId::parse(ID).unwrap());
    let act = Some(PostingAct::CashOut(CashedWager { wager, stake: amount(400) }));
    let before = record(Decision::Accepted);
    let (account, at) = (before.account.clone(), Hlc::new(1_700_000_001_000, 0));
    let posting = Posting { id, account, amount: amount(570), body: Hash16::default(), at, site: Site::new(1, 1), act };
    let what = StepKind::CashedOut(CashOut { id, stake: amount(400), pays: amount(570) });
    let step = Step { version: 1, at, state: WagerState::Open, paid: amount(570), what };
    (posting, Arc::new(before.after(step, amount(400), Vec::new())))
}

#[tokio::test]
async fn a_quote_is_asked_for_with_a_part_or_for_all() {
    let path = format!("/v1/wagers/{ID}/cash-out/quote");
    for (body, share) in [("", None), ("{}", None), (r#"{"fraction":"0.4"}"#, Some(Share::new(2, 5).unwrap()))] {
        let desk = quoting();
        let got = desk.post(&path, body).await;
        assert_eq!(got.status, 200);
        let told = got.json();
        assert_eq!((&told["stake"], &told["pays"], &told["currency"]), (&json!("4.00"), &json!("5.70"), &json!("GBP")));
        assert_eq!((&told["wager"], &told["expires_at"]), (&json!(ID), &json!("2023-11-14T22:13:25.000Z")));
        let id = MintedId::parse(ID).unwrap();
        assert_eq!(desk.asked()[0].request, Request::Query(Query::CashOut(id, share)));
    }
    for bad in [r#"{"fraction":"0"}"#, r#"{"fraction":"1.1"}"#, r#"{"fraction":0.4}"#, r#"{"part":"0.4"}"#] {
        quoting().post(&path, bad).await.problem(422, "malformed");
    }
}

#[tokio::test]
async fn the_offer_comes_back_as_it_was_given_and_is_answered_like_a_wager() {
    let body = format!(r#"{{"id":"{CASH_OUT}","quote":"{}"}}"#, text().await);
    for (replayed, status) in [(false, 201), (true, 200)] {
        let desk = desk(move |_| {
            let (posting, record) = taken();
            Answer::CashedOut { posting, record, replayed }
        });
        let got = desk.post(&format!("/v1/wagers/{ID}/cash-out"), &body).await;
        assert_eq!((got.status.as_u16(), got.header("stakehold-replayed")), (status, replayed.then_some("true")));
        let told = got.json();
        assert_eq!((&told["id"], &told["wager"], &told["status"]), (&json!(CASH_OUT), &json!(ID), &json!("accepted")));
        assert_eq!((&told["stake"], &told["pays"]), (&json!("4.00"), &json!("5.70")));
        assert_eq!((&told["state"], &told["paid"], &told["final"]), (&json!("open"), &json!("5.70"), &json!(true)));
        let [wager, id] = [ID, CASH_OUT].map(|id| MintedId::parse(id).unwrap());
        let asked = Command::CashOut { wager, id, quote: quote() };
        assert_eq!(desk.asked()[0].request, Request::Command(asked));
    }
    for bad in ["", "!!", "AAAA"] {
        let got = quoting().post(&format!("/v1/wagers/{ID}/cash-out"), &body.replace(&text().await, bad)).await;
        got.problem(422, "malformed");
        assert_eq!(got.fields(), ["quote"]);
    }
}

#[tokio::test]
async fn what_holds_no_longer_says_what_does() {
    let body = format!(r#"{{"id":"{CASH_OUT}","quote":"{}"}}"#, text().await);
    let path = format!("/v1/wagers/{ID}/cash-out");
    let refusing = |refusal: Refusal| desk(move |_| Answer::Refused(refusal.clone()));
    let told = refusing(Refusal::QuoteExpired { quote: quote(), currency: gbp() }).post(&path, &body).await;
    let told = told.problem(409, "quote_expired");
    assert_eq!((&told["quote"]["pays"], &told["decided"]), (&json!("5.70"), &json!(false)));
    assert_eq!((&told["quote"]["quote"], &told["retry"]), (&json!(text().await), &json!("same_id")));
    let problems = vec![Problem { leg: Some(1), code: RejectCode::MarketSuspended, odds: None }];
    let told = refusing(Refusal::CashOutUnavailable { problems }).post(&path, &body).await;
    let told = told.problem(409, "market_suspended");
    assert_eq!(told["problems"], json!([{"leg": 1, "code": "market_suspended"}]));
    let told = refusing(Refusal::WagerNotOpen { state: "won" }).post(&path, &body).await.problem(409, "wager_not_open");
    assert_eq!(told["state"], "won");
    refusing(Refusal::WagerUnknown).post(&path, &body).await.problem(404, "wager_unknown");
    refusing(Refusal::NotOwner { region: 2 }).post(&path, &body).await.problem(503, "not_owner");
}

#[tokio::test]
async fn an_operator_cancels_a_part_of_an_accepted_wager() {
    let (_, known) = taken();
    let id = MintedId::parse(ID).unwrap();
    let desk = desk(move |_| Answer::Wager { id, view: WagerView::Known(Arc::clone(&known)) });
    let path = format!("/v1/wagers/{ID}/cancel");
    let parts = [("0.25", Share::new(1, 4).unwrap()), ("0", Share::ZERO), ("1/3", Share::new(1, 3).unwrap())];
    for (n, (text, share)) in parts.into_iter().enumerate() {
        let body = format!(r#"{{"reason":"a wrong price","fraction":"{text}"}}"#);
        assert_eq!(desk.post(&path, &body).await.status, 200);
        let reason = model::Text::new("a wrong price");
        let asked = Command::CancelWager { id, reason, share: Some(share) };
        assert_eq!(desk.asked()[n].request, Request::Command(asked));
    }
    let got = desk.post(&path, r#"{"reason":"","fraction":"1.5"}"#).await;
    got.problem(422, "malformed");
    assert_eq!(got.fields(), ["reason", "fraction"]);
}

#[tokio::test]
async fn the_trail_is_told_in_order_with_what_was_dropped() {
    let (_, known) = taken();
    let cancelled = model::Cancelled { share: Share::HALF, reason: model::Text::new("late") };
    let at = Hlc::new(1_700_000_002_000, 0);
    let what = StepKind::Cancelled(cancelled);
    let step = Step { version: 5, at, state: WagerState::Void, paid: amount(1_170), what };
    let known = Arc::new(known.after(step, amount(1_000), vec![0]));
    let id = MintedId::parse(ID).unwrap();
    let desk = desk(move |_| Answer::Wager { id, view: WagerView::Known(Arc::clone(&known)) });
    let told = desk.get(&format!("/v1/wagers/{ID}")).await.json();
    assert_eq!((&told["state"], &told["paid"], &told["events_dropped"]), (&json!("void"), &json!("11.70"), &json!(3)));
    assert_eq!(told["legs"][0]["past_posted"], true);
    assert_eq!(told["cancelled"], json!({"fraction": "1/2", "reason": "late"}));
    let kinds: Vec<_> = told["events"].as_array().unwrap().iter().map(|e| e["event"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["placed", "cashed_out", "cancelled"]);
    assert_eq!((&told["events"][1]["cash_out"], &told["events"][1]["pays"]), (&json!(CASH_OUT), &json!("5.70")));
    assert_eq!((&told["events"][2]["fraction"], &told["events"][2]["paid"]), (&json!("1/2"), &json!("11.70")));
}
