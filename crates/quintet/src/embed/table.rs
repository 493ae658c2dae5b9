//! The Parquet file of vectors, version 1: one row a post, in corpus order, also for posts without any usable component.
//!
//! | column | type | meaning |
//! |---|---|---|
//! | `id` | string | id of the post |
//! | `status` | string | `complete`: every component of the model; `partial`: some; `none` |
//! | `text`, `image`, `hashtags`, `location`, `user` | list of `dim` f32 or f16, nullable | unit vector, for the components embedded |
//! | `text_status`, ... | string | `present`, `inferred`, `missing`, `unseen`, `broken` ([`Status`]) |
//! | `average` | as the vectors | mean of the row's vectors at unit length; null without any |
//!
//! File metadata: `quintet.schema` = `embeddings/1`, `quintet.model` (hash of the weights and the configuration),
//! `quintet.corpus` (name), `quintet.synthetic` (`true`, `false`), `quintet.dim`.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float16Array, Float32Array, ListArray, RecordBatch, StringArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use half::f16;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::{ArrowWriter, ProjectionMask};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use super::Embeddings;
use crate::component::{Component, PerComponent};
use crate::error::{AtPath, Error, Result};
use crate::features::Status;

/// Rows per row group of a finished file: 48 MB at 6 columns of 1,024 f32.
pub(super) const GROUP: usize = 2048;

const SCHEMA: &str = "embeddings/1";

/// What the file says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// Hash of the model's weights and configuration.
    pub model: String,
    /// Name of the corpus.
    pub corpus: String,
    /// Whether the corpus is the synthetic town.
    pub synthetic: bool,
    /// Components with a column, in the fixed order.
    pub components: Vec<Component>,
    /// Dimension of the vectors.
    pub dim: usize,
    /// Whether numbers are stored in half precision.
    pub f16: bool,
}

/// Posts with their vectors.
#[derive(Clone, Debug, Default)]
pub struct Embedded {
    /// Post ids, in corpus order.
    pub ids: Vec<String>,
    /// What became of each component of each post.
    pub status: Vec<PerComponent<Status>>,
    /// The vectors.
    pub embeddings: Embeddings,
}

impl Embedded {
    /// Status of component `c` of post `post`, made to agree with whether there is a vector: a place all of whose
    /// neighbours are near-duplicates of the post gives none although it is known.
    pub fn status(&self, c: Component, post: usize) -> Status {
        let status = self.status[post][c];
        match self.embeddings.vector(c, post) {
            Some(_) if !status.used() => Status::Present,
            None if status.used() => Status::Unseen,
            _ => status,
        }
    }

    /// `complete`, `partial` or `none`, by how many of `components` post `post` has.
    pub fn overall(&self, components: &[Component], post: usize) -> &'static str {
        match components.iter().filter(|&&c| self.embeddings.vector(c, post).is_some()).count() {
            0 => "none",
            n if n == components.len() => "complete",
            _ => "partial",
        }
    }
}

impl Meta {
    fn number(&self) -> DataType {
        if self.f16 { DataType::Float16 } else { DataType::Float32 }
    }

    fn element(&self) -> FieldRef {
        Arc::new(Field::new("element", self.number(), false))
    }

    pub(super) fn schema(&self) -> SchemaRef {
        // Not a list of fixed size: pyarrow 25 cannot read one from Parquet if it has nulls.
        let vector = |name: &str| Field::new(name, DataType::List(self.element()), true);
        let mut fields = vec![Field::new("id", DataType::Utf8, false), Field::new("status", DataType::Utf8, false)];
        for c in &self.components {
            fields.push(vector(c.name()));
            fields.push(Field::new(format!("{c}_status"), DataType::Utf8, false));
        }
        fields.push(vector("average"));
        Arc::new(Schema::new(fields))
    }

    fn properties(&self) -> WriterProperties {
        let pair = |key: &str, value: String| KeyValue::new(format!("quintet.{key}"), value);
        let mut properties = WriterProperties::builder()
            .set_max_row_group_row_count(Some(GROUP))
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_key_value_metadata(Some(vec![
                pair("schema", SCHEMA.into()),
                pair("model", self.model.clone()),
                pair("corpus", self.corpus.clone()),
                pair("synthetic", self.synthetic.to_string()),
                pair("dim", self.dim.to_string()),
            ]));
        // Random mantissas neither repeat nor compress, and their minimum and maximum say nothing.
        for name in self.components.iter().map(|c| c.name()).chain(["average"]) {
            let column = ColumnPath::new(vec![name.into(), "list".into(), "element".into()]);
            properties = properties
                .set_column_dictionary_enabled(column.clone(), false)
                .set_column_encoding(column.clone(), Encoding::PLAIN)
                .set_column_compression(column.clone(), Compression::UNCOMPRESSED)
                .set_column_statistics_enabled(column, EnabledStatistics::None);
        }
        properties.build()
    }

    /// The rows of the file for `posts`.
    pub(super) fn rows(&self, posts: &Embedded) -> Result<RecordBatch> {
        let n = posts.ids.len();
        let e = &posts.embeddings;
        let strings = |of: &dyn Fn(usize) -> &'static str| -> ArrayRef {
            Arc::new(StringArray::from_iter_values((0..n).map(of)))
        };
        let mut columns: Vec<ArrayRef> =
            vec![Arc::new(StringArray::from_iter_values(&posts.ids)), strings(&|i| posts.overall(&self.components, i))];
        for &c in &self.components {
            columns.push(self.vectors((0..n).map(|i| e.vector(c, i)))?);
            columns.push(strings(&|i| posts.status(c, i).name()));
        }
        let averages: Vec<Option<Vec<f32>>> = (0..n).map(|i| e.average(i)).collect();
        columns.push(self.vectors(averages.iter().map(Option::as_deref))?);
        RecordBatch::try_new(self.schema(), columns)
            .map_err(|e| Error::internal("rows do not fit the schema").caused_by(e))
    }

    fn vectors<'a>(&self, rows: impl Iterator<Item = Option<&'a [f32]>>) -> Result<ArrayRef> {
        let mut values: Vec<f32> = Vec::new();
        let mut valid: Vec<bool> = Vec::new();
        for row in rows {
            valid.push(row.is_some());
            values.extend_from_slice(row.unwrap_or_default());
        }
        let lengths = OffsetBuffer::from_lengths(valid.iter().map(|&v| if v { self.dim } else { 0 }));
        let values: ArrayRef = if self.f16 {
            Arc::new(Float16Array::from_iter_values(values.into_iter().map(f16::from_f32)))
        } else {
            Arc::new(Float32Array::from(values))
        };
        ListArray::try_new(self.element(), lengths, values, Some(NullBuffer::from(valid)))
            .map(|array| Arc::new(array) as ArrayRef)
            .map_err(|e| Error::internal("vectors of unequal length").caused_by(e))
    }

    /// A writer of this file on `out`.
    pub(super) fn writer<W: Write + Send>(&self, out: W, path: &Path) -> Result<ArrowWriter<W>> {
        ArrowWriter::try_new(out, self.schema(), Some(self.properties())).map_err(|e| parquet_error(path, e))
    }
}

/// A Parquet failure at `path`: what the operating system said, where it was that.
pub(crate) fn parquet_error(path: &Path, error: ParquetError) -> Error {
    match error {
        ParquetError::External(source) => match source.downcast::<std::io::Error>() {
            Ok(source) => Error::io(path, *source),
            Err(other) => damaged(path, ParquetError::External(other)),
        },
        other => damaged(path, other),
    }
}

fn damaged(path: &Path, error: ParquetError) -> Error {
    Error::input(error.to_string())
        .at(path)
        .help("the file is damaged or was not written by `quintet embed`; embed again")
        .caused_by(error)
}

/// Opens a file of vectors for reading in batches of `rows` rows.
pub(super) fn open(path: &Path, rows: usize) -> Result<(Meta, parquet::arrow::arrow_reader::ParquetRecordBatchReader)> {
    let builder =
        ParquetRecordBatchReaderBuilder::try_new(File::open(path).at(path)?).map_err(|e| parquet_error(path, e))?;
    let meta = meta_of(&builder).map_err(|e| e.at(path))?;
    let reader = builder.with_batch_size(rows).build().map_err(|e| parquet_error(path, e))?;
    Ok((meta, reader))
}

/// Number of rows of a file.
pub(super) fn count(path: &Path) -> Result<usize> {
    let builder =
        ParquetRecordBatchReaderBuilder::try_new(File::open(path).at(path)?).map_err(|e| parquet_error(path, e))?;
    Ok(builder.metadata().file_metadata().num_rows() as usize)
}

fn meta_of(builder: &ParquetRecordBatchReaderBuilder<File>) -> Result<Meta> {
    let pairs = builder.metadata().file_metadata().key_value_metadata();
    let get = |key: &str| {
        let key = format!("quintet.{key}");
        let pair = pairs.into_iter().flatten().find(|p| p.key == key);
        pair.and_then(|p| p.value.clone()).unwrap_or_default()
    };
    let schema = get("schema");
    if !schema.starts_with("embeddings/") {
        return Err(Error::input("not a file of vectors").help("make one with `quintet embed`"));
    }
    if schema != SCHEMA {
        return Err(Error::input(format!("file of format {schema}, this version reads {SCHEMA}"))
            .help("use the version of quintet that wrote it, or embed again"));
    }
    let has = |name: &str| builder.schema().field_with_name(name).is_ok();
    let average = builder.schema().field_with_name("average").ok().map(|f| f.data_type().clone());
    let (Some(DataType::List(element)), Ok(dim)) = (average, get("dim").parse()) else {
        return Err(Error::input("the column `average` or the dimension is missing"));
    };
    Ok(Meta {
        model: get("model"),
        corpus: get("corpus"),
        synthetic: get("synthetic") == "true",
        components: Component::ALL.into_iter().filter(|c| has(c.name())).collect(),
        dim,
        f16: element.data_type() == &DataType::Float16,
    })
}

/// Column `name` as vectors of length `dim`.
pub(super) fn vectors_of(batch: &RecordBatch, name: &str, dim: usize) -> Result<Vec<Option<Vec<f32>>>> {
    let damaged = || Error::input(format!("the column `{name}` is missing or does not hold lists of {dim} numbers"));
    let column = batch.column_by_name(name).ok_or_else(damaged)?;
    let list = column.as_any().downcast_ref::<ListArray>().ok_or_else(damaged)?;
    let numbers = |values: ArrayRef| {
        if let Some(values) = values.as_any().downcast_ref::<Float32Array>() {
            Some(values.values().to_vec())
        } else {
            let values = values.as_any().downcast_ref::<Float16Array>()?;
            Some(values.values().iter().map(|v| v.to_f32()).collect())
        }
    };
    let row = |i: usize| match list.is_null(i) {
        true => Ok(None),
        false => numbers(list.value(i)).filter(|values| values.len() == dim).map(Some).ok_or_else(damaged),
    };
    (0..list.len()).map(row).collect()
}

/// Column `name` as strings.
pub(super) fn strings_of<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a StringArray> {
    batch
        .column_by_name(name)
        .and_then(|column| column.as_any().downcast_ref())
        .ok_or_else(|| Error::input(format!("the column `{name}` is missing or holds no strings")))
}

fn status_of(name: &str) -> Status {
    let all = [Status::Present, Status::Inferred, Status::Unseen, Status::Broken];
    all.into_iter().find(|s| s.name() == name).unwrap_or(Status::Missing)
}

/// Calls `take` with the id and the vector in column `name` (a component or `average`) of every post, in the file's order;
/// no other column is read.
///
/// # Errors
/// If the file cannot be read, is of a newer format or no file of vectors, or lacks the column; whatever `take` returns.
pub fn each_vector(path: &Path, name: &str, mut take: impl FnMut(&str, Option<&[f32]>) -> Result<()>) -> Result<Meta> {
    let builder =
        ParquetRecordBatchReaderBuilder::try_new(File::open(path).at(path)?).map_err(|e| parquet_error(path, e))?;
    let meta = meta_of(&builder).map_err(|e| e.at(path))?;
    let columns: Vec<usize> = ["id", name].iter().filter_map(|c| builder.schema().index_of(c).ok()).collect();
    if columns.len() < 2 {
        let names: Vec<&str> = meta.components.iter().map(|c| c.name()).chain(["average"]).collect();
        return Err(Error::input(format!("the file has no {name} vectors"))
            .at(path)
            .help(format!("it has {}; embed again with a model that has the component", names.join(", "))));
    }
    let mask = ProjectionMask::roots(builder.parquet_schema(), columns);
    let reader = builder.with_projection(mask).with_batch_size(GROUP).build().map_err(|e| parquet_error(path, e))?;
    for batch in reader {
        let batch = batch.map_err(|e| parquet_error(path, e.into()))?;
        let ids = strings_of(&batch, "id").map_err(|e| e.at(path))?;
        let vectors = vectors_of(&batch, name, meta.dim).map_err(|e| e.at(path))?;
        for (id, vector) in ids.iter().flatten().zip(vectors) {
            take(id, vector.as_deref())?;
        }
    }
    Ok(meta)
}

/// Reads a whole file that `quintet embed` wrote.
///
/// # Errors
/// If the file cannot be read, is of a newer format or no file of vectors.
pub fn read(path: &Path) -> Result<(Meta, Embedded)> {
    let (meta, reader) = open(path, GROUP)?;
    let rows = count(path)?;
    let mut out = Embedded { embeddings: Embeddings::empty(meta.dim, rows), ..Embedded::default() };
    for batch in reader {
        let batch = batch.map_err(|e| parquet_error(path, e.into()))?;
        append(&mut out, &meta, &batch).map_err(|e| e.at(path))?;
    }
    Ok((meta, out))
}

fn append(out: &mut Embedded, meta: &Meta, batch: &RecordBatch) -> Result<()> {
    let start = out.ids.len();
    out.ids.extend(strings_of(batch, "id")?.iter().flatten().map(String::from));
    out.status.resize(start + batch.num_rows(), PerComponent::default());
    for &c in &meta.components {
        for (i, vector) in vectors_of(batch, c.name(), meta.dim)?.iter().enumerate() {
            if let Some(vector) = vector {
                out.embeddings.set(c, start + i, vector);
            }
        }
        for (i, name) in strings_of(batch, &format!("{c}_status"))?.iter().flatten().enumerate() {
            out.status[start + i][c] = status_of(name);
        }
    }
    Ok(())
}
