//! Divides labelled units into folds: groups stay whole, classes are spread evenly.

use quintet_kernels::rng::{Rng, label};
use std::collections::BTreeMap;

/// The fold of each unit, `0..k`. Units of one group (a campaign, copies of one author) share a fold; the largest groups are
/// placed first, each where its classes are rarest so far, so that a fold comes close to `1 / k` of either class.
///
/// # Panics
/// If the lists differ in length or `k` is 0.
pub fn assign(groups: &[u32], bots: &[bool], k: usize, seed: u64) -> Vec<usize> {
    assert_eq!(groups.len(), bots.len(), "a group for every unit");
    assert!(k > 0, "at least one fold");
    let mut members: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (unit, &group) in groups.iter().enumerate() {
        members.entry(group).or_default().push(unit);
    }
    let mut order: Vec<Vec<usize>> = members.into_values().collect();
    Rng::new(seed, &[label("folds")]).shuffle(&mut order);
    order.sort_by_key(|units| std::cmp::Reverse(units.len()));
    let class = |unit: usize| usize::from(bots[unit]);
    let mut total = [0.0f64; 2];
    bots.iter().for_each(|&b| total[usize::from(b)] += 1.0);
    let mut held = vec![[0.0f64; 2]; k];
    let mut fold_of = vec![0; groups.len()];
    for units in order {
        let mut count = [0.0f64; 2];
        units.iter().for_each(|&u| count[class(u)] += 1.0);
        // The growth of the sum of squared class shares: least where the group's classes are least held already.
        let cost = |h: &[f64; 2]| -> f64 { (0..2).map(|c| h[c] * count[c] / total[c].max(1.0).powi(2)).sum() };
        let all = |h: &[f64; 2]| h[0] + h[1];
        let fold = (0..k)
            .min_by(|&a, &b| cost(&held[a]).total_cmp(&cost(&held[b])).then(all(&held[a]).total_cmp(&all(&held[b]))))
            .unwrap_or(0);
        (0..2).for_each(|c| held[fold][c] += count[c]);
        units.iter().for_each(|&u| fold_of[u] = fold);
    }
    fold_of
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_stay_whole_and_classes_are_even() {
        // Two campaigns of 60 and 30 bots among 200 bots, and 200 humans alone.
        let groups: Vec<u32> = (0..400u32)
            .map(|u| match u {
                0..60 => 1000,
                60..90 => 1001,
                _ => u,
            })
            .collect();
        let bots: Vec<bool> = (0..400).map(|u| u < 200).collect();
        let folds = assign(&groups, &bots, 5, 3);
        assert!(folds[..60].iter().all(|f| *f == folds[0]) && folds[60..90].iter().all(|f| *f == folds[60]));
        for fold in 0..5 {
            let count = |of: bool| (0..400).filter(|&u| folds[u] == fold && bots[u] == of).count();
            assert_eq!(count(false), 40, "humans of fold {fold}");
            assert!((35..=60).contains(&count(true)), "bots of fold {fold}: {}", count(true));
        }
        assert_eq!(folds, assign(&groups, &bots, 5, 3));
        assert_ne!(folds, assign(&groups, &bots, 5, 4));
    }

    #[test]
    fn more_folds_than_units_leave_some_empty() {
        assert_eq!(assign(&[1, 2], &[true, false], 5, 1).len(), 2);
        assert!(assign(&[], &[], 2, 1).is_empty());
    }
}
