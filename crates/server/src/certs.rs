//! `stakehold certs`: certificates for a cluster's regions, as files.
//! Knows where names and numbers come from; `net` knows what a certificate is.

use std::io::Write as _;
use std::process::ExitCode;

use net::certs::{RegionRequest, write_dir};

use crate::cli::CertsArgs;
use crate::config::load_topology;

/// Runs the command and lists the files that it wrote.
///
/// # Errors
/// When a name, number or file cannot be used; see [`write_dir`] for what is written then.
pub(crate) fn run(args: CertsArgs) -> anyhow::Result<ExitCode> {
    let (cluster, regions) = match &args.topology {
        Some(path) => {
            let topology = load_topology(path)?;
            let regions = topology.regions().map(|(number, name)| (name.to_owned(), number)).collect();
            (topology.cluster().to_owned(), regions)
        }
        None => (args.cluster.unwrap_or_default(), args.region),
    };
    let request = |(name, number)| RegionRequest { number, name, extra_names: Vec::new() };
    let requests: Vec<RegionRequest> = regions.into_iter().map(request).collect();
    let written = write_dir(&args.out, &cluster, &requests, node::clock::unix_s())?;
    let mut out = std::io::stdout().lock();
    for path in written {
        writeln!(out, "{}", path.display())?;
    }
    Ok(ExitCode::SUCCESS)
}
