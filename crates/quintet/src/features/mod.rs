//! "Here is a post, give me numbers": one file a component, what is fitted, and the numbers of many posts.

pub mod dataset;
pub mod fitted;
pub mod image;

pub use dataset::{Dataset, Dense, Ragged, Status};
pub use fitted::Fitted;
