//! "Here is a dump, give me posts": one file a format, Parquet, check, the synthetic town.

pub mod carry;
pub mod check;
pub mod corpus;
pub mod extract;
pub mod facts;
pub mod folder;
pub mod formats;
pub mod import;
pub mod input;
pub mod merge;
pub mod parquet;
mod parquet_writer;
pub mod post;
pub mod report;
pub mod split;
pub mod summary;
pub mod town;
mod unicode_tables;
pub mod writer;

pub use corpus::{Corpus, Label, Manifest, Part};
pub use import::{ImportOptions, import};
pub use post::{Author, ImageRef, Mention, Place, Point, Post};
pub use report::ImportReport;
pub use writer::CorpusWriter;
