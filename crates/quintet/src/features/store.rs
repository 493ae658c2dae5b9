//! Named arrays in one versioned file (safetensors), for what has no standard format: user vectors and places.

use std::collections::HashMap;
use std::path::Path;

use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use super::dataset::Ragged;
use crate::atomic;
use crate::error::{AtPath, Error, Result};

/// Key of the file's metadata; its value is the kind and version of the content.
const KEY: &str = "quintet";

/// Arrays to be written.
#[derive(Default)]
pub(super) struct Writer {
    arrays: Vec<(&'static str, Dtype, Vec<usize>, Vec<u8>)>,
}

impl Writer {
    pub fn u32(&mut self, name: &'static str, values: &[u32]) {
        self.arrays.push((name, Dtype::U32, vec![values.len()], values.iter().flat_map(|v| v.to_le_bytes()).collect()));
    }

    pub fn u64(&mut self, name: &'static str, values: impl IntoIterator<Item = u64>) {
        let bytes: Vec<u8> = values.into_iter().flat_map(u64::to_le_bytes).collect();
        self.arrays.push((name, Dtype::U64, vec![bytes.len() / 8], bytes));
    }

    /// `[values.len() / dim, dim]`
    pub fn f32(&mut self, name: &'static str, values: &[f32], dim: usize) {
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.arrays.push((name, Dtype::F32, vec![values.len() / dim.max(1), dim], bytes));
    }

    /// Strings, one after another, as JSON: they are ids and handles, which may hold any character.
    pub fn strings<S: AsRef<str>>(&mut self, name: &'static str, strings: &[S]) {
        let list: Vec<&str> = strings.iter().map(AsRef::as_ref).collect();
        let bytes = serde_json::to_vec(&list).unwrap_or_default();
        self.arrays.push((name, Dtype::U8, vec![bytes.len()], bytes));
    }

    /// Writes the file; `kind` is its kind and version, such as `users 1`.
    pub fn save(&self, path: &Path, kind: &str) -> Result<()> {
        let internal =
            |e: safetensors::SafeTensorError| Error::internal(format!("cannot lay out arrays: {e}")).at(path);
        let views = self.arrays.iter().map(|(name, dtype, shape, bytes)| {
            Ok((*name, TensorView::new(*dtype, shape.clone(), bytes).map_err(internal)?))
        });
        let views: Vec<(&str, TensorView)> = views.collect::<Result<_>>()?;
        // One entry only: the order of a map's entries would change the file from run to run.
        let metadata = HashMap::from([(KEY.to_string(), kind.to_string())]);
        let bytes = safetensors::serialize(views, Some(metadata)).map_err(internal)?;
        atomic::write_bytes(path, &bytes)
    }
}

/// An opened file of arrays.
pub(super) struct Reader {
    path: std::path::PathBuf,
    bytes: Vec<u8>,
}

impl Reader {
    /// Reads the file and checks its kind and version.
    pub fn open(path: &Path, kind: &str) -> Result<Reader> {
        let reader = Reader { path: path.to_path_buf(), bytes: std::fs::read(path).at(path)? };
        let (_, metadata) = SafeTensors::read_metadata(&reader.bytes).map_err(|e| reader.damaged(e))?;
        let found = metadata.metadata().as_ref().and_then(|m| m.get(KEY)).map_or("nothing", String::as_str);
        if found != kind {
            return Err(reader.damaged(format!("it holds `{found}` where `{kind}` is expected")));
        }
        Ok(reader)
    }

    fn damaged(&self, why: impl std::fmt::Display) -> Error {
        Error::input(format!("cannot be read: {why}")).at(&self.path).help(super::DAMAGED)
    }

    fn bytes(&self, name: &str, dtype: Dtype) -> Result<Vec<u8>> {
        let file = SafeTensors::deserialize(&self.bytes).map_err(|e| self.damaged(e))?;
        let array = file.tensor(name).map_err(|e| self.damaged(e))?;
        if array.dtype() != dtype {
            return Err(self.damaged(format!("`{name}` has the wrong type")));
        }
        Ok(array.data().to_vec())
    }

    pub fn u32(&self, name: &str) -> Result<Vec<u32>> {
        Ok(self.bytes(name, Dtype::U32)?.as_chunks::<4>().0.iter().map(|b| u32::from_le_bytes(*b)).collect())
    }

    pub fn u64(&self, name: &str) -> Result<Vec<u64>> {
        Ok(self.bytes(name, Dtype::U64)?.as_chunks::<8>().0.iter().map(|b| u64::from_le_bytes(*b)).collect())
    }

    pub fn f32(&self, name: &str) -> Result<Vec<f32>> {
        Ok(self.bytes(name, Dtype::F32)?.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect())
    }

    pub fn strings(&self, name: &str) -> Result<Vec<String>> {
        serde_json::from_slice(&self.bytes(name, Dtype::U8)?).map_err(|e| self.damaged(e))
    }

    /// Ends of lists over `values` values, checked: from 0 to `values`, never falling.
    pub fn offsets(&self, name: &str, values: usize) -> Result<Vec<usize>> {
        let offsets: Vec<usize> = self.u64(name)?.into_iter().map(|o| o as usize).collect();
        let whole = offsets.first() == Some(&0) && offsets.last() == Some(&values) && offsets.is_sorted();
        if whole { Ok(offsets) } else { Err(self.damaged(format!("`{name}` does not fit its values"))) }
    }

    /// Lists of different length.
    pub fn ragged(&self, offsets: &str, values: &str) -> Result<Ragged<u32>> {
        let values = self.u32(values)?;
        Ok(Ragged { offsets: self.offsets(offsets, values.len())?, values })
    }

    /// Checks a relation between arrays that reading relies on.
    pub fn ensure(&self, holds: bool, what: &str) -> Result<()> {
        if holds { Ok(()) } else { Err(self.damaged(what)) }
    }
}
