//! What holds for every forest: rows reach leaves, probabilities sum to 1, bits do not depend on threads or on storage.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Mutex;

use proptest::prelude::*;
use quintet_forest::{ClassWeight, Error, Forest, Matrix, MaxFeatures, Node, Options};

/// Runs `work` on so many threads.
fn on<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
}

fn fit(values: &[f32], columns: usize, labels: &[u32], classes: usize, options: &Options) -> Forest {
    Forest::fit(&Matrix::new(values, columns).unwrap(), labels, classes, options, 11, &|_| true).unwrap()
}

prop_compose! {
    /// Features of few or many values, labels, and options of every kind.
    fn anything()(columns in 1_usize..6, rows in 1_usize..60)(
        // Each value of the first kind stands there often, with its sign.
        values in prop::collection::vec(prop_oneof![(-2_i8..3).prop_map(|v| f32::from(v) * 0.5), -1e6_f32..1e6, Just(-0.0)], columns * rows),
        labels in prop::collection::vec(0_u32..9, rows),
        columns in Just(columns),
        options in (
            1_usize..6, prop::option::of(0_usize..5), 2_usize..6, 1_usize..4,
            prop_oneof![Just(MaxFeatures::Sqrt), Just(MaxFeatures::All), Just(MaxFeatures::Count(2))],
            prop::bool::ANY,
            prop_oneof![Just(ClassWeight::None), Just(ClassWeight::Balanced), Just(ClassWeight::BalancedSubsample)],
        ),
    ) -> (Vec<f32>, usize, Vec<u32>, Options) {
        let (n_trees, max_depth, min_samples_split, min_samples_leaf, max_features, bootstrap, class_weight) = options;
        let out_of_bag = bootstrap;
        let options = Options { n_trees, max_depth, min_samples_split, min_samples_leaf, max_features, bootstrap, class_weight, out_of_bag };
        (values, columns, labels, options)
    }
}

proptest! {
    #[test]
    fn every_row_reaches_a_leaf_and_probabilities_sum_to_one((values, columns, labels, options) in anything()) {
        let forest = fit(&values, columns, &labels, 9, &options);
        for row in values.chunks(columns) {
            for tree in forest.trees() {
                let is_leaf = !matches!(tree.node(tree.leaf(row)), Node::Split { .. });
                prop_assert!(is_leaf);
                prop_assert!(options.max_depth.is_none_or(|most| tree.depth() <= most));
            }
            let sum: f64 = forest.probabilities(row).unwrap().iter().sum();
            prop_assert!((sum - 1.0).abs() < 1e-6, "{}", sum);
        }
        let importances: f32 = forest.importances().iter().sum();
        prop_assert!(importances == 0.0 || (importances - 1.0).abs() < 1e-5);
    }

    #[test]
    fn leaves_hold_the_rows_that_the_options_ask_for((values, columns, labels, options) in anything()) {
        let options = Options { bootstrap: false, out_of_bag: false, ..options };
        let forest = fit(&values, columns, &labels, 9, &options);
        for tree in forest.trees() {
            let mut rows = vec![0; tree.len()];
            values.chunks(columns).for_each(|row| rows[tree.leaf(row)] += 1);
            for (at, &rows) in rows.iter().enumerate() {
                let is_leaf = !matches!(tree.node(at), Node::Split { .. });
                prop_assert!(!is_leaf || rows >= options.min_samples_leaf.min(labels.len()));
            }
        }
    }

    #[test]
    fn storing_keeps_the_bits((values, columns, labels, options) in anything()) {
        let forest = fit(&values, columns, &labels, 9, &options);
        let text = serde_json::to_string(&forest).unwrap();
        prop_assert_eq!(serde_json::from_str::<Forest>(&text).unwrap(), forest);
    }

    #[test]
    fn one_thread_and_two_give_the_same_bits((values, columns, labels, options) in anything()) {
        let with = |threads| on(threads, || {
            let forest = fit(&values, columns, &labels, 9, &options);
            let probabilities = forest.probabilities_of(&Matrix::new(&values, columns).unwrap()).unwrap();
            (forest, probabilities)
        });
        prop_assert_eq!(with(1), with(2));
    }
}

#[test]
fn without_bootstrap_grown_trees_know_their_rows() {
    // Distinct rows: leaves are pure, so every row gets its own label with certainty.
    let values: Vec<f32> = (0..400).map(|i| ((i * 7919) % 401) as f32).collect();
    let labels: Vec<u32> = (0..100).map(|i| i * 31 % 7).collect();
    let data = Matrix::new(&values, 4).unwrap();
    let forest = fit(&values, 4, &labels, 7, &Options { bootstrap: false, n_trees: 5, ..Options::default() });
    assert_eq!(forest.predict(&data).unwrap(), labels);
    let probabilities = forest.probabilities_of(&data).unwrap();
    assert!(probabilities.chunks(7).zip(&labels).all(|(p, &label)| p[label as usize] == 1.0));
    for (row, expected) in probabilities.chunks(7).enumerate() {
        assert_eq!(forest.probabilities(data.row(row)).unwrap(), expected);
    }
}

#[test]
fn of_equally_probable_classes_the_lowest_is_predicted() {
    // No feature varies, so the leaf holds classes 1 and 3 evenly.
    let forest = fit(&[2.0, 2.0, 2.0, 2.0], 1, &[3, 1, 3, 1], 4, &Options { bootstrap: false, ..Options::default() });
    assert_eq!(forest.predict(&Matrix::new(&[0.0], 1).unwrap()).unwrap(), [1]);
    assert_eq!(forest.probabilities(&[0.0]).unwrap(), [0.0, 0.5, 0.0, 0.5]);
    assert_eq!(forest.importances(), [0.0]);
}

#[test]
fn one_row_and_one_class_are_enough() {
    let forest = fit(&[1.0, 2.0], 2, &[0], 1, &Options { out_of_bag: true, ..Options::default() });
    assert_eq!(forest.probabilities(&[5.0, 5.0]).unwrap(), [1.0]);
    let unseen = forest.out_of_bag().unwrap();
    assert!(unseen.rows == 0 && unseen.accuracy().is_nan());
}

#[test]
fn progress_counts_and_can_stop() {
    let (values, labels) = ([1.0, 2.0, 3.0, 4.0], [0, 1, 0, 1]);
    let data = Matrix::new(&values, 1).unwrap();
    let options = Options { n_trees: 6, ..Options::default() };
    let heard = Mutex::new(Vec::new());
    let hear = |trees: usize| {
        heard.lock().unwrap().push(trees);
        true
    };
    Forest::fit(&data, &labels, 2, &options, 1, &hear).unwrap();
    assert_eq!(*heard.lock().unwrap(), [1, 2, 3, 4, 5, 6]);
    let stopped = Forest::fit(&data, &labels, 2, &options, 1, &|trees| trees < 2);
    assert_eq!(stopped.unwrap_err(), Error::Stopped);
}

#[test]
fn what_cannot_be_used_is_named() {
    let options = Options::default();
    let data = Matrix::new(&[1.0, 2.0, 3.0, f32::NAN], 2).unwrap();
    let error = |data: &Matrix, labels: &[u32], classes| {
        Forest::fit(data, labels, classes, &options, 1, &|_| true).unwrap_err().to_string()
    };
    assert!(error(&data, &[0, 1], 2).starts_with("row 1, column 1 (from 0): the feature is NaN"));
    let data = Matrix::new(&[1.0, 2.0, 3.0, 4.0], 2).unwrap();
    assert!(error(&data, &[0], 2).starts_with("1 labels for 2 rows"));
    assert!(error(&data, &[0, 2], 2).starts_with("row 1 (from 0): label 2, but there are 2 classes"));
    assert!(error(&data, &[0, 1], 0).starts_with("0 classes"));
    assert!(error(&Matrix::new(&[], 2).unwrap(), &[], 2).starts_with("there are no rows"));
    let forest = Forest::fit(&data, &[0, 1], 2, &options, 1, &|_| true).unwrap();
    assert!(forest.probabilities(&[1.0]).unwrap_err().to_string().contains("fitted on 2"));
    assert!(matches!(forest.probabilities(&[1.0, f32::INFINITY]), Err(Error::NotFinite { row: 0, column: 1, .. })));
    assert!(forest.predict(&Matrix::new(&[1.0], 1).unwrap()).is_err());
}
