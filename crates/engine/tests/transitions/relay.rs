//! Requests go round a cut link: with one link of three cut, a region asks another for rights, ids, withdrawals, homes
//! and accounts through the third; with no way left it says so; and what is forged on the way is refused.

use crdt::Site;
use engine::door::{Lane, Request};
use engine::log::Event;
use engine::wire::{Acquire, FenceOrFetch, Have, PeerMessage, Relayed, Want};
use minicbor::bytes::ByteVec;
use model::limits::RELAYED_BYTES_MAX;
use model::{Answer, Command, MintedId, Query, Refusal, Text, WagerAnswer, WagerView, WithdrawalState};

use crate::cluster::{Cluster, acc, accepted, dec, gbp, one};

const P: &str = "p@eu-west";

/// Three regions, money at region 1, a market on sale, and no link between regions 1 and 2.
fn bent() -> Cluster {
    let mut c = Cluster::new(3);
    c.funded(P, "100");
    c.on_sale(3);
    c.part(1, 2);
    c.run_until_quiet();
    c
}

/// Asks and delivers, with time for what goes round.
fn ask(c: &mut Cluster, n: u16, command: Command) -> Answer {
    let id = c.send(n, Request::Command(command), 5_000);
    c.quiet();
    c.pass(1_000);
    c.replies.remove(&id).expect("answered within a second")
}

fn unreachable(region: &str) -> Refusal {
    Refusal::RegionUnreachable { region: Text::new(region) }
}

fn frame(message: &PeerMessage) -> ByteVec {
    ByteVec::from(message.encode().to_vec())
}

fn rights(n: u64) -> PeerMessage {
    PeerMessage::Acquire(Acquire { n, account: acc(P), need: 1_000, want: 1_000, purpose: None })
}

fn through(c: &mut Cluster, n: u16, to: u16) -> Option<Text> {
    let Answer::Regions(view) = c.query(n, Query::Regions) else { panic!("regions are shown") };
    view.regions.iter().find(|r| r.region == to).unwrap().reached_through.clone()
}

#[test]
fn rights_are_borrowed_round_a_cut_link() {
    let mut c = bent();
    assert_eq!(through(&mut c, 2, 1), Some(Text::new("ap-south")));
    assert_eq!(through(&mut c, 2, 3), None, "a link needs no way round");
    assert_eq!(c.account(2, P).spendable_with_wait, 10_000);
    let w = c.wager(2, P, "10");
    assert_eq!(accepted(&c.place(2, w)), Some(true), "answered while the clock stands");
    c.run_until_quiet();
    assert_eq!(c.account(3, P).reserved, 1000);
    assert!(c.engine(2).stats().requests_relayed >= 1);
    assert!(c.engine(1).stats().requests_relayed >= 1, "the answer goes the same way");
    assert!(c.engine(3).stats().requests_passed_on >= 2);
    c.heal(1, 2);
    c.run_until_quiet();
    c.assert_conserved(P);
    c.assert_equal();
}

#[test]
fn a_relayed_answer_counts_only_once_the_log_has_come_round_too() {
    let mut c = bent();
    c.hold.insert((3, 2, Lane::Log));
    c.hold.insert((3, 2, Lane::Bulk));
    let w = c.wager(2, P, "10");
    let id = c.send(2, Request::Command(Command::Place(vec![w])), 30_000);
    c.quiet();
    c.pass(500);
    assert!(!c.replies.contains_key(&id), "the relayed reply alone gives no rights");
    c.release();
    c.pass(500);
    assert_eq!(accepted(&one(c.replies.remove(&id).unwrap())), Some(true));
    c.assert_conserved(P);
}

#[test]
fn a_request_that_is_lost_or_doubled_on_the_way_round_is_granted_once() {
    let mut c = bent();
    c.hold.insert((3, 1, Lane::Requests));
    let w = c.wager(2, P, "10");
    let id = c.send(2, Request::Command(Command::Place(vec![w])), 30_000);
    c.quiet();
    c.drop_held();
    c.pass(3_000);
    assert_eq!(accepted(&one(c.replies.remove(&id).unwrap())), Some(true), "asked again");
    let granted = |c: &Cluster| {
        c.entries_of(1).iter().flat_map(|e| e.events.clone()).filter(|e| matches!(e, Event::Grant(_))).count()
    };
    let before = granted(&c);
    let relayed = PeerMessage::Relayed(Relayed { from: Site::new(2, 1), to: 1, frame: frame(&rights(50)) });
    (0..3).for_each(|_| c.peer(3, 1, &relayed));
    c.run_until_quiet();
    assert_eq!(granted(&c), before + 1);
    c.assert_conserved(P);
}

#[test]
fn a_wager_id_is_handed_over_looked_up_and_closed_round_a_cut_link() {
    let mut c = bent();
    let decided = c.wager(1, P, "5");
    assert_eq!(accepted(&c.place(1, decided.clone())), Some(true));
    c.run_until_quiet();
    let stranded = c.wager(1, P, "10");
    let answer = one(ask(&mut c, 2, Command::Place(vec![stranded.clone()])));
    assert_eq!(accepted(&answer), Some(true), "handed over, and the rights with it: {answer:?}");
    let again = one(ask(&mut c, 1, Command::Place(vec![stranded])));
    assert!(matches!(again, WagerAnswer::Decided { replayed: true, .. }), "{again:?}");
    let id = c.mint(1);
    let closed = ask(&mut c, 2, Command::CloseWager { id, reason: None });
    assert!(matches!(closed, Answer::Wager { view: WagerView::NotPlaced { definitive: true }, .. }), "{closed:?}");
    let looked = c.mint(1);
    let read = c.send(2, Request::Query(Query::Wager(looked)), 5_000);
    c.quiet();
    let read = c.replies.remove(&read).expect("the owner has said so");
    assert!(matches!(read, Answer::Wager { view: WagerView::NotPlaced { definitive: false }, .. }), "{read:?}");
    c.heal(1, 2);
    c.run_until_quiet();
    c.assert_conserved(P);
    c.assert_equal();
}

#[test]
fn a_withdrawal_is_cleared_held_and_confirmed_round_a_cut_link() {
    let mut c = bent();
    let id = c.mint(2);
    let prepared = ask(&mut c, 2, Command::Withdraw { id, account: acc(P), amount: dec("4") });
    assert!(matches!(&prepared, Answer::Withdrawal { .. }), "its home has been asked: {prepared:?}");
    c.run_until_quiet();
    let confirmed = ask(&mut c, 1, Command::ResolveWithdrawal { id, account: acc(P), confirm: true });
    match &confirmed {
        Answer::Withdrawal { posting, .. } => {
            assert_eq!(posting.withdrawal().unwrap().state, WithdrawalState::Confirmed);
        }
        other => panic!("{other:?}"),
    }
    c.heal(1, 2);
    c.run_until_quiet();
    assert_eq!(c.account(3, P).balance, 9_600);
    c.assert_conserved(P);
    c.assert_equal();
}

#[test]
fn an_account_is_opened_round_a_cut_link() {
    let mut c = bent();
    let opened = ask(&mut c, 2, Command::OpenAccount { account: acc("q@eu-west"), currency: gbp() });
    assert!(matches!(opened, Answer::AccountOpened { .. }), "{opened:?}");
    assert_eq!(c.engine(1).ledger().account_head(&acc("q@eu-west")).unwrap().home, Site::new(1, 1));
}

#[test]
fn a_home_follows_its_player_round_a_cut_link() {
    let mut c = bent();
    for _ in 0..3 {
        let w = c.wager(2, P, "1");
        assert_eq!(accepted(&c.place(2, w)), Some(true));
        c.run_until_quiet();
    }
    c.pass(90_000);
    for _ in 0..3 {
        let w = c.wager(2, P, "1");
        assert_eq!(accepted(&one(ask(&mut c, 2, Command::Place(vec![w])))), Some(true));
        c.run_until_quiet();
    }
    assert_eq!(c.engine(3).ledger().account_head(&acc(P)).unwrap().home, Site::new(2, 1));
    c.assert_conserved(P);
}

#[test]
fn debt_away_from_home_is_served_round_a_cut_link() {
    let mut c = bent();
    let id = c.mint(2);
    let kind = model::AdjustmentKind::Chargeback;
    let taken = Command::Adjust { id, account: acc(P), amount: dec("-4"), kind, reason: Text::new("a chargeback") };
    assert!(matches!(ask(&mut c, 2, taken), Answer::Deposited { .. }));
    c.run_until_quiet();
    let view = c.account(1, P);
    assert_eq!((view.balance, view.debt), (9_600, 0));
    c.assert_conserved(P);
}

#[test]
fn with_no_way_left_it_is_said_so() {
    let mut c = bent();
    c.part(2, 3);
    assert_eq!(through(&mut c, 2, 1), None);
    assert_eq!(c.account(2, P).spendable_with_wait, 0);
    let w = c.wager(2, P, "10");
    let alone = c.place(2, w);
    assert!(matches!(alone, WagerAnswer::Refused(Refusal::InsufficientLocalFunds { .. })), "{alone:?}");
    let stranded = c.wager(1, P, "10");
    let noted = c.place(2, stranded);
    assert!(matches!(noted, WagerAnswer::Ticket(t) if t.owner == 1), "{noted:?}");
    let open = Command::OpenAccount { account: acc("q@eu-west"), currency: gbp() };
    assert_eq!(c.ask(2, open), Answer::Refused(unreachable("eu-west")));
    let id = c.mint(2);
    let take = Command::Withdraw { id, account: acc(P), amount: dec("4") };
    assert_eq!(c.ask(2, take), Answer::Refused(unreachable("eu-west")));
    let id = c.mint(1);
    let resolve = Command::ResolveWithdrawal { id, account: acc(P), confirm: true };
    assert_eq!(c.ask(2, resolve), Answer::Refused(unreachable("eu-west")));
    assert_eq!(c.engine(2).stats().requests_relayed, 0);
}

#[test]
fn a_middle_that_loses_its_own_link_is_no_way_any_more() {
    let mut c = bent();
    c.part(1, 3);
    c.pass(500);
    let open = Command::OpenAccount { account: acc("q@eu-west"), currency: gbp() };
    assert_eq!(c.ask(2, open.clone()), Answer::Refused(unreachable("eu-west")));
    c.heal(1, 3);
    c.pass(500);
    assert!(matches!(c.ask(2, open), Answer::AccountOpened { .. }));
}

/// How many grants region 1 has written, and frames region `n` has refused.
fn marks(c: &Cluster, n: u16) -> (usize, u64) {
    let grants = c.entries_of(1).iter().flat_map(|e| e.events.clone()).filter(|e| matches!(e, Event::Grant(_))).count();
    (grants, c.engine(n).stats().frames_refused)
}

#[test]
fn the_middle_passes_on_requests_of_the_site_that_speaks_and_nothing_else() {
    let mut c = bent();
    let relay =
        |from: Site, to: u16, message: &PeerMessage| PeerMessage::Relayed(Relayed { from, to, frame: frame(message) });
    let speaker = Site::new(2, 1);
    let nested = relay(speaker, 1, &rights(70));
    let close = Want::Close { reason: Some(Text::new("x")) };
    let long = FenceOrFetch { n: 1, id: MintedId::mint(1, 1, 1, 1), want: close };
    let mut padded = PeerMessage::FenceOrFetch(long).encode().to_vec();
    padded.resize(RELAYED_BYTES_MAX + 1, 0);
    let forged = [
        ("of the target", relay(Site::new(1, 1), 1, &rights(71))),
        ("of the middle", relay(Site::new(3, 1), 1, &rights(72))),
        ("of another incarnation", relay(Site::new(2, 2), 1, &rights(73))),
        ("back to the speaker", relay(speaker, 2, &rights(74))),
        ("of a log", relay(speaker, 1, &PeerMessage::Pull { site: Site::new(1, 1), from: 1 })),
        ("of acks", {
            let (log, odds) = (crdt::Vector::default(), crdt::Vector::default());
            let have = Have { log, odds, stamp_ms: 0, linked: vec![1], acks: Vec::new(), quarantined: false };
            relay(speaker, 1, &PeerMessage::Have(have))
        }),
        ("of twins", relay(speaker, 1, &PeerMessage::Twins { site: Site::new(1, 1) })),
        ("of two hops", relay(speaker, 1, &nested)),
        ("too long", PeerMessage::Relayed(Relayed { from: speaker, to: 1, frame: padded.into() })),
        ("unreadable", PeerMessage::Relayed(Relayed { from: speaker, to: 1, frame: vec![0xff].into() })),
    ];
    for (what, message) in forged {
        let (before, passed) = (marks(&c, 3), c.engine(3).stats().requests_passed_on);
        c.peer(2, 3, &message);
        c.quiet();
        assert_eq!(marks(&c, 3), (before.0, before.1 + 1), "a frame {what} is refused and does nothing");
        assert_eq!(c.engine(3).stats().requests_passed_on, passed, "{what}");
    }
    assert!(c.quarantined.is_empty());
    // A region outside the topology: nobody to pass it to.
    let passed = c.engine(3).stats().requests_passed_on;
    c.peer(2, 3, &relay(speaker, 77, &rights(75)));
    assert_eq!(c.engine(3).stats().requests_passed_on, passed);
    c.assert_conserved(P);
}

#[test]
fn the_target_believes_a_middle_only_for_third_sites_that_it_knows() {
    let mut c = bent();
    for (what, from) in [
        ("the target itself", Site::new(1, 1)),
        ("the middle itself", Site::new(3, 1)),
        ("an incarnation that nobody has met", Site::new(2, 9)),
        ("a region outside the topology", Site::new(77, 1)),
    ] {
        let before = marks(&c, 1);
        c.peer(3, 1, &PeerMessage::Relayed(Relayed { from, to: 1, frame: frame(&rights(80)) }));
        c.quiet();
        assert_eq!(marks(&c, 1), (before.0, before.1 + 1), "in the name of {what}");
    }
    let before = marks(&c, 1);
    c.peer(3, 1, &PeerMessage::Relayed(Relayed { from: Site::new(2, 1), to: 1, frame: frame(&rights(81)) }));
    c.run_until_quiet();
    assert_eq!(marks(&c, 1), (before.0 + 1, before.1), "and for one that it knows");
    c.assert_conserved(P);
}

#[test]
fn a_region_in_quarantine_passes_requests_on() {
    let mut c = Cluster::new(3);
    c.funded(P, "100");
    c.on_sale(1);
    let old = c.store_of(3);
    let id = c.mint(3);
    c.ask(3, Command::Deposit { id, account: acc(P), amount: dec("1") });
    c.run_until_quiet();
    c.part(1, 3);
    c.part(2, 3);
    c.start(3, old);
    c.heal(1, 3);
    c.heal(2, 3);
    assert!(c.quarantined.contains_key(&3));
    c.part(1, 2);
    c.run_until_quiet();
    let open = Command::OpenAccount { account: acc("q@eu-west"), currency: gbp() };
    assert!(matches!(c.ask(2, open), Answer::AccountOpened { .. }), "as it relays logs");
}
