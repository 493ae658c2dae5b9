//! A full disk (here: a limit on the size of files) or a kill leaves the old file whole and nothing half-made beside it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::path::Path;
use std::process::Command;

use common::{quintet, small, town};

/// Every file below `folder` with its content, sorted.
fn everything(folder: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push((path.clone(), std::fs::read(&path).unwrap())) }
        }
    }
    files.sort();
    files
}

/// Runs the command with files limited to `blocks` of 512 bytes; writing more fails as on a full disk.
#[cfg(unix)]
fn with_small_files(folder: &Path, blocks: u32, arguments: &[&str]) -> bool {
    let shell = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
    Command::new("sh")
        .current_dir(folder)
        .args(["-c", &shell])
        .arg(assert_cmd::cargo::cargo_bin("quintet"))
        .args(arguments)
        .arg("--quiet")
        .stderr(std::process::Stdio::null())
        .status()
        .unwrap()
        .success()
}

#[test]
#[cfg(unix)]
fn full_disk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    town(path, "60");
    let before = everything(path);
    assert!(!with_small_files(path, 8, &["town", "--posts", "500", "--into", "town", "--replace"]));
    assert!(everything(path) == before, "the old corpus is whole and nothing else is there");

    quintet(path, &[&["train", "town", "--into", "run"][..], &small()].concat()).assert().success();
    quintet(path, &["embed", "town", "--model", "run", "--into", "vectors.parquet"]).assert().success();
    let vectors = std::fs::read(path.join("vectors.parquet")).unwrap();
    assert!(!with_small_files(path, 8, &["embed", "town", "--model", "run", "--into", "vectors.parquet"]));
    assert!(std::fs::read(path.join("vectors.parquet")).unwrap() == vectors, "the old vectors are whole");
}
