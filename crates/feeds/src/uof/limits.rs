//! The named limits of a message: what is above them is refused, never cut short.

/// Bytes of one message, its XML declaration included.
pub const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Elements inside one another.
pub const DEPTH_MAX: usize = 32;
/// Attributes of one element; each is compared with those before it.
pub const ATTRIBUTES_MAX: usize = 64;
/// Markets in one message.
pub const MARKETS_PER_MESSAGE_MAX: usize = 10_000;
/// Outcomes in one message, those of all its markets.
pub const OUTCOMES_PER_MESSAGE_MAX: usize = 50_000;
/// Outcomes of one market.
pub const OUTCOMES_PER_MARKET_MAX: usize = model::limits::OUTCOMES_MAX;
/// Specifiers of one market.
pub const SPECIFIERS_MAX: usize = 16;
/// Groups that one stop names, or that one market belongs to.
pub const GROUPS_MAX: usize = 64;
/// Bytes of a group's name.
pub const GROUP_BYTES_MAX: usize = 64;
/// Messages of one body that are not well-formed: behind each, the next message has to be searched for.
pub const BROKEN_MAX: usize = 100;
/// Characters of foreign text quoted in an error's detail.
pub const QUOTE_CHARS_MAX: usize = 80;
