//! Model check: every order of a few steps, over the real ledger, checked exhaustively with stateright (DESIGN.md
//! section 9, ESCROW.md section 5). `make model` runs the larger bounds and prints what was explored.
//!
//! * this file: bounds, the world and its actions; `region`: a site, every call of the ledger; `disk`: what it stores;
//! * `authority`: the same site's calls on ids, homes and withdrawals;
//! * `laws`, `scenes`: the properties, named as in ESCROW.md section 5, and what must be reachable;
//! * `runs`: configurations, planted bugs, the table; `runs_authority`: those on ids, homes, windows and withdrawals.
//!
//! Lost, late and repeated messages: a message once sent stays deliverable for ever, so a lost one is one that is never
//! delivered and a repeated one is delivered again. Entries come from the writer's log at the reader's next index, as
//! pulls bring them. A new action is a variant of [`Action`], an offer in `offers` and an arm in `World::act`.
//! Not modelled: crashes, loss of a region, the engine's waiting and clocks; the simulator has those.

mod authority;
mod disk;
mod laws;
mod region;
mod runs;
mod runs_authority;
mod scenes;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use model::OutcomeResult;
use stateright::{Model, Property};

use crate::planted::Planted;
use crate::wire::Acquire;
use region::{Region, account};

/// What a configuration offers. Every list entry happens at most once, in any order; sites are numbered from 0, and
/// site 0 is the account's home.
#[derive(Clone, Debug)]
struct Bounds {
    name: &'static str,
    /// (site, minor units).
    deposits: &'static [(usize, u64)],
    /// (origin, stake); odds are 2.
    wagers: &'static [(usize, u64)],
    /// Which of the wagers are of level `geo`.
    geo: &'static [usize],
    /// (asker, giver, need, want).
    asks: &'static [(usize, usize, u64, u64)],
    /// (wager, site): where a wager is tried again, away from its origin; as often as one likes.
    retries: &'static [(usize, usize)],
    /// (wager, site): who makes sure that a wager is not placed, where the right to decide it stands.
    closes: &'static [(usize, usize)],
    /// (asker, home asked).
    moves: &'static [(usize, usize)],
    /// (origin, minor units).
    withdrawals: &'static [(usize, u64)],
    /// The account's exposure window at every site, minor units.
    window: Option<u64>,
    /// What the feed says of the outcome at site 0, in this order.
    results: &'static [OutcomeResult],
    /// A site with so many entries starts nothing new.
    log_max: u64,
    /// Sites that acknowledge, each time a step of its own: without an ack no credit is spent or granted (S3).
    ackers: &'static [usize],
    /// Whether entries that have come before are applied again: the control of planted increments.
    repeats: bool,
    planted: Planted,
    /// Reachability that the bounds must show.
    sometimes: &'static [&'static str],
}

/// One state of the whole cluster, and what its clients have seen.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct World {
    regions: Vec<Arc<Region>>,
    deposited: BTreeSet<usize>,
    /// Requests on their way: (place in the bounds, request number). They stay.
    asks: BTreeSet<(usize, u64)>,
    /// Answers on their way: (asker, giver, granted, index). They stay.
    answers: BTreeSet<(usize, usize, u64, u64)>,
    /// Questions about ids on their way: (asker, site asked, wager). They stay.
    fences: BTreeSet<(usize, usize, usize)>,
    /// Answers that say "yours" or "not decided here", kept for planted bugs only: (asker, wager). They stay.
    leaves: BTreeSet<(usize, usize)>,
    /// Requests to become home on their way: (place in the bounds, epoch). They stay.
    moves: BTreeSet<(usize, u64)>,
    results: usize,
    /// The first final answer to each wager.
    told: Vec<Option<Told>>,
    breach: Option<&'static str>,
}

/// A final answer to a wager.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Told {
    Accepted,
    Rejected,
    /// It will never be placed.
    Closed,
}

/// One step.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Action {
    Deposit(usize),
    Place(usize),
    Ask(usize),
    /// A request arrives (again).
    Grant(usize, u64),
    /// An answer arrives (again): (asker, giver, granted).
    Answer(usize, usize, u64),
    /// An entry arrives: (from, to, index).
    Entry(usize, usize, u64),
    /// The newest entry comes once more and nothing tells repeats apart: (from, to).
    Again(usize, usize),
    /// (holder, writer).
    Ack(usize, usize),
    Result,
    Settle(usize),
    Retry(usize),
    AskId(usize),
    /// A question about an id arrives (again): (asker, site asked, wager).
    Fence(usize, usize, usize),
    /// The answer to it is believed; planted bugs only: (asker, wager).
    Believe(usize, usize),
    Close(usize),
    AskHome(usize),
    /// The request arrives (again), with the epoch that the asker knew.
    Move(usize, u64),
    Withdraw(usize),
    /// Whether it is confirmed.
    Resolve(usize, bool),
}

impl World {
    fn first(bounds: &Bounds) -> Self {
        let mut regions: Vec<Region> = (1..=3).map(|n| Region::new(n, bounds)).collect();
        let [home, others @ ..] = regions.as_mut_slice() else { unreachable!("three regions") };
        home.open_account();
        for other in others {
            home.disk.log.iter().zip(1..).for_each(|(bytes, seq)| other.apply(home.site(), seq, bytes));
        }
        Self {
            regions: regions.into_iter().map(Arc::new).collect(),
            deposited: BTreeSet::new(),
            asks: BTreeSet::new(),
            answers: BTreeSet::new(),
            fences: BTreeSet::new(),
            leaves: BTreeSet::new(),
            moves: BTreeSet::new(),
            results: 0,
            told: vec![None; bounds.wagers.len()],
            breach: None,
        }
    }

    fn region(&self, index: usize) -> &Region {
        self.regions.get(index).expect("bounds name sites that exist")
    }

    fn change(&mut self, index: usize) -> &mut Region {
        Arc::make_mut(self.regions.get_mut(index).expect("bounds name sites that exist"))
    }

    fn request(&self, bounds: &Bounds, ask: usize, n: u64) -> (usize, usize, Acquire) {
        let (asker, giver, need, want) = bounds.asks.get(ask).copied().expect("offered from the bounds");
        (asker, giver, Acquire { n, account: account(), need, want, purpose: None })
    }

    fn act(&mut self, bounds: &Bounds, action: &Action) {
        match *action {
            Action::Deposit(n) => {
                let (site, minor) = bounds.deposits.get(n).copied().expect("offered from the bounds");
                self.deposited.insert(n);
                self.change(site).deposit(n as u64, minor);
            }
            Action::Place(n) => {
                let (origin, stake) = bounds.wagers.get(n).copied().expect("offered from the bounds");
                let id = bounds.wager_id(n);
                let answer = self.change(origin).place(id, stake, bounds.geo.contains(&n));
                self.tell(n, answer);
            }
            Action::Ask(n) => {
                let (asker, ..) = bounds.asks.get(n).copied().expect("offered from the bounds");
                let region = self.change(asker);
                region.asked += 1;
                let number = region.asked;
                self.asks.insert((n, number));
            }
            Action::Grant(ask, n) => {
                let (asker, giver, message) = self.request(bounds, ask, n);
                let to = self.region(asker).site();
                let (granted, seq) = self.change(giver).grant(to, &message);
                if bounds.planted == Planted::GrantFromReply {
                    self.answers.insert((asker, giver, granted, seq));
                }
            }
            Action::Answer(asker, giver, granted) => {
                let from = self.region(giver).site();
                self.change(asker).answered(from, granted);
            }
            Action::Entry(from, to, seq) => {
                let writer = Arc::clone(self.regions.get(from).expect("offered from the world"));
                let place = usize::try_from(seq).expect("logs are short") - 1;
                let bytes = writer.disk.log.get(place).expect("offered from the log");
                self.change(to).apply(writer.site(), seq, bytes);
            }
            Action::Again(from, to) => {
                let writer = Arc::clone(self.regions.get(from).expect("offered from the world"));
                let index = self.region(to).ledger.head(writer.site()).index;
                let place = usize::try_from(index).expect("logs are short") - 1;
                self.change(to).apply_again(writer.disk.log.get(place).expect("offered from the log"));
            }
            Action::Ack(holder, writer) => {
                let (by, index) = {
                    let holds = self.region(holder);
                    (holds.site(), holds.ledger.head(self.region(writer).site()).index)
                };
                self.change(writer).ack(by, index);
            }
            Action::Result => {
                let value = bounds.results.get(self.results).copied().expect("offered from the bounds");
                self.results += 1;
                let number = self.results as u64;
                self.change(0).result(number, value);
            }
            Action::Settle(n) => self.change(n).settle(),
            _ => self.act_on_authority(bounds, action),
        }
    }

    /// A client hears of a wager: a final answer stays, and "not known here" is none.
    fn tell(&mut self, wager: usize, answer: Option<Told>) {
        let told = self.told.get_mut(wager).expect("one slot a wager");
        if let (Some(before), Some(now)) = (*told, answer)
            && before != now
        {
            self.breach.get_or_insert("P9 sticky");
        }
        *told = told.or(answer);
    }

    /// New work: what clients, feeds and parked wagers may start.
    fn offer_new(&self, bounds: &Bounds, offers: &mut Vec<Action>) {
        let room = |site: usize| self.region(site).ledger.next_seq() <= bounds.log_max;
        for (n, (site, _)) in bounds.deposits.iter().enumerate() {
            if !self.deposited.contains(&n) && room(*site) {
                offers.push(Action::Deposit(n));
            }
        }
        for (n, (origin, _)) in bounds.wagers.iter().enumerate() {
            if room(*origin) {
                offers.push(Action::Place(n));
            }
        }
        for n in 0..bounds.asks.len() {
            if self.asks.iter().all(|(asked, _)| *asked != n) {
                offers.push(Action::Ask(n));
            }
        }
        if self.results < bounds.results.len() && room(0) {
            offers.push(Action::Result);
        }
    }

    /// What is under way: messages, entries, acks, settlement.
    fn offer_on(&self, bounds: &Bounds, offers: &mut Vec<Action>) {
        offers.extend(self.asks.iter().map(|(ask, n)| Action::Grant(*ask, *n)));
        offers.extend(self.answers.iter().map(|(asker, giver, granted, _)| Action::Answer(*asker, *giver, *granted)));
        for (from, writer) in self.regions.iter().enumerate() {
            if !writer.ledger.settling.is_empty() {
                offers.push(Action::Settle(from));
            }
            for (to, reader) in self.regions.iter().enumerate().filter(|(to, _)| *to != from) {
                let head = reader.ledger.head(writer.site());
                let last = writer.disk.log.len() as u64;
                let ahead = if bounds.planted == Planted::GapApplied { last } else { last.min(head.index + 1) };
                if head.stopped.is_none() {
                    offers.extend((head.index + 1..=ahead).map(|seq| Action::Entry(from, to, seq)));
                }
                if bounds.repeats && head.index > 0 {
                    offers.push(Action::Again(from, to));
                }
                let acks = bounds.ackers.contains(&to);
                if acks && head.index > writer.ledger.acks.get(&reader.site()).copied().unwrap_or(0) {
                    offers.push(Action::Ack(to, from));
                }
            }
        }
    }
}

impl Model for Bounds {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World::first(self)]
    }

    fn actions(&self, world: &World, offers: &mut Vec<Action>) {
        if world.breach.is_some() || world.regions.iter().any(|r| r.breach.is_some()) {
            return;
        }
        world.offer_new(self, offers);
        world.offer_on(self, offers);
        world.offer_authority(self, offers);
    }

    fn next_state(&self, last: &World, action: Action) -> Option<World> {
        let mut next = last.clone();
        if catch_unwind(AssertUnwindSafe(|| next.act(self, &action))).is_err() {
            // An assertion of the ledger: the state before it, marked, so that the checker shows the way to it.
            next = last.clone();
            next.breach = Some("no panic");
        }
        (next != *last).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        laws::properties(self.sometimes)
    }

    fn within_boundary(&self, world: &World) -> bool {
        // Settlement and received rights write by themselves: room for them above the limit of new work.
        world.regions.iter().all(|r| r.ledger.next_seq() <= self.log_max + 3)
    }
}
