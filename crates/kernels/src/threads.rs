//! How work is cut for threads.

/// Values that a job should touch at least: some 10 microseconds of an elementwise loop. Waking a thread costs as much,
/// so smaller work stays on its thread.
const VALUES_PER_JOB: usize = 1 << 14;

/// How many rows of `values` values a job should take at least.
pub(crate) fn rows_per_job(values: usize) -> usize {
    (VALUES_PER_JOB / values.max(1)).max(1)
}

/// A pointer into a slice that several threads write at disjoint places.
#[derive(Clone, Copy)]
pub(crate) struct Shared<T>(*mut T);

// SAFETY: the pointer itself is only an address; every use states why its places are disjoint.
unsafe impl<T: Send> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// Shares `slice`, which must stay borrowed while the pointer is used.
    pub(crate) fn new(slice: &mut [T]) -> Self {
        Self(slice.as_mut_ptr())
    }

    /// The address `offset` elements in.
    ///
    /// # Safety
    /// `offset` must be within the slice (its end included).
    pub(crate) unsafe fn at(self, offset: usize) -> *mut T {
        // SAFETY: the caller keeps `offset` within the allocation.
        unsafe { self.0.add(offset) }
    }

    /// The places `start..start + len` of the slice.
    ///
    /// # Safety
    /// They must lie in the slice, and nobody else may use them while the result lives.
    pub(crate) unsafe fn slice<'a>(self, start: usize, len: usize) -> &'a mut [T] {
        // SAFETY: the caller promises range and exclusiveness.
        unsafe { std::slice::from_raw_parts_mut(self.0.add(start), len) }
    }
}
