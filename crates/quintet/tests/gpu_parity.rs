//! Promise: a card gives the vectors, losses, gradients and Adam steps of the CPU to 1e-3, and its models open everywhere.
//!
//! Compiled with the feature `wgpu` or `cuda` only, and then it needs an adapter: without one it fails. Debian's
//! mesa-vulkan-drivers has one that computes on the processor. `--nocapture` shows the largest differences.
#![cfg(any(feature = "wgpu", feature = "cuda"))]

mod common;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::Small;
use quintet::config::{Average, LossKind};
use quintet::embed::{self, embed_corpus, embed_dataset};
use quintet::features::{Dataset, Dense, Fitted};
use quintet::model::{Batch, NamedTensor, Network, Shapes};
use quintet::posts::town::{TownOptions, generate};
use quintet::posts::{Corpus, Post};
use quintet::progress::{Silent, Task};
use quintet::train::batches::Plan;
use quintet::train::{ModelFolder, Optimiser, StepSettings, log, train, train_on};
use quintet::{Component, Config, Device, ErrorKind, PerComponent, Progress};

/// How far a card may be from the CPU, relative to the length of a vector, a weight or a gradient.
const PARITY: f64 = 1e-3;

/// What this build can open; an adapter that is missing is a failure, not a reason to skip.
fn cards() -> Vec<Device> {
    let names = [("gpu", cfg!(feature = "wgpu")), ("cuda", cfg!(feature = "cuda"))];
    let open = |name: &str| Device::open(name).unwrap_or_else(|e| panic!("--device {name} cannot be tested: {e}"));
    names.iter().filter(|(_, built)| *built).map(|(name, _)| open(name)).collect()
}

fn config() -> Config {
    let mut config = Config::default();
    for (key, value) in [
        ("words.dim", "20"),
        ("words.epochs", "1"),
        ("words.buckets", "500"),
        ("text.min_count", "1"),
        ("user.dim", "12"),
        ("user.walks", "2"),
        ("user.walk_length", "10"),
        ("location.neighbours", "2"),
        ("model.dim", "24"),
        ("train.batch", "32"),
        ("train.epochs", "2"),
    ] {
        config.set(key, value).expect("a key");
    }
    config
}

/// A small town as numbers, a tenth to a quarter of each component missing.
struct Town {
    corpus: Corpus,
    dataset: Dataset,
    rows: Dense,
    shapes: Shapes,
}

impl Town {
    fn new(folder: &Path) -> Town {
        let path = folder.join("town");
        let options = TownOptions { posts: 240, seed: 4, images: 40, ..TownOptions::default() };
        generate(&options, &path, &Silent::default()).expect("a town");
        let corpus = Corpus::open(&path).expect("a corpus");
        let fitted = Fitted::fit(&corpus, &config(), &Silent::default()).expect("features");
        let posts: Vec<Post> = corpus.posts().expect("posts");
        let parts = corpus.parts().expect("parts");
        let dataset = fitted.numbers(&corpus, &posts, &parts, &Silent::default()).expect("numbers");
        let rows = fitted.word_rows();
        let shapes = Shapes {
            words: rows.len(),
            word_dim: fitted.word_dim(),
            image_dim: fitted.image_dim(),
            user_dim: fitted.user_dim(),
        };
        Town { corpus, dataset, rows, shapes }
    }

    fn network(&self, device: &Device) -> Network {
        Network::new_on(&config(), self.shapes, &self.rows, device)
    }

    /// Training batches; the last one without any author.
    fn batches(&self) -> Vec<Batch> {
        let plan = Plan::new(&self.dataset, &config());
        let order = plan.order(0);
        let mut batches: Vec<Batch> = (0..3).map(|at| plan.batch(&self.dataset, &order, 0, at)).collect();
        batches[2].user.rows.clear();
        batches[2].user.values.values.clear();
        batches[2].keys.iter_mut().for_each(|keys| keys[Component::User] = 0);
        for c in Component::ALL {
            let all = |batch: &Batch| batch.rows(c).len() == batch.size;
            assert!(!batches.iter().all(all), "no post lacks {c}");
        }
        batches
    }
}

fn length(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|x| x * x).sum::<f64>().sqrt()
}

/// Difference of `got` and `want` relative to the length of `want`; lengths below `least` count as `least`.
fn off(got: &[f32], want: &[f32], least: f64) -> f64 {
    assert_eq!(got.len(), want.len());
    let difference = length(got.iter().zip(want).map(|(g, w)| f64::from(*g) - f64::from(*w)));
    difference / length(want.iter().map(|&w| f64::from(w))).max(least)
}

/// The largest difference of tensors of equal names; each must be within [`PARITY`].
fn all_off(what: &str, got: &[NamedTensor], want: &[NamedTensor], least: f64) -> f64 {
    assert!(got.iter().map(|t| &t.name).eq(want.iter().map(|t| &t.name)));
    let one = |(g, w): (&NamedTensor, &NamedTensor)| {
        let off = off(&g.values, &w.values, least);
        assert!(off <= PARITY, "{what}: {} is off by {off:e}", g.name);
        off
    };
    got.iter().zip(want).map(one).fold(0.0, f64::max)
}

#[test]
fn vectors() {
    let folder = tempfile::tempdir().expect("a folder");
    let town = Town::new(folder.path());
    let all: Vec<usize> = (0..town.dataset.len()).collect();
    let vectors = |network: &Network| embed_dataset(network, &town.dataset, &all, &Component::ALL, 2);
    let want = vectors(&town.network(&Device::cpu()));
    for card in cards() {
        let network = town.network(&card);
        let got = vectors(&network);
        let mut largest = PerComponent([0.0; 5]);
        for c in Component::ALL {
            assert_eq!(got.rows[c], want.rows[c], "{c}");
            for post in 0..all.len() {
                let (Some(got), Some(want)) = (got.vector(c, post), want.vector(c, post)) else { continue };
                largest[c] = f64::max(largest[c], off(got, want, 0.0));
            }
            assert!(largest[c] <= PARITY, "{c} is off by {:e}", largest[c]);
        }
        println!("{}: vectors are off by at most {largest:?}", card.name());

        // A batch in which nobody has an image, and one of a single post.
        let without: Vec<usize> =
            all.iter().copied().filter(|&i| want.vector(Component::Image, i).is_none()).take(9).collect();
        for posts in [&without[..], &without[..1]] {
            let some = embed_dataset(&network, &town.dataset, posts, &Component::ALL, 2);
            for (at, &post) in posts.iter().enumerate() {
                for c in Component::ALL {
                    let (got, want) = (some.vector(c, at), want.vector(c, post));
                    assert_eq!(got.is_some(), want.is_some(), "{c} of post {post}");
                    assert!(
                        got.zip(want).is_none_or(|(got, want)| off(got, want, 0.0) <= PARITY),
                        "{c} of post {post}"
                    );
                }
            }
        }
    }
}

fn settings(kind: LossKind, average: Average) -> StepSettings {
    StepSettings { learning_rate: 1e-2, clip: 2.0, kind, average, margin: 0.2, mask_duplicates: true }
}

const KINDS: [LossKind; 4] = [LossKind::MaxOfHinges, LossKind::SumOfHinges, LossKind::InfoNce, LossKind::SigLip];

#[test]
fn losses_and_gradients() {
    let folder = tempfile::tempdir().expect("a folder");
    let town = Town::new(folder.path());
    let batches = town.batches();
    for card in cards() {
        let mut largest = [0.0; 2];
        for kind in KINDS {
            for average in [Average::LeaveOneOut, Average::IncludeSelf, Average::Pairwise] {
                for (at, batch) in [(0, &batches[0]), (2, &batches[2])] {
                    let what = format!("{kind:?}, {average:?}, batch {at}");
                    let on = |device: &Device| {
                        let network = town.network(device);
                        Optimiser::new(&network).gradients(&network, batch, &settings(kind, average))
                    };
                    let ((got, gradients), (want, expected)) = (on(&card), on(&Device::cpu()));
                    assert_eq!(got.pairs, want.pairs, "{what}");
                    for c in Component::ALL {
                        let off = (got.losses[c] - want.losses[c]).abs();
                        assert!(off <= PARITY * want.losses[c].abs(), "{what}: loss of {c} is off by {off:e}");
                        largest[0] = f64::max(largest[0], off / want.losses[c].abs().max(1e-9));
                    }
                    assert!(want.gradient_norm > 0.0, "{what}");
                    // A gradient that ought to be zero is noise on both sides: measured against the whole.
                    let least = 1e-4 * want.gradient_norm;
                    largest[1] = f64::max(largest[1], all_off(&what, &gradients, &expected, least));
                }
            }
        }
        println!("{}: losses are off by at most {:e}, gradients by {:e}", card.name(), largest[0], largest[1]);
    }
}

#[test]
fn three_adam_steps() {
    let folder = tempfile::tempdir().expect("a folder");
    let town = Town::new(folder.path());
    let batches = town.batches();
    for card in cards() {
        for kind in KINDS {
            let on = |device: &Device| {
                let mut network = town.network(device);
                let mut optimiser = Optimiser::new(&network);
                let settings = settings(kind, Average::LeaveOneOut);
                let norms: Vec<f64> =
                    batches.iter().map(|batch| optimiser.step(&mut network, batch, &settings).gradient_norm).collect();
                (norms, network.tensors(), optimiser.tensors())
            };
            let (start, want, got) = (town.network(&Device::cpu()).tensors(), on(&Device::cpu()), on(&card));
            let moved = start.iter().zip(&want.1).filter(|(a, b)| a.values != b.values).count();
            assert!(moved + 2 >= start.len(), "{kind:?}: only {moved} weights moved");
            for (got, want) in got.0.iter().zip(&want.0) {
                assert!((got - want).abs() <= PARITY * want, "{kind:?}: norm {got}, not {want}");
            }
            let weights = all_off(&format!("{kind:?}, weights"), &got.1, &want.1, 1e-6);
            let moments = all_off(&format!("{kind:?}, moments"), &got.2, &want.2, 1e-6);
            println!(
                "{}: three steps of {kind:?}: weights off by at most {weights:e}, moments {moments:e}",
                card.name()
            );

            // What was saved on one goes on on the other.
            let mut network = town.network(&card);
            let mut optimiser = Optimiser::new(&network);
            network.load(&want.1).expect("same shapes");
            optimiser.load(&want.2).expect("same shapes");
            assert_eq!((network.tensors(), optimiser.tensors()), (want.1, want.2), "loading changes no bit");
        }
    }
}

#[test]
fn a_model_opens_on_both() {
    let folder = tempfile::tempdir().expect("a folder");
    let town = Town::new(folder.path());
    for card in cards() {
        let run = |name: &str| folder.path().join(format!("{name} {}", card.name().replace('/', " ")));
        let (here, there) = (run("cpu"), run("card"));
        train(&town.corpus, &config(), &here, false, &Silent::default()).expect("trained on the CPU");
        let summary = train_on(&card, &town.corpus, &config(), &there, false, &Silent::default()).expect("trained");
        assert!(summary.steps > 4 && summary.best.is_some());
        let lines = log::read(&there.join(quintet::train::run::LOG)).expect("a log");
        let names_it =
            |entry: &log::Entry| matches!(entry, log::Entry::Note { text, .. } if text.contains(card.name()));
        assert!(lines.iter().any(names_it), "the log names the adapter");
        let losses: Vec<f64> = lines
            .iter()
            .filter_map(|e| if let log::Entry::Step { loss, .. } = e { Some(*loss) } else { None })
            .collect();
        assert!(losses[losses.len() - 1] < losses[0], "{losses:?}");
        for trained in [&here, &there] {
            let embed = |device: &Device, file: &str| {
                let model = ModelFolder::open_on(device, trained).expect("the model opens");
                let into = trained.join(file);
                let options = embed::Options { chunk: 100, ..Default::default() };
                embed_corpus(&town.corpus, &model, &into, &options, &Silent::default()).expect("embedded");
                embed::read(&into).expect("vectors").1
            };
            let (want, got) = (embed(&Device::cpu(), "cpu.parquet"), embed(&card, "card.parquet"));
            assert_eq!(got.ids, want.ids);
            for c in Component::ALL {
                assert_eq!(got.embeddings.rows[c], want.embeddings.rows[c], "{c}");
                let largest = (0..want.ids.len())
                    .filter_map(|i| Some(off(got.embeddings.vector(c, i)?, want.embeddings.vector(c, i)?, 0.0)))
                    .fold(0.0, f64::max);
                assert!(largest <= PARITY, "{c} is off by {largest:e}");
            }
        }
    }
}

/// Stops after some steps.
struct StopAfter(usize, AtomicUsize);

struct Nothing;

impl Task for Nothing {
    fn advance(&self, _: u64) {}
    fn message(&self, _: &str) {}
}

impl Progress for StopAfter {
    fn task(&self, _: &str, _: Option<u64>, _: &'static str) -> Box<dyn Task> {
        Box::new(Nothing)
    }
    fn note(&self, _: &str) {}
    fn interrupted(&self) -> bool {
        self.1.fetch_add(1, Ordering::SeqCst) >= self.0
    }
}

#[test]
fn a_run_goes_on_after_a_stop() {
    let small = Small::new();
    let folder = tempfile::tempdir().expect("a folder");
    for card in cards() {
        let run = |name: &str, first: &Device, stop: usize| {
            let into = folder.path().join(format!("{name} {}", card.name().replace('/', " ")));
            if stop > 0 {
                let stopped = small.train_on(first, &into, false, &StopAfter(stop, AtomicUsize::new(0)));
                assert_eq!(stopped.expect_err("it was stopped").kind(), ErrorKind::Interrupted);
            }
            let summary = small.train_on(&card, &into, stop > 0, &Silent::default()).expect("trained");
            assert_eq!(summary.steps, 28);
            let bytes = std::fs::read(into.join("last.safetensors")).expect("a checkpoint");
            let file = safetensors::SafeTensors::deserialize(&bytes).expect("safetensors");
            let floats = |data: &[u8]| data.chunks(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
            let mut tensors: Vec<NamedTensor> = file
                .iter()
                .filter(|(name, _)| name.starts_with("network."))
                .map(|(name, view)| NamedTensor {
                    name: name.into(),
                    shape: view.shape().to_vec(),
                    values: floats(view.data()),
                })
                .collect();
            tensors.sort_by(|a, b| a.name.cmp(&b.name));
            tensors
        };
        let whole = run("whole", &card, 0);
        let stopped = all_off("stopped and resumed", &run("stopped", &card, 9), &whole, 1e-6);
        let moved = all_off("begun on the CPU", &run("moved", &Device::cpu(), 9), &whole, 1e-6);
        println!("{}: resumed runs end {stopped:e} (same device) and {moved:e} (begun on the CPU) apart", card.name());
    }
}
