//! The forest is scikit-learn's: single trees node by node where nothing is random, forests in distribution.
//!
//! `reference/forest.py` made the expected values.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;

use quintet_forest::{ClassWeight, Forest, Matrix, MaxFeatures, Node, Options};
use serde_json::Value;

/// Seeds on our side; scikit-learn's mean and deviation come from as many as the file says.
const SEEDS: u64 = 60;

fn reference() -> Value {
    serde_json::from_str(include_str!("reference/forest.json")).expect("the reference is JSON")
}

fn floats(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect()
}

fn labels(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as u32).collect()
}

/// scikit-learn's arguments as ours.
fn options(given: &Value, n_trees: usize) -> Options {
    let mut options = Options { n_trees, ..Options::default() };
    for (name, value) in given.as_object().unwrap() {
        let number = value.as_u64().map(|n| n as usize);
        match name.as_str() {
            "max_depth" => options.max_depth = number,
            "min_samples_split" => options.min_samples_split = number.unwrap(),
            "min_samples_leaf" => options.min_samples_leaf = number.unwrap(),
            "max_features" => options.max_features = number.map_or(MaxFeatures::All, MaxFeatures::Count),
            "bootstrap" => options.bootstrap = value.as_bool().unwrap(),
            "class_weight" if value == "balanced" => options.class_weight = ClassWeight::Balanced,
            "class_weight" if value == "balanced_subsample" => options.class_weight = ClassWeight::BalancedSubsample,
            other => panic!("the test does not know the option {other}"),
        }
    }
    options
}

#[test]
fn single_trees_are_the_same_node_by_node() {
    let reference = reference();
    for case in reference["trees"].as_array().unwrap() {
        let name = &case["name"];
        let (values, labels) = (floats(&case["values"]), labels(&case["labels"]));
        let data = Matrix::new(&values, case["features"].as_u64().unwrap() as usize).unwrap();
        let options = Options { bootstrap: false, max_features: MaxFeatures::All, ..options(&case["options"], 1) };
        let forest = Forest::fit(&data, &labels, 3, &options, 5, &|_| true).unwrap();
        let (tree, expected) = (&forest.trees()[0], case["nodes"].as_array().unwrap());
        assert_eq!(tree.len(), expected.len(), "{name}");
        for (at, expected) in expected.iter().enumerate() {
            let found = match tree.node(at) {
                Node::Split { feature, threshold, left, right } => {
                    let exact = expected["threshold"].as_f64().unwrap_or(f64::NAN);
                    // Ours is the largest 32-bit number that is not above scikit-learn's.
                    let same = f64::from(threshold) <= exact && f64::from(threshold.next_up()) > exact;
                    assert!(same, "{name}, node {at}: {threshold} and {exact}");
                    assert_eq!([&expected["feature"], &expected["left"], &expected["right"]], [feature, left, right]);
                    continue;
                }
                Node::Pure(class) => vec![(class, 1.0)],
                Node::Mixed(shares) => shares.iter().map(|share| (share.class, share.fraction)).collect(),
            };
            let expected = expected["fractions"].as_array().unwrap();
            assert_eq!(found.len(), expected.len(), "{name}, node {at}");
            for ((class, fraction), expected) in found.into_iter().zip(expected) {
                assert_eq!(expected[0], class, "{name}, node {at}");
                assert!((expected[1].as_f64().unwrap() as f32 - fraction).abs() < 1e-6, "{name}, node {at}");
            }
        }
        for (found, expected) in forest.importances().iter().zip(floats(&case["importances"])) {
            assert!((found - expected).abs() < 1e-5, "{name}: importances {found} and {expected}");
        }
    }
}

/// What a forest reaches, by the names that the reference uses.
fn figures(forest: &Forest, data: &Matrix, labels: &[u32], found: &mut BTreeMap<String, Vec<f64>>) {
    let mut add = |what: &str, value: f64| found.entry(what.to_owned()).or_default().push(value);
    let (rows, trees) = (labels.len() as f64, forest.trees().len() as f64);
    let right = forest.predict(data).unwrap().iter().zip(labels).filter(|(a, b)| a == b).count();
    add("accuracy", right as f64 / rows);
    let probabilities = forest.probabilities_of(data).unwrap();
    let own = probabilities.chunks(forest.classes()).zip(labels).map(|(p, &label)| p[label as usize]);
    add("log probability", own.map(|p| p.max(1.0 / (4.0 * trees)).ln()).sum::<f64>() / rows);
    add("leaves", forest.trees().iter().map(|t| t.leaves() as f64).sum::<f64>() / trees);
    add("depth", forest.trees().iter().map(|t| t.depth() as f64).sum::<f64>() / trees);
    if let Some(unseen) = forest.out_of_bag() {
        add("out of bag", unseen.accuracy());
    }
    for (feature, &importance) in forest.importances().iter().enumerate() {
        add(&format!("importance {feature}"), f64::from(importance));
    }
}

#[test]
fn forests_agree_in_distribution() {
    let reference = reference();
    let number = |name: &str| reference[name].as_f64().unwrap();
    // What is compared, beyond two standard errors of the difference of means, and the largest distance.
    let (mut compared, mut far, mut farthest) = (0, 0, 0.0_f64);
    for case in reference["forests"].as_array().unwrap() {
        let data = &reference["data"][case["data"].as_str().unwrap()];
        let part = |name: &str| (floats(&data[name]["values"]), labels(&data[name]["labels"]));
        let ((values, labels), (test_values, test_labels)) = (part("train"), part("test"));
        let features = data["features"].as_u64().unwrap() as usize;
        let classes = case["classes"].as_u64().unwrap() as usize;
        let (train, test) = (Matrix::new(&values, features).unwrap(), Matrix::new(&test_values, features).unwrap());
        let mut options = options(&case["options"], number("n_trees") as usize);
        options.out_of_bag = options.bootstrap;
        let mut found = BTreeMap::new();
        for seed in 0..SEEDS {
            let forest = Forest::fit(&train, &labels, classes, &options, seed, &|_| true).unwrap();
            figures(&forest, &test, &test_labels, &mut found);
        }
        let expected = case["figures"].as_object().unwrap();
        assert_eq!(found.len(), expected.len(), "{}", case["name"]);
        for (what, values) in &found {
            let (mean, deviation) = (expected[what][0].as_f64().unwrap(), expected[what][1].as_f64().unwrap());
            let ours = values.iter().sum::<f64>() / SEEDS as f64;
            let variance = values.iter().map(|v| (v - ours).powi(2)).sum::<f64>() / (SEEDS - 1) as f64;
            // 1e-6: figures that do not vary at all, as the importance of a constant feature, rounded to 32 bits.
            let error = (deviation.powi(2) / number("seeds") + variance / SEEDS as f64).sqrt() + 1e-6;
            let distance = (ours - mean) / error;
            println!("{}: {what} {ours:.5}, scikit-learn {mean:.5}, {distance:+.2} standard errors", case["name"]);
            assert!(distance.abs() < 4.0, "{}: {what} {ours}, scikit-learn {mean} ({distance:+.2})", case["name"]);
            if ["accuracy", "log probability", "out of bag"].contains(&what.as_str()) {
                let name = &case["name"];
                assert!(distance.abs() < 3.0, "{name}: {what} {ours}, scikit-learn {mean} ({distance:+.2})");
            }
            compared += 1;
            far += usize::from(distance.abs() > 2.0);
            farthest = farthest.max(distance.abs());
        }
    }
    println!("{far} of {compared} beyond two standard errors, the farthest {farthest:.2}");
    // Of figures that agree 4.6 % lie beyond two standard errors.
    assert!(far * 12 <= compared, "{far} of {compared} beyond two standard errors");
}
