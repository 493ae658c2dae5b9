//! Named numbers of an author, and tables of them: what forests and linear models are fitted on.

use std::collections::HashMap;
use std::hash::Hash;

/// Stands for a number that cannot be known: a profile field the source does not give, a statistic of no values.
/// Trees can split it off; no count, share or length is negative.
pub const ABSENT: f32 = -1.0;

/// The statistics a list of values becomes (Varol et al. 2017).
pub const STATISTICS: [&str; 8] = ["min", "max", "median", "mean", "std", "skewness", "kurtosis", "entropy"];

/// The numbers of one author, in a fixed order of names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Numbers {
    /// Names, unique.
    pub names: Vec<String>,
    /// Values, [`ABSENT`] where unknown.
    pub values: Vec<f32>,
}

impl Numbers {
    /// Appends a number.
    pub fn push(&mut self, name: impl Into<String>, value: f64) {
        self.names.push(name.into());
        self.values.push(if value.is_finite() { value as f32 } else { ABSENT });
    }

    /// Appends a number that may be unknown.
    pub fn maybe(&mut self, name: impl Into<String>, value: Option<f64>) {
        self.push(name, value.unwrap_or(f64::NAN));
    }

    /// Appends the eight [`STATISTICS`] of `values`; without values all are [`ABSENT`].
    pub fn distribution(&mut self, name: &str, values: &[f64]) {
        let statistics = statistics(values);
        for (i, statistic) in STATISTICS.iter().enumerate() {
            self.maybe(format!("{name}.{statistic}"), statistics.map(|s| s[i]));
        }
    }
}

/// [`STATISTICS`] of a list; `None` if it is empty.
///
/// Skewness and kurtosis are m3 / var^1.5 and m4 / var^2, 0 where the variance is below 1e-5. The entropy (nats) is that of
/// the values rounded to thousandths.
pub fn statistics(values: &[f64]) -> Option<[f64; 8]> {
    if values.is_empty() {
        return None;
    }
    let n = values.len() as f64;
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let median = if sorted.len() % 2 == 1 { sorted[middle] } else { 0.5 * (sorted[middle - 1] + sorted[middle]) };
    // Sums over the sorted values: the same bits in whatever order they came.
    let mean = sorted.iter().sum::<f64>() / n;
    let moment = |p: i32| sorted.iter().map(|v| (v - mean).powi(p)).sum::<f64>() / n;
    let variance = moment(2);
    let over = |m: f64, scale: f64| if variance < 1e-5 { 0.0 } else { m / scale };
    let rounded = sorted.iter().map(|v| (v * 1000.0).round() as i64);
    Some([
        sorted[0],
        sorted[sorted.len() - 1],
        median,
        mean,
        variance.sqrt(),
        over(moment(3), variance.powf(1.5)),
        over(moment(4), variance * variance),
        entropy(count(rounded).into_values()),
    ])
}

/// How often each item occurs.
pub fn count<T: Hash + Eq>(items: impl IntoIterator<Item = T>) -> HashMap<T, usize> {
    let mut counts = HashMap::new();
    for item in items {
        *counts.entry(item).or_insert(0) += 1;
    }
    counts
}

/// Shannon entropy (nats) of counts; 0 without any.
pub fn entropy(counts: impl IntoIterator<Item = usize>) -> f64 {
    let mut counts: Vec<usize> = counts.into_iter().filter(|c| *c > 0).collect();
    // A hash map gives them in any order; sums of floats depend on it.
    counts.sort_unstable();
    let total = counts.iter().sum::<usize>() as f64;
    counts.iter().map(|&c| c as f64 / total).map(|p| -p * p.ln()).sum()
}

/// `part / whole`, 0 for nothing.
pub fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// The numbers of many authors.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// Names of the columns.
    pub names: Vec<String>,
    /// `[authors, columns]`.
    pub values: Vec<f32>,
}

impl Table {
    /// A table of rows that all have the same names.
    ///
    /// # Panics
    /// If they do not.
    pub fn of(rows: impl IntoIterator<Item = Numbers>) -> Table {
        let mut table = Table::default();
        for (i, row) in rows.into_iter().enumerate() {
            if i == 0 {
                table.names = row.names;
            } else {
                assert_eq!(table.names, row.names, "rows of one table have the same columns");
            }
            table.values.extend(row.values);
        }
        table
    }

    /// Adds the rows of `other`.
    ///
    /// # Panics
    /// If its columns are others.
    pub fn append(&mut self, other: Table) {
        if self.names.is_empty() {
            self.names = other.names;
        } else {
            assert!(other.names.is_empty() || self.names == other.names, "rows of one table have the same columns");
        }
        self.values.extend(other.values);
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.values.len().checked_div(self.names.len()).unwrap_or(0)
    }

    /// True without rows or columns.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Row `i`.
    pub fn row(&self, i: usize) -> &[f32] {
        &self.values[i * self.names.len()..][..self.names.len()]
    }

    /// The rows `chosen`.
    #[must_use]
    pub fn rows(&self, chosen: &[usize]) -> Table {
        let values = chosen.iter().flat_map(|&i| self.row(i).iter().copied()).collect();
        Table { names: self.names.clone(), values }
    }

    /// Names of the columns that are [`ABSENT`] in every row: what this corpus cannot tell.
    pub fn absent(&self) -> Vec<&str> {
        let absent = |column: &usize| (0..self.len()).all(|i| self.row(i)[*column] == ABSENT);
        (0..self.names.len()).filter(absent).map(|c| self.names[c].as_str()).collect()
    }

    /// This table with the columns of `other` beside it.
    ///
    /// # Panics
    /// If the numbers of rows differ.
    #[must_use]
    pub fn beside(&self, other: &Table) -> Table {
        assert_eq!(self.len(), other.len(), "tables side by side have the same rows");
        let names = self.names.iter().chain(&other.names).cloned().collect();
        let values = (0..self.len()).flat_map(|i| self.row(i).iter().chain(other.row(i)).copied()).collect();
        Table { names, values }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_of_a_list() {
        let s = statistics(&[4.0, 1.0, 1.0, 2.0]).unwrap();
        assert_eq!([s[0], s[1], s[2], s[3]], [1.0, 4.0, 1.5, 2.0]);
        assert!((s[4] - 1.5f64.sqrt()).abs() < 1e-12, "standard deviation of the population");
        assert!((s[5] - 1.5 / 1.5f64.powf(1.5)).abs() < 1e-12 && (s[6] - 4.5 / 2.25).abs() < 1e-12);
        assert!((s[7] - (0.5 * 2f64.ln() + 0.5 * 4f64.ln())).abs() < 1e-12);
        assert_eq!(statistics(&[3.0, 3.0]).unwrap()[5..], [0.0, 0.0, 0.0]);
        assert_eq!(statistics(&[]), None);
    }

    #[test]
    fn tables_know_what_is_absent() {
        let row = |known: Option<f64>| {
            let mut n = Numbers::default();
            n.push("a", 1.0);
            n.maybe("b", known);
            n.maybe("c", None);
            n
        };
        let table = Table::of([row(Some(2.0)), row(None)]);
        assert_eq!(table.absent(), ["c"]);
        assert_eq!(table.row(1), [1.0, ABSENT, ABSENT]);
        assert_eq!(table.rows(&[1]).beside(&table.rows(&[0])).values, [1.0, -1.0, -1.0, 1.0, 2.0, -1.0]);
    }
}
