//! From nothing to figures through the command alone, every verb's result as JSON.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{json, quintet, small, town};

#[test]
fn town_to_figures() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    town(path, "300");

    let check = json(path, &["check", "town"]);
    assert!(check.is_object());
    let features = json(path, &[&["features", "town"][..], &small()].concat());
    assert_eq!(features["posts"], 300);

    let train = json(path, &[&["train", "town", "--into", "run"][..], &small()].concat());
    assert!(train["steps"].as_u64().unwrap() > 0);

    let embed = json(path, &["embed", "town", "--model", "run", "--into", "vectors.parquet"]);
    assert_eq!(embed["posts"], 300, "rows out = rows in");
    json(path, &["embed", "town", "--model", "run/model", "--into", "vectors.npy", "--f16"]);
    let npy = std::fs::metadata(path.join("vectors.npy")).unwrap().len();
    assert_eq!((npy - 128) / (2 * 16), 300, "one row of 16 half-precision numbers a post");

    let figures = json(path, &["eval", "retrieval", "town", "--model", "run"]);
    assert!(!figures["pairs"].as_array().unwrap().is_empty());
    let table = quintet(path, &["eval", "retrieval", "town", "--model", "run"]).assert().success();
    let table = String::from_utf8(table.get_output().stdout.clone()).unwrap();
    assert!(table.contains("synthetic") && table.contains("text"), "{table}");
}

#[test]
fn dumps_import_split_and_check() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let lines: String = (0..40)
        .map(|i| {
            format!(
                "{{\"id\":\"{i}\",\"created_at\":\"2024-01-{:02}T00:00:00Z\",\"text\":\"post number {i} about #cats\",\"author\":{{\"id\":\"u{}\"}}}}\n",
                1 + i % 9,
                i % 7
            )
        })
        .collect();
    std::fs::write(path.join("dump.jsonl"), lines + "not json\n").unwrap();

    let report = json(path, &["import", "dump.jsonl", "--into", "corpus"]);
    assert_eq!(report["rejected"][0]["line"], 41, "{report:#}");
    quintet(path, &["import", "dump.jsonl", "--into", "strict", "--strict"]).assert().code(1);
    assert!(!path.join("strict").exists(), "an import that failed leaves nothing");

    let split = json(path, &["split", "corpus", "--by-time", "7d,1d,1d"]);
    assert_eq!(split["parts"]["train"], 32);
    json(path, &["split", "corpus", "--by-author", "0.6,0.2,0.2"]);
    json(path, &["check", "corpus"]);
    // Standard input, named format.
    let stdin = "{\"id\":\"1\",\"text\":\"hello\"}\n";
    quintet(path, &["import", "-", "--format", "native", "--into", "piped"]).write_stdin(stdin).assert().success();
}
