//! The joint model: five branches into one space of unit vectors, defined once in Burn.
//!
//! "Here are the numbers of some posts, give me unit vectors": a [`Batch`] goes into a [`Network`], which wraps
//! [`joint::Joint`], the Burn module with one branch per component ([`text`], [`image`], [`hashtags`], [`location`],
//! [`user`]). [`loss`] turns the vectors of a batch into a training signal; [`ops`] holds the hot operations, our own
//! kernels on the CPU and ordinary Burn operations elsewhere.

pub mod batch;
pub mod hashtags;
pub mod image;
pub mod joint;
pub mod layers;
pub mod location;
pub mod loss;
pub mod network;
pub mod ops;
pub mod params;
#[cfg(test)]
pub(crate) mod testing;
pub mod text;
pub mod user;

pub use batch::{Batch, DenseRows, Sequences};
pub use network::{NamedTensor, Network, Shapes};
