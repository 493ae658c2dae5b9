//! The joint model: five branches into one space of unit vectors, defined once in Burn.

pub mod batch;
pub mod network;

pub use batch::{Batch, DenseRows, Sequences};
pub use network::{Network, Shapes};
