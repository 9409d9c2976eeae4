//! A result that is neither plainly won nor plainly lost: half of the stake void, a dead heat, placed only, or with
//! deductions for withdrawn runners (DOMAIN.md 7). Says how an outcome ended; knows no stake and no wager.

use minicbor::decode::Decoder;
use minicbor::encode::{Encoder, Write};
use minicbor::{Decode, Encode};

use crate::Share;
use crate::limits::DEDUCTIONS_MAX;

/// What a deduction is taken from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum DeductionFrom {
    /// From the winnings, as Tattersalls Rule 4 does; several add up, to the cap.
    #[n(0)]
    Winnings,
    /// From the price as a whole, as an exchange's reduction factor does; several multiply.
    #[n(1)]
    Price,
}

/// What a withdrawn runner costs the others. The tables are an operator's data, not code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
pub struct Deduction {
    /// Taken from what.
    #[n(0)]
    pub from: DeductionFrom,
    /// How much of it.
    #[n(1)]
    pub share: Share,
    /// Time of the withdrawal, Unix ms: only wagers struck before it pay. `None`: all do.
    #[n(2)]
    pub before_ms: Option<u64>,
}

/// The deductions of one outcome, at most [`DEDUCTIONS_MAX`], in order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Deductions {
    held: [Option<Deduction>; DEDUCTIONS_MAX],
    cap: Option<Share>,
}

/// Most that Rule 4 takes of the winnings in all, where the operator states no other cap.
const CAP_DEFAULT: (u64, u64) = (9, 10);

impl Deductions {
    /// Deductions with their cap on the sum of those from winnings; `None` is 90p in the pound. `None` comes back when
    /// there are too many.
    #[must_use]
    pub fn new(mut all: Vec<Deduction>, cap: Option<Share>) -> Option<Self> {
        all.retain(|d| d.share > Share::ZERO);
        all.sort_unstable();
        let mut held = [None; DEDUCTIONS_MAX];
        for (n, deduction) in all.into_iter().enumerate() {
            *held.get_mut(n)? = Some(deduction);
        }
        Some(Self { held, cap })
    }

    /// Whether nothing is deducted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Deduction> {
        self.held.iter().flatten()
    }

    /// The cap as stated.
    #[must_use]
    pub const fn stated_cap(&self) -> Option<Share> {
        self.cap
    }

    /// The cap in force on the sum of deductions from winnings.
    #[must_use]
    pub fn cap(&self) -> Share {
        self.cap.unwrap_or_else(|| Share::new(CAP_DEFAULT.0, CAP_DEFAULT.1).expect("nine tenths are a share"))
    }
}

/// How an outcome ended, where `won`, `lost` and `void` do not say it. Always in its one canonical form: two sources
/// that mean the same hold equal values.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Grade {
    won: bool,
    placed: bool,
    void: Share,
    dead_heat: Share,
    place_dead_heat: Share,
    deductions: Deductions,
}

/// What a source says of an outcome, before it is brought into its canonical form.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Verdict {
    /// Whether it won.
    pub won: bool,
    /// Whether it was placed, for the place part of each-way wagers; what won is placed in any case.
    pub placed: bool,
    /// Part of the stake that returns: 0, a half or 1.
    pub void_factor: Share,
    /// Places left for the tied over the number of tied, above 0.
    pub dead_heat_factor: Share,
    /// The same for the place part.
    pub place_dead_heat_factor: Share,
    /// Deductions for withdrawn runners.
    pub deductions: Deductions,
}

impl Verdict {
    /// Plainly won or lost.
    #[must_use]
    pub const fn plain(won: bool) -> Self {
        Self {
            won,
            placed: won,
            void_factor: Share::ZERO,
            dead_heat_factor: Share::ONE,
            place_dead_heat_factor: Share::ONE,
            deductions: Deductions { held: [None; DEDUCTIONS_MAX], cap: None },
        }
    }
}

/// Why a verdict means nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum VerdictError {
    /// The void factor is none of 0, 1/2 and 1.
    #[error("void_factor is none of 0, 0.5 and 1")]
    VoidFactor,
    /// A dead-heat factor of 0.
    #[error("a dead-heat factor is above 0")]
    DeadHeat,
}

/// A verdict in its canonical form.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Canonical {
    Won,
    Lost,
    Void,
    Graded(Grade),
}

impl Grade {
    pub(crate) fn of(verdict: Verdict) -> Result<Canonical, VerdictError> {
        let Verdict { won, placed, void_factor, mut dead_heat_factor, mut place_dead_heat_factor, mut deductions } =
            verdict;
        if ![Share::ZERO, Share::HALF, Share::ONE].contains(&void_factor) {
            return Err(VerdictError::VoidFactor);
        }
        if dead_heat_factor == Share::ZERO || place_dead_heat_factor == Share::ZERO {
            return Err(VerdictError::DeadHeat);
        }
        if void_factor == Share::ONE {
            return Ok(Canonical::Void);
        }
        let placed = placed || won;
        // What does not bear on the money is no difference between two sources.
        if !won {
            dead_heat_factor = Share::ONE;
        }
        if !placed {
            place_dead_heat_factor = Share::ONE;
            deductions = Deductions::default();
        }
        if deductions.is_empty() {
            deductions = Deductions::default();
        }
        let plain = void_factor == Share::ZERO
            && dead_heat_factor == Share::ONE
            && place_dead_heat_factor == Share::ONE
            && deductions.is_empty();
        Ok(match (won, placed) {
            (true, _) if plain => Canonical::Won,
            (false, false) if plain => Canonical::Lost,
            _ => Canonical::Graded(Self {
                won,
                placed,
                void: void_factor,
                dead_heat: dead_heat_factor,
                place_dead_heat: place_dead_heat_factor,
                deductions,
            }),
        })
    }

    /// Everything that it says.
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        Verdict {
            won: self.won,
            placed: self.placed,
            void_factor: self.void,
            dead_heat_factor: self.dead_heat,
            place_dead_heat_factor: self.place_dead_heat,
            deductions: self.deductions,
        }
    }
}

/// A grade's numbered fields; its values are checked when it is read.
#[derive(Encode, Decode)]
struct Fields {
    #[n(0)]
    won: bool,
    #[n(1)]
    placed: bool,
    #[n(2)]
    void: Share,
    #[n(3)]
    dead_heat: Share,
    #[n(4)]
    place_dead_heat: Share,
    #[n(5)]
    deductions: Vec<Deduction>,
    #[n(6)]
    cap: Option<Share>,
}

impl<C> Encode<C> for Grade {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, ctx: &mut C) -> Result<(), minicbor::encode::Error<W::Error>> {
        let fields = Fields {
            won: self.won,
            placed: self.placed,
            void: self.void,
            dead_heat: self.dead_heat,
            place_dead_heat: self.place_dead_heat,
            deductions: self.deductions.iter().copied().collect(),
            cap: self.deductions.cap,
        };
        fields.encode(e, ctx)
    }
}

/// Only a grade in its canonical form comes out.
impl<'b, C> Decode<'b, C> for Grade {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        let wrong = || minicbor::decode::Error::message("a grade is in its canonical form");
        let f = Fields::decode(d, ctx)?;
        let deductions = Deductions::new(f.deductions.clone(), f.cap).ok_or_else(wrong)?;
        if !deductions.iter().eq(f.deductions.iter()) {
            return Err(wrong());
        }
        let verdict = Verdict {
            won: f.won,
            placed: f.placed,
            void_factor: f.void,
            dead_heat_factor: f.dead_heat,
            place_dead_heat_factor: f.place_dead_heat,
            deductions,
        };
        match Self::of(verdict) {
            Ok(Canonical::Graded(grade)) if grade.verdict() == verdict => Ok(grade),
            _ => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_the_same_is_the_same() {
        let plain = Verdict::plain(true);
        assert_eq!(Grade::of(plain), Ok(Canonical::Won));
        assert_eq!(Grade::of(Verdict { void_factor: Share::ONE, ..plain }), Ok(Canonical::Void));
        let lost = Verdict { dead_heat_factor: Share::HALF, ..Verdict::plain(false) };
        assert_eq!(Grade::of(lost), Ok(Canonical::Lost), "a dead heat of what lost changes nothing");
        let tenth = Deduction { from: DeductionFrom::Winnings, share: Share::new(1, 10).unwrap(), before_ms: Some(5) };
        let nothing = Deduction { share: Share::ZERO, ..tenth };
        let taken = Deductions::new(vec![nothing], Some(Share::HALF)).unwrap();
        assert_eq!(Grade::of(Verdict { deductions: taken, ..plain }), Ok(Canonical::Won));
        let price = Deduction { from: DeductionFrom::Price, ..tenth };
        assert_eq!(Deductions::new(vec![price, tenth], None), Deductions::new(vec![tenth, price], None));
        assert_eq!(Deductions::new(vec![tenth; DEDUCTIONS_MAX + 1], None), None);
        let third = Share::new(1, 3).unwrap();
        assert_eq!(Grade::of(Verdict { void_factor: third, ..plain }), Err(VerdictError::VoidFactor));
        assert_eq!(Grade::of(Verdict { dead_heat_factor: Share::ZERO, ..plain }), Err(VerdictError::DeadHeat));
    }
}
