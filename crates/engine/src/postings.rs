//! Postings from the outside in: whether an id may still be decided, and what an operator's adjustment must say.
//! The money itself is the ledger's.

use model::limits::{POSTING_HORIZON_MS, REASON_BYTES_MAX};
use model::{AccountId, Adjustment, AdjustmentKind, Amount, Answer, Hash16, MintedId, Posting, Refusal, Text};
use rust_decimal::Decimal;

use crate::admission::malformed;
use crate::engine::Engine;
use crate::ledger::{Adjusting, Standing};
use crate::log::hash16;
use crate::port::View;
use crate::requests::bad_amount;
use crate::tx::Tx;

/// What an operator says of an adjustment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Why {
    pub(crate) kind: AdjustmentKind,
    pub(crate) reason: Text,
}

impl Engine {
    /// The posting of an id of this site if it was decided before with this body; `None` if it may be decided now.
    pub(crate) fn decided<V: View>(
        &mut self,
        tx: &Tx<'_, V>,
        id: MintedId,
        body: Hash16,
    ) -> Result<Option<Posting>, Refusal> {
        if let Some(posting) = tx.posting(id) {
            return if posting.body == body { Ok(Some(posting)) } else { Err(Refusal::IdReused) };
        }
        if tx.wager(id).is_some() || self.delaying.holds(id) || self.ledger.standing(id) != Standing::Mine {
            return Err(Refusal::IdReused);
        }
        self.check_time(id, POSTING_HORIZON_MS)?;
        Ok(None)
    }

    /// An operator's adjustment, once per id.
    pub(crate) fn adjust<V: View>(
        &mut self,
        tx: &mut Tx<'_, V>,
        id: MintedId,
        account: &AccountId,
        amount: Decimal,
        why: Why,
    ) -> Result<Answer, Refusal> {
        self.check_origin(id)?;
        let Why { kind, reason } = why;
        if reason.as_str().is_empty() || reason.as_str().len() > REASON_BYTES_MAX {
            return Err(malformed("reason", "must have 1 to 500 bytes"));
        }
        let said = format!("adjust {account} {} {} {reason}", amount.normalize(), kind.as_str());
        let body = hash16(said.as_bytes());
        let currency = self.ledger.account_head(account).ok_or(Refusal::AccountUnknown)?.currency;
        if let Some(posting) = self.decided(tx, id, body)? {
            return Ok(Answer::Deposited { posting, currency, replayed: true });
        }
        let taken = amount.is_sign_negative();
        let amount = Amount::from_decimal(amount.abs(), currency).map_err(|e| bad_amount("amount", e))?;
        // Operators have no names of their own yet: the desk that acts is this region's.
        let actor = Text::new(self.desk_producer().as_str());
        let adjustment = Adjustment { kind, reason, actor, taken, debt: 0 };
        let at = self.time.stamp();
        let account = account.clone();
        let posting = self.ledger.adjust(tx, at, Adjusting { id, account, amount, body, adjustment })?;
        Ok(Answer::Deposited { posting, currency, replayed: false })
    }
}
