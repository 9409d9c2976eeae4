//! Sessions.

use axum::body::Body;
use crdt::{Hlc, Site};
use engine::door::Request;
use model::limits::{SESSION_LIFE_MS, WAGER_HORIZON_MS};
use model::{AccountId, Answer, ClockView, Command, Mint, MintedId, Query, Refusal, Session, SessionView, Text};
use serde_json::json;

use crate::support::{ID, config, desk, desk_with};

const NOW_MS: u64 = 1_700_000_000_123;

fn mint() -> Mint {
    Mint { region: 2, incarnation: 3, now_ms: NOW_MS, place_by_ms_max: NOW_MS + WAGER_HORIZON_MS }
}

fn session(id: MintedId) -> Session {
    let at = Hlc::new(NOW_MS, 0);
    Session { id, account: AccountId::new("p@eu").unwrap(), channel: Text::new("web"), at }
}

#[tokio::test]
async fn a_session_is_opened_under_a_fresh_id_and_says_where_to_go_on() {
    let mut config = config();
    config.urls = [(2, "https://us.example".to_owned())].into();
    let desk = desk_with(config, |request| match request {
        Request::Query(Query::Mint) => {
            Answer::Clock(ClockView { now_ms: NOW_MS, replay: false, peer_ahead_ms_max: 0, mint: mint() })
        }
        Request::Command(Command::OpenSession { id, .. }) => Answer::Session(SessionView {
            session: session(id),
            home: Site::new(1, 1),
            moving_here: true,
            mint: mint(),
        }),
        other => panic!("asked for {other:?}"),
    });
    let got = desk.post("/v1/accounts/p@eu/sessions", r#"{"channel":"web"}"#).await;
    assert_eq!(got.status, 201);
    let id = MintedId::mint(NOW_MS + SESSION_LIFE_MS, 2, 3, 1);
    let account = AccountId::new("p@eu").unwrap();
    let asked = Command::OpenSession { id, account, channel: Text::new("web") };
    assert_eq!(desk.asked()[1].request, Request::Command(asked));
    assert_eq!(
        got.json(),
        json!({
            "session": id.to_string(), "account": "p@eu", "channel": "web", "region": "us",
            "home": {"region": "eu", "moving_here": true},
            "regions": [{"name": "eu"}, {"name": "us", "url": "https://us.example"}],
            "mint": {"region": 2, "name": "us", "incarnation": 3, "now_ms": NOW_MS,
                "place_by_ms_max": NOW_MS + WAGER_HORIZON_MS},
            "opened_at": "2023-11-14T22:13:20.123Z", "expires_at": "2023-12-14T22:13:20.123Z",
        })
    );
}

#[tokio::test]
async fn a_session_is_ended_once_and_stays_ended() {
    for replayed in [false, true] {
        let desk = desk(move |_| Answer::SessionEnded {
            session: session(MintedId::parse(ID).unwrap()),
            at: Hlc::new(NOW_MS, 1),
            replayed,
        });
        let got = desk.call("DELETE", &format!("/v1/sessions/{ID}"), &[], Body::empty()).await;
        assert_eq!((got.status.as_u16(), got.header("stakehold-replayed")), (200, replayed.then_some("true")));
        let ended =
            json!({"session": ID, "account": "p@eu", "status": "ended", "ended_at": "2023-11-14T22:13:20.123Z"});
        assert_eq!(got.json(), ended);
        let id = MintedId::parse(ID).unwrap();
        assert_eq!(desk.asked()[0].request, Request::Command(Command::EndSession { id }));
    }
}

#[tokio::test]
async fn bad_sessions_are_refused_by_name() {
    let nobody = desk(|request| panic!("asked for {request:?}"));
    for body in ["{}", r#"{"channel":"Web"}"#, r#"{"channel":""}"#] {
        let got = nobody.post("/v1/accounts/p@eu/sessions", body).await;
        got.problem(422, "malformed");
        assert_eq!(got.fields(), ["channel"], "{body}");
    }
    let got = nobody.call("DELETE", "/v1/sessions/x", &[], Body::empty()).await;
    got.problem(422, "malformed");
    assert_eq!(got.fields(), ["session"]);
    let unknown = desk(|_| Answer::Refused(Refusal::SessionUnknown));
    let got = unknown.call("DELETE", &format!("/v1/sessions/{ID}"), &[], Body::empty()).await;
    got.problem(404, "session_unknown");
}
