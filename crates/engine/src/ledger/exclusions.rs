//! Suspended accounts: a row per account and site that only its site writes and that only grows, so that any order of
//! logs comes to the same (DESIGN.md 3, player limits). Any region suspends at once; a suspension is lifted by a row
//! that names it, and that the account's home writes. One that nobody has named yet stands, whatever else was lifted.
//! Keeps wagers from being taken; leaves money, open wagers and settlement alone.

use std::collections::BTreeMap;

use crdt::{Hlc, Site, Vector};
use minicbor::{Decode, Encode};
use model::AccountId;
use model::limits::{EXCLUSIONS_MAX, TIME_MS_MAX};

use super::Ledger;
use crate::log::{Entry, EntryError, Event};
use crate::port::{View, Write};
use crate::tx::Tx;

/// One site's row of an account's suspensions.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Encode, Decode)]
pub struct Exclusion {
    /// Index of the site's log entry that suspended the account last; 0: it never did.
    #[n(0)]
    pub raised: u64,
    /// Per site the greatest such index that this site has lifted.
    #[n(1)]
    pub lifted: Vector,
    /// Hybrid time of the row's last change.
    #[n(2)]
    pub at: Hlc,
}

impl Exclusion {
    /// Takes over what another copy of the same row knows more. Returns whether anything changed.
    fn join(&mut self, other: &Self) -> bool {
        let before = self.clone();
        self.raised = self.raised.max(other.raised);
        self.lifted.join(&other.lifted);
        self.at = self.at.max(other.at);
        *self != before
    }
}

impl Ledger {
    /// Suspensions of an account that stand: who wrote each and when.
    pub fn excluded_by<'a>(&'a self, account: &AccountId) -> impl Iterator<Item = (Site, Hlc)> + 'a {
        let rows = self.exclusions.get(account);
        let all = move || rows.into_iter().flatten();
        let stands = move |site: &Site, raised: u64| all().all(|(_, row)| row.lifted.get(*site) < raised);
        all().filter(move |(site, row)| stands(site, row.raised)).map(|(site, row)| (*site, row.at))
    }

    /// Whether wagers of an account are refused.
    #[must_use]
    pub fn is_excluded(&self, account: &AccountId) -> bool {
        // Nearly nobody is.
        !self.exclusions.is_empty() && self.excluded_by(account).next().is_some()
    }

    /// Every row, for tests.
    #[must_use]
    pub const fn exclusion_rows(&self) -> &Exclusions {
        &self.exclusions
    }

    /// Whether this region may note one more account's suspension.
    pub(crate) fn exclusions_are_full(&self, account: &AccountId) -> bool {
        self.exclusions.len() >= EXCLUSIONS_MAX && !self.exclusions.contains_key(account)
    }

    /// Suspends an account in the entry being built: it beats every lifting that has not seen it.
    pub(crate) fn exclude<V: View>(&mut self, tx: &mut Tx<'_, V>, at: Hlc, account: &AccountId) {
        let row = Exclusion { raised: self.next_seq(), at, ..self.own_exclusion(account) };
        self.write_exclusion(tx, account, row);
    }

    /// Lifts every suspension of an account that is known here. The caller has made sure that this site is its home.
    pub(crate) fn readmit<V: View>(&mut self, tx: &mut Tx<'_, V>, at: Hlc, account: &AccountId) {
        let mut row = Exclusion { at, ..self.own_exclusion(account) };
        for (site, known) in self.exclusions.get(account).into_iter().flatten() {
            row.lifted.raise(*site, known.raised);
        }
        self.write_exclusion(tx, account, row);
    }

    fn own_exclusion(&self, account: &AccountId) -> Exclusion {
        self.exclusions.get(account).and_then(|rows| rows.get(&self.site)).cloned().unwrap_or_default()
    }

    fn write_exclusion<V: View>(&mut self, tx: &mut Tx<'_, V>, account: &AccountId, row: Exclusion) {
        tx.events.push(Event::Excluded(account.clone(), row.clone()));
        self.note_exclusion(tx, account, self.site, &row);
    }

    /// A row of a site as its log has it. Also of an account that is unknown here: its head is another site's entry.
    pub(super) fn note_exclusion<V: View>(
        &mut self,
        tx: &mut Tx<'_, V>,
        account: &AccountId,
        site: Site,
        row: &Exclusion,
    ) {
        let known = self.exclusions.entry(account.clone()).or_default().entry(site).or_default();
        if known.join(row) {
            tx.put(Write::Exclusion(account.clone(), site, known.clone()));
        }
    }

    /// Takes a stored row back.
    pub(super) fn restore_exclusion(&mut self, account: AccountId, site: Site, row: Exclusion) {
        self.exclusions.entry(account).or_default().insert(site, row);
    }

    /// A row of an entry grows from the one before it, and names no suspension that cannot have been seen. Whether its
    /// writer is the account's home is not asked: there is no order between the logs that moved the home and this one.
    pub(super) fn check_exclusion(
        &self,
        entry: &Entry,
        account: &AccountId,
        row: &Exclusion,
        said: Option<&Exclusion>,
    ) -> Result<(), EntryError> {
        let known = self.exclusions.get(account).and_then(|rows| rows.get(&entry.site));
        let before = said.or(known).cloned().unwrap_or_default();
        let grows = row.raised >= before.raised && row.lifted.covers(&before.lifted) && row.at >= before.at;
        let fresh = row.raised == before.raised || row.raised == entry.seq;
        if !grows || !fresh || row.lifted.get(entry.site) > entry.seq {
            return Err(EntryError::Refused(format!("the suspension of {account} does not follow its row")));
        }
        self.check_exclusion_alone(account, row).map_err(EntryError::Refused)
    }

    /// What can be told of a row by itself.
    pub(super) fn check_exclusion_alone(&self, account: &AccountId, row: &Exclusion) -> Result<(), String> {
        if row.at.ms() > TIME_MS_MAX {
            return Err(format!("the suspension of {account} is stamped beyond all time"));
        }
        let own = self.own_exclusion(account).raised;
        if row.lifted.get(self.site) > own && !self.read_only {
            return Err(format!("a suspension of {account} is lifted that this site never wrote"));
        }
        Ok(())
    }

    /// Suspended accounts after one, in order.
    pub fn excluded_accounts<'a>(&'a self, after: Option<&'a AccountId>) -> impl Iterator<Item = &'a AccountId> + 'a {
        use std::ops::Bound::{Excluded, Unbounded};
        let rows = self.exclusions.range::<AccountId, _>((after.map_or(Unbounded, Excluded), Unbounded));
        rows.map(|(account, _)| account).filter(|account| self.is_excluded(account))
    }
}

/// Suspensions by account and the site that wrote them.
pub type Exclusions = BTreeMap<AccountId, BTreeMap<Site, Exclusion>>;
