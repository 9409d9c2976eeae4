//! Dependencies go left only, ring is absent, and nothing pure leads to C, async or a random source.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

use super::{none, root};

/// The house's crates from left to right, each with the ones it may lean on.
const EDGES: &[(&str, &[&str])] = &[
    ("stakehold-crdt", &[]),
    ("stakehold-model", &["stakehold-crdt"]),
    ("stakehold-feeds", &["stakehold-crdt", "stakehold-model"]),
    ("stakehold-engine", &["stakehold-crdt", "stakehold-model", "stakehold-feeds"]),
    ("stakehold-sim", &["stakehold-crdt", "stakehold-model", "stakehold-feeds", "stakehold-engine"]),
    ("stakehold-store", &["stakehold-crdt", "stakehold-model", "stakehold-feeds", "stakehold-engine"]),
    ("stakehold-net", &["stakehold-model"]),
    (
        "stakehold-node",
        &[
            "stakehold-crdt",
            "stakehold-model",
            "stakehold-feeds",
            "stakehold-engine",
            "stakehold-store",
            "stakehold-net",
        ],
    ),
    ("stakehold-api", &["stakehold-crdt", "stakehold-model", "stakehold-feeds", "stakehold-engine", "stakehold-node"]),
    (
        "stakehold-server",
        &[
            "stakehold-crdt",
            "stakehold-model",
            "stakehold-feeds",
            "stakehold-engine",
            "stakehold-store",
            "stakehold-net",
            "stakehold-node",
            "stakehold-api",
        ],
    ),
];

/// Crates that must stay pure.
const PURE: &[&str] = &["stakehold-crdt", "stakehold-model", "stakehold-feeds", "stakehold-engine", "stakehold-sim"];

/// What a pure crate must never reach, by any road.
const IMPURE: &[&str] = &[
    "tokio",
    "rocksdb",
    "librocksdb-sys",
    "quinn",
    "axum",
    "hyper",
    "mio",
    "socket2",
    "getrandom",
    "cc",
    "aws-lc-rs",
    "chrono",
    "time",
    "ahash",
];

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .other_options(vec!["--locked".into(), "--offline".into()])
        .exec()
        .expect("cargo metadata reads the workspace")
}

#[test]
fn crates_lean_left_only() {
    let metadata = metadata();
    let allowed: BTreeMap<&str, &[&str]> = EDGES.iter().copied().collect();
    let mut findings = Vec::new();
    for package in metadata.workspace_packages() {
        let name = package.name.as_str();
        if name == "stakehold-tests" {
            continue;
        }
        let Some(left) = allowed.get(name) else {
            findings.push(format!("{name} has no place in the table of edges"));
            continue;
        };
        let normal = package.dependencies.iter().filter(|d| d.kind == DependencyKind::Normal);
        for dependency in normal.filter(|d| d.name.starts_with("stakehold-")) {
            if !left.contains(&dependency.name.as_str()) {
                findings.push(format!("{name} leans on {}", dependency.name));
            }
        }
    }
    none("edges that DESIGN.md section 6 does not allow", findings);
}

/// Names of all packages that a selection is built from on this platform, with the features it is built with.
fn built_from(selection: &[&str]) -> BTreeSet<String> {
    let mut args = vec!["tree", "--locked", "--offline", "--prefix", "none", "-e", "normal"];
    args.extend(selection);
    let out = Command::new("cargo").args(args).current_dir(root()).output().expect("cargo tree runs");
    assert!(out.status.success(), "cargo tree: {}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8(out.stdout).expect("package names are UTF-8");
    text.lines().filter_map(|line| line.split(' ').next().map(str::to_owned)).collect()
}

#[test]
fn ring_is_absent() {
    let built = built_from(&["--workspace"]);
    assert!(built.contains("aws-lc-rs"), "the one TLS provider is not there either: the test would prove nothing");
    none("one TLS provider (aws-lc-rs) everywhere", built.into_iter().filter(|n| n == "ring").collect());
}

#[test]
fn pure_crates_reach_nothing_impure() {
    let mut findings = Vec::new();
    for pure in PURE {
        let built = built_from(&["-p", pure]);
        assert!(built.contains("minicbor"), "{pure} reaches nothing: the test would prove nothing");
        findings.extend(built.iter().filter(|n| IMPURE.contains(&n.as_str())).map(|n| format!("{pure} reaches {n}")));
    }
    none("pure crates know no async, clock, randomness, IO or C code", findings);
}
