//! Every packing and layout gives the same records; broken ones give what is whole and say what is not.

use proptest::prelude::*;

use super::*;

#[test]
fn an_account_export_gives_its_items_one_by_one() {
    let records = |text: &str| {
        let mut records = Records::with_limit(text.as_bytes(), 40);
        let mut batch = Batch::default();
        while records.read_into(&mut batch) {}
        let get = |at| {
            let (line, text) = batch.get(at);
            (line, text.map(|t| String::from_utf8_lossy(t).into_owned()).map_err(str::to_owned))
        };
        (0..batch.len()).map(get).collect::<Vec<_>>()
    };
    let whole = |line: u64, text: &str| (line, Ok(text.to_owned()));
    let text = "{\"a\":{\"orderedItems\":[1]},\"b\":\"orderedItems\",\n \"orderedItems\" : [{\"x\":[1]},\n\"s\"]\n}\n{\"y\":2}";
    assert_eq!(records(text), [whole(2, "{\"x\":[1]}"), whole(3, "\"s\""), whole(5, "{\"y\":2}")]);
    assert_eq!(records("{\"orderedItems\":[]}"), []);
    assert_eq!(records("{\"orderedItems\":5}"), [whole(1, "{\"orderedItems\":5}")]);
}

const LINES: &str = "{\"a\":1}\n\n{\"b\":\"x\\\"}{\"}\r\n{\"c\":[1,{\"d\":2}]}";

/// The line and the text of every record.
fn all(records: &mut Records<impl BufRead + Send>) -> Vec<(u64, Result<Vec<u8>, String>)> {
    let mut batch = Batch::default();
    while records.read_into(&mut batch) {}
    let own = |at| {
        let (line, text) = batch.get(at);
        (line, text.map(<[u8]>::to_vec).map_err(str::to_owned))
    };
    (0..batch.len()).map(own).collect()
}

fn cut(text: &str) -> (Vec<(u64, String)>, Option<String>) {
    let mut records = Records::new(text.as_bytes());
    let found = all(&mut records)
        .into_iter()
        .map(|(line, text)| {
            (line, text.map_or_else(|e| format!("! {e}"), |t| String::from_utf8(t).unwrap().trim().to_owned()))
        })
        .collect();
    (found, records.failure().map(str::to_owned))
}

fn texts(text: &str) -> Vec<String> {
    cut(text).0.into_iter().map(|r| r.1).collect()
}

#[test]
fn lines_are_cut_where_they_end() {
    let (plain, failure) = cut(LINES);
    assert_eq!(plain.iter().map(|r| r.0).collect::<Vec<_>>(), [1, 3, 4]);
    assert_eq!(failure, None);
    assert_eq!(cut(&format!("\u{feff}{LINES}")).0, plain);
}

#[test]
fn lists_and_pretty_printed_objects_give_the_same_records_as_lines() {
    let plain = texts(LINES);
    let list = "[{\"a\":1},\n {\"b\":\"x\\\"}{\"},{\"c\":[1,{\"d\":2}]}\n]";
    assert_eq!(texts(list), plain);
    assert_eq!(cut(list).0[1].0, 2);
    assert_eq!(texts("{\n \"a\": 1\n}\n{\n \"b\": [2]\n}"), ["{\n \"a\": 1\n}", "{\n \"b\": [2]\n}"]);
    assert_eq!(texts("[1, {\"a\":2}, \"x\"]"), ["1", "{\"a\":2}", "\"x\""]);
    assert_eq!(texts("window.YTD.tweets.part0 = [ {\"a\":1},\n{\"b\":2} ]"), ["{\"a\":1}", "{\"b\":2}"]);
}

#[test]
fn a_long_record_is_lost_alone() {
    for text in ["{\"a\":1}\n{\"b\":\"0123456789\"}\n{\"c\":3}\n", "[{\"a\":1},{\"b\":\"0123456789\"},{\"c\":3}]"] {
        let found = all(&mut Records::with_limit(text.as_bytes(), 9));
        assert!(matches!((&found[0].1, &found[1].1, &found[2].1), (Ok(_), Err(e), Ok(_)) if e.contains("longer than")));
    }
}

proptest! {
    #[test]
    fn no_bytes_hang_or_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), head in "(\\[|\\{|\\{\\n)?") {
        let mut input = head.into_bytes();
        input.extend(bytes);
        let count = all(&mut Records::with_limit(&input[..], 64)).len();
        prop_assert!(count <= input.len());
    }
}
