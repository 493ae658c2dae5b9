//! One optimisation step: forward, loss, backward, clip, Adam.

use burn::module::Module;
use burn::tensor::Tensor;
use quintet_kernels::adam::Adam;
use quintet_kernels::sums::sum_squares;

use super::device_moments::{self, DeviceMoments};
use super::moments::{Gradient, Moments};
use crate::component::{Component, PerComponent};
use crate::config::{Average, LossKind};
use crate::error::{Error, Result};
use crate::model::joint::Pass;
use crate::model::loss::{self, LossSettings, MAX_SCALE};
use crate::model::{Batch, Network, network, network::NamedTensor, params};

/// What varies from step to step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepSettings {
    /// Learning rate of this step.
    pub learning_rate: f64,
    /// Largest global L2 norm of the gradient.
    pub clip: f64,
    /// Loss of this step (the warm-up uses sum-of-hinges).
    pub kind: LossKind,
    /// What a component is compared with.
    pub average: Average,
    /// Margin of the hinges.
    pub margin: f64,
    /// Whether posts with the same image, the same text or the same content of the compared component stop counting as
    /// each other's negatives.
    pub mask_duplicates: bool,
}

/// What a step did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StepReport {
    /// Loss per component (0 where the component had no pair).
    pub losses: PerComponent<f64>,
    /// Number of posts that entered each component's loss.
    pub pairs: PerComponent<usize>,
    /// What each loss would be if all vectors were equal, where known.
    pub if_equal: PerComponent<Option<f64>>,
    /// L2 norm of the whole gradient before clipping. If it is not finite, the step changed nothing.
    pub gradient_norm: f64,
    /// Mean cosine between different posts per component (towards 1: collapse).
    pub off_diagonal: PerComponent<f64>,
}

/// Adam (beta 0.9 / 0.999, eps 1e-8, no weight decay) over all weights of a network.
///
/// The same numbers as PyTorch's Adam with dense gradients: a weight that takes no part in a step has gradient zero and
/// still moves by its momentum. A row of an embedding table that was never read has zero moments and costs nothing.
pub struct Optimiser {
    steps: u64,
    /// Names and shapes.
    weights: Vec<(String, Vec<usize>)>,
    state: State,
}

/// Moments of every weight, where the weights are.
enum State {
    Host(Vec<Moments>),
    Device(Vec<DeviceMoments>),
}

/// Name of the embedding table of a component that reads words.
fn table_name(component: Component) -> &'static str {
    match component {
        Component::Location => "location.texts.embedding.weight",
        _ => "text.embedding.weight",
    }
}

impl Optimiser {
    /// Fresh state for `network`.
    pub fn new(network: &Network) -> Optimiser {
        let weights = params::shapes(network.joint());
        let state = if network.device().is_cpu() {
            quintet_kernels::scratch::keep_freed_memory();
            let is_table = |name: &str| Component::ALL.iter().any(|&c| table_name(c) == name);
            State::Host(weights.iter().map(|(name, shape)| Moments::new(shape, is_table(name))).collect())
        } else {
            let handle = network.device().handle();
            State::Device(weights.iter().map(|(_, shape)| DeviceMoments::new(shape, handle)).collect())
        };
        Optimiser { steps: 0, weights, state }
    }

    /// One step on `batch`; the network's weights change in place.
    pub fn step(&mut self, network: &mut Network, batch: &Batch, settings: &StepSettings) -> StepReport {
        network.device().clone().within(|| self.take_step(network, batch, settings))
    }

    fn take_step(&mut self, network: &mut Network, batch: &Batch, settings: &StepSettings) -> StepReport {
        let (mut report, gradients) = self.differentiate(network, batch, settings);
        let capped = |at: usize| self.weights[at].0 == "loss.log_scale";
        match &mut self.state {
            State::Host(moments) => {
                let gradients = to_host(gradients);
                report.gradient_norm = norm(&gradients);
                let Some(adam) = adam(&mut self.steps, report.gradient_norm, settings) else { return report };
                network.edit(|at, _, values| {
                    moments[at].update(values, &gradients[at], &adam);
                    if capped(at) {
                        values[0] = values[0].min(MAX_SCALE.ln());
                    }
                });
            }
            State::Device(moments) => {
                report.gradient_norm = device_moments::norm(&gradients);
                let Some(adam) = adam(&mut self.steps, report.gradient_norm, settings) else { return report };
                let mut before = std::mem::take(moments).into_iter().zip(gradients);
                network.replace(|values| {
                    let (one, gradient) = before.next().expect("moments and a gradient for every weight");
                    let (one, values) = one.update(values, gradient, &adam);
                    moments.push(one);
                    if capped(moments.len() - 1) { values.clamp_max(MAX_SCALE.ln()) } else { values }
                });
            }
        }
        report
    }

    /// What a step on `batch` would see, without taking it: losses, and the gradient of every weight (dense, unclipped).
    pub fn gradients(
        &self,
        network: &Network,
        batch: &Batch,
        settings: &StepSettings,
    ) -> (StepReport, Vec<NamedTensor>) {
        let (mut report, gradients) = self.differentiate(network, batch, settings);
        let gradients = to_host(gradients);
        report.gradient_norm = norm(&gradients);
        let dense = |((name, shape), gradient): (&(String, Vec<usize>), Gradient<Vec<f32>>)| {
            let mut values = vec![0.0; shape.iter().product()];
            match gradient {
                Gradient::Zero => {}
                Gradient::Dense(dense) => values = dense,
                Gradient::Rows(rows, some) => {
                    let dim = some.len() / rows.len().max(1);
                    for (&row, some) in rows.iter().zip(some.chunks(dim)) {
                        values[row as usize * dim..][..dim].copy_from_slice(some);
                    }
                }
            }
            NamedTensor { name: name.clone(), shape: shape.clone(), values }
        };
        (report, self.weights.iter().zip(gradients).map(dense).collect())
    }

    /// Losses and the gradient of every weight, still on the device and its norm not yet known. Nothing of the graph
    /// outlives this: the weights' memory is unshared again.
    fn differentiate(
        &self,
        network: &Network,
        batch: &Batch,
        settings: &StepSettings,
    ) -> (StepReport, Vec<Gradient<Tensor<1>>>) {
        let module = network.joint().clone().train();
        let pass = module.forward(batch, &network.device().handle().clone().autodiff());
        let of = LossSettings {
            kind: settings.kind,
            average: settings.average,
            margin: settings.margin,
            mask_duplicates: settings.mask_duplicates,
        };
        let losses = loss::losses(&pass.vectors, batch, network.components(), module.loss_scale(), &of);
        let report = StepReport {
            losses: PerComponent::from_fn(|c| {
                losses.values[c].as_ref().map_or(0.0, |loss| f64::from(loss.clone().into_scalar::<f32>()))
            }),
            pairs: losses.pairs,
            if_equal: losses.if_equal,
            gradient_norm: 0.0,
            off_diagonal: off_diagonal(&pass),
        };
        let Some(total) = losses.total() else {
            return (report, self.weights.iter().map(|_| Gradient::Zero).collect());
        };
        let mut found = total.backward();
        let dense = params::gradients(&module, &mut found);
        let mut gradients: Vec<Gradient<_>> =
            dense.into_iter().map(|g| g.map_or(Gradient::Zero, Gradient::Dense)).collect();
        for (component, read) in pass.read.iter() {
            let Some(read) = read else { continue };
            let at = self.weights.iter().position(|(name, _)| name == table_name(component));
            if let (Some(at), Some(rows)) = (at, read.rows.grad_remove(&mut found)) {
                gradients[at] = Gradient::Rows(read.texts.distinct().to_vec(), rows.flatten(0, 1));
            }
        }
        (report, gradients)
    }

    /// The whole state (moments, number of steps) by name, for exact resumption.
    pub fn tensors(&self) -> Vec<NamedTensor> {
        // Exact as a float up to 2^24 steps, which is 700 times the published training.
        let steps = NamedTensor { name: "adam.steps".into(), shape: vec![1], values: vec![self.steps as f32] };
        let moments = self.weights.iter().enumerate().flat_map(|(at, (name, shape))| {
            let [first, second] = match &self.state {
                State::Host(moments) => moments[at].after(self.steps),
                State::Device(moments) => moments[at].read(),
            };
            [("first", first), ("second", second)].map(|(which, values)| NamedTensor {
                name: format!("adam.{which}.{name}"),
                shape: shape.clone(),
                values,
            })
        });
        std::iter::once(steps).chain(moments).collect()
    }

    /// Restores what [`Optimiser::tensors`] gave.
    ///
    /// # Errors
    /// If a name is missing or a shape differs.
    pub fn load(&mut self, tensors: &[NamedTensor]) -> Result<()> {
        let steps = network::find(tensors, "adam.steps", &[1])?.values[0];
        if !(steps >= 0.0 && steps.fract() == 0.0) {
            return Err(Error::input(format!("`adam.steps` is {steps}, not a number of steps")));
        }
        let find = |which: &str| {
            let of = |(name, shape): &(String, Vec<usize>)| {
                network::find(tensors, &format!("adam.{which}.{name}"), shape).map(|tensor| &tensor.values)
            };
            self.weights.iter().map(of).collect::<Result<Vec<_>>>()
        };
        let (first, second) = (find("first")?, find("second")?);
        self.steps = steps as u64;
        let found = first.into_iter().zip(second);
        match &mut self.state {
            State::Host(moments) => {
                for (weight, (first, second)) in moments.iter_mut().zip(found) {
                    weight.first.copy_from_slice(first);
                    weight.second.copy_from_slice(second);
                    weight.find_rows();
                }
            }
            State::Device(moments) => {
                moments.iter_mut().zip(found).for_each(|(weight, (first, second))| weight.write(first, second));
            }
        }
        Ok(())
    }
}

/// Adam's next step, with the gradient clipped; `None`, and no step counted, if the gradient's norm is not finite.
fn adam(steps: &mut u64, norm: f64, settings: &StepSettings) -> Option<Adam> {
    if !norm.is_finite() {
        return None;
    }
    *steps += 1;
    let gradient_scale = if norm > settings.clip { settings.clip / (norm + 1e-6) } else { 1.0 };
    Some(Adam { gradient_scale, ..Adam::new(settings.learning_rate, *steps) })
}

fn to_host(gradients: Vec<Gradient<Tensor<1>>>) -> Vec<Gradient<Vec<f32>>> {
    gradients.into_iter().map(|gradient| gradient.map(params::values)).collect()
}

/// L2 norm of the whole gradient.
fn norm(gradients: &[Gradient<Vec<f32>>]) -> f64 {
    gradients.iter().filter_map(Gradient::values).map(|values| sum_squares(values)).sum::<f64>().sqrt()
}

/// Mean cosine between different posts: (|sum of the unit vectors|^2 - n) / (n (n - 1)).
fn off_diagonal(pass: &Pass) -> PerComponent<f64> {
    PerComponent::from_fn(|c| {
        let Some(vectors) = &pass.vectors[c] else { return 0.0 };
        let [n, dim] = vectors.dims();
        if n < 2 {
            return 0.0;
        }
        let mut sum = vec![0f64; dim];
        for row in params::values(vectors.clone().inner()).chunks(dim) {
            sum.iter_mut().zip(row).for_each(|(s, &x)| *s += f64::from(x));
        }
        let n = n as f64;
        (sum.iter().map(|s| s * s).sum::<f64>() - n) / (n * (n - 1.0))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing;
    use crate::train::moments::Row;

    fn settings(kind: LossKind) -> StepSettings {
        let average = Average::LeaveOneOut;
        StepSettings { learning_rate: 0.01, clip: 2.0, kind, average, margin: 0.2, mask_duplicates: true }
    }

    /// Network and optimiser after `steps` steps on different batches.
    fn train(steps: u64) -> (Network, Optimiser) {
        let mut network = testing::network(3, 40);
        let mut optimiser = Optimiser::new(&network);
        (0..steps).for_each(|step| go_on(&mut network, &mut optimiser, step));
        (network, optimiser)
    }

    fn go_on(network: &mut Network, optimiser: &mut Optimiser, step: u64) {
        let kind =
            [LossKind::SumOfHinges, LossKind::MaxOfHinges, LossKind::InfoNce, LossKind::SigLip][step as usize % 4];
        let report = optimiser.step(network, &testing::batch(step, 12), &settings(kind));
        assert!(report.gradient_norm > 0.0 && report.gradient_norm.is_finite(), "{report:?}");
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            pool.install(|| {
                let (network, optimiser) = train(5);
                (network.tensors(), optimiser.tensors())
            })
        };
        let one = on(1);
        assert_eq!(one, on(2));
        assert_eq!(one, on(3));
    }

    #[test]
    fn a_restored_state_goes_on_with_the_same_bits() {
        let (mut network, mut optimiser) = train(3);
        let mut other = testing::network(9, 40);
        let mut restored = Optimiser::new(&other);
        other.load(&network.tensors()).expect("same shapes");
        restored.load(&optimiser.tensors()).expect("same shapes");
        for step in 3..8 {
            go_on(&mut network, &mut optimiser, step);
            go_on(&mut other, &mut restored, step);
        }
        assert_eq!(network.tensors(), other.tensors());
        assert_eq!(optimiser.tensors(), restored.tensors());
        assert!(restored.load(&[]).is_err());
    }

    /// A row read once goes on moving by its momentum; one never read stays where it began.
    #[test]
    fn rows_coast() {
        let mut network = testing::network(3, 16);
        let mut optimiser = Optimiser::new(&network);
        let row = |network: &Network, row: u32| {
            let table = network.tensors().swap_remove(0);
            table.values.chunks(table.shape[1]).nth(row as usize).map(<[f32]>::to_vec)
        };
        let batch = testing::batch(0, 12);
        let read = batch.text.tokens.values[0];
        let unread = (0..testing::WORDS as u32).find(|token| !batch.text.tokens.values.contains(token));
        let (start, never) = (row(&network, read), unread.map(|token| row(&network, token)));
        optimiser.step(&mut network, &batch, &settings(LossKind::InfoNce));
        let first = row(&network, read);
        assert_ne!(start, first);
        let nothing = Batch { size: 12, ..Batch::default() };
        optimiser.step(&mut network, &nothing, &settings(LossKind::InfoNce));
        assert_ne!(first, row(&network, read));
        assert_eq!(never, unread.map(|token| row(&network, token)));
    }

    /// Rows whose momentum no longer moves them are left alone, and nothing can be seen of it from outside.
    #[test]
    fn sleeping_rows_lose_nothing() {
        let (mut network, mut optimiser) = train(2);
        let nothing = Batch { size: 12, ..Batch::default() };
        let second = |optimiser: &Optimiser| optimiser.tensors().swap_remove(2).values;
        let mut expected = second(&optimiser);
        for _ in 0..400 {
            optimiser.step(&mut network, &nothing, &settings(LossKind::InfoNce));
            expected.iter_mut().for_each(|v| *v *= 0.999f32);
        }
        let asleep = |optimiser: &Optimiser| {
            let State::Host(moments) = &optimiser.state else { panic!("the weights are on the host") };
            moments[0].rows.iter().flatten().filter(|row| matches!(row, Row::Asleep(_))).count()
        };
        assert!(asleep(&optimiser) > 10);
        assert_eq!(second(&optimiser), expected);

        let mut other = testing::network(9, 40);
        let mut restored = Optimiser::new(&other);
        other.load(&network.tensors()).expect("same shapes");
        restored.load(&optimiser.tensors()).expect("same shapes");
        assert_eq!(asleep(&restored), 0);
        for step in 0..3 {
            go_on(&mut network, &mut optimiser, step);
            go_on(&mut other, &mut restored, step);
        }
        assert_eq!(network.tensors(), other.tensors());
        assert_eq!(optimiser.tensors(), restored.tensors());

        // A higher learning rate wakes all.
        for _ in 0..300 {
            optimiser.step(&mut network, &nothing, &settings(LossKind::InfoNce));
        }
        assert!(asleep(&optimiser) > 10);
        let higher = StepSettings { learning_rate: 1e6, ..settings(LossKind::InfoNce) };
        let before = network.tensors();
        optimiser.step(&mut network, &nothing, &higher);
        assert!(asleep(&optimiser) < 10 && network.tensors() != before);
    }

    #[test]
    fn training_lowers_the_loss() {
        for kind in [LossKind::SumOfHinges, LossKind::MaxOfHinges, LossKind::InfoNce, LossKind::SigLip] {
            let mut network = testing::network(3, 40);
            let mut optimiser = Optimiser::new(&network);
            let batch = testing::batch(1, 12);
            let mut step = || optimiser.step(&mut network, &batch, &settings(kind)).losses.0.iter().sum::<f64>();
            let first = step();
            let last = (0..30).map(|_| step()).last().unwrap_or(first);
            assert!(last < 0.5 * first, "{kind:?}: from {first} to {last}");
        }
    }
}
