//! Speed of the matrix product on the shapes of training. `cargo bench -p quintet-kernels --bench matmul`; items per
//! second are floating-point operations (2 m n k) per second.

use divan::counter::ItemsCount;
use quintet_kernels::matmul::{Mat, PackedB, Precision, matmul, matmul_packed};
use quintet_kernels::scratch::Scratch;

/// Rows of A, inner length, columns of B: a GRU step at two batch sizes, input projection, the gradient of a weight.
const SHAPES: [(usize, usize, usize); 4] =
    [(640, 1024, 3072), (128, 1024, 3072), (2000, 300, 3072), (3072, 2560, 1024)];

fn main() {
    divan::main();
}

fn bench(bencher: divan::Bencher, threads: usize, run: impl Fn() + Sync) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a thread pool");
    pool.install(&run);
    bencher.bench_local(|| pool.install(&run));
}

fn flops((m, k, n): (usize, usize, usize)) -> ItemsCount {
    ItemsCount::new(2 * m * k * n)
}

/// B row-major.
#[divan::bench(args = SHAPES, consts = [1, 2])]
fn plain<const THREADS: usize>(bencher: divan::Bencher, shape: (usize, usize, usize)) {
    let (m, k, n) = shape;
    let (a, b) = (vec![0.5f32; m * k], vec![0.25f32; k * n]);
    let c = std::sync::Mutex::new(Scratch::zeros(m * n));
    bench(bencher.counter(flops(shape)), THREADS, || {
        matmul(&mut c.lock().expect("no panic"), Mat::new(&a, m, k), Mat::new(&b, k, n), false);
    });
}

/// A transposed, B row-major: the gradient of a weight.
#[divan::bench(args = [SHAPES[3]], consts = [1, 2])]
fn transposed<const THREADS: usize>(bencher: divan::Bencher, shape: (usize, usize, usize)) {
    let (m, k, n) = shape;
    let (a, b) = (vec![0.5f32; m * k], vec![0.25f32; k * n]);
    let c = std::sync::Mutex::new(Scratch::zeros(m * n));
    bench(bencher.counter(flops(shape)), THREADS, || {
        matmul(&mut c.lock().expect("no panic"), Mat::new(&a, k, m).t(), Mat::new(&b, k, n), false);
    });
}

/// B packed before: the recurrent product of a GRU.
#[divan::bench(args = SHAPES, consts = [1, 2])]
fn packed<const THREADS: usize>(bencher: divan::Bencher, shape: (usize, usize, usize)) {
    with_packed(bencher, THREADS, shape, Precision::F32);
}

/// The same with bfloat16 factors.
#[divan::bench(args = SHAPES, consts = [1, 2])]
fn packed_bf16<const THREADS: usize>(bencher: divan::Bencher, shape: (usize, usize, usize)) {
    with_packed(bencher, THREADS, shape, Precision::Bf16);
}

fn with_packed(bencher: divan::Bencher, threads: usize, shape: (usize, usize, usize), precision: Precision) {
    let (m, k, n) = shape;
    let (a, b) = (vec![0.5f32; m * k], vec![0.25f32; k * n]);
    let b = PackedB::new(Mat::new(&b, n, k).t(), precision);
    let c = std::sync::Mutex::new(Scratch::zeros(m * n));
    bench(bencher.counter(flops(shape)), threads, || {
        matmul_packed(&mut c.lock().expect("no panic"), Mat::new(&a, m, k), &b, false);
    });
}
