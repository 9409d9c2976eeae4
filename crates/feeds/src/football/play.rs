//! One simulated match: the clock on the pitch, goals (some taken back after a look at the video), and what its two
//! markets say of them.
//!
//! It must not know how changes are written.

use rand::RngExt as _;
use rand_pcg::Pcg64;

use super::{
    STEPS_PER_MINUTE,
    market::{Change, Market, Title, line},
    odds::{Chances, ONE, chances},
};
use crate::instant::format_utc_ms;

/// The exchange's selection ids of outcomes without a team.
const DRAW_ID: u64 = 58_805;
const UNDER_ID: u64 = 47_972;
const OVER_ID: u64 = 47_973;

const CLUBS_COUNT: u32 = 20;
/// Clubs that do not exist.
const CLUBS: [&str; CLUBS_COUNT as usize] = [
    "Ashcombe Rovers",
    "Brackwater Town",
    "Caldmoor Athletic",
    "Dunmere City",
    "Eastvale Wanderers",
    "Fenwick Albion",
    "Gorsley United",
    "Harrowick",
    "Inverleck Thistle",
    "Jarrowby Villa",
    "Kestrel Park",
    "Lindenford",
    "Marlstone Vale",
    "Northolme Rangers",
    "Oakhaven Orient",
    "Penhallow Argyle",
    "Quarrington",
    "Ravensea Harbour",
    "Stonebeck Forest",
    "Thornaby Wold",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing said yet; the match is so many steps away.
    New(u64),
    /// Before the match, for this many more steps.
    Before(u64),
    /// Suspended for the kick-off.
    KickOff,
    /// The match runs.
    Play,
    /// Suspended for this many more steps after a goal of this side.
    Goal { left: u64, home: bool },
    /// The break, for this many more steps.
    Break(u64),
    /// Suspended at the end, for this many more steps.
    End(u64),
    /// All markets are closed.
    Over,
}

/// A match.
#[derive(Debug)]
pub(super) struct Match {
    rng: Pcg64,
    phase: Phase,
    /// Steps played, of how many.
    played: u64,
    length: u64,
    score: (u32, u32),
    /// Goals that each side scores in a whole match on average, in thousandths.
    rates_milli: (u32, u32),
    result: Market,
    goals: Market,
}

impl Match {
    /// Match number `number`, announced at `start_ms` with a kick-off some minutes later.
    pub(super) fn new(number: u32, mut rng: Pcg64, start_ms: u64, minute_ms: u64) -> Self {
        let home = rng.random_range(0..CLUBS_COUNT);
        let away = (home + rng.random_range(1..CLUBS_COUNT)) % CLUBS_COUNT;
        let name = |club: u32| CLUBS.get(club as usize).copied().unwrap_or_default().to_owned();
        let before = rng.random_range(2 * STEPS_PER_MINUTE..=10 * STEPS_PER_MINUTE);
        let kick_off_ms = start_ms + (before + 1) * (minute_ms / STEPS_PER_MINUTE);
        let title = |market_type, market_name| Title {
            event_id: (80_000_000 + number).to_string(),
            event_name: format!("{} v {}", name(home), name(away)),
            event_type_id: "1",
            market_time: format_utc_ms(kick_off_ms),
            market_type,
            name: market_name,
        };
        let id = |kind: u32| format!("1.{}", 900_000_000 + number * 10 + kind);
        let club_id = |club: u32| 700_000 + u64::from(club);
        let result = Market::new(
            id(1),
            title("MATCH_ODDS", "Match Odds"),
            vec![(club_id(home), name(home)), (club_id(away), name(away)), (DRAW_ID, "The Draw".to_owned())],
        );
        let goals = Market::new(
            id(2),
            title("OVER_UNDER_25", "Over/Under 2.5 Goals"),
            vec![(UNDER_ID, "Under 2.5 Goals".to_owned()), (OVER_ID, "Over 2.5 Goals".to_owned())],
        );
        Self {
            phase: Phase::New(before),
            played: 0,
            length: rng.random_range(92..=97) * STEPS_PER_MINUTE,
            score: (0, 0),
            rates_milli: (rng.random_range(900..=2_200), rng.random_range(700..=1_800)),
            rng,
            result,
            goals,
        }
    }

    /// True when nothing more will be said.
    pub(super) fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// Takes one step at `at_ms` and returns what the stream says of it, if anything.
    pub(super) fn step(&mut self, at_ms: u64) -> Option<String> {
        let changes: Vec<Change> = match self.phase {
            Phase::New(before) => {
                self.phase = Phase::Before(before);
                self.each(|market, rng, chances| market.image(rng, chances))
            }
            Phase::Before(0) => {
                self.phase = Phase::KickOff;
                self.each(|market, _, _| market.suspend())
            }
            Phase::Before(left) => {
                self.phase = Phase::Before(left - 1);
                self.quote(2)
            }
            Phase::KickOff => {
                self.phase = Phase::Play;
                self.each(|market, rng, chances| market.open(rng, true, chances))
            }
            Phase::Play => self.play(),
            Phase::Goal { left: 0, home } => self.decide(home),
            Phase::Goal { left, home } => {
                self.played += 1;
                self.phase = Phase::Goal { left: left - 1, home };
                Vec::new()
            }
            Phase::Break(left) => {
                self.phase = if left == 0 { Phase::Play } else { Phase::Break(left - 1) };
                self.quote(10)
            }
            Phase::End(0) => {
                self.phase = Phase::Over;
                self.close()
            }
            Phase::End(left) => {
                self.phase = Phase::End(left - 1);
                Vec::new()
            }
            Phase::Over => Vec::new(),
        };
        let changes: Vec<Change> = changes.into_iter().filter(|change| !change.is_empty()).collect();
        (!changes.is_empty()).then(|| line(at_ms, changes))
    }

    fn play(&mut self) -> Vec<Change> {
        self.played += 1;
        if self.played >= self.length {
            self.phase = Phase::End(2);
            return self.each(|market, _, _| market.suspend());
        }
        if self.played == 45 * STEPS_PER_MINUTE {
            self.phase = Phase::Break(15 * STEPS_PER_MINUTE);
            return Vec::new();
        }
        let dice = self.rng.random_range(0..self.length * 1_000);
        let (home, away) = (u64::from(self.rates_milli.0), u64::from(self.rates_milli.1));
        if dice >= home + away {
            return self.quote(2);
        }
        let left = self.rng.random_range(STEPS_PER_MINUTE..=2 * STEPS_PER_MINUTE);
        self.phase = Phase::Goal { left, home: dice < home };
        self.each(|market, _, _| market.suspend())
    }

    /// After a goal: it counts, or one time in twelve it is taken back.
    fn decide(&mut self, home: bool) -> Vec<Change> {
        self.phase = Phase::Play;
        if self.rng.random_range(0..12) != 0 {
            let side = if home { &mut self.score.0 } else { &mut self.score.1 };
            *side += 1;
        }
        let decided = self.score.0 + self.score.1 > 2;
        let closing = (decided && !self.goals.is_closed()).then(|| self.goals.close(1));
        self.each(|market, rng, chances| market.open(rng, true, chances)).into_iter().chain(closing).collect()
    }

    fn close(&mut self) -> Vec<Change> {
        let winner = match self.score.0.cmp(&self.score.1) {
            std::cmp::Ordering::Greater => 0,
            std::cmp::Ordering::Less => 1,
            std::cmp::Ordering::Equal => 2,
        };
        let under = (!self.goals.is_closed()).then(|| self.goals.close(0));
        std::iter::once(self.result.close(winner)).chain(under).collect()
    }

    /// New prices, one time in `rarity` for each market.
    fn quote(&mut self, rarity: u32) -> Vec<Change> {
        self.each(
            |market, rng, chances| {
                if rng.random_range(0..rarity) == 0 { market.quote(rng, chances) } else { Change::default() }
            },
        )
    }

    /// Does the same to each market that is not closed, with its runners' chances in their order.
    fn each(&mut self, mut act: impl FnMut(&mut Market, &mut Pcg64, &[u64]) -> Change) -> Vec<Change> {
        let Chances { home, draw, away, under } = self.chances();
        let mut changes = vec![act(&mut self.result, &mut self.rng, &[home, away, draw])];
        if !self.goals.is_closed() {
            changes.push(act(&mut self.goals, &mut self.rng, &[under, ONE.saturating_sub(under)]));
        }
        changes
    }

    fn chances(&self) -> Chances {
        let left = self.length.saturating_sub(self.played);
        let rest = |rate: u32| u32::try_from(u64::from(rate) * left / self.length).unwrap_or(rate);
        chances(self.score, (rest(self.rates_milli.0), rest(self.rates_milli.1)))
    }
}
