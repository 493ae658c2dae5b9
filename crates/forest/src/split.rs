//! The best threshold of a feature in one pass over its values in order.
//!
//! Gini impurity of a set of weights w_c, W together, is 1 - sum (w_c / W)^2. Least impurity of both sides, weighted, is
//! the largest score = S_left / W_left + S_right / W_right, where S is the sum of squares of a side's class weights.
//! A row of class c and weight w that goes from right to left changes S_left by w (2 l_c + w) and S_right by
//! -w (2 r_c - w), where l_c and r_c are what its class weighed there: so a row costs the same with 2 classes or 500.
//! Without class weights all of these are whole numbers below 2^53 and exact.

use crate::sorting::{SAME, payload, value};

/// What a class of the node weighs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Class {
    /// On the left of the threshold at hand.
    left: f64,
    /// In the node.
    pub(crate) total: f64,
    /// Of one row drawn once.
    pub(crate) each: f64,
}

impl Class {
    /// A class without rows so far.
    pub(crate) fn new(each: f64) -> Self {
        Class { left: 0.0, total: 0.0, each }
    }
}

/// A row for the pass: its class in the node and how often it was drawn.
pub(crate) fn pack(class: u32, count: u32) -> u32 {
    class << 8 | count
}

/// The other way.
pub(crate) fn unpack(row: u32) -> (u32, u32) {
    (row >> 8, row & 255)
}

/// A set of rows, summed up: weight W and sum of squares S.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sums {
    pub(crate) weight: f64,
    pub(crate) squares: f64,
}

impl Sums {
    /// Of the whole node.
    pub(crate) fn of(classes: &[Class]) -> Self {
        let weight = classes.iter().map(|c| c.total).sum();
        Sums { weight, squares: classes.iter().map(|c| c.total * c.total).sum() }
    }

    /// S / W.
    pub(crate) fn mean(&self) -> f64 {
        self.squares / self.weight
    }
}

/// The best split found so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Best {
    pub(crate) score: f64,
    pub(crate) feature: u32,
    /// The largest value on the left and the least on the right.
    low: f32,
    high: f32,
    /// Distinct rows on the left; 0: no split found.
    pub(crate) left: usize,
}

impl Best {
    /// Nothing found.
    pub(crate) fn none() -> Self {
        Best { score: f64::NEG_INFINITY, feature: 0, low: 0.0, high: 0.0, left: 0 }
    }

    /// Rows with a value up to this one go left: the middle between the neighbours.
    ///
    /// The middle is a 64-bit number in scikit-learn. Rounded down to 32 bits it decides the same for every 32-bit value,
    /// and cannot reach the upper neighbour.
    pub(crate) fn threshold(&self) -> f32 {
        let middle = f64::from(self.low) / 2.0 + f64::from(self.high) / 2.0;
        let near = middle as f32;
        if f64::from(near) > middle { near.next_down() } else { near }
    }
}

/// Improves `best` by the thresholds of `feature`, whose values in the node stand in `keys` in order, each with its row
/// packed. Each side keeps `least` rows. Of equal scores the first stays, as in scikit-learn.
pub(crate) fn scan(keys: &[u64], classes: &mut [Class], node: Sums, least: usize, feature: u32, best: &mut Best) {
    for class in classes.iter_mut() {
        class.left = 0.0;
    }
    let n = keys.len();
    let (mut left, mut right) = (Sums { weight: 0.0, squares: 0.0 }, node);
    // Multiplying tells nearly always that a threshold is not better, and is several times as fast as dividing.
    let mut hopeless = best.score - best.score.abs() * 1e-12;
    for i in 0..n.saturating_sub(least) {
        let (class, count) = unpack(payload(keys[i]));
        let class = &mut classes[class as usize];
        let w = class.each * f64::from(count);
        let (l, r) = (class.left, class.total - class.left);
        left.squares += w * (2.0 * l + w);
        right.squares -= w * (2.0 * r - w);
        class.left = l + w;
        left.weight += w;
        right.weight = node.weight - left.weight;
        let both = left.weight * right.weight;
        let better = left.squares * right.weight + right.squares * left.weight > hopeless * both;
        if better && i + 1 >= least && value(keys[i + 1]) > value(keys[i]) + SAME {
            let score = left.mean() + right.mean();
            if score > best.score {
                *best = Best { score, feature, low: value(keys[i]), high: value(keys[i + 1]), left: i + 1 };
                hopeless = score - score.abs() * 1e-12;
            }
        }
    }
}

/// A score that no split of the node can exceed: once a feature reaches it, the others need no look.
///
/// The score is a convex function of what goes left of each class, so its maximum has every class on one side. Up to
/// [`FEW`] classes all such sides are tried; beyond, a side's S / W is a mean of its class weights: both are at most the
/// largest, and only one can hold it.
pub(crate) fn bound(classes: &[Class], node: Sums) -> f64 {
    let first = |a: f64, b: f64| if a > b { a } else { b };
    let highest = if classes.len() <= FEW {
        // The last class stays right: the other half of the sides mirrors this one.
        (1_u32..1 << (classes.len() - 1)).fold(0.0, |most, side| {
            let (mut left, mut right) = (Sums { weight: 0.0, squares: 0.0 }, Sums { weight: 0.0, squares: 0.0 });
            for (at, class) in classes.iter().enumerate() {
                let sums = if side >> at & 1 == 1 { &mut left } else { &mut right };
                sums.weight += class.total;
                sums.squares += class.total * class.total;
            }
            first(most, left.mean() + right.mean())
        })
    } else {
        let (mut one, mut two) = (0.0, 0.0);
        for class in classes {
            if class.total > one {
                (one, two) = (class.total, one);
            } else if class.total > two {
                two = class.total;
            }
        }
        first(one + two, node.mean())
    };
    // With class weights sums round.
    highest - highest.abs() * 1e-12
}

/// Classes of which every distribution over two sides is tried.
const FEW: usize = 6;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sorting::Sorter;

    fn classes_of(rows: &[(f32, u32, u32)], weights: &[f64]) -> Vec<Class> {
        let mut classes: Vec<Class> = weights.iter().map(|&w| Class::new(w)).collect();
        for &(_, class, count) in rows {
            classes[class as usize].total += classes[class as usize].each * f64::from(count);
        }
        classes
    }

    fn best_of(rows: &[(f32, u32, u32)], weights: &[f64], least: usize) -> (Best, Vec<Class>) {
        let mut classes = classes_of(rows, weights);
        let values: Vec<f32> = rows.iter().map(|r| r.0).collect();
        let packed: Vec<u32> = rows.iter().map(|r| pack(r.1, r.2)).collect();
        let mut best = Best::none();
        let node = Sums::of(&classes);
        if let Some(keys) = Sorter::new(rows.len()).sort(&values, &packed) {
            scan(keys, &mut classes, node, least, 3, &mut best);
        }
        (best, classes)
    }

    /// Straight from the definition: every threshold, both sides summed anew.
    fn plainly(rows: &[(f32, u32, u32)], weights: &[f64], least: usize) -> Option<f64> {
        let mut values: Vec<f32> = rows.iter().map(|r| r.0).collect();
        values.sort_by(f32::total_cmp);
        let score = |threshold: f32| {
            let side = |left: bool| rows.iter().copied().filter(|r| (r.0 <= threshold) == left).collect::<Vec<_>>();
            let both = [side(true), side(false)];
            let enough = both.iter().all(|side| side.len() >= least);
            enough.then(|| both.iter().map(|side| Sums::of(&classes_of(side, weights)).mean()).sum::<f64>())
        };
        let apart = values.windows(2).filter(|w| w[1] > w[0] + SAME).map(|w| w[0]);
        apart.filter_map(score).reduce(f64::max)
    }

    #[test]
    fn thresholds_stand_between_neighbours_and_decide_as_the_exact_middle() {
        let (best, _) = best_of(&[(3.0, 1, 1), (1.0, 0, 1), (2.0, 0, 2)], &[1.0, 1.0], 1);
        assert_eq!((best.threshold(), best.left, best.feature, best.score), (2.5, 2, 3, 4.0));
        // Neighbours of which the exact middle is no 32-bit number: the upper one must stay right.
        let best = Best { low: 1.0, high: 1.0_f32.next_up(), ..Best::none() };
        assert_eq!(best.threshold(), 1.0);
        let best = Best { low: -f32::MAX, high: f32::MAX, ..Best::none() };
        assert_eq!(best.threshold(), 0.0);
        let best = Best { low: f32::MAX.next_down(), high: f32::MAX, ..Best::none() };
        assert_eq!(best.threshold(), f32::MAX.next_down());
    }

    #[test]
    fn values_that_differ_by_less_than_1e_7_are_not_told_apart() {
        assert_eq!(best_of(&[(0.0, 0, 1), (5e-8, 1, 1)], &[1.0, 1.0], 1).0.left, 0);
        // Each is too near to its neighbour, however far the ends are apart.
        assert_eq!(best_of(&[(0.0, 0, 1), (8e-8, 0, 1), (1.6e-7, 1, 1)], &[1.0, 1.0], 1).0.left, 0);
        assert_eq!(best_of(&[(0.0, 0, 1), (2e-7, 1, 1)], &[1.0, 1.0], 1).0.left, 1);
    }

    proptest! {
        #[test]
        fn the_pass_finds_what_trying_everything_finds(
            rows in prop::collection::vec((-6_i32..6, 0_u32..8, 1_u32..5), 2..40),
            weighted in prop::bool::ANY, least in 1_usize..5,
        ) {
            let rows: Vec<(f32, u32, u32)> = rows.into_iter().map(|(v, c, n)| (v as f32 / 4.0, c, n)).collect();
            let weights: Vec<f64> = (0..8).map(|c| if weighted { 1.0 / (1.0 + f64::from(c)) } else { 1.0 }).collect();
            let (best, mut classes) = best_of(&rows, &weights, least);
            match plainly(&rows, &weights, least) {
                None => prop_assert_eq!(best.left, 0),
                Some(score) => {
                    prop_assert!((best.score - score).abs() < 1e-9 * score, "{} {}", best.score, score);
                    prop_assert_eq!(rows.iter().filter(|r| r.0 <= best.threshold()).count(), best.left);
                    classes.retain(|class| class.total > 0.0);
                    let node = Sums::of(&classes);
                    prop_assert!(classes.len() < 2 || score <= bound(&classes, node) * (1.0 + 1e-9));
                }
            }
        }
    }
}
