//! The methods of the task as what they learned: fitting one, and asking it.

use serde::{Deserialize, Serialize};

use super::baseline;
use super::cases::{Apart, Candidates, Case};
use super::ours::{Ours, TagVectors};
use super::text_index::TextIndex;
use super::trivial::{self, Lists};
use crate::component::Component;
use crate::embed::Embeddings;
use crate::error::{Error, Result};
use crate::features::Ragged;
use crate::posts::{Corpus, Part};
use crate::progress::Progress;
use crate::tasks::{Inputs, Method, Options, Role};
use crate::train::ModelFolder;

/// The methods, ours first.
pub const METHODS: [Method; 7] = [
    Method {
        name: "ours",
        role: Role::Ours,
        about: "cosines in the joint space, tags of similar posts, of the author and place, words of the text; weights learned",
    },
    Method {
        name: "largest-cosine",
        role: Role::Paper,
        about: "training tags by the largest cosine with any component of the post",
    },
    Method {
        name: "co-attention",
        role: Role::Baseline,
        about: "image regions and text attended to together (Zhang et al. 2017)",
    },
    Method { name: "text-neighbours", role: Role::Trivial, about: "votes of the nearest training texts by tf-idf" },
    Method { name: "same-author", role: Role::Trivial, about: "the author's tags in the training part" },
    Method { name: "same-place", role: Role::Trivial, about: "the place's tags in the training part" },
    Method { name: "most-frequent", role: Role::Trivial, about: "the most frequent tags of the training part" },
];

/// What a method learned.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Knowledge {
    Ours(Box<Ours>),
    LargestCosine(TagVectors),
    CoAttention(Box<baseline::Learned>),
    TextNeighbours(TextIndex, Ragged<u32>),
    SameAuthor(trivial::History),
    SamePlace(trivial::History),
    MostFrequent,
}

/// A fitted method.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Learned {
    /// The tags it can recommend.
    pub candidates: Candidates,
    /// Training posts that have a tag.
    pub posts: usize,
    components: Vec<Component>,
    knowledge: Knowledge,
}

/// What fitting and asking start from.
#[derive(Clone, Copy)]
pub struct Setting<'a> {
    /// Where posts and images are.
    pub corpus: &'a Corpus,
    /// The joint model.
    pub model: &'a ModelFolder,
    /// Components that may be seen.
    pub components: &'a [Component],
    /// Whether the corpus is learned from, so that what takes long is worth keeping beside it.
    pub kept: bool,
    /// As the user said.
    pub options: &'a Options,
    /// Who watches.
    pub progress: &'a dyn Progress,
}

/// What a method may learn from.
pub struct Training<'a> {
    /// Training posts with a tag.
    pub cases: &'a [Case],
    /// Posts of the dev part with a tag, by which training may be stopped.
    pub dev: &'a [Case],
    /// Tags of the training posts.
    pub candidates: &'a Candidates,
}

impl Setting<'_> {
    /// The joint vectors of some cases, all of one part.
    ///
    /// # Errors
    /// If no case has any component, or the person stops the work.
    pub fn vectors(&self, cases: &[Case], part: Option<Part>) -> Result<Embeddings> {
        let posts = cases.iter().map(|case| case.post.clone()).collect();
        let parts = vec![part; cases.len()];
        let inputs = Inputs::embed(self.corpus, self.model, posts, parts, self.components, self.progress)?;
        Ok(inputs.embeddings)
    }

    fn source(&self) -> baseline::Source<'_> {
        baseline::Source { corpus: self.corpus, model: self.model, components: self.components, kept: self.kept }
    }
}

/// Fits a method.
///
/// # Errors
/// If the model lacks what it needs, no training post has a component it may see, or the person stops the work.
pub fn fit(setting: Setting, method: Method, training: &Training) -> Result<(Learned, baseline::training::History)> {
    let Training { cases, dev, candidates } = *training;
    let mut history = baseline::training::History::default();
    let tags = || candidates.of_cases(cases);
    let by = |key: fn(&Case) -> Option<&str>| {
        let tags = tags();
        trivial::History::new(cases.iter().enumerate().map(|(post, case)| (key(case), tags.get(post))))
    };
    let knowledge = match method.name {
        "ours" => {
            let tag_vectors = TagVectors::of(setting.corpus, setting.model, candidates, setting.progress)?;
            let vectors = setting.vectors(cases, Some(Part::Train))?;
            let apart = Apart::new(cases, dev.iter().filter_map(Case::author));
            let seed = setting.options.seed;
            let ours = Ours::fit(cases, vectors, tag_vectors, candidates, &apart, setting.components, seed);
            history.remark = ours.remark();
            Knowledge::Ours(Box::new(ours))
        }
        "largest-cosine" => {
            Knowledge::LargestCosine(TagVectors::of(setting.corpus, setting.model, candidates, setting.progress)?)
        }
        "co-attention" => {
            let settings = baseline::Settings::of(setting.options)?;
            let (learned, trained) =
                baseline::fit(setting.source(), cases, dev, candidates, &settings, setting.progress)?;
            history = trained;
            Knowledge::CoAttention(Box::new(learned))
        }
        "text-neighbours" => {
            Knowledge::TextNeighbours(TextIndex::new(cases.iter().map(|case| case.words.as_slice())), tags())
        }
        "same-author" => Knowledge::SameAuthor(by(Case::author)),
        "same-place" => Knowledge::SamePlace(by(Case::place)),
        "most-frequent" => Knowledge::MostFrequent,
        other => return Err(Error::internal(format!("a method `{other}` that nobody fits"))),
    };
    let components = setting.components.to_vec();
    Ok((Learned { candidates: candidates.clone(), posts: cases.len(), components, knowledge }, history))
}

impl Learned {
    /// Whether [`Learned::recommend`] needs the cases' joint vectors.
    pub fn needs_vectors(&self) -> bool {
        matches!(self.knowledge, Knowledge::Ours(_) | Knowledge::LargestCosine(_))
    }

    /// Components it was fitted with.
    pub fn components(&self) -> &[Component] {
        &self.components
    }

    /// The best tags of each case with their scores, best first; nothing where the method has nothing to say.
    /// `vectors` are those of the cases, for methods that need them.
    ///
    /// # Errors
    /// If what was learned is damaged, or the person stops the work.
    pub fn recommend(&self, setting: Setting, cases: &[Case], vectors: Option<&Embeddings>) -> Result<Lists> {
        let vectors = || vectors.ok_or_else(|| Error::internal("vectors of the posts that ask are missing"));
        Ok(match &self.knowledge {
            Knowledge::Ours(ours) => ours.recommend(cases, vectors()?, &self.candidates),
            Knowledge::LargestCosine(tags) => tags.largest_cosine(vectors()?, &self.components),
            Knowledge::CoAttention(learned) => {
                learned.recommend(setting.source(), cases, &self.candidates, setting.progress)?
            }
            Knowledge::TextNeighbours(texts, tags) => trivial::text_neighbours(texts, tags, cases),
            Knowledge::SameAuthor(history) => history.recommend(cases.iter().map(Case::author)),
            Knowledge::SamePlace(history) => history.recommend(cases.iter().map(Case::place)),
            Knowledge::MostFrequent => trivial::most_frequent(&self.candidates, self.posts, cases.len()),
        })
    }
}
