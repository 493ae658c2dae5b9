//! `[location]`: a place, seen through the texts of other training posts from there.
//!
//! Every text counts once per place. A post never meets its own text again: equal texts and near-duplicates
//! ([`super::near_duplicates`]) are left out for it, whoever wrote them; posts of the validation and test parts are never
//! candidates, because only training posts are fitted on.

use std::collections::HashMap;
use std::path::Path;

use super::dataset::Ragged;
use super::near_duplicates::NearDuplicates;
use super::store::{Reader, Writer};
use super::text::{text_key, token_set};
use super::train_posts::TrainPosts;
use super::vocabulary::Vocabulary;
use crate::error::Result;

const KIND: &str = "places 1";

/// Places with their neighbour candidates.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Places {
    ids: Vec<String>,
    index: HashMap<String, u32>,
    /// Candidates of place `i`: `offsets[i]..offsets[i + 1]`.
    offsets: Vec<usize>,
    /// Token ids of each candidate.
    tokens: Ragged<u32>,
    /// Token set of each candidate.
    sets: Ragged<u32>,
    duplicates: NearDuplicates,
}

impl Places {
    /// Collects the texts of the training posts by place; `texts[i]` are the tokens of training post `i`.
    pub fn fit(train: &TrainPosts, texts: &[Vec<String>], vocabulary: &Vocabulary, max_tokens: usize) -> Places {
        let mut places = Places::default();
        let mut members: Vec<Vec<usize>> = Vec::new();
        for (i, post) in train.posts().iter().enumerate() {
            let (Some(place), false) = (&post.place, texts[i].is_empty()) else { continue };
            let at = *places.index.entry(place.id.clone()).or_insert_with(|| {
                places.ids.push(place.id.clone());
                members.push(Vec::new());
                places.ids.len() as u32 - 1
            });
            members[at as usize].push(i);
        }
        places.offsets.push(0);
        for posts in &members {
            let mut seen = std::collections::HashSet::new();
            for &i in posts {
                if seen.insert(text_key(&texts[i])) {
                    places.tokens.push(vocabulary.ids(&texts[i], max_tokens));
                    places.sets.push(token_set(&texts[i]));
                }
            }
            places.offsets.push(places.tokens.len());
        }
        places.with_duplicates()
    }

    fn with_duplicates(mut self) -> Places {
        let lengths = self.offsets.windows(2).enumerate();
        let groups: Vec<u32> = lengths.flat_map(|(i, w)| std::iter::repeat_n(i as u32, w[1] - w[0])).collect();
        self.duplicates = NearDuplicates::new(&groups, &self.sets);
        self
    }

    /// Number of places.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// True if no training post has a place and a text.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Number of candidates of all places.
    pub fn candidates(&self) -> usize {
        self.tokens.len()
    }

    /// The place with this id.
    pub fn place(&self, id: &str) -> Option<u32> {
        self.index.get(id).copied()
    }

    /// Candidates of a place, as a range over all candidates.
    pub fn candidates_of(&self, place: u32) -> std::ops::Range<usize> {
        self.offsets[place as usize]..self.offsets[place as usize + 1]
    }

    /// Token ids of a candidate.
    pub fn tokens(&self, candidate: usize) -> &[u32] {
        self.tokens.get(candidate)
    }

    /// Candidates of `place` that a post with this text must not see: equal texts and near-duplicates, ascending.
    pub fn excluded(&self, place: u32, tokens: &[String]) -> Vec<u32> {
        // Equal texts have equal token sets, so the near-duplicates contain them.
        if tokens.is_empty() { Vec::new() } else { self.duplicates.find(place, &token_set(tokens), &self.sets) }
    }

    /// Writes the places.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let as_u64 = |offsets: &[usize]| offsets.iter().map(|&o| o as u64).collect::<Vec<_>>();
        let mut file = Writer::default();
        file.strings("ids", &self.ids);
        file.u64("offsets", as_u64(&self.offsets));
        file.u64("token_offsets", as_u64(&self.tokens.offsets));
        file.u32("tokens", &self.tokens.values);
        file.u64("set_offsets", as_u64(&self.sets.offsets));
        file.u32("sets", &self.sets.values);
        file.save(path, KIND)
    }

    /// Reads what [`Places::save`] wrote; token ids must be rows of a vocabulary of `words` rows.
    ///
    /// # Errors
    /// If the file is missing, damaged or of another version.
    pub fn open(path: &Path, words: usize) -> Result<Places> {
        let file = Reader::open(path, KIND)?;
        let ids = file.strings("ids")?;
        let tokens = file.ragged("token_offsets", "tokens")?;
        let sets = file.ragged("set_offsets", "sets")?;
        file.ensure(tokens.len() == sets.len(), "there is not one set per text")?;
        file.ensure(tokens.values.iter().all(|&t| (t as usize) < words), "a token is not in the vocabulary")?;
        let offsets = file.offsets("offsets", tokens.len())?;
        file.ensure(offsets.len() == ids.len() + 1, "there is not one list per place")?;
        let index = ids.iter().enumerate().map(|(i, id)| (id.clone(), i as u32)).collect();
        Ok(Places { ids, index, offsets, tokens, sets, duplicates: NearDuplicates::default() }.with_duplicates())
    }
}
