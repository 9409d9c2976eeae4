//! Cancels of accepted wagers: in part and as a whole, before and after settlement, taken back, beside cash-outs; and what
//! a peer does not believe.

use engine::log::{CashedOut, Event, Revoked, Settled};
use model::{
    Amount, Answer, Cancelled, CashedWager, Command, Hash16, MintedId, OutcomeResult, Posting, PostingAct, Query,
    Refusal, Share, Text, WagerState, WagerView,
};

use crate::cluster::{Cluster, acc, accepted};

const P: &str = "p@eu-west";

fn one_wager(n: u16) -> (Cluster, MintedId) {
    let mut c = Cluster::new(2);
    c.funded(P, "100");
    c.on_sale(1);
    let w = c.wager(n, P, "10");
    let id = w.id;
    assert_eq!(accepted(&c.place(n, w)), Some(true));
    c.run_until_quiet();
    (c, id)
}

fn cancel(c: &mut Cluster, n: u16, id: MintedId, share: Option<&str>) -> Result<(WagerState, u64), Refusal> {
    let share = share.map(|s| Share::parse(s).unwrap());
    match c.ask(n, Command::CancelWager { id, reason: Text::new("a wrong price"), share }) {
        Answer::Wager { view: WagerView::Known(record), .. } => Ok((record.state, record.paid.minor())),
        Answer::Refused(refusal) => Err(refusal),
        other => panic!("{other:?}"),
    }
}

fn stands(c: &mut Cluster, id: MintedId) -> (WagerState, u64) {
    c.run_until_quiet();
    let known = c.known(1, id);
    assert_eq!(known, c.known(2, id));
    c.assert_conserved(P);
    c.assert_equal();
    let view = c.account(1, P);
    let free = 10_000 - 1_000 + i128::from(known.paid.minor());
    assert_eq!(view.balance - view.debt, free, "{:?}", known.state);
    (known.state, known.paid.minor())
}

#[test]
fn the_last_part_counts_before_and_after_settlement_and_can_be_taken_back() {
    for owner in [1, 2] {
        let (mut c, id) = one_wager(owner);
        assert_eq!(cancel(&mut c, owner, id, Some("0.25")), Ok((WagerState::Open, 250)));
        assert_eq!(stands(&mut c, id), (WagerState::Open, 250));
        c.result(1, "home", OutcomeResult::Won);
        assert_eq!(stands(&mut c, id), (WagerState::Won, 250 + 1_500));
        assert_eq!(cancel(&mut c, owner, id, Some("0.5")), Ok((WagerState::Won, 500 + 1_000)), "of the original stake");
        assert_eq!(cancel(&mut c, owner, id, Some("1/3")), Ok((WagerState::Won, 1_666)), "one rounding, down");
        assert_eq!(cancel(&mut c, owner, id, None), Ok((WagerState::Cancelled, 1_000)));
        assert_eq!(stands(&mut c, id), (WagerState::Cancelled, 1_000));
        c.result(2, "home", OutcomeResult::Lost);
        assert_eq!(stands(&mut c, id), (WagerState::Cancelled, 1_000), "results say nothing of it any more");
        let version = c.known(1, id).settled_version;
        assert_eq!(cancel(&mut c, owner, id, None), Ok((WagerState::Cancelled, 1_000)));
        assert_eq!(c.known(owner, id).settled_version, version, "the same again changes nothing");
        assert_eq!(cancel(&mut c, owner, id, Some("0")), Ok((WagerState::Lost, 0)));
        assert_eq!(stands(&mut c, id), (WagerState::Lost, 0));
        c.result(2, "home", OutcomeResult::Open);
        assert_eq!(stands(&mut c, id), (WagerState::Open, 0));
        assert!(c.known(1, id).cancelled().is_none());
    }
}

#[test]
fn money_that_is_spent_already_becomes_debt() {
    let (mut c, id) = one_wager(1);
    c.result(1, "home", OutcomeResult::Won);
    c.run_until_quiet();
    let spend = c.account(1, P).spendable_here;
    let taken = c.mint(1);
    let amount = rust_decimal::Decimal::new(-i64::try_from(spend).unwrap(), 2);
    let (kind, reason) = (model::AdjustmentKind::Correction, Text::new("spent"));
    c.ask(1, Command::Adjust { id: taken, account: acc(P), amount, kind, reason });
    assert_eq!(cancel(&mut c, 1, id, None), Ok((WagerState::Cancelled, 1_000)));
    c.run_until_quiet();
    let view = c.account(1, P);
    assert_eq!((view.balance, view.debt), (0, 1_000), "2000 were paid, 1000 are due");
    c.assert_conserved(P);
    c.assert_equal();
}

#[test]
fn a_cash_out_stands_beside_a_cancel() {
    let (mut c, id) = one_wager(1);
    let half = Some(Share::HALF);
    let Answer::CashOutQuoted { quote, .. } = c.query(1, Query::CashOut(id, half)) else { panic!("on sale") };
    let cash_out = c.mint(1);
    assert!(matches!(c.ask(1, Command::CashOut { wager: id, id: cash_out, quote }), Answer::CashedOut { .. }));
    assert_eq!(quote.pays.minor(), 475);
    assert_eq!(cancel(&mut c, 1, id, Some("0.25")), Ok((WagerState::Open, 475 + 250)));
    assert_eq!(cancel(&mut c, 1, id, Some("0.75")), Ok((WagerState::CashedOut, 475 + 500)), "no more than is left");
    assert_eq!(stands(&mut c, id), (WagerState::CashedOut, 975));
    assert_eq!(cancel(&mut c, 1, id, None), Ok((WagerState::Cancelled, 975)));
    assert_eq!(cancel(&mut c, 1, id, Some("0.25")), Ok((WagerState::Open, 725)));
    c.result(1, "home", OutcomeResult::Won);
    assert_eq!(stands(&mut c, id), (WagerState::Won, 475 + 250 + 500));
}

#[test]
fn only_the_owner_cancels_and_only_what_was_accepted() {
    let (mut c, id) = one_wager(2);
    assert_eq!(cancel(&mut c, 1, id, Some("0.5")), Err(Refusal::NotOwner { region: 2 }));
    assert_eq!(cancel(&mut c, 1, id, None), Err(Refusal::NotOwner { region: 2 }));
    let unknown = c.mint(1);
    assert_eq!(cancel(&mut c, 1, unknown, Some("0.5")), Err(Refusal::WagerUnknown));
    let closed = c.ask(1, Command::CancelWager { id: unknown, reason: Text::new("never"), share: None });
    assert!(
        matches!(closed, Answer::Wager { view: WagerView::NotPlaced { definitive: true }, .. }),
        "an undecided id is closed as before: {closed:?}"
    );
    let empty = c.ask(2, Command::CancelWager { id, reason: Text::new(""), share: None });
    assert!(matches!(empty, Answer::Refused(Refusal::Malformed { .. })), "{empty:?}");
    assert_eq!(stands(&mut c, id), (WagerState::Open, 0));
}

/// What region 2 says of its wager that cannot be true stops its stream at region 1, and changes nothing there.
#[test]
fn words_that_cannot_be_true_are_refused() {
    let amount = |minor| Amount::from_minor(minor).unwrap();
    let cashed = |id: MintedId, of: MintedId, stake: u64, burned: u64| {
        let act = Some(PostingAct::CashOut(CashedWager { wager: of, stake: amount(stake) }));
        let site = crdt::Site::new(2, 1);
        let account = acc(P);
        let posting = Posting { id, account, amount: amount(400), body: Hash16([1; 16]), at: crdt::Hlc(1), site, act };
        let settled = Settled { id: of, version: 1, state: WagerState::Open, paid: 400, past_posted: None };
        CashedOut { posting, settled, burned: amount(burned) }
    };
    type Forge = fn(&mut CashedOut);
    let forgeries: [(&str, Forge); 8] = [
        ("more than the stake", |c| c.burned = Amount::from_minor(1_001).unwrap()),
        ("another account", |c| c.posting.account = acc("q@eu-west")),
        ("another site's id", |c| c.posting.site = crdt::Site::new(1, 1)),
        ("a gap in its steps", |c| c.settled.version = 2),
        ("another state", |c| c.settled.state = WagerState::Won),
        ("a leg that it does not have", |c| c.settled.past_posted = Some(vec![1])),
        ("no cash-out", |c| c.posting.act = None),
        ("too much", |c| c.settled.paid = u64::MAX),
    ];
    for (what, forge) in forgeries {
        let (mut c, wager) = one_wager(2);
        let mut event = cashed(c.mint(2), wager, 400, 400);
        forge(&mut event);
        c.inject(2, 1, vec![Event::CashedOut(event)]);
        assert!(c.engine(1).ledger().head(crdt::Site::new(2, 1)).stopped.is_some(), "{what}");
        assert_eq!(c.known(1, wager).state, WagerState::Open);
    }
    let (mut c, wager) = one_wager(2);
    let good = cashed(c.mint(2), wager, 400, 400);
    let plain = good.posting.clone();
    let twice = vec![Event::CashedOut(good.clone()), Event::CashedOut(good)];
    let settled = Settled { id: wager, version: 1, state: WagerState::Open, paid: 0, past_posted: None };
    let cancelled = Cancelled { share: Share::HALF, reason: Text::new("") };
    let silent = vec![Event::Revoked(Revoked { settled, cancelled, burned: Amount::default() })];
    for (what, events) in [("twice", twice), ("alone", vec![Event::Posting(plain)]), ("without a reason", silent)] {
        let (mut c, other) = one_wager(2);
        assert_eq!(other, wager, "the same story");
        c.inject(2, 1, events);
        assert!(c.engine(1).ledger().head(crdt::Site::new(2, 1)).stopped.is_some(), "{what}");
    }
}
