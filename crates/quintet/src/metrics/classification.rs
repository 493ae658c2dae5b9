//! Figures of a decision between several classes: accuracy and macro-F1, with intervals over items.

use quintet_kernels::rng::{Rng, label};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::bootstrap::{Bootstrap, Interval};

/// How often each class was called each class: `counts[truth * classes + answer]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confusion {
    classes: usize,
    counts: Vec<u64>,
}

/// The figures, all in 0..=1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Classification {
    /// Share of right answers.
    pub accuracy: f64,
    /// Mean over classes of the harmonic mean of precision and recall. It is over the classes that occur among truths or
    /// answers, as in scikit-learn's `f1_score(average="macro")`.
    pub macro_f1: f64,
}

/// 95 % intervals of the same figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClassificationIntervals {
    /// Of [`Classification::accuracy`].
    pub accuracy: Interval,
    /// Of [`Classification::macro_f1`].
    pub macro_f1: Interval,
}

impl Confusion {
    /// Counts of `answers` for `truths`, both below `classes`.
    ///
    /// # Panics
    /// If the lists differ in length or a class is too large.
    pub fn of(truths: &[usize], answers: &[usize], classes: usize) -> Confusion {
        assert_eq!(truths.len(), answers.len(), "an answer for every item");
        let mut confusion = Confusion { classes, counts: vec![0; classes * classes] };
        truths.iter().zip(answers).for_each(|(&truth, &answer)| confusion.add(truth, answer));
        confusion
    }

    fn add(&mut self, truth: usize, answer: usize) {
        assert!(truth < self.classes && answer < self.classes, "classes are below {}", self.classes);
        self.counts[truth * self.classes + answer] += 1;
    }

    /// How often `truth` was called `answer`.
    pub fn count(&self, truth: usize, answer: usize) -> u64 {
        self.counts[truth * self.classes + answer]
    }

    /// The figures; zero without items.
    pub fn figures(&self) -> Classification {
        let all: u64 = self.counts.iter().sum();
        let right: u64 = (0..self.classes).map(|class| self.count(class, class)).sum();
        let f1: Vec<f64> = (0..self.classes)
            .filter_map(|class| {
                let of_truth: u64 = (0..self.classes).map(|answer| self.count(class, answer)).sum();
                let of_answer: u64 = (0..self.classes).map(|truth| self.count(truth, class)).sum();
                let both = of_truth + of_answer;
                (both > 0).then(|| 2.0 * self.count(class, class) as f64 / both as f64)
            })
            .collect();
        if all == 0 {
            return Classification::default();
        }
        let macro_f1 = f1.iter().sum::<f64>() / f1.len() as f64;
        Classification { accuracy: right as f64 / all as f64, macro_f1 }
    }
}

impl Bootstrap {
    /// Intervals of [`Confusion::figures`] over items.
    ///
    /// # Panics
    /// As [`Confusion::of`].
    pub fn classification(&self, truths: &[usize], answers: &[usize], classes: usize) -> ClassificationIntervals {
        let once = |i: u64| {
            let mut rng = Rng::new(self.seed, &[label("bootstrap"), label("classification"), i]);
            let mut confusion = Confusion::of(&[], &[], classes);
            for _ in 0..truths.len() {
                let item = rng.index(truths.len());
                confusion.add(truths[item], answers[item]);
            }
            confusion.figures()
        };
        let figures: Vec<Classification> = (0..self.resamples as u64).into_par_iter().map(once).collect();
        let interval = |of: fn(&Classification) -> f64| Interval::of(&mut figures.iter().map(of).collect::<Vec<_>>());
        ClassificationIntervals { accuracy: interval(|f| f.accuracy), macro_f1: interval(|f| f.macro_f1) }
    }

    /// The interval of a share: of items for which `holds`.
    pub fn share(&self, holds: &[bool]) -> Interval {
        let once = |i: u64| {
            let mut rng = Rng::new(self.seed, &[label("bootstrap"), label("share"), i]);
            let held = (0..holds.len()).filter(|_| holds[rng.index(holds.len())]).count();
            held as f64 / holds.len().max(1) as f64
        };
        Interval::of(&mut (0..self.resamples as u64).into_par_iter().map(once).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_those_of_scikit_learn() {
        // f1_score([0,0,0,1,1,2], [0,0,1,1,2,2], average="macro") = (0.8 + 0.5 + 2/3) / 3
        let confusion = Confusion::of(&[0, 0, 0, 1, 1, 2], &[0, 0, 1, 1, 2, 2], 4);
        let figures = confusion.figures();
        assert!((figures.accuracy - 4.0 / 6.0).abs() < 1e-12);
        assert!((figures.macro_f1 - (0.8 + 0.5 + 2.0 / 3.0) / 3.0).abs() < 1e-12);
        assert_eq!((confusion.count(0, 1), confusion.count(2, 2)), (1, 1));
    }

    #[test]
    fn the_larger_class_alone_has_a_poor_macro_f1() {
        let figures = Confusion::of(&[0, 0, 0, 1], &[0; 4], 2).figures();
        assert_eq!((figures.accuracy, figures.macro_f1), (0.75, 3.0 / 7.0));
        assert_eq!(Confusion::of(&[], &[], 2).figures(), Classification::default());
    }

    #[test]
    fn intervals_have_the_width_of_the_binomial() {
        let truths: Vec<usize> = (0..400).map(|i| i % 2).collect();
        let answers = vec![0; 400];
        let intervals = Bootstrap::default().classification(&truths, &answers, 2);
        assert!((intervals.accuracy.low - 0.45).abs() < 0.01 && (intervals.accuracy.high - 0.55).abs() < 0.01);
        assert!(intervals.macro_f1.low < 1.0 / 3.0 && intervals.macro_f1.high > 1.0 / 3.0);
        let share = Bootstrap::default().share(&truths.iter().map(|&t| t == 0).collect::<Vec<_>>());
        assert!((share.low - 0.45).abs() < 0.01 && (share.high - 0.55).abs() < 0.01);
    }
}
