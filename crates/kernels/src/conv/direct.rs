//! Convolution by the tiles of a matrix product that reads its left factor where it lies in the image: no copy of the
//! windows is made, and bias, addition and clamp happen while the sums are in registers.
//!
//! The pointers to the windows' rows are Dukhan 2019, "The Indirect Convolution Algorithm".

use std::ops::Range;

use super::tile::{MANY_PIXELS, PIXELS, Tiles};
use super::{Clamp, Shape, Window, check, output};
use crate::lanes;
use crate::matmul::{COLS, Mat, PackedB, Precision};
use crate::scratch::Scratch;
use crate::simd::Level;

/// Values of the image that a block of tiles reads, at most (512 KiB): they stay in the second-level cache while the
/// weights pass.
const BLOCK_VALUES: usize = 1 << 17;

/// A convolution over all channels, with its weights packed.
#[derive(Clone)]
pub struct Convolution {
    input: Shape,
    output: Shape,
    window: Window,
    /// Values from one pixel of the image to the next.
    stride: usize,
    /// Places in the window where a run of adjacent values starts: (row, column).
    runs: Vec<(usize, usize)>,
    /// Values of a run.
    run: usize,
    /// Output pixels of a tile.
    tile: usize,
    /// Every pixel of the result is made of the same pixel of the image.
    pointwise: bool,
    weights: PackedB,
    /// Padded with zeros to whole panels.
    bias: Scratch,
    /// What lies outside the image: `run` zeros.
    zeros: Scratch,
}

impl Convolution {
    /// For images of shape `input`, with `weights` `[out, in, height, width]` and `bias` `[out]`.
    ///
    /// # Panics
    /// If the shapes disagree.
    pub fn new(input: Shape, window: Window, weights: &[f32], bias: &[f32]) -> Self {
        let (height, width) = window.size;
        let runs = (0..height).flat_map(|y| (0..width).map(move |x| (y, x))).collect();
        Self::with_runs(input, window, input.stride(), runs, weights, bias)
    }

    /// The same for an image whose pixels aren't padded and that holds the window's margins: a slice
    /// `[top + height + bottom, left + width + right, channels]` ([`Convolution::tight_shape`]) with zeros around. With
    /// few channels, as in a network's first layer, this is faster, for the rows of a window lie without gaps.
    ///
    /// # Panics
    /// If the shapes disagree.
    pub fn tight(input: Shape, window: Window, weights: &[f32], bias: &[f32]) -> Self {
        let input = Self::tight_shape(input, window);
        let inner = Window { before: (0, 0), after: (0, 0), ..window };
        let runs = (0..window.size.0).map(|y| (y, 0)).collect();
        Self::with_runs(input, inner, input.channels, runs, weights, bias)
    }

    /// The shape, margins included, of the image that [`Convolution::tight`] reads.
    pub fn tight_shape(input: Shape, window: Window) -> Shape {
        Shape {
            height: input.height + window.before.0 + window.after.0,
            width: input.width + window.before.1 + window.after.1,
            channels: input.channels,
        }
    }

    fn with_runs(
        input: Shape,
        window: Window,
        stride: usize,
        runs: Vec<(usize, usize)>,
        weights: &[f32],
        bias: &[f32],
    ) -> Self {
        let area = window.size.0 * window.size.1;
        let (ins, outs) = (input.channels, bias.len());
        check("weights", weights, outs * ins * area);
        let output = output(&window, input, outs);
        // [out, in, place] -> [place, in, out]
        let k = area * ins;
        let mut turned = vec![0.0; k * outs];
        for (out, weights) in weights.chunks_exact(k.max(1)).enumerate() {
            for (i, &weight) in weights.iter().enumerate() {
                turned[(i % area * ins + i / area) * outs + out] = weight;
            }
        }
        let mut padded = Scratch::zeros(outs.next_multiple_of(COLS));
        padded[..outs].copy_from_slice(bias);
        let run = k / runs.len().max(1);
        let still = Window { size: (1, 1), step: (1, 1), before: (0, 0), after: (0, 0) };
        Self {
            input,
            output,
            window,
            stride,
            run,
            runs,
            tile: if output.stride() <= 32 { MANY_PIXELS } else { PIXELS },
            pointwise: window == still && stride == input.stride(),
            weights: PackedB::new(Mat::new(&turned, k, outs), Precision::F32),
            bias: padded,
            zeros: Scratch::zeros(run),
        }
    }

    /// The shape of the result.
    pub fn output(&self) -> Shape {
        self.output
    }

    /// Length of the slice that is read.
    pub fn input_len(&self) -> usize {
        self.input.height * self.input.width * self.stride
    }

    /// Number of weights.
    pub fn weights(&self) -> usize {
        self.run * self.runs.len() * self.output.channels
    }

    /// Whether every pixel of the result is made of the same pixel of the image.
    pub fn is_pointwise(&self) -> bool {
        self.pointwise
    }

    /// `output = clamp(convolution of input + added)`; `added` has the output's shape.
    ///
    /// # Panics
    /// If a length disagrees.
    pub fn run(&self, output: &mut [f32], input: &[f32], added: Option<&[f32]>, clamp: Clamp) {
        check("output", output, self.output.len());
        self.run_rows(0..self.output.height, output, input, added, clamp);
    }

    /// Some rows of [`Convolution::run`]: `output` and `added` hold these rows only.
    ///
    /// # Panics
    /// If a length disagrees.
    pub fn run_rows(&self, rows: Range<usize>, output: &mut [f32], input: &[f32], added: Option<&[f32]>, clamp: Clamp) {
        check("input", input, self.input_len());
        assert!(rows.end <= self.output.height, "there are {} rows", self.output.height);
        let pixels = rows.start * self.output.width..rows.end * self.output.width;
        self.run_at(Level::best(), pixels, output, input, added, clamp);
    }

    /// A pointwise convolution of any number of pixels.
    ///
    /// # Panics
    /// If a length disagrees or the convolution isn't pointwise.
    pub fn run_pixels(&self, output: &mut [f32], input: &[f32], added: Option<&[f32]>, clamp: Clamp) {
        assert!(self.pointwise, "only a pointwise convolution takes pixels one by one");
        let pixels = output.len() / self.output.stride();
        check("input", input, pixels * self.stride);
        self.run_at(Level::best(), 0..pixels, output, input, added, clamp);
    }

    /// Some pixels of the result, which `output` and `added` hold, with the instructions of `level`, which must be one of
    /// [`Level::available`].
    pub(super) fn run_at(
        &self,
        level: Level,
        pixels: Range<usize>,
        output: &mut [f32],
        input: &[f32],
        added: Option<&[f32]>,
        clamp: Clamp,
    ) {
        let stride = self.output.stride();
        check("output", output, pixels.len() * stride);
        if let Some(added) = added {
            check("the added image", added, pixels.len() * stride);
        }
        let tiles = pixels.len().div_ceil(self.tile);
        // Even tiles: 49 pixels are 7 of 7, not 6 of 8 and one that costs as much for one pixel.
        let tile = |tile: usize| pixels.len() * tile / tiles..pixels.len() * (tile + 1) / tiles;
        let values = self.tile * self.window.step.0 * self.window.step.1 * self.stride;
        let most = (BLOCK_VALUES / values.max(1)).clamp(4, 64);
        let mut pointers = Vec::with_capacity(most.min(tiles) * self.runs.len() * self.tile);
        for first in (0..tiles).step_by(most) {
            let block = first..tiles.min(first + most);
            pointers.clear();
            for tile in block.clone().map(tile) {
                self.point(&mut pointers, input, pixels.start + tile.start..pixels.start + tile.end);
            }
            let starts = tile(block.start).start;
            let work = Tiles {
                pointers: &pointers,
                runs: self.runs.len(),
                run: self.run,
                pixels: self.tile,
                tiles: block.len(),
                tile: |i| {
                    let pixels = tile(block.start + i);
                    (pixels.start - starts, pixels.len())
                },
                weights: self.weights.panels(),
                bias: &self.bias,
                output: &mut output[starts * stride..],
                added: added.map(|added| &added[starts * stride..]),
                stride,
                clamp,
            };
            // SAFETY: the pointers were made for these tiles; output and addend hold all their pixels (checked above).
            unsafe { lanes::run_at(level, work) };
        }
    }

    /// Adds the addresses that a tile reads: run, pixel. There are always `tile` pixels; those that don't exist are
    /// never read.
    fn point(&self, pointers: &mut Vec<*const f32>, input: &[f32], pixels: Range<usize>) {
        let apart = |from: usize, count: usize, step: usize| {
            let span = &input[from..from + (count - 1) * step + self.run];
            (0..self.tile).map(move |i| span.as_ptr().wrapping_add(i * step))
        };
        if self.pointwise {
            return pointers.extend(apart(pixels.start * self.stride, pixels.len(), self.stride));
        }
        let (height, width) = (self.input.height, self.input.width);
        let place = |pixel: usize| (pixel / self.output.width, pixel % self.output.width);
        let (first, last) = (place(pixels.start), place(pixels.end - 1));
        for &(row, column) in &self.runs {
            let y = self.window.row(first.0, row, height).filter(|_| first.0 == last.0);
            let x = [first.1, last.1].map(|x| self.window.column(x, column, width));
            if let (Some(y), [Some(x), Some(_)]) = (y, x) {
                let from = (y * width + x) * self.stride;
                pointers.extend(apart(from, pixels.len(), self.window.step.1 * self.stride));
                continue;
            }
            for pixel in pixels.start..pixels.start + self.tile {
                let (y, x) = place(pixel);
                pointers.push(match (self.window.row(y, row, height), self.window.column(x, column, width)) {
                    (Some(y), Some(x)) => input[(y * width + x) * self.stride..][..self.run].as_ptr(),
                    _ => self.zeros.as_ptr(),
                });
            }
        }
    }
}
