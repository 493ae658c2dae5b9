//! Expansion, depthwise convolution and projection (Sandler et al. 2018, "MobileNetV2"), a few rows at a time: the wide
//! images between them are the largest of such a network, and this way they never leave the second-level cache.

use super::{Clamp, Convolution, Depthwise, Shape, check};
use crate::scratch::Scratch;

/// Values between the layers (256 KiB).
const ROOM: usize = 1 << 16;
/// With more weights than this (128 KiB), passing over them for every few rows costs more than it saves.
const MOST_WEIGHTS: usize = 1 << 15;

/// A convolution, a depthwise one and a pointwise one, with the bits of one after the other.
#[derive(Clone)]
pub struct Block {
    expand: (Convolution, Clamp),
    depthwise: (Depthwise, Clamp),
    project: Convolution,
    /// Rows made at a time.
    rows: usize,
}

impl Block {
    /// Whether the layers fit one after the other and gain by being run together.
    pub fn pays(expand: &Convolution, depthwise: &Depthwise, project: &Convolution) -> bool {
        let between = expand.output().len() + depthwise.output().len();
        Self::fits(expand, depthwise, project) && between > ROOM && expand.weights() + project.weights() <= MOST_WEIGHTS
    }

    fn fits(expand: &Convolution, depthwise: &Depthwise, project: &Convolution) -> bool {
        let chained = expand.output().len() == depthwise.input_len() && depthwise.output().len() == project.input_len();
        chained && project.is_pointwise()
    }

    /// The layers in their order, the first two with what follows them.
    ///
    /// # Panics
    /// If they don't fit one after the other or the last isn't pointwise.
    pub fn new(expand: (Convolution, Clamp), depthwise: (Depthwise, Clamp), project: Convolution) -> Self {
        Self::with_room(expand, depthwise, project, ROOM)
    }

    /// [`Block::new`] with another number of values between the layers; at least one row is made at a time.
    pub(super) fn with_room(
        expand: (Convolution, Clamp),
        depthwise: (Depthwise, Clamp),
        project: Convolution,
        room: usize,
    ) -> Self {
        assert!(Self::fits(&expand.0, &depthwise.0, &project), "layers that don't fit one after the other");
        let mut block = Self { expand, depthwise, project, rows: 1 };
        let height = block.depthwise.0.output().height;
        while block.rows < height && block.between(block.rows + 1) <= room {
            block.rows += 1;
        }
        block
    }

    /// The shape of the result.
    pub fn output(&self) -> Shape {
        self.project.output()
    }

    /// Length of the slice that is read.
    pub fn input_len(&self) -> usize {
        self.expand.0.input_len()
    }

    /// Rows of the wide image under some adjacent rows of the depthwise convolution.
    fn under(&self, rows: usize) -> usize {
        let window = self.depthwise.0.window();
        (rows - 1) * window.step.0 + window.size.0
    }

    /// Values between the layers if so many rows are made at a time.
    fn between(&self, rows: usize) -> usize {
        let (wide, late) = (self.expand.0.output(), self.depthwise.0.output());
        self.under(rows) * wide.width * wide.stride() + rows * late.width * late.stride()
    }

    /// `output = clamp(the layers' result for input + added)`.
    ///
    /// # Panics
    /// If a length disagrees.
    pub fn run(&self, output: &mut [f32], input: &[f32], added: Option<&[f32]>, clamp: Clamp) {
        let (wide, late, to) = (self.expand.0.output(), self.depthwise.0.output(), self.project.output());
        check("output", output, to.len());
        let (wide_row, late_row, row) =
            (wide.width * wide.stride(), late.width * late.stride(), to.width * to.stride());
        // Row y of the wide image is at y modulo `held`.
        let held = self.under(self.rows);
        let (mut ring, mut strip) = (Scratch::new(held * wide_row), Scratch::new(self.rows * late_row));
        let window = self.depthwise.0.window();
        let mut ready = 0;
        for first in (0..late.height).step_by(self.rows) {
            let rows = first..late.height.min(first + self.rows);
            let needed = ((rows.end - 1) * window.step.0 + window.size.0).saturating_sub(window.before.0);
            while ready < needed.min(wide.height) {
                let at = ready % held;
                let count = (needed.min(wide.height) - ready).min(held - at);
                let part = &mut ring[at * wide_row..][..count * wide_row];
                self.expand.0.run_rows(ready..ready + count, part, input, None, self.expand.1);
                ready += count;
            }
            let strip = &mut strip[..rows.len() * late_row];
            self.depthwise.0.run_rows(rows.clone(), strip, &ring, self.depthwise.1);
            let range = rows.start * row..rows.end * row;
            let added = added.map(|added| &added[range.clone()]);
            self.project.run_pixels(&mut output[range], strip, added, clamp);
        }
    }
}
