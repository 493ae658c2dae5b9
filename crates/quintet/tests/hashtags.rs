//! Promise: hashtags are recommended from the training part alone, without looking at a post's own, and bad input says so.

use std::path::Path;
use std::sync::OnceLock;

use quintet::posts::town::{TownOptions, generate};
use quintet::posts::{Part, Post};
use quintet::progress::Silent;
use quintet::tasks::hashtags::Hashtags;
use quintet::tasks::hashtags::cases::Case;
use quintet::tasks::{self, Options, Role, Saved, Task, TaskReport};
use quintet::train::{ModelFolder, train};
use quintet::{Component, Config, Corpus};

struct Trained {
    folder: tempfile::TempDir,
}

impl Trained {
    fn corpus(&self) -> Corpus {
        Corpus::open(&self.folder.path().join("town")).expect("the town")
    }

    fn model(&self, name: &str) -> ModelFolder {
        ModelFolder::open(&self.folder.path().join(name)).expect("a model")
    }
}

/// The town with two small models: one of all components, one without hashtags.
fn trained() -> &'static Trained {
    static TRAINED: OnceLock<Trained> = OnceLock::new();
    TRAINED.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let town = folder.path().join("town");
        generate(&TownOptions { posts: 360, ..TownOptions::default() }, &town, &Silent::default()).expect("a town");
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
                ("train.epochs", "2"),
                ("loss.kind", "\"info-nce\""),
                ("train.learning_rate", "2e-3"),
                ("components", components),
            ];
            keys.into_iter().for_each(|(key, value)| config.set(key, value).expect(key));
            train(&corpus, &config, into, false, &Silent::default()).expect("a run");
        };
        small("[\"text\", \"image\", \"hashtags\", \"location\", \"user\"]", &folder.path().join("all"));
        small("[\"text\", \"location\"]", &folder.path().join("no-tags"));
        Trained { folder }
    })
}

fn options() -> Options {
    let set = |name: &str, value: &str| (name.to_string(), value.to_string());
    let settings =
        vec![set("co-attention.dim", "24"), set("co-attention.attention", "12"), set("co-attention.epochs", "3")];
    Options { settings, ..Options::default() }
}

fn evaluate(options: &Options) -> quintet::Result<TaskReport> {
    let trained = trained();
    Hashtags.evaluate(&trained.corpus(), &trained.model("all"), options, &Silent::default())
}

#[test]
fn every_method_is_measured_and_the_best_beat_chance() {
    let report = evaluate(&options()).expect("a report");
    assert!(report.synthetic);
    let of = |method: &str, figure: &str| {
        let line = report.lines.iter().find(|line| line.method == method).unwrap_or_else(|| panic!("no line {method}"));
        line.figures.iter().find(|f| f.name == figure).unwrap_or_else(|| panic!("no {figure}")).value
    };
    for method in Hashtags.methods() {
        assert!(of(method.name, "F1@1") >= 0.0);
    }
    assert!(report.lines.iter().any(|line| line.role == Role::Baseline && !line.curve.is_empty()));
    for method in ["ours", "text-neighbours"] {
        assert!(of(method, "F1@5") > 2.0 * of("chance", "F1@5"), "{method}\n{}", report.table());
    }
    assert!(report.table().contains("synthetic"));
}

#[test]
fn the_same_seed_gives_the_same_figures_at_any_thread_count() {
    // Without images, whose regions take most of the time.
    let components = vec![Component::Text, Component::User];
    let options = Options { methods: vec!["ours".into(), "co-attention".into()], components, ..options() };
    let figures =
        |report: TaskReport| report.lines.into_iter().map(|line| (line.method, line.figures)).collect::<Vec<_>>();
    let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool");
    let first = figures(alone.install(|| evaluate(&options)).expect("a report"));
    assert_eq!(first, figures(evaluate(&options).expect("a report")));
}

#[test]
fn what_was_learned_travels_by_file_and_rows_out_are_rows_in() {
    let trained = trained();
    let (corpus, model) = (trained.corpus(), trained.model("all"));
    let posts = corpus.posts().expect("posts");
    for &method in Hashtags.methods() {
        let components = vec![Component::Text, Component::User];
        let options = Options { components, ..options() };
        let saved = Hashtags.fit(&corpus, &model, method, &options, &Silent::default()).expect(method.name);
        let path = trained.folder.path().join(format!("{}.task", method.name));
        saved.write(&path).expect("a file");
        let back = Saved::read(&path).expect("the file");
        let predicted = Hashtags.predict(&corpus, &model, &back, &options, &Silent::default()).expect(method.name);
        assert!(predicted.rows.iter().map(|row| &row.id).eq(posts.iter().map(|post| &post.id)), "{}", method.name);
        for row in &predicted.rows {
            assert!(!row.alternatives.is_empty() && row.alternatives.len() <= 5, "{}: {row:?}", method.name);
        }
        let other = trained.model("no-tags");
        let error = Hashtags.predict(&corpus, &other, &back, &options, &Silent::default()).expect_err("another model");
        assert!(error.way_out().is_some());
    }
}

/// What a post says about its own tags makes no difference.
#[test]
fn a_posts_own_tags_are_never_seen() {
    let trained = trained();
    let posts = trained.corpus().posts().expect("posts");
    let post = posts.iter().find(|post| !post.hashtags.is_empty()).expect("a post with tags");
    let shout: String = post.hashtags.iter().map(|tag| format!(" #{} #{}", tag.to_uppercase(), tag)).collect();
    let other = Post { text: format!("{}{shout}", post.text), ..post.clone() };
    let (a, b) = (Case::of(post).expect("a case"), Case::of(&other).expect("a case"));
    assert_eq!((a.words, a.tags), (b.words, b.tags));
    assert!(a.post.hashtags.is_empty() && b.post.text.trim_end() == a.post.text.trim_end());
}

#[test]
fn bad_input_says_what_to_do() {
    let trained = trained();
    let (corpus, model) = (trained.corpus(), trained.model("all"));
    let error = |corpus: &Corpus, model: &ModelFolder, options: &Options| {
        let error = Hashtags.evaluate(corpus, model, options, &Silent::default()).expect_err("bad input");
        assert!(error.way_out().is_some(), "{error}");
        error.to_string()
    };
    // A model without the branch.
    let no_branch = error(&corpus, &trained.model("no-tags"), &options());
    assert!(no_branch.contains("no hashtag branch") && no_branch.contains("text, location"), "{no_branch}");
    // A source, a component, a setting that there is not; the component that would give the answer away.
    let nowhere = Options { source: Some("nowhere".into()), ..options() };
    assert!(error(&corpus, &model, &nowhere).contains("nowhere"));
    let tags = Options { components: vec![Component::Hashtags], ..options() };
    assert!(error(&corpus, &model, &tags).contains("hashtags"));
    let setting = Options { settings: vec![("depth".into(), "3".into())], ..options() };
    assert!(error(&corpus, &model, &setting).contains("depth"));
    let value = Options { settings: vec![("co-attention.dropout".into(), "1".into())], ..options() };
    assert!(error(&corpus, &model, &value).contains("co-attention.dropout"));

    // Posts without tags, and without parts.
    let write = |name: &str, posts: &[Post], parts: bool| {
        let folder = trained.folder.path().join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        let lines: String =
            posts.iter().map(|p| format!("{}\n", serde_json::json!({ "id": p.id, "text": p.text }))).collect();
        std::fs::write(folder.join("posts.jsonl"), lines).expect("posts");
        if parts {
            let rows: String = posts
                .iter()
                .enumerate()
                .map(|(i, p)| format!("{},{}\n", p.id, if i % 2 == 0 { "train" } else { "dev" }))
                .collect();
            std::fs::write(folder.join("splits.csv"), format!("post_id,split\n{rows}")).expect("parts");
        }
        let into = trained.folder.path().join(format!("{name}-corpus"));
        quintet::posts::import::import(&[folder], &Default::default(), &into, &Silent::default()).expect("a corpus");
        Corpus::open(&into).expect("the corpus")
    };
    let post = |id: &str, text: &str| Post { id: id.into(), text: text.into(), ..Post::default() };
    let plain = write("plain", &[post("1", "no tag"), post("2", "none here")], true);
    assert!(error(&plain, &model, &options()).contains("no post of the training part has a hashtag"));
    let only_train = write("one-sided", &[post("1", "a #tag"), post("2", "none")], true);
    assert!(error(&only_train, &model, &options()).contains("no post of the dev part has a hashtag"));
    let apart = write("apart", &[post("1", "a #tag"), post("2", "none")], false);
    assert!(error(&apart, &model, &options()).contains("training part"));
    // No post has what the method may see.
    let image = Options { components: vec![Component::Image], methods: vec!["largest-cosine".into()], ..options() };
    let imageless = write("imageless", &[post("1", "a #tag"), post("2", "another #tag")], true);
    assert!(error(&imageless, &model, &image).contains("image"));
    assert_eq!(tasks::task("hashtags").expect("the task").name(), "hashtags");
    assert_eq!(Options::default().part, Part::Dev);
}
