//! The NumPy form: `FILE.npy` with one matrix, and the post ids beside it, one a line, in `FILE.ids.txt`.
//!
//! The matrix is `[posts, dim]`, little-endian f32 or f16, C order; a post without a vector is a row of NaN. It holds the
//! average of the components embedded, so the vectors of a single component if only that one was asked for.

use std::io::Write;
use std::path::Path;

use half::f16;

use crate::error::{AtPath, Error, Result};

/// Header of a version 1.0 `.npy` file for a matrix `[rows, dim]`, padded to a multiple of 64 bytes as NumPy asks.
fn header(rows: usize, dim: usize, half: bool) -> Vec<u8> {
    let kind = if half { "<f2" } else { "<f4" };
    let mut text = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({rows}, {dim}), }}");
    const BEFORE: usize = 10;
    let padding = (64 - (BEFORE + text.len() + 1) % 64) % 64;
    text.extend(std::iter::repeat_n(' ', padding));
    text.push('\n');
    let mut out = b"\x93NUMPY\x01\x00".to_vec();
    out.extend((text.len() as u16).to_le_bytes());
    out.extend(text.as_bytes());
    out
}

/// Writes a matrix row by row.
pub struct MatrixWriter<'a, W: Write> {
    out: W,
    path: &'a Path,
    dim: usize,
    half: bool,
}

impl<'a, W: Write> MatrixWriter<'a, W> {
    /// Begins a matrix of `rows` rows of `dim` numbers; `path` is for error messages.
    ///
    /// # Errors
    /// If `out` cannot be written.
    pub fn new(mut out: W, path: &'a Path, rows: usize, dim: usize, half: bool) -> Result<Self> {
        out.write_all(&header(rows, dim, half)).at(path)?;
        Ok(MatrixWriter { out, path, dim, half })
    }

    /// Appends a row, NaN where there is none.
    ///
    /// # Errors
    /// If `out` cannot be written.
    pub fn push(&mut self, row: Option<&[f32]>) -> Result<()> {
        let nan;
        let row = match row {
            Some(row) => row,
            None => {
                nan = vec![f32::NAN; self.dim];
                &nan
            }
        };
        let bytes: Vec<u8> = if self.half {
            row.iter().flat_map(|&v| f16::from_f32(v).to_le_bytes()).collect()
        } else {
            row.iter().flat_map(|v| v.to_le_bytes()).collect()
        };
        self.out.write_all(&bytes).at(self.path)
    }
}

/// A post id as a line.
///
/// # Errors
/// If the id holds a line break, which would shift every later id.
pub(super) fn id_line(id: &str) -> Result<String> {
    if id.contains(['\n', '\r']) {
        return Err(
            Error::input(format!("the post id {id:?} holds a line break")).help("write .parquet in place of .npy")
        );
    }
    Ok(format!("{id}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes `numpy.save` writes for `np.array([[1, 2], [nan, nan]], dtype='<f4')` (numpy/lib/format.py, version 1.0).
    #[test]
    fn bytes_as_numpy_writes_them() {
        let mut out = Vec::new();
        let path = Path::new("x.npy");
        let written = MatrixWriter::new(&mut out, path, 2, 2, false).and_then(|mut w| {
            w.push(Some(&[1.0, 2.0]))?;
            w.push(None)
        });
        assert!(written.is_ok());
        assert_eq!(&out[..8], b"\x93NUMPY\x01\x00");
        assert_eq!(u16::from_le_bytes([out[8], out[9]]), 118);
        let text = std::str::from_utf8(&out[10..128]).unwrap_or_default();
        assert_eq!(text.trim_end(), "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }");
        assert!(text.ends_with('\n'));
        let numbers: Vec<f32> =
            out[128..].chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        assert_eq!(numbers[..2], [1.0, 2.0]);
        assert!(numbers.len() == 4 && numbers[2].is_nan() && numbers[3].is_nan());
    }

    #[test]
    fn the_header_is_aligned_for_any_shape() {
        for rows in [0, 9, 10, 123_456_789, 98_765_432_101] {
            assert_eq!(header(rows, 1024, true).len() % 64, 0);
        }
        assert!(id_line("a\nb").is_err());
    }
}
