//! Promise: the same seed gives the same bits at any thread count; another seed gives others.

mod common;

use std::path::Path;

use common::{Small, Trace};
use quintet::progress::Silent;

fn train(small: &Small, into: &Path, threads: usize) -> Trace {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
    pool.install(|| small.train(into, false, &Silent::default())).expect("trained");
    Trace::of(into)
}

#[test]
fn training_does_not_depend_on_threads() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut small = Small::new();
    let one = train(&small, &folder.path().join("1"), 1);
    one.assert_same(&train(&small, &folder.path().join("2"), 2), "2 threads");
    one.assert_same(&train(&small, &folder.path().join("3"), 3), "3 threads");
    small.config.seed += 1;
    let other = train(&small, &folder.path().join("other"), 2);
    assert_ne!(one.last, other.last, "another seed gave the same weights");
}
