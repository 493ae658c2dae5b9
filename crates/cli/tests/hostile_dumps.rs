//! Dumps that are empty, cut, of another encoding or meant to hurt: nothing panics, each is said with place and way out.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{json, quintet};

#[test]
fn what_cannot_be_imported_is_said_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let write = |name: &str, bytes: &[u8]| std::fs::write(path.join(name), bytes).unwrap();
    let fails = |arguments: &[&str], code: i32, says: &[&str]| {
        let run = quintet(path, arguments).assert().code(code);
        let error = String::from_utf8(run.get_output().stderr.clone()).unwrap();
        assert!(says.iter().all(|s| error.contains(s)), "{arguments:?}: {error}");
        assert!(!error.contains("panicked"), "{error}");
    };
    write("empty.jsonl", b"");
    write("cut.gz", b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x4b");
    write("utf16.jsonl", b"\xff\xfe{\0\"\0i\0d\0\"\0");
    write("posts.csv", b"tweet_id,body\n1,x\n");
    write("slip.toml", b"id = \"tweet_id\"\ntxet = \"body\"\n");
    write("column.toml", b"id = \"tweet_id\"\ntext = \"boddy\"\n");
    std::fs::create_dir(path.join("other")).unwrap();
    write("other/notes.txt", b"mine");
    let import = |file| ["import", file, "--into", "corpus"];
    fails(&import("empty.jsonl"), 1, &["empty.jsonl holds no records", "--format"]);
    fails(&import("cut.gz"), 1, &["cut.gz", "cut off", "whole copy"]);
    fails(&import("utf16.jsonl"), 1, &["utf16.jsonl", "UTF-16", "iconv"]);
    fails(&import("posts.csv"), 1, &["posts.csv", "--fields"]);
    fails(&import("other"), 1, &["other", "no file of posts"]);
    fails(
        &["import", "posts.csv", "--into", "corpus", "--fields", "slip.toml"],
        2,
        &["slip.toml", "did you mean `text`?"],
    );
    fails(
        &["import", "posts.csv", "--into", "corpus", "--fields", "column.toml"],
        1,
        &["boddy", "column.toml", "`body`"],
    );
    for how in ["--add", "--replace"] {
        fails(&["import", "posts.csv", "--into", "other", how], 1, &["other", "other files", "does not exist yet"]);
    }
    assert!(!path.join("corpus").exists(), "nothing is left behind");
    assert_eq!(std::fs::read(path.join("other/notes.txt")).unwrap(), b"mine");
}

#[test]
fn a_bad_line_costs_itself() {
    let folder = tempfile::tempdir().unwrap();
    let deep = format!("{{\"id\":\"2\",\"text\":\"x\",\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let long = format!("{{\"id\":\"3\",\"text\":\"{}\"}}", "x".repeat(20 << 20));
    let lines: [&[u8]; 8] = [
        b"\xef\xbb\xbf{\"id\":\"1\",\"text\":\"first\"}\r",
        deep.as_bytes(),
        long.as_bytes(),
        b"{\"id\":\"4\",\"text\":\"a\0b\"}",
        b"{\"id\":\"5\",\"text\":\"\xc3\"}",
        b"{\"id\":1.15e18,\"text\":\"an id that lost its digits\"}",
        b"\0\0\0",
        b"{\"id\":\"8\",\"text\":\"last\"}",
    ];
    std::fs::write(folder.path().join("dump"), lines.join(&b'\n')).unwrap();
    let report = json(folder.path(), &["import", "dump", "--into", "corpus"]);
    assert_eq!((&report["rows"]["imported"], &report["rows"]["rejected"]), (&2.into(), &6.into()), "{report:#}");
    let lines: Vec<u64> = report["rejected"].as_array().unwrap().iter().map(|r| r["line"].as_u64().unwrap()).collect();
    assert_eq!(lines, [2, 3, 4, 5, 6, 7]);
}
