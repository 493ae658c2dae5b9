//! Grows a tree, depth first and left first.

use quintet_kernels::rng::Rng;

use crate::draws::{Constants, Draws};
use crate::matrix::Matrix;
use crate::options::Options;
use crate::sorting::Sorter;
use crate::split::{Best, Class, Sums, bound, pack, scan, unpack};
use crate::tree::{Stored, Tree};

/// Values of a node that are brought together at once: 8 MiB, so that memory stays small with many rows and features.
const GATHERED: usize = 1 << 21;

/// In nodes of at most so many rows the first features looked at often separate all classes; then fewer are brought at once.
const SMALL: usize = 16;
const BATCH_OF_SMALL: usize = 8;

/// No parent, or no local number.
const NONE: u32 = u32::MAX;

/// Rows that a tree sees: those drawn at least once, in their order, and their class and count packed.
pub(crate) struct Sample {
    pub(crate) rows: Vec<u32>,
    pub(crate) packed: Vec<u32>,
}

impl Sample {
    /// All rows once, or as often as `counts` says.
    pub(crate) fn new(labels: &[u32], counts: Option<&[u8]>) -> Self {
        let drawn = |&row: &u32| counts.is_none_or(|counts| counts[row as usize] > 0);
        let rows: Vec<u32> = (0..labels.len() as u32).filter(drawn).collect();
        let count = |row: u32| counts.map_or(1, |counts| u32::from(counts[row as usize]));
        let packed = rows.iter().map(|&row| pack(labels[row as usize], count(row))).collect();
        Sample { rows, packed }
    }
}

/// A node waiting to be grown: `start..end` of the sample.
struct Waiting {
    start: usize,
    end: usize,
    depth: usize,
    /// The split whose right child it is.
    parent: u32,
    constants: usize,
}

/// What a thread grows trees with; room is used again.
pub(crate) struct Grower<'a> {
    data: &'a Matrix<'a>,
    max_depth: usize,
    min_split: usize,
    min_leaf: usize,
    max_features: usize,
    draws: Draws,
    constants: Constants,
    sorter: Sorter,
    gathered: Vec<f32>,
    /// Features of the batch in the order drawn, and the same by number with their place in it.
    batch: Vec<u32>,
    by_number: Vec<(u32, u32)>,
    /// Local number of a class in the node; [`NONE`] elsewhere.
    local: Vec<u32>,
    /// Classes of the node, in order of their first row, and what they weigh.
    present: Vec<u32>,
    classes: Vec<Class>,
    /// Rows of the node with the local number of their class.
    payloads: Vec<u32>,
    /// Room for what goes right while a node is divided.
    right_rows: Vec<u32>,
    right_packed: Vec<u32>,
}

impl<'a> Grower<'a> {
    /// Room for trees over `data` with `classes` classes.
    pub(crate) fn new(data: &'a Matrix<'a>, classes: usize, options: &Options) -> Self {
        let (rows, features) = (data.rows(), data.columns());
        Grower {
            data,
            max_depth: options.max_depth.unwrap_or(usize::MAX),
            min_split: options.min_samples_split.max(options.min_samples_leaf.saturating_mul(2)),
            min_leaf: options.min_samples_leaf,
            max_features: options.max_features.count(features),
            draws: Draws::new(features),
            constants: Constants::new(features),
            sorter: Sorter::new(rows),
            gathered: Vec::new(),
            batch: Vec::new(),
            by_number: Vec::new(),
            local: vec![NONE; classes],
            present: Vec::new(),
            classes: Vec::new(),
            payloads: Vec::new(),
            right_rows: Vec::new(),
            right_packed: Vec::new(),
        }
    }

    /// Grows a tree over `sample`; the rows of a class weigh `weights`, `[classes]`. Also returns each feature's gain:
    /// by how much its splits lowered the weighted impurity, `[features]`.
    pub(crate) fn grow(&mut self, mut sample: Sample, weights: &[f64], rng: &mut Rng) -> (Tree, Vec<f64>) {
        let features = self.data.columns();
        let (mut tree, mut gains) = (Tree::default(), vec![0.0; features]);
        // Every tree begins alike, whatever this thread grew before.
        self.draws = Draws::new(features);
        let mut waiting = vec![Waiting { start: 0, end: sample.rows.len(), depth: 0, parent: NONE, constants: 0 }];
        while let Some(node) = waiting.pop() {
            let number = tree.nodes.len() as u32;
            if node.parent != NONE {
                tree.nodes[node.parent as usize].other = number;
            }
            let (rows, packed) = (&mut sample.rows[node.start..node.end], &mut sample.packed[node.start..node.end]);
            let mut constants = node.constants;
            self.sum_up(packed, weights);
            let sums = Sums::of(&self.classes);
            let best = if node.depth >= self.max_depth || rows.len() < self.min_split || self.classes.len() < 2 {
                Best::none()
            } else {
                self.best_split(rows, sums, &mut constants, rng)
            };
            if best.left == 0 {
                let mut of: Vec<(u32, f64)> =
                    self.present.iter().zip(&self.classes).map(|(&class, sums)| (class, sums.total)).collect();
                of.sort_unstable_by_key(|&(class, _)| class);
                tree.push_leaf(&of);
                continue;
            }
            gains[best.feature as usize] += best.score - sums.mean();
            let threshold = best.threshold();
            tree.nodes.push(Stored { feature: best.feature, threshold, other: 0 });
            let middle = node.start + self.divide(rows, packed, best.feature as usize, threshold);
            let depth = node.depth + 1;
            waiting.push(Waiting { start: middle, end: node.end, depth, parent: number, constants });
            waiting.push(Waiting { start: node.start, end: middle, depth, parent: NONE, constants });
        }
        tree.shrink();
        (tree, gains)
    }

    /// Numbers the classes of a node and sums up their weights.
    fn sum_up(&mut self, packed: &[u32], weights: &[f64]) {
        self.present.clear();
        self.classes.clear();
        self.payloads.clear();
        for &row in packed {
            let (class, count) = unpack(row);
            let local = &mut self.local[class as usize];
            if *local == NONE {
                *local = self.present.len() as u32;
                self.present.push(class);
                self.classes.push(Class::new(weights[class as usize]));
            }
            let sums = &mut self.classes[*local as usize];
            sums.total += sums.each * f64::from(count);
            self.payloads.push(pack(*local, count));
        }
        for &class in &self.present {
            self.local[class as usize] = NONE;
        }
    }

    /// The best split among the features that the node looks at. Adds to `constants`, how many features are known to be
    /// constant.
    fn best_split(&mut self, rows: &[u32], node: Sums, constants: &mut usize, rng: &mut Rng) -> Best {
        let (mut best, bound) = (Best::none(), bound(&self.classes, node));
        let known = *constants;
        let most = (GATHERED / rows.len()).max(1).min(if rows.len() <= SMALL { BATCH_OF_SMALL } else { usize::MAX });
        let (mut looked_at, mut varied) = (0, false);
        self.draws.restart();
        loop {
            // Beyond `max_features` one feature that varies is wanted.
            let beyond = looked_at >= self.max_features;
            if beyond && varied {
                return best;
            }
            let end = if beyond { usize::MAX } else { self.max_features };
            self.batch.clear();
            while self.batch.len() < most && looked_at < end {
                let Some(feature) = self.draws.next(rng) else { break };
                looked_at += 1;
                if !self.constants.contains(feature, known) {
                    self.batch.push(feature);
                }
            }
            if self.batch.is_empty() {
                if beyond {
                    return best;
                }
                continue;
            }
            let stride = self.gather(rows);
            for at in 0..self.batch.len() {
                let feature = self.batch[at];
                let values = &self.gathered[at * stride..][..rows.len()];
                let Some(keys) = self.sorter.sort(values, &self.payloads) else {
                    *constants = self.constants.add(feature, *constants);
                    continue;
                };
                varied = true;
                scan(keys, &mut self.classes, node, self.min_leaf, feature, &mut best);
                if best.score >= bound || beyond {
                    return best;
                }
            }
        }
    }

    /// Brings the values of the batch together, feature by feature with a stride that is returned.
    ///
    /// Row by row, because a row's features lie near each other in memory; in ascending order of features.
    fn gather(&mut self, rows: &[u32]) -> usize {
        // An odd number of cache lines apart, so that the features don't share the same few sets of the cache.
        let stride = (rows.len().div_ceil(16) | 1) * 16;
        self.gathered.resize(self.gathered.len().max(stride * self.batch.len()), 0.0);
        self.by_number.clear();
        self.by_number.extend(self.batch.iter().enumerate().map(|(at, &feature)| (feature, (at * stride) as u32)));
        self.by_number.sort_unstable();
        for (i, &row) in rows.iter().enumerate() {
            let (values, to) = (self.data.row(row as usize), &mut self.gathered[i..]);
            for &(feature, at) in &self.by_number {
                to[at as usize] = values[feature as usize];
            }
        }
        stride
    }

    /// Brings the rows that go left before those that go right, each in their order; returns how many go left.
    fn divide(&mut self, rows: &mut [u32], packed: &mut [u32], feature: usize, threshold: f32) -> usize {
        self.right_rows.clear();
        self.right_packed.clear();
        let mut left = 0;
        for i in 0..rows.len() {
            let (row, pack) = (rows[i], packed[i]);
            if self.data.row(row as usize)[feature] <= threshold {
                (rows[left], packed[left]) = (row, pack);
                left += 1;
            } else {
                self.right_rows.push(row);
                self.right_packed.push(pack);
            }
        }
        rows[left..].copy_from_slice(&self.right_rows);
        packed[left..].copy_from_slice(&self.right_packed);
        left
    }
}
