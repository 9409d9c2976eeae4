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
    /// The exposure window of an account is not looked at.
    DropS2,
    /// Credits are spent and granted before another region knows of them.
    DropS3,
    /// The exposure window of the region is not looked at.
    DropS4,
    /// A giver that is asked again takes the grant back: its answer must have been lost.
    RefundOnTimeout,
    /// Grants are applied as increments, also from entries that have come before.
    IncrementDeltas,
    /// The money guard sees what was free before its input, not what the input has spent already.
    GuardWithoutOverlay,
    /// A directory that peers know more of goes on writing.
    ResumeOldDirectory,
    /// A foreign wager id is decided without asking anybody.
    AcceptWithoutFence,
    /// A hand-over is used from the reply, before its entry has come in-stream.
    FenceFromReply,
    /// Another region's "not decided here" is taken for permission.
    QueryWithoutFence,
    /// A withdrawal counts as held before its entry is acknowledged.
    HeldEarly,
    /// A prepared wager counts as accepted before its entry is acknowledged.
    GeoEarly,
    /// A ticket places the wager itself as soon as its owner is linked again.
    TicketPlaces,
    /// A payment reference is decided by the region that hears of it, if that region has not decided it before.
    RefDedupeLocal,
}

impl Planted {
    /// All bugs that can be planted.
    pub const ALL: &'static [Self] = &[
        Self::AckBeforeSync,
        Self::NotSticky,
        Self::RegrantRepeats,
        Self::GrantFromReply,
        Self::GapApplied,
        Self::UptoEarly,
        Self::ResumeClearsAll,
        Self::GrantKept,
        Self::DropS2,
        Self::DropS3,
        Self::DropS4,
        Self::RefundOnTimeout,
        Self::IncrementDeltas,
        Self::GuardWithoutOverlay,
        Self::ResumeOldDirectory,
        Self::AcceptWithoutFence,
        Self::FenceFromReply,
        Self::QueryWithoutFence,
        Self::HeldEarly,
        Self::GeoEarly,
        Self::TicketPlaces,
        Self::RefDedupeLocal,
    ];
}
