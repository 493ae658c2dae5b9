//! CAR files whole and broken. Every record here is synthetic.

use proptest::prelude::*;

use super::cbor::Value;
use super::*;

fn head(kind: u8, number: u64, out: &mut Vec<u8>) {
    match number {
        0..24 => out.push(kind << 5 | number as u8),
        24..256 => out.extend([kind << 5 | 24, number as u8]),
        256..65_536 => {
            out.push(kind << 5 | 25);
            out.extend((number as u16).to_be_bytes());
        }
        _ => {
            out.push(kind << 5 | 27);
            out.extend(number.to_be_bytes());
        }
    }
}

fn encode(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(0xf6),
        Value::Bool(value) => out.push(0xf4 + u8::from(*value)),
        Value::Integer(number) if *number < 0 => head(1, (-1 - number) as u64, out),
        Value::Integer(number) => head(0, *number as u64, out),
        Value::Float(number) => {
            out.push(0xfb);
            out.extend(number.to_be_bytes());
        }
        Value::Bytes(bytes) => {
            head(2, bytes.len() as u64, out);
            out.extend(bytes);
        }
        Value::Text(text) => {
            head(3, text.len() as u64, out);
            out.extend(text.bytes());
        }
        Value::List(items) => {
            head(4, items.len() as u64, out);
            items.iter().for_each(|item| encode(item, out));
        }
        Value::Map(fields) => {
            head(5, fields.len() as u64, out);
            for (key, value) in fields {
                encode(&Value::Text(key.clone()), out);
                encode(value, out);
            }
        }
        Value::Link(cid) => {
            out.extend([0xd8, 42]);
            head(2, 37, out);
            out.extend([0, 1, cid.codec, 0x12, 32]);
            out.extend(cid.hash);
        }
    }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn map<const N: usize>(fields: [(&str, Value); N]) -> Value {
    Value::Map(fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

fn entry(shared: i128, rest: &str, record: Cid, after: Option<Cid>) -> Value {
    let after = after.map_or(Value::Null, Value::Link);
    map([
        ("k", Value::Bytes(rest.as_bytes().to_vec())),
        ("p", Value::Integer(shared)),
        ("t", after),
        ("v", Value::Link(record)),
    ])
}

#[derive(Default)]
struct Maker(Vec<(Cid, Vec<u8>)>);

impl Maker {
    fn add(&mut self, value: &Value) -> Cid {
        let mut data = Vec::new();
        encode(value, &mut data);
        let hash = Sha256::digest(&data).into();
        let cid = Cid { codec: 0x71, hash };
        self.0.push((cid, data));
        cid
    }

    fn post(&mut self, words: &str) -> Cid {
        self.add(&map([("text", text(words)), ("$type", text("app.bsky.feed.post"))]))
    }

    fn node(&mut self, left: Option<Cid>, entries: Vec<Value>) -> Cid {
        self.add(&map([("e", Value::List(entries)), ("l", left.map_or(Value::Null, Value::Link))]))
    }

    fn commit(&mut self, tree: Cid) -> Cid {
        self.add(&map([("did", text("did:plc:me")), ("data", Value::Link(tree)), ("version", Value::Integer(3))]))
    }

    fn file(&self, root: Cid) -> Vec<u8> {
        let mut header = Vec::new();
        encode(&map([("roots", Value::List(vec![Value::Link(root)])), ("version", Value::Integer(1))]), &mut header);
        let mut file = Vec::new();
        let mut put = |parts: [&[u8]; 2]| {
            let mut length = parts[0].len() + parts[1].len();
            while length >= 0x80 {
                file.push(length as u8 | 0x80);
                length >>= 7;
            }
            file.push(length as u8);
            parts.iter().for_each(|part| file.extend(*part));
        };
        put([&header, &[]]);
        for (cid, data) in &self.0 {
            let name = [&[1, cid.codec, 0x12, 32][..], &cid.hash].concat();
            put([&name, data]);
        }
        file
    }
}

/// Three records in two nodes; the second key of the upper node shares its beginning with the first, not with the one
/// in the subtree between them.
fn small() -> (Maker, Cid) {
    let mut maker = Maker::default();
    let [a, b, c] = ["one", "two \u{1f600} \"q\"", "three"].map(|words| maker.post(words));
    let below = maker.node(None, vec![entry(0, "app.bsky.feed.post/3kb", b, None)]);
    let upper = vec![entry(0, "app.bsky.feed.post/3ka", a, Some(below)), entry(21, "c", c, None)];
    let tree = maker.node(None, upper);
    let root = maker.commit(tree);
    maker.0.reverse();
    (maker, root)
}

fn read(file: &[u8]) -> (Vec<String>, Option<String>) {
    assert!(file.len() < 6 || is_car(file), "{:?}", &file[..6]);
    read_any(file)
}

fn read_any(file: &[u8]) -> (Vec<String>, Option<String>) {
    let mut found = Vec::new();
    for line in lines(io::Cursor::new(file.to_vec())).lines() {
        match line {
            Ok(line) => found.push(line),
            Err(error) => return (found, Some(error.to_string())),
        }
    }
    (found, None)
}

#[test]
fn records_come_in_the_order_of_their_keys_with_their_addresses() {
    let (maker, root) = small();
    let (lines, failure) = read(&maker.file(root));
    assert_eq!(failure, None);
    let rows: Vec<serde_json::Value> = lines.iter().filter_map(|l| serde_json::from_str(l).ok()).collect();
    let uris: Vec<_> = rows.iter().filter_map(|r| r["uri"].as_str()).collect();
    assert_eq!(uris, ["3ka", "3kb", "3kc"].map(|k| format!("at://did:plc:me/app.bsky.feed.post/{k}")));
    assert_eq!(rows[1]["value"]["text"], "two \u{1f600} \"q\"");
    assert!(rows.iter().all(|r| r["cid"].as_str().is_some_and(|c| c.starts_with("bafyrei") && c.len() == 59)));
}

#[test]
fn every_kind_of_value_becomes_json() {
    let mut maker = Maker::default();
    let blob = Cid { codec: 0x55, hash: [7; 32] };
    let all = vec![
        ("n", Value::Null),
        ("t", Value::Bool(true)),
        ("i", Value::Integer(-5)),
        ("big", Value::Integer(u64::MAX.into())),
        ("f", Value::Float(1.5)),
        ("nan", Value::Float(f64::NAN)),
        ("b", Value::Bytes(vec![1, 2])),
        ("l", Value::List(vec![Value::Link(blob), text("x\n")])),
    ];
    let fields = all.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
    let record = maker.add(&Value::Map(fields));
    let tree = maker.node(None, vec![entry(0, "a.b/self", record, None)]);
    let root = maker.commit(tree);
    let (lines, _) = read(&maker.file(root));
    let row: serde_json::Value = serde_json::from_str(&lines[0]).unwrap_or_default();
    let expected = serde_json::json!({"n": null, "t": true, "i": -5, "big": u64::MAX, "f": 1.5, "nan": null, "b": {"$bytes": "AQI"},
        "l": [{"$link": blob.text()}, "x\n"]});
    assert_eq!(row["value"], expected);
}

#[test]
fn what_is_missing_or_damaged_is_told_and_the_rest_stays() {
    let (mut maker, root) = small();
    let post = maker.0.iter().position(|(_, data)| data.ends_with(b"app.bsky.feed.post")).unwrap_or_default();
    let (cid, _) = maker.0.remove(post);
    let (lines, failure) = read(&maker.file(root));
    assert_eq!((lines.len(), failure), (3, None));
    let lost: Vec<&String> = lines.iter().filter(|l| l.contains("missing")).collect();
    assert!(lost.len() == 1 && lost[0].contains(&cid.text()) && lost[0].contains("not in the file"), "{lost:?}");

    let (mut maker, root) = small();
    let last = maker.0.len() - 1;
    maker.0[last].1[3] ^= 1;
    let (lines, failure) = read(&maker.file(root));
    assert_eq!(lines.iter().filter(|l| l.contains("missing")).count(), 1);
    assert!(failure.is_some_and(|f| f.contains("1 blocks do not match")));

    let (maker, root) = small();
    let file = maker.file(root);
    let (lines, failure) = read(&file[..file.len() - 3]);
    assert!(lines.len() == 3 && failure.is_some_and(|f| f.contains("cut off inside a block")));
}

#[test]
fn malformed_files_say_what_is_wrong() {
    let (mut maker, root) = small();
    let failure = |file: &[u8]| read_any(file).1.unwrap_or_default();
    assert!(failure(&[0x3a, 0xa2, 0x65]).contains("cut off inside the header"));
    assert!(failure(&[0x02, 0xa2, 0x65]).contains("header"));
    assert!(failure(&[0xff; 12]).contains("length"));
    assert!(failure(&maker.file(Cid { codec: 0x71, hash: [0; 32] })).contains("no commit"));
    let post = maker.post("a post as root");
    assert!(failure(&maker.file(post)).contains("names no account"));
    let no_node = maker.commit(post);
    assert!(read(&maker.file(no_node)).0[0].contains("no node of a tree"));
    // A tree that would never end, or end the memory.
    let one = maker.node(None, vec![entry(5, "x", post, None), entry(0, &"k".repeat(2000), post, None)]);
    let twice = maker.node(Some(one), vec![entry(0, "a/b", post, Some(one))]);
    let commit = maker.commit(twice);
    let (lines, failure_twice) = read(&maker.file(commit));
    assert_eq!(lines.iter().filter(|l| l.contains("makes no sense")).count(), 2);
    assert!(failure_twice.is_some_and(|f| f.contains("twice")));
    let mut deep = maker.node(None, Vec::new());
    for _ in 0..200 {
        deep = maker.node(Some(deep), Vec::new());
    }
    let commit = maker.commit(deep);
    assert!(failure(&maker.file(commit)).contains("levels"));
    let mut long = maker.file(root);
    long.extend([0xff, 0xff, 0xff, 0x7f]);
    assert!(failure(&long).contains("none of a repository is longer"));
    let mut wrong = maker.file(root);
    wrong.extend([4, 0x12, 0x20, 1, 2]);
    assert!(failure(&wrong).contains("no content id"));
}

#[test]
fn cbor_is_bounded() {
    for (bytes, reason) in [
        (vec![0x81; 100_000], "deep"),
        (vec![0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], "too early"),
        (vec![0x7b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], "too early"),
        (vec![0x9f, 0x01, 0xff], "does not allow"),
        (vec![0x61, 0xff], "UTF-8"),
        (vec![0xa1, 0x01, 0x01], "key"),
        (vec![0xc1, 0x01], "tag"),
        (vec![0xd8, 42, 0x41, 0], "link"),
        (vec![0xf9, 0, 0], "simple"),
        (vec![0x01, 0x01], "after"),
        (vec![], "too early"),
    ] {
        assert!(cbor::decode(&bytes).is_err_and(|e| e.contains(reason)), "{reason}");
    }
}

proptest! {
    #[test]
    fn damaged_files_never_panic(damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12), cut in any::<prop::sample::Index>()) {
        let (maker, root) = small();
        let mut file = maker.file(root);
        for (at, byte) in damage {
            let at = at.index(file.len());
            file[at] = byte;
        }
        file.truncate(cut.index(file.len()) + 1);
        read_any(&file);
    }

    #[test]
    fn values_survive_the_way_out_and_back(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        if let Ok(value) = cbor::decode(&bytes) {
            let mut out = Vec::new();
            encode(&value, &mut out);
            let again = cbor::decode(&out);
            prop_assert!(again.as_ref() == Ok(&value) || format!("{value:?}").contains("NaN"), "{:?}", again);
            let mut json = Vec::new();
            value.write_json(&mut json);
            prop_assert!(serde_json::from_slice::<serde_json::Value>(&json).is_ok());
        }
    }
}
