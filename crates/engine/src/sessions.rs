//! Sessions from the outside in: opening one is a player's word that the account is wanted here, so its home is asked
//! to come at once (whether it does is the home's to say). Knows links and ids; what a session is, is the ledger's.

use model::limits::{SESSION_LIFE_MS_MAX, SESSIONS_MAX};
use model::{AccountId, Answer, MintedId, Refusal, Session, SessionView, Text};

use crate::admission::malformed;
use crate::engine::Engine;
use crate::port::View;
use crate::tx::Tx;

impl Engine {
    /// Opens a session under an id of this site. The same again is the same session.
    pub(crate) fn open_session<V: View>(
        &mut self,
        tx: &mut Tx<'_, V>,
        id: MintedId,
        account: AccountId,
        channel: Text,
    ) -> Result<Answer, Refusal> {
        self.check_origin(id)?;
        if !Session::is_channel(channel.as_str()) {
            return Err(malformed("channel", "must have 1 to 32 characters of a-z 0-9 _ -"));
        }
        let known = self.ledger.sessions.get(&id);
        if let Some(session) = known.and_then(|r| r.opened.clone()) {
            if session.account != account || session.channel != channel {
                return Err(Refusal::IdReused);
            }
            return self.session_answer(session);
        }
        if tx.wager(id).is_some() || tx.posting(id).is_some() || self.delaying.holds(id) || known.is_some() {
            return Err(Refusal::IdReused);
        }
        if self.ledger.account_head(&account).is_none() {
            return Err(Refusal::AccountUnknown);
        }
        self.check_time(id, SESSION_LIFE_MS_MAX)?;
        if self.ledger.sessions.len() >= SESSIONS_MAX {
            return Err(Refusal::Overloaded { what: Text::new("sessions") });
        }
        let session = Session { id, account, channel, at: self.time.stamp() };
        self.ledger.open_session(tx, session.clone());
        self.stats.sessions_opened += 1;
        // The home is asked at the end of this group, as it is for wagers; its residence rules stay in force.
        self.ledger.travellers.insert(session.account.clone());
        self.session_answer(session)
    }

    fn session_answer(&self, session: Session) -> Result<Answer, Refusal> {
        let head = self.ledger.account_head(&session.account).ok_or(Refusal::AccountUnknown)?;
        let (home, mint) = (head.home, self.clock_view().mint);
        let moving_here = home != self.site && self.is_linked(home.region);
        Ok(Answer::Session(SessionView { session, home, moving_here, mint }))
    }

    /// Ends a session for good, whichever region opened it. One that is unknown here may merely not have arrived.
    pub(crate) fn end_session<V: View>(&mut self, tx: &mut Tx<'_, V>, id: MintedId) -> Result<Answer, Refusal> {
        let known = self.ledger.sessions.get(&id);
        let session = known.and_then(|r| r.opened.clone()).ok_or(Refusal::SessionUnknown)?;
        let ended = known.and_then(|r| r.ended);
        let at = match ended {
            Some(at) => at,
            None => {
                let at = self.time.stamp();
                self.ledger.end_session(tx, id, at);
                self.stats.sessions_ended += 1;
                at
            }
        };
        Ok(Answer::SessionEnded { session, at, replayed: ended.is_some() })
    }
}
