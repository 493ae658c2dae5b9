//! Measures of quality: ranks and recalls, exact chance levels, bootstrap intervals, means over seeds.
//!
//! Everything here takes plain ranks (1 is best) or scores and knows nothing about posts or models:
//!
//! 1. [`ranks`]: the rank of the best right answer of a query, and recall@k, median and mean reciprocal rank over queries;
//! 2. [`chance`]: what the same figures are for a random order of the candidates, computed, not simulated;
//! 3. [`bootstrap`]: percentile intervals over queries;
//! 4. [`spread`]: mean and standard deviation over seeds;
//! 5. [`tags`]: precision, recall, F1 and hits of lists of recommended tags;
//! 6. [`classification`]: accuracy and macro-F1 of several classes; [`geo`]: distances in kilometres;
//! 7. [`binary`]: F1, AUC, Matthews correlation of a two-class decision.

pub mod binary;
pub mod bootstrap;
pub mod chance;
pub mod classification;
pub mod geo;
pub mod ranks;
pub mod spread;
pub mod tags;

pub use binary::{Binary, BinaryIntervals};
pub use bootstrap::{Bootstrap, Interval};
pub use chance::{Chance, Draw};
pub use classification::{Classification, ClassificationIntervals, Confusion};
pub use ranks::{CUTS, Summary, rank_of_best, recall_at};
pub use spread::Spread;
pub use tags::TagSummary;
