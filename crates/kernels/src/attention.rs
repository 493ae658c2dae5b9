//! Attention with one learned query: the rows of a text, weighted by a softmax over their scores.
//!
//! s(t) = v . tanh(u(t)), a = softmax(s), result = sum over t of a(t) m(t) (Lau et al. 2017, section 3.1).

use crate::math::{exp, tanh};
use crate::scratch::Scratch;
use crate::simd;
use crate::sums::{Dot, column_sums};
use rayon::prelude::*;

/// What [`backward`] needs of a [`forward`].
#[derive(Clone, Debug, Default)]
pub struct Saved {
    /// `[texts * length, d]`: tanh u.
    squashed: Scratch,
    /// `[texts * length]`: a.
    weights: Vec<f32>,
}

/// Gradients of [`forward`]'s inputs, of the same shapes.
#[derive(Clone, Debug, PartialEq)]
pub struct Grads {
    /// `[texts * length, c]`.
    pub rows: Vec<f32>,
    /// `[texts * length, d]`.
    pub keys: Vec<f32>,
    /// `[d]`.
    pub query: Vec<f32>,
}

/// `[texts, c]` for texts of `length` rows: `rows` m `[texts * length, c]`, `keys` u `[texts * length, d]`, `query` v `[d]`.
///
/// # Panics
/// If the shapes disagree, or `length`, c or d is zero.
pub fn forward(length: usize, rows: &[f32], keys: &[f32], query: &[f32]) -> (Vec<f32>, Saved) {
    let (texts, c, d) = sizes(length, rows, keys, query);
    let mut saved = Saved { squashed: Scratch::new(keys.len()), weights: vec![0.0; texts * length] };
    let mut out = vec![0.0; texts * c];
    let jobs = (
        out.par_chunks_mut(c),
        saved.squashed.par_chunks_mut(length * d),
        saved.weights.par_chunks_mut(length),
        rows.par_chunks(length * c),
        keys.par_chunks(length * d),
    );
    jobs.into_par_iter().for_each(|(out, squashed, weights, rows, keys)| {
        simd::run(Squash { from: keys, to: squashed });
        for (score, key) in weights.iter_mut().zip(squashed.chunks_exact(d)) {
            *score = simd::run(Dot { x: key, y: query }) as f32;
        }
        softmax(weights);
        for (&factor, values) in weights.iter().zip(rows.chunks_exact(c)) {
            simd::run(AddScaled { sum: out, values, factor });
        }
    });
    (out, saved)
}

/// Gradients for `dout` `[texts, c]`.
///
/// # Panics
/// As [`forward`], and if `saved` is from another batch.
pub fn backward(length: usize, rows: &[f32], query: &[f32], saved: &Saved, dout: &[f32]) -> Grads {
    let (texts, c, d) = sizes(length, rows, &saved.squashed, query);
    assert_eq!(dout.len(), texts * c, "dout must be [texts, c]");
    let (mut drows, mut dkeys) = (vec![0.0; rows.len()], vec![0.0; saved.squashed.len()]);
    let mut dqueries = Scratch::new(texts * d);
    let jobs = (
        drows.par_chunks_mut(length * c),
        dkeys.par_chunks_mut(length * d),
        dqueries.par_chunks_mut(d),
        rows.par_chunks(length * c),
        saved.squashed.par_chunks(length * d),
        saved.weights.par_chunks(length),
        dout.par_chunks(c),
    );
    jobs.into_par_iter().for_each(|(drows, dkeys, dquery, rows, squashed, weights, dout)| {
        dquery.fill(0.0);
        let dweights: Vec<f64> = rows.chunks_exact(c).map(|x| simd::run(Dot { x, y: dout })).collect();
        let mean: f64 = dweights.iter().zip(weights).map(|(d, &a)| d * f64::from(a)).sum();
        for (t, (&factor, dweight)) in weights.iter().zip(dweights).enumerate() {
            simd::run(AddScaled { sum: &mut drows[t * c..][..c], values: dout, factor });
            let dscore = (f64::from(factor) * (dweight - mean)) as f32;
            let key = &squashed[t * d..][..d];
            simd::run(AddScaled { sum: dquery, values: key, factor: dscore });
            simd::run(KeyBack { key, query, dscore, dkey: &mut dkeys[t * d..][..d] });
        }
    });
    Grads { rows: drows, keys: dkeys, query: column_sums(&dqueries, d) }
}

/// Texts, c, d.
fn sizes(length: usize, rows: &[f32], keys: &[f32], query: &[f32]) -> (usize, usize, usize) {
    let d = query.len();
    assert!(length > 0 && d > 0, "texts of {length} rows and queries of {d} values");
    let texts = keys.len() / (length * d);
    assert_eq!(keys.len(), texts * length * d, "keys must be [texts * length, {d}]");
    let c = if texts > 0 { rows.len() / (texts * length) } else { 1 };
    assert!(c > 0 && rows.len() == texts * length * c, "rows must be [texts * length, c]");
    (texts, c, d)
}

fn softmax(scores: &mut [f32]) {
    let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    scores.iter_mut().for_each(|score| *score = exp(*score - most));
    let sum: f64 = scores.iter().map(|&score| f64::from(score)).sum();
    scores.iter_mut().for_each(|score| *score = (f64::from(*score) / sum) as f32);
}

struct Squash<'a> {
    from: &'a [f32],
    to: &'a mut [f32],
}

impl simd::Task for Squash<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (to, &from) in self.to.iter_mut().zip(self.from) {
            *to = tanh(from);
        }
    }
}

struct AddScaled<'a> {
    sum: &'a mut [f32],
    values: &'a [f32],
    factor: f32,
}

impl simd::Task for AddScaled<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (sum, &value) in self.sum.iter_mut().zip(self.values) {
            *sum = value.mul_add(self.factor, *sum);
        }
    }
}

/// The gradient of u(t) from that of s(t).
struct KeyBack<'a> {
    key: &'a [f32],
    query: &'a [f32],
    dscore: f32,
    dkey: &'a mut [f32],
}

impl simd::Task for KeyBack<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for ((dkey, &key), &query) in self.dkey.iter_mut().zip(self.key).zip(self.query) {
            *dkey = self.dscore * query * (1.0 - key * key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use proptest::prelude::*;

    /// Rows, keys, query.
    type Parts = [Vec<f32>; 3];

    fn parts(seed: u64, (texts, length, c, d): (usize, usize, usize, usize)) -> Parts {
        let mut rng = Rng::new(seed, &[]);
        [texts * length * c, texts * length * d, d].map(|n| (0..n).map(|_| rng.uniform(-1.5, 1.5)).collect())
    }

    /// The definition, in f64.
    fn plain(length: usize, c: usize, [rows, keys, query]: &Parts) -> Vec<f64> {
        let d = query.len();
        let texts = keys.len() / (length * d);
        let mut out = vec![0.0; texts * c];
        for text in 0..texts {
            let score = |t: usize| -> f64 {
                let key = &keys[(text * length + t) * d..][..d];
                key.iter().zip(query).map(|(&u, &v)| f64::from(u).tanh() * f64::from(v)).sum()
            };
            let total: f64 = (0..length).map(|t| score(t).exp()).sum();
            for t in 0..length {
                for j in 0..c {
                    out[text * c + j] += score(t).exp() / total * f64::from(rows[(text * length + t) * c + j]);
                }
            }
        }
        out
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn values_follow_the_definition(
            (texts, length, c, d) in (0usize..4, 1usize..9, 1usize..40, 1usize..40), seed: u64,
        ) {
            let parts = parts(seed, (texts, length, c, d));
            let (out, _) = forward(length, &parts[0], &parts[1], &parts[2]);
            let exact = plain(length, c, &parts);
            for (ours, exact) in out.iter().zip(exact) {
                prop_assert!((f64::from(*ours) - exact).abs() < 3e-6);
            }
        }
    }

    #[test]
    fn gradients_are_slopes() {
        let (length, c) = (4, 3);
        let mut parts = parts(1, (2, length, c, 5));
        let dout = [0.3, -0.8, 0.5, 1.0, 0.2, -0.4];
        let (_, saved) = forward(length, &parts[0], &parts[1], &parts[2]);
        let grads = backward(length, &parts[0], &parts[2], &saved, &dout);
        let loss =
            |parts: &Parts| -> f64 { plain(length, c, parts).iter().zip(dout).map(|(y, d)| y * f64::from(d)).sum() };
        for (part, ours) in [&grads.rows, &grads.keys, &grads.query].into_iter().enumerate() {
            for (i, &ours) in ours.iter().enumerate() {
                let value = parts[part][i];
                parts[part][i] = value + 1e-2;
                let (up, above) = (loss(&parts), parts[part][i]);
                parts[part][i] = value - 1e-2;
                let (down, below) = (loss(&parts), parts[part][i]);
                parts[part][i] = value;
                let slope = (up - down) / f64::from(above - below);
                assert!((f64::from(ours) - slope).abs() < 1e-4, "input {part}, value {i}: {ours} instead of {slope}");
            }
        }
    }

    #[test]
    fn the_thread_count_changes_no_bit() {
        let parts = parts(2, (50, 13, 60, 50));
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a thread pool");
            pool.install(|| {
                let (out, saved) = forward(13, &parts[0], &parts[1], &parts[2]);
                (backward(13, &parts[0], &parts[2], &saved, &out), out)
            })
        };
        let one = run(1);
        assert!(run(2) == one && run(5) == one);
    }
}
