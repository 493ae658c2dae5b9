//! Everything fitted on the training part: vocabulary, word vectors, user vectors, places, the image encoder in use.
//!
//! Word and user vectors, which take minutes, are kept in `CORPUS/features/` under a hash of their settings and of the
//! posts they saw, so fitting again is instant and runs that differ in anything else share them. A model folder holds
//! the same things in the same formats, so training and embedding turn posts into numbers by the same code.
//!
//! ```text
//! CORPUS/features/                      MODEL/features/
//!   words-<hash>.bin                      features.json        version and settings
//!   users-<hash>.safetensors              vocabulary.tsv       words of the network's rows
//!   images/                               words.bin            fastText's format; only if hashtags need it
//!                                         users.safetensors
//!                                         places.safetensors
//!                                         encoder files
//! ```

use std::path::Path;
use std::time::Instant;

use quintet_kernels::rng::{Rng, label};
use serde::{Deserialize, Serialize};

use super::dataset::Dense;
use super::image::ImageEncoder;
use super::location::Places;
use super::text::{learning_tokens, post_tokens};
use super::train_posts::TrainPosts;
use super::user::{self, UserVectors};
use super::vocabulary::{SPECIAL, Vocabulary};
use super::words::WordVectors;
use crate::atomic;
use crate::component::Component;
use crate::config::{self, Config};
use crate::error::{AtPath, Error, Result};
use crate::posts::Corpus;
use crate::progress::Progress;

/// Version of the folder's layout.
const FORMAT: u32 = 1;
/// Raised whenever tokens or training change, so that cached vectors of an older version are not taken for new ones.
const CACHE_VERSION: &str = "quintet features 2";
const SETTINGS_FILE: &str = "features.json";

/// What turns posts into numbers.
pub struct Fitted {
    pub(super) settings: Settings,
    pub(super) vocabulary: Vocabulary,
    pub(super) words: Option<WordVectors>,
    pub(super) users: Option<UserVectors>,
    pub(super) places: Option<Places>,
    pub(super) encoder: Option<ImageEncoder>,
    /// Seconds that each step of fitting took, cached or not.
    pub(super) seconds: Vec<(&'static str, f64)>,
}

/// The part of a configuration that features depend on; `features.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Settings {
    format: u32,
    pub components: Vec<Component>,
    pub words: config::Words,
    pub text: config::Text,
    pub location: config::Location,
    pub user: config::User,
    /// Length of a word vector, known even where the vectors themselves are not kept.
    word_dim: usize,
}

impl Settings {
    fn of(config: &Config) -> Settings {
        Settings {
            format: FORMAT,
            components: config.components.clone(),
            words: config.words.clone(),
            text: config.text.clone(),
            location: config.location.clone(),
            user: config.user.clone(),
            word_dim: config.words.dim,
        }
    }

    pub fn has(&self, component: Component) -> bool {
        self.components.contains(&component)
    }

    /// Text and neighbour texts are the components that read words through the network's rows.
    fn has_rows(&self) -> bool {
        self.has(Component::Text) || self.has(Component::Location)
    }
}

impl Fitted {
    /// Fits on the training part of `corpus`; word and user vectors that are already in `CORPUS/features/` for the same
    /// settings and posts are reused. Only what `config.components` needs is fitted.
    ///
    /// # Errors
    /// If the corpus has no training part, a file cannot be read, or the person stops the work.
    pub fn fit(corpus: &Corpus, config: &Config, progress: &dyn Progress) -> Result<Fitted> {
        let posts = corpus.posts()?;
        let train = TrainPosts::of(&posts, &corpus.parts()?)?;
        Fitted::fit_on(&train, &corpus.root().join("features"), config, progress)
    }

    /// Fits on training posts, with `cache` for what takes long.
    ///
    /// # Errors
    /// As [`Fitted::fit`].
    pub fn fit_on(train: &TrainPosts, cache: &Path, config: &Config, progress: &dyn Progress) -> Result<Fitted> {
        let settings = Settings::of(config);
        let mut seconds = Vec::new();
        let mut clock = Instant::now();
        let mut lap = |name| {
            seconds.push((name, clock.elapsed().as_secs_f64()));
            clock = Instant::now();
        };
        let texts: Vec<Vec<String>> = train.posts().iter().map(|p| post_tokens(p, &settings.text)).collect();
        let vocabulary = Vocabulary::fit(&texts, &settings.text);
        if settings.has_rows() && vocabulary.is_empty() {
            let what = format!("no word occurs {} times in the training texts", settings.text.min_count);
            return Err(
                Error::input(what).help("lower `text.min_count`, or leave text and location out of `components`")
            );
        }
        lap("vocabulary");
        let words = match settings.has_rows() || settings.has(Component::Hashtags) {
            true => Some(fit_words(train, cache, &settings, progress)?),
            false => None,
        };
        lap("words");
        let users = match settings.has(Component::User) {
            true => Some(fit_users(train, cache, &settings, progress)?),
            false => None,
        };
        lap("users");
        let places = settings
            .has(Component::Location)
            .then(|| Places::fit(train, &texts, &vocabulary, settings.text.max_tokens));
        lap("places");
        let encoder = match settings.has(Component::Image) {
            true => Some(ImageEncoder::open(&config.image.encoder)?),
            false => None,
        };
        lap("image encoder");
        Ok(Fitted { settings, vocabulary, words, users, places, encoder, seconds })
    }

    /// Opens a folder that [`Fitted::save`] wrote.
    ///
    /// # Errors
    /// If a file is missing, damaged or of a newer format.
    pub fn open(folder: &Path) -> Result<Fitted> {
        let path = folder.join(SETTINGS_FILE);
        let text = std::fs::read_to_string(&path).at(&path)?;
        let damaged = |e: serde_json::Error| Error::input(e.to_string()).at(&path).help(super::DAMAGED);
        let format = serde_json::from_str::<serde_json::Value>(&text).map_err(damaged)?["format"].as_u64();
        if format.is_some_and(|f| f > u64::from(FORMAT)) {
            return Err(Error::input("written by a newer version of Quintet").at(&path).help("update Quintet"));
        }
        let settings: Settings = serde_json::from_str(&text).map_err(damaged)?;
        let vocabulary = Vocabulary::open(&folder.join("vocabulary.tsv"))?;
        let words = match settings.has(Component::Hashtags) {
            true => Some(WordVectors::read(&folder.join("words.bin"))?),
            false => None,
        };
        let users = match settings.has(Component::User) {
            true => Some(UserVectors::open(&folder.join("users.safetensors"))?),
            false => None,
        };
        let places = match settings.has(Component::Location) {
            true => Some(Places::open(&folder.join("places.safetensors"), vocabulary.len())?),
            false => None,
        };
        let encoder = match settings.has(Component::Image) {
            true => Some(ImageEncoder::open_saved(folder)?),
            false => None,
        };
        Ok(Fitted { settings, vocabulary, words, users, places, encoder, seconds: Vec::new() })
    }

    /// Writes everything needed to turn new posts into numbers into `folder`.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn save(&self, folder: &Path) -> Result<()> {
        self.vocabulary.save(&folder.join("vocabulary.tsv"))?;
        if let (Some(words), true) = (&self.words, self.settings.has(Component::Hashtags)) {
            words.save(&folder.join("words.bin"), &self.settings.words)?;
        }
        if let Some(users) = &self.users {
            users.save(&folder.join("users.safetensors"))?;
        }
        if let Some(places) = &self.places {
            places.save(&folder.join("places.safetensors"))?;
        }
        if let Some(encoder) = &self.encoder {
            encoder.save(folder)?;
        }
        let json = serde_json::to_vec_pretty(&self.settings)
            .map_err(|e| Error::internal(format!("cannot write settings: {e}")))?;
        atomic::write_bytes(&folder.join(SETTINGS_FILE), &json)
    }

    /// Rows of the vocabulary and their initial vectors `[words, dim]`: padding 0; start, end and unknown from
    /// U(-0.1, 0.1); words their word vectors. All 0 in an opened model folder that keeps no word vectors: its network's
    /// weights take their place.
    pub fn word_rows(&self) -> Dense {
        let dim = self.word_dim();
        let mut rows = Dense { dim, values: vec![0.0; self.vocabulary.len() * dim] };
        let Some(words) = &self.words else { return rows };
        let mut rng = Rng::new(self.settings.words.seed, &[label("special rows")]);
        rows.values[dim..SPECIAL * dim].iter_mut().for_each(|v| *v = rng.uniform(-0.1, 0.1));
        for (word, row) in self.vocabulary.words().zip(rows.values[SPECIAL * dim..].chunks_exact_mut(dim)) {
            words.vector_into(word, row);
        }
        rows
    }

    /// The image encoder; none without an image component.
    pub fn encoder(&self) -> Option<&ImageEncoder> {
        self.encoder.as_ref()
    }

    /// The words of the network's rows.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// Length of an image feature; 0 without an image component.
    pub fn image_dim(&self) -> usize {
        self.encoder.as_ref().map_or(0, ImageEncoder::dim)
    }

    /// Length of a user vector.
    pub fn user_dim(&self) -> usize {
        self.users.as_ref().map_or(self.settings.user.dim, UserVectors::dim)
    }

    /// Length of a word (and so hashtag) vector.
    pub fn word_dim(&self) -> usize {
        self.settings.word_dim
    }
}

fn fit_words(train: &TrainPosts, cache: &Path, settings: &Settings, progress: &dyn Progress) -> Result<WordVectors> {
    if let Some(path) = &settings.words.pretrained {
        let words = WordVectors::read(path)?;
        if words.dim() != settings.words.dim {
            let what = format!("holds vectors of length {}, `words.dim` is {}", words.dim(), settings.words.dim);
            return Err(Error::config(what).at(path).help(format!("set `words.dim = {}`", words.dim())));
        }
        return Ok(words);
    }
    let keep_mentions = settings.text.keep_mentions;
    let lines: Vec<Vec<String>> = train.posts().iter().map(|p| learning_tokens(p, keep_mentions)).collect();
    let mut hash = CacheKey::new(&settings.words)?;
    lines.iter().for_each(|line| hash.add(line.iter().map(String::as_str)));
    let path = cache.join(format!("words-{}.bin", hash.finish()));
    if path.exists() {
        return WordVectors::read(&path).map_err(|e| e.help(super::DAMAGED));
    }
    let words = WordVectors::train(&lines, &settings.words, progress)?;
    words.save(&path, &settings.words)?;
    Ok(words)
}

fn fit_users(train: &TrainPosts, cache: &Path, settings: &Settings, progress: &dyn Progress) -> Result<UserVectors> {
    let mut hash = CacheKey::new(&config::User { infer: true, ..settings.user.clone() })?;
    hash.add(std::iter::once(user::METHOD));
    for post in train.posts() {
        let author = post.author.as_ref();
        let account = author.map(|a| [a.id.as_str(), a.handle.as_deref().unwrap_or_default()]);
        let mentions = post.mentions.iter().flat_map(|m| [m.id.as_deref(), m.handle.as_deref()]);
        hash.add(account.into_iter().flatten().chain(mentions.map(Option::unwrap_or_default)));
    }
    let path = cache.join(format!("users-{}.safetensors", hash.finish()));
    if path.exists() {
        return UserVectors::open(&path);
    }
    let users = UserVectors::fit(train, &settings.user, progress)?;
    users.save(&path)?;
    Ok(users)
}

/// Hash of settings and content that names a cached file.
struct CacheKey(blake3::Hasher);

impl CacheKey {
    fn new(settings: &impl Serialize) -> Result<CacheKey> {
        let mut hasher = blake3::Hasher::new();
        let json = serde_json::to_vec(settings).map_err(|e| Error::internal(format!("cannot hash settings: {e}")))?;
        hasher.update(CACHE_VERSION.as_bytes()).update(&json);
        Ok(CacheKey(hasher))
    }

    fn add<'a>(&mut self, parts: impl Iterator<Item = &'a str>) {
        for part in parts {
            self.0.update(&(part.len() as u32).to_le_bytes()).update(part.as_bytes());
        }
        self.0.update(&u32::MAX.to_le_bytes());
    }

    fn finish(self) -> String {
        self.0.finalize().to_hex()[..16].to_string()
    }
}
