//! One Parquet file: chosen columns of the posts that pass.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;

use super::columns::{Columns, IMAGE, MORE_IMAGES};
use super::images::{ExportImages, ImageCarrier};
use super::target::{About, Target, files};
use super::{ExportReport, Output, Picked};
use crate::Corpus;
use crate::error::{AtPath, Error, Result};
use crate::parquet::{SCHEMA_KEY, SCHEMA_MAJOR, SCHEMA_MINOR};

/// Rows of a row group of a table without images.
const GROUP_ROWS: usize = 65_536;

/// How tables of an export are written.
pub(super) fn properties(columns: &Columns) -> Result<WriterProperties> {
    let level = ZstdLevel::try_new(3).map_err(|e| Error::internal(format!("zstd has no level 3: {e}")))?;
    let version = || vec![KeyValue::new(SCHEMA_KEY.to_owned(), format!("{SCHEMA_MAJOR}.{SCHEMA_MINOR}"))];
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_key_value_metadata(columns.are_posts().then(version));
    // Images are packed already, and each is its own.
    for column in [format!("{IMAGE}.bytes"), format!("{MORE_IMAGES}.list.item.bytes")] {
        let path = ColumnPath::from(column.split('.').map(str::to_owned).collect::<Vec<_>>());
        builder = builder
            .set_column_compression(path.clone(), Compression::UNCOMPRESSED)
            .set_column_dictionary_enabled(path.clone(), false)
            .set_column_statistics_enabled(path, parquet::file::properties::EnabledStatistics::None);
    }
    Ok(builder.build())
}

/// An error of the Parquet writer.
pub(super) fn refused(path: &Path) -> impl Fn(parquet::errors::ParquetError) -> Error {
    let path = path.to_owned();
    move |e| Error::io(&path, std::io::Error::other(e))
}

/// A file being written.
pub(super) struct Table {
    target: Target,
    columns: Columns,
    carrier: ImageCarrier,
    writer: ArrowWriter<BufWriter<File>>,
}

impl Table {
    /// Starts the file with the columns `wanted`, or all.
    pub fn create(
        corpus: &Corpus,
        wanted: Option<&[String]>,
        images: ExportImages,
        place: &Path,
        replace: bool,
    ) -> Result<Table> {
        let columns = Columns::new(corpus, wanted, true, false)?;
        let target = Target::file(place, replace)?;
        let path = target.growing();
        let file = BufWriter::with_capacity(1 << 20, File::create(&path).at(&path)?);
        let properties = properties(&columns)?;
        let writer = ArrowWriter::try_new(file, columns.schema().clone(), Some(properties)).map_err(refused(&path))?;
        let carrier = ImageCarrier::new(images, corpus, target.root())?;
        Ok(Table { target, columns, carrier, writer })
    }
}

impl Output for Table {
    fn take(&mut self, mut posts: Vec<Picked>) -> Result<()> {
        for (post, _) in &mut posts {
            self.carrier.carry(&mut post.images)?;
        }
        let (batch, ..) = self.columns.batch(posts)?;
        self.writer.write(&batch).map_err(refused(&self.target.growing()))
    }

    fn finish(self: Box<Self>, report: &mut ExportReport, _: &About) -> Result<()> {
        let path = self.target.growing();
        let file = self.writer.into_inner().map_err(refused(&path))?;
        file.into_inner().map_err(std::io::IntoInnerError::into_error).and_then(|f| f.sync_all()).at(&path)?;
        report.images = self.carrier.out;
        report.columns = self.columns.schema().fields().iter().map(|f| f.name().clone()).collect();
        report.surplus_labels = self.columns.surplus_labels;
        files(self.target.root(), report)?;
        self.target.finish_file()
    }
}
