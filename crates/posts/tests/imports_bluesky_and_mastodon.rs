//! Every file of Bluesky and Mastodon imports with its counts: a table. The files in `fixtures/` are invented, and counted
//! line by line; `bluesky_repo.car` is written and counted by `reference/bluesky_repo.py`.
#![expect(clippy::unwrap_used, reason = "helpers of a test may panic like the test itself")]

use std::path::{Path, PathBuf};

use quintet_posts::progress::Silent;
use quintet_posts::{Corpus, ImportOptions, ImportReport, Post, import};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn import_all(paths: &[PathBuf]) -> (ImportReport, Corpus, Vec<Post>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let into = folder.path().join("corpus");
    let report = import(paths, &ImportOptions::default(), &into, &Silent::default()).unwrap();
    let corpus = Corpus::open(&into).unwrap();
    let posts = corpus.posts().unwrap();
    let r = report.rows;
    assert_eq!(r.read, r.imported + r.merged + r.rejected + r.messages, "{report}");
    assert_eq!(posts.len() as u64, r.imported + r.quoted - r.deleted, "{report}");
    (report, corpus, posts, folder)
}

/// A file and what it holds.
struct Row {
    file: &'static str,
    format: &'static str,
    /// Read, imported, merged with a copy, rejected, other messages.
    counts: [u64; 5],
    /// Reposts, quoted posts that came along, posts deleted on request.
    more: [u64; 3],
}

const fn row(file: &'static str, format: &'static str, counts: [u64; 5], more: [u64; 3]) -> Row {
    Row { file, format, counts, more }
}

#[rustfmt::skip]
const TABLE: [Row; 6] = [
    //                                            read  new copy bad other  repost quoted deleted
    row("bluesky_jetstream.jsonl", "bluesky",    [ 23,   8,  2,  3,  10],  [0,     0,     2]),
    row("bluesky_api.json",        "bluesky",    [ 11,   7,  1,  1,   2],  [1,     1,     0]),
    row("bluesky_repo.car",        "bluesky",    [ 56,  40,  0,  0,  16],  [0,     0,     0]),
    row("mastodon_stream.jsonl",   "mastodon",   [ 12,   5,  2,  2,   3],  [1,     1,     1]),
    row("mastodon_timeline.json",  "mastodon",   [  3,   2,  1,  0,   0],  [0,     0,     0]),
    row("mastodon_outbox.json",    "mastodon",   [  8,   2,  1,  1,   4],  [0,     0,     1]),
];

#[test]
fn every_file_has_its_counts() {
    for Row { file, format, counts, more } in TABLE {
        let (report, ..) = import_all(&[fixture(file)]);
        let r = report.rows;
        assert_eq!(report.sources[0].files[0].format, format, "{file}");
        assert_eq!([r.read, r.imported, r.merged, r.rejected, r.messages], counts, "{file}\n{report}");
        assert_eq!([r.reposts, r.quoted, r.deleted], more, "{file}\n{report}");
    }
}

fn post<'a>(posts: &'a [Post], end: &str) -> &'a Post {
    posts.iter().find(|p| p.id.ends_with(end)).unwrap_or_else(|| panic!("no post {end}"))
}

#[test]
fn jetstream_edits_labels_and_times_reach_the_corpus() {
    let (_, corpus, posts, _folder) = import_all(&[fixture("bluesky_jetstream.jsonl")]);
    let edited = post(&posts, "/3ka");
    assert_eq!((edited.text.as_str(), edited.hashtags.len()), ("Grüße ohne Sonne", 0));
    let quoting = post(&posts, "/3kc");
    assert_eq!(quoting.quote_of.as_deref(), Some(edited.id.as_str()));
    assert_eq!(quoting.images[0].alt.as_deref(), Some("a quiet bay"));
    assert_eq!(post(&posts, "/3kd").reply_to.as_deref(), Some(edited.id.as_str()));
    let late = post(&posts, "/3kf");
    assert!(late.created_at < "2026-01-01T00:00:00Z".parse().ok(), "not later than it was seen");
    assert_eq!((late.hashtags.len(), late.mentions[0].handle.as_deref()), (1, Some("nachbar.example")));
    let labels = corpus.labels().unwrap();
    assert_eq!(labels.len(), 1);
    assert_eq!((labels[0].id.as_str(), labels[0].value.as_str()), (quoting.id.as_str(), "graphic-media"));
    assert!(!posts.iter().any(|p| p.text.contains("account that left")), "its account was closed");
}

#[test]
fn a_personal_archive_becomes_posts_of_its_account() {
    let (report, _, posts, _folder) = import_all(&[fixture("bluesky_repo.car")]);
    assert_eq!(report.summary.authors, 1);
    assert_eq!(posts.iter().filter(|p| !p.images.is_empty()).count(), 8);
    assert_eq!(posts.iter().filter(|p| p.reply_to.is_some()).count(), 6);
    assert!(
        posts.iter().all(|p| p.hashtags.len() == 1 && p.author.as_ref().is_some_and(|a| a.id.starts_with("did:plc:")))
    );
    assert!(posts.is_sorted_by_key(|p| &p.id), "in the order of the keys");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("repo.car");
    let whole = std::fs::read(fixture("bluesky_repo.car")).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let (report, ..) = import_all(std::slice::from_ref(&path));
    let r = report.rows;
    assert!(
        r.imported > 5 && r.rejected > 5 && report.problems.iter().any(|p| p.contains("cut off inside a block")),
        "{report}"
    );
    assert!(report.rejected.iter().all(|r| r.reason.contains("is not in the file")), "{report}");
    std::fs::write(&path, &whole[..80]).unwrap();
    let error = import(&[path], &ImportOptions::default(), &folder.path().join("c"), &Silent::default()).unwrap_err();
    assert!(error.to_string().contains("no commit to begin with"), "{error}");
}

#[test]
fn mastodon_streams_and_archives_reach_the_corpus() {
    let (_, corpus, posts, _folder) = import_all(&[fixture("mastodon_stream.jsonl")]);
    let edited = post(&posts, "1140001");
    assert_eq!((edited.text.as_str(), edited.hashtags.len()), ("Soup, no bread", 0));
    let labels = corpus.labels().unwrap();
    let of = |id: &str| {
        labels.iter().filter(|l| l.id == id).map(|l| (l.name.as_str(), l.value.as_str())).collect::<Vec<_>>()
    };
    assert_eq!(of("7"), [("declared_bot", "false")]);
    assert_eq!(of("8"), [("declared_bot", "true")]);
    assert!(of("1140002").is_empty(), "labels of deleted posts go with them");
    let (report, _, posts, _folder) = import_all(&[fixture("mastodon_outbox.json")]);
    assert_eq!(posts.len(), 1);
    assert_eq!((posts[0].text.as_str(), posts[0].lang.as_deref()), ("From the archive, corrected", Some("en")));
    assert_eq!(report.images.missing, 1, "the picture is not beside the file");
    let (_, _, posts, _folder) = import_all(&[fixture("mastodon_timeline.json")]);
    assert_eq!(post(&posts, "1150002").text, "a warning\n\nTwo\nlines");
    assert_eq!(post(&posts, "1150002").author.as_ref().and_then(|a| a.location.as_deref()), Some("The coast"));
}

#[test]
fn an_export_longer_than_any_record_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox.json");
    let item = |i: usize| {
        format!(
            r#"{{"id":"https://a.example/{i}","type":"Create","actor":"https://a.example/users/a","object":{{"id":"https://a.example/s/{i}","type":"Note","content":"<p>{}</p>"}}}}"#,
            "words ".repeat(200)
        )
    };
    let items: Vec<String> = (0..15_000).map(item).collect();
    let text = format!(r#"{{"type":"OrderedCollection","totalItems":15000,"orderedItems":[{}]}}"#, items.join(","));
    assert!(text.len() > quintet_posts::input::MAX_RECORD);
    std::fs::write(&path, text).unwrap();
    let (report, ..) = import_all(&[path]);
    assert_eq!((report.rows.imported, report.rows.rejected), (15_000, 0), "{report}");
}

#[test]
fn the_folder_of_an_account_export_brings_its_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("archive");
    let media = root.join("media_attachments/files/1/original");
    std::fs::create_dir_all(&media).unwrap();
    std::fs::write(media.join("a.png"), b"\x89PNG\r\n\x1a\n0000").unwrap();
    std::fs::copy(fixture("mastodon_outbox.json"), root.join("outbox.json")).unwrap();
    std::fs::write(root.join("likes.json"), r#"{"type":"OrderedCollection","orderedItems":["https://a.example/1"]}"#)
        .unwrap();
    std::fs::write(root.join("actor.json"), r#"{"type":"Person","id":"https://social.example/users/ann"}"#).unwrap();
    let (report, corpus, posts, _folder) = import_all(&[root]);
    assert_eq!((report.images.taken, report.images.missing), (1, 0), "{report}");
    assert_eq!(posts[0].images[0].alt.as_deref(), Some("a pier"));
    assert!(corpus.image_path(&posts[0].images[0]).is_some_and(|p| p.is_file()));
    assert_eq!(report.sources[0].files.len(), 1, "likes and the profile hold no posts: {report}");
}

/// Collected real posts; counts by a JSON library in another language.
#[test]
fn the_collected_sample_of_bluesky() {
    let root = std::env::var_os("QUINTET_DATA")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")), PathBuf::from);
    let path = root.join("fixtures/bluesky_posts/bluesky_sample_1000.json.gz");
    if !path.is_file() {
        eprintln!("SKIPPED: {} is not there (set QUINTET_DATA)", path.display());
        return;
    }
    let (report, ..) = import_all(&[path]);
    let r = report.rows;
    assert_eq!([r.read, r.imported, r.merged, r.rejected, r.messages], [1000, 1000, 0, 0, 0], "{report}");
    assert_eq!((report.summary.authors, report.summary.timed), (896, 1000));
    let languages = |name: &str| report.summary.languages.iter().find(|l| l.name == name).map(|l| l.posts);
    assert_eq!((languages("en"), languages("ar"), languages("en-US")), (Some(931), Some(39), Some(14)));
    assert!(report.unusable_fields.is_empty(), "{report}");
}
