//! Fixed seeds hold, and a seed is a trace. `SIM_SEEDS` runs more.

use sim::run_seed;

/// Seeds that every test run tries.
const SEEDS: u64 = 100;

#[test]
fn fixed_seeds_hold() {
    let seeds = std::env::var("SIM_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(SEEDS);
    for seed in 0..seeds {
        let report = run_seed(seed).unwrap_or_else(|failure| panic!("{failure}"));
        assert!(report.events > 100, "seed {seed} did something: {report}");
    }
}

#[test]
fn one_seed_is_one_trace() {
    for seed in [3, 7, 11] {
        let (one, two) = (run_seed(seed).expect("it holds"), run_seed(seed).expect("it holds"));
        assert_eq!(one, two, "seed {seed} ran in two ways");
    }
}

#[test]
fn the_load_reaches_what_it_is_for() {
    let mut seen = sim::Report::default();
    for seed in 0..24 {
        let report = run_seed(seed).unwrap_or_else(|failure| panic!("{failure}"));
        seen.accepted += report.accepted;
        seen.grants += report.grants;
        seen.settlements += report.settlements;
        seen.cashed_out += report.cashed_out;
        seen.revoked += report.revoked;
        seen.past_posted += report.past_posted;
        seen.crashes += report.crashes;
        seen.suspensions += report.suspensions;
        seen.homes += report.homes;
        seen.handed += report.handed;
        seen.resolved += report.resolved;
        seen.passed_on += report.passed_on;
        seen.prepared += report.prepared;
        seen.pending += report.pending;
        seen.tickets += report.tickets;
        seen.references += report.references;
        seen.received += report.received;
        seen.sessions += report.sessions;
        seen.segments += report.segments;
        seen.snapshots += report.snapshots;
        seen.everywhere += report.everywhere;
        seen.once += report.once;
        seen.rests += report.rests;
    }
    let enough = seen.accepted > 300 && seen.grants > 50 && seen.settlements > 30;
    assert!(enough && seen.crashes > 5 && seen.suspensions > 20, "too little happened: {seen}");
    assert!(seen.cashed_out > 0 && seen.revoked > 5, "too little happened to accepted wagers: {seen}");
    assert!(seen.passed_on > 20, "no requests went round cut links: {seen}");
    assert!(seen.prepared > 100 && seen.pending > 10, "too little happened: {seen}");
    assert!(seen.segments > 20 && seen.snapshots > 1, "too little happened: {seen}");
    assert!(seen.homes > 5 && seen.handed > 20 && seen.resolved > 5, "too little happened: {seen}");
    assert!(seen.tickets > 5, "too few owners were out of reach: {seen}");
    assert!(seen.everywhere > 50 && seen.once > 10, "too few wagers were at three regions at once: {seen}");
    assert!(seen.rests > 20, "too little was asked for when all was equal: {seen}");
    assert!(seen.references > 50 && seen.received > 30 && seen.sessions > 5, "too little happened: {seen}");
}
