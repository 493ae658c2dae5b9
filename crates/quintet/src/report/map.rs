//! A 2-D map of embeddings: exact t-SNE started from the first two principal components; the same bits every time.
//!
//! L. van der Maaten and G. Hinton, "Visualizing data using t-SNE", JMLR 9 (2008), with the learning rate of
//! Belkina et al. (2019). Exact, so the work grows with the square of the number of points: draw a [`sample`] first.

use rayon::prelude::*;

use crate::features::Dense;

/// Most points that are laid out by t-SNE; more are laid out by principal components alone.
pub const MOST_POINTS: usize = 1500;
const PERPLEXITY: f64 = 30.0;
const STEPS: usize = 400;
/// Steps in which neighbours are pulled together more strongly, so that groups form first.
const EARLY_STEPS: usize = 100;
const EARLY_PULL: f64 = 12.0;

/// At most [`MOST_POINTS`] row numbers of `rows`, evenly spread.
pub fn sample(rows: usize) -> Vec<usize> {
    let n = rows.min(MOST_POINTS);
    (0..n).map(|i| i * rows / n).collect()
}

/// A place on the map (x, y) for each row of `points` `[n, dim]`; near rows (Euclidean) lie near each other.
pub fn layout(points: &Dense) -> Vec<(f64, f64)> {
    let n = points.len();
    let start = principal(points);
    if !(10..=MOST_POINTS).contains(&n) {
        return start;
    }
    let similar = similarities(points);
    descend(&similar, start)
}

/// Coordinates along the first two principal components, the first scaled to standard deviation 1.
fn principal(points: &Dense) -> Vec<(f64, f64)> {
    let (n, dim) = (points.len(), points.dim);
    let mut mean = vec![0f32; dim];
    for i in 0..n {
        mean.iter_mut().zip(points.row(i)).for_each(|(m, v)| *m += v / n as f32);
    }
    let centred: Vec<Vec<f32>> =
        (0..n).map(|i| points.row(i).iter().zip(&mean).map(|(v, m)| v - m).collect()).collect();
    let first = direction(&centred, dim, None);
    let second = direction(&centred, dim, Some(&first));
    let along: Vec<(f64, f64)> = centred.iter().map(|row| (dot(row, &first), dot(row, &second))).collect();
    let spread = (along.iter().map(|p| p.0 * p.0).sum::<f64>() / n.max(1) as f64).sqrt().max(1e-12);
    along.into_iter().map(|(x, y)| (x / spread, y / spread)).collect()
}

/// The direction of greatest variance, at right angles to `other`: 50 power iterations.
fn direction(centred: &[Vec<f32>], dim: usize, other: Option<&[f32]>) -> Vec<f32> {
    // Any start that is not at right angles to the answer does; this one has no symmetry.
    let mut v: Vec<f32> = (0..dim).map(|i| 1.0 + ((i * 7919 + 13) % 101) as f32 / 101.0).collect();
    for _ in 0..50 {
        let mut next = vec![0f32; dim];
        for row in centred {
            let along = dot(row, &v) as f32;
            next.iter_mut().zip(row).for_each(|(o, r)| *o += along * r);
        }
        if let Some(other) = other {
            let along = dot(&next, other) as f32;
            next.iter_mut().zip(other).for_each(|(o, r)| *o -= along * r);
        }
        let norm = dot(&next, &next).sqrt() as f32;
        if norm < 1e-20 {
            break;
        }
        v = next.into_iter().map(|x| x / norm).collect();
    }
    v
}

/// Eight sums side by side: the compiler turns them into vector instructions, in an order that never changes.
fn dot(a: &[f32], b: &[f32]) -> f64 {
    let mut sums = [0f32; 8];
    let (pairs_a, pairs_b) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f32 = pairs_a.remainder().iter().zip(pairs_b.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in pairs_a.zip(pairs_b) {
        for k in 0..8 {
            sums[k] += x[k] * y[k];
        }
    }
    f64::from(sums.iter().sum::<f32>() + rest)
}

/// The joint probabilities p_ij of the paper, `[n, n]`, summing to 1.
fn similarities(points: &Dense) -> Vec<f32> {
    let n = points.len();
    let squares: Vec<f64> = (0..n).map(|i| dot(points.row(i), points.row(i))).collect();
    let perplexity = PERPLEXITY.min((n - 1) as f64 / 3.0);
    let conditional: Vec<Vec<f64>> = (0..n)
        .into_par_iter()
        .map(|i| {
            let distance = |j: usize| (squares[i] + squares[j] - 2.0 * dot(points.row(i), points.row(j))).max(0.0);
            let distances: Vec<f64> = (0..n).map(distance).collect();
            neighbourhood(&distances, i, perplexity)
        })
        .collect();
    let mut joint = vec![0f32; n * n];
    joint.par_chunks_mut(n).enumerate().for_each(|(i, row)| {
        for (j, p) in row.iter_mut().enumerate() {
            *p = ((conditional[i][j] + conditional[j][i]) / (2.0 * n as f64)).max(1e-12) as f32;
        }
    });
    joint
}

/// p_j|i with the width of the Gaussian chosen, by bisection, so that the entropy is ln(perplexity).
fn neighbourhood(distances: &[f64], i: usize, perplexity: f64) -> Vec<f64> {
    let nearest = distances.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, d)| *d).fold(f64::INFINITY, f64::min);
    let (mut precision, mut low, mut high) = (1.0, 0.0, f64::INFINITY);
    let mut weights = vec![0.0; distances.len()];
    for _ in 0..60 {
        let (mut sum, mut weighted) = (0.0, 0.0);
        for (j, (w, d)) in weights.iter_mut().zip(distances).enumerate() {
            *w = if j == i { 0.0 } else { (-precision * (d - nearest)).exp() };
            sum += *w;
            weighted += *w * (d - nearest);
        }
        let entropy = sum.ln() + precision * weighted / sum;
        weights.iter_mut().for_each(|w| *w /= sum);
        if (entropy - perplexity.ln()).abs() < 1e-5 {
            break;
        }
        if entropy > perplexity.ln() {
            low = precision;
            precision = if high.is_finite() { (low + high) / 2.0 } else { precision * 2.0 };
        } else {
            high = precision;
            precision = (low + high) / 2.0;
        }
    }
    weights
}

/// Gradient descent with momentum and gains on the divergence between `similar` and the map.
fn descend(similar: &[f32], start: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let n = start.len();
    let rate = (n as f64 / EARLY_PULL).max(50.0);
    let mut places: Vec<[f32; 2]> = start.iter().map(|p| [p.0 as f32 * 1e-2, p.1 as f32 * 1e-2]).collect();
    let mut speed = vec![[0f64; 2]; n];
    let mut gains = vec![[1f64; 2]; n];
    for step in 0..STEPS {
        let (pull, momentum) = if step < EARLY_STEPS { (EARLY_PULL, 0.5) } else { (1.0, 0.8) };
        let gradient = gradient(similar, &places, pull);
        for i in 0..n {
            for axis in 0..2 {
                let (g, v) = (gradient[i][axis], speed[i][axis]);
                let gain = gains[i][axis];
                gains[i][axis] = if (g > 0.0) == (v > 0.0) { (gain * 0.8).max(0.01) } else { gain + 0.2 };
                speed[i][axis] = momentum * v - rate * gains[i][axis] * g;
                places[i][axis] += speed[i][axis] as f32;
            }
        }
    }
    places.into_iter().map(|[x, y]| (f64::from(x), f64::from(y))).collect()
}

/// Equation 5 of the paper, per point. Rows are summed in order, so the number of threads does not matter.
fn gradient(similar: &[f32], places: &[[f32; 2]], pull: f64) -> Vec<[f64; 2]> {
    let n = places.len();
    let rows: Vec<([f64; 2], [f64; 2], f64)> = places
        .par_iter()
        .enumerate()
        .map(|(i, &[x, y])| {
            let (mut attract, mut repel, mut total) = ([0f64; 2], [0f64; 2], 0f64);
            for (&p, &[ox, oy]) in similar[i * n..(i + 1) * n].iter().zip(places) {
                let (dx, dy) = (x - ox, y - oy);
                let near = 1.0 / (1.0 + dx * dx + dy * dy);
                let (a, r) = (p * near, near * near);
                attract[0] += f64::from(a * dx);
                attract[1] += f64::from(a * dy);
                repel[0] += f64::from(r * dx);
                repel[1] += f64::from(r * dy);
                total += f64::from(near);
            }
            (attract, repel, total - 1.0)
        })
        .collect();
    let total: f64 = rows.iter().map(|r| r.2).sum::<f64>().max(1e-12);
    rows.into_iter().map(|(a, r, _)| [0, 1].map(|k| 4.0 * (pull * a[k] - r[k] / total))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three groups of 40 points around three axes of a 10-d space.
    fn groups() -> Dense {
        let mut points = Dense::new(10);
        for i in 0..120usize {
            let mut row: Vec<f32> = (0..10).map(|d| ((i * 31 + d * 17) % 23) as f32 / 230.0).collect();
            row[i % 3] += 1.0;
            points.push(&row);
        }
        points
    }

    #[test]
    fn groups_stay_together_and_apart_from_each_other() {
        let map = layout(&groups());
        let distance = |a: (f64, f64), b: (f64, f64)| (a.0 - b.0).hypot(a.1 - b.1);
        let right = (0..120).filter(|&i| {
            let nearest = (0..120)
                .filter(|&j| j != i)
                .min_by(|&a, &b| distance(map[i], map[a]).total_cmp(&distance(map[i], map[b])));
            nearest.is_some_and(|j| j % 3 == i % 3)
        });
        assert_eq!(right.count(), 120);
    }

    #[test]
    fn the_map_is_the_same_at_any_number_of_threads() {
        let on = |threads| {
            rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(|| layout(&groups()))
        };
        assert_eq!(on(1), on(3));
    }

    #[test]
    fn few_or_equal_points_have_finite_places() {
        for (n, value) in [(0, 0.0), (1, 1.0), (3, 0.5), (40, 0.5)] {
            let points = Dense { dim: 4, values: vec![value; n * 4] };
            let map = layout(&points);
            assert!(map.len() == n && map.iter().all(|p| p.0.is_finite() && p.1.is_finite()));
        }
        assert_eq!(sample(3000).len(), MOST_POINTS);
        assert_eq!(sample(3), [0, 1, 2]);
    }
}
