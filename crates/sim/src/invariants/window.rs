//! window: after every debit of a site, its stakes beyond the ack floor stay within the exposure windows, of the account
//! (S2) and of the region (S4), and nothing is spent or granted of credits beyond the floor (S3): ESCROW.md 2.4,
//! `D(L) - D(a) <= E` and `D(L) <= C(a) + G`. Read from the true rows; the floor is the one stored with the batch.
//! Prepared stakes are exempt from S2 and S4 (nobody hears of them before others know) and not from S3.

use std::collections::BTreeMap;

use crdt::{Row, Site};

use crate::world::World;

/// What one region's own site has committed since the last look.
pub(crate) fn at(world: &World, region: u16) -> Result<(), String> {
    let node = world.node(region);
    let floor = world.ghost.floor(node.site);
    let looked = world.ghost.looked(node.site);
    let limit = |window: u64| if window == 0 { u64::MAX } else { window };
    for ((_, account), rows) in world.ghost.rows.iter().filter(|((site, _), _)| *site == node.site) {
        let base = newest(rows, floor).cloned().unwrap_or_default();
        for (index, row) in rows.range(looked + 1..) {
            let before = newest(rows, index - 1).cloned().unwrap_or_default();
            let prepared = |after: u64| world.ghost.prepared_since(node.site, account, after, *index);
            let staked = row.stk > before.stk;
            let local = row.stk.saturating_sub(before.stk) > prepared(index - 1);
            let exposed = row.stk.saturating_sub(base.stk).saturating_sub(prepared(floor));
            if local && exposed > limit(world.options.exposure_per_account) {
                return Err(format!("{account} at {region}: stakes of {exposed} at {index} beyond the floor {floor}"));
            }
            let (spent, covered) = (debits(row), credits(&base) + total(&row.recv));
            let granted = row.sent != before.sent;
            if (staked || granted) && spent > covered {
                return Err(format!("{account} at {region}: {spent} spent at {index}, {covered} known at {floor}"));
            }
        }
    }
    regional(world, node.site, floor, looked + 1, limit(world.options.exposure_per_region))
}

/// What a process takes for unacknowledged is what the true log has beyond its floor. After a restart a credit may
/// count for more than it was, never for less.
pub(crate) fn memory(world: &World) -> Result<(), String> {
    for node in world.nodes.values() {
        let Some(engine) = node.process.as_ref().map(|p| p.engine()).filter(|e| e.stats().inputs > 0) else { continue };
        let ledger = engine.ledger();
        for ((_, account), rows) in world.ghost.rows.iter().filter(|((site, _), _)| *site == node.site) {
            let Some(unacked) = ledger.accounts.get(account).map(|a| a.unacked) else { continue };
            if ledger.head(node.site).cut_index() > ledger.ack_floor {
                // The acker that held what was cut is lost: it cannot be counted here, so nothing may be spent.
                if ledger.spendable(account) > 0 {
                    return Err(format!("{account} at {}: spends while its log is cut above the floor", node.region));
                }
                continue;
            }
            let base = newest(rows, ledger.ack_floor).cloned().unwrap_or_default();
            let last = newest(rows, u64::MAX).cloned().unwrap_or_default();
            let credit = credits(&last) - credits(&base);
            let prepared = world.ghost.prepared_since(node.site, account, ledger.ack_floor, u64::MAX);
            if unacked.debit != last.stk - base.stk - prepared || i128::from(unacked.credit) < credit {
                let (floor, debit) = (ledger.ack_floor, last.stk - base.stk);
                let log = format!("stakes of {debit}, {prepared} of them prepared, and credits of {credit}");
                return Err(format!("{account} at {}: {unacked:?} in memory; beyond {floor} {log}", node.region));
            }
        }
    }
    Ok(())
}

fn regional(world: &World, site: Site, floor: u64, from: u64, limit: u64) -> Result<(), String> {
    for (_, stakes) in world.ghost.stakes.iter().filter(|((of, _), _)| *of == site) {
        let base = stakes.range(..=floor).next_back().map_or(0, |(_, sum)| *sum);
        if let Some((index, exposed)) =
            stakes.range(from..).map(|(i, sum)| (i, sum.saturating_sub(base))).find(|(_, exposed)| *exposed > limit)
        {
            return Err(format!("site {site}: stakes of {exposed} in all at {index} beyond the floor {floor}"));
        }
    }
    Ok(())
}

fn newest(rows: &BTreeMap<u64, Row>, index: u64) -> Option<&Row> {
    rows.range(..=index).next_back().map(|(_, row)| row)
}

fn debits(row: &Row) -> i128 {
    [row.hld, row.stk, row.clw, row.dpd].iter().map(|n| i128::from(*n)).sum::<i128>() + total(&row.sent)
}

fn credits(row: &Row) -> i128 {
    [row.dep, row.rel, row.unh, row.pay].iter().map(|n| i128::from(*n)).sum()
}

fn total(map: &BTreeMap<Site, u64>) -> i128 {
    map.values().map(|n| i128::from(*n)).sum()
}
