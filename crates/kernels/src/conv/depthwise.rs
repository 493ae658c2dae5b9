//! Depthwise convolution: each channel by its own window, whole registers of channels at a time.

use std::ops::Range;

use super::{Clamp, LANES, Shape, Window, check, output};
use crate::lanes::{self, Lanes, Loop};
use crate::scratch::Scratch;
use crate::simd::Level;

/// Output pixels of a row made at a time: with AVX-512, 7 sums and the up to 17 columns under them are in registers,
/// and the usual widths (112, 56, 28, 14, 7) leave no rest.
const PIXELS: usize = 7;
/// The same for 16 registers.
const FEW_PIXELS: usize = 4;
/// Columns under [`PIXELS`] windows of width 5 in steps of 2.
const COLUMNS: usize = (PIXELS - 1) * 2 + 5;

/// A depthwise convolution with its weights in the order in which they are read.
#[derive(Clone)]
pub struct Depthwise {
    input: Shape,
    output: Shape,
    window: Window,
    /// `[row, column, channel]`, channels padded.
    weights: Scratch,
    bias: Scratch,
    /// What lies outside the image: the channels of a pixel.
    zeros: Scratch,
}

impl Depthwise {
    /// Whether there is a loop for this window: 3 or 5 columns, in steps of 1 or 2.
    pub fn supports(window: &Window) -> bool {
        matches!(window.size.1, 3 | 5) && matches!(window.step.1, 1 | 2)
    }

    /// For images of shape `input`, with `weights` `[channels, 1, height, width]` and `bias` `[channels]`.
    ///
    /// # Panics
    /// If the shapes disagree or the window isn't supported.
    pub fn new(input: Shape, window: Window, weights: &[f32], bias: &[f32]) -> Self {
        assert!(Self::supports(&window), "no depthwise convolution for {window:?}");
        let (area, stride) = (window.size.0 * window.size.1, input.stride());
        check("weights", weights, input.channels * area);
        check("bias", bias, input.channels);
        let output = output(&window, input, input.channels);
        let mut turned = Scratch::zeros(area * stride);
        for (channel, weights) in weights.chunks_exact(area).enumerate() {
            for (place, &weight) in weights.iter().enumerate() {
                turned[place * stride + channel] = weight;
            }
        }
        let mut padded = Scratch::zeros(stride);
        padded[..bias.len()].copy_from_slice(bias);
        Self { input, output, window, weights: turned, bias: padded, zeros: Scratch::zeros(stride) }
    }

    /// The shape of the result.
    pub fn output(&self) -> Shape {
        self.output
    }

    /// Length of the slice that is read.
    pub fn input_len(&self) -> usize {
        self.input.len()
    }

    /// The window.
    pub fn window(&self) -> Window {
        self.window
    }

    /// `output = clamp(convolution of input)`.
    ///
    /// # Panics
    /// If a length disagrees.
    pub fn run(&self, output: &mut [f32], input: &[f32], clamp: Clamp) {
        check("input", input, self.input.len());
        self.run_rows(0..self.output.height, output, input, clamp);
    }

    /// Some rows of [`Depthwise::run`]: `output` holds these rows only, and `input` a number of rows, row y of the image
    /// at y modulo this number.
    ///
    /// # Panics
    /// If a length disagrees.
    pub fn run_rows(&self, rows: Range<usize>, output: &mut [f32], input: &[f32], clamp: Clamp) {
        self.run_at(Level::best(), rows, output, input, clamp);
    }

    /// [`Depthwise::run_rows`] with the instructions of `level`, which must be one of [`Level::available`].
    pub(super) fn run_at(&self, level: Level, rows: Range<usize>, output: &mut [f32], input: &[f32], clamp: Clamp) {
        assert!(rows.end <= self.output.height, "there are {} rows", self.output.height);
        check("output", output, rows.len() * self.output.width * self.output.stride());
        let row = self.input.width * self.input.stride();
        assert!(!input.is_empty() && input.len().is_multiple_of(row), "input must hold rows of {row} values");
        let held = input.len() / row;
        // SAFETY: the lengths are those of the layer.
        unsafe { lanes::run_at(level, Rows { layer: self, rows, output, input, held, clamp }) };
    }
}

/// Some rows; the lengths must be those of the layer.
struct Rows<'a> {
    layer: &'a Depthwise,
    rows: Range<usize>,
    output: &'a mut [f32],
    input: &'a [f32],
    /// Rows of the image that `input` holds.
    held: usize,
    clamp: Clamp,
}

impl Loop for Rows<'_> {
    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        let window = &self.layer.window;
        // SAFETY: the caller's promises.
        unsafe {
            match (L::N == LANES, window.size.1, window.step.1) {
                (true, 3, 1) => self.all::<L, PIXELS, 3, 1>(),
                (true, 3, _) => self.all::<L, PIXELS, 3, 2>(),
                (true, _, 1) => self.all::<L, PIXELS, 5, 1>(),
                (true, ..) => self.all::<L, PIXELS, 5, 2>(),
                (_, 3, 1) => self.all::<L, FEW_PIXELS, 3, 1>(),
                (_, 3, _) => self.all::<L, FEW_PIXELS, 3, 2>(),
                (_, _, 1) => self.all::<L, FEW_PIXELS, 5, 1>(),
                _ => self.all::<L, FEW_PIXELS, 5, 2>(),
            }
        }
    }
}

/// Where a few pixels of a row read and write.
struct Part<'a, const P: usize> {
    /// Addresses of the columns, for each row of the window that lies inside the image.
    columns: &'a [[*const f32; COLUMNS]],
    /// The weights of the first of these rows.
    weights: *const f32,
    bias: *const f32,
    output: *mut f32,
    /// Pixels that exist, at most `P`.
    pixels: usize,
    /// Values from one pixel to the next.
    stride: usize,
    clamp: Clamp,
}

impl Rows<'_> {
    /// # Safety
    /// As [`Rows`] says; the processor must have `L`, and the window must have `K` columns in steps of `S`.
    #[inline(always)]
    unsafe fn all<L: Lanes, const P: usize, const K: usize, const S: usize>(self) {
        let Self { layer, rows, output, input, held, clamp } = self;
        let Depthwise { window, input: shape, .. } = layer;
        let stride = shape.stride();
        let mut columns = vec![[layer.zeros.as_ptr(); COLUMNS]; window.size.0];
        for y in rows.clone() {
            // Rows of the window inside the image are adjacent.
            let inside = |&row: &usize| window.row(y, row, shape.height).is_some();
            let first = (0..window.size.0).find(inside).unwrap_or(0);
            let count = (0..window.size.0).filter(inside).count();
            for x in (0..layer.output.width).step_by(P) {
                let needed = (P - 1) * S + K;
                for (row, columns) in columns[..count].iter_mut().enumerate() {
                    let from = window.row(y, first + row, shape.height).unwrap_or(0) % held * shape.width;
                    let columns = &mut columns[..needed];
                    // The column `at` of the first window, be it beyond its width.
                    let column = |at: usize| window.column(x, at, shape.width);
                    if let (Some(start), Some(end)) = (column(0), column(needed - 1)) {
                        let span = &input[(from + start) * stride..(from + end + 1) * stride];
                        for (at, column) in columns.iter_mut().enumerate() {
                            *column = span.as_ptr().wrapping_add(at * stride);
                        }
                        continue;
                    }
                    for (at, slot) in columns.iter_mut().enumerate() {
                        *slot = match column(at) {
                            Some(column) => input[(from + column) * stride..][..stride].as_ptr(),
                            None => layer.zeros.as_ptr(),
                        };
                    }
                }
                // SAFETY: offsets within the checked lengths; the columns hold `stride` values each.
                unsafe {
                    part::<L, P, K, S>(&Part {
                        columns: &columns[..count],
                        weights: layer.weights.as_ptr().add(first * K * stride),
                        bias: layer.bias.as_ptr(),
                        output: output.as_mut_ptr().add(((y - rows.start) * layer.output.width + x) * stride),
                        pixels: P.min(layer.output.width - x),
                        stride,
                        clamp,
                    });
                }
            }
        }
    }
}

/// # Safety
/// All addresses must hold `stride` values for each column, weight and pixel; the processor must have `L`.
#[inline(always)]
unsafe fn part<L: Lanes, const P: usize, const K: usize, const S: usize>(part: &Part<P>) {
    // SAFETY: the caller's promises; the pixels beyond `pixels` are computed from zeros and not written.
    unsafe {
        let (low, high) = (L::splat(part.clamp.low), L::splat(part.clamp.high));
        for channel in (0..part.stride).step_by(L::N) {
            let mut sums = [L::load(part.bias.add(channel)); P];
            let mut weights = part.weights.add(channel);
            for columns in part.columns {
                let mut values = [low; COLUMNS];
                for at in 0..(P - 1) * S + K {
                    values[at] = L::load(columns[at].add(channel));
                }
                for k in 0..K {
                    let weight = L::load(weights);
                    weights = weights.add(part.stride);
                    for p in 0..P {
                        sums[p] = sums[p].add_product(values[p * S + k], weight);
                    }
                }
            }
            for (p, sum) in sums.into_iter().enumerate() {
                if p < part.pixels {
                    sum.at_least(low).at_most(high).store(part.output.add(p * part.stride + channel));
                }
            }
        }
    }
}
