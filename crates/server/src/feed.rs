//! `stakehold feed`: streams a recorded feed into a region, at its own pace or faster.
//!
//! Owns the command line, the summary and the exit code. It must not know how lines are paced or sent.

pub(crate) mod lines;
pub(crate) mod pace;
pub(crate) mod post;
pub(crate) mod times;
pub(crate) mod uof;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;

use crate::client::Client;
use pace::{Pacing, Speed};
use post::{Poster, Tally};

/// Exit code of a run that Ctrl-C ended.
const EXIT_INTERRUPTED: u8 = 130;

/// The feeds that can be streamed.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum FeedCommand {
    /// Streams a recording of a Betfair exchange stream (NDJSON, one message a line).
    ///
    /// Exits 0 when every line was taken, 1 when a line was refused or the region could not be reached.
    Betfair(BetfairArgs),
    /// Streams a folder of recorded messages of the Unified Odds Feed (one or many a file, `*.xml`, in order of names).
    ///
    /// Exits 0 when every message was taken, 1 when one was refused or the region could not be reached.
    Uof(uof::UofArgs),
}

/// Where from, where to, how fast.
#[derive(Debug, clap::Args)]
pub(crate) struct BetfairArgs {
    /// The recording; `-` reads standard input.
    file: PathBuf,
    /// The region, such as http://127.0.0.1:8101.
    #[arg(long, value_name = "URL")]
    to: String,
    /// `real`, a number (10 is ten times as fast), or `max` (as fast as the region takes it).
    #[arg(long, default_value = "real")]
    speed: Speed,
    /// Sends times as recorded (for a region with `--clock replay`); otherwise the first line is now.
    #[arg(long)]
    keep_times: bool,
    /// Gives up when the region could not be reached for this long.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    patience_s: u64,
}

/// Runs the command.
///
/// # Errors
/// When the file or the URL cannot be used; nothing was sent then.
pub(crate) async fn run(command: FeedCommand) -> anyhow::Result<ExitCode> {
    let args = match command {
        FeedCommand::Betfair(args) => args,
        FeedCommand::Uof(args) => return uof::run(args).await,
    };
    let client = Client::new(&args.to)?.with_timeout(Duration::from_secs(30));
    let mut lines = lines::open(&args.file).with_context(|| format!("cannot read {}", args.file.display()))?;
    let mut poster = Poster::new(client, Duration::from_secs(args.patience_s));
    let pacing = Pacing { speed: args.speed, keep_times: args.keep_times };
    let ended = tokio::select! {
        ended = pace::stream(&mut lines, &mut poster, pacing) => Some(ended),
        _ = tokio::signal::ctrl_c() => None,
    };
    let tally = poster.into_tally();
    report(&tally)?;
    match ended {
        None => {
            writeln!(std::io::stderr(), "stopped by Ctrl-C; what was answered above stays applied")?;
            Ok(ExitCode::from(EXIT_INTERRUPTED))
        }
        Some(Err(why)) => {
            writeln!(std::io::stderr(), "feed: {why}")?;
            Ok(ExitCode::FAILURE)
        }
        Some(Ok(())) if tally.refused > 0 => Ok(ExitCode::FAILURE),
        Some(Ok(())) => Ok(ExitCode::SUCCESS),
    }
}

fn report(tally: &Tally) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let Tally { lines, applied, ignored, refused, seen_before, heartbeats, .. } = tally;
    write!(out, "{lines} lines: {applied} applied, {ignored} ignored, {refused} refused")?;
    if *seen_before > 0 {
        write!(out, ", {seen_before} applied by an earlier try")?;
    }
    writeln!(out, "; {heartbeats} heartbeats")?;
    for refused in &tally.first_refused {
        writeln!(out, "  line {}: {}: {}", refused.line, refused.code, refused.detail)?;
    }
    let shown = u64::try_from(tally.first_refused.len()).unwrap_or(u64::MAX);
    if *refused > shown {
        writeln!(out, "  and {} more", refused - shown)?;
    }
    out.flush()
}
