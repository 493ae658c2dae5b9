//! Packing by vectors (AVX-512): sixteen registers at a time are filled, rounded where asked, and turned.

use super::transpose::{LANES, transposed};
use std::arch::x86_64::*;

/// What a panel is packed from: `rows` times `values` numbers, the first at `from`.
#[derive(Clone, Copy)]
pub(super) struct Part {
    pub from: *const f32,
    /// Distance of rows, or of values where rows are contiguous.
    pub stride: usize,
    /// Rows in use, at most the panel's width.
    pub rows: usize,
    /// Numbers of each row.
    pub values: usize,
}

/// Packs rows whose values are contiguous into `out` (step, row).
///
/// # Safety
/// The processor must have AVX-512 F; the part's numbers must be readable, and `out` must take `WIDTH` values, 8 or a
/// multiple of 16, for each value of a row.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn along<const WIDTH: usize>(part: Part, out: *mut f32) {
    // SAFETY: the caller's promises; masked-out numbers are not touched.
    unsafe { turn::<WIDTH, 1>(part, out, |from, left| _mm512_maskz_loadu_ps(first(left), from)) }
}

/// The same, rounded to bfloat16, two values to a word.
///
/// # Safety
/// As [`along`], with AVX-512 BF16 and half as many values in `out`, rounded up.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(super) unsafe fn along_bf16<const WIDTH: usize>(part: Part, out: *mut f32) {
    // SAFETY: the caller's promises; masked-out numbers are not touched.
    unsafe {
        turn::<WIDTH, 2>(part, out, |from, left| {
            rounded(from, from.wrapping_add(LANES), left, left.saturating_sub(LANES))
        });
    }
}

/// Packs values whose rows are contiguous into `out` (step, row), rounded to bfloat16, two values to a word.
///
/// # Safety
/// As [`along_bf16`].
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(super) unsafe fn across_bf16<const WIDTH: usize>(part: Part, out: *mut f32) {
    // SAFETY: the caller's promises; masked-out numbers are not touched.
    unsafe {
        for step in 0..part.values.div_ceil(2) {
            let from = part.from.add(2 * step * part.stride);
            for row in (0..WIDTH).step_by(LANES) {
                let rows = part.rows.saturating_sub(row);
                // After an odd last value comes zero.
                let second = if 2 * step + 1 < part.values { rows } else { 0 };
                let from = from.wrapping_add(row);
                let words = joined(rounded(from, from.wrapping_add(part.stride), rows, second));
                _mm512_mask_storeu_ps(out.add(step * WIDTH + row), first(WIDTH - row), words);
            }
        }
    }
}

/// The first `lows` numbers at `low` and the first `highs` at `high`, at most 16 each, rounded to bfloat16: 16 halves of words
/// from either, in this order. What is missing is 0.
///
/// # Safety
/// The processor must have AVX-512 F and BF16, and the numbers must be readable.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) unsafe fn rounded(low: *const f32, high: *const f32, lows: usize, highs: usize) -> __m512 {
    // SAFETY: the caller's promises; masked-out numbers are not touched. The bits of both types mean the same.
    unsafe {
        let (low, high) = (_mm512_maskz_loadu_ps(first(lows), low), _mm512_maskz_loadu_ps(first(highs), high));
        std::mem::transmute::<__m512bh, __m512>(_mm512_cvtne2ps_pbh(high, low))
    }
}

/// Joins half i and half i + 16 to word i.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
pub(super) fn joined(halves: __m512) -> __m512 {
    const PLACES: [i16; 2 * LANES] = {
        let mut places = [0; 2 * LANES];
        let mut i = 0;
        while i < places.len() {
            places[i] = (i / 2 + i % 2 * LANES) as i16;
            i += 1;
        }
        places
    };
    // SAFETY: the array holds a register.
    let places = unsafe { _mm512_loadu_si512(PLACES.as_ptr().cast()) };
    _mm512_castsi512_ps(_mm512_permutexvar_epi16(places, _mm512_castps_si512(halves)))
}

/// The first `n` lanes of a register, at most all.
pub(super) fn first(n: usize) -> u16 {
    if n >= LANES { u16::MAX } else { (1 << n) - 1 }
}

/// Fills 16 registers with 16 words each, `VALUES` numbers to a word, and turns them. A panel of 8 rows fills them twice
/// over, with the numbers that follow.
///
/// # Safety
/// As [`along`], inlined where AVX-512 F is enabled; `load(from, left)` reads at most `left` numbers.
#[inline(always)]
unsafe fn turn<const WIDTH: usize, const VALUES: usize>(
    part: Part,
    out: *mut f32,
    load: impl Fn(*const f32, usize) -> __m512,
) {
    let Part { from, stride, rows, values } = part;
    let group = WIDTH.min(LANES);
    let steps = values.div_ceil(VALUES);
    // SAFETY: the caller's promises for rows below `rows`, numbers below `values` and steps below `steps`.
    unsafe {
        for first_row in (0..WIDTH).step_by(group) {
            for step in (0..steps).step_by(LANES * LANES / group) {
                let words = transposed(std::array::from_fn(|i| {
                    let (row, at) = (first_row + i % group, (step + i / group * LANES) * VALUES);
                    if row < rows && at < values {
                        load(from.add(row * stride + at), values - at)
                    } else {
                        _mm512_setzero_ps()
                    }
                }));
                let out = out.add(step * WIDTH + first_row);
                for (i, words) in words.into_iter().enumerate() {
                    if group == LANES {
                        if step + i < steps {
                            _mm512_storeu_ps(out.add(i * WIDTH), words);
                        }
                    } else {
                        if step + i < steps {
                            _mm256_storeu_ps(out.add(i * WIDTH), _mm512_castps512_ps256(words));
                        }
                        if step + i + LANES < steps {
                            let rest = _mm512_extractf64x4_pd::<1>(_mm512_castps_pd(words));
                            _mm256_storeu_ps(out.add((i + LANES) * WIDTH), _mm256_castpd_ps(rest));
                        }
                    }
                }
            }
        }
    }
}
