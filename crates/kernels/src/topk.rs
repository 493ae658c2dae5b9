//! The k vectors with the largest scalar product for each query: exact, and the scores are never in memory as a whole.
//!
//! A block of vectors is packed once, multiplied with all queries of a chunk, a group of queries at a time, and the
//! group's scores are looked through while they are in the second-level cache. Each query keeps a threshold, the k-th
//! score it has seen, so that nearly all scores cost a sixteenth of a comparison.

use crate::matmul::alone::{COLS, PackedA, pack_b, product};
use crate::matmul::{Mat, few};
use crate::scratch::Scratch;
use crate::simd::{self, Level, Task};
use rayon::prelude::*;
use std::cmp::Ordering;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering as Memory};
use std::sync::{Mutex, PoisonError};

/// Values of a block of vectors (384 KiB): with a group of queries and their scores it fits a cache of 1 MiB.
const BLOCK: usize = 96 << 10;
/// Queries whose scores with a block are held at a time.
const GROUP: usize = 64;
/// Largest number of queries that share a pass over the vectors: packing them costs less than 1 % of the products.
const CHUNK: usize = 1024;
/// Largest number of hits that a chunk keeps (32 MiB a thread).
const KEPT: usize = 1 << 22;

/// A vector and its score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    /// Index of the vector.
    pub index: u32,
    /// Scalar product with the query.
    pub score: f32,
}

/// Where there is no hit.
const NONE: Hit = Hit { index: u32::MAX, score: f32::NEG_INFINITY };

impl Hit {
    /// The order of hits, best first: higher score, then lower index. Hits are never NaN.
    pub fn order(&self, other: &Hit) -> Ordering {
        other.score.partial_cmp(&self.score).unwrap_or(Ordering::Equal).then(self.index.cmp(&other.index))
    }
}

/// The hits of many queries.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hits {
    /// `[queries, per_query]`, padded with `NONE`.
    all: Vec<Hit>,
    per_query: usize,
}

impl Hits {
    /// The hits of query `query`, best first; equal scores in the order of their indices. They are fewer than the k
    /// asked for if there are fewer vectors, and a score of NaN or minus infinity is no hit.
    ///
    /// # Panics
    /// If there is no such query.
    pub fn of(&self, query: usize) -> &[Hit] {
        let hits = &self.all[query * self.per_query..][..self.per_query];
        &hits[..hits.partition_point(|hit| hit.index != NONE.index)]
    }
}

/// The `k` vectors with the largest scalar product (the cosine, for unit vectors) for each query; `queries` is
/// `[q, dim]`, `vectors` `[n, dim]`.
///
/// A score depends on its two vectors only and has the bits of [`crate::matmul`]; the hits are the same at any number
/// of threads. Besides the arguments each thread holds about 1 MiB, a packed copy of at most 1,024 queries and at most
/// 32 MiB of hits (2 k hits of 8 queries if that is more).
///
/// # Panics
/// If `dim` is 0, a slice is not whole rows of `dim`, or there are 2^32 - 1 vectors or more.
pub fn top_k(queries: &[f32], vectors: &[f32], dim: usize, k: usize) -> Hits {
    top_k_at(Level::best(), queries, vectors, dim, k)
}

/// [`top_k`] with the instructions of `level`, which must be one of [`Level::available`].
fn top_k_at(level: Level, queries: &[f32], vectors: &[f32], dim: usize, k: usize) -> Hits {
    assert!(dim > 0, "vectors must have a dimension");
    let rows = |values: &[f32]| {
        assert!(values.len().is_multiple_of(dim), "{} values are not rows of {dim}", values.len());
        values.len() / dim
    };
    let (q, n) = (rows(queries), rows(vectors));
    assert!(n < u32::MAX as usize, "{n} vectors are too many for 32-bit indices");
    let k = k.min(n);
    let mut hits = Hits { all: vec![NONE; q * k], per_query: k };
    if q == 0 || k == 0 {
        return hits;
    }
    let room = k + k.max(16);
    let chunk = (KEPT / room).clamp(8, CHUNK).min(q);
    let block = rows_of_a_block(dim);
    let (chunks, blocks) = (q.div_ceil(chunk), n.div_ceil(block));

    // What each thread found for each chunk.
    let found: Vec<Mutex<Vec<Best>>> = (0..chunks).map(|_| Mutex::default()).collect();
    let next = AtomicUsize::new(0);
    let take = || Some(next.fetch_add(1, Memory::Relaxed)).filter(|&task| task < chunks * blocks);
    let work = |_| {
        let mut task = take();
        while let Some(at) = task.map(|task| task / blocks) {
            let rows = chunk.min(q - at * chunk);
            let queries = &queries[at * chunk * dim..][..rows * dim];
            let (mut packed, mut best) = (None, Best::new(rows, k, room, Ties::Later));
            while let Some(from) = task.filter(|&task| task / blocks == at).map(|task| task % blocks * block) {
                let rows = block.min(n - from);
                let vectors = &vectors[from * dim..][..rows * dim];
                best.search(level, queries, &mut packed, vectors, Names::From(from as u32));
                task = take();
            }
            found[at].lock().unwrap_or_else(PoisonError::into_inner).push(best);
        }
    };
    let merge = |(out, found): (&mut [Hit], Mutex<Vec<Best>>)| {
        let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        for (query, out) in out.chunks_exact_mut(k).enumerate() {
            let mut all: Vec<Hit> = found.iter().flat_map(|best| best.of(query)).copied().collect();
            all.sort_unstable_by(Hit::order);
            all.truncate(k);
            out[..all.len()].copy_from_slice(&all);
        }
    };
    let threads = rayon::current_num_threads().min(chunks * blocks);
    if threads == 1 {
        // Handing work to the pool and waiting for it would take longer than a small search.
        work(0);
        hits.all.chunks_mut(chunk * k).zip(found).for_each(merge);
    } else {
        (0..threads).into_par_iter().with_max_len(1).for_each(work);
        hits.all.par_chunks_mut(chunk * k).zip(found).for_each(merge);
    }
    hits
}

/// The `k` vectors with the largest scalar product for one query, of the rows `lists` of `vectors` `[n, dim]`, on this
/// thread; row i is vector `names[i]`, ascending within a list. Best first; equal scores in the order of the names.
/// The scores are those of [`top_k`], but a list costs little more than reading it.
///
/// # Panics
/// If `query` is empty, or a list is not among the rows and names.
pub fn top_k_of_lists(query: &[f32], vectors: &[f32], names: &[u32], lists: &[Range<usize>], k: usize) -> Vec<Hit> {
    top_k_of_lists_at(Level::best(), query, vectors, names, lists, k)
}

/// [`top_k_of_lists`] with the instructions of `level`, which must be one of [`Level::available`].
fn top_k_of_lists_at(
    level: Level,
    query: &[f32],
    vectors: &[f32],
    names: &[u32],
    lists: &[Range<usize>],
    k: usize,
) -> Vec<Hit> {
    let (dim, k) = (query.len(), k.min(lists.iter().map(Range::len).sum()));
    assert!(dim > 0, "vectors must have a dimension");
    if k == 0 {
        return Vec::new();
    }
    let (mut packed, mut best) = (None, Best::new(1, k, k + k.max(16), Ties::AnyOrder));
    let block = rows_of_a_block(dim);
    for list in lists {
        for from in list.clone().step_by(block) {
            let to = list.end.min(from + block);
            best.search(level, query, &mut packed, &vectors[from * dim..to * dim], Names::Of(&names[from..to]));
        }
    }
    let mut hits = best.of(0).to_vec();
    hits.sort_unstable_by(Hit::order);
    hits.truncate(k);
    hits
}

/// Vectors that are looked through at a time.
fn rows_of_a_block(dim: usize) -> usize {
    (BLOCK / dim / COLS).max(1) * COLS
}

/// What the vectors of a block are called in hits.
#[derive(Clone, Copy)]
enum Names<'a> {
    /// By their place, from that of the first.
    From(u32),
    /// By these.
    Of(&'a [u32]),
}

/// In which order vectors are seen, which decides what becomes of a score that equals the k-th best.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ties {
    /// Ascending: what comes later is behind what is equally good.
    Later,
    /// Any.
    AnyOrder,
}

/// The best hits of the queries of a chunk so far.
struct Best {
    k: usize,
    room: usize,
    ties: Ties,
    /// `[queries, room]`; once a row is full only its k best stay.
    hits: Vec<Hit>,
    /// Hits in use, per query.
    used: Vec<usize>,
    /// A score that isn't larger is not among the k best of what was seen, per query.
    thresholds: Vec<f32>,
}

impl Best {
    fn new(queries: usize, k: usize, room: usize, ties: Ties) -> Self {
        let thresholds = vec![f32::NEG_INFINITY; queries];
        Self { k, room, ties, hits: vec![NONE; queries * room], used: vec![0; queries], thresholds }
    }

    /// What may be among the k best of query `query`.
    fn of(&self, query: usize) -> &[Hit] {
        &self.hits[query * self.room..][..self.used[query]]
    }

    /// Looks at `vectors`. `packed` is for the queries, packed once that is needed.
    fn search(&mut self, level: Level, queries: &[f32], packed: &mut Option<PackedA>, vectors: &[f32], names: Names) {
        let (all, dim) = (self.used.len(), queries.len() / self.used.len());
        let count = vectors.len() / dim;
        let mut scores = Scratch::new(GROUP.min(all) * count);
        if few::product(level, &mut scores, queries, vectors, dim) {
            return simd::run_at(level, Scan { best: self, rows: 0..all, scores: &scores, names });
        }
        let packed = packed.get_or_insert_with(|| PackedA::new(Mat::new(queries, all, dim)));
        let vectors = pack_b(Mat::new(vectors, count, dim).t());
        for from in (0..all).step_by(GROUP) {
            let rows = from..all.min(from + GROUP);
            let scores = &mut scores[..rows.len() * count];
            product(level, scores, packed, rows.clone(), &vectors);
            simd::run_at(level, Scan { best: self, rows, scores, names });
        }
    }

    /// Adds a hit of query `query`.
    fn push(&mut self, query: usize, hit: Hit) {
        let hits = &mut self.hits[query * self.room..][..self.room];
        hits[self.used[query]] = hit;
        self.used[query] += 1;
        if self.used[query] == self.room {
            let (_, worst, _) = hits.select_nth_unstable_by(self.k - 1, Hit::order);
            self.thresholds[query] = match self.ties {
                Ties::Later => worst.score,
                Ties::AnyOrder => worst.score.next_down(),
            };
            self.used[query] = self.k;
        }
    }
}

/// Looks through the scores `[rows, n]` of the queries `rows`.
struct Scan<'a> {
    best: &'a mut Best,
    rows: Range<usize>,
    scores: &'a [f32],
    names: Names<'a>,
}

/// Scores that are compared at once.
const LANES: usize = 32;

impl Task for Scan<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Scan { best, rows, scores, names } = self;
        for (query, scores) in rows.clone().zip(scores.chunks_exact(scores.len() / rows.len())) {
            for (scores, place) in scores.chunks(LANES).zip((0..).step_by(LANES)) {
                let threshold = best.thresholds[query];
                let any = match <&[f32; LANES]>::try_from(scores) {
                    Ok(scores) => scores.iter().fold(false, |any, &score| any | (score > threshold)),
                    Err(_) => true,
                };
                if any {
                    offer(best, query, scores, names, place);
                }
            }
        }
    }
}

/// Adds the scores above the threshold, the first of which belongs to the vector at `place` of `names`.
#[inline(never)]
fn offer(best: &mut Best, query: usize, scores: &[f32], names: Names, place: usize) {
    for (&score, place) in scores.iter().zip(place..) {
        if score > best.thresholds[query] {
            let index = match names {
                Names::From(first) => first + place as u32,
                Names::Of(names) => names[place],
            };
            best.push(query, Hit { index, score });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use proptest::prelude::*;

    /// Whole numbers, so that equal scores are frequent; one in `odd` is not a finite number.
    fn vectors(seed: u64, len: usize, odd: u64) -> Vec<f32> {
        let mut rng = Rng::new(seed, &[]);
        let mut value = || match rng.below(odd) {
            0 => [f32::NAN, f32::INFINITY, f32::NEG_INFINITY][rng.index(3)],
            _ => rng.below(5) as f32 - 2.0,
        };
        (0..len).map(|_| value()).collect()
    }

    /// The definition: all scores as chains of fused products, sorted.
    fn plain(queries: &[f32], vectors: &[f32], dim: usize, k: usize) -> Vec<Vec<Hit>> {
        let of = |query: &[f32]| {
            let score = |x: &[f32]| query.iter().zip(x).fold(0f32, |sum, (a, b)| a.mul_add(*b, sum));
            let all = vectors.chunks(dim).zip(0..).map(|(x, index)| Hit { index, score: score(x) });
            let mut hits: Vec<Hit> = all.filter(|hit| hit.score > f32::NEG_INFINITY).collect();
            hits.sort_by(|a, b| b.score.partial_cmp(&a.score).expect("numbers"));
            hits.truncate(k);
            hits
        };
        queries.chunks(dim).map(of).collect()
    }

    fn lists(hits: &Hits, queries: usize) -> Vec<Vec<Hit>> {
        (0..queries).map(|query| hits.of(query).to_vec()).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_level_gives_the_sorted_list(
            (q, n, dim) in (0usize..80, 0usize..300, prop_oneof![1usize..9, 2000usize..2100]),
            k in prop_oneof![0usize..40, 250usize..350],
            odd in prop_oneof![Just(u64::MAX), 20u64..2000],
            seed: u64,
        ) {
            // Long rows: few of them, so that the test stays short.
            let (q, n) = if dim > 8 { (q / 10, n / 2) } else { (q, n) };
            let (queries, vectors) = (vectors(seed, q * dim, odd), vectors(seed ^ 1, n * dim, odd));
            let expected = plain(&queries, &vectors, dim, k);
            for level in Level::available() {
                prop_assert_eq!(&lists(&top_k_at(level, &queries, &vectors, dim, k), q), &expected, "{:?}", level);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Lists in any order hold vectors whose names interleave: ties between lists go by name.
        #[test]
        fn lists_give_what_sorting_their_vectors_gives(
            (lists, n, dim) in (1usize..6, 0usize..200, 1usize..20),
            k in 0usize..30,
            odd in prop_oneof![Just(u64::MAX), 20u64..2000],
            seed: u64,
        ) {
            let (query, by_name) = (vectors(seed, dim, odd), vectors(seed ^ 1, n * dim, odd));
            let members: Vec<Vec<u32>> = (0..lists).map(|l| (0..n as u32).filter(|i| *i as usize % lists == l).collect()).collect();
            let names: Vec<u32> = members.iter().flatten().copied().collect();
            let rows: Vec<f32> = names.iter().flat_map(|&i| &by_name[i as usize * dim..][..dim]).copied().collect();
            let mut ranges = Vec::new();
            members.iter().for_each(|m| {
                let start = ranges.last().map_or(0, |r: &Range<usize>| r.end);
                ranges.push(start..start + m.len());
            });
            ranges.rotate_left(seed as usize % lists);
            let expected = &plain(&query, &by_name, dim, k)[0];
            for level in Level::available() {
                prop_assert_eq!(&top_k_of_lists_at(level, &query, &rows, &names, &ranges, k), expected, "{:?}", level);
            }
        }
    }

    /// Several chunks of queries and blocks of vectors, scores that are no whole numbers.
    #[test]
    fn the_same_hits_at_any_number_of_threads() {
        let (q, n, dim, k) = (CHUNK + 70, 1500, 257, 7);
        let mut rng = Rng::new(1, &[]);
        let mut values = |len: usize| -> Vec<f32> { (0..len).map(|_| rng.uniform(-1.0, 1.0)).collect() };
        let (queries, mut vectors) = (values(q * dim), values(n * dim));
        vectors.copy_within(0..500 * dim, 1000 * dim); // ties far apart
        let expected = plain(&queries, &vectors, dim, k);
        for threads in [1, 2, 3, 8] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            let found = pool.install(|| top_k(&queries, &vectors, dim, k));
            assert!(lists(&found, q) == expected, "{threads} threads");
        }
    }

    #[test]
    fn what_is_no_number_is_no_hit() {
        let vectors = [1.0, f32::NAN, f32::NEG_INFINITY, 1.0, -0.0, 0.0];
        let indices = |k| top_k(&[1.0], &vectors, 1, k).of(0).iter().map(|hit| hit.index).collect::<Vec<_>>();
        assert_eq!(indices(9), [0, 3, 4, 5]);
        assert_eq!(indices(2), [0, 3]);
        assert_eq!(indices(0), []);
    }

    #[test]
    #[should_panic(expected = "5 values are not rows of 2")]
    fn half_a_row_is_refused() {
        top_k(&[1.0; 5], &[1.0; 4], 2, 1);
    }
}
