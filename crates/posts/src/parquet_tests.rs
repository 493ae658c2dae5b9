//! What `posts.parquet` promises: what goes in comes out, newer files are refused, foreign columns are ignored.

use std::sync::Arc;

use arrow::array::{Int32Array, LargeStringArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::file::metadata::KeyValue;
use proptest::prelude::*;

use super::*;

fn maybe() -> impl Strategy<Value = Option<String>> + Clone {
    proptest::option::of("\\PC{0,12}")
}

fn time_of() -> impl Strategy<Value = Option<Timestamp>> {
    proptest::option::of(
        (-60_000_000_000_000_000i64..250_000_000_000_000_000)
            .prop_map(|us| Timestamp::from_microsecond(us).unwrap_or_default()),
    )
}

prop_compose! {
    fn authors()(id in "\\PC{0,9}", handle in maybe(), name in maybe(), description in maybe(), location in maybe(),
                 created_at in time_of(), followers in any::<Option<u64>>(), following in any::<Option<u64>>(),
                 posts in any::<Option<u64>>(), listed in any::<Option<u64>>(), verified in any::<Option<bool>>()) -> Author {
        Author { id, handle, name, description, location, created_at, followers, following, posts, listed, verified }
    }
}

prop_compose! {
    fn places()(id in "\\PC{0,9}", name in maybe(), kind in maybe(), country in maybe(),
                bounds in proptest::option::of(proptest::array::uniform4(-180.0..180.0f64))) -> Place {
        Place { id, name, kind, country, bounds }
    }
}

prop_compose! {
    fn mentions()(id in maybe(), handle in maybe()) -> Mention { Mention { id, handle } }
}

prop_compose! {
    fn images()(path in maybe(), url in maybe(), alt in maybe()) -> ImageRef { ImageRef { path, url, alt } }
}

prop_compose! {
    fn any_post()(
        (id, text, source) in ("\\PC{0,9}", ".{0,40}", "\\PC{0,9}"),
        created_at in time_of(), lang in maybe(),
        hashtags in proptest::collection::vec("\\PC{0,8}", 0..4),
        mentions in proptest::collection::vec(mentions(), 0..4),
        images in proptest::collection::vec(images(), 0..3),
        author in proptest::option::of(authors()),
        place in proptest::option::of(places()),
        geo in proptest::option::of((-90.0..90.0f64, -180.0..180.0f64)),
        reply_to in maybe(), quote_of in maybe(),
    ) -> Post {
        let geo = geo.map(|(lat, lon)| Point { lat, lon });
        Post { id, created_at, lang, text, hashtags, mentions, images, author, place, geo, reply_to, quote_of, source }
    }
}

fn write_table(path: &Path, posts: &[Post]) -> Result<()> {
    let mut writer = PostWriter::new(File::create(path).at(path)?, path)?;
    for post in posts {
        writer.push(post.clone())?;
    }
    writer.finish().map(|_| ())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn what_goes_in_comes_out(posts in proptest::collection::vec(any_post(), 0..30), rows in 1usize..12) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("posts.parquet");
        write_table(&path, &posts).unwrap();
        let chunks: Vec<Vec<Post>> = read(&path, rows).unwrap().collect::<Result<_>>().unwrap();
        prop_assert!(chunks.iter().all(|c| c.len() <= rows));
        prop_assert_eq!(chunks.concat(), posts.clone());
        prop_assert_eq!(count(&path).unwrap(), posts.len());
    }
}

/// A table as another tool would write it: large strings, a foreign column, most columns absent.
fn foreign_table(path: &Path, version: Option<&str>) {
    let schema = Arc::new(Schema::new(vec![
        Field::new("score", DataType::Int32, false),
        Field::new("text", DataType::LargeUtf8, false),
        Field::new("id", DataType::Utf8, false),
        Field::new("source", DataType::Utf8, false),
    ]));
    let batch = RecordBatch::try_new(
        schema.clone(),
        vec![
            Arc::new(Int32Array::from(vec![1, 2])),
            Arc::new(LargeStringArray::from(vec!["one", "two"])),
            Arc::new(StringArray::from(vec!["a", "b"])),
            Arc::new(StringArray::from(vec!["s", "s"])),
        ],
    );
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), schema, None).unwrap();
    writer.write(&batch.unwrap()).unwrap();
    if let Some(version) = version {
        writer.append_key_value_metadata(KeyValue::new(SCHEMA_KEY.to_owned(), version.to_owned()));
    }
    writer.close().unwrap();
}

#[test]
fn foreign_columns_and_string_types_are_no_obstacle() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("posts.parquet");
    foreign_table(&path, Some("1.7"));
    let posts: Vec<Post> = read(&path, 10).unwrap().collect::<Result<Vec<_>>>().unwrap().concat();
    assert_eq!(posts.len(), 2);
    assert_eq!((posts[1].id.as_str(), posts[1].text.as_str()), ("b", "two"));
    assert_eq!(posts[1].author, None);
}

#[test]
fn a_newer_major_version_is_refused_with_both_versions_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("posts.parquet");
    foreign_table(&path, Some("2.0"));
    let error = count(&path).unwrap_err().to_string();
    assert!(error.contains("version 2.0") && error.contains("up to 1"), "{error}");
    foreign_table(&path, None);
    assert!(count(&path).unwrap_err().to_string().contains("quintet.schema"));
}

#[test]
fn a_broken_file_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("posts.parquet");
    std::fs::write(&path, b"PAR1 this is not a table PAR1").unwrap();
    let error = count(&path).unwrap_err();
    assert!(error.place().is_some_and(|p| p.ends_with("posts.parquet")));
}
