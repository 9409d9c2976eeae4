//! A node over a real store, alone and in a pair: what it is asked comes back, survives a restart, and its end has
//! words.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use engine::door::{Config, Kept, RegionConfig, Request};
use model::{
    AccountId, Answer, Command, Currency, Decision, Definition, Durability, EventKey, Leg, MarketDraft, MarketKey,
    MarketStatus, MintedId, Odds, OddsChange, OddsPolicy, OddsWrite, OutcomeDef, OutcomeKey, Query, Text, WagerAnswer,
    WagerRequest, WagerView,
};
use net::PeerConfig;
use net::certs::{RegionRequest, write_dir};
use node::{AskError, Node, NodeConfig, NodeError, NodeHandle, StartError};
use rust_decimal::Decimal;
use store::{OpenError, StoreOptions};
use tokio::time::{sleep, timeout};

const PATIENCE: Duration = Duration::from_secs(10);

fn config(dir: &Path) -> NodeConfig {
    let engine = Config {
        cluster: Text::new("test"),
        region: 1,
        incarnation: 1,
        regions: vec![RegionConfig { number: 1, name: Text::new("eu") }],
        ack_quorum: 0,
        freshness_ms: 20_000,
        replay: false,
        first_start: false,
        gossip_ms: 100,
        bet_delays: true,
        windows: Vec::new(),
        kept: Kept::default(),
        rules: engine::door::Rules::default(),
    };
    NodeConfig { engine, data_dir: dir.to_owned(), store: StoreOptions::default(), net: None, queue_depth_max: 64 }
}

fn account() -> AccountId {
    AccountId::new("anna@eu").unwrap()
}

fn market() -> MarketKey {
    MarketKey::new("cup:final").unwrap()
}

fn id(random: u64) -> MintedId {
    MintedId::mint(node::clock::unix_ms() + 60_000, 1, 1, random)
}

async fn ask(handle: &NodeHandle, request: Request) -> Answer {
    timeout(PATIENCE, handle.ask(request, None, 0)).await.expect("in time").unwrap().answer
}

async fn tell(handle: &NodeHandle, command: Command) -> Answer {
    ask(handle, Request::Command(command)).await
}

async fn read(handle: &NodeHandle, query: Query) -> Answer {
    ask(handle, Request::Query(query)).await
}

/// Opens the account, pays 50.00 in, and puts the market on sale at 2.5.
async fn furnish(handle: &NodeHandle) {
    let opened =
        tell(handle, Command::OpenAccount { account: account(), currency: Currency::new("GBP").unwrap() }).await;
    assert!(matches!(opened, Answer::AccountOpened { created: true, .. }), "{opened:?}");
    let paid = tell(handle, Command::Deposit { id: id(1), account: account(), amount: Decimal::new(50_00, 2) }).await;
    assert!(matches!(paid, Answer::Deposited { replayed: false, .. }), "{paid:?}");
    let outcome = OutcomeDef { key: OutcomeKey::new("home").unwrap(), name: Text::new("Home") };
    let definition = Definition {
        name: Text::new("Final"),
        event: EventKey::new("cup").unwrap(),
        sport: Text::new(""),
        start_ms: 0,
        in_play: false,
        bet_delay_ms: 0,
        outcomes: vec![outcome],
        exchange: false,
        terms: None,
    };
    let draft = MarketDraft { market: market(), definition, status: MarketStatus::Active };
    let made = tell(handle, Command::PutMarket(Box::new(draft))).await;
    assert!(matches!(made, Answer::Market(_)), "{made:?}");
    let price = OddsWrite {
        market: market(),
        outcome: OutcomeKey::new("home").unwrap(),
        change: OddsChange::Odds(Odds::new(5, 2).unwrap()),
        producer: None,
        source_time_ms: None,
        source_seq: 0,
    };
    let priced = tell(handle, Command::WriteOdds(vec![price])).await;
    assert!(matches!(&priced, Answer::Odds(report) if report.refused.is_empty()), "{priced:?}");
}

fn wager(id: MintedId) -> WagerRequest {
    WagerRequest {
        id,
        account: account(),
        unit_stake: Decimal::new(10_00, 2),
        total_stake: None,
        system: None,
        each_way: false,
        legs: vec![Leg { market: market(), outcome: OutcomeKey::new("home").unwrap(), odds: Odds::new(5, 2).unwrap() }],
        policy: OddsPolicy::None,
        client_ref: None,
        durability: Durability::Local,
    }
}

async fn place(handle: &NodeHandle, id: MintedId) -> (bool, bool) {
    let placed = tell(handle, Command::Place(vec![wager(id)])).await;
    match &placed {
        Answer::Placed(answers) => match answers.as_slice() {
            [WagerAnswer::Decided { record, replayed }] => (record.decision == Decision::Accepted, *replayed),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

async fn balance_minor(handle: &NodeHandle) -> (i128, i128) {
    match read(handle, Query::Account(account())).await {
        Answer::Account(view) => (view.balance, view.reserved),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deposit_and_a_wager_go_round_and_a_restart_keeps_everything() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(config(dir.path())).await.unwrap();
    furnish(&node.handle()).await;
    let first = id(2);
    assert_eq!(place(&node.handle(), first).await, (true, false));
    assert_eq!(place(&node.handle(), first).await, (true, true));
    assert_eq!(balance_minor(&node.handle()).await, (40_00, 10_00));
    node.shutdown().await.unwrap();

    let node = Node::start(config(dir.path())).await.unwrap();
    assert_eq!(balance_minor(&node.handle()).await, (40_00, 10_00));
    assert_eq!(place(&node.handle(), first).await, (true, true));
    let known = read(&node.handle(), Query::Wager(first)).await;
    assert!(matches!(known, Answer::Wager { view: WagerView::Known(_), .. }), "{known:?}");
    node.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_are_all_answered() {
    const COUNT: u64 = 60;
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(config(dir.path())).await.unwrap();
    furnish(&node.handle()).await;
    let mut asked = tokio::task::JoinSet::new();
    for n in 0..COUNT {
        let handle = node.handle();
        asked.spawn(async move {
            let command = Command::Deposit { id: id(100 + n), account: account(), amount: Decimal::new(1_00, 2) };
            tell(&handle, command).await
        });
    }
    while let Some(answer) = asked.join_next().await {
        assert!(matches!(answer.unwrap(), Answer::Deposited { replayed: false, .. }));
    }
    assert_eq!(balance_minor(&node.handle()).await.0, 50_00 + i128::from(COUNT) * 1_00);
    node.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_queued_when_it_stops_is_decided_or_told_and_later_askers_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(config(dir.path())).await.unwrap();
    furnish(&node.handle()).await;
    let handle = node.handle();
    let ids: Vec<MintedId> = (0..40).map(|n| id(200 + n)).collect();
    let mut asked = tokio::task::JoinSet::new();
    for id in ids.clone() {
        let handle = handle.clone();
        asked.spawn(async move {
            let command = Command::Deposit { id, account: account(), amount: Decimal::new(1_00, 2) };
            (id, handle.ask(Request::Command(command), None, 0).await)
        });
    }
    node.shutdown().await.unwrap();
    let mut acknowledged = Vec::new();
    while let Some(asked) = timeout(PATIENCE, asked.join_next()).await.expect("nobody waits for ever") {
        match asked.unwrap() {
            (id, Ok(_)) => acknowledged.push(id),
            (_, Err(why)) => assert_eq!(why, AskError::Stopped),
        }
    }
    let late = handle.ask(Request::Query(Query::Clock), None, 0).await;
    assert_eq!(late.unwrap_err(), AskError::Stopped);
    let node = Node::start(config(dir.path())).await.unwrap();
    for id in acknowledged {
        let command = Command::Deposit { id, account: account(), amount: Decimal::new(1_00, 2) };
        assert!(matches!(tell(&node.handle(), command).await, Answer::Deposited { replayed: true, .. }));
    }
    node.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_has_one_node_and_is_free_again_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(config(dir.path())).await.unwrap();
    let second = Node::start(config(dir.path())).await.unwrap_err();
    assert!(matches!(second, StartError::Open(OpenError::InUse { .. })), "{second}");
    node.shutdown().await.unwrap();
    Node::start(config(dir.path())).await.unwrap().shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_cannot_start_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let certs = tempfile::tempdir().unwrap();
    let request = RegionRequest { number: 1, name: "eu".to_owned(), extra_names: Vec::new() };
    write_dir(certs.path(), "test", &[request], node::clock::unix_s()).unwrap();
    let pem = |file: &str| std::fs::read_to_string(certs.path().join(file)).unwrap();
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let gossip = net::Config {
        cluster: "test".to_owned(),
        region: 1,
        name: "eu".to_owned(),
        listen: taken.local_addr().unwrap(),
        peers: Vec::new(),
        ca_pem: pem("ca.pem"),
        cert_pem: pem("eu.pem"),
        key_pem: pem("eu-key.pem"),
        timing: net::Timing::default(),
    };
    let failed = Node::start(NodeConfig { net: Some(gossip.clone()), ..config(dir.path()) }).await.unwrap_err();
    assert!(matches!(failed, StartError::Net(net::NetError::Listen(_))), "{failed}");
    drop(taken);
    let node = Node::start(NodeConfig { net: Some(gossip), ..config(dir.path()) }).await.unwrap();
    assert!(node.gossip_addr().is_some());
    node.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readiness_is_answered_while_the_node_runs() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(config(dir.path())).await.unwrap();
    let Answer::Ready(view) = read(&node.handle(), Query::Ready).await else { panic!("another answer") };
    assert_eq!((view.money, view.odds, view.replication), (None, None, None));
    node.shutdown().await.unwrap();
}

/// A node of a pair, with certificates in `certs`.
fn paired(dir: &Path, certs: &Path, region: u16, listen: [SocketAddr; 2]) -> NodeConfig {
    const NAMES: [&str; 2] = ["eu", "us"];
    let at = usize::from(region) - 1;
    let other = 1 - at;
    let pem = |file: &str| std::fs::read_to_string(certs.join(file)).unwrap();
    let peer = PeerConfig {
        region: u16::try_from(other).unwrap() + 1,
        name: NAMES[other].to_owned(),
        address: listen[other].to_string(),
    };
    let gossip = net::Config {
        cluster: "test".to_owned(),
        region,
        name: NAMES[at].to_owned(),
        listen: listen[at],
        peers: vec![peer],
        ca_pem: pem("ca.pem"),
        cert_pem: pem(&format!("{}.pem", NAMES[at])),
        key_pem: pem(&format!("{}-key.pem", NAMES[at])),
        timing: net::Timing::default(),
    };
    let mut config = config(dir);
    config.engine.region = region;
    config.engine.ack_quorum = 1;
    config.engine.regions.push(RegionConfig { number: 2, name: Text::new("us") });
    NodeConfig { net: Some(gossip), ..config }
}

fn free_udp() -> SocketAddr {
    std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Asks until the answer is as wanted.
async fn until(handle: &NodeHandle, query: Query, wanted: impl Fn(&Answer) -> bool) {
    let asked = async {
        loop {
            if wanted(&read(handle, query.clone()).await) {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, asked).await.unwrap_or_else(|_| panic!("{query:?}: never as wanted"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pair_replicates_and_a_region_that_lost_its_directory_is_read_only_with_a_reason() {
    let (dirs, certs) = ([tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()], tempfile::tempdir().unwrap());
    let request = |number, name: &str| RegionRequest { number, name: name.to_owned(), extra_names: Vec::new() };
    write_dir(certs.path(), "test", &[request(1, "eu"), request(2, "us")], node::clock::unix_s()).unwrap();
    let listen = [free_udp(), free_udp()];
    let eu = Node::start(paired(dirs[0].path(), certs.path(), 1, listen)).await.unwrap();
    let us = Node::start(paired(dirs[1].path(), certs.path(), 2, listen)).await.unwrap();
    let ready =
        |answer: &Answer| matches!(answer, Answer::Ready(view) if view.replication.is_none() && view.money.is_none());
    until(&eu.handle(), Query::Ready, ready).await;
    until(&us.handle(), Query::Ready, ready).await;
    furnish(&eu.handle()).await;
    let arrived = |answer: &Answer| matches!(answer, Answer::Account(view) if view.balance == 50_00);
    until(&us.handle(), Query::Account(account()), arrived).await;
    eu.shutdown().await.unwrap();

    let empty = tempfile::tempdir().unwrap();
    let mut config = paired(empty.path(), certs.path(), 1, listen);
    config.engine.first_start = true;
    let eu = Node::start(config).await.unwrap();
    let closed = |answer: &Answer| {
        let why = |view: &model::ReadyView| view.money.as_ref().is_some_and(|w| w.as_str().starts_with("quarantine"));
        matches!(answer, Answer::Ready(view) if why(view))
    };
    until(&eu.handle(), Query::Ready, closed).await;
    until(&us.handle(), Query::Account(account()), arrived).await;
    eu.shutdown().await.unwrap();
    us.shutdown().await.unwrap();
}

#[test]
fn a_node_error_reads_as_a_last_line() {
    let error = NodeError::Panicked("no".to_owned());
    assert_eq!(error.to_string(), "the engine failed: no");
    assert_eq!(NodeError::Stuck.to_string(), "the engine did not stop in 10 s");
}
