//! Each forbidden shortcut that can be planted in the engine is caught, within a bounded number of seeds, by the
//! promise that it breaks. A bug that goes unnoticed here is a hole in the simulator.

use std::io::Write as _;

use engine::planted::Planted;
use sim::mutations::Mutation;

/// Runs a bug's row of the table: promises and shape stand there, once.
fn caught(bug: Planted) {
    let row = Mutation::of(bug).expect("every planted bug has its row in sim::mutations");
    match row.hunt() {
        Ok(caught) => {
            let line = format!("{bug:?} | caught by {} | seed {} | {} ms", caught.by, caught.seed, caught.at_ms);
            writeln!(std::io::stdout(), "{line} | {}", caught.detail).expect("stdout takes a line");
        }
        Err(why) => panic!("{why}"),
    }
}

#[test]
fn an_answer_before_the_sync_is_caught() {
    caught(Planted::AckBeforeSync);
}

#[test]
fn a_decided_id_that_is_decided_again_is_caught() {
    caught(Planted::NotSticky);
}

#[test]
fn a_repeated_request_that_is_granted_again_is_caught() {
    caught(Planted::RegrantRepeats);
}

#[test]
fn a_grant_used_from_its_reply_is_caught() {
    caught(Planted::GrantFromReply);
}

#[test]
fn entries_applied_across_a_gap_are_caught() {
    caught(Planted::GapApplied);
}

#[test]
fn an_upto_that_overtakes_its_values_is_caught() {
    caught(Planted::UptoEarly);
}

#[test]
fn a_resume_that_clears_what_it_has_not_seen_is_caught() {
    caught(Planted::ResumeClearsAll);
}

#[test]
fn a_grant_that_stays_spendable_is_caught() {
    caught(Planted::GrantKept);
}

#[test]
fn a_grant_taken_back_on_time_out_is_caught() {
    caught(Planted::RefundOnTimeout);
}

#[test]
fn increments_instead_of_absolute_rows_are_caught() {
    caught(Planted::IncrementDeltas);
}

#[test]
fn funds_checked_before_the_transition_are_caught() {
    caught(Planted::GuardWithoutOverlay);
}

#[test]
fn every_bug_that_can_be_planted_has_its_row() {
    let missing: Vec<_> = Planted::ALL.iter().filter(|bug| Mutation::of(**bug).is_none()).collect();
    assert!(missing.is_empty(), "no row in sim::mutations for {missing:?}");
    let tests = include_str!("planted.rs");
    let untested: Vec<_> =
        Planted::ALL.iter().filter(|bug| !tests.contains(&format!("caught(Planted::{bug:?})"))).collect();
    assert!(untested.is_empty(), "no test in this file for {untested:?}");
}

#[test]
fn a_geo_wager_answered_before_its_ack_is_caught() {
    caught(Planted::GeoEarly);
}

#[test]
fn an_account_without_a_window_is_caught() {
    caught(Planted::DropS2);
}

#[test]
fn credits_spent_before_others_know_of_them_are_caught() {
    caught(Planted::DropS3);
}

#[test]
fn a_region_without_a_window_is_caught() {
    caught(Planted::DropS4);
}

#[test]
fn an_old_directory_that_goes_on_writing_is_caught() {
    caught(Planted::ResumeOldDirectory);
}

#[test]
fn a_foreign_id_decided_without_asking_is_caught() {
    caught(Planted::AcceptWithoutFence);
}

#[test]
fn a_hand_over_used_from_its_reply_is_caught() {
    caught(Planted::FenceFromReply);
}

#[test]
fn a_query_taken_for_permission_is_caught() {
    caught(Planted::QueryWithoutFence);
}

#[test]
fn a_withdrawal_held_before_its_ack_is_caught() {
    caught(Planted::HeldEarly);
}

#[test]
fn a_ticket_that_places_its_wager_is_caught() {
    caught(Planted::TicketPlaces);
}

#[test]
fn a_payment_decided_where_it_is_heard_is_caught() {
    caught(Planted::RefDedupeLocal);
}
