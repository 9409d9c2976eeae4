//! Payment providers' references: taken in where the provider calls, decided once by the account's birth site, each by
//! an entry of its own log. What is taken in needs no question: its entry reaches the birth site in-stream.
//! Knows no waiting clients and no links; whether this site may decide now is `referencing`.

use std::collections::BTreeMap;

use crdt::{Hlc, Site};
use model::{
    Amount, MintedId, MoneyError, Posting, PostingAct, Received, Reference, ReferenceDecision, ReferenceOutcome,
    ReferenceRefusal,
};

use super::Ledger;
use super::handed::Standing;
use super::merge::Said;
use crate::log::{Entry, EntryError, Event, hash16};
use crate::planted::Planted;
use crate::port::{View, Write};
use crate::tx::Tx;

/// Everything taken in and undecided, by the region that decides it, reference and the site that took it in. Equal
/// where equal logs are known.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Taken {
    regions: BTreeMap<String, BTreeMap<Reference, BTreeMap<Site, Received>>>,
    counts: BTreeMap<Site, usize>,
}

impl Taken {
    /// Whether nothing is undecided.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.regions.is_empty()
    }

    /// Undecided references that a site has taken in.
    #[must_use]
    pub fn count(&self, site: Site) -> usize {
        self.counts.get(&site).copied().unwrap_or(0)
    }

    /// Whether a site has taken an undecided reference in.
    #[must_use]
    pub fn holds(&self, site: Site, reference: &Reference) -> bool {
        self.of(reference).any(|(by, _)| by == site)
    }

    /// Who has taken an undecided reference in, and in which words.
    pub fn of(&self, reference: &Reference) -> impl Iterator<Item = (Site, &Received)> {
        let found = self.regions.get(reference.region()).and_then(|r| r.get(reference));
        found.into_iter().flatten().map(|(site, received)| (*site, received))
    }

    /// An undecided reference that a region has to decide.
    #[must_use]
    pub fn first(&self, region: &str) -> Option<&Reference> {
        self.regions.get(region)?.keys().next()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (Site, &Received)> {
        self.regions.values().flat_map(BTreeMap::values).flatten().map(|(site, received)| (*site, received))
    }

    pub(super) fn insert(&mut self, site: Site, received: Received) {
        let region = self.regions.entry(received.reference.region().to_owned()).or_default();
        let by_site = region.entry(received.reference.clone()).or_default();
        if by_site.insert(site, received).is_none() {
            *self.counts.entry(site).or_default() += 1;
        }
    }

    /// Forgets a reference; says who had taken it in.
    fn forget(&mut self, reference: &Reference) -> Vec<Site> {
        let Some(region) = self.regions.get_mut(reference.region()) else { return Vec::new() };
        let sites: Vec<Site> = region.remove(reference).into_iter().flat_map(BTreeMap::into_keys).collect();
        if region.is_empty() {
            self.regions.remove(reference.region());
        }
        for site in &sites {
            match self.counts.get_mut(site) {
                Some(count) if *count > 1 => *count -= 1,
                _ => drop(self.counts.remove(site)),
            }
        }
        sites
    }
}

impl Ledger {
    /// Takes a reference in for its birth site. It is durable and on its way with the entry being built.
    pub(crate) fn take_in<V: View>(&mut self, tx: &mut Tx<'_, V>, received: Received) {
        self.note_taken(tx, self.site, &received);
        tx.events.push(Event::Received(received));
    }

    /// Whether a reference can be credited, as far as this site knows; it is the birth site of the account.
    pub(crate) fn judge_reference(&self, received: &Received) -> Result<Amount, ReferenceRefusal> {
        let account = &received.account;
        let head = self.account_head(account).ok_or(ReferenceRefusal::AccountUnknown)?;
        let amount = received.amount.in_currency(head.currency).map_err(|why| match why {
            MoneyError::OverPrecise => ReferenceRefusal::OverPrecise,
            _ => ReferenceRefusal::TooLarge,
        })?;
        if amount.minor() > self.credit_room(account) { Err(ReferenceRefusal::TooLarge) } else { Ok(amount) }
    }

    /// Decides an undecided reference, once and for good: credit and decision are one entry.
    pub(crate) fn decide_reference<V: View>(
        &mut self,
        tx: &mut Tx<'_, V>,
        at: Hlc,
        received: Received,
        from: Site,
        judged: Result<Amount, ReferenceRefusal>,
    ) -> ReferenceDecision {
        let outcome = match judged {
            Ok(amount) => {
                let id = self.posting_id(tx, &received.reference, at);
                let (account, body) = (received.account.clone(), received.body);
                let act = Some(PostingAct::Reference(received.reference.clone()));
                self.credit(tx, &Posting { id, account, amount, body, at, site: self.site, act });
                ReferenceOutcome::Posted(id)
            }
            Err(why) => ReferenceOutcome::Refused(why),
        };
        let decision = ReferenceDecision { received, from, site: self.site, at, outcome };
        self.note_decided(tx, &decision);
        tx.events.push(Event::Referenced(decision.clone()));
        decision
    }

    /// A minted id of this site for the posting of a reference: made of the reference, for the engine has no chance of
    /// its own. Its `place_by` is the decision's time, so it is never minted for anything else.
    fn posting_id<V: View>(&self, tx: &Tx<'_, V>, reference: &Reference, at: Hlc) -> MintedId {
        let mint = |n: u64| {
            let [a, b, c, d, e, f, g, h, ..] = hash16(format!("{reference} {n}").as_bytes()).0;
            let random = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
            MintedId::mint(at.ms(), self.site.region, self.site.incarnation, random)
        };
        let free = |id: &MintedId| {
            tx.posting(*id).is_none() && tx.wager(*id).is_none() && self.standing(*id) == Standing::Mine
        };
        (0..).map(mint).find(free).expect("of 2^52 ids one is free")
    }

    /// Takes a decision over. Whoever had taken the reference in, waits no longer.
    pub(super) fn note_decided<V: View>(&mut self, tx: &mut Tx<'_, V>, decision: &ReferenceDecision) {
        let reference = &decision.received.reference;
        for site in self.taken.forget(reference) {
            tx.put(Write::Received(reference.clone(), site, None));
        }
        tx.put(Write::Reference(decision.clone()));
    }

    /// Notes that a site has taken a reference in, unless its decision has come first: there is no order between logs.
    pub(super) fn note_taken<V: View>(&mut self, tx: &mut Tx<'_, V>, site: Site, received: &Received) {
        let reference = &received.reference;
        if tx.reference(reference).is_none() && !self.taken.holds(site, reference) {
            self.taken.insert(site, received.clone());
            tx.put(Write::Received(reference.clone(), site, Some(received.clone())));
        }
    }

    /// Only the birth site of the account decides, once, and credits what was sent.
    pub(super) fn check_referenced<'e, V: View>(
        &self,
        tx: &Tx<'_, V>,
        entry: &'e Entry,
        decision: &'e ReferenceDecision,
        region_name: Option<&str>,
        said: &mut Said<'e>,
    ) -> Result<(), EntryError> {
        let (received, reference) = (&decision.received, &decision.received.reference);
        let refused = |why: &str| Err(EntryError::Refused(format!("reference {reference} {why}")));
        check_received(received)?;
        if self.planted == Planted::RefDedupeLocal {
            return Ok(());
        }
        if decision.site != entry.site || Some(reference.region()) != region_name {
            return refused("is not decided by this site");
        }
        if tx.reference(reference).is_some() || !said.references.insert(reference) {
            return refused("was decided before");
        }
        let ReferenceOutcome::Posted(id) = decision.outcome else { return Ok(()) };
        let posting = entry.events.iter().find_map(|event| match event {
            Event::Posting(posting) if posting.id == id => Some(posting),
            _ => None,
        });
        let same =
            |p: &Posting| (&p.account, p.body, p.reference()) == (&received.account, received.body, Some(reference));
        let Some(posting) = posting.filter(|p| same(p)) else { return refused("is credited by no posting of its own") };
        // The opening may stand in another log, of an earlier incarnation, and come later.
        let head = self.account_head(&received.account).filter(|h| h.hearsay.is_none());
        if head.is_some_and(|h| received.amount.in_currency(h.currency) != Ok(posting.amount)) {
            return refused("is credited with another amount");
        }
        Ok(())
    }
}

/// What a site says it has taken in must be well formed; whether it can be credited is the birth site's to say.
pub(super) fn check_received(received: &Received) -> Result<(), EntryError> {
    let of_account = received.reference.region() == received.account.region();
    if of_account && received.amount.is_sound() {
        return Ok(());
    }
    Err(EntryError::Refused(format!("reference {} is not what a provider says", received.reference)))
}
