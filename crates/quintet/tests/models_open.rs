//! Promise: a model folder opens by path alone, wherever it was copied, without the run and the corpus it came from.

use std::path::Path;

use quintet::embed::{Embeddings, embed_posts};
use quintet::posts::town::{TownOptions, generate};
use quintet::posts::{Corpus, Post};
use quintet::progress::Silent;
use quintet::train::{ModelFolder, train};
use quintet::{Component, Config};

fn config() -> Config {
    let mut config = Config::default();
    for (key, value) in [
        ("components", "[text, hashtags, location, user]"),
        ("words.dim", "4"),
        ("words.epochs", "1"),
        ("words.buckets", "50"),
        ("text.min_count", "3"),
        ("user.dim", "4"),
        ("user.walks", "1"),
        ("user.walk_length", "5"),
        ("model.dim", "4"),
        ("train.epochs", "1"),
    ] {
        config.set(key, value).expect("a key");
    }
    config
}

fn town(folder: &Path) -> Corpus {
    let path = folder.join("town");
    let options = TownOptions { posts: 300, seed: 2, images: 0, ..TownOptions::default() };
    generate(&options, &path, &Silent::default()).expect("a town");
    Corpus::open(&path).expect("a corpus")
}

/// Vectors of the first posts of a corpus.
fn vectors(model: &ModelFolder, corpus: &Corpus) -> Embeddings {
    let posts: Vec<Post> = corpus.posts().expect("posts").into_iter().take(20).collect();
    let parts = corpus.parts().expect("parts");
    let dataset = model.fitted.numbers(corpus, &posts, &parts, &Silent::default()).expect("numbers");
    let all: Vec<usize> = (0..dataset.len()).collect();
    embed_posts(model, &dataset, &all, &Component::ALL, &Silent::default()).expect("vectors")
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).expect("a copy");
        }
    }
}

#[test]
fn by_the_path_of_the_run_of_the_model_and_of_a_copy() {
    let folder = tempfile::tempdir().expect("a folder");
    let corpus = town(folder.path());
    let run = folder.path().join("run");
    let summary = train(&corpus, &config(), &run, false, &Silent::default()).expect("trained");
    let best = summary.best.expect("a validation");
    let first = ModelFolder::open(&run).expect("the run opens");
    let sum = first.info.weights.sum.expect("a sum of recalls");
    // Through JSON the last bit of a float may change.
    assert!(first.info.weights.step == best.step && (sum - best.sum()).abs() < 1e-9);
    assert_eq!(first.config, config());
    assert!(first.info.about.synthetic);
    let expected = vectors(&first, &corpus);
    let card = std::fs::read_to_string(run.join("model/README.md")).expect("a card");
    assert!(card.contains("SYNTHETIC") && card.contains("Figures on the dev part"), "{card}");

    // Elsewhere, without run and corpus.
    let elsewhere = folder.path().join("elsewhere");
    copy(&run.join("model"), &elsewhere);
    std::fs::remove_dir_all(&run).expect("removed");
    let copied = ModelFolder::open(&elsewhere).expect("the copy opens");
    assert_eq!(vectors(&copied, &corpus).vectors, expected.vectors);

    for (file, said) in [("network.safetensors", "network.safetensors"), ("model.json", "not a model folder")] {
        std::fs::remove_file(elsewhere.join(file)).expect("removed");
        let error = ModelFolder::open(&elsewhere).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(error.contains(said), "{error}");
    }
}
