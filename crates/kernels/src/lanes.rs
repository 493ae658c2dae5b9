//! Vector registers of each level behind one face, for loops that only run fast with their sums in registers.

/// A register of `N` values. Each operation works lane by lane and gives the same bits in every implementation.
pub(crate) trait Lanes: Copy {
    /// Values in a register.
    const N: usize;

    /// # Safety
    /// `from` must hold `N` values, and the processor must have the register.
    unsafe fn load(from: *const f32) -> Self;

    /// # Safety
    /// `to` must have room for `N` values, and the processor must have the register.
    unsafe fn store(self, to: *mut f32);

    /// `value` in every lane.
    ///
    /// # Safety
    /// The processor must have the register.
    unsafe fn splat(value: f32) -> Self;

    /// `self + a * b` with one rounding.
    ///
    /// # Safety
    /// The processor must have the register.
    unsafe fn add_product(self, a: Self, b: Self) -> Self;

    /// `self + other`.
    ///
    /// # Safety
    /// The processor must have the register.
    unsafe fn add(self, other: Self) -> Self;

    /// The sum of the sixteen values in `parts`: value i and value i + 8 first, then i and i + 4, and so on.
    ///
    /// # Safety
    /// `parts` must be registers of sixteen values together, and the processor must have the register.
    unsafe fn sum_of_sixteen(parts: &[Self]) -> f32;

    /// Asks for the values at an address, valid or not, to be brought into the second-level cache.
    ///
    /// # Safety
    /// The processor must have the register.
    unsafe fn prefetch(from: *const f32);

    /// The larger value; `self` where either is no number.
    ///
    /// # Safety
    /// The processor must have the register.
    unsafe fn at_least(self, low: Self) -> Self;

    /// The smaller value; `self` where either is no number.
    ///
    /// # Safety
    /// The processor must have the register.
    unsafe fn at_most(self, high: Self) -> Self;
}

/// Eight values in plain Rust.
#[derive(Clone, Copy)]
pub(crate) struct Plain([f32; 8]);

impl Lanes for Plain {
    const N: usize = 8;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller gives eight values; an array of floats has no alignment of its own.
        Self(unsafe { from.cast::<[f32; 8]>().read() })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller has room for eight values.
        unsafe { to.cast::<[f32; 8]>().write(self.0) }
    }

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        Self([value; 8])
    }

    #[inline(always)]
    unsafe fn add_product(self, a: Self, b: Self) -> Self {
        Self(std::array::from_fn(|i| a.0[i].mul_add(b.0[i], self.0[i])))
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] + other.0[i]))
    }

    #[inline(always)]
    unsafe fn sum_of_sixteen(parts: &[Self]) -> f32 {
        let eight: [f32; 8] = std::array::from_fn(|i| parts[0].0[i] + parts[1].0[i]);
        let four: [f32; 4] = std::array::from_fn(|i| eight[i] + eight[i + 4]);
        (four[0] + four[2]) + (four[1] + four[3])
    }

    #[inline(always)]
    unsafe fn prefetch(_: *const f32) {}

    #[inline(always)]
    unsafe fn at_least(self, low: Self) -> Self {
        Self(std::array::from_fn(|i| if low.0[i] > self.0[i] { low.0[i] } else { self.0[i] }))
    }

    #[inline(always)]
    unsafe fn at_most(self, high: Self) -> Self {
        Self(std::array::from_fn(|i| if high.0[i] < self.0[i] { high.0[i] } else { self.0[i] }))
    }
}

/// [`Lanes`] by the instructions of x86-64. MAXPS and MINPS return their second operand where either is no number.
#[cfg(target_arch = "x86_64")]
macro_rules! x86 {
    ($register:ty, $n:literal, $load:ident, $store:ident, $splat:ident, $fma:ident, $add:ident, $max:ident, $min:ident, $sum:ident) => {
        impl Lanes for $register {
            const N: usize = $n;

            #[inline(always)]
            unsafe fn load(from: *const f32) -> Self {
                // SAFETY: the caller's promises.
                unsafe { $load(from) }
            }

            #[inline(always)]
            unsafe fn store(self, to: *mut f32) {
                // SAFETY: the caller's promises.
                unsafe { $store(to, self) }
            }

            #[inline(always)]
            unsafe fn splat(value: f32) -> Self {
                // SAFETY: the caller's promises.
                unsafe { $splat(value) }
            }

            #[inline(always)]
            unsafe fn add_product(self, a: Self, b: Self) -> Self {
                // SAFETY: the caller's promises.
                unsafe { $fma(a, b, self) }
            }

            #[inline(always)]
            unsafe fn add(self, other: Self) -> Self {
                // SAFETY: the caller's promises.
                unsafe { $add(self, other) }
            }

            #[inline(always)]
            unsafe fn sum_of_sixteen(parts: &[Self]) -> f32 {
                // SAFETY: the caller's promises.
                unsafe { $sum(parts) }
            }

            #[inline(always)]
            unsafe fn prefetch(from: *const f32) {
                // SAFETY: a prefetch reads nothing.
                unsafe { _mm_prefetch::<_MM_HINT_T1>(from.cast()) }
            }

            #[inline(always)]
            unsafe fn at_least(self, low: Self) -> Self {
                // SAFETY: the caller's promises.
                unsafe { $max(low, self) }
            }

            #[inline(always)]
            unsafe fn at_most(self, high: Self) -> Self {
                // SAFETY: the caller's promises.
                unsafe { $min(high, self) }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod registers {
    use super::Lanes;
    use std::arch::x86_64::*;

    /// # Safety
    /// The processor must have AVX-512 F and AVX.
    #[inline(always)]
    unsafe fn sum_of_one(parts: &[__m512]) -> f32 {
        // SAFETY: the caller's promise.
        unsafe {
            let high = _mm256_castpd_ps(_mm512_extractf64x4_pd::<1>(_mm512_castps_pd(parts[0])));
            sum_of_eight(_mm256_add_ps(_mm512_castps512_ps256(parts[0]), high))
        }
    }

    /// # Safety
    /// The processor must have AVX.
    #[inline(always)]
    unsafe fn sum_of_two(parts: &[__m256]) -> f32 {
        // SAFETY: the caller's promise.
        unsafe { sum_of_eight(_mm256_add_ps(parts[0], parts[1])) }
    }

    /// # Safety
    /// The processor must have AVX.
    #[inline(always)]
    unsafe fn sum_of_eight(eight: __m256) -> f32 {
        // SAFETY: the caller's promise.
        unsafe {
            let four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight));
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
        }
    }

    x86!(
        __m256,
        8,
        _mm256_loadu_ps,
        _mm256_storeu_ps,
        _mm256_set1_ps,
        _mm256_fmadd_ps,
        _mm256_add_ps,
        _mm256_max_ps,
        _mm256_min_ps,
        sum_of_two
    );
    x86!(
        __m512,
        16,
        _mm512_loadu_ps,
        _mm512_storeu_ps,
        _mm512_set1_ps,
        _mm512_fmadd_ps,
        _mm512_add_ps,
        _mm512_max_ps,
        _mm512_min_ps,
        sum_of_one
    );
}

/// A loop over registers, to be compiled once per level. Implementations mark `run` as `#[inline(always)]`.
pub(crate) trait Loop {
    /// # Safety
    /// The processor must have the register `L`; the rest is said where the loop is made.
    unsafe fn run<L: Lanes>(self);
}

/// Runs `work` with the widest registers of `level`.
///
/// # Safety
/// The processor must have `level`, and `work` may have promises of its own.
pub(crate) unsafe fn run_at(level: crate::simd::Level, work: impl Loop) {
    use crate::simd::Level;
    // SAFETY: the caller's promises.
    unsafe {
        match level {
            Level::Portable => work.run::<Plain>(),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => avx2(work),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 | Level::Avx512Bf16 => avx512(work),
        }
    }
}

/// # Safety
/// As [`run_at`], with AVX2 and FMA.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2(work: impl Loop) {
    // SAFETY: the same promises.
    unsafe { work.run::<std::arch::x86_64::__m256>() }
}

/// # Safety
/// As [`run_at`], with AVX-512 F.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2,fma")]
unsafe fn avx512(work: impl Loop) {
    // SAFETY: the same promises.
    unsafe { work.run::<std::arch::x86_64::__m512>() }
}
