//! Promise: nothing fitted or trained sees validation or test posts; dev posts only choose among the weights.

mod common;

use std::collections::BTreeMap;
use std::path::Path;

use common::{Small, Trace};
use quintet::config::Config;
use quintet::posts::town::{TownOptions, generate};
use quintet::posts::writer::CorpusWriter;
use quintet::posts::{Corpus, Mention, Part, Post};
use quintet::progress::Silent;

#[test]
fn weights_do_not_depend_on_dev_and_test_posts() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut small = Small::new();
    let train = |small: &Small, name: &str| {
        let into = folder.path().join(name);
        small.train(&into, false, &Silent::default()).expect("trained");
        Trace::of(&into)
    };
    let before = train(&small, "before");
    let data = &mut small.dataset;
    let changed: Vec<usize> = (0..data.len()).filter(|&i| data.parts[i] != Some(Part::Train)).collect();
    for &i in &changed {
        // Another image, another author, another text of the same length.
        if data.image[i] != u32::MAX {
            let row = data.image[i] as usize * data.images.dim;
            data.images.values[row] += 3.0;
        }
        if data.user[i] != u32::MAX {
            data.user[i] = 0;
        }
        let (from, to) = (data.text.offsets[i], data.text.offsets[i + 1]);
        data.text.values[from..to].iter_mut().for_each(|token| *token = (*token + 7) % 40);
    }
    let after = train(&small, "after");
    assert!(changed.len() == 80 && before.log != after.log, "the change must show in the validations");
    assert!(before.last == after.last, "last weights depend on posts outside the training part");
    let steps = |trace: &Trace| trace.log.iter().filter(|l| l["kind"] == "step").cloned().collect::<Vec<_>>();
    assert_eq!(steps(&before), steps(&after));
}

/// The same corpus, but for other words, tags, places and mentions in the posts outside the training part.
fn spoiled(corpus: &Corpus, into: &Path) -> Corpus {
    let parts = corpus.parts().expect("parts");
    let mut writer = CorpusWriter::create(into, true, false).expect("a new corpus");
    writer.manifest_mut().name = corpus.manifest().name.clone();
    let posts = corpus.posts().expect("posts");
    let in_train = |p: &&Post| parts.get(&p.id) == Some(&Part::Train);
    let known = posts.iter().filter(in_train).find_map(|p| p.mentions.first()).expect("a mention").clone();
    for mut post in posts {
        let part = parts.get(&post.id).copied();
        if part != Some(Part::Train) {
            post.text = format!("zyx wvu {}", post.text);
            post.hashtags.push("zyxwvu".into());
            post.mentions.push(Mention { id: Some("nobody".into()), handle: Some("nobody".into()) });
            // Also a mention of somebody known, from which a stand-in for an unknown author is made.
            post.mentions.push(known.clone());
            if let Some(place) = &mut post.place {
                place.id.push_str("-elsewhere");
            }
        }
        writer.push(post, part).expect("written");
    }
    writer.finish().expect("a corpus")
}

/// Files by name, each with its bytes.
type Files = Vec<(String, Vec<u8>)>;

fn train(corpus: &Corpus, into: &Path) -> (Files, BTreeMap<String, Vec<u8>>) {
    let mut config = Config::default();
    // Without images: the encoder is not fitted, and the test stays short.
    for (key, value) in [
        ("components", "[text, hashtags, location, user]"),
        ("words.dim", "12"),
        ("words.epochs", "1"),
        ("words.min_count", "1"),
        ("words.buckets", "2000"),
        ("text.min_count", "1"),
        ("user.dim", "8"),
        ("user.walks", "2"),
        ("user.walk_length", "10"),
        ("model.dim", "8"),
        ("train.epochs", "1"),
        ("train.batch", "64"),
    ] {
        config.set(key, value).expect("a key");
    }
    quintet::train::train(corpus, &config, into, false, &Silent::default()).expect("trained");
    let bytes = std::fs::read(into.join("last.safetensors")).expect("a checkpoint");
    let file = safetensors::SafeTensors::deserialize(&bytes).expect("safetensors");
    let mut weights: Vec<_> = file.iter().map(|(name, view)| (name.to_string(), view.data().to_vec())).collect();
    weights.sort();
    let mut fitted = BTreeMap::new();
    for entry in std::fs::read_dir(into.join("model/features")).expect("features") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        fitted.insert(name, std::fs::read(&path).expect("a file"));
    }
    (weights, fitted)
}

#[test]
fn nothing_fitted_depends_on_dev_and_test_posts() {
    let folder = tempfile::tempdir().expect("a folder");
    // Many authors, so that some are outside the mention graph of the training part.
    let options = TownOptions { posts: 600, seed: 5, authors: Some(400), images: 0, ..TownOptions::default() };
    let path = folder.path().join("town");
    generate(&options, &path, &Silent::default()).expect("a town");
    let corpus = Corpus::open(&path).expect("a corpus");
    let other = spoiled(&corpus, &folder.path().join("other"));
    let (weights, fitted) = train(&corpus, &folder.path().join("run"));
    let (spoiled_weights, spoiled_fitted) = train(&other, &folder.path().join("other-run"));
    assert!(fitted.len() >= 4, "{:?}", fitted.keys());
    for (name, bytes) in &fitted {
        assert!(*bytes == spoiled_fitted[name], "features/{name} depends on posts outside the training part");
    }
    for (ours, theirs) in weights.iter().zip(&spoiled_weights) {
        assert!(ours == theirs, "{} depends on posts outside the training part", ours.0);
    }
}
