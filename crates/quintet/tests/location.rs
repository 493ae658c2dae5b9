//! Promise: places are predicted from the training part alone, a view without authors does not see them, and bad input says so.

use std::path::Path;
use std::sync::OnceLock;

use quintet::posts::town::{TownOptions, generate};
use quintet::posts::{Author, CorpusWriter, Label, Part, Post};
use quintet::progress::Silent;
use quintet::tasks::location::Location;
use quintet::tasks::{self, Options, Predictions, Role, Saved, Task, Unit};
use quintet::train::{ModelFolder, train};
use quintet::{Component, Config, Corpus};

/// The town with two small models: with text, and without.
fn trained() -> &'static tempfile::TempDir {
    static TRAINED: OnceLock<tempfile::TempDir> = OnceLock::new();
    TRAINED.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let town = folder.path().join("town");
        generate(&TownOptions { posts: 700, ..TownOptions::default() }, &town, &Silent::default()).expect("a town");
        let corpus = Corpus::open(&town).expect("the town");
        let small = |components: &str, into: &Path| {
            let mut config = Config::default();
            let keys = [
                ("words.dim", "24"),
                ("words.buckets", "2000"),
                ("words.min_count", "2"),
                ("text.min_count", "2"),
                ("user.dim", "16"),
                ("model.dim", "32"),
                ("train.epochs", "3"),
                ("loss.kind", "\"info-nce\""),
                ("train.learning_rate", "2e-3"),
                ("components", components),
            ];
            keys.into_iter().for_each(|(key, value)| config.set(key, value).expect(key));
            train(&corpus, &config, into, false, &Silent::default()).expect("a run");
        };
        small("[\"text\", \"hashtags\", \"location\", \"user\"]", &folder.path().join("all"));
        small("[\"hashtags\", \"user\"]", &folder.path().join("no-text"));
        folder
    })
}

fn model(name: &str) -> ModelFolder {
    ModelFolder::open(&trained().path().join(name).join("model")).expect("a model")
}

fn set(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_string(), (*value).to_string())).collect()
}

/// A corpus of `posts` posts by 12 authors of `countries`, each with words and a profile of its own.
fn countries(folder: &Path, posts: usize, countries: &[&str], profile: impl Fn(&str) -> Option<String>) -> Corpus {
    let mut writer = CorpusWriter::create(folder, false, true).expect("a folder");
    let words = ["kettle lorry queue", "truck sidewalk diner", "tram wattle ute"];
    for i in 0..posts {
        let author = i % 12;
        let at = author % countries.len();
        let part = if author < 9 { Part::Train } else { Part::Dev };
        let id = format!("author {author}");
        let author = Author { id: id.clone(), location: profile(countries[at]), ..Author::default() };
        let text = format!("number {} {}", i / 12, words[at % words.len()]);
        let post = Post { id: i.to_string(), text, author: Some(author), ..Post::default() };
        writer.push(post, Some(part)).expect("a post");
        let label = |kind: &str, id: &str| Label {
            kind: kind.into(),
            id: id.into(),
            name: "country".into(),
            value: countries[at].into(),
        };
        writer.label(label("post", &i.to_string()));
    }
    writer.label(Label { kind: "post".into(), id: "nobody".into(), name: "country".into(), value: "uk".into() });
    writer.finish().expect("a corpus")
}

fn error(corpus: &Corpus, model: &ModelFolder, options: &Options) -> String {
    let error = Location.evaluate(corpus, model, options, &Silent::default()).expect_err("bad input");
    format!("{error} {}", error.way_out().unwrap_or_default())
}

#[test]
fn districts_of_the_town_are_measured_by_every_method() {
    let corpus = Corpus::open(&trained().path().join("town")).expect("the town");
    let settings = set(&[("deepgeo.epochs", "2"), ("trees", "20")]);
    let options = Options { settings, ..Options::default() };
    let report = Location.evaluate(&corpus, &model("all"), &options, &Silent::default()).expect("a report");
    assert!(report.synthetic && report.unit == Unit::Post);
    // The gazetteer reads nothing but the profile.
    assert_eq!(report.lines.len(), 2 * Location.methods().len() - 1);
    let accuracy = |group: &str, method: &str| {
        let line = report.lines.iter().find(|line| line.group.ends_with(group) && line.method == method);
        line.unwrap_or_else(|| panic!("no {method}, {group}")).figures[0].value
    };
    assert!(accuracy("text only", "ours") > accuracy("text only", "majority"));
    let deepgeo = report.lines.iter().find(|line| line.role == Role::Baseline).expect("Deepgeo");
    assert_eq!(deepgeo.curve.len(), 2);
    assert!(report.table().contains("Deepgeo's inputs in training"), "{}", report.table());
}

#[test]
fn what_is_fitted_predicts_the_same_from_its_file_for_every_row() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let corpus =
        countries(&folder.path().join("c"), 96, &["uk", "us", "au"], |country| Some(format!("somewhere, {country}")));
    let model = model("all");
    for method in Location.methods() {
        let settings = set(&[("deepgeo.epochs", "1"), ("trees", "10")]);
        let options = Options { settings, ..Options::default() };
        let saved = Location.fit(&corpus, &model, *method, &options, &Silent::default()).expect(method.name);
        let path = folder.path().join(method.name);
        saved.write(&path).expect("a file");
        let predict = |saved: &Saved| -> Predictions {
            Location.predict(&corpus, &model, saved, &options, &Silent::default()).expect(method.name)
        };
        let predictions = predict(&saved);
        assert_eq!(predictions.rows.len(), corpus.len());
        assert_eq!(predictions, predict(&Saved::read(&path).expect("the file")), "{}", method.name);
        for row in &predictions.rows {
            assert!(row.alternatives.len() == 3 && row.alternatives.is_sorted_by(|a, b| a.score >= b.score));
        }
    }
}

#[test]
fn words_and_profiles_give_the_country_away_and_a_view_without_authors_does_not_see_them() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let known = countries(&folder.path().join("a"), 96, &["uk", "us", "au"], |country| Some(country.to_string()));
    let unknown = countries(&folder.path().join("b"), 96, &["uk", "us", "au"], |_| None);
    let model = model("all");
    let options = |method: &str, author: &str| Options {
        methods: vec![method.into()],
        settings: set(&[("author", author)]),
        ..Options::default()
    };
    let run = |corpus: &Corpus, method: &str, author: &str| {
        let report = Location.evaluate(corpus, &model, &options(method, author), &Silent::default()).expect("a report");
        report.lines[0].figures.clone()
    };
    assert_eq!(run(&known, "naive-bayes", "false")[0].value, 1.0);
    assert_eq!(run(&known, "gazetteer", "true")[0].value, 1.0);
    assert!(run(&unknown, "gazetteer", "true")[0].value < 0.5);
    assert_eq!(run(&known, "ours", "false"), run(&unknown, "ours", "false"));
    let fitted = tasks::method(&Location, "ours").expect("a method");
    let saved = Location.fit(&known, &model, fitted, &options("ours", "false"), &Silent::default()).expect("a fit");
    let predict = |corpus: &Corpus| {
        Location.predict(corpus, &model, &saved, &Options::default(), &Silent::default()).expect("predictions")
    };
    assert_eq!(predict(&known), predict(&unknown));
}

#[test]
fn authors_are_located_through_their_posts() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let corpus = countries(&folder.path().join("c"), 96, &["uk", "us", "au"], |_| None);
    let options = Options {
        unit: Some(Unit::Author),
        methods: vec!["naive-bayes".into(), "forest".into()],
        ..Options::default()
    };
    let report = Location.evaluate(&corpus, &model("all"), &options, &Silent::default()).expect("a report");
    assert!(report.lines.iter().all(|line| line.items == 3 && line.group.starts_with("per author")));
    let unknown = report.facts.iter().find(|(name, _)| name.contains("ids that are not here")).expect("a fact");
    assert_eq!(unknown.1, "1");
}

#[test]
fn the_same_seed_gives_the_same_answers_at_any_thread_count() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let corpus = countries(&folder.path().join("c"), 60, &["uk", "us"], |_| None);
    let model = model("all");
    let settings = set(&[("deepgeo.epochs", "1"), ("trees", "10"), ("author", "true")]);
    let options = Options { settings, ..Options::default() };
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        let report = pool.install(|| Location.evaluate(&corpus, &model, &options, &Silent::default()));
        let lines = report.expect("a report").lines;
        lines.into_iter().map(|line| (line.figures, line.curve, line.remark)).collect::<Vec<_>>()
    };
    assert_eq!(run(1), run(3));
}

#[test]
fn bad_input_says_what_and_where_and_the_way_out() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str| folder.path().join(name);
    let (good, default) = (model("all"), Options::default());
    let empty = CorpusWriter::create(&at("empty"), false, true).and_then(CorpusWriter::finish).expect("a corpus");
    assert!(error(&empty, &good, &default).contains("no posts"));

    let one = countries(&at("one"), 36, &["uk"], |_| None);
    let message = error(&one, &good, &default);
    assert!(message.contains("all 27 training posts are of one class, uk"), "{message}");

    let two = countries(&at("two"), 36, &["uk", "us"], |_| None);
    let named = |name: &str| Options { label: Some(name.into()), ..Options::default() };
    assert!(error(&two, &good, &named("city")).contains("no label is called `city`"));
    assert!(error(&two, &model("no-text"), &default).contains("no text branch"));
    let image = Options { components: vec![Component::Image], ..Options::default() };
    assert!(error(&two, &good, &image).contains("no component image"));
    let tags = Options { components: vec![Component::Hashtags], ..Options::default() };
    let message = error(&two, &good, &tags);
    assert!(message.contains("none of 36 posts has any of hashtags"), "{message}");
    let location = Options { components: vec![Component::Location], ..Options::default() };
    assert!(error(&two, &good, &location).contains("what is to be predicted"));
    let test = Options { part: Part::Test, ..Options::default() };
    assert!(error(&two, &good, &test).contains("test part"));
    let setting = Options { settings: set(&[("deepgeo.bach", "3")]), ..Options::default() };
    assert!(error(&two, &good, &setting).contains("deepgeo.batch"));
    let members = Options { settings: set(&[("members", "stars")]), ..Options::default() };
    let message = error(&two, &good, &members);
    assert!(message.contains("`stars` is no member") && message.contains("profile"), "{message}");

    let nobody = CorpusWriter::create(&at("nobody"), false, true).and_then(|mut writer| {
        writer.push(Post { id: "1".into(), text: "a".into(), ..Post::default() }, Some(Part::Train))?;
        writer.label(Label { kind: "post".into(), id: "2".into(), name: "country".into(), value: "uk".into() });
        writer.finish()
    });
    let message = error(&nobody.expect("a corpus"), &good, &default);
    assert!(message.contains("no label is of a post or author that is here"), "{message}");
}
