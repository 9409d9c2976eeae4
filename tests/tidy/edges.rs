//! Dependencies go left only, ring is absent, and nothing pure leads to C, async or a random source.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, PackageId};

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

#[test]
fn ring_is_absent() {
    let found: Vec<String> =
        metadata().packages.iter().filter(|p| p.name.as_str() == "ring").map(|p| p.id.to_string()).collect();
    none("one TLS provider (aws-lc-rs) everywhere", found);
}

#[test]
fn pure_crates_reach_nothing_impure() {
    let metadata = metadata();
    let names: BTreeMap<&PackageId, &str> = metadata.packages.iter().map(|p| (&p.id, p.name.as_str())).collect();
    let resolve = metadata.resolve.as_ref().expect("cargo metadata resolves");
    let mut normal: BTreeMap<&PackageId, Vec<&PackageId>> = BTreeMap::new();
    for node in &resolve.nodes {
        let deps = node.deps.iter().filter(|d| d.dep_kinds.iter().any(|k| k.kind == DependencyKind::Normal));
        normal.insert(&node.id, deps.map(|d| &d.pkg).collect());
    }
    let mut findings = Vec::new();
    for package in metadata.workspace_packages().iter().filter(|p| PURE.contains(&p.name.as_str())) {
        let mut seen = BTreeSet::new();
        let mut open = vec![&package.id];
        while let Some(id) = open.pop() {
            if seen.insert(id) {
                open.extend(normal.get(id).into_iter().flatten());
            }
        }
        assert!(seen.len() > 1 || package.name.as_str() == "stakehold-crdt", "{} reaches nothing", package.name);
        let reached = seen.iter().filter_map(|id| names.get(*id)).filter(|n| IMPURE.contains(n));
        findings.extend(reached.map(|n| format!("{} reaches {n}", package.name)));
    }
    none("pure crates know no async, clock, randomness, IO or C code", findings);
}
