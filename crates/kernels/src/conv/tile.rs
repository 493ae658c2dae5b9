//! The innermost loop of a convolution: sums of some pixels by some output channels in registers.

use super::{Clamp, LANES};
use crate::lanes::{Lanes, Loop};
use crate::matmul::COLS;

/// Output pixels of a tile of 48 channels: 24 of the 32 AVX-512 registers hold sums.
pub(super) const PIXELS: usize = 8;
/// The same for layers of at most 32 channels: as many sums, and still an address in a register for each pixel.
pub(super) const MANY_PIXELS: usize = 12;

/// Some tiles, all output channels.
pub(super) struct Tiles<'a, T: Fn(usize) -> (usize, usize)> {
    /// Addresses of `run` values each: tile, run, pixel.
    pub(super) pointers: &'a [*const f32],
    pub(super) runs: usize,
    pub(super) run: usize,
    /// Addresses for each run of a tile, at least as many as it has pixels.
    pub(super) pixels: usize,
    pub(super) tiles: usize,
    /// First pixel in `output` and number of pixels of a tile.
    pub(super) tile: T,
    /// Panels of `COLS` output channels, each with a row for every value of every run.
    pub(super) weights: &'a [f32],
    /// Whole panels.
    pub(super) bias: &'a [f32],
    /// Holds the pixels of all tiles.
    pub(super) output: &'a mut [f32],
    /// As `output`.
    pub(super) added: Option<&'a [f32]>,
    /// Values from one pixel of the output to the next.
    pub(super) stride: usize,
    pub(super) clamp: Clamp,
}

/// Where a part of a tile reads and writes.
#[derive(Clone, Copy)]
struct Part {
    /// Address of pixel `i` of run `r`: `pointers[r * tile + i]`.
    pointers: *const *const f32,
    tile: usize,
    runs: usize,
    run: usize,
    weights: *const f32,
    /// Weights of a panel: the next one begins so far on.
    panel: usize,
    bias: *const f32,
    output: *mut f32,
    /// Null: nothing is added.
    added: *const f32,
    /// Values from one pixel of the output to the next.
    stride: usize,
    clamp: Clamp,
}

impl<T: Fn(usize) -> (usize, usize)> Loop for Tiles<'_, T> {
    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        let Self { runs, run, pixels: most, stride, .. } = self;
        for panel in (0..stride).step_by(COLS) {
            let vectors = (stride - panel).min(COLS) / L::N;
            for i in 0..self.tiles {
                let (first, pixels) = (self.tile)(i);
                let at = first * stride + panel;
                // SAFETY: a panel holds `COLS` weights for each value; the output and what is added hold these pixels.
                unsafe {
                    let part = Part {
                        pointers: self.pointers.as_ptr().add(i * runs * most),
                        tile: most,
                        runs,
                        run,
                        weights: self.weights.as_ptr().add(panel * run * runs),
                        panel: COLS * run * runs,
                        bias: self.bias.as_ptr().add(panel),
                        output: self.output.as_mut_ptr().add(at),
                        added: self.added.map_or(std::ptr::null(), |added| added.as_ptr().add(at)),
                        stride,
                        clamp: self.clamp,
                    };
                    tile::<L>(part, pixels, vectors);
                }
            }
        }
    }
}

/// Cuts a tile to what fits into the registers.
///
/// # Safety
/// As [`Part`] says, for `pixels` pixels and `vectors` registers of output channels; the processor must have `L`.
#[inline(always)]
unsafe fn tile<L: Lanes>(part: Part, pixels: usize, vectors: usize) {
    // 16 registers hold 4 by 3 sums, 32 hold `PIXELS` by 3.
    let most = if L::N == LANES { part.tile } else { 4 };
    for pixel in (0..pixels).step_by(most) {
        for vector in (0..vectors).step_by(3) {
            // SAFETY: offsets within the tile.
            unsafe {
                let at = pixel * part.stride + vector * L::N;
                let part = Part {
                    pointers: part.pointers.add(pixel),
                    weights: part.weights.add(vector * L::N),
                    bias: part.bias.add(vector * L::N),
                    output: part.output.add(at),
                    added: if part.added.is_null() { part.added } else { part.added.add(at) },
                    ..part
                };
                match (vectors - vector).min(3) {
                    1 => rows::<L, 1>(part, (pixels - pixel).min(most)),
                    2 => rows::<L, 2>(part, (pixels - pixel).min(most)),
                    _ => rows::<L, 3>(part, (pixels - pixel).min(most)),
                }
            }
        }
    }
}

/// # Safety
/// As [`tile`], for `V` registers.
#[inline(always)]
unsafe fn rows<L: Lanes, const V: usize>(part: Part, pixels: usize) {
    // SAFETY: the caller's promises.
    unsafe {
        match pixels {
            1 => sums::<L, 1, V>(part),
            2 => sums::<L, 2, V>(part),
            3 => sums::<L, 3, V>(part),
            4 => sums::<L, 4, V>(part),
            5 if L::N == LANES => sums::<L, 5, V>(part),
            6 if L::N == LANES => sums::<L, 6, V>(part),
            7 if L::N == LANES => sums::<L, 7, V>(part),
            8 if L::N == LANES => sums::<L, PIXELS, V>(part),
            9 if L::N == LANES && V < 3 => sums::<L, 9, V>(part),
            10 if L::N == LANES && V < 3 => sums::<L, 10, V>(part),
            11 if L::N == LANES && V < 3 => sums::<L, 11, V>(part),
            12 if L::N == LANES && V < 3 => sums::<L, MANY_PIXELS, V>(part),
            _ => {}
        }
    }
}

/// `R` pixels by `V` registers of output channels.
///
/// # Safety
/// As [`Part`] says; the processor must have `L`.
#[inline(always)]
unsafe fn sums<L: Lanes, const R: usize, const V: usize>(part: Part) {
    // SAFETY: the pointers give `run` values each, the panel `run` rows for each of the runs.
    unsafe {
        let bias: [L; V] = std::array::from_fn(|v| L::load(part.bias.add(v * L::N)));
        let mut sums = [bias; R];
        let mut weights = part.weights;
        for run in 0..part.runs {
            let pixels: [*const f32; R] = std::array::from_fn(|i| *part.pointers.add(run * part.tile + i));
            for k in 0..part.run {
                let weight: [L; V] = std::array::from_fn(|v| L::load(weights.add(v * L::N)));
                for v in 0..V {
                    L::prefetch(weights.wrapping_add(part.panel + v * L::N));
                }
                weights = weights.add(COLS);
                for i in 0..R {
                    let value = L::splat(*pixels[i].add(k));
                    for v in 0..V {
                        sums[i][v] = sums[i][v].add_product(value, weight[v]);
                    }
                }
            }
        }
        let (low, high) = (L::splat(part.clamp.low), L::splat(part.clamp.high));
        for (i, row) in sums.into_iter().enumerate() {
            for (v, mut sum) in row.into_iter().enumerate() {
                let at = i * part.stride + v * L::N;
                if !part.added.is_null() {
                    sum = sum.add(L::load(part.added.add(at)));
                }
                sum.at_least(low).at_most(high).store(part.output.add(at));
            }
        }
    }
}
