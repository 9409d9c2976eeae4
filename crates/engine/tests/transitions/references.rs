//! Payment providers' references: one webhook at any number of regions, as often as it likes, is credited once; what a
//! region has taken in is decided when its birth site hears of it, and not before.

use crdt::{Hlc, Row, Site};
use engine::door::{Lane, Request};
use engine::log::{Entry, Event};
use engine::port::View;
use model::limits::REFERENCES_UNDECIDED_MAX;
use model::{
    Amount, Answer, Command, Hash16, MintedId, Posting, PostingAct, Received, Reference, ReferenceDecision,
    ReferenceOutcome, ReferenceRefusal, Refusal, SentAmount,
};

use crate::cluster::{Cluster, WALL_MS, acc, dec, gbp};
use crate::store::MemStore;

const P: &str = "p@eu-west";

fn reference(account: &str, name: &str) -> Reference {
    Reference::new(&acc(account), "stripe", name).unwrap()
}

fn webhook(account: &str, name: &str, amount: &str) -> Command {
    Command::DepositByReference { reference: reference(account, name), account: acc(account), amount: dec(amount) }
}

/// Sends a webhook that does not wait.
fn sent(c: &mut Cluster, n: u16, name: &str, amount: &str) -> Answer {
    let id = c.send(n, Request::Command(webhook(P, name, amount)), 0);
    c.replies.remove(&id).expect("answered at once")
}

fn posted(answer: Answer) -> (Posting, bool) {
    match answer {
        Answer::Deposited { posting, replayed, .. } => (posting, replayed),
        other => panic!("{other:?}"),
    }
}

fn refused(answer: Answer) -> ReferenceRefusal {
    match answer {
        Answer::ReferenceRefused { decision, .. } => match decision.outcome {
            ReferenceOutcome::Refused(why) => why,
            ReferenceOutcome::Posted(id) => panic!("posted as {id}"),
        },
        other => panic!("{other:?}"),
    }
}

/// Events of a region's own log that speak of payment references: taken in, decided.
fn written(c: &Cluster, n: u16) -> (usize, usize) {
    let entries = c.entries_of(n);
    let events = || entries.iter().flat_map(|e: &Entry| &e.events);
    let taken = events().filter(|e| matches!(e, Event::Received(_))).count();
    (taken, events().filter(|e| matches!(e, Event::Referenced(_))).count())
}

#[test]
fn the_birth_site_decides_at_once_and_a_repeat_hears_the_same() {
    let mut c = Cluster::new(2);
    c.funded(P, "10");
    let (posting, replayed) = posted(sent(&mut c, 1, "ch_1", "2.50"));
    assert!(!replayed);
    assert_eq!((posting.amount.minor(), posting.site, posting.id.region()), (250, Site::new(1, 1), 1));
    assert_eq!(posting.reference(), Some(&reference(P, "ch_1")));
    assert_eq!(posted(sent(&mut c, 1, "ch_1", "2.5")), (posting.clone(), true));
    c.crash(1);
    assert_eq!(posted(sent(&mut c, 1, "ch_1", "2.50")), (posting.clone(), true), "after a crash");
    assert_eq!(posted(sent(&mut c, 2, "ch_1", "2.50")), (posting.clone(), true), "elsewhere");
    assert_eq!(c.store_of(2).posting(posting.id), Some(posting), "it is a posting like any other");
    assert_eq!((written(&c, 1), written(&c, 2)), ((0, 1), (0, 0)));
    assert_eq!(c.account(2, P).balance, 1_250);
    c.run_until_quiet();
    c.assert_equal();
    c.assert_conserved(P);
}

#[test]
fn another_amount_or_account_of_a_decided_reference_is_another_body() {
    let mut c = Cluster::new(2);
    c.funded(P, "10");
    c.funded("q@eu-west", "1");
    posted(sent(&mut c, 1, "ch_1", "2.50"));
    c.run_until_quiet();
    for n in [1, 2] {
        assert_eq!(sent(&mut c, n, "ch_1", "2.51"), Answer::Refused(Refusal::IdReused));
        assert_eq!(c.ask(n, webhook("q@eu-west", "ch_1", "2.50")), Answer::Refused(Refusal::IdReused));
    }
    assert_eq!((c.account(1, P).balance, c.account(1, "q@eu-west").balance), (1_250, 100));
}

#[test]
fn one_webhook_at_three_regions_at_once_is_credited_once() {
    let mut c = Cluster::new(3);
    c.funded(P, "10");
    let ids: Vec<u64> = [2, 3, 1].map(|n| c.send(n, Request::Command(webhook(P, "ch_1", "5")), 2_000)).into();
    c.quiet();
    let answers: Vec<_> = ids.iter().map(|id| posted(c.replies.remove(id).unwrap())).collect();
    assert!(answers.iter().all(|(posting, _)| *posting == answers[0].0), "all hear of one posting");
    assert_eq!(answers.iter().filter(|(_, replayed)| !replayed).count(), 1, "and one that it was the first");
    c.run_until_quiet();
    assert_eq!(c.account(3, P).balance, 1_500);
    assert!((1..=3).all(|n| c.engine(n).ledger().taken.is_empty()), "nothing stays undecided");
    assert_eq!(written(&c, 1).1, 1);
    c.assert_equal();
    c.assert_conserved(P);
}

#[test]
fn what_the_birth_site_cannot_hear_is_received_and_decided_when_it_does() {
    let mut c = Cluster::new(3);
    c.funded(P, "10");
    c.part(1, 2);
    c.part(1, 3);
    let id = c.send(2, Request::Command(webhook(P, "ch_1", "5")), 1_000);
    assert_eq!(c.replies.get(&id), None, "it waits for the decision");
    c.pass(1_100);
    let Answer::Received(received) = c.replies.remove(&id).unwrap() else { panic!("received") };
    assert_eq!((received.account, received.amount.decimal()), (acc(P), dec("5")));
    assert!(matches!(sent(&mut c, 2, "ch_1", "5"), Answer::Received(_)), "the same again");
    c.crash(2);
    assert!(matches!(sent(&mut c, 2, "ch_1", "5"), Answer::Received(_)), "it is durable");
    assert_eq!(written(&c, 2), (1, 0), "and written once");
    assert_eq!(sent(&mut c, 2, "ch_1", "6"), Answer::Refused(Refusal::IdReused));
    assert_eq!(sent(&mut c, 3, "ch_1", "6"), Answer::Refused(Refusal::IdReused), "region 3 has heard of it");
    assert_eq!(c.account(2, P).balance, 1_000, "nothing is credited yet");
    c.heal(1, 2);
    c.run_until_quiet();
    let (posting, replayed) = posted(sent(&mut c, 2, "ch_1", "5"));
    assert!(replayed && posting.site == Site::new(1, 1));
    c.heal(1, 3);
    c.run_until_quiet();
    assert_eq!(posted(sent(&mut c, 3, "ch_1", "5")), (posting, true));
    assert_eq!(c.account(3, P).balance, 1_500);
    c.assert_equal();
    c.assert_conserved(P);
}

#[test]
fn a_decision_goes_round_a_cut_link() {
    let mut c = Cluster::new(3);
    c.funded(P, "10");
    c.part(1, 2);
    let id = c.send(2, Request::Command(webhook(P, "ch_1", "5")), 3_000);
    for _ in 0..20 {
        c.pass(100);
        if c.replies.contains_key(&id) {
            break;
        }
    }
    let (posting, replayed) = posted(c.replies.remove(&id).expect("answered while the link is cut"));
    assert!(!replayed && posting.site == Site::new(1, 1), "its word was the one decided on");
}

#[test]
fn of_two_bodies_taken_in_apart_one_is_credited_and_the_other_is_told() {
    let mut c = Cluster::new(3);
    c.funded(P, "10");
    [(1, 2), (1, 3), (2, 3)].into_iter().for_each(|(a, b)| c.part(a, b));
    assert!(matches!(sent(&mut c, 2, "ch_1", "5"), Answer::Received(_)));
    assert!(matches!(sent(&mut c, 3, "ch_1", "6"), Answer::Received(_)));
    c.heal(1, 3);
    c.run_until_quiet();
    c.heal(1, 2);
    c.heal(2, 3);
    c.run_until_quiet();
    for n in 1..=3 {
        assert_eq!(sent(&mut c, n, "ch_1", "5"), Answer::Refused(Refusal::IdReused), "region {n}");
        assert!(posted(sent(&mut c, n, "ch_1", "6")).1, "region {n}");
        assert_eq!(c.account(n, P).balance, 1_600);
        assert!(c.engine(n).ledger().taken.is_empty());
    }
    c.assert_equal();
}

#[test]
fn an_account_that_is_unknown_here_is_its_birth_sites_to_judge() {
    let mut c = Cluster::new(2);
    c.part(1, 2);
    let opened = c.ask(1, Command::OpenAccount { account: acc(P), currency: gbp() });
    assert!(matches!(opened, Answer::AccountOpened { .. }));
    let early = sent(&mut c, 2, "ch_1", "5");
    assert!(matches!(early, Answer::Received(_)), "the opening is on its way: {early:?}");
    assert!(matches!(sent(&mut c, 2, "ch_2", "0.005"), Answer::Received(_)), "so is its currency");
    let ask = |c: &mut Cluster, n| {
        let id = c.send(n, Request::Command(webhook("nobody@eu-west", "ch_3", "5")), 0);
        c.replies.remove(&id).unwrap()
    };
    assert!(matches!(ask(&mut c, 2), Answer::Received(_)));
    assert_eq!(ask(&mut c, 1), Answer::Refused(Refusal::AccountUnknown), "where it would be known, it is not");
    c.heal(1, 2);
    c.run_until_quiet();
    assert_eq!(posted(sent(&mut c, 2, "ch_1", "5")).0.amount.minor(), 500);
    assert_eq!(c.replies.len(), 0);
    let id = c.send(1, Request::Command(webhook(P, "ch_2", "0.005")), 0);
    assert_eq!(refused(c.replies.remove(&id).unwrap()), ReferenceRefusal::OverPrecise);
    assert!(c.alarms.iter().any(|(n, code, _)| (*n, *code) == (1, "reference_refused")), "a person is told");
    let opened = c.ask(1, Command::OpenAccount { account: acc("nobody@eu-west"), currency: gbp() });
    assert!(matches!(opened, Answer::AccountOpened { .. }));
    for n in [1, 2] {
        assert_eq!(refused(ask(&mut c, n)), ReferenceRefusal::AccountUnknown, "a refusal is final");
    }
    assert_eq!(c.account(1, P).balance, 500);
    c.run_until_quiet();
    c.assert_equal();
}

#[test]
fn what_is_known_to_be_wrong_is_refused_and_not_recorded() {
    let mut c = Cluster::new(2);
    c.funded(P, "10");
    for n in [1, 2] {
        let before = c.engine(n).ledger().next_seq();
        for (account, amount) in [(P, "0.001"), (P, "0"), (P, "-1"), (P, "10000000000000001"), ("p@nowhere", "1")] {
            let answer = c.ask(n, webhook(account, "ch_1", amount));
            assert!(matches!(answer, Answer::Refused(Refusal::Malformed { .. })), "{account} {amount}: {answer:?}");
        }
        assert_eq!(c.engine(n).ledger().next_seq(), before);
    }
}

#[test]
fn a_decision_is_in_the_batch_that_merges_what_it_decides() {
    let mut c = Cluster::new(2);
    c.funded(P, "10");
    c.hold.insert((1, 2, Lane::Log));
    assert!(matches!(sent(&mut c, 2, "ch_1", "5"), Answer::Received(_)));
    c.quiet();
    // Whatever the answer's way: the two stand or fall together on the birth site's disk.
    let store = c.store_of(1);
    assert!(store.reference(&reference(P, "ch_1")).is_some());
    c.drop_held();
    c.crash(1);
    c.run_until_quiet();
    assert_eq!(written(&c, 1), (0, 1), "a restart decides nothing again");
    assert!(posted(sent(&mut c, 2, "ch_1", "5")).1);
    assert_eq!(c.account(2, P).balance, 1_500);
    c.assert_equal();
}

#[test]
fn a_region_that_dies_after_it_has_passed_a_webhook_on_is_not_needed() {
    let mut c = Cluster::new(3);
    c.funded(P, "10");
    c.part(1, 2);
    c.part(1, 3);
    assert!(matches!(sent(&mut c, 2, "ch_1", "5"), Answer::Received(_)));
    c.run_until_quiet();
    c.part(2, 3);
    c.heal(1, 3);
    c.run_until_quiet();
    assert_eq!(c.account(3, P).balance, 1_500);
    assert!(posted(sent(&mut c, 1, "ch_1", "5")).1);
}

#[test]
fn a_birth_site_in_quarantine_decides_nothing() {
    let mut c = Cluster::new(3);
    c.funded(P, "10");
    c.part(1, 2);
    c.part(1, 3);
    c.start(1, MemStore::default());
    c.heal(1, 2);
    c.heal(1, 3);
    c.run_until_quiet();
    assert!(c.quarantined.contains_key(&1));
    assert!(matches!(sent(&mut c, 2, "ch_1", "5"), Answer::Received(_)));
    c.run_until_quiet();
    assert!(matches!(sent(&mut c, 1, "ch_1", "5"), Answer::Refused(Refusal::NotReady { .. })));
    assert!(matches!(sent(&mut c, 2, "ch_1", "5"), Answer::Received(_)), "it stays taken in");
    assert_eq!(c.engine(1).ledger().next_seq(), 1);
}

#[test]
fn a_later_incarnation_decides_only_once_it_holds_what_the_earlier_one_decided() {
    let mut c = Cluster::new(3);
    c.funded(P, "10");
    let (first, _) = posted(sent(&mut c, 1, "ch_1", "5"));
    c.run_until_quiet();
    c.part(1, 2);
    c.part(1, 3);
    c.incarnations.insert(1, 2);
    c.start(1, MemStore::default());
    c.hold.extend([(2, 1, Lane::Bulk), (3, 1, Lane::Bulk)]);
    c.heal(1, 2);
    c.heal(1, 3);
    assert!(matches!(sent(&mut c, 1, "ch_1", "5"), Answer::Received(_)), "the earlier log is not here yet");
    assert!(matches!(sent(&mut c, 1, "ch_2", "1"), Answer::Received(_)));
    c.release();
    c.run_until_quiet();
    assert_eq!(posted(sent(&mut c, 1, "ch_1", "5")), (first, true), "decided by the earlier incarnation");
    let (second, _) = posted(sent(&mut c, 1, "ch_2", "1"));
    assert_eq!(second.site, Site::new(1, 2), "what was left over is decided without being asked again");
    c.run_until_quiet();
    assert_eq!(c.account(3, P).balance, 1_600);
    assert!((1..=3).all(|n| c.engine(n).ledger().taken.is_empty()));
}

#[test]
fn a_region_takes_in_a_bounded_number_of_references() {
    let mut c = Cluster::new(2);
    c.funded(P, "10");
    c.part(1, 2);
    let mut next = 0;
    while next < REFERENCES_UNDECIDED_MAX {
        let batch: Vec<_> = (next..next + 2_000)
            .map(|n| c.input(Request::Command(webhook(P, &format!("ch_{n}"), "1")), None, 0).1)
            .collect();
        next += batch.len();
        c.group(2, batch);
        assert!(c.replies.values().all(|a| matches!(a, Answer::Received(_))));
        c.replies.clear();
    }
    let over = sent(&mut c, 2, "one_more", "1");
    assert!(matches!(over, Answer::Refused(Refusal::Overloaded { .. })), "{over:?}");
    assert!(matches!(sent(&mut c, 2, "ch_0", "1"), Answer::Received(_)), "what is in stays in");
}

/// What region 2 could write of a reference of its own accounts: `n` is region 1's view of its next entry.
struct Forged {
    received: Received,
    decision: ReferenceDecision,
    posting: Posting,
}

fn forged(c: &Cluster, account: &str) -> Forged {
    let (site, at) = (Site::new(2, 1), Hlc::new(WALL_MS, 1));
    let amount = SentAmount::of(dec("5")).unwrap();
    let (reference, account) = (reference(account, "ch_1"), acc(account));
    let received =
        Received { reference: reference.clone(), account: account.clone(), amount, body: Hash16([1; 16]), at };
    let id = MintedId::mint(WALL_MS, 2, 1, c.engine(1).ledger().next_seq());
    let act = Some(PostingAct::Reference(reference));
    let minor = Amount::from_minor(500).unwrap();
    let posting = Posting { id, account, amount: minor, body: Hash16([1; 16]), at, site, act };
    let outcome = ReferenceOutcome::Posted(id);
    let decision = ReferenceDecision { received: received.clone(), from: site, site, at, outcome };
    Forged { received, decision, posting }
}

fn row(account: &str, dep: u64) -> Event {
    Event::Row(acc(account), Row { dep, ..Row::default() })
}

fn stops(c: &mut Cluster, events: Vec<Event>) -> bool {
    let before = c.engine(1).ledger().digest();
    c.inject(2, 1, events);
    let stopped = c.engine(1).ledger().head(Site::new(2, 1)).stopped.is_some();
    assert!(!stopped || c.engine(1).ledger().digest() == before, "what is refused changes nothing");
    stopped
}

#[test]
fn only_the_birth_site_decides_once_and_credits_what_was_sent() {
    let here = "q@us-east";
    let world = || {
        let mut c = Cluster::new(3);
        c.funded(P, "10");
        c.funded(here, "10");
        c
    };
    // The row moves as the posting says: what is refused is refused for another reason.
    let good = |f: &Forged| {
        let (account, minor) = (f.posting.account.as_str(), f.posting.amount.minor());
        let before = if account == here { 1_000 } else { 0 };
        vec![Event::Posting(f.posting.clone()), Event::Referenced(f.decision.clone()), row(account, before + minor)]
    };
    let mut c = world();
    let f = forged(&c, here);
    assert!(!stops(&mut c, good(&f)), "its own, once");
    let mut again = forged(&c, here);
    again.posting.id = MintedId::mint(WALL_MS, 2, 1, 77);
    again.decision.outcome = ReferenceOutcome::Posted(again.posting.id);
    assert!(stops(&mut c, good(&again)), "twice");

    let mut c = world();
    let f = forged(&c, P);
    let events = vec![Event::Posting(f.posting), Event::Referenced(f.decision), row(P, 500)];
    assert!(stops(&mut c, events), "another region's");

    type Spoil = fn(&mut Forged);
    let spoiled: [(&str, Spoil); 5] = [
        ("another amount", |f| f.posting.amount = Amount::from_minor(600).unwrap()),
        ("another account", |f| f.posting.account = acc(P)),
        ("another body", |f| f.posting.body = Hash16([2; 16])),
        ("no posting of the reference", |f| f.posting.act = None),
        ("another site", |f| f.decision.site = Site::new(2, 9)),
    ];
    for (what, spoil) in spoiled {
        let mut c = world();
        let mut f = forged(&c, here);
        spoil(&mut f);
        assert!(stops(&mut c, good(&f)), "{what}");
    }
    let mut c = world();
    let f = forged(&c, here);
    assert!(stops(&mut c, vec![Event::Posting(f.posting), row(here, 1_500)]), "credited and not decided");
    let mut c = world();
    let f = forged(&c, here);
    assert!(stops(&mut c, vec![Event::Referenced(f.decision)]), "decided and not credited");
    let mut c = world();
    let mut f = forged(&c, P);
    f.received.account = acc(here);
    assert!(stops(&mut c, vec![Event::Received(f.received)]), "taken in for another region's account");
    let mut c = world();
    let f = forged(&c, P);
    assert!(!stops(&mut c, vec![Event::Received(f.received)]), "anybody takes in");
    assert_eq!(written(&c, 1), (0, 1), "and the birth site decides");
}
