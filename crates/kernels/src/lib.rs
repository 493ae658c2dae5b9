//! Numbers, fast: the only home of SIMD and `unsafe`.
pub mod rng;
