//! The words of impurity do not stand in pure crates: clocks, files, sockets, threads, hash maps, floats of money.

use super::{name, none, read, tracked};

/// Where nothing of the outer world may be named.
const PURE: &[&str] = &["crates/crdt/", "crates/model/", "crates/feeds/src/", "crates/engine/src/", "crates/sim/src/"];

/// What may not be named there. A simulator's binary prints and reads its arguments; everything else does neither.
const WORDS: &[&str] = &[
    "std::time::Instant",
    "SystemTime",
    "std::fs",
    "std::net",
    "std::thread",
    "std::process",
    "HashMap",
    "HashSet",
    "tokio::",
    "async fn",
    "rand::rng",
    "thread_rng",
    "std::env",
];

#[test]
fn pure_crates_name_nothing_of_the_outer_world() {
    let mut findings = Vec::new();
    let mut looked = 0;
    for file in tracked(".rs") {
        let path = name(&file);
        let tests = path.contains("/tests/") || path.contains("/src/bin/");
        if tests || !PURE.iter().any(|p| path.starts_with(p)) {
            continue;
        }
        looked += 1;
        let text = read(&file);
        let production = text.split("#[cfg(test)]").next().unwrap_or(&text);
        for (number, line) in production.lines().enumerate().filter(|(_, l)| !l.trim_start().starts_with("//")) {
            findings.extend(WORDS.iter().filter(|w| line.contains(**w)).map(|w| format!("{path}:{}: {w}", number + 1)));
        }
    }
    assert!(looked > 30, "only {looked} files were looked at");
    none("impure words in pure crates", findings);
}

#[test]
fn money_and_odds_are_never_floats() {
    let mut findings = Vec::new();
    for file in tracked(".rs") {
        let path = name(&file);
        if !(path.starts_with("crates/model/src")
            || path.starts_with("crates/engine/src")
            || path.starts_with("crates/crdt/src"))
        {
            continue;
        }
        for (number, line) in read(&file).lines().enumerate().filter(|(_, l)| !l.trim_start().starts_with("//")) {
            if line.contains("f64") || line.contains("f32") {
                findings.push(format!("{path}:{}", number + 1));
            }
        }
    }
    none("floats", findings);
}
