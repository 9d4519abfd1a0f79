//! Exact samples from given bytes: the samplers of the crate `prio` (Canonne, Kamath, Steinke 2020), which compute with
//! integers only. Its version is pinned: another one may read the bytes otherwise.

use fedaudit_core::plan::Mechanism;
use fedaudit_core::privacy::{Noise, Scale, Stream};
use prio::dp::Rational;
use prio::dp::distributions::{DiscreteGaussian, DiscreteLaplace};
use rand::TryRng;
use rand::distr::Distribution;
use std::convert::Infallible;

/// So many samples.
///
/// # Errors
/// A scale that is none, or a sample beyond 64 bits.
pub(super) fn draw(noise: &Noise, count: usize, stream: Stream) -> Result<Vec<i64>, String> {
    let Scale { numerator, denominator } = noise.scale;
    let scale = Rational::from_unsigned(numerator, denominator).map_err(|e| e.to_string())?;
    let mut bytes = Bytes(stream);
    match noise.mechanism {
        Mechanism::DiscreteLaplace => {
            samples(&DiscreteLaplace::new(scale).map_err(|e| e.to_string())?, count, &mut bytes)
        }
        Mechanism::DiscreteGaussian => {
            samples(&DiscreteGaussian::new(scale).map_err(|e| e.to_string())?, count, &mut bytes)
        }
    }
}

fn samples<T>(of: &impl Distribution<T>, count: usize, bytes: &mut Bytes) -> Result<Vec<i64>, String>
where
    i64: TryFrom<T>,
{
    (0..count).map(|_| i64::try_from(of.sample(bytes)).map_err(|_| "noise beyond 64 bits".to_owned())).collect()
}

/// The bytes, as samplers read them: integers little-endian.
struct Bytes(Stream);

impl TryRng for Bytes {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
