//! Rows turned into columns in registers: sixteen of sixteen (AVX-512), eight of eight (AVX2).

use std::arch::x86_64::*;

/// Lanes of a register.
pub(crate) const LANES: usize = 16;

/// 16 by 16 values, of which row i starts at `rows + i * stride`; element p of the result holds value p of all rows.
///
/// # Safety
/// The processor must have AVX-512 F, and 16 values must be readable from the start of each row.
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) unsafe fn transpose(rows: *const f32, stride: usize) -> [__m512; LANES] {
    // SAFETY: the caller's promise.
    transposed(std::array::from_fn(|i| unsafe { _mm512_loadu_ps(rows.add(i * stride)) }))
}

/// Element p of the result holds value p of each row.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn transposed(r: [__m512; LANES]) -> [__m512; LANES] {
    // Pairs of rows, then fours of rows: each 128-bit lane then holds one column of four rows.
    let pairs: [__m512; LANES] = std::array::from_fn(|i| {
        let (a, b) = (r[i / 2 * 2], r[i / 2 * 2 + 1]);
        if i % 2 == 0 { _mm512_unpacklo_ps(a, b) } else { _mm512_unpackhi_ps(a, b) }
    });
    // fours[4 g + c]: columns c, c + 4, c + 8, c + 12 of rows 4 g to 4 g + 3.
    let fours: [__m512; LANES] = std::array::from_fn(|i| {
        let (a, b) = (pairs[i / 4 * 4 + i % 4 / 2], pairs[i / 4 * 4 + i % 4 / 2 + 2]);
        let (a, b) = (_mm512_castps_pd(a), _mm512_castps_pd(b));
        _mm512_castpd_ps(if i % 2 == 0 { _mm512_unpacklo_pd(a, b) } else { _mm512_unpackhi_pd(a, b) })
    });
    // eights[4 s + c], s = 2 h + e: of rows 8 h to 8 h + 7 the columns c + 4 e and c + 4 e + 8 (lanes 0 1 2 3 are:
    // column c + 4 e of the first and of the second four rows, then column c + 4 e + 8).
    let eights: [__m512; LANES] = std::array::from_fn(|i| {
        let (half, odd, c) = (i / 8, i / 4 % 2, i % 4);
        let (a, b) = (fours[8 * half + c], fours[8 * half + 4 + c]);
        // Lanes 0 and 2, or 1 and 3, of both.
        if odd == 0 { _mm512_shuffle_f32x4::<0b10_00_10_00>(a, b) } else { _mm512_shuffle_f32x4::<0b11_01_11_01>(a, b) }
    });
    std::array::from_fn(|p| {
        let (c, odd, high) = (p % 4, p / 4 % 2, p / 8);
        let (a, b) = (eights[4 * odd + c], eights[8 + 4 * odd + c]);
        if high == 0 {
            _mm512_shuffle_f32x4::<0b10_00_10_00>(a, b)
        } else {
            _mm512_shuffle_f32x4::<0b11_01_11_01>(a, b)
        }
    })
}

/// 8 by 8 values, of which row i starts at `rows + i * stride`; element p of the result holds value p of all rows.
///
/// # Safety
/// The processor must have AVX2, and 8 values must be readable from the start of each row.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) unsafe fn transpose_eight(rows: *const f32, stride: usize) -> [__m256; 8] {
    // Four values of rows i and i + 4.
    let two = |i: usize, from: usize| {
        // SAFETY: the caller's promise, as `from + 4` is at most 8.
        let [low, high] = [i, i + 4].map(|row| unsafe { _mm_loadu_ps(rows.add(row * stride + from)) });
        _mm256_insertf128_ps::<1>(_mm256_castps128_ps256(low), high)
    };
    // Four columns of all rows.
    let four = |from: usize| {
        let [a, b, c, d] = [0, 1, 2, 3].map(|i| two(i, from));
        let (low, high) = (
            [_mm256_unpacklo_ps(a, b), _mm256_unpacklo_ps(c, d)],
            [_mm256_unpackhi_ps(a, b), _mm256_unpackhi_ps(c, d)],
        );
        let turned = |[ab, cd]: [__m256; 2]| {
            [_mm256_shuffle_ps::<0b01_00_01_00>(ab, cd), _mm256_shuffle_ps::<0b11_10_11_10>(ab, cd)]
        };
        [turned(low), turned(high)]
    };
    let [[[a, b], [c, d]], [[e, f], [g, h]]] = [four(0), four(4)];
    [a, b, c, d, e, f, g, h]
}
