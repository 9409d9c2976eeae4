//! Price writes, one by one or many: NDJSON or an array.

use model::limits::ODDS_WRITES_MAX;
use model::{MarketKey, OddsChange, OddsWrite, OutcomeKey, ProducerId};
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::problem::Problem;
use crate::strict::{self, Body, Faults, List, Str};

/// A price write.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = OddsWrite)]
#[serde(deny_unknown_fields)]
pub(crate) struct OddsIn<'a> {
    /// Market key.
    #[serde(borrow)]
    #[schema(value_type = String, required)]
    market: Option<Str<'a>>,
    /// Outcome key.
    #[schema(value_type = String, required)]
    outcome: Option<Str<'a>>,
    /// New odds; the selection is on sale. Either this or `active`.
    #[schema(value_type = Option<String>)]
    odds: Option<Str<'a>>,
    /// Whether the selection is on sale, odds kept. Either this or `odds`.
    active: Option<bool>,
    /// Who says so. Without it the write is an operator's pin.
    #[schema(value_type = Option<String>)]
    producer: Option<Str<'a>>,
    /// The producer's own time; the region's when absent.
    #[schema(value_type = Option<String>, format = DateTime)]
    source_time: Option<Str<'a>>,
    /// Order among writes of equal source time.
    source_seq: Option<u32>,
}

/// Reads one write.
pub(crate) struct OddsBody;

impl Body for OddsBody {
    type In<'a> = OddsIn<'a>;
    type Parsed = OddsWrite;

    fn parse(input: OddsIn<'_>, faults: &mut Faults) -> Option<OddsWrite> {
        let market = faults.need("market", input.market.as_ref(), MarketKey::new);
        let outcome = faults.need("outcome", input.outcome.as_ref(), OutcomeKey::new);
        let odds = faults.may("odds", input.odds.as_ref(), strict::odds);
        let producer = faults.may("producer", input.producer.as_ref(), ProducerId::new);
        let source_time_ms = faults.may("source_time", input.source_time.as_ref(), strict::time);
        let change = match (odds?, input.active) {
            (Some(odds), None) => Some(OddsChange::Odds(odds)),
            (None, Some(active)) => Some(OddsChange::Active(active)),
            _ => {
                faults.add("odds", "give exactly one of odds and active");
                None
            }
        };
        Some(OddsWrite {
            market: market?,
            outcome: outcome?,
            change: change?,
            producer: producer?,
            source_time_ms: source_time_ms?,
            source_seq: input.source_seq.unwrap_or(0),
        })
    }
}

/// One item of an odds call, with its place: line of NDJSON or element of the array, from 1.
pub(crate) type Item = (usize, Result<OddsWrite, Problem>);

/// Reads all writes of a body; each item is a write or says what is wrong with it.
///
/// # Errors
/// A problem when the body as a whole cannot be read.
pub(crate) fn read_all(body: &[u8]) -> Result<Vec<Item>, Problem> {
    let read = |text: &[u8]| strict::read::<OddsBody>(text);
    if body.trim_ascii_start().starts_with(b"[") {
        let list: List<&RawValue, ODDS_WRITES_MAX> =
            serde_json::from_slice(body).map_err(|e| if e.is_data() { too_many() } else { strict::not_json(&e) })?;
        return Ok(list.0.iter().enumerate().map(|(n, raw)| (n + 1, read(raw.get().as_bytes()))).collect());
    }
    let mut items = Vec::new();
    for (n, line) in body.split(|b| *b == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        if items.len() == ODDS_WRITES_MAX {
            return Err(too_many());
        }
        items.push((n + 1, read(line)));
    }
    if items.is_empty() {
        return Err(Problem::field("body", "is empty; send one write a line (NDJSON), or an array of writes"));
    }
    Ok(items)
}

fn too_many() -> Problem {
    Problem::field("body", format_args!("has more than {ODDS_WRITES_MAX} writes; send it in parts"))
}
