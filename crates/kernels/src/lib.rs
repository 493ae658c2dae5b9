//! Numbers, fast: the only home of SIMD and `unsafe`.
//!
//! - [`matmul`]: the matrix product everything else rests on, with its promises about bits;
//! - [`gru`], [`lstm`], [`linear`], [`norm`]: the layers, forwards and backwards, on slices;
//! - [`sliding`], [`attention`]: a window of neighbours with its maximum, a weighted mean of rows, both passes;
//! - [`conv`]: the layers of convolutional networks, forwards;
//! - [`adam`], [`sums`]: the optimiser's step, sums in a fixed order;
//! - [`skipgram`], [`window`]: the inner steps of word and user vectors; [`rows`]: rows of a table and their changes;
//! - [`rank`]: scores of queries against candidates;
//! - [`topk`]: the k nearest vectors of each query;
//! - [`scratch`]: memory that is used again;
//! - [`rng`]: random numbers that depend on seed, stream and position only.
//!
//! Matrices are row-major `f32` slices. The results of every function are the same bits at any number of threads and on
//! any processor (`rng` says where the platform's logarithm enters), but for products in bfloat16 where there is AMX, which
//! adds in another order ([`matmul::Precision`]). Shapes that disagree are a bug of the caller and panic with a message that
//! names them.

pub mod adam;
pub mod attention;
pub mod conv;
pub mod gru;
mod lanes;
pub mod linear;
pub mod lstm;
mod math;
pub mod matmul;
pub mod norm;
pub mod rank;
pub mod rng;
pub mod rows;
pub mod scratch;
mod simd;
pub mod skipgram;
pub mod sliding;
pub mod sums;
mod threads;
pub mod topk;
pub mod window;
