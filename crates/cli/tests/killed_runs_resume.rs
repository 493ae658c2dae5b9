//! A run killed with SIGKILL and resumed ends with the bits of an uninterrupted one.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{quintet, small, town};

/// Log lines without what depends on the clock.
fn log(run: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(run.join("log.jsonl")).unwrap();
    let without_clock = |line: &str| {
        let mut entry: serde_json::Value = serde_json::from_str(line).unwrap();
        entry.as_object_mut().unwrap().remove("seconds");
        entry
    };
    text.lines().map(without_clock).collect()
}

#[test]
fn kill_dash_nine() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    town(path, "400");
    let long = [&small()[..], &["--set", "train.epochs=12"]].concat();
    let train = |into: &'static str| [&["train", "town", "--into", into][..], &long].concat();
    quintet(path, &train("whole")).assert().success();

    let steps_before_kill = [4, 20, 50];
    for (attempt, &steps) in steps_before_kill.iter().enumerate() {
        let mut child = Command::new(assert_cmd::cargo::cargo_bin("quintet"))
            .current_dir(path)
            .args(train("killed"))
            .args(if attempt == 0 { &["--quiet"][..] } else { &["--quiet", "--resume"] })
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let log = path.join("killed/log.jsonl");
        let start = Instant::now();
        let far = || std::fs::read_to_string(&log).is_ok_and(|text| text.lines().count() > steps);
        while !far() && child.try_wait().unwrap().is_none() && start.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let resumed = quintet(path, &[&train("killed")[..], &["--resume"]].concat()).assert().success();
    drop(resumed);
    let weights = |run: &str| std::fs::read(path.join(run).join("model/network.safetensors")).unwrap();
    assert!(weights("whole") == weights("killed"), "the weights differ");
    assert_eq!(log(&path.join("whole")), log(&path.join("killed")));
}

#[test]
#[cfg(unix)]
fn ctrl_c_saves() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    town(path, "400");
    let long = [&small()[..], &["--set", "train.epochs=12", "--set", "train.checkpoint_every=1000000"]].concat();
    let train = |into: &'static str| [&["train", "town", "--into", into][..], &long].concat();
    quintet(path, &train("whole")).assert().success();

    let mut child = Command::new(assert_cmd::cargo::cargo_bin("quintet"))
        .current_dir(path)
        .args(train("stopped"))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let log = path.join("stopped/log.jsonl");
    let start = Instant::now();
    while !std::fs::read_to_string(&log).is_ok_and(|text| text.lines().count() > 6) && start.elapsed().as_secs() < 60 {
        std::thread::sleep(Duration::from_millis(1));
    }
    let interrupt = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupt.success());
    assert_eq!(child.wait().unwrap().code(), Some(130), "the documented exit status");
    assert!(path.join("stopped/last.safetensors").exists(), "the state is saved");

    quintet(path, &[&train("stopped")[..], &["--resume"]].concat()).assert().success();
    let weights = |run: &str| std::fs::read(path.join(run).join("model/network.safetensors")).unwrap();
    assert!(weights("whole") == weights("stopped"), "the weights differ");
}
