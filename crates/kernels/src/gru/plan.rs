//! The order in which a batch of sequences goes through the GRU: every distinct beginning once.

use std::collections::HashMap;
use std::ops::Range;

/// The tree of the sequences' beginnings. A node is a distinct beginning (its tokens up to some length), its parent the
/// same without the last token; so sequences that begin alike share their states as far as they agree. Nodes are numbered
/// by length, then by parent, then in the caller's order: the children of a node, and the nodes of a length, follow each
/// other.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Length - 1 -> first node; one more at the end.
    offsets: Vec<usize>,
    /// Node -> row of `distinct`, of its last token.
    rows: Vec<u32>,
    /// Node -> first child; one more at the end.
    child_offsets: Vec<usize>,
    /// Node -> first entry of `ended`; one more at the end.
    end_offsets: Vec<usize>,
    /// The sequences that each node is the whole of, ascending.
    ended: Vec<u32>,
    /// Token ids, each once.
    distinct: Vec<u32>,
    /// Row of `distinct` -> first entry of `places`; one more at the end.
    place_offsets: Vec<usize>,
    /// The nodes that end with each distinct token, ascending.
    places: Vec<u32>,
    /// Number of sequences.
    sequences: usize,
}

impl Plan {
    /// Plans the sequences `tokens[offsets[i]..offsets[i + 1]]`. An empty sequence is allowed: its state is zero.
    ///
    /// # Panics
    /// If the offsets descend or leave `tokens`.
    pub fn new(offsets: &[usize], tokens: &[u32]) -> Self {
        let sequences: Vec<&[u32]> = offsets.windows(2).map(|pair| &tokens[pair[0]..pair[1]]).collect();
        let mut plan = Self { offsets: vec![0], sequences: sequences.len(), ..Self::default() };
        let mut known = HashMap::new();
        // Sequences with their nodes, by node; the empty beginning is nobody's node.
        let mut running: Vec<(usize, usize)> = (0..sequences.len()).map(|sequence| (0, sequence)).collect();
        let mut last_nodes = vec![None; sequences.len()];
        let mut parents = Vec::new();
        while let Some(length) = Some(plan.offsets.len() - 1) {
            running.retain(|&(_, sequence)| sequences[sequence].len() > length);
            if running.is_empty() {
                break;
            }
            let mut children = HashMap::new();
            for (node, sequence) in &mut running {
                let token = sequences[*sequence][length];
                *node = *children.entry((*node, token)).or_insert_with(|| {
                    let row = *known.entry(token).or_insert_with(|| {
                        plan.distinct.push(token);
                        plan.distinct.len() as u32 - 1
                    });
                    plan.rows.push(row);
                    parents.push(*node as u32);
                    plan.rows.len() - 1
                });
                if sequences[*sequence].len() == length + 1 {
                    last_nodes[*sequence] = Some(*node as u32);
                }
            }
            running.sort_by_key(|&(node, _)| node);
            plan.offsets.push(plan.rows.len());
        }
        let nodes = plan.rows.len();
        let first = plan.at(0).len();
        let (mut child_offsets, _) = inverse(parents[first..].iter().map(|&parent| Some(parent)), nodes);
        child_offsets.iter_mut().for_each(|offset| *offset += first);
        plan.child_offsets = child_offsets;
        (plan.end_offsets, plan.ended) = inverse(last_nodes.into_iter(), nodes);
        (plan.place_offsets, plan.places) = inverse(plan.rows.iter().map(|&row| Some(row)), plan.distinct.len());
        plan
    }

    /// The batch's token ids, each once: row i of the input `x` is the embedding of `distinct()[i]`.
    pub fn distinct(&self) -> &[u32] {
        &self.distinct
    }

    /// Number of sequences.
    pub fn len(&self) -> usize {
        self.sequences
    }

    /// Whether there is no sequence.
    pub fn is_empty(&self) -> bool {
        self.sequences == 0
    }

    /// Number of distinct beginnings: what the GRU computes.
    pub fn nodes(&self) -> usize {
        self.rows.len()
    }

    /// Length of the longest sequence.
    pub(crate) fn longest(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// The nodes of length `depth + 1`; none beyond the longest.
    pub(crate) fn at(&self, depth: usize) -> Range<usize> {
        match self.offsets.get(depth..depth + 2) {
            Some(&[from, to]) => from..to,
            _ => 0..0,
        }
    }

    /// The row of [`Plan::distinct`] of the last token of `node`.
    pub(crate) fn row(&self, node: usize) -> usize {
        self.rows[node] as usize
    }

    /// The nodes one token longer than `node`.
    pub(crate) fn children(&self, node: usize) -> Range<usize> {
        self.child_offsets[node]..self.child_offsets[node + 1]
    }

    /// The sequences that `node` is the whole of.
    pub(crate) fn ended(&self, node: usize) -> &[u32] {
        &self.ended[self.end_offsets[node]..self.end_offsets[node + 1]]
    }

    /// The nodes that end with the token of row `row` of [`Plan::distinct`].
    pub(crate) fn places(&self, row: usize) -> &[u32] {
        &self.places[self.place_offsets[row]..self.place_offsets[row + 1]]
    }
}

/// For each of `n` keys the numbers of the items that have it, ascending: where they begin (one more at the end), and the
/// numbers. A counting sort.
pub(crate) fn inverse(keys: impl Iterator<Item = Option<u32>> + Clone, n: usize) -> (Vec<usize>, Vec<u32>) {
    let mut offsets = vec![0; n + 1];
    for key in keys.clone().flatten() {
        offsets[key as usize + 1] += 1;
    }
    for i in 0..n {
        offsets[i + 1] += offsets[i];
    }
    let (mut next, mut items) = (offsets.clone(), vec![0; offsets[n]]);
    for (item, key) in keys.enumerate() {
        if let Some(key) = key {
            items[next[key as usize]] = item as u32;
            next[key as usize] += 1;
        }
    }
    (offsets, items)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginnings_are_nodes_once() {
        // 7 8 | 9 | nothing | 7 8 9 | 9 8 | 7 8 | 9 7
        let plan = Plan::new(&[0, 2, 3, 3, 6, 8, 10, 12], &[7, 8, 9, 7, 8, 9, 9, 8, 7, 8, 9, 7]);
        assert_eq!(plan.distinct(), [7, 9, 8]);
        // 7, 9 | 7 8, 9 8, 9 7 | 7 8 9
        assert_eq!([plan.at(0), plan.at(1), plan.at(2), plan.at(3)], [0..2, 2..5, 5..6, 0..0]);
        assert_eq!(plan.rows, [0, 1, 2, 2, 0, 1]);
        let children: Vec<_> = (0..6).map(|node| plan.children(node)).collect();
        assert_eq!(children, [2..3, 3..5, 5..6, 6..6, 6..6, 6..6]);
        let ended: Vec<&[u32]> = (0..6).map(|node| plan.ended(node)).collect();
        assert_eq!(ended, [&[][..], &[1], &[0, 5], &[4], &[6], &[3]]);
        assert_eq!([plan.places(0), plan.places(1), plan.places(2)], [&[0, 4][..], &[1, 5], &[2, 3]]);
        assert_eq!((plan.len(), plan.nodes(), plan.longest()), (7, 6, 3));
    }

    #[test]
    fn nothing_and_only_empty_sequences_are_plans() {
        assert!(Plan::new(&[0], &[]).is_empty() && Plan::new(&[], &[]).is_empty());
        let plan = Plan::new(&[0, 0, 0], &[]);
        assert_eq!((plan.len(), plan.nodes(), plan.longest()), (2, 0, 0));
    }
}
