//! Arrays that the Python side wrote as safetensors.

use std::path::Path;

use quintet::model::NamedTensor;
use safetensors::{Dtype, SafeTensors};

use crate::Failure;

/// The bytes of a file of arrays.
pub struct Arrays(Vec<u8>);

impl Arrays {
    /// Reads a file.
    pub fn open(path: &Path) -> Result<Arrays, Failure> {
        Ok(Arrays(std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?))
    }

    fn parse(&self) -> Result<SafeTensors<'_>, Failure> {
        Ok(SafeTensors::deserialize(&self.0)?)
    }

    /// Names of all arrays.
    pub fn names(&self) -> Result<Vec<String>, Failure> {
        Ok(self.parse()?.names().into_iter().map(ToOwned::to_owned).collect())
    }

    /// An array of 32-bit floats with its shape.
    pub fn floats(&self, name: &str) -> Result<NamedTensor, Failure> {
        let all = self.parse()?;
        let view = all.tensor(name)?;
        if view.dtype() != Dtype::F32 {
            return Err(format!("`{name}` is {:?}, not F32", view.dtype()).into());
        }
        let (values, _) = view.data().as_chunks::<4>();
        Ok(NamedTensor {
            name: name.to_owned(),
            shape: view.shape().to_vec(),
            values: values.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect(),
        })
    }

    /// An array of 32-bit whole numbers.
    pub fn numbers(&self, name: &str) -> Result<Vec<u32>, Failure> {
        let all = self.parse()?;
        let view = all.tensor(name)?;
        if view.dtype() != Dtype::I32 {
            return Err(format!("`{name}` is {:?}, not I32", view.dtype()).into());
        }
        let (values, _) = view.data().as_chunks::<4>();
        Ok(values.iter().map(|&bytes| i32::from_le_bytes(bytes) as u32).collect())
    }
}
