//! How inputs are changed: bytes of any input, values of JSON, blocks of CAR files, contents of packed files.

use serde_json::{Value, json};

/// Random numbers from a seed (SplitMix64).
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, 0 if that is 0.
    pub fn below(&mut self, end: usize) -> usize {
        if end == 0 { 0 } else { (self.bits() % end as u64) as usize }
    }
}

/// Longest input that is made.
const MAX_INPUT: usize = 1 << 17;

/// Pieces that readers look for.
const WORDS: [&str; 60] = [
    "\"id\"",
    "\"text\"",
    "null",
    "[]",
    "{}",
    "\"\"",
    "1e999",
    "-0",
    "18446744073709551616",
    "\\ud83d",
    "\\u0000",
    "[[[[[[[[",
    "}}}}",
    "\u{feff}",
    "\u{202e}",
    "#",
    "＃",
    "@",
    "＠",
    "://",
    "http://",
    "https://t.co/",
    ".com",
    ".みんな",
    "xn--",
    "$",
    "&amp;",
    "&#x110000;",
    "<p>",
    "</p>",
    "<br",
    "<!--",
    "class='hashtag'",
    "at://",
    "did:plc:",
    "app.bsky.feed.post",
    "\"$type\"",
    "\"facets\"",
    "\"byteStart\"",
    "\"orderedItems\":[",
    "\"payload\"",
    "\"event\"",
    "\r\n",
    "\n",
    "\"delete\"",
    "\"data\":",
    "\"includes\":",
    "\"referenced_tweets\":",
    "\"retweeted\"",
    "\"withheld\":",
    "window.YTD.tweets.part0 = [",
    "\"\"",
    ";",
    "\t",
    "\r",
    "1.1E+18",
    "(row)",
    "\u{fe0f}",
    "é",
    "😀",
];

/// A changed copy of `input`; `other` is another kept input.
pub fn mutate(input: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let mut out = input.to_vec();
    if random.below(2) == 0
        && let Some(json) = json_lines(input, other, random)
    {
        out = json;
    }
    if random.below(3) > 0 {
        for _ in 0..=random.below(4) {
            bytes(&mut out, other, random);
        }
    }
    out.truncate(MAX_INPUT);
    out
}

fn bytes(out: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let at = random.below(out.len() + 1);
    let end = (at + random.below(24)).min(out.len());
    match random.below(9) {
        0 if at < out.len() => out[at] ^= 1 << random.below(8),
        1 if at < out.len() => out[at] = random.bits() as u8,
        2 => drop(out.drain(at..end)),
        3 => {
            let piece = out[at..end].to_vec();
            for _ in 0..=random.below(40) {
                out.splice(at..at, piece.iter().copied());
            }
        }
        4 => drop(out.splice(at..end, WORDS[random.below(WORDS.len())].bytes())),
        5 if !other.is_empty() => {
            let from = random.below(other.len());
            let piece = &other[from..(from + random.below(200)).min(other.len())];
            out.splice(at..end, piece.iter().copied());
        }
        6 => out.truncate(at),
        7 => drop(
            out.splice(
                at..at,
                [0u8, 0xff, 0x7f, 0x80, b'"', b'{', b'[', b'\\'][random.below(8)..]
                    .iter()
                    .take(1)
                    .copied()
                    .collect::<Vec<_>>(),
            ),
        ),
        _ => {
            let number = random.bits() >> random.below(64);
            out.splice(at..end, number.to_string().bytes());
        }
    }
}

/// One of the lines (or the whole) as JSON with a value changed; `None` if none is JSON.
fn json_lines(input: &[u8], other: &[u8], random: &mut Random) -> Option<Vec<u8>> {
    if let Ok(mut value) = serde_json::from_slice::<Value>(input) {
        let donor = serde_json::from_slice::<Value>(other).unwrap_or(Value::Null);
        for _ in 0..=random.below(3) {
            change(&mut value, &donor, random);
        }
        return Some(value.to_string().into_bytes());
    }
    let mut lines: Vec<Vec<u8>> = input.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
    let at = random.below(lines.len());
    let mut value: Value = serde_json::from_slice(&lines[at]).ok()?;
    let theirs: Vec<&[u8]> = other.split(|b| *b == b'\n').collect();
    let donor = serde_json::from_slice(theirs[random.below(theirs.len())]).unwrap_or(Value::Null);
    change(&mut value, &donor, random);
    lines[at] = value.to_string().into_bytes();
    Some(lines.join(&b'\n'))
}

/// Changes one value somewhere in a tree.
fn change(value: &mut Value, donor: &Value, random: &mut Random) {
    let inside = random.below(5) > 0;
    match value {
        Value::Object(fields) if inside && !fields.is_empty() => {
            let key = fields.keys().nth(random.below(fields.len())).cloned().unwrap_or_default();
            match random.below(12) {
                0 => drop(fields.remove(&key)),
                1 => {
                    let moved = fields.remove(&key).unwrap_or_default();
                    let name = pick(donor, random).0.unwrap_or_else(|| key.to_uppercase());
                    fields.insert(name, moved);
                }
                2 => {
                    let (name, taken) = pick(donor, random);
                    fields.insert(name.unwrap_or(key), taken);
                }
                _ => fields.get_mut(&key).into_iter().for_each(|v| change(v, donor, random)),
            }
        }
        Value::Array(items) if inside && !items.is_empty() => {
            let at = random.below(items.len());
            match random.below(6) {
                0 => drop(items.remove(at)),
                1 => items.insert(at, pick(donor, random).1),
                2 => items.push(items[at].clone()),
                _ => change(&mut items[at], donor, random),
            }
        }
        _ => *value = replacement(value, donor, random),
    }
}

/// A name and value from somewhere in a tree.
fn pick(tree: &Value, random: &mut Random) -> (Option<String>, Value) {
    let mut found = (None, tree.clone());
    for _ in 0..random.below(6) {
        let next = match &found.1 {
            Value::Object(fields) => {
                fields.iter().nth(random.below(fields.len())).map(|(k, v)| (Some(k.clone()), v.clone()))
            }
            Value::Array(items) => items.get(random.below(items.len())).map(|v| (found.0.clone(), v.clone())),
            _ => None,
        };
        match next {
            Some(next) => found = next,
            None => break,
        }
    }
    found
}

fn replacement(old: &Value, donor: &Value, random: &mut Random) -> Value {
    match random.below(14) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(random.bits() >> random.below(64)),
        3 => json!(-1),
        4 => json!(1.15e18),
        5 => json!([]),
        6 => json!({}),
        7 => json!([old]),
        8 => json!(old.to_string()),
        9 => json!(""),
        10 => json!(WORDS[random.below(WORDS.len())]),
        11 => match old.as_str() {
            Some(text) => {
                let mut changed: Vec<char> = text.chars().collect();
                let at = random.below(changed.len() + 1);
                changed.splice(at..at, WORDS[random.below(WORDS.len())].chars());
                json!(changed.into_iter().collect::<String>())
            }
            None => json!("x".repeat(random.below(300))),
        },
        12 => (0..random.below(100)).fold(old.clone(), |inner, _| json!([inner])),
        _ => pick(donor, random).1,
    }
}
