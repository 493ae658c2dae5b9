//! The table that `quintet predict` writes: one row per post or author, in the order of the corpus.
//!
//! | column | type | meaning |
//! |---|---|---|
//! | `id` | string | id of the post or author |
//! | `status` | string | `predicted`; `fallback`: nothing of the input is usable, the prediction is the prior's; `none` |
//! | `prediction` | string, nullable | the best answer |
//! | `score` | f64, nullable | its score: a probability where the task says so |
//! | `alternatives` | list of {`name`, `score`} | the best answers, best first, the prediction included |
//!
//! Parquet or, by the extension `.jsonl`, a JSON object a line.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, ListArray, RecordBatch, StringArray, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Fields, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use serde::Serialize;

use super::Unit;
use crate::atomic;
use crate::embed::table::parquet_error;
use crate::error::{AtPath, Error, Result};

/// An answer with its score.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answer {
    /// The answer: a tag, a class.
    pub name: String,
    /// Its score.
    pub score: f64,
}

/// What is predicted for one post or author.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Prediction {
    /// Id of the post or author.
    pub id: String,
    /// `predicted`, `fallback` or `none`.
    pub status: &'static str,
    /// The best answers, best first; empty where there is none.
    pub alternatives: Vec<Answer>,
}

/// Everything that was predicted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Predictions {
    /// Task.
    pub task: String,
    /// Method.
    pub method: String,
    /// What a row is about.
    pub unit: Unit,
    /// One a post or author, in corpus order.
    pub rows: Vec<Prediction>,
}

#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    status: &'a str,
    prediction: Option<&'a str>,
    score: Option<f64>,
    alternatives: &'a [Answer],
}

impl Prediction {
    fn row(&self) -> Row<'_> {
        let best = self.alternatives.first();
        Row {
            id: &self.id,
            status: self.status,
            prediction: best.map(|b| b.name.as_str()),
            score: best.map(|b| b.score),
            alternatives: &self.alternatives,
        }
    }
}

/// Rows of a Parquet batch.
const BATCH: usize = 1 << 15;

impl Predictions {
    /// Writes the table to `path`, whole or not at all.
    ///
    /// # Errors
    /// If the extension is neither `.parquet` nor `.jsonl`, or the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        crate::search::check_name(path)?;
        if path.extension().is_some_and(|e| e == "parquet") {
            return self.parquet(path);
        }
        atomic::write(path, |out| {
            self.rows.iter().try_for_each(|row| {
                serde_json::to_writer(&mut *out, &row.row()).map_err(|e| Error::io(path, e.into()))?;
                out.write_all(b"\n").at(path)
            })
        })
    }

    fn parquet(&self, path: &Path) -> Result<()> {
        let answer = Fields::from(vec![
            Field::new("name", DataType::Utf8, false),
            Field::new("score", DataType::Float64, false),
        ]);
        let element = Arc::new(Field::new("element", DataType::Struct(answer.clone()), false));
        let schema = Arc::new(Schema::new(vec![
            Field::new("id", DataType::Utf8, false),
            Field::new("status", DataType::Utf8, false),
            Field::new("prediction", DataType::Utf8, true),
            Field::new("score", DataType::Float64, true),
            Field::new("alternatives", DataType::List(element.clone()), false),
        ]));
        let pair = |key: &str, value: &str| KeyValue::new(format!("quintet.{key}"), value.to_string());
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_key_value_metadata(Some(vec![
                pair("schema", "predictions/1"),
                pair("task", &self.task),
                pair("method", &self.method),
                pair("unit", self.unit.name()),
            ]))
            .build();
        let bug = |e| Error::internal("rows do not fit the schema").caused_by(e);
        atomic::write(path, |out| {
            let writer = ArrowWriter::try_new(out, schema.clone(), Some(properties));
            let mut writer = writer.map_err(|e| parquet_error(path, e))?;
            for some in self.rows.chunks(BATCH) {
                let rows: Vec<Row> = some.iter().map(Prediction::row).collect();
                let answers = || some.iter().flat_map(|p| &p.alternatives);
                let values: Vec<ArrayRef> = vec![
                    Arc::new(StringArray::from_iter_values(answers().map(|a| &a.name))),
                    Arc::new(Float64Array::from_iter_values(answers().map(|a| a.score))),
                ];
                let structs = StructArray::try_new(answer.clone(), values, None).map_err(bug)?;
                let lengths = OffsetBuffer::from_lengths(some.iter().map(|p| p.alternatives.len()));
                let lists = ListArray::try_new(element.clone(), lengths, Arc::new(structs), None).map_err(bug)?;
                let batch = RecordBatch::try_new(
                    schema.clone(),
                    vec![
                        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.id))),
                        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.status))),
                        Arc::new(StringArray::from_iter(rows.iter().map(|row| row.prediction))),
                        Arc::new(Float64Array::from_iter(rows.iter().map(|row| row.score))),
                        Arc::new(lists),
                    ],
                )
                .map_err(bug)?;
                writer.write(&batch).map_err(|e| parquet_error(path, e))?;
            }
            writer.close().map_err(|e| parquet_error(path, e))?;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::Array;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    fn predictions() -> Predictions {
        let answer = |name: &str, score| Answer { name: name.into(), score };
        let rows = vec![
            Prediction {
                id: "1".into(),
                status: "predicted",
                alternatives: vec![answer("cats", 0.5), answer("dogs", 0.25)],
            },
            Prediction { id: "2".into(), status: "none", alternatives: Vec::new() },
        ];
        Predictions { task: "hashtags".into(), method: "ours".into(), unit: Unit::Post, rows }
    }

    #[test]
    fn json_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.jsonl");
        predictions().write(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines[0]["prediction"], "cats");
        assert_eq!(lines[0]["alternatives"][1]["score"], 0.25);
        assert_eq!(lines[1]["prediction"], serde_json::Value::Null);
        assert!(predictions().write(&folder.path().join("out.csv")).is_err());
    }

    #[test]
    fn parquet() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.parquet");
        predictions().write(&path).unwrap();
        let builder = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(&path).unwrap()).unwrap();
        let batch = builder.build().unwrap().next().unwrap().unwrap();
        assert_eq!(batch.num_rows(), 2);
        assert!(batch.column_by_name("score").unwrap().is_null(1));
        let lists = batch.column_by_name("alternatives").unwrap().as_any().downcast_ref::<ListArray>().unwrap();
        assert_eq!((lists.value_length(0), lists.value_length(1)), (2, 0));
    }
}
