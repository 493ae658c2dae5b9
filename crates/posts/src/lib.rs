//! "Here is a dump, give me posts": one file a format, Parquet, check, the synthetic town.
//!
//! A crate of its own, so that reading dumps neither waits for nor needs anything that learns. [`import()`] reads dumps into
//! a [`Corpus`], [`town`] generates the synthetic one, [`check`] says what is in it, [`split`] divides it,
//! [`export`](export::export) writes posts for other programs.

pub mod atomic;
mod car;
pub mod carry;
pub mod check;
pub mod component;
pub mod corpus;
pub mod dictionary;
pub mod dump;
pub mod error;
pub mod export;
pub mod extract;
pub mod facts;
mod fill;
pub mod folder;
pub mod forgotten;
pub mod formats;
pub mod import;
pub mod input;
pub mod merge;
pub mod owner;
pub mod page;
pub mod parquet;
mod parquet_writer;
pub mod post;
pub mod progress;
pub mod report;
pub mod split;
pub mod summary;
pub mod table;
pub mod town;
mod unicode_tables;
pub mod writer;

pub use component::{Component, PerComponent};
pub use corpus::{Corpus, Label, Manifest, Part};
pub use error::{Error, ErrorKind, Result};
pub use import::{ImportOptions, import};
pub use post::{Author, ImageRef, Mention, Place, Point, Post};
pub use progress::Progress;
pub use report::ImportReport;
pub use writer::CorpusWriter;
