//! Skip-gram with negative sampling: the trainer of word vectors, where a word is several rows.
//!
//! One thread, so the same seed gives the same bits whatever else runs. It does the sums of fastText
//! (`fasttext_node2vec.md` A3) in a better order: the rows of a centre are read once and written once for all of its
//! targets, where fastText reads and writes them for every target. The result differs by rounding only, because targets
//! have a matrix of their own.

use quintet_kernels::rng::{Rng, label};
use quintet_kernels::skipgram::{Centre, Scratch};

/// Input rows, output rows and the state of training.
pub struct SkipGram {
    input: Vec<f32>,
    output: Vec<f32>,
    negatives: usize,
    noise: Alias,
    rng: Rng,
    pairs: Vec<u32>,
    scratch: Scratch,
}

impl SkipGram {
    /// `rows` input rows drawn from U(-1/dim, 1/dim), one zero output row per entry of `noise`; `noise[i]` is
    /// proportional to the chance that `i` is drawn as a negative, `negatives` of which face each pair.
    pub fn new(rows: usize, noise: &[f64], dim: usize, negatives: usize, seed: u64) -> SkipGram {
        let mut rng = Rng::new(seed, &[label("skip-gram rows")]);
        let bound = 1.0 / dim as f32;
        SkipGram {
            input: (0..rows * dim).map(|_| rng.uniform(-bound, bound)).collect(),
            output: vec![0.0; noise.len() * dim],
            negatives: if noise.len() > 1 { negatives } else { 0 },
            noise: Alias::new(noise),
            rng: Rng::new(seed, &[label("skip-gram training")]),
            pairs: Vec::new(),
            scratch: Scratch::new(dim),
        }
    }

    /// The generator of everything random in training, for the caller's windows and sub-sampling.
    pub fn rng(&mut self) -> &mut Rng {
        &mut self.rng
    }

    /// One update per target: the centre is the mean of the input rows `rows` (repeats count).
    pub fn learn(&mut self, rows: &[u32], targets: &[u32], rate: f32) {
        self.pairs.clear();
        for &target in targets {
            self.pairs.push(target);
            for _ in 0..self.negatives {
                let negative = self.negative(target);
                self.pairs.push(negative);
            }
        }
        let centre = Centre { rows, pairs: &self.pairs, group: 1 + self.negatives, rate };
        centre.learn(&mut self.input, &mut self.output, &mut self.scratch);
    }

    /// The input rows `[rows, dim]`.
    pub fn into_rows(self) -> Vec<f32> {
        self.input
    }

    /// A draw from the noise that is not `target`.
    fn negative(&mut self, target: u32) -> u32 {
        // With two words of which one is almost never drawn the wait could be long; its neighbour does then.
        for _ in 0..100 {
            let drawn = self.noise.draw(&mut self.rng);
            if drawn != target {
                return drawn;
            }
        }
        (target + 1) % self.noise.keep.len() as u32
    }
}

/// Draws from a fixed distribution with one table look-up (Walker 1977, in Vose's order).
pub(super) struct Alias {
    /// Chance that a place keeps what was drawn.
    pub(super) keep: Vec<f32>,
    /// What stands in for it otherwise.
    pub(super) other: Vec<u32>,
}

impl Alias {
    pub(super) fn new(weights: &[f64]) -> Alias {
        let scale = weights.len() as f64 / weights.iter().sum::<f64>();
        let mut share: Vec<f64> = weights.iter().map(|w| w * scale).collect();
        let mut other: Vec<u32> = (0..weights.len() as u32).collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) = (0..weights.len()).partition(|&i| share[i] < 1.0);
        while let (Some(&s), Some(&l)) = (small.last(), large.last()) {
            small.pop();
            other[s] = l as u32;
            share[l] -= 1.0 - share[s];
            if share[l] < 1.0 {
                large.pop();
                small.push(l);
            }
        }
        // What is left differs from 1 by rounding.
        small.into_iter().chain(large).for_each(|i| share[i] = 1.0);
        Alias { keep: share.into_iter().map(|s| s as f32).collect(), other }
    }

    fn draw(&self, rng: &mut Rng) -> u32 {
        let i = rng.index(self.keep.len());
        if rng.f32() < self.keep[i] { i as u32 } else { self.other[i] }
    }
}

/// Mean of rows of a `[_, dim]` matrix.
pub(super) fn mean_rows(matrix: &[f32], dim: usize, rows: &[u32], out: &mut [f32]) {
    out.fill(0.0);
    for &row in rows {
        out.iter_mut().zip(&matrix[row as usize * dim..][..dim]).for_each(|(x, r)| *x += r);
    }
    let scale = 1.0 / rows.len() as f32;
    out.iter_mut().for_each(|x| *x *= scale);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_follows_its_weights() {
        let weights = [1.0, 0.0, 4.0, 2.0, 0.5];
        let alias = Alias::new(&weights);
        let mut rng = Rng::new(1, &[]);
        let mut counts = [0.0f64; 5];
        let n = 100_000;
        (0..n).for_each(|_| counts[alias.draw(&mut rng) as usize] += 1.0);
        assert_eq!(counts[1], 0.0);
        let chi: f64 = [0, 2, 3, 4]
            .map(|i| {
                let expected = weights[i] / 7.5 * f64::from(n);
                (counts[i] - expected).powi(2) / expected
            })
            .iter()
            .sum();
        assert!(chi < 16.3, "chi squared with 3 degrees of freedom: {chi} (16.3 is the 0.1 % point)");
    }
}
