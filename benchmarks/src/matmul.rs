//! `matmul M K N f32|bf16 THREADS`: a product by a packed right-hand matrix, as in a step of the GRU.

use std::time::Instant;

use quintet_kernels::matmul::{Mat, PackedB, Precision, matmul_packed};
use quintet_kernels::rng::Rng;
use quintet_kernels::scratch::Scratch;
use serde_json::json;

use crate::{Failure, Work, argument};

/// At least so much time goes into one answer, so that the clock's grain does not matter.
const LEAST_SECONDS: f64 = 0.02;

/// Prepares the row; the answer is seconds a product.
pub fn prepare(arguments: &[String]) -> Result<Work, Failure> {
    let (m, k, n): (usize, usize, usize) =
        (argument(arguments, 0, "M")?, argument(arguments, 1, "K")?, argument(arguments, 2, "N")?);
    let precision = match argument::<String>(arguments, 3, "f32 or bf16")?.as_str() {
        "bf16" => Precision::Bf16,
        _ => Precision::F32,
    };
    let threads = argument(arguments, 4, "threads")?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    let mut rng = Rng::new(1, &[]);
    let mut values = |len: usize| -> Vec<f32> { (0..len).map(|_| rng.uniform(-1.0, 1.0)).collect() };
    let (a, b, mut c) = (values(m * k), values(k * n), Scratch::zeros(m * n));
    let packed = pool.install(|| PackedB::new(Mat::new(&b, k, n), precision));
    Ok(Box::new(move || {
        let seconds = pool.install(|| {
            let start = Instant::now();
            let mut times = 0;
            while start.elapsed().as_secs_f64() < LEAST_SECONDS {
                matmul_packed(&mut c, Mat::new(&a, m, k), &packed, false);
                times += 1;
            }
            start.elapsed().as_secs_f64() / f64::from(times)
        });
        Ok(json!({ "seconds": seconds }))
    }))
}
