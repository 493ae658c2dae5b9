//! Some rows of a table, copied out to be worked on and their changes added back: how several threads train one table
//! with the same bits as one.
//!
//! All copies are taken before any change is added. The changes to a row are then added in a fixed order, by whichever
//! thread owns the row.

use crate::scratch::Scratch;
use crate::simd::{self, Task};

/// Copies are padded with zeros to a multiple of this many values: the widest register.
pub const LANES: usize = 16;
/// So many rows ahead of its copy a row is asked for: rows lie anywhere in the table, and memory answers several requests
/// in the time of one.
const AHEAD: usize = 6;

/// Copies of rows of a table `[_, dim]`, later their changes.
#[derive(Debug)]
pub struct Copies {
    rows: Vec<u32>,
    values: Scratch,
    dim: usize,
}

impl Copies {
    /// Room for `most` rows of `dim` values.
    pub fn new(most: usize, dim: usize) -> Copies {
        Copies { rows: Vec::new(), values: Scratch::zeros(most * dim.next_multiple_of(LANES)), dim }
    }

    /// Values from one copy to the next: `dim` and the padding.
    pub fn stride(&self) -> usize {
        self.dim.next_multiple_of(LANES)
    }

    /// Copies `rows`, each named once, in place of what was here; `row` shows a row of the table.
    ///
    /// # Panics
    /// If there are more rows than room, or a row is shorter than `dim`.
    pub fn take<'t>(&mut self, rows: &[u32], row: impl Fn(u32) -> &'t [f32]) {
        let (dim, stride) = (self.dim, self.stride());
        assert!(rows.len() * stride <= self.values.len(), "{} rows are more than there is room for", rows.len());
        self.rows.clear();
        self.rows.extend_from_slice(rows);
        rows.iter().take(AHEAD).for_each(|&later| prefetch(row(later)));
        for (i, (copy, &at)) in self.values.chunks_exact_mut(stride).zip(rows).enumerate() {
            if let Some(&later) = rows.get(i + AHEAD) {
                prefetch(row(later));
            }
            copy[..dim].copy_from_slice(&row(at)[..dim]);
        }
    }

    /// The copies `[rows, stride]` in the order in which they were named; the padding must stay zero.
    pub fn values_mut(&mut self) -> &mut [f32] {
        let len = self.rows.len() * self.stride();
        &mut self.values[..len]
    }

    /// Makes of every copy its difference from its row in the table, which `row` shows.
    pub fn become_changes<'t>(&mut self, row: impl Fn(u32) -> &'t [f32]) {
        simd::run(Changes { copies: self, row });
    }

    /// Adds the changes to those rows that lie in `part`, which begins with row `first` of the table.
    pub fn add_to(&self, part: &mut [f32], first: u32) {
        simd::run(Add { copies: self, part, first });
    }
}

struct Changes<'a, F> {
    copies: &'a mut Copies,
    row: F,
}

impl<'t, F: Fn(u32) -> &'t [f32]> Task for Changes<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let (dim, stride) = (self.copies.dim, self.copies.stride());
        for (copy, &at) in self.copies.values.chunks_exact_mut(stride).zip(&self.copies.rows) {
            copy.iter_mut().zip(&(self.row)(at)[..dim]).for_each(|(c, old)| *c -= old);
        }
    }
}

struct Add<'a> {
    copies: &'a Copies,
    part: &'a mut [f32],
    first: u32,
}

impl Task for Add<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let (dim, stride) = (self.copies.dim, self.copies.stride());
        let rows = (self.part.len() / dim) as u32;
        for (change, row) in self.copies.values.chunks_exact(stride).zip(&self.copies.rows) {
            let row = row.wrapping_sub(self.first);
            if row < rows {
                self.part[row as usize * dim..][..dim].iter_mut().zip(change).for_each(|(p, c)| *p += c);
            }
        }
    }
}

/// Asks for a row to be brought near.
fn prefetch(row: &[f32]) {
    #[cfg(target_arch = "x86_64")]
    for at in (0..row.len()).step_by(LANES) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing, so any address will do.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(row.as_ptr().wrapping_add(at).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = row;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Two copies of overlapping rows, each changed; the table in three parts.
        #[test]
        fn changes_are_added_once_and_in_order(rows in 1usize..40, dim in 1usize..70, seed: u64) {
            let mut rng = Rng::new(seed, &[]);
            let mut table: Vec<f32> = (0..rows * dim).map(|_| rng.uniform(-1.0, 1.0)).collect();
            let mut expected = table.clone();
            let mut copies = [Copies::new(rows, dim), Copies::new(rows, dim)];
            for copies in &mut copies {
                let mut named: Vec<u32> = (0..rows as u32).collect();
                rng.shuffle(&mut named);
                named.truncate(1 + rng.index(rows));
                copies.take(&named, |row| &table[row as usize * dim..][..dim]);
                let stride = copies.stride();
                for (copy, &row) in copies.values_mut().chunks_mut(stride).zip(&named) {
                    prop_assert_eq!(&copy[..dim], &table[row as usize * dim..][..dim]);
                    prop_assert!(copy[dim..].iter().all(|&x| x == 0.0));
                    for (k, x) in copy[..dim].iter_mut().enumerate() {
                        let old = *x;
                        *x = old * 1.5 + 0.25;
                        expected[row as usize * dim + k] += *x - old;
                    }
                }
                copies.become_changes(|row| &table[row as usize * dim..][..dim]);
            }
            let part = rows.div_ceil(3);
            for (i, values) in table.chunks_mut(part * dim).enumerate() {
                copies.iter().for_each(|copies| copies.add_to(values, (i * part) as u32));
            }
            prop_assert_eq!(table, expected);
        }
    }

    #[test]
    #[should_panic(expected = "3 rows are more than there is room for")]
    fn more_rows_than_room() {
        Copies::new(2, 4).take(&[0, 1, 2], |_| &[0.0; 4]);
    }
}
