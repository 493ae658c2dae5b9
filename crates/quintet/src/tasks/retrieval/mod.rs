//! Retrieval: given some components of a post, find the missing one among all others.
//!
//! Two protocols, in percent of queries whose right answer is among the first 1, 5, 10:
//!
//! - **pairs**: every ordered pair of components, such as image -> text. Contents count once, on both sides: posts that
//!   share an image are one image query and one image candidate, and any of their texts answers it. On Flickr8k this is
//!   the protocol of the literature: 1,000 image queries with five right captions each, 5,000 caption queries over 1,000
//!   images.
//! - **published** (`vsepp.md` 7.5): the query is a post without the target component, and a candidate scores the largest
//!   cosine with any of the query's components.
//!
//! [`evaluation`] holds the protocol, [`ours`] asks a model, [`trivial`] is chance, [`report`] the figures and tables,
//! [`mod@validation`] the short form used while training.

pub mod ceiling;
pub mod evaluation;
pub mod ours;
pub mod report;
pub mod trivial;
pub mod validation;

mod scores;
#[cfg(test)]
mod tests;

pub use evaluation::{Options, evaluate};
pub use ours::run;
pub use report::{Direction, Figure, RetrievalReport, compare};
pub use validation::{Validation, validation};
