//! Promise: every file in `configs/` is accepted and shows every key there is.

use std::path::{Path, PathBuf};

use quintet::Config;
use quintet::config::{Average, LossKind};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs")
}

fn read(name: &str) -> Config {
    Config::read(&folder().join(name)).unwrap_or_else(|e| panic!("{e}"))
}

/// Dotted names of all keys of a table.
fn keys(table: &toml::Table) -> Vec<String> {
    let mut out = Vec::new();
    for (name, value) in table {
        match value.as_table() {
            Some(section) if section.is_empty() => out.push(name.clone()),
            Some(section) => out.extend(section.keys().map(|key| format!("{name}.{key}"))),
            None => out.push(name.clone()),
        }
    }
    out.sort();
    out
}

#[test]
fn every_key_stands_in_every_file() {
    let all = keys(&Config::default().to_toml().parse().expect("the default is TOML"));
    let mut seen = Vec::new();
    for entry in std::fs::read_dir(folder()).expect("configs/ is there") {
        let path = entry.expect("configs/ can be read").path();
        let text = std::fs::read_to_string(&path).expect("a config can be read");
        assert_eq!(keys(&text.parse().expect("TOML")), all, "{}", path.display());
        // The one key that has no value by default stands there as a comment.
        assert!(text.contains("# pretrained = "), "{} does not show words.pretrained", path.display());
        let name = path.file_name().and_then(|n| n.to_str()).expect("a name").to_string();
        read(&name);
        seen.push(name);
    }
    seen.sort();
    assert_eq!(seen, ["bots.toml", "flickr8k.toml", "paper.toml", "small.toml", "tiny.toml", "union.toml"]);
}

/// What the paper states (`vsepp.md` section 7), number by number.
#[test]
fn the_published_setting_is_the_published_one() {
    let paper = read("paper.toml");
    assert_eq!(paper.components.len(), 5);
    assert_eq!((paper.words.dim, paper.user.dim, paper.model.dim), (300, 300, 1024));
    assert_eq!((paper.loss.kind, paper.loss.average), (LossKind::MaxOfHinges, Average::IncludeSelf));
    assert_eq!((paper.loss.margin, paper.loss.warmup_epochs, paper.loss.mask_duplicates), (0.2, 0.0, false));
    assert_eq!(paper.model.component_dropout, 0.0);
    let train = &paper.train;
    assert_eq!((train.epochs, train.batch, train.learning_rate, train.drop_after), (30, 128, 2e-4, 15));
    assert_eq!((train.clip, train.validate_every), (2.0, 500));
    assert!(paper.image.encoder.ends_with("configs/resnet152.onnx"), "{}", paper.image.encoder);
    assert!(!paper.user.undirected && !paper.user.infer && !paper.location.place_name);
}
