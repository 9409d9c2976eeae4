//! The properties, named as in ESCROW.md section 5, read off the true state: every row at its owner.
//! They know the world, not how it came about.

use std::collections::BTreeMap;

use crdt::Row;
use stateright::Property;

use super::region::{Region, account};
use super::{Bounds, Told, World, scenes};
use crate::log::{hash16, sum16};
use crate::port::LogHead;

/// All that must always hold, and the reachability that a configuration must show.
pub(super) fn properties(sometimes: &[&str]) -> Vec<Property<Bounds>> {
    let mut all = vec![
        Property::always("P1 non-negativity", |_, w: &World| {
            w.regions
                .iter()
                .map(|r| r.row())
                .all(|r| r.free() >= 0 && r.reserved() >= 0 && r.held() >= 0 && r.debt() >= 0)
        }),
        Property::always("P2 conservation", conserved),
        Property::always("P3 rights conservation", |_, w: &World| {
            pairs(w).all(|(giver, taker)| sent(&giver.row(), taker) >= received(&taker.row(), giver))
        }),
        Property::always("P8 single acceptance", |_, w: &World| {
            let mut owners: BTreeMap<_, usize> = BTreeMap::new();
            let own = w.regions.iter().flat_map(|r| r.disk.wagers.values().filter(|x| x.owner == r.site()));
            own.for_each(|x| *owners.entry(x.id).or_default() += 1);
            owners.values().all(|n| *n == 1)
        }),
        Property::always("P9 sticky", |_, w: &World| unbroken(w, "P9 sticky")),
        Property::always("P10 grants in-stream", |_, w: &World| {
            pairs(w).all(|(giver, taker)| received(&taker.row(), giver) <= sent(&taker.row_of(giver.site()), taker))
        }),
        Property::always("P5 window", |bounds: &Bounds, w: &World| {
            bounds.window.is_none_or(|window| w.regions.iter().all(|r| r.keeps_window(window)))
        }),
        Property::always("P10 fence in-stream", |_, w: &World| w.regions.iter().all(|r| r.decides_only_its_own())),
        Property::always("P12 held before released", |_, w: &World| {
            w.regions.iter().all(|r| r.resolved().all(|entry| w.known_elsewhere(r, entry)))
        }),
        Property::always("P13 single home", single_home),
        Property::always("P11 settlement", |_, w: &World| {
            unbroken(w, "P11 settlement") && w.regions.iter().all(|r| posted(r))
        }),
        Property::always("P15 single writer", |_, w: &World| {
            pairs(w).all(|(writer, reader)| one_log(writer, &reader.ledger.head(writer.site())))
        }),
        Property::always("P16 all or none", |_, w: &World| unbroken(w, "P16 all or none")),
        Property::always("P17 monotone rows", |_, w: &World| unbroken(w, "P17 monotone rows")),
        Property::always("P18 equal logs, equal rows", |_, w: &World| {
            let known = |r: &Region| r.ledger.logs.iter().map(|(s, h)| (*s, h.index)).collect::<Vec<_>>();
            pairs(w).all(|(a, b)| known(a) != known(b) || a.ledger.digest() == b.ledger.digest())
        }),
        Property::always("honest logs are never refused", |_, w: &World| {
            pairs(w).all(|(writer, reader)| reader.ledger.head(writer.site()).stopped.is_none())
        }),
        Property::always("the floor is durable elsewhere", |_, w: &World| {
            w.regions.iter().all(|writer| {
                let others = w.regions.iter().filter(|r| r.site() != writer.site());
                others.map(|r| r.ledger.head(writer.site()).index).max().unwrap_or(0) >= writer.ledger.ack_floor
            })
        }),
        Property::always("confirmed bets are durable elsewhere", |bounds: &Bounds, w: &World| {
            prepared(bounds, w).filter(|(told, ..)| *told == Some(Told::Accepted)).all(|(_, owner, entry)| {
                let others = w.regions.iter().filter(|r| r.site() != owner.site());
                others.map(|r| r.ledger.head(owner.site()).index).max().unwrap_or(0) >= entry
            })
        }),
        Property::always("nobody confirms more than the owner", |_, w: &World| {
            pairs(w).all(|(owner, reader)| {
                reader.ledger.confirmed.get(owner.site()) <= owner.ledger.confirmed.get(owner.site())
            })
        }),
        Property::always("one grant a request", |_, w: &World| unbroken(w, "one grant a request")),
        Property::always("no panic", |_, w: &World| unbroken(w, "no panic")),
    ];
    all.extend(scenes::reachable().into_iter().filter(|p| sometimes.contains(&p.name)));
    all
}

fn unbroken(world: &World, law: &str) -> bool {
    world.breach != Some(law) && world.regions.iter().all(|r| r.breach != Some(law))
}

pub(super) fn pairs(world: &World) -> impl Iterator<Item = (&Region, &Region)> {
    let all = world.regions.iter();
    all.flat_map(|a| world.regions.iter().filter(move |b| b.site() != a.site()).map(move |b| (&**a, &**b)))
}

/// Prepared wagers on their owners' disks: what clients have been told for good, the owner, and the entry.
pub(super) fn prepared<'w>(
    bounds: &'w Bounds,
    world: &'w World,
) -> impl Iterator<Item = (Option<Told>, &'w Region, u64)> {
    let told = bounds.wagers.iter().zip(&world.told).enumerate();
    told.filter_map(|(n, ((origin, _), told))| {
        let owner = world.regions.get(*origin)?;
        let record = owner.disk.wagers.get(&bounds.wager_id(n)).filter(|r| r.is_prepared())?;
        Some((*told, &**owner, record.entry))
    })
}

pub(super) fn sent(row: &Row, to: &Region) -> u64 {
    row.sent.get(&to.site()).copied().unwrap_or(0)
}

pub(super) fn received(row: &Row, from: &Region) -> u64 {
    row.recv.get(&from.site()).copied().unwrap_or(0)
}

/// Everything there is (free, reserved, in flight) is what clients brought in and what their wagers came to; a
/// shortfall of a clawback is debt. Counted from deposits and wager records, not from the rows' own sums.
fn conserved(bounds: &Bounds, world: &World) -> bool {
    let rows = || world.regions.iter().map(|r| r.row());
    let held: i128 = rows().map(|r| r.free() + r.reserved() + r.held()).sum();
    let moving: i128 =
        pairs(world).map(|(a, b)| i128::from(sent(&a.row(), b)) - i128::from(received(&b.row(), a))).sum();
    let brought = bounds.deposits.iter().enumerate().filter(|(n, _)| world.deposited.contains(n));
    let brought: i128 = brought.map(|(_, (_, minor))| i128::from(*minor)).sum();
    let own = world.regions.iter().flat_map(|r| r.disk.wagers.values().filter(|x| x.owner == r.site()));
    let settled = own.filter(|x| x.is_accepted() && x.settled_version > 0);
    let won: i128 = settled.map(|x| i128::from(x.paid.minor()) - i128::from(x.stake.minor())).sum();
    let debt: i128 = rows().map(|r| r.debt()).sum();
    let gone: i128 = world.regions.iter().map(|r| i128::from(r.confirmed())).sum();
    held + moving == brought - gone + won + debt
}

/// At most one site takes itself for the home, and no two moves of one number lead to different sites.
fn single_home(_: &Bounds, world: &World) -> bool {
    let heads = || world.regions.iter().filter_map(|r| Some((r.site(), r.ledger.account_head(&account())?)));
    let at_home = heads().filter(|(site, head)| head.home == *site).count();
    let mut by_epoch = BTreeMap::new();
    at_home <= 1 && heads().all(|(_, head)| *by_epoch.entry(head.epoch()).or_insert(head.home) == head.home)
}

/// A site's row says of wagers exactly what its own records say.
fn posted(region: &Region) -> bool {
    let row = region.row();
    let own = || region.disk.wagers.values().filter(|x| x.owner == region.site() && x.is_accepted());
    let stakes: u64 = own().map(|x| x.stake.minor()).sum();
    let burnt: u64 = own().filter(|x| x.settled_version > 0).map(|x| x.stake.minor()).sum();
    let paid: i128 = own().map(|x| i128::from(x.paid.minor())).sum();
    let contributed = i128::from(row.pay) - i128::from(row.clw) - i128::from(row.dbt);
    row.stk == stakes && row.bur == burnt && contributed == paid
}

/// What a reader holds of a log is a prefix of what its writer wrote.
fn one_log(writer: &Region, held: &LogHead) -> bool {
    let mut head = LogHead::default();
    for bytes in writer.disk.log.iter().take(usize::try_from(held.index).unwrap_or(usize::MAX)) {
        let hash = hash16(bytes);
        head = LogHead { index: head.index + 1, hash, digest: sum16(head.digest, hash), stopped: None, cut: None };
    }
    (head.index, head.hash, head.digest) == (held.index, held.hash, held.digest)
}
