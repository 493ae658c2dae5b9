//! Archives, personal archives and tables import whole, and what is damaged in them costs itself. All posts are synthetic.
#![expect(clippy::unwrap_used, reason = "helpers of a test may panic like the test itself")]

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float64Array, Int64Array, ListBuilder, RecordBatch, StringArray, StringBuilder, TimestampSecondArray,
};
use quintet_posts::corpus::Corpus;
use quintet_posts::progress::Silent;
use quintet_posts::table::FieldMap;
use quintet_posts::{ImportOptions, ImportReport, Post, Result, import};

fn import_file(folder: &Path, input: &Path, options: &ImportOptions) -> Result<(ImportReport, Vec<Post>)> {
    let into = folder.join("corpus");
    let options = ImportOptions { replace: true, ..options.clone() };
    let report = import(&[input.to_owned()], &options, &into, &Silent::default())?;
    let r = report.rows;
    assert_eq!(r.read, r.imported + r.merged + r.rejected + r.messages, "{r:?}");
    let posts = Corpus::open(&into)?.posts()?;
    assert_eq!(posts.len() as u64, r.imported + r.quoted - r.deleted, "{r:?}");
    Ok((report, posts))
}

fn zip(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut out = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        out.start_file(name.as_str(), zip::write::SimpleFileOptions::default()).unwrap();
        out.write_all(bytes).unwrap();
    }
    out.finish().unwrap().into_inner()
}

fn tweet(id: usize) -> Vec<u8> {
    format!("{{\n \"id_str\": \"{id}\",\n \"text\": \"tweet {id}\",\n \"user\": {{\"id_str\": \"1\"}}\n}}\n")
        .into_bytes()
}

#[test]
fn one_file_a_tweet_is_read_from_an_archive_and_from_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let mut members: Vec<(String, Vec<u8>)> =
        (0..40).map(|i| (format!("2020/{:02}/{i}.json", i % 4), tweet(i))).collect();
    members[7].1.truncate(20);
    members.push(("notes.json".into(), b"{\"about\": \"no post\"}".to_vec()));
    members.push(("photo.jpg".into(), b"\xff\xd8\xff".to_vec()));
    let packed = folder.path().join("dump");
    std::fs::write(&packed, zip(&members)).unwrap();
    let plain = folder.path().join("plain");
    for (name, bytes) in &members {
        let path = plain.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    for input in [&packed, &plain] {
        let (report, posts) = import_file(folder.path(), input, &ImportOptions::default()).unwrap();
        assert_eq!((report.rows.imported, report.rows.rejected, posts.len()), (39, 1, 39), "{report}");
        assert!(
            report.rejected[0].file.ends_with("7.json") && report.rejected[0].reason.contains("cut off"),
            "{report}"
        );
        assert_eq!(report.sources[0].unread.len(), 2, "{report}");
    }
    let (report, _) = import_file(folder.path(), &packed, &ImportOptions::default()).unwrap();
    assert_eq!((report.sources[0].files.len(), report.sources[0].files[0].members), (1, 40));
}

#[test]
fn a_damaged_archive_gives_its_whole_members_and_says_what_it_lost() {
    let folder = tempfile::tempdir().unwrap();
    let lines = |from: usize| -> Vec<u8> {
        (from..from + 2000)
            .flat_map(|i| format!("{{\"id\":\"{}\",\"text\":\"post {}\"}}\n", i, i * 7919 % 100_003).into_bytes())
            .collect()
    };
    let mut bytes =
        zip(&[("a.jsonl".into(), lines(0)), ("b.jsonl".into(), lines(2000)), ("c.jsonl".into(), lines(4000))]);
    bytes.truncate(bytes.len() * 5 / 6);
    let path = folder.path().join("cut.zip");
    std::fs::write(&path, bytes).unwrap();
    let (report, posts) = import_file(folder.path(), &path, &ImportOptions::default()).unwrap();
    assert!((4000..6000).contains(&posts.len()), "{report}");
    assert!(report.problems.iter().any(|p| p.contains("c.jsonl breaks off")), "{report}");
    assert!(report.problems.iter().any(|p| p.contains("read in order")), "{report}");
    let strict = ImportOptions { strict: true, ..ImportOptions::default() };
    assert!(import_file(folder.path(), &path, &strict).is_err());
}

/// A personal archive as X hands it out.
fn personal(prefix: &str) -> Vec<(String, Vec<u8>)> {
    let file = |name: &str, part: &str, json: &str| {
        (format!("{prefix}data/{name}"), format!("window.YTD.{part}.part0 = {json}").into_bytes())
    };
    vec![
        file(
            "tweets.js",
            "tweets",
            r#"[
  {"tweet": {"id_str": "5", "full_text": "sun #a https://t.co/p", "display_text_range": ["0", "6"], "created_at": "Wed Mar 04 19:00:08 +0000 2020",
    "entities": {"hashtags": [{"text": "a"}], "user_mentions": []},
    "extended_entities": {"media": [{"type": "photo", "media_url_https": "https://img.example/media/AbC.jpg"}]}}},
  {"tweet": {"id_str": "6", "full_text": "RT @b: someone else\u2026", "entities": {"hashtags": [], "user_mentions": [{"id_str": "2", "screen_name": "b"}]},
    "extended_entities": {"media": [{"type": "photo", "media_url_https": "https://img.example/media/gone.jpg"}]}}},
  {"tweet": {"id_str": "7", "full_text": "taken back", "entities": []}}
]"#,
        ),
        file(
            "account.js",
            "account",
            r#"[{"account": {"email": "secret@mail.example", "username": "ann", "accountId": "9", "createdAt": "2010-01-02T03:04:05.000Z", "accountDisplayName": "Ann"}}]"#,
        ),
        file(
            "profile.js",
            "profile",
            r#"[{"profile": {"description": {"bio": "likes sun", "website": "", "location": "Köln"}, "avatarMediaUrl": ""}}]"#,
        ),
        file("like.js", "like", r#"[{"like": {"tweetId": "1", "fullText": "of another"}}]"#),
        file(
            "deleted-tweets.js",
            "deleted_tweets",
            r#"[{"tweet": {"id_str": "7", "full_text": "taken back", "deleted_at": "x"}}]"#,
        ),
        (format!("{prefix}data/tweets_media/5-AbC.jpg"), b"\xff\xd8\xff pixels".to_vec()),
        (format!("{prefix}Your archive.html"), b"<html>".to_vec()),
    ]
}

#[test]
fn a_personal_archive_knows_its_owner_and_its_images() {
    let folder = tempfile::tempdir().unwrap();
    let packed = folder.path().join("twitter-archive.zip");
    std::fs::write(&packed, zip(&personal(""))).unwrap();
    let plain = folder.path().join("unpacked");
    for (name, bytes) in personal("twitter-2020/") {
        let path = plain.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    for input in [&packed, &plain] {
        let (report, posts) = import_file(folder.path(), input, &ImportOptions::default()).unwrap();
        assert_eq!((report.rows.imported, report.rows.deleted, report.rows.rejected), (3, 1, 0), "{report}");
        assert_eq!(posts.iter().map(|p| p.id.as_str()).collect::<Vec<_>>(), ["5", "6"]);
        let author = posts[0].author.as_ref().unwrap();
        assert_eq!(
            (author.id.as_str(), author.handle.as_deref(), author.location.as_deref()),
            ("9", Some("ann"), Some("Köln"))
        );
        assert_eq!((posts[0].text.as_str(), author.description.as_deref()), ("sun #a", Some("likes sun")));
        assert_eq!((report.images.taken, report.images.missing, report.summary.truncated), (1, 1, 1), "{report}");
        let corpus = Corpus::open(&folder.path().join("corpus")).unwrap();
        let image = std::fs::read(corpus.image_path(&posts[0].images[0]).unwrap()).unwrap();
        assert!(image.starts_with(b"\xff\xd8\xff pixels"));
        assert_eq!((&posts[1].images[0].path, posts[1].images[0].url.is_some()), (&None, true), "still to be fetched");
        assert!(report.sources[0].unread.iter().any(|n| n.ends_with("like.js")), "{report}");
        let table = std::fs::read(corpus.root().join("posts.parquet")).unwrap();
        assert!(!table.windows(6).any(|w| w == b"secret"), "the mail address stays out");
    }
}

fn mapped(toml: &str) -> ImportOptions {
    ImportOptions { fields: Arc::new(FieldMap::parse(toml).unwrap()), ..ImportOptions::default() }
}

#[test]
fn a_csv_table_is_read_by_its_map() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.csv");
    let text = "\u{feff}tweet_id;body;date;tags;user;followers;lat;lon\n\
        1100000000000000001;\"two lines;\nof text #x\";2020-03-04 19:00:08;\"['a', 'b']\";ann;12.0;50.9;6.9\n\
        1.1E+18;float id;;;bob;;;\n\
        3;short row\n\
        4;;2020-03-04T19:00:08Z;c d;;many;95;6.9\n";
    std::fs::write(&path, text).unwrap();
    let options = mapped(
        "id = \"tweet_id\"\ntext = \"body\"\ncreated_at = \"date\"\nhashtags = \"tags\"\nauthor.handle = \"user\"\nauthor.followers = \"followers\"\ngeo.lat = \"lat\"\ngeo.lon = \"lon\"\n",
    );
    let (report, posts) = import_file(folder.path(), &path, &options).unwrap();
    assert_eq!((report.rows.read, report.rows.imported, report.rows.rejected), (4, 2, 2), "{report}");
    assert_eq!(report.rejected.iter().map(|r| r.line).collect::<Vec<_>>(), [4, 5], "{report}");
    assert!(
        report.rejected[0].reason.contains("loses its last digits") && report.rejected[1].reason.contains("2 cells"),
        "{report}"
    );
    let post = &posts[0];
    assert_eq!(
        (post.id.as_str(), post.text.as_str(), post.hashtags.len()),
        ("1100000000000000001", "two lines;\nof text #x", 2)
    );
    assert_eq!(post.author.as_ref().map(|a| (a.id.as_str(), a.followers)), Some(("ann", Some(12))));
    assert_eq!((post.created_at, post.geo.map(|g| g.lat)), ("2020-03-04T19:00:08Z".parse().ok(), Some(50.9)));
    assert_eq!((posts[1].text.as_str(), posts[1].geo), ("", None));
    assert_eq!(report.sources[0].files[0].format, "csv");
    let error = import_file(folder.path(), &path, &mapped("id = \"tweet_id\"\ntext = \"boddy\"")).unwrap_err();
    assert!(
        error.what().contains("did you mean `body`") && error.way_out().is_some_and(|h| h.contains("followers")),
        "{error}"
    );
}

#[test]
fn a_table_with_the_usual_names_needs_no_map_packed_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let table = "id\ttext\tauthor_id\n1\thello #a\tu\n2\tbye\tv\n";
    let gz = {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        out.write_all(table.as_bytes()).unwrap();
        out.finish().unwrap()
    };
    for bytes in [table.as_bytes().to_vec(), gz, zip(&[("x/t.tsv".into(), table.as_bytes().to_vec())])] {
        let path = folder.path().join("t");
        std::fs::write(&path, bytes).unwrap();
        let (report, posts) = import_file(folder.path(), &path, &ImportOptions::default()).unwrap();
        assert_eq!((report.rows.imported, posts[0].hashtags.len()), (2, 1), "{report}");
        assert_eq!(posts[1].author.as_ref().map(|a| a.id.as_str()), Some("v"));
    }
    let open = "id,text\n1,a\n2,\"never closed\n".to_owned() + &"x,y\n".repeat(5_000_000);
    std::fs::write(folder.path().join("open.csv"), open).unwrap();
    let (report, posts) =
        import_file(folder.path(), &folder.path().join("open.csv"), &ImportOptions::default()).unwrap();
    assert_eq!(posts.len(), 1, "{report}");
    assert!(report.problems.iter().any(|p| p.contains("not closed")), "{report}");
}

fn parquet(path: &PathBuf, columns: Vec<(&str, ArrayRef)>) {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let file = std::fs::File::create(path).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

#[test]
fn a_parquet_table_is_read_by_its_map() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.parquet");
    let mut tags = ListBuilder::new(StringBuilder::new());
    tags.append_value([Some("a"), Some("b")]);
    tags.append_null();
    let tags: ArrayRef = Arc::new(tags.finish());
    parquet(
        &path,
        vec![
            ("number", Arc::new(Int64Array::from(vec![1_100_000_000_000_000_001, 2])) as ArrayRef),
            ("unused", Arc::new(StringArray::from(vec!["x", "y"]))),
            ("body", Arc::new(StringArray::from(vec![Some("hello"), None]))),
            ("when", Arc::new(TimestampSecondArray::from(vec![1_583_348_408, 0]).with_timezone("UTC"))),
            ("tags", tags),
            ("rounded", Arc::new(Float64Array::from(vec![Some(1.1e18), Some(7.0)]))),
        ],
    );
    let options = mapped("id = \"number\"\ntext = \"body\"\ncreated_at = \"when\"\nhashtags = \"tags\"");
    let (report, posts) = import_file(folder.path(), &path, &options).unwrap();
    assert_eq!((report.rows.read, report.rows.imported, report.rows.rejected), (2, 1, 1), "{report}");
    assert!(report.rejected[0].reason.contains("no `text`") && report.rejected[0].line == 2, "{report}");
    assert_eq!((posts[0].id.as_str(), posts[0].hashtags.len()), ("1100000000000000001", 2));
    assert_eq!(posts[0].created_at, "2020-03-04T19:00:08Z".parse().ok());
    let (report, _) = import_file(folder.path(), &path, &mapped("id = \"rounded\"\ntext = \"unused\"")).unwrap();
    assert!(report.rejected[0].reason.contains("loses its last digits"), "{report}");
    let error = import_file(folder.path(), &path, &mapped("id = \"numbr\"\ntext = \"body\"")).unwrap_err();
    assert!(error.what().contains("did you mean `number`"), "{error}");
    // Found by fuzzing: the library panics on the prefixes of these texts.
    let damaged = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/table_damaged.parquet");
    let report = import_file(folder.path(), &damaged, &mapped("id = \"n\""));
    let said = report.map_or_else(|e| e.to_string(), |(report, _)| report.to_string());
    assert!(said.contains("table_damaged") && said.contains("is damaged"), "{said}");
    std::fs::write(&path, b"PAR1 and nothing else").unwrap();
    assert!(import_file(folder.path(), &path, &options).unwrap_err().what().contains("cannot be read"));
}
