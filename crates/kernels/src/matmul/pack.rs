//! Copies matrices into the order in which the tiles read them.

use super::bf16::Join;
#[cfg(test)]
use super::bf16::round;
use super::tile::{COLS, ROWS};
#[cfg(target_arch = "x86_64")]
use super::vectors::{self, Part};
use super::{Mat, Precision};
use crate::scratch::Scratch;
use crate::simd::{self, Level};
use crate::threads::{Shared, rows_per_job};
use rayon::prelude::*;
use std::ops::Range;

/// The rows of `a` in panels of `ROWS`: panel, step of k, row. Missing rows are 0.
pub(super) fn pack_a(a: Mat, precision: Precision, how: How) -> Scratch {
    pack::<ROWS>(a, precision, how)
}

/// The columns of `b` in panels of `COLS`: panel, step of k, column. Missing columns are 0.
pub(super) fn pack_b(b: Mat, precision: Precision, how: How) -> Scratch {
    pack::<COLS>(b.t(), precision, how)
}

/// Who packs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// All threads.
    Shared,
    /// This thread, for work that is shared further out.
    Alone,
}

/// The rows of `x` in panels of `WIDTH`: panel, step of k, row.
fn pack<const WIDTH: usize>(x: Mat, precision: Precision, how: How) -> Scratch {
    pack_at::<WIDTH>(Level::best(), x, precision, 1, how)
}

/// [`pack`] with zeros after the last step up to a multiple of `multiple` steps.
#[cfg(target_arch = "x86_64")]
pub(super) fn pack_padded<const WIDTH: usize>(x: Mat, precision: Precision, multiple: usize, how: How) -> Scratch {
    pack_at::<WIDTH>(Level::best(), x, precision, multiple, how)
}

/// [`pack_padded`] with the instructions of `level`, which must be one of [`Level::available`].
fn pack_at<const WIDTH: usize>(level: Level, x: Mat, precision: Precision, multiple: usize, how: How) -> Scratch {
    let (panels, k, steps) = (x.rows.div_ceil(WIDTH), x.cols, precision.steps(x.cols).next_multiple_of(multiple));
    let mut packed = Scratch::new(panels * steps * WIDTH);
    let out = Shared::new(&mut packed);
    let blocks = k.div_ceil(BLOCK);
    let one = |task: usize| {
        // Neighbouring panels read the same lines where rows are contiguous, neighbouring blocks where values are.
        let (panel, block) =
            if x.row_stride == 1 { (task % panels, task / panels) } else { (task / blocks, task % blocks) };
        let (from, to) = (block * BLOCK, k.min((block + 1) * BLOCK));
        let (first, last) = (precision.steps(from), precision.steps(to));
        let padding = if to == k { steps - last } else { 0 };
        // SAFETY: tasks write disjoint steps of disjoint panels, within the size above.
        let out = unsafe { out.slice((panel * steps + first) * WIDTH, (last + padding - first) * WIDTH) };
        let (out, padding) = out.split_at_mut((last - first) * WIDTH);
        padding.fill(0.0);
        if pack_by_vectors::<WIDTH>(level, x, precision, panel * WIDTH, from..to, out) {
            return;
        }
        match precision {
            Precision::F32 => pack_panel::<WIDTH>(x, panel * WIDTH, from, out),
            Precision::Bf16 => {
                // The values of an odd last step stay 0.
                let mut values = [0.0; BLOCK * COLS];
                pack_panel::<WIDTH>(x, panel * WIDTH, from, &mut values[..(to - from) * WIDTH]);
                simd::run_at(level, Join::<WIDTH> { values: &values, out });
            }
        }
    };
    match how {
        How::Shared => (0..panels * blocks).into_par_iter().with_min_len(rows_per_job(BLOCK * WIDTH)).for_each(one),
        How::Alone => (0..panels * blocks).for_each(one),
    }
    packed
}

/// Values of k packed at a time, an even number: a panel's block stays in the first-level cache while its rows are read.
const BLOCK: usize = 64;

/// Packs rows `row..row + WIDTH` of `x`, columns `columns`, where AVX-512 does it faster; whether it did.
fn pack_by_vectors<const WIDTH: usize>(
    level: Level,
    x: Mat,
    precision: Precision,
    row: usize,
    columns: Range<usize>,
    out: &mut [f32],
) -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        let rows = WIDTH.min(x.rows - row);
        let start = row * x.row_stride + columns.start * x.col_stride;
        let stride = if x.col_stride == 1 { x.row_stride } else { x.col_stride };
        let part = Part { from: x.data[start..].as_ptr(), stride, rows, values: columns.len() };
        let out = out.as_mut_ptr();
        // SAFETY: the processor has the level; the rows and columns lie in `x`, and `out` holds the panel's steps of them.
        unsafe {
            match (precision, level, x.col_stride, x.row_stride) {
                (Precision::F32, Level::Avx512 | Level::Avx512Bf16, 1, _) => vectors::along::<WIDTH>(part, out),
                (Precision::Bf16, Level::Avx512Bf16, 1, _) => vectors::along_bf16::<WIDTH>(part, out),
                (Precision::Bf16, Level::Avx512Bf16, _, 1) => vectors::across_bf16::<WIDTH>(part, out),
                _ => return false,
            }
        }
        true
    }
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Packs rows `row..row + WIDTH` of `x`, columns from `from` on, into `out` (k, row).
fn pack_panel<const WIDTH: usize>(x: Mat, row: usize, from: usize, out: &mut [f32]) {
    let rows = WIDTH.min(x.rows - row);
    if rows < WIDTH {
        out.fill(0.0);
    }
    let start = row * x.row_stride + from * x.col_stride;
    if x.row_stride == 1 {
        for (p, out) in out.chunks_exact_mut(WIDTH).enumerate() {
            let values = &x.data[start + p * x.col_stride..];
            // A copy of known length is a few vector moves; of unknown length, a call.
            match (<&mut [f32; WIDTH]>::try_from(&mut *out), values.first_chunk::<WIDTH>()) {
                (Ok(out), Some(values)) if rows == WIDTH => *out = *values,
                _ => out[..rows].copy_from_slice(&values[..rows]),
            }
        }
    } else if x.col_stride == 1 {
        let k = out.len() / WIDTH;
        let row = |i: usize| &x.data[start + i * x.row_stride..][..k];
        for i in (0..rows).step_by(4) {
            if i + 4 <= rows {
                fours::<WIDTH>([row(i), row(i + 1), row(i + 2), row(i + 3)], &mut out[i..]);
            } else {
                (i..rows).for_each(|i| spread::<WIDTH>(row(i), &mut out[i..]));
            }
        }
    } else {
        for (p, out) in out.chunks_exact_mut(WIDTH).enumerate() {
            for (i, out) in out[..rows].iter_mut().enumerate() {
                *out = x.data[start + i * x.row_stride + p * x.col_stride];
            }
        }
    }
}

/// Writes `values[p]` to `out[p * WIDTH]`.
fn spread<const WIDTH: usize>(values: &[f32], out: &mut [f32]) {
    for (out, &value) in out.iter_mut().step_by(WIDTH).zip(values) {
        *out = value;
    }
}

/// Writes `rows[i][p]` to `out[p * WIDTH + i]`, 4 by 4 values at a time, which compilers turn into vector shuffles: up to
/// twice as fast as one value at a time.
fn fours<const WIDTH: usize>(rows: [&[f32]; 4], out: &mut [f32]) {
    let (blocks, rests): ([_; 4], [_; 4]) =
        (rows.map(|row| row.as_chunks::<4>().0), rows.map(|row| row.as_chunks::<4>().1));
    let [a, b, c, d] = blocks;
    for (p, (((a, b), c), d)) in a.iter().zip(b).zip(c).zip(d).enumerate() {
        for q in 0..4 {
            out[(4 * p + q) * WIDTH..][..4].copy_from_slice(&[a[q], b[q], c[q], d[q]]);
        }
    }
    for (i, rest) in rests.into_iter().enumerate() {
        if !rest.is_empty() {
            spread::<WIDTH>(rest, &mut out[4 * a.len() * WIDTH + i..]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use proptest::prelude::*;

    /// Element `k` of row `row` where the layout says, in the format of `precision`, one number at a time.
    fn plain<const WIDTH: usize>(x: Mat, precision: Precision) -> Vec<u32> {
        let at = |row: usize, k: usize| {
            if row < x.rows && k < x.cols { x.data[row * x.row_stride + k * x.col_stride] } else { 0.0 }
        };
        let mut out = Vec::new();
        for panel in 0..x.rows.div_ceil(WIDTH) {
            for step in 0..precision.steps(x.cols) {
                for row in panel * WIDTH..(panel + 1) * WIDTH {
                    out.push(match precision {
                        Precision::F32 => at(row, step).to_bits(),
                        Precision::Bf16 => round(at(row, 2 * step)) | round(at(row, 2 * step + 1)) << 16,
                    });
                }
            }
        }
        out
    }

    fn case<const WIDTH: usize>(x: Mat, precision: Precision) {
        let expected = plain::<WIDTH>(x, precision);
        for level in Level::available() {
            for how in [How::Shared, How::Alone] {
                let packed = pack_at::<WIDTH>(level, x, precision, 1, how);
                assert!(packed.iter().map(|x| x.to_bits()).eq(expected.iter().copied()), "{level:?}, {how:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn every_level_packs_the_same_words((rows, cols, gap) in (1usize..120, 1usize..200, 0usize..3), layout in 0..3, seed: u64) {
            let mut rng = Rng::new(seed, &[]);
            // Every pattern of bits: subnormal numbers, infinities and numbers that are none among them.
            let odd = [f32::NAN, f32::INFINITY, f32::MAX, 1e-40, f32::MIN_POSITIVE - 1e-45, -0.0, -f32::MIN_POSITIVE];
            let mut number = || if rng.index(4) == 0 { odd[rng.index(odd.len())] } else { rng.uniform(-2.0, 2.0) };
            let data: Vec<f32> = (0..2 * (rows + 2) * (cols + 2)).map(|_| number()).collect();
            let x = match layout {
                0 => Mat::strided(&data, rows, cols, cols + gap, 1),
                1 => Mat::strided(&data, rows, cols, 1, rows + gap),
                _ => Mat::strided(&data, rows, cols, 2 * cols, 2),
            };
            for precision in [Precision::F32, Precision::Bf16] {
                case::<ROWS>(x, precision);
                case::<COLS>(x, precision);
            }
        }
    }
}
