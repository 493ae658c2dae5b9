//! Location prediction: where is a post, or an author, of some places that are known?
//!
//! [`problem`] reads posts and labels and says what is to be located; every method of [`methods`] is fitted on the training part
//! and gives each place a probability, once from the text alone and once with the author:
//!
//! - [`ours`]: members on words ([`complement`] naive Bayes, regression), joint vectors, the mention [`graph`], the profile
//!   location, and all that an author wrote, joined with a weight each ([`super::pool`]);
//! - [`paper`]: the method of Rivas et al. (2022), a random forest on joint vectors;
//! - [`mod@baseline`], Deepgeo;
//! - [`trivial`]: the largest class, a gazetteer match of the profile location ([`names`]), naive Bayes over words.
//!
//! [`evaluation`] holds the face that all tasks share. [`items`] are posts or authors, [`linear`] a regression for several classes.

pub mod baseline;
pub mod complement;
pub mod evaluation;
pub mod graph;
pub mod items;
pub mod linear;
pub mod methods;
pub mod names;
pub mod ours;
pub mod paper;
pub mod problem;
pub mod trivial;

pub use evaluation::Location;

/// Position of the largest value, the first of equals; 0 without values.
pub fn largest(values: &[f64]) -> usize {
    (1..values.len()).fold(0, |best, i| if values[i] > values[best] { i } else { best })
}
