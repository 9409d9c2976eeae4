//! Links, `Hello`, gaps, relays, catch-up and what is too large for a frame.

use bytes::Bytes;
use crdt::{Site, Vector};
use engine::door::{Input, Lane, Request};
use engine::port::View;
use engine::wire::{Hello, PROTOCOL, PeerMessage};
use model::limits::FRAME_BYTES_MAX;
use model::{Answer, Command, Hash16, OutcomeResult, Query, Refusal, ResultScope, ResultWrite, Text};

use crate::cluster::{Cluster, WALL_MS, acc, accepted, gbp, market};
use crate::store::MemStore;

const P: &str = "p@eu-west";

#[test]
fn regions_that_were_apart_end_equal() {
    let mut c = Cluster::new(3);
    c.funded(P, "1000");
    c.on_sale(1);
    c.part(1, 2);
    c.part(1, 3);
    c.part(2, 3);
    for n in 1..=3 {
        for _ in 0..50 {
            let id = c.mint(n);
            c.deposit(n, id, P, "1");
        }
        c.price(n, "home", &format!("{}", n + 3));
    }
    let w = c.wager(1, P, "10");
    assert_eq!(accepted(&c.place(1, w)), Some(true), "a region takes wagers alone");
    c.pass(3_000);
    c.heal(1, 2);
    c.heal(2, 3);
    c.run_until_quiet();
    c.assert_equal();
    assert_eq!(c.account(1, P).balance, 100_000 + 15_000 - 1_000);
    c.assert_conserved(P);
}

#[test]
fn a_log_comes_through_a_third_region_when_a_link_is_broken() {
    let mut c = Cluster::new(3);
    c.funded(P, "10");
    c.part(1, 2);
    for _ in 0..20 {
        let id = c.mint(1);
        c.deposit(1, id, P, "1");
    }
    c.run_until_quiet();
    c.assert_equal();
}

#[test]
fn lost_pushes_are_pulled() {
    let mut c = Cluster::new(2);
    c.funded(P, "10");
    for round in 0..6 {
        if round % 2 == 0 {
            c.cut.insert((1, 2));
        } else {
            c.cut.clear();
        }
        let id = c.mint(1);
        c.deposit(1, id, P, "1");
        c.quiet();
    }
    c.run_until_quiet();
    c.assert_equal();
    assert_eq!(c.engine(1).ledger().ack_floor, c.engine(1).ledger().head(Site::new(1, 1)).index);
}

#[test]
fn an_account_is_opened_where_its_name_says_and_in_one_currency() {
    let mut c = Cluster::new(2);
    let open =
        |code: &str| Command::OpenAccount { account: acc("q@us-east"), currency: model::Currency::new(code).unwrap() };
    assert!(matches!(c.ask(1, open("GBP")), Answer::AccountOpened { .. }));
    assert!(matches!(c.ask(2, open("GBP")), Answer::AccountOpened { created: false, .. }));
    assert_eq!(c.ask(1, open("EUR")), Answer::Refused(Refusal::CurrencyDiffers { has: gbp() }));
    c.part(1, 2);
    let open = Command::OpenAccount { account: acc("r@us-east"), currency: gbp() };
    assert!(matches!(c.ask(1, open), Answer::Refused(Refusal::RegionUnreachable { .. })));
}

#[test]
fn a_new_directory_writes_nothing_until_all_have_said_hello() {
    let mut c = Cluster::apart(3, false);
    let open = Command::OpenAccount { account: acc(P), currency: gbp() };
    c.link(1, 2);
    c.quiet();
    assert!(matches!(c.ask(1, open.clone()), Answer::Refused(Refusal::NotReady { .. })));
    assert_eq!(c.engine(1).ledger().head(Site::new(1, 1)).index, 0);
    c.link(1, 3);
    c.quiet();
    assert!(matches!(c.ask(1, open), Answer::AccountOpened { created: true, .. }));
}

#[test]
fn all_others_need_not_be_linked_at_one_moment_to_have_said_hello() {
    let mut c = Cluster::apart(3, false);
    c.link(1, 2);
    c.quiet();
    c.part(1, 2);
    c.link(1, 3);
    c.quiet();
    let open = Command::OpenAccount { account: acc(P), currency: gbp() };
    assert!(matches!(c.ask(1, open), Answer::AccountOpened { .. }), "every other region has answered Hello");
}

#[test]
fn an_old_directory_is_quarantined_when_a_peer_knows_more_of_it() {
    let mut c = Cluster::new(2);
    c.funded(P, "10");
    let old = c.store_of(1);
    let id = c.mint(1);
    c.deposit(1, id, P, "1");
    c.run_until_quiet();
    c.part(1, 2);
    c.start(1, old);
    c.heal(1, 2);
    assert!(c.quarantined[&1].contains("up to"), "{:?}", c.quarantined);
    assert!(!c.quarantined.contains_key(&2), "and only it");
}

#[test]
fn an_old_directory_is_quarantined_when_a_peer_knows_more_of_its_odds() {
    let mut c = Cluster::new(2);
    c.on_sale(1);
    let old = c.store_of(1);
    c.price(1, "home", "8");
    c.run_until_quiet();
    c.part(1, 2);
    c.start(1, old);
    c.heal(1, 2);
    assert!(c.quarantined[&1].contains("odds"), "{:?}", c.quarantined);
}

#[test]
fn an_old_directory_that_wrote_again_is_quarantined_when_it_is_seen() {
    let mut c = Cluster::new(2);
    c.funded(P, "10");
    let old = c.store_of(1);
    let id = c.mint(1);
    c.deposit(1, id, P, "1");
    c.run_until_quiet();
    c.part(1, 2);
    c.start(1, old);
    for _ in 0..3 {
        let id = c.mint(1);
        c.deposit(1, id, P, "2");
    }
    c.heal(1, 2);
    assert!(c.quarantined[&1].contains("another entry"), "{:?}", c.quarantined);
}

#[test]
fn an_old_directory_is_quarantined_when_a_peer_learns_more_of_it_after_hello() {
    let mut c = Cluster::new(3);
    c.funded(P, "10");
    c.part(1, 2);
    c.part(2, 3);
    let old = c.store_of(1);
    let id = c.mint(1);
    c.deposit(1, id, P, "1");
    c.run_until_quiet();
    c.part(1, 3);
    // Only region 3 knows the newest entry. The copy meets region 2 first; region 3 meets region 2 later.
    c.start(1, old);
    c.heal(1, 2);
    assert!(!c.quarantined.contains_key(&1));
    c.heal(2, 3);
    c.pass(5_000);
    assert!(c.quarantined.contains_key(&1), "a peer says that it holds more of this site's log than the site");
}

#[test]
fn a_quarantined_region_writes_nothing_more() {
    let mut c = Cluster::new(3);
    c.funded(P, "10");
    c.part(1, 2);
    c.part(1, 3);
    c.part(2, 3);
    let old = c.store_of(1);
    let id = c.mint(1);
    c.deposit(1, id, P, "1");
    c.heal(1, 2);
    c.part(1, 2);
    // The old copy meets region 3, which knows no more than it does, and then region 2, which does.
    c.start(1, old);
    c.heal(1, 3);
    c.heal(1, 2);
    assert!(c.quarantined.contains_key(&1));
    let before = c.engine(1).ledger().head(Site::new(1, 1));
    // Money for the home arrives in what is left of the group.
    let id = c.mint(3);
    c.deposit(3, id, P, "3");
    c.pass(2_000);
    assert_eq!(c.engine(1).ledger().head(Site::new(1, 1)), before, "not an entry under the old incarnation");
}

fn hello(c: &Cluster) -> Hello {
    Hello {
        cluster: Text::new("test"),
        site: Site::new(2, 1),
        boot_nonce: 1,
        protocol: PROTOCOL,
        regions: vec![(1, Text::new("eu-west")), (2, Text::new("us-east"))],
        logs: c.engine(2).ledger().logs.iter().map(|(s, h)| (*s, h.index, h.hash)).collect(),
        odds: Vector::default(),
        stamp_ms: 1,
        heard: true,
        windows: Vec::new(),
        quarantined: false,
    }
}

/// What is made wrong of a good `Hello`.
type Change = Box<dyn Fn(&mut Hello)>;

#[test]
fn a_hello_of_another_cluster_region_protocol_or_topology_makes_no_link() {
    let mut wrong: Vec<(&str, Change)> = Vec::new();
    wrong.push(("cluster", Box::new(|h| h.cluster = Text::new("other"))));
    wrong.push(("region", Box::new(|h| h.site.region = 3)));
    wrong.push(("protocol", Box::new(|h| h.protocol += 1)));
    wrong.push(("topology", Box::new(|h| h.regions.push((3, Text::new("ap-south"))))));
    wrong.push(("name", Box::new(|h| h.regions[0].1 = Text::new("eu-east"))));
    for (what, change) in wrong {
        let mut c = Cluster::apart(2, false);
        c.group(1, vec![Input::PeerUp { region: 2 }]);
        let mut h = hello(&c);
        change(&mut h);
        c.peer(2, 1, &PeerMessage::Hello(h));
        let Answer::Regions(view) = c.query(1, Query::Regions) else { panic!() };
        assert!(view.regions.iter().all(|r| r.here || !r.connected), "{what}");
        assert!(c.alarms.iter().any(|(_, code, _)| *code == "hello_refused"), "{what}");
        assert!(!c.quarantined.contains_key(&1), "{what}");
    }
}

#[test]
fn a_hello_with_another_hash_of_this_sites_log_halts() {
    let mut c = Cluster::new(2);
    c.funded(P, "10");
    let mut h = hello(&c);
    h.logs = vec![(Site::new(1, 1), 1, Hash16([7; 16]))];
    c.peer(2, 1, &PeerMessage::Hello(h));
    assert!(c.quarantined.contains_key(&1));
}

#[test]
fn one_peers_word_does_not_stop_a_third_sites_stream() {
    let mut c = Cluster::new(3);
    c.funded("q@ap-south", "10");
    let mut h = hello(&c);
    h.regions.push((3, Text::new("ap-south")));
    h.logs.retain(|(s, ..)| s.region != 3);
    h.logs.push((Site::new(3, 1), 1, Hash16([7; 16])));
    c.peer(2, 1, &PeerMessage::Hello(h));
    let id = c.mint(3);
    c.deposit(3, id, "q@ap-south", "5");
    c.run_until_quiet();
    assert_eq!(c.account(1, "q@ap-south").balance, 1_500, "its author still says what this region holds");
}

#[test]
fn frames_that_cannot_be_read_are_counted_and_harm_nothing() {
    let mut c = Cluster::new(2);
    c.funded(P, "10");
    for frame in [vec![], vec![0xff; 10], vec![0; FRAME_BYTES_MAX + 1], vec![0x82, 0x01]] {
        for lane in [Lane::Log, Lane::Odds, Lane::Requests, Lane::Bulk] {
            c.group(1, vec![Input::Peer { region: 2, lane, frame: Bytes::from(frame.clone()) }]);
            c.group(1, vec![Input::Peer { region: 9, lane, frame: Bytes::from(frame.clone()) }]);
        }
    }
    let id = c.mint(2);
    c.deposit(2, id, P, "1");
    c.run_until_quiet();
    c.assert_equal();
}

/// A closing line of market `1.n` with twenty runners: twenty results.
fn closing(n: u64, pt: u64) -> String {
    let runners: Vec<String> = (1..=20)
        .map(|r| format!(r#"{{"id":{r},"status":"{}","sortPriority":{r}}}"#, if r == 1 { "WINNER" } else { "LOSER" }))
        .collect();
    format!(
        r#"{{"op":"mcm","pt":{pt},"mc":[{{"id":"1.{n}","img":true,"marketDefinition":{{"status":"CLOSED","version":1,"inPlay":false,"betDelay":0,"numberOfActiveRunners":0,"bspReconciled":false,"runners":[{}]}}}}]}}"#,
        runners.join(",")
    )
}

#[test]
fn a_feed_call_of_any_permitted_size_is_replicated() {
    let mut c = Cluster::new(2);
    c.funded(P, "10");
    let pt = WALL_MS + c.elapsed_ms;
    let lines: Vec<String> = (0..1_500).map(|n| closing(n, pt)).collect();
    let answer = c.feed(1, &lines);
    assert!(matches!(answer, Answer::Feed(ref r) if r.applied == 1_500), "{answer:?}");
    c.run_until_quiet();
    c.pass(10_000);
    c.assert_equal();
}

#[test]
fn results_of_the_largest_market_are_replicated() {
    let mut c = Cluster::new(2);
    c.on_sale(1);
    let key = model::MarketKey::new(&"m".repeat(200)).unwrap();
    let names: Vec<String> = (0..1_000).map(|n| format!("{n:0200}")).collect();
    let refs: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut definition = crate::cluster::definition(&refs);
    definition.outcomes.iter_mut().for_each(|o| o.name = Text::new(""));
    let draft = model::MarketDraft { market: key.clone(), definition, status: model::MarketStatus::Active };
    c.ask(1, Command::PutMarket(Box::new(draft)));
    c.run_until_quiet();
    let write = |n: &String, result| ResultWrite { scope: ResultScope::Outcome(crate::cluster::outcome(n)), result };
    // Three calls in one group, as a busy desk sends them.
    let inputs: Vec<Input> = [OutcomeResult::Won, OutcomeResult::Lost, OutcomeResult::Void]
        .into_iter()
        .map(|r| {
            let results = names.iter().map(|n| write(n, r)).collect();
            c.input(Request::Command(Command::WriteResults { market: key.clone(), results, closed_ms: None }), None, 0)
                .1
        })
        .collect();
    c.group(1, inputs);
    c.run_until_quiet();
    c.pass(5_000);
    c.assert_equal();
}

#[test]
fn a_settled_slice_beside_a_batch_of_wagers_is_replicated() {
    let mut c = Cluster::new(2);
    let name = |n: u32| format!("{n:0190}@eu-west");
    for n in 0..1_000 {
        let open = Command::OpenAccount { account: acc(&name(n)), currency: gbp() };
        c.send(1, Request::Command(open), 0);
        c.replies.clear();
        let id = c.mint(1);
        c.send(
            1,
            Request::Command(Command::Deposit { id, account: acc(&name(n)), amount: crate::cluster::dec("100") }),
            0,
        );
        c.quiet();
    }
    c.on_sale(1);
    let wagers: Vec<_> = (0..1_000).map(|n| c.wager(2, &name(n), "1")).collect();
    let id = c.send(2, Request::Command(Command::Place(wagers)), 30_000);
    c.run_until_quiet();
    let Some(Answer::Placed(answers)) = c.replies.remove(&id) else { panic!("not answered") };
    assert!(answers.iter().all(|a| accepted(a) == Some(true)));
    // A result reaches region 2 together with a batch of wagers on another market there.
    let key = model::MarketKey::new("m2").unwrap();
    let draft = model::MarketDraft {
        market: key.clone(),
        definition: crate::cluster::definition(&["home"]),
        status: model::MarketStatus::Active,
    };
    c.ask(2, Command::PutMarket(Box::new(draft)));
    c.run_until_quiet();
    let more: Vec<_> = (0..1_000)
        .map(|n| {
            let mut w = c.wager(2, &name(n), "1");
            w.legs[0].market = key.clone();
            w.client_ref = Some(Text::new(&"r".repeat(200)));
            w
        })
        .collect();
    let results = vec![ResultWrite { scope: ResultScope::Market, result: OutcomeResult::Won }];
    let (_, result) =
        c.input(Request::Command(Command::WriteResults { market: market(), results, closed_ms: None }), None, 0);
    let (_, batch) = c.input(Request::Command(Command::Place(more)), None, 0);
    c.group(2, vec![result, batch]);
    let site = Site::new(2, 1);
    let group = c.store_of(2).log(site, c.engine(2).ledger().head(site).index - 5, 1_000, usize::MAX);
    assert!(group.iter().all(|e| e.len() < FRAME_BYTES_MAX / 2), "an entry leaves room for another in its frame");
    c.run_until_quiet();
    c.pass(5_000);
    c.assert_equal();
}

#[test]
fn a_fresh_disk_is_not_taken_for_the_old_one() {
    let mut c = Cluster::new(2);
    c.funded(P, "10");
    c.part(1, 2);
    c.start(1, MemStore::default());
    c.heal(1, 2);
    assert!(c.quarantined.contains_key(&1), "a wiped directory under the same incarnation");
}
