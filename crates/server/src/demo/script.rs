//! What happens in the demo, in order: accounts, odds, wagers, a region cut off and healed, results, books.
//!
//! It must not know how regions are started, nor how the outcome is shown.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use model::Currency;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::audit::{Findings, audit};
use super::board::Board;
use super::book::{Account, Book};
use super::cluster::Cluster;
use super::converge::Watch;
use super::counter::Counter;
use super::crossing::{Crossings, Probe};
use super::odds::{Heard, Source};
use super::players::{Shop, play};
use super::say;
use crate::client::Client;
use crate::feed::pace;
use crate::feed::post::{Poster, Tally};

/// The region that the odds enter.
pub(crate) const FEED: usize = 0;
/// The region that is cut off.
pub(crate) const CUT: usize = 2;
/// Odds older than this are not sold in the demo: short, so that a cut need not be long.
pub(crate) const FRESHNESS: Duration = Duration::from_secs(6);
/// How long the cut lasts: the freshness, and as long again and some.
pub(crate) const CUT_FOR: Duration = Duration::from_secs(14);

/// Accounts of each region; every fifth is poor.
const ACCOUNTS: usize = 20;
/// Currencies of the accounts, by region.
const CURRENCIES: [&str; 3] = ["EUR", "USD", "INR"];
const DEPOSIT_RICH: i128 = 200_000;
const DEPOSIT_POOR: i128 = 2_000;
/// Players of each region, and the pause between two wagers of one.
const PLAYERS: u64 = 3;
const PACE: Duration = Duration::from_millis(80);
/// Pause between two prices whose crossing is timed.
const PROBE_PAUSE: Duration = Duration::from_millis(60);
/// Longest wait for the regions to become equal.
const EQUAL_WITHIN: Duration = Duration::from_secs(30);
/// Longest wait for a stream that should have ended.
const FEED_GRACE: Duration = Duration::from_secs(30);

/// What is played.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    /// Where odds come from.
    pub(crate) source: Source,
    /// Seeds the players.
    pub(crate) seed: u64,
    /// How long odds are streamed.
    pub(crate) seconds: u64,
}

/// When the cut was, in ms since the players began.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Times {
    /// Cut off.
    pub(crate) cut_ms: u64,
    /// Healed.
    pub(crate) healed_ms: u64,
}

/// Everything that the report tells.
pub(crate) struct Story {
    /// What was asked and answered.
    pub(crate) book: Book,
    /// When.
    pub(crate) times: Times,
    /// What became of the stream.
    pub(crate) fed: Tally,
    /// Markets that were settled by the stream, and all.
    pub(crate) markets: (usize, usize),
    /// Prices across regions, from the feed's region to the others in order.
    pub(crate) crossings: Crossings,
    /// From the healing until every region knew all that any knew then; none when it took too long.
    pub(crate) caught_up: Option<Duration>,
    /// From the last wager until all were equal; none when they did not become equal.
    pub(crate) equal_after: Option<Duration>,
    /// The last digests of each region.
    pub(crate) digests: Vec<Value>,
    /// The regions' books against ours.
    pub(crate) findings: Findings,
}

impl Script {
    /// Plays it.
    ///
    /// # Errors
    /// When a region does not do what the script needs; broken promises are no errors, they are in the story.
    pub(crate) async fn play(&self, cluster: &Cluster) -> anyhow::Result<Story> {
        let urls = Arc::new(cluster.urls());
        let names = cluster.names();
        say("opening accounts and paying in");
        let mut book = open_accounts(&names, &urls).await?;
        let (stop, stopped) = watch::channel(false);
        let heard = Heard::default();
        let mut feed = self.start_feed(&urls, &heard).await?;
        let paused = Arc::new(AtomicBool::new(false));
        let mut probes = JoinSet::new();
        probes.spawn(probe(&urls, cluster, &paused, &stopped)?.run());
        let started = Instant::now();
        let mut players = self.start_players(&book, &urls, &heard, started, &stopped);

        say(&format!("{}; taking wagers in {}", self.source.describe(), names.join(", ")));
        let (times, caught_up) = cut_and_heal(cluster, &urls, started, self.seconds, &paused).await?;
        say(&format!("waiting for the last results, {} s at most", self.left(started).as_secs()));
        let fed = end_feed(&mut feed, self.left(started) + FEED_GRACE).await?;
        stop.send_replace(true);
        while let Some(played) = players.join_next().await {
            let (asked, repeats) = played.context("a player broke off")??;
            book.add(asked, repeats);
        }
        let crossings = probes.join_next().await.context("no probe")?.context("the price probe broke off")??;

        say("waiting until all regions are equal");
        let (equal_after, digests) = Watch::new(&urls)?.equal(EQUAL_WITHIN).await?;
        say("comparing every wager and every account in every region");
        let findings = audit(&book, &heard, &urls).await?;
        let markets = heard.counts();
        Ok(Story { book, times, fed, markets, crossings, caught_up, equal_after, digests, findings })
    }

    fn left(&self, started: Instant) -> Duration {
        Duration::from_secs(self.seconds).saturating_sub(started.elapsed())
    }

    /// The stream, in a set of its own so that it ends when the demo does.
    async fn start_feed(&self, urls: &[String], heard: &Heard) -> anyhow::Result<JoinSet<anyhow::Result<Tally>>> {
        let url = urls.get(FEED).context("no region for the feed")?;
        let mut poster = Poster::new(Client::new(url)?, Duration::from_secs(20));
        let (mut lines, pacing) = self.source.play(self.seconds, poster.now_ms().await?, heard)?;
        let mut feed = JoinSet::new();
        feed.spawn(async move {
            pace::stream(&mut lines, &mut poster, pacing).await?;
            Ok(poster.into_tally())
        });
        Ok(feed)
    }

    fn start_players(
        &self,
        book: &Book,
        urls: &Arc<Vec<String>>,
        heard: &Heard,
        started: Instant,
        stopped: &watch::Receiver<bool>,
    ) -> JoinSet<anyhow::Result<(Vec<super::book::Asked>, super::book::Repeats)>> {
        let accounts = Arc::new(book.accounts.clone());
        let mut players = JoinSet::new();
        for (place, url) in urls.iter().enumerate() {
            let board = Board::default();
            // The board ends with the players; its only error is a URL that they cannot use either.
            tokio::spawn(board.clone().watch(url.clone(), heard.clone(), stopped.clone()));
            let (urls, accounts) = (Arc::clone(urls), Arc::clone(&accounts));
            let shop =
                Shop { place, urls, accounts, board, started, stop: stopped.clone(), travels: false, pace: PACE };
            for player in 0..PLAYERS {
                let seed = self.seed.wrapping_mul(1_000).wrapping_add(u64::try_from(place).unwrap_or(0) * 100 + player);
                players.spawn(play(Shop { travels: player == 0, ..shop.clone() }, seed));
            }
        }
        players
    }
}

async fn open_accounts(names: &[&str], urls: &[String]) -> anyhow::Result<Book> {
    let mut book = Book::default();
    for (home, ((name, url), code)) in names.iter().zip(urls).zip(CURRENCIES.iter().cycle()).enumerate() {
        let currency = Currency::new(code)?;
        let mut counter = Counter::new(url)?;
        for n in 0..ACCOUNTS {
            let mut account = Account { name: format!("player-{n}@{name}"), home, currency, deposited: 0 };
            let amount = if n % 5 == 4 { DEPOSIT_POOR } else { DEPOSIT_RICH };
            let twice = n % 3 == 0;
            let opened = counter.open(&mut account, amount, twice).await?;
            if !opened.repeat_known {
                book.repeats.wrong.push(format!("a repeated deposit into {} was not known as one", account.name));
            }
            book.repeats.deposits += u64::from(twice);
            // The next region waits for the token, and then knows the money.
            let elsewhere = urls.iter().cycle().nth(home + 1).context("no other region")?;
            if n + 1 == ACCOUNTS
                && Counter::new(elsewhere)?.balance_after(&account, &opened.token).await? != Some(amount)
            {
                book.repeats.wrong.push(format!("{} is not known elsewhere after waiting for its token", account.name));
            }
            book.accounts.push(account);
        }
    }
    Ok(book)
}

fn probe(
    urls: &[String],
    cluster: &Cluster,
    paused: &Arc<AtomicBool>,
    stop: &watch::Receiver<bool>,
) -> anyhow::Result<Probe> {
    let others = urls.iter().enumerate().filter(|(place, _)| *place != FEED);
    Ok(Probe {
        writer: urls.get(FEED).context("no region to write to")?.clone(),
        readers: others.map(|(place, url)| (url.clone(), cluster.one_way(FEED, place))).collect(),
        pause: PROBE_PAUSE,
        paused: Arc::clone(paused),
        stop: stop.clone(),
    })
}

async fn cut_and_heal(
    cluster: &Cluster,
    urls: &[String],
    started: Instant,
    seconds: u64,
    paused: &AtomicBool,
) -> anyhow::Result<(Times, Option<Duration>)> {
    let ms = |since: Instant| u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
    let name = cluster.names().get(CUT).copied().unwrap_or_default();
    sleep(Duration::from_secs(seconds) / 4).await;
    paused.store(true, Ordering::SeqCst);
    // A price that is crossing may still arrive.
    sleep(Duration::from_millis(300)).await;
    cluster.set_cut(CUT, true);
    let cut_ms = ms(started);
    say(&format!("{name} is cut off for {} s", CUT_FOR.as_secs()));
    sleep(CUT_FOR).await;
    let mut watch = Watch::new(urls)?;
    let wanted = watch.furthest().await?;
    cluster.set_cut(CUT, false);
    let healed_ms = ms(started);
    say(&format!("{name} is healed"));
    let caught_up = watch.caught_up(&wanted, EQUAL_WITHIN).await?;
    paused.store(false, Ordering::SeqCst);
    Ok((Times { cut_ms, healed_ms }, caught_up))
}

async fn end_feed(feed: &mut JoinSet<anyhow::Result<Tally>>, within: Duration) -> anyhow::Result<Tally> {
    let ended = tokio::time::timeout(within, feed.join_next()).await.context("the stream did not end in time")?;
    ended.context("no stream")?.context("the stream broke off")?
}
