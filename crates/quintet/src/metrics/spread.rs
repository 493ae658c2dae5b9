//! Mean and standard deviation of a figure over seeds.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A figure over several runs that differ in their seed only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Mean over the runs.
    pub mean: f64,
    /// Sample standard deviation (n - 1); 0 for one run, where there is no spread to tell.
    pub deviation: f64,
    /// Number of runs.
    pub runs: usize,
}

impl Spread {
    /// Mean and deviation of `values`; all zero without any.
    pub fn of(values: &[f64]) -> Spread {
        let runs = values.len();
        if runs == 0 {
            return Spread::default();
        }
        let mean = values.iter().sum::<f64>() / runs as f64;
        let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
        let deviation = if runs > 1 { (squares / (runs - 1) as f64).sqrt() } else { 0.0 };
        Spread { mean, deviation, runs }
    }
}

impl fmt::Display for Spread {
    /// `12.3 ± 0.4` with the precision asked for (default 1); one run has no `±`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(1);
        if self.runs > 1 {
            write!(f, "{:.digits$} ± {:.digits$}", self.mean, self.deviation)
        } else {
            write!(f, "{:.digits$}", self.mean)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_and_sample_deviation() {
        let s = Spread::of(&[1.0, 2.0, 3.0]);
        assert_eq!((s.mean, s.deviation, s.runs), (2.0, 1.0, 3));
        assert_eq!(format!("{s:.2}"), "2.00 ± 1.00");
        assert_eq!(format!("{}", Spread::of(&[7.25])), "7.2");
        assert_eq!(Spread::of(&[]), Spread::default());
    }
}
