//! Quintet learns one joint embedding of the five components of a post.
pub mod atomic;
pub mod component;
pub mod config;
pub mod demo;
pub mod embed;
pub mod error;
pub mod features;
pub mod metrics;
pub mod model;
pub mod posts;
pub mod progress;
pub mod report;
pub mod tasks;
pub mod train;

pub use component::{Component, PerComponent};
pub use config::Config;
pub use error::{Error, ErrorKind, Result};
pub use posts::Corpus;
pub use progress::Progress;

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
