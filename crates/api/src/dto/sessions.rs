//! Sessions, both ways.

use std::collections::BTreeMap;

use model::{AccountId, MintedId, Session, SessionView, Text};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::config::ApiConfig;
use crate::dto::ids::MintOut;
use crate::dto::shown::{Shown, Time};
use crate::strict::{Body, Faults, Str};

/// Opens a session.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = OpenSession)]
#[serde(deny_unknown_fields)]
pub(crate) struct SessionIn<'a> {
    /// Where the player is: 1 to 32 characters of `a-z 0-9 _ -`.
    #[serde(borrow)]
    #[schema(value_type = String, required, example = "web")]
    channel: Option<Str<'a>>,
}

/// Reads the channel.
pub(crate) struct SessionBody;

impl Body for SessionBody {
    type In<'a> = SessionIn<'a>;
    type Parsed = Text;

    fn parse(input: SessionIn<'_>, faults: &mut Faults) -> Option<Text> {
        faults.need("channel", input.channel.as_ref(), |text| {
            if Session::is_channel(text) {
                Ok(Text::new(text))
            } else {
                Err("must have 1 to 32 characters of a-z 0-9 _ -")
            }
        })
    }
}

/// An open session, and what its player needs to go on.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Session)]
pub(crate) struct SessionOut<'a> {
    #[schema(value_type = String)]
    session: Shown<MintedId>,
    #[schema(value_type = String)]
    account: Shown<&'a AccountId>,
    channel: &'a str,
    /// The region that opened it.
    region: String,
    home: HomeOut,
    /// Every region, and where clients find it.
    regions: Vec<RegionOut<'a>>,
    mint: MintOut,
    #[schema(value_type = String, format = DateTime)]
    opened_at: Time,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Time,
}

/// Where the account's rights are.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SessionHome)]
pub(crate) struct HomeOut {
    region: String,
    /// Whether it was asked to come here; it comes unless it has moved too lately or too often.
    moving_here: bool,
}

/// A region as a client finds it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SessionRegion)]
pub(crate) struct RegionOut<'a> {
    name: &'a str,
    /// Absent where the topology names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
}

impl<'a> SessionOut<'a> {
    pub(crate) fn of(view: &'a SessionView, config: &'a ApiConfig) -> Self {
        let session = &view.session;
        let urls: &BTreeMap<u16, String> = &config.urls;
        let region = |(number, name): (&u16, &'a String)| RegionOut { name, url: urls.get(number).map(String::as_str) };
        Self {
            session: Shown(session.id),
            account: Shown(&session.account),
            channel: session.channel.as_str(),
            region: config.region(session.id.region()),
            home: HomeOut { region: config.region(view.home.region), moving_here: view.moving_here },
            regions: config.regions.iter().map(region).collect(),
            mint: MintOut::of(view.mint, config),
            opened_at: Time(session.at.ms()),
            expires_at: Time(session.id.place_by_ms()),
        }
    }
}

/// A session that is ended, for good.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EndedSession)]
pub(crate) struct EndedOut<'a> {
    #[schema(value_type = String)]
    session: Shown<MintedId>,
    #[schema(value_type = String)]
    account: Shown<&'a AccountId>,
    /// Always `ended`.
    status: &'static str,
    #[schema(value_type = String, format = DateTime)]
    ended_at: Time,
}

impl<'a> EndedOut<'a> {
    pub(crate) fn of(session: &'a Session, ended_ms: u64) -> Self {
        let (id, account) = (Shown(session.id), Shown(&session.account));
        Self { session: id, account, status: "ended", ended_at: Time(ended_ms) }
    }
}
