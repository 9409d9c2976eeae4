//! What payment providers do: the same webhook at several regions at once, again later at any of them, sometimes with
//! another amount, for an account that nobody opened, or for one whose opening is still on its way.
//! Knows what a provider knows; judges nothing.

use std::collections::VecDeque;

use model::{AccountId, Command, Reference};
use rust_decimal::Decimal;

use super::{Load, REMEMBERED, call, home_of};
use crate::oracle::Call;
use crate::world::REGIONS;

/// Webhooks under way and remembered.
#[derive(Clone, Debug, Default)]
pub(super) struct Payments {
    next: VecDeque<Call>,
    sent: VecDeque<(Reference, AccountId, Decimal)>,
    number: u64,
}

impl Payments {
    /// The next call of a webhook that goes to several regions.
    pub(super) fn next(&mut self) -> Option<Call> {
        self.next.pop_front()
    }
}

impl Load {
    /// A webhook: a new one to several regions at once, or an old one again anywhere.
    pub(super) fn payment(&mut self, account: AccountId) -> Call {
        if self.draw.percent(40)
            && let Some((reference, account, amount)) = self.payments.sent.pop_front()
        {
            self.payments.sent.push_back((reference.clone(), account.clone(), amount));
            let other = self.draw.percent(6);
            let amount = if other { amount + Decimal::ONE } else { amount };
            let region = self.region();
            return self.webhook(region, (reference, account, amount));
        }
        // Of an account that nobody opens, of one that a currency cannot hold, and most of plain ones.
        let account = if self.draw.percent(4) {
            AccountId::new(&format!("nobody@{}", account.region())).expect("a valid name")
        } else {
            account
        };
        let amount = self.money(&account, 10_000);
        let amount = if self.draw.percent(3) { amount + Decimal::new(1, 3) } else { amount };
        self.payments.number += 1;
        let provider = self.draw.one(&["stripe", "bank"]);
        let name = format!("pay_{}", self.payments.number);
        let reference = Reference::new(&account, provider, &name).expect("a valid reference");
        let sent = (reference, account, amount);
        if self.payments.sent.len() == REMEMBERED {
            self.payments.sent.pop_front();
        }
        self.payments.sent.push_back(sent.clone());
        let first = if self.draw.percent(30) { home_of(&sent.1) } else { self.region() };
        if self.draw.percent(60) {
            for (region, _) in REGIONS.into_iter().filter(|(n, _)| *n != first) {
                let body = if self.draw.percent(4) {
                    (sent.0.clone(), sent.1.clone(), sent.2 + Decimal::ONE)
                } else {
                    sent.clone()
                };
                let webhook = self.webhook(region, body);
                self.payments.next.push_back(webhook);
            }
        }
        self.webhook(first, sent)
    }

    fn webhook(&mut self, region: u16, (reference, account, amount): (Reference, AccountId, Decimal)) -> Call {
        let wait_ms = self.draw.one(&[0, 500, 2_000, 4_000]);
        Call { wait_ms, ..call(region, Command::DepositByReference { reference, account, amount }) }
    }
}
