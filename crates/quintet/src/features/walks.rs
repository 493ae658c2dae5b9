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
        walk.clear();
        walk.push(start);
        let mut before = None;
        let mut here = start;
        while walk.len() < self.length {
            let Some(next) = self.step(graph, before, here, rng) else { return };
            walk.push(next);
            before = Some(here);
            here = next;
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
