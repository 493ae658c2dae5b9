//! Hashtags and mentions are found as twitter-text's own conformance suite expects.

use std::path::PathBuf;

use quintet_posts::extract;

/// A case of the suite: what it is about, the text, the expected names.
struct Case {
    about: String,
    text: String,
    expected: Vec<String>,
}

fn data() -> PathBuf {
    std::env::var_os("QUINTET_DATA")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")), PathBuf::from)
}

/// Undoes the escapes of a double-quoted YAML string.
fn unquote(quoted: &str) -> String {
    let inner = quoted.trim().trim_start_matches('"').trim_end_matches('"');
    let mut out = String::new();
    let mut rest = inner.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        let length = match rest.next() {
            Some('n') => {
                out.push('\n');
                continue;
            }
            Some('u') => 4,
            Some('U') => 8,
            Some(other) => {
                out.push(other);
                continue;
            }
            None => break,
        };
        let hex: String = rest.by_ref().take(length).collect();
        out.extend(u32::from_str_radix(&hex, 16).ok().and_then(char::from_u32));
    }
    out
}

/// The strings of `["a", "b"]`.
fn list(text: &str) -> Vec<String> {
    let inner = text.trim().trim_start_matches('[').trim_end_matches(']');
    inner.split('"').skip(1).step_by(2).map(unquote).collect()
}

/// Cases of a section whose expectation is a list of names on one line, or entries that carry `key: "name"`.
fn section(yaml: &str, name: &str, key: &str) -> Vec<Case> {
    let lines = yaml.lines().skip_while(|l| *l != format!("  {name}:")).skip(1);
    let mut cases: Vec<Case> = Vec::new();
    for line in lines.take_while(|l| l.is_empty() || l.starts_with("   ")) {
        let line = line.trim().trim_start_matches("- ");
        let (head, value) = line.split_once(": ").unwrap_or((line, ""));
        match (head, cases.last_mut()) {
            ("description", _) => {
                cases.push(Case { about: unquote(value), text: String::new(), expected: Vec::new() });
            }
            ("text", Some(case)) => case.text = unquote(value),
            ("expected", Some(case)) => case.expected = list(value),
            (head, Some(case)) if head == key => case.expected.push(unquote(value)),
            _ => {}
        }
    }
    cases
}

#[test]
fn the_conformance_suite_passes() {
    let path = data().join("fixtures/twitter_text_conformance/extract.yml");
    let Ok(yaml) = std::fs::read_to_string(&path) else {
        eprintln!("SKIPPED: {} is not there (set QUINTET_DATA)", path.display());
        return;
    };
    type Find = fn(&str) -> Vec<String>;
    let sections: [(&str, &str, Find, usize); 5] = [
        ("mentions", "-", extract::mentions, 22),
        ("mentions_with_indices", "screen_name", extract::mentions, 3),
        ("hashtags", "-", extract::hashtags, 60),
        ("hashtags_from_astral", "-", extract::hashtags, 3),
        ("hashtags_with_indices", "hashtag", extract::hashtags, 8),
    ];
    let mut failures = Vec::new();
    for (name, key, find, at_least) in sections {
        let cases = section(&yaml, name, key);
        assert!(cases.len() >= at_least, "{name}: the reader found only {} cases", cases.len());
        let mut passed = 0;
        for case in &cases {
            let found = find(&case.text);
            if found == case.expected {
                passed += 1;
            } else {
                failures.push(format!("{name}: {}: {:?} gave {found:?}", case.about, case.text));
            }
        }
        eprintln!("{name}: {passed} of {} cases", cases.len());
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
