//! What a configuration must be able to reach, so that its laws are not trivially true (ESCROW.md section 5,
//! "sometimes"). Knows the world, not how it came about.

use crdt::Site;
use model::WagerRecord;
use stateright::Property;

use super::laws::{pairs, prepared, received, sent};
use super::region::{Region, account};
use super::{Bounds, Told, World};
use crate::port::View as _;

/// What shows that a configuration is not trivially true.
pub(super) fn reachable() -> Vec<Property<Bounds>> {
    vec![
        Property::sometimes("a bet accepted from borrowed rights", |_, w: &World| {
            w.regions.iter().skip(1).any(|r| r.row().stk > 0 && r.row().dep == 0)
        }),
        Property::sometimes("a grant in flight", |_, w: &World| {
            pairs(w).any(|(giver, taker)| sent(&giver.row(), taker) > received(&taker.row(), giver))
        }),
        Property::sometimes("all rights have moved", |_, w: &World| {
            let mut rows = w.regions.iter().map(|r| r.row());
            rows.next().is_some_and(|home| home.free() == 0 && home.dep > 0) && rows.any(|r| r.free() > 0)
        }),
        Property::sometimes("a clawback that makes debt", |_, w: &World| w.regions.iter().any(|r| r.row().debt() > 0)),
        Property::sometimes("debt repaid", |_, w: &World| w.regions.iter().any(|r| r.row().dpd > 0)),
        Property::sometimes("a settlement corrected", |_, w: &World| {
            w.regions.iter().any(|r| r.disk.wagers.values().any(|x| x.settled_version > 1))
        }),
        Property::sometimes("a prepared bet pending", |bounds: &Bounds, w: &World| {
            prepared(bounds, w).any(|(told, ..)| told.is_none())
        }),
        Property::sometimes("a prepared bet confirmed", |bounds: &Bounds, w: &World| {
            prepared(bounds, w).any(|(told, ..)| told == Some(Told::Accepted))
        }),
        Property::sometimes("a confirmation known elsewhere", |bounds: &Bounds, w: &World| {
            prepared(bounds, w).any(|(_, owner, entry)| {
                pairs(w).any(|(o, r)| o.site() == owner.site() && r.ledger.confirmed.get(owner.site()) >= entry)
            })
        }),
        Property::sometimes("a wager rejected for good", |_, w: &World| w.told.contains(&Some(Told::Rejected))),
        Property::sometimes("all regions level", |_, w: &World| {
            pairs(w).all(|(a, b)| b.ledger.head(a.site()).index + 1 == a.ledger.next_seq())
                && w.told.contains(&Some(Told::Accepted))
        }),
        Property::sometimes("a handed-over id accepted", |_, w: &World| {
            accepted(w).any(|(r, x)| x.id.region() != r.site().region)
        }),
        Property::sometimes("a fence before a delayed original", |bounds: &Bounds, w: &World| {
            // The origin has given the id away, and the original request may still come.
            (0..bounds.wagers.len()).any(|n| {
                let id = bounds.wager_id(n);
                w.told.get(n) == Some(&Some(Told::Accepted))
                    && w.regions.iter().any(|r| r.ledger.is_origin(id) && r.disk.wager(id).is_none())
            })
        }),
        Property::sometimes("an id closed before it was placed", |_, w: &World| w.told.contains(&Some(Told::Closed))),
        Property::sometimes("a home that has moved", |_, w: &World| {
            homes(w).any(|(site, home)| site == home && site.region != 1)
        }),
        Property::sometimes("a home on its way", |_, w: &World| homes(w).all(|(site, home)| site != home)),
        Property::sometimes("a home that has come back", |_, w: &World| {
            w.regions
                .iter()
                .any(|r| r.ledger.account_head(&account()).is_some_and(|h| h.epoch() > 1 && h.home == r.site()))
        }),
        Property::sometimes("a full window", |bounds: &Bounds, w: &World| {
            w.regions.iter().any(|r| Some(r.unacked_stakes()) == bounds.window)
        }),
        Property::sometimes("a withdrawal confirmed", |_, w: &World| w.regions.iter().any(|r| r.confirmed() > 0)),
        Property::sometimes("a withdrawal released", |_, w: &World| w.regions.iter().any(|r| r.row().unh > 0)),
    ]
}

fn accepted(world: &World) -> impl Iterator<Item = (&Region, &WagerRecord)> {
    let own = |r: &Region, x: &WagerRecord| x.owner == r.site() && x.is_accepted();
    let all = world.regions.iter().flat_map(|r| r.disk.wagers.values().map(move |x| (&**r, &**x)));
    all.filter(move |(r, x)| own(r, x))
}

/// Each site, and the home that it believes in.
fn homes(world: &World) -> impl Iterator<Item = (Site, Site)> {
    world.regions.iter().filter_map(|r| Some((r.site(), r.ledger.account_head(&account())?.home)))
}
