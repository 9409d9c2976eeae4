//! quarantine: a machine that came back on an old disk is noticed by the others while it is linked; from then on it
//! writes nothing of its own, neither to its log nor to the odds.

use crdt::Site;

use crate::disk::Tables;
use crate::world::World;

/// How far a site has written: its log and its odds numbers.
pub(crate) fn written(tables: &Tables, site: Site) -> (u64, u64) {
    let log = tables.heads.get(&site).map_or(0, |h| h.index);
    (log, tables.meta.as_ref().map_or(0, |m| m.odds.get(site)))
}

/// After a group of the machine: what it had written when it was noticed is all it has written.
pub(crate) fn after_group(noticed_at: &mut Option<(u64, u64)>, tables: &Tables, site: Site) -> Result<(), String> {
    if tables.meta.as_ref().is_none_or(|m| m.quarantine.is_none()) {
        return Ok(());
    }
    let now = written(tables, site);
    let then = *noticed_at.get_or_insert(now);
    if now == then { Ok(()) } else { Err(format!("{site} is in quarantine and wrote: {then:?} became {now:?}")) }
}

/// It was noticed.
pub(crate) fn at_the_end(world: &World, region: u16) -> Result<(), String> {
    let node = world.node(region);
    if node.disk.tables().meta.as_ref().is_some_and(|m| m.quarantine.is_some()) {
        return Ok(());
    }
    Err(format!("region {region} goes on with an old disk, at {:?}", written(&node.disk.tables(), node.site)))
}
