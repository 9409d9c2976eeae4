//! The Unified Odds Feed's messages: what a parse says of the published samples, what it refuses and by what name, and
//! that nothing of a body, however hostile, costs more than its length.
//!
//! The samples lie beside the project (`STAKEHOLD_DATA`, else `../shared/data`). Without them that test says so and
//! passes, except with `CI=true`.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed test is what a panic is for")]

use std::{fs, path::PathBuf};

use feeds::Decimal;
use feeds::uof::{Body, Read, UofError, UofMessage, limits, read_body};
use model::{MarketStatus, OutcomeResult, Share, Verdict};

fn samples() -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let data = std::env::var_os("STAKEHOLD_DATA").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    let dir = data.join("uof-samples");
    if dir.is_dir() {
        return Some(dir);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "CI=true and no samples at {}", dir.display());
    eprintln!("SAMPLES NOT FOUND at {}: THIS TEST CHECKED NOTHING", dir.display());
    None
}

fn one(xml: &str) -> Result<UofMessage, UofError> {
    let mut all = read_body(xml.as_bytes());
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0).message
}

fn code(xml: &str) -> &'static str {
    one(xml).expect_err(xml).code()
}

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn odds_change_sample(message: UofMessage) {
    assert_eq!((message.producer.unwrap().as_str(), message.time_ms), ("uof:2", Some(1234)));
    let Body::OddsChange(change) = message.body else { panic!("no change of odds") };
    assert_eq!((change.event.as_str(), change.live), ("sr:match:123", Some(true)));
    let markets: Vec<_> = change.markets.iter().map(|m| (m.market.as_str(), m.status, m.outcomes.len())).collect();
    let expected = [
        ("uof:sr:match:123;47;score=41.5", MarketStatus::Active, 2),
        ("uof:sr:match:123;48;score=42.5", MarketStatus::Active, 2),
        ("uof:sr:match:123;49", MarketStatus::Inactive, 0),
        ("uof:sr:match:123;123;game=3,point=1,set=2", MarketStatus::Suspended, 2),
        ("uof:sr:match:123;188", MarketStatus::Active, 5),
        ("uof:sr:match:123;899", MarketStatus::Active, 36),
        ("uof:sr:match:123;145;variant=sr:point_range:76%2B", MarketStatus::Cancelled, 5),
        ("uof:sr:match:123;888;player=sr:player:361790", MarketStatus::Active, 4),
        ("uof:sr:match:123;891;goalnr=1,player=sr:player:122702", MarketStatus::Active, 4),
    ];
    assert_eq!(markets, expected);
    let players = &change.markets[4].outcomes;
    assert_eq!((players[1].outcome.as_str(), players[1].active), ("sr:player:4322", false));
    assert_eq!(players[2].odds, Some(decimal("1.87")));
    let unpriced = &change.markets[5].outcomes[10];
    assert_eq!((unpriced.outcome.as_str(), unpriced.active, unpriced.odds), ("sr:player:2614", false, None));
    assert_eq!(change.markets[6].outcomes[0].outcome.as_str(), "sr:point_range:76%2B:1132");
}

fn settlement_sample(message: UofMessage) {
    let Body::BetSettlement(markets) = message.body else { panic!("no settlement") };
    assert_eq!(markets.iter().map(|m| m.outcomes.len()).collect::<Vec<_>>(), [2, 2, 4, 32, 5]);
    assert_eq!(markets[1].market.as_str(), "uof:sr:match:16807109;204;setnr=1,total=9.5");
    let half = |won| OutcomeResult::of(Verdict { void_factor: Share::HALF, ..Verdict::plain(won) }).unwrap();
    let voids: Vec<_> = markets[2].outcomes.iter().map(|o| o.result).collect();
    assert_eq!(voids, [OutcomeResult::Void, half(false), half(true), OutcomeResult::Lost]);
    let tied = OutcomeResult::of(Verdict { dead_heat_factor: Share::HALF, ..Verdict::plain(true) }).unwrap();
    assert_eq!(markets[3].outcomes[0].result, tied);
    assert_eq!(markets[0].outcomes[1].result, OutcomeResult::Won);
}

#[test]
fn every_published_sample_parses_to_what_it_says() {
    let Some(dir) = samples() else { return };
    let read = |name: &str| one(&fs::read_to_string(dir.join(name)).unwrap()).unwrap();
    odds_change_sample(read("odds_change-0.xml"));
    settlement_sample(read("bet_settlement.xml"));
    let Body::BetCancel(cancel) = read("bet_cancel.xml").body else { panic!("no cancel") };
    assert_eq!((cancel.start_ms, cancel.end_ms), (Some(1_564_597_838_000), Some(1_564_598_513_000)));
    assert_eq!(cancel.markets[0].as_str(), "uof:sr:match:18941600;62;goalnr=1");
    let revived = read("rollback_bet_cancel.xml");
    assert_eq!((revived.producer, revived.time_ms), (None, Some(1239)));
    let Body::RollbackBetCancel(cancel) = revived.body else { panic!("no rollback") };
    assert_eq!((cancel.start_ms, cancel.end_ms, cancel.markets.len()), (None, None, 1));
    for n in 0..4 {
        let ignored = Body::Ignored { kind: "fixtures_fixture" };
        assert_eq!(read(&format!("fixture-{n}.xml")).body, ignored);
    }
    let Body::Descriptions(few) = read("markets-0.xml").body else { panic!("no descriptions") };
    let groups = |n: usize| few[n].groups.iter().map(model::GroupKey::as_str).collect::<Vec<_>>();
    assert_eq!(few.iter().map(|d| d.kind).collect::<Vec<_>>(), [1, 11, 21, 575, 892], "variants name no groups");
    assert_eq!(groups(3), ["all", "10_min", "corners"]);
    let many = fs::read_to_string(dir.join("markets-1.xml")).unwrap();
    let Body::Descriptions(described) = one(&many).unwrap().body else { panic!("no descriptions") };
    assert_eq!(described.len(), many.matches("groups=\"").count());
}

#[test]
fn one_body_holds_many_messages_and_each_is_refused_by_itself() {
    let body = "<?xml version=\"1.0\"?>\n<alive product=\"1\" timestamp=\"1\" subscribed=\"1\"/>\n\n\
        <!-- <alive product=\"9\" timestamp=\"9\" subscribed=\"1\"/> -->\n\
        <alive product=\"x\" timestamp=\"2\" subscribed=\"1\"/>\n\
        <odds_change product=\"1\" event_id=\"sr:match:1\" timestamp=\"3\"><odds><market id=\"1\">\n\
        <alive product=\"3\" timestamp=\"4\" subscribed=\"0\"/><snapshot_complete product=\"3\" timestamp=\"5\"\n\
        request_id=\"7\"/>";
    let read = read_body(body.as_bytes());
    let lines: Vec<_> = read.iter().map(|r| (r.line, r.message.as_ref().map_err(UofError::code).err())).collect();
    let expected = [(2, None), (4, Some("bad_field")), (6, Some("not_xml")), (7, None), (7, None)];
    assert_eq!(lines, expected, "{read:?}");
    assert_eq!(read[4].message.as_ref().unwrap().request_id, Some(7));
    assert_eq!(read[3].message.as_ref().unwrap().body, Body::Alive { subscribed: false });
    assert!(read_body(b"").is_empty() && read_body(b" \n <!-- nothing --> \n").is_empty());
}

#[test]
fn unknown_fields_and_elements_are_passed_over() {
    let xml = "<odds_change product='1' event_id='sr:match:1' timestamp='3' odds_generation_properties='x'>\
        <new><odds><market id='bad'/></odds></new>\
        <odds news='1'><market id='1' status='1' colour='&amp;&#65;'><outcome id='1' odds='1.5' active='1'><deep/>\
        </outcome><wind speed='3'/>text &lt; text</market></odds></odds_change>";
    let Body::OddsChange(change) = one(xml).unwrap().body else { panic!("no change") };
    assert_eq!((change.markets.len(), change.markets[0].outcomes.len(), change.live), (1, 1, None));
}

#[test]
fn broken_xml_is_refused_by_name() {
    for broken in [
        "<alive product=\"1\" timestamp=\"1\"",
        "<alive product=\"1\" timestamp=\"1\" subscribed=1/>",
        "<alive product=\"1\" product=\"2\" timestamp=\"1\" subscribed=\"1\"/>",
        "<bet_stop product=\"1\" event_id=\"sr:match:1\" timestamp=\"1\"></bet_settlement>",
        "<bet_stop product=\"1\" event_id=\"sr:match:1\" timestamp=\"1\">",
        "{\"op\":\"mcm\"}",
        "</alive>",
    ] {
        assert_eq!(code(broken), "not_xml", "{broken}");
    }
    assert_eq!(code("<mcm/>"), "not_a_message");
    assert_eq!(code("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><alive/>"), "not_utf8");
    let latin = read_body(b"<alive product=\"\xe9\" timestamp=\"1\"/>\n<alive product=\"1\" timestamp=\"1\"/>");
    assert_eq!(latin[0].message.as_ref().unwrap_err().code(), "not_utf8");
    assert!(latin[1].message.is_ok());
}

#[test]
fn wrong_fields_are_named_with_their_place() {
    let market = |fields: &str| {
        format!(
            "<odds_change product='1' event_id='sr:match:1' timestamp='3'><odds><market id='5'/>\
            <market id='1' {fields}</market></odds></odds_change>"
        )
    };
    let verdict = |fields: &str| {
        format!(
            "<bet_settlement product='1' event_id='e' timestamp='3'><outcomes><market id='1'><outcome id='1' \
            {fields}/></market></outcomes></bet_settlement>"
        )
    };
    let cases = [
        ("<alive product='1' subscribed='1'/>".to_owned(), "alive@timestamp", "is missing"),
        ("<alive product='1' timestamp='1e3'/>".to_owned(), "alive@timestamp", "1e3 is not a number"),
        ("<alive product='1' timestamp='-1'/>".to_owned(), "alive@timestamp", "-1 is not a number"),
        ("<alive timestamp='1'/>".to_owned(), "alive@product", "is missing"),
        ("<alive product='1' timestamp='1' subscribed='2'/>".to_owned(), "alive@subscribed", "not 0 or 1"),
        ("<snapshot_complete product='1' timestamp='1'/>".to_owned(), "snapshot_complete@request_id", "is missing"),
        ("<bet_stop product='1' timestamp='1'/>".to_owned(), "bet_stop@event_id", "is missing"),
        (market("status='2'>"), "odds_change/odds/market[2]@status", "2 is not one of"),
        (market("specifiers='total'>"), "odds_change/odds/market[2]@specifiers", "name=value"),
        (market("><outcome odds='1.5'/>"), "odds_change/odds/market[2]/outcome[1]@id", "is missing"),
        (market("><outcome id='1' odds='1,5'/>"), "odds_change/odds/market[2]/outcome[1]@odds", "1,5 is not a decimal"),
        (market("><outcome id='1' odds='NaN'/>"), "odds_change/odds/market[2]/outcome[1]@odds", "NaN is not"),
        (verdict(""), "bet_settlement/outcomes/market[1]/outcome[1]@result", "is missing"),
        (verdict("result='1' void_factor='0.4'"), "outcome[1]@void_factor", "none of 0, 0.5 and 1"),
        (verdict("result='1' dead_heat_factor='0'"), "outcome[1]@dead_heat_factor", "is not above 0"),
        (verdict("result='1' dead_heat_factor='1.1'"), "outcome[1]@dead_heat_factor", "between 0 and 1"),
        (
            "<bet_cancel product='1' event_id='e' timestamp='1' start_time='5' end_time='4'/>".to_owned(),
            "bet_cancel@end_time",
            "before start_time",
        ),
    ];
    for (xml, place, why) in cases {
        let Err(UofError::BadField { path, detail }) = one(&xml) else { panic!("{xml} is not refused for a field") };
        assert!(path.ends_with(place) && detail.contains(why), "{xml}: {path}: {detail}");
    }
}

#[test]
fn no_document_type_is_read_and_no_entity_expanded() {
    let laughs = "<?xml version=\"1.0\"?><!DOCTYPE lolz [<!ENTITY lol \"lol\"><!ENTITY lol2 \"&lol;&lol;&lol;&lol;\">\
        <!ENTITY lol3 \"&lol2;&lol2;&lol2;&lol2;\">]><alive product=\"1\" timestamp=\"1\" subscribed=\"&lol3;\"/>";
    let read = read_body(laughs.as_bytes());
    let codes: Vec<_> = read.iter().map(|r| r.message.as_ref().unwrap_err().code()).collect();
    assert_eq!(codes, ["doctype_refused"], "the message behind it is not believed either");
    let plain = "<!DOCTYPE a>\n<alive product='1' timestamp='1'/><alive product='1' timestamp='2'/>";
    assert_eq!(read_body(plain.as_bytes()).iter().map(|r| r.message.is_ok()).collect::<Vec<_>>(), [false, true]);
    let declared = "<?xml version='1.0' encoding='latin1'?><alive product='1' timestamp='1'/>";
    assert_eq!(code(declared), "not_utf8");
    assert_eq!(code("<!DOCTYPE a SYSTEM \"file:///etc/passwd\">"), "doctype_refused");
    assert_eq!(code("<bet_stop product='1' event_id='e' timestamp='1'>&xxe;</bet_stop>"), "entity_refused");
}

#[test]
fn size_and_depth_are_bounded() {
    let large = format!(
        "<bet_stop product='1' event_id='e' timestamp='1'>{}</bet_stop><alive product='1' timestamp='2'/>",
        "<x a='0123456789'/>".repeat(10 * 1024 * 1024 / 19)
    );
    let read = read_body(large.as_bytes());
    let codes: Vec<_> = read.iter().map(|r| r.message.as_ref().err().map(UofError::code)).collect();
    assert_eq!(codes, [Some("message_too_large"), None]);

    let deep = format!("<bet_stop product='1' event_id='e' timestamp='1'>{}", "<x>".repeat(100_000));
    assert_eq!(code(&deep), "not_xml", "it has no end");
    let (open, close) = ("<x>".repeat(limits::DEPTH_MAX), "</x>".repeat(limits::DEPTH_MAX));
    let deep = format!("<bet_stop product='1' event_id='e' timestamp='1'>{open}{close}</bet_stop>");
    assert_eq!(code(&deep), "too_deep");

    let names: String = (0..=limits::ATTRIBUTES_MAX).map(|n| format!(" a{n}='1'")).collect();
    assert_eq!(code(&format!("<alive{names}/>")), "too_many_elements");
    let outcomes = "<outcome id='1' active='1'/>".repeat(limits::OUTCOMES_PER_MARKET_MAX + 1);
    let crowded = format!(
        "<odds_change product='1' event_id='e' timestamp='1'><odds><market id='1'>{outcomes}</market></odds></odds_change>"
    );
    assert_eq!(code(&crowded), "too_many_elements");
    let groups = vec!["g"; limits::GROUPS_MAX + 1].join("|");
    assert_eq!(
        code(&format!("<bet_stop product='1' event_id='e' timestamp='1' groups='{groups}'/>")),
        "too_many_elements"
    );
}

#[test]
fn a_body_of_nothing_but_broken_messages_is_given_up() {
    let read: Vec<Read> = read_body("<alive ".repeat(100_000).as_bytes());
    assert_eq!(read.len(), limits::BROKEN_MAX + 2);
    assert_eq!(read.last().unwrap().message, Err(UofError::TooBroken));
}
