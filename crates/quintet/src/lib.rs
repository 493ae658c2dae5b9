//! Quintet learns one joint embedding of the five components of a post: text, image, hashtags, location, user.
//!
//! The modules in the order in which data flows:
//!
//! 1. [`posts`]: "here is a dump, give me posts". [`posts::import()`] reads dumps into a [`Corpus`], [`posts::town`]
//!    generates the synthetic one, [`posts::check`] says what is in it, [`posts::split`] divides it.
//! 2. [`features`]: "here is a post, give me numbers". [`features::Fitted`] holds what was learned from the training
//!    part, [`features::Dataset`] the numbers.
//! 3. [`model`]: "here are numbers, give me unit vectors". [`model::Network`] is the joint model, [`model::loss`] its signal.
//! 4. [`train`]: "make the vectors agree". [`train::train`] writes a run, [`train::ModelFolder`] opens its model.
//! 5. [`embed`]: vectors in memory and on disk.
//! 6. [`search`]: which posts are nearest to these, exactly or nearly.
//! 7. [`tasks`] and [`metrics`]: what the space is good for, and how good it is.
//! 8. [`report`]: tables and plots for people; [`demo`] goes the whole way on synthetic posts, [`mod@reproduce`] makes the
//!    paper's tables and figures.
//!
//! ```
//! use quintet::{Config, Corpus, progress::Silent};
//! use quintet::posts::town::{TownOptions, generate};
//! use quintet::tasks::retrieval;
//!
//! # fn main() -> quintet::Result<()> {
//! let folder = tempfile::tempdir().expect("a temporary folder");
//! let (town, run) = (folder.path().join("town"), folder.path().join("run"));
//! generate(&TownOptions { posts: 200, ..TownOptions::default() }, &town, &Silent::default())?;
//!
//! let mut config = Config::default();
//! for (key, value) in [("words.dim", "16"), ("words.buckets", "2000"), ("user.dim", "16"), ("model.dim", "16"), ("train.epochs", "2")] {
//!     config.set(key, value)?;
//! }
//! let corpus = Corpus::open(&town)?;
//! quintet::train::train(&corpus, &config, &run, false, &Silent::default())?;
//!
//! let model = quintet::train::ModelFolder::open(&run)?;
//! let options = retrieval::Options { min_queries: 5, ..Default::default() };
//! let figures = retrieval::ours::run(&corpus, &model, &options, &Silent::default())?;
//! println!("{}", figures.table());
//! # Ok(())
//! # }
//! ```
pub mod config;
pub mod demo;
pub mod device;
pub mod embed;
pub mod features;
pub mod metrics;
pub mod model;
pub mod report;
pub mod reproduce;
pub mod search;
pub mod tasks;
pub mod train;

pub use config::Config;
pub use device::Device;
pub use quintet_posts as posts;
pub use quintet_posts::{
    Component, Corpus, Error, ErrorKind, PerComponent, Progress, Result, atomic, component, error, progress,
};

/// Limits this process to `threads` threads. Results have the same bits with any number.
///
/// # Errors
/// If `threads` is 0 or work has already begun with another number.
pub fn set_threads(threads: usize) -> Result<()> {
    if threads == 0 {
        return Err(Error::config("0 threads cannot do any work").help("give --threads 1 or more"));
    }
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()
        .map_err(|e| Error::internal("the thread pool was already started").caused_by(e))
}
