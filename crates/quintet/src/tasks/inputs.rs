//! What every method starts from: the posts, their parts and labels, their joint vectors.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::component::{Component, PerComponent};
use crate::embed::{self, Embeddings};
use crate::error::{Error, Result};
use crate::features::Status;
use crate::posts::{Corpus, Part, Post};
use crate::progress::Progress;
use crate::train::ModelFolder;

/// Posts read at a time while choosing.
const CHUNK: usize = 4096;

/// What a label or a prediction is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// A post.
    Post,
    /// An author, seen through their posts.
    Author,
}

impl Unit {
    /// `post`, `author`: as in `labels.csv`.
    pub fn name(self) -> &'static str {
        match self {
            Unit::Post => "post",
            Unit::Author => "author",
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Unit {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self> {
        match s {
            "post" => Ok(Unit::Post),
            "author" | "user" => Ok(Unit::Author),
            _ => Err(Error::input(format!("`{s}` is nothing that is predicted")).help("give post or author")),
        }
    }
}

/// Chosen posts with their joint vectors; all lists are parallel.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// The posts, as a task edited them.
    pub posts: Vec<Post>,
    /// The part of each.
    pub parts: Vec<Option<Part>>,
    /// What became of each component of each post.
    pub status: Vec<PerComponent<Status>>,
    /// Equal where contents are equal, 0 where missing (`Dataset::keys`).
    pub keys: Vec<PerComponent<u64>>,
    /// Joint vectors of the components asked for.
    pub embeddings: Embeddings,
}

/// Every post of `corpus`, or of one source of it, in corpus order, with its part.
///
/// # Errors
/// If there is none, or a file cannot be read.
pub fn read(corpus: &Corpus, source: Option<&str>) -> Result<(Vec<Post>, Vec<Option<Part>>)> {
    let part_of = corpus.parts()?;
    let mut posts = Vec::new();
    for chunk in corpus.chunks(CHUNK)? {
        posts.extend(chunk?.into_iter().filter(|post| source.is_none_or(|source| post.source == source)));
    }
    if posts.is_empty() {
        let names: Vec<&str> = corpus.manifest().sources.keys().map(String::as_str).collect();
        return Err(match source {
            None => Error::input("the corpus has no posts").at(corpus.root()).help("import some with `quintet import`"),
            Some(source) => Error::input(format!("no post is from source `{source}`"))
                .at(corpus.root())
                .help(format!("sources are {}", names.join(", "))),
        });
    }
    let parts = posts.iter().map(|post| part_of.get(&post.id).copied()).collect();
    Ok((posts, parts))
}

/// The components a task may use: those asked for, or all the model has less `hidden`.
///
/// # Errors
/// If the model lacks a component that was asked for, or nothing is left.
pub fn components(model: &ModelFolder, asked: &[Component], hidden: &[Component]) -> Result<Vec<Component>> {
    let names = |components: &[Component]| {
        let names: Vec<&str> = components.iter().map(|c| c.name()).collect();
        names.join(", ")
    };
    let has = &model.config.components;
    if let Some(missing) = asked.iter().find(|c| !has.contains(c)) {
        return Err(Error::input(format!("the model has no component {missing}"))
            .help(format!("it has {}; train one with {missing}", names(has))));
    }
    if let Some(given_away) = asked.iter().find(|c| hidden.contains(c)) {
        return Err(
            Error::input(format!("{given_away} is what is to be predicted")).help("leave it out of the components")
        );
    }
    let left: Vec<Component> = Component::ALL
        .into_iter()
        .filter(|c| has.contains(c) && !hidden.contains(c) && (asked.is_empty() || asked.contains(c)))
        .collect();
    if left.is_empty() {
        let what = format!("the model has no component that this task can use, only {}", names(has));
        return Err(Error::input(what).help("train a model with text"));
    }
    Ok(left)
}

impl Inputs {
    /// Embeds `posts` of `corpus` (edited or not) with the given components. What the corpus lacks is computed with what
    /// the model folder holds.
    ///
    /// Holds all vectors: 4 bytes x dimension x components a post.
    ///
    /// # Errors
    /// If a file cannot be read, or the person stops the work.
    pub fn embed(
        corpus: &Corpus,
        model: &ModelFolder,
        posts: Vec<Post>,
        parts: Vec<Option<Part>>,
        components: &[Component],
        progress: &dyn Progress,
    ) -> Result<Inputs> {
        let part_of: HashMap<String, Part> =
            posts.iter().zip(&parts).filter_map(|(post, part)| Some((post.id.clone(), (*part)?))).collect();
        let dataset = model.fitted.numbers(corpus, &posts, &part_of, progress)?;
        let indices: Vec<usize> = (0..dataset.len()).collect();
        let embeddings = embed::embed_posts(model, &dataset, &indices, components, progress)?;
        Ok(Inputs { posts, parts, status: dataset.status, keys: dataset.keys, embeddings })
    }

    /// Number of posts.
    pub fn len(&self) -> usize {
        self.posts.len()
    }

    /// True if there is no post.
    pub fn is_empty(&self) -> bool {
        self.posts.is_empty()
    }

    /// Positions of the posts of `part`.
    pub fn of_part(&self, part: Part) -> Vec<usize> {
        (0..self.len()).filter(|&i| self.parts[i] == Some(part)).collect()
    }
}

/// One label of a corpus: what it says of posts or authors.
#[derive(Clone, Debug)]
pub struct Labels {
    /// Its name in `labels.csv`.
    pub name: String,
    /// What it is about.
    pub unit: Unit,
    /// Distinct values, sorted.
    pub values: Vec<String>,
    /// How many labelled ids no post has.
    pub unknown: usize,
    of: HashMap<String, usize>,
}

impl Labels {
    /// The label called `name`, or the only one that `posts` have. A post label or an author label serves either way:
    /// [`Labels::of`] looks at the post's id or its author's.
    ///
    /// # Errors
    /// If there is no such label, several where none was named, or none of its ids is among the posts.
    pub fn read(corpus: &Corpus, posts: &[Post], name: Option<&str>) -> Result<Labels> {
        let path = corpus.root().join("labels.csv");
        let ids: HashSet<(Unit, &str)> = posts
            .iter()
            .flat_map(|post| {
                let author = post.author.as_ref().map(|a| (Unit::Author, a.id.as_str()));
                [Some((Unit::Post, post.id.as_str())), author].into_iter().flatten()
            })
            .collect();
        // Which labels the posts have, and every label's rows.
        let mut found: Vec<(String, Unit)> = Vec::new();
        let mut rows = corpus.labels()?;
        rows.retain(|row| name.is_none_or(|name| row.name == name));
        let mut unknown = 0;
        rows.retain(|row| {
            let unit = if row.kind == "author" { Unit::Author } else { Unit::Post };
            let known = ids.contains(&(unit, row.id.as_str()));
            unknown += usize::from(!known);
            if known && !found.iter().any(|(n, u)| *n == row.name && *u == unit) {
                found.push((row.name.clone(), unit));
            }
            known
        });
        let (name, unit) = match (found.as_slice(), name) {
            ([one], _) => one.clone(),
            ([], None) => {
                let what =
                    if unknown > 0 { "no label is of a post or author that is here" } else { "there are no labels" };
                return Err(Error::input(what).at(&path).help(
                    "import a folder with a labels.csv: a header `post_id,NAME` or `author_id,NAME`, then a row each",
                ));
            }
            ([], Some(name)) => {
                let what = match unknown {
                    0 => format!("no label is called `{name}`"),
                    n => format!("all {n} labels called `{name}` are of posts or authors that are not here"),
                };
                return Err(Error::input(what).at(&path).help("see what labels there are with `quintet check`"));
            }
            (several, _) => {
                let names: Vec<String> = several.iter().map(|(n, u)| format!("{n} (of a {u})")).collect();
                return Err(Error::input(format!("there are several labels: {}", names.join(", ")))
                    .at(&path)
                    .help("say which with --label NAME"));
            }
        };
        let mut values: Vec<String> = rows.iter().map(|row| row.value.clone()).collect();
        values.sort_unstable();
        values.dedup();
        let of = rows
            .into_iter()
            .filter_map(|row| values.binary_search(&row.value).ok().map(|value| (row.id, value)))
            .collect();
        Ok(Labels { name, unit, values, unknown, of })
    }

    /// Index into `values` of what the label says of `post` or its author.
    pub fn of(&self, post: &Post) -> Option<usize> {
        match self.unit {
            Unit::Post => self.of.get(&post.id).copied(),
            Unit::Author => self.of.get(&post.author.as_ref()?.id).copied(),
        }
    }
}
