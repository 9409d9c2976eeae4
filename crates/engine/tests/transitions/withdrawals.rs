//! Withdrawals beside windows, crashes and quarantine: what is asked for, what `held` promises, and what waits.

use crdt::Site;
use engine::door::{Lane, Request};
use engine::ledger::Exposure;
use engine::log::Event;
use engine::port::{Durable as _, Write};
use engine::wire::PeerMessage;
use model::{Answer, Command, MintedId, Query, Refusal, WithdrawalState};

use crate::cluster::{Cluster, acc, accepted, dec, gbp};
use crate::store::MemStore;

const P: &str = "p@us-east";

fn withdraw(id: MintedId, account: &str, amount: &str) -> Command {
    Command::Withdraw { id, account: acc(account), amount: dec(amount) }
}

fn standing(answer: &Answer) -> (WithdrawalState, bool) {
    match answer {
        Answer::Withdrawal { posting, held, .. } => (posting.withdrawal().unwrap().state, *held),
        other => panic!("{other:?}"),
    }
}

fn granted(c: &Cluster, n: u16) -> usize {
    c.entries_of(n).iter().flat_map(|e| &e.events).filter(|e| matches!(e, Event::Grant(_))).count()
}

#[test]
fn a_withdrawal_asks_for_what_it_lacks_in_rights_and_not_in_windows() {
    let mut c = Cluster::new(2);
    c.windows = vec![Exposure { currency: gbp(), per_account: Some(100), per_region: None }];
    (1..=2).for_each(|n| c.crash(n));
    c.run_until_quiet();
    c.funded(P, "100");
    c.on_sale(1);
    // Rights are borrowed for a bet away from home, more than it takes.
    let w = c.wager(1, P, "1");
    assert_eq!(accepted(&c.place(1, w)), Some(true));
    c.run_until_quiet();
    let free = c.engine(1).ledger().free_here(&acc(P));
    assert!(free >= 400 && c.engine(1).ledger().spendable(&acc(P)) <= 100, "many rights and a small window");
    let before = granted(&c, 2);
    let id = c.mint(1);
    assert_eq!(standing(&c.ask(1, withdraw(id, P, "3"))).0, WithdrawalState::Prepared);
    assert_eq!(granted(&c, 2), before, "the rights are here: the home is asked for none");
    assert_eq!(c.engine(1).ledger().free_here(&acc(P)), free - 300);
    // What it lacks in rights it asks for, and no more than that.
    let id = c.mint(1);
    let lacking = "30";
    assert_eq!(standing(&c.ask(1, withdraw(id, P, lacking))).0, WithdrawalState::Prepared);
    assert_eq!(granted(&c, 2), before + 1);
    assert_eq!(c.engine(1).ledger().free_here(&acc(P)), 0);
    c.run_until_quiet();
    c.assert_conserved(P);
}

fn stored_floor(store: &MemStore) -> u64 {
    let mut floor = 0;
    store.load(&mut |write| {
        if let Write::Meta(meta) = write {
            floor = meta.ack_floor;
        }
    });
    floor
}

#[test]
fn held_shown_on_a_repeat_is_held_after_a_crash_in_that_moment() {
    let mut c = Cluster::new(2);
    c.funded("q@eu-west", "10");
    let id = c.mint(1);
    assert_eq!(standing(&c.ask(1, withdraw(id, "q@eu-west", "4"))), (WithdrawalState::Prepared, false));
    c.quiet();
    let entry = c.engine(1).ledger().head(Site::new(1, 1)).index;
    assert_eq!(c.engine(1).ledger().ack_floor, entry, "region 2 has acknowledged it");
    assert!(stored_floor(&c.store_of(1)) < entry, "and so far only memory knows");
    assert_eq!(standing(&c.ask(1, withdraw(id, "q@eu-west", "4"))), (WithdrawalState::Prepared, true));
    let store = c.store_of(1);
    assert!(stored_floor(&store) >= entry, "the floor that says so is durable with the answer");
    c.part(1, 2);
    c.start(1, store);
    let seen = c.query(1, Query::Withdrawal(acc("q@eu-west"), id));
    assert_eq!(standing(&seen), (WithdrawalState::Prepared, true), "held stays held, with nobody to ask");
}

#[test]
fn a_withdrawal_that_waits_when_quarantine_begins_is_refused_and_writes_nothing() {
    let mut c = Cluster::new(3);
    let account = "q@eu-west";
    c.funded(account, "10");
    c.on_sale(1);
    // Region 2 holds some of its rights.
    let w = c.wager(2, account, "1");
    assert_eq!(accepted(&c.place(2, w)), Some(true));
    c.run_until_quiet();
    let here = c.engine(1).ledger().free_here(&acc(account));
    assert!(here < 900, "rights are at region 2");
    c.hold.insert((1, 2, Lane::Requests));
    let id = c.mint(1);
    let request = c.send(1, Request::Command(withdraw(id, account, "9")), 1_000);
    assert!(!c.replies.contains_key(&request), "it waits for them");
    // Money comes, so that it could be decided at its deadline; then quarantine comes.
    let deposit = c.mint(1);
    c.deposit(1, deposit, account, "20");
    c.quiet();
    let before = c.engine(1).ledger().head(Site::new(1, 1));
    c.peer(3, 1, &PeerMessage::Twins { site: Site::new(1, 1) });
    c.pass(2_000);
    let answer = c.replies.remove(&request).expect("answered at its deadline");
    assert!(matches!(answer, Answer::Refused(Refusal::NotReady { .. })), "{answer:?}");
    assert_eq!(c.engine(1).ledger().head(Site::new(1, 1)), before);
}
