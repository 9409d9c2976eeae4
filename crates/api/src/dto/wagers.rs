//! Wagers as they are asked for. What this build does not offer yet is refused by name, not dropped.

use model::limits::{BATCH_WAGERS_MAX, LEGS_MAX};
use model::{AccountId, Durability, MintedId, Share, Text, WagerRequest};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::dto::lines::{LegIn, Lines, LinesIn, SystemIn};
use crate::problem::Problem;
use crate::strict::{self, Body, Faults, List, Obj, Str};

/// Longest reference of the client's own, in bytes.
const CLIENT_REF_BYTES_MAX: usize = 200;

/// A wager. Amounts and odds are strings.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = Wager)]
#[serde(deny_unknown_fields)]
pub(crate) struct WagerIn<'a> {
    /// Minted id (UUID version 8).
    #[serde(borrow)]
    #[schema(value_type = String, required)]
    id: Option<Str<'a>>,
    /// `name@region`.
    #[schema(value_type = String, required, example = "p-81@eu-west")]
    account: Option<Str<'a>>,
    /// Stake per line (each-way: per line and part) in the account's currency.
    #[schema(value_type = String, required, example = "1.00")]
    unit_stake: Option<Str<'a>>,
    /// Checked against the sum of all lines when given.
    #[schema(value_type = Option<String>)]
    total_stake: Option<Str<'a>>,
    /// One to thirty; two of one event are rejected unless their markets combine.
    #[schema(value_type = Vec<LegIn<'a>>, required)]
    legs: Option<List<Obj<LegIn<'a>>, LEGS_MAX>>,
    /// What the player agrees to when the odds have moved: `none` (default), `higher` or `any`.
    #[schema(value_type = Option<String>)]
    odds_policy: Option<Str<'a>>,
    /// `local` (default), or `geo`: accepted only once enough other regions hold it; until then 202. A stake above the
    /// exposure window is `geo` whatever is said here.
    #[schema(value_type = Option<String>)]
    durability: Option<Str<'a>>,
    /// Longest wait for money from elsewhere, in ms; `Stakehold-Wait-Ms` when absent.
    wait_ms: Option<u64>,
    /// The client's own reference, at most 200 bytes.
    #[schema(value_type = Option<String>)]
    client_ref: Option<Str<'a>>,
    /// Whether every line has a place part as well, at the markets' each-way terms.
    each_way: Option<bool>,
    /// Without it all legs are one accumulator.
    #[schema(value_type = Option<SystemIn>)]
    system: Option<Obj<SystemIn>>,
}

/// A wager read from its body, and how long it may wait.
#[derive(Debug)]
pub(crate) struct Asking {
    pub(crate) wager: WagerRequest,
    pub(crate) wait_ms: Option<u64>,
}

/// Reads [`Asking`].
pub(crate) struct WagerBody;

impl Body for WagerBody {
    type In<'a> = WagerIn<'a>;
    type Parsed = Asking;

    fn parse(input: WagerIn<'_>, faults: &mut Faults) -> Option<Asking> {
        let id = faults.need("id", input.id.as_ref(), MintedId::parse);
        let account = faults.need("account", input.account.as_ref(), AccountId::new);
        let lines = LinesIn {
            unit_stake: input.unit_stake.as_ref(),
            total_stake: input.total_stake.as_ref(),
            system: input.system,
            each_way: input.each_way,
            legs: input.legs,
            odds_policy: input.odds_policy.as_ref(),
        };
        let lines = lines.parse(faults);
        let client_ref = faults.may("client_ref", input.client_ref.as_ref(), client_ref);
        let durability = faults.may("durability", input.durability.as_ref(), durability);
        let (id, account, client_ref, durability) = (id?, account?, client_ref?, durability?.unwrap_or_default());
        let Lines { unit_stake, total_stake, system, each_way, legs, policy } = lines?;
        let wager = WagerRequest {
            id,
            account,
            unit_stake,
            total_stake,
            system,
            each_way,
            legs,
            policy,
            client_ref,
            durability,
        };
        Some(Asking { wager, wait_ms: input.wait_ms })
    }
}

pub(crate) fn client_ref(text: &str) -> Result<Text, &'static str> {
    if text.len() > CLIENT_REF_BYTES_MAX { Err("is longer than 200 bytes") } else { Ok(Text::new(text)) }
}

/// A durability level by its name.
pub(crate) fn durability(text: &str) -> Result<Durability, &'static str> {
    match text {
        "local" => Ok(Durability::Local),
        "geo" => Ok(Durability::Geo),
        _ => Err("is neither local nor geo"),
    }
}

/// A batch: in order, each item by itself.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = WagerBatch)]
#[serde(deny_unknown_fields)]
pub(crate) struct BatchIn<'a> {
    /// At most 10,000.
    #[serde(borrow)]
    #[schema(value_type = Vec<WagerIn<'a>>)]
    items: List<Obj<WagerIn<'a>>, BATCH_WAGERS_MAX>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBatch<'a> {
    #[serde(borrow)]
    items: List<&'a RawValue, BATCH_WAGERS_MAX>,
}

struct RawBatchBody;

impl Body for RawBatchBody {
    type In<'a> = RawItems;
    type Parsed = RawItems;

    fn parse(input: RawItems, _: &mut Faults) -> Option<RawItems> {
        Some(input)
    }
}

/// The items of a batch whose shape is right, uninterpreted: only to name what is wrong around them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawItems {
    #[serde(rename = "items")]
    _items: List<IgnoredAny, BATCH_WAGERS_MAX>,
}

/// Reads a batch: each item is a wager or says what is wrong with it.
///
/// # Errors
/// A problem when the body as a whole is no batch.
pub(crate) fn read_batch(body: &[u8]) -> Result<Vec<Result<Asking, Problem>>, Problem> {
    if let Ok(batch) = serde_json::from_slice::<Obj<BatchIn<'_>>>(body) {
        return Ok(batch.0.items.0.into_iter().map(|item| one(item.0)).collect());
    }
    // Some item is out of shape, or all of it is: look at each by itself.
    match serde_json::from_slice::<Obj<RawBatch<'_>>>(body) {
        Ok(batch) => Ok(batch.0.items.0.iter().map(|raw| strict::read::<WagerBody>(raw.get().as_bytes())).collect()),
        Err(_) => match strict::read::<RawBatchBody>(body) {
            Err(problem) => Err(problem),
            Ok(_) => Err(Problem::field("items", "is not a list of wagers")),
        },
    }
}

fn one(input: WagerIn<'_>) -> Result<Asking, Problem> {
    let mut faults = Faults::default();
    match WagerBody::parse(input, &mut faults) {
        Some(asking) if faults.is_empty() => Ok(asking),
        _ => Err(faults.problem()),
    }
}

/// An operator's cancellation of a wager, accepted or not.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = WagerCancel)]
#[serde(deny_unknown_fields)]
pub(crate) struct CancelIn<'a> {
    /// Why, at most 200 bytes; it is kept in the log.
    #[serde(borrow)]
    #[schema(value_type = String, required)]
    reason: Option<Str<'a>>,
    /// Of an accepted wager: which part of the original stake is cancelled, in all. It replaces what was said before,
    /// so `"0"` takes a cancel back. All of it when absent.
    #[schema(value_type = Option<String>, example = "0.25")]
    fraction: Option<Str<'a>>,
}

/// Reads the reason and the part.
pub(crate) struct CancelBody;

impl Body for CancelBody {
    type In<'a> = CancelIn<'a>;
    type Parsed = (Text, Option<Share>);

    fn parse(input: CancelIn<'_>, faults: &mut Faults) -> Option<(Text, Option<Share>)> {
        let reason = faults.need("reason", input.reason.as_ref(), |text| {
            if text.is_empty() { Err("is empty") } else { client_ref(text) }
        });
        let fraction = faults.may("fraction", input.fraction.as_ref(), Share::parse);
        Some((reason?, fraction?))
    }
}
