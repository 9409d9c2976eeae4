//! Two machines of one region: an old copy of a directory that comes back while its region is cut off or linked, and
//! twins, two processes on copies of one directory that are linked in turn. Knows when and how; what the second history
//! may do is `fork`, and that nobody else takes any of it is what the invariants say anyway.

use std::collections::BTreeMap;

use engine::door::Input;

use super::{Event, REGIONS, World};
use crate::disk::Tables;
use crate::fork::{Allowance, Fork};
use crate::invariants;
use crate::network::{SECOND, Way, region_of};
use crate::node::{Node, Stepped};
use crate::oracle::Call;
use crate::report::Breach;

/// Virtual time that twins have, ms.
const TWINS_MS: u64 = 15_000;
/// Mean time between two turns of twins, ms.
const TURN_MS: u64 = 250;

/// A second machine that says it is a region.
#[derive(Debug)]
pub(crate) struct Second {
    pub(crate) region: u16,
    pub(crate) node: Node,
    /// The first one is gone for good.
    pub(crate) instead: bool,
}

impl Second {
    /// Its number as a machine.
    pub(crate) const fn machine(&self) -> u16 {
        self.region + SECOND
    }
}

impl World {
    /// The region whose machine is gone for good, with an old copy in its place.
    pub(crate) fn gone(&self) -> Option<u16> {
        self.second.as_ref().filter(|s| s.instead).map(|s| s.region)
    }

    /// The site that two histories are told of.
    pub(crate) fn forked(&self) -> Option<crdt::Site> {
        self.forks.values().next().map(|f| f.site)
    }

    /// The machine that stands where one stood.
    pub(super) fn present(&self, machine: u16) -> u16 {
        if self.gone() == Some(machine) { machine + SECOND } else { machine }
    }

    /// Keeps a copy of the directory that comes back later.
    pub(super) fn keep(&mut self) {
        let region = self.faults.one(&REGIONS).0;
        let tables = self.node(region).disk.tables().clone();
        self.kept = Some((region, tables));
    }

    /// A machine dies for good, and an old copy of its directory starts in its place; both others know more than the
    /// copy does, so that whoever hears it first can tell.
    pub(super) fn bring_back(&mut self) {
        if self.healed_ms.is_some() {
            return;
        }
        let Some((region, tables)) = self.kept.take() else { return };
        let site = self.node(region).site;
        let index = |t: &Tables| t.heads.get(&site).map_or(0, |h| h.index);
        let copied = index(&tables);
        let mut others = self.nodes.values().filter(|n| n.region != region);
        if !others.all(|n| index(&n.disk.tables()) > copied) {
            self.kept = Some((region, tables));
            return self.after(60, Event::Return);
        }
        if self.running(region) {
            self.die(region, "for good");
        }
        self.trace.note(self.now_ms, &format!("{region}: an old copy comes back, at {copied}"));
        self.oracle.withdrawals.acker_lost = true;
        let limit = |window: u64| if window == 0 { u64::MAX } else { window };
        let o = &self.options;
        let (per_account, per_region) = (limit(o.exposure_per_account), limit(o.exposure_per_region));
        let cut_ms = o.old_copy.unwrap_or(0);
        let machine = self.second_machine(region, tables.clone(), true);
        self.forks.insert(machine, Fork::new(site, tables, Some(Allowance { per_account, per_region })));
        for (peer, _) in REGIONS.iter().filter(|(n, _)| *n != region && cut_ms > 0) {
            for way in [(region, *peer), (*peer, region)] {
                self.network.block(way, self.now_ms + cut_ms);
            }
        }
        self.start(machine);
    }

    fn second_machine(&mut self, region: u16, tables: Tables, instead: bool) -> u16 {
        let node = Node::new(&self.options, region, self.node(region).clock.clone());
        node.disk.replace(tables);
        let second = Second { region, node, instead };
        let machine = second.machine();
        self.second = Some(second);
        machine
    }

    /// A group of a machine with a history of its own.
    pub(super) fn step_forked(&mut self, machine: u16, stepped: Stepped) -> Result<(), Breach> {
        self.effects(machine, stepped.effects)?;
        let disk = self.node(machine).disk.clone();
        if let Some(fork) = self.forks.get_mut(&machine) {
            fork.after_group(&disk.tables(), &self.ghost).map_err(|detail| Breach::new("allowance", detail))?;
        }
        if stepped.died {
            self.die(machine, "in a commit");
            return Ok(());
        }
        self.plan_wake(machine);
        Ok(())
    }

    /// A client's call of such a machine.
    pub(super) fn call_forked(&mut self, machine: u16, call: &Call) {
        let Some(fork) = self.forks.get_mut(&machine) else { return };
        let id = fork.ask(call);
        self.trace.note(self.now_ms, &format!("{machine}: asked {id} {}", super::words::asked(&call.request)));
        let (request, token) = (call.request.clone(), call.token.clone());
        self.give(machine, Input::Request { id, request, token, wait_ms: call.wait_ms });
    }

    /// The machine that a client who calls a region reaches.
    pub(super) fn reached(&mut self, region: u16) -> u16 {
        match &self.second {
            Some(s) if s.region == region && (s.instead || self.faults.percent(50)) => s.machine(),
            _ => region,
        }
    }

    /// A connection of the same two regions was replaced: its ends are told, and those of its machines try again.
    pub(super) fn replaced(&mut self, connection: u64, (a, b): Way) {
        for way in [(a, b), (b, a)] {
            let late = self.faults.between(0, 300);
            self.after(late, Event::LinkDown(way, connection));
        }
    }

    /// Both histories are over: noticed by the machine itself, and by everybody else. Else what is missing.
    pub(crate) fn second_is_noticed(&self) -> Result<(), String> {
        for (machine, fork) in &self.forks {
            if fork.noticed_at.is_none() {
                return Err(format!("machine {machine} is not in quarantine"));
            }
            for node in self.nodes.values().filter(|n| n.region != fork.site.region) {
                let Some(process) = &node.process else { return Err(format!("region {} is down", node.region)) };
                let ledger = process.engine().ledger();
                if !ledger.lost.contains(&fork.site) && ledger.head(fork.site).stopped.is_none() {
                    return Err(format!("region {} still counts on {}", node.region, fork.site));
                }
            }
        }
        Ok(())
    }

    /// Runs twins, if this seed has them, when all is healed and equal: from one directory two processes go on, each is
    /// linked in turn, and clients reach either. Until they are noticed each may spend what it holds, so that all of an
    /// account's rights there may be spent twice, once by each; never more, and nothing of what was decided before.
    pub(super) fn twins(&mut self) -> Result<(), Breach> {
        if !self.options.twins || self.second.is_some() || self.restored.is_some() {
            return Ok(());
        }
        let region = self.faults.one(&REGIONS).0;
        let (site, tables) = (self.node(region).site, self.node(region).disk.tables().clone());
        let machine = self.second_machine(region, tables.clone(), false);
        self.trace.note(self.now_ms, &format!("{region}: a twin starts"));
        self.forks = BTreeMap::from([machine, region].map(|m| (m, Fork::new(site, tables.clone(), None))));
        self.start(machine);
        let until_ms = self.now_ms + TWINS_MS;
        self.twins_until_ms = Some(until_ms);
        self.after(1, Event::Act);
        self.after(TURN_MS, Event::Turn);
        while let Some(((at_ms, _), event)) = self.queue.pop_first() {
            if at_ms > until_ms {
                break;
            }
            self.now_ms = at_ms;
            self.happen(event)?;
        }
        self.second_is_noticed().map_err(|detail| Breach::new("quarantine", detail))?;
        invariants::contained::among_the_others(self, site).map_err(|detail| Breach::new("contained", detail))
    }

    /// One of the twins is linked with a region, in place of the other.
    pub(super) fn turn(&mut self) {
        let Some(region) = self.second.as_ref().map(|s| s.region) else { return };
        let machine = if self.faults.percent(50) { region } else { region + SECOND };
        let others: Vec<u16> = REGIONS.iter().map(|(n, _)| *n).filter(|n| *n != region).collect();
        let peer = self.faults.one(&others);
        self.connect((machine, peer));
        let again = self.faults.exponential(TURN_MS) + 1;
        self.after(again, Event::Turn);
    }

    /// While twins run clients call their region and nobody else; deposits go on everywhere.
    pub(super) fn is_for_twins(&self, call: &Call) -> bool {
        let Some(second) = &self.second else { return true };
        let deposit = matches!(
            call.request,
            engine::door::Request::Command(model::Command::Deposit { .. } | model::Command::Adjust { .. })
        );
        second.instead || region_of(call.region) == second.region || deposit
    }
}

impl World {
    /// What is said about a site with two histories, and of nobody else.
    pub(super) fn is_of_a_fork(&self, code: &str, detail: &str) -> bool {
        let Some(site) = self.forked() else { return false };
        let named = detail.contains(&format!("site {site}"));
        let twins = self.twins_until_ms.is_some();
        match code {
            "stream_stopped" | "log_differs" => named,
            "twins" => named && twins,
            "odds_refused" => twins && detail.contains(&format!("region {}", site.region)),
            _ => false,
        }
    }
}
