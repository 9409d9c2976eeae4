//! Swarm options: which faults and which load a seed brings, so that every run stresses other corners.
//! Knows numbers only; what they do is `world`, `network` and `load`.

use engine::planted::Planted;

use crate::draw::Draw;

/// Everything that shapes one run. Times in ms of virtual time, chances in parts per million.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// The seed that all chance of the run comes from.
    pub seed: u64,
    /// The planted bug, if any.
    pub planted: Planted,
    /// Length of the phase with load and faults.
    pub load_ms: u64,
    /// Mean time between two clients' acts.
    pub act_ms: u64,
    /// Accounts a region.
    pub accounts: u64,
    /// Least one-way delay.
    pub delay_min_ms: u64,
    /// Mean of the exponential part of the delay.
    pub delay_mean_ms: u64,
    /// Frames lost.
    pub loss_ppm: u64,
    /// Frames delivered twice.
    pub duplicate_ppm: u64,
    /// Whether frames of one lane overtake each other.
    pub reorder: bool,
    /// Frames that arrive with broken bytes.
    pub corrupt_ppm: u64,
    /// Commits in which the process dies.
    pub crash_ppm: u64,
    /// Mean time between kills outside commits; 0: none.
    pub kill_every_ms: u64,
    /// Longest time a dead process stays away.
    pub down_ms_max: u64,
    /// Mean time between partitions, flaps and clogs; 0: none.
    pub cut_every_ms: u64,
    /// Longest cut.
    pub cut_ms_max: u64,
    /// Whether all links are clogged one by one and freed in another order, once.
    pub swizzle: bool,
    /// Greatest lead or lag of a wall clock at start.
    pub clock_offset_ms_max: u64,
    /// Greatest drift of a clock.
    pub drift_ppm_max: u64,
    /// Mean time between jumps of a wall clock; 0: none.
    pub jump_every_ms: u64,
    /// Longest wait of a node before it drains its inbox: longer makes larger groups.
    pub group_ms_max: u64,
    /// Freshness limit of the topology.
    pub freshness_ms: u64,
    /// Gossip interval.
    pub gossip_ms: u64,
    /// Whether a new directory may write at once.
    pub first_start: bool,
    /// Matches of the football feed; 0: no feed.
    pub matches: u32,
    /// Whether two regions read the feed.
    pub two_readers: bool,
    /// Outcomes of a wide market; 0: none.
    pub wide_outcomes: u64,
    /// Whether one bad entry is slipped into one stream.
    pub poison: bool,
    /// Exposure window of an account, minor units; 0: none.
    pub exposure_per_account: u64,
    /// Exposure window of a region, minor units; 0: none.
    pub exposure_per_region: u64,
    /// Entries at the end of a log that are always kept.
    pub log_tail: u64,
    /// Entries of a log kept for a region that lacks them.
    pub log_kept_max: u64,
    /// How long one machine stays away once, ms; 0: never. Long enough to fall behind what the others keep.
    pub absence_ms: u64,
    /// Which disk one machine starts on when all is over, if not on its own.
    pub old_disk: Option<OldDisk>,
    /// Whether an old copy of one machine's directory comes back while there is load, and for how long it is cut off.
    pub old_copy: Option<u64>,
    /// Whether two processes go on from one directory when all is over.
    pub twins: bool,
    /// Mean time between standstills of a process; 0: none.
    pub pause_every_ms: u64,
    /// Whether time is what the feeds and operators say.
    pub replay: bool,
    /// Whether players travel from region to region, over minutes instead of seconds.
    pub travel: bool,
    /// Whether operators suspend more than markets: all, sports, events, accounts.
    pub scoped: bool,
    /// Whether wagers on markets in play wait.
    pub delays: bool,
    /// Weights of clients' acts, in the order of `load::Act`.
    pub weights: [u64; 11],
}

/// A disk that is not the newest of its machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OldDisk {
    /// An empty one.
    Wiped,
    /// A copy made while there was load.
    Copy,
}

impl Options {
    /// The swarm's options of a seed.
    #[must_use]
    pub fn of_seed(seed: u64) -> Self {
        let mut d = Draw::new(seed, 0x0971_0415);
        let calm = d.percent(10);
        let fault = |d: &mut Draw, percent: u64, low: u64, high: u64| {
            if !calm && d.percent(percent) { d.between(low, high) } else { 0 }
        };
        let mut weights = [30, 90, 60, 20, 20, 4, 10, 4, 6, 14, 3];
        for w in &mut weights {
            *w = *w * d.one(&[1, 2, 2, 4]) / 2;
        }
        let mut options = Self {
            seed,
            planted: Planted::Nothing,
            load_ms: d.between(5_000, 14_000),
            act_ms: d.between(4, 25),
            accounts: d.between(1, 4),
            delay_min_ms: d.between(0, 40),
            delay_mean_ms: d.between(1, 60),
            loss_ppm: fault(&mut d, 60, 1_000, 100_000),
            duplicate_ppm: fault(&mut d, 60, 1_000, 100_000),
            reorder: !calm && d.percent(50),
            corrupt_ppm: fault(&mut d, 12, 500, 5_000),
            crash_ppm: fault(&mut d, 60, 300, 6_000),
            kill_every_ms: fault(&mut d, 40, 1_000, 8_000),
            down_ms_max: d.one(&[50, 500, 3_000, 6_000]),
            cut_every_ms: fault(&mut d, 70, 300, 4_000),
            cut_ms_max: d.one(&[100, 1_000, 4_000, 8_000]),
            swizzle: !calm && d.percent(25),
            clock_offset_ms_max: d.one(&[0, 50, 900, 5_000]),
            drift_ppm_max: d.one(&[0, 50, 500, 5_000]),
            jump_every_ms: fault(&mut d, 30, 1_000, 6_000),
            group_ms_max: d.one(&[0, 2, 20]),
            freshness_ms: d.one(&[1_000, 3_000, 20_000]),
            gossip_ms: d.between(40, 400),
            first_start: d.percent(30),
            matches: if d.percent(40) { 1 } else { 0 },
            two_readers: d.percent(40),
            wide_outcomes: if d.percent(25) { d.between(300, 700) } else { 0 },
            poison: !calm && d.percent(12),
            exposure_per_account: d.one(&[0, 1_000, 3_000, 20_000]),
            exposure_per_region: d.one(&[0, 0, 2_000, 40_000]),
            old_disk: d.one(&[None, None, None, Some(OldDisk::Wiped), Some(OldDisk::Copy)]),
            old_copy: None,
            twins: false,
            pause_every_ms: 0,
            replay: false,
            travel: false,
            scoped: false,
            delays: false,
            weights,
            log_tail: d.one(&[100_000, 4, 10, 25]),
            log_kept_max: d.one(&[100_000, 15, 30, 60]),
            absence_ms: d.one(&[0, 3_000, 4_000, 5_000]),
        };
        // Drawn last, so that what was drawn before stays what it was for every seed.
        options.old_copy = (!calm && d.percent(15)).then(|| d.one(&[0, 500, 1_500, 4_000]));
        options.twins = options.old_copy.is_none() && options.old_disk.is_none() && d.percent(20);
        options.pause_every_ms = if !calm && d.percent(25) { d.between(1_000, 6_000) } else { 0 };
        options.replay = d.percent(12);
        let travels = d.percent(15);
        options.scoped = d.percent(50);
        options.delays = d.percent(50);
        if travels { options.travelling() } else { options }
    }

    /// The same with players who travel: minutes pass, for homes move only after a minute, with as many acts and faults
    /// as there were in seconds.
    #[must_use]
    pub fn travelling(mut self) -> Self {
        self.travel = true;
        self.load_ms *= 12;
        self.act_ms *= 12;
        for every_ms in
            [&mut self.kill_every_ms, &mut self.cut_every_ms, &mut self.jump_every_ms, &mut self.pause_every_ms]
        {
            *every_ms *= 8;
        }
        self
    }
}
