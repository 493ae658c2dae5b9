//! The dataset card of an exported folder: YAML for programs, then what a person must know before using the posts.

use std::fmt::Write;

use super::ExportReport;
use super::target::About;
use crate::dictionary;

/// Codes of languages that X writes in a form of its own.
const OLD_CODES: [(&str, &str); 3] = [("in", "id"), ("iw", "he"), ("ji", "yi")];

/// The card. `splits`: names with numbers of posts.
pub(super) fn card(report: &ExportReport, about: &About, splits: &[(&str, u64)]) -> String {
    let mut out = front(report, about, splits);
    // Writing to a string cannot fail.
    let mut line = |text: String| {
        let _ = writeln!(out, "{text}");
    };
    line(format!("# {}\n", about.name));
    if about.synthetic {
        line("**Synthetic posts**: generated, not written by anybody. Say so with every figure made on them.\n".into());
    }
    let kind = if about.synthetic { "synthetic posts" } else { "posts" };
    line(format!("{} {kind}, exported with Quintet {}.\n", report.posts, env!("CARGO_PKG_VERSION")));
    line("| split | posts |\n|---|---:|".into());
    splits.iter().for_each(|(name, posts)| line(format!("| {name} | {posts} |")));
    let made = about.split.as_deref().unwrap_or("not made");
    line(format!("\nParts of the corpus: {made}. Its `dev` part is `validation` here."));
    if !about.selection.is_empty() {
        line(format!("Selected: {}.", about.selection.join("; ")));
    }
    line("\n```python\nfrom datasets import load_dataset\nposts = load_dataset(\"PATH/OF/THIS/FOLDER\")\n```".into());
    line("\n## Columns\n\nNull means unknown, never zero; times are UTC.\n\n| column | meaning |\n|---|---|".into());
    for column in &report.columns {
        line(format!("| `{column}` | {} |", meaning(column)));
    }
    if !about.synthetic {
        line(format!("\n## Before you pass this on\n\n{TERMS}"));
    }
    out
}

const TERMS: &str = "Posts belong to those who wrote them, and the terms of the platforms they come from apply; many \
allow the ids of posts to be passed on, but not the posts. Whoever asked for deletion before the export is not in here; \
deletions since then are up to you: keep the folder only as long as you can honour them. The licence is given as \
unknown because this program cannot know it.";

fn front(report: &ExportReport, about: &About, splits: &[(&str, u64)]) -> String {
    let mut languages: Vec<&str> = report.languages.keys().filter_map(|l| language(l)).collect();
    languages.sort_unstable();
    languages.dedup();
    let mut yaml = format!("---\npretty_name: {}\nlicense: unknown\n", quoted(&about.name));
    if !languages.is_empty() {
        // Quoted: `no` is Norwegian, not false.
        let list: String = languages.iter().map(|l| format!("- {}\n", quoted(l))).collect();
        yaml += &format!("language:\n{list}");
    }
    yaml += &format!("size_categories:\n- {}\ntags:\n- social-media\n- quintet\n", size(report.posts));
    if about.synthetic {
        yaml += "- synthetic\n";
    }
    yaml += "configs:\n- config_name: default\n  data_files:\n";
    for (name, _) in splits {
        yaml += &format!("  - split: {name}\n    path: data/{name}-*.parquet\n");
    }
    yaml + "---\n"
}

/// A string as it may stand in YAML, which takes every JSON string.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The code of a language as the Hub knows it: two letters.
fn language(code: &str) -> Option<&str> {
    let primary = code.split(['-', '_']).next()?;
    let known = OLD_CODES.iter().find(|(old, _)| *old == primary).map_or(primary, |(_, new)| new);
    (known.len() == 2 && known.bytes().all(|b| b.is_ascii_lowercase())).then_some(known)
}

/// The class of a number of rows, by the names of the Hub.
fn size(posts: u64) -> &'static str {
    match posts {
        0..1_000 => "n<1K",
        1_000..10_000 => "1K<n<10K",
        10_000..100_000 => "10K<n<100K",
        100_000..1_000_000 => "100K<n<1M",
        1_000_000..10_000_000 => "1M<n<10M",
        10_000_000..100_000_000 => "10M<n<100M",
        100_000_000..1_000_000_000 => "100M<n<1B",
        _ => "1B<n<10B",
    }
}

fn meaning(column: &str) -> String {
    if let Some(label) = column.strip_prefix("label_") {
        return match label.split_once('_') {
            Some((kind, name)) => format!("label `{name}` of the {kind}"),
            None => "a label".to_owned(),
        };
    }
    match column {
        "image" => "The post's first image".to_owned(),
        "more_images" => "The post's other images".to_owned(),
        _ => dictionary::of_column(column).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_those_of_the_hub() {
        let known: Vec<Option<&str>> = ["en", "pt-BR", "in", "und", "", "qme", "EN"].map(language).to_vec();
        assert_eq!(known, [Some("en"), Some("pt"), Some("id"), None, None, None, None]);
        assert_eq!((size(999), size(1000), size(5_000_000)), ("n<1K", "1K<n<10K", "1M<n<10M"));
    }

    #[test]
    fn names_cannot_break_the_front_matter() {
        let about = About {
            made_by: String::new(),
            format: String::new(),
            name: "a: \"b\"\n---".into(),
            synthetic: false,
            split: None,
            selection: Vec::new(),
            posts: 0,
        };
        let card = card(&ExportReport::default(), &about, &[("train", 0)]);
        assert!(card.starts_with("---\npretty_name: \"a: \\\"b\\\"\\n---\"\n"), "{card}");
    }
}
