//! Batches, optimiser, schedule, validation, checkpoints, the model folder.
//!
//! 1. [`batches`]: which posts a step sees, with which neighbours and components;
//! 2. [`optimiser`]: what a step does;
//! 3. [`run`]: the loop, its schedule, what is written when;
//! 4. [`validation`] and [`collapse`]: whether it gets anywhere;
//! 5. [`log`] and [`checkpoint`]: what it leaves behind, exact to the bit on resumption;
//! 6. [`model_folder`] and [`card`]: what others open.

pub mod batches;
pub mod card;
pub mod checkpoint;
pub mod collapse;
mod device_moments;
pub mod log;
pub mod model_folder;
pub(crate) mod moments;
pub mod optimiser;
pub mod run;
mod tensors;
pub mod validation;

pub use model_folder::{ModelFolder, ModelInfo};
pub use optimiser::{Optimiser, StepReport, StepSettings};
pub use run::{Job, Summary, train, train_dataset, train_on};
