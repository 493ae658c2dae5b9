//! "Here is a dump, give me posts": one file a format, Parquet, check, the synthetic town.

pub mod check;
pub mod corpus;
pub mod extract;
pub mod parquet;
pub mod post;
pub mod town;
mod unicode_tables;
pub mod writer;

pub use corpus::{Corpus, Label, Manifest, Part};
pub use post::{Author, ImageRef, Mention, Place, Point, Post};
pub use writer::CorpusWriter;
