//! Batches, optimiser, schedule, validation, checkpoints, the model folder.

pub mod model_folder;
pub mod optimiser;

pub use model_folder::ModelFolder;
pub use optimiser::{Optimiser, StepReport, StepSettings};
