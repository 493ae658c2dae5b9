//! Promise: `embed` writes one row for every post, in order, whatever can be made of it; stopped and resumed it writes the
//! same bytes; the size of a chunk does not matter.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use quintet::embed::{Options, embed_corpus, read};
use quintet::error::ErrorKind;
use quintet::features::{Fitted, Status};
use quintet::model::{Network, Shapes};
use quintet::posts::{Author, Corpus, CorpusWriter, ImageRef, Place, Post};
use quintet::progress::{Progress, Silent, Task};
use quintet::tasks::retrieval;
use quintet::train::ModelFolder;
use quintet::train::model_folder::{About, ModelInfo, Weights};
use quintet::{Component, Config};

const POSTS: usize = 90;

fn config() -> Config {
    let mut config = Config::default();
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

/// Post `i`: authors, places and texts of a small world; `world` tells corpora apart that share nothing.
fn post(world: &str, i: usize) -> Post {
    let author = |n: usize| Author { id: format!("{world} author {n}"), ..Author::default() };
    Post {
        id: format!("{world} {i}"),
        text: format!("words about topic{} and subject{}", i % 5, i % 7),
        hashtags: vec![format!("tag{}", i % 5)],
        mentions: vec![quintet::posts::Mention { id: Some(author((i + 1) % 9).id), handle: None }],
        author: Some(author(i % 9)),
        place: Some(Place { id: format!("{world} place {}", i % 4), ..Place::default() }),
        source: world.into(),
        ..Post::default()
    }
}

/// Posts with something wrong or missing.
fn odd_posts() -> Vec<Post> {
    let empty = |id: &str| Post { id: id.into(), source: "odd".into(), ..Post::default() };
    let image = |path: &str| vec![ImageRef { path: Some(path.into()), ..ImageRef::default() }];
    let mut only_tag = empty("only a tag");
    only_tag.hashtags = vec!["tag1".into()];
    only_tag.text = "#tag1".into();
    vec![
        empty("nothing at all"),
        only_tag,
        Post { images: image("images/not_there.jpg"), ..empty("no such image") },
        Post { images: image("images/broken.jpg"), text: "words".into(), ..empty("a broken image") },
        Post { author: Some(Author { id: "stranger".into(), ..Author::default() }), ..empty("a stranger") },
        Post { place: Some(Place { id: "elsewhere".into(), ..Place::default() }), ..empty("an unknown place") },
    ]
}

fn corpus(folder: &Path, world: &str, with_odd: bool) -> quintet::Result<Corpus> {
    let mut writer = CorpusWriter::create(&folder.join(world), true, false)?;
    let images = writer.root().join("images");
    fs::create_dir_all(&images).expect("folder");
    fs::write(images.join("broken.jpg"), b"\xff\xd8\xff\xe0 no more").expect("file");
    let odd = if with_odd { odd_posts() } else { Vec::new() };
    for (i, odd) in (0..POSTS).zip(odd.into_iter().map(Some).chain(std::iter::repeat(None))) {
        writer.push(post(world, i), Some(quintet::posts::Part::Train))?;
        if let Some(odd) = odd {
            writer.push(odd, Some(quintet::posts::Part::Dev))?;
        }
    }
    writer.finish()
}

fn model(corpus: &Corpus) -> quintet::Result<ModelFolder> {
    let config = config();
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
        posts: POSTS,
        weights: Weights { step: 0, sum: None, directions: Vec::new() },
    };
    Ok(ModelFolder { config, fitted, network, info })
}

/// Asks to stop at the `n`-th question.
struct StopAt(AtomicUsize);

impl Progress for StopAt {
    fn task(&self, label: &str, total: Option<u64>, unit: &'static str) -> Box<dyn Task> {
        Silent::default().task(label, total, unit)
    }
    fn note(&self, _: &str) {}
    fn interrupted(&self) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_err()
    }
}

#[test]
fn every_post_has_its_row() -> quintet::Result<()> {
    let folder = tempfile::tempdir().expect("folder");
    let known = corpus(folder.path(), "known", false)?;
    let model = model(&known)?;
    // Authors and places of this one were never seen in training.
    let other = corpus(folder.path(), "other", true)?;
    let whole = folder.path().join("whole.parquet");
    let summary = embed_corpus(&other, &model, &whole, &Options::default(), &Silent::default())?;

    let expected: Vec<String> = other.posts()?.into_iter().map(|p| p.id).collect();
    let (meta, rows) = read(&whole)?;
    assert_eq!(rows.ids, expected);
    assert_eq!((summary.posts as usize, summary.resumed), (POSTS + odd_posts().len(), 0));
    assert_eq!(summary.posts, summary.complete + summary.partial + summary.none);
    assert!(meta.synthetic && meta.components == Component::ALL);
    let status = |id: &str, c: Component| rows.ids.iter().position(|i| i == id).map(|i| rows.status(c, i));
    assert_eq!(status("nothing at all", Component::Text), Some(Status::Missing));
    assert_eq!(status("only a tag", Component::Hashtags), Some(Status::Present));
    assert_eq!(status("a broken image", Component::Image), Some(Status::Broken));
    assert_eq!(status("a broken image", Component::Text), Some(Status::Present));
    assert_eq!(status("no such image", Component::Image), Some(Status::Broken));
    assert_eq!(status("a stranger", Component::User), Some(Status::Unseen));
    assert_eq!(status("an unknown place", Component::Location), Some(Status::Unseen));
    for (i, id) in rows.ids.iter().enumerate() {
        let any = Component::ALL.into_iter().any(|c| rows.embeddings.vector(c, i).is_some());
        assert_eq!(rows.overall(&meta.components, i) == "none", !any, "{id}");
    }

    stopped_and_resumed(&other, &model, folder.path(), &whole)?;

    let options = retrieval::Options { part: None, source: Some("other".into()), ..retrieval::Options::default() };
    let report = retrieval::run(&other, &model, &options, &Silent::default())?;
    assert_eq!(report.posts, POSTS);
    let unknown = retrieval::Options { source: Some("nowhere".into()), ..options };
    let error = retrieval::run(&other, &model, &unknown, &Silent::default()).map(drop);
    assert!(error.is_err_and(|e| e.to_string().contains("odd, other")), "the sources there are must be named");
    Ok(())
}

/// Stopped after some chunks, then finished: the same bytes as in one go, with other chunks.
fn stopped_and_resumed(corpus: &Corpus, model: &ModelFolder, folder: &Path, whole: &Path) -> quintet::Result<()> {
    let file = folder.join("stopped.parquet");
    let options = Options { chunk: 7, ..Options::default() };
    let mut stops = 0;
    let summary = loop {
        // Each time a few more questions are answered with "go on".
        match embed_corpus(corpus, model, &file, &options, &StopAt(AtomicUsize::new(12 + stops * 5))) {
            Ok(summary) => break summary,
            Err(e) => assert_eq!(e.kind(), ErrorKind::Interrupted, "{e}"),
        }
        assert!(!file.exists(), "a stopped run shows no file");
        stops += 1;
    };
    assert!(stops > 0 && summary.resumed > 0, "the run was never stopped: {stops} stops, {} resumed", summary.resumed);
    assert!(fs::read(whole).expect("file") == fs::read(&file).expect("file"), "stopped and resumed gives other bytes");
    assert!(!folder.join(".stopped.parquet.parts").exists(), "parts are cleared away");

    let narrow = folder.join("text.npy");
    let options = Options { components: vec![Component::Text], f16: true, ..Options::default() };
    let summary = embed_corpus(corpus, model, &narrow, &options, &Silent::default())?;
    let size = fs::metadata(&narrow).expect("file").len();
    assert_eq!(size, 128 + summary.posts * 16 * 2);
    let wrong = embed_corpus(corpus, model, &folder.join("vectors.csv"), &options, &Silent::default());
    assert!(wrong.is_err_and(|e| e.to_string().contains(".parquet")));
    Ok(())
}
