//! Every record read becomes a post, joins one, is another message, or is rejected with a reason; nothing panics.
//! All posts here are synthetic.
#![expect(clippy::unwrap_used, reason = "helpers of a test may panic like the test itself")]

use std::io::Write;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use quintet_posts::carry::Images;
use quintet_posts::corpus::Corpus;
use quintet_posts::progress::Silent;
use quintet_posts::{ErrorKind, Result};
use quintet_posts::{ImportOptions, ImportReport, Part, Post, import};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn import_into(folder: &Path, inputs: &[PathBuf], options: &ImportOptions) -> Result<(ImportReport, Vec<Post>)> {
    let into = folder.join("corpus");
    let report = import(inputs, options, &into, &Silent::default())?;
    let r = report.rows;
    assert_eq!(r.read, r.imported + r.merged + r.rejected + r.messages, "{r:?}");
    let posts = Corpus::open(&into)?.posts()?;
    assert_eq!(posts.len() as u64, r.imported + r.quoted - r.deleted, "{r:?}");
    assert_eq!(report.summary.posts, posts.len() as u64);
    Ok((report, posts))
}

fn post<'a>(posts: &'a [Post], id: &str) -> &'a Post {
    posts.iter().find(|p| p.id == id).unwrap_or_else(|| panic!("no post {id}"))
}

#[test]
fn a_stream_with_every_oddity_is_accounted_for() {
    let folder = tempfile::tempdir().unwrap();
    let (report, posts) =
        import_into(folder.path(), &[fixture("x_v1_stream.jsonl")], &ImportOptions::default()).unwrap();
    let r = report.rows;
    assert_eq!((r.read, r.imported, r.merged, r.rejected, r.messages), (23, 9, 2, 6, 6), "{report}");
    assert_eq!((r.reposts, r.quoted, r.deleted), (2, 1, 1));
    let lines: Vec<u64> = report.rejected.iter().map(|l| l.line).collect();
    assert_eq!(lines, [12, 17, 18, 19, 20, 23], "{report}");
    assert!(report.rejected[0].reason.contains("float"));
    assert_eq!(report.messages["unknown (newkind)"], 1);
    assert_eq!(report.ignored_fields["surprise"], 1);
    let id = |n: u32| format!("11000000000000000{n:02}");
    assert_eq!(post(&posts, &id(1)).reply_to.as_deref(), Some("42"), "a later copy fills in");
    assert_eq!(post(&posts, &id(6)).text, "the whole long text of it all");
    assert_eq!(post(&posts, &id(5)).quote_of, Some(id(20)));
    assert!(post(&posts, &id(9)).place.is_none() && post(&posts, &id(9)).geo.is_none(), "scrubbed");
    assert!(!posts.iter().any(|p| p.id == id(3)), "deleted");
    assert!(post(&posts, &id(8)).author.is_none());
    assert_eq!(posts.iter().filter(|p| p.id == id(10)).count(), 1, "the reposted post once");
}

#[test]
fn our_own_format_reads_every_field() {
    let folder = tempfile::tempdir().unwrap();
    let (report, posts) = import_into(folder.path(), &[fixture("native.jsonl")], &ImportOptions::default()).unwrap();
    let r = report.rows;
    assert_eq!((r.read, r.imported, r.merged, r.rejected), (9, 5, 1, 3), "{report}");
    let first = post(&posts, "n1");
    assert_eq!((first.hashtags[0].as_str(), first.mentions[0].handle.as_deref()), ("Köln", Some("Ann")));
    let second = post(&posts, "n2");
    assert_eq!((second.images.len(), second.hashtags.len(), second.mentions.len()), (2, 2, 2));
    assert_eq!(second.created_at, "2020-03-04T19:00:08.123456Z".parse().ok());
    let third = post(&posts, "n3");
    assert_eq!(third.place.as_ref().and_then(|p| p.bounds), Some([1.0, 2.0, 3.0, 4.0]));
    assert_eq!((third.lang.as_deref(), third.text.as_str()), (Some("en"), "all of it"));
    assert_eq!(post(&posts, "7").text, "a number as id");
    let unusable: Vec<&str> = report.unusable_fields.keys().map(String::as_str).collect();
    assert_eq!(unusable, ["author", "created_at", "geo"]);
    assert_eq!(report.images.missing, 1);
}

#[test]
fn a_list_and_several_inputs_make_one_corpus() {
    let folder = tempfile::tempdir().unwrap();
    let inputs = ["x_v1_list.json", "native.jsonl", "x_v1_list.json"].map(fixture);
    let options = ImportOptions { rest: Some(Part::Train), ..ImportOptions::default() };
    let (report, posts) = import_into(folder.path(), &inputs, &options).unwrap();
    assert_eq!((report.rows.imported, report.rows.merged), (7, 3), "{report}");
    assert_eq!(post(&posts, "1200000000000000002").text, "the full text");
    assert_eq!(report.parts[&Part::Train], 7);
    let corpus = Corpus::open(&folder.path().join("corpus")).unwrap();
    assert_eq!(corpus.manifest().sources["x_v1_list"], 2);
}

#[test]
fn strict_ends_at_the_first_bad_line_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let options = ImportOptions { strict: true, ..ImportOptions::default() };
    let error = import_into(folder.path(), &[fixture("x_v1_stream.jsonl")], &options).unwrap_err();
    assert!(error.place().is_some_and(|p| p.ends_with("x_v1_stream.jsonl:12")), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn an_interrupted_import_leaves_the_old_corpus_whole() {
    let folder = tempfile::tempdir().unwrap();
    let into = folder.path().join("corpus");
    import(&[fixture("native.jsonl")], &ImportOptions::default(), &into, &Silent::default()).unwrap();
    let progress = Silent::default();
    progress.stop();
    let options = ImportOptions { replace: true, ..ImportOptions::default() };
    let error = import(&[fixture("x_v1_list.json")], &options, &into, &progress).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    assert_eq!(Corpus::open(&into).unwrap().len(), 5);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// A folder in the shape of the prepared sets.
fn set(root: &Path, name: &str, label: &str) -> PathBuf {
    let folder = root.join(name);
    std::fs::create_dir_all(folder.join("images")).unwrap();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for i in 0..4 {
        let line = format!(
            r#"{{"id":"{i}","text":"{name} {i}","images":["images/{i}.jpg"],"author":{{"id":"{name}{}"}}}}"#,
            i / 2
        );
        writeln!(packed, "{line}").unwrap();
    }
    std::fs::write(folder.join("posts.jsonl.gz"), packed.finish().unwrap()).unwrap();
    std::fs::write(folder.join("images/0.jpg"), b"\xff\xd8\xff\xe0").unwrap();
    std::fs::write(folder.join("images/1.jpg"), b"nothing").unwrap();
    std::fs::write(folder.join("splits.csv"), format!("author_id,split\n{name}0,train\n{name}1,dev\nnobody,test\n"))
        .unwrap();
    std::fs::write(folder.join("labels.csv"), format!("post_id,{label}\n0,yes\n1,no\n9,no\n")).unwrap();
    std::fs::write(folder.join("README.md"), "text").unwrap();
    folder
}

#[test]
fn a_folder_brings_parts_labels_and_images_and_equal_ids_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let inputs = [set(folder.path(), "one", "label"), set(folder.path(), "two", "label")];
    let (report, posts) = import_into(folder.path(), &inputs, &ImportOptions::default()).unwrap();
    assert_eq!((report.parts[&Part::Train], report.parts[&Part::Dev], report.no_part), (4, 4, 0), "{report}");
    assert_eq!((report.images.taken, report.images.broken, report.images.missing), (2, 2, 4));
    assert_eq!(report.labels_unmatched, 2);
    assert_eq!(report.sources[1].splits_unmatched, 1);
    assert!(report.problems.iter().any(|p| p.starts_with("4 posts had the id of another")), "{report}");
    let corpus = Corpus::open(&folder.path().join("corpus")).unwrap();
    let labels = corpus.labels().unwrap();
    assert!(labels.iter().any(|l| l.id == "two/1" && l.name == "two.label" && l.value == "no"));
    assert_eq!(corpus.parts().unwrap()["two/3"], Part::Dev);
    let image = corpus.image_path(&post(&posts, "two/0").images[0]).unwrap();
    assert!(image.ends_with("images/two/0.jpg") && image.is_file());
    let options = ImportOptions { images: Images::Link, replace: true, ..ImportOptions::default() };
    let (_, linked) = import_into(folder.path(), &inputs[..1], &options).unwrap();
    assert!(Path::new(linked[0].images[0].path.as_deref().unwrap()).is_absolute());
}

#[test]
fn files_that_are_no_dump_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let deep = [b"[".repeat(100_000), b"\n".to_vec()].concat();
    let deep_object = [br#"{"id":"#.repeat(5000), b"\n".to_vec()].concat();
    let binary: Vec<u8> = (0..100_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for (name, bytes) in [("deep", &deep), ("deep_object", &deep_object), ("binary", &binary), ("empty", &Vec::new())] {
        let error = import_into(folder.path(), &[write(name, bytes)], &ImportOptions::default()).unwrap_err();
        let said = ["no known format", "holds no records"].iter().any(|s| error.what().contains(s));
        assert!(said && error.way_out().is_some_and(|h| h.contains("native")), "{name}: {error}");
    }
    let missing = import_into(folder.path(), &[folder.path().join("nowhere")], &ImportOptions::default()).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::Io);
}

#[test]
fn the_number_of_threads_changes_no_byte() {
    let folder = tempfile::tempdir().unwrap();
    let many: String =
        (0..20_000).map(|i| format!("{{\"id\":\"{}\",\"text\":\"post {i} #tag{}\"}}\n", i % 15_000, i % 7)).collect();
    let path = folder.path().join("many.jsonl");
    std::fs::write(&path, many).unwrap();
    let with = |threads: usize| {
        let into = folder.path().join(format!("c{threads}"));
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let inputs = [path.clone()];
        let report = pool.install(|| import(&inputs, &ImportOptions::default(), &into, &Silent::default())).unwrap();
        (serde_json::to_string(&report).unwrap(), std::fs::read(into.join("posts.parquet")).unwrap())
    };
    let (one, three) = (with(1), with(3));
    assert_eq!(one.0, three.0);
    assert!(one.1 == three.1, "the tables differ");
}

#[test]
fn a_format_that_is_named_reads_what_would_be_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.jsonl");
    let lines: String = (0..300).map(|i| format!("{{\"id\":\"{i}\",\"text\":\"x\"}}\n")).collect();
    std::fs::write(&path, lines).unwrap();
    let with = |name: &str, format: Option<&str>| {
        let options = ImportOptions { format: format.map(str::to_owned), ..ImportOptions::default() };
        import_into(&folder.path().join(name), std::slice::from_ref(&path), &options).unwrap()
    };
    let ((found, posts), (named, same)) = (with("a", None), with("b", Some("native")));
    assert_eq!((found.rows.read, named.rows, posts.len()), (300, found.rows, 300));
    assert_eq!(posts, same);
}

#[test]
fn a_long_line_and_a_cut_file_lose_only_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("long.jsonl.gz");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writeln!(packed, r#"{{"id":"1","text":"a"}}"#).unwrap();
    writeln!(packed, r#"{{"id":"2","text":"{}"}}"#, "x".repeat(17 << 20)).unwrap();
    writeln!(packed, "{{\"id\":\"3\",\"text\":\"c\"}}\n{{\"id\":\"4\"").unwrap();
    let mut bytes = packed.finish().unwrap();
    bytes.truncate(bytes.len() - 9);
    std::fs::write(&path, bytes).unwrap();
    let (report, posts) = import_into(folder.path(), &[path], &ImportOptions::default()).unwrap();
    assert!(posts.iter().any(|p| p.id == "1"));
    assert!(report.rejected.iter().any(|r| r.line == 2 && r.reason.contains("longer than 16 MiB")), "{report}");
    assert!(report.problems.iter().any(|p| p.contains("breaks off")), "{report}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn damaged_dumps_never_panic_and_add_up(
        (name, format) in prop_oneof![
            Just(("x_v1_stream.jsonl", "x-v1")), Just(("native.jsonl", "native")), Just(("x_v1_list.json", "x-v1")),
            Just(("bluesky_jetstream.jsonl", "bluesky")), Just(("bluesky_api.json", "bluesky")), Just(("bluesky_repo.car", "bluesky")),
            Just(("mastodon_stream.jsonl", "mastodon")), Just(("mastodon_outbox.json", "mastodon")),
        ],
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = std::fs::read(fixture(name)).unwrap();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dump");
        std::fs::write(&path, bytes).unwrap();
        let format = Some(format.to_owned());
        let options = ImportOptions { format, ..ImportOptions::default() };
        if let Err(error) = import_into(folder.path(), &[path], &options) {
            prop_assert!(error.what().contains("holds no records"), "{error}");
        }
    }
}
