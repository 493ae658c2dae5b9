//! Promise: every method of bot detection runs on any labelled corpus, ours tells templates from people, what is fitted
//! predicts the same after a save, authors are never both learned from and judged, and bad input says what is wrong.

use std::path::Path;

use quintet::features::Fitted;
use quintet::model::{Network, Shapes};
use quintet::posts::corpus::Label;
use quintet::posts::{Author, Corpus, CorpusWriter, Part, Post};
use quintet::progress::Silent;
use quintet::tasks::{Options, Saved, TaskReport, Unit, method, task};
use quintet::train::ModelFolder;
use quintet::train::model_folder::{About, ModelInfo, Weights};
use quintet::{Component, Config};
use quintet_kernels::rng::Rng;

const AUTHORS: usize = 60;
const POSTS: usize = 12;
const WORDS: [&str; 16] = [
    "rain", "coffee", "train", "late", "again", "monday", "why", "friends", "music", "sleep", "so", "really", "home",
    "the", "match", "lunch",
];

fn config(components: &[Component]) -> Config {
    let mut config = Config { components: components.to_vec(), ..Config::default() };
    config.words.dim = 8;
    config.words.min_count = 1;
    config.words.epochs = 1;
    config.words.buckets = 100;
    config.text.min_count = 1;
    config.user.dim = 8;
    config.user.walks = 1;
    config.model.dim = 16;
    config
}

fn is_bot(author: usize) -> bool {
    author.is_multiple_of(2)
}

/// A bot fills in a template, a person strings words together.
fn text(author: usize, post: usize, rng: &mut Rng) -> String {
    if is_bot(author) && !rng.chance(0.1) {
        let shop = author % 7;
        return format!(
            "Deal {post} of the day! Save {}% now at https://shop{shop}.example.com/{post} #deal",
            rng.below(90)
        );
    }
    (0..3 + rng.index(9)).map(|_| WORDS[rng.index(WORDS.len())]).collect::<Vec<&str>>().join(" ")
}

/// How labels and parts are given.
#[derive(Clone, Copy)]
struct World {
    unit: Unit,
    /// The part of post `post` of author `author`.
    part: fn(usize, usize) -> Part,
    value: fn(usize) -> &'static str,
}

fn by_author(author: usize, _: usize) -> Part {
    if author < 40 { Part::Train } else { Part::Dev }
}

fn bot_or_human(author: usize) -> &'static str {
    if is_bot(author) { "bot" } else { "human" }
}

const PLAIN: World = World { unit: Unit::Author, part: by_author, value: bot_or_human };

fn corpus(at: &Path, world: World) -> quintet::Result<Corpus> {
    let mut writer = CorpusWriter::create(at, true, true)?;
    writer.manifest_mut().name = "made up".into();
    let mut rng = Rng::new(3, &[]);
    for author in 0..AUTHORS {
        let label = |kind: Unit, id: &str, name: &str, value: &str| Label {
            kind: kind.name().into(),
            id: id.into(),
            name: name.into(),
            value: value.into(),
        };
        let name = format!("author {author}");
        if world.unit == Unit::Author {
            writer.label(label(Unit::Author, &name, "label", (world.value)(author)));
        }
        for number in 0..POSTS {
            let id = format!("{author}-{number}");
            if world.unit == Unit::Post {
                writer.label(label(Unit::Post, &id, "label", (world.value)(author)));
                writer.label(label(Unit::Post, &id, "generator", if is_bot(author) { "template" } else { "human" }));
            }
            let text = text(author, number, &mut rng);
            // The handle gives the answer away to whoever looks.
            let handle = Some(format!("{}{author}", (world.value)(author)));
            let author = Some(Author { id: name.clone(), handle, ..Author::default() });
            let post = Post { id, text, author, source: "made up".into(), ..Post::default() };
            writer.push(post, Some((world.part)(author_number(&name), number)))?;
        }
    }
    writer.label(Label { kind: "author".into(), id: "nobody".into(), name: "label".into(), value: "bot".into() });
    writer.finish()
}

fn author_number(name: &str) -> usize {
    name.trim_start_matches("author ").parse().expect("a number")
}

fn model(corpus: &Corpus, components: &[Component]) -> quintet::Result<ModelFolder> {
    let config = config(components);
    let fitted = Fitted::fit(corpus, &config, &Silent::default())?;
    let rows = fitted.word_rows();
    let shapes = Shapes {
        words: rows.len(),
        word_dim: fitted.word_dim(),
        image_dim: fitted.image_dim(),
        user_dim: fitted.user_dim(),
    };
    let network = Network::new(&config, shapes, &rows);
    let info = ModelInfo {
        format: 1,
        quintet: "test".into(),
        shapes,
        seed: config.seed,
        about: About::default(),
        posts: AUTHORS * POSTS,
        weights: Weights { step: 0, sum: None, directions: Vec::new() },
    };
    Ok(ModelFolder { config, fitted, network, info })
}

fn options(more: &[(&str, &str)]) -> Options {
    let small = [("maps", "6"), ("epochs", "3"), ("folds", "2"), ("kinds", "2")];
    let settings = small.iter().chain(more).map(|(n, v)| (n.to_string(), v.to_string())).collect();
    Options { settings, ..Options::default() }
}

fn evaluate(corpus: &Corpus, model: &ModelFolder, options: &Options) -> quintet::Result<TaskReport> {
    task("bots")?.evaluate(corpus, model, options, &Silent::default())
}

fn figure(report: &TaskReport, method: &str, name: &str) -> f64 {
    let line = report.lines.iter().find(|l| l.method == method).expect("the method's line");
    line.figures.iter().find(|f| f.name == name).expect("the figure").value
}

#[test]
fn every_method_is_measured_and_ours_finds_templates() -> quintet::Result<()> {
    let folder = tempfile::tempdir().expect("folder");
    let corpus = corpus(folder.path(), PLAIN)?;
    let model = model(&corpus, &[Component::Text, Component::Hashtags, Component::User])?;
    let report = evaluate(&corpus, &model, &options(&[]))?;
    let names: Vec<&str> = report.lines.iter().map(|l| l.method.as_str()).collect();
    let expected: Vec<&str> = task("bots")?.methods().iter().map(|m| m.name).collect();
    assert_eq!(names, expected);
    assert!(report.lines.iter().all(|l| l.items == 20));
    assert!(figure(&report, "ours", "accuracy") >= 0.95, "{}", report.table());
    // Ten bots among twenty: the all-bot line is F1 2/3 with nothing known.
    assert!((figure(&report, "all-bot", "F1") - 2.0 / 3.0).abs() < 1e-9);
    assert_eq!([figure(&report, "all-bot", "MCC"), figure(&report, "all-bot", "balanced accuracy")], [0.0, 0.5]);
    let cnn = &report.lines[1];
    assert!(cnn.curve.len() == 3 && cnn.remark.contains("limit of 3 epochs"), "{}", cnn.remark);
    assert!(report.table().contains("labels of ids that are not here"), "{}", report.table());
    Ok(())
}

#[test]
fn what_was_fitted_predicts_every_author_the_same() -> quintet::Result<()> {
    let folder = tempfile::tempdir().expect("folder");
    let corpus = corpus(&folder.path().join("corpus"), PLAIN)?;
    let model = model(&corpus, &[Component::Text, Component::User])?;
    let bots = task("bots")?;
    for name in ["ours", "cnn", "botometer", "text-knn"] {
        let fit = || bots.fit(&corpus, &model, method(bots, name)?, &options(&[]), &Silent::default());
        let saved = fit()?;
        assert!(saved == fit()?, "{name}: the same seed learns the same bits");
        let path = folder.path().join("bots.task");
        saved.write(&path)?;
        let predict = |saved: &Saved| bots.predict(&corpus, &model, saved, &Options::default(), &Silent::default());
        let rows = predict(&Saved::read(&path)?)?;
        assert!(rows == predict(&saved)?, "{name}");
        let ids: Vec<String> = (0..AUTHORS).map(|a| format!("author {a}")).collect();
        assert_eq!(rows.rows.iter().map(|r| r.id.clone()).collect::<Vec<String>>(), ids);
        assert!(rows.rows.iter().all(|r| r.alternatives.len() == 2 && r.status == "predicted"));
    }
    Ok(())
}

#[test]
fn posts_are_judged_without_their_author() -> quintet::Result<()> {
    let folder = tempfile::tempdir().expect("folder");
    let per_post = World { unit: Unit::Post, part: |_, post| if post < 8 { Part::Train } else { Part::Dev }, ..PLAIN };
    let corpus = corpus(folder.path(), per_post)?;
    let model = model(&corpus, &[Component::Text, Component::User])?;
    let methods = vec!["ours".into(), "botometer-lite".into(), "botometer".into()];
    let report = evaluate(&corpus, &model, &Options { methods, ..options(&[("members", "ngrams+behaviour")]) })?;
    assert_eq!((report.unit, report.lines[0].items), (Unit::Post, AUTHORS * 4));
    assert!(report.facts.contains(&("components".into(), "text".into())), "{:?}", report.facts);
    // The handle decides the label; a forest that saw it would know everything.
    assert!(figure(&report, "botometer-lite", "AUC") < 0.6, "{}", report.table());
    assert!(figure(&report, "ours", "recall of template") > 0.8, "{}", report.table());
    Ok(())
}

#[test]
fn no_author_is_both_learned_from_and_judged() -> quintet::Result<()> {
    let folder = tempfile::tempdir().expect("folder");
    // Divided by time: everybody has posts in both parts. Labels name kinds of bots.
    let by_time = World {
        part: |_, post| if post < 8 { Part::Train } else { Part::Dev },
        value: |a| if is_bot(a) { ["spam", "farm"][a / 2 % 2] } else { "human" },
        ..PLAIN
    };
    let corpus = corpus(folder.path(), by_time)?;
    let model = model(&corpus, &[Component::Text, Component::User])?;
    let methods = vec!["botometer".into(), "majority".into()];
    let report = evaluate(&corpus, &model, &Options { methods, ..options(&[]) })?;
    let judged = report.lines[0].items;
    assert!((3..30).contains(&judged), "{judged}");
    let fact = report.facts.iter().find(|f| f.0 == "training authors").expect("a fact");
    assert!(fact.1.starts_with(&format!("{} (", AUTHORS - judged)), "{fact:?}");
    assert!(report.lines[0].remark.contains("2 kinds of bots from the labels"), "{}", report.lines[0].remark);
    Ok(())
}

#[test]
fn bad_input_says_what_is_wrong() -> quintet::Result<()> {
    let folder = tempfile::tempdir().expect("folder");
    let good = corpus(&folder.path().join("good"), PLAIN)?;
    let model = model(&good, &[Component::Text, Component::User])?;
    let error = |corpus: &Corpus, options: &Options| {
        evaluate(corpus, &model, options).map(|r| r.table()).expect_err("refused").to_string()
    };
    let with = |more: &[(&str, &str)]| options(more);
    assert!(error(&good, &with(&[("colour", "red")])).contains("no setting is called `colour`"));
    assert!(error(&good, &with(&[("k", "2")])).contains("odd"));
    assert!(error(&good, &with(&[("positive", "robot")])).contains("never `robot`"));
    assert!(error(&good, &Options { part: Part::Test, ..with(&[]) }).contains("test part"));
    assert!(error(&good, &Options { methods: vec!["magic".into()], ..with(&[]) }).contains("no method `magic`"));
    assert!(error(&good, &Options { components: vec![Component::Image], ..with(&[]) }).contains("no component image"));
    assert!(error(&good, &Options { label: Some("mood".into()), ..with(&[]) }).contains("`mood`"));

    let other = |name: &str, world: World| corpus(&folder.path().join(name), world);
    let bots = other("bots", World { value: |_| "bot", ..PLAIN })?;
    assert!(error(&bots, &with(&[])).contains("all 40 labelled authors in the train part are `bot`"));
    let posts = other("posts", World { unit: Unit::Post, ..PLAIN })?;
    let by_author = Options { unit: Some(Unit::Author), ..with(&[]) };
    assert!(error(&posts, &by_author).contains("about posts, not authors"));
    let empty = CorpusWriter::create(&folder.path().join("empty"), true, true)?.finish()?;
    assert!(error(&empty, &with(&[])).contains("no posts"));

    // A model whose only component no post has.
    let blind = self::model(&good, &[Component::Text, Component::Hashtags])?;
    let tags = Options { components: vec![Component::Hashtags], methods: vec!["knn".into()], ..with(&[]) };
    let mut writer = CorpusWriter::create(&folder.path().join("untagged"), true, true)?;
    for (i, mut post) in good.posts()?.into_iter().enumerate() {
        (post.text, post.hashtags) = (format!("words {i}"), Vec::new());
        writer.push(post, Some(if i < 480 { Part::Train } else { Part::Dev }))?;
    }
    good.labels()?.into_iter().for_each(|l| writer.label(l));
    let untagged = writer.finish()?;
    let error = evaluate(&untagged, &blind, &tags).map(|r| r.table()).expect_err("refused").to_string();
    assert!(error.contains("no training post has a joint vector"), "{error}");
    Ok(())
}
