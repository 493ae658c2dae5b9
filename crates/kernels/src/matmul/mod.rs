//! Matrix product in f32: packed, blocked, parallel, and exact about its order of summation.
//!
//! Two promises, both tested:
//! - the same bits at any number of threads and with any instruction set, but for bfloat16 on processors with AMX, whose
//!   tiles add in another order;
//! - an element of the result depends on its row of A, its column of B and its start value only: never on the number of
//!   rows, on the other rows, or on its place. So a post's vector doesn't depend on the batch it came in.
//!
//! Both follow from one rule: element (i, j) is the chain `c = fma(a[i, k], b[k, j], c)` for k = 0, 1, 2, ...
//! (with [`Precision::Bf16`] for rounded factors; in blocks of 32 k with AMX).
//! The blocking is that of Goto and van de Geijn 2008, "Anatomy of high-performance matrix multiplication".

pub(crate) mod alone;
#[cfg(target_arch = "x86_64")]
mod amx;
mod bf16;
pub(crate) mod few;
mod pack;
mod tile;
#[cfg(target_arch = "x86_64")]
pub(crate) mod transpose;
#[cfg(target_arch = "x86_64")]
mod vectors;

use crate::scratch::Scratch;
use crate::simd::Level;
use crate::threads::Shared;
use pack::How;
use rayon::prelude::*;
use std::ops::Range;
pub(crate) use tile::COLS;
use tile::{ROWS, Tile};

/// A borrowed matrix: element (i, j) is `data[i * row_stride + j * col_stride]`.
#[derive(Clone, Copy, Debug)]
pub struct Mat<'a> {
    data: &'a [f32],
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

impl<'a> Mat<'a> {
    /// A row-major matrix over the first `rows * cols` values of `data`.
    ///
    /// # Panics
    /// If `data` is shorter.
    pub fn new(data: &'a [f32], rows: usize, cols: usize) -> Self {
        Self::strided(data, rows, cols, cols, 1)
    }

    /// A matrix with any strides.
    ///
    /// # Panics
    /// If an element would lie outside `data`.
    pub fn strided(data: &'a [f32], rows: usize, cols: usize, row_stride: usize, col_stride: usize) -> Self {
        if rows > 0 && cols > 0 {
            let last = (rows - 1) * row_stride + (cols - 1) * col_stride;
            assert!(last < data.len(), "a {rows}x{cols} matrix needs {} values, got {}", last + 1, data.len());
        }
        Self { data, rows, cols, row_stride, col_stride }
    }

    /// The transpose, without a copy.
    #[must_use]
    pub fn t(self) -> Self {
        Self { rows: self.cols, cols: self.rows, row_stride: self.col_stride, col_stride: self.row_stride, ..self }
    }
}

/// How the factors of a product are held. Sums are always f32, and the promises hold for both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// 24 significant bits.
    #[default]
    F32,
    /// 8 significant bits: several times as fast where the processor multiplies bfloat16 fast (AMX; AVX-512 BF16 of AMD),
    /// slower than f32 elsewhere (AVX-512 BF16 of Intel included). Each two k are added as
    /// `fma(a[k], b[k], fma(a[k + 1], b[k + 1], c))`, with zeros after the last k; subnormal numbers count as zero. With AMX
    /// the order is another: of each 32 k, the even and the odd ones are summed from 0, both sums added, and the result is
    /// added to c. The environment variable `QUINTET_NO_AMX` keeps to the first order everywhere.
    Bf16,
}

impl Precision {
    /// Steps of the innermost loop for `k` products.
    fn steps(self, k: usize) -> usize {
        match self {
            Self::F32 => k,
            Self::Bf16 => k.div_ceil(2),
        }
    }
}

/// A right-hand matrix in the order in which the product reads it, to be used many times.
#[derive(Clone, Default)]
pub struct PackedB {
    /// As [`pack::pack_b`] makes them; for tiles, as `amx::pack_b`.
    panels: Scratch,
    k: usize,
    n: usize,
    precision: Precision,
    /// Packed for the tiles of AMX.
    tiles: bool,
}

impl PackedB {
    /// Packs `b` `[k, n]`; products with it have this precision.
    pub fn new(b: Mat, precision: Precision) -> Self {
        #[cfg(target_arch = "x86_64")]
        if precision == Precision::Bf16 && amx::available() {
            return Self { panels: amx::pack_b(b, How::Shared), k: b.rows, n: b.cols, precision, tiles: true };
        }
        Self::without_tiles(b, precision)
    }

    /// [`PackedB::new`] for every processor.
    fn without_tiles(b: Mat, precision: Precision) -> Self {
        Self { panels: pack::pack_b(b, precision, How::Shared), k: b.rows, n: b.cols, precision, tiles: false }
    }

    /// The columns in panels of [`COLS`]: panel, step of k, column. Missing columns are 0.
    pub(crate) fn panels(&self) -> &[f32] {
        &self.panels
    }
}

/// C = A B, or C += A B with `accumulate`; `c` is row-major `[a.rows, b.cols]`.
///
/// # Panics
/// If the shapes disagree.
pub fn matmul(c: &mut [f32], a: Mat, b: Mat, accumulate: bool) {
    matmul_as(Precision::F32, c, a, b, accumulate);
}

/// [`matmul`] with factors of the given precision.
///
/// # Panics
/// If the shapes disagree.
pub fn matmul_as(precision: Precision, c: &mut [f32], a: Mat, b: Mat, accumulate: bool) {
    matmul_packed(c, a, &PackedB::new(b, precision), accumulate);
}

/// C = A B, or C += A B with `accumulate`, for a packed B.
///
/// # Panics
/// If the shapes disagree.
pub fn matmul_packed(c: &mut [f32], a: Mat, b: &PackedB, accumulate: bool) {
    product(Level::best(), c, a, b, accumulate);
}

/// Most steps of k that a tile takes at a time: 48 columns of them (30 KiB) stay in the first-level cache.
const DEPTH: usize = 160;
/// Most rows of C in a task, and most steps of k at a time: their part of A (640 KiB) stays in the second-level cache.
const TASK_ROWS: usize = 32 * ROWS;
const BLOCK: usize = 4 * DEPTH;
/// Products with at least this many multiplications (10 to 20 microseconds) are shared between threads.
const PARALLEL: usize = 1 << 21;

/// [`matmul_packed`] with the instructions of `level`, which must be one of [`Level::available`], or by tiles if `b` is
/// packed for them.
fn product(level: Level, c: &mut [f32], a: Mat, b: &PackedB, accumulate: bool) {
    let (m, n, k) = (a.rows, b.n, b.k);
    assert_eq!(a.cols, k, "A is {m}x{}, B is {k}x{n}", a.cols);
    assert_eq!(c.len(), m * n, "C must hold {m}x{n} values");
    if k == 0 && !accumulate {
        c.fill(0.0);
    }
    if m == 0 || n == 0 || k == 0 {
        return;
    }
    #[cfg(target_arch = "x86_64")]
    if b.tiles {
        return amx::product(c, a, b, accumulate);
    }
    let a = pack::pack_a(a, b.precision, How::Shared);
    let c = Shared::new(c);
    share(m, n, k, (ROWS, TASK_ROWS), COLS, |rows, panels| {
        // SAFETY: the tasks' blocks of rows and panels are disjoint and lie in C; both operands are packed.
        unsafe { block(level, c, &a, b, rows, panels, accumulate) };
    });
}

/// Cuts a product into tasks of at most `most_rows` rows, a multiple of `tile_rows`, and some panels of `cols` columns, and
/// does them, on several threads if it is large.
fn share(
    m: usize,
    n: usize,
    k: usize,
    (tile_rows, most_rows): (usize, usize),
    cols: usize,
    task: impl Fn(Range<usize>, Range<usize>) + Sync,
) {
    let (row_panels, panels) = (m.div_ceil(tile_rows), n.div_ceil(cols));
    let row_tasks = m.div_ceil(most_rows);
    // A few tasks per thread even out their finishing times; fewer columns a task would read A more often.
    let threads = rayon::current_num_threads();
    let col_tasks = panels.min((4 * threads).div_ceil(row_tasks));
    let one = |i: usize| {
        let (row_task, col_task) = (i / col_tasks, i % col_tasks);
        let start = |row_task: usize| m.min(row_panels * row_task / row_tasks * tile_rows);
        task(start(row_task)..start(row_task + 1), panels * col_task / col_tasks..panels * (col_task + 1) / col_tasks);
    };
    if threads > 1 && m * n * k >= PARALLEL {
        (0..row_tasks * col_tasks).into_par_iter().with_max_len(1).for_each(one);
    } else {
        (0..row_tasks * col_tasks).for_each(one);
    }
}

/// The tiles of some rows and some panels of columns.
///
/// # Safety
/// `a` must be packed by [`pack::pack_a`] with the columns and the precision of `b`, `rows` must start at a multiple of
/// `ROWS`, and the block must lie in C and be used by nobody else.
unsafe fn block(
    level: Level,
    c: Shared<f32>,
    a: &[f32],
    b: &PackedB,
    rows: Range<usize>,
    panels: Range<usize>,
    accumulate: bool,
) {
    let PackedB { n, precision, .. } = *b;
    let steps = precision.steps(b.k);
    for from in evenly(0..steps, BLOCK) {
        for panel in panels.clone() {
            let col = panel * COLS;
            // The panel's part of B stays in the first-level cache, its block of C in the second.
            for part in evenly(from.clone(), DEPTH) {
                for row in rows.clone().step_by(ROWS) {
                    // SAFETY: panel `p` of a packed operand starts at `p * steps * width`; the tile is cut to C's edges.
                    unsafe {
                        let tile = Tile {
                            c: c.at(row * n + col),
                            stride: n,
                            rows: ROWS.min(rows.end - row),
                            cols: COLS.min(n - col),
                            accumulate: accumulate || part.start > 0,
                        };
                        let a = a.as_ptr().add((row / ROWS * steps + part.start) * ROWS);
                        let b = b.panels.as_ptr().add((panel * steps + part.start) * COLS);
                        tile::tile(level, precision, part.len(), a, b, tile);
                    }
                }
            }
        }
    }
}

/// `range` in the fewest parts of at most `most`, nearly equal: a short last one would move C for little work.
fn evenly(range: Range<usize>, most: usize) -> impl Iterator<Item = Range<usize>> {
    let (start, len) = (range.start, range.len());
    let parts = len.div_ceil(most);
    (0..parts).map(move |i| start + len * i / parts..start + len * (i + 1) / parts)
}

#[cfg(test)]
mod tests;
