//! `check` finds what would void a result, each kind in a small corpus made for it, and is silent on a clean one.
#![expect(clippy::unwrap_used, reason = "helpers of a test may panic like the test itself")]

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use quintet_posts::check::{CheckReport, Severity, Topic, check};
use quintet_posts::progress::Silent;
use quintet_posts::town::{TownOptions, generate};
use quintet_posts::{Author, Corpus, CorpusWriter, ImageRef, Label, Part, Post};

/// Sentences that share no word.
const TEXTS: [&str; 6] = [
    "grey geese cross winter fields slowly",
    "my brother repairs old wooden clocks",
    "tonight nobody sells fresh lemon cake",
    "three tall ladders lean against barns",
    "loud trains wake sleeping river towns",
    "her violin needs another silver string",
];

/// Two posts in each part, every one by its own author, in order of time, with its own text and image.
fn clean() -> Vec<(Post, Part)> {
    let parts = [Part::Train, Part::Train, Part::Dev, Part::Dev, Part::Test, Part::Test];
    let post = |(i, part): (usize, Part)| {
        let image = ImageRef { path: Some(format!("images/{i}.png")), url: None, alt: None };
        let post = Post {
            id: format!("{i}"),
            created_at: Some(Timestamp::UNIX_EPOCH + SignedDuration::from_hours(i as i64)),
            text: TEXTS[i].into(),
            images: vec![image],
            author: Some(Author { id: format!("u{i}"), ..Author::default() }),
            source: "test".into(),
            ..Post::default()
        };
        (post, part)
    };
    parts.into_iter().enumerate().map(post).collect()
}

fn checked(posts: Vec<(Post, Part)>, split: &str, prepare: impl FnOnce(&mut CorpusWriter)) -> CheckReport {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = CorpusWriter::create(&folder.path().join("c"), false, false).unwrap();
    writer.manifest_mut().split = Some(split.into());
    std::fs::create_dir(writer.root().join("images")).unwrap();
    for (post, part) in posts {
        let name = post.images.first().and_then(|i| i.path.clone()).unwrap_or_default();
        if name.ends_with(".png") {
            let shade = name.bytes().fold(0u8, |a, b| a.wrapping_mul(31).wrapping_add(b));
            image::RgbImage::from_pixel(4, 4, image::Rgb([shade, 0, 0])).save(writer.root().join(name)).unwrap();
        }
        writer.push(post, Some(part)).unwrap();
    }
    prepare(&mut writer);
    check(&writer.finish().unwrap(), &Silent::default()).unwrap()
}

fn found(report: &CheckReport) -> Vec<(Severity, Topic)> {
    report.findings.iter().map(|f| (f.severity, f.topic)).collect()
}

const RULE: &str = "by time: 2h,2h,2h";

#[test]
fn a_clean_corpus_is_met_with_silence() {
    let report = checked(clean(), RULE, |_| {});
    assert_eq!(found(&report), []);
    assert!(!report.has_void() && report.to_string().contains("nothing found"));
    assert_eq!(report.parts[0].combinations["text+image+user"], 2);
}

#[test]
fn an_image_in_two_parts_is_found_by_content() {
    let report = checked(clean(), RULE, |writer| {
        std::fs::copy(writer.root().join("images/0.png"), writer.root().join("images/4.png")).unwrap();
    });
    assert_eq!(found(&report), [(Severity::Void, Topic::SharedImages)]);
    assert_eq!(report.duplicates.images, 1);
}

#[test]
fn a_text_in_two_parts_is_found_in_any_dress() {
    let mut posts = clean();
    posts[2].0.text = format!("RT @u0: {}! #geese https://t.example/1", TEXTS[0].to_uppercase());
    let report = checked(posts, RULE, |_| {});
    assert_eq!(found(&report), [(Severity::Void, Topic::SharedTexts), (Severity::Warning, Topic::NearTexts)]);
}

#[test]
fn a_near_duplicate_is_a_warning_and_a_stock_phrase_is_nothing() {
    let mut posts = clean();
    posts[5].0.text = format!("{} again", TEXTS[1]);
    posts[0].0.text = "good morning".into();
    posts[2].0.text = "Good morning!".into();
    let report = checked(posts, RULE, |_| {});
    assert_eq!(found(&report), [(Severity::Warning, Topic::NearTexts)]);
    assert_eq!((report.duplicates.texts, report.duplicates.short_texts), (0, 2));
}

#[test]
fn a_shared_author_voids_only_a_split_by_author() {
    let mut posts = clean();
    posts[4].0.author = posts[0].0.author.clone();
    assert_eq!(found(&checked(posts.clone(), RULE, |_| {})), [(Severity::Warning, Topic::SharedAuthors)]);
    let by_author = checked(posts, "by author: 8:1:1, seed 1", |_| {});
    assert_eq!(found(&by_author), [(Severity::Void, Topic::SharedAuthors)]);
}

#[test]
fn a_post_in_two_parts_is_found() {
    let mut posts = clean();
    posts[5].0.id = posts[0].0.id.clone();
    let report = checked(posts, "file", |_| {});
    assert!(found(&report).contains(&(Severity::Void, Topic::SamePost)), "{report}");
}

#[test]
fn parts_by_time_must_follow_each_other() {
    let mut posts = clean();
    posts[0].1 = Part::Dev;
    posts[2].1 = Part::Train;
    assert_eq!(found(&checked(posts.clone(), RULE, |_| {})), [(Severity::Void, Topic::TimeOrder)]);
    assert_eq!(found(&checked(posts, "file", |_| {})), []);
}

#[test]
fn an_empty_train_part_voids() {
    let posts = clean().into_iter().filter(|(_, part)| *part != Part::Train).collect();
    assert_eq!(found(&checked(posts, RULE, |_| {})), [(Severity::Void, Topic::EmptyPart)]);
}

#[test]
fn labels_of_one_class_void() {
    let label = |id: usize, value: &str| Label {
        kind: "author".into(),
        id: format!("u{id}"),
        name: "bot".into(),
        value: value.into(),
    };
    let report = checked(clean(), RULE, |writer| {
        for (id, value) in ["bot", "human", "bot", "human", "bot", "bot"].into_iter().enumerate() {
            writer.label(label(id, value));
        }
    });
    assert_eq!(found(&report), [(Severity::Void, Topic::OneClass)]);
    assert!(report.findings[0].message.contains("test"));
}

#[test]
fn absent_and_broken_images_are_warnings() {
    let report = checked(clean(), RULE, |writer| {
        std::fs::remove_file(writer.root().join("images/0.png")).unwrap();
        std::fs::write(writer.root().join("images/1.png"), b"no image at all").unwrap();
    });
    assert_eq!(found(&report), [(Severity::Warning, Topic::BadImages); 2]);
    assert_eq!((report.images.absent.files, report.images.unreadable.files), (1, 1));
}

fn town(into: &Path, options: &TownOptions) -> CheckReport {
    generate(options, into, &Silent::default()).unwrap();
    check(&Corpus::open(into).unwrap(), &Silent::default()).unwrap()
}

#[test]
fn the_town_is_fit_for_use() {
    let folder = tempfile::tempdir().unwrap();
    let options = TownOptions { posts: 1500, ..TownOptions::default() };
    let report = town(&folder.path().join("bots"), &options);
    assert!(!report.has_void(), "{report}");
    assert!(report.duplicates.near_texts > 0, "spam repeats itself:\n{report}");
    // Without bots, all there is to say is that people post for more than a day.
    let report = town(&folder.path().join("people"), &TownOptions { bots: 0.0, ..options });
    let other: Vec<_> = report.findings.iter().filter(|f| f.topic != Topic::SharedAuthors).collect();
    assert!(other.iter().all(|f| f.topic == Topic::OneClass), "{report}");
}
