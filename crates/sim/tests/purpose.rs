//! Loads and faults that are there on purpose reach what they are for, and everything holds: old copies of a
//! directory, twins, the replay clock, standstills.

use sim::{Options, Report, run};

/// Runs seeds whose options were shaped for a purpose, and adds the figures up.
fn shaped(seeds: std::ops::Range<u64>, shape: impl Fn(Options) -> Options) -> Report {
    let mut seen = Report::default();
    for seed in seeds {
        let report = run(shape(Options::of_seed(seed))).unwrap_or_else(|failure| panic!("{failure}"));
        seen.homes += report.homes;
        seen.handed += report.handed;
        seen.grants += report.grants;
        seen.accepted += report.accepted;
        seen.resolved += report.resolved;
        seen.old_copies += report.old_copies;
        seen.respent += report.respent;
        seen.decided_again += report.decided_again;
        seen.settlements += report.settlements;
    }
    seen
}

/// Nothing but the second history is in the way.
fn plain(mut o: Options) -> Options {
    (o.old_disk, o.old_copy, o.twins, o.replay) = (None, None, false, false);
    o
}

#[test]
fn an_old_copy_that_is_cut_off_respends_its_windows_at_most_and_is_noticed() {
    // Windows wide enough that stakes need no ack: a prepared one counts for nobody while the copy is alone.
    let (exposure_per_account, exposure_per_region) = (20_000, 40_000);
    let shape =
        |o| Options { old_copy: Some(3_000), travel: false, exposure_per_account, exposure_per_region, ..plain(o) };
    let seen = shaped(0..20, shape);
    assert!(seen.old_copies >= 4 && seen.respent > 0 && seen.decided_again > 0, "too little happened: {seen}");
}

#[test]
fn an_old_copy_that_is_linked_is_noticed_at_hello() {
    let seen = shaped(6..10, |o| Options { old_copy: Some(0), travel: false, ..plain(o) });
    assert!(seen.old_copies >= 3, "too little happened: {seen}");
}

#[test]
fn twins_are_noticed_and_the_others_go_on() {
    shaped(10..14, |o| Options { twins: true, travel: false, ..plain(o) });
}

#[test]
fn everything_holds_with_the_replay_clock() {
    let seen = shaped(14..19, |o| Options { replay: true, travel: false, ..plain(o) });
    assert!(seen.accepted > 10, "too little happened: {seen}");
}

#[test]
fn a_second_history_is_one_trace_too() {
    let shape = |seed| Options { old_copy: Some(1_500), pause_every_ms: 1_500, ..plain(Options::of_seed(seed)) };
    for seed in [1, 2] {
        let (one, two) = (run(shape(seed)).expect("it holds"), run(shape(seed)).expect("it holds"));
        assert_eq!(one, two, "seed {seed} ran in two ways");
    }
}

#[test]
fn players_who_travel_move_homes_hand_ids_over_and_borrow() {
    // Half the load of a travelling seed: minutes of virtual time, seconds of this machine's.
    let shape = |o: Options| {
        let o = if o.travel { o } else { o.travelling() };
        Options { load_ms: o.load_ms / 2, ..plain(o) }
    };
    let seen = shaped(20..24, shape);
    assert!(seen.homes >= 4, "homes stay where they were: {seen}");
    assert!(seen.handed >= 4 && seen.grants >= 20, "ids and rights stay where they were: {seen}");
    assert!(seen.accepted >= 40, "too little happened: {seen}");
}
