//! Configurations on authority: wager ids tried at two regions, homes that move while money is under way, exposure
//! windows, withdrawals. Small ones with every test run, larger ones with `make model`.

use super::Bounds;
use super::runs::{BORROW, caught, explore};
use crate::planted::Planted;

/// One wager of the home's stamp, tried at home and away, the money at either: by hand-over, or by the origin.
const FENCE: Bounds = Bounds {
    name: "fence",
    deposits: &[(0, 1), (1, 1)],
    wagers: &[(0, 1)],
    asks: &[(1, 0, 1, 1)],
    retries: &[(0, 1)],
    log_max: 4,
    sometimes: &["a handed-over id accepted", "a fence before a delayed original"],
    ..BORROW
};

/// The same id closed by its origin and by the region it is tried at; no money moves.
const CLOSE: Bounds = Bounds {
    name: "close",
    deposits: &[(0, 1)],
    wagers: &[(0, 1)],
    asks: &[],
    retries: &[(0, 1), (0, 2)],
    closes: &[(0, 0), (0, 1), (0, 2)],
    log_max: 4,
    ackers: &[],
    sometimes: &["an id closed before it was placed"],
    ..BORROW
};

/// A home moves away and back while a region borrows and both bet.
const HOME: Bounds = Bounds {
    name: "home",
    deposits: &[(0, 2)],
    wagers: &[(0, 1), (1, 1)],
    asks: &[(1, 0, 1, 1)],
    moves: &[(1, 0)],
    log_max: 4,
    ackers: &[2],
    sometimes: &["a home that has moved", "a home on its way", "a grant in flight"],
    ..BORROW
};

/// Two stakes, a window of one: the second waits for an ack.
const WINDOW: Bounds = Bounds {
    name: "window",
    deposits: &[(0, 2)],
    wagers: &[(0, 1), (0, 1)],
    asks: &[(1, 0, 1, 1)],
    window: Some(1),
    log_max: 4,
    ackers: &[1, 2],
    sometimes: &["a full window", "a grant in flight"],
    ..BORROW
};

/// A withdrawal beside a bet and a grant of the same money.
const WITHDRAW: Bounds = Bounds {
    name: "withdraw",
    deposits: &[(0, 2)],
    wagers: &[(0, 1)],
    asks: &[(1, 0, 1, 1)],
    withdrawals: &[(0, 1), (1, 1)],
    log_max: 4,
    sometimes: &["a withdrawal confirmed", "a withdrawal released", "a grant in flight"],
    ..BORROW
};

fn shows(bounds: Bounds) {
    let (_, unique) = explore(bounds);
    assert!(unique > 1_000, "only {unique} states: the bounds show nothing");
}

#[test]
fn an_id_is_decided_once_in_every_order() {
    shows(FENCE);
}

#[test]
fn an_id_closed_at_two_regions_is_never_placed_at_a_third() {
    shows(CLOSE);
}

#[test]
fn homes_move_in_every_order() {
    shows(HOME);
}

#[test]
fn windows_hold_in_every_order() {
    shows(WINDOW);
}

#[test]
fn withdrawals_hold_in_every_order() {
    shows(WITHDRAW);
}

#[test]
fn planted_bugs_of_authority_have_counterexamples() {
    let caught = |bounds: Bounds, planted, by| caught(&Bounds { planted, sometimes: &[], ..bounds }, by);
    caught(FENCE, Planted::AcceptWithoutFence, "P10 fence in-stream");
    caught(FENCE, Planted::FenceFromReply, "P10 fence in-stream");
    caught(FENCE, Planted::QueryWithoutFence, "P10 fence in-stream");
    caught(WINDOW, Planted::DropS2, "P5 window");
    caught(WINDOW, Planted::DropS3, "P5 window");
    caught(WITHDRAW, Planted::HeldEarly, "P12 held before released");
}

/// The larger bounds of `make model`.
#[cfg(feature = "exhaustive")]
mod large {
    use super::*;

    #[test]
    fn an_id_goes_round_three_regions() {
        explore(Bounds {
            name: "fence three",
            deposits: &[(0, 1), (2, 1)],
            asks: &[],
            retries: &[(0, 1), (0, 2)],
            closes: &[(0, 2)],
            log_max: 5,
            sometimes: &["a handed-over id accepted", "an id closed before it was placed"],
            ..FENCE
        });
    }

    #[test]
    fn a_home_comes_back() {
        explore(Bounds {
            name: "home back",
            asks: &[],
            moves: &[(1, 0), (0, 1)],
            log_max: 5,
            sometimes: &["a home that has moved", "a home that has come back"],
            ..HOME
        });
    }

    #[test]
    fn a_home_moves_while_an_id_is_handed_over() {
        explore(Bounds {
            name: "home fence",
            wagers: &[(0, 1)],
            asks: &[],
            retries: &[(0, 1)],
            moves: &[(1, 0)],
            deposits: &[(0, 1)],
            sometimes: &["a home that has moved", "a handed-over id accepted"],
            ..FENCE
        });
    }
}
