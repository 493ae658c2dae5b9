//! Every target survives a short run from its seeds, with the same random numbers each time; and the loop does find panics.

use std::time::Duration;

use quintet_fuzz::run::{Limits, run};
use quintet_fuzz::targets::{ALL, Target};
use quintet_fuzz::{mutate, seeds};

#[test]
fn no_target_panics() {
    let folder = tempfile::tempdir().unwrap();
    for target in &ALL {
        let executions = if ["import", "x_archive"].contains(&target.name) { 60 } else { 1500 };
        let limits = Limits {
            time: Duration::from_secs(60),
            executions,
            seed: 7,
            failures: folder.path().to_owned(),
            trace: false,
        };
        let seeds = seeds::of(target).unwrap();
        assert!(seeds.len() > 1 || target.name == "car", "{}: {} seeds", target.name, seeds.len());
        let outcome = run(target, seeds, &limits).unwrap();
        assert_eq!(outcome.executions, executions, "{}", target.name);
        assert!(outcome.failures.is_empty(), "{}: {:?}", target.name, outcome.failures);
    }
}

#[test]
fn a_panic_is_found_and_saved() {
    let fragile = Target {
        name: "fragile",
        about: "falls over a number that is too large",
        fixtures: &[],
        by_line: true,
        run: |bytes| {
            let value: serde_json::Value = serde_json::from_slice(bytes).unwrap_or_default();
            assert!(value["id"].as_u64().is_none_or(|id| id < 1 << 40), "too large");
            value.as_object().map_or(0, |o| o.len() as u64)
        },
    };
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits {
        time: Duration::from_secs(60),
        executions: 20_000,
        seed: 1,
        failures: folder.path().to_owned(),
        trace: false,
    };
    let outcome = run(&fragile, vec![br#"{"id":5,"text":"a"}"#.to_vec()], &limits).unwrap();
    let (path, what) = &outcome.failures[0];
    assert!(what.contains("too large"));
    let saved = std::fs::read(path).unwrap();
    assert!(std::panic::catch_unwind(|| (fragile.run)(&saved)).is_err());
}

#[test]
fn equal_seeds_give_equal_inputs() {
    let make = |seed| {
        let mut random = mutate::Random(seed);
        (0..50).map(|_| mutate::mutate(b"{\"a\":[1,2]}\n{\"b\":3}", b"{\"c\":4}", &mut random)).collect::<Vec<_>>()
    };
    assert_eq!(make(3), make(3));
    assert_ne!(make(3), make(4));
}
