//! The expected results of a recording, as they lie beside it, and the parts of a market's answer they speak of.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use feeds::Decimal;
use serde::Deserialize;

/// Everything expected of one recording.
#[derive(Debug, Deserialize)]
pub(crate) struct Oracle {
    pub(crate) messages: usize,
    pub(crate) transitions: BTreeMap<String, Vec<Transition>>,
    pub(crate) runner_transitions: BTreeMap<String, Vec<RunnerTransition>>,
    pub(crate) checkpoints: Vec<Checkpoint>,
    #[serde(rename = "final")]
    pub(crate) last: BTreeMap<String, Expected>,
    pub(crate) wager_script: Vec<Wager>,
}

/// A change of a market's own state after line `seq`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Transition {
    pub(crate) seq: usize,
    pub(crate) pt: u64,
    version: u64,
    status: String,
    in_play: bool,
    bet_delay: u32,
    number_of_active_runners: u32,
    bsp_reconciled: bool,
}

impl Transition {
    /// `version` counts other changes of the definition too, so it is compared only where the transition is.
    pub(crate) fn agrees(&self, market: &Exchange, at_once: bool) -> bool {
        (&self.status, self.in_play, self.bet_delay) == (&market.status, market.in_play, market.bet_delay)
            && (self.number_of_active_runners, self.bsp_reconciled) == (market.active_runners, market.bsp_reconciled)
            && (!at_once || self.version == market.version)
    }
}

/// A change of a runner's status after line `seq`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RunnerTransition {
    pub(crate) seq: usize,
    pub(crate) pt: u64,
    pub(crate) id: u64,
    pub(crate) hc: Decimal,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) adjustment_factor: Option<Decimal>,
    pub(crate) bsp: Option<Decimal>,
}

/// All markets after line `seq`.
#[derive(Debug, Deserialize)]
pub(crate) struct Checkpoint {
    pub(crate) seq: usize,
    pub(crate) pt: u64,
    pub(crate) markets: BTreeMap<String, Expected>,
}

/// A market as expected.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Expected {
    runners: Vec<ExpectedRunner>,
    status: Option<String>,
    in_play: Option<bool>,
    version: Option<u64>,
    bet_delay: Option<u32>,
    number_of_active_runners: Option<u32>,
    bsp_reconciled: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExpectedRunner {
    id: u64,
    hc: Decimal,
    status: Option<String>,
    adjustment_factor: Option<Decimal>,
    bsp: Option<Decimal>,
    ltp: Option<Decimal>,
    #[serde(rename = "best_back")]
    best_back: Option<(Decimal, Decimal)>,
    #[serde(rename = "best_lay")]
    best_lay: Option<(Decimal, Decimal)>,
    #[serde(rename = "back_levels")]
    back_levels: usize,
    #[serde(rename = "lay_levels")]
    lay_levels: usize,
}

impl Expected {
    /// In the form of the API, runners in the order of their keys.
    pub(crate) fn exchange(&self) -> Exchange {
        let runner = |r: &ExpectedRunner| Runner {
            id: r.id,
            hc: r.hc,
            status: r.status.clone(),
            adjustment_factor: r.adjustment_factor,
            bsp: r.bsp,
            ltp: r.ltp,
            best_back: r.best_back,
            best_lay: r.best_lay,
            back_levels: r.back_levels,
            lay_levels: r.lay_levels,
        };
        let exchange = Exchange {
            status: self.status.clone().unwrap(),
            in_play: self.in_play.unwrap(),
            bet_delay: self.bet_delay.unwrap(),
            active_runners: self.number_of_active_runners.unwrap(),
            bsp_reconciled: self.bsp_reconciled.unwrap(),
            version: self.version.unwrap(),
            runners: self.runners.iter().map(runner).collect(),
        };
        exchange.sorted()
    }
}

/// `exchange` of a market's answer; every number exact.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exchange {
    status: String,
    in_play: bool,
    bet_delay: u32,
    active_runners: u32,
    bsp_reconciled: bool,
    version: u64,
    pub(crate) runners: Vec<Runner>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Runner {
    pub(crate) id: u64,
    pub(crate) hc: Decimal,
    pub(crate) status: Option<String>,
    pub(crate) adjustment_factor: Option<Decimal>,
    pub(crate) bsp: Option<Decimal>,
    ltp: Option<Decimal>,
    best_back: Option<(Decimal, Decimal)>,
    best_lay: Option<(Decimal, Decimal)>,
    back_levels: usize,
    lay_levels: usize,
}

impl Exchange {
    pub(crate) fn sorted(mut self) -> Self {
        self.runners.sort_by_key(|r| (r.id, r.hc));
        self
    }
}

/// A placement to try right after line `after_seq`.
#[derive(Debug, Deserialize)]
pub(crate) struct Wager {
    pub(crate) after_seq: usize,
    pub(crate) pt: u64,
    pub(crate) market: String,
    pub(crate) selection: u64,
    pub(crate) hc: Decimal,
    pub(crate) requested_odds: String,
    pub(crate) odds_change_policy: String,
    pub(crate) stake_minor: i64,
    pub(crate) expect: Answer,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Answer {
    pub(crate) accepted: bool,
    pub(crate) reason: Option<String>,
    pub(crate) odds: Option<String>,
    pub(crate) current_odds: Option<String>,
    #[serde(rename = "final")]
    pub(crate) last: Option<Final>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Final {
    pub(crate) state: String,
    pub(crate) payout_minor_floor: i64,
}

impl Oracle {
    /// Lines after which something is compared or placed.
    pub(crate) fn stops(&self) -> BTreeSet<usize> {
        let transitions = self.transitions.values().flatten().map(|t| t.seq);
        let runners = self.runner_transitions.values().flatten().map(|t| t.seq);
        let checkpoints = self.checkpoints.iter().map(|c| c.seq);
        let wagers = self.wager_script.iter().map(|w| w.after_seq);
        transitions.chain(runners).chain(checkpoints).chain(wagers).chain([self.messages]).collect()
    }

    /// The stream's time after line `seq`, as every expectation for that line states it.
    pub(crate) fn pt(&self, seq: usize) -> Option<u64> {
        let transitions = self.transitions.values().flatten().map(|t| (t.seq, t.pt));
        let runners = self.runner_transitions.values().flatten().map(|t| (t.seq, t.pt));
        let checkpoints = self.checkpoints.iter().map(|c| (c.seq, c.pt));
        let wagers = self.wager_script.iter().map(|w| (w.after_seq, w.pt));
        let all = transitions.chain(runners).chain(checkpoints).chain(wagers);
        let stated: BTreeSet<u64> = all.filter(|(at, _)| *at == seq).map(|(_, pt)| pt).collect();
        assert!(stated.len() <= 1, "expectations for line {seq} state different times: {stated:?}");
        stated.first().copied()
    }
}

/// A recording and what is expected of it.
pub(crate) struct Recording {
    pub(crate) name: String,
    pub(crate) lines: Vec<String>,
    pub(crate) oracle: Oracle,
}

impl Recording {
    pub(crate) fn of(name: &str, input: &str, expected: &str) -> Self {
        let oracle: Oracle = serde_json::from_str(expected).unwrap_or_else(|e| panic!("{name}: {e}"));
        let lines: Vec<String> = input.lines().map(str::to_owned).collect();
        assert_eq!(lines.len(), oracle.messages, "{name}: lines");
        Self { name: name.to_owned(), lines, oracle }
    }

    /// From the folder beside the project; `None`, said loudly, if there is none.
    pub(crate) fn beside(name: &str) -> Option<Self> {
        let folder = streams()?;
        let read = |path: PathBuf| std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let input = read(folder.join(format!("input/{name}.ndjson")));
        Some(Self::of(name, &input, &read(folder.join(format!("expected/{name}.oracle.json")))))
    }
}

/// The folder of recordings: `STAKEHOLD_DATA`, else `../shared/data` seen from the project. Missing data fails with
/// `CI=true`.
pub(crate) fn streams() -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let data = std::env::var_os("STAKEHOLD_DATA").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    let streams = data.join("betfair-streams");
    if streams.is_dir() {
        return Some(streams);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "CI=true and no recordings at {}", streams.display());
    eprintln!("RECORDINGS NOT FOUND at {}: THIS TEST DID NOT RUN", streams.display());
    None
}
