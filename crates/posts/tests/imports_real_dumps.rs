//! The prepared sets of real posts import with the counts that their descriptions state.
#![expect(clippy::unwrap_used, reason = "helpers of a test may panic like the test itself")]

use std::path::{Path, PathBuf};

use quintet_posts::progress::Silent;
use quintet_posts::{Corpus, ImportOptions, ImportReport, Part, import};

fn data() -> Option<PathBuf> {
    let root = std::env::var_os("QUINTET_DATA")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")), PathBuf::from);
    if !root.join("btc").is_dir() {
        eprintln!("SKIPPED: {} does not hold the data sets (set QUINTET_DATA)", root.display());
        return None;
    }
    Some(root)
}

fn import_sets(names: &[&str], images: &str) -> Option<(ImportReport, Corpus, tempfile::TempDir)> {
    let root = data()?;
    let inputs: Vec<PathBuf> = names.iter().map(|n| root.join(n)).collect();
    let folder = tempfile::tempdir().unwrap();
    let into = folder.path().join("corpus");
    let options = ImportOptions { images: images.parse().unwrap(), ..ImportOptions::default() };
    let start = std::time::Instant::now();
    let report = import(&inputs, &options, &into, &Silent::default()).unwrap();
    let seconds = start.elapsed().as_secs_f64();
    let r = report.rows;
    assert_eq!(r.read, r.imported + r.merged + r.rejected + r.messages);
    let packed = if inputs[0].is_dir() { size(&inputs[0]) } else { 0.0 };
    eprintln!("{names:?}: {seconds:.2} s, {:.1} MB/s of files as packed\n{report}", packed / seconds / 1e6);
    Some((report, Corpus::open(&into).unwrap(), folder))
}

/// Bytes of a folder's files of posts.
fn size(folder: &Path) -> f64 {
    let files = std::fs::read_dir(folder).unwrap().flatten().map(|e| e.metadata().unwrap());
    files.filter(|m| m.is_file()).map(|m| m.len() as f64).sum()
}

/// Posts with text, image, hashtags, location and user.
fn components(report: &ImportReport) -> Vec<u64> {
    report.summary.components.iter().map(|c| c.posts).collect()
}

fn parts(report: &ImportReport) -> [u64; 2] {
    [Part::Train, Part::Dev].map(|p| report.parts.get(&p).copied().unwrap_or(0))
}

#[test]
fn btc() {
    let Some((report, ..)) = import_sets(&["btc"], "copy") else { return };
    assert_eq!((report.rows.read, report.rows.imported), (974, 974));
    assert_eq!((report.summary.posts, report.summary.authors), (974, 913));
    let [_, image, hashtags, location, user] = components(&report)[..] else { panic!("five components") };
    assert_eq!((image, hashtags, location, user, report.summary.profile_location), (111, 419, 31, 974, 875));
}

#[test]
fn rumoureval() {
    let Some((report, corpus, _folder)) = import_sets(&["rumoureval"], "copy") else { return };
    assert_eq!((report.rows.read, report.summary.posts, report.summary.authors), (4238, 4238, 2887));
    let [_, image, hashtags, location, _] = components(&report)[..] else { panic!("five components") };
    assert_eq!((hashtags, image, location, report.summary.profile_location), (861, 397, 203, 3099));
    assert_eq!(parts(&report), [3461, 777]);
    assert_eq!(report.labels["post stance"]["comment"], 2734);
    assert_eq!(report.labels["post veracity"].values().sum::<u64>(), 272);
    assert_eq!(corpus.labels().unwrap().len(), 4238 + 272);
    let answers = corpus.posts().unwrap().iter().filter(|p| p.reply_to.is_some()).count();
    assert!(answers > 3500, "the reply graph is there: {answers}");
}

#[test]
fn mvsa_and_vmu() {
    let Some((report, corpus, _folder)) = import_sets(&["mvsa", "vmu"], "copy") else { return };
    assert_eq!((report.summary.posts, report.rows.rejected), (3800 + 1932, 0));
    assert_eq!(report.images.taken, 3800 + 48);
    assert_eq!(parts(&report), [3230 + 1657, 570 + 275]);
    assert_eq!(components(&report)[1], 3800 + 1932);
    assert_eq!(report.summary.authors, 1826);
    assert_eq!(report.labels["post sentiment"].values().sum::<u64>(), 3118);
    assert_eq!((report.labels["post label"]["real"], report.labels["post event"]["nepal"]), (1215, 1360));
    let posts = corpus.posts().unwrap();
    assert!(posts.iter().all(|p| corpus.image_path(&p.images[0]).is_some_and(|i| i.is_file())));
    let with_tags = |s: &str| posts.iter().filter(|p| p.source == s && !p.hashtags.is_empty()).count();
    let with_mention = |s: &str| posts.iter().filter(|p| p.source == s && !p.mentions.is_empty()).count();
    eprintln!(
        "tags {} {}, mentions {} {}",
        with_tags("mvsa"),
        with_tags("vmu"),
        with_mention("mvsa"),
        with_mention("vmu")
    );
    // The descriptions count with other rules (1,855 and 813 posts with a tag); ours are within 2 %.
    assert!(with_tags("mvsa").abs_diff(1855) <= 37 && with_tags("vmu").abs_diff(813) <= 16);
}

#[test]
fn pan19() {
    let Some((report, ..)) = import_sets(&["pan19"], "copy") else { return };
    assert_eq!((report.summary.posts, report.summary.authors), (288_000, 2880));
    assert_eq!(parts(&report), [244_800, 43_200]);
    assert_eq!((report.labels["author label"]["bot"], report.labels["author label"]["human"]), (1440, 1440));
    assert!(components(&report)[2].abs_diff(44_938) < 900, "posts with a tag: {}", components(&report)[2]);
}

#[test]
fn geotext3() {
    let Some((report, ..)) = import_sets(&["geotext3"], "copy") else { return };
    assert_eq!((report.summary.posts, report.summary.authors), (20_508 + 32_977, 477 + 802));
    assert_eq!(parts(&report).iter().sum::<u64>(), 20_508);
    assert_eq!(report.no_part, 32_977);
    assert_eq!(report.labels["author label"]["Georgia"], 78);
}

#[test]
fn flickr8k() {
    let Some((report, ..)) = import_sets(&["flickr8k"], "link") else { return };
    assert_eq!((report.summary.posts, report.images.taken), (35_000, 7000));
    assert_eq!(parts(&report), [30_000, 5000]);
}

#[test]
fn a_search_answer_and_recorded_examples() {
    let names = ["fixtures/simdjson/twitter.json", "fixtures/tweet_parser"];
    let Some((report, corpus, _folder)) = import_sets(&names, "copy") else { return };
    let search = &report.sources[0].files[0];
    assert_eq!((search.read, search.rejected, search.format.as_str()), (100, 0, "x-v1"));
    // The examples in the Activity Streams format are refused; `imports_fixtures.rs` counts every file.
    assert_eq!(report.rows.rejected, 26);
    // 27 tweets and 15 others inside their 73 retweets; then the examples of the second folder.
    assert_eq!((corpus.manifest().sources["twitter"], report.rows.read), (27 + 15, 100 + 76));
}
