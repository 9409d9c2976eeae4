//! A sequence of the Unified Odds Feed as it lies beside its messages: steps, and what is expected after each.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Everything of one sequence.
#[derive(Debug, Deserialize)]
pub(crate) struct Script {
    pub(crate) opening_balance_minor: i64,
    pub(crate) currency: String,
    minor_units: u32,
    pub(crate) producer_down_after_ms: u64,
    pub(crate) steps: Vec<Step>,
    #[serde(skip)]
    folder: PathBuf,
}

/// One step at a time of the replay clock.
#[derive(Debug, Deserialize)]
pub(crate) struct Step {
    pub(crate) step: usize,
    pub(crate) t: u64,
    #[serde(flatten)]
    pub(crate) act: Act,
    pub(crate) expect: Expect,
}

/// What is done.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum Act {
    Message { file: String },
    Place(Placement),
}

#[derive(Debug, Deserialize)]
pub(crate) struct Placement {
    pub(crate) wager: String,
    pub(crate) bet_type: String,
    pub(crate) selections: Vec<Selection>,
    pub(crate) unit_stake_minor: i64,
    pub(crate) odds_change_policy: String,
    pub(crate) expect_response: Response,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Selection {
    event: String,
    market: String,
    specifiers: Option<String>,
    pub(crate) outcome: String,
    pub(crate) odds: String,
}

impl Selection {
    pub(crate) fn market(&self) -> String {
        market(&self.event, &self.market, self.specifiers.as_deref().unwrap_or_default())
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct Response {
    pub(crate) accepted: bool,
    pub(crate) reason: Option<String>,
    #[serde(default)]
    pub(crate) odds: Vec<String>,
    pub(crate) total_stake_minor: Option<i64>,
}

/// What holds after a step.
#[derive(Debug, Deserialize)]
pub(crate) struct Expect {
    markets: BTreeMap<String, i32>,
    pub(crate) producers_up: BTreeMap<String, bool>,
    pub(crate) wagers: BTreeMap<String, Wager>,
    pub(crate) balance_minor: i64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Wager {
    pub(crate) state: String,
    pub(crate) payout_minor: Option<i64>,
}

impl Expect {
    /// Markets by our key, with our status.
    pub(crate) fn markets(&self) -> impl Iterator<Item = (String, &'static str)> {
        self.markets.iter().map(|(key, status)| {
            let (event, rest) = key.split_once('/').unwrap();
            let (id, specifiers) = rest.split_once('|').unwrap_or((rest, ""));
            let status = match status {
                1 => "active",
                0 => "inactive",
                -1 => "suspended",
                -2 => "handed_over",
                -3 => "settled",
                -4 => "cancelled",
                other => panic!("an unknown status {other}"),
            };
            (market(event, id, specifiers), status)
        })
    }
}

fn market(event: &str, id: &str, specifiers: &str) -> String {
    let event = feeds::uof::event_key(event).unwrap();
    feeds::uof::market_key(&event, id.parse().unwrap(), specifiers).unwrap().to_string()
}

impl Script {
    /// Reads a sequence; none, said loudly, where the folder of data is missing.
    pub(crate) fn beside(name: &str) -> Option<Self> {
        let folder = sequences()?.join(name);
        let text = std::fs::read_to_string(folder.join("script.json")).unwrap_or_else(|e| panic!("{name}: {e}"));
        let script: Self = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(script.minor_units, 2, "{name}");
        Some(Self { folder, ..script })
    }

    /// A message's XML.
    pub(crate) fn message(&self, file: &str) -> String {
        std::fs::read_to_string(self.folder.join(file)).unwrap_or_else(|e| panic!("{file}: {e}"))
    }

    /// Messages in its folder.
    pub(crate) fn files(&self) -> usize {
        let is_xml = |path: &Path| path.extension().is_some_and(|e| e == "xml");
        std::fs::read_dir(&self.folder).unwrap().filter(|entry| is_xml(&entry.as_ref().unwrap().path())).count()
    }
}

/// The folder of sequences: `STAKEHOLD_DATA`, else `../shared/data` seen from the project. Missing data fails with
/// `CI=true`.
pub(crate) fn sequences() -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let data = std::env::var_os("STAKEHOLD_DATA").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    let folder = data.join("uof-sequences");
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "CI=true and no sequences at {}", folder.display());
    eprintln!("SEQUENCES NOT FOUND at {}: THIS TEST CHECKED NOTHING", folder.display());
    None
}
