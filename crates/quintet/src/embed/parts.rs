//! Finished chunks of an embedding run, in a hidden folder beside the file, so that a stopped run goes on.
//!
//! `FILE` -> `.FILE.parts/KEY/00000000.parquet`, ... where the key is made of everything that decides the bytes: model,
//! corpus, options. A part is whole or not there; parts of another key are never used.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;

use super::table::{self, Embedded, GROUP, Meta};
use crate::atomic;
use crate::error::{AtPath, Error, Result};

/// The finished chunks for one file.
pub(super) struct Parts {
    all: PathBuf,
    folder: PathBuf,
}

impl Parts {
    /// Opens or makes the folder for `file` and `key`.
    pub(super) fn open(file: &Path, key: &str) -> Result<Parts> {
        let name = file.file_name().ok_or_else(|| Error::input("not the name of a file").at(file))?;
        let mut hidden = OsString::from(".");
        hidden.push(name);
        hidden.push(".parts");
        let all = file.with_file_name(hidden);
        let folder = all.join(key);
        fs::create_dir_all(&folder).at(&folder)?;
        Ok(Parts { all, folder })
    }

    fn path(&self, chunk: usize) -> PathBuf {
        self.folder.join(format!("{chunk:08}.parquet"))
    }

    /// Whether chunk `chunk` is finished.
    pub(super) fn has(&self, chunk: usize) -> bool {
        self.path(chunk).exists()
    }

    /// Stores chunk `chunk`.
    pub(super) fn write(&self, chunk: usize, meta: &Meta, posts: &Embedded) -> Result<()> {
        let path = self.path(chunk);
        let rows = meta.rows(posts)?;
        atomic::write(&path, |out| {
            let mut writer = meta.writer(out, &path)?;
            writer.write(&rows).map_err(|e| table::parquet_error(&path, e))?;
            writer.close().map_err(|e| table::parquet_error(&path, e))?;
            Ok(())
        })
    }

    /// Number of rows in the first `chunks` chunks.
    pub(super) fn rows(&self, chunks: usize) -> Result<usize> {
        (0..chunks).map(|i| table::count(&self.path(i))).sum()
    }

    /// Hands the rows of the first `chunks` chunks to `take` in order, [`GROUP`] rows at a time (the last time fewer),
    /// wherever the chunks ended: what is written from them does not depend on the size of a chunk.
    pub(super) fn each_group(&self, chunks: usize, mut take: impl FnMut(&RecordBatch) -> Result<()>) -> Result<()> {
        let mut pending: Vec<RecordBatch> = Vec::new();
        let mut waiting = 0;
        for chunk in 0..chunks {
            let path = self.path(chunk);
            let (_, reader) = table::open(&path, GROUP)?;
            for batch in reader {
                let mut batch = batch.map_err(|e| table::parquet_error(&path, e.into()))?;
                while waiting + batch.num_rows() >= GROUP {
                    let room = GROUP - waiting;
                    pending.push(batch.slice(0, room));
                    take(&joined(&pending)?)?;
                    pending.clear();
                    waiting = 0;
                    batch = batch.slice(room, batch.num_rows() - room);
                }
                if batch.num_rows() > 0 {
                    waiting += batch.num_rows();
                    pending.push(batch);
                }
            }
        }
        if waiting > 0 { take(&joined(&pending)?) } else { Ok(()) }
    }

    /// Removes the folder, with parts of other keys.
    pub(super) fn remove(self) -> Result<()> {
        fs::remove_dir_all(&self.all).at(&self.all)
    }
}

/// One batch of several; never called without any.
fn joined(batches: &[RecordBatch]) -> Result<RecordBatch> {
    let Some(first) = batches.first() else { return Err(Error::internal("no rows to join")) };
    concat_batches(first.schema_ref(), batches).map_err(|e| Error::internal("parts of different shape").caused_by(e))
}
