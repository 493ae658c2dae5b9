//! The order in which a batch of sequences goes through the GRU.

use std::collections::HashMap;

/// Sequences sorted by length and packed by time step: at step t the first `sizes[t]` sorted sequences are still
/// running, and position `offsets[t] + i` is the t-th token of the i-th of them.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Sorted place -> the caller's place. Longest first, equal lengths in the caller's order; empty ones last.
    pub(super) order: Vec<usize>,
    /// Sorted place -> length.
    pub(super) lengths: Vec<usize>,
    /// Step -> number of sequences still running.
    pub(super) sizes: Vec<usize>,
    /// Step -> first packed position; one more at the end.
    pub(super) offsets: Vec<usize>,
    /// Packed position -> row of `distinct`.
    pub(super) rows: Vec<u32>,
    /// Token ids, each once.
    distinct: Vec<u32>,
    /// Row of `distinct` -> first entry of `positions`; one more at the end.
    pub(super) position_offsets: Vec<usize>,
    /// The packed positions of each distinct token, ascending.
    pub(super) positions: Vec<u32>,
}

impl Plan {
    /// Plans the sequences `tokens[offsets[i]..offsets[i + 1]]`. An empty sequence is allowed: its state is zero.
    ///
    /// # Panics
    /// If the offsets descend or leave `tokens`.
    pub fn new(offsets: &[usize], tokens: &[u32]) -> Self {
        let sequences: Vec<&[u32]> = offsets.windows(2).map(|pair| &tokens[pair[0]..pair[1]]).collect();
        let mut order: Vec<usize> = (0..sequences.len()).collect();
        order.sort_by_key(|&i| std::cmp::Reverse(sequences[i].len()));
        let lengths: Vec<usize> = order.iter().map(|&i| sequences[i].len()).collect();
        let mut plan = Self { order, lengths, offsets: vec![0], ..Self::default() };
        let mut known = HashMap::new();
        let mut running = plan.lengths.len();
        let steps = plan.lengths.first().copied().unwrap_or(0);
        while plan.sizes.len() < steps {
            let step = plan.sizes.len();
            while plan.lengths[running - 1] <= step {
                running -= 1;
            }
            for &i in &plan.order[..running] {
                let token = sequences[i][step];
                let row = *known.entry(token).or_insert_with(|| {
                    plan.distinct.push(token);
                    plan.distinct.len() as u32 - 1
                });
                plan.rows.push(row);
            }
            plan.sizes.push(running);
            plan.offsets.push(plan.rows.len());
        }
        plan.find_positions();
        plan
    }

    /// Inverts `rows` (a counting sort).
    fn find_positions(&mut self) {
        let mut starts = vec![0; self.distinct.len() + 1];
        for &row in &self.rows {
            starts[row as usize + 1] += 1;
        }
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        self.position_offsets = starts.clone();
        self.positions = vec![0; self.rows.len()];
        for (position, &row) in self.rows.iter().enumerate() {
            self.positions[starts[row as usize]] = position as u32;
            starts[row as usize] += 1;
        }
    }

    /// The batch's token ids, each once: row i of the input `x` is the embedding of `distinct()[i]`.
    pub fn distinct(&self) -> &[u32] {
        &self.distinct
    }

    /// Number of sequences.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there is no sequence.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Number of tokens of all sequences.
    pub fn tokens(&self) -> usize {
        self.rows.len()
    }

    /// Packed position of the last token of a sorted place; `None` for an empty sequence.
    pub(super) fn last(&self, sorted: usize) -> Option<usize> {
        self.lengths[sorted].checked_sub(1).map(|step| self.offsets[step] + sorted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packs_by_step_and_keeps_tokens_once() {
        let plan = Plan::new(&[0, 2, 2, 5, 7], &[7, 8, 9, 7, 9, 8, 8]);
        assert_eq!(plan.order, [2, 0, 3, 1]);
        assert_eq!(plan.sizes, [3, 3, 1]);
        let packed: Vec<u32> = plan.rows.iter().map(|&row| plan.distinct()[row as usize]).collect();
        assert_eq!(packed, [9, 7, 8, 7, 8, 8, 9]);
        assert_eq!(plan.distinct(), [9, 7, 8]);
        assert_eq!(plan.positions, [0, 6, 1, 3, 2, 4, 5]);
        assert_eq!(plan.position_offsets, [0, 2, 4, 7]);
        assert_eq!([plan.last(0), plan.last(1), plan.last(3)], [Some(6), Some(4), None]);
        assert_eq!((plan.len(), plan.tokens()), (4, 7));
    }

    #[test]
    fn nothing_and_only_empty_sequences_are_plans() {
        assert!(Plan::new(&[0], &[]).is_empty() && Plan::new(&[], &[]).is_empty());
        assert_eq!(Plan::new(&[0, 0, 0], &[]).len(), 2);
    }
}
