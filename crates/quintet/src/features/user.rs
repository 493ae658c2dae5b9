//! `[user]`: mention graph -> walks -> skip-gram -> a vector per account (`fasttext_node2vec.md` section B).
//!
//! As in fastnode2vec each pass takes a fresh walk from every node, in random order, and negatives are uniform over
//! nodes. Unlike there, no node is sub-sampled, and the pairs of a walk share negatives (`walk_training`).

use std::collections::HashMap;
use std::path::Path;

use quintet_kernels::rng::{Rng, label};

use super::dataset::Dense;
use super::graph::{Accounts, MentionGraph};
use super::store::{Reader, Writer};
use super::train_posts::TrainPosts;
use super::walk_training::{BATCH, WalkTraining};
use crate::config;
use crate::error::{Error, Result};
use crate::posts::{Author, Post};
use crate::progress::Progress;

const KIND: &str = "users 1";
/// Where the learning rate ends (gensim's `min_alpha`).
const LAST_RATE: f64 = 1e-4;
/// Names the method in the key of cached vectors; a change that gives other vectors gives it another name.
pub(super) const METHOD: &str = "walks in rounds 1";

/// Vectors of accounts in the mention graph.
#[derive(Clone, Debug, PartialEq)]
pub struct UserVectors {
    names: Vec<String>,
    accounts: Accounts,
    vectors: Dense,
    /// Edges of the graph, for the report.
    pub edges: usize,
    /// Nodes from which a walk can take a step, for the report.
    pub starting_nodes: usize,
}

impl UserVectors {
    /// Builds the mention graph of the training posts and learns a vector for each of its accounts.
    ///
    /// # Errors
    /// If the person stops the work.
    pub fn fit(train: &TrainPosts, settings: &config::User, progress: &dyn Progress) -> Result<UserVectors> {
        let graph = MentionGraph::of(train, settings.undirected);
        let vectors = learn(&graph, settings, progress)?;
        let (edges, starting_nodes) = (graph.edges(), graph.starting_nodes());
        Ok(UserVectors { names: graph.names, accounts: graph.accounts, vectors, edges, starting_nodes })
    }

    /// Number of accounts.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// True if nobody mentions anybody in the training posts.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Length of a vector.
    pub fn dim(&self) -> usize {
        self.vectors.dim
    }

    /// Vector of an author in the graph.
    pub fn vector(&self, author: &Author) -> Option<&[f32]> {
        Some(self.vectors.row(self.accounts.node(&author.id, author.handle.as_deref())? as usize))
    }

    /// Writes the vectors and what tells accounts apart.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let (handles, ids): (Vec<&str>, Vec<&str>) = self.accounts.handles().unzip();
        let mut file = Writer::default();
        file.strings("names", &self.names);
        file.strings("handles", &handles);
        file.strings("handle_ids", &ids);
        file.u64("counts", [self.edges as u64, self.starting_nodes as u64, self.vectors.dim as u64]);
        file.f32("vectors", &self.vectors.values, self.vectors.dim);
        file.save(path, KIND)
    }

    /// Reads what [`UserVectors::save`] wrote.
    ///
    /// # Errors
    /// If the file is missing, damaged or of another version.
    pub fn open(path: &Path) -> Result<UserVectors> {
        let file = Reader::open(path, KIND)?;
        let names = file.strings("names")?;
        let counts = file.u64("counts")?;
        file.ensure(counts.len() == 3, "`counts` has not three numbers")?;
        let vectors = Dense { dim: counts[2] as usize, values: file.f32("vectors")? };
        let rows_fit = names.len().checked_mul(vectors.dim) == Some(vectors.values.len());
        file.ensure(rows_fit, "`vectors` has not one row per name")?;
        let handles = file.strings("handles")?.into_iter().zip(file.strings("handle_ids")?).collect();
        let accounts = Accounts::from_saved(&names, handles);
        Ok(UserVectors { names, accounts, vectors, edges: counts[0] as usize, starting_nodes: counts[1] as usize })
    }
}

/// A vector for each node of `graph` `[nodes, dim]`: skip-gram with negative sampling over second-order walks.
///
/// # Errors
/// If the person stops the work.
pub fn learn(graph: &MentionGraph, settings: &config::User, progress: &dyn Progress) -> Result<Dense> {
    let mut training = WalkTraining::new(graph, settings);
    let total = (settings.walks * graph.len()).max(1);
    let task = progress.task("user vectors", Some(total as u64), "walks");
    let mut order: Vec<u32> = (0..graph.len() as u32).collect();
    let mut done = 0;
    for pass in 0..settings.walks as u64 {
        Rng::new(settings.seed, &[label("user order"), pass]).shuffle(&mut order);
        for starts in order.chunks(BATCH) {
            let rate = |more: usize| {
                let share = (done + more) as f64 / total as f64;
                settings.learning_rate - (settings.learning_rate - LAST_RATE) * share
            };
            training.learn(pass, starts, rate);
            done += starts.len();
            task.advance(starts.len() as u64);
            if progress.interrupted() {
                return Err(Error::interrupted("stopped while training user vectors; they start anew next time"));
            }
        }
    }
    Ok(Dense { dim: settings.dim, values: training.into_rows() })
}

/// Stand-ins for authors who are not in the graph: the mean vector of those they mention, one count per post and account.
#[derive(Debug, Default)]
pub struct InferredUsers {
    sums: HashMap<String, (Vec<f32>, u32)>,
}

impl InferredUsers {
    /// Takes a post into account. All posts of an author must be seen before [`InferredUsers::vector`] is asked, so that
    /// a post's vector does not depend on the posts around it.
    pub fn add(&mut self, users: &UserVectors, post: &Post) {
        let Some(author) = &post.author else { return };
        if post.mentions.is_empty() || users.vector(author).is_some() {
            return;
        }
        for node in users.accounts.mentioned_nodes(post) {
            let (sum, count) = self.sums.entry(author.id.clone()).or_insert_with(|| (vec![0.0; users.vectors.dim], 0));
            sum.iter_mut().zip(users.vectors.row(node as usize)).for_each(|(s, v)| *s += v);
            *count += 1;
        }
    }

    /// The stand-in for an author, if they mention anyone in the graph.
    pub fn vector(&self, author: &str) -> Option<Vec<f32>> {
        let (sum, count) = self.sums.get(author)?;
        Some(sum.iter().map(|s| s / *count as f32).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::AtPath;
    use crate::posts::{Mention, Part};
    use crate::progress::Silent;

    fn settings() -> config::User {
        config::User { dim: 16, walks: 10, walk_length: 20, window: 5, ..config::User::default() }
    }

    /// Two blocks of thirty nodes; an edge inside a block is ten times as likely as one between blocks.
    fn blocks() -> MentionGraph {
        let mut rng = Rng::new(11, &[]);
        let mut edges = Vec::new();
        for u in 0..60u32 {
            for v in (0..60).filter(|&v| v != u) {
                if rng.chance(if (u < 30) == (v < 30) { 0.3 } else { 0.03 }) {
                    edges.push((u, v, 1.0));
                }
            }
        }
        MentionGraph::from_edges(60, edges, false)
    }

    #[test]
    fn members_of_a_block_are_near() -> Result<()> {
        let vectors = learn(&blocks(), &config::User { walks: 40, ..settings() }, &Silent::default())?;
        let unit = |i: usize| {
            let length = vectors.row(i).iter().map(|v| v * v).sum::<f32>().sqrt();
            vectors.row(i).iter().map(|v| v / length).collect::<Vec<_>>()
        };
        let (mut sums, mut counts) = ([0.0; 2], [0.0f32; 2]);
        for u in 0..60 {
            for v in 0..u {
                let between = usize::from((u < 30) != (v < 30));
                sums[between] += unit(u).iter().zip(unit(v)).map(|(a, b)| a * b).sum::<f32>();
                counts[between] += 1.0;
            }
        }
        let (within, between) = (sums[0] / counts[0], sums[1] / counts[1]);
        assert!(within > between + 0.2, "mean cosine within {within}, between {between}");
        assert_eq!(vectors, learn(&blocks(), &config::User { walks: 40, ..settings() }, &Silent::default())?);
        Ok(())
    }

    #[test]
    fn unknown_authors_take_after_those_they_mention() -> Result<()> {
        let post = |id: &str, author: &str, mentions: &[&str]| Post {
            id: id.into(),
            author: Some(Author { id: author.into(), ..Author::default() }),
            mentions: mentions.iter().map(|m| Mention { id: Some(m.to_string()), handle: None }).collect(),
            ..Post::default()
        };
        let posts =
            [post("1", "a", &["b"]), post("2", "b", &["c"]), post("3", "new", &["b", "x"]), post("4", "new", &["c"])];
        let parts = HashMap::from([("1".to_string(), Part::Train), ("2".to_string(), Part::Train)]);
        let users = UserVectors::fit(&TrainPosts::of(&posts, &parts)?, &settings(), &Silent::default())?;
        assert_eq!(users.len(), 3);
        let mut inferred = InferredUsers::default();
        posts.iter().for_each(|p| inferred.add(&users, p));
        assert_eq!(inferred.vector("a"), None);
        let expected: Vec<f32> = (0..16).map(|k| (users.vectors.row(1)[k] + users.vectors.row(2)[k]) / 2.0).collect();
        assert_eq!(inferred.vector("new"), Some(expected));

        let folder = tempfile::tempdir().at("temporary folder")?;
        let path = folder.path().join("users.safetensors");
        users.save(&path)?;
        assert_eq!(UserVectors::open(&path)?, users);
        crate::atomic::write_bytes(&path, b"nothing of the kind")?;
        assert!(UserVectors::open(&path).is_err_and(|e| e.way_out().is_some()));
        Ok(())
    }
}
