//! Rows to unit length.

use crate::simd::{self, Task};
use crate::sums::Dot;
use crate::threads::rows_per_job;
use rayon::prelude::*;

/// Smallest divisor. Rows shorter than this are divided by it, so a zero row stays zero (PyTorch's `normalize`).
pub const EPS: f64 = 1e-12;

/// Divides every row of `values` `[rows, dim]` by its L2 length, in place; returns the lengths `[rows]`.
///
/// # Panics
/// If `values` is not whole rows.
pub fn forward(values: &mut [f32], dim: usize) -> Vec<f64> {
    let rows = rows(values, dim);
    let mut lengths = vec![0.0; rows];
    let jobs = (values.par_chunks_mut(dim.max(1)), &mut lengths);
    jobs.into_par_iter().with_min_len(rows_per_job(dim)).for_each(|(row, length)| {
        *length = simd::run(Dot { x: row, y: row }).sqrt();
        simd::run(Scale { values: row, by: (1.0 / length.max(EPS)) as f32 });
    });
    lengths
}

/// Gradient with respect to the rows before division, in place of `dy` `[rows, dim]`, from the unit rows `y` and the
/// lengths that [`forward`] returned: (dy - y (y . dy)) / length. For rows not longer than [`EPS`], where the direction
/// is undefined, it is zero.
///
/// # Panics
/// If the shapes disagree.
pub fn backward(y: &[f32], lengths: &[f64], dy: &mut [f32], dim: usize) {
    assert_eq!((y.len(), lengths.len()), (dy.len(), rows(dy, dim)), "y and dy must be [rows, dim], lengths [rows]");
    let jobs = (dy.par_chunks_mut(dim.max(1)), y.par_chunks(dim.max(1)), lengths);
    jobs.into_par_iter().with_min_len(rows_per_job(dim)).for_each(|(dy, y, &length)| {
        if length <= EPS {
            dy.fill(0.0);
        } else {
            let along = simd::run(Dot { x: y, y: dy }) as f32;
            simd::run(Project { y, along, by: (1.0 / length) as f32, dy });
        }
    });
}

fn rows(values: &[f32], dim: usize) -> usize {
    assert!(values.len().is_multiple_of(dim), "{} values are not rows of {dim}", values.len());
    values.len().checked_div(dim).unwrap_or(0)
}

struct Scale<'a> {
    values: &'a mut [f32],
    by: f32,
}

impl Task for Scale<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for value in self.values {
            *value *= self.by;
        }
    }
}

struct Project<'a> {
    y: &'a [f32],
    along: f32,
    by: f32,
    dy: &'a mut [f32],
}

impl Task for Project<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (dy, y) in self.dy.iter_mut().zip(self.y) {
            *dy = (*dy - y * self.along) * self.by;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use proptest::prelude::*;

    fn unit(x: &[f32]) -> Vec<f64> {
        let length = x.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
        x.iter().map(|&x| f64::from(x) / length).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn rows_get_unit_length_and_gradients_are_slopes((rows, dim) in (1usize..5, 2usize..40), seed: u64) {
            let mut rng = Rng::new(seed, &[]);
            let x: Vec<f32> = (0..rows * dim).map(|_| rng.uniform(-1.0, 1.0)).collect();
            let dy: Vec<f32> = (0..rows * dim).map(|_| rng.uniform(-1.0, 1.0)).collect();
            let (mut y, mut dx) = (x.clone(), dy.clone());
            let lengths = forward(&mut y, dim);
            backward(&y, &lengths, &mut dx, dim);
            for r in 0..rows {
                let range = r * dim..(r + 1) * dim;
                let row = &x[range.clone()];
                for (ours, exact) in y[range.clone()].iter().zip(unit(row)) {
                    prop_assert!((f64::from(*ours) - exact).abs() < 3e-7);
                }
                let loss = |row: &[f32]| -> f64 {
                    unit(row).iter().zip(&dy[range.clone()]).map(|(y, d)| y * f64::from(*d)).sum()
                };
                for i in 0..dim {
                    let (mut up, mut down) = (row.to_vec(), row.to_vec());
                    (up[i], down[i]) = (row[i] + 1e-3, row[i] - 1e-3);
                    let slope = (loss(&up) - loss(&down)) / f64::from(up[i] - down[i]);
                    let scale = 1.0 + 1.0 / lengths[r].powi(3);
                    prop_assert!((f64::from(dx[r * dim + i]) - slope).abs() < 1e-4 * scale);
                }
            }
        }
    }

    #[test]
    fn zero_and_tiny_rows_stay_numbers() {
        let mut y = vec![0.0, 0.0, 1e-30, 0.0, 3e30, 4e30];
        let lengths = forward(&mut y, 2);
        assert_eq!(y[..2], [0.0, 0.0]);
        assert!((y[4] - 0.6).abs() < 1e-6 && (y[5] - 0.8).abs() < 1e-6);
        let mut dy = vec![1.0; 6];
        backward(&y, &lengths, &mut dy, 2);
        assert!(dy[..4].iter().all(|&d| d == 0.0) && dy.iter().all(|d| d.is_finite()));
        assert!(forward(&mut [], 0).is_empty());
    }
}
