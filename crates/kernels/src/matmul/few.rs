//! Products with few rows, at the speed of memory: the other matrix is read once, where it lies, and not packed.

use crate::simd::Level;

/// C = A Bᵀ for row-major A `[m, k]`, B `[n, k]` and C `[m, n]`, on this thread, with the bits of [`super::matmul`].
/// False, and nothing is done, where it would be slower than a packed product: for many rows, and without registers of
/// 8 values. B should fit a second-level cache.
pub(crate) fn product(level: Level, c: &mut [f32], a: &[f32], b: &[f32], k: usize) -> bool {
    let (m, n) = (a.len() / k, b.len() / k);
    // Most rows for which this is faster than packing.
    let few = match level {
        Level::Portable => 0,
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => 12,
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 | Level::Avx512Bf16 => 32,
    };
    if m > few || n == 0 {
        return false;
    }
    assert!(
        a.len() == m * k && b.len() == n * k && c.len() == m * n,
        "C {} A {} B {} k {k}",
        c.len(),
        a.len(),
        b.len()
    );
    // SAFETY: the processor has the level, and the slices hold whole rows.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        match level {
            Level::Portable => {}
            Level::Avx2 => x86::avx2(c, a, b, n, k),
            Level::Avx512 | Level::Avx512Bf16 => x86::avx512(c, a, b, n, k),
        }
    }
    true
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use crate::lanes::Lanes;
    use crate::matmul::transpose::{transpose, transpose_eight};
    use crate::scratch::Scratch;
    use std::arch::x86_64::*;

    /// A register of `N` values that reads a matrix by columns.
    trait Columns<const N: usize>: Lanes {
        /// Element p of the result holds value p of each of the `N` rows, of which row i starts at `rows + i * stride`.
        ///
        /// # Safety
        /// The processor must have the register, and `N` values must be readable from the start of each row.
        unsafe fn columns(rows: *const f32, stride: usize) -> [Self; N];
    }

    impl Columns<8> for __m256 {
        #[inline(always)]
        unsafe fn columns(rows: *const f32, stride: usize) -> [Self; 8] {
            // SAFETY: the caller's promises.
            unsafe { transpose_eight(rows, stride) }
        }
    }

    impl Columns<16> for __m512 {
        #[inline(always)]
        unsafe fn columns(rows: *const f32, stride: usize) -> [Self; 16] {
            // SAFETY: the caller's promises.
            unsafe { transpose(rows, stride) }
        }
    }

    /// Four rows share a pass over B: their sums and eight columns fill most of the 16 registers. One row alone takes
    /// two groups of columns at a time, as one chain of sums would wait for itself.
    ///
    /// # Safety
    /// The processor must have AVX2 and FMA; `c` holds `[a.len() / k, n]`, `b` `[n, k]` values.
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn avx2(c: &mut [f32], a: &[f32], b: &[f32], n: usize, k: usize) {
        for (a, c) in a.chunks(4 * k).zip(c.chunks_mut(4 * n)) {
            // SAFETY: the caller's promises, for as many rows as each arm says.
            unsafe {
                match a.len() / k {
                    1 => rows::<__m256, 8, 1, 2>(c, a, b, n, k),
                    2 => rows::<__m256, 8, 2, 1>(c, a, b, n, k),
                    3 => rows::<__m256, 8, 3, 1>(c, a, b, n, k),
                    _ => rows::<__m256, 8, 4, 1>(c, a, b, n, k),
                }
            }
        }
    }

    /// Eight rows share a pass over B: each needs a register for its sums beside the sixteen columns.
    ///
    /// # Safety
    /// The processor must have AVX-512 F; `c` holds `[a.len() / k, n]`, `b` `[n, k]` values.
    #[target_feature(enable = "avx512f,avx2,fma")]
    pub(super) unsafe fn avx512(c: &mut [f32], a: &[f32], b: &[f32], n: usize, k: usize) {
        for (a, c) in a.chunks(8 * k).zip(c.chunks_mut(8 * n)) {
            // SAFETY: the caller's promises, for as many rows as each arm says.
            unsafe {
                match a.len() / k {
                    1 => rows::<__m512, 16, 1, 1>(c, a, b, n, k),
                    2 => rows::<__m512, 16, 2, 1>(c, a, b, n, k),
                    3 => rows::<__m512, 16, 3, 1>(c, a, b, n, k),
                    4 => rows::<__m512, 16, 4, 1>(c, a, b, n, k),
                    5 => rows::<__m512, 16, 5, 1>(c, a, b, n, k),
                    6 => rows::<__m512, 16, 6, 1>(c, a, b, n, k),
                    7 => rows::<__m512, 16, 7, 1>(c, a, b, n, k),
                    _ => rows::<__m512, 16, 8, 1>(c, a, b, n, k),
                }
            }
        }
    }

    // The functions below name no instructions: they are compiled for those of the two functions above.

    /// `M` rows of A with all rows of B, `G` times `N` of them at a time.
    ///
    /// # Safety
    /// The processor must have the register `V`; `c` holds `[M, n]`, `a` `[M, k]`, `b` `[n, k]` values.
    #[inline(always)]
    unsafe fn rows<V: Columns<N>, const N: usize, const M: usize, const G: usize>(
        c: &mut [f32],
        a: &[f32],
        b: &[f32],
        n: usize,
        k: usize,
    ) {
        let (most, whole) = (n / (G * N) * (G * N), n / N * N);
        // SAFETY: `N` rows of `b` from a row below `whole` on, and the same columns of `c`; the last rows are filled up
        // with what the scratch held, whose results are not used.
        unsafe {
            for row in (0..most).step_by(G * N) {
                for (g, sums) in sums::<V, N, M, G>(a, b.as_ptr().add(row * k), k).into_iter().enumerate() {
                    for (i, sum) in sums.into_iter().enumerate() {
                        sum.store(c.as_mut_ptr().add(i * n + row + g * N));
                    }
                }
            }
            for row in (most..whole).step_by(N) {
                for (i, sum) in sums::<V, N, M, 1>(a, b.as_ptr().add(row * k), k)[0].into_iter().enumerate() {
                    sum.store(c.as_mut_ptr().add(i * n + row));
                }
            }
            if whole < n {
                let mut last = Scratch::new(N * k);
                last[..(n - whole) * k].copy_from_slice(&b[whole * k..]);
                for (i, sum) in sums::<V, N, M, 1>(a, last.as_ptr(), k)[0].into_iter().enumerate() {
                    let mut values = [0.0; N];
                    sum.store(values.as_mut_ptr());
                    c[i * n + whole..(i + 1) * n].copy_from_slice(&values[..n - whole]);
                }
            }
        }
    }

    /// The products of `M` rows of `a` with the `G` times `N` rows of `k` values at `b`: one chain each, k ascending.
    ///
    /// # Safety
    /// The processor must have the register `V`; `a` holds `[M, k]` values, `b` `[G, N, k]`.
    #[inline(always)]
    #[expect(clippy::needless_range_loop, reason = "the indices name the same places in three arrays")]
    unsafe fn sums<V: Columns<N>, const N: usize, const M: usize, const G: usize>(
        a: &[f32],
        b: *const f32,
        k: usize,
    ) -> [[V; M]; G] {
        // SAFETY: the processor has the register; the reads are explained below.
        unsafe {
            let mut sums = [[V::splat(0.0); M]; G];
            let whole = k / N * N;
            for from in (0..whole).step_by(N) {
                // The next rows, in the order of their addresses. Only a hint, so any address will do.
                for line in 0..G * N * N / 16 {
                    _mm_prefetch::<_MM_HINT_T0>(b.wrapping_add(G * N * k + from * G * N + line * 16).cast());
                }
                let mut columns = [[V::splat(0.0); N]; G];
                for (g, columns) in columns.iter_mut().enumerate() {
                    // `N` values of each row from `from` on.
                    *columns = V::columns(b.add(g * N * k + from), k);
                }
                for p in 0..N {
                    for i in 0..M {
                        let a = V::splat(*a.get_unchecked(i * k + from + p));
                        for g in 0..G {
                            sums[g][i] = sums[g][i].add_product(a, columns[g][p]);
                        }
                    }
                }
            }
            for p in whole..k {
                for (g, sums) in sums.iter_mut().enumerate() {
                    // Row i holds k values.
                    let column: [f32; N] = std::array::from_fn(|i| *b.add((g * N + i) * k + p));
                    let column = V::load(column.as_ptr());
                    for (i, sum) in sums.iter_mut().enumerate() {
                        *sum = sum.add_product(V::splat(a[i * k + p]), column);
                    }
                }
            }
            sums
        }
    }
}
