//! Copies matrices into the order in which the tiles read them.

use super::bf16::Join;
use super::tile::{COLS, ROWS};
#[cfg(target_arch = "x86_64")]
use super::transpose::{self, LANES};
use super::{Mat, Precision};
use crate::scratch::Scratch;
use crate::simd;
#[cfg(target_arch = "x86_64")]
use crate::simd::Level;
use crate::threads::{Shared, rows_per_job};
use rayon::prelude::*;

/// The rows of `a` in panels of `ROWS`: panel, step of k, row. Missing rows are 0.
pub(super) fn pack_a(a: Mat, precision: Precision, how: How) -> Scratch {
    pack::<ROWS>(a, precision, how)
}

/// The columns of `b` in panels of `COLS`: panel, step of k, column. Missing columns are 0.
pub(super) fn pack_b(b: Mat, precision: Precision, how: How) -> Scratch {
    pack::<COLS>(b.t(), precision, how)
}

/// Who packs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// All threads.
    Shared,
    /// This thread, for work that is shared further out.
    Alone,
}

/// The rows of `x` in panels of `WIDTH`: panel, step of k, row.
fn pack<const WIDTH: usize>(x: Mat, precision: Precision, how: How) -> Scratch {
    let (panels, k, steps) = (x.rows.div_ceil(WIDTH), x.cols, precision.steps(x.cols));
    let mut packed = Scratch::new(panels * steps * WIDTH);
    let out = Shared::new(&mut packed);
    let blocks = k.div_ceil(BLOCK);
    let one = |task: usize| {
        let (panel, block) = (task / blocks, task % blocks);
        let (from, to) = (block * BLOCK, k.min((block + 1) * BLOCK));
        let (first, last) = (precision.steps(from), precision.steps(to));
        // SAFETY: tasks write disjoint steps of disjoint panels, within the size above.
        let out = unsafe { out.slice((panel * steps + first) * WIDTH, (last - first) * WIDTH) };
        match precision {
            Precision::F32 => pack_panel::<WIDTH>(x, panel * WIDTH, from, out),
            Precision::Bf16 => {
                // The values of an odd last step stay 0.
                let mut values = [0.0; BLOCK * COLS];
                pack_panel::<WIDTH>(x, panel * WIDTH, from, &mut values[..(to - from) * WIDTH]);
                simd::run(Join::<WIDTH> { values: &values, out });
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
        // Columns that are already there.
        let done = if rows == WIDTH { sixteens::<WIDTH>(x, start, out) } else { 0 };
        if done == k {
            return;
        }
        let row = |i: usize| &x.data[start + i * x.row_stride..][done..k];
        let out = &mut out[done * WIDTH..];
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

/// Packs the columns of `x`, whose rows are contiguous, by sixteens where registers hold as many: two to three times as
/// fast as by fours. `WIDTH` rows from `x.data[start]` on; returns the number of columns packed.
fn sixteens<const WIDTH: usize>(x: Mat, start: usize, out: &mut [f32]) -> usize {
    #[cfg(target_arch = "x86_64")]
    if WIDTH.is_multiple_of(LANES) && matches!(Level::best(), Level::Avx512 | Level::Avx512Bf16) {
        let columns = out.len() / WIDTH;
        for i in (0..WIDTH).step_by(LANES) {
            let rows = &x.data[start + i * x.row_stride..];
            assert!(rows.len() >= (LANES - 1) * x.row_stride + columns, "rows beyond the matrix");
            // SAFETY: the processor has the level; the rows lie in `rows`, and `out` holds `WIDTH` values a column.
            unsafe { transpose::pack(rows.as_ptr(), x.row_stride, columns, out.as_mut_ptr().add(i), WIDTH) };
        }
        return columns / LANES * LANES;
    }
    0
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
