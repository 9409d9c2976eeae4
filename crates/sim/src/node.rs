//! One simulated machine: a region's process over its disk, its clocks, its inbox and what it believes of its links.
//! Knows how to start, stop and step a process; what happens between machines is the world's.

use std::collections::{BTreeMap, VecDeque};

use crdt::Site;
use engine::commit::Region;
use engine::door::{Config, Effect, Input, Kept, RegionConfig, Request, Rules};
use engine::ledger::Exposure;
use engine::odds::Plane;
use engine::planted::Planted;
use model::{Command, Currency, Text, Token};

use crate::clock::Clock;
use crate::disk::{CrashPlan, MemoryDisk};
use crate::options::Options;
use crate::world::REGIONS;

/// A machine.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) region: u16,
    pub(crate) site: Site,
    pub(crate) disk: MemoryDisk,
    pub(crate) process: Option<Region<MemoryDisk>>,
    pub(crate) clock: Clock,
    pub(crate) inbox: VecDeque<Input>,
    /// Connection by peer, as told to the process.
    pub(crate) links: BTreeMap<u16, u64>,
    pub(crate) wake_ms: Option<u64>,
    pub(crate) step_due: bool,
    /// It stands still until then.
    pub(crate) paused_until_ms: u64,
    /// Newest virtual time at each region that can have reached this one.
    pub(crate) causal: BTreeMap<u16, u64>,
    /// Process starts so far.
    pub(crate) lives: u64,
    /// `odds_mark` when suspensions were looked at last.
    pub(crate) looked_at: (u64, u64),
    config: Config,
    planted: Planted,
}

/// The topology's windows: as many minor units in either currency of the simulator.
fn windows(options: &Options) -> Vec<Exposure> {
    let some = |window: u64| (window > 0).then_some(window);
    let (per_account, per_region) = (some(options.exposure_per_account), some(options.exposure_per_region));
    let currencies = ["GBP", "JPY"].map(|code| Currency::new(code).expect("a known code"));
    let bound = per_account.or(per_region).is_some();
    currencies.into_iter().filter(|_| bound).map(|currency| Exposure { currency, per_account, per_region }).collect()
}

/// What a step let out.
pub(crate) struct Stepped {
    pub(crate) effects: Vec<(Effect, Option<Token>)>,
    /// The process died in the commit.
    pub(crate) died: bool,
}

impl Node {
    pub(crate) fn new(options: &Options, region: u16, clock: Clock) -> Self {
        let config = Config {
            cluster: Text::new("sim"),
            region,
            incarnation: 1,
            regions: REGIONS.map(|(number, name)| RegionConfig { number, name: Text::new(name) }).to_vec(),
            ack_quorum: 1,
            freshness_ms: options.freshness_ms,
            replay: options.replay,
            first_start: options.first_start,
            gossip_ms: options.gossip_ms,
            windows: windows(options),
            // With the replay clock nobody moves time on once the load has ended.
            bet_delays: !options.replay,
            kept: Kept { tail: options.log_tail, max: options.log_kept_max },
            rules: Rules::default(),
        };
        Self {
            region,
            site: Site::new(region, 1),
            disk: MemoryDisk::default(),
            process: None,
            clock,
            inbox: VecDeque::new(),
            links: BTreeMap::new(),
            wake_ms: None,
            step_due: false,
            paused_until_ms: 0,
            causal: BTreeMap::new(),
            lives: 0,
            looked_at: (0, 0),
            config,
            planted: options.planted,
        }
    }

    /// A process as it would come up from what is on disk now.
    pub(crate) fn opened(&self) -> Region<MemoryDisk> {
        let mut process = Region::open(self.config.clone(), self.disk.clone());
        process.engine_mut().plant(self.planted);
        process
    }

    /// Starts a process.
    pub(crate) fn start(&mut self, at_ms: u64, steady_ms: u64, boot_nonce: u64) {
        self.lives += 1;
        (self.clock.began_ms, self.clock.began_steady_ms) = (at_ms, steady_ms);
        self.process = Some(self.opened());
        self.inbox.push_back(Input::Started { boot_nonce });
    }

    /// The process is gone, and all that it remembered.
    pub(crate) fn stop(&mut self) {
        self.disk.plan(CrashPlan::None);
        self.process = None;
        self.inbox.clear();
        self.links.clear();
        self.wake_ms = None;
    }

    /// Whether its disk says that a snapshot is being taken over.
    pub(crate) fn is_taking(&self) -> bool {
        self.disk.tables().meta.as_ref().is_some_and(|m| m.taking.is_some())
    }

    /// Changes whenever the process's odds do; another number after a restart.
    pub(crate) fn odds_mark(&self) -> (u64, u64) {
        let stats = self.process.as_ref().map(|p| *p.engine().stats()).unwrap_or_default();
        (self.lives, stats.odds_writes + stats.odds_merged)
    }

    pub(crate) fn ledger(&self) -> Option<&engine::ledger::Ledger> {
        self.process.as_ref().map(|p| p.engine().ledger())
    }

    pub(crate) fn plane(&self) -> Option<&Plane> {
        self.process.as_ref().map(|p| p.engine().plane())
    }

    /// The next group: at most one act on a market's status in it, and then nothing else, so that what that act had
    /// seen is known exactly.
    pub(crate) fn group(&mut self) -> Vec<Input> {
        let acts = |input: &Input| {
            let Input::Request { request: Request::Command(command), .. } = input else { return false };
            matches!(command, Command::SetStatus { .. } | Command::Suspend { .. })
        };
        let mut group = Vec::new();
        while let Some(input) = self.inbox.front() {
            let alone = acts(input);
            if alone && !group.is_empty() {
                break;
            }
            group.extend(self.inbox.pop_front());
            if alone {
                break;
            }
        }
        group
    }

    /// Runs a group at a virtual time.
    pub(crate) fn step(&mut self, at_ms: u64, group: Vec<Input>, plan: CrashPlan) -> Option<Stepped> {
        let now = self.clock.read(at_ms);
        self.causal.insert(self.region, at_ms);
        let process = self.process.as_mut()?;
        self.disk.plan(plan);
        let mut effects = Vec::new();
        let result = process.step(now, group, |effect, token| {
            let token = matches!(effect, Effect::Reply { .. }).then(|| token.clone());
            effects.push((effect, token));
        });
        self.disk.plan(CrashPlan::None);
        Some(Stepped { effects, died: result.is_err() })
    }
}
