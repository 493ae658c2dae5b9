//! Posts -> the numbers of a [`Dataset`], by what is fitted.

use std::collections::HashMap;
use std::path::PathBuf;

use rayon::prelude::*;

use super::dataset::{Dataset, Dense, NONE, Status};
use super::fitted::Fitted;
use super::hashtags::mean_vector;
use super::image::ImageStore;
use super::location::Places;
use super::text::{content_key, plain_tokens, post_tokens, tags, text_key};
use super::user::{InferredUsers, UserVectors};
use super::vocabulary::UNKNOWN;
use crate::component::{Component, PerComponent};
use crate::error::{Error, Result};
use crate::posts::{Corpus, Part, Place, Post};
use crate::progress::Progress;

/// Posts read at a time when a whole corpus is passed over.
const CHUNK: usize = 8192;

impl Fitted {
    /// Numbers of the given posts of `corpus`; images are read from the corpus' feature cache, missing ones computed
    /// and added to it. `parts` may be empty. Components that the model lacks count as missing.
    ///
    /// With `user.infer` the whole corpus is passed over once for the mentions of authors outside the graph.
    ///
    /// # Errors
    /// If a cache file cannot be read or written, or the person stops the work.
    pub fn numbers(
        &self,
        corpus: &Corpus,
        posts: &[Post],
        parts: &HashMap<String, Part>,
        progress: &dyn Progress,
    ) -> Result<Dataset> {
        let inferred = self.inferred_users(corpus, progress)?;
        self.numbers_with(corpus, posts, parts, &inferred, &mut None, progress)
    }

    /// [`Fitted::numbers`] for one of several chunks of a corpus, with what [`Fitted::inferred_users`] found in all of it
    /// and the image features that an earlier chunk opened.
    ///
    /// # Errors
    /// As [`Fitted::numbers`].
    pub fn numbers_with(
        &self,
        corpus: &Corpus,
        posts: &[Post],
        parts: &HashMap<String, Part>,
        inferred: &InferredUsers,
        images: &mut Option<ImageStore>,
        progress: &dyn Progress,
    ) -> Result<Dataset> {
        let texts: Vec<Vec<String>> = posts.par_iter().map(|p| post_tokens(p, &self.settings.text)).collect();
        let mut dataset = Dataset {
            ids: posts.iter().map(|p| p.id.clone()).collect(),
            parts: posts.iter().map(|p| parts.get(&p.id).copied()).collect(),
            status: vec![PerComponent::default(); posts.len()],
            keys: vec![PerComponent::default(); posts.len()],
            image: vec![NONE; posts.len()],
            hashtags: vec![NONE; posts.len()],
            location: vec![NONE; posts.len()],
            user: vec![NONE; posts.len()],
            ..Dataset::default()
        };
        add_sources(&mut dataset, posts);
        self.add_texts(&mut dataset, &texts);
        self.add_images(&mut dataset, corpus, posts, images, progress)?;
        self.add_hashtags(&mut dataset, posts);
        self.add_places(&mut dataset, posts, &texts);
        self.add_users(&mut dataset, posts, inferred);
        Ok(dataset)
    }

    /// Stand-ins for the authors of `corpus` who are not in the mention graph; empty unless `user.infer` is set.
    ///
    /// # Errors
    /// If the corpus cannot be read, or the person stops the work.
    pub fn inferred_users(&self, corpus: &Corpus, progress: &dyn Progress) -> Result<InferredUsers> {
        let mut inferred = InferredUsers::default();
        let Some(users) = self.users.as_ref().filter(|u| self.settings.user.infer && !u.is_empty()) else {
            return Ok(inferred);
        };
        for chunk in corpus.chunks(CHUNK)? {
            if progress.interrupted() {
                return Err(Error::interrupted("stopped while reading the corpus' mentions"));
            }
            chunk?.iter().for_each(|post| inferred.add(users, post));
        }
        Ok(inferred)
    }

    fn add_texts(&self, dataset: &mut Dataset, texts: &[Vec<String>]) {
        for (i, tokens) in texts.iter().enumerate() {
            let used = self.settings.has(Component::Text) && !tokens.is_empty();
            if used {
                dataset.text.push(self.vocabulary.ids(tokens, self.settings.text.max_tokens));
                dataset.set(i, Component::Text, Status::Present, text_key(tokens));
            } else {
                dataset.text.push([]);
            }
        }
    }

    /// The first image of each post whose file is at hand. A post that only names an address has no image.
    fn add_images(
        &self,
        dataset: &mut Dataset,
        corpus: &Corpus,
        posts: &[Post],
        store: &mut Option<ImageStore>,
        progress: &dyn Progress,
    ) -> Result<()> {
        let Some(encoder) = &self.encoder else { return Ok(()) };
        let mut files: Vec<PathBuf> = Vec::new();
        let mut rows: HashMap<PathBuf, usize> = HashMap::new();
        let mut of_post = Vec::new();
        for (i, post) in posts.iter().enumerate() {
            if let Some(file) = post.images.iter().find_map(|image| corpus.image_path(image)) {
                let row = *rows.entry(file).or_insert_with_key(|file| {
                    files.push(file.clone());
                    files.len() - 1
                });
                of_post.push((i, row));
            }
        }
        dataset.images = Dense::new(encoder.dim());
        if files.is_empty() {
            return Ok(());
        }
        let store = match store {
            Some(open) => open,
            None => store.insert(ImageStore::open(&corpus.root().join("features").join("images"))?),
        };
        let found = store.features(encoder, &files, progress)?;
        let mut stored: HashMap<u64, u32> = HashMap::new();
        for (i, row) in of_post {
            let image = &found[row];
            let Ok(feature) = &image.feature else {
                dataset.set(i, Component::Image, Status::Broken, image.key);
                continue;
            };
            dataset.image[i] = *stored.entry(image.key).or_insert_with(|| {
                dataset.images.push(feature);
                dataset.images.len() as u32 - 1
            });
            dataset.set(i, Component::Image, Status::Present, image.key);
        }
        Ok(())
    }

    fn add_hashtags(&self, dataset: &mut Dataset, posts: &[Post]) {
        dataset.tags = Dense::new(self.word_dim());
        let Some(words) = self.words.as_ref().filter(|_| self.settings.has(Component::Hashtags)) else { return };
        let found: Vec<(Vec<String>, Option<Vec<f32>>)> = posts
            .par_iter()
            .map(|post| {
                let tags = tags(post);
                let vector = mean_vector(&tags, words);
                (tags, vector)
            })
            .collect();
        for (i, (mut tags, vector)) in found.into_iter().enumerate() {
            if tags.is_empty() {
                continue;
            }
            tags.sort_unstable();
            let key = content_key(tags.iter().map(String::as_str));
            let Some(vector) = vector else {
                dataset.set(i, Component::Hashtags, Status::Unseen, key);
                continue;
            };
            dataset.hashtags[i] = dataset.tags.len() as u32;
            dataset.tags.push(&vector);
            dataset.set(i, Component::Hashtags, Status::Present, key);
        }
    }

    fn add_places(&self, dataset: &mut Dataset, posts: &[Post], texts: &[Vec<String>]) {
        let excluded = self.excluded(posts, texts);
        let mut used = PlacesInUse::default();
        for (i, (post, excluded)) in posts.iter().zip(excluded).enumerate() {
            let (Some(places), Some(place)) = (&self.places, &post.place) else {
                dataset.excluded.push([]);
                continue;
            };
            let key = content_key([place.id.as_str()]);
            let known = places.place(&place.id).filter(|&p| places.candidates_of(p).len() > excluded.len());
            if let Some(at) = known {
                let (row, shift) = used.known(dataset, places, at);
                dataset
                    .excluded
                    .push(excluded.iter().map(|&c| (c as usize - places.candidates_of(at).start + shift) as u32));
                dataset.location[i] = row;
                dataset.set(i, Component::Location, Status::Present, key);
                continue;
            }
            dataset.excluded.push([]);
            let named = self.name_tokens(place).map(|tokens| used.named(dataset, tokens));
            let status = if named.is_some() { Status::Inferred } else { Status::Unseen };
            dataset.location[i] = named.unwrap_or(NONE);
            dataset.set(i, Component::Location, status, key);
        }
    }

    /// For each post the candidates of its place that it must not see.
    fn excluded(&self, posts: &[Post], texts: &[Vec<String>]) -> Vec<Vec<u32>> {
        let Some(places) = self.places.as_ref().filter(|_| self.settings.location.exclude_self) else {
            return vec![Vec::new(); posts.len()];
        };
        let of = |(post, tokens): (&Post, &Vec<String>)| {
            let place = post.place.as_ref().and_then(|p| places.place(&p.id));
            place.map_or_else(Vec::new, |place| places.excluded(place, tokens))
        };
        posts.par_iter().zip(texts).map(of).collect()
    }

    /// A place's name as a text that stands in for its neighbours, if a word of it is in the vocabulary.
    fn name_tokens(&self, place: &Place) -> Option<Vec<u32>> {
        if !self.settings.location.place_name {
            return None;
        }
        let tokens = plain_tokens(place.name.as_deref()?, false);
        let ids = self.vocabulary.ids(&tokens, self.settings.text.max_tokens);
        ids.iter().any(|&id| id > UNKNOWN).then_some(ids)
    }

    fn add_users(&self, dataset: &mut Dataset, posts: &[Post], inferred: &InferredUsers) {
        dataset.users = Dense::new(self.user_dim());
        let Some(users) = &self.users else { return };
        let nobody = InferredUsers::default();
        let mut rows: HashMap<(&str, bool), (u32, Status)> = HashMap::new();
        for (i, post) in posts.iter().enumerate() {
            let Some(author) = &post.author else { continue };
            // An author with training posts but outside the graph mentions people in dev or test posts only: training
            // posts must not see those.
            let blind = dataset.parts[i] == Some(Part::Train) && users.vector(author).is_none();
            let stand_ins = if blind { &nobody } else { inferred };
            let (row, status) = *rows
                .entry((&author.id, blind))
                .or_insert_with(|| user_row(users, stand_ins, author, &mut dataset.users));
            dataset.user[i] = row;
            dataset.set(i, Component::User, status, content_key([author.id.as_str()]));
        }
    }
}

/// Appends the author's vector, if there is one.
fn user_row(
    users: &UserVectors,
    inferred: &InferredUsers,
    author: &crate::posts::Author,
    rows: &mut Dense,
) -> (u32, Status) {
    let status = if let Some(vector) = users.vector(author) {
        rows.push(vector);
        Status::Present
    } else if let Some(vector) = inferred.vector(&author.id) {
        rows.push(&vector);
        Status::Inferred
    } else {
        return (NONE, Status::Unseen);
    };
    (rows.len() as u32 - 1, status)
}

/// The places that occur among the posts, in the order of their first post.
#[derive(Default)]
struct PlacesInUse {
    /// Known place -> its row in the dataset and its first neighbour there.
    known: HashMap<u32, (u32, usize)>,
    /// Tokens of a name -> row in the dataset.
    named: HashMap<Vec<u32>, u32>,
}

impl PlacesInUse {
    fn known(&mut self, dataset: &mut Dataset, places: &Places, place: u32) -> (u32, usize) {
        *self.known.entry(place).or_insert_with(|| {
            let first = dataset.neighbours.len();
            let candidates = places.candidates_of(place);
            dataset.places.push((first..first + candidates.len()).map(|n| n as u32));
            candidates.for_each(|c| dataset.neighbours.push(places.tokens(c).iter().copied()));
            (dataset.places.len() as u32 - 1, first)
        })
    }

    fn named(&mut self, dataset: &mut Dataset, tokens: Vec<u32>) -> u32 {
        *self.named.entry(tokens).or_insert_with_key(|tokens| {
            dataset.places.push([dataset.neighbours.len() as u32]);
            dataset.neighbours.push(tokens.iter().copied());
            dataset.places.len() as u32 - 1
        })
    }
}

fn add_sources(dataset: &mut Dataset, posts: &[Post]) {
    let mut rows: HashMap<&str, u32> = HashMap::new();
    for post in posts {
        let row = *rows.entry(&post.source).or_insert_with(|| {
            dataset.source_names.push(post.source.clone());
            dataset.source_names.len() as u32 - 1
        });
        dataset.sources.push(row);
    }
}

impl Dataset {
    fn set(&mut self, post: usize, component: Component, status: Status, key: u64) {
        self.status[post][component] = status;
        self.keys[post][component] = key;
    }
}
