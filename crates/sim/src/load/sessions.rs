//! Players who log in where they have travelled to, and out somewhere else. Judges nothing.

use model::{Command, MintedId, Text};

use super::{Load, REMEMBERED, call};
use crate::clock::EPOCH_MS;
use crate::oracle::Call;

/// Long enough that none expires in a run.
const LIFE_MS: u64 = 24 * 3_600_000;

impl Load {
    /// A new session here, one asked for again, or an end of one at any region.
    pub(super) fn session(&mut self, now_ms: u64, region: u16) -> Call {
        if self.draw.percent(40)
            && let Some(id) = self.sessions.pop_front()
        {
            if self.draw.percent(50) {
                self.sessions.push_back(id);
            }
            return call(region, Command::EndSession { id });
        }
        let id = MintedId::mint(EPOCH_MS + now_ms + LIFE_MS, region, 1, self.draw.any());
        if self.sessions.len() == REMEMBERED {
            self.sessions.pop_front();
        }
        self.sessions.push_back(id);
        let channel = Text::new(self.draw.one(&["web", "app", "retail"]));
        call(region, Command::OpenSession { id, account: self.account(), channel })
    }
}
