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
