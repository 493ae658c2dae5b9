//! Layers of convolutional networks, forwards, one image on one thread.
//!
//! An image is a slice of [`Shape::len`] values: rows, pixels, channels, with the channels of each pixel padded to a
//! multiple of [`LANES`] by values that may be anything. So every pixel is whole registers, and no loop has a rest.
//!
//! Each value of a convolution is one chain `c = fma(x, w, c)` that starts at the bias and goes over rows, columns and
//! channels of the window in this order; what lies outside the image counts as zero. Hence the same bits at every level.

mod block;
mod depthwise;
mod direct;
mod pool;
mod tile;

pub use block::Block;
pub use depthwise::Depthwise;
pub use direct::Convolution;
pub use pool::{add, max_pool, mean};

/// Channels of a pixel are padded to a multiple of this: the widest register.
pub const LANES: usize = 16;

/// The shape of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Rows.
    pub height: usize,
    /// Pixels in a row.
    pub width: usize,
    /// Values of a pixel, padding not counted.
    pub channels: usize,
}

impl Shape {
    /// Values from one pixel to the next.
    pub fn stride(self) -> usize {
        self.channels.next_multiple_of(LANES)
    }

    /// Length of the slice that holds such an image.
    #[expect(clippy::len_without_is_empty, reason = "it is no collection")]
    pub fn len(self) -> usize {
        self.height * self.width * self.stride()
    }
}

/// How a layer slides over an image; pairs are (vertical, horizontal).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Height and width of the window.
    pub size: (usize, usize),
    /// Pixels from one window to the next.
    pub step: (usize, usize),
    /// Pixels added at the top and at the left.
    pub before: (usize, usize),
    /// Pixels added at the bottom and at the right.
    pub after: (usize, usize),
}

impl Window {
    /// The shape of the result `[height, width, channels]` for an image of shape `input`, or `None` where no window
    /// fits into it.
    pub fn output(&self, input: Shape, channels: usize) -> Option<Shape> {
        let places = |length: usize, size: usize, step: usize, added: usize| {
            Some((length + added).checked_sub(size).filter(|_| size > 0)?.checked_div(step)? + 1)
        };
        Some(Shape {
            height: places(input.height, self.size.0, self.step.0, self.before.0 + self.after.0)?,
            width: places(input.width, self.size.1, self.step.1, self.before.1 + self.after.1)?,
            channels,
        })
    }

    /// The image's row (column) under place `at` of the window's row (column) `of` them, if it lies inside `length`.
    fn source(place: usize, at: usize, step: usize, before: usize, length: usize) -> Option<usize> {
        (place * step + at).checked_sub(before).filter(|&source| source < length)
    }

    fn row(&self, place: usize, at: usize, height: usize) -> Option<usize> {
        Self::source(place, at, self.step.0, self.before.0, height)
    }

    fn column(&self, place: usize, at: usize, width: usize) -> Option<usize> {
        Self::source(place, at, self.step.1, self.before.1, width)
    }
}

/// The interval that results are moved into: ReLU is 0 to infinity, ReLU6 is 0 to 6. No number stays no number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clamp {
    /// Nothing is smaller.
    pub low: f32,
    /// Nothing is larger.
    pub high: f32,
}

impl Clamp {
    /// Changes nothing.
    pub const NONE: Self = Self { low: f32::NEG_INFINITY, high: f32::INFINITY };

    #[inline(always)]
    fn of(self, value: f32) -> f32 {
        let value = if self.low > value { self.low } else { value };
        if self.high < value { self.high } else { value }
    }
}

/// The shape of the result; a layer that fits nowhere is a bug of the caller.
fn output(window: &Window, input: Shape, channels: usize) -> Shape {
    window.output(input, channels).unwrap_or_else(|| panic!("{window:?} does not fit into {input:?}"))
}

fn check(what: &str, values: &[f32], len: usize) {
    assert_eq!(values.len(), len, "{what} must hold {len} values");
}

#[cfg(test)]
mod tests;
