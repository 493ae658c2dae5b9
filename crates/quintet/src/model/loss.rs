//! The training signal: each component of a post against the average of its components, other posts as negatives.
//!
//! With C_k the unit vectors of component k and A_k the unit vectors of the average (`include-self`: over all components
//! that the post has, the paper's equations 2 and 3; `leave-one-out`: over the others), the similarities are
//! S = C_k A_kᵀ and the loss is the sum over the components of a loss of S (`vsepp.md` sections 2 and 7.2).
//!
//! - A post takes part in component k if it has k and, with leave-one-out, at least one other component. Negatives are
//!   the other posts that take part, without duplicates ([`LossSettings::mask_duplicates`]) if so set. The average is over what the post has; only its
//!   direction matters, so the sum does.
//! - `pairwise` (not in the paper) compares every two components directly, with no average: ten matrices for five
//!   components. A matrix and its transpose have the same loss (both directions count), so each is built once and half
//!   of its loss is reported for each of the two.
//! - A model of exactly two components with leave-one-out is VSE++, because the average without one is the other. It
//!   goes the pairwise way too: the whole loss is VSE++'s.

use burn::tensor::activation::{log_sigmoid, log_softmax};
use burn::tensor::{Device, Tensor, TensorData};

use super::batch::Batch;
use super::joint::LossScale;
use super::ops;
use crate::component::{Component, PerComponent};
use crate::config::{Average, LossKind};

/// Largest factor on the cosines that InfoNCE and SigLIP may learn (CLIP's cap).
pub const MAX_SCALE: f32 = 100.0;

/// What decides a loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LossSettings {
    /// Which loss of the similarities.
    pub kind: LossKind,
    /// What a component is compared with.
    pub average: Average,
    /// Margin of the hinges, in cosine.
    pub margin: f64,
    /// Whether posts with the same image, the same text or the same content of the compared component are not negatives
    /// of each other.
    pub mask_duplicates: bool,
}

/// The loss of each component that had a pair.
pub struct Losses {
    /// A scalar each; their sum is what training lowers.
    pub values: PerComponent<Option<Tensor<1>>>,
    /// Number of posts that took part; pairwise, a post counts once for each component it was compared with.
    pub pairs: PerComponent<usize>,
    /// What the values would be if all vectors were equal, where that is a constant: the sign of a collapse.
    pub if_equal: PerComponent<Option<f64>>,
}

impl Losses {
    /// The sum, or `None` if no post of the batch could be compared with anything.
    pub fn total(&self) -> Option<Tensor<1>> {
        self.values.0.iter().flatten().cloned().reduce(|a, b| a + b)
    }

    fn add(&mut self, c: Component, value: Tensor<1>, pairs: &Pairs, if_equal: Option<f64>) {
        let before = self.values[c].take();
        self.if_equal[c] = match (&before, self.if_equal[c]) {
            (Some(_), known) => known.zip(if_equal).map(|(a, b)| a + b),
            (None, _) => if_equal,
        };
        self.values[c] = Some(before.map_or(value.clone(), |before| before + value));
        self.pairs[c] += pairs.count;
    }
}

/// Losses of a batch from its unit vectors `[rows of the component, dim]`; `components`: those that the model has.
pub fn losses(
    vectors: &PerComponent<Option<Tensor<2>>>,
    batch: &Batch,
    components: PerComponent<bool>,
    scale: &LossScale,
    settings: &LossSettings,
) -> Losses {
    let mut losses = Losses {
        values: PerComponent::from_fn(|_| None),
        pairs: PerComponent::default(),
        if_equal: PerComponent::default(),
    };
    let placed = PerComponent::from_fn(|c| vectors[c].as_ref().map(|v| place(v.clone(), batch.rows(c), batch.size)));
    let Some(sum) = placed.0.iter().flatten().cloned().reduce(|a, b| a + b) else {
        return losses;
    };
    let has = PerComponent::from_fn(|c| presence(if placed[c].is_some() { batch.rows(c) } else { &[] }, batch.size));
    let of_post = |i: usize| Component::ALL.iter().filter(|&&c| has[c][i]).count();
    let model: Vec<Component> = Component::ALL.into_iter().filter(|&c| components[c]).collect();
    let taking_part = |compared: &[Component], takes_part: &dyn Fn(usize) -> bool| {
        let rivals = Rivals { batch, components: compared, mask_duplicates: settings.mask_duplicates };
        let takes_part: Vec<bool> = (0..batch.size).map(takes_part).collect();
        Pairs::new(&takes_part, &rivals, &sum.device())
    };

    let two = model.len() == 2 && settings.average == Average::LeaveOneOut;
    if two || settings.average == Average::Pairwise {
        for (i, &a) in model.iter().enumerate() {
            for &b in &model[i + 1..] {
                let (Some(va), Some(vb)) = (&placed[a], &placed[b]) else { continue };
                let Some(pairs) = taking_part(&[a, b], &|i| has[a][i] && has[b][i]) else { continue };
                let half = pair_loss(ops::similarity(va.clone(), vb.clone()), &pairs, scale, settings) * 0.5;
                for c in [a, b] {
                    losses.add(c, half.clone(), &pairs, pairs.if_equal(settings).map(|v| 0.5 * v));
                }
            }
        }
        return losses;
    }
    for c in model {
        let Some(own) = &placed[c] else { continue };
        let (average, least) = match settings.average {
            Average::LeaveOneOut => (sum.clone() - own.clone(), 2),
            Average::IncludeSelf | Average::Pairwise => (sum.clone(), 1),
        };
        let Some(pairs) = taking_part(&[c], &|i| has[c][i] && of_post(i) >= least) else { continue };
        let similarities = ops::similarity(own.clone(), ops::unit_rows(average));
        losses.add(c, pair_loss(similarities, &pairs, scale, settings), &pairs, pairs.if_equal(settings));
    }
    losses
}

/// Vectors at the batch positions of their posts, zero rows elsewhere: `[rows.len(), dim] -> [size, dim]`.
fn place(vectors: Tensor<2>, rows: &[u32], size: usize) -> Tensor<2> {
    if rows.len() == size {
        return vectors;
    }
    let (device, dim) = (vectors.device(), vectors.dims()[1]);
    // Reading row `rows.len()`, a zero row put at the end, is the same on every device and keeps the gradient plain.
    let mut source = vec![rows.len() as u32; size];
    for (at, &post) in rows.iter().enumerate() {
        source[post as usize] = at as u32;
    }
    let padded = Tensor::cat(vec![vectors, Tensor::zeros([1, dim], &device)], 0);
    padded.select(0, ops::ordinary::indices(source, &device))
}

fn presence(rows: &[u32], size: usize) -> Vec<bool> {
    let mut has = vec![false; size];
    rows.iter().for_each(|&post| has[post as usize] = true);
    has
}

/// Which posts may be negatives of each other in a comparison of `components` with something.
struct Rivals<'a> {
    batch: &'a Batch,
    components: &'a [Component],
    mask_duplicates: bool,
}

impl Rivals<'_> {
    /// Posts with the same image or the same text are the same content seen twice. Posts with the same content of the
    /// compared component (one author, one place) cannot be told apart by it: as negatives they would only be noise.
    fn may(&self, i: usize, j: usize) -> bool {
        i != j && !(self.mask_duplicates && self.same(i, j))
    }

    fn same(&self, i: usize, j: usize) -> bool {
        let (Some(a), Some(b)) = (self.batch.keys.get(i), self.batch.keys.get(j)) else { return false };
        let mut seen = [Component::Text, Component::Image].iter().chain(self.components);
        seen.any(|&c| a[c] != 0 && a[c] == b[c])
    }
}

/// Which entries of a similarity matrix count.
struct Pairs {
    /// Number of posts that take part.
    count: usize,
    /// `[size, size]`: 1 at the true pairs.
    positives: Tensor<2>,
    /// `[size, size]`: 1 where row and column are negatives of each other.
    negatives: Tensor<2>,
    /// Number of negatives of each post that takes part.
    rivals: Vec<usize>,
}

impl Pairs {
    /// `None` if no post takes part.
    fn new(takes_part: &[bool], rivals: &Rivals<'_>, device: &Device) -> Option<Pairs> {
        let size = takes_part.len();
        let count = takes_part.iter().filter(|&&t| t).count();
        let matrix = |f: &dyn Fn(usize, usize) -> bool| {
            let values: Vec<f32> = (0..size * size).map(|at| f32::from(f(at / size, at % size))).collect();
            Tensor::<2>::from_data(TensorData::new(values, [size, size]), device)
        };
        let negative = |i: usize, j: usize| takes_part[i] && takes_part[j] && rivals.may(i, j);
        let posts = (0..size).filter(|&i| takes_part[i]);
        (count > 0).then(|| Pairs {
            count,
            rivals: posts.map(|i| (0..size).filter(|&j| negative(i, j)).count()).collect(),
            positives: matrix(&|i, j| i == j && takes_part[i]),
            negatives: matrix(&negative),
        })
    }

    /// The loss if all cosines were equal: every hinge is the margin, every softmax uniform. SigLIP's depends on its
    /// learned bias.
    fn if_equal(&self, settings: &LossSettings) -> Option<f64> {
        let sum = |of: &dyn Fn(usize) -> f64| self.rivals.iter().map(|&n| of(n)).sum::<f64>();
        match settings.kind {
            LossKind::MaxOfHinges => Some(2.0 * settings.margin * sum(&|n| n.min(1) as f64)),
            LossKind::SumOfHinges => Some(2.0 * settings.margin * sum(&|n| n as f64)),
            LossKind::InfoNce => Some(sum(&|n| (1.0 + n as f64).ln()) / self.count as f64),
            LossKind::SigLip => None,
        }
    }
}

/// The loss of one similarity matrix `[size, size]`: rows are a component, columns what it is compared with.
fn pair_loss(similarities: Tensor<2>, pairs: &Pairs, scale: &LossScale, settings: &LossSettings) -> Tensor<1> {
    let learned = || scale.log_scale.val().exp().unsqueeze::<2>();
    match settings.kind {
        LossKind::MaxOfHinges => hinges(similarities, pairs, settings.margin, true),
        LossKind::SumOfHinges => hinges(similarities, pairs, settings.margin, false),
        LossKind::InfoNce => info_nce(similarities * learned(), pairs),
        LossKind::SigLip => sig_lip(similarities * learned() + scale.bias.val().unsqueeze(), pairs),
    }
}

/// VSE++ (hardest negative) or VSE0 (every negative): sums over the batch, not means, as the clip at 2 expects.
fn hinges(similarities: Tensor<2>, pairs: &Pairs, margin: f64, hardest: bool) -> Tensor<1> {
    let own = (similarities.clone() * pairs.positives.clone()).sum_dim(1);
    let by_row = (similarities.clone() - own.clone() + margin).clamp_min(0.0) * pairs.negatives.clone();
    let by_column = (similarities - own.transpose() + margin).clamp_min(0.0) * pairs.negatives.clone();
    if hardest { by_row.max_dim(1).sum() + by_column.max_dim(0).sum() } else { by_row.sum() + by_column.sum() }
}

/// Half the cross-entropy of the rows plus half that of the columns, mean over the posts that take part.
fn info_nce(logits: Tensor<2>, pairs: &Pairs) -> Tensor<1> {
    let counted = pairs.positives.clone() + pairs.negatives.clone();
    // e^-1e9 is 0: what does not count leaves the denominators.
    let logits = logits + (counted - 1.0) * 1e9;
    let of = |dim: usize| (log_softmax(logits.clone(), dim) * pairs.positives.clone()).sum();
    (of(1) + of(0)) * (-0.5 / pairs.count as f64)
}

/// -log sigmoid(+-logit), + at true pairs and - at negatives, summed and divided by the posts that take part.
fn sig_lip(logits: Tensor<2>, pairs: &Pairs) -> Tensor<1> {
    let sign = pairs.positives.clone() * 2.0 - 1.0;
    let counted = pairs.positives.clone() + pairs.negatives.clone();
    (log_sigmoid(logits * sign) * counted).sum() * (-1.0 / pairs.count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::layers::Init;
    use crate::model::params::values;
    use quintet_kernels::rng::Rng;

    fn scalar(loss: Tensor<1>) -> f32 {
        loss.into_scalar::<f32>()
    }

    fn scale(log_scale: f32, bias: f32) -> LossScale {
        let init = Init { seed: 0, device: &Device::flex() };
        LossScale { log_scale: init.scalar(log_scale), bias: init.scalar(bias) }
    }

    fn settings(kind: LossKind, average: Average) -> LossSettings {
        LossSettings { kind, average, margin: 0.2, mask_duplicates: true }
    }

    fn all_pairs(size: usize) -> Pairs {
        let batch = Batch { size, ..Batch::default() };
        let rivals = Rivals { batch: &batch, components: &[], mask_duplicates: true };
        Pairs::new(&vec![true; size], &rivals, &Device::flex()).expect("posts")
    }

    fn of_matrix(values: &[f32], size: usize, kind: LossKind) -> f32 {
        let s = Tensor::from_data(TensorData::new(values.to_vec(), [size, size]), &Device::flex());
        scalar(pair_loss(s, &all_pairs(size), &scale(0.0, 0.0), &settings(kind, Average::LeaveOneOut)))
    }

    /// `vsepp.md` section 2.
    #[test]
    fn hinges_of_known_matrices() {
        for kind in [LossKind::MaxOfHinges, LossKind::SumOfHinges] {
            assert!((of_matrix(&[0.9, 0.8, 0.1, 0.7], 2, kind) - 0.4).abs() < 1e-6);
        }
        // Collapse: every cosine equal.
        assert!((of_matrix(&[0.5; 64], 8, LossKind::MaxOfHinges) - 2.0 * 8.0 * 0.2).abs() < 1e-5);
        assert!((of_matrix(&[0.5; 64], 8, LossKind::SumOfHinges) - 2.0 * 8.0 * 7.0 * 0.2).abs() < 1e-4);
    }

    #[test]
    fn other_losses_of_equal_cosines() {
        let (size, c) = (8.0f32, 0.5f32);
        assert!((of_matrix(&[c; 64], 8, LossKind::InfoNce) - size.ln()).abs() < 1e-5);
        // Scale 1, bias 0: one true pair and seven false ones a post.
        let expected = (1.0 + (-c).exp()).ln() + 7.0 * (1.0 + c.exp()).ln();
        assert!((of_matrix(&[c; 64], 8, LossKind::SigLip) - expected).abs() < 1e-4);
    }

    /// Unit rows in random directions, for every component of every post.
    fn random(size: usize, dim: usize) -> PerComponent<Option<Tensor<2>>> {
        let mut rng = Rng::new(11, &[]);
        PerComponent::from_fn(|_| {
            let values: Vec<f32> = (0..size * dim).map(|_| rng.normal() as f32).collect();
            Some(ops::unit_rows(Tensor::from_data(TensorData::new(values, [size, dim]), &Device::flex())))
        })
    }

    fn full_batch(size: usize) -> Batch {
        let rows: Vec<u32> = (0..size as u32).collect();
        let mut batch = Batch { size, ..Batch::default() };
        batch.text.rows.clone_from(&rows);
        batch.image.rows.clone_from(&rows);
        batch.hashtags.rows.clone_from(&rows);
        batch.location.rows.clone_from(&rows);
        batch.user.rows = rows;
        batch
    }

    /// `vsepp.md` section 7.3: the published loss is zero without any alignment, leave-one-out is not.
    #[test]
    fn unrelated_vectors_satisfy_the_published_loss_only() {
        let (vectors, batch, scale) = (random(128, 1024), full_batch(128), scale(0.0, 0.0));
        let sum = |average| {
            let settings = settings(LossKind::MaxOfHinges, average);
            scalar(losses(&vectors, &batch, PerComponent([true; 5]), &scale, &settings).total().expect("pairs"))
        };
        assert!(sum(Average::IncludeSelf) < 0.5);
        let leave_one_out = sum(Average::LeaveOneOut);
        assert!((345.0..365.0).contains(&leave_one_out), "{leave_one_out}");
    }

    /// Two components: leave-one-out is VSE++ between them, each reported with half of it.
    #[test]
    fn two_components_are_vse() {
        let vectors = PerComponent(random(6, 16).0.map(Some));
        let pair = PerComponent::from_fn(|c| match c {
            Component::Text | Component::Image => vectors[c].clone().flatten(),
            _ => None,
        });
        let batch = full_batch(6);
        let settings = settings(LossKind::MaxOfHinges, Average::LeaveOneOut);
        let components = PerComponent([true, true, false, false, false]);
        let got = losses(&pair, &batch, components, &scale(0.0, 0.0), &settings);
        let (text, image) =
            (values(pair[Component::Text].clone().unwrap()), values(pair[Component::Image].clone().unwrap()));
        let cosine = |i: usize, j: usize| (0..16).map(|d| text[i * 16 + d] * image[j * 16 + d]).sum::<f32>();
        let hardest = |of: &dyn Fn(usize) -> f32, own: f32, i: usize| {
            (0..6).filter(|&j| j != i).map(|j| (0.2 + of(j) - own).max(0.0)).fold(0.0, f32::max)
        };
        let expected: f32 = (0..6)
            .map(|i| hardest(&|j| cosine(i, j), cosine(i, i), i) + hardest(&|j| cosine(j, i), cosine(i, i), i))
            .sum();
        assert!((scalar(got.total().unwrap()) - expected).abs() < 1e-5);
        assert!((scalar(got.values[Component::Text].clone().unwrap()) - expected / 2.0).abs() < 1e-5);
        assert_eq!(got.pairs, PerComponent([6, 6, 0, 0, 0]));
    }

    /// Pairwise among five is the sum of ten models of two components.
    #[test]
    fn pairwise_is_vse_of_every_two() {
        let (vectors, batch) = (random(6, 16), full_batch(6));
        for kind in [LossKind::MaxOfHinges, LossKind::InfoNce] {
            let of = |chosen: &[Component], average| {
                let some = PerComponent::from_fn(|c| vectors[c].clone().filter(|_| chosen.contains(&c)));
                let model = PerComponent::from_fn(|c| chosen.contains(&c));
                losses(&some, &batch, model, &scale(1.0, 0.0), &settings(kind, average))
            };
            let all = of(&Component::ALL, Average::Pairwise);
            let mut sum = 0.0;
            for (i, &a) in Component::ALL.iter().enumerate() {
                sum += Component::ALL[i + 1..]
                    .iter()
                    .map(|&b| scalar(of(&[a, b], Average::LeaveOneOut).total().unwrap()))
                    .sum::<f32>();
            }
            assert!((scalar(all.total().unwrap()) - sum).abs() < 1e-4 * sum);
            assert_eq!(all.pairs, PerComponent([24; 5]));
        }
    }

    /// The constant of a collapse is the loss of equal vectors, whatever is missing or masked.
    #[test]
    fn equal_vectors_have_the_constant_loss() {
        let mut batch = full_batch(6);
        batch.hashtags.rows = vec![1, 2, 3];
        batch.user.rows = vec![5];
        batch.keys = vec![PerComponent::default(); 6];
        batch.keys[0][Component::Text] = 4;
        batch.keys[5][Component::Text] = 4;
        (1..4).for_each(|post| batch.keys[post][Component::Hashtags] = 8);
        let one = |rows: usize| Some(ops::unit_rows(Tensor::ones([rows, 8], &Device::flex())));
        let vectors = PerComponent::from_fn(|c| one(batch.rows(c).len()));
        for kind in [LossKind::MaxOfHinges, LossKind::SumOfHinges, LossKind::InfoNce, LossKind::SigLip] {
            for average in [Average::IncludeSelf, Average::LeaveOneOut, Average::Pairwise] {
                let got = losses(&vectors, &batch, PerComponent([true; 5]), &scale(1.0, 0.0), &settings(kind, average));
                for c in Component::ALL {
                    let Some(value) = got.values[c].clone() else { continue };
                    match got.if_equal[c] {
                        Some(expected) => assert!(
                            (f64::from(scalar(value)) - expected).abs() < 1e-4 * (1.0 + expected),
                            "{kind:?} {average:?} {c}"
                        ),
                        None => assert_eq!(kind, LossKind::SigLip),
                    }
                }
            }
        }
    }

    /// A post enters a component's loss only with that component and, leaving one out, with another; and what it lacks
    /// changes nothing for the others.
    #[test]
    fn missing_components_take_no_part() {
        let mut vectors = random(4, 8);
        let mut batch = full_batch(4);
        // Post 3 has a user only; post 2 lacks text; nobody has a location.
        for (c, keep) in [(Component::Text, 2), (Component::Image, 3), (Component::Hashtags, 3)] {
            vectors[c] = vectors[c].take().map(|v| v.slice([0..keep, 0..8]));
        }
        batch.text.rows.truncate(2);
        batch.image.rows.truncate(3);
        batch.hashtags.rows.truncate(3);
        batch.location.rows.clear();
        vectors[Component::Location] = None;
        let of = |average| {
            let settings = settings(LossKind::MaxOfHinges, average);
            losses(&vectors, &batch, PerComponent([true; 5]), &scale(0.0, 0.0), &settings)
        };
        assert_eq!(of(Average::LeaveOneOut).pairs, PerComponent([2, 3, 3, 0, 3]));
        assert_eq!(of(Average::IncludeSelf).pairs, PerComponent([2, 3, 3, 0, 4]));
        assert!(of(Average::LeaveOneOut).values[Component::Location].is_none());
    }

    #[test]
    fn duplicates_are_not_rivals() {
        let mut batch = Batch { size: 3, keys: vec![PerComponent::default(); 3], ..Batch::default() };
        batch.keys[0][Component::Image] = 7;
        batch.keys[2][Component::Image] = 7;
        batch.keys[0][Component::User] = 5;
        batch.keys[1][Component::User] = 5;
        let may = |components: &[Component], mask_duplicates| {
            let rivals = Rivals { batch: &batch, components, mask_duplicates };
            [(0, 0), (0, 1), (0, 2), (1, 0), (1, 2), (2, 0)].map(|(i, j)| rivals.may(i, j))
        };
        // The same image is never a negative; the same author only where authors are compared.
        assert_eq!(may(&[Component::Text], true), [false, true, false, true, true, false]);
        assert_eq!(may(&[Component::User], true), [false, false, false, false, true, false]);
        assert_eq!(may(&[Component::User], false), [false, true, true, true, true, true]);
    }

    /// A batch in which nothing can be compared has no loss, and gradients of masked entries are not NaN.
    #[test]
    fn gradients_stay_finite_with_missing_components() {
        let mut batch = Batch { size: 3, ..Batch::default() };
        batch.text.rows = vec![0, 1];
        batch.image.rows = vec![1, 2];
        for kind in [LossKind::MaxOfHinges, LossKind::SumOfHinges, LossKind::InfoNce, LossKind::SigLip] {
            for average in [Average::IncludeSelf, Average::LeaveOneOut, Average::Pairwise] {
                let values_of_x: Vec<f32> = (0..16).map(|i| (i as f32).sin()).collect();
                let device = Device::flex().autodiff();
                let x = Tensor::<2>::from_data(TensorData::new(values_of_x, [2, 8]), &device).require_grad();
                let mut vectors = PerComponent::from_fn(|_| None);
                vectors[Component::Text] = Some(ops::unit_rows(x.clone()));
                vectors[Component::Image] = Some(ops::unit_rows(x.clone() * 2.0 + 1.0));
                let got = losses(&vectors, &batch, PerComponent([true; 5]), &scale(1.0, 0.0), &settings(kind, average));
                let gradient = x.grad(&got.total().expect("pairs").backward()).map(values).unwrap_or_default();
                assert!(gradient.iter().all(|g| g.is_finite()), "{kind:?} {average:?}: {gradient:?}");
            }
        }
        let alone = Batch { size: 3, ..Batch::default() };
        let none = PerComponent::from_fn(|_| None);
        let settings = settings(LossKind::InfoNce, Average::LeaveOneOut);
        assert!(losses(&none, &alone, PerComponent([true; 5]), &scale(0.0, 0.0), &settings).total().is_none());
    }
}
