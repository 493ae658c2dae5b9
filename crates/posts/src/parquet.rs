//! `posts.parquet`: the table of posts, its schema and how it is read and written in bounded memory.
//!
//! The file's metadata carries `quintet.schema = "MAJOR.MINOR"`. A reader accepts every minor version of its major
//! version and ignores columns it does not know; a newer major version is refused. Ids are strings, times are
//! microseconds since 1970 in UTC, null means unknown. Compression: zstd. One row a post:
//!
//! | column | type | meaning |
//! |---|---|---|
//! | `id` | string, never null | id within the source |
//! | `created_at` | timestamp(us, UTC) | when it was posted |
//! | `lang` | string | BCP 47 language as the source says |
//! | `text` | string, never null | text as posted, HTML escapes of the source undone |
//! | `hashtags` | list of string | without `#`, as written, in order |
//! | `mentions` | list of {`id`, `handle`} | accounts mentioned, each once |
//! | `images` | list of {`path`, `url`, `alt`} | `path` absolute or relative to the corpus folder |
//! | `author_id` | string | null: the author is unknown and so are all `author_*` columns |
//! | `author_handle`, `author_name`, `author_description`, `author_location` | string | profile as seen with the post |
//! | `author_created_at` | timestamp(us, UTC) | when the account was made |
//! | `author_followers`, `author_following`, `author_posts`, `author_listed` | uint64 | counts as seen with the post |
//! | `author_verified` | bool | verified by the platform |
//! | `place_id` | string | null: no place and so are all `place_*` columns |
//! | `place_name`, `place_kind`, `place_country` | string | kind: country, admin, city, neighborhood, poi |
//! | `place_west`, `place_south`, `place_east`, `place_north` | float64, degrees | bounding box |
//! | `lat`, `lon` | float64, degrees | exact coordinates |
//! | `reply_to`, `quote_of` | string | id of the post answered or quoted |
//! | `source` | string, never null | what it was imported from |

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StructArray, new_null_array};
use arrow::datatypes::{
    DataType, Field, Fields, Float64Type, Schema, SchemaRef, TimeUnit, TimestampMicrosecondType, UInt64Type,
};
use jiff::Timestamp;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;

pub use super::parquet_writer::PostWriter;
use super::post::{Author, ImageRef, Mention, Place, Point, Post};
use crate::error::{AtPath, Error, Result};

/// Major version: a reader refuses a newer one.
pub const SCHEMA_MAJOR: u32 = 1;
/// Minor version: grows when a column is added.
pub const SCHEMA_MINOR: u32 = 0;
/// Key of the version in the file's metadata.
pub const SCHEMA_KEY: &str = "quintet.schema";

fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

pub(super) fn texts(names: &[&str]) -> Fields {
    names.iter().map(|n| Field::new(*n, DataType::Utf8, true)).collect()
}

fn list_of(name: &str, item: DataType) -> Field {
    let nullable = matches!(item, DataType::Struct(_));
    Field::new(name, DataType::List(Arc::new(Field::new("item", item, nullable))), false)
}

/// The schema of [`SCHEMA_MAJOR`].[`SCHEMA_MINOR`], columns as in the table above.
pub fn schema() -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let count = |name: &str| Field::new(name, DataType::UInt64, true);
    let degrees = |name: &str| Field::new(name, DataType::Float64, true);
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Utf8, false),
        Field::new("created_at", time_type(), true),
        text("lang"),
        Field::new("text", DataType::Utf8, false),
        list_of("hashtags", DataType::Utf8),
        list_of("mentions", DataType::Struct(texts(&["id", "handle"]))),
        list_of("images", DataType::Struct(texts(&["path", "url", "alt"]))),
        text("author_id"),
        text("author_handle"),
        text("author_name"),
        text("author_description"),
        text("author_location"),
        Field::new("author_created_at", time_type(), true),
        count("author_followers"),
        count("author_following"),
        count("author_posts"),
        count("author_listed"),
        Field::new("author_verified", DataType::Boolean, true),
        text("place_id"),
        text("place_name"),
        text("place_kind"),
        text("place_country"),
        degrees("place_west"),
        degrees("place_south"),
        degrees("place_east"),
        degrees("place_north"),
        degrees("lat"),
        degrees("lon"),
        text("reply_to"),
        text("quote_of"),
        Field::new("source", DataType::Utf8, false),
    ]))
}

pub(super) fn failed(path: &Path, error: ParquetError) -> Error {
    Error::input(format!("the table of posts cannot be used: {error}"))
        .at(path)
        .help("import the posts again, or restore the file from a copy")
        .caused_by(error)
}

fn open(path: &Path) -> Result<ParquetRecordBatchReaderBuilder<File>> {
    let file = File::open(path).at(path)?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| failed(path, e))?;
    let version = builder
        .metadata()
        .file_metadata()
        .key_value_metadata()
        .and_then(|all| all.iter().find(|kv| kv.key == SCHEMA_KEY))
        .and_then(|kv| kv.value.clone());
    let major = version.as_deref().and_then(|v| v.split('.').next()?.parse::<u32>().ok());
    match major {
        Some(major) if major <= SCHEMA_MAJOR => Ok(builder),
        Some(_) => Err(Error::input(format!(
            "its schema is version {}; this program reads up to {SCHEMA_MAJOR}",
            version.unwrap_or_default()
        ))
        .at(path)
        .help("use the version of quintet that wrote it, or a newer one")),
        None => Err(Error::input(format!("not a table of posts: no `{SCHEMA_KEY}` in its metadata"))
            .at(path)
            .help("make one with `quintet import`")),
    }
}

/// Number of posts in a table.
///
/// # Errors
/// If the file is no table of posts.
pub fn count(path: &Path) -> Result<usize> {
    let rows = open(path)?.metadata().file_metadata().num_rows();
    usize::try_from(rows).map_err(|_| Error::input(format!("the table says it has {rows} rows")).at(path))
}

/// Posts in file order, at most `rows` at a time.
///
/// # Errors
/// If the file is no table of posts, or a page of it cannot be read (from the iterator).
pub fn read(path: &Path, rows: usize) -> Result<impl Iterator<Item = Result<Vec<Post>>> + use<>> {
    let builder = open(path)?;
    let known = schema();
    let roots = builder.schema().fields().iter().enumerate();
    let wanted: Vec<usize> = roots.filter(|(_, f)| known.field_with_name(f.name()).is_ok()).map(|(i, _)| i).collect();
    let mask = ProjectionMask::roots(builder.parquet_schema(), wanted);
    let reader = builder.with_projection(mask).with_batch_size(rows.max(1)).build().map_err(|e| failed(path, e))?;
    let path = path.to_owned();
    Ok(reader.map(move |batch| {
        let batch = batch.map_err(|e| failed(&path, e.into()))?;
        from_batch(&batch, &known).map_err(|e| e.at(&path))
    }))
}

/// The columns of a batch in the order and types of the schema; a column that a file lacks is all null.
fn columns(batch: &RecordBatch, schema: &Schema) -> Result<Vec<ArrayRef>> {
    let column = |field: &Arc<Field>| match batch.column_by_name(field.name()) {
        Some(found) if found.data_type() == field.data_type() => Ok(found.clone()),
        // Other tools write the same content as large strings, views or other time units.
        Some(found) => arrow::compute::cast(found, field.data_type()).map_err(|e| {
            Error::input(format!("column `{}` is {}, not {}: {e}", field.name(), found.data_type(), field.data_type()))
        }),
        None if field.is_nullable() || matches!(field.data_type(), DataType::List(_)) => {
            Ok(new_null_array(field.data_type(), batch.num_rows()))
        }
        None => Err(Error::input(format!("column `{}` is missing", field.name()))),
    };
    schema.fields().iter().map(column).collect()
}

fn string(column: &ArrayRef, row: usize) -> Option<String> {
    let values = column.as_string::<i32>();
    values.is_valid(row).then(|| values.value(row).to_owned())
}

fn time(column: &ArrayRef, row: usize) -> Result<Option<Timestamp>> {
    let values = column.as_primitive::<TimestampMicrosecondType>();
    let time = values.is_valid(row).then(|| Timestamp::from_microsecond(values.value(row)));
    time.transpose().map_err(|e| Error::input(format!("row {row} of a batch has an impossible time: {e}")))
}

fn number(column: &ArrayRef, row: usize) -> Option<f64> {
    let values = column.as_primitive::<Float64Type>();
    values.is_valid(row).then(|| values.value(row))
}

fn whole(column: &ArrayRef, row: usize) -> Option<u64> {
    let values = column.as_primitive::<UInt64Type>();
    values.is_valid(row).then(|| values.value(row))
}

/// The items of a list column that belong to `row`.
fn items(column: &ArrayRef, row: usize) -> Option<ArrayRef> {
    let lists = column.as_list::<i32>();
    lists.is_valid(row).then(|| lists.value(row))
}

fn from_batch(batch: &RecordBatch, schema: &Schema) -> Result<Vec<Post>> {
    let c = columns(batch, schema)?;
    (0..batch.num_rows()).map(|row| row_to_post(&c, row)).collect()
}

fn row_to_post(c: &[ArrayRef], row: usize) -> Result<Post> {
    let text = |k: usize| string(&c[k], row);
    let tags = items(&c[4], row);
    let (mentions, images) = (items(&c[5], row), items(&c[6], row));
    let side = |k: usize| number(&c[k], row);
    let bounds = side(22).zip(side(23)).zip(side(24).zip(side(25))).map(|((w, s), (e, n))| [w, s, e, n]);
    let author_created_at = time(&c[12], row)?;
    Ok(Post {
        id: text(0).unwrap_or_default(),
        created_at: time(&c[1], row)?,
        lang: text(2),
        text: text(3).unwrap_or_default(),
        hashtags: tags.map_or(Vec::new(), |t| (0..t.len()).filter_map(|i| string(&t, i)).collect()),
        mentions: of_structs(mentions, |s, i| Mention { id: string(s.column(0), i), handle: string(s.column(1), i) }),
        images: of_structs(images, |s, i| ImageRef {
            path: string(s.column(0), i),
            url: string(s.column(1), i),
            alt: string(s.column(2), i),
        }),
        author: text(7).map(|id| Author {
            id,
            handle: text(8),
            name: text(9),
            description: text(10),
            location: text(11),
            created_at: author_created_at,
            followers: whole(&c[13], row),
            following: whole(&c[14], row),
            posts: whole(&c[15], row),
            listed: whole(&c[16], row),
            verified: {
                let values = c[17].as_boolean();
                values.is_valid(row).then(|| values.value(row))
            },
        }),
        place: text(18).map(|id| Place { id, name: text(19), kind: text(20), country: text(21), bounds }),
        geo: side(26).zip(side(27)).map(|(lat, lon)| Point { lat, lon }),
        reply_to: text(28),
        quote_of: text(29),
        source: text(30).unwrap_or_default(),
    })
}

fn of_structs<T>(items: Option<ArrayRef>, make: impl Fn(&StructArray, usize) -> T) -> Vec<T> {
    let Some(items) = items else { return Vec::new() };
    let items = items.as_struct();
    (0..items.len()).map(|i| make(items, i)).collect()
}

#[cfg(test)]
#[path = "parquet_tests.rs"]
mod tests;
