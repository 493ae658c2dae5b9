//! Which features a node looks at: drawn without replacement; constant ones are remembered down the tree.

use quintet_kernels::rng::Rng;

/// Features drawn one after another, each at most once a node (Fisher and Yates).
pub(crate) struct Draws {
    /// A permutation of all features; `order[left..]` were drawn. Any order is a fair start for the next node.
    order: Vec<u32>,
    left: usize,
}

impl Draws {
    /// All of `features` features, none drawn.
    pub(crate) fn new(features: usize) -> Self {
        Draws { order: (0..features as u32).collect(), left: features }
    }

    /// Forgets what was drawn.
    pub(crate) fn restart(&mut self) {
        self.left = self.order.len();
    }

    /// A feature not drawn yet.
    pub(crate) fn next(&mut self, rng: &mut Rng) -> Option<u32> {
        if self.left == 0 {
            return None;
        }
        let at = rng.index(self.left);
        self.left -= 1;
        self.order.swap(at, self.left);
        Some(self.order[self.left])
    }
}

/// Features that are constant in the node at hand because they were so in a node above it.
///
/// A stack shared by the path from the root: a node owns the first `known` places, its children see what it added.
/// Nodes are grown depth first, so what stands below `known` is never overwritten while somebody needs it (as
/// scikit-learn's `constant_features`). A sparse set (Briggs and Torczon 1993) answers without ever being cleared.
pub(crate) struct Constants {
    stack: Vec<u32>,
    place: Vec<u32>,
}

impl Constants {
    /// Room for `features` features.
    pub(crate) fn new(features: usize) -> Self {
        Constants { stack: vec![0; features], place: vec![0; features] }
    }

    /// Whether `feature` is among the first `known`.
    pub(crate) fn contains(&self, feature: u32, known: usize) -> bool {
        let place = self.place[feature as usize] as usize;
        place < known && self.stack[place] == feature
    }

    /// Adds `feature`, which must not be among the first `known`; returns how many are known now.
    pub(crate) fn add(&mut self, feature: u32, known: usize) -> usize {
        self.stack[known] = feature;
        self.place[feature as usize] = known as u32;
        known + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_feature_is_drawn_once_and_first_equally_often() {
        let (mut draws, mut rng) = (Draws::new(5), Rng::new(4, &[]));
        let mut first = [0; 5];
        for _ in 0..5000 {
            draws.restart();
            let mut all: Vec<u32> = std::iter::from_fn(|| draws.next(&mut rng)).collect();
            first[all[0] as usize] += 1;
            all.sort_unstable();
            assert_eq!(all, [0, 1, 2, 3, 4]);
        }
        // Standard deviation 28.
        assert!(first.iter().all(|&n: &i32| (n - 1000).abs() < 120), "{first:?}");
    }

    #[test]
    fn constants_of_a_branch_are_forgotten_in_the_other() {
        let mut constants = Constants::new(4);
        let root = constants.add(2, 0);
        let left = constants.add(0, root);
        assert!(constants.contains(0, left) && constants.contains(2, left) && !constants.contains(1, left));
        let right = constants.add(3, root);
        assert!(constants.contains(3, right) && constants.contains(2, right) && !constants.contains(0, right));
    }
}
