//! Random numbers: a counter-based generator that all of Quintet draws its seeds from.
//!
//! A generator is a key and a counter; the n-th number is a fixed function of both, the SplitMix64 finaliser over a
//! Weyl sequence (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators"; it passes BigCrush).
//! So a draw depends on nothing but seed, stream and position: not on threads, order of work, or other draws.
//!
//! Give every use its own stream, and every unit of parallel work its own number in it:
//!
//! ```
//! use quintet_kernels::rng::{Rng, label};
//! let (seed, epoch, worker) = (7, 3, 1);
//! let mut order: Vec<u32> = (0..10).collect();
//! Rng::new(seed, &[label("shuffle"), epoch]).shuffle(&mut order);
//! let walk_from = Rng::new(seed, &[label("walk"), epoch, worker]).below(1000);
//! assert_eq!(walk_from, Rng::new(seed, &[label("walk"), epoch, worker]).below(1000));
//! ```
//!
//! Not for secrets. Integers and [`Rng::f64`]/[`Rng::f32`] are the same bits on every machine; [`Rng::normal`] uses the
//! platform's logarithm and cosine and may differ in the last bit between platforms.

/// Odd constant of the Weyl sequence: 2^64 divided by the golden ratio.
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// The 64-bit finaliser of SplitMix64 (Stafford's variant 13): a bijection in which every input bit reaches every
/// output bit.
const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number for a name, to tell streams of one seed apart. FNV-1a, so it never changes between versions.
pub const fn label(name: &str) -> u64 {
    let bytes = name.as_bytes();
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut i = 0;
    while i < bytes.len() {
        hash = (hash ^ bytes[i] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        i += 1;
    }
    hash
}

/// A generator: cheap to make (a few multiplications), 16 bytes, meant to be made wherever it is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rng {
    key: u64,
    drawn: u64,
}

impl Rng {
    /// The generator of `seed` for one purpose. `stream` says which: any numbers, order matters; `&[]` is a stream too.
    /// Each number is mixed in, so `&[1, 2]`, `&[2, 1]` and `&[1, 2, 0]` are unrelated.
    pub fn new(seed: u64, stream: &[u64]) -> Self {
        let mut key = mix(seed.wrapping_add(GAMMA));
        for &part in stream {
            key = mix(key.rotate_left(23).wrapping_add(GAMMA) ^ mix(part.wrapping_add(GAMMA)));
        }
        Self { key, drawn: 0 }
    }

    /// How many 64-bit numbers were drawn; with [`Rng::seek`] a checkpoint can store and restore the position.
    pub fn position(&self) -> u64 {
        self.drawn
    }

    /// Moves to any position in constant time.
    pub fn seek(&mut self, position: u64) {
        self.drawn = position;
    }

    /// 64 uniform bits.
    pub fn u64(&mut self) -> u64 {
        self.drawn = self.drawn.wrapping_add(1);
        mix(self.key.wrapping_add(self.drawn.wrapping_mul(GAMMA)))
    }

    /// 32 uniform bits.
    pub fn u32(&mut self) -> u32 {
        (self.u64() >> 32) as u32
    }

    /// Uniform in [0, 1), a multiple of 2^-53.
    pub fn f64(&mut self) -> f64 {
        (self.u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform in [0, 1), a multiple of 2^-24.
    pub fn f32(&mut self) -> f32 {
        (self.u64() >> 40) as f32 * (1.0 / (1u64 << 24) as f32)
    }

    /// Uniform in [`low`, `high`).
    pub fn uniform(&mut self, low: f32, high: f32) -> f32 {
        // Rounding may give `high` itself; the interval is half open.
        (low + (high - low) * self.f32()).min(high.next_down().max(low))
    }

    /// Uniform over 0..n without bias (Lemire 2019, multiplication with rejection).
    ///
    /// # Panics
    /// If `n` is 0.
    pub fn below(&mut self, n: u64) -> u64 {
        assert!(n > 0, "no number is below 0");
        let mut product = u128::from(self.u64()) * u128::from(n);
        if (product as u64) < n {
            let threshold = n.wrapping_neg() % n;
            while (product as u64) < threshold {
                product = u128::from(self.u64()) * u128::from(n);
            }
        }
        (product >> 64) as u64
    }

    /// Uniform over 0..n, for indices.
    ///
    /// # Panics
    /// If `n` is 0.
    pub fn index(&mut self, n: usize) -> usize {
        self.below(n as u64) as usize
    }

    /// True with probability `p` (never for `p` <= 0, always for `p` >= 1).
    pub fn chance(&mut self, p: f64) -> bool {
        self.f64() < p
    }

    /// Standard normal (Box and Muller 1958); always uses two draws.
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.f64()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.f64()).cos()
    }

    /// Uniform permutation in place (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.index(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// These bits are part of saved experiments: a change here changes every seeded result.
    #[test]
    fn the_bits_never_change() {
        // Key 0 makes it the published SplitMix64 with seed 0, whose first outputs are well known.
        let mut plain = Rng { key: 0, drawn: 0 };
        assert_eq!([plain.u64(), plain.u64()], [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4]);
        assert_eq!(label(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(label("a"), 0xaf63_dc4c_8601_ec8c);
        let mut order: Vec<u8> = (0..8).collect();
        Rng::new(42, &[label("shuffle"), 1]).shuffle(&mut order);
        assert_eq!(order, [3, 0, 5, 4, 2, 7, 6, 1]);
    }

    #[test]
    fn streams_differ_and_positions_return() {
        let first = |stream: &[u64]| Rng::new(1, stream).u64();
        let all = [first(&[]), first(&[0]), first(&[0, 0]), first(&[1, 2]), first(&[2, 1]), first(&[1, 2, 0])];
        let distinct: std::collections::BTreeSet<u64> = all.into_iter().collect();
        assert_eq!(distinct.len(), all.len());
        let mut rng = Rng::new(1, &[5]);
        rng.u64();
        let (here, next) = (rng.position(), rng.u64());
        rng.seek(here);
        assert_eq!(rng.u64(), next);
    }

    #[test]
    fn moments_are_those_of_the_distributions() {
        let mut rng = Rng::new(3, &[]);
        let n = 200_000;
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let uniform: Vec<f64> = (0..n).map(|_| rng.f64()).collect();
        let normal: Vec<f64> = (0..n).map(|_| rng.normal()).collect();
        let squared: Vec<f64> = normal.iter().map(|x| x * x).collect();
        // Five standard errors each.
        assert!((mean(&uniform) - 0.5).abs() < 5.0 * (1.0 / 12.0 / n as f64).sqrt());
        assert!(mean(&normal).abs() < 5.0 / (n as f64).sqrt());
        assert!((mean(&squared) - 1.0).abs() < 5.0 * (2.0 / n as f64).sqrt());
    }

    #[test]
    fn below_is_even_and_in_range() {
        let mut rng = Rng::new(9, &[]);
        let mut counts = [0u32; 7];
        for _ in 0..70_000 {
            counts[rng.index(7)] += 1;
        }
        let chi: f64 = counts.iter().map(|&c| (f64::from(c) - 1e4).powi(2) / 1e4).sum();
        assert!(chi < 30.0, "chi squared with 6 degrees of freedom: {chi}, counts {counts:?}");
        assert_eq!(rng.below(1), 0);
        for _ in 0..1000 {
            let x = rng.uniform(-0.1, 0.1);
            assert!((-0.1..0.1).contains(&x));
        }
    }
}
