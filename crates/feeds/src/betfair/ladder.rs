//! Price ladders of one runner: by price (`atb`, `atl`) and by position (`batb`, `batl`, `bdatb`, `bdatl`).
//!
//! Sorted vectors: a ladder has some dozens of levels, so moving a few bytes beats chasing pointers. It must not know
//! which side is which.

use super::{
    limits::POSITIONS_MAX,
    message::{Level, PositionLevel},
};
use crate::decimal::Decimal;

/// Levels by price, ascending, no size 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ladder {
    levels: Vec<Level>,
}

impl Ladder {
    /// Sets the size at a price; size 0 deletes the level.
    pub(crate) fn set(&mut self, level: Level) {
        match (self.levels.binary_search_by(|held| held.price.cmp(&level.price)), level.size.is_zero()) {
            (Ok(at), true) => drop(self.levels.remove(at)),
            (Ok(at), false) => {
                if let Some(held) = self.levels.get_mut(at) {
                    *held = level;
                }
            }
            (Err(_), true) => {}
            (Err(at), false) => self.levels.insert(at, level),
        }
    }

    /// The level with the highest price: the best to back, of the prices available to back.
    #[must_use]
    pub fn highest(&self) -> Option<Level> {
        self.levels.last().copied()
    }

    /// The level with the lowest price: the best to lay, of the prices available to lay.
    #[must_use]
    pub fn lowest(&self) -> Option<Level> {
        self.levels.first().copied()
    }

    /// All levels, by ascending price.
    #[must_use]
    pub fn levels(&self) -> &[Level] {
        &self.levels
    }
}

/// Levels by position, ascending, no size 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PositionLadder {
    levels: Vec<PositionLevel>,
}

impl PositionLadder {
    /// Sets price and size at a position; size 0 deletes the position.
    pub(crate) fn set(&mut self, level: PositionLevel) {
        match (self.levels.binary_search_by_key(&level.position, |held| held.position), level.size.is_zero()) {
            (Ok(at), true) => drop(self.levels.remove(at)),
            (Ok(at), false) => {
                if let Some(held) = self.levels.get_mut(at) {
                    *held = level;
                }
            }
            (Err(_), true) => {}
            (Err(at), false) => self.levels.insert(at, level),
        }
    }

    /// All levels, by ascending position; position 0 is the best.
    #[must_use]
    pub fn levels(&self) -> &[PositionLevel] {
        &self.levels
    }
}

/// A flat array: price, size, price, size, ...
impl<C> minicbor::Encode<C> for Ladder {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.array(self.levels.len() as u64 * 2)?;
        for level in &self.levels {
            e.encode_with(level.price, ctx)?.encode_with(level.size, ctx)?;
        }
        Ok(())
    }
}

impl<'b, C> minicbor::Decode<'b, C> for Ladder {
    fn decode(d: &mut minicbor::Decoder<'b>, ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        let flat: Vec<Decimal> = d.decode_with(ctx)?;
        let (pairs, rest) = flat.as_chunks::<2>();
        let levels: Vec<Level> = pairs.iter().map(|&[price, size]| Level { price, size }).collect();
        let sorted = levels.is_sorted_by(|a, b| a.price < b.price);
        if !rest.is_empty() || !sorted || levels.iter().any(|level| level.size.is_zero()) {
            return Err(minicbor::decode::Error::message("ladder is not a sorted list of filled levels"));
        }
        Ok(Self { levels })
    }
}

/// A flat array: position, price, size, ...
impl<C> minicbor::Encode<C> for PositionLadder {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.array(self.levels.len() as u64 * 3)?;
        for level in &self.levels {
            e.u8(level.position)?.encode_with(level.price, ctx)?.encode_with(level.size, ctx)?;
        }
        Ok(())
    }
}

impl<'b, C> minicbor::Decode<'b, C> for PositionLadder {
    fn decode(d: &mut minicbor::Decoder<'b>, ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        let wrong = || minicbor::decode::Error::message("ladder is not a sorted list of filled positions");
        let length = d.array()?.ok_or_else(wrong)?;
        if length % 3 != 0 || length / 3 > POSITIONS_MAX as u64 {
            return Err(wrong());
        }
        let mut levels: Vec<PositionLevel> = Vec::new();
        for _ in 0..length / 3 {
            let level = PositionLevel { position: d.u8()?, price: d.decode_with(ctx)?, size: d.decode_with(ctx)? };
            if levels.last().is_some_and(|last| last.position >= level.position) || level.size.is_zero() {
                return Err(wrong());
            }
            levels.push(level);
        }
        Ok(Self { levels })
    }
}
