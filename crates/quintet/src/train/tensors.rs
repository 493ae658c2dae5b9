//! Named weights to and from safetensors files, with one JSON note in the header.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

use safetensors::tensor::{Metadata, TensorInfo};
use safetensors::{Dtype, SafeTensors};

use crate::atomic;
use crate::error::{AtPath, Error, Result};
use crate::model::network::NamedTensor;

/// Key of the note in the header's metadata.
const NOTE: &str = "quintet";

/// Writes tensors (f32, row-major, sorted by name) and `note` to `path`; whole or not at all.
///
/// # Errors
/// If the file cannot be written.
pub fn write(path: &Path, tensors: &[NamedTensor], note: &str) -> Result<()> {
    let mut order: Vec<&NamedTensor> = tensors.iter().collect();
    order.sort_by(|a, b| a.name.cmp(&b.name));
    let mut end = 0;
    let infos = order.iter().map(|tensor| {
        let from = end;
        end += 4 * tensor.values.len();
        (tensor.name.clone(), TensorInfo { dtype: Dtype::F32, shape: tensor.shape.clone(), data_offsets: (from, end) })
    });
    let notes = HashMap::from([(NOTE.to_string(), note.to_string())]);
    let metadata = Metadata::new(Some(notes), infos.collect()).map_err(|e| bug("laying out tensors", e))?;
    let mut header = serde_json::to_vec(&metadata).map_err(|e| bug("writing a tensor header", e))?;
    header.resize(header.len().next_multiple_of(8), b' ');
    // Streamed: a checkpoint of the published size is half a gigabyte, which `safetensors::serialize` would hold twice.
    atomic::write(path, |out| {
        out.write_all(&(header.len() as u64).to_le_bytes()).at(path)?;
        out.write_all(&header).at(path)?;
        for tensor in &order {
            little_endian(&tensor.values, |bytes| out.write_all(bytes).at(path))?;
        }
        Ok(())
    })
}

/// Reads what [`write`] wrote.
///
/// # Errors
/// If the file is missing or damaged, holds anything but f32, or has no note.
pub fn read(path: &Path) -> Result<(Vec<NamedTensor>, String)> {
    let bytes = std::fs::read(path).at(path)?;
    let damaged = |what: String| {
        Error::input(format!("not a file of weights, or damaged: {what}"))
            .at(path)
            .help("restore it from a copy, or train again")
    };
    let file = SafeTensors::deserialize(&bytes).map_err(|e| damaged(e.to_string()))?;
    let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(|e| damaged(e.to_string()))?;
    let note = metadata.metadata().as_ref().and_then(|m| m.get(NOTE)).cloned();
    let note = note.ok_or_else(|| damaged("its header has no `quintet` entry".into()))?;
    let mut tensors = Vec::with_capacity(file.len());
    for (name, view) in file.iter() {
        if view.dtype() != Dtype::F32 {
            return Err(damaged(format!("`{name}` is {:?}, not F32", view.dtype())));
        }
        let values = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        tensors.push(NamedTensor { name: name.to_string(), shape: view.shape().to_vec(), values });
    }
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    Ok((tensors, note))
}

fn bug(doing: &str, error: impl std::fmt::Display) -> Error {
    Error::internal(format!("{doing}: {error}"))
}

/// Hands the values over as little-endian bytes, in pieces.
fn little_endian(values: &[f32], mut take: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let mut buffer = Vec::with_capacity(1 << 16);
    for piece in values.chunks(1 << 14) {
        buffer.clear();
        buffer.extend(piece.iter().flat_map(|v| v.to_le_bytes()));
        take(&buffer)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(name: &str, shape: &[usize], values: &[f32]) -> NamedTensor {
        NamedTensor { name: name.into(), shape: shape.to_vec(), values: values.to_vec() }
    }

    #[test]
    fn there_and_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        let tensors = [tensor("b", &[2, 1], &[1.5, f32::NAN]), tensor("a", &[], &[-0.0]), tensor("c", &[0], &[])];
        write(&path, &tensors, "{\"step\":3}").unwrap();
        let (back, note) = read(&path).unwrap();
        assert_eq!(note, "{\"step\":3}");
        assert_eq!(back.iter().map(|t| t.name.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(back[1].shape, [2, 1]);
        let bits = |t: &NamedTensor| t.values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&back[1]), bits(&tensors[0]));
        assert_eq!(bits(&back[0]), bits(&tensors[1]));
    }

    #[test]
    fn a_damaged_file_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        write(&path, &[tensor("a", &[4], &[1.0; 4])], "{}").unwrap();
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 3]).unwrap();
        let error = read(&path).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(error.contains("damaged") && error.contains("a.safetensors"), "{error}");
    }
}
