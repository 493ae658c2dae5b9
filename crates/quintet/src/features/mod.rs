//! "Here is a post, give me numbers": one file a component, what is fitted, and the numbers of many posts.
//!
//! | component | files |
//! |---|---|
//! | text | [`text`], [`vocabulary`], [`words`] with [`subwords`], [`skipgram`] and `word_files` |
//! | image | [`image`] |
//! | hashtags | [`hashtags`], through the word vectors |
//! | location | [`location`] with [`near_duplicates`]: places, through the texts of other posts |
//! | user | [`user`] with [`graph`], [`walks`], `walk_training`: authors, through the mention graph |
//!
//! [`fitted`] holds all of it, fitted on [`train_posts`] only; `numbers` applies it to any posts and gives a [`dataset`].

pub mod dataset;
pub mod fitted;
pub mod graph;
pub mod hashtags;
pub mod image;
pub mod location;
mod lockstep;
pub mod near_duplicates;
mod numbers;
pub mod report;
pub mod skipgram;
mod store;
pub mod subwords;
pub mod text;
pub mod train_posts;
pub mod user;
pub mod vocabulary;
mod walk_training;
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
