//! Speed of the search for nearest vectors. `cargo bench -p quintet-kernels --bench topk`; items per second are
//! floating-point operations (2 q n dim) per second.

use divan::counter::{BytesCount, ItemsCount};
use quintet_kernels::rng::Rng;
use quintet_kernels::topk::top_k;

const DIM: usize = 256;
const VECTORS: usize = 200_000;

fn main() {
    divan::main();
}

/// The 10 nearest of 200,000 vectors, for 1, 16 and 1,024 queries.
#[divan::bench(args = [1, 8, 16, 32, 64, 1024], consts = [1, 2])]
fn nearest<const THREADS: usize>(bencher: divan::Bencher, queries: usize) {
    let mut rng = Rng::new(1, &[]);
    let mut values = |len: usize| -> Vec<f32> { (0..len).map(|_| rng.uniform(-1.0, 1.0)).collect() };
    let (asking, vectors) = (values(queries * DIM), values(VECTORS * DIM));
    let pool = rayon::ThreadPoolBuilder::new().num_threads(THREADS).build().expect("a thread pool");
    let bencher =
        bencher.counter(ItemsCount::new(2 * queries * VECTORS * DIM)).counter(BytesCount::new(4 * VECTORS * DIM));
    bencher.bench_local(|| pool.install(|| top_k(&asking, &vectors, DIM, 10)));
}
