//! Bad input: what, where, the way out, the documented exit status, nothing on standard output.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{quintet, town};

/// Runs the command, which must fail with `code`, and returns what it said.
fn fails(folder: &std::path::Path, code: i32, arguments: &[&str]) -> String {
    let assert = quintet(folder, arguments).assert().code(code);
    let output = assert.get_output();
    assert!(output.stdout.is_empty(), "stdout is data: {}", String::from_utf8_lossy(&output.stdout));
    let talk = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(!talk.contains("panicked"), "{talk}");
    talk
}

#[test]
fn each_says_what_where_and_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    town(path, "40");
    std::fs::write(path.join("bad.toml"), "[trian]\nepochs = 3\n").unwrap();
    std::fs::write(path.join("worse.toml"), "[train]\nepochs = \"many\"\n").unwrap();
    std::fs::write(path.join("empty.jsonl"), "").unwrap();
    std::fs::create_dir(path.join("nothing")).unwrap();

    let said = fails(path, 1, &["check", "absent"]);
    assert!(said.contains("absent"), "{said}");
    fails(path, 1, &["check", "nothing"]);
    let said = fails(path, 2, &["train", "town", "--config", "bad.toml", "--into", "run"]);
    assert!(said.contains("bad.toml") && said.contains("train"), "{said}");
    let said = fails(path, 2, &["train", "town", "--config", "worse.toml", "--into", "run"]);
    assert!(said.contains("worse.toml") && said.contains("epochs"), "{said}");
    let said = fails(path, 2, &["train", "town", "--set", "train.epoch=1", "--into", "run"]);
    assert!(said.contains("train.epochs"), "the nearest key is named: {said}");
    fails(path, 2, &["train", "town", "--set", "train.batch=0", "--into", "run"]);
    fails(path, 1, &["embed", "town", "--model", "nothing", "--into", "v.parquet"]);
    fails(path, 1, &["eval", "retrieval", "town", "--model", "absent"]);
    fails(path, 1, &["import", "absent.jsonl", "--into", "corpus"]);
    let said = fails(path, 1, &["town", "--posts", "40", "--into", "town"]);
    assert!(said.contains("--replace"), "{said}");
    fails(path, 2, &["split", "town"]);
    fails(path, 1, &["split", "town", "--by-time", "soon"]);
    fails(path, 2, &["no-such-verb"]);
    assert!(!path.join("run").exists(), "nothing is left behind");
}
