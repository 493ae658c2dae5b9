//! Tables: a field map, a line `---`, and CSV or Parquet.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::sync::Arc;

use quintet_posts::ErrorKind;
use quintet_posts::formats::{self, Notes};
use quintet_posts::input::{Batch, RecordSource};
use quintet_posts::table::{CsvRows, FieldMap, ParquetRows};

use super::{outcome, shape};

/// The map and the table; without a line `---` all is the table.
fn parts(bytes: &[u8]) -> (&[u8], &[u8]) {
    const LINE: &[u8] = b"---\n";
    let at = bytes.windows(LINE.len()).position(|w| w == LINE);
    at.map_or((&[], bytes), |at| (&bytes[..at], &bytes[at + LINE.len()..]))
}

pub(super) fn run(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    let (map, table) = parts(bytes);
    let map = match FieldMap::parse(&String::from_utf8_lossy(map)) {
        Ok(map) => Arc::new(map),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Config, "{error}");
            shape(error.what()).hash(&mut hasher);
            return hasher.finish();
        }
    };
    map.fits(table.split(|b| *b == b'\n').next().unwrap_or_default()).hash(&mut hasher);
    let opened = if table.starts_with(b"PAR1") {
        let Ok(mut file) = tempfile::NamedTempFile::new() else { return 0 };
        if file.write_all(table).is_err() {
            return 0;
        }
        ParquetRows::open(file.path(), map).map(|mut rows| read(&mut rows, &mut hasher))
    } else {
        CsvRows::new(table, map).map(|mut rows| read(&mut rows, &mut hasher))
    };
    if let Err(error) = opened {
        assert_eq!(error.kind(), ErrorKind::Input, "{error}");
        shape(error.what()).hash(&mut hasher);
    }
    hasher.finish()
}

/// Reads rows to the end; each is a record or has a reason.
fn read(rows: &mut dyn RecordSource, hasher: &mut DefaultHasher) {
    let (mut batch, mut total, mut last) = (Batch::default(), 0, 0);
    let Ok(native) = formats::by_name("native") else { return };
    // A few bytes of Parquet can stand for very many rows.
    while total < 5000 && rows.read_into(&mut batch) {
        total += 1;
        let (line, text) = batch.get(batch.len() - 1);
        // Where only \r ends the lines, they are not counted.
        assert!(line >= last, "line {line} after {last}");
        last = line;
        match text {
            Ok(text) => {
                let (mut notes, mut records) = (Notes::default(), Vec::new());
                formats::read(native, text, &mut notes, &mut records);
                assert_eq!(records.len(), 1, "a row is one record");
                outcome(&records, &notes, hasher);
            }
            Err(reason) => shape(reason).hash(hasher),
        }
        if total % 64 == 0 {
            batch.clear();
        }
    }
    (total.min(20), rows.failure().map(shape)).hash(hasher);
}
