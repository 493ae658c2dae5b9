//! "Show me": tables, plots and pages (the crate `quintet-report`), and maps of embeddings.

pub mod map;

pub use crate::posts::page::write;
pub use quintet_report::{BarPlot, LinePlot, Plot, Report, ScatterPlot, Table};
