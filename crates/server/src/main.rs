//! The binary `stakehold`. Owns the exit code, the last line on standard error and the log; the commands are modules.
//! Knows nothing of wagers.

mod bench;
mod certs;
mod cli;
mod client;
mod config;
mod demo;
mod feed;
mod serve;

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser as _;
use tracing_subscriber::EnvFilter;

use crate::cli::{Cli, Command};

/// How long background work may take to end once the command is over.
const BACKGROUND_TIMEOUT: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let cli = Cli::parse();
    run(cli).unwrap_or_else(|error| {
        // On one line, whole, and last. Nobody is left to tell if it cannot be written.
        let _ = writeln!(std::io::stderr(), "stakehold: {}", format!("{error:#}").replace('\n', "; "));
        ExitCode::FAILURE
    })
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let quiet = if matches!(cli.command, Command::Serve(_)) { "info" } else { "warn" };
    log(cli.log.as_deref().unwrap_or(quiet))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start threads")?;
    let result = runtime.block_on(async {
        match cli.command {
            Command::Serve(args) => serve::run(args).await,
            Command::Certs(args) => certs::run(args),
            Command::Feed { feed } => feed::run(feed).await,
            Command::Demo(args) => demo::run(args).await,
            Command::Bench(args) => bench::run(args).await,
        }
    });
    // Nothing in the background may write after the last line, or keep the process.
    runtime.shutdown_timeout(BACKGROUND_TIMEOUT);
    result
}

/// Logs to standard error, readable for people; colours only on a terminal.
fn log(filter: &str) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(filter).with_context(|| format!("--log {filter:?} is not a filter"))?;
    let has_colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(has_colour);
    log.try_init().map_err(|e| anyhow::anyhow!("the log cannot start: {e}"))
}
