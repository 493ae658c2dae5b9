//! `export` and `check --html` through the command alone. All posts here are synthetic.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::path::Path;

use common::{json, quintet, town};

fn error(path: &Path, arguments: &[&str], status: i32) -> String {
    let output = quintet(path, arguments).assert().code(status).get_output().stderr.clone();
    let text = String::from_utf8(output).unwrap();
    assert!(!text.contains("panicked") && text.contains("help:"), "{text}");
    text
}

#[test]
fn what_is_exported_imports_again_and_is_never_half_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    town(path, "120");
    let report = json(path, &["export", "town", "--into", "copy"]);
    assert_eq!((&report["posts"], &report["synthetic"]), (&120.into(), &true.into()), "{report:#}");
    json(path, &["import", "copy", "--into", "again"]);
    let (a, b) = (json(path, &["check", "town"]), json(path, &["check", "again"]));
    assert!(a["parts"].is_array() && a["labels"].is_array(), "{a:#}");
    assert_eq!((&a["parts"], &a["labels"]), (&b["parts"], &b["labels"]));

    // One file of lines, and the same lines on standard output.
    json(
        path,
        &["export", "town", "--into", "some.jsonl", "--with", "text,image", "--part", "train", "--images", "none"],
    );
    let lines = std::fs::read_to_string(path.join("some.jsonl")).unwrap();
    let count = lines.lines().count();
    assert!((1..96).contains(&count), "{count} lines");
    let printed = quintet(
        path,
        &["export", "town", "--into", "-", "--with", "text,image", "--part", "train", "--images", "none"],
    )
    .assert()
    .success();
    assert_eq!(String::from_utf8(printed.get_output().stdout.clone()).unwrap(), lines);

    // A table with chosen columns, and a folder for the Python package.
    let table = ["export", "town", "--into", "few.parquet", "--sample", "10", "--columns", "id,text,part"];
    assert_eq!(json(path, &table)["posts"], 10);
    assert_eq!(&std::fs::read(path.join("few.parquet")).unwrap()[..4], b"PAR1");
    json(path, &["export", "town", "--into", "hub", "--format", "huggingface"]);
    assert!(path.join("hub/README.md").is_file() && path.join("hub/data").is_dir());

    // What is there stays, unless it is an export and may be replaced.
    assert!(error(path, &["export", "town", "--into", "copy"], 1).contains("--replace"));
    json(path, &["export", "town", "--into", "copy", "--replace", "--sample", "5"]);
    assert!(error(path, &["export", "town", "--into", "town", "--replace"], 1).contains("town"));
    assert!(path.join("town/posts.parquet").is_file(), "the corpus itself is never replaced");
}

#[test]
fn bad_requests_name_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    town(path, "60");
    let export =
        |more: &[&'static str], status| error(path, &[&["export", "town", "--into", "out"][..], more].concat(), status);
    assert!(export(&["--with", "video"], 2).contains("image"));
    assert!(export(&["--part", "tomorrow"], 2).contains("dev"));
    assert!(export(&["--format", "xlsx"], 2).contains("parquet"));
    assert!(export(&["--from", "yesterday"], 2).contains("yesterday"));
    assert!(export(&["--sample", "many"], 2).contains("many"));
    assert!(export(&["--format", "parquet", "--columns", "id,colour"], 2).contains("colour"));
    assert!(error(path, &["export", "nothing", "--into", "out"], 1).contains("nothing"));
    assert!(!path.join("out").exists(), "nothing was written");
    assert!(error(path, &["check", "town", "--html", "page.pdf"], 1).contains(".html"));
}

#[test]
fn what_was_deleted_is_in_no_export() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let post = |id: &str| {
        format!(
            "{{\"id_str\":\"{id}\",\"created_at\":\"Wed Mar 04 19:00:00 +0000 2020\",\"text\":\"post {id}\",\"user\":{{\"id_str\":\"7\",\"screen_name\":\"a\"}}}}\n"
        )
    };
    let delete = "{\"delete\":{\"status\":{\"id_str\":\"2\",\"user_id_str\":\"7\"}}}\n";
    std::fs::write(path.join("dump.jsonl"), post("1") + &post("2") + &post("3") + delete).unwrap();
    json(path, &["import", "dump.jsonl", "--into", "corpus"]);
    json(path, &["export", "corpus", "--into", "out"]);
    assert!(path.join("corpus/forgotten.csv").is_file());
    assert!(!path.join("out/forgotten.csv").exists());
    json(path, &["export", "corpus", "--into", "out.jsonl"]);
    let lines = std::fs::read_to_string(path.join("out.jsonl")).unwrap();
    assert!(lines.contains("post 1") && !lines.contains("post 2") && lines.contains("post 3"), "{lines}");

    // A line that somebody adds holds from the next export on, not only from the next import.
    let orders = std::fs::read_to_string(path.join("corpus/forgotten.csv")).unwrap();
    std::fs::write(path.join("corpus/forgotten.csv"), orders + "post,3,\n").unwrap();
    for (into, more) in [("all.jsonl", &[][..]), ("some.jsonl", &["--sample", "5"][..])] {
        let report = json(path, &[&["export", "corpus", "--into", into][..], more].concat());
        assert_eq!((&report["posts"], &report["forgotten"]), (&1.into(), &1.into()), "{report:#}");
        assert!(!std::fs::read_to_string(path.join(into)).unwrap().contains("post 3"));
    }
}

#[test]
fn the_page_of_a_corpus_says_what_the_report_says_and_runs_nothing_that_posts_wrote() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    town(path, "120");
    let check = json(path, &["check", "town", "--html", "town.html"]);
    let page = std::fs::read_to_string(path.join("town.html")).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && check.is_object());
    for section in ["What posts are made of", "Synthetic posts", "Would results hold?", "120 posts"] {
        assert!(page.contains(section), "{section}");
    }
    assert!(!page.contains("<script") && !page.contains("http://") && !page.contains("src=\"https"), "self-contained");
    for form in ["town.md", "town.json"] {
        json(path, &["check", "town", "--html", form]);
        assert!(path.join(form).is_file());
    }

    let hostile = "{\"id\":\"1\",\"text\":\"<script>alert(1)</script>\",\"hashtags\":[\"<img src=x onerror=alert(1)>\"],\"lang\":\"<b>\",\"place\":{\"id\":\"p\",\"name\":\"<svg onload=alert(1)>\"}}\n";
    std::fs::write(path.join("hostile.jsonl"), hostile).unwrap();
    json(path, &["import", "hostile.jsonl", "--into", "hostile"]);
    json(path, &["check", "hostile", "--html", "hostile.html"]);
    let page = std::fs::read_to_string(path.join("hostile.html")).unwrap();
    for element in ["<script", "<img", "<svg onload", "<b>"] {
        assert!(!page.contains(element), "{element}");
    }
}
