//! The matrix product against its defining loop, bit for bit.

use super::*;
use crate::rng::Rng;
use proptest::prelude::*;

fn random(seed: u64, len: usize) -> Vec<f32> {
    let mut rng = Rng::new(seed, &[]);
    (0..len).map(|_| rng.uniform(-1.0, 1.0)).collect()
}

/// The definition: one chain of fused multiply-adds per element.
fn plain(precision: Precision, c: &mut [f32], a: Mat, b: Mat, accumulate: bool) {
    let at = |x: Mat, i: usize, j: usize| x.data[i * x.row_stride + j * x.col_stride];
    for i in 0..a.rows {
        for j in 0..b.cols {
            let sum = &mut c[i * b.cols + j];
            if !accumulate {
                *sum = 0.0;
            }
            if precision == Precision::F32 {
                (0..a.cols).for_each(|k| *sum = at(a, i, k).mul_add(at(b, k, j), *sum));
            } else {
                for k in (0..a.cols.next_multiple_of(2)).map(|k| k ^ 1) {
                    let factors = if k < a.cols { [at(a, i, k), at(b, k, j)] } else { [0.0; 2] };
                    let [x, y] = factors.map(|factor| round(flush(factor)));
                    *sum = flush(x.mul_add(y, flush(*sum)));
                }
            }
        }
    }
}

/// The definition for tiles: of each 32 k, two chains from 0, their sum added to C.
#[cfg(target_arch = "x86_64")]
fn plain_tiles(c: &mut [f32], a: Mat, b: Mat, accumulate: bool) {
    let at = |x: Mat, i: usize, j: usize| round(flush(x.data[i * x.row_stride + j * x.col_stride]));
    for i in 0..a.rows {
        for j in 0..b.cols {
            let sum = &mut c[i * b.cols + j];
            *sum = if accumulate { *sum } else { 0.0 };
            for block in (0..a.cols).step_by(32) {
                let mut chains = [0f32; 2];
                for k in block..block + 32 {
                    let [x, y] = if k < a.cols { [at(a, i, k), at(b, k, j)] } else { [0.0; 2] };
                    let chain = &mut chains[k % 2];
                    *chain = flush(x.mul_add(y, *chain));
                }
                *sum = flush(flush(*sum) + flush(chains[0] + chains[1]));
            }
        }
    }
}

/// The nearest number whose low 16 bits are 0, the even one of two, found by comparing distances.
fn round(x: f32) -> f32 {
    let below = f32::from_bits(x.to_bits() & 0xffff_0000);
    let above = f32::from_bits((x.to_bits() & 0xffff_0000) + 0x1_0000);
    let (down, up) = ((f64::from(x) - f64::from(below)).abs(), (f64::from(above) - f64::from(x)).abs());
    let odd = below.to_bits() & 0x1_0000 != 0;
    if up < down || up == down && odd { above } else { below }
}

fn flush(x: f32) -> f32 {
    if x.is_subnormal() { 0f32.copysign(x) } else { x }
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
        bf16: bool,
        tiny: bool,
        seed: u64,
    ) {
        let precision = if bf16 { Precision::Bf16 } else { Precision::F32 };
        let (x, y) = (random(seed, m * (2 * k + 3)), random(seed ^ 1, k * (2 * n + 3)));
        // Tiny factors make subnormal products.
        let scale = |values: Vec<f32>| values.into_iter().map(|v| if tiny { v * 1e-19 } else { v }).collect::<Vec<_>>();
        let (x, y, start) = (scale(x), scale(y), scale(scale(random(seed ^ 2, m * n))));
        let (a, b) = (matrix(&x, m, k, layouts.0), matrix(&y, k, n, layouts.1));
        let mut expected = start.clone();
        plain(precision, &mut expected, a, b, accumulate);
        for level in Level::available() {
            let mut c = start.clone();
            product(level, &mut c, a, &PackedB::without_tiles(b, precision), accumulate);
            prop_assert_eq!(bits(&c), bits(&expected), "{:?}", level);
        }
    }
}

#[cfg(target_arch = "x86_64")]
proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn tiles_give_the_bits_of_their_definition(
        (m, n, k) in (1usize..70, 1usize..110, prop_oneof![1usize..70, 500usize..530, 1020usize..1030]),
        layouts in (0u8..3, 0u8..3),
        accumulate: bool,
        tiny: bool,
        threads in 1usize..4,
        seed: u64,
    ) {
        if !amx::available() {
            eprintln!("NOT TESTED: products by tiles; this processor has no AMX");
            return Ok(());
        }
        let (x, y) = (random(seed, m * (2 * k + 3)), random(seed ^ 1, k * (2 * n + 3)));
        let scale = |values: Vec<f32>| values.into_iter().map(|v| if tiny { v * 1e-19 } else { v }).collect::<Vec<_>>();
        let (x, y, start) = (scale(x), scale(y), scale(scale(random(seed ^ 2, m * n))));
        let (a, b) = (matrix(&x, m, k, layouts.0), matrix(&y, k, n, layouts.1));
        let (mut expected, mut c) = (start.clone(), start);
        plain_tiles(&mut expected, a, b, accumulate);
        let b = PackedB::new(b, Precision::Bf16);
        prop_assert!(b.tiles);
        pool(threads).install(|| matmul_packed(&mut c, a, &b, accumulate));
        prop_assert_eq!(bits(&c), bits(&expected));
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn tiles_are_close_to_the_other_instructions() {
    if !amx::available() {
        eprintln!("NOT TESTED: products by tiles; this processor has no AMX");
        return;
    }
    let (m, n, k) = (300, 200, 1500);
    let (x, y) = (random(5, m * k), random(6, k * n));
    let (a, b) = (Mat::new(&x, m, k), Mat::new(&y, k, n));
    let (mut tiles, mut others) = (vec![0.0; m * n], vec![0.0; m * n]);
    matmul_packed(&mut tiles, a, &PackedB::new(b, Precision::Bf16), false);
    matmul_packed(&mut others, a, &PackedB::without_tiles(b, Precision::Bf16), false);
    let far = tiles.iter().zip(&others).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max);
    assert!(far < 1e-4 && tiles != others, "{far}");
}

/// What goes past the caches has the bits of what does not, from Vecs whose lines may be anywhere too.
#[cfg(target_arch = "x86_64")]
#[test]
fn large_results_by_tiles_have_the_bits_of_small_ones() {
    if !amx::available() {
        eprintln!("NOT TESTED: products by tiles; this processor has no AMX");
        return;
    }
    let (m, n, k) = (1100, 2064, 70);
    let (x, y) = (random(7, m * k), random(8, k * n));
    let b = PackedB::new(Mat::new(&y, k, n), Precision::Bf16);
    let mut large = crate::scratch::Scratch::new(m * n);
    pool(2).install(|| matmul_packed(&mut large, Mat::new(&x, m, k), &b, false));
    for (rows, part) in [(0..500, &large[..500 * n]), (500..m, &large[500 * n..])] {
        let mut small = vec![f32::NAN; part.len()];
        matmul_packed(&mut small, Mat::new(&x[rows.start * k..], rows.len(), k), &b, false);
        assert!(bits(&small) == bits(part), "rows {rows:?}");
    }
}

/// Big enough to be shared between threads and to be cut in every direction.
#[test]
fn shared_work_gives_the_bits_of_the_definition_at_any_thread_count() {
    let (m, n, k) = (TASK_ROWS + 13, 3 * COLS + 7, 2 * DEPTH + 5);
    let (x, y) = (random(1, m * k), random(2, k * n));
    let (a, b) = (Mat::new(&x, m, k), Mat::new(&y, k, n));
    let mut expected = vec![0.0; m * n];
    plain(Precision::F32, &mut expected, a, b, false);
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
    let b = PackedB::new(Mat::new(&y, k, n), Precision::F32);
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
