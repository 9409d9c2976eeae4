//! Tidy is a test: crate edges, purity, names, lengths, headers. It reads the checkout and runs no code of the house.

mod edges;
mod purity;
mod shape;

use std::path::{Path, PathBuf};
use std::process::Command;

/// The checkout.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the checkout").to_path_buf()
}

/// Files that git tracks or would track, by ending.
fn tracked(ending: &str) -> Vec<PathBuf> {
    let out = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git lists the checkout");
    assert!(out.status.success(), "git ls-files failed");
    let text = String::from_utf8(out.stdout).expect("file names are UTF-8");
    let files: Vec<PathBuf> =
        text.lines().filter(|l| l.ends_with(ending)).map(|l| root().join(l)).filter(|p| p.exists()).collect();
    assert!(!files.is_empty(), "no tracked file ends with {ending}: the test would prove nothing");
    files
}

/// A file's text.
fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Its path inside the checkout.
fn name(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// Fails with every finding on its own line.
fn none(what: &str, findings: Vec<String>) {
    assert!(findings.is_empty(), "{what}:\n  {}", findings.join("\n  "));
}
