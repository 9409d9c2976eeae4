//! The demo's own book-keeping: what was asked, what was answered. It trusts answers only, never a region's books.
//!
//! It must not know HTTP.

use std::collections::BTreeMap;

use model::Currency;

/// An account of the demo.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    /// `name@region`.
    pub(crate) name: String,
    /// Place of the region in its name.
    pub(crate) home: usize,
    /// Its currency.
    pub(crate) currency: Currency,
    /// Deposits that were acknowledged, each id once, minor units.
    pub(crate) deposited: i128,
}

/// What became of a wager, as its answers said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Accepted; pays this much if it wins, minor units.
    Accepted(i128),
    /// Rejected for good, by the code of the first problem.
    Rejected(String),
    /// Not decided and nothing recorded, by code.
    Undecided(String),
    /// No answer: it may or may not be there.
    Unknown,
}

/// A wager that was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Its id.
    pub(crate) id: String,
    /// Place of the region it was asked of.
    pub(crate) region: usize,
    /// Place in the list of accounts.
    pub(crate) account: usize,
    /// Minor units.
    pub(crate) stake: i128,
    /// Market key.
    pub(crate) market: String,
    /// Outcome key.
    pub(crate) outcome: String,
    /// Asked this many ms after the demo's start.
    pub(crate) at_ms: u64,
    /// The last answer.
    pub(crate) answer: Answer,
}

/// Counts of deliberate repeats, and what was wrong with their answers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Repeats {
    /// The same again at the same region: the same answer, marked as a repeat.
    pub(crate) same: u64,
    /// The same again at another region: the same answer, or that it cannot be known there.
    pub(crate) elsewhere: u64,
    /// How many of those heard the same answer.
    pub(crate) told: u64,
    /// Deposits sent twice.
    pub(crate) deposits: u64,
    /// What was not as promised.
    pub(crate) wrong: Vec<String>,
}

/// Everything that was asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Book {
    /// Accounts; wagers name them by place.
    pub(crate) accounts: Vec<Account>,
    /// Wagers in no order.
    pub(crate) wagers: Vec<Asked>,
    /// Repeats.
    pub(crate) repeats: Repeats,
}

/// How wagers of a region ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Accepted.
    pub(crate) accepted: u64,
    /// Of these, from accounts of other regions.
    pub(crate) borrowed: u64,
    /// Rejected, by code.
    pub(crate) rejected: BTreeMap<String, u64>,
    /// Undecided and unknown, by code.
    pub(crate) undecided: BTreeMap<String, u64>,
}

impl Book {
    /// Takes over what another part of the demo has written down.
    pub(crate) fn add(&mut self, wagers: Vec<Asked>, repeats: Repeats) {
        self.wagers.extend(wagers);
        self.repeats.same += repeats.same;
        self.repeats.elsewhere += repeats.elsewhere;
        self.repeats.told += repeats.told;
        self.repeats.deposits += repeats.deposits;
        self.repeats.wrong.extend(repeats.wrong);
    }

    /// How the wagers asked of `region` ended that `counts` wants.
    pub(crate) fn tally(&self, region: usize, counts: impl Fn(&Asked) -> bool) -> Tally {
        let mut tally = Tally::default();
        for asked in self.wagers.iter().filter(|asked| asked.region == region && counts(asked)) {
            match &asked.answer {
                Answer::Accepted(_) => {
                    tally.accepted += 1;
                    tally.borrowed += u64::from(!self.is_at_home(asked));
                }
                Answer::Rejected(code) => *tally.rejected.entry(code.clone()).or_default() += 1,
                Answer::Undecided(code) => *tally.undecided.entry(code.clone()).or_default() += 1,
                Answer::Unknown => *tally.undecided.entry("no_answer".to_owned()).or_default() += 1,
            }
        }
        tally
    }

    /// Whether a wager was asked of the region of its account.
    pub(crate) fn is_at_home(&self, asked: &Asked) -> bool {
        self.accounts.get(asked.account).is_some_and(|account| account.home == asked.region)
    }
}

/// Minor units of an amount as a region writes it; may be negative.
pub(crate) fn minor(text: &str, currency: Currency) -> Option<i128> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let places = usize::try_from(currency.exponent()).ok()?;
    let plain = !whole.is_empty() && whole.bytes().chain(part.bytes()).all(|b| b.is_ascii_digit());
    if !plain || part.len() > places {
        return None;
    }
    let joined = format!("{whole}{part:0<places$}");
    joined.parse::<i128>().ok().map(|minor| sign * minor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_as_they_are_written() {
        let (eur, jpy) = (Currency::new("EUR").unwrap(), Currency::new("JPY").unwrap());
        for n in [0, 1, 10, 99, 100, 12_345, -1, -250] {
            assert_eq!(minor(&eur.format(n), eur), Some(n));
            assert_eq!(minor(&jpy.format(n), jpy), Some(n));
        }
        for wrong in ["", "-", "1.234", ".5", "1,00", "+1", "1e3"] {
            assert_eq!(minor(wrong, eur), None, "{wrong}");
        }
    }

    #[test]
    fn answers_are_counted_by_region_and_code() {
        let account =
            |home| Account { name: String::new(), home, currency: Currency::new("EUR").unwrap(), deposited: 0 };
        let asked = |region, account, answer| Asked {
            id: String::new(),
            region,
            account,
            stake: 1,
            market: String::new(),
            outcome: String::new(),
            at_ms: 0,
            answer,
        };
        let mut book = Book { accounts: vec![account(0), account(1)], ..Book::default() };
        let wagers = vec![
            asked(0, 0, Answer::Accepted(2)),
            asked(0, 1, Answer::Accepted(2)),
            asked(0, 0, Answer::Rejected("odds_stale".to_owned())),
            asked(0, 0, Answer::Unknown),
            asked(1, 0, Answer::Accepted(2)),
        ];
        book.add(wagers, Repeats::default());
        let tally = book.tally(0, |_| true);
        assert_eq!((tally.accepted, tally.borrowed), (2, 1));
        assert_eq!((tally.rejected["odds_stale"], tally.undecided["no_answer"]), (1, 1));
    }
}
