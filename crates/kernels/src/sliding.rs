//! A convolution over three neighbours followed by ReLU and the maximum over a sliding window, with its taps applied before:
//! what a token adds is computed once per distinct token, what the states beside it add once per state.
//!
//! g(t) = ReLU(left(t - 1) + own(token(t)) + right(t + 1)), and m(t) = max of g(t), ..., g(t + window - 1), each for every
//! channel; beyond the ends of a text left and right are zero (Lau et al. 2017, section 3.1, after Lai et al. 2015).

use crate::scratch::Scratch;
use crate::simd;
use crate::threads::rows_per_job;
use rayon::prelude::*;

/// Sizes of a batch of texts of equal length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Number of texts.
    pub texts: usize,
    /// Tokens of each.
    pub length: usize,
    /// Channels.
    pub channels: usize,
    /// Width of the window, at most 255 and at most `length`.
    pub window: usize,
}

impl Shape {
    /// Windows of a text.
    pub fn windows(&self) -> usize {
        self.length + 1 - self.window
    }

    fn check(&self, tokens: &[u32], own: &[f32]) {
        assert!((1..=self.length.min(255)).contains(&self.window), "no window of {} in {}", self.window, self.length);
        assert_eq!(tokens.len(), self.texts * self.length, "tokens must be [texts, length]");
        assert!(own.len().is_multiple_of(self.channels), "own must be [rows, channels]");
    }
}

/// Gradients of [`forward`]'s inputs, of the same shapes.
#[derive(Clone, Debug, PartialEq)]
pub struct Grads {
    /// `[texts * length, channels]`.
    pub left: Vec<f32>,
    /// `[rows, channels]`.
    pub own: Vec<f32>,
    /// `[texts * length, channels]`.
    pub right: Vec<f32>,
}

/// `[texts * windows, channels]`, and where each maximum was found: the first of equal ones, counted from the window's start.
///
/// `left` and `right` are `[texts * length, channels]`, `own` `[rows, channels]`, and `tokens` names a row of it for each
/// position.
///
/// # Panics
/// If the shapes disagree.
pub fn forward(shape: &Shape, left: &[f32], own: &[f32], right: &[f32], tokens: &[u32]) -> (Vec<f32>, Vec<u8>) {
    shape.check(tokens, own);
    let Shape { length, channels, .. } = *shape;
    assert_eq!([left.len(), right.len()], [tokens.len() * channels; 2], "sides must be [texts * length, channels]");
    let of_text = shape.windows() * channels;
    let (mut best, mut found) = (vec![0.0; shape.texts * of_text], vec![0; shape.texts * of_text]);
    let jobs = (best.par_chunks_mut(of_text), found.par_chunks_mut(of_text), tokens.par_chunks(length));
    jobs.into_par_iter().enumerate().for_each_init(
        || Scratch::new(length * channels),
        |sums, (text, (best, found, tokens))| {
            let sides = text * length * channels..(text + 1) * length * channels;
            let (left, right) = (&left[sides.clone()], &right[sides]);
            for (t, &token) in tokens.iter().enumerate() {
                let sum = &mut sums[t * channels..][..channels];
                sum.copy_from_slice(&own[token as usize * channels..][..channels]);
                if t > 0 {
                    simd::run(crate::sums::Add { sum, values: &left[(t - 1) * channels..][..channels] });
                }
                if t + 1 < length {
                    simd::run(crate::sums::Add { sum, values: &right[(t + 1) * channels..][..channels] });
                }
            }
            let windows = best.chunks_mut(channels).zip(found.chunks_mut(channels)).enumerate();
            for (t, (best, found)) in windows {
                simd::run(Largest { values: &sums[t * channels..][..shape.window * channels], best, found });
            }
        },
    );
    (best, found)
}

/// The largest of several rows, channel by channel, or zero.
struct Largest<'a> {
    /// `[window, channels]`.
    values: &'a [f32],
    best: &'a mut [f32],
    found: &'a mut [u8],
}

impl simd::Task for Largest<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let channels = self.best.len();
        let (best, found) = (&mut self.best[..channels], &mut self.found[..channels]);
        // ReLU commutes with the maximum; where nothing is positive there is no gradient, wherever it was found.
        best.fill(0.0);
        found.fill(0);
        for (k, row) in self.values.chunks_exact(channels).enumerate() {
            for j in 0..channels {
                let larger = row[j] > best[j];
                best[j] = if larger { row[j] } else { best[j] };
                found[j] = if larger { k as u8 } else { found[j] };
            }
        }
    }
}

/// Gradients for `dbest` `[texts * windows, channels]`; `best` and `found` are what [`forward`] gave for `tokens`, and
/// `rows` is the number of rows of `own`.
///
/// # Panics
/// If the shapes disagree.
pub fn backward(shape: &Shape, best: &[f32], found: &[u8], tokens: &[u32], rows: usize, dbest: &[f32]) -> Grads {
    shape.check(tokens, &[]);
    let Shape { texts, length, channels, .. } = *shape;
    let (of_text, sides) = (shape.windows() * channels, texts * length * channels);
    assert_eq!(
        [best.len(), found.len(), dbest.len()],
        [texts * of_text; 3],
        "results must be [texts * windows, channels]"
    );
    let mut dsums = Scratch::new(sides);
    let jobs = (
        dsums.par_chunks_mut(length * channels),
        best.par_chunks(of_text),
        found.par_chunks(of_text),
        dbest.par_chunks(of_text),
    );
    jobs.into_par_iter().for_each(|(dsums, best, found, dbest)| {
        dsums.fill(0.0);
        for t in 0..shape.windows() {
            for j in t * channels..(t + 1) * channels {
                if best[j] > 0.0 {
                    dsums[j + found[j] as usize * channels] += dbest[j];
                }
            }
        }
    });
    let (mut left, mut right) = (vec![0.0; sides], vec![0.0; sides]);
    let jobs = (
        left.par_chunks_mut(length * channels),
        right.par_chunks_mut(length * channels),
        dsums.par_chunks(length * channels),
    );
    jobs.into_par_iter().for_each(|(left, right, dsums)| {
        let most = (length - 1) * channels;
        left[..most].copy_from_slice(&dsums[channels..]);
        right[channels..].copy_from_slice(&dsums[..most]);
    });
    Grads { left, own: sums_by_row(&dsums, tokens, rows, channels), right }
}

/// `[rows, channels]`: the rows of `values` added up by the row that `tokens` names, in order. Threads share out channels,
/// because most positions may name one row, the padding.
fn sums_by_row(values: &[f32], tokens: &[u32], rows: usize, channels: usize) -> Vec<f32> {
    const WIDTH: usize = 64;
    let blocks: Vec<Vec<f32>> = (0..channels.div_ceil(WIDTH))
        .into_par_iter()
        .with_min_len(rows_per_job(tokens.len() * WIDTH))
        .map(|block| {
            let from = block * WIDTH;
            let width = WIDTH.min(channels - from);
            let mut sums = vec![0.0; rows * width];
            for (row, &token) in values.chunks_exact(channels).zip(tokens) {
                let sum = &mut sums[token as usize * width..][..width];
                simd::run(crate::sums::Add { sum, values: &row[from..from + width] });
            }
            sums
        })
        .collect();
    let mut sums = vec![0.0; rows * channels];
    for (block, part) in blocks.iter().enumerate() {
        let from = block * WIDTH;
        let width = WIDTH.min(channels - from);
        for (row, part) in sums.chunks_exact_mut(channels).zip(part.chunks_exact(width)) {
            row[from..from + width].copy_from_slice(part);
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use proptest::prelude::*;

    struct Case {
        shape: Shape,
        parts: [Vec<f32>; 3],
        tokens: Vec<u32>,
        rows: usize,
    }

    impl Case {
        fn new(seed: u64, shape: Shape) -> Case {
            let (mut rng, rows) = (Rng::new(seed, &[]), 4);
            let positions = shape.texts * shape.length;
            let tokens = (0..positions).map(|_| rng.index(rows) as u32).collect();
            let mut values = |rows: usize| (0..rows * shape.channels).map(|_| rng.uniform(-1.0, 1.0)).collect();
            Case { shape, parts: [values(positions), values(rows), values(positions)], tokens, rows }
        }

        fn run(&self) -> (Vec<f32>, Vec<u8>) {
            let [left, own, right] = &self.parts;
            forward(&self.shape, left, own, right, &self.tokens)
        }

        /// The definition, value by value.
        fn plain(&self) -> Vec<f64> {
            let Shape { texts, length, channels, window } = self.shape;
            let [left, own, right] = &self.parts;
            let g = |text: usize, t: usize, j: usize| {
                let at = |values: &[f32], t: usize| f64::from(values[(text * length + t) * channels + j]);
                let mut sum = f64::from(own[self.tokens[text * length + t] as usize * channels + j]);
                sum += if t > 0 { at(left, t - 1) } else { 0.0 };
                sum += if t + 1 < length { at(right, t + 1) } else { 0.0 };
                sum.max(0.0)
            };
            let mut out = Vec::new();
            for text in 0..texts {
                for t in 0..=length - window {
                    out.extend((0..channels).map(|j| (t..t + window).map(|t| g(text, t, j)).fold(0.0, f64::max)));
                }
            }
            out
        }

        fn loss(&self, dout: &[f32]) -> f64 {
            self.plain().iter().zip(dout).map(|(y, d)| y * f64::from(*d)).sum()
        }
    }

    fn shapes() -> impl Strategy<Value = Shape> {
        (0usize..4, 1usize..9, 1usize..70, 0usize..9).prop_map(|(texts, length, channels, window)| Shape {
            texts,
            length,
            channels,
            window: 1 + window % length,
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn values_follow_the_definition(shape in shapes(), seed: u64) {
            let case = Case::new(seed, shape);
            let (best, _) = case.run();
            let exact = case.plain();
            prop_assert_eq!(best.len(), exact.len());
            for (ours, exact) in best.iter().zip(exact) {
                prop_assert!((f64::from(*ours) - exact).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn gradients_are_slopes() {
        let mut case = Case::new(3, Shape { texts: 2, length: 5, channels: 3, window: 2 });
        let (best, found) = case.run();
        let mut rng = Rng::new(4, &[]);
        let dout: Vec<f32> = (0..best.len()).map(|_| rng.uniform(-1.0, 1.0)).collect();
        let grads = backward(&case.shape, &best, &found, &case.tokens, case.rows, &dout);
        // Small, so that no maximum changes hands; the function is linear in between.
        let step = 1e-4f32;
        for (part, ours) in [&grads.left, &grads.own, &grads.right].into_iter().enumerate() {
            for (i, &ours) in ours.iter().enumerate() {
                let value = case.parts[part][i];
                case.parts[part][i] = value + step;
                let (up, above) = (case.loss(&dout), case.parts[part][i]);
                case.parts[part][i] = value - step;
                let (down, below) = (case.loss(&dout), case.parts[part][i]);
                case.parts[part][i] = value;
                let slope = (up - down) / f64::from(above - below);
                assert!((f64::from(ours) - slope).abs() < 1e-3, "input {part}, value {i}: {ours} instead of {slope}");
            }
        }
    }

    #[test]
    fn the_thread_count_changes_no_bit() {
        let case = Case::new(5, Shape { texts: 40, length: 30, channels: 130, window: 10 });
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a thread pool");
            pool.install(|| {
                let (best, found) = case.run();
                (backward(&case.shape, &best, &found, &case.tokens, case.rows, &best), best)
            })
        };
        let one = run(1);
        assert!(run(2) == one && run(5) == one);
    }
}
