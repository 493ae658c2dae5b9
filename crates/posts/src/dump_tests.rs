//! Every packing gives the same content; a damaged one gives what is whole and says what is not.

use std::io::Write;

use proptest::prelude::*;

use super::*;

const TEXT: &str = "{\"a\":1}\n\n{\"b\":\"x\"}\n";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

fn bzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        out.append_data(&mut header, name, *bytes).unwrap();
    }
    out.into_inner().unwrap()
}

fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
    for (name, bytes) in members {
        let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
        out.start_file(*name, options).unwrap();
        out.write_all(bytes).unwrap();
    }
    out.finish().unwrap().into_inner()
}

struct Found {
    members: Vec<(String, String)>,
    failures: Vec<String>,
    unread: Vec<String>,
    troubles: Vec<String>,
}

fn open(bytes: &[u8]) -> Result<Found> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let mut dump = Dump::open(file.path(), &Arc::default(), Arc::default())?;
    let (mut members, mut failures) = (Vec::new(), Vec::new());
    while let Some((name, mut content)) = dump.next_member()? {
        let mut bytes = Vec::new();
        if let Err(error) = content.read_to_end(&mut bytes) {
            failures.push(format!("{name}: {error}"));
        }
        members.push((name, String::from_utf8_lossy(&bytes).into_owned()));
    }
    Ok(Found { members, failures, unread: dump.unread, troubles: dump.troubles })
}

/// Content of a file that is no archive.
fn single(bytes: &[u8]) -> String {
    let found = open(bytes).unwrap();
    assert_eq!((found.members.len(), found.members[0].0.as_str()), (1, ""), "{:?}", found.troubles);
    found.members[0].1.clone()
}

#[test]
fn every_packing_gives_the_same_content() {
    assert_eq!(single(TEXT.as_bytes()), TEXT);
    let (a, b) = TEXT.as_bytes().split_at(5);
    for packed in [
        gzip(TEXT.as_bytes()),
        [gzip(a), gzip(b)].concat(),
        bzip(TEXT.as_bytes()),
        [bzip(a), bzip(b)].concat(),
        zstd::encode_all(TEXT.as_bytes(), 3).unwrap(),
        gzip(&bzip(TEXT.as_bytes())),
    ] {
        assert_eq!(single(&packed), TEXT);
    }
    assert_eq!(single(b""), "");
}

#[test]
fn archives_give_their_members_and_pass_over_what_holds_no_posts() {
    let inner = gzip(TEXT.as_bytes());
    let nested = zip(&[("x.json", TEXT.as_bytes())]);
    let members: [(&str, &[u8]); 8] = [
        ("a/1.json", TEXT.as_bytes()),
        ("a/2.json.gz", &inner),
        ("photo.jpg", b"\xff\xd8\xff\xe0"),
        ("README.txt", b"words"),
        ("posts.csv", b"id,text\n1,x\n"),
        ("__MACOSX/._1.json", TEXT.as_bytes()),
        ("more.zip", &nested),
        ("data/tweets.js", b"window.YTD.tweets.part0 = [ ]"),
    ];
    for packed in [tar(&members), gzip(&tar(&members)), bzip(&tar(&members)), zip(&members)] {
        let found = open(&packed).unwrap();
        let names: Vec<&str> = found.members.iter().map(|m| m.0.as_str()).collect();
        assert_eq!(
            names,
            ["a/1.json", "a/2.json.gz", "posts.csv", "more.zip/x.json", "data/tweets.js"],
            "{:?}",
            found.troubles
        );
        assert!([0, 1, 3].iter().all(|m| found.members[*m].1 == TEXT));
        assert_eq!((found.unread, found.troubles), (vec!["photo.jpg".to_owned(), "README.txt".to_owned()], Vec::new()));
    }
}

/// Content that does not pack away.
fn long(seed: u32) -> String {
    (0..3000u32).map(|i| format!("{{\"id\":{}}}\n", (i ^ seed).wrapping_mul(2_654_435_761))).collect()
}

#[test]
fn a_damaged_archive_costs_what_is_damaged() {
    let texts = [long(1), long(2), long(3)];
    let members: Vec<(String, &[u8])> =
        texts.iter().enumerate().map(|(i, t)| (format!("{i}.json"), t.as_bytes())).collect();
    let members: Vec<(&str, &[u8])> = members.iter().map(|(n, t)| (n.as_str(), *t)).collect();
    // The list of members at the end is gone, and half of the last member.
    let mut packed = zip(&members);
    packed.truncate(packed.len() * 4 / 5);
    let found = open(&packed).unwrap();
    assert_eq!((&found.members[0].1, &found.members[1].1), (&texts[0], &texts[1]));
    assert!(
        found.failures[0].starts_with("2.json") && texts[2].starts_with(&found.members[2].1),
        "{:?}",
        found.failures
    );
    assert!(found.troubles.iter().any(|t| t.contains("read in order")), "{:?}", found.troubles);
    // One member is hurt in its middle.
    let mut packed = zip(&members);
    let at = packed.len() / 2;
    packed[at..at + 40].fill(0x55);
    let found = open(&packed).unwrap();
    assert_eq!((&found.members[0].1, &found.members[2].1), (&texts[0], &texts[2]));
    assert!(found.failures.len() == 1 && found.failures[0].starts_with("1.json"), "{:?}", found.failures);
    // A tar archive breaks off within a member.
    let mut packed = tar(&members);
    packed.truncate(packed.len() / 2);
    let found = open(&packed).unwrap();
    assert_eq!(found.members[0].1, texts[0]);
    assert!(!found.failures.is_empty() || !found.troubles.is_empty());
    for packed in [gzip(long(1).as_bytes()), bzip(long(1).as_bytes())] {
        let found = open(&packed[..packed.len() - 20]).unwrap();
        assert_eq!(found.failures.len(), 1);
    }
}

/// A disk that fails.
struct Failing;

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other("bad sector"))
    }
}

/// A first look at the content once took the failure away, and the file seemed empty.
#[test]
fn a_failure_is_said_to_everyone_who_asks() {
    let mut dump = Dump::from_reader(Failing, Path::new("disk"), &Arc::default()).unwrap();
    let (_, mut content) = dump.next_member().unwrap().unwrap();
    assert!((0..3).all(|_| content.fill_buf().is_err_and(|e| e.to_string() == "bad sector")));
}

#[test]
fn a_member_that_nobody_reads_is_left_behind() {
    let members: Vec<(String, String)> = (0..30).map(|i| (format!("{i}.json"), "{}\n".repeat(200_000))).collect();
    let members: Vec<(&str, &[u8])> = members.iter().map(|(n, t)| (n.as_str(), t.as_bytes())).collect();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&zip(&members)).unwrap();
    let mut dump = Dump::open(file.path(), &Arc::default(), Arc::default()).unwrap();
    let mut names = Vec::new();
    while let Some((name, mut content)) = dump.next_member().unwrap() {
        content.fill_buf().unwrap();
        names.push(name);
    }
    assert_eq!(names.len(), 30);
    drop(Dump::open(file.path(), &Arc::default(), Arc::default()).unwrap());
}

#[test]
fn unknown_packings_say_what_to_do() {
    let error = open(b"\xfd7zXZ\0rest").err().unwrap();
    assert!(error.way_out().is_some_and(|h| h.contains("unxz")));
    let error = open(b"\xff\xfe{\0\"\0").err().unwrap();
    assert!(error.what().contains("UTF-16") && error.way_out().is_some_and(|h| h.contains("iconv")), "{error}");
}

/// The decoder of bzip2 panics when it is asked again after a failure, as here, and the process ends.
#[test]
fn nothing_is_read_after_a_failure() {
    let packed = b"BZh11AY&SY\x2c\x82\xef\x03\0\0\x06\0\0\0".to_vec();
    for packed in [gzip(&packed), packed] {
        let found = open(&packed).unwrap();
        assert_eq!((found.members.len(), found.failures.len()), (1, 1), "{:?}", found.troubles);
    }
}

/// The library reads names into memory: this one unpacks to 64 MiB, and could as well to gigabytes.
#[test]
fn a_name_without_end_ends_the_archive() {
    let mut header = tar::Header::new_gnu();
    header.set_path("././@LongLink").unwrap();
    header.set_entry_type(tar::EntryType::GNULongName);
    header.set_size(64 << 20);
    header.set_cksum();
    let mut packed = tar(&[("a.json", TEXT.as_bytes())]);
    packed.truncate(1024);
    packed.extend(header.as_bytes());
    packed.resize(packed.len() + (64 << 20), b'a');
    packed.extend(tar(&[("b.json", TEXT.as_bytes())]));
    let found = open(&gzip(&packed)).unwrap();
    assert_eq!(found.members.len(), 1);
    assert!(found.troubles[0].contains("longer than 1 MiB"), "{:?}", found.troubles);
    // Contents may be long.
    let large = "{}\n".repeat(2 << 20);
    let found = open(&gzip(&tar(&[("README", large.as_bytes()), ("b.json", large.as_bytes())]))).unwrap();
    assert_eq!((found.members.len(), found.members[0].1.len()), (2, large.len()), "{:?}", found.troubles);
}

#[test]
fn packings_without_end_are_left() {
    // There are archives that hold themselves.
    for kind in 0..3 {
        let mut packed = TEXT.as_bytes().to_vec();
        for _ in 0..10 {
            packed = match kind {
                0 => gzip(&packed),
                1 => zip(&[("a", &packed)]),
                _ => tar(&[("a", &packed)]),
            };
        }
        let found = open(&packed).unwrap();
        assert!(found.members.is_empty() && found.troubles[0].contains("more than 6 times"), "{:?}", found.troubles);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn damaged_archives_never_panic_and_always_end(
        kind in 0..5usize,
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..20),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let members: [(&str, &[u8]); 3] = [("a.json", TEXT.as_bytes()), ("b.json", b"[1]"), ("c.json", TEXT.as_bytes())];
        let mut packed = match kind {
            0 => zip(&members),
            1 => tar(&members),
            2 => gzip(&tar(&members)),
            3 => bzip(&tar(&members)),
            _ => zstd::encode_all(&tar(&members)[..], 1).unwrap(),
        };
        for (at, byte) in damage {
            let at = at.index(packed.len());
            packed[at] = byte;
        }
        if let Some(cut) = cut {
            packed.truncate(cut.index(packed.len()));
        }
        match open(&packed) {
            Ok(found) => prop_assert!(found.members.len() <= 8),
            Err(error) => prop_assert!(error.kind() == crate::ErrorKind::Input, "{error}"),
        }
    }
}
