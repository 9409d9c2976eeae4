//! The configuration files of scratch regions, in the form that `stakehold serve` reads.
//!
//! It must not know processes.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

const CLUSTER: &str = "demo";

/// What a region's files say.
pub(crate) struct RegionFiles<'a> {
    /// The scratch folder; certificates are in its `certs`.
    pub(crate) scratch: &'a Path,
    /// All regions; numbers are 1, 2, ... in this order.
    pub(crate) names: &'a [&'a str],
    /// Place of this region.
    pub(crate) place: usize,
    /// HTTP addresses by place.
    pub(crate) http: &'a [SocketAddr],
    /// Where this region finds each region (its own place: where it listens), by place.
    pub(crate) gossip: &'a [SocketAddr],
}

/// Arguments of this binary that make the cluster's certificates.
pub(crate) fn certs_arguments(scratch: &Path, names: &[&str]) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec!["certs".into(), "--out".into(), scratch.join("certs").into()];
    arguments.extend(["--cluster".into(), CLUSTER.into()]);
    for (number, name) in (1..).zip(names) {
        arguments.extend(["--region".into(), format!("{name}={number}").into()]);
    }
    arguments
}

/// Writes a region's two files and returns the path of its own one. Every region has a topology of its own here,
/// because each finds the others behind other relays.
///
/// # Errors
/// When a file cannot be written.
pub(crate) fn write(
    files: &RegionFiles<'_>,
    freshness_ms: u64,
    windows: &str,
    own_build: bool,
) -> anyhow::Result<PathBuf> {
    let name = files.names.get(files.place).context("a region without a name")?;
    let http = files.http.get(files.place).context("a region without a port")?;
    let mut topology = format!("cluster = \"{CLUSTER}\"\nfreshness_ms = {freshness_ms}\n");
    // Its matches are over in seconds: a bet that waited for a market's delay would see the final whistle.
    // A binary of an earlier build, which `bench --against` measures, does not know the word.
    if own_build {
        topology.push_str("bet_delay = \"off\"\n");
    }
    for (number, ((name, http), gossip)) in (1..).zip(files.names.iter().zip(files.http).zip(files.gossip)) {
        write!(
            topology,
            "\n[[regions]]\nnumber = {number}\nname = \"{name}\"\ngossip = \"{gossip}\"\nhttp = \"http://{http}\"\n"
        )?;
    }
    topology.push_str(windows);
    let mut region = format!(
        "region = \"{name}\"\ntopology = \"{name}-topology.toml\"\ndata_dir = \"{name}\"\n\n[http]\nlisten = \"{http}\"\n"
    );
    if files.names.len() > 1 {
        let gossip = files.gossip.get(files.place).context("a region without a gossip port")?;
        write!(
            region,
            "\n[gossip]\nlisten = \"{gossip}\"\nca = \"certs/ca.pem\"\ncertificate = \"certs/{name}.pem\"\n\
             key = \"certs/{name}-key.pem\"\n"
        )?;
    }
    let path = files.scratch.join(format!("{name}.toml"));
    let write = |path: &Path, text: &str| {
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    };
    write(&files.scratch.join(format!("{name}-topology.toml")), &topology)?;
    write(&path, &region)?;
    Ok(path)
}
