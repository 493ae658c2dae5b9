//! One vector of each post, from a file that `quintet embed` wrote.

use std::collections::HashMap;
use std::path::Path;

use super::Column;
use crate::embed::table;
use crate::error::{Error, Result};
use crate::features::Dense;

/// The posts of a file that have a vector in one column.
#[derive(Clone, Debug, Default)]
pub struct Vectors {
    /// Ids of the posts that have the vector, in the file's order.
    pub ids: Vec<String>,
    /// Their vectors, at unit length.
    pub values: Dense,
    /// Ids of the posts without it.
    pub without: Vec<String>,
    /// Which column it was.
    pub column: Column,
    /// The model that made the vectors.
    pub model: String,
}

impl Vectors {
    /// Reads column `column` of the file at `path`; half-precision vectors are brought back to unit length.
    ///
    /// # Errors
    /// If the file cannot be read, is no file of vectors, or lacks the column; if a vector holds NaN or infinity.
    pub fn read(path: &Path, column: Column) -> Result<Vectors> {
        let mut vectors = Vectors { column, ..Vectors::default() };
        let meta = table::each_vector(path, column.name(), |id, vector| {
            match vector {
                None => vectors.without.push(id.to_string()),
                Some(vector) if vector.iter().all(|v| v.is_finite()) => {
                    vectors.ids.push(id.to_string());
                    vectors.values.values.extend_from_slice(vector);
                }
                Some(_) => {
                    return Err(Error::input(format!("the {column} vector of post {id} is not a number"))
                        .at(path)
                        .help("train the model again: its weights have diverged"));
                }
            }
            Ok(())
        })?;
        vectors.values.dim = meta.dim;
        vectors.model = meta.model;
        if meta.f16 {
            vectors.values.values.chunks_exact_mut(meta.dim.max(1)).for_each(to_unit_length);
        }
        if vectors.ids.is_empty() {
            return Err(Error::input(format!("no post has a {column} vector")).at(path));
        }
        Ok(vectors)
    }

    /// The posts `ids` alone, in this order.
    ///
    /// # Errors
    /// If one is not in the file or has no vector in the column.
    pub fn of(&self, ids: &[String]) -> Result<Vectors> {
        let positions = self.positions();
        let position = |id: &String| match positions.get(id.as_str()) {
            Some(&position) => Ok(position as usize),
            None if self.without.contains(id) => Err(Error::input(format!("post {id} has no {} vector", self.column))
                .help("ask with another component, or with the average: --from average")),
            None => Err(Error::input(format!("there is no post {id} among the vectors"))
                .help(format!("ids are those of the corpus, such as {}", self.ids[0]))),
        };
        let positions = ids.iter().map(position).collect::<Result<Vec<_>>>()?;
        Ok(self.select(positions.into_iter()))
    }

    /// The posts at `positions` alone.
    pub(super) fn select(&self, positions: impl Iterator<Item = usize>) -> Vectors {
        let mut out = Vectors { column: self.column, model: self.model.clone(), ..Vectors::default() };
        out.values.dim = self.values.dim;
        for position in positions {
            out.ids.push(self.ids[position].clone());
            out.values.push(self.values.row(position));
        }
        out
    }

    /// Position of each post.
    pub(super) fn positions(&self) -> HashMap<&str, u32> {
        self.ids.iter().map(String::as_str).zip(0..).collect()
    }

    /// Refuses vectors of another model, whose cosines with these would mean nothing.
    pub(super) fn same_space(&self, other: &Vectors) -> Result<()> {
        if self.model != other.model || self.values.dim != other.values.dim {
            return Err(Error::input(format!(
                "the posts that ask were embedded by model {}, the others by model {}",
                self.model, other.model
            ))
            .help("embed both with the same model: vectors of different models have nothing to do with each other"));
        }
        Ok(())
    }
}

/// Scales `vector` to length 1, unless it is 0. Added up in f64 in index order: the same bits everywhere.
pub(super) fn to_unit_length(vector: &mut [f32]) {
    let norm = vector.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt();
    if norm > 0.0 {
        vector.iter_mut().for_each(|v| *v = (f64::from(*v) / norm) as f32);
    }
}
