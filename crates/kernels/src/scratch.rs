//! Memory for intermediate results that outlives them: kept in a pool and handed out again.
//!
//! A fresh page costs a fault and its zeroing, more than most kernels need to fill it: packing a 12 MB matrix took 20 ms
//! into fresh memory and 1 ms into used memory. Training asks for the same sizes in every step.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

/// The pool keeps at most this much (2 GiB); beyond it memory goes back to the allocator.
const MOST_KEPT: usize = 1 << 31;

static POOL: Mutex<Pool> = Mutex::new(Pool { free: Vec::new(), lines: 0 });

/// Makes the allocator keep what is freed for what comes next, up to 32 MiB a piece, for the rest of the process: a training
/// step asks for the same sizes as the one before, and fresh pages took 5 % of its time. For glibc's allocator; others are
/// left as they are.
pub fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: these calls set two thresholds of the allocator, under its own lock.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 32 << 20);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
    }
}

/// 16 values on their own cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; 16]);

struct Pool {
    /// Longest unused first.
    free: Vec<Vec<Line>>,
    /// Lines in `free`.
    lines: usize,
}

impl Pool {
    fn take(&mut self, index: usize) -> Vec<Line> {
        let lines = self.free.remove(index);
        self.lines -= lines.len();
        lines
    }
}

/// A slice of `f32`, aligned to 64 bytes, from the pool and back to it when dropped.
#[derive(Default)]
pub struct Scratch {
    lines: Vec<Line>,
    len: usize,
}

impl Scratch {
    /// `len` values, initialised but arbitrary: what an earlier user left.
    pub fn new(len: usize) -> Self {
        let needed = len.div_ceil(16);
        let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
        // The smallest that is large enough, unless most of it would lie idle.
        let fits = |lines: &Vec<Line>| lines.len() >= needed && lines.len() / 4 <= needed;
        let best = (0..pool.free.len()).filter(|&i| fits(&pool.free[i])).min_by_key(|&i| pool.free[i].len());
        if let Some(best) = best {
            return Self { lines: pool.take(best), len };
        }
        drop(pool);
        // An eighth more, so that a slightly longer batch finds it large enough.
        Self { lines: vec![Line([0.0; 16]); needed + needed / 8], len }
    }

    /// `len` zeros.
    pub fn zeros(len: usize) -> Self {
        let mut scratch = Self::new(len);
        scratch.fill(0.0);
        scratch
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
        if !lines.is_empty() {
            pool.lines += lines.len();
            pool.free.push(lines);
        }
        // The longest unused goes first: what a longer batch outgrew.
        while pool.lines * size_of::<Line>() > MOST_KEPT {
            pool.take(0);
        }
    }
}

impl Deref for Scratch {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        // SAFETY: `lines` holds at least `len` values, all initialised; a `Line` is 16 `f32` without padding.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }
}

impl DerefMut for Scratch {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as in `deref`.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}

impl Clone for Scratch {
    fn clone(&self) -> Self {
        let mut copy = Self::new(self.len);
        copy.copy_from_slice(self);
        copy
    }
}

impl std::fmt::Debug for Scratch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} values", self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_alignment_and_zeros() {
        for len in [0, 1, 16, 17, 1000] {
            let mut scratch = Scratch::new(len);
            assert_eq!((scratch.len(), scratch.as_ptr() as usize % 64), (len, 0));
            scratch.fill(f32::NAN);
            drop(scratch);
            assert!(Scratch::zeros(len).iter().all(|&x| x == 0.0));
        }
    }

    #[test]
    fn memory_comes_back() {
        // A size that no other test asks for.
        let len = 12_345_678;
        let first = Scratch::new(len);
        let address = first.as_ptr();
        drop(first);
        assert_eq!(Scratch::new(len - 100).as_ptr(), address);
    }
}
