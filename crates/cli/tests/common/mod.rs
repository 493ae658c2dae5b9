//! What the tests of the command share: running it, and a small synthetic town.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::path::Path;

use assert_cmd::Command;

/// Settings that make training a matter of seconds.
pub const SMALL: &[&str] = &[
    "words.dim=16",
    "words.epochs=1",
    "words.buckets=2000",
    "user.dim=16",
    "user.walks=2",
    "user.walk_length=10",
    "model.dim=16",
    "train.epochs=2",
    "train.batch=32",
    "train.validate_every=5",
    "train.checkpoint_every=3",
];

/// `quintet ARGUMENTS`, in a folder of its own, quiet.
pub fn quintet(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::cargo_bin("quintet").expect("the command is built");
    command.current_dir(folder).args(arguments).arg("--quiet");
    command
}

/// Runs `quintet ARGUMENTS --json`, which must succeed, and reads what it printed.
pub fn json(folder: &Path, arguments: &[&str]) -> serde_json::Value {
    let output = quintet(folder, arguments).arg("--json").assert().success().get_output().stdout.clone();
    serde_json::from_slice(&output).expect("JSON on standard output")
}

/// `--set` for every key of [`SMALL`].
pub fn small() -> Vec<&'static str> {
    SMALL.iter().flat_map(|&key| ["--set", key]).collect()
}

/// Makes a town of `posts` posts in `folder/town`.
pub fn town(folder: &Path, posts: &str) {
    quintet(folder, &["town", "--posts", posts, "--seed", "3", "--into", "town"]).assert().success();
}
