//! The synthetic town keeps its word: same seed, same bytes; the truth fits the posts.
#![expect(clippy::unwrap_used, reason = "helpers of a test may panic like the test itself")]

use std::collections::BTreeMap;
use std::path::Path;

use quintet_posts::component::Component;
use quintet_posts::progress::Silent;
use quintet_posts::town::{TownOptions, generate};
use quintet_posts::{Corpus, Part};

fn options(posts: usize, seed: u64) -> TownOptions {
    TownOptions { posts, seed, ..TownOptions::default() }
}

fn town(into: &Path, options: &TownOptions) -> Corpus {
    generate(options, into, &Silent::default()).unwrap();
    Corpus::open(into).unwrap()
}

/// Path and content of every file, in order.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next).unwrap().map(|e| e.unwrap().path()) {
            if entry.is_dir() {
                open.push(entry);
            } else {
                let name = entry.strip_prefix(folder).unwrap().display().to_string();
                found.insert(name, std::fs::read(entry).unwrap());
            }
        }
    }
    found
}

#[test]
fn same_seed_same_bytes_on_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let make = |name: &str, seed, threads| {
        let into = folder.path().join(name);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| town(&into, &options(200, seed)));
        files(&into)
    };
    let first = make("a", 5, 1);
    assert!(first.len() > 100, "posts, truth and images");
    assert!(first == make("b", 5, 3), "the same seed gave other bytes");
    assert!(first["posts.parquet"] != make("c", 6, 2)["posts.parquet"], "another seed gave the same posts");
}

#[test]
fn the_truth_fits_the_posts() {
    let folder = tempfile::tempdir().unwrap();
    let corpus = town(&folder.path().join("t"), &options(600, 2));
    let posts = corpus.posts().unwrap();
    let parts = corpus.parts().unwrap();
    assert!(corpus.manifest().synthetic && corpus.manifest().name.contains("synthetic"));
    assert_eq!(posts.len(), 600);
    assert!(posts.windows(2).all(|w| w[0].created_at < w[1].created_at), "posts are in order of time");
    let count = |part| parts.values().filter(|&&p| p == part).count();
    assert_eq!([count(Part::Train), count(Part::Dev), count(Part::Test)], [480, 60, 60]);

    let mut truth = csv::Reader::from_path(corpus.root().join("truth.csv")).unwrap();
    let rows: Vec<BTreeMap<String, String>> = truth.deserialize().map(Result::unwrap).collect();
    assert_eq!(rows.len(), posts.len());
    let mut named = 0;
    for (row, post) in rows.iter().zip(&posts) {
        assert_eq!(row["post_id"], post.id);
        assert_eq!(row["shown_hashtags"].is_empty(), post.hashtags.is_empty());
        assert_eq!(row["shown_image"].is_empty(), post.images.is_empty());
        assert!(post.images.iter().all(|i| corpus.image_path(i).is_some_and(|p| image::open(p).is_ok())));
        assert!(post.hashtags.iter().all(|tag| post.text.contains(&format!("#{tag}"))));
        assert!(!post.text.trim().is_empty() && post.author.is_some());
        let has_words = post.text.split(' ').any(|w| !w.starts_with(['#', '@']) && !w.starts_with("https:"));
        assert!(has_words || row["shown_text"].is_empty());
        named += usize::from(post.text.contains(&row["entity"]));
    }
    // 0.9 of the posts have words, 0.8 tags; about 0.9 of them name the hidden entity.
    assert!((420..=600).contains(&named), "{named} of 600 posts name their entity");
    let labels = corpus.labels().unwrap();
    assert!(labels.iter().any(|l| l.value == "human") && labels.iter().any(|l| l.value != "human"));
}

#[test]
fn missing_shares_are_as_asked() {
    let folder = tempfile::tempdir().unwrap();
    let mut wanted = options(1000, 3);
    wanted.missing[Component::Hashtags] = 0.5;
    wanted.images = 0;
    let report = generate(&wanted, &folder.path().join("t"), &Silent::default()).unwrap();
    assert!((430..570).contains(&report.present[Component::Hashtags]), "{:?}", report.present);
    assert_eq!(report.present[Component::Image], 0);
    assert_eq!(report.present[Component::User], 1000);
    wanted.missing[Component::Text] = 2.0;
    assert!(generate(&wanted, &folder.path().join("u"), &Silent::default()).is_err());
}
