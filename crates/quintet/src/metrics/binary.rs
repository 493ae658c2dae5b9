//! Figures of a two-class decision from scores: accuracy, F1, AUC, balanced accuracy, Matthews correlation; intervals.
//!
//! The positive class is the one that is looked for (bots). A score at or above the threshold is a positive answer.

use quintet_kernels::rng::{Rng, label};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::bootstrap::{Bootstrap, Interval};

/// How many items of each class got each answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Positive items called positive.
    pub true_positive: u64,
    /// Negative items called positive.
    pub false_positive: u64,
    /// Negative items called negative.
    pub true_negative: u64,
    /// Positive items called negative.
    pub false_negative: u64,
}

/// The figures of one list of scores, all in 0..=1 except `mcc`, which is in -1..=1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Binary {
    /// Share of right answers.
    pub accuracy: f64,
    /// Mean of the shares of right answers within each class; one class missing: the share of the other.
    pub balanced_accuracy: f64,
    /// Share of positive items among those called positive; 0 if none is called positive.
    pub precision: f64,
    /// Share of positive items called positive; 0 without positive items.
    pub recall: f64,
    /// Harmonic mean of precision and recall; 0 where both are.
    pub f1: f64,
    /// Chance that a positive item scores above a negative one, equal scores counting a half (Mann and Whitney 1947);
    /// 0.5 where a class is missing, since nothing can be told.
    pub auc: f64,
    /// Matthews correlation (Matthews 1975); 0 where a class or an answer never occurs.
    pub mcc: f64,
}

/// 95 % intervals of the same figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BinaryIntervals {
    /// Of [`Binary::accuracy`].
    pub accuracy: Interval,
    /// Of [`Binary::balanced_accuracy`].
    pub balanced_accuracy: Interval,
    /// Of [`Binary::f1`].
    pub f1: Interval,
    /// Of [`Binary::auc`].
    pub auc: Interval,
    /// Of [`Binary::mcc`].
    pub mcc: Interval,
}

impl Counts {
    /// Counts of `scores` at `threshold`; `truth` says which items are positive.
    ///
    /// # Panics
    /// If the lists differ in length.
    pub fn of(scores: &[f64], truth: &[bool], threshold: f64) -> Counts {
        assert_eq!(scores.len(), truth.len(), "a score for every item");
        let mut counts = Counts::default();
        for (&score, &positive) in scores.iter().zip(truth) {
            counts.add(score >= threshold, positive, 1);
        }
        counts
    }

    fn add(&mut self, called: bool, positive: bool, times: u64) {
        *match (called, positive) {
            (true, true) => &mut self.true_positive,
            (true, false) => &mut self.false_positive,
            (false, false) => &mut self.true_negative,
            (false, true) => &mut self.false_negative,
        } += times;
    }

    /// The figures that follow from counts; the AUC does not and is given.
    fn figures(&self, auc: f64) -> Binary {
        let [tp, fp, tn, fnn] =
            [self.true_positive, self.false_positive, self.true_negative, self.false_negative].map(|n| n as f64);
        let share = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
        let (recall, specificity) = (share(tp, tp + fnn), share(tn, tn + fp));
        let balanced_accuracy = match (tp + fnn > 0.0, tn + fp > 0.0) {
            (true, true) => 0.5 * (recall + specificity),
            _ => recall + specificity,
        };
        Binary {
            accuracy: share(tp + tn, tp + fp + tn + fnn),
            balanced_accuracy,
            precision: share(tp, tp + fp),
            recall,
            f1: share(2.0 * tp, 2.0 * tp + fp + fnn),
            auc,
            mcc: share(tp * tn - fp * fnn, ((tp + fp) * (tp + fnn) * (tn + fp) * (tn + fnn)).sqrt()),
        }
    }
}

impl Binary {
    /// The figures of `scores` at `threshold`; `truth` says which items are positive. All zero without items.
    ///
    /// # Panics
    /// If the lists differ in length or a score is not a number.
    pub fn of(scores: &[f64], truth: &[bool], threshold: f64) -> Binary {
        let counts = Counts::of(scores, truth, threshold);
        if scores.is_empty() {
            return Binary::default();
        }
        counts.figures(auc(&Runs::of(scores), truth, |_| 1))
    }
}

/// The area under the ROC curve; see [`Binary::auc`].
///
/// # Panics
/// If the lists differ in length or a score is not a number.
pub fn area_under_curve(scores: &[f64], truth: &[bool]) -> f64 {
    assert_eq!(scores.len(), truth.len(), "a score for every item");
    auc(&Runs::of(scores), truth, |_| 1)
}

/// The threshold with the highest accuracy, in the middle between two neighbouring scores; of several equally good ones
/// the one nearest to `prefer`, which is the answer without items too. For training items only: on the items that are
/// judged it flatters.
///
/// # Panics
/// If the lists differ in length or a score is not a number.
pub fn best_threshold(scores: &[f64], truth: &[bool], prefer: f64) -> f64 {
    assert_eq!(scores.len(), truth.len(), "a score for every item");
    let runs = Runs::of(scores);
    // Right answers with everything called positive; each run of equal scores that falls below changes them.
    let mut right = truth.iter().filter(|t| **t).count() as i64;
    let mut candidates = vec![(right, f64::NEG_INFINITY, runs.scores.first().copied().unwrap_or(prefer))];
    for (r, range) in runs.ranges().enumerate() {
        for &item in &runs.order[range] {
            right += if truth[item] { -1 } else { 1 };
        }
        let next = runs.scores.get(r + 1).copied().unwrap_or(f64::INFINITY);
        candidates.push((right, runs.scores[r], next));
    }
    let middle = |&(_, below, at): &(i64, f64, f64)| match (below.is_finite(), at.is_finite()) {
        (true, true) => 0.5 * (below + at),
        (false, _) => at.min(prefer),
        (true, false) => below.next_up().max(prefer),
    };
    let best = candidates.iter().map(|c| c.0).max().unwrap_or(0);
    let good = candidates.iter().filter(|c| c.0 == best).map(middle);
    good.min_by(|a, b| (a - prefer).abs().total_cmp(&(b - prefer).abs())).unwrap_or(prefer)
}

/// Items in ascending order of score, equal scores together.
struct Runs {
    order: Vec<usize>,
    /// Distinct scores, ascending.
    scores: Vec<f64>,
    /// First position in `order` of each distinct score, and the number of items at the end.
    starts: Vec<usize>,
}

impl Runs {
    fn of(scores: &[f64]) -> Runs {
        assert!(scores.iter().all(|s| !s.is_nan()), "a score is not a number");
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
        let (mut distinct, mut starts) = (Vec::new(), Vec::new());
        for (position, &item) in order.iter().enumerate() {
            if distinct.last() != Some(&scores[item]) {
                distinct.push(scores[item]);
                starts.push(position);
            }
        }
        starts.push(order.len());
        Runs { order, scores: distinct, starts }
    }

    fn ranges(&self) -> impl Iterator<Item = std::ops::Range<usize>> + '_ {
        self.starts.windows(2).map(|w| w[0]..w[1])
    }
}

/// Pairs won by the positive item, over all pairs; `times` says how often an item counts.
fn auc(runs: &Runs, truth: &[bool], times: impl Fn(usize) -> u64) -> f64 {
    let (mut below, mut positives, mut won) = (0u64, 0u64, 0.0);
    for range in runs.ranges() {
        let (mut here, mut negatives) = (0u64, 0u64);
        for &item in &runs.order[range] {
            *(if truth[item] { &mut here } else { &mut negatives }) += times(item);
        }
        won += here as f64 * (below as f64 + 0.5 * negatives as f64);
        positives += here;
        below += negatives;
    }
    let pairs = positives as f64 * below as f64;
    if pairs > 0.0 { won / pairs } else { 0.5 }
}

impl Bootstrap {
    /// Intervals over items drawn with replacement. `stream` keeps the lists of one evaluation apart; lists of the same
    /// stream and length are resampled alike, so that their differences can be compared.
    ///
    /// # Panics
    /// If the lists differ in length or a score is not a number.
    pub fn binary(&self, scores: &[f64], truth: &[bool], threshold: f64, stream: u64) -> BinaryIntervals {
        let n = scores.len();
        if n == 0 {
            return BinaryIntervals::default();
        }
        let runs = Runs::of(scores);
        let draws: Vec<Binary> = (0..self.resamples as u64)
            .into_par_iter()
            .map(|i| {
                let mut rng = Rng::new(self.seed, &[label("bootstrap"), stream, i]);
                let mut times = vec![0u32; n];
                for _ in 0..n {
                    times[rng.index(n)] += 1;
                }
                let mut counts = Counts::default();
                for item in 0..n {
                    counts.add(scores[item] >= threshold, truth[item], u64::from(times[item]));
                }
                counts.figures(auc(&runs, truth, |item| u64::from(times[item])))
            })
            .collect();
        let interval = |of: fn(&Binary) -> f64| Interval::of(&mut draws.iter().map(of).collect::<Vec<f64>>());
        BinaryIntervals {
            accuracy: interval(|b| b.accuracy),
            balanced_accuracy: interval(|b| b.balanced_accuracy),
            f1: interval(|b| b.f1),
            auc: interval(|b| b.auc),
            mcc: interval(|b| b.mcc),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-12
    }

    proptest! {
        #[test]
        fn auc_is_the_share_of_pairs_won(items in prop::collection::vec((0u8..6, any::<bool>()), 1..40)) {
            let scores: Vec<f64> = items.iter().map(|i| f64::from(i.0)).collect();
            let truth: Vec<bool> = items.iter().map(|i| i.1).collect();
            let (mut won, mut pairs) = (0.0, 0.0);
            for (i, &a) in scores.iter().enumerate().filter(|(i, _)| truth[*i]) {
                for (_, &b) in scores.iter().enumerate().filter(|(j, _)| !truth[*j] && *j != i) {
                    won += if a > b { 1.0 } else if a == b { 0.5 } else { 0.0 };
                    pairs += 1.0;
                }
            }
            let expected = if pairs > 0.0 { won / pairs } else { 0.5 };
            prop_assert!(close(area_under_curve(&scores, &truth), expected));
        }

        #[test]
        fn no_threshold_is_better_than_the_best(items in prop::collection::vec((0u8..9, any::<bool>()), 1..30)) {
            let scores: Vec<f64> = items.iter().map(|i| f64::from(i.0) / 8.0).collect();
            let truth: Vec<bool> = items.iter().map(|i| i.1).collect();
            let best = Binary::of(&scores, &truth, best_threshold(&scores, &truth, 0.5)).accuracy;
            for t in 0..=18 {
                prop_assert!(Binary::of(&scores, &truth, f64::from(t) / 16.0).accuracy <= best + 1e-12);
            }
        }
    }

    #[test]
    fn the_all_bot_line_of_the_published_test_set() {
        // botometer.md 4: 9,432 bots and 8,862 humans, everyone called a bot: precision .516, F1 .680.
        let truth: Vec<bool> = (0..9432 + 8862).map(|i| i < 9432).collect();
        let b = Binary::of(&vec![1.0; truth.len()], &truth, 0.5);
        assert!((b.precision - 0.5156).abs() < 1e-4 && (b.f1 - 0.6804).abs() < 1e-4, "{b:?}");
        assert_eq!((b.recall, b.balanced_accuracy, b.mcc, b.auc), (1.0, 0.5, 0.0, 0.5));
    }

    #[test]
    fn figures_of_a_small_table() {
        // 3 true positives, 1 false positive, 4 true negatives, 2 false negatives.
        let scores = [0.9, 0.8, 0.5, 0.7, 0.1, 0.2, 0.3, 0.4, 0.2, 0.3];
        let truth = [true, true, true, false, false, false, false, false, true, true];
        let b = Binary::of(&scores, &truth, 0.5);
        assert!(close(b.accuracy, 0.7) && close(b.precision, 0.75) && close(b.recall, 0.6));
        assert!(close(b.f1, 2.0 / 3.0) && close(b.balanced_accuracy, 0.7));
        assert!(close(b.mcc, (3.0 * 4.0 - 2.0) / (4.0 * 5.0 * 5.0 * 6.0f64).sqrt()));
    }

    #[test]
    fn the_interval_has_the_width_of_the_binomial() {
        let truth: Vec<bool> = (0..400).map(|i| i % 2 == 0).collect();
        let scores: Vec<f64> = (0..400).map(|i| if (i / 2) % 4 == 0 { 1.0 } else { 0.0 }).collect();
        let b = Binary::of(&scores, &truth, 0.5);
        let i = Bootstrap::default().binary(&scores, &truth, 0.5, 0);
        let width = 1.96 * (b.accuracy * (1.0 - b.accuracy) / 400.0).sqrt();
        assert!((i.accuracy.high - b.accuracy - width).abs() < 0.008, "{i:?} around {}", b.accuracy);
        assert!((b.accuracy - i.accuracy.low - width).abs() < 0.008);
        assert!(i.auc.low <= b.auc && b.auc <= i.auc.high);
    }

    #[test]
    fn one_class_and_no_items_stay_finite() {
        let b = Binary::of(&[0.2, 0.9], &[true, true], 0.5);
        assert_eq!((b.accuracy, b.balanced_accuracy, b.auc, b.mcc), (0.5, 0.5, 0.5, 0.0));
        assert_eq!(Binary::of(&[], &[], 0.5), Binary::default());
        assert_eq!(Bootstrap::default().binary(&[], &[], 0.5, 0), BinaryIntervals::default());
        assert_eq!(best_threshold(&[], &[], 0.5), 0.5);
    }
}
