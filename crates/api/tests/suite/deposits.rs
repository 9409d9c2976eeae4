//! Deposits by a payment provider's reference.

use crdt::{Hlc, Site};
use engine::door::Request;
use model::{
    AccountId, Amount, Answer, Command, Hash16, MintedId, Posting, PostingAct, Received, Reference, ReferenceDecision,
    ReferenceOutcome, ReferenceRefusal, SentAmount,
};
use rust_decimal::Decimal;
use serde_json::json;

use crate::support::{ID, desk, gbp};

const PATH: &str = "/v1/accounts/p@eu/deposits";
const WEBHOOK: &str = r#"{"provider":"stripe","provider_ref":"ch_1/+","amount":"10.50"}"#;

fn account() -> AccountId {
    AccountId::new("p@eu").unwrap()
}

fn reference() -> Reference {
    Reference::new(&account(), "stripe", "ch_1/+").unwrap()
}

fn received() -> Received {
    let amount = SentAmount::of(Decimal::new(105, 1)).unwrap();
    let at = Hlc::new(1_700_000_000_123, 0);
    Received { reference: reference(), account: account(), amount, body: Hash16::default(), at }
}

fn decision(outcome: ReferenceOutcome) -> ReferenceDecision {
    let at = Hlc::new(1_700_000_000_124, 0);
    ReferenceDecision { received: received(), from: Site::new(2, 1), site: Site::new(1, 1), at, outcome }
}

#[tokio::test]
async fn a_webhook_is_asked_by_its_reference_and_answered_with_its_posting() {
    for (replayed, status) in [(false, 201), (true, 200)] {
        let posting = Posting {
            id: MintedId::parse(ID).unwrap(),
            account: account(),
            amount: Amount::from_minor(1_050).unwrap(),
            body: Hash16::default(),
            at: Hlc::new(1_700_000_000_123, 0),
            site: Site::new(1, 1),
            act: Some(PostingAct::Reference(reference())),
        };
        let desk = desk(move |_| Answer::Deposited { posting: posting.clone(), currency: gbp(), replayed });
        let got = desk.post(PATH, WEBHOOK).await;
        assert_eq!(got.status, status);
        assert_eq!(got.header("stakehold-replayed"), replayed.then_some("true"));
        assert_eq!(
            got.json(),
            json!({
                "id": ID, "account": "p@eu", "amount": "10.50", "currency": "GBP", "provider": "stripe",
                "provider_ref": "ch_1/+", "status": "posted", "region": "eu", "posted_at": "2023-11-14T22:13:20.123Z",
            })
        );
        let asked = desk.asked();
        let amount = Decimal::new(1_050, 2);
        let command = Command::DepositByReference { reference: reference(), account: account(), amount };
        assert_eq!(asked[0].request, Request::Command(command));
        assert_eq!(asked[0].wait_ms, 500, "the region waits for the decision by default");
    }
}

#[tokio::test]
async fn a_webhook_that_is_not_decided_yet_is_accepted() {
    let desk = desk(|_| Answer::Received(received()));
    let got = desk.post(PATH, WEBHOOK).await;
    assert_eq!(got.status, 202);
    assert_eq!(
        got.json(),
        json!({
            "provider": "stripe", "provider_ref": "ch_1/+", "account": "p@eu", "amount": "10.5", "status": "received",
            "region": "eu", "at": "2023-11-14T22:13:20.123Z", "follow": "/v1/accounts/p@eu/deposits",
        })
    );
}

#[tokio::test]
async fn a_webhook_that_was_refused_for_good_says_why() {
    let desk = desk(|_| Answer::ReferenceRefused {
        decision: decision(ReferenceOutcome::Refused(ReferenceRefusal::AccountUnknown)),
        replayed: true,
    });
    let got = desk.post(PATH, WEBHOOK).await;
    assert_eq!((got.status.as_u16(), got.header("stakehold-replayed")), (200, Some("true")));
    let body = got.json();
    assert_eq!((&body["status"], &body["reason"]), (&json!("rejected"), &json!("account_unknown")));
    assert_eq!((&body["at"], body.get("follow")), (&json!("2023-11-14T22:13:20.124Z"), None));
}

#[tokio::test]
async fn a_deposit_has_one_name() {
    let desk = desk(|request| panic!("asked for {request:?}"));
    let long = "r".repeat(201);
    let cases = [
        (format!(r#"{{"id":"{ID}","provider":"p","provider_ref":"r","amount":"1"}}"#), vec!["id"]),
        (r#"{"provider":"p","amount":"1"}"#.to_owned(), vec!["provider_ref"]),
        (r#"{"provider_ref":"r","amount":"1"}"#.to_owned(), vec!["provider"]),
        (
            r#"{"provider":"a b","provider_ref":"a b","amount":"0"}"#.to_owned(),
            vec!["amount", "provider", "provider_ref"],
        ),
        (r#"{"provider":"","provider_ref":"","amount":"1"}"#.to_owned(), vec!["provider", "provider_ref"]),
        (format!(r#"{{"provider":"p","provider_ref":"{long}","amount":"1"}}"#), vec!["provider_ref"]),
    ];
    for (body, fields) in cases {
        let got = desk.post(PATH, &body).await;
        got.problem(422, "malformed");
        assert_eq!(got.fields(), fields, "{body}");
    }
}
