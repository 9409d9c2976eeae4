//! The state of one market, folded from its changes. Owns the rules of images, deltas and staleness.
//!
//! Pure and all-or-nothing: a refused change leaves the book as it was. A delta costs its own levels only; nothing here
//! copies the book. It must not know keys, registers or odds policies.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{Decode, Encode};

use super::{
    definition::{MarketDefinition, MarketStatus, RunnerDefinition, RunnerKey, RunnerStatus},
    ladder::{Ladder, PositionLadder},
    limits::{LEVELS_MAX, RUNNERS_MAX},
    message::{Level, MarketChange, RunnerChange},
};
use crate::decimal::Decimal;

/// Why a change was refused. The book is as it was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FoldError {
    /// A delta for a market of which neither an image nor a definition has been seen.
    #[error("the market's first change must be an image or carry a definition")]
    ImageNeeded,
    /// Older than what is already applied.
    #[error("publish time {pt} is older than {newest}, which is already applied")]
    Stale {
        /// The change's publish time.
        pt: u64,
        /// The newest publish time applied.
        newest: u64,
    },
    /// The market would have more runners than [`RUNNERS_MAX`].
    #[error("the market would have more than {RUNNERS_MAX} runners")]
    TooManyRunners,
    /// One side of a runner would have more levels than [`LEVELS_MAX`].
    #[error("a runner would have more than {LEVELS_MAX} levels on one side")]
    TooManyLevels,
}

impl FoldError {
    /// A stable snake_case code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::ImageNeeded => "image_needed",
            Self::Stale { .. } => "stale",
            Self::TooManyRunners => "too_many_runners",
            Self::TooManyLevels => "too_many_levels",
        }
    }
}

/// What a change altered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// The definition differs (any kept field).
    pub definition: bool,
    /// The market's status or its in-play flag differs.
    pub status: bool,
    /// The runners whose price on offer or status differs, by key, each once.
    pub runners: Vec<RunnerKey>,
}

/// The prices of one runner.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Runner {
    /// Last traded price.
    #[n(0)]
    pub ltp: Option<Decimal>,
    /// Available to back.
    #[n(1)]
    pub atb: Ladder,
    /// Available to lay.
    #[n(2)]
    pub atl: Ladder,
    /// Best prices to back.
    #[n(3)]
    pub batb: PositionLadder,
    /// Best prices to lay.
    #[n(4)]
    pub batl: PositionLadder,
    /// Best prices to back as displayed.
    #[n(5)]
    pub bdatb: PositionLadder,
    /// Best prices to lay as displayed.
    #[n(6)]
    pub bdatl: PositionLadder,
}

/// One runner for a reader: what the definition and the prices say together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunnerView {
    /// Its key.
    pub key: RunnerKey,
    /// Status; none if the definition does not name the runner.
    pub status: Option<RunnerStatus>,
    /// Reduction factor in percent.
    pub adjustment_factor: Option<Decimal>,
    /// Starting price.
    pub bsp: Option<Decimal>,
    /// Last traded price.
    pub ltp: Option<Decimal>,
    /// The highest price left to back.
    pub best_back: Option<Level>,
    /// The lowest price left to lay.
    pub best_lay: Option<Level>,
    /// Levels to back.
    pub back_levels: usize,
    /// Levels to lay.
    pub lay_levels: usize,
}

/// The state of one market. The default one has seen nothing: its first change must be an image or carry a definition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Book {
    #[n(0)]
    imaged: bool,
    #[n(1)]
    pt: u64,
    #[n(2)]
    ordinal: u32,
    #[n(3)]
    definition: Option<MarketDefinition>,
    #[n(4)]
    runners: BTreeMap<RunnerKey, Runner>,
}

impl Book {
    /// A market of which an empty image has been seen: it takes deltas.
    #[must_use]
    pub fn empty() -> Self {
        Self { imaged: true, ..Self::default() }
    }

    /// Applies one change published at `pt` (Unix milliseconds).
    ///
    /// An image (`img: true`, and the first change if it carries a definition) clears the runners' prices; then the
    /// definition is replaced if there is one, and levels are set or, with size 0, deleted.
    ///
    /// # Errors
    /// [`FoldError`]; the book is untouched.
    pub fn apply(&mut self, pt: u64, change: &MarketChange) -> Result<Changed, FoldError> {
        if !self.imaged && !change.img && change.definition.is_none() {
            return Err(FoldError::ImageNeeded);
        }
        if pt < self.pt {
            return Err(FoldError::Stale { pt, newest: self.pt });
        }
        let before = self.seen_before(change);
        let status_before = (self.status(), self.in_play());
        let redefined = change.definition.is_some() && change.definition != self.definition;
        if self.surely_fits(change) {
            self.fold(change);
        } else {
            // Rare: the exact count is found on a copy, which is the new state if it fits.
            let mut trial = self.clone();
            trial.fold(change);
            trial.fits()?;
            *self = trial;
        }
        self.ordinal = if pt == self.pt && self.imaged { self.ordinal.saturating_add(1) } else { 0 };
        self.pt = pt;
        self.imaged = true;
        Ok(Changed {
            definition: redefined,
            status: (self.status(), self.in_play()) != status_before,
            runners: before.into_iter().filter(|(key, seen)| self.seen(*key) != *seen).map(|(key, _)| key).collect(),
        })
    }

    /// Publish time of the newest change, Unix milliseconds; 0 before the first.
    #[must_use]
    pub const fn pt(&self) -> u64 {
        self.pt
    }

    /// Which of this market's changes with the newest publish time was applied last: 0 for the first.
    #[must_use]
    pub const fn ordinal(&self) -> u32 {
        self.ordinal
    }

    /// The definition, if one was seen.
    #[must_use]
    pub const fn definition(&self) -> Option<&MarketDefinition> {
        self.definition.as_ref()
    }

    /// Status.
    #[must_use]
    pub fn status(&self) -> Option<MarketStatus> {
        self.definition.as_ref().map(|d| d.status)
    }

    /// Whether the event is under way.
    #[must_use]
    pub fn in_play(&self) -> Option<bool> {
        self.definition.as_ref().map(|d| d.in_play)
    }

    /// Seconds that a bet is held back in play.
    #[must_use]
    pub fn bet_delay(&self) -> Option<u32> {
        self.definition.as_ref().map(|d| d.bet_delay)
    }

    /// How many runners the exchange counts as active.
    #[must_use]
    pub fn active_runners(&self) -> Option<u32> {
        self.definition.as_ref().map(|d| d.number_of_active_runners)
    }

    /// Whether starting prices are final.
    #[must_use]
    pub fn bsp_reconciled(&self) -> Option<bool> {
        self.definition.as_ref().map(|d| d.bsp_reconciled)
    }

    /// The exchange's version of the market.
    #[must_use]
    pub fn version(&self) -> Option<u64> {
        self.definition.as_ref().map(|d| d.version)
    }

    /// The prices of one runner, if it ever had any.
    #[must_use]
    pub fn prices(&self, key: RunnerKey) -> Option<&Runner> {
        self.runners.get(&key)
    }

    /// A runner's status; none if the definition does not name it.
    #[must_use]
    pub fn runner_status(&self, key: RunnerKey) -> Option<RunnerStatus> {
        self.definition.as_ref()?.runner(key).map(|runner| runner.status)
    }

    /// The price on offer to a bettor: the best price left to back, else the last traded price, else none. Never a
    /// number at or below 1, and none in a market whose prices are not odds.
    #[must_use]
    pub fn offer(&self, key: RunnerKey) -> Option<Decimal> {
        if self.definition.as_ref().is_some_and(|d| !d.has_odds()) {
            return None;
        }
        let runner = self.runners.get(&key)?;
        let back = runner.atb.highest().map(|level| level.price);
        back.into_iter().chain(runner.ltp).find(|price| *price > Decimal::ONE)
    }

    /// The keys of all runners that the definition names or that have prices, in order.
    #[must_use]
    pub fn runner_keys(&self) -> BTreeSet<RunnerKey> {
        let named = self.definition.iter().flat_map(|d| d.runners.iter().map(RunnerDefinition::key));
        self.runners.keys().copied().chain(named).collect()
    }

    /// All runners that the definition names or that have prices, in the order of their keys.
    #[must_use]
    pub fn runners(&self) -> Vec<RunnerView> {
        let view = |key| {
            let defined = self.definition.as_ref().and_then(|d| d.runner(key));
            let prices = self.runners.get(&key);
            RunnerView {
                key,
                status: defined.map(|r| r.status),
                adjustment_factor: defined.and_then(|r| r.adjustment_factor),
                bsp: defined.and_then(|r| r.bsp),
                ltp: prices.and_then(|p| p.ltp),
                best_back: prices.and_then(|p| p.atb.highest()),
                best_lay: prices.and_then(|p| p.atl.lowest()),
                back_levels: prices.map_or(0, |p| p.atb.levels().len()),
                lay_levels: prices.map_or(0, |p| p.atl.levels().len()),
            }
        };
        self.runner_keys().into_iter().map(view).collect()
    }

    fn seen(&self, key: RunnerKey) -> (Option<Decimal>, Option<RunnerStatus>) {
        (self.offer(key), self.runner_status(key))
    }

    /// Offer and status of every runner that the change can alter: the touched ones, or all for an image or definition.
    #[expect(clippy::type_complexity, reason = "one private list of pairs")]
    fn seen_before(&self, change: &MarketChange) -> Vec<(RunnerKey, (Option<Decimal>, Option<RunnerStatus>))> {
        let mut keys: Vec<RunnerKey> = change.runners.iter().map(RunnerChange::key).collect();
        if change.img || change.definition.is_some() {
            keys.extend(self.runner_keys());
            keys.extend(change.definition.iter().flat_map(|d| d.runners.iter().map(RunnerDefinition::key)));
        }
        keys.sort_unstable();
        keys.dedup();
        keys.into_iter().map(|key| (key, self.seen(key))).collect()
    }

    /// The fold itself; what can be refused has been refused before.
    fn fold(&mut self, change: &MarketChange) {
        if change.img {
            self.runners.clear();
        }
        if let Some(definition) = &change.definition {
            self.definition = Some(definition.clone());
        }
        for delta in &change.runners {
            let runner = self.runners.entry(delta.key()).or_default();
            runner.ltp = delta.ltp.or(runner.ltp);
            for (ladder, levels) in [(&mut runner.atb, &delta.atb), (&mut runner.atl, &delta.atl)] {
                levels.iter().for_each(|level| ladder.set(*level));
            }
            for (ladder, levels) in [
                (&mut runner.batb, &delta.batb),
                (&mut runner.batl, &delta.batl),
                (&mut runner.bdatb, &delta.bdatb),
                (&mut runner.bdatl, &delta.bdatl),
            ] {
                levels.iter().for_each(|level| ladder.set(*level));
            }
        }
    }

    /// Whether the limits hold even if every level and every runner of the change were a new one.
    fn surely_fits(&self, change: &MarketChange) -> bool {
        let arriving: usize = change.runners.iter().map(|delta| delta.atb.len().max(delta.atl.len())).sum();
        let held = |delta: &RunnerChange| {
            self.runners.get(&delta.key()).map_or(0, |p| p.atb.levels().len().max(p.atl.levels().len()))
        };
        self.runners.len() + change.runners.len() <= RUNNERS_MAX
            && change.runners.iter().all(|delta| held(delta) + arriving <= LEVELS_MAX)
    }

    fn fits(&self) -> Result<(), FoldError> {
        if self.runners.len() > RUNNERS_MAX {
            return Err(FoldError::TooManyRunners);
        }
        let deep = |p: &Runner| p.atb.levels().len().max(p.atl.levels().len()) > LEVELS_MAX;
        if self.runners.values().any(deep) { Err(FoldError::TooManyLevels) } else { Ok(()) }
    }
}
