//! Holding the regions' books against the demo's own: every wager and every account, asked of every region.
//!
//! It must not know how the book came about.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context as _;
use serde_json::Value;
use tokio::task::JoinSet;

use super::book::{Account, Answer, Asked, Book, minor};
use super::odds::{Fate, Heard};
use crate::client::{Client, text};

/// Connections to each region.
const CONNECTIONS: usize = 4;
/// Faults kept in words; further ones are only counted.
const WRONG_MAX: usize = 5;

/// Faults of one kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    /// How many.
    pub(crate) count: u64,
    /// The first ones.
    pub(crate) first: Vec<String>,
}

impl Faults {
    /// Notes one.
    pub(crate) fn add(&mut self, what: String) {
        self.count += 1;
        if self.first.len() < WRONG_MAX {
            self.first.push(what);
        }
    }
}

/// What a wager came to, as all regions agree.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    status: String,
    state: String,
    stake: String,
    paid: String,
}

/// Money of one currency, minor units; each sum over all its accounts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    /// Acknowledged deposits, from the book.
    pub(crate) deposits: i128,
    /// Stakes of settled wagers, from the book.
    pub(crate) settled_stakes: i128,
    /// Paid out on them: by the results that the stream gave, and the payouts that acceptances promised.
    pub(crate) paid: i128,
    /// Free money, as the regions say (in transfer not counted).
    pub(crate) free: i128,
    /// Reserved, as the regions say.
    pub(crate) reserved: i128,
    /// In transfer, as the regions say.
    pub(crate) in_transfer: i128,
}

impl Sums {
    /// Money that is there beyond what there should be; 0 when the books agree.
    pub(crate) fn difference(&self) -> i128 {
        self.free + self.reserved + self.in_transfer - (self.deposits - self.settled_stakes + self.paid)
    }
}

/// The findings.
#[derive(Clone, Debug, Default)]
pub(crate) struct Findings {
    /// Wagers and accounts compared, times regions.
    pub(crate) compared: u64,
    /// Acknowledged answers that a region does not have, or not everywhere the same; undecided ones that are there.
    pub(crate) answers: Faults,
    /// Wagers not settled as the results say.
    pub(crate) settlement: Faults,
    /// Accounts that differ between regions or from the book.
    pub(crate) accounts: Faults,
    /// Accounts below zero.
    pub(crate) overdrawn: Faults,
    /// By currency code.
    pub(crate) sums: BTreeMap<String, (model::Currency, Sums)>,
    /// Accepted wagers that won, lost, were void, and are open.
    pub(crate) states: BTreeMap<String, u64>,
    /// Wagers whose answer was lost that turned out accepted.
    pub(crate) found: u64,
}

/// Compares everything.
///
/// # Errors
/// When a region does not answer.
pub(crate) async fn audit(book: &Book, heard: &Heard, urls: &[String]) -> anyhow::Result<Findings> {
    let mut findings = Findings::default();
    let wagers = ask_all(urls, book.wagers.iter().map(|asked| format!("/v1/wagers/{}", asked.id)).collect()).await?;
    // By account: stakes placed, stakes of settled wagers, paid.
    let mut flows: BTreeMap<usize, (i128, i128, i128)> = BTreeMap::new();
    for (asked, answers) in book.wagers.iter().zip(&wagers) {
        findings.compared += u64::try_from(answers.len()).unwrap_or(0);
        let Some(account) = book.accounts.get(asked.account) else { continue };
        let seen: Vec<Seen> = answers.iter().map(seen).collect();
        if let Some(flow) = findings.wager(asked, account, &seen, heard) {
            let total = flows.entry(asked.account).or_default();
            (total.0, total.1, total.2) = (total.0 + flow.0, total.1 + flow.1, total.2 + flow.2);
        }
    }
    let accounts = ask_all(urls, book.accounts.iter().map(|a| format!("/v1/accounts/{}", a.name)).collect()).await?;
    for (place, (account, answers)) in book.accounts.iter().zip(&accounts).enumerate() {
        findings.compared += u64::try_from(answers.len()).unwrap_or(0);
        findings.account(account, flows.get(&place).copied().unwrap_or_default(), answers);
    }
    Ok(findings)
}

fn seen(answer: &Value) -> Seen {
    let text = |path| text(answer, path).to_owned();
    Seen { status: text("/status"), state: text("/state"), stake: text("/total_stake"), paid: text("/paid") }
}

impl Findings {
    /// Checks a wager; of an accepted one returns its stake, its stake if it is settled, and what it paid.
    fn wager(&mut self, asked: &Asked, account: &Account, seen: &[Seen], heard: &Heard) -> Option<(i128, i128, i128)> {
        let id = &asked.id;
        let owner = seen.get(asked.region)?;
        let accepted_somewhere = seen.iter().any(|s| s.status == "accepted");
        match &asked.answer {
            Answer::Accepted(_) => {}
            Answer::Unknown if accepted_somewhere => self.found += 1,
            Answer::Rejected(code) => {
                // `id_expired` is final without a record.
                if accepted_somewhere || (owner.status != "rejected" && code != "id_expired") {
                    self.answers.add(format!("{id} was rejected, now {seen:?}"));
                }
                return None;
            }
            Answer::Undecided(_) | Answer::Unknown => {
                if accepted_somewhere {
                    self.answers.add(format!("{id} was undecided, now {seen:?}"));
                }
                return None;
            }
        }
        let stake = account.currency.format(asked.stake);
        if seen.iter().any(|s| s != owner) || owner.status != "accepted" || owner.stake != stake {
            self.answers.add(format!("{id} was accepted with {stake}, now {seen:?}"));
        }
        *self.states.entry(owner.state.clone()).or_default() += 1;
        let paid = minor(&owner.paid, account.currency).unwrap_or(i128::MIN / 2);
        let fate = heard.fate(&asked.market, &asked.outcome);
        let wins = |paid: i128| match &asked.answer {
            Answer::Accepted(payout) => paid == *payout,
            _ => paid >= asked.stake,
        };
        let right = match (owner.state.as_str(), fate) {
            ("open", None) | ("lost", Some(Fate::Lost)) => paid == 0,
            ("won", Some(Fate::Won)) => wins(paid),
            ("void", Some(Fate::Withdrawn)) => paid == asked.stake,
            _ => false,
        };
        if !right {
            let expected = &asked.answer;
            self.settlement.add(format!("{id} ({expected:?}, {fate:?}) is {} and paid {}", owner.state, owner.paid));
        }
        let settled = if owner.state == "open" { 0 } else { asked.stake };
        // The book's own figure: by result and promise, not what the region paid.
        let due = match (owner.state.as_str(), &asked.answer) {
            ("won", Answer::Accepted(payout)) => *payout,
            ("void", _) => asked.stake,
            ("lost" | "open", _) => 0,
            _ => paid,
        };
        Some((asked.stake, settled, due))
    }

    fn account(&mut self, account: &Account, (staked, settled, paid): (i128, i128, i128), answers: &[Value]) {
        let money = |answer: &Value, path| minor(text(answer, path), account.currency).unwrap_or(i128::MIN / 2);
        let due = (account.deposited - staked + paid, staked - settled);
        for answer in answers {
            let balance = money(answer, "/balance");
            let reserved = money(answer, "/reserved");
            if (balance, reserved) != due || money(answer, "/debt") != 0 {
                let expected = (account.currency.format(due.0), account.currency.format(due.1));
                self.accounts.add(format!("{} should have (free, reserved) {expected:?}: {answer}", account.name));
            }
            if balance < 0 || reserved < 0 {
                self.overdrawn.add(format!("{}: {answer}", account.name));
            }
        }
        let Some(answer) = answers.get(account.home) else { return };
        let in_transfer = money(answer, "/in_transfer");
        let code = account.currency.code().to_owned();
        let (_, sums) = self.sums.entry(code).or_insert_with(|| (account.currency, Sums::default()));
        sums.deposits += account.deposited;
        sums.settled_stakes += settled;
        sums.paid += paid;
        sums.free += money(answer, "/balance") - in_transfer;
        sums.reserved += money(answer, "/reserved");
        sums.in_transfer += in_transfer;
    }
}

/// Asks every region for every path; answers by path, then by region.
async fn ask_all(urls: &[String], paths: Vec<String>) -> anyhow::Result<Vec<Vec<Value>>> {
    let paths = Arc::new(paths);
    let mut asking = JoinSet::new();
    for (region, url) in urls.iter().enumerate() {
        for part in 0..CONNECTIONS {
            let (mut client, paths) = (Client::new(url)?, Arc::clone(&paths));
            asking.spawn(async move {
                let mut answers = Vec::new();
                for (place, path) in paths.iter().enumerate().skip(part).step_by(CONNECTIONS) {
                    let answer = client.get(path).await?.ok().with_context(|| path.clone())?;
                    answers.push((place, region, answer));
                }
                anyhow::Ok(answers)
            });
        }
    }
    let mut all = vec![vec![Value::Null; urls.len()]; paths.len()];
    while let Some(part) = asking.join_next().await {
        for (place, region, answer) in part.context("an audit broke off")?? {
            if let Some(slot) = all.get_mut(place).and_then(|of| of.get_mut(region)) {
                *slot = answer;
            }
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use model::Currency;
    use serde_json::json;

    use super::*;

    fn account() -> Account {
        Account { name: "a@x".to_owned(), home: 0, currency: Currency::new("EUR").unwrap(), deposited: 10_000 }
    }

    fn asked(answer: Answer) -> Asked {
        let (market, outcome) = ("betfair:1.1".to_owned(), "1".to_owned());
        Asked { id: "i".to_owned(), region: 0, account: 0, stake: 100, market, outcome, at_ms: 0, answer }
    }

    fn view(status: &str, state: &str, paid: &str) -> Seen {
        seen(&json!({"status": status, "state": state, "total_stake": "1.00", "paid": paid}))
    }

    #[test]
    fn every_kind_of_lie_is_a_finding() {
        let heard = Heard::default();
        let check = |answer: Answer, seen: &[Seen]| {
            let mut findings = Findings::default();
            findings.wager(&asked(answer), &account(), seen, &heard);
            (findings.answers.count, findings.settlement.count)
        };
        let (open, gone) = (view("accepted", "open", "0.00"), view("unknown", "", ""));
        assert_eq!(check(Answer::Accepted(210), &[open.clone(), open.clone()]), (0, 0));
        // Acknowledged and lost, in one region or everywhere.
        assert_eq!(check(Answer::Accepted(210), &[open.clone(), gone.clone()]).0, 1);
        assert_eq!(check(Answer::Accepted(210), &[gone.clone(), gone.clone()]).0, 1);
        // Said to be undecided or rejected, and placed all the same.
        assert_eq!(check(Answer::Undecided("not_owner".to_owned()), &[gone.clone(), open.clone()]).0, 1);
        assert_eq!(check(Answer::Rejected("odds_stale".to_owned()), &[open.clone(), open.clone()]).0, 1);
        assert_eq!(check(Answer::Rejected("odds_stale".to_owned()), &[gone.clone(), gone]).0, 1);
        // Paid without a result.
        let paid = view("accepted", "won", "2.10");
        assert_eq!(check(Answer::Accepted(210), &[paid.clone(), paid]), (0, 1));
        assert_eq!(check(Answer::Unknown, &[open.clone(), open]), (0, 0));
    }

    #[test]
    fn an_account_has_what_the_book_says_to_the_cent() {
        let answer = |balance: &str, reserved: &str| json!({"balance": balance, "reserved": reserved, "debt": "0.00", "in_transfer": "0.00"});
        let check = |answers: &[Value]| {
            let mut findings = Findings::default();
            // Staked 3.00, of which 2.00 settled, which paid 4.20.
            findings.account(&account(), (300, 200, 420), answers);
            let (_, sums) = findings.sums.remove("EUR").unwrap();
            (findings.accounts.count, findings.overdrawn.count, sums.difference())
        };
        assert_eq!(check(&[answer("101.20", "1.00"), answer("101.20", "1.00")]), (0, 0, 0));
        assert_eq!(check(&[answer("101.21", "1.00"), answer("101.20", "1.00")]), (1, 0, 1));
        assert_eq!(check(&[answer("101.20", "1.00"), answer("-0.01", "1.00")]), (1, 1, 0));
    }
}
