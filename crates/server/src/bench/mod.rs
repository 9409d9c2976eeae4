//! `stakehold bench`: the speed table, each figure beside its aim, measured on regions of its own with the generator on
//! the same cores.
//!
//! Owns the command line and the order of the measurements.

mod against;
mod batches;
mod crossing;
mod ground;
mod machine;
mod singles;
mod table;
mod three;
mod usage;
mod wire;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::demo::cluster::{Cluster, Plan};
use crate::demo::interrupted;
use ground::Ground;
use table::{Row, commas};
use usage::Usage;

/// Exit code of a run that was interrupted.
const EXIT_INTERRUPTED: u8 = 130;
const READY_WITHIN: Duration = Duration::from_secs(30);
const FRESHNESS_MS: u64 = 20_000;
/// Delay of each direction between the two regions of the price crossing.
const DELAY: Duration = Duration::from_millis(40);
/// What a price may take beyond the delay.
const CROSSING_AIM_MS: f64 = 5.0;
/// Durable wagers a second in batches.
const BATCH_AIM: f64 = 390_000.0;
/// Price writes beside the timed ones.
const BACKGROUND_PER_SECOND: u32 = 10_000;

/// `bench`
#[derive(Debug, clap::Args)]
pub(crate) struct BenchArgs {
    /// A short run: enough to see that everything works, too short for figures to quote.
    #[arg(long)]
    quick: bool,
    /// Also writes the figures as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Make the regions' folders in this one; its disk is what is measured.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Only compare with another binary, such as that of an earlier commit: the same wagers sent to both by turns.
    #[arg(long, value_name = "BINARY")]
    against: Option<PathBuf>,
    /// Turns of each side of a comparison.
    #[arg(long, value_name = "N", default_value_t = 6, requires = "against")]
    rounds: usize,
}

/// How long and how much.
struct Size {
    seconds: u64,
    crossing_seconds: u64,
    accounts: u32,
}

/// Runs all measurements and prints the table.
///
/// # Errors
/// When a region cannot be started, or does not answer as it should.
pub(crate) async fn run(args: BenchArgs) -> anyhow::Result<ExitCode> {
    if let Some(other) = &args.against {
        return tokio::select! {
            compared = against::run(&args, other) => compared,
            () = interrupted() => Ok(ExitCode::from(EXIT_INTERRUPTED)),
        };
    }
    let size = if args.quick {
        Size { seconds: 2, crossing_seconds: 5, accounts: 1_000 }
    } else {
        Size { seconds: 10, crossing_seconds: 30, accounts: 10_000 }
    };
    let folder = args.dir.clone().unwrap_or_else(std::env::temp_dir);
    let syncs = machine::fsync_micros(&folder).with_context(|| format!("cannot write in {}", folder.display()))?;
    let (sync_p50, sync_p99) = (syncs.value_at_quantile(0.5), syncs.value_at_quantile(0.99));
    let about = json!({
        "cores": machine::cores(), "processor": machine::processor(),
        "fsync_micros": {"p50": sync_p50, "p99": sync_p99}, "quick": args.quick,
    });
    let mut rows = tokio::select! {
        rows = one_region(&args, &size) => rows?,
        () = interrupted() => return Ok(ExitCode::from(EXIT_INTERRUPTED)),
    };
    rows.push(tokio::select! {
        row = three_regions(&args, &size) => row?,
        () = interrupted() => return Ok(ExitCode::from(EXIT_INTERRUPTED)),
    });
    rows.push(tokio::select! {
        row = two_regions(&args, &size) => row?,
        () = interrupted() => return Ok(ExitCode::from(EXIT_INTERRUPTED)),
    });
    let mut out = std::io::stdout().lock();
    writeln!(out, "{} cores, {}; regions and generator share them", machine::cores(), machine::processor())?;
    writeln!(out, "fsync of 4 KiB: p50 {sync_p50} us, p99 {sync_p99} us\n")?;
    writeln!(out, "{}", table::aligned(&rows)?)?;
    write!(out, "{}", table::markdown(&rows)?)?;
    out.flush()?;
    if let Some(path) = &args.json {
        let text = serde_json::to_string_pretty(&table::json(&rows, &about))?;
        std::fs::write(path, text + "\n").with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn start(args: &BenchArgs, regions: Vec<&'static str>, one_way: Vec<(usize, usize)>) -> anyhow::Result<Cluster> {
    let one_way: BTreeMap<_, _> = one_way.into_iter().map(|pair| (pair, DELAY)).collect();
    let (parent, windows) = (args.dir.clone(), String::new());
    let plan = Plan { regions, one_way, freshness_ms: FRESHNESS_MS, parent, binary: None, windows };
    let cluster = Cluster::start(&plan).await?;
    cluster.ready(READY_WITHIN).await?;
    Ok(cluster)
}

async fn one_region(args: &BenchArgs, size: &Size) -> anyhow::Result<Vec<Row>> {
    say("starting a region, opening accounts");
    let cluster = start(args, vec!["eu-west"], Vec::new()).await?;
    let url = cluster.urls().into_iter().next().context("no region")?;
    let host = url.trim_start_matches("http://").to_owned();
    let pid = cluster.pids().into_iter().next().context("no region")?;
    let ground = Ground::prepare(&url, "eu-west", size.accounts).await?;
    let mut rows = Vec::new();

    say("wagers in batches");
    let usage = Usage::begin(pid, &url).await?;
    let rate = batches::wagers(&url, &ground, size.seconds).await?;
    let (first, last) = rate.first_last;
    let note = format!(
        "{} wagers, {} accounts; first 200,000 at {}/s, last at {}/s; {}",
        commas_u64(rate.count),
        size.accounts,
        commas(first),
        commas(last),
        usage.told().await?
    );
    rows.push(rate_row("durable wagers/s, batches of 10,000", rate.per_second(), BATCH_AIM, note));

    say("wagers in single requests, full load");
    let usage = Usage::begin(pid, &url).await?;
    let full = singles::closed_loop(&host, &ground, size.seconds).await?;
    let note = format!("p50 {:.2} ms, p99 {:.2} ms; {}", full.millis(0.5), full.millis(0.99), usage.told().await?);
    rows.push(rate_row("durable wagers/s, single requests, 32 connections", full.per_second(), 35_000.0, note));

    say("wagers in single requests, half load");
    let usage = Usage::begin(pid, &url).await?;
    let half = singles::open_loop(&host, &ground, full.per_second() / 2.0, size.seconds).await?;
    let (p50, p99) = (half.millis(0.5), half.millis(0.99));
    rows.push(Row {
        figure: "single requests at half load, p99".to_owned(),
        measured: format!("{p99:.2} ms"),
        aim: "< 5 ms".to_owned(),
        ratio: 5.0 / p99.max(0.001),
        note: format!(
            "p50 {p50:.2} ms at {}/s, due at a fixed rate, waiting counted; {}",
            commas(half.per_second()),
            usage.told().await?
        ),
        values: json!({"p50_ms": p50, "p99_ms": p99, "per_second": half.per_second()}),
    });

    say("prices in batches");
    let usage = Usage::begin(pid, &url).await?;
    let rate = batches::prices(&url, size.seconds).await?;
    let (first, last) = rate.first_last;
    let note =
        format!("10,000 registers; first half {}/s, second {}/s; {}", commas(first), commas(last), usage.told().await?);
    rows.push(rate_row("odds updates/s, batches of 10,000", rate.per_second(), 1_000_000.0, note));
    cluster.stop().await?;
    Ok(rows)
}

async fn three_regions(args: &BenchArgs, size: &Size) -> anyhow::Result<Row> {
    say("wagers in batches at one of three regions");
    let measured = three::wagers(args.dir.clone(), size.accounts, size.seconds).await?;
    let (first, last) = measured.rate.first_last;
    let note = format!(
        "{} wagers; first 200,000 at {}/s, last at {}/s; {}",
        commas_u64(measured.rate.count),
        commas(first),
        commas(last),
        measured.note
    );
    Ok(rate_row("durable wagers/s, batches, three regions", measured.rate.per_second(), BATCH_AIM, note))
}

async fn two_regions(args: &BenchArgs, size: &Size) -> anyhow::Result<Row> {
    say("prices across two regions");
    let cluster = start(args, vec!["eu-west", "us-east"], vec![(0, 1)]).await?;
    let urls = cluster.urls();
    let (from, to) = (urls.first().context("no region")?, urls.get(1).context("no region")?);
    let measured = crossing::crossing((from, to), DELAY, BACKGROUND_PER_SECOND, size.crossing_seconds).await?;
    cluster.stop().await?;
    let millis = |micros: u64| Duration::from_micros(micros).as_secs_f64() * 1e3;
    let (p50, p99) = (millis(measured.seen.value_at_quantile(0.5)), millis(measured.seen.value_at_quantile(0.99)));
    let relay = (millis(measured.injected.value_at_quantile(0.5)), millis(measured.injected.value_at_quantile(0.99)));
    let delay_ms = DELAY.as_secs_f64() * 1e3;
    let aim = delay_ms + CROSSING_AIM_MS;
    Ok(Row {
        figure: "price readable in another region, p99".to_owned(),
        measured: format!("{p99:.1} ms"),
        aim: format!("{delay_ms:.0} + {CROSSING_AIM_MS:.0} ms"),
        ratio: aim / p99.max(0.001),
        note: format!(
            "p50 {p50:.1} ms from sending the write; {} prices, {} lost, beside {} other updates/s; the relay's {delay_ms:.0} \
             ms took p50 {:.1}, p99 {:.1} ms",
            measured.seen.len(),
            measured.lost,
            commas(measured.background),
            relay.0,
            relay.1
        ),
        values: json!({
            "p50_ms": p50, "p99_ms": p99, "delay_ms": delay_ms, "relay_p50_ms": relay.0, "relay_p99_ms": relay.1,
            "background_per_second": measured.background, "prices": measured.seen.len(), "lost": measured.lost,
        }),
    })
}

fn rate_row(figure: &str, per_second: f64, aim: f64, note: String) -> Row {
    Row {
        figure: figure.to_owned(),
        measured: commas(per_second),
        aim: commas(aim),
        ratio: per_second / aim,
        note,
        values: Value::from(per_second),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a count of a run is far below 2^52")]
fn commas_u64(n: u64) -> String {
    commas(n as f64)
}

/// A line of progress on standard error.
fn say(what: &str) {
    // Nobody is left to tell when standard error is gone.
    let _ = writeln!(std::io::stderr(), "bench: {what}");
}
