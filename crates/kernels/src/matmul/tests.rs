//! The matrix product against its defining loop, bit for bit.

use super::*;
use crate::rng::Rng;
use proptest::prelude::*;

fn random(seed: u64, len: usize) -> Vec<f32> {
    let mut rng = Rng::new(seed, &[]);
    (0..len).map(|_| rng.uniform(-1.0, 1.0)).collect()
}

/// The definition: one chain of fused multiply-adds per element.
fn plain(c: &mut [f32], a: Mat, b: Mat, accumulate: bool) {
    for i in 0..a.rows {
        for j in 0..b.cols {
            let mut sum = if accumulate { c[i * b.cols + j] } else { 0.0 };
            for k in 0..a.cols {
                let x = a.data[i * a.row_stride + k * a.col_stride];
                sum = x.mul_add(b.data[k * b.row_stride + j * b.col_stride], sum);
            }
            c[i * b.cols + j] = sum;
        }
    }
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|x| x.to_bits()).collect()
}

fn pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a thread pool")
}

/// A matrix of the shape, transposed in memory or with a gap between rows or not.
fn matrix(data: &[f32], rows: usize, cols: usize, layout: u8) -> Mat<'_> {
    match layout {
        0 => Mat::new(data, rows, cols),
        1 => Mat::new(data, cols, rows).t(),
        _ => Mat::strided(data, rows, cols, cols * 2 + 3, 2),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_level_layout_and_thread_count_gives_the_bits_of_the_definition(
        (m, n, k) in (0usize..40, 0usize..110, prop_oneof![0usize..20, DEPTH - 5..DEPTH + 5]),
        layouts in (0u8..3, 0u8..3),
        accumulate: bool,
        seed: u64,
    ) {
        let (x, y) = (random(seed, m * (2 * k + 3)), random(seed ^ 1, k * (2 * n + 3)));
        let (a, b) = (matrix(&x, m, k, layouts.0), matrix(&y, k, n, layouts.1));
        let start = random(seed ^ 2, m * n);
        let mut expected = start.clone();
        plain(&mut expected, a, b, accumulate);
        for level in Level::available() {
            let mut c = start.clone();
            matmul_at(level, &mut c, a, b, accumulate);
            prop_assert_eq!(bits(&c), bits(&expected), "{:?}", level);
        }
        let mut c = start.clone();
        matmul_packed(&mut c, a, &PackedB::new(b), accumulate);
        prop_assert_eq!(bits(&c), bits(&expected), "packed");
    }
}

/// Big enough to be shared between threads and to be cut in every direction.
#[test]
fn shared_work_gives_the_bits_of_the_definition_at_any_thread_count() {
    let (m, n, k) = (TASK_ROWS + 13, 3 * COLS + 7, 2 * DEPTH + 5);
    let (x, y) = (random(1, m * k), random(2, k * n));
    let (a, b) = (Mat::new(&x, m, k), Mat::new(&y, k, n));
    let mut expected = vec![0.0; m * n];
    plain(&mut expected, a, b, false);
    for threads in [1, 2, 3, 8] {
        let mut c = vec![f32::NAN; m * n];
        pool(threads).install(|| matmul(&mut c, a, b, false));
        assert!(bits(&c) == bits(&expected), "{threads} threads");
    }
}

#[test]
fn a_row_does_not_depend_on_the_other_rows() {
    let (m, n, k) = (67, 130, 300);
    let (x, y) = (random(3, m * k), random(4, k * n));
    let b = PackedB::new(Mat::new(&y, k, n));
    let mut all = vec![0.0; m * n];
    matmul_packed(&mut all, Mat::new(&x, m, k), &b, false);
    for row in [0, 5, 8, 66] {
        let mut alone = vec![0.0; n];
        matmul_packed(&mut alone, Mat::new(&x[row * k..], 1, k), &b, false);
        assert_eq!(bits(&alone), bits(&all[row * n..][..n]), "row {row}");
    }
}

#[test]
#[should_panic(expected = "needs 12 values, got 11")]
fn a_matrix_beyond_its_data_is_refused() {
    Mat::new(&[0.0; 11], 3, 4);
}
