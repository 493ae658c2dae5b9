//! Sparse matrices by rows and by columns, for features of which a row has few.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Compressed rows: row `i` has the columns `columns[offsets[i]..offsets[i + 1]]`, ascending, with `values` beside them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sparse {
    /// First position of each row, and the number of entries at the end.
    pub offsets: Vec<usize>,
    /// Column of each entry.
    pub columns: Vec<u32>,
    /// Value of each entry.
    pub values: Vec<f32>,
    /// Number of columns.
    pub width: usize,
}

impl Sparse {
    /// No rows yet, `width` columns.
    pub fn new(width: usize) -> Sparse {
        Sparse { offsets: vec![0], columns: Vec::new(), values: Vec::new(), width }
    }

    /// Appends a row of (column, value) pairs with ascending columns.
    ///
    /// # Panics
    /// If a column is outside the matrix.
    pub fn push(&mut self, row: impl IntoIterator<Item = (u32, f32)>) {
        for (column, value) in row {
            assert!((column as usize) < self.width, "column {column} of {}", self.width);
            self.columns.push(column);
            self.values.push(value);
        }
        self.offsets.push(self.columns.len());
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// True without rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entries of row `i`.
    pub fn row(&self, i: usize) -> impl Iterator<Item = (u32, f32)> + '_ {
        let range = self.offsets[i]..self.offsets[i + 1];
        self.columns[range.clone()].iter().copied().zip(self.values[range].iter().copied())
    }

    /// The rows `chosen`.
    #[must_use]
    pub fn rows(&self, chosen: &[usize]) -> Sparse {
        let mut out = Sparse::new(self.width);
        chosen.iter().for_each(|&i| out.push(self.row(i)));
        out
    }

    /// This matrix with the columns of `other` to its right.
    ///
    /// # Panics
    /// If the numbers of rows differ.
    #[must_use]
    pub fn beside(&self, other: &Sparse) -> Sparse {
        assert_eq!(self.len(), other.len(), "matrices side by side have the same rows");
        let mut out = Sparse::new(self.width + other.width);
        let shift = self.width as u32;
        (0..self.len()).for_each(|i| out.push(self.row(i).chain(other.row(i).map(|(c, v)| (c + shift, v)))));
        out
    }

    /// The same matrix with rows and columns exchanged.
    #[must_use]
    pub fn transposed(&self) -> Sparse {
        let mut offsets = vec![0usize; self.width + 1];
        self.columns.iter().for_each(|&c| offsets[c as usize + 1] += 1);
        (0..self.width).for_each(|c| offsets[c + 1] += offsets[c]);
        let mut next = offsets.clone();
        let (mut columns, mut values) = (vec![0; self.columns.len()], vec![0.0; self.columns.len()]);
        for i in 0..self.len() {
            for (column, value) in self.row(i) {
                let at = &mut next[column as usize];
                (columns[*at], values[*at]) = (i as u32, value);
                *at += 1;
            }
        }
        Sparse { offsets, columns, values, width: self.len() }
    }

    /// Product with a vector of `width` numbers. Every row's sum runs in one order, so threads change no bit.
    pub fn times(&self, vector: &[f64]) -> Vec<f64> {
        let sum = |i| self.row(i).map(|(c, v)| f64::from(v) * vector[c as usize]).sum();
        (0..self.len()).into_par_iter().with_min_len(64).map(sum).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_columns_and_products() {
        let mut m = Sparse::new(3);
        m.push([(0, 1.0), (2, 2.0)]);
        m.push([]);
        m.push([(1, 3.0), (2, 4.0)]);
        assert_eq!(m.times(&[1.0, 10.0, 100.0]), [201.0, 0.0, 430.0]);
        let t = m.transposed();
        assert_eq!(t.times(&[1.0, 1.0, 1.0]), [1.0, 3.0, 6.0]);
        assert_eq!(t.transposed(), m);
        assert_eq!(m.rows(&[2, 0]).times(&[1.0, 1.0, 1.0]), [7.0, 3.0]);
        assert_eq!(m.beside(&m).row(2).collect::<Vec<_>>(), [(1, 3.0), (2, 4.0), (4, 3.0), (5, 4.0)]);
    }
}
