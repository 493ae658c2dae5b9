//! `export`: lines import again as the same corpus, filters and samples select what they say, tables hold what the corpus
//! holds, and what is there is never half replaced. All posts here are synthetic.
#![expect(clippy::unwrap_used, reason = "helpers of a test may panic like the test itself")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use quintet_posts::export::{
    ExportFormat, ExportImages, ExportOptions, ExportReport, Sample, Selection, export, part, time,
};
use quintet_posts::progress::Silent;
use quintet_posts::town::{TownOptions, generate};
use quintet_posts::{Author, ImageRef, Mention, Place, Point};
use quintet_posts::{Component, Corpus, CorpusWriter, ErrorKind, ImportOptions, Label, Part, Post, import, parquet};

fn town(folder: &Path, posts: usize) -> Corpus {
    let into = folder.join("town");
    generate(&TownOptions { posts, ..TownOptions::default() }, &into, &Silent::default()).unwrap();
    Corpus::open(&into).unwrap()
}

fn selected(selection: Selection) -> ExportOptions {
    ExportOptions { selection, ..ExportOptions::default() }
}

fn exported(corpus: &Corpus, options: &ExportOptions, into: &Path) -> ExportReport {
    export(corpus, options, into, &Silent::default()).unwrap()
}

fn imported(from: &Path, into: &Path) -> Corpus {
    import(&[from.to_owned()], &ImportOptions::default(), into, &Silent::default()).unwrap();
    Corpus::open(into).unwrap()
}

fn sorted_labels(corpus: &Corpus) -> BTreeSet<(String, String, String, String)> {
    corpus.labels().unwrap().into_iter().map(|l| (l.kind, l.id, l.name, l.value)).collect()
}

fn images(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![root.join("images")]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(root).unwrap().to_owned(), std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

#[test]
fn a_folder_of_lines_imports_again_as_the_same_corpus() {
    let folder = tempfile::tempdir().unwrap();
    let corpus = town(folder.path(), 600);
    let out = folder.path().join("out");
    let report = exported(&corpus, &ExportOptions::default(), &out);
    assert_eq!((report.posts, report.of, report.synthetic), (600, 600, true));
    assert_eq!(report.images.missing, 0);
    let again = imported(&out, &folder.path().join("again"));
    assert!(again.posts().unwrap() == corpus.posts().unwrap(), "posts, row by row, sources and image paths included");
    assert_eq!(again.parts().unwrap(), corpus.parts().unwrap());
    assert_eq!(sorted_labels(&again), sorted_labels(&corpus));
    assert!(images(again.root()) == images(corpus.root()), "images, byte by byte");
    let (a, b) = (again.manifest(), corpus.manifest());
    assert_eq!((a.synthetic, &a.split, &a.sources), (b.synthetic, &b.split, &b.sources));
}

/// A word or nothing; sources write no empty strings.
fn word() -> impl Strategy<Value = Option<String>> {
    proptest::option::of("[^\\s\\p{C}][^\\p{C}]{0,11}[^\\s\\p{C}]")
}

fn moment() -> impl Strategy<Value = Option<jiff::Timestamp>> {
    proptest::option::of(
        (-60_000_000_000_000_000i64..250_000_000_000_000_000)
            .prop_map(|us| jiff::Timestamp::from_microsecond(us).unwrap()),
    )
}

prop_compose! {
    fn any_author()(
        id in "[a-z0-9:]{1,20}", handle in word(), name in word(), description in word(), location in word(),
        created_at in moment(), counts in any::<[Option<u64>; 4]>(), verified in any::<Option<bool>>()
    ) -> Author {
        let [followers, following, posts, listed] = counts;
        Author { id, handle, name, description, location, created_at, followers, following, posts, listed, verified }
    }
}

prop_compose! {
    fn any_place()(
        id in "[a-z0-9]{1,16}", name in word(), kind in word(), country in word(),
        bounds in proptest::option::of([-180.0..180.0f64, -90.0..90.0, -180.0..180.0, -90.0..90.0])
    ) -> Place {
        Place { id, name, kind, country, bounds }
    }
}

prop_compose! {
    fn any_post()(
        text in "\\PC{0,40}|.{0,20}", created_at in moment(), lang in word(), author in proptest::option::of(any_author()),
        hashtags in proptest::collection::vec("[\\p{L}\\p{N}_]{1,9}", 0..4), mentioned in proptest::collection::btree_set("[a-z0-9]{1,9}", 0..4),
        urls in proptest::collection::vec(("https://[a-z]{1,5}\\.example/[a-z]{0,4}", word()), 0..3),
        place in proptest::option::of(any_place()), geo in proptest::option::of((-90.0..90.0f64, -180.0..180.0f64)),
        links in [word(), word()], source in "[a-z]{1,6}"
    ) -> Post {
        let mentions = mentioned.into_iter().enumerate().map(|(i, m)| match i % 2 {
            0 => Mention { id: Some(m), handle: None },
            _ => Mention { id: None, handle: Some(m) },
        });
        let [reply_to, quote_of] = links;
        Post {
            id: String::new(), created_at, lang, text, hashtags, mentions: mentions.collect(), author, place,
            images: urls.into_iter().map(|(url, alt)| ImageRef { path: None, url: Some(url), alt }).collect(),
            geo: geo.map(|(lat, lon)| Point { lat, lon }), reply_to, quote_of, source,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_post_comes_back_as_it_was(posts in proptest::collection::vec(any_post(), 1..12)) {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = CorpusWriter::create(&folder.path().join("c"), false, false).unwrap();
        for (i, mut post) in posts.into_iter().enumerate() {
            post.id = format!("{i}");
            writer.push(post, None).unwrap();
        }
        let corpus = writer.finish().unwrap();
        for name in ["out", "out.jsonl", "out.jsonl.gz", "out.jsonl.zst"] {
            let out = folder.path().join(name);
            exported(&corpus, &ExportOptions::default(), &out);
            let again = imported(&out, &folder.path().join(format!("again-{name}")));
            prop_assert_eq!(again.posts().unwrap(), corpus.posts().unwrap());
        }
    }
}

#[test]
fn filters_hold_together_and_say_which_let_nothing_pass() {
    let folder = tempfile::tempdir().unwrap();
    let corpus = town(folder.path(), 500);
    let (all, parts) = (corpus.posts().unwrap(), corpus.parts().unwrap());
    let times: Vec<jiff::Timestamp> = all.iter().filter_map(|p| p.created_at).collect();
    let middle = times[times.len() / 2];
    let selection = Selection {
        parts: vec![part("train").unwrap(), part("none").unwrap()],
        with: vec![Component::Image, Component::Hashtags],
        from: Some(middle),
        ..Selection::default()
    };
    let out = folder.path().join("some.jsonl");
    let report = exported(&corpus, &selected(selection.clone()), &out);
    let want: Vec<&Post> = all
        .iter()
        .filter(|p| matches!(parts.get(&p.id), Some(Part::Train) | None))
        .filter(|p| !p.images.is_empty() && !p.hashtags.is_empty() && p.created_at.is_some_and(|t| t >= middle))
        .collect();
    assert!(!want.is_empty() && want.len() < all.len());
    assert_eq!(report.posts, want.len() as u64);
    let ids: Vec<String> =
        imported(&out, &folder.path().join("again")).posts().unwrap().into_iter().map(|p| p.id).collect();
    assert!(ids.iter().eq(want.iter().map(|p| &p.id)));

    let author = want[0].author.clone().unwrap();
    let by_handle =
        Selection { authors: vec![format!("@{}", author.handle.unwrap().to_uppercase())], ..Selection::default() };
    let by_id = Selection { authors: vec![author.id], ..Selection::default() };
    let count =
        |selection| exported(&corpus, &selected(selection), &folder.path().join(format!("{}.jsonl", rand()))).posts;
    assert_eq!(count(by_handle), count(by_id));
    let until = Selection { until: Some(middle), ..Selection::default() };
    let from = Selection { from: Some(middle), ..Selection::default() };
    assert_eq!(count(until) + count(from), times.len() as u64, "no post is in both halves or in none");

    let nothing = Selection { until: Some(time("1999-01-01").unwrap()), ..selection };
    let error = export(&corpus, &selected(nothing), &folder.path().join("x"), &Silent::default()).unwrap_err();
    assert!(error.what().contains(&format!("none of {} passes `until`", want.len())), "{error}");
    assert!(!folder.path().join("x").exists());
}

/// A new name each time.
fn rand() -> usize {
    static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

#[test]
fn languages_include_their_regions() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = CorpusWriter::create(&folder.path().join("c"), false, false).unwrap();
    for (i, lang) in
        [Some("en"), Some("en-GB"), Some("EN_us"), Some("eng"), Some("pt-BR"), None].into_iter().enumerate()
    {
        let post = Post { id: i.to_string(), lang: lang.map(str::to_owned), ..Post::default() };
        writer.push(post, None).unwrap();
    }
    let corpus = writer.finish().unwrap();
    let count = |languages: &[&str]| {
        let languages = languages.iter().map(|l| (*l).to_owned()).collect();
        let out = folder.path().join(format!("{}.jsonl", rand()));
        exported(&corpus, &selected(Selection { languages, ..Selection::default() }), &out).posts
    };
    assert_eq!((count(&["en"]), count(&["en-gb", "pt"]), count(&["pt-pt", "en"])), (3, 2, 3));
}

#[test]
fn samples_have_their_size_depend_on_the_seed_and_nest() {
    let folder = tempfile::tempdir().unwrap();
    let corpus = town(folder.path(), 1000);
    let ids = |sample, seed| {
        let out = folder.path().join(format!("{}.jsonl", rand()));
        exported(&corpus, &selected(Selection { sample: Some(sample), seed, ..Selection::default() }), &out);
        let text = std::fs::read_to_string(out).unwrap();
        let id = |line: &str| serde_json::from_str::<Post>(line).unwrap().id;
        text.lines().map(id).collect::<BTreeSet<String>>()
    };
    let hundred = ids(Sample::Posts(100), 1);
    assert_eq!(hundred.len(), 100);
    assert_eq!(hundred, ids(Sample::Posts(100), 1));
    assert_ne!(hundred, ids(Sample::Posts(100), 2));
    assert!(ids(Sample::Posts(10), 1).is_subset(&hundred));
    assert_eq!(ids(Sample::Posts(5000), 1).len(), 1000);
    // 300 +- 14.5: five standard deviations.
    let share = ids(Sample::Share(0.3), 1);
    assert!(share.len().abs_diff(300) < 73, "{}", share.len());
    assert!(hundred.is_subset(&share));
}

#[test]
fn a_table_holds_the_chosen_columns_of_the_chosen_posts() {
    let folder = tempfile::tempdir().unwrap();
    let corpus = town(folder.path(), 300);
    let out = folder.path().join("all.parquet");
    let report = exported(&corpus, &ExportOptions::default(), &out);
    assert!(report.columns.iter().any(|c| c == "label_author_bot") && report.columns.iter().any(|c| c == "part"));
    // Readable as a table of posts; paths of images are absolute, because the table stands elsewhere.
    let mut want = corpus.posts().unwrap();
    let root = std::fs::canonicalize(corpus.root()).unwrap();
    for image in want.iter_mut().flat_map(|p| &mut p.images) {
        image.path = image.path.take().map(|p| root.join(p).to_string_lossy().into_owned());
    }
    let read: Vec<Post> = parquet::read(&out, 100).unwrap().flat_map(Result::unwrap).collect();
    assert!(read == want);

    let some = |columns: &[&str]| ExportOptions {
        columns: Some(columns.iter().map(|c| (*c).to_owned()).collect()),
        images: Some(ExportImages::None),
        ..ExportOptions::default()
    };
    let few = folder.path().join("few.parquet");
    assert_eq!(exported(&corpus, &some(&["text", "id", "part"]), &few).columns, ["id", "text", "part"]);
    assert!(parquet::read(&few, 10).is_err(), "without `source` it is no table of posts");
    let error = export(&corpus, &some(&["txt"]), &folder.path().join("x.parquet"), &Silent::default()).unwrap_err();
    assert!(error.what().contains("txt") && error.way_out().is_some_and(|h| h.contains("text, ")), "{error}");
}

#[test]
fn a_folder_for_datasets_has_shards_a_split_and_a_card() {
    let folder = tempfile::tempdir().unwrap();
    let corpus = town(folder.path(), 2500);
    let out = folder.path().join("hub");
    let options =
        ExportOptions { format: Some(ExportFormat::HuggingFace), shard_bytes: 1 << 20, ..ExportOptions::default() };
    let report = exported(&corpus, &options, &out);
    assert!(report.images.taken > 0 && report.images.missing == 0);
    let shards: Vec<&String> = report.files.keys().filter(|f| f.starts_with("data/train-")).collect();
    assert!(shards.len() > 1, "{shards:?}");
    assert!(shards.iter().all(|s| s.ends_with(&format!("-of-{:05}.parquet", shards.len()))), "{shards:?}");
    let mut read = 0;
    for shard in report.files.keys().filter(|f| f.ends_with(".parquet")) {
        read += parquet::count(&out.join(shard)).unwrap();
    }
    assert_eq!(read, 2500);
    let card = std::fs::read_to_string(out.join("README.md")).unwrap();
    for part in [
        "- split: validation\n    path: data/validation-*.parquet\n",
        "- synthetic\n",
        "**Synthetic posts**",
        "| `image` | ",
    ] {
        assert!(card.contains(part), "{part}\n{card}");
    }
}

#[test]
fn what_is_there_gives_way_only_to_a_whole_export_and_only_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let corpus = town(folder.path(), 100);
    let (out, thesis) = (folder.path().join("out"), folder.path().join("thesis"));
    std::fs::create_dir(&thesis).unwrap();
    std::fs::write(thesis.join("thesis.tex"), "x").unwrap();
    let replacing = ExportOptions { replace: true, ..ExportOptions::default() };
    exported(&corpus, &ExportOptions::default(), &out);
    let fails = |options: &ExportOptions, into: &Path| export(&corpus, options, into, &Silent::default()).unwrap_err();
    assert!(fails(&ExportOptions::default(), &out).way_out().is_some_and(|h| h.contains("--replace")));
    fails(&replacing, &thesis);
    fails(&replacing, corpus.root());
    let stop = Silent::default();
    stop.stop();
    let error = export(&corpus, &replacing, &out, &stop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    assert!(out.join("posts.jsonl.gz").is_file(), "the old export is whole");
    let small =
        ExportOptions { selection: Selection { sample: Some(Sample::Posts(3)), ..Selection::default() }, ..replacing };
    assert_eq!(exported(&corpus, &small, &out).posts, 3);
    let left: BTreeSet<String> =
        std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(left, ["out", "thesis", "town"].map(str::to_owned).into(), "nothing is left beside");
    let file = folder.path().join("posts.jsonl");
    std::fs::write(&file, "mine").unwrap();
    fails(&ExportOptions::default(), &file);
    assert_eq!(std::fs::read(&file).unwrap(), b"mine");
}

#[test]
fn images_are_copied_linked_or_left_and_missing_ones_counted() {
    let folder = tempfile::tempdir().unwrap();
    let linked = folder.path().join("elsewhere.png");
    image::RgbImage::from_pixel(2, 2, image::Rgb([9, 9, 9])).save(&linked).unwrap();
    let mut writer = CorpusWriter::create(&folder.path().join("c"), false, false).unwrap();
    let image = |path: &str| ImageRef { path: Some(path.into()), url: Some("https://x.example/i".into()), alt: None };
    let images = vec![image(linked.to_str().unwrap()), image("images/gone.png")];
    writer.push(Post { id: "1".into(), images, source: "s".into(), ..Post::default() }, None).unwrap();
    writer.label(Label { kind: "post".into(), id: "1".into(), name: "mood".into(), value: "glad".into() });
    writer.label(Label { kind: "post".into(), id: "1".into(), name: "mood".into(), value: "sad".into() });
    writer.label(Label { kind: "author".into(), id: "nobody".into(), name: "bot".into(), value: "no".into() });
    let corpus = writer.finish().unwrap();
    let paths = |images| {
        let out = folder.path().join(format!("{}", rand()));
        let report = exported(&corpus, &ExportOptions { images, ..ExportOptions::default() }, &out);
        assert_eq!(report.labels, 2, "labels of what is not exported stay behind");
        let post = imported(&out, &folder.path().join(format!("again{}", rand()))).posts().unwrap().remove(0);
        (report.images, post.images.into_iter().map(|i| i.path).collect::<Vec<_>>())
    };
    let (counts, copied) = paths(None);
    assert_eq!((counts.taken, counts.missing), (1, 1));
    assert!(copied[0].as_deref().is_some_and(|p| p.starts_with("images/linked/") && p.ends_with("-elsewhere.png")));
    // A file that is not there is left to its address by import, so that it can be fetched.
    assert_eq!((copied.len(), copied[1].as_deref()), (2, None));
    assert_eq!(paths(Some(ExportImages::None)).1, [None, None]);
    let error = export(
        &corpus,
        &ExportOptions { images: Some(ExportImages::Embed), ..ExportOptions::default() },
        &folder.path().join("x"),
        &Silent::default(),
    );
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Config);
}
