//! Adam in one pass over parameter, moments and gradient, in PyTorch's formulation.
//!
//! m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2,
//! p -= lr / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + eps).
//! (Kingma and Ba 2015, algorithm 1; the place of eps is PyTorch's.)

use crate::simd::{self, Task};
use crate::threads::{Shared, rows_per_job};
use rayon::prelude::*;

/// Values updated by one job.
const CHUNK: usize = 1 << 14;
/// A first moment below this becomes 0. It would move a parameter by less than 1e-22 learning rates (eps is 1e-8), and
/// on its further way down it would become a denormal number, with which processors compute many times slower.
const TINY: f32 = 1e-30;

/// One step's settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    /// Learning rate of this step.
    pub learning_rate: f64,
    /// Decay of the first moment; 0.9 in the literature.
    pub beta1: f64,
    /// Decay of the second moment; 0.999 in the literature.
    pub beta2: f64,
    /// Added to the root of the second moment; 1e-8 in the literature.
    pub eps: f64,
    /// Number of this step, from 1.
    pub step: u64,
    /// Every gradient is multiplied by this first: the factor of gradient clipping, or 1.
    pub gradient_scale: f64,
}

impl Adam {
    /// Step `step` (from 1) at `learning_rate` with the literature's other settings and unscaled gradients.
    pub fn new(learning_rate: f64, step: u64) -> Self {
        Self { learning_rate, beta1: 0.9, beta2: 0.999, eps: 1e-8, step, gradient_scale: 1.0 }
    }

    /// Updates a whole parameter and its moments; all four slices have the same length.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn dense(&self, parameter: &mut [f32], m: &mut [f32], v: &mut [f32], gradient: &[f32]) {
        let lengths = [m.len(), v.len(), gradient.len()];
        assert_eq!(lengths, [parameter.len(); 3], "parameter, moments and gradient must have the same length");
        let factors = self.factors();
        let jobs = (
            parameter.par_chunks_mut(CHUNK),
            m.par_chunks_mut(CHUNK),
            v.par_chunks_mut(CHUNK),
            gradient.par_chunks(CHUNK),
        );
        jobs.into_par_iter().for_each(|(parameter, m, v, gradient)| {
            simd::run(Update { parameter, m, v, gradient, factors });
        });
    }

    /// Updates the rows `rows` of a parameter `[all rows, dim]` and of its moments with `gradient` `[rows.len(), dim]`.
    /// Other rows keep their values and their moments (PyTorch's `SparseAdam`).
    ///
    /// # Panics
    /// If the shapes disagree, or a row is out of range or named twice.
    pub fn rows(
        &self,
        parameter: &mut [f32],
        m: &mut [f32],
        v: &mut [f32],
        dim: usize,
        rows: &[u32],
        gradient: &[f32],
    ) {
        assert_eq!(gradient.len(), rows.len() * dim, "the gradient must be [rows, dim]");
        let factors = self.factors();
        each_row([parameter, m, v], dim, rows, |i, [parameter, m, v]| {
            simd::run(Update { parameter, m, v, gradient: &gradient[i * dim..][..dim], factors });
        });
    }

    /// [`Adam::rows`] with a gradient of zero, the same bits: the rows move by their momentum. For each row whether a value
    /// changed. If none did, none will in later steps without gradient at no higher learning rate, because each step is
    /// then shorter than the one before; only the moments go on to decay ([`Adam::decay`]).
    ///
    /// # Panics
    /// As [`Adam::rows`].
    pub fn coast(&self, parameter: &mut [f32], m: &mut [f32], v: &mut [f32], dim: usize, rows: &[u32]) -> Vec<bool> {
        let factors = self.factors();
        each_row([parameter, m, v], dim, rows, |_, [parameter, m, v]| simd::run(Coast { parameter, m, v, factors }))
    }

    /// What `steps` steps with a gradient of zero do to moments, the same bits.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn decay(&self, m: &mut [f32], v: &mut [f32], steps: u64) {
        assert_eq!(m.len(), v.len(), "as many first moments as second ones");
        simd::run(Decay { m, v, steps, factors: self.factors() });
    }

    /// The scalars of the update, computed in f64.
    fn factors(&self) -> Factors {
        assert!(self.step > 0, "steps count from 1");
        let decayed = |beta: f64| 1.0 - beta.powf(self.step as f64);
        Factors {
            scale: self.gradient_scale as f32,
            beta1: self.beta1 as f32,
            new1: (1.0 - self.beta1) as f32,
            beta2: self.beta2 as f32,
            new2: (1.0 - self.beta2) as f32,
            rate: (self.learning_rate / decayed(self.beta1)) as f32,
            root: decayed(self.beta2).sqrt() as f32,
            eps: self.eps as f32,
        }
    }
}

/// `f` of the number and the three slices of each of `rows`, in parallel.
fn each_row<R: Send>(
    slices: [&mut [f32]; 3],
    dim: usize,
    rows: &[u32],
    f: impl Fn(usize, [&mut [f32]; 3]) -> R + Sync,
) -> Vec<R> {
    let len = slices[0].len();
    assert!(slices.iter().all(|slice| slice.len() == len), "parameter and moments must have the same length");
    let mut sorted = rows.to_vec();
    sorted.sort_unstable();
    assert!(sorted.windows(2).all(|pair| pair[0] < pair[1]), "a row is named twice");
    assert!(sorted.last().is_none_or(|&row| (row as usize + 1) * dim <= len), "a row is out of range");
    let slices = slices.map(Shared::new);
    let jobs = rows.par_iter().with_min_len(rows_per_job(dim)).enumerate();
    // SAFETY: every row lies in the three slices and is named once, both checked above.
    jobs.map(|(i, &row)| f(i, slices.map(|slice| unsafe { slice.slice(row as usize * dim, dim) }))).collect()
}

#[derive(Clone, Copy)]
struct Factors {
    scale: f32,
    beta1: f32,
    new1: f32,
    beta2: f32,
    new2: f32,
    rate: f32,
    root: f32,
    eps: f32,
}

struct Update<'a> {
    parameter: &'a mut [f32],
    m: &'a mut [f32],
    v: &'a mut [f32],
    gradient: &'a [f32],
    factors: Factors,
}

impl Task for Update<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Factors { scale, beta1, new1, beta2, new2, rate, root, eps } = self.factors;
        let len = self.parameter.len();
        let (parameter, m, v) = (&mut self.parameter[..len], &mut self.m[..len], &mut self.v[..len]);
        let gradient = &self.gradient[..len];
        for i in 0..len {
            let g = gradient[i] * scale;
            let moved = m[i] * beta1 + g * new1;
            m[i] = if moved.abs() < TINY { 0.0 } else { moved };
            v[i] = v[i] * beta2 + g * g * new2;
            parameter[i] -= rate * m[i] / (v[i].sqrt() / root + eps);
        }
    }
}

struct Coast<'a> {
    parameter: &'a mut [f32],
    m: &'a mut [f32],
    v: &'a mut [f32],
    factors: Factors,
}

impl Task for Coast<'_> {
    type Output = bool;

    #[inline(always)]
    fn run(self) -> bool {
        let Factors { beta1, beta2, rate, root, eps, .. } = self.factors;
        let len = self.parameter.len();
        let (parameter, m, v) = (&mut self.parameter[..len], &mut self.m[..len], &mut self.v[..len]);
        let mut changed = false;
        for i in 0..len {
            (m[i], v[i]) = (decayed(m[i], beta1), v[i] * beta2);
            let before = parameter[i];
            parameter[i] -= rate * m[i] / (v[i].sqrt() / root + eps);
            changed |= parameter[i] != before;
        }
        changed
    }
}

/// A first moment after a step without gradient.
#[inline(always)]
fn decayed(m: f32, beta1: f32) -> f32 {
    let moved = m * beta1;
    if moved.abs() < TINY { 0.0 } else { moved }
}

struct Decay<'a> {
    m: &'a mut [f32],
    v: &'a mut [f32],
    steps: u64,
    factors: Factors,
}

impl Task for Decay<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Factors { beta1, beta2, .. } = self.factors;
        // Few enough to stay in registers for all steps.
        for v in self.v.chunks_mut(64) {
            (0..self.steps).for_each(|_| v.iter_mut().for_each(|v| *v *= beta2));
        }
        for m in self.m.chunks_mut(64) {
            for _ in 0..self.steps {
                if m.iter().all(|&m| m == 0.0) {
                    break;
                }
                m.iter_mut().for_each(|m| *m = decayed(*m, beta1));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use proptest::prelude::*;

    /// The formulas in f64.
    fn plain(adam: &Adam, p: f32, m: f32, v: f32, g: f32) -> [f64; 3] {
        let g = f64::from(g) * adam.gradient_scale;
        let m = f64::from(m) * adam.beta1 + (1.0 - adam.beta1) * g;
        let v = f64::from(v) * adam.beta2 + (1.0 - adam.beta2) * g * g;
        let t = adam.step as f64;
        let denominator = v.sqrt() / (1.0 - adam.beta2.powf(t)).sqrt() + adam.eps;
        [f64::from(p) - adam.learning_rate / (1.0 - adam.beta1.powf(t)) * m / denominator, m, v]
    }

    fn values(rng: &mut Rng, len: usize, low: f32) -> Vec<f32> {
        (0..len).map(|_| rng.uniform(low, 1.0)).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn updates_follow_the_formulas(len in 0usize..100, step in 1u64..50_000, seed: u64) {
            let adam = Adam { gradient_scale: 0.5, ..Adam::new(0.01, step) };
            let mut rng = Rng::new(seed, &[]);
            let (p, m, g) = (values(&mut rng, len, -1.0), values(&mut rng, len, -1.0), values(&mut rng, len, -1.0));
            let v = values(&mut rng, len, 0.0);
            let (mut p2, mut m2, mut v2) = (p.clone(), m.clone(), v.clone());
            adam.dense(&mut p2, &mut m2, &mut v2, &g);
            for i in 0..len {
                let [p, m, v] = plain(&adam, p[i], m[i], v[i], g[i]);
                prop_assert!((f64::from(m2[i]) - m).abs() < 1e-6 && (f64::from(v2[i]) - v).abs() < 1e-6);
                prop_assert!((f64::from(p2[i]) - p).abs() < 1e-6 * (1.0 + p.abs()), "{} instead of {}", p2[i], p);
            }
        }

        #[test]
        fn named_rows_get_the_dense_update_and_others_none(dim in 1usize..40, seed: u64) {
            let adam = Adam::new(0.01, 3);
            let (all, rows) = (50, [7u32, 3, 49, 0]);
            let mut rng = Rng::new(seed, &[]);
            let (p, m, v) = (values(&mut rng, all * dim, -1.0), values(&mut rng, all * dim, -1.0),
                values(&mut rng, all * dim, 0.0));
            let g = values(&mut rng, rows.len() * dim, -1.0);
            let (mut p2, mut m2, mut v2) = (p.clone(), m.clone(), v.clone());
            adam.rows(&mut p2, &mut m2, &mut v2, dim, &rows, &g);
            let (mut p3, mut m3, mut v3) = (p, m, v);
            for (i, &row) in rows.iter().enumerate() {
                let range = row as usize * dim..(row as usize + 1) * dim;
                adam.dense(&mut p3[range.clone()], &mut m3[range.clone()], &mut v3[range], &g[i * dim..][..dim]);
            }
            prop_assert!(p2 == p3 && m2 == m3 && v2 == v3);
        }
    }

    /// Rows that stopped moving have the moments, and the place, that going on would have given them.
    #[test]
    fn rows_without_gradient_come_to_rest() {
        let (dim, rows, steps) = (70, [2u32, 0], 700);
        let mut rng = Rng::new(3, &[]);
        let [mut p, mut m, mut v] = [(); 3].map(|()| values(&mut rng, 3 * dim, -1.0));
        v.iter_mut().for_each(|v| *v = v.abs());
        let (mut p2, mut m2, mut v2) = (p.clone(), m.clone(), v.clone());
        let (mut rest, mut ends) = ([None; 2], Vec::new());
        for step in 1..=steps {
            let adam = Adam::new(0.01, step);
            let before = p.clone();
            adam.rows(&mut p, &mut m, &mut v, dim, &rows, &vec![0.0; 2 * dim]);
            let moved = adam.coast(&mut p2, &mut m2, &mut v2, dim, &rows);
            assert!(p == p2 && m == m2 && v == v2, "step {step}");
            for (i, &row) in rows.iter().enumerate() {
                let range = row as usize * dim..(row as usize + 1) * dim;
                assert_eq!(moved[i], before[range.clone()] != p[range.clone()]);
                assert!(!(moved[i] && rest[i].is_some()), "row {row} moved again");
                if !moved[i] && rest[i].is_none() {
                    rest[i] = Some(step);
                    ends.push((step, range.clone(), m[range.clone()].to_vec(), v[range].to_vec()));
                }
            }
        }
        assert_eq!(ends.len(), 2);
        for (step, range, mut m_then, mut v_then) in ends {
            assert!((50..400).contains(&step), "{step}");
            Adam::new(0.0, step).decay(&mut m_then, &mut v_then, steps - step);
            assert!(m_then == m[range.clone()] && v_then == v[range]);
        }
    }

    #[test]
    fn a_zero_gradient_from_the_start_changes_nothing() {
        let (mut p, mut m, mut v) = (vec![1.0; 3], vec![0.0; 3], vec![0.0; 3]);
        Adam::new(0.1, 1).dense(&mut p, &mut m, &mut v, &[0.0; 3]);
        assert_eq!(p, [1.0; 3]);
    }

    #[test]
    #[should_panic(expected = "named twice")]
    fn a_row_named_twice_is_refused() {
        Adam::new(0.1, 1).rows(&mut [0.0; 4], &mut [0.0; 4], &mut [0.0; 4], 2, &[1, 1], &[0.0; 4]);
    }
}
