//! conservation (ESCROW.md 2.2): each true row comes to exactly what its owner's log says of deposits, stakes, payouts
//! and grants; shares, reserved and in flight together come to what was booked.

use std::collections::BTreeMap;

use crdt::{Row, Site};
use model::AccountId;

use crate::world::World;

/// An account's rows, each from its owner's own disk.
pub(crate) fn true_rows(world: &World, account: &AccountId) -> BTreeMap<Site, Row> {
    let own = |node: &crate::node::Node| {
        let row = node.disk.tables().rows.get(&(account.clone(), node.site)).cloned();
        row.map(|row| (node.site, row))
    };
    world.nodes.values().filter_map(own).collect()
}

/// The rows of one region's own site against its log.
pub(crate) fn at(world: &World, region: u16) -> Result<(), String> {
    let node = world.node(region);
    let tables = node.disk.tables();
    for ((account, site), row) in tables.rows.iter().filter(|((_, site), _)| *site == node.site) {
        let sums = world.ghost.sums.get(&(account.clone(), *site)).cloned().unwrap_or_default();
        let paid = i128::from(row.pay) - i128::from(row.clw) - i128::from(row.dbt);
        let same = row.dep == sums.deposits
            && row.stk == sums.stakes
            && row.bur == sums.consumed
            && paid == i128::from(sums.paid) - i128::from(sums.taken)
            && row.sent == sums.sent
            && [row.hld, row.wdr, row.unh] == sums.withdrawals
            && row.rel == 0;
        if !same {
            return Err(format!("{account} at {site}: row {row:?}, its log says {sums:?}"));
        }
    }
    Ok(())
}

/// Every account over all sites.
pub(crate) fn everywhere(world: &World) -> Result<(), String> {
    for account in &world.ghost.accounts {
        let rows = true_rows(world, account);
        let sent: i128 = rows.values().flat_map(|r| r.sent.values()).map(|n| i128::from(*n)).sum();
        let taken: i128 = rows.values().flat_map(|r| r.recv.values()).map(|n| i128::from(*n)).sum();
        let held: i128 = rows.values().map(|r| r.free() + r.reserved() + r.held()).sum::<i128>() + sent - taken;
        let of = |f: fn(&crate::ghost::Sums) -> u64| -> i128 {
            let sums = world.ghost.sums.iter().filter(|((a, _), _)| a == account);
            sums.map(|(_, s)| i128::from(f(s))).sum()
        };
        let debt: i128 = rows.values().map(Row::debt).sum();
        // Given and taken by operators too. Payouts net of clawbacks, less what of them became debt and was not repaid yet.
        let booked =
            of(|s| s.deposits) - of(|s| s.consumed) + of(|s| s.paid) - of(|s| s.taken) - of(|s| s.withdrawals[1])
                + debt;
        if held != booked {
            return Err(format!("{account}: held {held}, booked {booked}, of which debt {debt}"));
        }
    }
    let acked: u128 = world.oracle.deposits.values().map(|p| u128::from(p.amount.minor())).sum();
    let posted: u128 = world.ghost.postings.values().map(|p| u128::from(p.amount.minor())).sum();
    if acked > posted { Err(format!("clients were shown deposits of {acked}, logs hold {posted}")) } else { Ok(()) }
}
