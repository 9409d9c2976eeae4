//! Planted bugs: forbidden shortcuts that the suite must catch. Only builds with the feature `planted` (the simulator's
//! and the tests') can plant one; in every other build [`Planted::Nothing`] is all there is.

/// A bug to plant.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Planted {
    /// None.
    #[default]
    Nothing,
    /// Effects leave before their batch is durable.
    AckBeforeSync,
    /// A decided id is decided again.
    NotSticky,
    /// A repeated acquire request is granted again.
    RegrantRepeats,
    /// A grant is used from the reply, before its entry has come in-stream.
    GrantFromReply,
    /// Log entries are applied across a gap.
    GapApplied,
    /// `upto` is sent while values of its round are still waiting.
    UptoEarly,
    /// Resume clears suspensions that it has not seen.
    ResumeClearsAll,
    /// A grant does not lower what the giver may spend.
    GrantKept,
    /// A withdrawal counts as held before its entry is acknowledged.
    HeldEarly,
}

impl Planted {
    /// All bugs that can be planted.
    pub const ALL: [Self; 9] = [
        Self::AckBeforeSync,
        Self::NotSticky,
        Self::RegrantRepeats,
        Self::GrantFromReply,
        Self::GapApplied,
        Self::UptoEarly,
        Self::ResumeClearsAll,
        Self::GrantKept,
        Self::HeldEarly,
    ];
}
