//! Products with few rows, at the speed of memory: the other matrix is read once, where it lies, and not packed.

use crate::scratch::Scratch;
use crate::simd::Level;

/// Most rows for which this is faster than packing.
const FEW: usize = 32;
/// Rows that share a pass over B: each needs a register for its sums beside the sixteen columns.
#[cfg(target_arch = "x86_64")]
const PASS: usize = 8;

/// C = A Bᵀ for row-major A `[m, k]`, B `[n, k]` and C `[m, n]`, on this thread, with the bits of [`super::matmul`].
/// False, and nothing is done, where it would be slower than a packed product: for many rows, and without registers of
/// 16 values. B should fit a second-level cache.
pub(crate) fn product(level: Level, c: &mut [f32], a: &[f32], b: &[f32], k: usize) -> bool {
    let (m, n) = (a.len() / k, b.len() / k);
    if m > FEW || n == 0 {
        return false;
    }
    assert!(
        a.len() == m * k && b.len() == n * k && c.len() == m * n,
        "C {} A {} B {} k {k}",
        c.len(),
        a.len(),
        b.len()
    );
    #[cfg(target_arch = "x86_64")]
    if matches!(level, Level::Avx512 | Level::Avx512Bf16) {
        for (a, c) in a.chunks(PASS * k).zip(c.chunks_mut(PASS * n)) {
            // SAFETY: the processor has the level, and the slices hold whole rows, as many as each arm says.
            unsafe {
                match a.len() / k {
                    1 => x86::rows::<1>(c, a, b, n, k),
                    2 => x86::rows::<2>(c, a, b, n, k),
                    3 => x86::rows::<3>(c, a, b, n, k),
                    4 => x86::rows::<4>(c, a, b, n, k),
                    5 => x86::rows::<5>(c, a, b, n, k),
                    6 => x86::rows::<6>(c, a, b, n, k),
                    7 => x86::rows::<7>(c, a, b, n, k),
                    _ => x86::rows::<PASS>(c, a, b, n, k),
                }
            }
        }
        return true;
    }
    false
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Scratch;
    use crate::matmul::transpose::{LANES, transpose};
    use std::arch::x86_64::*;

    /// How far ahead of its use memory is asked for, in values (16 KiB).
    const AHEAD: usize = 4096;

    /// # Safety
    /// The processor must have AVX-512 F; `c` holds `[M, n]`, `a` `[M, k]`, `b` `[n, k]` values.
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn rows<const M: usize>(c: &mut [f32], a: &[f32], b: &[f32], n: usize, k: usize) {
        let whole = n / LANES * LANES;
        // SAFETY: sixteen rows of `b` from a row below `whole` on, and the same columns of `c`; the last rows are
        // filled up with what the scratch held, whose results are not used.
        unsafe {
            for row in (0..whole).step_by(LANES) {
                let sums = sixteen::<M>(a, b.as_ptr().add(row * k), k);
                for (i, sum) in sums.into_iter().enumerate() {
                    _mm512_storeu_ps(c.as_mut_ptr().add(i * n + row), sum);
                }
            }
            if whole < n {
                let mut last = Scratch::new(LANES * k);
                last[..(n - whole) * k].copy_from_slice(&b[whole * k..]);
                for (i, sum) in sixteen::<M>(a, last.as_ptr(), k).into_iter().enumerate() {
                    let mask = u16::MAX >> (LANES - (n - whole));
                    _mm512_mask_storeu_ps(c.as_mut_ptr().add(i * n + whole), mask, sum);
                }
            }
        }
    }

    /// The products of M rows of `a` with the sixteen rows of `k` values at `b`: one chain each, k ascending.
    ///
    /// # Safety
    /// The processor must have AVX-512 F; `a` holds `[M, k]` values, `b` 16 k.
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn sixteen<const M: usize>(a: &[f32], b: *const f32, k: usize) -> [__m512; M] {
        let mut sums = [_mm512_setzero_ps(); M];
        let mut add = |p: usize, column: __m512| {
            for (i, sum) in sums.iter_mut().enumerate() {
                *sum = _mm512_fmadd_ps(_mm512_set1_ps(a[i * k + p]), column, *sum);
            }
        };
        let whole = k / LANES * LANES;
        for from in (0..whole).step_by(LANES) {
            for line in 0..LANES {
                // Only a hint, so any address will do; in the order of the addresses.
                _mm_prefetch::<_MM_HINT_T0>(b.wrapping_add(AHEAD + (from + line) * LANES).cast());
            }
            // SAFETY: sixteen values of each row from `from` on.
            for (p, column) in unsafe { transpose(b.add(from), k) }.into_iter().enumerate() {
                add(from + p, column);
            }
        }
        for p in whole..k {
            // SAFETY: row i holds k values.
            let column: [f32; LANES] = std::array::from_fn(|i| unsafe { *b.add(i * k + p) });
            // SAFETY: sixteen values.
            add(p, unsafe { _mm512_loadu_ps(column.as_ptr()) });
        }
        sums
    }
}
