//! Promise: stopped (kill -9 included) and resumed equals uninterrupted, bit for bit.

mod common;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use common::{Small, Trace};
use quintet::progress::{Silent, Task};
use quintet::{ErrorKind, Progress};

/// Calls `at` whenever something is reported: after every step and at every message, so also in the middle of a step.
struct Watch {
    moments: Arc<AtomicU64>,
    stop_after_steps: u64,
    steps: Arc<AtomicU64>,
    at: Arc<dyn Fn(u64) + Send + Sync>,
    notes: Mutex<Vec<String>>,
}

impl Watch {
    fn new(stop_after_steps: u64, at: impl Fn(u64) + Send + Sync + 'static) -> Watch {
        Watch {
            moments: Arc::default(),
            stop_after_steps,
            steps: Arc::default(),
            at: Arc::new(at),
            notes: Mutex::default(),
        }
    }
}

struct WatchTask {
    moments: Arc<AtomicU64>,
    steps: Arc<AtomicU64>,
    at: Arc<dyn Fn(u64) + Send + Sync>,
}

impl Task for WatchTask {
    fn advance(&self, n: u64) {
        self.steps.fetch_add(n, Ordering::SeqCst);
        (self.at)(self.moments.fetch_add(1, Ordering::SeqCst));
    }
    fn message(&self, _: &str) {
        (self.at)(self.moments.fetch_add(1, Ordering::SeqCst));
    }
}

impl Progress for Watch {
    fn task(&self, _: &str, _: Option<u64>, _: &'static str) -> Box<dyn Task> {
        Box::new(WatchTask {
            moments: Arc::clone(&self.moments),
            steps: Arc::clone(&self.steps),
            at: Arc::clone(&self.at),
        })
    }
    fn note(&self, line: &str) {
        self.notes.lock().expect("no panic held it").push(line.to_string());
    }
    fn interrupted(&self) -> bool {
        self.steps.load(Ordering::SeqCst) >= self.stop_after_steps
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).expect("a copy");
        }
    }
}

fn uninterrupted(small: &Small, folder: &Path) -> Trace {
    let whole = folder.join("whole");
    let summary = small.train(&whole, false, &Silent::default()).expect("trained");
    assert_eq!((summary.steps, summary.posts > 90), (28, true), "{summary:?}");
    assert!(summary.best.is_some());
    Trace::of(&whole)
}

#[test]
fn interrupted_anywhere_and_resumed() {
    let folder = tempfile::tempdir().expect("a folder");
    let small = Small::new();
    let whole = uninterrupted(&small, folder.path());
    for stops in [vec![0], vec![1], vec![5], vec![6], vec![4, 3, 10], vec![23]] {
        let run = folder.path().join(format!("stopped {stops:?}"));
        for (i, &steps) in stops.iter().enumerate() {
            let error = small.train(&run, i > 0, &Watch::new(steps, |_| {})).expect_err("stopped");
            assert_eq!(error.kind(), ErrorKind::Interrupted, "{error}");
            assert!(error.to_string().contains("--resume"), "{error}");
        }
        small.train(&run, true, &Silent::default()).expect("resumed");
        whole.assert_same(&Trace::of(&run), &format!("stopped after {stops:?} steps"));
    }
}

/// What a kill leaves behind is what stands in the folder at that moment: copy it at every moment anything is reported,
/// add the debris of a write that was under way, and go on from the copy.
#[test]
fn killed_at_any_moment_and_resumed() {
    let folder = tempfile::tempdir().expect("a folder");
    let small = Small::new();
    let whole = uninterrupted(&small, folder.path());
    let run = folder.path().join("killed");
    let copies: Arc<Mutex<Vec<PathBuf>>> = Arc::default();
    let (from, list, base) = (run.clone(), Arc::clone(&copies), folder.path().to_path_buf());
    let watch = Watch::new(u64::MAX, move |moment| {
        // Every fourth moment keeps the test short; 4 and the 2 or 3 moments of a step walk through all positions.
        if moment % 4 == 1 {
            let to = base.join(format!("moment {moment}"));
            copy(&from, &to);
            list.lock().expect("no panic held it").push(to);
        }
    });
    small.train(&run, false, &watch).expect("trained");
    whole.assert_same(&Trace::of(&run), "watched");
    let copies = copies.lock().expect("no panic held it").clone();
    assert!(copies.len() > 10, "{}", copies.len());
    for copy in copies {
        let log = copy.join("log.jsonl");
        let mut text = std::fs::read(&log).expect("a log");
        text.extend(b"{\"kind\":\"st");
        std::fs::write(&log, text).expect("written");
        std::fs::create_dir(copy.join(".quintet-model-x")).expect("a folder");
        std::fs::write(copy.join(".quintet-x.tmp"), "half").expect("written");
        small.train(&copy, true, &Silent::default()).expect("resumed");
        whole.assert_same(&Trace::of(&copy), &copy.display().to_string());
        assert!(!copy.join(".quintet-x.tmp").exists() && !copy.join(".quintet-model-x").exists());
    }
}

#[test]
fn a_finished_run_stays_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let small = Small::new();
    let whole = uninterrupted(&small, folder.path());
    let run = folder.path().join("whole");
    let watch = Watch::new(u64::MAX, |_| {});
    let summary = small.train(&run, true, &watch).expect("nothing to do");
    assert_eq!(summary.steps, 28);
    assert!(watch.notes.lock().expect("notes")[0].contains("already finished"));
    whole.assert_same(&Trace::of(&run), "resumed after its end");
}

#[test]
fn what_cannot_be_resumed_says_why() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut small = Small::new();
    let run = folder.path().join("run");
    small.train(&run, false, &Watch::new(3, |_| {})).expect_err("stopped");
    let failure = |small: &Small, into: &Path, resume| {
        small.train(into, resume, &Silent::default()).expect_err("must fail").to_string()
    };

    let error = failure(&small, &run, false);
    assert!(error.contains("already") && error.contains("--resume"), "{error}");

    small.config.train.learning_rate = 0.02;
    let error = failure(&small, &run, true);
    assert!(error.contains("train.learning_rate: 0.01, 0.02"), "{error}");
    small.config.train.learning_rate = 0.01;

    small.dataset.keys[0].0[0] += 1000;
    let error = failure(&small, &run, true);
    assert!(error.contains("features of \"random\" have changed"), "{error}");
    small.dataset.keys[0].0[0] -= 1000;

    let other = folder.path().join("other");
    std::fs::create_dir(&other).expect("a folder");
    std::fs::write(other.join("letter.txt"), "dear").expect("written");
    assert!(failure(&small, &other, false).contains("not empty"));
    assert!(failure(&small, &other, true).contains("no training run"));
    assert_eq!(std::fs::read(other.join("letter.txt")).expect("still there"), b"dear");

    std::fs::remove_file(run.join("log.jsonl")).expect("removed");
    assert!(failure(&small, &run, true).contains("the log has 0 bytes"));
}
