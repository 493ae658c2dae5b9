//! Writes `posts.parquet` in bounded memory: a batch of posts becomes columns, which all threads encode.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Float64Array, ListArray, StringArray, StringBuilder, StructArray,
    TimestampMicrosecondArray, UInt64Array,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field};
use jiff::Timestamp;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use rayon::prelude::*;

use super::parquet::{SCHEMA_KEY, SCHEMA_MAJOR, SCHEMA_MINOR, failed, schema, texts};
use super::post::{Author, ImageRef, Mention, Place, Post};
use crate::error::Result;

/// Rows encoded at a time; posts are about 1 kB, so this holds some 8 MB.
const BATCH_ROWS: usize = 8192;
/// Rows of a row group: what the writer holds in memory, encoded, before it goes to disk.
const GROUP_ROWS: usize = 65_536;

/// Writes posts as they come; holds at most one row group. Columns are encoded by all threads.
pub struct PostWriter<W: Write + Send> {
    path: PathBuf,
    file: SerializedFileWriter<W>,
    columns: ArrowRowGroupWriterFactory,
    /// The row group under way: the writers of each column's leaves.
    group: Vec<Vec<ArrowColumnWriter>>,
    group_rows: usize,
    pending: Vec<Post>,
    rows: u64,
}

impl<W: Write + Send> PostWriter<W> {
    /// Starts a table in `out`; `path` only names it in errors.
    ///
    /// # Errors
    /// If `out` refuses the header.
    pub fn new(out: W, path: &Path) -> Result<Self> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(3).map_err(|e| failed(path, e))?))
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .set_key_value_metadata(Some(vec![KeyValue::new(
                SCHEMA_KEY.to_owned(),
                format!("{SCHEMA_MAJOR}.{SCHEMA_MINOR}"),
            )]))
            .build();
        let (file, columns) = ArrowWriter::try_new(out, schema(), Some(properties))
            .and_then(ArrowWriter::into_serialized_writer)
            .map_err(|e| failed(path, e))?;
        let pending = Vec::with_capacity(BATCH_ROWS);
        Ok(PostWriter { path: path.to_owned(), file, columns, group: Vec::new(), group_rows: 0, pending, rows: 0 })
    }

    /// Appends a post.
    ///
    /// # Errors
    /// If the output refuses.
    pub fn push(&mut self, post: Post) -> Result<()> {
        self.pending.push(post);
        self.rows += 1;
        if self.pending.len() < BATCH_ROWS {
            return Ok(());
        }
        self.encode().map_err(|e| failed(&self.path, e))
    }

    /// Posts appended so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    fn encode(&mut self) -> Result<(), ParquetError> {
        let schema = schema();
        if self.group.is_empty() {
            let mut leaves = self.columns.create_column_writers(self.file.flushed_row_groups().len())?.into_iter();
            let of_field = |f: &Arc<Field>| leaves.by_ref().take(leaf_count(f.data_type())).collect();
            self.group = schema.fields().iter().map(of_field).collect();
        }
        let posts = &self.pending;
        let fields = schema.fields().par_iter().zip(&COLUMNS);
        self.group.par_iter_mut().zip(fields).with_max_len(1).try_for_each(|(writers, (field, column))| {
            let leaves = compute_leaves(field, &column(posts))?;
            writers.iter_mut().zip(&leaves).try_for_each(|(writer, leaf)| writer.write(leaf))
        })?;
        self.group_rows += posts.len();
        self.pending.par_drain(..).with_min_len(512).for_each(drop);
        if self.group_rows < GROUP_ROWS { Ok(()) } else { self.end_group() }
    }

    fn end_group(&mut self) -> Result<(), ParquetError> {
        let leaves: Vec<ArrowColumnWriter> = self.group.drain(..).flatten().collect();
        let chunks: Vec<_> =
            leaves.into_par_iter().with_max_len(1).map(ArrowColumnWriter::close).collect::<Result<_, _>>()?;
        let mut group = self.file.next_row_group()?;
        for chunk in chunks {
            chunk.append_to_row_group(&mut group)?;
        }
        group.close()?;
        self.group_rows = 0;
        Ok(())
    }

    /// Writes what is held and the footer, and gives the output back.
    ///
    /// # Errors
    /// If the output refuses.
    pub fn finish(mut self) -> Result<W> {
        let mut rest = || -> Result<(), ParquetError> {
            if !self.pending.is_empty() {
                self.encode()?;
            }
            if self.group_rows > 0 { self.end_group() } else { Ok(()) }
        };
        rest().map_err(|e| failed(&self.path, e))?;
        let path = self.path;
        self.file.into_inner().map_err(|e| failed(&path, e))
    }
}

/// Columns of the file that an Arrow column becomes.
fn leaf_count(kind: &DataType) -> usize {
    match kind {
        DataType::List(item) => leaf_count(item.data_type()),
        DataType::Struct(fields) => fields.iter().map(|f| leaf_count(f.data_type())).sum(),
        _ => 1,
    }
}

/// An arrow column of strings from a field of every post.
fn strings<'a>(posts: &'a [Post], field: impl Fn(&'a Post) -> Option<&'a str>) -> ArrayRef {
    let bytes = posts.iter().map(|p| field(p).map_or(0, str::len)).sum();
    let mut column = StringBuilder::with_capacity(posts.len(), bytes);
    posts.iter().for_each(|p| column.append_option(field(p)));
    Arc::new(column.finish())
}

fn times(posts: &[Post], field: impl Fn(&Post) -> Option<Timestamp>) -> ArrayRef {
    let values: TimestampMicrosecondArray = posts.iter().map(|p| field(p).map(|t| t.as_microsecond())).collect();
    Arc::new(values.with_timezone("UTC"))
}

fn counts(posts: &[Post], field: impl Fn(&Author) -> Option<u64>) -> ArrayRef {
    Arc::new(posts.iter().map(|p| p.author.as_ref().and_then(&field)).collect::<UInt64Array>())
}

fn degrees(posts: &[Post], field: impl Fn(&Post) -> Option<f64>) -> ArrayRef {
    Arc::new(posts.iter().map(field).collect::<Float64Array>())
}

/// A list column: `lengths[i]` items of `items` belong to post `i`.
fn lists(lengths: impl Iterator<Item = usize>, items: ArrayRef) -> ArrayRef {
    let nullable = matches!(items.data_type(), DataType::Struct(_));
    let field = Arc::new(Field::new("item", items.data_type().clone(), nullable));
    Arc::new(ListArray::new(field, OffsetBuffer::from_lengths(lengths), items, None))
}

fn structs<'a, T: 'a>(items: &[&'a T], names: &[&str], field: impl Fn(&'a T, usize) -> Option<&'a str>) -> ArrayRef {
    let columns = (0..names.len())
        .map(|k| Arc::new(items.iter().map(|i| field(i, k)).collect::<StringArray>()) as ArrayRef)
        .collect();
    Arc::new(StructArray::new(texts(names), columns, None))
}

fn of_author<'a>(posts: &'a [Post], field: fn(&'a Author) -> Option<&'a str>) -> ArrayRef {
    strings(posts, move |p| p.author.as_ref().and_then(field))
}

fn of_place<'a>(posts: &'a [Post], field: fn(&'a Place) -> Option<&'a str>) -> ArrayRef {
    strings(posts, move |p| p.place.as_ref().and_then(field))
}

fn side(posts: &[Post], side: usize) -> ArrayRef {
    degrees(posts, move |p| p.place.as_ref().and_then(|x| x.bounds).map(|b| b[side]))
}

fn hashtags(posts: &[Post]) -> ArrayRef {
    let tags: StringArray = posts.iter().flat_map(|p| &p.hashtags).map(|t| Some(t.as_str())).collect();
    lists(posts.iter().map(|p| p.hashtags.len()), Arc::new(tags))
}

fn mentions(posts: &[Post]) -> ArrayRef {
    let all: Vec<&Mention> = posts.iter().flat_map(|p| &p.mentions).collect();
    let items = structs(&all, &["id", "handle"], |m, k| [&m.id, &m.handle][k].as_deref());
    lists(posts.iter().map(|p| p.mentions.len()), items)
}

fn images(posts: &[Post]) -> ArrayRef {
    let all: Vec<&ImageRef> = posts.iter().flat_map(|p| &p.images).collect();
    let items = structs(&all, &["path", "url", "alt"], |i, k| [&i.path, &i.url, &i.alt][k].as_deref());
    lists(posts.iter().map(|p| p.images.len()), items)
}

/// Column number `index` of [`schema`], made of posts.
pub(super) fn column(index: usize, posts: &[Post]) -> ArrayRef {
    COLUMNS[index](posts)
}

/// How each column of [`schema`] is made of posts, in its order.
static COLUMNS: [fn(&[Post]) -> ArrayRef; 31] = [
    |posts| strings(posts, |p| Some(&p.id)),
    |posts| times(posts, |p| p.created_at),
    |posts| strings(posts, |p| p.lang.as_deref()),
    |posts| strings(posts, |p| Some(&p.text)),
    hashtags,
    mentions,
    images,
    |posts| of_author(posts, |a| Some(&a.id)),
    |posts| of_author(posts, |a| a.handle.as_deref()),
    |posts| of_author(posts, |a| a.name.as_deref()),
    |posts| of_author(posts, |a| a.description.as_deref()),
    |posts| of_author(posts, |a| a.location.as_deref()),
    |posts| times(posts, |p| p.author.as_ref().and_then(|a| a.created_at)),
    |posts| counts(posts, |a| a.followers),
    |posts| counts(posts, |a| a.following),
    |posts| counts(posts, |a| a.posts),
    |posts| counts(posts, |a| a.listed),
    |posts| Arc::new(posts.iter().map(|p| p.author.as_ref().and_then(|a| a.verified)).collect::<BooleanArray>()),
    |posts| of_place(posts, |p| Some(&p.id)),
    |posts| of_place(posts, |p| p.name.as_deref()),
    |posts| of_place(posts, |p| p.kind.as_deref()),
    |posts| of_place(posts, |p| p.country.as_deref()),
    |posts| side(posts, 0),
    |posts| side(posts, 1),
    |posts| side(posts, 2),
    |posts| side(posts, 3),
    |posts| degrees(posts, |p| p.geo.map(|g| g.lat)),
    |posts| degrees(posts, |p| p.geo.map(|g| g.lon)),
    |posts| strings(posts, |p| p.reply_to.as_deref()),
    |posts| strings(posts, |p| p.quote_of.as_deref()),
    |posts| strings(posts, |p| Some(&p.source)),
];
