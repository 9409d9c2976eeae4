//! The named limits of a stream: what is above them is refused, never cut short.

/// Bytes of one line, without its line end.
pub const LINE_BYTES_MAX: usize = 10_000_000;
/// Market changes in one message.
pub const MARKETS_PER_MESSAGE_MAX: usize = 10_000;
/// Runners (selections with their handicap) of one market.
pub const RUNNERS_MAX: usize = 1_000;
/// Price levels of one side of one runner; the exchange's ladder has 350 prices.
pub const LEVELS_MAX: usize = 1_024;
/// Positions of one best-prices ladder; the exchange sends at most 10.
pub const POSITIONS_MAX: usize = 64;
/// Bytes of a market or event id.
pub const ID_BYTES_MAX: usize = 64;
/// Bytes of a name or another short text.
pub const TEXT_BYTES_MAX: usize = 1_024;
/// Characters of foreign text quoted in an error's detail.
pub const QUOTE_CHARS_MAX: usize = 80;
