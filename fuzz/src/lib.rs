//! "Does any input make a reader panic?": a fuzzer of the readers of posts that runs on stable Rust.
//!
//! [`targets`] says what is run on the bytes, [`seeds`] what it begins with (the invented fixtures of `crates/posts`),
//! [`mutate`] how inputs are changed, [`run`] is the loop. There is no instrumentation on stable Rust; what guides the
//! search is what an input did: an input stays if its outcome (kinds of records, reasons, names of fields) is new.

pub mod mutate;
pub mod run;
pub mod seeds;
pub mod targets;
