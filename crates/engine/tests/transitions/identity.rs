//! One log, one writer: what shows that a directory is not the newest one of its site, quarantine, and acks that live
//! no longer than the disk they were given for.

use crdt::{Site, Vector};
use engine::door::{Input, Lane, Request};
use engine::port::View;
use engine::wire::{Entries, Have, Hello, PeerMessage};
use model::{Answer, Command, Query, Refusal, StatusAct, WagerAnswer};

use crate::cluster::{Cluster, acc, accepted, gbp, one};
use crate::store::MemStore;

const P: &str = "p@eu-west";
const ONE: Site = Site::new(1, 1);
const TWO: Site = Site::new(2, 1);

fn own_index(c: &Cluster, n: u16) -> u64 {
    c.engine(n).ledger().head(Site::new(n, 1)).index
}

/// Nothing that is asked of region `n` writes anything, and every refusal says why.
fn assert_read_only(c: &mut Cluster, n: u16) {
    let before = (own_index(c, n), c.engine(n).plane().vector().get(Site::new(n, 1)));
    let wager = c.wager(n, P, "1");
    let id = c.mint(n);
    let commands = [
        Command::OpenAccount { account: acc("new@eu-west"), currency: gbp() },
        Command::Deposit { id, account: acc(P), amount: crate::cluster::dec("1") },
        Command::SetStatus { market: crate::cluster::market(), act: StatusAct::Suspend },
        Command::Place(vec![wager]),
    ];
    for command in commands {
        let answer = c.ask(n, command.clone());
        let Answer::Refused(Refusal::NotReady { why }) = &answer else { panic!("{command:?}: {answer:?}") };
        assert!(why.as_str().starts_with("quarantine") && why.as_str().contains("--incarnation 2"), "{why}");
    }
    let minted = c.query(n, Query::Mint);
    assert!(matches!(minted, Answer::Refused(Refusal::NotReady { .. })), "no id: {minted:?}");
    let Answer::Ready(ready) = c.query(n, Query::Ready) else { panic!() };
    assert!(ready.money.is_some_and(|w| w.as_str().starts_with("quarantine")) && ready.odds.is_some());
    c.pass(3_000);
    assert_eq!((own_index(c, n), c.engine(n).plane().vector().get(Site::new(n, 1))), before, "region {n} wrote");
}

fn old_copy(size: u16) -> (Cluster, MemStore) {
    let mut c = Cluster::new(size);
    c.funded(P, "100");
    c.on_sale(1);
    let old = c.store_of(1);
    let id = c.mint(1);
    c.deposit(1, id, P, "1");
    c.run_until_quiet();
    c.part(1, 2);
    (c, old)
}

#[test]
fn a_wiped_directory_is_never_ready_and_learns_what_the_others_say() {
    let mut c = Cluster::new(3);
    c.funded(P, "100");
    c.on_sale(2);
    let opened = c.ask(2, Command::OpenAccount { account: acc("q@us-east"), currency: gbp() });
    assert!(matches!(opened, Answer::AccountOpened { .. }));
    c.run_until_quiet();
    c.part(1, 2);
    c.part(1, 3);
    c.start(1, MemStore::default());
    c.heal(1, 3);
    assert!(c.quarantined.contains_key(&1), "while it has not met everybody");
    c.heal(1, 2);
    c.run_until_quiet();
    assert_read_only(&mut c, 1);
    assert_eq!(own_index(&c, 1), 0);
    assert_eq!(c.account(1, "q@us-east").balance, 0, "reads are served from what the others have written");
    assert!(matches!(c.query(1, Query::Market(crate::cluster::market())), Answer::Market(_)));
    let id = c.mint(3);
    assert!(matches!(c.deposit(3, id, P, "1"), Answer::Deposited { .. }), "the others go on");
    c.run_until_quiet();
    assert_eq!(c.engine(1).ledger().head(Site::new(3, 1)), c.engine(3).ledger().head(Site::new(3, 1)));
    assert!(c.quarantined.keys().eq([&1]));
}

#[test]
fn quarantine_outlives_the_process_and_every_link() {
    let (mut c, old) = old_copy(2);
    c.start(1, old);
    c.heal(1, 2);
    assert!(c.quarantined.remove(&1).is_some());
    c.part(1, 2);
    let store = c.store_of(1);
    c.start(1, store);
    assert!(c.quarantined.contains_key(&1), "the driver is told again");
    assert_read_only(&mut c, 1);
    c.heal(1, 2);
    assert_read_only(&mut c, 1);
}

#[test]
fn rights_for_a_quarantined_site_stay_where_they_are() {
    let (mut c, old) = old_copy(3);
    c.start(1, old);
    c.heal(1, 2);
    let before = own_index(&c, 1);
    // Money booked away from home is granted home; the home does not take it any more.
    let id = c.mint(3);
    c.deposit(3, id, P, "7");
    c.run_until_quiet();
    assert_eq!(own_index(&c, 1), before);
    assert!(c.engine(1).ledger().logs.values().all(|h| h.stopped.is_none()), "and no stream stands still here");
    let w = c.wager(2, P, "50");
    let (id, input) = c.input(Request::Command(Command::Place(vec![w])), None, 2_000);
    c.group(2, vec![input]);
    c.pass(3_000);
    assert_eq!(accepted(&one(c.replies.remove(&id).unwrap())), None, "it grants nothing");
}

#[test]
fn what_waits_when_quarantine_begins_is_refused_at_once() {
    let mut c = Cluster::new(3);
    c.funded("p@us-east", "100");
    c.on_sale(1);
    c.hold.insert((1, 2, Lane::Requests));
    let w = c.wager(1, "p@us-east", "10");
    let id = c.send(1, Request::Command(Command::Place(vec![w])), 60_000);
    c.peer(3, 1, &PeerMessage::Twins { site: ONE });
    c.quiet();
    c.pass(100);
    let answer = one(c.replies.remove(&id).expect("answered long before its time"));
    assert!(matches!(answer, WagerAnswer::Refused(Refusal::NotReady { .. })), "{answer:?}");
    c.release();
    assert_read_only(&mut c, 1);
}

#[test]
fn an_own_entry_that_comes_back_otherwise_is_evidence_and_garbage_is_none() {
    let (mut c, old) = old_copy(2);
    c.heal(1, 2);
    let theirs = c.store_of(2).log(ONE, 1, 1_000, 1 << 20);
    let entries = |first: usize, bytes: Vec<u8>| {
        PeerMessage::Entries(Entries { site: ONE, first: first as u64, items: vec![bytes.into()] })
    };
    c.peer(2, 1, &entries(1, theirs[0].to_vec()));
    c.peer(2, 1, &entries(1, vec![0xff; 9]));
    c.peer(2, 1, &entries(2, theirs[0].to_vec()));
    assert!(c.quarantined.is_empty(), "its own words, bytes, and an entry in another's place prove nothing");
    // The copy writes other entries, and then hears one of the true ones, from whoever holds it.
    c.part(1, 2);
    c.start(1, old);
    let id = c.mint(1);
    c.deposit(1, id, P, "2");
    let shared = usize::try_from(own_index(&c, 1)).unwrap();
    c.group(1, vec![Input::PeerUp { region: 2 }]);
    let mut hello = hello_of(&c, 2, 5);
    hello.logs.retain(|(site, ..)| *site != ONE);
    hello.odds = Vector::default();
    c.peer(2, 1, &PeerMessage::Hello(hello));
    assert!(c.quarantined.is_empty());
    c.peer(2, 1, &entries(shared, theirs[shared - 1].to_vec()));
    assert!(c.quarantined[&1].contains("another entry"), "{:?}", c.quarantined);
}

fn hello_of(c: &Cluster, n: u16, boot_nonce: u64) -> Hello {
    let engine = c.engine(n);
    Hello {
        cluster: model::Text::new("test"),
        site: Site::new(n, 1),
        boot_nonce,
        protocol: engine::wire::PROTOCOL,
        regions: c.topology(),
        logs: engine.ledger().logs.iter().map(|(s, h)| (*s, h.index, h.hash)).collect(),
        odds: engine.plane().vector().clone(),
        stamp_ms: 1,
        heard: true,
        windows: Vec::new(),
        quarantined: false,
    }
}

#[test]
fn a_boot_nonce_that_comes_again_after_another_one_is_a_second_process() {
    let mut c = Cluster::new(2);
    c.funded(P, "100");
    c.on_sale(1);
    let say = |c: &mut Cluster, nonce: u64| {
        c.group(2, vec![Input::PeerDown { region: 1 }, Input::PeerUp { region: 1 }]);
        let hello = hello_of(c, 1, nonce);
        c.peer(1, 2, &PeerMessage::Hello(hello));
    };
    // Region 1 itself is not heard while others speak in its name.
    c.cut.insert((1, 2));
    for nonce in [11, 12, 13, 13, 14] {
        say(&mut c, nonce);
        c.quiet();
        assert!(c.quarantined.is_empty(), "restarts are no evidence");
    }
    c.cut.clear();
    say(&mut c, 13);
    c.quiet();
    assert!(c.quarantined[&1].contains("two running processes"), "{:?}", c.quarantined);
    assert!(!c.quarantined.contains_key(&2));
    assert!(!c.engine(2).ledger().acks.contains_key(&ONE), "neither of them acknowledges for the other");
    assert_read_only(&mut c, 1);
    // The other one hears it with its next word.
    c.quarantined.clear();
    c.part(1, 2);
    c.start(1, MemStore::default());
    c.heal(1, 2);
    assert!(c.quarantined.contains_key(&1));
}

#[test]
fn words_about_another_site_put_nobody_in_quarantine() {
    let mut c = Cluster::new(2);
    c.funded(P, "100");
    for site in [TWO, Site::new(1, 2)] {
        c.peer(2, 1, &PeerMessage::Twins { site });
    }
    assert!(c.quarantined.is_empty());
    let id = c.mint(1);
    assert!(matches!(c.deposit(1, id, P, "1"), Answer::Deposited { .. }));
}

fn floor(c: &Cluster, n: u16) -> u64 {
    c.engine(n).ledger().ack_floor
}

#[test]
fn with_one_link_cut_the_third_region_relays_acks() {
    let mut c = Cluster::with_quorum(3, 2);
    c.funded(P, "100");
    c.run_until_quiet();
    assert_eq!(floor(&c, 1), own_index(&c, 1));
    c.part(1, 2);
    let id = c.mint(1);
    c.deposit(1, id, P, "1");
    assert!(floor(&c, 1) < own_index(&c, 1), "two others have not said that they hold it yet");
    c.run_until_quiet();
    assert_eq!(floor(&c, 1), own_index(&c, 1), "region 3 says that region 2 holds it");
    assert_eq!(c.engine(1).ledger().acks[&TWO], own_index(&c, 1));
    c.part(2, 3);
    let id = c.mint(1);
    c.deposit(1, id, P, "1");
    c.run_until_quiet();
    assert!(floor(&c, 1) < own_index(&c, 1), "an ack counts for its holder only, not for who relays it");
}

#[test]
fn acks_of_a_lost_disk_count_no_more() {
    let mut c = Cluster::new(2);
    c.funded(P, "100");
    c.run_until_quiet();
    let before = floor(&c, 1);
    assert!(before > 0);
    // The same incarnation over an empty disk: its own word, and what it holds from now on does not count either.
    c.part(1, 2);
    c.start(2, MemStore::default());
    c.group(1, vec![Input::PeerUp { region: 2 }]);
    let hello = hello_of(&c, 2, 77);
    c.peer(2, 1, &PeerMessage::Hello(hello));
    assert_eq!(floor(&c, 1), 0, "what it acknowledged in its earlier life is gone");
}

#[test]
fn a_newer_incarnation_takes_the_acks_of_the_older_one_away_for_good() {
    let mut c = Cluster::new(2);
    c.funded(P, "100");
    c.run_until_quiet();
    let index = own_index(&c, 1);
    assert_eq!(floor(&c, 1), index);
    c.part(1, 2);
    c.group(1, vec![Input::PeerUp { region: 2 }]);
    let newer = Site::new(2, 2);
    let hello = Hello { site: newer, logs: vec![], odds: Vector::default(), ..hello_of(&c, 2, 78) };
    c.peer(2, 1, &PeerMessage::Hello(hello));
    assert_eq!(floor(&c, 1), 0);
    c.group(1, vec![Input::PeerDown { region: 2 }, Input::PeerUp { region: 2 }]);
    let older = hello_of(&c, 2, 79);
    c.peer(2, 1, &PeerMessage::Hello(older));
    assert_eq!(floor(&c, 1), 0, "the old one speaks again");
    let store = c.store_of(1);
    c.start(1, store);
    assert_eq!(floor(&c, 1), 0, "after a restart too");
    c.group(1, vec![Input::PeerUp { region: 2 }]);
    let hello = Hello { site: newer, ..hello_of(&c, 2, 80) };
    c.peer(2, 1, &PeerMessage::Hello(hello));
    assert_eq!(floor(&c, 1), index, "the new one counts for what it holds");
}

#[test]
fn a_quarantined_site_acknowledges_nothing() {
    let mut c = Cluster::new(3);
    c.funded(P, "100");
    c.part(1, 3);
    c.peer(3, 2, &PeerMessage::Twins { site: TWO });
    c.run_until_quiet();
    let id = c.mint(1);
    c.deposit(1, id, P, "1");
    c.run_until_quiet();
    assert_eq!(c.engine(2).ledger().head(ONE).index, own_index(&c, 1), "it holds the entry");
    assert!(!c.engine(1).ledger().acks.contains_key(&TWO), "and its word does not count");
    let have = Have {
        log: [(ONE, own_index(&c, 1))].into_iter().collect(),
        odds: Vector::default(),
        stamp_ms: 1,
        linked: vec![],
        acks: vec![],
        quarantined: false,
    };
    c.peer(2, 1, &PeerMessage::Have(have));
    assert!(!c.engine(1).ledger().acks.contains_key(&TWO), "never again under this incarnation");
}
