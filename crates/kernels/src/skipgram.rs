//! One step of skip-gram with negative sampling: a centre and all its pairs (Mikolov et al. 2013; Bojanowski et al. 2017
//! for a centre of several rows).
//!
//! Sums and products are rounded one by one in a fixed order at every level.

use crate::simd::{self, Level, Task};

/// Independent partial sums, so that the loop vectorises.
const LANES: usize = 16;
/// Sigmoid table as in fastText: so many steps on [-8, 8], 0 and 1 outside.
const STEPS: usize = 512;
const LIMIT: f32 = 8.0;

/// Memory that steps share.
#[derive(Clone, Debug)]
pub struct Scratch {
    sigmoid: Vec<f32>,
    hidden: Vec<f32>,
    gradient: Vec<f32>,
    total: Vec<f32>,
}

impl Scratch {
    /// For rows of length `dim`.
    pub fn new(dim: usize) -> Scratch {
        let step = 2.0 * LIMIT / STEPS as f32;
        Scratch {
            sigmoid: (0..=STEPS).map(|i| 1.0 / (1.0 + (LIMIT - i as f32 * step).exp())).collect(),
            hidden: vec![0.0; dim],
            gradient: vec![0.0; dim],
            total: vec![0.0; dim],
        }
    }

    fn sigmoid(&self, x: f32) -> f32 {
        match x {
            x if x <= -LIMIT => 0.0,
            x if x >= LIMIT => 1.0,
            x => self.sigmoid[((x + LIMIT) * (STEPS as f32 / (2.0 * LIMIT))) as usize],
        }
    }
}

/// A centre and what it is compared with.
#[derive(Clone, Copy, Debug)]
pub struct Centre<'a> {
    /// Rows of the input whose mean is the centre; a row named twice counts twice.
    pub rows: &'a [u32],
    /// Rows of the output: groups of one target and its negatives.
    pub pairs: &'a [u32],
    /// Length of a group: 1 + negatives.
    pub group: usize,
    /// Learning rate.
    pub rate: f32,
}

impl Centre<'_> {
    /// Updates `input` and `output`, both `[_, dim]`, as if the centre's rows were read and written for every group; they
    /// are read and written once. Each row of the centre moves by the whole gradient, as in fastText.
    ///
    /// # Panics
    /// If a row is out of range, or `scratch` is for another `dim`.
    pub fn learn(&self, input: &mut [f32], output: &mut [f32], scratch: &mut Scratch) {
        self.learn_at(Level::best(), input, output, scratch);
    }

    fn learn_at(&self, level: Level, input: &mut [f32], output: &mut [f32], scratch: &mut Scratch) {
        if !self.rows.is_empty() && !self.pairs.is_empty() {
            simd::run_at(level, Step { centre: *self, input, output, scratch });
        }
    }

    /// Sum of squared multiplicities of the rows: by how many gradients their sum moves.
    fn repeats(&self) -> f32 {
        let later = |i: usize| self.rows[i + 1..].iter().filter(|row| **row == self.rows[i]).count();
        (self.rows.len() + 2 * (0..self.rows.len()).map(later).sum::<usize>()) as f32
    }
}

struct Step<'a> {
    centre: Centre<'a>,
    input: &'a mut [f32],
    output: &'a mut [f32],
    scratch: &'a mut Scratch,
}

impl Task for Step<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Step { centre, input, output, scratch } = self;
        let dim = scratch.hidden.len();
        scratch.hidden.fill(0.0);
        scratch.total.fill(0.0);
        for &row in centre.rows {
            add(&mut scratch.hidden, &input[row as usize * dim..][..dim]);
        }
        let scale = 1.0 / centre.rows.len() as f32;
        scratch.hidden.iter_mut().for_each(|x| *x *= scale);
        let pull = centre.repeats() / centre.rows.len() as f32;
        for group in centre.pairs.chunks(centre.group) {
            scratch.gradient.fill(0.0);
            for (i, &row) in group.iter().enumerate() {
                let label = if i == 0 { 1.0 } else { 0.0 };
                let row = &mut output[row as usize * dim..][..dim];
                let alpha = centre.rate * (label - scratch.sigmoid(dot(&scratch.hidden, row)));
                for ((g, o), h) in scratch.gradient.iter_mut().zip(row).zip(&scratch.hidden) {
                    *g += alpha * *o;
                    *o += alpha * h;
                }
            }
            for ((total, hidden), g) in scratch.total.iter_mut().zip(&mut scratch.hidden).zip(&scratch.gradient) {
                *total += g;
                *hidden += pull * g;
            }
        }
        for &row in centre.rows {
            add(&mut input[row as usize * dim..][..dim], &scratch.total);
        }
    }
}

#[inline(always)]
fn add(to: &mut [f32], from: &[f32]) {
    to.iter_mut().zip(from).for_each(|(t, f)| *t += f);
}

#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a_blocks, a_rest) = a.as_chunks::<LANES>();
    let (b_blocks, b_rest) = b.as_chunks::<LANES>();
    let mut sums = [0.0f32; LANES];
    for (x, y) in a_blocks.iter().zip(b_blocks) {
        for k in 0..LANES {
            sums[k] += x[k] * y[k];
        }
    }
    sums.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(x, y)| x * y).sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    /// Input and output after a few steps at `level`, all groups of a centre at once or one by one.
    fn trained(level: Level, dim: usize, at_once: bool) -> (Vec<f32>, Vec<f32>) {
        let mut rng = Rng::new(4, &[]);
        let mut input: Vec<f32> = (0..7 * dim).map(|_| rng.uniform(-0.5, 0.5)).collect();
        let mut output: Vec<f32> = (0..9 * dim).map(|_| rng.uniform(-0.5, 0.5)).collect();
        let mut scratch = Scratch::new(dim);
        for _ in 0..30 {
            let rows: Vec<u32> = (0..1 + rng.index(5)).map(|_| rng.index(7) as u32).collect();
            let pairs: Vec<u32> = (0..12).map(|_| rng.index(9) as u32).collect();
            for pairs in pairs.chunks(if at_once { 12 } else { 4 }) {
                let centre = Centre { rows: &rows, pairs, group: 4, rate: 0.05 };
                centre.learn_at(level, &mut input, &mut output, &mut scratch);
            }
        }
        (input, output)
    }

    #[test]
    fn every_level_has_the_same_bits() {
        for dim in [1, 16, 37, 300] {
            for level in Level::available() {
                assert_eq!(trained(level, dim, true), trained(Level::Portable, dim, true), "{level:?}, {dim}");
            }
        }
    }

    #[test]
    fn groups_at_once_are_groups_one_by_one() {
        let (once, single) = (trained(Level::best(), 20, true), trained(Level::best(), 20, false));
        let worst = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst(&once.0, &single.0) < 1e-5 && worst(&once.1, &single.1) < 1e-5);
        assert!(worst(&once.0, &trained(Level::best(), 20, true).0) == 0.0);
    }

    #[test]
    fn one_pair_by_hand() {
        let (mut input, mut output) = (vec![0.2, -0.4, 0.6, 0.8], vec![1.0, 0.5]);
        let centre = Centre { rows: &[0, 1], pairs: &[0], group: 6, rate: 0.1 };
        centre.learn(&mut input, &mut output, &mut Scratch::new(2));
        // The centre is (0.4, 0.2), the product 0.5; the table is within 0.008 of the sigmoid.
        let alpha = 0.1 * (1.0 - 1.0 / (1.0 + (-0.5f32).exp()));
        let expected =
            [1.0 + alpha * 0.4, 0.5 + alpha * 0.2, 0.2 + alpha, -0.4 + alpha / 2.0, 0.6 + alpha, 0.8 + alpha / 2.0];
        for (got, want) in output.iter().chain(&input).zip(expected) {
            assert!((got - want).abs() < 1e-3, "{got} for {want}");
        }
    }
}
