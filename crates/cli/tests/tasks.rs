//! Hashtags, bots and location through the command alone: measured, fitted, applied, and bad input of each.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::path::Path;

use common::{json, quintet, small, town};

/// Settings that make fitting a matter of seconds.
fn quick(task: &str) -> Vec<&'static str> {
    let settings: &[&str] = match task {
        "hashtags" => &["co-attention.dim=16", "co-attention.attention=8", "co-attention.epochs=2"],
        "bots" => &["epochs=2", "folds=2", "maps=10", "posts=4"],
        _ => &["deepgeo.epochs=1", "trees=10"],
    };
    settings.iter().flat_map(|&setting| ["--set", setting]).collect()
}

/// A town with a trained model in `run`.
fn trained(path: &Path) {
    town(path, "600");
    json(path, &[&["train", "town", "--into", "run"][..], &small()].concat());
}

fn error(path: &Path, arguments: &[&str], status: i32) -> String {
    let output = quintet(path, arguments).assert().code(status).get_output().stderr.clone();
    let text = String::from_utf8(output).unwrap();
    assert!(!text.contains("panicked"), "{text}");
    text
}

/// What `predict` wrote, line by line.
fn rows(path: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_task_is_measured_fitted_and_applied() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    trained(path);
    for task in ["hashtags", "bots", "location"] {
        let eval = [&["eval", task, "town", "--model", "run"][..], &quick(task)].concat();
        let report = json(path, &eval);
        let lines = report["lines"].as_array().unwrap();
        for role in ["ours", "paper", "baseline", "trivial"] {
            assert!(lines.iter().any(|line| line["role"] == role), "{task} has no {role}: {report:#}");
        }
        for line in lines {
            let figures = line["figures"].as_array().unwrap();
            assert!(!figures.is_empty() && figures.iter().all(|f| f["value"].is_number()), "{line:#}");
        }
        assert_eq!(report["synthetic"], true);
        let again = json(path, &[&eval[..], &["--threads", "1"]].concat());
        for (a, b) in lines.iter().zip(again["lines"].as_array().unwrap()) {
            assert_eq!(a["figures"], b["figures"], "{task}: the same figures at any thread count");
        }

        let file = format!("{task}.task");
        let header =
            json(path, &[&["fit", task, "town", "--model", "run", "--into", &file][..], &quick(task)].concat());
        assert_eq!(header["task"], task);
        let summary = json(
            path,
            &["predict", task, "town", "--model", "run", "--using", &file, "--into", &format!("{task}.jsonl")],
        );
        let rows = rows(&path.join(format!("{task}.jsonl")));
        assert_eq!(summary["rows"].as_u64().unwrap() as usize, rows.len());
        if summary["unit"] == "post" {
            assert_eq!(rows.len(), 600, "rows out = rows in");
        }
        assert!(rows.iter().any(|row| row["status"] == "predicted" && row["prediction"].is_string()), "{task}");
    }
}

#[test]
fn a_dump_is_predicted_without_a_corpus() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    trained(path);
    json(path, &["fit", "hashtags", "town", "--model", "run", "--into", "tags.task"]);
    let posts = "{\"id\":\"a\",\"text\":\"hello there\"}\n{\"id\":\"b\",\"text\":\"\"}\nnot json\n";
    std::fs::write(path.join("dump.jsonl"), posts).unwrap();
    let arguments = ["predict", "hashtags", "dump.jsonl", "--model", "run", "--using", "tags.task", "--into"];
    let summary = json(path, &[&arguments[..], &["out.jsonl"]].concat());
    assert_eq!(summary["rows"], 2);
    assert_eq!(rows(&path.join("out.jsonl"))[1]["id"], "b");
    json(path, &[&arguments[..], &["out.parquet"]].concat());
    assert!(error(path, &[&arguments[..], &["out.csv"]].concat(), 1).contains(".parquet"));

    // Posts that name no author: a prediction for authors has no rows, by any method.
    for method in ["ours", "botometer-lite"] {
        json(path, &["fit", "bots", "town", "--model", "run", "--method", method, "--into", "bots.task"]);
        let summary = json(
            path,
            &["predict", "bots", "dump.jsonl", "--model", "run", "--using", "bots.task", "--into", "b.jsonl"],
        );
        assert_eq!((&summary["unit"], &summary["rows"]), (&"author".into(), &0.into()), "{method}");
    }
}

#[test]
fn bad_input_names_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    trained(path);
    assert!(error(path, &["fit", "weather", "town", "--model", "run", "--into", "x"], 2).contains("hashtags"));
    for task in ["hashtags", "bots", "location"] {
        let unknown = ["fit", task, "town", "--model", "run", "--method", "magic", "--into", "x"];
        assert!(error(path, &unknown, 2).contains("methods:"));
        let setting = ["eval", task, "town", "--model", "run", "--set", "colour=red"];
        assert!(error(path, &setting, 2).contains("colour"));
        let empty = ["eval", task, "town", "--model", "run", "--source", "elsewhere"];
        assert!(error(path, &empty, 1).contains("elsewhere"));
    }
    // A label that does not exist.
    for task in ["bots", "location"] {
        let label = ["eval", task, "town", "--model", "run", "--label", "shoe_size"];
        assert!(error(path, &label, 1).contains("shoe_size"));
    }
    // Another task's file, another model, no such file, a file that is something else.
    json(path, &["fit", "bots", "town", "--model", "run", "--into", "bots.task"]);
    let using = |task: &'static str, model: &'static str, file: &'static str| {
        ["predict", task, "town", "--model", model, "--using", file, "--into", "out.jsonl"]
    };
    assert!(error(path, &using("location", "run", "bots.task"), 1).contains("fitted for bots"));
    json(path, &[&["train", "town", "--into", "other", "--set", "seed=9"][..], &small()].concat());
    assert!(error(path, &using("bots", "other", "bots.task"), 1).contains("fitted with model"));
    assert!(error(path, &using("bots", "run", "nothing.task"), 1).contains("nothing.task"));
    assert!(error(path, &using("bots", "run", "town/posts.parquet"), 1).contains("not a fitted task"));
    assert!(!path.join("out.jsonl").exists(), "nothing is written where nothing was predicted");
}
