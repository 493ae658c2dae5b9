//! Every fixture of X's formats imports with the counts that an independent count gives.
//!
//! `reference/count_fixtures.py` made the figures: it walks the JSON with plain sets and shares no code with the
//! importer. Rejected records are the Activity Streams ones (`data` there, no posts), found by the field `verb`.

use std::path::{Path, PathBuf};

use quintet_posts::progress::Silent;
use quintet_posts::{Corpus, ImportOptions, import};

/// What a file must give.
struct Row {
    file: &'static str,
    format: &'static str,
    read: u64,
    /// Records that were meant as posts: imported, merged or rejected.
    data: u64,
    rejected: u64,
    messages: u64,
    posts: u64,
    deleted: u64,
    truncated: u64,
}

const fn row(file: &'static str, format: &'static str, n: [u64; 7]) -> Row {
    let [read, data, rejected, messages, posts, deleted, truncated] = n;
    Row { file, format, read, data, rejected, messages, posts, deleted, truncated }
}

#[rustfmt::skip]
const TABLE: [Row; 26] = [
    //                                     read  data  rej. mess. posts del. cut
    row("fixtures/twarc_csv/2sets.jsonl",         "x-v2", [201, 200, 0, 1, 131, 0, 0]),
    row("fixtures/twarc_csv/brexit.jsonl",        "x-v2", [100, 100, 0, 0, 88, 0, 0]),
    row("fixtures/twarc_csv/cashtags.jsonl",      "x-v2", [1, 1, 0, 0, 1, 0, 0]),
    row("fixtures/twarc_csv/cotweet.jsonl",       "x-v2", [1, 1, 0, 0, 1, 0, 0]),
    row("fixtures/twarc_csv/counts.jsonl",        "x-v2", [169, 0, 0, 169, 0, 0, 0]),
    row("fixtures/twarc_csv/edited.jsonl",        "x-v2", [1, 1, 0, 0, 1, 1, 0]),
    row("fixtures/twarc_csv/edited_after.jsonl",  "x-v2", [1, 1, 0, 0, 1, 1, 0]),
    row("fixtures/twarc_csv/edited_before.jsonl", "x-v2", [1, 1, 0, 0, 1, 1, 0]),
    row("fixtures/twarc_csv/flat.jsonl",          "x-v2", [100, 100, 0, 0, 117, 0, 0]),
    row("fixtures/twarc_csv/geo_tweets.jsonl",    "x-v2", [2, 2, 0, 0, 3, 0, 0]),
    row("fixtures/twarc_csv/kpop.jsonl",          "x-v2", [101, 100, 0, 1, 43, 0, 0]),
    row("fixtures/twarc_csv/noflat.jsonl",        "x-v2", [101, 100, 0, 1, 117, 0, 0]),
    row("fixtures/twarc_csv/quoted_edit.jsonl",   "x-v2", [1, 1, 0, 0, 2, 1, 0]),
    row("fixtures/tweet_parser/activity_streams_examples.json", "x-v1", [25, 25, 25, 0, 0, 0, 0]),
    row("fixtures/tweet_parser/broken_and_unsupported_payloads/activity_streams_additional_field.json", "x-v1", [1, 1, 0, 0, 1, 0, 0]),
    row("fixtures/tweet_parser/broken_and_unsupported_payloads/activity_streams_missing_field.json",    "x-v1", [1, 1, 1, 0, 0, 0, 0]),
    row("fixtures/tweet_parser/broken_and_unsupported_payloads/original_format_additional_field.json",  "x-v1", [1, 1, 0, 0, 1, 0, 0]),
    row("fixtures/tweet_parser/broken_and_unsupported_payloads/original_format_missing_field.json",     "x-v1", [1, 1, 0, 0, 1, 0, 0]),
    row("fixtures/tweet_parser/broken_and_unsupported_payloads/original_format_missing_quotetweet_field.json", "x-v1", [1, 1, 0, 0, 2, 0, 0]),
    row("fixtures/tweet_parser/broken_and_unsupported_payloads/original_format_missing_user.json",      "x-v1", [1, 1, 0, 0, 1, 0, 0]),
    row("fixtures/tweet_parser/broken_and_unsupported_payloads/public_api_sample.json",                 "x-v1", [20, 20, 0, 0, 21, 0, 6]),
    row("fixtures/tweet_parser/original_format_examples.json", "x-v1", [25, 25, 0, 0, 26, 0, 0]),
    row("fixtures/simdjson/twitter.json", "x-v1", [100, 100, 0, 0, 42, 0, 0]),
    row("btc/a.jsonl.gz", "x-v1", [774, 774, 0, 0, 774, 0, 0]),
    row("btc/e.jsonl.gz", "x-v1", [200, 200, 0, 0, 200, 0, 0]),
    row("rumoureval/train.jsonl.gz", "x-v1", [4238, 4238, 0, 0, 4238, 0, 0]),
];

fn data() -> Option<PathBuf> {
    let root = std::env::var_os("QUINTET_DATA")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")), PathBuf::from);
    if !root.join("fixtures").is_dir() {
        eprintln!("SKIPPED: {} does not hold the fixtures (set QUINTET_DATA)", root.display());
        return None;
    }
    Some(root)
}

#[test]
fn every_file_gives_what_was_counted() {
    let Some(root) = data() else { return };
    let mut wrong = Vec::new();
    for row in &TABLE {
        let folder = tempfile::tempdir().unwrap();
        let into = folder.path().join("corpus");
        let report = import(&[root.join(row.file)], &ImportOptions::default(), &into, &Silent::default()).unwrap();
        let r = report.rows;
        assert_eq!(r.read, r.imported + r.merged + r.rejected + r.messages, "{}", row.file);
        let posts = Corpus::open(&into).unwrap().len() as u64;
        assert_eq!(posts, r.imported + r.quoted - r.deleted, "{}", row.file);
        let data = r.imported + r.merged + r.rejected;
        let got = [r.read, data, r.rejected, r.messages, posts, r.deleted, report.summary.truncated];
        let expected = [row.read, row.data, row.rejected, row.messages, row.posts, row.deleted, row.truncated];
        let format = report.sources[0].files[0].format.as_str();
        if got != expected || format != row.format {
            wrong.push(format!("{}: {expected:?} {} expected, {got:?} {format} found", row.file, row.format));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_empty_file_says_so() {
    let Some(root) = data() else { return };
    let folder = tempfile::tempdir().unwrap();
    let empty = root.join("fixtures/twarc_csv/empty.json");
    let error = import(&[empty], &ImportOptions::default(), &folder.path().join("c"), &Silent::default()).unwrap_err();
    assert!(error.to_string().contains("holds no records"), "{error}");
}

/// All of them at once: what is a duplicate of another file's post is merged, and nothing is lost on the way.
#[test]
fn the_fixtures_together_are_one_corpus() {
    let Some(root) = data() else { return };
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<PathBuf> = TABLE.iter().map(|r| root.join(r.file)).collect();
    let report = import(&files, &ImportOptions::default(), &folder.path().join("c"), &Silent::default()).unwrap();
    let r = report.rows;
    assert_eq!(r.read, TABLE.iter().map(|r| r.read).sum::<u64>());
    assert_eq!(r.read, r.imported + r.merged + r.rejected + r.messages);
    let alone: u64 = TABLE.iter().map(|r| r.posts).sum();
    assert!(report.summary.posts < alone, "2sets is brexit and kpop again, flat is noflat");
    assert!(Path::new(&report.sources[0].files[0].path).is_file());
}
