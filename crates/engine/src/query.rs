//! Reads: what a region knows, as views. Changes nothing, except that a definitive "not placed" makes owner's time
//! durable before it leaves.

use model::limits::WAGER_HORIZON_MS;
use model::{
    AccountId, AccountView, Answer, ClockView, DigestView, ExchangeRunnerView, ExchangeView, Hash16, LinkView, LogView,
    MarketKey, MarketView, Mint, MintedId, OutcomeView, ProducerId, ProducerView, Query, ReadyView, Refusal,
    RegionView, RegionsView, ReplicationView, SettlementCall, Text, WagerView,
};

use crate::door::Now;
use crate::engine::Engine;
use crate::ledger::Standing;
use crate::log::{hash16, sum16};
use crate::odds::{Exchange, Market, Offer};
use crate::port::View;
use crate::tx::Tx;

impl Engine {
    pub(crate) fn query<V: View>(&mut self, tx: &Tx<'_, V>, query: Query) -> Answer {
        match query {
            Query::Account(account) => match self.view_account(&account) {
                Ok(view) => Answer::Account(view),
                Err(refusal) => Answer::Refused(refusal),
            },
            Query::Wager(id) => Answer::Wager { id, view: self.view_wager(tx, id) },
            Query::Quote(asked) => self.quote(tx.now, &asked),
            Query::CashOut(wager, share) => self.quote_cash_out(tx, wager, share).unwrap_or_else(Answer::Refused),
            Query::Withdrawal(account, id) => self.view_withdrawal(tx, &account, id).unwrap_or_else(Answer::Refused),
            Query::Market(market) => self.market_answer(tx, &market).unwrap_or_else(Answer::Refused),
            Query::Events(asked) => self.browse_events(&asked),
            Query::EventMarkets { event, after, limit } => self.browse_markets(tx.now, &event, after.as_ref(), limit),
            Query::Markets(markets) => self.named_markets(tx.now, markets),
            Query::Suspensions { after, limit } => self.suspensions(after.as_ref(), limit),
            Query::Producers => Answer::Producers(self.producer_views(tx.now)),
            Query::Regions => Answer::Regions(self.view_regions()),
            Query::Replication => Answer::Replication(self.view_replication()),
            Query::Escrow(account) => match self.ledger.escrow(&account) {
                Some(view) => Answer::Escrow(Box::new(view)),
                None => Answer::Refused(Refusal::AccountUnknown),
            },
            Query::Digest => Answer::Digest(self.view_digest()),
            Query::Clock => Answer::Clock(self.clock_view()),
            Query::Mint => match self.not_ready() {
                Some(refusal) => Answer::Refused(refusal),
                None => Answer::Clock(self.clock_view()),
            },
            Query::Ready => Answer::Ready(self.view_ready()),
        }
    }

    pub(crate) fn view_account(&self, account: &AccountId) -> Result<AccountView, Refusal> {
        let home = self.ledger.account_head(account).ok_or(Refusal::AccountUnknown)?.home;
        let reachable = home == self.site || self.is_reachable(home.region);
        self.ledger.view(account, reachable).ok_or(Refusal::AccountUnknown)
    }

    pub(crate) fn view_wager<V: View>(&mut self, tx: &Tx<'_, V>, id: MintedId) -> WagerView {
        if let Some(record) = tx.wager(id) {
            return self.wager_view(record);
        }
        if let Some(view) = self.delayed_read(id) {
            return view;
        }
        match self.standing(id) {
            Standing::Closed(..) => return WagerView::NotPlaced { definitive: true },
            Standing::Away(owner) => return self.ticket_read(id).unwrap_or(WagerView::Unknown { owner }),
            Standing::Mine => {}
        }
        let definitive = self.time.owner_ms() > id.place_by_ms() && self.not_ready().is_none();
        if definitive {
            self.commit_time();
        }
        WagerView::NotPlaced { definitive }
    }

    pub(crate) fn market_answer<V: View>(&self, tx: &Tx<'_, V>, key: &MarketKey) -> Result<Answer, Refusal> {
        self.market_view(tx.now, key).map(|view| Answer::Market(Box::new(view)))
    }

    /// A market as this region sells it, by the code that admits.
    pub(crate) fn market_view(&self, now: Now, key: &MarketKey) -> Result<MarketView, Refusal> {
        let market = self.known_market(key)?;
        let definition = market.shown_definition().ok_or(Refusal::MarketUnknown)?.clone();
        let refusal = self.market_refusal(now, key, market);
        let wider = self.plane.held_wider(key, market);
        let outcomes = definition.outcomes.iter().map(|o| outcome_view(market, o, refusal)).collect();
        Ok(MarketView {
            market: key.clone(),
            status: market.effective_status(wider).unwrap_or(model::MarketStatus::Inactive),
            held: market.is_held() || wider.is_some(),
            producer: market.current_producer().cloned(),
            sellable: refusal.is_none(),
            refusal,
            version: market.version,
            outcomes,
            exchange: market.exchange.as_ref().and_then(exchange_view),
            definition,
        })
    }

    pub(crate) fn producer_views(&self, now: Now) -> Vec<ProducerView> {
        let view = |producer: &ProducerId| {
            let refusal = self.producer_refusal(now, producer);
            let age_ms = self.fresh.age_ms(producer, now.steady_ms);
            ProducerView { producer: producer.clone(), up: refusal.is_none(), refusal, age_ms }
        };
        let mut all: std::collections::BTreeSet<&ProducerId> = self.plane.producers().keys().collect();
        all.extend(self.fresh.producers());
        all.extend(self.plane.alive().keys());
        all.into_iter().map(view).collect()
    }

    fn view_regions(&self) -> RegionsView {
        let region = |r: &crate::door::RegionConfig| RegionView {
            region: r.number,
            name: r.name.clone(),
            here: r.number == self.site.region,
            connected: r.number == self.site.region || self.is_linked(r.number),
            reached_through: self.way_round(r.number).and_then(|way| self.region_name(way)).cloned(),
        };
        let regions = self.config.regions.iter().map(region).collect();
        RegionsView { cluster: self.config.cluster.clone(), site: self.site, regions }
    }

    fn view_logs(&self) -> Vec<LogView> {
        let view = |(site, head): (&crdt::Site, &crate::port::LogHead)| LogView {
            site: *site,
            index: head.index,
            hash: head.hash,
            digest: head.digest,
            stopped: head.stopped.clone(),
        };
        self.ledger.logs.iter().map(view).collect()
    }

    fn view_replication(&self) -> ReplicationView {
        let link = |(region, link): (&u16, &crate::replication::Link)| LinkView {
            region: *region,
            name: self.region_name(*region).cloned().unwrap_or_else(|| Text::new("")),
            connected: link.linked(),
            site: link.site,
            acked: link.site.and_then(|site| self.ledger.acks.get(&site)).copied().unwrap_or(0),
            odds_dirty: link.odds.waiting(),
        };
        ReplicationView {
            ack_floor: self.ledger.ack_floor,
            logs: self.view_logs(),
            links: self.links.iter().map(link).collect(),
            odds: self.plane.vector().clone(),
            cuts: self.cuts(),
            snapshot: self.snapshot_view(),
        }
    }

    fn view_digest(&self) -> DigestView {
        let mut odds_digest = Hash16::default();
        self.plane.visit(|key, value| {
            let bytes = minicbor::to_vec((key, value)).expect("writing to memory cannot fail");
            odds_digest = sum16(odds_digest, hash16(&bytes));
        });
        DigestView {
            logs: self.view_logs(),
            odds: self.plane.vector().clone(),
            odds_digest,
            ledger_digest: self.ledger.digest(),
        }
    }

    pub(crate) fn clock_view(&self) -> ClockView {
        let now_ms = self.time.owner_ms();
        ClockView {
            now_ms,
            replay: self.config.replay,
            peer_ahead_ms_max: self.time.peer_ahead_ms_max,
            mint: Mint {
                region: self.site.region,
                incarnation: self.site.incarnation,
                now_ms,
                place_by_ms_max: now_ms + WAGER_HORIZON_MS,
            },
        }
    }

    fn view_ready(&self) -> ReadyView {
        let blocked = self.not_ready().map(|r| match r {
            Refusal::NotReady { why } => why,
            _ => Text::new("not ready"),
        });
        let stopped = self.ledger.logs.iter().find_map(|(site, h)| h.stopped.as_ref().map(|why| (site, why)));
        let replication = stopped.map(|(site, why)| Text::new(&format!("the log of site {site} stands still: {why}")));
        let silent = self.links.iter().find(|(_, l)| !l.linked()).map(|(r, _)| *r);
        let cut = silent.map(|r| {
            let name = self.region_name(r).map_or("?", Text::as_str);
            Text::new(&format!("no link to region {name}"))
        });
        ReadyView { money: blocked.clone(), odds: blocked, replication: replication.or(cut) }
    }
}

fn outcome_view(market: &Market, outcome: &model::OutcomeDef, refusal: Option<model::RejectCode>) -> OutcomeView {
    let offer = market.offer(&outcome.key);
    let refusal = refusal.or_else(|| market.outcome_refusal(&outcome.key));
    let result = match market.result_of(&outcome.key) {
        SettlementCall::Result(result) => Some(result),
        SettlementCall::Open | SettlementCall::Disputed => None,
    };
    let Offer { odds, dot, pinned, .. } = offer.unwrap_or(Offer { active: true, odds: None, dot: None, pinned: false });
    OutcomeView {
        key: outcome.key.clone(),
        name: outcome.name.clone(),
        sellable: refusal.is_none(),
        refusal,
        odds,
        pinned,
        dot,
        result,
    }
}

fn exchange_view(exchange: &Exchange) -> Option<ExchangeView> {
    let book = &exchange.book;
    let text = |d: Option<feeds::Decimal>| d.map(|d| d.to_string());
    let runners = book.runners().into_iter().map(|r| ExchangeRunnerView {
        id: r.key.id,
        hc: r.key.hc.to_string(),
        status: r.status.map(|s| s.as_str().to_owned()),
        adjustment_factor: text(r.adjustment_factor),
        bsp: text(r.bsp),
        ltp: text(r.ltp),
        best_back: r.best_back.map(|l| (l.price.to_string(), l.size.to_string())),
        best_lay: r.best_lay.map(|l| (l.price.to_string(), l.size.to_string())),
        back_levels: r.back_levels,
        lay_levels: r.lay_levels,
    });
    Some(ExchangeView {
        status: book.status()?.as_str().to_owned(),
        in_play: book.in_play().unwrap_or(false),
        bet_delay: book.bet_delay().unwrap_or(0),
        active_runners: book.active_runners().unwrap_or(0),
        bsp_reconciled: book.bsp_reconciled().unwrap_or(false),
        version: book.version().unwrap_or(0),
        runners: runners.collect(),
    })
}
