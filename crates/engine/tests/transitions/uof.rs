//! The Unified Odds Feed at one region and at several: statuses, stops, handover, liveness, results, cancels. Messages are
//! written as they come, in XML.

use engine::door::{Request, UofLine};
use feeds::uof::read_body;
use model::{
    Answer, FeedReport, Leg, MarketKey, MarketStatus, MarketView, MintedId, Odds, OddsPolicy, Query, Refusal,
    RejectCode, WagerAnswer, WagerRequest, WagerState,
};

use crate::cluster::{Cluster, WALL_MS, acc, dec, outcome};

const EVENT: &str = "sr:match:1";

/// Delivers messages at a region in one call.
fn report(c: &mut Cluster, n: u16, xml: &str) -> FeedReport {
    let lines = read_body(xml.as_bytes()).into_iter();
    let lines = lines.map(|read| UofLine { line: read.line, message: read.message.unwrap() }).collect();
    let id = c.send(n, Request::Uof(lines), 0);
    match c.replies.remove(&id) {
        Some(Answer::Feed(report)) => report,
        other => panic!("{other:?}"),
    }
}

/// The same, none refused.
pub(crate) fn tell(c: &mut Cluster, n: u16, xml: &str) {
    let report = report(c, n, xml);
    assert!(report.refused.is_empty(), "{xml}: {report:?}");
    c.quiet();
}

/// A message's head: its kind, producer and time, which are seconds after the beginning.
pub(crate) fn head(kind: &str, product: u32, s: u64) -> String {
    format!("{kind} product='{product}' timestamp='{}' event_id='{EVENT}'", at(s))
}

pub(crate) const fn at(s: u64) -> u64 {
    WALL_MS + s * 1_000
}

pub(crate) fn alive(product: u32, s: u64) -> String {
    format!("<{} subscribed='1'/>", head("alive", product, s))
}

pub(crate) fn change(product: u32, s: u64, markets: &str) -> String {
    format!("<{}><odds>{markets}</odds></odds_change>", head("odds_change", product, s))
}

/// Market `id` at a status, its two outcomes at 2 and at other odds.
pub(crate) fn listed(id: u32, status: i32, odds: &str) -> String {
    format!(
        "<market id='{id}' status='{status}'><outcome id='1' odds='{odds}' active='1'/>\
        <outcome id='2' odds='2' active='1'/></market>"
    )
}

pub(crate) fn stop(product: u32, s: u64, groups: &str) -> String {
    format!("<{} groups='{groups}'/>", head("bet_stop", product, s))
}

pub(crate) fn settlement(product: u32, s: u64, first: &str, second: &str) -> String {
    let (open, close) = ("<outcomes><market id='1'>", "</market></outcomes></bet_settlement>");
    let head = head("bet_settlement", product, s);
    format!("<{head}>{open}<outcome id='1' {first}/><outcome id='2' {second}/>{close}")
}

fn key(id: u32) -> MarketKey {
    MarketKey::new(&format!("uof:{EVENT};{id}")).unwrap()
}

fn view(c: &mut Cluster, n: u16, id: u32) -> MarketView {
    match c.query(n, Query::Market(key(id))) {
        Answer::Market(view) => *view,
        other => panic!("{other:?}"),
    }
}

fn status(c: &mut Cluster, n: u16, id: u32) -> MarketStatus {
    view(c, n, id).status
}

fn refusal(c: &mut Cluster, n: u16, id: u32) -> Option<RejectCode> {
    view(c, n, id).refusal
}

fn bet(c: &mut Cluster, n: u16, name: &str) -> WagerRequest {
    let odds = Odds::parse("2").unwrap();
    WagerRequest {
        id: MintedId::mint(at(3_600), n, 1, c.sent + 77_000),
        account: acc("p@eu-west"),
        unit_stake: dec("10"),
        total_stake: None,
        legs: vec![Leg { market: key(1), outcome: outcome(name), odds }],
        policy: OddsPolicy::Any,
        client_ref: None,
        system: None,
        each_way: false,
        durability: model::Durability::default(),
    }
}

pub(crate) fn placed(c: &mut Cluster, n: u16, name: &str) -> MintedId {
    let bet = bet(c, n, name);
    match c.place(n, bet.clone()) {
        WagerAnswer::Decided { record, .. } if record.is_accepted() => bet.id,
        other => panic!("{other:?}"),
    }
}

/// A cluster on the replay clock, its clock at the beginning, producer 1 alive, market 1 on sale.
pub(crate) fn on_sale(size: u16) -> Cluster {
    let mut c = Cluster::replaying(size);
    tell(&mut c, 1, &(alive(1, 0) + &change(1, 1, &listed(1, 1, "1.9"))));
    c.run_until_quiet();
    (1..=size).for_each(|n| assert_eq!(refusal(&mut c, n, 1), None));
    c
}

pub(crate) fn funded(c: &mut Cluster) {
    // Ids are minted ahead of the replay clock.
    let opened = c.ask(1, model::Command::OpenAccount { account: acc("p@eu-west"), currency: crate::cluster::gbp() });
    assert!(matches!(opened, Answer::AccountOpened { .. }));
    let id = MintedId::mint(at(3_600), 1, 1, 5);
    let paid = c.deposit(1, id, "p@eu-west", "100");
    assert!(matches!(paid, Answer::Deposited { .. }), "{paid:?}");
    c.run_until_quiet();
}

#[test]
fn a_change_lists_markets_and_leaves_the_others_alone() {
    let mut c = on_sale(1);
    tell(&mut c, 1, &change(1, 2, &(listed(2, -1, "1.5") + &listed(3, 0, "1.5"))));
    assert_eq!(
        [1, 2, 3].map(|id| status(&mut c, 1, id)),
        [MarketStatus::Active, MarketStatus::Suspended, MarketStatus::Inactive]
    );
    let shown = view(&mut c, 1, 1);
    assert_eq!(shown.outcomes[0].odds, Some(Odds::parse("1.9").unwrap()));
    assert_eq!(shown.definition.event.as_str(), EVENT);
    let unpriced = "<market id='1' status='1'><outcome id='2' active='1'/></market>";
    tell(&mut c, 1, &change(1, 3, unpriced));
    let shown = view(&mut c, 1, 1);
    assert_eq!((shown.outcomes.len(), shown.outcomes[0].refusal), (1, Some(RejectCode::NoPrice)));
    funded(&mut c);
    let gone = bet(&mut c, 1, "1");
    let WagerAnswer::Decided { record, .. } = c.place(1, gone) else { panic!("not decided") };
    let model::Decision::Rejected(problems) = &record.decision else { panic!("{record:?}") };
    assert_eq!(problems[0].code, RejectCode::SelectionInactive, "it is not listed any more");
}

#[test]
fn a_stop_closes_markets_that_the_region_where_it_enters_has_never_heard_of() {
    let mut c = on_sale(2);
    c.part(1, 2);
    tell(&mut c, 1, &change(1, 3, &listed(2, 1, "1.5")));
    tell(&mut c, 2, &stop(1, 4, "all"));
    assert_eq!(refusal(&mut c, 2, 1), Some(RejectCode::MarketSuspended));
    assert_eq!(refusal(&mut c, 1, 2), None);
    c.heal(1, 2);
    c.run_until_quiet();
    for (n, id) in [(1, 1), (2, 1), (1, 2), (2, 2)] {
        assert_eq!(refusal(&mut c, n, id), Some(RejectCode::MarketSuspended), "market {id} at {n}");
    }
    c.assert_equal();
    // Restored, the stop still stands.
    c.crash(2);
    assert_eq!(refusal(&mut c, 2, 2), Some(RejectCode::MarketSuspended));
    tell(&mut c, 1, &change(1, 5, &listed(2, 1, "1.5")));
    c.run_until_quiet();
    assert_eq!([1, 2].map(|n| refusal(&mut c, n, 2)), [None, None], "a later change reopens what it lists");
    assert_eq!([1, 2].map(|n| status(&mut c, n, 1)), [MarketStatus::Suspended; 2]);
}

#[test]
fn a_stop_moves_only_what_is_active_and_not_newer_and_of_its_producer() {
    let mut c = on_sale(1);
    tell(&mut c, 1, &change(1, 5, &(listed(2, 0, "1.5") + &listed(3, -3, "1.5"))));
    tell(&mut c, 1, &stop(1, 0, "all"));
    assert_eq!(status(&mut c, 1, 1), MarketStatus::Active, "the stop is older");
    tell(&mut c, 1, &stop(3, 6, "all"));
    assert_eq!(status(&mut c, 1, 1), MarketStatus::Active, "another producer's");
    tell(&mut c, 1, &stop(1, 6, "all"));
    let all = [1, 2, 3].map(|id| status(&mut c, 1, id));
    assert_eq!(all, [MarketStatus::Suspended, MarketStatus::Inactive, MarketStatus::Settled]);
    let off = format!("<{} groups='all' market_status='0'/>", head("bet_stop", 1, 7));
    tell(&mut c, 1, &off);
    assert_eq!(status(&mut c, 1, 1), MarketStatus::Inactive);
    tell(&mut c, 1, &change(1, 7, &listed(1, 1, "1.9")));
    assert_eq!(status(&mut c, 1, 1), MarketStatus::Inactive, "on a tie the stop wins");
}

#[test]
fn a_stop_of_a_group_hits_the_kinds_described_in_it_and_every_kind_in_doubt() {
    let mut c = on_sale(2);
    tell(&mut c, 1, &change(1, 2, &(listed(2, 1, "1.5") + &listed(3, 1, "1.5"))));
    let described = "<market_descriptions><market id='1' groups='all|score'/><market id='2' groups='all|corners'/>\
        </market_descriptions>";
    tell(&mut c, 1, described);
    c.run_until_quiet();
    let open = |c: &mut Cluster, n| [1, 2, 3].map(|id| refusal(c, n, id).is_none());
    tell(&mut c, 2, &stop(1, 3, "score"));
    c.run_until_quiet();
    assert_eq!([1, 2].map(|n| open(&mut c, n)), [[false, true, false]; 2], "kind 3 is not described");
    tell(&mut c, 1, "<market_descriptions><market id='3' groups='all|corners'/></market_descriptions>");
    c.run_until_quiet();
    assert_eq!([1, 2].map(|n| open(&mut c, n)), [[false, true, true]; 2], "now it is");
    tell(&mut c, 1, &stop(1, 4, "never_heard_of"));
    c.run_until_quiet();
    assert_eq!([1, 2].map(|n| open(&mut c, n)), [[false, false, false]; 2], "an unknown group means all");
    c.assert_equal();
}

#[test]
fn a_market_that_is_handed_over_is_the_new_producers_unless_that_one_is_long_behind() {
    let mut c = on_sale(1);
    tell(&mut c, 1, &alive(3, 0));
    let over = |s| change(1, s, "<market id='1' status='-2'/>");
    tell(&mut c, 1, &over(10));
    assert_eq!(refusal(&mut c, 1, 1), Some(RejectCode::MarketHandedOver));
    tell(&mut c, 1, &change(3, 9, &listed(1, 1, "1.7")));
    let shown = view(&mut c, 1, 1);
    assert_eq!((shown.refusal, shown.producer.unwrap().as_str()), (None, "uof:3"), "it had it already");
    assert_eq!(shown.outcomes[0].odds, Some(Odds::parse("1.7").unwrap()), "at its own price");
    tell(&mut c, 1, &(over(31) + &alive(1, 15) + &alive(3, 15)));
    assert_eq!(status(&mut c, 1, 1), MarketStatus::HandedOver, "its word is more than 20 s older than the hand-over");
}

#[test]
fn only_an_alive_is_a_sign_of_life_and_only_a_recovery_lifts_a_down() {
    let mut c = on_sale(2);
    tell(&mut c, 1, &change(1, 19, &listed(1, 1, "1.9")));
    c.run_until_quiet();
    assert_eq!(refusal(&mut c, 2, 1), None);
    tell(&mut c, 1, &change(1, 21, &listed(1, 1, "1.9")));
    c.run_until_quiet();
    let down = Some(RejectCode::ProducerDown);
    assert_eq!([1, 2].map(|n| refusal(&mut c, n, 1)), [down; 2], "21 s after the last alive");
    tell(&mut c, 2, &alive(1, 22));
    c.run_until_quiet();
    assert_eq!([1, 2].map(|n| refusal(&mut c, n, 1)), [down; 2], "messages were missed");
    let complete = |s| format!("<{} request_id='7'/>", head("snapshot_complete", 1, s));
    tell(&mut c, 1, &complete(20));
    c.run_until_quiet();
    assert_eq!([1, 2].map(|n| refusal(&mut c, n, 1)), [down; 2], "a recovery from before the silence");
    tell(&mut c, 1, &complete(23));
    c.run_until_quiet();
    assert_eq!([1, 2].map(|n| refusal(&mut c, n, 1)), [None; 2]);
    for (s, lost) in [(24, "<{} subscribed='0'/>"), (26, "<{}/>")] {
        let kind = if s == 24 { "alive" } else { "product_down" };
        tell(&mut c, 1, &lost.replace("{}", &head(kind, 1, s)));
        tell(&mut c, 2, &alive(1, s));
        c.run_until_quiet();
        assert_eq!([1, 2].map(|n| refusal(&mut c, n, 1)), [down; 2], "{kind}");
        tell(&mut c, 2, &complete(s + 1));
        c.run_until_quiet();
        assert_eq!([1, 2].map(|n| refusal(&mut c, n, 1)), [None; 2], "{kind}");
    }
    c.assert_equal();
}

#[test]
fn an_alive_never_lifts_a_down_that_its_region_has_not_heard_of() {
    let mut c = on_sale(2);
    c.part(1, 2);
    tell(&mut c, 1, &format!("<{} subscribed='0'/>", head("alive", 1, 5)));
    tell(&mut c, 2, &alive(1, 9));
    c.heal(1, 2);
    c.run_until_quiet();
    assert_eq!([1, 2].map(|n| refusal(&mut c, n, 1)), [Some(RejectCode::ProducerDown); 2]);
    c.assert_equal();
}

#[test]
fn a_silent_producer_is_written_down_where_it_is_read_and_an_old_alive_is_no_sign_of_life() {
    let mut c = Cluster::new(2);
    c.pass(1_000);
    let now = c.elapsed_ms / 1_000;
    tell(&mut c, 1, &(alive(1, now) + &change(1, now, &listed(1, 1, "1.9"))));
    c.run_until_quiet();
    assert_eq!([1, 2].map(|n| refusal(&mut c, n, 1)), [None; 2]);
    c.pass(15_000);
    tell(&mut c, 1, &(alive(1, now) + &change(1, now + 15, &listed(1, 1, "1.9"))));
    c.pass(6_000);
    let down = Some(RejectCode::ProducerDown);
    assert_eq!([1, 2].map(|n| refusal(&mut c, n, 1)), [down; 2], "neither odds nor a repeat is a sign of life");
    let later = now + 24;
    c.pass(1_000);
    tell(&mut c, 1, &alive(1, later));
    c.run_until_quiet();
    assert_eq!([1, 2].map(|n| refusal(&mut c, n, 1)), [down; 2]);
    tell(&mut c, 1, &format!("<{} request_id='7'/>", head("snapshot_complete", 1, later)));
    c.run_until_quiet();
    assert_eq!([1, 2].map(|n| refusal(&mut c, n, 1)), [None; 2]);
    // A restart misses messages too, if it takes long enough: nobody saw the silence.
    c.crash(1);
    c.pass(40_000);
    let now = c.elapsed_ms / 1_000;
    tell(&mut c, 1, &alive(1, now));
    c.run_until_quiet();
    assert_eq!([1, 2].map(|n| refusal(&mut c, n, 1)), [down; 2], "more than 20 s lie between its signs of life");
    let ahead = report(&mut c, 1, &alive(1, now + 60));
    assert_eq!(ahead.refused[0].code, "source_ahead");
}

#[test]
fn money_follows_settlements_rollbacks_and_cancels() {
    let mut c = on_sale(2);
    funded(&mut c);
    let (first, second) = (placed(&mut c, 2, "1"), placed(&mut c, 1, "2"));
    c.run_until_quiet();
    let paid = |c: &mut Cluster, id| {
        c.run_until_quiet();
        let record = c.known(1, id);
        assert_eq!(c.known(2, id), record);
        (record.state, record.paid.minor())
    };
    let (won, lost) = ("result='1'", "result='0'");
    tell(&mut c, 1, &settlement(1, 3, won, lost));
    assert_eq!(paid(&mut c, first), (WagerState::Won, 1_900));
    assert_eq!(paid(&mut c, second), (WagerState::Lost, 0));
    assert_eq!(refusal(&mut c, 2, 1), Some(RejectCode::MarketSettled), "its status has not changed");
    assert_eq!(status(&mut c, 2, 1), MarketStatus::Active);

    let entries = c.entries_of(2).len() + c.entries_of(1).len();
    tell(&mut c, 2, &settlement(1, 3, won, lost));
    assert_eq!(paid(&mut c, first), (WagerState::Won, 1_900));
    assert_eq!(c.entries_of(2).len() + c.entries_of(1).len(), entries, "a repeat writes nothing");

    let rollback =
        |s, market: &str| format!("<{}>{market}</rollback_bet_settlement>", head("rollback_bet_settlement", 1, s));
    tell(&mut c, 2, &rollback(4, "<market id='1'><outcome id='2'/></market>"));
    assert_eq!((paid(&mut c, first).0, paid(&mut c, second).0), (WagerState::Won, WagerState::Open), "one outcome");
    tell(&mut c, 2, &rollback(5, "<market id='1'/>"));
    assert_eq!((paid(&mut c, first), paid(&mut c, second).0), ((WagerState::Open, 0), WagerState::Open));
    assert_eq!(refusal(&mut c, 1, 1), None);
    tell(&mut c, 1, &settlement(1, 4, won, lost));
    assert_eq!(paid(&mut c, first).0, WagerState::Open, "a settlement from before the rollback stays taken back");
    tell(&mut c, 1, &settlement(1, 6, "result='-1'", won));
    assert_eq!((paid(&mut c, first).0, paid(&mut c, second).1), (WagerState::Open, 2_000), "undecided");
    tell(&mut c, 1, &settlement(1, 7, lost, won));
    assert_eq!(paid(&mut c, first), (WagerState::Lost, 0));

    // Both were placed at second 1 of the replay clock.
    let cancel = |kind: &str, s, span: &str| format!("<{} {span}><market id='1'/></{kind}>", head(kind, 1, s));
    let (past, now) = (format!("end_time='{}'", at(1)), format!("start_time='{}' end_time='{}'", at(1), at(2)));
    tell(&mut c, 2, &cancel("bet_cancel", 8, &past));
    assert_eq!(paid(&mut c, second).0, WagerState::Won);
    tell(&mut c, 2, &cancel("bet_cancel", 9, &now));
    assert_eq!([first, second].map(|id| paid(&mut c, id)), [(WagerState::Void, 1_000); 2]);
    tell(&mut c, 1, &cancel("rollback_bet_cancel", 10, &past));
    assert_eq!(paid(&mut c, first).0, WagerState::Void, "another window");
    tell(&mut c, 1, &cancel("rollback_bet_cancel", 11, &now));
    assert_eq!((paid(&mut c, first).0, paid(&mut c, second).1), (WagerState::Lost, 2_000), "as settled before");
    c.assert_equal();
    c.assert_conserved("p@eu-west");
    c.crash(1);
    tell(&mut c, 1, &cancel("bet_cancel", 11, &now));
    assert_eq!(paid(&mut c, second).1, 2_000, "on a tie nothing is cancelled");
}

#[test]
fn a_cancel_without_an_end_stops_the_sale_and_its_rollback_may_leave_the_producer_out() {
    let mut c = on_sale(2);
    let cancel = |kind: &str, s| format!("<{}><market id='1'/></{kind}>", head(kind, 1, s));
    tell(&mut c, 1, &cancel("bet_cancel", 2));
    c.run_until_quiet();
    assert_eq!([1, 2].map(|n| refusal(&mut c, n, 1)), [Some(RejectCode::MarketCancelled); 2]);
    assert_eq!(status(&mut c, 2, 1), MarketStatus::Active, "a cancel is no status");
    tell(&mut c, 2, &cancel("rollback_bet_cancel", 3).replace("product='1' ", ""));
    c.run_until_quiet();
    assert_eq!([1, 2].map(|n| refusal(&mut c, n, 1)), [None; 2]);
    c.assert_equal();
}

#[test]
fn a_message_that_is_refused_changes_nothing() {
    let mut c = on_sale(1);
    let digest = |c: &mut Cluster| match c.query(1, Query::Digest) {
        Answer::Digest(d) => (d.logs, d.odds_digest, c.engine(1).owner_ms()),
        other => panic!("{other:?}"),
    };
    let cancel = |n: u64| {
        let span = format!("start_time='{}'", at(n));
        format!("<{} {span}><market id='1'/></bet_cancel>", head("bet_cancel", 1, 2))
    };
    (0..model::limits::CANCEL_WINDOWS_MAX as u64).for_each(|n| tell(&mut c, 1, &cancel(n)));
    c.run_until_quiet();
    let before = digest(&mut c);
    let refused = report(&mut c, 1, &cancel(1_000).replace(&at(2).to_string(), &at(50).to_string()));
    assert_eq!((refused.applied, refused.refused[0].code), (0, "too_many_windows"));
    assert_eq!(digest(&mut c), before);
    let known = report(&mut c, 1, &cancel(1));
    assert_eq!(known.applied, 1, "a window that is known is no new one");
    let idle = report(&mut c, 1, &(format!("<{}/>", head("fixture_change", 1, 2)) + "<fixtures_fixture/>"));
    assert_eq!((idle.messages, idle.ignored), (2, 2));
    assert!(matches!(c.query(1, Query::Market(key(9))), Answer::Refused(Refusal::MarketUnknown)));
}

/// Every message of a small match, twice and in several orders, entering anywhere: all regions end in the same state,
/// and it is the one that the right order ends in.
#[test]
fn the_order_the_place_and_the_number_of_deliveries_make_no_difference() {
    let mut story = vec![
        alive(1, 5),
        alive(3, 5),
        change(3, 1, &(listed(1, 1, "1.9") + &listed(2, 1, "1.5"))),
        change(3, 4, "<market id='2' status='1'><outcome id='1' odds='1.4' active='1'/></market>"),
        change(3, 6, "<market id='1' status='-2'/>"),
        change(1, 7, &listed(1, 1, "1.8")),
        stop(1, 8, "all"),
        stop(3, 3, "all"),
        change(1, 9, &listed(1, 1, "1.7")),
        settlement(1, 10, "result='1'", "result='0' void_factor='0.5'"),
        format!("<{}><market id='1'/></rollback_bet_settlement>", head("rollback_bet_settlement", 1, 11)),
        format!("<{} end_time='{}'><market id='1'/></bet_cancel>", head("bet_cancel", 1, 12), at(3)),
        format!("<{} subscribed='0'/>", head("alive", 1, 13)),
        format!("<{} request_id='7'/>", head("snapshot_complete", 1, 14)),
    ];
    let shown = |c: &mut Cluster, n| {
        [1, 2].map(|id| {
            let view = view(c, n, id);
            let outcomes = view.outcomes.iter().map(|o| (o.key.clone(), o.refusal, o.odds, o.result));
            (view.status, view.producer, view.refusal, view.definition.outcomes.len(), outcomes.collect::<Vec<_>>())
        })
    };
    let mut c = Cluster::replaying(1);
    story.iter().for_each(|message| tell(&mut c, 1, message));
    let expected = shown(&mut c, 1);
    assert_eq!(expected[0].2, None, "market 1 is on sale at the end: {expected:?}");
    for turn in 0..story.len() {
        story.rotate_left(3);
        if turn % 2 == 1 {
            story.reverse();
        }
        let mut c = Cluster::replaying(3);
        for round in 0..2 {
            for (i, message) in story.iter().enumerate() {
                let report = report(&mut c, 1 + u16::try_from((i * 7 + turn + round) % 3).unwrap(), message);
                assert!(report.refused.is_empty(), "{report:?}");
            }
        }
        c.run_until_quiet();
        c.assert_equal();
        for n in 1..=3 {
            assert_eq!(shown(&mut c, n), expected, "turn {turn}, region {n}");
        }
    }
}
