//! Accounts and deposits.

use crdt::{Hlc, Site};
use engine::door::Request;
use model::{
    AccountId, AccountView, Adjustment, AdjustmentKind, Amount, Answer, Command, Hash16, MintedId, Posting, PostingAct,
    Query, ShareView, Text,
};
use serde_json::json;

use crate::support::{Desk, ID, desk, gbp};

fn view() -> AccountView {
    AccountView {
        account: AccountId::new("p@eu").unwrap(),
        currency: gbp(),
        balance: 100_000,
        spendable_here: 60_000,
        spendable_with_wait: 90_000,
        reserved: 1_000,
        in_transfer: 500,
        held: 0,
        debt: 0,
        home: Site::new(1, 1),
        excluded: false,
        shares: vec![
            ShareView { site: Site::new(1, 1), free: 60_000, reserved: 1_000 },
            ShareView { site: Site::new(2, 3), free: -5, reserved: 0 },
        ],
    }
}

#[tokio::test]
async fn an_account_is_opened_once_and_shown() {
    for (created, status) in [(true, 201), (false, 200)] {
        let desk = desk(move |_| Answer::AccountOpened { view: view(), created });
        let got = desk.call("PUT", "/v1/accounts/p@eu", &[], r#"{"currency":"GBP"}"#.into()).await;
        assert_eq!(got.status, status);
        assert_eq!(
            got.json(),
            json!({
                "account": "p@eu", "currency": "GBP", "balance": "1000.00", "spendable_here": "600.00",
                "spendable_with_wait": "900.00", "reserved": "10.00", "in_transfer": "5.00", "held": "0.00",
                "debt": "0.00",
                "home": "eu", "status": "open", "shares": [
                    {"region": "eu", "site": "1.1.0", "free": "600.00", "reserved": "10.00"},
                    {"region": "us", "site": "2.3.0", "free": "-0.05", "reserved": "0.00"},
                ],
            })
        );
        let account = AccountId::new("p@eu").unwrap();
        assert_eq!(desk.asked()[0].request, Request::Command(Command::OpenAccount { account, currency: gbp() }));
    }
}

#[tokio::test]
async fn an_account_is_read_by_its_name_however_it_is_escaped() {
    for path in ["/v1/accounts/p@eu", "/v1/accounts/p%40eu"] {
        let desk = desk(|_| Answer::Account(view()));
        assert_eq!(desk.get(path).await.status, 200);
        assert_eq!(desk.asked()[0].request, Request::Query(Query::Account(AccountId::new("p@eu").unwrap())));
    }
}

async fn refused(desk: &Desk, path: &str, method: &str, body: &str, code: &str, fields: &[&str]) {
    let got = desk.call(method, path, &[], body.to_owned().into()).await;
    got.problem(422, code);
    assert_eq!(got.fields(), fields, "{body}");
}

#[tokio::test]
async fn bad_accounts_and_deposits_are_refused_by_name() {
    let desk = desk(|request| panic!("asked for {request:?}"));
    let (account, deposits) = ("/v1/accounts/p@eu", "/v1/accounts/p@eu/deposits");
    refused(&desk, account, "PUT", "{}", "malformed", &["currency"]).await;
    refused(&desk, account, "PUT", r#"{"currency":"QQQ"}"#, "malformed", &["currency"]).await;
    refused(
        &desk,
        account,
        "PUT",
        r#"{"currency":"GBP","brand":"b","person":"q"}"#,
        "unsupported",
        &["brand", "person"],
    )
    .await;
    refused(&desk, "/v1/accounts/p", "PUT", r#"{"currency":"GBP"}"#, "malformed", &["account"]).await;
    refused(&desk, deposits, "POST", r#"{"id":"x","amount":"-1"}"#, "malformed", &["amount", "id"]).await;
    refused(&desk, deposits, "POST", r#"{"amount":5}"#, "malformed", &["amount", "id"]).await;
}

#[tokio::test]
async fn a_deposit_is_posted_once() {
    for (replayed, status) in [(false, 201), (true, 200)] {
        let id = MintedId::parse(ID).unwrap();
        let account = AccountId::new("p@eu").unwrap();
        let posting = Posting {
            id,
            account: account.clone(),
            amount: Amount::from_minor(1_050).unwrap(),
            body: Hash16::default(),
            at: Hlc::new(1_700_000_000_123, 0),
            site: Site::new(2, 1),
            act: None,
        };
        let desk = desk(move |_| Answer::Deposited { posting: posting.clone(), currency: gbp(), replayed });
        let got = desk.post("/v1/accounts/p@eu/deposits", &format!(r#"{{"id":"{ID}","amount":"10.50"}}"#)).await;
        assert_eq!(got.status, status);
        assert_eq!(got.header("stakehold-replayed"), replayed.then_some("true"));
        assert_eq!(
            got.json(),
            json!({"id": ID, "account": "p@eu", "amount": "10.50", "currency": "GBP", "status": "posted",
                "region": "us", "posted_at": "2023-11-14T22:13:20.123Z"})
        );
        let amount = "10.50".parse().unwrap();
        assert_eq!(desk.asked()[0].request, Request::Command(Command::Deposit { id, account, amount }));
    }
}

#[tokio::test]
async fn an_adjustment_is_posted_with_its_reason() {
    let adjustment = Adjustment {
        kind: AdjustmentKind::Chargeback,
        reason: Text::new("the bank took it back"),
        actor: Text::new("desk:us"),
        taken: true,
        debt: 50,
    };
    let posting = Posting {
        id: MintedId::parse(ID).unwrap(),
        account: AccountId::new("p@eu").unwrap(),
        amount: Amount::from_minor(1_050).unwrap(),
        body: Hash16::default(),
        at: Hlc::new(1_700_000_000_123, 0),
        site: Site::new(2, 1),
        act: Some(PostingAct::Adjustment(adjustment)),
    };
    let desk = desk(move |_| Answer::Deposited { posting: posting.clone(), currency: gbp(), replayed: false });
    let path = "/v1/accounts/p@eu/adjustments";
    let body = format!(r#"{{"id":"{ID}","amount":"-10.50","kind":"chargeback","reason":"the bank took it back"}}"#);
    let got = desk.post(path, &body).await;
    assert_eq!(got.status, 201);
    assert_eq!(
        got.json(),
        json!({"id": ID, "account": "p@eu", "amount": "-10.50", "currency": "GBP", "kind": "chargeback",
            "reason": "the bank took it back", "actor": "desk:us", "became_debt": "0.50", "status": "posted",
            "region": "us", "posted_at": "2023-11-14T22:13:20.123Z"})
    );
    let Request::Command(Command::Adjust { amount, .. }) = &desk.asked()[0].request else { panic!("another command") };
    assert_eq!(amount.to_string(), "-10.50");
    let bad = format!(r#"{{"id":"{ID}","amount":"--1","kind":"gift","reason":""}}"#);
    refused(&desk, path, "POST", &bad, "malformed", &["amount", "kind", "reason"]).await;
}
