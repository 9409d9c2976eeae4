//! `stakehold demo`: three regions on this machine take wagers through a partition, settle, and are held to their
//! promises.
//!
//! Owns the command line, the order of starting and stopping, and the exit code.

mod audit;
mod board;
mod book;
pub(crate) mod cluster;
mod converge;
mod counter;
pub(crate) mod crossing;
mod odds;
mod players;
mod report;
mod script;
mod settings;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use cluster::{Cluster, Plan};
use odds::Source;
use report::Setting;
use script::{FRESHNESS, Script};

/// Exit code of a run that was interrupted.
const EXIT_INTERRUPTED: u8 = 130;
/// Names of the regions, in the order of their numbers.
const REGIONS: [&str; 3] = ["eu-west", "us-east", "ap-south"];
/// Delays between pairs of regions as percentages of `--delay-ms`: Europe to America, Europe to India, America to India.
const DELAY_PERCENT: [((usize, usize), u32); 3] = [((0, 1), 100), ((0, 2), 150), ((1, 2), 240)];
/// How long regions may take until they are ready.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// `demo`
#[derive(Debug, clap::Args)]
pub(crate) struct DemoArgs {
    /// Stream this recording of a Betfair exchange stream (NDJSON) instead of simulated football.
    #[arg(long, value_name = "FILE")]
    recording: Option<PathBuf>,
    /// Seed of the matches and of the players.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Simulated matches; each has two markets.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=200))]
    matches: u32,
    /// How long odds are streamed.
    #[arg(long, default_value_t = 55, value_parser = clap::value_parser!(u64).range(40..=3600))]
    seconds: u64,
    /// One-way delay between eu-west and us-east, ms; the other links are slower in proportion.
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(0..=1000))]
    delay_ms: u32,
    /// Make the scratch folder in this one.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Leave the regions running at the end, until Ctrl-C.
    #[arg(long, env = "KEEP", value_parser = clap::builder::FalseyValueParser::new())]
    keep: bool,
}

/// Runs the demo.
///
/// # Errors
/// When regions cannot be started.
pub(crate) async fn run(args: DemoArgs) -> anyhow::Result<ExitCode> {
    let delay = |percent: u32| Duration::from_micros(u64::from(args.delay_ms) * u64::from(percent) * 10);
    let one_way: BTreeMap<(usize, usize), Duration> = DELAY_PERCENT.map(|(pair, n)| (pair, delay(n))).into();
    let plan = Plan {
        regions: REGIONS.to_vec(),
        one_way,
        freshness_ms: u64::try_from(FRESHNESS.as_millis())?,
        parent: args.dir.clone(),
        binary: None,
        windows: String::new(),
    };
    say("making certificates and starting three regions");
    let mut cluster = Cluster::start(&plan).await?;
    let outcome = attempt(&args, &plan, &mut cluster).await;
    if args.keep && matches!(outcome, Outcome::Kept | Outcome::Broken) {
        keep(&mut cluster).await?;
    }
    say("stopping the regions");
    if let Err(why) = cluster.stop().await {
        say(&format!("{why}"));
        return Ok(ExitCode::FAILURE);
    }
    Ok(match outcome {
        Outcome::Kept => ExitCode::SUCCESS,
        Outcome::Interrupted => ExitCode::from(EXIT_INTERRUPTED),
        Outcome::Broken | Outcome::Failed => ExitCode::FAILURE,
    })
}

/// How the demo ended.
enum Outcome {
    /// Every promise held.
    Kept,
    /// Some promise did not.
    Broken,
    /// It could not be played to the end; why has been said.
    Failed,
    /// By a signal.
    Interrupted,
}

async fn attempt(args: &DemoArgs, plan: &Plan, cluster: &mut Cluster) -> Outcome {
    let played = tokio::select! {
        biased;
        () = interrupted() => return Outcome::Interrupted,
        why = Box::pin(play(args, plan, cluster)) => why,
    };
    played.unwrap_or_else(|why| {
        say(&format!("{why:#}"));
        Outcome::Failed
    })
}

async fn play(args: &DemoArgs, plan: &Plan, cluster: &mut Cluster) -> anyhow::Result<Outcome> {
    let source = match &args.recording {
        Some(path) => Source::Recording(path.clone()),
        None => Source::Football { seed: args.seed, matches: args.matches },
    };
    let script = Script { source: source.clone(), seed: args.seed, seconds: args.seconds };
    let deaths = cluster.deaths();
    let scripted = async {
        cluster.ready(READY_WITHIN).await?;
        script.play(cluster).await
    };
    let story = tokio::select! {
        story = Box::pin(scripted) => story?,
        place = deaths.first() => {
            say(&cluster.obituary(place).await);
            return Ok(Outcome::Failed);
        }
    };
    let is_recording = args.recording.is_some();
    let delays: Vec<Duration> = (1..plan.regions.len()).filter_map(|to| plan.one_way.get(&(0, to)).copied()).collect();
    let setting = Setting { names: &plan.regions, delays: &delays, source: &source.describe(), is_recording };
    let (text, faults, kept) = report::report(&story, &setting)?;
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    writeln!(out, "\n{}", if kept { "every promise held" } else { "NOT EVERY PROMISE HELD" })?;
    out.flush()?;
    for fault in faults {
        say(&fault);
    }
    Ok(if kept { Outcome::Kept } else { Outcome::Broken })
}

/// Leaves the regions running until a signal or a death.
async fn keep(cluster: &mut Cluster) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\nThe regions keep running until Ctrl-C; their data is in {}", cluster.folder().display())?;
    for (name, url) in cluster.names().iter().zip(cluster.urls()) {
        writeln!(out, "{name:<14}{url}")?;
    }
    out.flush()?;
    drop(out);
    let deaths = cluster.deaths();
    tokio::select! {
        () = interrupted() => {}
        place = deaths.first() => say(&cluster.obituary(place).await),
    }
    Ok(())
}

/// Waits for Ctrl-C, SIGTERM or a closed terminal.
pub(crate) async fn interrupted() {
    let wait = |kind| async move {
        match signal(kind) {
            Ok(mut signals) => drop(signals.recv().await),
            // Without a handler the signal ends the process at once; there is nothing to wait for.
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = wait(SignalKind::interrupt()) => {}
        () = wait(SignalKind::terminate()) => {}
        () = wait(SignalKind::hangup()) => {}
    }
}

/// A line of progress on standard error.
pub(crate) fn say(what: &str) {
    // Nobody is left to tell when standard error is gone.
    let _ = writeln!(std::io::stderr(), "demo: {what}");
}
