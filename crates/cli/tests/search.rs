//! The nearest posts: to one, to all of a file, exactly and nearly; what is said when it cannot be done.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::path::Path;

use common::{json, quintet, small, town};

/// A town of 150 posts, embedded in `vectors.parquet`, and its texts alone in `texts.parquet`.
fn embedded(path: &Path) {
    town(path, "150");
    quintet(path, &[&["train", "town", "--into", "run"][..], &small()].concat()).assert().success();
    quintet(path, &["embed", "town", "--model", "run", "--into", "vectors.parquet"]).assert().success();
    let texts = ["embed", "town", "--model", "run", "--component", "text", "--into", "texts.parquet"];
    quintet(path, &texts).assert().success();
}

fn says(path: &Path, code: i32, arguments: &[&str]) -> String {
    let assert = quintet(path, arguments).assert().code(code);
    assert!(assert.get_output().stdout.is_empty());
    String::from_utf8(assert.get_output().stderr.clone()).unwrap()
}

#[test]
fn nearest_posts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    embedded(path);

    // Every post asks; rows come out as they are found.
    let all = ["search", "vectors.parquet", "--queries", "vectors.parquet", "-k", "5"];
    let summary = json(path, &[&all[..], &["--into", "all.jsonl"]].concat());
    assert_eq!(summary["rows"].as_u64().unwrap(), 5 * summary["asked"].as_u64().unwrap());
    let lines = std::fs::read_to_string(path.join("all.jsonl")).unwrap();
    let rows: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(rows.iter().all(|row| row["query_id"] != row["post_id"]), "a post does not find itself");
    let cosines: Vec<f64> = rows[..5].iter().map(|row| row["cosine"].as_f64().unwrap()).collect();
    assert!(cosines.is_sorted_by(|a, b| a >= b) && cosines[0] <= 1.0001, "{cosines:?}");
    assert_eq!((rows[0]["rank"].as_u64(), rows[4]["rank"].as_u64()), (Some(1), Some(5)));
    quintet(path, &[&all[..], &["--into", "all.parquet"]].concat()).assert().success();
    assert_eq!(&std::fs::read(path.join("all.parquet")).unwrap()[..4], b"PAR1");

    // One post alone finds what it found among all, at any number of threads.
    let id = rows[0]["query_id"].as_str().unwrap();
    let one = json(path, &["search", "vectors.parquet", "--for", id, "-k", "5", "--threads", "1"]);
    assert_eq!(one["nearest"].as_array().unwrap()[..], rows[..5]);
    let table = quintet(path, &["search", "vectors.parquet", "--for", id]).assert().success();
    let table = String::from_utf8(table.get_output().stdout.clone()).unwrap();
    assert!(table.contains(rows[0]["post_id"].as_str().unwrap()) && table.contains("average to average"), "{table}");

    // All probes: the exact result, and a recall of 1.
    let nearly = [&all[..], &["--approximate", "--recall", "1", "--into", "nearly.jsonl"]].concat();
    let measured = json(path, &nearly)["approximate"]["recall"].as_f64().unwrap();
    assert!(measured > 0.9, "{measured}");
    // Other components, another file of the same model.
    let across = ["search", "vectors.parquet", "--queries", "texts.parquet", "--from", "text", "--to", "image"];
    assert!(!json(path, &across)["nearest"].as_array().unwrap().is_empty());
}

#[test]
fn what_cannot_be_searched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    embedded(path);
    let said = says(path, 1, &["search", "vectors.parquet", "--for", "nobody"]);
    assert!(said.contains("nobody") && said.contains("such as"), "{said}");
    let said = says(path, 1, &["search", "texts.parquet", "--for", "1", "--to", "image"]);
    assert!(said.contains("texts.parquet") && said.contains("it has text, average"), "{said}");
    let said = says(path, 1, &["search", "vectors.parquet", "--for", "1", "--from", "sound"]);
    assert!(said.contains("sound") && said.contains("hashtags"), "{said}");
    let said = says(path, 1, &["search", "town/posts.parquet", "--for", "1"]);
    assert!(said.contains("quintet embed"), "{said}");
    let said = says(path, 1, &["search", "vectors.parquet", "--queries", "texts.parquet", "--into", "out.csv"]);
    assert!(said.contains(".jsonl"), "{said}");
    says(path, 2, &["search", "vectors.parquet"]);
    says(path, 2, &["search", "vectors.parquet", "--for", "1", "-k", "0"]);
    says(path, 2, &["search", "vectors.parquet", "--for", "1", "--approximate", "--recall", "2"]);

    // A post without an image: found out from those that have one.
    let all = ["search", "vectors.parquet", "--queries", "vectors.parquet", "-k", "1"];
    let ids = |from: &str| {
        let found = json(path, &[&all[..], &["--from", from]].concat());
        let rows = found["nearest"].as_array().unwrap().clone();
        rows.iter().map(|row| row["query_id"].as_str().unwrap().to_string()).collect::<Vec<_>>()
    };
    let with = ids("image");
    let without = ids("average").into_iter().find(|id| !with.contains(id)).expect("a post without an image");
    let said = says(path, 1, &["search", "vectors.parquet", "--for", &without, "--from", "image"]);
    assert!(said.contains("no image vector") && said.contains("--from average"), "{said}");

    // Vectors of another model.
    let other = ["train", "town", "--into", "other", "--set", "seed=9"];
    quintet(path, &[&other[..], &small()].concat()).assert().success();
    quintet(path, &["embed", "town", "--model", "other", "--into", "other.parquet"]).assert().success();
    let said = says(path, 1, &["search", "vectors.parquet", "--queries", "other.parquet"]);
    assert!(said.contains("same model"), "{said}");
}
