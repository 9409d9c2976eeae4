//! This binary against another one, such as that of an earlier commit: the same wagers in batches, sent to both by turns
//! in one run, first at a region that is alone, then at one of three. On a machine that others use too, figures of two
//! runs cannot be compared; turns of a few seconds can.
//!
//! Owns the turns and the comparison. The other binary is driven through what every build has: `serve` and HTTP.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};

use super::batches::{self, per_second};
use super::ground::{Ground, Wagers};
use super::table::commas;
use super::three::{THREE, level, start, windows};
use super::{BenchArgs, machine, say};
use crate::demo::cluster::Cluster;

/// A side of the comparison.
struct Side {
    name: &'static str,
    cluster: Cluster,
    url: String,
    wagers: Wagers,
    /// Wagers a second, by round.
    rates: Vec<f64>,
}

/// Runs the comparison and prints it.
///
/// # Errors
/// When a region of either side cannot be started, or does not accept a wager.
pub(crate) async fn run(args: &BenchArgs, other: &Path) -> anyhow::Result<ExitCode> {
    let (rounds, waves, accounts) = if args.quick { (2, 4, 1_000) } else { (args.rounds, 20, 10_000) };
    let other = other.canonicalize().with_context(|| format!("no binary {}", other.display()))?;
    let mut figures = Vec::new();
    let mut out = std::io::stdout();
    writeln!(out, "{} cores, {}; load {}", machine::cores(), machine::processor(), machine::load())?;
    for (what, regions) in [("one region", &THREE[..1]), ("one of three regions", &THREE[..])] {
        let sides = compare(args, &other, regions, (rounds, waves, accounts)).await?;
        let [this, that] = &sides;
        let ratios: Vec<f64> = this.iter().zip(that).map(|(a, b)| a / b.max(1.0)).collect();
        writeln!(out, "\nwagers/s in batches of {}, {what}, by turns", batches::BATCH)?;
        for (round, ratio) in ratios.iter().enumerate() {
            let rate = |side: &[f64]| commas(side.get(round).copied().unwrap_or(0.0));
            writeln!(
                out,
                "  round {:>2}  this {:>9}  other {:>9}  ratio {ratio:.3}",
                round + 1,
                rate(this),
                rate(that)
            )?;
        }
        let (a, b, ratio) = (median(this), median(that), median(&ratios));
        writeln!(out, "  median    this {:>9}  other {:>9}  ratio {ratio:.3}", commas(a), commas(b))?;
        figures.push(json!({"figure": what, "this": this, "other": that, "ratios": ratios, "median_ratio": ratio}));
    }
    writeln!(out, "\nload {}", machine::load())?;
    if let Some(path) = &args.json {
        let text = serde_json::to_string_pretty(&Value::from(figures))?;
        std::fs::write(path, text + "\n").with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Rates by round of this binary and of the other one.
async fn compare(
    args: &BenchArgs,
    other: &Path,
    regions: &[&'static str],
    (rounds, waves, accounts): (usize, usize, u32),
) -> anyhow::Result<[Vec<f64>; 2]> {
    // Windows are this side's burden: the other may not know them.
    let own_windows = if regions.len() > 1 { windows()? } else { "" };
    say("starting this binary's regions");
    let this = side("this", start(args.dir.clone(), None, own_windows, regions).await?, accounts).await?;
    say("starting the other binary's regions");
    let that = start(args.dir.clone(), Some(other.to_owned()), "", regions).await?;
    let mut sides = [this, side("other", that, accounts).await?];
    for side in &mut sides {
        turn(side, 1).await?;
        side.rates.clear();
    }
    for round in 0..rounds {
        // Whoever comes second finds warmer caches, or more compaction: each is first as often.
        sides.sort_by_key(|side| (side.name == "this") == (round % 2 == 1));
        for side in &mut sides {
            turn(side, waves).await?;
            say(&format!("round {} {}: {}/s", round + 1, side.name, commas(side.rates.last().copied().unwrap_or(0.0))));
        }
    }
    sides.sort_by_key(|side| side.name != "this");
    let mut rates = [Vec::new(), Vec::new()];
    for (slot, side) in rates.iter_mut().zip(sides) {
        *slot = side.rates;
        side.cluster.stop().await?;
    }
    Ok(rates)
}

async fn side(name: &'static str, cluster: Cluster, accounts: u32) -> anyhow::Result<Side> {
    let url = cluster.urls().into_iter().next().context("no region")?;
    let ground = Ground::prepare(&url, "eu-west", accounts).await?;
    level(&url).await?;
    Ok(Side { name, cluster, url, wagers: ground.wagers(42), rates: Vec::new() })
}

/// One turn: batches made beforehand, sent in one go; and then quiet, so that the other side has the cores to itself.
async fn turn(side: &mut Side, batches: usize) -> anyhow::Result<()> {
    let took: Duration = batches::wave(&side.url, &mut side.wagers, batches).await?;
    side.rates.push(per_second(u64::try_from(batches * batches::BATCH)?, took));
    level(&side.url).await
}

fn median(of: &[f64]) -> f64 {
    let mut sorted = of.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = |n: usize| sorted.get(n).copied().unwrap_or(0.0);
    let half = sorted.len() / 2;
    if sorted.len().is_multiple_of(2) {
        f64::midpoint(middle(half.saturating_sub(1)), middle(half))
    } else {
        middle(half)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_median_is_the_middle_one_or_between_two() {
        assert!((super::median(&[9.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((super::median(&[4.0, 1.0, 2.0, 9.0]) - 3.0).abs() < 1e-9);
        assert!(super::median(&[]).abs() < 1e-9);
    }
}
