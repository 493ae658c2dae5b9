//! One optimisation step: forward, loss, backward, clip, Adam.

use crate::component::PerComponent;
use crate::config::{Average, LossKind};
use crate::error::Result;
use crate::model::{Batch, Network, network::NamedTensor};

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
    /// Whether posts that share an image or a text stop counting as each other's negatives.
    pub mask_duplicates: bool,
}

/// What a step did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StepReport {
    /// Loss per component (0 where the component had no pair).
    pub losses: PerComponent<f64>,
    /// Number of posts that entered each component's loss.
    pub pairs: PerComponent<usize>,
    /// L2 norm of the whole gradient before clipping.
    pub gradient_norm: f64,
    /// Mean cosine between different posts per component (towards 1: collapse).
    pub off_diagonal: PerComponent<f64>,
}

/// Adam (beta 0.9 / 0.999, eps 1e-8, no weight decay) over all weights of a network.
pub struct Optimiser {}

impl Optimiser {
    /// Fresh state for `network`.
    pub fn new(network: &Network) -> Optimiser {
        let _ = network;
        todo!()
    }

    /// One step on `batch`; the network's weights change in place.
    pub fn step(&mut self, network: &mut Network, batch: &Batch, settings: &StepSettings) -> StepReport {
        let _ = (network, batch, settings);
        todo!()
    }

    /// The whole state (moments, number of steps) by name, for exact resumption.
    pub fn tensors(&self) -> Vec<NamedTensor> {
        todo!()
    }

    /// Restores what [`Optimiser::tensors`] gave.
    ///
    /// # Errors
    /// If a name is missing or a shape differs.
    pub fn load(&mut self, tensors: &[NamedTensor]) -> Result<()> {
        let _ = tensors;
        todo!()
    }
}
