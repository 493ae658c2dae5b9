//! "Which posts are nearest to these?": exactly or nearly, through an index ([`Ivf`]).
//!
//! [`Vectors::read`] takes one column of a file that `quintet embed` wrote: a component, or the average of all. Posts
//! ask with one column and are found by another, so a text finds images. A post never finds itself.
//!
//! The scores are cosines, as the vectors have unit length. Results are the same bits at any number of threads.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use quintet_kernels::rng::{Rng, label};
use quintet_kernels::topk::{self, Hit};
use serde::Serialize;

use crate::component::Component;
use crate::error::{Error, Result};
use crate::progress::Progress;

mod ivf;
#[cfg(test)]
mod tests;
mod vectors;
mod write;

pub use ivf::Ivf;
pub use vectors::Vectors;
pub use write::{Row, check_name, rows, write};

/// Which of a post's vectors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Column {
    /// The mean of all components the post has, at unit length.
    #[default]
    Average,
    /// One component.
    Of(Component),
}

impl Column {
    /// The name in files and options.
    pub fn name(self) -> &'static str {
        match self {
            Column::Average => "average",
            Column::Of(component) => component.name(),
        }
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Column {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self> {
        match Component::from_str(s) {
            Ok(component) => Ok(Column::Of(component)),
            Err(_) if s == "average" => Ok(Column::Average),
            Err(_) => Err(Error::input(format!("posts have no `{s}` vector"))
                .help("they have text, image, hashtags, location, user, and average")),
        }
    }
}

/// How to search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// Posts wanted for each that asks.
    pub k: usize,
    /// `Some`: through an index, with as many probes as this share of the true k nearest needs; `None`: exactly.
    pub recall: Option<f64>,
    /// Seed of the index.
    pub seed: u64,
}

/// What an index found of the truth, measured on posts that asked both ways.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Measured {
    /// Lists of the index.
    pub lists: usize,
    /// Lists that each search looks through.
    pub probes: usize,
    /// Share of the true k nearest that it finds, on posts other than those the probes were chosen by.
    pub recall: f64,
    /// How many posts that was measured on.
    pub posts: usize,
}

/// The posts found for each that asks.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Per asking post, best first; an index counts the posts of the vectors searched.
    pub hits: Vec<Vec<Hit>>,
    /// How good it is, if it is not exact.
    pub measured: Option<Measured>,
}

/// Posts that ask between two looks at whether the person wants to stop.
const CHUNK: usize = 4096;
/// Posts that the recall of an index is measured on, and as many to choose its probes by.
const MEASURED: usize = 256;

/// Searches `vectors` for the nearest to each of `asking`, leaving out the asking post itself. `sample` are posts like
/// those that ask, for measuring an index (`asking` itself, if there are many).
///
/// # Errors
/// If the vectors are of another model, or the person stops the work.
pub fn search(
    asking: &Vectors,
    sample: &Vectors,
    vectors: &Vectors,
    options: &Options,
    progress: &dyn Progress,
) -> Result<Found> {
    asking.same_space(vectors)?;
    sample.same_space(vectors)?;
    let positions = vectors.positions();
    let Some(wanted) = options.recall else {
        let hits = in_chunks(asking, progress, |part| exact(part, vectors, &positions, options.k))?;
        return Ok(Found { hits, measured: None });
    };
    progress.note(&format!("building an index of {} posts", vectors.ids.len()));
    let index = Ivf::new(&vectors.values, Ivf::lists_for(vectors.ids.len()), options.seed);
    let sample = drawn(sample, 2 * MEASURED, options.seed);
    let truth = exact(&sample, vectors, &positions, options.k);
    let (choosing, measuring) = (sample.ids.len().div_ceil(2), sample.ids.len() / 2);
    let curve = |from: usize, n: usize| {
        let asking = &sample.values.values[from * sample.values.dim..][..n * sample.values.dim];
        index.recall_by_probes(asking, &truth[from..from + n])
    };
    let chosen = curve(0, choosing);
    let probes = 1 + chosen.iter().position(|&recall| recall >= wanted).unwrap_or(index.lists() - 1);
    // One post alone cannot be divided.
    let (curve, posts) = if measuring > 0 { (curve(choosing, measuring), measuring) } else { (chosen, choosing) };
    let measured = Measured { lists: index.lists(), probes, recall: curve[probes - 1], posts };
    let hits = in_chunks(asking, progress, |part| {
        let hits = index.search(&part.values.values, options.k.saturating_add(1), probes);
        without_itself(part, &positions, hits, options.k)
    })?;
    Ok(Found { hits, measured: Some(measured) })
}

/// The `k` nearest of `vectors` to each of `asking`, without the asking post itself.
fn exact(asking: &Vectors, vectors: &Vectors, positions: &HashMap<&str, u32>, k: usize) -> Vec<Vec<Hit>> {
    let hits = topk::top_k(&asking.values.values, &vectors.values.values, vectors.values.dim, k.saturating_add(1));
    let hits = (0..asking.ids.len()).map(|i| hits.of(i).to_vec()).collect();
    without_itself(asking, positions, hits, k)
}

/// Takes the asking post out of what it found, and leaves `k`.
fn without_itself(
    asking: &Vectors,
    positions: &HashMap<&str, u32>,
    mut hits: Vec<Vec<Hit>>,
    k: usize,
) -> Vec<Vec<Hit>> {
    for (id, hits) in asking.ids.iter().zip(&mut hits) {
        if let Some(&itself) = positions.get(id.as_str()) {
            hits.retain(|hit| hit.index != itself);
        }
        hits.truncate(k);
    }
    hits
}

fn in_chunks(
    asking: &Vectors,
    progress: &dyn Progress,
    find: impl Fn(&Vectors) -> Vec<Vec<Hit>>,
) -> Result<Vec<Vec<Hit>>> {
    let task = progress.task("search", Some(asking.ids.len() as u64), "posts");
    let mut all = Vec::with_capacity(asking.ids.len());
    for from in (0..asking.ids.len()).step_by(CHUNK) {
        if progress.interrupted() {
            return Err(Error::interrupted("stopped while searching"));
        }
        let part = asking.select(from..asking.ids.len().min(from + CHUNK));
        all.extend(find(&part));
        task.advance(part.ids.len() as u64);
    }
    Ok(all)
}

/// At most `most` of `posts`, by chance.
fn drawn(posts: &Vectors, most: usize, seed: u64) -> Vectors {
    let mut order: Vec<usize> = (0..posts.ids.len()).collect();
    Rng::new(seed, &[label("search/sample")]).shuffle(&mut order);
    order.truncate(most);
    posts.select(order.into_iter())
}
