//! Wagers as they are asked for. What this build does not offer yet is refused by name, not dropped.

use model::limits::{BATCH_WAGERS_MAX, LEGS_MAX};
use model::{AccountId, Durability, Leg, MarketKey, MintedId, OddsPolicy, OutcomeKey, Text, WagerRequest};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use utoipa::ToSchema;

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
    /// Stake per line in the account's currency.
    #[schema(value_type = String, required, example = "1.00")]
    unit_stake: Option<Str<'a>>,
    /// Checked against the sum of all lines when given.
    #[schema(value_type = Option<String>)]
    total_stake: Option<Str<'a>>,
    /// Exactly one leg for now.
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
    /// Not offered yet; only false.
    each_way: Option<bool>,
    /// Not offered yet.
    #[schema(ignore)]
    system: Option<IgnoredAny>,
}

/// One leg.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = Leg)]
#[serde(deny_unknown_fields)]
pub(crate) struct LegIn<'a> {
    /// Market key.
    #[serde(borrow)]
    #[schema(value_type = String, required, example = "betfair:1.197931750")]
    market: Option<Str<'a>>,
    /// Outcome key.
    #[schema(value_type = String, required, example = "36276560")]
    outcome: Option<Str<'a>>,
    /// Odds the player saw: `"7.4"`, `"8/13"` or `"-110"`.
    #[schema(value_type = String, required, example = "7.4")]
    odds: Option<Str<'a>>,
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
        let unit_stake = faults.need("unit_stake", input.unit_stake.as_ref(), strict::amount);
        let total_stake = faults.may("total_stake", input.total_stake.as_ref(), strict::amount);
        if let (Some(unit), Some(Some(total))) = (unit_stake, total_stake)
            && unit != total
        {
            faults.add_as("stake_mismatch", "total_stake", "is not unit_stake times the number of lines, which is 1");
        }
        let legs = legs(input.legs, faults);
        let policy = faults.may("odds_policy", input.odds_policy.as_ref(), policy);
        let client_ref = faults.may("client_ref", input.client_ref.as_ref(), client_ref);
        let durability = faults.may("durability", input.durability.as_ref(), durability);
        not_offered(input.each_way, input.system.is_some(), faults);
        let wager = WagerRequest {
            id: id?,
            account: account?,
            unit_stake: unit_stake?,
            total_stake: total_stake?,
            legs: legs?,
            policy: policy?.unwrap_or_default(),
            client_ref: client_ref?,
            durability: durability?.unwrap_or_default(),
        };
        Some(Asking { wager, wait_ms: input.wait_ms })
    }
}

fn legs(input: Option<List<Obj<LegIn<'_>>, LEGS_MAX>>, faults: &mut Faults) -> Option<Vec<Leg>> {
    let Some(List(input)) = input else {
        faults.add("legs", "is missing");
        return None;
    };
    match input.len() {
        1 => {}
        0 => faults.add("legs", "is empty; a wager has one leg"),
        _ => faults.add_as("unsupported", "legs", "accumulators are not offered yet; give exactly one leg"),
    }
    let read =
        |(n, leg): (usize, Obj<LegIn<'_>>)| faults.below(format_args!("legs[{n}]"), |faults| leg_of(&leg.0, faults));
    let legs: Vec<Option<Leg>> = input.into_iter().enumerate().map(read).collect();
    legs.into_iter().collect()
}

fn leg_of(input: &LegIn<'_>, faults: &mut Faults) -> Option<Leg> {
    let market = faults.need("market", input.market.as_ref(), MarketKey::new);
    let outcome = faults.need("outcome", input.outcome.as_ref(), OutcomeKey::new);
    let odds = faults.need("odds", input.odds.as_ref(), strict::odds);
    Some(Leg { market: market?, outcome: outcome?, odds: odds? })
}

fn policy(text: &str) -> Result<OddsPolicy, &'static str> {
    match text {
        "none" => Ok(OddsPolicy::None),
        "higher" => Ok(OddsPolicy::Higher),
        "any" => Ok(OddsPolicy::Any),
        _ => Err("is none of none, higher, any"),
    }
}

fn client_ref(text: &str) -> Result<Text, &'static str> {
    if text.len() > CLIENT_REF_BYTES_MAX { Err("is longer than 200 bytes") } else { Ok(Text::new(text)) }
}

fn durability(text: &str) -> Result<Durability, &'static str> {
    match text {
        "local" => Ok(Durability::Local),
        "geo" => Ok(Durability::Geo),
        _ => Err("is neither local nor geo"),
    }
}

fn not_offered(each_way: Option<bool>, system: bool, faults: &mut Faults) {
    if each_way == Some(true) {
        faults.add_as("unsupported", "each_way", "each-way wagers are not offered yet");
    }
    if system {
        faults.add_as("unsupported", "system", "system wagers are not offered yet");
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

/// An operator's cancellation of an undecided wager.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = WagerCancel)]
#[serde(deny_unknown_fields)]
pub(crate) struct CancelIn<'a> {
    /// Why, at most 200 bytes; it is kept in the log.
    #[serde(borrow)]
    #[schema(value_type = String, required)]
    reason: Option<Str<'a>>,
}

/// Reads the reason.
pub(crate) struct CancelBody;

impl Body for CancelBody {
    type In<'a> = CancelIn<'a>;
    type Parsed = Text;

    fn parse(input: CancelIn<'_>, faults: &mut Faults) -> Option<Text> {
        faults.need("reason", input.reason.as_ref(), client_ref)
    }
}
