//! `stakehold feed uof`: a folder of recorded messages into a region, in order of their files' names, each when it is
//! due. Times move with the messages unless they are kept.
//!
//! It must not know how messages are sent, nor what they mean besides their times.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use feeds::uof::{limits, read_body};
use tokio::time::{Instant, sleep_until};

use super::EXIT_INTERRUPTED;
use super::pace::Speed;
use super::post::{GaveUp, Poster};
use super::times::TimeMap;
use crate::client::Client;

/// Bytes of one file; a region takes bodies of this size.
const FILE_BYTES_MAX: u64 = 4 * limits::MESSAGE_BYTES_MAX as u64;
/// Attributes of messages that are times in Unix ms.
const TIME_ATTRIBUTES: [&str; 4] = ["timestamp", "start_time", "end_time", "next_live_time"];
/// Refused messages that are shown one by one.
const SHOWN_MAX: usize = 10;

/// Where from, where to, how fast.
#[derive(Debug, clap::Args)]
pub(crate) struct UofArgs {
    /// The folder.
    folder: PathBuf,
    /// The region, such as http://127.0.0.1:8101.
    #[arg(long, value_name = "URL")]
    to: String,
    /// `real`, a number (10 is ten times as fast), or `max` (as fast as the region takes it; with `--keep-times` only).
    #[arg(long, default_value = "real")]
    speed: Speed,
    /// Sends times as recorded (for a region with `--clock replay`); otherwise the first message is now.
    #[arg(long)]
    keep_times: bool,
    /// Gives up when the region could not be reached for this long.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    patience_s: u64,
}

/// Runs the command.
///
/// # Errors
/// When the folder or the URL cannot be used; nothing was sent then.
pub(crate) async fn run(args: UofArgs) -> anyhow::Result<ExitCode> {
    let timeless = matches!(args.speed, Speed::Max) && !args.keep_times;
    ensure!(
        !timeless,
        "--speed max needs --keep-times: a producer's times order its messages, so they cannot all be now"
    );
    let client = Client::new(&args.to)?.with_timeout(Duration::from_secs(30));
    let files = files(&args.folder)?;
    let mut poster = Poster::new(client, Duration::from_secs(args.patience_s));
    let mut refused = Vec::new();
    let ended = tokio::select! {
        ended = stream(&files, &args, &mut poster, &mut refused) => Some(ended),
        _ = tokio::signal::ctrl_c() => None,
    };
    let tally = poster.into_tally();
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{} messages: {} applied, {} ignored, {} refused",
        tally.lines, tally.applied, tally.ignored, tally.refused
    )?;
    refused.iter().try_for_each(|line| writeln!(out, "  {line}"))?;
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

/// The folder's messages, in order of names.
fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "xml") {
            files.push(path);
        }
    }
    ensure!(!files.is_empty(), "{} holds no .xml file", folder.display());
    files.sort();
    Ok(files)
}

async fn stream(
    files: &[PathBuf],
    args: &UofArgs,
    poster: &mut Poster,
    refused: &mut Vec<String>,
) -> Result<(), GaveUp> {
    let mut start: Option<(Instant, TimeMap)> = None;
    for path in files {
        let mut xml = read(path)?;
        let recorded_ms = read_body(xml.as_bytes()).iter().find_map(|read| read.message.as_ref().ok()?.time_ms);
        if let Some(recorded_ms) = recorded_ms {
            let (at, map) = match start {
                Some(start) => start,
                None => {
                    let speed_milli = if let Speed::Milli(milli) = args.speed { milli } else { 1_000 };
                    let to_ms = if args.keep_times { recorded_ms } else { poster.now_ms().await? };
                    *start.insert((Instant::now(), TimeMap { from_ms: recorded_ms, to_ms, speed_milli }))
                }
            };
            if let Speed::Milli(_) = args.speed {
                let passed_ms = TimeMap { to_ms: 0, ..map }.at(recorded_ms);
                sleep_until(at + Duration::from_millis(passed_ms)).await;
            }
            if !args.keep_times {
                xml = moved(&xml, &map);
            }
        }
        for r in poster.messages(xml).await? {
            if refused.len() < SHOWN_MAX {
                refused.push(format!("{} line {}: {}: {}", path.display(), r.line, r.code, r.detail));
            }
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, GaveUp> {
    let wrong = |e: &dyn std::fmt::Display| GaveUp(format!("reading {}: {e}", path.display()));
    let bytes = std::fs::metadata(path).map_err(|e| wrong(&e))?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(wrong(&format!("its {bytes} bytes are too many")));
    }
    std::fs::read_to_string(path).map_err(|e| wrong(&e))
}

/// The same text with its messages' times moved; every other byte stays as it was recorded.
fn moved(xml: &str, map: &TimeMap) -> String {
    let mut out = String::with_capacity(xml.len());
    let mut rest = xml;
    while let Some((before, quote, value, after)) = next_attribute(rest) {
        out.push_str(before);
        let name = before.strip_suffix(quote).unwrap_or(before).trim_end().strip_suffix('=').unwrap_or_default();
        let name = name.trim_end();
        let name = name.rsplit(|c: char| c.is_whitespace()).next().unwrap_or_default();
        let time = TIME_ATTRIBUTES.contains(&name).then(|| value.parse::<u64>().ok()).flatten();
        match time {
            Some(recorded_ms) => out.push_str(&map.at(recorded_ms).to_string()),
            None => out.push_str(value),
        }
        out.push(quote);
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Text up to and with the next opening quote, the quote, what it holds, and what follows the closing one.
fn next_attribute(text: &str) -> Option<(&str, char, &str, &str)> {
    let open = text.find(['"', '\''])?;
    let quote = text.get(open..)?.chars().next()?;
    let (before, inside) = text.split_at(open + 1);
    let close = inside.find(quote)?;
    Some((before, quote, inside.get(..close)?, inside.get(close + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_move_and_nothing_else_does() {
        let map = TimeMap { from_ms: 1_000, to_ms: 50_000, speed_milli: 2_000 };
        let recorded = "<?xml version='1.0'?>\n<bet_cancel timestamp = \"3000\" start_time='500' event_id=\"1000\">\
            <market id=\"1000\" specifiers='timestamp=1000' void_reason=\"12\"/></bet_cancel>";
        let expected = "<?xml version='1.0'?>\n<bet_cancel timestamp = \"51000\" start_time='49750' event_id=\"1000\">\
            <market id=\"1000\" specifiers='timestamp=1000' void_reason=\"12\"/></bet_cancel>";
        assert_eq!(moved(recorded, &map), expected);
        assert_eq!(moved("<alive timestamp=\"9", &map), "<alive timestamp=\"9", "what is broken stays broken");
    }
}
