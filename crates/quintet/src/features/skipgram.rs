//! Skip-gram with negative sampling: the one trainer behind word vectors (a word is several rows) and user vectors
//! (a user is one row).
//!
//! One thread, so the same seed gives the same bits whatever else runs. It does the sums of fastText
//! (`fasttext_node2vec.md` A3) in a better order: the rows of a centre are read once and written once for all of its
//! targets, where fastText reads and writes them for every target. The result differs by rounding only, because targets
//! have a matrix of their own.

use quintet_kernels::rng::{Rng, label};

/// Input rows, output rows and the state of training.
pub struct SkipGram {
    dim: usize,
    input: Vec<f32>,
    output: Vec<f32>,
    negatives: usize,
    noise: Alias,
    sigmoid: Vec<f32>,
    rng: Rng,
    hidden: Vec<f32>,
    gradient: Vec<f32>,
    total: Vec<f32>,
}

/// Sigmoid table as in fastText: 512 steps on [-8, 8], 0 and 1 outside.
const SIGMOID_STEPS: usize = 512;
const SIGMOID_LIMIT: f32 = 8.0;

impl SkipGram {
    /// `rows` input rows drawn from U(-1/dim, 1/dim), one zero output row per entry of `noise`; `noise[i]` is
    /// proportional to the chance that `i` is drawn as a negative, `negatives` of which face each pair.
    pub fn new(rows: usize, noise: &[f64], dim: usize, negatives: usize, seed: u64) -> SkipGram {
        let mut rng = Rng::new(seed, &[label("skip-gram rows")]);
        let bound = 1.0 / dim as f32;
        let step = 2.0 * SIGMOID_LIMIT / SIGMOID_STEPS as f32;
        SkipGram {
            dim,
            input: (0..rows * dim).map(|_| rng.uniform(-bound, bound)).collect(),
            output: vec![0.0; noise.len() * dim],
            negatives: if noise.len() > 1 { negatives } else { 0 },
            noise: Alias::new(noise),
            sigmoid: (0..=SIGMOID_STEPS).map(|i| 1.0 / (1.0 + (SIGMOID_LIMIT - i as f32 * step).exp())).collect(),
            rng: Rng::new(seed, &[label("skip-gram training")]),
            hidden: vec![0.0; dim],
            gradient: vec![0.0; dim],
            total: vec![0.0; dim],
        }
    }

    /// The generator of everything random in training, for the caller's windows and sub-sampling.
    pub fn rng(&mut self) -> &mut Rng {
        &mut self.rng
    }

    /// One update per target: the centre is the mean of the input rows `rows` (repeats count).
    pub fn learn(&mut self, rows: &[u32], targets: &[u32], rate: f32) {
        if rows.is_empty() || targets.is_empty() {
            return;
        }
        mean_rows(&self.input, self.dim, rows, &mut self.hidden);
        self.total.fill(0.0);
        let pull = repeats(rows) / rows.len() as f32;
        for &target in targets {
            self.gradient.fill(0.0);
            self.pair(target, 1.0, rate);
            for _ in 0..self.negatives {
                let negative = self.negative(target);
                self.pair(negative, 0.0, rate);
            }
            add(&mut self.total, &self.gradient, 1.0);
            add(&mut self.hidden, &self.gradient, pull);
        }
        for &row in rows {
            add(row_mut(&mut self.input, self.dim, row), &self.total, 1.0);
        }
    }

    /// The input rows `[rows, dim]`.
    pub fn into_rows(self) -> Vec<f32> {
        self.input
    }

    /// Logistic regression of `label` on the centre and output row `target`.
    fn pair(&mut self, target: u32, label: f32, rate: f32) {
        let output = row_mut(&mut self.output, self.dim, target);
        let dot = dot(&self.hidden, output);
        let score = if dot <= -SIGMOID_LIMIT {
            0.0
        } else if dot >= SIGMOID_LIMIT {
            1.0
        } else {
            self.sigmoid[((dot + SIGMOID_LIMIT) * (SIGMOID_STEPS as f32 / (2.0 * SIGMOID_LIMIT))) as usize]
        };
        let alpha = rate * (label - score);
        for ((g, o), h) in self.gradient.iter_mut().zip(output).zip(&self.hidden) {
            *g += alpha * *o;
            *o += alpha * h;
        }
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
struct Alias {
    keep: Vec<f32>,
    other: Vec<u32>,
}

impl Alias {
    fn new(weights: &[f64]) -> Alias {
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

/// Sum of squared multiplicities: by how many row gradients the sum over `rows` moves when each row moves once per repeat.
fn repeats(rows: &[u32]) -> f32 {
    if rows.len() == 1 {
        return 1.0;
    }
    let equal = rows.iter().enumerate().map(|(i, a)| rows[i + 1..].iter().filter(|b| *b == a).count()).sum::<usize>();
    (rows.len() + 2 * equal) as f32
}

/// Mean of rows of a `[_, dim]` matrix.
pub(super) fn mean_rows(matrix: &[f32], dim: usize, rows: &[u32], out: &mut [f32]) {
    out.fill(0.0);
    for &row in rows {
        add(out, &matrix[row as usize * dim..][..dim], 1.0);
    }
    let scale = 1.0 / rows.len() as f32;
    out.iter_mut().for_each(|x| *x *= scale);
}

fn row_mut(matrix: &mut [f32], dim: usize, row: u32) -> &mut [f32] {
    &mut matrix[row as usize * dim..][..dim]
}

fn add(to: &mut [f32], from: &[f32], scale: f32) {
    to.iter_mut().zip(from).for_each(|(t, f)| *t += scale * f);
}

/// Dot product in sixteen running sums, which the compiler turns into vector instructions; the order of the sums, and so
/// the bits, is the same on every machine.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a_blocks, a_rest) = a.as_chunks::<16>();
    let (b_blocks, b_rest) = b.as_chunks::<16>();
    let mut sums = [0.0f32; 16];
    for (x, y) in a_blocks.iter().zip(b_blocks) {
        for k in 0..16 {
            sums[k] += x[k] * y[k];
        }
    }
    sums.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(x, y)| x * y).sum::<f32>()
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

    /// The order of the specification: rows read, and every one updated, once per target.
    fn by_the_book(model: &mut SkipGram, rows: &[u32], targets: &[u32], rate: f32) {
        for &target in targets {
            model.learn(rows, &[target], rate);
        }
    }

    #[test]
    fn one_pass_over_the_rows_equals_one_pass_per_target() {
        let make = || SkipGram::new(6, &[1.0; 4], 20, 2, 7);
        let (mut ours, mut book) = (make(), make());
        for step in 0..50 {
            let (rows, targets) = ([step % 6, 3, 3, 5], [0, 1, step % 4, 2]);
            ours.learn(&rows, &targets, 0.05);
            by_the_book(&mut book, &rows, &targets, 0.05);
        }
        let worst = ours.input.iter().zip(&book.input).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-6, "largest difference {worst}");
    }

    #[test]
    fn one_pair_by_hand() {
        let mut model = SkipGram::new(2, &[1.0], 2, 5, 1);
        model.input = vec![0.2, -0.4, 0.6, 0.8];
        model.output = vec![1.0, 0.5];
        model.learn(&[0, 1], &[0], 0.1);
        // hidden (0.4, 0.2), dot 0.5, sigmoid 0.6225 (table: within 0.008), alpha 0.03775
        let alpha = 0.1 * (1.0 - 1.0 / (1.0 + (-0.5f32).exp()));
        for (got, want) in model.output.iter().zip([1.0 + alpha * 0.4, 0.5 + alpha * 0.2]) {
            assert!((got - want).abs() < 5e-4);
        }
        for (got, want) in model.input.iter().zip([0.2 + alpha, -0.4 + alpha * 0.5, 0.6 + alpha, 0.8 + alpha * 0.5]) {
            assert!((got - want).abs() < 1e-3);
        }
    }
}
