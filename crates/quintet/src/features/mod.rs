//! "Here is a post, give me numbers": one file a component, what is fitted, and the numbers of many posts.
//!
//! - [`text`], [`vocabulary`], [`words`] (with `subwords`, `skipgram`, `word_files`): words and their vectors
//! - [`mod@image`], from files to vectors of pixels
//! - [`hashtags`]: tags, through the word vectors
//! - [`location`] (with `near_duplicates`): places, through the texts of other posts
//! - [`users`] (with `graph`, `walks`, `skipgram`): authors, through the mention graph
//! - [`fitted`]: all of it, fitted on [`train_posts`] only; `numbers`: applied to any posts, giving a [`dataset`]

pub mod dataset;
pub mod fitted;
pub mod graph;
pub mod hashtags;
pub mod image;
pub mod location;
pub mod near_duplicates;
mod numbers;
pub mod report;
pub mod skipgram;
mod store;
pub mod subwords;
pub mod text;
pub mod train_posts;
pub mod users;
pub mod vocabulary;
pub mod walks;
mod word_files;
pub mod words;

pub use dataset::{Dataset, Dense, Ragged, Status};
pub use fitted::Fitted;
pub use report::{FeaturesReport, features_report};
pub use train_posts::TrainPosts;
pub use vocabulary::Vocabulary;
pub use words::WordVectors;

/// The way out of a damaged file that Quintet itself wrote.
pub(crate) const DAMAGED: &str = "the file is damaged or of another version: delete it and run `quintet features` again \
     (in a model folder: train again)";
