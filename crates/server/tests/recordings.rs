//! Recorded exchange streams through real processes over HTTP: every expected state, placement, answer and payout,
//! with everything at one region, and with the stream entering at one region and placements made at others.
//!
//! The recordings lie beside the project (`STAKEHOLD_DATA`, else `../shared/data`) and are never copied into it. Without
//! them the tests say so and pass, except with `CI=true`. A small recording of our own making goes the same way.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed test is what a panic is for")]

#[path = "recordings/drive.rs"]
mod drive;
#[allow(dead_code, reason = "each test binary uses its part")]
mod harness;
#[path = "recordings/oracle.rs"]
mod oracle;

use oracle::{Recording, streams};

/// Of these there is no market definition, hence no market: see `every_line_without_an_image_is_refused`.
const WITHOUT_IMAGES: &str = "mcm_samples_9_markets";

/// Two tests a recording, so that each fails by itself and they share the cores.
macro_rules! recordings {
    ($($test:ident: $name:literal,)*) => {
        const RECORDINGS: &[&str] = &[$($name),*];
        mod at_one_region {
            $(#[tokio::test]
            async fn $test() {
                super::recorded($name, 1).await;
            })*
        }
        mod across_regions {
            $(#[tokio::test]
            async fn $test() {
                super::recorded($name, 3).await;
            })*
        }
    };
}

recordings! {
    horse_win_2017: "1.132153978_horse_win_basic_2_removed",
    football_both_to_score: "1.145405534_football_btts",
    nba_match_odds: "1.166811431_nba_match_odds",
    greyhound_win: "1.197931750_greyhound_win",
    greyhound_place: "1.197931751_greyhound_place",
    cricket_match_odds: "1.200806927_cricket_t20_match_odds",
    horse_win_2023: "1.211006011_horse_win_basic_2_removed",
    tennis_match_odds: "1.223716976_tennis_match_odds_basic",
}

async fn recorded(name: &str, regions: usize) {
    let Some(recording) = Recording::beside(name) else { return };
    assert!(drive::run(&recording, regions).await >= 63, "{name}: placements");
}

fn own() -> Recording {
    Recording::of("our own", include_str!("recordings/own.ndjson"), include_str!("recordings/own.json"))
}

#[tokio::test]
async fn our_own_recording_at_one_region() {
    assert_eq!(drive::run(&own(), 1).await, 14);
}

#[tokio::test]
async fn our_own_recording_across_regions() {
    assert_eq!(drive::run(&own(), 3).await, 14);
}

#[test]
fn no_recording_and_no_placement_is_left_out() {
    let Some(folder) = streams() else { return };
    let mut placements = 0;
    for file in std::fs::read_dir(folder.join("expected")).unwrap() {
        let file = file.unwrap().file_name().into_string().unwrap();
        let name = file.strip_suffix(".oracle.json").unwrap();
        assert!(RECORDINGS.contains(&name) || name == WITHOUT_IMAGES, "{name} is driven by no test");
        placements += Recording::beside(name).unwrap().oracle.wager_script.len();
    }
    assert_eq!(placements, 514);
}

#[tokio::test]
async fn every_line_without_an_image_is_refused() {
    let Some(folder) = streams() else { return };
    let input = std::fs::read_to_string(folder.join(format!("input/{WITHOUT_IMAGES}.ndjson"))).unwrap();
    assert_eq!(input.lines().count(), 20);
    drive::without_images(WITHOUT_IMAGES, &input).await;
}

#[tokio::test]
async fn lines_of_our_own_without_an_image_are_refused() {
    let deltas = include_str!("recordings/deltas.ndjson");
    drive::without_images("deltas of our own", deltas).await;
}
