//! Measures of quality: recall@k, ranks, bootstrap intervals.
