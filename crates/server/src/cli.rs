//! The command line: what can be said, and help that teaches. Knows no command's work.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::bench::BenchArgs;
use crate::demo::DemoArgs;
use crate::feed::FeedCommand;

/// A store for odds and wagers that every region writes locally.
///
/// First steps: `certs` makes the certificates with which regions trust each other, `serve` runs one region. `demo`
/// does everything at once in a scratch folder.
#[derive(Debug, Parser)]
#[command(name = "stakehold", version, max_term_width = 100)]
pub(crate) struct Cli {
    /// What is logged, on standard error: `error`, `warn`, `info`, `debug`, or by part, as in `info,net=debug`. By
    /// default `info` for `serve`, `warn` for everything else.
    #[arg(long, global = true, env = "RUST_LOG", value_name = "FILTER")]
    pub(crate) log: Option<String>,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run one region until it is told to stop (SIGTERM or Ctrl-C).
    ///
    /// Prints one line on standard output once it listens. Exits 0 after a stop that was asked for; otherwise not 0, and
    /// the last line on standard error says why.
    Serve(ServeArgs),
    /// Make the certificates with which regions trust each other.
    ///
    /// Writes ca.pem and ca-key.pem (the cluster's authority) and, for each region, NAME.pem and NAME-key.pem. If
    /// the folder holds the authority already, it signs for the new regions. Nothing is ever overwritten. A region needs
    /// ca.pem and its own two files; keep ca-key.pem away from all of them.
    Certs(CertsArgs),
    /// Stream a recorded feed into a region.
    Feed {
        /// Which kind of feed.
        #[command(subcommand)]
        feed: FeedCommand,
    },
    /// Run three regions on this machine through a partition, and check every promise.
    ///
    /// Makes certificates in a scratch folder, streams odds in at one region, places wagers at all three, cuts one off,
    /// heals it, settles, and reports. Exits 0 only if every promise that it checked held.
    Demo(DemoArgs),
    /// Measure speed on regions of its own, and print each figure beside its aim.
    Bench(BenchArgs),
}

/// `serve`
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// The region's file, such as regions/eu-west.toml.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// Data directory, instead of the file's `data_dir`.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// HTTP address, instead of the file's `http.listen`; port 0 lets the system choose.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen_http: Option<SocketAddr>,
    /// Which time decides. `replay` takes time from the feed, for repeating recordings in a fresh cluster only.
    #[arg(long, value_enum, default_value_t = ClockKind::Wall)]
    pub(crate) clock: ClockKind,
    /// Let a new data directory write before the other regions have been heard.
    ///
    /// For the first start of a cluster only: a directory that was lost and made anew would forget what it promised.
    #[arg(long)]
    pub(crate) first_start: bool,
    /// Accept an HTTP listener that other machines can reach, although there is no client authentication yet.
    #[arg(long)]
    pub(crate) insecure_http: bool,
    /// Incarnation of the data directory: the next number when a region's data was lost for good. 1 unless given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) incarnation: Option<u32>,
}

/// Which time decides.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum ClockKind {
    /// The machine's.
    Wall,
    /// The feed's.
    Replay,
}

/// `certs`
#[derive(Debug, Args)]
pub(crate) struct CertsArgs {
    /// Folder for the files; made if it is not there.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Take cluster and regions from a topology file, such as regions/topology.toml.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["cluster", "region"])]
    pub(crate) topology: Option<PathBuf>,
    /// Name of the cluster.
    #[arg(long, value_name = "NAME", required_unless_present = "topology")]
    pub(crate) cluster: Option<String>,
    /// A region and its number, as in eu-west=1; give it once for each region.
    #[arg(long, value_name = "NAME=NUMBER", required_unless_present = "topology", value_parser = named_number)]
    pub(crate) region: Vec<(String, u16)>,
}

fn named_number(text: &str) -> Result<(String, u16), String> {
    let (name, number) = text.split_once('=').ok_or("write it as NAME=NUMBER, such as eu-west=1")?;
    let number = number.parse().map_err(|_| format!("{number:?} is not a region number (1 to 4095)"))?;
    Ok((name.to_owned(), number))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn regions_are_named_with_their_number() {
        assert_eq!(named_number("eu-west=1"), Ok(("eu-west".to_owned(), 1)));
        for wrong in ["eu-west", "eu-west=", "eu-west=x", "eu-west=70000"] {
            assert!(named_number(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn certificates_need_a_topology_or_names_not_both() {
        let parse = |args: &[&str]| Cli::try_parse_from(["stakehold", "certs", "--out", "d"].iter().chain(args));
        assert!(parse(&["--topology", "t.toml"]).is_ok());
        assert!(parse(&["--cluster", "c", "--region", "a=1", "--region", "b=2"]).is_ok());
        assert!(parse(&["--cluster", "c"]).is_err());
        assert!(parse(&["--topology", "t.toml", "--cluster", "c"]).is_err());
    }
}
