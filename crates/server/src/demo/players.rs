//! Players of one region: they bet on what its board shows, now and then send a wager twice, or to the wrong region.
//!
//! It must not know how the answers will be checked.

use std::sync::Arc;
use std::time::Duration;

use rand::RngExt as _;
use rand_pcg::Pcg64;
use rand_pcg::rand_core::SeedableRng as _;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::board::{Board, Offer};
use super::book::{Account, Answer, Asked, Repeats};
use super::counter::{Counter, Slip};

/// One in so many wagers is sent again to the same region, and one in so many to another.
const REPEAT_ONE_IN: u32 = 15;
/// One in so many does not look whether the selection is on sale.
const BLIND_ONE_IN: u32 = 10;
/// How long a player waits for money from elsewhere, away from home and at home, ms.
const WAIT_MS: (u64, u64) = (1_000, 200);
/// Faults written out; further ones are only known to be there.
const WRONG_MAX: usize = 5;

/// Where and how the players of a region play.
#[derive(Clone)]
pub(crate) struct Shop {
    /// Place of the region.
    pub(crate) place: usize,
    /// Regions by place.
    pub(crate) urls: Arc<Vec<String>>,
    /// All accounts.
    pub(crate) accounts: Arc<Vec<Account>>,
    /// What the region offers.
    pub(crate) board: Board,
    /// The demo's start.
    pub(crate) started: Instant,
    /// True: no more wagers.
    pub(crate) stop: watch::Receiver<bool>,
    /// Whether the accounts are those of other regions. Such wagers may wait for money from elsewhere, so that a player
    /// uses only the one kind of account or the other.
    pub(crate) travels: bool,
    /// Pause between two wagers of one player.
    pub(crate) pace: Duration,
}

/// One player's way through the demo.
struct Player {
    shop: Shop,
    rng: Pcg64,
    counter: Counter,
    /// The other region that wrong deliveries go to.
    wrong_counter: Counter,
    asked: Vec<Asked>,
    repeats: Repeats,
}

/// Plays until told to stop; returns what was asked and answered.
///
/// # Errors
/// When the region gives no ids or its URL cannot be used.
pub(crate) async fn play(shop: Shop, seed: u64) -> anyhow::Result<(Vec<Asked>, Repeats)> {
    let elsewhere = (shop.place + 1) % shop.urls.len().max(1);
    let url = |place: usize| shop.urls.get(place).map(String::as_str).unwrap_or_default();
    let (counter, wrong_counter) = (Counter::new(url(shop.place))?, Counter::new(url(elsewhere))?);
    let rng = Pcg64::seed_from_u64(seed);
    let mut ticks = interval(shop.pace);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut player = Player { shop, rng, counter, wrong_counter, asked: Vec::new(), repeats: Repeats::default() };
    loop {
        ticks.tick().await;
        if *player.shop.stop.borrow() {
            return Ok((player.asked, player.repeats));
        }
        if let Some((account, slip)) = player.choose() {
            player.bet(account, slip).await?;
        }
    }
}

impl Player {
    fn one_in(&mut self, n: u32) -> bool {
        self.rng.random_range(0..n) == 0
    }

    /// An account and a wager, if anything is on offer.
    fn choose(&mut self) -> Option<(usize, Slip)> {
        let offers = self.shop.board.offers();
        let on_sale: Vec<&Offer> = offers.iter().filter(|offer| offer.sellable).collect();
        let blind = on_sale.is_empty() || self.one_in(BLIND_ONE_IN);
        let offer = if blind { self.pick(&offers)? } else { *self.pick(&on_sale)? };
        let accounts = Arc::clone(&self.shop.accounts);
        let here = self.shop.place;
        let fitting: Vec<usize> =
            (0..).zip(accounts.iter()).filter(|(_, a)| (a.home != here) == self.shop.travels).map(|(n, _)| n).collect();
        let place = *self.pick(&fitting)?;
        let account = accounts.get(place)?;
        let slip = Slip {
            account: account.name.clone(),
            currency: account.currency,
            stake: i128::from(self.rng.random_range(100..=1_000_u32)),
            market: offer.market.clone(),
            outcome: offer.outcome.clone(),
            odds: offer.odds.clone(),
            wait_ms: if self.shop.travels { WAIT_MS.0 } else { WAIT_MS.1 },
            policy: self.pick(&["none", "higher", "higher", "any", "any"]).copied()?,
        };
        Some((place, slip))
    }

    fn pick<'a, T>(&mut self, among: &'a [T]) -> Option<&'a T> {
        if among.is_empty() { None } else { among.get(self.rng.random_range(0..among.len())) }
    }

    async fn bet(&mut self, account: usize, slip: Slip) -> anyhow::Result<()> {
        let id = self.counter.id().await?;
        let at_ms = u64::try_from(self.shop.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let first = self.counter.place(&id, &slip).await;
        if matches!(first.answer, Answer::Accepted(_) | Answer::Rejected(_)) {
            if self.one_in(REPEAT_ONE_IN) {
                self.repeats.same += 1;
                let again = self.counter.ask(&id, &slip).await;
                if again.answer != first.answer || !again.replayed {
                    self.wrong(format!("{id} was {:?}, then {again:?}", first.answer));
                }
            }
            if self.one_in(REPEAT_ONE_IN) {
                self.repeats.elsewhere += 1;
                let there = self.wrong_counter.ask(&id, &slip).await;
                // Cut off, it may not know, or call it pending; what it never does is decide the bet again.
                let unknown = ["not_owner", "region_unreachable", "owner_unreachable"]
                    .map(|code| Answer::Undecided(code.to_owned()));
                if there.answer == first.answer && there.replayed {
                    self.repeats.told += 1;
                } else if !unknown.contains(&there.answer) {
                    self.wrong(format!("{id} was {:?}, in another region {there:?}", first.answer));
                }
            }
        }
        self.asked.push(Asked {
            id,
            region: self.shop.place,
            account,
            stake: slip.stake,
            market: slip.market,
            outcome: slip.outcome,
            at_ms,
            answer: first.answer,
        });
        Ok(())
    }

    fn wrong(&mut self, what: String) {
        if self.repeats.wrong.len() < WRONG_MAX {
            self.repeats.wrong.push(what);
        }
    }
}
