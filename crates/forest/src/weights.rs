//! How often the bootstrap drew a row, and what a class weighs.

use quintet_kernels::rng::Rng;

/// How often each of `rows` rows is drawn in as many draws with replacement.
///
/// Eight bits: later a count shares 32 bits with a class. That a given row is drawn 256 times or more out of n draws has a
/// probability below 1/256!, 10^-507, whatever n is.
pub(crate) fn bootstrap(rows: usize, rng: &mut Rng) -> Vec<u8> {
    let mut counts = vec![0_u8; rows];
    for _ in 0..rows {
        let count = &mut counts[rng.index(rows)];
        *count = count.saturating_add(1);
    }
    counts
}

/// Weight of each class, rows / (classes present x rows of the class); each row counts as often as `counts` says. A
/// class without rows weighs 0.
pub(crate) fn balanced(labels: &[u32], counts: Option<&[u8]>, classes: usize) -> Vec<f64> {
    let mut rows = vec![0_u64; classes];
    for (at, &label) in labels.iter().enumerate() {
        rows[label as usize] += counts.map_or(1, |counts| u64::from(counts[at]));
    }
    let all: u64 = rows.iter().sum();
    let present = rows.iter().filter(|&&n| n > 0).count();
    let weight = |&n: &u64| if n == 0 { 0.0 } else { all as f64 / (present as f64 * n as f64) };
    rows.iter().map(weight).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_weighs_the_inverse_of_its_share_of_the_bootstrap() {
        // Rows of the classes 0, 0, 0, 1; how often each was drawn.
        let labels = [0, 0, 0, 1];
        assert_eq!(balanced(&labels, Some(&[1, 0, 1, 2]), 2), [1.0, 1.0]);
        assert_eq!(balanced(&labels, Some(&[1, 1, 1, 1]), 2), [2.0 / 3.0, 2.0]);
        assert_eq!(balanced(&labels, None, 2), [2.0 / 3.0, 2.0]);
        // A class that was not drawn counts neither as present nor with a weight.
        assert_eq!(balanced(&labels, Some(&[2, 1, 1, 0]), 2), [1.0, 0.0]);
        assert_eq!(balanced(&labels, None, 3), [2.0 / 3.0, 2.0, 0.0]);
    }

    #[test]
    fn a_bootstrap_draws_as_many_rows_as_there_are() {
        let counts = bootstrap(10_000, &mut Rng::new(1, &[]));
        assert_eq!(counts.iter().map(|&n| usize::from(n)).sum::<usize>(), 10_000);
        let unseen = counts.iter().filter(|&&n| n == 0).count() as f64 / 1e4;
        // 1/e, standard deviation 0.0031.
        assert!((unseen - 0.3679).abs() < 0.0124, "{unseen}");
    }
}
