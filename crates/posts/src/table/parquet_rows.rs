//! Rows of a Parquet table as objects of our own format.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type, TimeUnit, TimestampMicrosecondType};
use jiff::Timestamp;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::cells::{self, Cell};
use super::guarded::guarded;
use super::map::{Columns, FieldMap};
use crate::error::{AtPath, Error, Result};
use crate::input::{Batch, RecordSource};

/// Rows decoded at a time.
const ROWS: usize = 1024;

/// Whether a file begins as Parquet does.
pub fn is_parquet(path: &Path) -> bool {
    let mut head = [0; 4];
    File::open(path).and_then(|mut f| f.read_exact(&mut head)).is_ok() && &head == b"PAR1"
}

/// The rows of a table.
pub struct ParquetRows {
    reader: ParquetRecordBatchReader,
    columns: Columns,
    map: Arc<FieldMap>,
    /// Columns of the current rows, as text, lists of text or floats.
    current: Vec<ArrayRef>,
    rows: usize,
    at: usize,
    count: u64,
    failure: Option<String>,
}

impl ParquetRows {
    /// Opens a table.
    ///
    /// # Errors
    /// If it is no Parquet file, lacks a column that the map names, or a column is of a kind that has no text.
    pub fn open(path: &Path, map: Arc<FieldMap>) -> Result<ParquetRows> {
        let bad = |e: &dyn std::fmt::Display| Error::input(format!("the Parquet file cannot be read: {e}")).at(path);
        let file = File::open(path).at(path)?;
        let builder = guarded(|| ParquetRecordBatchReaderBuilder::try_new(file)).map_err(|e| bad(&e))?;
        let builder = builder.map_err(|e| bad(&e))?;
        let schema = builder.schema().clone();
        let names: Vec<String> = schema.fields().iter().map(|f| f.name().clone()).collect();
        let mut columns = map.resolve(&names).map_err(|e| e.at(path))?;
        for (field, _, number) in &columns.fields {
            let kind = schema.field(*number).data_type();
            let readable = target(kind).is_some_and(|to| arrow::compute::can_cast_types(kind, &to));
            if !readable {
                let what = format!("column `{}`, which is `{field}`, is {kind}", names[*number]);
                let help = "a field is text, a number, a time or a list of such; name another column with --fields";
                return Err(Error::input(what).at(path).help(help));
            }
        }
        // Only the columns that are used are decoded; they come in the order of the file.
        let mut used: Vec<usize> = columns.fields.iter().map(|(.., number)| *number).collect();
        used.sort_unstable();
        used.dedup();
        let mask = ProjectionMask::roots(builder.parquet_schema(), used.iter().copied());
        for (.., number) in &mut columns.fields {
            *number = used.binary_search(number).unwrap_or_default();
        }
        let reader = guarded(|| builder.with_projection(mask).with_batch_size(ROWS).build()).map_err(|e| bad(&e))?;
        let reader = reader.map_err(|e| bad(&e))?;
        Ok(ParquetRows { reader, columns, map, current: Vec::new(), rows: 0, at: 0, count: 0, failure: None })
    }

    /// Decodes the next rows; false at the end or after a failure.
    fn advance(&mut self) -> bool {
        while self.at == self.rows {
            let next = match guarded(|| self.reader.next()) {
                Ok(Some(Ok(batch))) => {
                    let converted = guarded(|| convert(&batch)).and_then(|columns| columns);
                    converted.map(|columns| (columns, batch.num_rows()))
                }
                Ok(Some(Err(error))) => Err(error.to_string()),
                Ok(None) => return false,
                Err(panic) => Err(panic),
            };
            match next {
                Ok((columns, rows)) => (self.current, self.rows, self.at) = (columns, rows, 0),
                Err(error) => {
                    self.failure = Some(error);
                    return false;
                }
            }
        }
        true
    }
}

/// The type that a column is read as; `None` for what has no text.
fn target(kind: &DataType) -> Option<DataType> {
    match kind {
        DataType::Float16 | DataType::Float32 | DataType::Float64 => Some(DataType::Float64),
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => match item.data_type() {
            DataType::Struct(_) | DataType::List(_) => None,
            _ => Some(DataType::List(Arc::new(Field::new("item", DataType::Utf8, true)))),
        },
        // Kept as a number: as text, a zone would need the table of all zones. With a zone or without, it counts in UTC.
        DataType::Timestamp(_, zone) => Some(DataType::Timestamp(TimeUnit::Microsecond, zone.clone())),
        DataType::Struct(_) | DataType::Map(..) | DataType::Union(..) => None,
        _ => Some(DataType::Utf8),
    }
}

fn convert(batch: &RecordBatch) -> Result<Vec<ArrayRef>, String> {
    let column = |column: &ArrayRef| {
        let to = target(column.data_type()).ok_or_else(|| format!("a column is {}", column.data_type()))?;
        cast(column, &to).map_err(|e| e.to_string())
    };
    batch.columns().iter().map(column).collect()
}

fn cell(column: &ArrayRef, row: usize) -> Option<Cell> {
    if column.is_null(row) {
        return None;
    }
    Some(match column.data_type() {
        DataType::Float64 => Cell::Float(column.as_primitive::<Float64Type>().value(row)),
        DataType::List(_) => {
            let items = column.as_list::<i32>().value(row);
            Cell::List(items.as_string::<i32>().iter().flatten().map(str::to_owned).collect())
        }
        DataType::Timestamp(..) => {
            let time = Timestamp::from_microsecond(column.as_primitive::<TimestampMicrosecondType>().value(row));
            Cell::Text(time.ok()?.to_string())
        }
        _ => Cell::Text(column.as_string::<i32>().value(row).to_owned()),
    })
}

impl RecordSource for ParquetRows {
    fn read_into(&mut self, batch: &mut Batch) -> bool {
        if self.failure.is_some() || !self.advance() {
            return false;
        }
        let row = self.at;
        self.at += 1;
        self.count += 1;
        let object = cells::object(&self.columns, &self.map, self.count, |number| cell(self.current.get(number)?, row));
        batch.push(self.count, object);
        true
    }

    fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }
}
