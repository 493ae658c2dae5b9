//! The innermost loop of the matrix product: one tile of C, up to 8 rows by 48 columns.
//!
//! Each element is one chain of fused multiply-adds over k, ascending, that starts from 0 or from the element's value.
//! The chain doesn't depend on the place in the tile, on the tile's size or on the instructions, hence the promises of
//! [`crate::matmul`].

use super::Precision;
use super::bf16::add_pair;
use crate::simd::{self, Level};

/// Rows of a tile; a packed panel of A holds this many values for each k.
pub(crate) const ROWS: usize = 8;
/// Columns of a tile; a packed panel of B holds this many values for each k. With 8 rows, 24 of the 32 AVX-512
/// registers accumulate, 3 hold B and 1 holds A.
pub(crate) const COLS: usize = 48;

/// Where a tile lies in C and what of it is real.
#[derive(Clone, Copy)]
pub(super) struct Tile {
    /// First element of the tile in C.
    pub c: *mut f32,
    /// Distance of two rows of C.
    pub stride: usize,
    /// Rows in use, 1 to `ROWS`.
    pub rows: usize,
    /// Columns in use, 1 to `COLS`.
    pub cols: usize,
    /// Start from the values in C instead of 0.
    pub accumulate: bool,
}

/// Adds the products of `k` steps to each element of a tile.
///
/// # Safety
/// The processor must have `level`. `a` must hold `k * ROWS` words of `precision`, `b` `k * COLS` aligned to 64 bytes,
/// and the `rows` by `cols` elements of the tile must be valid and used by nobody else.
pub(super) unsafe fn tile(level: Level, precision: Precision, k: usize, a: *const f32, b: *const f32, tile: Tile) {
    // SAFETY: the caller's promises are those of the functions called.
    unsafe {
        match (precision, level) {
            #[cfg(target_arch = "x86_64")]
            (Precision::F32, Level::Avx512 | Level::Avx512Bf16) => x86::avx512(k, a, b, tile),
            #[cfg(target_arch = "x86_64")]
            (Precision::F32, Level::Avx2) => x86::avx2(k, a, b, tile),
            #[cfg(target_arch = "x86_64")]
            (Precision::Bf16, Level::Avx512Bf16) => x86::bf16(k, a, b, tile),
            (Precision::F32, Level::Portable) => portable(k, a, b, tile, |sum, a, b| a.mul_add(b, sum)),
            (Precision::Bf16, _) => simd::run_at(level, Bf16 { k, a, b, tile }),
        }
    }
}

/// A tile of bfloat16 without the instruction for it.
struct Bf16 {
    k: usize,
    a: *const f32,
    b: *const f32,
    tile: Tile,
}

impl simd::Task for Bf16 {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        // SAFETY: only `tile` makes this, with its caller's promises.
        unsafe { portable(self.k, self.a, self.b, self.tile, add_pair) };
    }
}

/// The tile in plain Rust, 4 by 8 elements at a time so that a compiler can keep them in registers.
///
/// # Safety
/// As [`tile`].
#[inline(always)]
unsafe fn portable(k: usize, a: *const f32, b: *const f32, tile: Tile, add: impl Fn(f32, f32, f32) -> f32) {
    // SAFETY: the packed panels are always whole, so reading their padding is allowed; C is touched through `edges`.
    unsafe {
        edges(tile, |c, stride| {
            for i in (0..ROWS).step_by(4) {
                for j in (0..COLS).step_by(8) {
                    portable_part(k, a.add(i), b.add(j), c.add(i * stride + j), stride, &add);
                }
            }
        });
    }
}

/// 4 by 8 elements.
///
/// # Safety
/// As [`tile`], for a whole part of a tile.
#[inline(always)]
unsafe fn portable_part(
    k: usize,
    a: *const f32,
    b: *const f32,
    c: *mut f32,
    stride: usize,
    add: &impl Fn(f32, f32, f32) -> f32,
) {
    // SAFETY: the caller gives whole panels and a whole part of C.
    unsafe {
        let mut sums = [[0f32; 8]; 4];
        for (r, row) in sums.iter_mut().enumerate() {
            std::ptr::copy_nonoverlapping(c.add(r * stride), row.as_mut_ptr(), 8);
        }
        for p in 0..k {
            let b = &*b.add(p * COLS).cast::<[f32; 8]>();
            for (r, row) in sums.iter_mut().enumerate() {
                let a = *a.add(p * ROWS + r);
                for (sum, b) in row.iter_mut().zip(b) {
                    *sum = add(*sum, a, *b);
                }
            }
        }
        for (r, row) in sums.iter().enumerate() {
            std::ptr::copy_nonoverlapping(row.as_ptr(), c.add(r * stride), 8);
        }
    }
}

/// Calls `whole` with a full tile: C itself where the tile is whole, else a copy of its used part.
///
/// # Safety
/// As [`tile`]; `whole(c, stride)` may use `ROWS` by `COLS` elements only.
#[inline(always)]
unsafe fn edges(tile: Tile, whole: impl FnOnce(*mut f32, usize)) {
    let Tile { c, stride, rows, cols, accumulate } = tile;
    // SAFETY: rows below `rows` of C hold `cols` valid elements; the buffer holds a whole tile.
    unsafe {
        if rows == ROWS && cols == COLS && accumulate {
            return whole(c, stride);
        }
        let mut buffer = [0f32; ROWS * COLS];
        if accumulate {
            for i in 0..rows {
                std::ptr::copy_nonoverlapping(c.add(i * stride), buffer.as_mut_ptr().add(i * COLS), cols);
            }
        }
        whole(buffer.as_mut_ptr(), COLS);
        for i in 0..rows {
            std::ptr::copy_nonoverlapping(buffer.as_ptr().add(i * COLS), c.add(i * stride), cols);
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{COLS, ROWS, Tile, edges};
    use std::arch::x86_64::*;

    /// # Safety
    /// As [`super::tile`], with AVX2 and FMA.
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn avx2(k: usize, a: *const f32, b: *const f32, tile: Tile) {
        // SAFETY: the packed panels are always whole; C is touched through `edges`.
        unsafe {
            edges(tile, |c, stride| {
                for j in (0..COLS).step_by(24) {
                    for i in (0..ROWS).step_by(4) {
                        avx2_part(k, a.add(i), b.add(j), c.add(i * stride + j), stride);
                    }
                }
            });
        }
    }

    /// 4 by 24 elements: 12 accumulators, 3 registers of B and 1 of A fill the 16 registers.
    ///
    /// # Safety
    /// As [`super::tile`], for a whole part of a tile, with AVX2 and FMA.
    #[target_feature(enable = "avx2,fma")]
    unsafe fn avx2_part(k: usize, a: *const f32, b: *const f32, c: *mut f32, stride: usize) {
        // SAFETY: the caller gives whole panels and a whole part of C.
        unsafe {
            let mut sums = [[_mm256_setzero_ps(); 3]; 4];
            for (i, row) in sums.iter_mut().enumerate() {
                for (v, sum) in row.iter_mut().enumerate() {
                    *sum = _mm256_loadu_ps(c.add(i * stride + v * 8));
                }
            }
            for p in 0..k {
                let b = b.add(p * COLS);
                let b = [_mm256_load_ps(b), _mm256_load_ps(b.add(8)), _mm256_load_ps(b.add(16))];
                for (i, row) in sums.iter_mut().enumerate() {
                    let a = _mm256_set1_ps(*a.add(p * ROWS + i));
                    for (sum, b) in row.iter_mut().zip(b) {
                        *sum = _mm256_fmadd_ps(a, b, *sum);
                    }
                }
            }
            for (i, row) in sums.iter().enumerate() {
                for (v, sum) in row.iter().enumerate() {
                    _mm256_storeu_ps(c.add(i * stride + v * 8), *sum);
                }
            }
        }
    }

    /// # Safety
    /// As [`super::tile`], with AVX-512 F.
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn avx512(k: usize, a: *const f32, b: *const f32, tile: Tile) {
        // SAFETY: the same promises.
        unsafe { avx512_tile(k, a, b, tile, |sum, a, b| _mm512_fmadd_ps(a, b, sum)) }
    }

    /// # Safety
    /// As [`super::tile`], with AVX-512 F and BF16.
    #[target_feature(enable = "avx512f,avx512bf16")]
    pub(super) unsafe fn bf16(k: usize, a: *const f32, b: *const f32, tile: Tile) {
        // SAFETY: a vector of words is a vector of pairs of bfloat16; the rest are the same promises.
        unsafe {
            avx512_tile(k, a, b, tile, |sum, a, b| {
                let pairs = |words: __m512| std::mem::transmute::<__m512, __m512bh>(words);
                _mm512_dpbf16_ps(sum, pairs(a), pairs(b))
            });
        }
    }

    // The functions below name no instructions: they are compiled for those of the two functions above, which differ.

    /// # Safety
    /// As [`super::tile`], inlined where AVX-512 F is enabled; `add(sum, a, b)` adds the products of a step.
    #[inline(always)]
    unsafe fn avx512_tile(
        k: usize,
        a: *const f32,
        b: *const f32,
        tile: Tile,
        add: impl Fn(__m512, __m512, __m512) -> __m512,
    ) {
        // SAFETY: the same promises.
        unsafe {
            match tile.cols.div_ceil(16) {
                1 => avx512_rows::<1>(k, a, b, tile, &add),
                2 => avx512_rows::<2>(k, a, b, tile, &add),
                _ => avx512_rows::<3>(k, a, b, tile, &add),
            }
        }
    }

    /// # Safety
    /// As [`avx512_tile`].
    #[inline(always)]
    unsafe fn avx512_rows<const V: usize>(
        k: usize,
        a: *const f32,
        b: *const f32,
        tile: Tile,
        add: &impl Fn(__m512, __m512, __m512) -> __m512,
    ) {
        // SAFETY: the same promises.
        unsafe {
            match tile.rows {
                1 => avx512_part::<1, V>(k, a, b, tile, add),
                2 => avx512_part::<2, V>(k, a, b, tile, add),
                3 => avx512_part::<3, V>(k, a, b, tile, add),
                4 => avx512_part::<4, V>(k, a, b, tile, add),
                5 => avx512_part::<5, V>(k, a, b, tile, add),
                6 => avx512_part::<6, V>(k, a, b, tile, add),
                7 => avx512_part::<7, V>(k, a, b, tile, add),
                _ => avx512_part::<8, V>(k, a, b, tile, add),
            }
        }
    }

    /// `R` rows by `V` vectors of 16 columns, the last one masked to the columns in use.
    ///
    /// # Safety
    /// As [`avx512_tile`], with `R` rows in use and `V` the number of vectors that cover the columns in use.
    #[inline(always)]
    unsafe fn avx512_part<const R: usize, const V: usize>(
        k: usize,
        a: *const f32,
        b: *const f32,
        tile: Tile,
        add: &impl Fn(__m512, __m512, __m512) -> __m512,
    ) {
        let Tile { c, stride, cols, accumulate, .. } = tile;
        let mask = |v: usize| if v + 1 < V { u16::MAX } else { u16::MAX >> (16 * V - cols) };
        // SAFETY: masked-out elements of C are not touched; the panels are whole.
        unsafe {
            let mut sums = [[_mm512_setzero_ps(); V]; R];
            if accumulate {
                for (i, row) in sums.iter_mut().enumerate() {
                    for (v, sum) in row.iter_mut().enumerate() {
                        *sum = _mm512_maskz_loadu_ps(mask(v), c.add(i * stride + v * 16));
                    }
                }
            }
            for p in 0..k {
                let mut vectors = [_mm512_setzero_ps(); V];
                for (v, vector) in vectors.iter_mut().enumerate() {
                    *vector = _mm512_load_ps(b.add(p * COLS + v * 16));
                }
                for (i, row) in sums.iter_mut().enumerate() {
                    let a = _mm512_set1_ps(*a.add(p * ROWS + i));
                    for (sum, b) in row.iter_mut().zip(vectors) {
                        *sum = add(*sum, a, b);
                    }
                }
            }
            for (i, row) in sums.iter().enumerate() {
                for (v, sum) in row.iter().enumerate() {
                    _mm512_mask_storeu_ps(c.add(i * stride + v * 16), mask(v), *sum);
                }
            }
        }
    }
}
