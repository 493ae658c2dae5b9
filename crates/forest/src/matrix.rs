//! The features as given: row-major, checked once.

use rayon::prelude::*;

use crate::{Error, Result};

/// Features of many rows: `[rows, columns]`, row-major, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
}

impl<'a> Matrix<'a> {
    /// Wraps `values`, `[rows, columns]` row-major.
    ///
    /// # Errors
    /// If there are no columns, the values are not whole rows, or there are 2^32 rows or columns or more.
    pub fn new(values: &'a [f32], columns: usize) -> Result<Self> {
        if columns == 0 {
            return Err(Error::shape("a matrix needs at least one column"));
        }
        if !values.len().is_multiple_of(columns) {
            return Err(Error::shape(format!("{} values are not whole rows of {columns} columns", values.len())));
        }
        let rows = values.len() / columns;
        if rows > u32::MAX as usize || columns >= u32::MAX as usize {
            return Err(Error::shape(format!("{rows} rows of {columns} columns: both must be below 2^32")));
        }
        Ok(Matrix { values, rows, columns })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns: the features.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// One row, `[columns]`.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn row(&self, row: usize) -> &'a [f32] {
        &self.values[row * self.columns..][..self.columns]
    }

    /// Finds the first number that is NaN or infinite.
    pub(crate) fn check_finite(&self) -> Result<()> {
        // Find_first keeps the lowest row at any number of threads.
        let bad = self.values.par_chunks(self.columns).enumerate().find_first(|(_, row)| !finite(row));
        match bad {
            None => Ok(()),
            Some((row, values)) => Err(first_not_finite(row, values)),
        }
    }
}

/// Whether all of `row` is finite, without a branch a value: an exponent of ones is what NaN and infinities share.
fn finite(row: &[f32]) -> bool {
    const EXPONENT: u32 = 0x7f80_0000;
    row.chunks(64).all(|part| part.iter().fold(true, |all, v| all & (v.to_bits() & EXPONENT != EXPONENT)))
}

/// The same for one row to be asked about.
pub(crate) fn check_row(row: &[f32]) -> Result<()> {
    if finite(row) { Ok(()) } else { Err(first_not_finite(0, row)) }
}

fn first_not_finite(row: usize, values: &[f32]) -> Error {
    let column = values.iter().position(|v| !v.is_finite()).unwrap_or(0);
    Error::NotFinite { row, column, value: values[column] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_finite_is_named_with_its_place() {
        let mut values = vec![0.0_f32; 12];
        assert!(Matrix::new(&values, 3).unwrap().check_finite().is_ok());
        values[10] = f32::NEG_INFINITY;
        values[7] = f32::NAN;
        let error = Matrix::new(&values, 3).unwrap().check_finite().unwrap_err();
        assert!(matches!(error, Error::NotFinite { row: 2, column: 1, value } if value.is_nan()));
        assert!(error.to_string().starts_with("row 2, column 1 (from 0): the feature is NaN"), "{error}");
    }

    #[test]
    fn shapes_that_cannot_be_are_errors() {
        assert!(Matrix::new(&[1.0; 4], 0).is_err());
        assert!(Matrix::new(&[1.0; 4], 3).unwrap_err().to_string().contains("4 values"));
        assert_eq!(Matrix::new(&[], 3).unwrap().rows(), 0);
    }
}
