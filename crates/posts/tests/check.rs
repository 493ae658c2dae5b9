//! `check` finds what would void a result, each kind in a small corpus made for it, and is silent on a clean one.
#![expect(clippy::unwrap_used, reason = "helpers of a test may panic like the test itself")]

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use quintet_posts::check::{CheckReport, Severity, Topic, check};
use quintet_posts::progress::Silent;
use quintet_posts::town::{TownOptions, generate};
use quintet_posts::{Author, Corpus, CorpusWriter, ImageRef, Label, Part, Place, Post};

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

#[test]
fn a_download_that_broke_off_is_found() {
    let mut posts = clean();
    posts[1].0.images[0].path = Some("images/whole.jpg".into());
    let report = checked(posts, RULE, |writer| {
        let root = writer.root().join("images");
        let picture = image::RgbImage::from_fn(64, 64, |x, y| image::Rgb([x as u8 * 4, y as u8 * 3, (x * y) as u8]));
        picture.save(root.join("0.png")).unwrap();
        let bytes = std::fs::read(root.join("0.png")).unwrap();
        std::fs::write(root.join("0.png"), &bytes[..bytes.len() / 2]).unwrap();
        std::fs::write(root.join("whole.jpg"), JPEG).unwrap();
    });
    assert_eq!(found(&report), [(Severity::Warning, Topic::BadImages)]);
    assert_eq!((report.images.cut.files, report.images.unreadable.files, report.images.absent.files), (1, 0, 0));
    assert!(report.images.cut.examples[0].ends_with("0.png"));
    let mut posts = clean();
    posts[1].0.images[0].path = Some("images/cut.jpg".into());
    let report = checked(posts, RULE, |writer| {
        std::fs::write(writer.root().join("images/cut.jpg"), &JPEG[..JPEG.len() - 20]).unwrap();
    });
    assert_eq!((report.images.cut.files, report.images.unreadable.files), (1, 0));
}

#[test]
fn days_tags_places_and_cut_texts_are_counted() {
    let mut posts = clean();
    for (i, (post, _)) in posts.iter_mut().enumerate() {
        post.created_at = Some(Timestamp::UNIX_EPOCH + SignedDuration::from_hours([0, 5, 24, 25, 71, 72][i]));
        post.hashtags = ["Cats", "cats", "dogs"].iter().take(i).map(|t| (*t).to_owned()).collect();
        post.place = (i > 3).then(|| Place { id: format!("{}", i % 2), name: Some("Town".into()), ..Place::default() });
    }
    posts[2].0.text += "\u{2026} https://t.example/1";
    let report = checked(posts, RULE, |_| {});
    let pace = report.pace().unwrap();
    assert_eq!((pace.span, pace.with_posts, pace.median, pace.most), (4, 4, 2, 2));
    assert_eq!((pace.first.to_string(), pace.busiest.to_string()), ("1970-01-01".into(), "1970-01-01".into()));
    assert_eq!(report.parts[1].days.values().copied().collect::<Vec<_>>(), [2]);
    assert_eq!((report.tags.different, report.tags.once, report.tags.posts), (2, 0, 5));
    assert_eq!((report.tags.top[0].name.as_str(), report.tags.top[0].posts), ("#cats", 5));
    assert_eq!((report.places.different, report.places.once), (2, 2), "two places of one name are two");
    assert_eq!(report.parts.iter().map(|p| p.truncated).collect::<Vec<_>>(), [0, 1, 0, 0]);
    assert!(found(&report).contains(&(Severity::Warning, Topic::CutTexts)));
}

#[test]
fn those_who_say_the_same_again_and_again_are_shown() {
    let mut posts = clean();
    for i in [1, 3, 4] {
        posts[i].0.text = format!("win {i} brand new phones today, only here and only now");
    }
    posts[4].0.author = posts[3].0.author.clone();
    let report = checked(posts, "file", |_| {});
    let [group] = &report.near.largest[..] else { panic!("{:?}", report.near) };
    assert_eq!((report.near.groups, report.near.posts, group.posts, group.authors), (1, 3, 3, 2));
    assert_eq!((group.example.as_str(), group.text.starts_with("win 1 brand")), ("1", true));
}

#[test]
fn the_page_says_what_the_text_says() {
    let folder = tempfile::tempdir().unwrap();
    let report = town(&folder.path().join("c"), &TownOptions { posts: 400, ..TownOptions::default() });
    assert!(report.bots.iter().all(|b| b.bots > 0 && b.bots < b.labelled) && !report.bots.is_empty(), "{report}");
    let html = report.page().html();
    assert!(html.contains("Synthetic posts"), "{html}");
    let plots =
        ["each component", "Posts a day", "Languages", "frequent hashtags", "frequent places", "Bots among authors"];
    for plot in plots {
        assert!(html.matches("<svg class=\"plot\"").count() == plots.len() && html.contains(plot), "{plot}: {html}");
    }
    for finding in &report.findings {
        assert!(html.contains(&finding.message.replace('&', "&amp;").replace('"', "&quot;")), "{}", finding.message);
    }
    for name in report.tags.top.iter().chain(&report.places.top).take(5) {
        assert!(report.to_string().contains(&name.name) && html.contains(&name.name), "{}", name.name);
    }
}

/// A JPEG of 16x16 grey pixels.
const JPEG: &[u8] = include_bytes!("fixtures/grey.jpg");

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
