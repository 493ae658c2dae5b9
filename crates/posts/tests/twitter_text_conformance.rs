//! Hashtags, mentions, lists, links and cashtags are found as twitter-text's own conformance suite expects, every case of
//! it: `extract.yml` and `tlds.yml`. (Of its other parts, `replies` asks whom a post answers, which sources say.)

use std::ops::Range;
use std::path::PathBuf;

use quintet_posts::extract::{self, EntityKind};

/// A case of the suite: what it is about, the text, the expected names and where they are, in code points.
#[derive(Default)]
struct Case {
    about: String,
    text: String,
    expected: Vec<String>,
    indices: Vec<(usize, usize)>,
}

fn data() -> PathBuf {
    std::env::var_os("QUINTET_DATA")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")), PathBuf::from)
}

/// A YAML scalar on one line; escapes of a double-quoted one undone.
fn scalar(value: &str) -> String {
    let value = value.trim();
    let Some(inner) = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')) else {
        return value.trim_matches('\'').to_owned();
    };
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

/// The items of `["a", "b"]` or `[1, 2]`.
fn list(text: &str) -> Vec<String> {
    let inner = text.trim().trim_start_matches('[').trim_end_matches(']');
    if inner.contains('"') {
        return inner.split('"').skip(1).step_by(2).map(|item| scalar(&format!("\"{item}\""))).collect();
    }
    inner.split(',').map(scalar).filter(|item| !item.is_empty()).collect()
}

/// Cases of a section. Expected are a list on one line, items on lines, or entries whose names stand under `keys`,
/// one after another.
fn section(yaml: &str, name: &str, keys: &[&str]) -> Vec<Case> {
    let lines = yaml.lines().skip_while(|l| *l != format!("  {name}:")).skip(1);
    let header = |l: &str| l.starts_with("  ") && !l.starts_with("   ") && !l.starts_with("  -");
    let mut cases: Vec<Case> = Vec::new();
    for line in lines.take_while(|l| !header(l)) {
        let line = line.trim();
        let item = line.strip_prefix("- ").unwrap_or(line);
        let (head, value) = item.split_once(": ").unwrap_or((item, ""));
        match (head, cases.last_mut()) {
            ("description", _) => cases.push(Case { about: scalar(value), ..Case::default() }),
            ("text", Some(case)) => case.text = scalar(value),
            ("expected", Some(case)) => case.expected = list(value),
            ("indices", Some(case)) => {
                let sides: Vec<usize> = list(value).iter().filter_map(|n| n.parse().ok()).collect();
                case.indices.push((sides[0], sides[1]));
            }
            (head, Some(case)) if keys.first() == Some(&head) => case.expected.push(scalar(value)),
            (head, Some(case)) if keys.contains(&head) => {
                let entry = case.expected.last_mut().map(|name| name.push_str(&scalar(value)));
                assert!(entry.is_some(), "{line}");
            }
            (_, Some(case)) if line.starts_with("- ") && value.is_empty() => case.expected.push(scalar(item)),
            _ => {}
        }
    }
    cases
}

type Find = fn(&str) -> Vec<Range<usize>>;

fn of_kind(text: &str, kinds: &[EntityKind]) -> Vec<Range<usize>> {
    extract::entities(text).into_iter().filter(|e| kinds.contains(&e.kind)).map(|e| e.range).collect()
}

const HASHTAGS: Find = |text| of_kind(text, &[EntityKind::Hashtag]);
const MENTIONS: Find = |text| of_kind(text, &[EntityKind::Mention]);
const LISTED: Find = |text| of_kind(text, &[EntityKind::Mention, EntityKind::List]);

/// Cases that we mean to answer otherwise, by what they are about, each with the reason. There are none.
const OTHERWISE: [(&str, &str); 0] = [];

#[test]
fn the_conformance_suite_passes() {
    let folder = data().join("fixtures/twitter_text_conformance");
    let read = |name: &str| std::fs::read_to_string(folder.join(name));
    let (Ok(extract), Ok(tlds)) = (read("extract.yml"), read("tlds.yml")) else {
        eprintln!("SKIPPED: {} is not there (set QUINTET_DATA)", folder.display());
        return;
    };
    // Counts: from the files, by a YAML library.
    let sections: [(&str, &str, &[&str], Find, usize); 14] = [
        (&extract, "mentions", &[], MENTIONS, 23),
        (&extract, "mentions_with_indices", &["screen_name"], MENTIONS, 3),
        (&extract, "mentions_or_lists_with_indices", &["screen_name", "list_slug"], LISTED, 5),
        (&extract, "urls", &[], extract::links, 91),
        (&extract, "urls_with_indices", &["url"], extract::links, 10),
        (&extract, "urls_with_directional_markers", &["url"], extract::links, 2),
        (&extract, "tco_urls_with_params", &[], extract::links, 5),
        (&extract, "hashtags", &[], HASHTAGS, 65),
        (&extract, "hashtags_from_astral", &[], HASHTAGS, 3),
        (&extract, "hashtags_with_indices", &["hashtag"], HASHTAGS, 8),
        (&extract, "cashtags", &[], extract::cashtags, 8),
        (&extract, "cashtags_with_indices", &["cashtag"], extract::cashtags, 2),
        (&tlds, "country", &[], extract::links, 315),
        (&tlds, "generic", &[], extract::links, 1259),
    ];
    let mut failures = Vec::new();
    for (yaml, name, keys, find, count) in sections {
        let cases = section(yaml, name, keys);
        assert_eq!(cases.len(), count, "{name}: cases that the reader found");
        let mut passed = 0;
        for case in &cases {
            let found = find(&case.text);
            let names: Vec<&str> =
                found.iter().map(|r| case.text[r.clone()].trim_start_matches(['#', '＃', '@', '＠', '$'])).collect();
            let point = |byte: usize| case.text[..byte].chars().count();
            let places: Vec<_> = found.iter().map(|r| (point(r.start), point(r.end))).collect();
            let placed = case.indices.is_empty() || places == case.indices;
            if names == case.expected && placed {
                passed += 1;
            } else if !OTHERWISE.iter().any(|(about, _)| *about == case.about) {
                failures.push(format!("{name}: {}: {:?} gave {names:?} at {places:?}", case.about, case.text));
            }
        }
        eprintln!("{name}: {passed} of {} cases", cases.len());
    }
    assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures.join("\n"));
}
