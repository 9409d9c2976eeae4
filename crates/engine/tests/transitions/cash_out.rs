//! Cash-outs: what is offered, what holds, what is refused, and that money and records say the same everywhere.

use model::{
    Answer, CashOutQuote, Command, MintedId, OutcomeResult, Query, Refusal, RejectCode, Share, StatusAct, StepKind,
    WagerRecord, WagerState,
};

use crate::cluster::{Cluster, accepted};

const P: &str = "p@eu-west";

/// Two regions, 100.00 at home; 10.00 at 3.0, which is at 2.0 by now.
fn at_three() -> (Cluster, MintedId) {
    let mut c = Cluster::new(2);
    c.funded(P, "100");
    c.on_sale(1);
    c.price(1, "home", "3");
    let w = c.wager(1, P, "10");
    let id = w.id;
    assert_eq!(accepted(&c.place(1, w)), Some(true));
    c.price(1, "home", "2");
    c.run_until_quiet();
    (c, id)
}

fn offer(c: &mut Cluster, n: u16, id: MintedId, share: Option<&str>) -> Result<CashOutQuote, Refusal> {
    let share = share.map(|s| Share::parse(s).unwrap());
    match c.query(n, Query::CashOut(id, share)) {
        Answer::CashOutQuoted { quote, .. } => Ok(quote),
        Answer::Refused(refusal) => Err(refusal),
        other => panic!("{other:?}"),
    }
}

fn take(c: &mut Cluster, n: u16, id: MintedId, quote: CashOutQuote) -> Result<(u64, bool), Refusal> {
    match c.ask(n, Command::CashOut { wager: quote.wager, id, quote }) {
        Answer::CashedOut { posting, replayed, .. } => Ok((posting.amount.minor(), replayed)),
        Answer::Refused(refusal) => Err(refusal),
        other => panic!("{other:?}"),
    }
}

fn everywhere(c: &mut Cluster, id: MintedId) -> WagerRecord {
    c.run_until_quiet();
    let known = c.known(1, id);
    assert_eq!(known, c.known(2, id), "both regions hold the same record");
    c.assert_conserved(P);
    c.assert_equal();
    known
}

#[test]
fn a_whole_cash_out_is_paid_once_and_stands_whatever_comes() {
    let (mut c, wager) = at_three();
    let quote = offer(&mut c, 1, wager, None).unwrap();
    assert_eq!((quote.stake.minor(), quote.pays.minor()), (1_000, 1_425), "DOMAIN.md 7: 1500 less 5 %");
    let id = c.mint(1);
    assert_eq!(take(&mut c, 1, id, quote), Ok((1_425, false)));
    assert_eq!(take(&mut c, 1, id, quote), Ok((1_425, true)), "the same again is the same answer");
    let other = CashOutQuote { expires_ms: quote.expires_ms + 1, ..quote };
    assert_eq!(take(&mut c, 1, id, other), Err(Refusal::IdReused));
    let fresh = c.mint(1);
    assert_eq!(take(&mut c, 1, fresh, quote), Err(Refusal::WagerNotOpen { state: "cashed_out" }));
    for result in [OutcomeResult::Won, OutcomeResult::Void, OutcomeResult::Lost] {
        c.result(2, "home", result);
        let known = everywhere(&mut c, wager);
        assert_eq!((known.state, known.paid.minor()), (WagerState::CashedOut, 1_425), "{result:?}");
    }
    let view = c.account(2, P);
    assert_eq!((view.balance, view.reserved, view.debt), (9_000 + 1_425, 0, 0));
    c.crash(1);
    assert_eq!(take(&mut c, 1, id, quote), Ok((1_425, true)));
}

#[test]
fn parts_add_up_and_the_rest_settles_in_proportion() {
    for (result, state, rest) in [
        (OutcomeResult::Won, WagerState::Won, 1_350),
        (OutcomeResult::Lost, WagerState::Lost, 0),
        (OutcomeResult::Void, WagerState::Void, 450),
    ] {
        let (mut c, wager) = at_three();
        let quote = offer(&mut c, 1, wager, Some("0.4")).unwrap();
        assert_eq!((quote.stake.minor(), quote.pays.minor()), (400, 570));
        let id = c.mint(1);
        assert_eq!(take(&mut c, 1, id, quote), Ok((570, false)));
        let known = everywhere(&mut c, wager);
        assert_eq!((known.state, known.paid.minor(), known.burned().minor()), (WagerState::Open, 570, 400));
        assert_eq!(c.account(1, P).reserved, 600);
        assert!(matches!(offer(&mut c, 1, wager, Some("0.7")), Err(Refusal::Malformed { .. })), "0.6 is in play");
        let quote = offer(&mut c, 1, wager, Some("0.15")).unwrap();
        let id = c.mint(1);
        assert_eq!(take(&mut c, 1, id, quote), Ok((213, false)), "213.75, down");
        c.result(1, "home", result);
        let known = everywhere(&mut c, wager);
        assert_eq!((known.state, known.paid.minor()), (state, 570 + 213 + rest));
        assert!(matches!(known.steps(), [a, b, s] if matches!(a.what, StepKind::CashedOut(_))
            && matches!(b.what, StepKind::CashedOut(_)) && s.what == StepKind::Settled));
        c.result(1, "home", OutcomeResult::None);
        let known = everywhere(&mut c, wager);
        assert_eq!((known.state, known.paid.minor()), (WagerState::Open, 783), "what was cashed out stands");
    }
}

#[test]
fn an_offer_holds_for_seconds_and_only_while_nothing_moves() {
    let (mut c, wager) = at_three();
    let quote = offer(&mut c, 1, wager, None).unwrap();
    c.pass(5_050);
    let id = c.mint(1);
    let Err(Refusal::QuoteExpired { quote: next, .. }) = take(&mut c, 1, id, quote) else { panic!("it was over") };
    assert_eq!((next.pays, next.seen), (quote.pays, quote.seen), "only its time was over");
    // There and back again: the price is the same, and what was seen is not.
    c.price(1, "home", "4");
    c.price(1, "home", "2");
    let Err(Refusal::QuoteExpired { quote: next, .. }) = take(&mut c, 1, id, next) else { panic!("it has moved") };
    let forged = [
        CashOutQuote { pays: model::Amount::from_minor(1_426).unwrap(), ..next },
        CashOutQuote { expires_ms: next.expires_ms + 10_000, ..next },
        CashOutQuote { seen: model::Hash16([7; 16]), ..next },
    ];
    for forged in forged {
        assert!(matches!(take(&mut c, 1, id, forged), Err(Refusal::QuoteExpired { .. })), "{forged:?}");
    }
    let other = c.mint(1);
    let stolen = c.ask(1, Command::CashOut { wager: other, id, quote: next });
    assert!(matches!(stolen, Answer::Refused(Refusal::Malformed { .. })), "{stolen:?}");
    assert_eq!(take(&mut c, 1, id, next), Ok((1_425, false)), "none of it was recorded: the id is free");
    everywhere(&mut c, wager);
}

#[test]
fn what_is_not_sold_is_not_bought_back() {
    let (mut c, wager) = at_three();
    let quote = offer(&mut c, 1, wager, None).unwrap();
    c.status(1, StatusAct::Suspend);
    let refused = |r: Refusal| match r {
        Refusal::CashOutUnavailable { problems } => problems.iter().map(|p| (p.leg, p.code)).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    let suspended = vec![(Some(0), RejectCode::MarketSuspended)];
    assert_eq!(refused(offer(&mut c, 1, wager, None).unwrap_err()), suspended);
    let id = c.mint(1);
    assert_eq!(refused(take(&mut c, 1, id, quote).unwrap_err()), suspended);
    c.status(1, StatusAct::Resume);
    c.run_until_quiet();
    assert_eq!(offer(&mut c, 2, wager, None), Err(Refusal::NotOwner { region: 1 }), "another region names the owner");
    let elsewhere = c.mint(2);
    let quote = offer(&mut c, 1, wager, None).unwrap();
    assert_eq!(take(&mut c, 1, elsewhere, quote), Err(Refusal::NotOwner { region: 2 }), "the id is another region's");
    let unknown = c.mint(1);
    assert_eq!(offer(&mut c, 1, unknown, None), Err(Refusal::WagerUnknown));
    c.result(1, "home", OutcomeResult::Won);
    let told = offer(&mut c, 1, wager, None).unwrap_err();
    assert!(matches!(told, Refusal::WagerNotOpen { state: "settling" | "won" }), "{told:?}");
    c.run_until_quiet();
    assert_eq!(offer(&mut c, 1, wager, None), Err(Refusal::WagerNotOpen { state: "won" }));
    assert_eq!(take(&mut c, 1, id, quote), Err(Refusal::WagerNotOpen { state: "won" }));
    everywhere(&mut c, wager);
}

#[test]
fn a_wager_is_cut_up_only_so_often_and_its_trail_is_bounded() {
    let (mut c, wager) = at_three();
    for _ in 0..model::limits::CASH_OUTS_MAX {
        let quote = offer(&mut c, 1, wager, Some("0.01")).unwrap();
        let id = c.mint(1);
        take(&mut c, 1, id, quote).unwrap();
    }
    assert!(matches!(offer(&mut c, 1, wager, Some("0.01")), Err(Refusal::Overloaded { .. })));
    for n in 0..30 {
        c.result(1, "home", if n % 2 == 0 { OutcomeResult::Won } else { OutcomeResult::Lost });
        c.run_until_quiet();
    }
    let known = everywhere(&mut c, wager);
    assert_eq!(known.settled_version, 46);
    assert_eq!((known.steps().len(), known.steps_dropped()), (model::limits::WAGER_STEPS_MAX, 14));
    let cash_outs = known.steps().iter().filter(|s| matches!(s.what, StepKind::CashedOut(_))).count();
    assert_eq!(cash_outs, model::limits::CASH_OUTS_MAX, "cash-outs are never dropped");
    assert_eq!(known.steps().last().map(|s| s.version), Some(46));
}
