//! Rows of a CSV table as objects of our own format.

use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::cells::{self, Cell};
use super::map::{Columns, FieldMap};
use crate::error::{Error, Result};
use crate::input::{Batch, MAX_RECORD, RecordSource};

/// Ends the reading where a row does not end: a quote that nobody closes would take the rest of the file into memory.
struct Guard<R> {
    inner: R,
    since: Arc<AtomicUsize>,
}

impl<R: Read> Read for Guard<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        if self.since.fetch_add(n, Ordering::Relaxed) > MAX_RECORD {
            let what = format!("a row is longer than {} MiB: a quote is opened and not closed", MAX_RECORD >> 20);
            return Err(io::Error::other(what));
        }
        Ok(n)
    }
}

/// The rows of a table after its header.
pub struct CsvRows<R> {
    reader: csv::Reader<Guard<R>>,
    since: Arc<AtomicUsize>,
    columns: Columns,
    map: Arc<FieldMap>,
    width: usize,
    row: csv::ByteRecord,
    count: u64,
    failure: Option<String>,
}

impl<R: BufRead + Send> CsvRows<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// If it is no text or lacks a column that the map names.
    pub fn new(mut input: R, map: Arc<FieldMap>) -> Result<Self> {
        let head = input.fill_buf().map_err(|e| Error::input(e.to_string()))?;
        let first = head.split(|b| *b == b'\n').next().unwrap_or_default();
        let delimiter = map.delimiter_of(&String::from_utf8_lossy(first));
        if head.starts_with(b"\xef\xbb\xbf") {
            input.consume(3);
        }
        let since = Arc::new(AtomicUsize::new(0));
        let guarded = Guard { inner: input, since: since.clone() };
        let mut reader = csv::ReaderBuilder::new().flexible(true).delimiter(delimiter).from_reader(guarded);
        let header = reader.headers().map_err(|e| Error::input(format!("its first line is no header: {e}")))?;
        let names: Vec<String> = header.iter().map(|n| n.trim().to_owned()).collect();
        let columns = map.resolve(&names)?;
        let (row, width) = (csv::ByteRecord::new(), names.len());
        Ok(CsvRows { reader, since, columns, map, width, row, count: 0, failure: None })
    }

    fn object(&self) -> Result<Vec<u8>, String> {
        if self.row.len() != self.width {
            return Err(format!("the row has {} cells, the header {}", self.row.len(), self.width));
        }
        let used = self.columns.fields.iter().map(|(.., number)| *number);
        for number in used {
            if let Err(error) = std::str::from_utf8(&self.row[number]) {
                return Err(format!("cell {} is not UTF-8 from byte {} on", number + 1, error.valid_up_to()));
            }
        }
        let cell = |number: usize| Some(Cell::Text(String::from_utf8_lossy(self.row.get(number)?).into_owned()));
        cells::object(&self.columns, &self.map, self.count, cell)
    }
}

impl<R: BufRead + Send> RecordSource for CsvRows<R> {
    fn read_into(&mut self, batch: &mut Batch) -> bool {
        if self.failure.is_some() {
            return false;
        }
        self.since.store(0, Ordering::Relaxed);
        match self.reader.read_byte_record(&mut self.row) {
            Ok(true) => {
                self.count += 1;
                let line = self.row.position().map_or(0, csv::Position::line);
                batch.push(line, self.object());
                true
            }
            Ok(false) => false,
            Err(error) => {
                self.failure = Some(error.to_string());
                false
            }
        }
    }

    fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }
}
