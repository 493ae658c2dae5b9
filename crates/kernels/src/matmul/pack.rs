//! Copies matrices into the order in which the tiles read them.

use super::Mat;
use super::tile::{COLS, ROWS};
use crate::scratch::Scratch;
use crate::simd::Shared;
use rayon::prelude::*;

/// Matrices from this size on are packed by several threads.
const PARALLEL: usize = 1 << 15;

/// The rows of `a` in panels of `ROWS`: panel, k, row. Missing rows are 0.
pub(super) fn pack_a(a: Mat) -> Scratch {
    pack::<ROWS>(a)
}

/// The columns of `b` in panels of `COLS`: panel, k, column. Missing columns are 0.
pub(super) fn pack_b(b: Mat) -> Scratch {
    pack::<COLS>(b.t())
}

/// The rows of `x` in panels of `WIDTH`: panel, k, row.
fn pack<const WIDTH: usize>(x: Mat) -> Scratch {
    let (panels, k) = (x.rows.div_ceil(WIDTH), x.cols);
    let mut packed = Scratch::new(panels * k * WIDTH);
    let out = Shared::new(&mut packed);
    let blocks = k.div_ceil(BLOCK);
    let one = |task: usize| {
        let (panel, block) = (task / blocks, task % blocks);
        let (from, to) = (block * BLOCK, k.min((block + 1) * BLOCK));
        // SAFETY: tasks write disjoint ranges of k of disjoint panels, within the size above.
        let out = unsafe { out.slice((panel * k + from) * WIDTH, (to - from) * WIDTH) };
        pack_panel::<WIDTH>(x, panel * WIDTH, from, out);
    };
    if x.rows * k >= PARALLEL {
        (0..panels * blocks).into_par_iter().with_min_len(4).for_each(one);
    } else {
        (0..panels * blocks).for_each(one);
    }
    packed
}

/// Values of k packed at a time: a panel's block stays in the first-level cache while its rows are read.
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
            out[..rows].copy_from_slice(&x.data[start + p * x.col_stride..][..rows]);
        }
    } else if x.col_stride == 1 {
        let k = out.len() / WIDTH;
        for i in 0..rows {
            let values = &x.data[start + i * x.row_stride..][..k];
            for (out, &value) in out.iter_mut().skip(i).step_by(WIDTH).zip(values) {
                *out = value;
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
