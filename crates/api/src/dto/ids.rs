//! The mint block and minted ids.

use model::{Mint, MintedId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::config::ApiConfig;
use crate::dto::shown::Shown;

/// What a client needs in order to stamp ids of its own.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Mint)]
pub(crate) struct MintOut {
    /// Region number.
    region: u16,
    /// The region's name.
    name: String,
    incarnation: u32,
    /// The region's own time, Unix ms.
    now_ms: u64,
    /// Furthest `place_by` of a wager, Unix ms.
    place_by_ms_max: u64,
}

impl MintOut {
    pub(crate) fn of(mint: Mint, config: &ApiConfig) -> Self {
        Self {
            region: mint.region,
            name: config.region(mint.region),
            incarnation: mint.incarnation,
            now_ms: mint.now_ms,
            place_by_ms_max: mint.place_by_ms_max,
        }
    }
}

/// Freshly minted ids.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Ids)]
pub(crate) struct IdsOut {
    #[schema(value_type = Vec<String>)]
    pub(crate) ids: Vec<Shown<MintedId>>,
    pub(crate) mint: MintOut,
}
