//! One step of skip-gram with negative sampling for a centre of one row, with all its targets and negatives at once.
//!
//! Where [`crate::skipgram`] takes pair after pair, here all products are taken before any row moves, so that none waits
//! for another, and pairs carry weights, so that a few negatives can stand for many (Ji et al. 2016, "Parallelizing
//! word2vec in shared and distributed memory", share them in this way).
//!
//! A product is sixteen chains `s = fma(c, o, s)`, value k in chain k mod 16, added by halving: the same bits at every
//! level.

use crate::lanes::{self, Lanes, Loop};
use crate::math::sigmoid;
use crate::rows::LANES;
use crate::simd::Level;

/// Rows whose products are taken side by side.
const ROWS: usize = 4;

/// What a centre is compared with; kept to be filled again.
#[derive(Clone, Debug, Default)]
pub struct Pairs {
    rows: Vec<u32>,
    labels: Vec<f32>,
    weights: Vec<f32>,
    /// Products, then steps; up to [`ROWS`] - 1 more than there are pairs.
    steps: Vec<f32>,
}

impl Pairs {
    /// Forgets all pairs.
    pub fn clear(&mut self) {
        self.rows.clear();
        self.labels.clear();
        self.weights.clear();
    }

    /// A row of the output with its label, 1 for a target and 0 for a negative, and its weight: the learning rate times
    /// how often the pair counts.
    pub fn push(&mut self, row: u32, label: f32, weight: f32) {
        self.rows.push(row);
        self.labels.push(label);
        self.weights.push(weight);
    }

    /// Takes one step down the gradient of the logistic loss of all pairs: with c = `centre` and o a row of `output`
    /// `[_, centre.len()]`, a = weight (label - sigmoid(c o)) at the values before; then pair after pair c += a o and
    /// o += a (c before).
    ///
    /// # Panics
    /// If the length of `centre` is no multiple of [`LANES`], or a row is not in `output`.
    pub fn learn(&mut self, centre: &mut [f32], output: &mut [f32]) {
        self.learn_at(Level::best(), centre, output);
    }

    fn learn_at(&mut self, level: Level, centre: &mut [f32], output: &mut [f32]) {
        let dim = centre.len();
        assert!(dim.is_multiple_of(LANES), "a centre of {dim} values is not padded to a multiple of {LANES}");
        let rows = output.len().checked_div(dim).unwrap_or(usize::MAX);
        assert!(self.rows.iter().all(|&row| (row as usize) < rows), "a row is not among the {rows} of the output");
        self.steps.resize(self.rows.len().next_multiple_of(ROWS), 0.0);
        if !self.rows.is_empty() {
            // SAFETY: the level is one of this processor; what `Step` asks for was checked.
            unsafe { lanes::run_at(level, Step { pairs: self, centre, output }) };
        }
    }
}

/// `centre` is whole registers, every row lies in `output`, there is a pair, and `steps` has room for whole groups of
/// [`ROWS`].
struct Step<'a> {
    pairs: &'a mut Pairs,
    centre: &'a mut [f32],
    output: &'a mut [f32],
}

impl Loop for Step<'_> {
    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        let Step { pairs: Pairs { rows, labels, weights, steps }, centre, output } = self;
        let dim = centre.len();
        let (centre, output) = (centre.as_mut_ptr(), output.as_mut_ptr());
        // SAFETY: the promises of `Step`.
        unsafe {
            products::<L>(centre, output, dim, rows, steps);
            for ((steps, labels), weights) in
                steps.chunks_mut(LANES).zip(labels.chunks(LANES)).zip(weights.chunks(LANES))
            {
                take_steps(steps, labels, weights);
            }
            let mut from = 0;
            // As many registers as leave room for the rest of the loop.
            let wide = if L::N == LANES { 8 } else { 4 };
            while from + wide * L::N <= dim {
                match wide {
                    8 => update::<L, 8>(centre.add(from), output.add(from), dim, rows, steps),
                    _ => update::<L, 4>(centre.add(from), output.add(from), dim, rows, steps),
                }
                from += wide * L::N;
            }
            while from < dim {
                update::<L, 1>(centre.add(from), output.add(from), dim, rows, steps);
                from += L::N;
            }
        }
    }
}

/// The products of the centre with each row.
///
/// # Safety
/// As [`Step`].
#[inline(always)]
unsafe fn products<L: Lanes>(centre: *const f32, output: *const f32, dim: usize, rows: &[u32], products: &mut [f32]) {
    // SAFETY: the caller's promises; a group that lacks rows repeats the last.
    unsafe {
        for (rows, products) in rows.chunks(ROWS).zip(products.chunks_exact_mut(ROWS)) {
            let at: [*const f32; ROWS] =
                std::array::from_fn(|i| output.add(rows[i.min(rows.len() - 1)] as usize * dim));
            // A register of sixteen values, or two of eight.
            let mut sums = [[L::splat(0.0); 2]; ROWS];
            for block in (0..dim).step_by(LANES) {
                for part in 0..LANES / L::N {
                    let from = block + part * L::N;
                    let c = L::load(centre.add(from));
                    for (sum, row) in sums.iter_mut().zip(at) {
                        sum[part] = sum[part].add_product(c, L::load(row.add(from)));
                    }
                }
            }
            for (product, sum) in products.iter_mut().zip(&sums) {
                *product = L::sum_of_sixteen(sum);
            }
        }
    }
}

/// Products of up to [`LANES`] pairs -> their steps. What lies beyond the pairs stays.
#[inline(always)]
fn take_steps(steps: &mut [f32], labels: &[f32], weights: &[f32]) {
    let full = |values: &[f32]| {
        let mut lanes = [0f32; LANES];
        lanes[..values.len()].copy_from_slice(values);
        lanes
    };
    let len = labels.len();
    let (mut lanes, labels, weights) = (full(&steps[..len]), full(labels), full(weights));
    for i in 0..LANES {
        lanes[i] = weights[i] * (labels[i] - sigmoid(lanes[i]));
    }
    steps[..len].copy_from_slice(&lanes[..len]);
}

/// Moves `C` registers of the centre and of every row.
///
/// # Safety
/// As [`Step`], with `C` registers of values at `centre` and at every row of `output`.
#[inline(always)]
unsafe fn update<L: Lanes, const C: usize>(
    centre: *mut f32,
    output: *mut f32,
    dim: usize,
    rows: &[u32],
    steps: &[f32],
) {
    // SAFETY: the caller's promises.
    unsafe {
        let before: [L; C] = std::array::from_fn(|i| L::load(centre.add(i * L::N)));
        let mut after = before;
        for (&row, &step) in rows.iter().zip(steps) {
            let (row, step) = (output.add(row as usize * dim), L::splat(step));
            for i in 0..C {
                let o = L::load(row.add(i * L::N));
                after[i] = after[i].add_product(step, o);
                o.add_product(step, before[i]).store(row.add(i * L::N));
            }
        }
        for (i, value) in after.into_iter().enumerate() {
            value.store(centre.add(i * L::N));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use proptest::prelude::*;

    /// A centre, an output of `rows` rows, and pairs.
    fn case(dim: usize, rows: usize, pairs: usize, seed: u64) -> (Vec<f32>, Vec<f32>, Pairs) {
        let mut rng = Rng::new(seed, &[]);
        let mut values = |n: usize| (0..n).map(|_| rng.uniform(-0.5, 0.5)).collect::<Vec<f32>>();
        let (centre, output) = (values(dim), values(rows * dim));
        let mut all = Pairs::default();
        for _ in 0..pairs {
            all.push(rng.index(rows) as u32, if rng.chance(0.4) { 1.0 } else { 0.0 }, rng.uniform(0.01, 0.2));
        }
        (centre, output, all)
    }

    /// The definition, in f64.
    fn plainly(centre: &[f32], output: &[f32], pairs: &Pairs) -> (Vec<f64>, Vec<f64>) {
        let dim = centre.len();
        let wide = |values: &[f32]| values.iter().map(|&x| f64::from(x)).collect::<Vec<f64>>();
        let (before, mut rows) = (wide(centre), wide(output));
        let products: Vec<f64> = pairs
            .rows
            .iter()
            .map(|&row| before.iter().zip(&rows[row as usize * dim..]).map(|(c, o)| c * o).sum())
            .collect();
        let mut after = before.clone();
        for (i, product) in products.iter().enumerate() {
            let step = f64::from(pairs.weights[i]) * (f64::from(pairs.labels[i]) - 1.0 / (1.0 + (-product).exp()));
            for k in 0..dim {
                let o = &mut rows[pairs.rows[i] as usize * dim + k];
                after[k] += step * *o;
                *o += step * before[k];
            }
        }
        (after, rows)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_step_is_its_definition_at_every_level(
            blocks in 1usize..20, rows in 1usize..9, pairs in 0usize..40, seed: u64,
        ) {
            let (centre, output, mut all) = case(blocks * LANES, rows, pairs, seed);
            let (exact_centre, exact_output) = plainly(&centre, &output, &all);
            let mut portable = None;
            for level in Level::available() {
                let (mut c, mut o) = (centre.clone(), output.clone());
                all.learn_at(level, &mut c, &mut o);
                let near = |ours: &[f32], exact: &[f64]| {
                    ours.iter().zip(exact).all(|(&x, y)| (f64::from(x) - y).abs() < 2e-5)
                };
                prop_assert!(near(&c, &exact_centre) && near(&o, &exact_output), "{:?} is far off", level);
                let bits: Vec<u32> = c.iter().chain(&o).map(|x| x.to_bits()).collect();
                prop_assert_eq!(portable.get_or_insert_with(|| bits.clone()), &bits, "{:?}", level);
            }
        }
    }

    #[test]
    fn steps_lower_the_loss() {
        let (mut centre, mut output, mut pairs) = case(48, 12, 0, 3);
        (0..12).for_each(|row| pairs.push(row, f32::from(u8::from(row < 4)), 0.1));
        let loss = |centre: &[f32], output: &[f32]| -> f32 {
            (0..12usize)
                .map(|row| {
                    let product: f32 = centre.iter().zip(&output[row * 48..]).map(|(c, o)| c * o).sum();
                    (1.0 + (if row < 4 { -product } else { product }).exp()).ln()
                })
                .sum()
        };
        let before = loss(&centre, &output);
        (0..50).for_each(|_| pairs.learn(&mut centre, &mut output));
        assert!(loss(&centre, &output) < 0.2 * before);
    }

    #[test]
    #[should_panic(expected = "a row is not among the 2 of the output")]
    fn rows_beyond_the_output() {
        let mut pairs = Pairs::default();
        pairs.push(2, 1.0, 0.1);
        pairs.learn(&mut [0.0; 16], &mut [0.0; 32]);
    }
}
