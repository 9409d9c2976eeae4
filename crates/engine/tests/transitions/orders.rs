//! Whatever order results, corrections, rollbacks, cancel windows and partial cancels come in, how often and at which of
//! three engines: wagers end as the registers' final values and the last cancel say.

use model::{Command, MintedId, Share, Text, WagerState};
use proptest::prelude::*;

use crate::cluster::Cluster;
use crate::uof::{alive, at, funded, head, on_sale, placed, settlement, tell};

/// A word of the feed; its place in the list is its source time.
#[derive(Clone, Copy, Debug)]
enum Word {
    /// Outcomes 1 and 2 ended so: 0 lost, 1 won, 2 void, 3 half won.
    Ended(u8, u8),
    RollbackOne,
    RollbackAll,
    /// A cancel window from a time on and before another, or its end.
    Cancel(bool, u8),
}

fn word() -> impl Strategy<Value = Word> {
    prop_oneof![
        4 => (0..4u8, 0..4u8).prop_map(|(a, b)| Word::Ended(a, b)),
        1 => Just(Word::RollbackOne),
        1 => Just(Word::RollbackAll),
        2 => (any::<bool>(), 0..3u8).prop_map(|(made, window)| Word::Cancel(made, window)),
    ]
}

fn xml(n: usize, word: Word) -> String {
    let s = 20 + u64::try_from(n).unwrap();
    let result = |how| match how {
        0 => "result='0'",
        1 => "result='1'",
        2 => "result='0' void_factor='1'",
        _ => "result='1' void_factor='0.5'",
    };
    match word {
        Word::Ended(a, b) => settlement(1, s, result(a), result(b)),
        Word::RollbackOne => format!(
            "<{}><market id='1'><outcome id='2'/></market></rollback_bet_settlement>",
            head("rollback_bet_settlement", 1, s)
        ),
        Word::RollbackAll => {
            format!("<{}><market id='1'/></rollback_bet_settlement>", head("rollback_bet_settlement", 1, s))
        }
        Word::Cancel(made, window) => {
            let kind = if made { "bet_cancel" } else { "rollback_bet_cancel" };
            let span = [
                format!("start_time='{}' end_time='{}'", at(1), at(4)),
                format!("start_time='{}' end_time='{}'", at(4), at(9)),
                format!("end_time='{}'", at(3)),
            ];
            format!("<{} {}><market id='1'/></{kind}>", head(kind, 1, s), span[usize::from(window)])
        }
    }
}

/// A market on sale in three regions, and three wagers placed at different times, owned by two of them.
fn begun() -> (Cluster, Vec<(u16, MintedId)>) {
    let mut c = on_sale(3);
    funded(&mut c);
    let mut wagers = Vec::new();
    for (s, owner, name) in [(2, 1, "1"), (5, 2, "2"), (7, 1, "2")] {
        tell(&mut c, 1, &alive(1, s));
        c.run_until_quiet();
        wagers.push((owner, placed(&mut c, owner, name)));
    }
    c.run_until_quiet();
    (c, wagers)
}

fn cancel(c: &mut Cluster, (owner, id): (u16, MintedId), quarters: u8) {
    let share = Share::new(u64::from(quarters), 4).unwrap();
    c.ask(owner, Command::CancelWager { id, reason: Text::new("a wrong price"), share: Some(share) });
}

/// How all stand in the end: states, payments, and the account's money.
fn end(c: &mut Cluster, wagers: &[(u16, MintedId)]) -> (Vec<(WagerState, u64)>, i128) {
    c.run_until_quiet();
    let stands = wagers.iter().map(|(_, id)| {
        let known = c.known(1, *id);
        assert_eq!((known.clone(), known.clone()), (c.known(2, *id), c.known(3, *id)), "one record everywhere");
        (known.state, known.paid.minor())
    });
    let stands = stands.collect();
    c.assert_conserved("p@eu-west");
    c.assert_equal();
    let view = c.account(1, "p@eu-west");
    (stands, view.balance - view.debt)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn the_end_depends_on_the_last_words_only(
        words in proptest::collection::vec(word(), 1..8),
        cancels in proptest::collection::vec((0..3usize, 0..5u8), 0..4),
        order in proptest::collection::vec((any::<u16>(), 1..4u16, any::<bool>()), 8..24),
    ) {
        let (mut plain, wagers) = begun();
        words.iter().enumerate().for_each(|(n, w)| tell(&mut plain, 1, &xml(n, *w)));
        let last = (0..3).filter_map(|w| cancels.iter().rev().find(|(of, _)| *of == w));
        last.for_each(|(of, quarters)| cancel(&mut plain, wagers[*of], *quarters));
        let (expected, money) = end(&mut plain, &wagers);

        let (mut mixed, same) = begun();
        prop_assert_eq!(&same, &wagers, "the same story up to here");
        let mut cancels = cancels.iter();
        let all = (0..words.len()).map(|n| (n, 1 + u16::try_from(n % 3).unwrap(), false));
        let drawn = order.iter().map(|(pick, region, wait)| (usize::from(*pick) % words.len(), *region, *wait));
        // Some twice and in any order, then each at least once, in falling order.
        for (n, region, wait) in drawn.chain(all.rev()) {
            tell(&mut mixed, region, &xml(n, words[n]));
            if wait {
                mixed.run_until_quiet();
                if let Some((of, quarters)) = cancels.next() {
                    cancel(&mut mixed, wagers[*of], *quarters);
                }
            }
        }
        cancels.for_each(|(of, quarters)| cancel(&mut mixed, wagers[*of], *quarters));
        let (ended, left) = end(&mut mixed, &wagers);
        prop_assert_eq!(ended, expected);
        prop_assert_eq!(left, money);
    }
}
