//! The product on one thread, part by part, for kernels that share their work further out and use the parts at once.

use super::pack::{self, How};
use super::{Mat, PackedB, Precision, block};
use crate::scratch::Scratch;
use crate::simd::Level;
use crate::threads::Shared;
use std::ops::Range;

pub(crate) use super::tile::{COLS, ROWS};

/// A left-hand matrix in the order in which the product reads it, in f32.
pub(crate) struct PackedA {
    panels: Scratch,
    rows: usize,
    k: usize,
}

impl PackedA {
    /// Packs `a` on this thread.
    pub(crate) fn new(a: Mat) -> Self {
        Self { panels: pack::pack_a(a, Precision::F32, How::Alone), rows: a.rows, k: a.cols }
    }
}

/// Packs `b` `[k, n]` in f32 on this thread.
pub(crate) fn pack_b(b: Mat) -> PackedB {
    PackedB {
        panels: pack::pack_b(b, Precision::F32, How::Alone),
        k: b.rows,
        n: b.cols,
        precision: Precision::F32,
        tiles: false,
    }
}

/// C = A B for the rows `rows` of A, on this thread, with the instructions of `level` (one of [`Level::available`]);
/// `c` is `[rows.len(), n]`, `rows` starts at a multiple of [`ROWS`]. The bits are those of [`super::matmul_packed`].
pub(crate) fn product(level: Level, c: &mut [f32], a: &PackedA, rows: Range<usize>, b: &PackedB) {
    assert!(a.k == b.k && a.k > 0 && b.precision == Precision::F32, "A has {} columns, B {} rows", a.k, b.k);
    assert!(rows.start.is_multiple_of(ROWS) && rows.end <= a.rows, "rows {rows:?} of {}", a.rows);
    assert_eq!(c.len(), rows.len() * b.n, "C must hold {}x{} values", rows.len(), b.n);
    let panels = &a.panels[rows.start * a.k..];
    // SAFETY: the panels from a multiple of `ROWS` on are a packed matrix of their own; C is whole and only ours.
    unsafe { block(level, Shared::new(c), panels, b, 0..rows.len(), 0..b.n.div_ceil(COLS), false) };
}
