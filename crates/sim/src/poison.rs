//! Bad entries: hand-made, rightly chained, and wrong in one way each. The invariant `contained` says what may come of
//! one. Knows entries and what a victim believes of their site.

use bytes::Bytes;
use crdt::{Hlc, Row, Site};
use engine::log::{Cause, Entry, Event, Settled};
use engine::port::{AccountHead, LogHead};
use engine::wire::{Entries, PeerMessage};
use model::{AccountId, Currency, MintedId, WagerState};

use crate::disk::Tables;
use crate::draw::Draw;

/// A frame that carries a bad entry of `site`, next in its chain as the victim knows it.
pub(crate) fn frame(draw: &mut Draw, site: Site, victim: &Tables, region_names: &[(u16, &'static str)]) -> Bytes {
    let head = victim.heads.get(&site).cloned().unwrap_or_default();
    let bytes = match draw.below(7) {
        0 => Bytes::from_static(b"\x01\x02\x03 not an entry"),
        1 => entry(Site::new(site.region, 99), &head, Vec::new()),
        kind => entry(site, &head, vec![event(kind, site, victim, region_names)]),
    };
    let first = head.index + 1;
    PeerMessage::Entries(Entries { site, first, items: vec![bytes.to_vec().into()] }).encode()
}

fn entry(site: Site, head: &LogHead, events: Vec<Event>) -> Bytes {
    let at = Hlc::new(crate::clock::EPOCH_MS, 0);
    Entry { site, seq: head.index + 1, prev: head.hash, at, by: Cause::Client, events }.encode()
}

fn event(kind: u64, site: Site, victim: &Tables, region_names: &[(u16, &'static str)]) -> Event {
    let known = victim.rows.iter().find(|((_, s), _)| *s == site).map(|((account, _), row)| (account.clone(), row));
    let account =
        known.as_ref().map_or_else(|| AccountId::new("nobody@eu-west").expect("a valid name"), |k| k.0.clone());
    let row = known.map(|(_, row)| row.clone()).unwrap_or_default();
    match kind {
        2 => Event::Row(account, Row { stk: row.stk + 1_000_000_000_000, ..row }),
        // A credit that no event of the entry stands for.
        3 => Event::Row(account, Row { dep: row.dep + 1_000, ..row }),
        4 => {
            let mut row = row;
            row.dep += 1;
            row.recv.values_mut().for_each(|n| *n += 1_000_000_000);
            row.recv.entry(Site::new(site.region + 1, 7)).or_default();
            row.stk += row.recv.values().sum::<u64>() + row.dep + row.rel + row.pay + 1;
            Event::Row(account, row)
        }
        5 => {
            let id = MintedId::mint(crate::clock::EPOCH_MS, site.region, 1, 0xbad);
            Event::Settled(Settled { id, version: 1, state: WagerState::Won, paid: 1_000, past_posted: None })
        }
        _ => {
            let other = region_names.iter().find(|(n, _)| *n != site.region).map_or("eu-west", |(_, name)| *name);
            let stolen = AccountId::new(&format!("stolen@{other}")).expect("a valid name");
            Event::Account(
                stolen,
                AccountHead {
                    currency: Currency::new("GBP").expect("a known code"),
                    home: site,
                    tenure: None,
                    hearsay: None,
                },
            )
        }
    }
}
