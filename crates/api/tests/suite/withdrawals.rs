//! Withdrawals: what each route asks of the node, how every state of one is shown, and every way to be refused.

use crdt::{Hlc, Site};
use engine::door::Request;
use model::{
    AccountId, Amount, Answer, Command, Currency, Hash16, MintedId, Posting, PostingAct, Query, Refusal, Withdrawal,
    WithdrawalState,
};
use serde_json::{Value, json};

use crate::support::{Got, ID, desk, gbp};

const PATH: &str = "/v1/accounts/p@eu/withdrawals";
const ONE: &str = "/v1/accounts/p@eu/withdrawals/018bcfe5-6800-8001-8000-00000000002a";
const BODY: &str = r#"{"id":"018bcfe5-6800-8001-8000-00000000002a","amount":"10.50"}"#;
/// Every state of a withdrawal with what is held of it: status, and the words for it.
const STATES: [(WithdrawalState, bool, u16, &str, Option<&str>); 5] = [
    (WithdrawalState::Prepared, false, 202, "pending", Some("awaiting_ack")),
    (WithdrawalState::Prepared, true, 200, "held", None),
    (WithdrawalState::Insufficient, false, 200, "rejected", Some("insufficient_funds")),
    (WithdrawalState::Confirmed, false, 200, "confirmed", None),
    (WithdrawalState::Released, false, 200, "released", None),
];

fn account() -> AccountId {
    AccountId::new("p@eu").unwrap()
}

fn id() -> MintedId {
    MintedId::parse(ID).unwrap()
}

fn posting(act: Option<PostingAct>) -> Posting {
    let (amount, at) = (Amount::from_minor(1_050).unwrap(), Hlc::new(1_700_000_000_123, 0));
    Posting { id: id(), account: account(), amount, body: Hash16::default(), at, site: Site::new(2, 1), act }
}

fn stands(state: WithdrawalState, held: bool, replayed: bool) -> Answer {
    let act = Some(PostingAct::Withdrawal(Withdrawal { entry: 9, state }));
    Answer::Withdrawal { posting: posting(act), currency: gbp(), held, replayed }
}

fn shown(status: &str, reason: Option<&str>) -> Value {
    let mut body = json!({
        "id": ID, "account": "p@eu", "amount": "10.50", "currency": "GBP", "status": status, "region": "us",
        "decided_at": "2023-11-14T22:13:20.123Z",
    });
    if let Some(reason) = reason {
        body["reason"] = reason.into();
    }
    body
}

#[tokio::test]
async fn every_route_shows_every_state_and_whether_it_is_a_repeat() {
    let id = id();
    for (state, held, status, word, reason) in STATES {
        for replayed in [false, true] {
            let desk = desk(move |_| stands(state, held, replayed));
            let got = [
                desk.post(PATH, BODY).await,
                desk.get(ONE).await,
                desk.post(&format!("{ONE}/confirm"), "").await,
                desk.post(&format!("{ONE}/release"), "").await,
            ];
            for got in &got {
                assert_eq!((got.status.as_u16(), got.json()), (status, shown(word, reason)));
                assert_eq!(got.header("stakehold-replayed"), replayed.then_some("true"), "{word}");
                assert!(got.header("stakehold-token").is_some());
            }
            let amount = "10.50".parse().unwrap();
            let resolve = |confirm| Command::ResolveWithdrawal { id, account: account(), confirm };
            let asked: Vec<Request> = desk.asked().into_iter().map(|a| a.request).collect();
            let wanted = [
                Request::Command(Command::Withdraw { id, account: account(), amount }),
                Request::Query(Query::Withdrawal(account(), id)),
                Request::Command(resolve(true)),
                Request::Command(resolve(false)),
            ];
            assert_eq!(asked, wanted);
        }
    }
}

#[tokio::test]
async fn an_amount_is_in_the_places_of_its_currency() {
    let yen = Currency::new("JPY").unwrap();
    let act = Some(PostingAct::Withdrawal(Withdrawal { entry: 9, state: WithdrawalState::Prepared }));
    let answer = Answer::Withdrawal { posting: posting(act), currency: yen, held: true, replayed: false };
    let desk = desk(move |_| answer.clone());
    let body = desk.get(ONE).await.json();
    assert_eq!((&body["amount"], &body["currency"]), (&json!("1050"), &json!("JPY")));
}

/// Asks all that decides, and the read, of a node that refuses.
async fn refused(refusal: Refusal) -> (Vec<Got>, Got) {
    let desk = desk(move |_| Answer::Refused(refusal.clone()));
    let deciding = vec![
        desk.post(PATH, BODY).await,
        desk.post(&format!("{ONE}/confirm"), "").await,
        desk.post(&format!("{ONE}/release"), "").await,
    ];
    (deciding, desk.get(ONE).await)
}

#[tokio::test]
async fn a_refusal_says_what_is_known_and_how_to_go_on() {
    let cases = [
        (Refusal::NotHeldYet, 409, "not_held_yet", false, "same_id"),
        (Refusal::DebtOutstanding, 409, "debt_outstanding", false, "same_id"),
        (Refusal::WithdrawalConfirmed, 409, "withdrawal_confirmed", false, "no"),
        (Refusal::WithdrawalReleased, 409, "withdrawal_released", false, "no"),
        (Refusal::WithdrawalRefused, 409, "withdrawal_refused", false, "no"),
        (Refusal::IdReused, 409, "id_reused", true, "new_id"),
        (Refusal::WithdrawalUnknown, 404, "withdrawal_unknown", false, "same_id"),
        (Refusal::AccountUnknown, 404, "account_unknown", false, "same_id"),
        (Refusal::IdHorizon, 422, "id_horizon", false, "new_id"),
        (Refusal::IdExpired, 422, "id_expired", true, "new_id"),
        (Refusal::NotOwner { region: 2 }, 503, "not_owner", false, "same_id"),
    ];
    for (refusal, status, code, decided, retry) in cases {
        let (deciding, read) = refused(refusal).await;
        for got in deciding {
            let body = got.problem(status, code);
            let said = (&body["decided"], &body["recorded"], &body["retry"]);
            assert_eq!(said, (&json!(decided), &json!(false), &json!(retry)), "{body}");
        }
        let body = read.problem(status, code);
        assert!(body.get("decided").is_none(), "a read decides nothing: {body}");
    }
}

#[tokio::test]
async fn what_is_malformed_is_refused_by_name_and_never_asked() {
    let desk = desk(|request| panic!("asked for {request:?}"));
    for amount in
        ["\"0\"", "\"0.00\"", "\"-1\"", "\"1.2345\"", "\"1e3\"", "\"\"", "\"10,50\"", "\"+1\"", "10.5", "null"]
    {
        let body = format!(r#"{{"id":"{ID}","amount":{amount}}}"#);
        let got = desk.post(PATH, &body).await;
        let problem = got.problem(422, "malformed");
        assert_eq!(got.fields(), ["amount"], "{body}");
        assert_eq!((&problem["decided"], &problem["recorded"]), (&json!(false), &json!(false)));
    }
    let huge = "9".repeat(29);
    let cases = [
        (format!(r#"{{"id":"{ID}","amount":"{huge}"}}"#), vec!["amount"]),
        ("{}".to_owned(), vec!["amount", "id"]),
        (r#"{"id":"x","amount":"-1"}"#.to_owned(), vec!["amount", "id"]),
        (format!(r#"{{"id":"{ID}","amount":"1","account":"q@eu"}}"#), vec!["account"]),
        // A payment provider's reference names deposits alone.
        (format!(r#"{{"id":"{ID}","amount":"1","provider":"p"}}"#), vec!["provider"]),
    ];
    for (body, fields) in cases {
        let got = desk.post(PATH, &body).await;
        let mut named = got.fields();
        named.sort();
        assert_eq!((got.status.as_u16(), named), (422, fields.into_iter().map(str::to_owned).collect()), "{body}");
    }
    for (path, field) in [
        ("/v1/accounts/p/withdrawals", "account"),
        ("/v1/accounts/p/withdrawals/018bcfe5-6800-8001-8000-00000000002a/confirm", "account"),
        ("/v1/accounts/p@eu/withdrawals/7/confirm", "id"),
        ("/v1/accounts/p@eu/withdrawals/7/release", "id"),
    ] {
        let got = desk.post(path, BODY).await;
        got.problem(422, "malformed");
        assert_eq!(got.fields(), [field], "{path}");
    }
    let got = desk.get("/v1/accounts/p@eu/withdrawals/7").await;
    got.problem(422, "malformed");
    assert_eq!(got.fields(), ["id"]);
}

#[tokio::test]
async fn what_is_no_withdrawal_is_never_shown_as_one() {
    // An engine that answers so has a bug: the caller is told that, and not that money is held.
    let desk = desk(|_| Answer::Withdrawal { posting: posting(None), currency: gbp(), held: true, replayed: false });
    for got in [desk.post(PATH, BODY).await, desk.get(ONE).await, desk.post(&format!("{ONE}/confirm"), "").await] {
        assert_eq!(got.status, 500, "{:?}", got.body);
    }
}
