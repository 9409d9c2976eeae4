//! Every bound of the house that is not a policy of one region, by name and unit.
//! Knows no code that applies them; overload is refused at these numbers, never met with a crash.

/// Longest key (market, outcome, event, producer, account) in bytes.
pub const KEY_BYTES_MAX: usize = 200;
/// Wagers in one batch call.
pub const BATCH_WAGERS_MAX: usize = 10_000;
/// Legs in one wager.
pub const LEGS_MAX: usize = 30;
/// Ids minted by one call.
pub const MINT_COUNT_MAX: usize = 10_000;
/// Odds written by one call.
pub const ODDS_WRITES_MAX: usize = 50_000;
/// Outcomes of one market.
pub const OUTCOMES_MAX: usize = 1_000;
/// Markets in the plane.
pub const MARKETS_MAX: usize = 1_000_000;
/// Accounts in the ledger.
pub const ACCOUNTS_MAX: usize = 20_000_000;
/// Stream lines in one feed call.
pub const FEED_LINES_MAX: usize = 50_000;
/// Own log entries with prepared wagers (level `geo`) that wait for acks: beyond it such wagers are not taken.
pub const PREPARED_ENTRIES_MAX: usize = 100_000;
/// Requests parked in the engine (for a token, for rights, for another region).
pub const PARKED_MAX: usize = 10_000;
/// A question to another region is sent again after this long without an answer, in ms.
pub const ASK_AGAIN_MS: u64 = 1_000;
/// How far ahead `place_by` of a wager may lie, in ms.
pub const WAGER_HORIZON_MS: u64 = 24 * 3_600_000;
/// How far ahead `place_by` of a posting may lie, in ms.
pub const POSTING_HORIZON_MS: u64 = 35 * 24 * 3_600_000;
/// Default life of a minted wager id, in ms.
pub const PLACE_BY_DEFAULT_MS: u64 = 60_000;
/// Longest a token may be, in bytes of its text form.
pub const TOKEN_BYTES_MAX: usize = 512;
/// A source time further ahead of the owner's time than this is refused where it enters, in ms.
pub const SOURCE_AHEAD_MS_MAX: u64 = 10_000;
/// A peer's hybrid time further ahead than this is applied but not learned from, in ms.
pub const PEER_AHEAD_MS_MAX: u64 = 1_000;
/// Odds older than this are not sold, in ms (default of the topology).
pub const FRESHNESS_MS_DEFAULT: u64 = 20_000;
/// Largest odds frame handed to the network at a time, in bytes.
pub const ODDS_FRAME_BYTES_MAX: usize = 16 * 1024;
/// Largest frame of any lane, in bytes.
pub const FRAME_BYTES_MAX: usize = 1024 * 1024;
/// Largest request that goes round a cut link, in bytes.
pub const RELAYED_BYTES_MAX: usize = 8 * 1024;
/// Log bytes served for one pull.
pub const PULL_BYTES_MAX: usize = 512 * 1024;
/// Events in one log entry; with rows of as many accounts it stays far below a frame.
pub const ENTRY_EVENTS_MAX: usize = 128;
/// Legs of all wagers in one log entry: with the longest keys they stay far below a frame.
pub const ENTRY_LEGS_MAX: usize = 512;
/// Encoded definition of one market, in bytes: several producers' slots of it fit into one frame.
pub const DEFINITION_BYTES_MAX: usize = 128 * 1024;
/// Producers with a slot in one price register.
pub const PRODUCERS_PER_PRICE_MAX: usize = 32;
/// Cancel windows of one market.
pub const CANCEL_WINDOWS_MAX: usize = 64;
/// Stops in the plane, each of one group of one event.
pub const STOPS_MAX: usize = 1_000_000;
/// Groups that are stopped by name in one event; a stop of one more counts as a stop of all.
pub const STOPS_PER_EVENT_MAX: usize = 64;
/// Suspensions of all, a sport or an event that are known at a region, lifted ones included.
pub const SCOPES_MAX: usize = 100_000;
/// Suspended accounts that are known at a region, lifted ones included, beyond which it suspends no other.
pub const EXCLUSIONS_MAX: usize = 1_000_000;
/// Longest in-play delay of a market that is applied, in ms.
pub const DELAY_MS_MAX: u64 = 60_000;
/// A wager whose delay is over and whose money or acks are still missing after this long is not placed, in ms.
pub const DELAY_JUDGED_MS: u64 = 10_000;
/// Wagers that wait for their markets' in-play delay at a region.
pub const DELAYED_MAX: usize = 100_000;
/// Kinds of markets with a description.
pub const DESCRIPTIONS_MAX: usize = 10_000;
/// Producers in the plane.
pub const PRODUCERS_MAX: usize = 1_000;
/// Latest time that is believed anywhere, Unix ms (the year 6429): leaves room for adding horizons.
pub const TIME_MS_MAX: u64 = 1 << 47;
/// Wagers settled in one call of the engine.
pub const SETTLE_SLICE_MAX: usize = 1_000;
/// Largest amount of one posting or wager, in minor units: leaves room for sums in 64 bits.
pub const AMOUNT_MINOR_MAX: u64 = 1_000_000_000_000_000;
/// Stakes and credits above the ack floor that are kept one by one: beyond it nothing is staked.
pub const UNACKED_MAX: usize = 1_000_000;
/// Longest name of a payment provider, in bytes.
pub const PROVIDER_BYTES_MAX: usize = 64;
/// Longest reference of a payment provider, in bytes.
pub const PROVIDER_REF_BYTES_MAX: usize = 200;
/// Payment references that one region has taken in and whose birth sites have not decided them yet.
pub const REFERENCES_UNDECIDED_MAX: usize = 50_000;
/// Longest channel of a session, in bytes.
pub const CHANNEL_BYTES_MAX: usize = 32;
/// How long a session lives unless it is ended, in ms.
pub const SESSION_LIFE_MS: u64 = 30 * 24 * 3_600_000;
/// How far ahead the end of a session's life may lie, in ms.
pub const SESSION_LIFE_MS_MAX: u64 = 90 * 24 * 3_600_000;
/// A session is forgotten this long after its life, in ms.
pub const SESSION_KEPT_MS: u64 = 10 * 60 * 1_000;
/// Sessions known at a region, of all regions, beyond which it opens none.
pub const SESSIONS_MAX: usize = 1_000_000;
/// Longest reason of an adjustment, in bytes.
pub const REASON_BYTES_MAX: usize = 500;
/// Rows of one list answer.
pub const LIST_MAX: usize = 1_000;
/// Markets asked for by name in one call, and of one list of markets.
pub const MARKETS_ASKED_MAX: usize = 500;
/// Markets looked at for one list of events: a page may end early, and the next one goes on.
pub const BROWSED_MAX: usize = 50_000;

/// Wager ids of regions that cannot be heard, noted by one region; beyond it such a wager is refused as unreachable.
pub const TICKETS_MAX: usize = 10_000;
/// Fences and tombstones of wager ids known at a region, of all regions, beyond which it closes and hands over none.
pub const HANDED_MAX: usize = 1_000_000;
/// Fences and tombstones of wager ids are kept this long after `place_by`, ms.
pub const HANDED_KEPT_MS: u64 = 10 * 60 * 1_000;

/// Entries at the end of every log that are always kept (default of the topology).
pub const LOG_TAIL_ENTRIES_DEFAULT: u64 = 100_000;
/// Entries of a log kept for a region that is silent (default of the topology).
pub const LOG_KEPT_ENTRIES_DEFAULT: u64 = 5_000_000;
/// Entries cut from a log, and sealed into one segment, at a time.
pub const CUT_SLICE_ENTRIES_MAX: u64 = 10_000;
/// Records of one page of a snapshot, in bytes, about.
pub const SNAPSHOT_PAGE_BYTES_MAX: usize = 256 * 1024;
/// Records of one page of a snapshot.
pub const SNAPSHOT_PAGE_RECORDS_MAX: usize = 1_000;
/// Deductions of one result: more withdrawals are written as one.
pub const DEDUCTIONS_MAX: usize = 4;
/// Lines of one wager, before each-way doubles them.
pub const LINES_MAX: u64 = 10_000;
/// Cash-outs of one wager.
pub const CASH_OUTS_MAX: usize = 16;
/// Steps of one wager's trail that are kept; cash-outs are among them and never dropped.
pub const WAGER_STEPS_MAX: usize = 32;
/// How long a cash-out quote holds, in ms.
pub const CASH_OUT_QUOTE_MS: u64 = 5_000;
/// How much later than its market closed a leg may have been taken, in ms (default of the topology).
pub const SKEW_ALLOWANCE_MS_DEFAULT: u64 = 1_000;
