//! Sums whose order is fixed, so that they are the same bits at any number of threads.

use crate::simd::{self, Task};
use crate::threads::rows_per_job;
use rayon::prelude::*;
use std::ops::Range;

/// Values of a chunk; the chunks' sums are added in order.
const CHUNK: usize = 1 << 14;
/// Rows that are summed by themselves.
const ROWS: usize = 256;
/// Independent partial sums, so that the loop vectorises.
const LANES: usize = 16;

/// The sum of the squares, in f64. Add up several tensors in a fixed order for a global gradient norm.
pub fn sum_squares(values: &[f32]) -> f64 {
    let parts: Vec<f64> = values.par_chunks(CHUNK).map(|x| simd::run(Dot { x, y: x })).collect();
    parts.iter().sum()
}

/// The scalar product of two rows, in f64 and in a fixed order.
pub(crate) struct Dot<'a> {
    pub(crate) x: &'a [f32],
    pub(crate) y: &'a [f32],
}

impl Task for Dot<'_> {
    type Output = f64;

    #[inline(always)]
    fn run(self) -> f64 {
        let mut sums = [0f64; LANES];
        let (x, x_rest) = self.x.as_chunks::<LANES>();
        let (y, y_rest) = self.y.as_chunks::<LANES>();
        for (x, y) in x.iter().zip(y) {
            for i in 0..LANES {
                sums[i] = f64::from(x[i]).mul_add(f64::from(y[i]), sums[i]);
            }
        }
        let rest: f64 = x_rest.iter().zip(y_rest).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum();
        sums.iter().sum::<f64>() + rest
    }
}

/// Sums of the columns of the row-major matrix `values` `[rows, cols]`: of 256 rows at a time, then of these sums.
///
/// # Panics
/// If `values` is not whole rows.
pub fn column_sums(values: &[f32], cols: usize) -> Vec<f32> {
    sums_of_columns(values, cols, 0..cols)
}

/// [`column_sums`] of the columns `columns` of a matrix whose rows hold `stride` values.
///
/// # Panics
/// If `values` is not whole rows, or the columns are not among them.
pub(crate) fn sums_of_columns(values: &[f32], stride: usize, columns: Range<usize>) -> Vec<f32> {
    let mut sums = vec![0.0; columns.len()];
    if columns.is_empty() {
        return sums;
    }
    assert!(values.len().is_multiple_of(stride), "{} values are not rows of {stride}", values.len());
    let block = |rows: &[f32]| {
        let mut sums = vec![0.0; columns.len()];
        for row in rows.chunks_exact(stride) {
            simd::run(Add { sum: &mut sums, values: &row[columns.clone()] });
        }
        sums
    };
    let jobs = values.par_chunks(ROWS * stride).with_min_len(rows_per_job(ROWS * columns.len()));
    for of_block in jobs.map(block).collect::<Vec<_>>() {
        simd::run(Add { sum: &mut sums, values: &of_block });
    }
    sums
}

/// Adds `values` to `sum`, as many.
pub(crate) struct Add<'a> {
    pub(crate) sum: &'a mut [f32],
    pub(crate) values: &'a [f32],
}

impl Task for Add<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (sum, value) in self.sum.iter_mut().zip(self.values) {
            *sum += value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn columns_are_added_in_order((rows, cols) in (0usize..700, 1usize..60), from in 0usize..60, seed: u64) {
            let mut rng = Rng::new(seed, &[]);
            let values: Vec<f32> = (0..rows * cols).map(|_| rng.uniform(-1.0, 1.0)).collect();
            let mut expected = vec![0f32; cols];
            for block in values.chunks(256 * cols) {
                let mut sums = vec![0f32; cols];
                for row in block.chunks(cols) {
                    sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
                }
                expected.iter_mut().zip(sums).for_each(|(sum, value)| *sum += value);
            }
            prop_assert_eq!(&column_sums(&values, cols), &expected);
            let from = from.min(cols);
            prop_assert_eq!(sums_of_columns(&values, cols, from..cols), expected.split_off(from));
        }

        #[test]
        fn squares_add_up_at_any_length(len in 0usize..50_000, seed: u64) {
            let mut rng = Rng::new(seed, &[]);
            let values: Vec<f32> = (0..len).map(|_| rng.uniform(-1.0, 1.0)).collect();
            let plain: f64 = values.iter().map(|&x| f64::from(x).powi(2)).sum();
            let ours = sum_squares(&values);
            prop_assert!((ours - plain).abs() <= 1e-12 * plain);
            let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().expect("a thread pool");
            prop_assert_eq!(pool.install(|| sum_squares(&values)).to_bits(), ours.to_bits());
        }
    }

    #[test]
    fn squares_do_not_overflow() {
        assert_eq!(sum_squares(&[1e30, 1e30]), 2.0 * f64::from(1e30f32).powi(2));
    }
}
