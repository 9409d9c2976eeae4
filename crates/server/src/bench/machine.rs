//! What the figures were measured on: cores, processor, what an fsync costs there, and who used the cores.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use hdrhistogram::Histogram;
use tokio::time::Instant;

/// Syncs timed.
const SYNCS: u32 = 300;
/// Bytes written before each.
const BYTES: usize = 4_096;
/// Clock ticks in a second, as `/proc` counts them on every Linux that Rust runs on.
const TICKS: u64 = 100;

/// Cores that this process may use.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// The processor's name, as the system tells it.
pub(crate) fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let named = text.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split_once(':'));
    named.map_or_else(|| "unknown processor".to_owned(), |(_, name)| name.trim().to_owned())
}

/// What the system says of its load, as averages of one, five and fifteen minutes.
pub(crate) fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let averages: Vec<&str> = text.split_whitespace().take(3).collect();
    if averages.is_empty() { "unknown".to_owned() } else { averages.join(" ") }
}

/// What appending 4 KiB and syncing them takes in `folder`, µs.
///
/// # Errors
/// When the folder cannot be written.
pub(crate) fn fsync_micros(folder: &Path) -> anyhow::Result<Histogram<u64>> {
    let mut micros = Histogram::new_with_bounds(1, 60_000_000, 3)?;
    let mut file = tempfile::tempfile_in(folder)?;
    for _ in 0..SYNCS {
        let started = Instant::now();
        file.write_all(&[7; BYTES])?;
        file.sync_data()?;
        micros.saturating_record(u64::try_from(started.elapsed().as_micros())?);
    }
    Ok(micros)
}

/// Processor time that a process has used so far; none where the system does not tell.
pub(crate) fn processor_time(pid: u32) -> Option<Duration> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything; the numbers follow its last parenthesis.
    let mut fields = text.rsplit_once(')')?.1.split_whitespace().skip(11);
    let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(Duration::from_millis((user + system) * 1_000 / TICKS))
}
