//! Ranks of right answers, and the figures made of them.

/// The cut-offs k of recall@k that retrieval papers print.
pub const CUTS: [usize; 3] = [1, 5, 10];

/// Rank of the best right answer among the candidates of one query, 1 being best.
///
/// It is one plus the number of wrong candidates that score at least as high, so ties count against the model: where all
/// scores are equal every wrong candidate comes first. With a single right answer this is the number of candidates at
/// least as good, the right one included (`spec/README.md`, reading 5). Right answers that tie with each other do not
/// push one another down. A score that is not a number loses if it is right and wins if it is wrong.
///
/// `right` holds positions in `scores`, each once; without any the rank is one past the last.
pub fn rank_of_best(scores: &[f32], right: &[u32]) -> u32 {
    let mut best = f32::NEG_INFINITY;
    for &i in right {
        // `max` ignores NaN, so a NaN among the right answers never counts for the model.
        best = best.max(scores[i as usize]);
    }
    let at_least_as_good = |s: &&f32| s.is_nan() || **s >= best;
    let all = scores.iter().filter(at_least_as_good).count();
    let of_them_right = right.iter().map(|&i| &scores[i as usize]).filter(at_least_as_good).count();
    (1 + all - of_them_right) as u32
}

/// The figures of one direction of retrieval over its queries.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Summary {
    /// Percentage of queries whose rank is at most 1, 5, 10 ([`CUTS`]).
    pub recall: [f64; 3],
    /// Median rank; between two middle ranks the floor of their mean, as VSE++ prints it (`vsepp.md` section 4).
    pub median_rank: f64,
    /// Mean of 1 / rank, between 0 and 1.
    pub mean_reciprocal_rank: f64,
}

impl Summary {
    /// Figures of the given ranks (1 is best); all zero without any.
    pub fn of(ranks: &[u32]) -> Summary {
        if ranks.is_empty() {
            return Summary::default();
        }
        let n = ranks.len() as f64;
        Summary {
            recall: CUTS.map(|k| recall_at(ranks, k)),
            median_rank: median_rank(ranks),
            mean_reciprocal_rank: ranks.iter().map(|&r| 1.0 / f64::from(r)).sum::<f64>() / n,
        }
    }

    /// Sum of the three recalls; the rsum of a pair is this over both directions.
    pub fn recall_sum(&self) -> f64 {
        self.recall.iter().sum()
    }
}

/// Percentage of ranks that are at most `k`; 0 without ranks.
pub fn recall_at(ranks: &[u32], k: usize) -> f64 {
    if ranks.is_empty() {
        return 0.0;
    }
    100.0 * ranks.iter().filter(|&&r| r as usize <= k).count() as f64 / ranks.len() as f64
}

/// Median rank, rounded down between two; 0 without ranks.
pub fn median_rank(ranks: &[u32]) -> f64 {
    let mut ranks = ranks.to_vec();
    let Some(last) = ranks.len().checked_sub(1) else { return 0.0 };
    let (below, upper, _) = ranks.select_nth_unstable(last.div_ceil(2));
    let upper = u64::from(*upper);
    let lower = if last % 2 == 0 { upper } else { below.iter().max().map_or(upper, |&r| u64::from(r)) };
    ((lower + upper) / 2) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition read literally: put wrong before right wherever scores are equal, sort, look the position up.
    fn rank_by_sorting(scores: &[f32], right: &[u32]) -> u32 {
        let mut order: Vec<(f32, bool)> =
            scores.iter().enumerate().map(|(i, &s)| (s, right.contains(&(i as u32)))).collect();
        order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let wrong_before = order.iter().take_while(|(_, is_right)| !is_right).count();
        wrong_before as u32 + 1
    }

    proptest! {
        /// Few distinct scores, so that most queries have ties, also between right and wrong answers.
        #[test]
        fn rank_is_the_position_after_sorting(
            scores in prop::collection::vec((-2i32..3).prop_map(|s| s as f32 / 4.0), 1..40),
            picks in prop::collection::btree_set(0usize..40, 1..6),
        ) {
            let right: Vec<u32> = picks.into_iter().filter(|&i| i < scores.len()).map(|i| i as u32).collect();
            prop_assume!(!right.is_empty());
            prop_assert_eq!(rank_of_best(&scores, &right), rank_by_sorting(&scores, &right));
        }

        #[test]
        fn median_is_the_floor_of_the_middle(ranks in prop::collection::vec(1u32..100, 1..50)) {
            let mut sorted = ranks.clone();
            sorted.sort_unstable();
            let n = sorted.len();
            let expected = (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
            prop_assert_eq!(median_rank(&ranks), f64::from(expected));
        }
    }

    #[test]
    fn ties_count_against_the_model() {
        assert_eq!(rank_of_best(&[0.5; 7], &[3]), 7);
        assert_eq!(rank_of_best(&[0.5; 7], &[0, 3]), 6, "the other right answer is no obstacle");
        assert_eq!(rank_of_best(&[0.1, 0.9, 0.3], &[1]), 1);
    }

    #[test]
    fn what_is_no_number_counts_against_the_model() {
        assert_eq!(rank_of_best(&[f32::NAN, 0.9, 0.3], &[1]), 2);
        assert_eq!(rank_of_best(&[f32::NAN, 0.9, 0.3], &[0]), 3);
        assert_eq!(rank_of_best(&[0.2, 0.9], &[]), 3);
    }

    #[test]
    fn figures_of_known_ranks() {
        let s = Summary::of(&[1, 2, 6, 20]);
        assert_eq!(s.recall, [25.0, 50.0, 75.0]);
        assert_eq!(s.median_rank, 4.0);
        assert!((s.mean_reciprocal_rank - (1.0 + 0.5 + 1.0 / 6.0 + 0.05) / 4.0).abs() < 1e-12);
        assert_eq!(Summary::of(&[]), Summary::default());
    }
}
