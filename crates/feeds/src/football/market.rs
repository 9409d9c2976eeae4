//! One simulated market: its definition, its ladders, and the changes that a stream tells of them.
//!
//! It must not know the match: it is told chances, statuses and results.

use std::collections::BTreeMap;

use rand::RngExt as _;
use rand_pcg::Pcg64;
use serde::Serialize;

use super::odds;
use crate::decimal::Decimal;

/// Levels on each side of a runner.
const DEPTH: u32 = 3;

/// The words of a definition that never change.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Title {
    pub(super) event_id: String,
    pub(super) event_name: String,
    pub(super) event_type_id: &'static str,
    pub(super) market_time: String,
    pub(super) market_type: &'static str,
    pub(super) name: &'static str,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Named {
    status: &'static str,
    sort_priority: u32,
    id: u64,
    name: String,
}

#[derive(Clone, Debug, Default)]
struct Prices {
    atb: BTreeMap<u32, u32>,
    atl: BTreeMap<u32, u32>,
    ltp: Option<u32>,
}

/// A market, as its readers know it so far.
#[derive(Clone, Debug)]
pub(super) struct Market {
    id: String,
    title: Title,
    runners: Vec<Named>,
    prices: Vec<Prices>,
    status: &'static str,
    in_play: bool,
    version: u64,
}

/// What changes in one market.
#[derive(Debug, Default, Serialize)]
pub(super) struct Change {
    id: String,
    #[serde(rename = "marketDefinition", skip_serializing_if = "Option::is_none")]
    definition: Option<Definition>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rc: Vec<RunnerChange>,
    #[serde(skip_serializing_if = "Option::is_none")]
    img: Option<bool>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Definition {
    #[serde(flatten)]
    title: Title,
    betting_type: &'static str,
    bsp_reconciled: bool,
    bet_delay: u32,
    in_play: bool,
    number_of_active_runners: usize,
    number_of_winners: u32,
    runners: Vec<Named>,
    status: &'static str,
    version: u64,
}

#[derive(Debug, Serialize)]
struct RunnerChange {
    id: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    atb: Vec<(Decimal, Decimal)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    atl: Vec<(Decimal, Decimal)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ltp: Option<Decimal>,
}

#[derive(Serialize)]
struct Line {
    op: &'static str,
    id: u32,
    clk: String,
    pt: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ct: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mc: Vec<Change>,
}

/// One line of the stream.
pub(super) fn line(at_ms: u64, mc: Vec<Change>) -> String {
    write(&Line { op: "mcm", id: 1, clk: at_ms.to_string(), pt: at_ms, ct: None, mc })
}

/// A line that says only that the stream is alive.
pub(super) fn heartbeat(at_ms: u64) -> String {
    write(&Line { op: "mcm", id: 1, clk: at_ms.to_string(), pt: at_ms, ct: Some("HEARTBEAT"), mc: Vec::new() })
}

fn write(line: &Line) -> String {
    serde_json::to_string(line).expect("plain structs of texts and integers always become JSON")
}

impl Market {
    /// An open market before the match, without prices; `runners` are (selection id, name).
    pub(super) fn new(id: String, title: Title, runners: Vec<(u64, String)>) -> Self {
        let named = |(sort_priority, (id, name))| Named { status: "ACTIVE", sort_priority, id, name };
        let runners: Vec<Named> = (1..).zip(runners).map(named).collect();
        let prices = vec![Prices::default(); runners.len()];
        Self { id, title, runners, prices, status: "OPEN", in_play: false, version: 1 }
    }

    /// True once it is settled.
    pub(super) fn is_closed(&self) -> bool {
        self.status == "CLOSED"
    }

    /// The first message about it, with its first prices.
    pub(super) fn image(&mut self, rng: &mut Pcg64, chances: &[u64]) -> Change {
        Change { img: Some(true), ..self.open(rng, false, chances) }
    }

    /// Opens it with new prices.
    pub(super) fn open(&mut self, rng: &mut Pcg64, in_play: bool, chances: &[u64]) -> Change {
        (self.status, self.in_play) = ("OPEN", in_play);
        let rc = self.quote(rng, chances).rc;
        Change { definition: Some(self.definition()), rc, ..self.change() }
    }

    /// Suspends it: bets that nobody took lapse, so every level goes.
    pub(super) fn suspend(&mut self) -> Change {
        self.status = "SUSPENDED";
        let rc = self.clear();
        Change { definition: Some(self.definition()), rc, ..self.change() }
    }

    /// Settles it: the runner at `winner` won, the others lost.
    pub(super) fn close(&mut self, winner: usize) -> Change {
        self.status = "CLOSED";
        for (index, runner) in self.runners.iter_mut().enumerate() {
            runner.status = if index == winner { "WINNER" } else { "LOSER" };
        }
        let rc = self.clear();
        Change { definition: Some(self.definition()), rc, ..self.change() }
    }

    /// Moves the prices towards the runners' chances.
    pub(super) fn quote(&mut self, rng: &mut Pcg64, chances: &[u64]) -> Change {
        let mut rc = Vec::new();
        for ((runner, prices), chance) in self.runners.iter().zip(&mut self.prices).zip(chances) {
            let fair = odds::place_of(odds::fair(*chance)).min(odds::PRICES - 2 - DEPTH);
            let back = fair.saturating_sub(rng.random_range(0..=1));
            let lay = back + rng.random_range(1..=2);
            let atb = requote(rng, &mut prices.atb, (0..DEPTH).map(|n| back.saturating_sub(n)));
            let atl = requote(rng, &mut prices.atl, (0..DEPTH).map(|n| lay + n));
            let traded = odds::price_at(if rng.random_range(0..2) == 0 { back } else { lay });
            let trade = rng.random_range(0..3) == 0 && prices.ltp != Some(traded);
            let ltp = trade.then(|| odds::hundredths(traded));
            prices.ltp = if trade { Some(traded) } else { prices.ltp };
            if ltp.is_some() || !atb.is_empty() || !atl.is_empty() {
                rc.push(RunnerChange { id: runner.id, atb, atl, ltp });
            }
        }
        Change { rc, ..self.change() }
    }

    fn clear(&mut self) -> Vec<RunnerChange> {
        let gone = |levels: &mut BTreeMap<u32, u32>| {
            std::mem::take(levels).into_keys().map(|price| (odds::hundredths(price), Decimal::ZERO)).collect()
        };
        let runner = |(runner, prices): (&Named, &mut Prices)| RunnerChange {
            id: runner.id,
            atb: gone(&mut prices.atb),
            atl: gone(&mut prices.atl),
            ltp: None,
        };
        let all = self.runners.iter().zip(&mut self.prices).map(runner);
        all.filter(|change| !change.atb.is_empty() || !change.atl.is_empty()).collect()
    }

    fn change(&self) -> Change {
        Change { id: self.id.clone(), ..Change::default() }
    }

    fn definition(&mut self) -> Definition {
        self.version += 1;
        Definition {
            title: self.title.clone(),
            betting_type: "ODDS",
            bsp_reconciled: false,
            bet_delay: if self.in_play { 5 } else { 0 },
            in_play: self.in_play,
            number_of_active_runners: if self.is_closed() { 0 } else { self.runners.len() },
            number_of_winners: 1,
            runners: self.runners.clone(),
            status: self.status,
            version: self.version,
        }
    }
}

impl Change {
    /// True when it says nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.definition.is_none() && self.rc.is_empty()
    }
}

/// Makes the held levels those at `places` and returns the difference.
fn requote(
    rng: &mut Pcg64,
    held: &mut BTreeMap<u32, u32>,
    places: impl Iterator<Item = u32>,
) -> Vec<(Decimal, Decimal)> {
    let mut wanted: Vec<u32> = places.map(odds::price_at).collect();
    // At the foot of the ladder several places are the same one.
    wanted.dedup();
    let gone: Vec<u32> = held.keys().copied().filter(|price| !wanted.contains(price)).collect();
    let mut levels = Vec::new();
    for price in gone {
        held.remove(&price);
        levels.push((odds::hundredths(price), Decimal::ZERO));
    }
    for price in wanted {
        // Most levels keep their size from one quote to the next.
        if held.contains_key(&price) && rng.random_range(0..3) != 0 {
            continue;
        }
        let size = rng.random_range(200..=90_000);
        held.insert(price, size);
        levels.push((odds::hundredths(price), odds::hundredths(size)));
    }
    levels
}
