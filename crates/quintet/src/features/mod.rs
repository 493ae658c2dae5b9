//! "Here is a post, give me numbers": one file a component, what is fitted, and the numbers of many posts.

pub mod dataset;
pub mod fitted;
pub mod image;
pub mod skipgram;
pub mod subwords;
pub mod text;
pub mod vocabulary;
mod word_files;
pub mod words;

pub use dataset::{Dataset, Dense, Ragged, Status};
pub use fitted::Fitted;
pub use vocabulary::Vocabulary;
pub use words::WordVectors;

/// The way out of a damaged file that Quintet itself wrote.
pub(crate) const DAMAGED: &str =
    "the file is damaged or of another version: delete it and run `quintet features` again (in a model folder: train again)";
