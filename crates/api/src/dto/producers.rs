//! Producers: signs of life in, liveness out.

use model::{ProducerView, RejectCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::strict::{self, Body, Faults, Str};

/// A sign of life; may be left out altogether.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = Alive)]
#[serde(deny_unknown_fields)]
pub(crate) struct AliveIn<'a> {
    /// The producer's own time; the region's when absent.
    #[serde(borrow)]
    #[schema(value_type = Option<String>, format = DateTime)]
    source_time: Option<Str<'a>>,
}

/// Reads the source time.
pub(crate) struct AliveBody;

impl Body for AliveBody {
    type In<'a> = AliveIn<'a>;
    type Parsed = Option<u64>;

    fn parse(input: AliveIn<'_>, faults: &mut Faults) -> Option<Option<u64>> {
        faults.may("source_time", input.source_time.as_ref(), strict::time)
    }
}

/// All producers known here.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Producers)]
pub(crate) struct ProducersOut<'a> {
    producers: Vec<ProducerOut<'a>>,
}

/// Liveness of a producer here.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Producer)]
pub(crate) struct ProducerOut<'a> {
    producer: &'a str,
    /// Whether its odds are sold here.
    up: bool,
    /// Reject code, if not.
    refusal: Option<&'static str>,
    /// Age of its newest sign of life in ms; null if it was not heard since this node started.
    age_ms: Option<u64>,
}

impl<'a> ProducersOut<'a> {
    pub(crate) fn of(views: &'a [ProducerView]) -> Self {
        Self { producers: views.iter().map(ProducerOut::of).collect() }
    }
}

impl<'a> ProducerOut<'a> {
    pub(crate) fn of(view: &'a ProducerView) -> Self {
        Self {
            producer: view.producer.as_str(),
            up: view.up,
            refusal: view.refusal.map(RejectCode::name),
            age_ms: view.age_ms,
        }
    }
}
