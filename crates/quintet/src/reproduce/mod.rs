//! "Show me the paper": from raw data to every table and figure of the paper, ours beside every baseline, with seeds and
//! spreads, on real sets and on the synthetic town.
//!
//! [`plan`] lists what is run, [`run`](mod@run) does it and keeps each result in a file of its own (what is finished is not
//! run again), [`page`](mod@page) draws the tables and figures, [`paper`] holds what the paper printed.
//!
//! ```text
//! OUT/
//!   corpora/NAME/         imported or generated once
//!   runs/NAME/SEED/       trained models
//!   results/NAME-SEED.json   figures of one run, with its configuration, data and commands
//!   results.json          all of them
//!   report.html           tables and figures, self-contained
//!   report.md             the tables alone
//! ```

pub mod page;
pub mod paper;
pub mod plan;
pub mod run;

pub use run::{ReproduceOptions, Reproduced, reproduce};
