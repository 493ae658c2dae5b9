//! A small dataset of random numbers with hidden topics, and how two runs are compared.
#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::BTreeMap;
use std::path::Path;

use quintet::config::LossKind;
use quintet::features::dataset::NONE;
use quintet::features::{Dataset, Dense, Status};
use quintet::model::Shapes;
use quintet::posts::Part;
use quintet::train::model_folder::About;
use quintet::train::{Job, Summary, train_dataset};
use quintet::{Component, Config, Device, PerComponent, Progress};
use quintet_kernels::rng::Rng;

pub const SHAPES: Shapes = Shapes { words: 40, word_dim: 8, image_dim: 12, user_dim: 6 };
const TOPICS: u64 = 8;

/// Everything a small training run needs.
pub struct Small {
    pub dataset: Dataset,
    pub config: Config,
    pub word_rows: Dense,
    pub about: About,
}

impl Small {
    /// 98 training, 60 dev and 20 test posts; 4 epochs of 7 steps, the last two posts of an epoch in a partial batch.
    pub fn new() -> Small {
        let mut config = Config { seed: 3, ..Config::default() };
        config.words.dim = SHAPES.word_dim;
        config.user.dim = SHAPES.user_dim;
        config.location.neighbours = 2;
        config.model.dim = 16;
        config.model.component_dropout = 0.2;
        config.model.input_dropout = 0.1;
        config.loss.kind = LossKind::MaxOfHinges;
        config.loss.warmup_epochs = 0.5;
        config.train.epochs = 4;
        config.train.batch = 16;
        config.train.learning_rate = 0.01;
        config.train.drop_after = 3;
        config.train.validate_every = 5;
        config.train.checkpoint_every = 4;
        let parts = [(Part::Train, 98), (Part::Dev, 60), (Part::Test, 20)];
        let mut rng = Rng::new(9, &[]);
        let mut word_rows = Dense::new(SHAPES.word_dim);
        for _ in 0..SHAPES.words {
            word_rows.push(&noisy(&mut rng, SHAPES.word_dim, 0, 1.0));
        }
        let mut dataset = Dataset { source_names: vec!["random".into()], ..Dataset::default() };
        dataset.images.dim = SHAPES.image_dim;
        dataset.tags.dim = SHAPES.word_dim;
        dataset.users.dim = SHAPES.user_dim;
        for place in 0..4 {
            dataset.places.push((0..5).map(|n| place * 5 + n));
        }
        for _ in 0..20 {
            dataset.neighbours.push((0..4).map(|_| rng.below(SHAPES.words as u64) as u32).collect::<Vec<_>>());
        }
        for (part, n) in parts {
            for _ in 0..n {
                add_post(&mut dataset, part, &mut rng);
            }
        }
        let about = About { corpus: "random".into(), synthetic: true, ..About::default() };
        Small { dataset, config, word_rows, about }
    }

    /// Trains into `into`.
    pub fn train(&self, into: &Path, resume: bool, progress: &dyn Progress) -> quintet::Result<Summary> {
        self.train_on(&Device::cpu(), into, resume, progress)
    }

    /// Trains into `into` on a device of choice.
    pub fn train_on(
        &self,
        device: &Device,
        into: &Path,
        resume: bool,
        progress: &dyn Progress,
    ) -> quintet::Result<Summary> {
        let job = Job {
            dataset: &self.dataset,
            config: &self.config,
            shapes: SHAPES,
            word_rows: &self.word_rows,
            about: &self.about,
            features: &|folder| quintet::atomic::write_bytes(&folder.join("words"), b"none"),
            device,
        };
        train_dataset(&job, into, resume, progress)
    }
}

/// A vector near the corner of its topic.
fn noisy(rng: &mut Rng, dim: usize, topic: u64, noise: f64) -> Vec<f32> {
    (0..dim).map(|i| (f64::from(u8::from(i as u64 % TOPICS == topic)) + noise * rng.normal()) as f32).collect()
}

/// A post whose present components all come from one topic; text is always there, the others seven times in ten.
fn add_post(data: &mut Dataset, part: Part, rng: &mut Rng) {
    let (number, topic) = (data.len() as u64, rng.below(TOPICS));
    let present = PerComponent::from_fn(|c| c == Component::Text || rng.chance(0.7));
    data.ids.push(format!("post {number}"));
    data.parts.push(Some(part));
    data.sources.push(0);
    data.status.push(present.map(|p| if p { Status::Present } else { Status::Missing }));
    data.keys.push(PerComponent::from_fn(|c| if present[c] { number * 5 + c as u64 + 1 } else { 0 }));
    let length = 2 + rng.index(4);
    data.text.push((0..length).map(|_| (topic * 5 + rng.below(5)) as u32).collect::<Vec<_>>());
    let dense = |into: &mut Dense, c: Component, rng: &mut Rng| {
        if !present[c] {
            return NONE;
        }
        into.push(&noisy(rng, into.dim, topic, 0.3));
        into.len() as u32 - 1
    };
    data.image.push(dense(&mut data.images, Component::Image, rng));
    data.hashtags.push(dense(&mut data.tags, Component::Hashtags, rng));
    data.user.push(dense(&mut data.users, Component::User, rng));
    let place = if present[Component::Location] { (topic % 4) as u32 } else { NONE };
    data.location.push(place);
    data.excluded.push(if place == NONE { vec![] } else { vec![place * 5 + (number % 5) as u32] });
}

/// What two equal runs have in common, ready to be compared: weights and optimiser bit for bit, the model folder,
/// the log without its seconds.
#[derive(Debug, PartialEq)]
pub struct Trace {
    pub last: BTreeMap<String, Vec<u8>>,
    pub model: BTreeMap<String, Vec<u8>>,
    pub log: Vec<serde_json::Value>,
}

impl Trace {
    pub fn of(run: &Path) -> Trace {
        let bytes = std::fs::read(run.join("last.safetensors")).expect("a checkpoint");
        let file = safetensors::SafeTensors::deserialize(&bytes).expect("safetensors");
        let last = file.iter().map(|(name, view)| (name.to_string(), view.data().to_vec())).collect();
        let names = ["config.toml", "model.json", "network.safetensors", "README.md", "features/words"];
        let read = |name: &str| std::fs::read(run.join("model").join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        let model = names.iter().map(|name| (name.to_string(), read(name))).collect();
        let text = std::fs::read_to_string(run.join("log.jsonl")).expect("a log");
        let log = text
            .lines()
            .map(|line| {
                let mut entry: serde_json::Value = serde_json::from_str(line).expect("JSON");
                entry.as_object_mut().expect("an object").remove("seconds");
                entry
            })
            .collect();
        Trace { last, model, log }
    }

    /// Fails with the first thing that differs, by name: whole files in a message help nobody.
    pub fn assert_same(&self, other: &Trace, what: &str) {
        assert!(self.last.keys().eq(other.last.keys()), "{what}: names of tensors");
        for (name, bytes) in &self.last {
            assert!(*bytes == other.last[name], "{what}: {name} in last.safetensors");
        }
        for (name, bytes) in &self.model {
            assert!(*bytes == other.model[name], "{what}: model/{name}");
        }
        for (i, (a, b)) in self.log.iter().zip(&other.log).enumerate() {
            assert_eq!(a, b, "{what}: line {} of the log", i + 1);
        }
        assert_eq!(self.log.len(), other.log.len(), "{what}: lines of the log");
    }
}
