//! Which instructions this processor has, and how to run plain Rust compiled for them.
//!
//! Every kernel computes the same bits at every [`Level`]: sums run in a fixed order and products are fused
//! (`mul_add`) everywhere, so a level changes the speed only. The tests compare all levels bit for bit.

/// A set of instructions that kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// What the compilation target guarantees (on x86-64 without fused multiply-add: right, but slow).
    Portable,
    /// AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512 F, VL, DQ and BW with FMA.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// The same and AVX-512 BF16.
    #[cfg(target_arch = "x86_64")]
    Avx512Bf16,
}

impl Level {
    /// The levels this processor can run, slowest first.
    pub fn available() -> Vec<Self> {
        #[cfg_attr(not(target_arch = "x86_64"), expect(unused_mut, reason = "only x86-64 has further levels"))]
        let mut levels = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::is_x86_feature_detected as has;
            if has!("avx2") && has!("fma") {
                levels.push(Self::Avx2);
                if has_avx512() {
                    levels.push(Self::Avx512);
                    if has!("avx512bf16") {
                        levels.push(Self::Avx512Bf16);
                    }
                }
            }
        }
        levels
    }

    /// The fastest level of this processor.
    pub fn best() -> Self {
        static BEST: std::sync::OnceLock<Level> = std::sync::OnceLock::new();
        *BEST.get_or_init(|| Self::available().pop().unwrap_or(Self::Portable))
    }
}

#[cfg(target_arch = "x86_64")]
fn has_avx512() -> bool {
    use std::arch::is_x86_feature_detected as has;
    has!("avx512f") && has!("avx512vl") && has!("avx512dq") && has!("avx512bw")
}

/// A loop to be compiled once per level. Implementations mark `run` as `#[inline(always)]`: only inlined code is
/// compiled with the instructions of the level.
pub(crate) trait Task {
    /// What the loop returns.
    type Output;
    /// The loop, in plain Rust.
    fn run(self) -> Self::Output;
}

/// Runs `task` compiled for the fastest level of this processor.
#[inline]
pub(crate) fn run<T: Task>(task: T) -> T::Output {
    run_at(Level::best(), task)
}

/// Runs `task` compiled for `level`, which must be one of [`Level::available`].
#[inline]
pub(crate) fn run_at<T: Task>(level: Level, task: T) -> T::Output {
    match level {
        Level::Portable => task.run(),
        // SAFETY: `Level::best` and `Level::available` give out this level only where the processor has it.
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => unsafe { run_avx2(task) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 | Level::Avx512Bf16 => unsafe { run_avx512(task) },
    }
}

/// # Safety
/// The processor must have AVX2 and FMA.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn run_avx2<T: Task>(task: T) -> T::Output {
    task.run()
}

/// # Safety
/// The processor must have AVX-512 F, VL, DQ and BW, and FMA.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
unsafe fn run_avx512<T: Task>(task: T) -> T::Output {
    task.run()
}
