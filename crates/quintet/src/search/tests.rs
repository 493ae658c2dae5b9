//! Exact search and the index on small made-up vectors.

use quintet_kernels::rng::Rng;

use super::vectors::to_unit_length;
use super::*;
use crate::features::Dense;
use crate::progress::Silent;

/// `n` unit vectors around 20 centres.
fn posts(n: usize, dim: usize, seed: u64) -> Vectors {
    let mut rng = Rng::new(seed, &[]);
    let centres: Vec<f32> = (0..20 * dim).map(|_| Rng::normal(&mut rng) as f32).collect();
    let mut values = Dense::new(dim);
    for _ in 0..n {
        let centre = rng.index(20) * dim;
        let mut vector: Vec<f32> = (0..dim).map(|i| centres[centre + i] + rng.normal() as f32).collect();
        to_unit_length(&mut vector);
        values.push(&vector);
    }
    Vectors { ids: (0..n).map(|i| format!("p{i}")).collect(), values, ..Vectors::default() }
}

fn found(vectors: &Vectors, recall: Option<f64>, k: usize) -> Found {
    let options = Options { k, recall, seed: 1 };
    search(vectors, vectors, vectors, &options, &Silent::default()).unwrap()
}

#[test]
fn a_post_finds_the_others_and_not_itself() {
    let vectors = posts(50, 8, 1);
    let all = found(&vectors, None, 100);
    for (i, hits) in all.hits.iter().enumerate() {
        assert_eq!(hits.len(), 49);
        assert!(hits.iter().all(|hit| hit.index as usize != i));
        assert!(hits.is_sorted_by(|a, b| a.score >= b.score));
    }
    assert_eq!(found(&vectors, None, 3).hits, all.hits.iter().map(|h| h[..3].to_vec()).collect::<Vec<_>>());
}

#[test]
fn an_index_reaches_the_recall_it_was_asked_for() {
    let vectors = posts(5000, 16, 2);
    let exact = found(&vectors, None, 10);
    let nearly = found(&vectors, Some(0.9), 10);
    let measured = nearly.measured.unwrap();
    assert!(measured.probes < measured.lists / 2, "{measured:?}");
    let right = exact.hits.iter().zip(&nearly.hits).map(|(a, b)| a.iter().filter(|hit| b.contains(hit)).count());
    let recall = right.sum::<usize>() as f64 / 50_000.0;
    assert!(recall > 0.87 && (recall - measured.recall).abs() < 0.04, "{recall} {measured:?}");
    // All lists: the truth, whatever the index.
    assert_eq!(found(&vectors, Some(1.0), 10).hits.len(), 5000);
    let index = Ivf::new(&vectors.values, 40, 7);
    // Few queries look through their lists alone, many share them.
    for asking in [1, 2, 30] {
        let queries = &vectors.values.values[..16 * asking];
        let all = index.search(queries, 10, 40);
        let plain = topk::top_k(queries, &vectors.values.values, 16, 10);
        assert!((0..asking).all(|i| plain.of(i) == all[i]));
    }
}

#[test]
fn the_same_index_at_any_number_of_threads() {
    let vectors = posts(2000, 8, 3);
    let by = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| found(&vectors, Some(0.8), 5))
    };
    assert_eq!(by(1), by(3));
}

#[test]
fn more_lists_than_vectors_or_none_to_find() {
    let vectors = posts(3, 4, 4);
    assert_eq!(Ivf::new(&vectors.values, 100, 1).lists(), 3);
    assert_eq!(found(&posts(1, 4, 4), Some(0.9), 5).hits, [[]]);
    assert_eq!(found(&vectors, Some(0.9), 0).hits, [[], [], []]);
}
