//! Homes from the outside in: who asks for a home, and when one is let go.
//! Knows links and waiting wagers; whether a move is sensible and what it carries is the ledger's.

use crdt::Site;
use model::AccountId;

use crate::door::{Effect, Lane};
use crate::engine::Engine;
use crate::log::Cause;
use crate::port::View;
use crate::tx::Tx;
use crate::wire::PeerMessage;

impl Engine {
    /// Asks the homes of players that bet here to let them move: once a group, and again with every later wager. A lost
    /// message costs a borrow, never more.
    pub(crate) fn call_home(&mut self, then: &mut Vec<Effect>) {
        for account in std::mem::take(&mut self.ledger.travellers) {
            let Some(head) = self.ledger.account_head(&account) else { continue };
            let (region, epoch) = (head.home.region, head.epoch());
            if head.home != self.site && self.is_reachable(region) {
                let frame = PeerMessage::ComeHome { account, epoch }.encode();
                then.push(Effect::Send { region, lane: Lane::Requests, frame });
                self.stats.homes_asked += 1;
            }
        }
    }

    /// A peer asks for the home of an account. Nothing is answered: a move shows in this site's log, and without one the
    /// peer goes on borrowing. While a wager waits here for rights of the account, its home stays; and none goes to a site
    /// that may not write any more.
    pub(crate) fn come_home<V: View>(&mut self, tx: &mut Tx<'_, V>, to: Site, account: &AccountId, epoch: u64) {
        if self.not_ready().is_some() || self.placing.waits_for(account) || self.ledger.lost.contains(&to) {
            return;
        }
        // A home that a snapshot brings has its money only once the snapshot is taken over whole.
        if self.meta.taking.is_some() {
            return;
        }
        tx.by = Cause::Peer;
        let at = self.time.stamp();
        tx.at = Some(at);
        if self.ledger.move_home(tx, at, account, to, epoch) {
            self.stats.homes_moved += 1;
        }
        self.seal(tx);
        tx.at = None;
    }
}
