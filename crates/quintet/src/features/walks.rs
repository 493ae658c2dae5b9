//! Second-order random walks (node2vec) by rejection, as in fastnode2vec (`fasttext_node2vec.md` B2).

use quintet_kernels::rng::Rng;

use super::graph::MentionGraph;

/// How to walk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Walker {
    /// Nodes in a walk, the start included.
    pub length: usize,
    /// Return parameter: going back weighs 1/p.
    pub p: f64,
    /// In-out parameter: leaving the previous node's neighbours weighs 1/q.
    pub q: f64,
}

impl Walker {
    /// Writes a walk from `start` into `walk`; it ends early where nobody is mentioned.
    pub fn walk(&self, graph: &MentionGraph, start: u32, rng: &mut Rng, walk: &mut Vec<u32>) {
        self.walks(graph, &[start], std::slice::from_mut(rng), std::slice::from_mut(walk));
    }

    /// A walk from each of `starts` with the generator in the same place. They are taken side by side, a step of each in
    /// turn, so that memory answers several at a time.
    ///
    /// # Panics
    /// If there are fewer generators or walks than starts.
    pub fn walks(&self, graph: &MentionGraph, starts: &[u32], rngs: &mut [Rng], walks: &mut [Vec<u32>]) {
        let (rngs, walks) = (&mut rngs[..starts.len()], &mut walks[..starts.len()]);
        for (walk, &start) in walks.iter_mut().zip(starts) {
            walk.clear();
            walk.push(start);
        }
        for taken in 1..self.length {
            // A walk that has ended is shorter.
            for (walk, rng) in walks.iter_mut().zip(&mut *rngs).filter(|(walk, _)| walk.len() == taken) {
                let before = taken.checked_sub(2).map(|i| walk[i]);
                walk.extend(self.step(graph, before, walk[taken - 1], rng));
            }
        }
    }

    fn step(&self, graph: &MentionGraph, before: Option<u32>, here: u32, rng: &mut Rng) -> Option<u32> {
        let before = match before {
            Some(node) if self.p != 1.0 || self.q != 1.0 => node,
            _ => return graph.draw(here, rng.f64()),
        };
        let largest = (1.0 / self.p).max(1.0).max(1.0 / self.q);
        loop {
            let next = graph.draw(here, rng.f64())?;
            let bias = if next == before {
                1.0 / self.p
            } else if graph.has_edge(before, next) {
                1.0
            } else {
                1.0 / self.q
            };
            if rng.f64() < bias / largest {
                return Some(next);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Five nodes, directed, weighted; node 4 mentions nobody.
    fn graph() -> MentionGraph {
        let edges = [
            (0, 1, 2.0),
            (0, 2, 1.0),
            (1, 0, 1.0),
            (1, 2, 3.0),
            (1, 3, 1.0),
            (2, 0, 2.0),
            (2, 3, 2.0),
            (3, 0, 1.0),
            (3, 1, 1.0),
            (3, 2, 5.0),
            (3, 4, 0.5),
        ];
        MentionGraph::from_edges(5, edges.to_vec(), false)
    }

    /// Exact chance of each next node after `before` -> `here` (Grover and Leskovec 2016, edge test as in fastnode2vec).
    fn exact(graph: &MentionGraph, weights: &[(u32, f64)], before: u32, p: f64, q: f64) -> Vec<(u32, f64)> {
        let bias = |y: u32| {
            if y == before {
                1.0 / p
            } else if graph.has_edge(before, y) {
                1.0
            } else {
                1.0 / q
            }
        };
        let sum: f64 = weights.iter().map(|(y, w)| w * bias(*y)).sum();
        weights.iter().map(|(y, w)| (*y, w * bias(*y) / sum)).collect()
    }

    #[test]
    fn transitions_have_the_exact_frequencies() {
        let (graph, p, q) = (graph(), 0.25, 3.0);
        let walker = Walker { length: 3, p, q };
        let weights = [(0, 1.0), (1, 1.0), (2, 5.0), (4, 0.5)];
        let mut counts = std::collections::BTreeMap::new();
        let mut walk = Vec::new();
        for i in 0..200_000 {
            walker.walk(&graph, 1, &mut Rng::new(5, &[i]), &mut walk);
            if walk.len() == 3 && walk[1] == 3 {
                *counts.entry(walk[2]).or_insert(0.0) += 1.0;
            }
        }
        let total: f64 = counts.values().sum();
        assert!(total > 30_000.0, "a fifth of the steps from 1 go to 3, found {total}");
        let chi: f64 = exact(&graph, &weights, 1, p, q)
            .iter()
            .map(|(y, chance)| (counts.get(y).copied().unwrap_or(0.0) - chance * total).powi(2) / (chance * total))
            .sum();
        assert!(chi < 16.3, "chi squared with 3 degrees of freedom: {chi} (16.3 is the 0.1 % point)");
        // The test can fail: first-order frequencies are far off.
        let plain: f64 = weights
            .iter()
            .map(|(y, w)| (counts.get(y).copied().unwrap_or(0.0) - w / 7.5 * total).powi(2) / (w / 7.5 * total))
            .sum();
        assert!(plain > 1000.0, "chi squared against first-order chances: {plain}");
    }

    #[test]
    fn walks_side_by_side_are_walks_one_by_one() {
        let (graph, walker) = (graph(), Walker { length: 12, p: 0.5, q: 2.0 });
        let starts: Vec<u32> = (0..40).map(|i| i % 5).collect();
        let mut rngs: Vec<Rng> = (0..40).map(|i| Rng::new(2, &[i])).collect();
        let (mut walks, mut alone) = (vec![vec![7]; 40], Vec::new());
        walker.walks(&graph, &starts, &mut rngs, &mut walks);
        for (i, walk) in walks.iter().enumerate() {
            walker.walk(&graph, starts[i], &mut Rng::new(2, &[i as u64]), &mut alone);
            assert_eq!(walk, &alone);
        }
    }

    #[test]
    fn walks_end_where_nobody_is_mentioned() {
        let (graph, mut walk) = (graph(), Vec::new());
        let walker = Walker { length: 10, p: 1.0, q: 1.0 };
        walker.walk(&graph, 4, &mut Rng::new(1, &[]), &mut walk);
        assert_eq!(walk, [4]);
        for i in 0..100 {
            walker.walk(&graph, 0, &mut Rng::new(1, &[i]), &mut walk);
            assert!(walk.len() == 10 || walk.last() == Some(&4));
            assert!(walk.windows(2).all(|w| graph.has_edge(w[0], w[1])));
        }
    }
}
