//! An index of inverted lists: each vector is in the list of the centre nearest to it, and a search looks through the
//! lists of the centres nearest to the query only (Sivic and Zisserman 2003, "Video Google").
//!
//! The centres come from spherical k-means (Dhillon and Modha 2001) on a sample. Within the lists probed the search is
//! exact, so a true neighbour is found if and only if its list is probed: one exact search of some queries gives the
//! recall for every number of probes at once.

use quintet_kernels::rng::{Rng, label};
use quintet_kernels::topk::{Hit, Hits, top_k, top_k_of_lists};
use rayon::prelude::*;
use std::ops::Range;

use super::vectors::to_unit_length;
use crate::features::Dense;

/// Vectors per list that the centres are learned from (faiss warns below 39).
const SAMPLE: usize = 50;
/// Queries a list, on average, from which on it pays to look through a list for all of its queries at once.
const SHARED: usize = 4;
/// Rounds of k-means.
const ROUNDS: usize = 10;

/// An index over unit vectors.
#[derive(Clone, Debug)]
pub struct Ivf {
    /// `[lists, dim]`, at unit length.
    centres: Dense,
    /// First row of each list in `order` and `vectors`, and the end.
    starts: Vec<usize>,
    /// Which vector each row is; ascending within a list.
    order: Vec<u32>,
    /// The vectors, list after list.
    vectors: Dense,
}

impl Ivf {
    /// A number of lists that balances comparing centres with looking through lists: 2 √n.
    pub fn lists_for(vectors: usize) -> usize {
        ((vectors as f64).sqrt() * 2.0).round() as usize
    }

    /// Builds an index of `lists` lists (at least 1, at most one a vector) over the unit vectors `vectors`; same seed,
    /// same index. It holds a copy of the vectors.
    pub fn new(vectors: &Dense, lists: usize, seed: u64) -> Ivf {
        let lists = lists.clamp(1, vectors.len().max(1));
        let centres = centres(vectors, lists, seed);
        let (starts, order) = by_centre(&assign(vectors, &centres), centres.len());
        let mut copy = Dense { dim: vectors.dim, values: Vec::with_capacity(vectors.values.len()) };
        order.iter().for_each(|&i| copy.push(vectors.row(i as usize)));
        Ivf { centres, starts, order, vectors: copy }
    }

    /// Number of lists.
    pub fn lists(&self) -> usize {
        self.centres.len()
    }

    /// The `k` nearest of the vectors in the `probes` lists nearest to each query; `queries` is `[q, dim]`. Best first,
    /// equal cosines in the order of the vectors.
    pub fn search(&self, queries: &[f32], k: usize, probes: usize) -> Vec<Vec<Hit>> {
        let dim = self.vectors.dim;
        let asking = queries.len() / dim;
        let search = || {
            let nearest = top_k(queries, &self.centres.values, dim, probes);
            if asking * probes < SHARED * self.lists() {
                self.each_alone(queries, k, asking, &nearest)
            } else {
                self.list_by_list(queries, k, asking, &nearest)
            }
        };
        // One way into the thread pool instead of one for each step: it takes as long as looking through a list.
        if rayon::current_num_threads() == 1 { search() } else { rayon::scope(|_| search()) }
    }

    /// Few queries seldom share a list: each looks through its lists, nearest first, so that most scores of later ones
    /// are below what it has.
    fn each_alone(&self, queries: &[f32], k: usize, asking: usize, nearest: &Hits) -> Vec<Vec<Hit>> {
        let (dim, parts) = (self.vectors.dim, rayon::current_num_threads().div_ceil(asking.max(1)));
        let look = |task: usize| {
            let (query, part) = (task / parts, task % parts);
            let lists = nearest.of(query).iter().skip(part).step_by(parts).map(|list| self.rows(list.index as usize));
            let query = &queries[query * dim..][..dim];
            top_k_of_lists(query, &self.vectors.values, &self.order, &lists.collect::<Vec<_>>(), k)
        };
        let tasks = 0..asking * parts;
        let found: Vec<_> = if rayon::current_num_threads() == 1 {
            tasks.map(look).collect()
        } else {
            tasks.into_par_iter().map(look).collect()
        };
        found.chunks(parts).map(|parts| best(parts.concat(), k)).collect()
    }

    /// Queries that share a list look through it together.
    fn list_by_list(&self, queries: &[f32], k: usize, asking: usize, nearest: &Hits) -> Vec<Vec<Hit>> {
        let dim = self.vectors.dim;
        let mut found = vec![Vec::new(); asking];
        let mut of_list: Vec<Vec<u32>> = vec![Vec::new(); self.lists()];
        for query in 0..asking {
            nearest.of(query).iter().for_each(|list| of_list[list.index as usize].push(query as u32));
        }
        let asked: Vec<usize> = (0..self.lists()).filter(|&list| !of_list[list].is_empty()).collect();
        let look = |&list: &usize| {
            let mut vectors = Dense::new(dim);
            of_list[list].iter().for_each(|&query| vectors.push(&queries[query as usize * dim..][..dim]));
            let rows = self.rows(list);
            top_k(&vectors.values, &self.vectors.values[rows.start * dim..rows.end * dim], dim, k)
        };
        let hits: Vec<_> = asked.par_iter().map(look).collect();
        for (&list, hits) in asked.iter().zip(hits) {
            for (i, &query) in of_list[list].iter().enumerate() {
                let global = |hit: &Hit| Hit { index: self.order[self.starts[list] + hit.index as usize], ..*hit };
                found[query as usize].extend(hits.of(i).iter().map(global));
            }
        }
        found.into_par_iter().map(|hits| best(hits, k)).collect()
    }

    /// The rows of a list.
    fn rows(&self, list: usize) -> Range<usize> {
        self.starts[list]..self.starts[list + 1]
    }

    /// Share of `truth`, the true nearest vectors of each of `queries` `[q, dim]`, that a search finds with 1, 2, ...,
    /// all lists probed.
    pub fn recall_by_probes(&self, queries: &[f32], truth: &[Vec<Hit>]) -> Vec<f64> {
        let dim = self.vectors.dim;
        let mut list_of = vec![0u32; self.order.len()];
        for (list, range) in self.starts.windows(2).enumerate() {
            self.order[range[0]..range[1]].iter().for_each(|&i| list_of[i as usize] = list as u32);
        }
        let nearest = top_k(queries, &self.centres.values, dim, self.lists());
        let mut found = vec![0usize; self.lists()];
        for (query, truth) in truth.iter().enumerate() {
            let mut place = vec![0; self.lists()];
            nearest.of(query).iter().enumerate().for_each(|(at, list)| place[list.index as usize] = at);
            truth.iter().for_each(|hit| found[place[list_of[hit.index as usize] as usize]] += 1);
        }
        let all = truth.iter().map(Vec::len).sum::<usize>().max(1) as f64;
        let mut sum = 0;
        let sums = found.into_iter().map(|n| {
            sum += n;
            sum as f64 / all
        });
        sums.collect()
    }
}

/// The `k` best of `hits`, best first.
fn best(mut hits: Vec<Hit>, k: usize) -> Vec<Hit> {
    hits.sort_unstable_by(Hit::order);
    hits.truncate(k);
    hits
}

/// The nearest centre of each vector, with the cosine.
fn assign(vectors: &Dense, centres: &Dense) -> Vec<Hit> {
    let nearest = top_k(&vectors.values, &centres.values, vectors.dim, 1);
    // A vector that is not finite has no nearest centre; any list will do.
    let other = Hit { index: 0, score: f32::NEG_INFINITY };
    (0..vectors.len()).map(|i| nearest.of(i).first().copied().unwrap_or(other)).collect()
}

/// Where the members of each centre start, and the members, centre after centre and ascending.
fn by_centre(assigned: &[Hit], centres: usize) -> (Vec<usize>, Vec<u32>) {
    let mut starts = vec![0; centres + 1];
    assigned.iter().for_each(|hit| starts[hit.index as usize + 1] += 1);
    for i in 0..centres {
        starts[i + 1] += starts[i];
    }
    let (mut next, mut order) = (starts.clone(), vec![0; assigned.len()]);
    for (hit, i) in assigned.iter().zip(0..) {
        let place = &mut next[hit.index as usize];
        order[*place] = i;
        *place += 1;
    }
    (starts, order)
}

/// Spherical k-means on a sample: `lists` centres at unit length.
fn centres(vectors: &Dense, lists: usize, seed: u64) -> Dense {
    let mut order: Vec<u32> = (0..vectors.len() as u32).collect();
    Rng::new(seed, &[label("search/centres")]).shuffle(&mut order);
    order.truncate(lists.saturating_mul(SAMPLE));
    let mut sample = Dense::new(vectors.dim);
    order.iter().for_each(|&i| sample.push(vectors.row(i as usize)));
    let first = sample.values[..lists.min(sample.len()) * sample.dim].to_vec();
    let mut centres = Dense { dim: sample.dim, values: first };
    for _ in 0..ROUNDS {
        let assigned = assign(&sample, &centres);
        let (starts, members) = by_centre(&assigned, centres.len());
        // An empty list starts anew at a vector that its centre serves worst.
        let mut worst: Vec<u32> = (0..sample.len() as u32).collect();
        let score = |i: u32| assigned[i as usize].score;
        worst.sort_unstable_by(|&a, &b| score(a).total_cmp(&score(b)).then(a.cmp(&b)));
        let mut worst = worst.into_iter();
        let members: Vec<&[u32]> = starts.windows(2).map(|range| &members[range[0]..range[1]]).collect();
        let members: Vec<Vec<u32>> = members
            .into_iter()
            .map(|m| if m.is_empty() { worst.by_ref().take(1).collect() } else { m.to_vec() })
            .collect();
        centres.values.par_chunks_exact_mut(sample.dim).zip(members).for_each(|(centre, members)| {
            centre.fill(0.0);
            for i in members {
                centre.iter_mut().zip(sample.row(i as usize)).for_each(|(sum, v)| *sum += v);
            }
            to_unit_length(centre);
        });
    }
    centres
}
