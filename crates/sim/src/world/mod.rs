//! The world: three machines, the network between them, their clients and their misfortunes, one event after the
//! other in virtual time. Knows how things happen; what must hold is in `invariants`.

mod aftermath;
mod archive;
mod at_once;
mod ending;
mod faults;
mod links;
mod rest;
mod second;
mod words;

use std::collections::BTreeMap;

use bytes::Bytes;
use engine::door::{Effect, Input, Lane};
use engine::snapshot::Served;
use feeds::betfair::{StreamMessage, parse_line};
use feeds::football::Football;
use model::{Answer, MarketKey, WagerRecord};

use crate::clock::{Clock, EPOCH_MS};
use crate::disk::{CrashPlan, Tables};
use crate::draw::Draw;
use crate::fork::Fork;
use crate::ghost::Ghost;
use crate::invariants;
use crate::load::Load;
use crate::network::{Network, Way, region_of};
use crate::node::Node;
use crate::options::Options;
use crate::oracle::{Call, Oracle};
use crate::report::{Breach, Report};
use crate::stops::{Held, Stops};
use crate::trace::Trace;

pub(crate) use second::Second;
use words::{asked, short};

/// The regions, by number and name.
pub(crate) const REGIONS: [(u16, &str); 3] = [(1, "eu-west"), (2, "us-east"), (3, "ap-south")];
/// Regions are looked at this often once healed, ms.
const LOOK_MS: u64 = 250;
/// Groups between two looks at everything.
const DEEP_EVERY: u64 = 250;

/// A frame under way.
#[derive(Clone, Debug)]
struct Flying {
    way: Way,
    connection: u64,
    lane: Lane,
    frame: Bytes,
    causal: BTreeMap<u16, u64>,
}

#[derive(Clone, Debug)]
enum Event {
    Step(u16),
    Wake(u16, u64),
    Frame(Box<Flying>),
    OddsSent(Way, u64),
    LinkUp(Way, u64),
    LinkDown(Way, u64),
    Connect(Way),
    Timeout(Way, u64),
    Start(u16),
    Kill,
    Cut,
    Clog(Way, u64),
    Jump,
    Pause,
    Act,
    Call(Box<Call>),
    FeedLine,
    Poison,
    Absence,
    Seal(u16, u64, (crdt::Site, u64, u64)),
    Copy,
    Keep,
    Return,
    Turn,
    Heal,
    Look,
}

/// A bad entry that was slipped in: the victim and the site in whose name it came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Poisoned {
    pub(crate) victim: u16,
    pub(crate) site: crdt::Site,
    pub(crate) delivered: bool,
}

/// Everything.
pub(crate) struct World {
    pub(crate) options: Options,
    pub(crate) now_ms: u64,
    queue: BTreeMap<(u64, u64), Event>,
    next: u64,
    pub(crate) nodes: BTreeMap<u16, Node>,
    pub(crate) network: Network,
    pub(crate) trace: Trace,
    pub(crate) ghost: Ghost,
    pub(crate) oracle: Oracle,
    pub(crate) stops: Stops,
    load: Load,
    faults: Draw,
    feed: Option<(Football, Vec<u16>)>,
    feed_next: Option<(u64, String)>,
    pub(crate) poisoned: Option<Poisoned>,
    /// A machine, and its disk as it was.
    copy: Option<(u16, Tables)>,
    /// A machine, and its directory as it was, to come back while there is load.
    kept: Option<(u16, Tables)>,
    /// A second machine of a region.
    pub(crate) second: Option<Second>,
    /// Machines with a history of their own.
    pub(crate) forks: BTreeMap<u16, Fork>,
    twins_until_ms: Option<u64>,
    /// The machine that came back on an old disk.
    restored: Option<u16>,
    /// What it had written when it was noticed: log and odds.
    noticed_at: Option<(u64, u64)>,
    pub(crate) healed_ms: Option<u64>,
    groups: u64,
    crashes: u64,
    /// Snapshots being served, by server and peer, each over the disk as it was.
    served: BTreeMap<Way, (Served, Tables)>,
    /// Snapshots taken over as a whole.
    snapshots: u64,
    quiet_ms: Option<u64>,
    /// What is asked for when all is equal, and of how many accounts it was granted.
    rest: rest::Rest,
    rests: u64,
}

impl World {
    pub(crate) fn new(options: Options) -> Self {
        let mut faults = Draw::new(options.seed, 0xfa17);
        let numbers = REGIONS.map(|(n, _)| n);
        let nodes = numbers.map(|region| {
            let signed = |d: &mut Draw, max: u64| {
                i64::try_from(d.between(0, 2 * max)).unwrap_or(0) - i64::try_from(max).unwrap_or(0)
            };
            let lead_ms = signed(&mut faults, options.clock_offset_ms_max);
            let drift_ppm = signed(&mut faults, options.drift_ppm_max);
            let clock = Clock { lead_ms, drift_ppm, began_ms: 0, began_steady_ms: 0 };
            (region, Node::new(&options, region, clock))
        });
        let feed = (options.matches > 0).then(|| {
            let first = faults.one(&numbers);
            let second = faults.one(&numbers);
            let readers = if options.two_readers && first != second { vec![first, second] } else { vec![first] };
            (Football::with_minute_ms(options.seed, options.matches, EPOCH_MS + 500, 60), readers)
        });
        Self {
            network: Network::new(&options, &numbers),
            load: Load::new(&options),
            now_ms: 0,
            queue: BTreeMap::new(),
            next: 0,
            nodes: nodes.into(),
            trace: Trace::default(),
            ghost: Ghost::default(),
            oracle: Oracle::default(),
            stops: Stops::default(),
            faults,
            feed,
            feed_next: None,
            poisoned: None,
            copy: None,
            kept: None,
            second: None,
            forks: BTreeMap::new(),
            twins_until_ms: None,
            restored: None,
            noticed_at: None,
            healed_ms: None,
            groups: 0,
            crashes: 0,
            served: BTreeMap::new(),
            snapshots: 0,
            quiet_ms: None,
            rest: rest::Rest::default(),
            rests: 0,
            options,
        }
    }

    /// Runs to the end, or to the first breach.
    pub(crate) fn run(&mut self) -> Result<Report, Breach> {
        self.begin();
        while let Some(((at_ms, _), event)) = self.queue.pop_first() {
            self.now_ms = at_ms;
            self.happen(event)?;
            if self.quiet_ms.is_some() {
                break;
            }
        }
        self.last_words()?;
        let report = self.report();
        self.aftermath()?;
        self.twins()?;
        Ok(report)
    }

    fn at(&mut self, at_ms: u64, event: Event) {
        self.next += 1;
        self.queue.insert((at_ms.max(self.now_ms), self.next), event);
    }

    fn after(&mut self, ms: u64, event: Event) {
        self.at(self.now_ms + ms, event);
    }

    fn begin(&mut self) {
        for (region, _) in REGIONS {
            let at = self.faults.below(400);
            self.at(at, Event::Start(region));
        }
        for call in self.load.opening() {
            for again in 0..3 {
                let at = 300 + again * 700 + self.faults.below(500);
                self.at(at, Event::Call(Box::new(call.clone())));
            }
        }
        self.at(600, Event::Act);
        self.at(self.options.load_ms, Event::Heal);
        let o = self.options.clone();
        for (every_ms, event) in [
            (o.kill_every_ms, Event::Kill),
            (o.cut_every_ms, Event::Cut),
            (o.jump_every_ms, Event::Jump),
            (o.pause_every_ms, Event::Pause),
        ] {
            if every_ms > 0 {
                let at = self.faults.exponential(every_ms);
                self.at(at, event);
            }
        }
        if o.absence_ms > 0 {
            self.at(o.load_ms / 4, Event::Absence);
        }
        if o.swizzle {
            self.swizzle();
        }
        if o.poison {
            let at = o.load_ms / 2 + self.faults.below(o.load_ms / 4);
            self.at(at, Event::Poison);
        }
        if o.old_disk.is_some() {
            self.at(o.load_ms / 2, Event::Copy);
        }
        if o.old_copy.is_some() {
            let kept = self.faults.between(o.load_ms / 5, o.load_ms / 2);
            let back = self.faults.between(o.load_ms / 2, o.load_ms * 4 / 5);
            self.at(kept, Event::Keep);
            self.at(back, Event::Return);
        }
        if let Some((feed, _)) = &mut self.feed {
            self.feed_next = feed.next();
            self.at(1_000, Event::FeedLine);
        }
    }

    fn happen(&mut self, event: Event) -> Result<(), Breach> {
        match event {
            Event::Step(region) => return self.step(region),
            Event::Wake(region, at) => {
                if self.node(region).wake_ms == Some(at) {
                    self.node_mut(region).wake_ms = None;
                    return self.step(region);
                }
            }
            Event::Frame(flying) => self.arrive(*flying),
            Event::OddsSent((node, peer), connection) => {
                let region = region_of(peer);
                if self.node(node).links.get(&region) == Some(&connection) {
                    self.give(node, Input::OddsSent { region });
                }
            }
            Event::LinkUp(way, connection) => self.link_up(way, connection),
            Event::LinkDown(way, connection) => self.link_down(way, connection),
            Event::Connect(way) => self.connect(way),
            Event::Timeout((a, b), connection) => {
                let blocked =
                    self.network.is_blocked((a, b), self.now_ms) || self.network.is_blocked((b, a), self.now_ms);
                if blocked && self.network.connection(a, b) == Some(connection) {
                    self.disconnect(a, b, 200);
                }
            }
            Event::Start(region) => self.start(region),
            Event::Kill => self.kill(),
            Event::Cut => self.cut(),
            Event::Clog(way, until_ms) => {
                if self.healed_ms.is_none() {
                    self.network.clog(way, until_ms);
                }
            }
            Event::Jump => self.jump(),
            Event::Pause => self.pause(),
            Event::Act => self.act(),
            Event::Call(call) => self.call(&call),
            Event::FeedLine => self.feed_line(),
            Event::Poison => self.poison(),
            Event::Absence => self.absence(),
            Event::Seal(region, life, segment) => self.seal(region, life, segment),
            Event::Copy => self.copy_disk(),
            Event::Keep => self.keep(),
            Event::Return => self.bring_back(),
            Event::Turn => self.turn(),
            Event::Heal => self.heal(),
            Event::Look => return self.look(),
        }
        Ok(())
    }

    /// A machine: those of the regions, and perhaps a second one that says it is one of them.
    pub(crate) fn node(&self, machine: u16) -> &Node {
        let second = self.second.as_ref().filter(|s| s.machine() == machine).map(|s| &s.node);
        second.or_else(|| self.nodes.get(&machine)).expect("machines are 1 to 3, or the second one")
    }

    fn node_mut(&mut self, machine: u16) -> &mut Node {
        let second = self.second.as_mut().filter(|s| s.machine() == machine).map(|s| &mut s.node);
        second.or_else(|| self.nodes.get_mut(&machine)).expect("machines are 1 to 3, or the second one")
    }

    fn running(&self, region: u16) -> bool {
        self.node(region).process.is_some()
    }

    /// Puts an input into a machine's inbox, to be drained a moment later.
    fn give(&mut self, region: u16, input: Input) {
        if !self.running(region) {
            return;
        }
        let wait = self.faults.between(0, self.options.group_ms_max);
        let node = self.node_mut(region);
        node.inbox.push_back(input);
        if !std::mem::replace(&mut node.step_due, true) {
            self.after(wait, Event::Step(region));
        }
    }

    fn step(&mut self, region: u16) -> Result<(), Breach> {
        self.node_mut(region).step_due = false;
        if !self.running(region) {
            return Ok(());
        }
        if self.node(region).paused_until_ms > self.now_ms {
            let until_ms = self.node(region).paused_until_ms;
            self.node_mut(region).step_due = true;
            self.at(until_ms, Event::Step(region));
            return Ok(());
        }
        let crash = self.healed_ms.is_none() && self.faults.ppm(self.options.crash_ppm);
        let among_effects = crash && self.faults.percent(30);
        let plan = match (crash && !among_effects, self.faults.percent(50)) {
            (false, _) => CrashPlan::None,
            (true, true) => CrashPlan::BeforeSync,
            (true, false) => CrashPlan::AfterSync,
        };
        let now_ms = self.now_ms;
        let node = self.node_mut(region);
        let group = node.group();
        let taking = node.is_taking();
        let Some(mut stepped) = node.step(now_ms, group, plan) else { return Ok(()) };
        let taken = taking && !node.is_taking();
        self.snapshots += u64::from(taken);
        self.groups += 1;
        if among_effects {
            // The batch is there, and some of what follows from it has left.
            let left = self.faults.below(stepped.effects.len() as u64 + 1);
            stepped.effects.truncate(usize::try_from(left).unwrap_or(0));
            stepped.died = true;
        }
        if self.restored == Some(region) {
            return self.step_restored(region, stepped);
        }
        if self.forks.contains_key(&region) {
            return self.step_forked(region, stepped);
        }
        let accepted = self.read_log(region)?;
        self.effects(region, stepped.effects)?;
        if stepped.died {
            self.look_at_stops(region, &accepted, true)?;
            self.die(region, &format!("in a commit, {plan:?}, among its effects: {among_effects}"));
            return Ok(());
        }
        self.look_at_stops(region, &accepted, false)?;
        invariants::after_group(self, region)?;
        if self.groups.is_multiple_of(DEEP_EVERY) && self.restored.is_none() && self.twins_until_ms.is_none() {
            invariants::deep(self)?;
        }
        self.plan_wake(region);
        Ok(())
    }

    fn read_log(&mut self, region: u16) -> Result<Vec<WagerRecord>, Breach> {
        let node = self.nodes.get(&region).expect("regions are 1 to 3");
        let tables = node.disk.tables();
        self.ghost.read(node.site, &tables)
    }

    /// Compares what was sold in a group with what stood at its begin and at its end.
    fn look_at_stops(&mut self, region: u16, accepted: &[WagerRecord], died: bool) -> Result<(), Breach> {
        let before: Vec<(&WagerRecord, &MarketKey, Held)> = accepted
            .iter()
            .flat_map(|w| w.legs.iter().map(move |leg| (w, leg)))
            .map(|(w, leg)| (w, &leg.market, self.stops.held_at(region, &leg.market)))
            .collect();
        if self.twins_until_ms.is_some() {
            // What twins do to a market nobody keeps a record of.
            return Ok(());
        }
        let node = self.nodes.get_mut(&region).expect("regions are 1 to 3");
        let mark = node.odds_mark();
        let same = std::mem::replace(&mut node.looked_at, mark) == mark;
        let looked = match node.plane() {
            Some(_) if same && !died => Ok(()),
            _ if died => self.stops.look(region, node.opened().engine().plane()),
            Some(plane) => self.stops.look(region, plane),
            None => Ok(()),
        };
        looked.map_err(|detail| Breach::new("suspension_wins", detail))?;
        self.look_at_accounts(region, accepted, died)?;
        for (wager, market, held) in before {
            invariants::sold(self, region, wager, market, &held)?;
        }
        Ok(())
    }

    fn plan_wake(&mut self, region: u16) {
        let now_ms = self.now_ms;
        let node = self.node_mut(region);
        let more = !node.inbox.is_empty();
        let due = node.process.as_ref().and_then(|p| p.engine().deadline_ms());
        let at = due.map(|due| node.clock.when(due, now_ms).max(now_ms + 1));
        let wake = at.filter(|at| node.wake_ms != Some(*at));
        if let Some(at) = wake {
            node.wake_ms = Some(at);
            self.at(at, Event::Wake(region, at));
        }
        if more && !std::mem::replace(&mut self.node_mut(region).step_due, true) {
            self.after(0, Event::Step(region));
        }
    }

    fn effects(&mut self, region: u16, effects: Vec<(Effect, Option<model::Token>)>) -> Result<(), Breach> {
        for (effect, token) in effects {
            match effect {
                Effect::Reply { id, answer } => self.reply(region, id, &answer, &token.unwrap_or_default())?,
                Effect::Send { region: to, lane, frame } => self.send(region, to, lane, &frame),
                Effect::Quarantine { why } if self.restored == Some(region) || self.forks.contains_key(&region) => {
                    self.trace.note(self.now_ms, &format!("{region}: {why}"));
                }
                Effect::Quarantine { why } => {
                    return Err(Breach::new("durable_ack", format!("region {region} has forgotten something: {why}")));
                }
                Effect::Archive { site, first, last } => self.archive(region, (site, first, last)),
                Effect::Snapshot { region: to, ask } => self.serve((region, to), ask),
                Effect::Alarm { code, detail } => self.alarm(region, code, &detail)?,
            }
        }
        Ok(())
    }

    fn reply(&mut self, region: u16, id: u64, answer: &Answer, token: &model::Token) -> Result<(), Breach> {
        if self.restored == Some(region) {
            return Self::answered_on_old_disk(region, answer);
        }
        let disk = self.node(region).disk.clone();
        if let Some(fork) = self.forks.get_mut(&region) {
            return fork.answered(id, answer, &disk.tables()).map_err(|detail| Breach::new("quarantine", detail));
        }
        let site = self.node(region).site;
        if let Answer::Withdrawal { posting, held, .. } = answer {
            invariants::withdrawal_shown(self, posting, *held)?;
        }
        invariants::wagers_shown(self, answer)?;
        invariants::reference_answered(self, answer, site)?;
        let call = self.oracle.heard(id, answer, token, &self.ghost, site)?;
        invariants::promised(self, region, &call, answer)?;
        let short = short(answer);
        self.trace.note(self.now_ms, &format!("{region}: answers {id} {short}"));
        drop(call);
        Ok(())
    }

    fn alarm(&mut self, region: u16, code: &'static str, detail: &str) -> Result<(), Breach> {
        self.trace.note(self.now_ms, &format!("{region}: alarm {code}: {detail}"));
        let broken_frames = self.options.corrupt_ppm > 0 && matches!(code, "frame_refused" | "odds_refused");
        // A payment for an account that nobody opened, or in digits that its currency has not, is for a person.
        let known = broken_frames
            || matches!(code, "clock_stepped" | "peer_clock_ahead" | "reference_refused" | "snapshot_given_up");
        let poisoned = code == "stream_stopped"
            && self.poisoned.is_some_and(|p| {
                p.victim == region && p.delivered && detail.contains(&format!("site {} stands", p.site))
            });
        // Until it was noticed, it may have written otherwise; and whoever writes over its own numbers is not believed.
        let doubted = self.restored.is_some() && matches!(code, "stream_stopped" | "log_differs" | "odds_refused");
        if known || poisoned || doubted || self.is_of_a_fork(code, detail) {
            return Ok(());
        }
        Err(Breach::new("contained", format!("region {region}: {code}: {detail}")))
    }

    fn start(&mut self, region: u16) {
        if self.running(region) || self.gone() == Some(region) {
            return;
        }
        let (steady_ms, boot_nonce) = (self.faults.below(100_000), self.faults.any() | 1);
        let now_ms = self.now_ms;
        let node = self.node_mut(region);
        node.start(now_ms, steady_ms, boot_nonce);
        self.trace.note(self.now_ms, &format!("{region}: starts"));
        if !std::mem::replace(&mut self.node_mut(region).step_due, true) {
            self.after(0, Event::Step(region));
        }
        for (peer, _) in REGIONS.iter().filter(|(n, _)| *n != region_of(region)) {
            let at = self.faults.between(1, 150);
            self.after(at, Event::Connect((region, *peer)));
        }
    }

    fn act(&mut self) {
        if self.healed_ms.is_some() && self.twins_until_ms.is_none() {
            return;
        }
        let (nodes, second) = (&self.nodes, self.second.as_ref());
        let plane = |region: u16| match second {
            Some(second) if second.instead && second.region == region => second.node.plane(),
            _ => nodes.get(&region).and_then(Node::plane),
        };
        if let Some(call) = self.load.act(self.now_ms, &self.oracle, plane).filter(|c| self.is_for_twins(c)) {
            self.call(&call);
        }
        self.act_at_once();
        let next = self.faults.exponential(self.options.act_ms) + 1;
        self.after(next, Event::Act);
    }

    /// A client's call reaches a process, or nobody.
    fn call(&mut self, call: &Call) {
        let machine = self.reached(call.region);
        if !self.running(machine) {
            return;
        }
        if self.forks.contains_key(&machine) {
            return self.call_forked(machine, call);
        }
        let life = self.node(call.region).lives;
        let id = self.oracle.ask(call, life);
        let text = asked(&call.request);
        self.trace.note(self.now_ms, &format!("{}: asked {id} (wait {}) {text}", call.region, call.wait_ms));
        let input =
            Input::Request { id, request: call.request.clone(), token: call.token.clone(), wait_ms: call.wait_ms };
        self.give(call.region, input);
    }

    fn feed_line(&mut self) {
        if self.healed_ms.is_some() {
            return;
        }
        let Some((feed, readers)) = &mut self.feed else { return };
        let mut lines = Vec::new();
        while self.feed_next.as_ref().is_some_and(|(at, _)| *at <= EPOCH_MS + self.now_ms) {
            if let Some((_, line)) = std::mem::replace(&mut self.feed_next, feed.next())
                && let Ok(StreamMessage::Market(message)) = parse_line(line.as_bytes())
            {
                lines.push(engine::door::FeedLine { line: lines.len() + 1, message });
            }
        }
        let readers = readers.clone();
        for region in readers.into_iter().filter(|_| !lines.is_empty()) {
            let request = engine::door::Request::Feed(lines.clone());
            self.call(&Call { region, request, token: None, wait_ms: 0 });
        }
        let again = self.faults.between(20, 200);
        self.after(again, Event::FeedLine);
    }
}
