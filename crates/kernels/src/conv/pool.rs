//! Pooling and addition.

use super::{Clamp, Shape, Window, check, output};
use crate::simd::{self, Task};

/// The mean over all pixels of an image of `shape`: `output` `[channels]`.
///
/// # Panics
/// If a length disagrees.
pub fn mean(output: &mut [f32], input: &[f32], shape: Shape) {
    check("input", input, shape.len());
    check("output", output, shape.channels);
    simd::run(Mean { output, input, shape });
}

pub(super) struct Mean<'a> {
    pub output: &'a mut [f32],
    pub input: &'a [f32],
    pub shape: Shape,
}

impl Task for Mean<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { output, input, shape } = self;
        output.fill(0.0);
        for pixel in input.chunks_exact(shape.stride().max(1)) {
            for (sum, value) in output.iter_mut().zip(pixel) {
                *sum += value;
            }
        }
        let pixels = (shape.height * shape.width) as f32;
        output.iter_mut().for_each(|sum| *sum /= pixels);
    }
}

/// The largest value of each channel in each window over an image of `shape`; what lies outside doesn't count.
///
/// # Panics
/// If a length disagrees, or a window lies outside the image altogether.
pub fn max_pool(output: &mut [f32], input: &[f32], shape: Shape, window: &Window) {
    let to = self::output(window, shape, shape.channels);
    check("input", input, shape.len());
    check("output", output, to.len());
    let margin = |size: usize, before: usize, after: usize| before < size && after < size;
    let (size, before, after) = (window.size, window.before, window.after);
    assert!(margin(size.0, before.0, after.0) && margin(size.1, before.1, after.1), "{window:?} has empty places");
    simd::run(MaxPool { output, input, shape, to, window });
}

pub(super) struct MaxPool<'a> {
    pub output: &'a mut [f32],
    pub input: &'a [f32],
    pub shape: Shape,
    pub to: Shape,
    pub window: &'a Window,
}

impl Task for MaxPool<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { output, input, shape, to, window } = self;
        let stride = shape.stride();
        for (place, output) in output.chunks_exact_mut(stride.max(1)).enumerate() {
            output.fill(f32::NEG_INFINITY);
            for row in (0..window.size.0).filter_map(|at| window.row(place / to.width, at, shape.height)) {
                for column in (0..window.size.1).filter_map(|at| window.column(place % to.width, at, shape.width)) {
                    let pixel = &input[(row * shape.width + column) * stride..][..stride];
                    for (most, &value) in output.iter_mut().zip(pixel) {
                        *most = if *most > value { *most } else { value };
                    }
                }
            }
        }
    }
}

/// `output = clamp(a + b)`, or of `a` alone, for images of equal shape.
///
/// # Panics
/// If the lengths differ.
pub fn add(output: &mut [f32], a: &[f32], b: Option<&[f32]>, clamp: Clamp) {
    check("a", a, output.len());
    if let Some(b) = b {
        check("b", b, output.len());
    }
    simd::run(Add { output, a, b, clamp });
}

pub(super) struct Add<'a> {
    pub output: &'a mut [f32],
    pub a: &'a [f32],
    pub b: Option<&'a [f32]>,
    pub clamp: Clamp,
}

impl Task for Add<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { output, a, b, clamp } = self;
        match b {
            Some(b) => output.iter_mut().zip(a).zip(b).for_each(|((o, a), b)| *o = clamp.of(a + b)),
            None => output.iter_mut().zip(a).for_each(|(o, &a)| *o = clamp.of(a)),
        }
    }
}
