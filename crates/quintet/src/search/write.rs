//! What was found, as rows (query_id, rank, post_id, cosine) in Parquet or JSON Lines.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Float32Array, RecordBatch, StringArray, UInt32Array};
use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use serde::Serialize;

use super::{Found, Vectors};
use crate::atomic;
use crate::embed::table::parquet_error;
use crate::error::{AtPath, Error, Result};

/// A post that was found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Row<'a> {
    /// The post that asked.
    pub query_id: &'a str,
    /// 1 is nearest.
    pub rank: u32,
    /// The post found.
    pub post_id: &'a str,
    /// Cosine of the two vectors.
    pub cosine: f32,
}

/// The rows of `found`, which `asking` asked of `vectors`.
pub fn rows<'a>(asking: &'a Vectors, vectors: &'a Vectors, found: &'a Found) -> impl Iterator<Item = Row<'a>> {
    asking.ids.iter().zip(&found.hits).flat_map(|(query_id, hits)| {
        hits.iter().zip(1..).map(|(hit, rank)| Row {
            query_id,
            rank,
            post_id: &vectors.ids[hit.index as usize],
            cosine: hit.score,
        })
    })
}

/// Rows of a Parquet batch.
const BATCH: usize = 1 << 16;

/// Whether [`write()`] knows how to write `path`: better asked before the search than after.
///
/// # Errors
/// If the extension is neither `.parquet` nor `.jsonl`.
pub fn check_name(path: &Path) -> Result<()> {
    match path.extension().and_then(|e| e.to_str()) {
        Some("parquet" | "jsonl") => Ok(()),
        _ => Err(Error::input("unknown kind of file").at(path).help("name it .parquet or .jsonl")),
    }
}

/// Writes `rows` to `path`, whole or not at all: Parquet or, by the extension `.jsonl`, a JSON object a line.
///
/// # Errors
/// If the extension is neither or the file cannot be written.
pub fn write<'a>(path: &Path, mut rows: impl Iterator<Item = Row<'a>>) -> Result<()> {
    check_name(path)?;
    if path.extension().is_some_and(|e| e == "parquet") {
        return parquet(path, rows);
    }
    atomic::write(path, |out| {
        rows.try_for_each(|row| {
            serde_json::to_writer(&mut *out, &row).map_err(|e| Error::io(path, e.into()))?;
            out.write_all(b"\n").at(path)
        })
    })
}

fn parquet<'a>(path: &Path, rows: impl Iterator<Item = Row<'a>>) -> Result<()> {
    let field = |name: &str, kind| Field::new(name, kind, false);
    let schema = Arc::new(Schema::new(vec![
        field("query_id", DataType::Utf8),
        field("rank", DataType::UInt32),
        field("post_id", DataType::Utf8),
        field("cosine", DataType::Float32),
    ]));
    let zstd = Compression::ZSTD(ZstdLevel::default());
    let properties = WriterProperties::builder().set_compression(zstd).build();
    let mut rows = rows.peekable();
    atomic::write(path, |out| {
        let writer = ArrowWriter::try_new(out, schema.clone(), Some(properties));
        let mut writer = writer.map_err(|e| parquet_error(path, e))?;
        while rows.peek().is_some() {
            let some: Vec<Row> = rows.by_ref().take(BATCH).collect();
            let batch = RecordBatch::try_new(
                schema.clone(),
                vec![
                    Arc::new(StringArray::from_iter_values(some.iter().map(|row| row.query_id))),
                    Arc::new(UInt32Array::from_iter_values(some.iter().map(|row| row.rank))),
                    Arc::new(StringArray::from_iter_values(some.iter().map(|row| row.post_id))),
                    Arc::new(Float32Array::from_iter_values(some.iter().map(|row| row.cosine))),
                ],
            )
            .map_err(|e| Error::internal("rows do not fit the schema").caused_by(e))?;
            writer.write(&batch).map_err(|e| parquet_error(path, e))?;
        }
        writer.close().map_err(|e| parquet_error(path, e))?;
        Ok(())
    })
}
