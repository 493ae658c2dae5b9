//! A grown tree: twelve bytes a node; leaves hold the classes that they saw and no others.

use serde::{Deserialize, Serialize};

/// [`Node::feature`] of a leaf that saw one class.
pub(crate) const PURE: u32 = u32::MAX;
/// [`Node::feature`] of a leaf that saw several.
pub(crate) const MIXED: u32 = u32::MAX - 1;

/// A node as stored. Nodes stand in the order of a walk that goes left first, so the left child of a split is the next.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stored {
    /// The feature that splits, or [`PURE`] or [`MIXED`].
    pub(crate) feature: u32,
    /// Rows with a value up to this one go left. 0 in a leaf.
    pub(crate) threshold: f32,
    /// The right child; the class of a pure leaf; the number of a mixed leaf.
    pub(crate) other: u32,
}

/// The fraction of a leaf's weight that a class holds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// The class.
    pub class: u32,
    /// Its fraction, above 0; those of a leaf sum to 1.
    pub fraction: f32,
}

/// A node as seen from outside.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Node<'a> {
    /// Rows with `row[feature] <= threshold` go to the node `left`, the others to `right`.
    Split {
        /// Which feature is looked at.
        feature: usize,
        /// The largest 32-bit number that goes left.
        threshold: f32,
        /// Number of the left child.
        left: usize,
        /// Number of the right child.
        right: usize,
    },
    /// A leaf of rows of one class.
    Pure(u32),
    /// A leaf with several classes, lowest first.
    Mixed(&'a [Share]),
}

/// One tree. Node 0 is the root; children have higher numbers than their parent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tree {
    pub(crate) nodes: Vec<Stored>,
    /// Where each mixed leaf ends in `shares`; it begins where the one before ends.
    pub(crate) ends: Vec<u32>,
    pub(crate) shares: Vec<Share>,
}

impl Tree {
    /// Number of nodes, leaves included.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Never: a tree has a root.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Number of leaves.
    pub fn leaves(&self) -> usize {
        self.nodes.iter().filter(|node| node.feature >= MIXED).count()
    }

    /// Splits from the root to the deepest leaf.
    pub fn depth(&self) -> usize {
        let mut depths = vec![0; self.nodes.len()];
        for at in 0..self.nodes.len() {
            if let Node::Split { left, right, .. } = self.node(at) {
                depths[left] = depths[at] + 1;
                depths[right] = depths[at] + 1;
            }
        }
        depths.into_iter().max().unwrap_or(0)
    }

    /// The node with the number `at`.
    ///
    /// # Panics
    /// If there is none.
    pub fn node(&self, at: usize) -> Node<'_> {
        let node = &self.nodes[at];
        match node.feature {
            PURE => Node::Pure(node.other),
            MIXED => Node::Mixed(self.mixed(node.other as usize)),
            feature => Node::Split {
                feature: feature as usize,
                threshold: node.threshold,
                left: at + 1,
                right: node.other as usize,
            },
        }
    }

    fn mixed(&self, leaf: usize) -> &[Share] {
        let start = if leaf == 0 { 0 } else { self.ends[leaf - 1] as usize };
        &self.shares[start..self.ends[leaf] as usize]
    }

    /// The number of the leaf that `row` (`[features]`) reaches.
    ///
    /// # Panics
    /// If the row has fewer features than the tree was grown on.
    pub fn leaf(&self, row: &[f32]) -> usize {
        let mut at = 0;
        loop {
            let node = &self.nodes[at];
            if node.feature >= MIXED {
                return at;
            }
            at = if row[node.feature as usize] <= node.threshold { at + 1 } else { node.other as usize };
        }
    }

    /// Adds the class fractions of the leaf that `row` reaches.
    pub(crate) fn add(&self, row: &[f32], sums: &mut [f64]) {
        match self.node(self.leaf(row)) {
            Node::Pure(class) => sums[class as usize] += 1.0,
            Node::Mixed(shares) => shares.iter().for_each(|s| sums[s.class as usize] += f64::from(s.fraction)),
            Node::Split { .. } => {}
        }
    }

    /// Adds a leaf of the classes and weights `of`, lowest class first.
    pub(crate) fn push_leaf(&mut self, of: &[(u32, f64)]) {
        if let &[(class, _)] = of {
            self.nodes.push(Stored { feature: PURE, threshold: 0.0, other: class });
            return;
        }
        let weight: f64 = of.iter().map(|(_, w)| w).sum();
        self.shares.extend(of.iter().map(|&(class, w)| Share { class, fraction: (w / weight) as f32 }));
        self.nodes.push(Stored { feature: MIXED, threshold: 0.0, other: self.ends.len() as u32 });
        self.ends.push(self.shares.len() as u32);
    }

    /// Gives back memory that was taken in reserve.
    pub(crate) fn shrink(&mut self) {
        self.nodes.shrink_to_fit();
        self.ends.shrink_to_fit();
        self.shares.shrink_to_fit();
    }
}
