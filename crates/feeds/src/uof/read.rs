//! Elements to a message, one at a time as they open: what each root and each of its children means.
//! Unknown elements and attributes are passed over. The first thing that is wrong refuses the message; its end is still
//! found, so that the next one can be read.

use model::{EventKey, KeyError, MarketKey, MarketStatus, OutcomeKey, OutcomeResult, Share, Verdict};
use quick_xml::events::BytesStart;

use super::element::Attributes;
use super::error::{UofError, quote};
use super::keys;
use super::limits;
use super::message::{
    Body, Cancel, Description, MarketOdds, MarketResult, MarketRollback, OddsChange, OutcomeOdds, OutcomeVerdict, Stop,
    UofMessage,
};

/// Root elements of everything that is read.
pub(super) const ROOTS: [&str; 12] = [
    "odds_change",
    "bet_stop",
    "bet_settlement",
    "rollback_bet_settlement",
    "bet_cancel",
    "rollback_bet_cancel",
    "alive",
    "snapshot_complete",
    "product_down",
    "fixture_change",
    "market_descriptions",
    "fixtures_fixture",
];

/// Other elements that mean something here.
const CHILDREN: [&str; 5] = ["odds", "outcomes", "market", "outcome", "sport_event_status"];

/// A message being read.
#[derive(Debug, Default)]
pub(super) struct Builder {
    /// Elements open now, from the root; those that mean nothing are `*`.
    path: Vec<&'static str>,
    /// How deep, also beyond the limit.
    depth: usize,
    event: Option<EventKey>,
    message: Option<UofMessage>,
    markets: usize,
    outcomes: usize,
    outcomes_of_market: usize,
    /// The first thing that was wrong.
    error: Option<UofError>,
}

impl Builder {
    /// Elements open now.
    pub(super) const fn depth(&self) -> usize {
        self.depth
    }

    /// Refuses the message. Its end is still looked for, so that what belongs to it is not taken for the next one.
    pub(super) fn refuse(&mut self, error: UofError) -> Result<bool, UofError> {
        self.error.get_or_insert(error);
        Ok(false)
    }

    /// Whether something was wrong so far.
    pub(super) const fn is_refused(&self) -> bool {
        self.error.is_some()
    }

    /// What to say of a message that ends too early.
    pub(super) fn unfinished(&self) -> String {
        format!("the message ends inside {}", self.place())
    }

    /// An element opens. What is wrong with its content is kept for the end; an error is only what is no XML, for then
    /// the end cannot be told.
    pub(super) fn open(&mut self, tag: &BytesStart<'_>) -> Result<(), UofError> {
        self.depth += 1;
        if self.depth > limits::DEPTH_MAX {
            self.error.get_or_insert(UofError::TooDeep);
        }
        if self.error.is_some() {
            return Ok(());
        }
        let name = tag.name().into_inner();
        let known = ROOTS.iter().chain(&CHILDREN).find(|known| **known == name).copied();
        self.path.push(known.unwrap_or("*"));
        let read = Attributes::read(tag).and_then(|attributes| self.element(name, &attributes));
        match read.map_err(|error| error.within(&self.place())) {
            Err(broken @ UofError::NotXml { .. }) => return Err(broken),
            Err(error) => self.error = Some(error),
            Ok(()) => {}
        }
        Ok(())
    }

    /// The innermost element closes. Whether that was the root.
    pub(super) fn close(&mut self) -> bool {
        self.depth = self.depth.saturating_sub(1);
        if self.error.is_none() {
            self.path.pop();
        }
        self.depth == 0
    }

    /// The message, once its root has closed.
    pub(super) fn finish(self) -> Result<UofMessage, UofError> {
        match (self.error, self.message) {
            (Some(error), _) => Err(error),
            (None, Some(message)) => Ok(message),
            (None, None) => Err(UofError::NotXml { detail: "no element".to_owned() }),
        }
    }

    fn place(&self) -> String {
        let name = |part: &&'static str| match *part {
            "market" => format!("market[{}]", self.markets),
            "outcome" => format!("outcome[{}]", self.outcomes_of_market),
            other => other.to_owned(),
        };
        self.path.iter().map(name).collect::<Vec<_>>().join("/")
    }

    fn element(&mut self, name: &str, attributes: &Attributes<'_>) -> Result<(), UofError> {
        if self.depth == 1 {
            self.message = Some(self.root(name, attributes)?);
            return Ok(());
        }
        let known = matches!(
            self.path.as_slice(),
            ["odds_change", "odds", "market", ..]
                | ["bet_settlement", "outcomes", "market", ..]
                | [
                    "rollback_bet_settlement" | "bet_cancel" | "rollback_bet_cancel" | "market_descriptions",
                    "market",
                    ..
                ]
        );
        match self.path.as_slice() {
            ["odds_change", "sport_event_status"] => self.event_status(attributes),
            [.., "market"] if known => {
                self.count_market()?;
                self.market(attributes)
            }
            [.., "market", "outcome"] if known => {
                self.count_outcome()?;
                self.outcome(attributes)
            }
            _ => Ok(()),
        }
    }

    fn count_market(&mut self) -> Result<(), UofError> {
        self.markets += 1;
        self.outcomes_of_market = 0;
        let max = limits::MARKETS_PER_MESSAGE_MAX;
        if self.markets > max { Err(UofError::TooMany { what: "markets", max }) } else { Ok(()) }
    }

    fn count_outcome(&mut self) -> Result<(), UofError> {
        self.outcomes += 1;
        self.outcomes_of_market += 1;
        let (market, message) = (limits::OUTCOMES_PER_MARKET_MAX, limits::OUTCOMES_PER_MESSAGE_MAX);
        if self.outcomes_of_market > market {
            return Err(UofError::TooMany { what: "outcomes of one market", max: market });
        }
        if self.outcomes > message {
            return Err(UofError::TooMany { what: "outcomes", max: message });
        }
        Ok(())
    }

    fn root(&mut self, name: &str, attributes: &Attributes<'_>) -> Result<UofMessage, UofError> {
        let body = match name {
            "alive" => Body::Alive { subscribed: attributes.flag("subscribed")?.unwrap_or(true) },
            "snapshot_complete" => {
                attributes.required_integer::<i64>("request_id")?;
                Body::SnapshotComplete
            }
            "product_down" => Body::ProductDown,
            "fixture_change" => {
                self.urn(attributes)?;
                Body::FixtureChange
            }
            "odds_change" => {
                Body::OddsChange(OddsChange { event: self.urn(attributes)?, live: None, markets: Vec::new() })
            }
            "bet_stop" => Body::BetStop(self.stop(attributes)?),
            "bet_settlement" => {
                self.urn(attributes)?;
                Body::BetSettlement(Vec::new())
            }
            "rollback_bet_settlement" => {
                self.urn(attributes)?;
                Body::RollbackBetSettlement(Vec::new())
            }
            "bet_cancel" => Body::BetCancel(self.cancel(attributes)?),
            "rollback_bet_cancel" => Body::RollbackBetCancel(self.cancel(attributes)?),
            "market_descriptions" => Body::Descriptions(Vec::new()),
            "fixtures_fixture" => Body::Ignored { kind: "fixtures_fixture" },
            other => return Err(UofError::Unknown { name: quote(other) }),
        };
        let document = matches!(body, Body::Descriptions(_) | Body::Ignored { .. });
        let product = attributes.integer("product")?;
        if product.is_none() && !document && !matches!(body, Body::RollbackBetCancel(_)) {
            // A rollback of a cancel names what it takes back by its times; some senders leave its product out.
            attributes.required("product")?;
        }
        Ok(UofMessage {
            producer: product.map(keys::producer_id),
            time_ms: if document { None } else { Some(attributes.required_integer("timestamp")?) },
            request_id: attributes.integer("request_id")?,
            body,
        })
    }

    fn urn(&mut self, attributes: &Attributes<'_>) -> Result<EventKey, UofError> {
        let event = key(keys::event_key(attributes.required("event_id")?), "event_id")?;
        self.event = Some(event.clone());
        Ok(event)
    }

    fn stop(&mut self, attributes: &Attributes<'_>) -> Result<Stop, UofError> {
        let event = self.urn(attributes)?;
        let status = match attributes.integer::<i32>("market_status")? {
            None | Some(-1) => MarketStatus::Suspended,
            Some(0) => MarketStatus::Inactive,
            Some(other) => return Err(Attributes::bad("market_status", &format!("{other} is not 0 or -1"))),
        };
        // Without groups the event as a whole is meant.
        let mut groups = attributes.names("groups")?.unwrap_or_default();
        if groups.is_empty() {
            groups.push(key(keys::group_key("all"), "groups")?);
        }
        groups.sort();
        groups.dedup();
        Ok(Stop { event, groups, status })
    }

    fn cancel(&mut self, attributes: &Attributes<'_>) -> Result<Cancel, UofError> {
        self.urn(attributes)?;
        let (start_ms, end_ms) = (attributes.integer("start_time")?, attributes.integer("end_time")?);
        if start_ms.zip(end_ms).is_some_and(|(start, end): (u64, u64)| end < start) {
            return Err(Attributes::bad("end_time", "lies before start_time"));
        }
        Ok(Cancel { start_ms, end_ms, markets: Vec::new() })
    }

    fn event_status(&mut self, attributes: &Attributes<'_>) -> Result<(), UofError> {
        let status: Option<i32> = attributes.integer("status")?;
        if let Some(UofMessage { body: Body::OddsChange(change), .. }) = &mut self.message {
            change.live = status.map(|s| s == 1);
        }
        Ok(())
    }

    fn market(&mut self, attributes: &Attributes<'_>) -> Result<(), UofError> {
        let kind: u32 = attributes.required_integer("id")?;
        let Some(message) = &mut self.message else { return Ok(()) };
        if let Body::Descriptions(all) = &mut message.body {
            if let Some(groups) = attributes.names("groups")? {
                all.push(Description { kind, groups });
            }
            return Ok(());
        }
        let Some(event) = &self.event else { return Ok(()) };
        let market = market_key(event, kind, attributes)?;
        match &mut message.body {
            Body::OddsChange(change) => {
                let status = status(attributes)?;
                change.markets.push(MarketOdds { market, kind, status, outcomes: Vec::new() });
            }
            Body::BetSettlement(markets) => markets.push(MarketResult { market, outcomes: Vec::new() }),
            Body::RollbackBetSettlement(markets) => markets.push(MarketRollback { market, outcomes: Vec::new() }),
            Body::BetCancel(cancel) | Body::RollbackBetCancel(cancel) => cancel.markets.push(market),
            _ => {}
        }
        Ok(())
    }

    fn outcome(&mut self, attributes: &Attributes<'_>) -> Result<(), UofError> {
        let Some(message) = &mut self.message else { return Ok(()) };
        match &mut message.body {
            Body::OddsChange(OddsChange { markets, .. }) => {
                let Some(market) = markets.last_mut() else { return Ok(()) };
                market.outcomes.push(OutcomeOdds {
                    outcome: outcome_key(attributes)?,
                    active: attributes.flag("active")?.unwrap_or(true),
                    odds: attributes.decimal("odds")?,
                });
            }
            Body::BetSettlement(markets) => {
                let Some(market) = markets.last_mut() else { return Ok(()) };
                let result = result(attributes)?;
                market.outcomes.push(OutcomeVerdict { outcome: outcome_key(attributes)?, result });
            }
            Body::RollbackBetSettlement(markets) => {
                let Some(market) = markets.last_mut() else { return Ok(()) };
                market.outcomes.push(outcome_key(attributes)?);
            }
            _ => {}
        }
        Ok(())
    }
}

fn key<K>(made: Result<K, KeyError>, attribute: &str) -> Result<K, UofError> {
    made.map_err(|e| Attributes::bad(attribute, &e.to_string()))
}

fn market_key(event: &EventKey, kind: u32, attributes: &Attributes<'_>) -> Result<MarketKey, UofError> {
    let specifiers = attributes.get("specifiers").unwrap_or_default();
    if specifiers.split('|').count() > limits::SPECIFIERS_MAX {
        return Err(UofError::TooMany { what: "specifiers", max: limits::SPECIFIERS_MAX });
    }
    let made = keys::market_key(event, kind, specifiers);
    made.map_err(|e| match e {
        KeyError::BadCharacter | KeyError::Empty => Attributes::bad("specifiers", "is not name=value|name=value"),
        other => Attributes::bad("specifiers", &format!("make a key that {other}")),
    })
}

fn outcome_key(attributes: &Attributes<'_>) -> Result<OutcomeKey, UofError> {
    key(keys::outcome_key(attributes.required("id")?), "id")
}

/// A market that says nothing of its status is active.
fn status(attributes: &Attributes<'_>) -> Result<MarketStatus, UofError> {
    match attributes.integer::<i32>("status")? {
        None | Some(1) => Ok(MarketStatus::Active),
        Some(0) => Ok(MarketStatus::Inactive),
        Some(-1) => Ok(MarketStatus::Suspended),
        Some(-2) => Ok(MarketStatus::HandedOver),
        Some(-3) => Ok(MarketStatus::Settled),
        Some(-4) => Ok(MarketStatus::Cancelled),
        Some(other) => Err(Attributes::bad("status", &format!("{other} is not one of 1, 0, -1, -2, -3, -4"))),
    }
}

/// A result with its factors, in its one canonical form. What is not decided has no result.
fn result(attributes: &Attributes<'_>) -> Result<OutcomeResult, UofError> {
    let void_factor = share(attributes, "void_factor", Share::ZERO)?;
    if ![Share::ZERO, Share::HALF, Share::ONE].contains(&void_factor) {
        return Err(Attributes::bad("void_factor", "is none of 0, 0.5 and 1"));
    }
    let dead_heat_factor = share(attributes, "dead_heat_factor", Share::ONE)?;
    if dead_heat_factor == Share::ZERO {
        return Err(Attributes::bad("dead_heat_factor", "is not above 0"));
    }
    let won = match attributes.required_integer::<i32>("result")? {
        -1 => return Ok(OutcomeResult::None),
        0 => false,
        1 => true,
        other => return Err(Attributes::bad("result", &format!("{other} is not 1, 0 or -1"))),
    };
    let verdict = Verdict { void_factor, dead_heat_factor, ..Verdict::plain(won) };
    OutcomeResult::of(verdict).map_err(|e| Attributes::bad("result", &e.to_string()))
}

fn share(attributes: &Attributes<'_>, name: &str, absent: Share) -> Result<Share, UofError> {
    let read = |text: &str| Share::parse(text).map_err(|e| Attributes::bad(name, &format!("{} {e}", quote(text))));
    attributes.get(name).map_or(Ok(absent), read)
}
