//! A model folder written by an older version opens by path alone and gives the vectors it gave then.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use quintet::Corpus;
use quintet::embed::embed_posts;
use quintet::posts::import::{ImportOptions, import};
use quintet::progress::Silent;
use quintet::train::ModelFolder;

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/model-format-1")
}

#[test]
fn format_1_opens_and_gives_its_vectors() {
    let folder = tempfile::tempdir().unwrap();
    let into = folder.path().join("corpus");
    import(&[fixture().join("posts.jsonl")], &ImportOptions::default(), &into, &Silent::default()).unwrap();
    let corpus = Corpus::open(&into).unwrap();
    let model = ModelFolder::open(&fixture().join("model")).unwrap();
    let posts = corpus.posts().unwrap();
    let numbers = model.fitted.numbers(&corpus, &posts, &corpus.parts().unwrap(), &Silent::default()).unwrap();
    let all: Vec<usize> = (0..numbers.len()).collect();
    let vectors = embed_posts(&model, &numbers, &all, &model.config.components, &Silent::default()).unwrap();

    let expected = std::fs::read_to_string(fixture().join("expected.json")).unwrap();
    let expected: BTreeMap<String, Vec<f32>> = serde_json::from_str(&expected).unwrap();
    assert_eq!(expected.len(), posts.len());
    for (i, post) in posts.iter().enumerate() {
        let average = vectors.average(i).unwrap();
        let off = average.iter().zip(&expected[&post.id]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        // Instruction sets may round differently.
        assert!(off < 1e-5, "post {} is off by {off}", post.id);
    }
}

#[test]
fn a_newer_format_is_refused_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let old = fixture().join("model");
    let mut folders = vec![PathBuf::new()];
    while let Some(relative) = folders.pop() {
        for entry in std::fs::read_dir(old.join(&relative)).unwrap() {
            let relative = relative.join(entry.unwrap().file_name());
            let (from, to) = (old.join(&relative), folder.path().join(&relative));
            if from.is_dir() {
                std::fs::create_dir(to).unwrap();
                folders.push(relative);
            } else {
                std::fs::copy(from, to).unwrap();
            }
        }
    }
    let about = folder.path().join("model.json");
    let text = std::fs::read_to_string(&about).unwrap();
    let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
    json["format"] = 99.into();
    std::fs::write(&about, json.to_string()).unwrap();
    let error = ModelFolder::open(folder.path()).err().expect("format 99 does not exist yet").to_string();
    assert!(error.contains("model.json") && error.contains("99") && error.contains("help:"), "{error}");
}
