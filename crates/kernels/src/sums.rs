//! Sums whose order is fixed, so that they are the same bits at any number of threads.

use crate::simd::{self, Task};
use crate::threads::rows_per_job;
use rayon::prelude::*;

/// Values of a chunk; the chunks' sums are added in order.
const CHUNK: usize = 1 << 14;
/// Columns summed by one job: two cache lines of each row.
const COLUMNS: usize = 32;
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

/// Sums of the columns of the row-major matrix `values` `[rows, cols]`, each added from the first row to the last.
///
/// # Panics
/// If `values` is not whole rows.
pub fn column_sums(values: &[f32], cols: usize) -> Vec<f32> {
    assert!(cols == 0 || values.len().is_multiple_of(cols), "{} values are not rows of {cols}", values.len());
    let mut sums = vec![0.0; cols];
    let rows = values.len().checked_div(cols).unwrap_or(0);
    let blocks = sums.par_chunks_mut(COLUMNS).with_min_len(rows_per_job(rows * COLUMNS));
    blocks.enumerate().for_each(|(i, sums)| {
        simd::run(Columns { sums, values, cols, from: i * COLUMNS });
    });
    sums
}

struct Columns<'a> {
    sums: &'a mut [f32],
    values: &'a [f32],
    cols: usize,
    from: usize,
}

impl Task for Columns<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        // A whole block in registers; the last one may be narrower.
        let mut sums = [0f32; COLUMNS];
        let width = self.sums.len();
        for row in self.values.chunks_exact(self.cols) {
            let row = &row[self.from..][..width];
            if let Some(row) = row.first_chunk::<COLUMNS>() {
                for (sum, value) in sums.iter_mut().zip(row) {
                    *sum += value;
                }
            } else {
                for (sum, value) in sums.iter_mut().zip(row) {
                    *sum += value;
                }
            }
        }
        self.sums.copy_from_slice(&sums[..width]);
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
        fn columns_are_added_in_order((rows, cols) in (0usize..20, 1usize..100), seed: u64) {
            let mut rng = Rng::new(seed, &[]);
            let values: Vec<f32> = (0..rows * cols).map(|_| rng.uniform(-1.0, 1.0)).collect();
            let mut expected = vec![0f32; cols];
            for row in values.chunks(cols) {
                expected.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
            }
            prop_assert_eq!(column_sums(&values, cols), expected);
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
