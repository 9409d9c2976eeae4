//! Sessions as rows: opened by the region in their id, ended by any, both monotone, so that any order of logs comes to
//! the same. Knows no clients and no homes; forgets what has expired.

use crdt::Hlc;
use model::limits::{SESSION_KEPT_MS, SESSION_LIFE_MS_MAX};
use model::{MintedId, Session, SessionRecord};

use super::Ledger;
use crate::log::{Entry, EntryError, Event, SessionEnded};
use crate::port::{View, Write};
use crate::tx::Tx;

impl Ledger {
    /// Opens a session whose id is this site's and new.
    pub(crate) fn open_session<V: View>(&mut self, tx: &mut Tx<'_, V>, session: Session) {
        self.note_opened(tx, &session);
        tx.events.push(Event::Session(session));
    }

    /// Ends a session, for good.
    pub(crate) fn end_session<V: View>(&mut self, tx: &mut Tx<'_, V>, id: MintedId, at: Hlc) {
        let ended = SessionEnded { id, at };
        self.note_ended(tx, &ended);
        tx.events.push(Event::SessionEnded(ended));
    }

    pub(super) fn note_opened<V: View>(&mut self, tx: &mut Tx<'_, V>, session: &Session) {
        let record = self.sessions.entry(session.id).or_default();
        record.opened = Some(session.clone());
        tx.put(Write::Session(session.id, Some(record.clone())));
    }

    pub(super) fn note_ended<V: View>(&mut self, tx: &mut Tx<'_, V>, ended: &SessionEnded) {
        let record = self.sessions.entry(ended.id).or_default();
        record.ended = Some(record.ended.map_or(ended.at, |before| before.min(ended.at)));
        tx.put(Write::Session(ended.id, Some(record.clone())));
    }

    /// A session is opened once, by the region in its id, for no longer than a session may live.
    pub(super) fn check_session(&self, entry: &Entry, session: &Session) -> Result<(), EntryError> {
        let refused = |why: &str| Err(EntryError::Refused(format!("session {}: {why}", session.id)));
        if session.id.region() != entry.site.region {
            return refused("is another region's to open");
        }
        if !Session::is_channel(session.channel.as_str()) {
            return refused("has no channel");
        }
        let known = self.sessions.get(&session.id).and_then(|r: &SessionRecord| r.opened.as_ref());
        if known.is_some_and(|known| known != session) {
            return refused("was opened otherwise before");
        }
        check_life(entry, session.id)
    }

    /// Forgets sessions some time after they have expired: their ids are refused by then by their own time.
    pub(crate) fn expire_sessions<V: View>(&mut self, tx: &mut Tx<'_, V>, owner_ms: u64, count_max: usize) {
        let over = |id: &MintedId| id.place_by_ms().saturating_add(SESSION_KEPT_MS) < owner_ms;
        let ids: Vec<MintedId> = self.sessions.keys().copied().take_while(over).take(count_max).collect();
        for id in ids {
            self.sessions.remove(&id);
            tx.put(Write::Session(id, None));
        }
    }
}

/// What is remembered of a session is bounded by how long it may live.
pub(super) fn check_life(entry: &Entry, id: MintedId) -> Result<(), EntryError> {
    if id.place_by_ms() <= entry.at.ms().saturating_add(SESSION_LIFE_MS_MAX) {
        return Ok(());
    }
    Err(EntryError::Refused(format!("session {id} lives longer than any may")))
}
