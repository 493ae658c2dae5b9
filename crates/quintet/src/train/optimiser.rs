//! One optimisation step: forward, loss, backward, clip, Adam.

use burn::module::Module;
use quintet_kernels::adam::Adam;
use quintet_kernels::sums::sum_squares;

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
    weights: Vec<Moments>,
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
        let moments = |(name, shape): (String, Vec<usize>)| {
            let is_table = Component::ALL.iter().any(|&c| table_name(c) == name);
            Moments::new(name, shape, is_table)
        };
        Optimiser { steps: 0, weights: params::shapes(network.joint()).into_iter().map(moments).collect() }
    }

    /// One step on `batch`; the network's weights change in place.
    pub fn step(&mut self, network: &mut Network, batch: &Batch, settings: &StepSettings) -> StepReport {
        // One way into the thread pool instead of one for each of some 500 parallel loops.
        rayon::scope(|_| self.step_in_pool(network, batch, settings))
    }

    fn step_in_pool(&mut self, network: &mut Network, batch: &Batch, settings: &StepSettings) -> StepReport {
        let (report, gradients) = self.differentiate(network, batch, settings);
        if !report.gradient_norm.is_finite() {
            return report;
        }
        let too_long = report.gradient_norm > settings.clip;
        let scale = if too_long { settings.clip / (report.gradient_norm + 1e-6) } else { 1.0 };
        self.steps += 1;
        let adam = Adam { gradient_scale: scale, ..Adam::new(settings.learning_rate, self.steps) };
        network.edit(|at, _, values| {
            self.weights[at].update(values, &gradients[at], &adam);
            if self.weights[at].name == "loss.log_scale" {
                values[0] = values[0].min(MAX_SCALE.ln());
            }
        });
        report
    }

    /// What a step on `batch` would see, without taking it: losses, and the gradient of every weight (dense, unclipped).
    pub fn gradients(
        &self,
        network: &Network,
        batch: &Batch,
        settings: &StepSettings,
    ) -> (StepReport, Vec<NamedTensor>) {
        let (report, gradients) = self.differentiate(network, batch, settings);
        let dense = |(weight, gradient): (&Moments, Gradient)| {
            let mut values = vec![0.0; weight.first.len()];
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
            NamedTensor { name: weight.name.clone(), shape: weight.shape.clone(), values }
        };
        (report, self.weights.iter().zip(gradients).map(dense).collect())
    }

    /// Losses and the gradient of every weight. Nothing of the graph outlives this: the weights' memory is unshared again.
    fn differentiate(&self, network: &Network, batch: &Batch, settings: &StepSettings) -> (StepReport, Vec<Gradient>) {
        let module = network.joint().clone().train();
        let pass = module.forward(batch, &network.device().clone().autodiff());
        let of = LossSettings {
            kind: settings.kind,
            average: settings.average,
            margin: settings.margin,
            mask_duplicates: settings.mask_duplicates,
        };
        let losses = loss::losses(&pass.vectors, batch, network.components(), module.loss_scale(), &of);
        let mut report = StepReport {
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
        let mut gradients: Vec<Gradient> =
            dense.into_iter().map(|g| g.map_or(Gradient::Zero, Gradient::Dense)).collect();
        for (component, read) in pass.read.iter() {
            let Some(read) = read else { continue };
            let at = self.weights.iter().position(|w| w.name == table_name(component));
            if let (Some(at), Some(rows)) = (at, read.rows.grad_remove(&mut found)) {
                gradients[at] = Gradient::Rows(read.texts.distinct().to_vec(), params::values(rows));
            }
        }
        report.gradient_norm = gradients.iter().map(|g| sum_squares(g.values())).sum::<f64>().sqrt();
        (report, gradients)
    }

    /// The whole state (moments, number of steps) by name, for exact resumption.
    pub fn tensors(&self) -> Vec<NamedTensor> {
        // Exact as a float up to 2^24 steps, which is 700 times the published training.
        let steps = NamedTensor { name: "adam.steps".into(), shape: vec![1], values: vec![self.steps as f32] };
        let of = |weight: &Moments, which: &str, values: Vec<f32>| NamedTensor {
            name: format!("adam.{which}.{}", weight.name),
            shape: weight.shape.clone(),
            values,
        };
        let moments = self.weights.iter().flat_map(|weight| {
            let [first, second] = weight.after(self.steps);
            [of(weight, "first", first), of(weight, "second", second)]
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
        let find = |weight: &Moments, which: &str| {
            network::find(tensors, &format!("adam.{which}.{}", weight.name), &weight.shape)
        };
        let found =
            self.weights.iter().map(|w| Ok((find(w, "first")?, find(w, "second")?))).collect::<Result<Vec<_>>>()?;
        self.steps = steps as u64;
        for (weight, (first, second)) in self.weights.iter_mut().zip(found) {
            weight.first.copy_from_slice(&first.values);
            weight.second.copy_from_slice(&second.values);
            weight.find_rows();
        }
        Ok(())
    }
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
            optimiser.weights[0].rows.iter().flatten().filter(|row| matches!(row, Row::Asleep(_))).count()
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
