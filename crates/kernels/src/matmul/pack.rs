//! Copies matrices into the order in which the tiles read them, in memory that is kept for the next product.

use super::Mat;
use super::tile::{COLS, ROWS};
use crate::simd::Shared;
use rayon::prelude::*;
use std::cell::Cell;

/// 16 values on their own cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Line([f32; 16]);

const ZERO: Line = Line([0.0; 16]);

/// Memory for packed panels, aligned to 64 bytes.
#[derive(Clone, Default)]
pub(super) struct Panels {
    lines: Vec<Line>,
}

impl Panels {
    /// Room for `panels` panels of `k` by `width` values; what it held before is kept as rubbish.
    fn resize(&mut self, panels: usize, k: usize, width: usize) {
        let lines = (panels * k * width).div_ceil(16);
        if self.lines.len() < lines {
            self.lines.resize(lines, ZERO);
        }
    }

    /// The first value.
    pub(super) fn as_ptr(&self) -> *const f32 {
        self.lines.as_ptr().cast()
    }

    fn as_mut_slice(&mut self) -> &mut [f32] {
        // SAFETY: a `Line` is 16 `f32` without padding, all of them initialised.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.lines.len() * 16) }
    }

    /// Packs the rows of `a` in panels of `ROWS`: panel, k, row. Missing rows are 0.
    pub(super) fn pack_a(&mut self, a: Mat, parallel: bool) {
        self.pack::<ROWS>(a, parallel);
    }

    /// Packs the columns of `b` in panels of `COLS`: panel, k, column. Missing columns are 0.
    pub(super) fn pack_b(&mut self, b: Mat, parallel: bool) {
        self.pack::<COLS>(b.t(), parallel);
    }

    /// Packs the rows of `x` in panels of `WIDTH`: panel, k, row.
    fn pack<const WIDTH: usize>(&mut self, x: Mat, parallel: bool) {
        let (panels, k) = (x.rows.div_ceil(WIDTH), x.cols);
        self.resize(panels, k, WIDTH);
        let out = Shared::new(self.as_mut_slice());
        let blocks = k.div_ceil(BLOCK);
        let one = |task: usize| {
            let (panel, block) = (task / blocks, task % blocks);
            let (from, to) = (block * BLOCK, k.min((block + 1) * BLOCK));
            // SAFETY: tasks write disjoint ranges of k of disjoint panels, within what `resize` made.
            let out = unsafe { out.slice((panel * k + from) * WIDTH, (to - from) * WIDTH) };
            pack_panel::<WIDTH>(x, panel * WIDTH, from, out);
        };
        if parallel {
            (0..panels * blocks).into_par_iter().with_min_len(4).for_each(one);
        } else {
            (0..panels * blocks).for_each(one);
        }
    }
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

thread_local! {
    static KEPT: Cell<[Panels; 2]> = const { Cell::new([Panels { lines: Vec::new() }, Panels { lines: Vec::new() }]) };
}

/// Lends this thread's two packing buffers. Fresh pages cost more than the packing itself, so they are kept; a product
/// started by the same thread while they are out (a stolen job) gets new ones.
pub(super) fn with_buffers<R>(f: impl FnOnce(&mut [Panels; 2]) -> R) -> R {
    let mut buffers = KEPT.take();
    let result = f(&mut buffers);
    KEPT.set(buffers);
    result
}
