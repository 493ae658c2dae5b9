//! Speed of the GRU at the sizes of training: 128 sequences of 8 to 40 tokens, 300-d inputs.
//! `cargo bench -p quintet-kernels --bench gru`; items per second are tokens per second.

use divan::counter::ItemsCount;
use quintet_kernels::gru::{Plan, Weights, backward, forward, infer};
use quintet_kernels::matmul::Precision;
use quintet_kernels::rng::Rng;

const SEQUENCES: usize = 128;
const E: usize = 300;
/// Length of the state, number of threads, precision.
const CASES: [(usize, usize, Precision); 5] = [
    (512, 2, Precision::F32),
    (1024, 1, Precision::F32),
    (1024, 2, Precision::F32),
    (1024, 1, Precision::Bf16),
    (1024, 2, Precision::Bf16),
];

fn main() {
    divan::main();
}

struct Setup {
    plan: Plan,
    x: Vec<f32>,
    parts: [Vec<f32>; 4],
    h: usize,
    precision: Precision,
    pool: rayon::ThreadPool,
}

impl Setup {
    fn new((h, threads, precision): (usize, usize, Precision)) -> Self {
        let mut rng = Rng::new(1, &[]);
        let (mut offsets, mut tokens) = (vec![0], Vec::new());
        for _ in 0..SEQUENCES {
            // Cubed, so that few tokens are frequent, as in text.
            tokens.extend((0..8 + rng.index(33)).map(|_| (rng.f64().powi(3) * 2e4) as u32));
            offsets.push(tokens.len());
        }
        let plan = Plan::new(&offsets, &tokens);
        let mut values = |len: usize| -> Vec<f32> { (0..len).map(|_| rng.uniform(-0.03, 0.03)).collect() };
        let x = values(plan.distinct().len() * E);
        let parts = [values(3 * h * E), values(3 * h * h), values(3 * h), values(3 * h)];
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a thread pool");
        Self { plan, x, parts, h, precision, pool }
    }

    fn weights(&self) -> Weights<'_> {
        let [w_ih, w_hh, b_ih, b_hh] = &self.parts;
        Weights { w_ih, w_hh, b_ih, b_hh, e: E, h: self.h, precision: self.precision }
    }

    fn tokens(&self) -> ItemsCount {
        ItemsCount::new(self.plan.nodes())
    }
}

#[divan::bench(args = CASES)]
fn inference(bencher: divan::Bencher, case: (usize, usize, Precision)) {
    let setup = Setup::new(case);
    let run = || infer(&setup.plan, &setup.x, &setup.weights());
    bencher.counter(setup.tokens()).bench_local(|| setup.pool.install(run));
}

#[divan::bench(args = CASES)]
fn forward_and_backward(bencher: divan::Bencher, case: (usize, usize, Precision)) {
    let setup = Setup::new(case);
    let dout = vec![0.01; SEQUENCES * setup.h];
    let run = || {
        let (_, saved) = forward(&setup.plan, &setup.x, &setup.weights());
        backward(&setup.plan, &saved, &setup.x, &setup.weights(), &dout)
    };
    bencher.counter(setup.tokens()).bench_local(|| setup.pool.install(run));
}
