//! Calls that clients make in the same moment as an act: the same wagers at all regions. Knows who is asked; what
//! comes of it is the oracle's and the invariants'.

use engine::door::Request;
use model::Command;

use super::World;

impl World {
    /// The rest of an act that goes to several regions.
    pub(super) fn act_at_once(&mut self) {
        let mut last = None;
        while let Some(call) = self.load.at_once() {
            if self.is_for_twins(&call) {
                self.call(&call);
                last = Some(call);
            }
        }
        if let Some(Request::Command(Command::Place(items))) = last.map(|call| call.request) {
            self.oracle.note_everywhere(items.iter().map(|item| item.id));
        }
    }
}
