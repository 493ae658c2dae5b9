//! The order in which a batch of sequences goes through the LSTM, and where its states are written.

use crate::gru;
use std::ops::Range;

/// From which side an LSTM reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// First token first; the state at a token has read it and all before it.
    Forward,
    /// Last token first; the state at a token has read it and all after it.
    Backward,
}

/// Sequences as a tree of their distinct beginnings ([`gru::Plan`]), read in one direction, and the rows of the result:
/// one per token in the caller's order (packed), or as many for each sequence (padded).
#[derive(Clone, Debug, Default)]
pub struct Plan {
    tree: gru::Plan,
    /// Node -> its parent; nodes of length 1 have none and are left out.
    parents: Vec<u32>,
    /// Row of the result -> node, [`NONE`] where there is no token.
    nodes: Vec<u32>,
    /// Node -> first entry of `rows`; one more at the end.
    row_offsets: Vec<usize>,
    /// The rows of the result that each node is written to, ascending.
    rows: Vec<u32>,
}

/// A row without a token.
const NONE: u32 = u32::MAX;

impl Plan {
    /// Plans the sequences `tokens[offsets[i]..offsets[i + 1]]`; the result has a row per token, in the order of `tokens`.
    /// An empty sequence is allowed and has no row.
    ///
    /// # Panics
    /// If the offsets descend or leave `tokens`.
    pub fn packed(offsets: &[usize], tokens: &[u32], direction: Direction) -> Self {
        let starts: Vec<usize> = offsets.iter().map(|offset| offset - offsets[0]).collect();
        let rows = offsets.last().map_or(0, |last| last - offsets[0]);
        Self::with_rows(offsets, tokens, direction, &starts, rows)
    }

    /// The same with `length` rows for each sequence; those after its last token are zero and have no part in gradients.
    /// Neither direction reads them: where padding is to be read, it belongs among the tokens.
    ///
    /// # Panics
    /// As [`Plan::packed`], and if a sequence is longer than `length`.
    pub fn padded(offsets: &[usize], tokens: &[u32], direction: Direction, length: usize) -> Self {
        let longest = offsets.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0);
        assert!(longest <= length, "a sequence of {longest} tokens has no room in {length} rows");
        let sequences = offsets.len().saturating_sub(1);
        let starts: Vec<usize> = (0..sequences).map(|sequence| sequence * length).collect();
        Self::with_rows(offsets, tokens, direction, &starts, sequences * length)
    }

    /// `starts`: the first row of each sequence among `rows`.
    fn with_rows(offsets: &[usize], tokens: &[u32], direction: Direction, starts: &[usize], rows: usize) -> Self {
        let tree = match direction {
            Direction::Forward => gru::Plan::new(offsets, tokens),
            Direction::Backward => {
                let mut reversed = tokens.to_vec();
                offsets.windows(2).for_each(|pair| reversed[pair[0]..pair[1]].reverse());
                gru::Plan::new(offsets, &reversed)
            }
        };
        let first = tree.at(0).len();
        let mut parents = vec![0; tree.nodes() - first];
        let mut nodes = vec![NONE; rows];
        for node in 0..tree.nodes() {
            tree.children(node).for_each(|child| parents[child - first] = node as u32);
        }
        for node in 0..tree.nodes() {
            for &sequence in tree.ended(node) {
                let sequence = sequence as usize;
                let length = offsets[sequence + 1] - offsets[sequence];
                let mut node = node;
                for read in (0..length).rev() {
                    let token = if direction == Direction::Forward { read } else { length - 1 - read };
                    nodes[starts[sequence] + token] = node as u32;
                    node = if read > 0 { parents[node - first] as usize } else { node };
                }
            }
        }
        let owner = |&node: &u32| (node != NONE).then_some(node);
        let (row_offsets, rows) = gru::inverse(nodes.iter().map(owner), tree.nodes());
        Self { tree, parents, nodes, row_offsets, rows }
    }

    /// The batch's token ids, each once: row i of the input `x` is the embedding of `distinct()[i]`.
    pub fn distinct(&self) -> &[u32] {
        self.tree.distinct()
    }

    /// Number of rows of the result.
    pub fn rows(&self) -> usize {
        self.nodes.len()
    }

    /// Number of distinct beginnings: what the LSTM computes.
    pub fn nodes(&self) -> usize {
        self.tree.nodes()
    }

    /// The tree of beginnings.
    pub(super) fn tree(&self) -> &gru::Plan {
        &self.tree
    }

    /// The node one token shorter than `node`, which has at least two.
    pub(super) fn parent(&self, node: usize) -> usize {
        self.parents[node - self.first().len()] as usize
    }

    /// The nodes of one token.
    pub(super) fn first(&self) -> Range<usize> {
        self.tree.at(0)
    }

    /// The node whose state is row `row` of the result, if it has a token.
    pub(super) fn node(&self, row: usize) -> Option<usize> {
        let node = self.nodes[row];
        (node != NONE).then_some(node as usize)
    }

    /// The rows of the result that the state of `node` is written to.
    pub(super) fn rows_of(&self, node: usize) -> &[u32] {
        &self.rows[self.row_offsets[node]..self.row_offsets[node + 1]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 7 8 9 | nothing | 7 8 | 5 8 9.
    const OFFSETS: [usize; 5] = [0, 3, 3, 5, 8];
    const TOKENS: [u32; 8] = [7, 8, 9, 7, 8, 5, 8, 9];

    fn nodes(plan: &Plan) -> Vec<Option<usize>> {
        (0..plan.rows()).map(|row| plan.node(row)).collect()
    }

    #[test]
    fn equal_beginnings_are_one_node_from_either_side() {
        let plan = Plan::packed(&OFFSETS, &TOKENS, Direction::Forward);
        // 7, 5 | 7 8, 5 8 | 7 8 9, 5 8 9
        assert_eq!(nodes(&plan), [0, 2, 4, 0, 2, 1, 3, 5].map(Some));
        assert_eq!(plan.rows_of(2), [1, 4]);
        assert_eq!((2..6).map(|node| plan.parent(node)).collect::<Vec<_>>(), [0, 1, 2, 3]);
        let plan = Plan::packed(&OFFSETS, &TOKENS, Direction::Backward);
        // 9, 8 | 9 8, 8 7 | 9 8 7, 9 8 5
        assert_eq!(nodes(&plan), [4, 2, 0, 3, 1, 5, 2, 0].map(Some));
    }

    #[test]
    fn padded_rows_have_no_node() {
        let plan = Plan::padded(&OFFSETS, &TOKENS, Direction::Forward, 3);
        let (some, none) = (Some, None);
        let expected = [some(0), some(2), some(4), none, none, none, some(0), some(2), none, some(1), some(3), some(5)];
        assert_eq!(nodes(&plan), expected);
    }

    #[test]
    fn nothing_is_a_plan() {
        for offsets in [&[][..], &[0][..], &[0, 0, 0][..]] {
            let plan = Plan::packed(offsets, &[], Direction::Backward);
            assert_eq!((plan.rows(), plan.nodes()), (0, 0));
        }
    }

    #[test]
    #[should_panic(expected = "3 tokens has no room in 2 rows")]
    fn padding_must_fit() {
        Plan::padded(&OFFSETS, &TOKENS, Direction::Forward, 2);
    }
}
