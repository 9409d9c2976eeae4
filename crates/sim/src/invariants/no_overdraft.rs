//! no_overdraft: no row goes below zero at its owner, no right is used before its grant has come in-stream, and no
//! more is taken from a grant than was given. True rows only: foreign copies may be behind.

use crdt::Row;

use crate::world::World;

/// The rows of one region's own site.
pub(crate) fn at(world: &World, region: u16) -> Result<(), String> {
    let node = world.node(region);
    let tables = node.disk.tables();
    for ((account, _), row) in tables.rows.iter().filter(|((_, site), _)| *site == node.site) {
        if row.free() < 0 || row.reserved() < 0 || row.held() < 0 || row.debt() < 0 {
            let (free, reserved, debt) = (row.free(), row.reserved(), row.debt());
            return Err(format!("{account} at {region}: free {free}, reserved {reserved}, debt {debt}"));
        }
        for (from, taken) in &row.recv {
            let sent = |r: &Row| r.sent.get(&node.site).copied().unwrap_or(0);
            let granted = tables.rows.get(&(account.clone(), *from)).map_or(0, sent);
            if *taken > granted {
                let text = format!("{account} at {region} took {taken} of {from}, whose log here grants {granted}");
                return Err(text);
            }
        }
    }
    Ok(())
}

/// All true rows together: in flight is never negative, nor is the sum of an account.
pub(crate) fn everywhere(world: &World) -> Result<(), String> {
    for account in &world.ghost.accounts {
        let rows = super::conservation::true_rows(world, account);
        let mut total: i128 = 0;
        for (site, row) in &rows {
            total += row.free();
            for (to, sent) in &row.sent {
                let taken = rows.get(to).and_then(|r| r.recv.get(site)).copied().unwrap_or(0);
                if taken > *sent {
                    return Err(format!("{account}: {to} took {taken} of {site}, which sent {sent}"));
                }
                total += i128::from(sent - taken);
            }
        }
        if total < 0 {
            return Err(format!("{account}: {total} in all"));
        }
    }
    Ok(())
}
