//! Plain convolutional networks on our own kernels, several times faster than a general interpreter.
//!
//! [`layers`](super::layers) turns an ONNX graph into steps, with normalisation, addition and clamp merged into the
//! convolutions. A network with any other operator is left to `rten`.

use std::collections::VecDeque;

use quintet_kernels::conv::{self, Block, Clamp, Convolution, Depthwise, Shape, Window};
use quintet_kernels::scratch::Scratch;

use super::layers;
use super::onnx::Graph;

/// Part of the key of cached features: raised whenever a change of this executor or its kernels changes their bits.
pub(super) const EXECUTOR: &str = "convnet-1";

/// Channels of an image file.
const CHANNELS: usize = 3;

/// A network in the order of computation.
pub(super) struct ConvNet {
    /// Of the input image, margins not counted.
    input: Shape,
    /// The first layer's window, whose margins are part of the input's buffer.
    window: Window,
    steps: Vec<Step>,
    /// Values in each buffer.
    buffers: Vec<usize>,
    output: Place,
    /// Whether the output is `[1, channels]` rather than `[1, channels, height, width]`.
    flat: bool,
}

/// One layer: reads one or two places, writes one.
pub(super) struct Step {
    pub(super) layer: Layer,
    pub(super) from: Place,
    /// Added to what the layer makes, before the clamp.
    pub(super) added: Option<Place>,
    pub(super) to: Place,
    pub(super) clamp: Clamp,
}

/// What a step does.
pub(super) enum Layer {
    Convolution(Convolution),
    Depthwise(Depthwise),
    /// A convolution, a depthwise and a pointwise one.
    Block(Box<Block>),
    MaxPool(Window),
    Mean,
    /// Passes on; `added` and clamp do the work.
    Pass,
}

/// An image in a buffer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) buffer: usize,
    pub(super) shape: Shape,
}

impl Place {
    fn of(self, buffers: &[Scratch]) -> &[f32] {
        &buffers[self.buffer][..self.shape.len()]
    }
}

/// The buffers of one thread.
pub(super) struct Memory {
    buffers: Vec<Scratch>,
}

impl ConvNet {
    /// The network up to `output` (its first one if absent) for images `[3, height, width]`, or `None` where an operator
    /// is not ours.
    pub(super) fn new(graph: &Graph, (height, width): (usize, usize), output: Option<&str>) -> Option<ConvNet> {
        let output = output.or(graph.outputs.first().map(String::as_str))?;
        let input = Shape { height, width, channels: CHANNELS };
        let plan = layers::plan(graph, input, output)?;
        let mut net = ConvNet {
            input,
            window: plan.window,
            steps: with_blocks(plan.steps, plan.output),
            buffers: Vec::new(),
            output: plan.output,
            flat: plan.flat,
        };
        net.assign();
        Some(net)
    }

    /// Buffers for one thread.
    pub(super) fn memory(&self) -> Memory {
        Memory { buffers: self.buffers.iter().map(|&len| Scratch::zeros(len)).collect() }
    }

    /// Shape of the output for one image.
    pub(super) fn shape(&self) -> Vec<usize> {
        let Shape { height, width, channels } = self.output.shape;
        if self.flat { vec![1, channels] } else { vec![1, channels, height, width] }
    }

    /// The output, row-major in [`ConvNet::shape`], for an image `[3, height, width]`.
    pub(super) fn run(&self, memory: &mut Memory, image: &[f32]) -> Vec<f32> {
        self.run_steps(self.steps.len(), memory, image);
        let Shape { channels, .. } = self.output.shape;
        let pixels = self.output.of(&memory.buffers).chunks_exact(self.output.shape.stride());
        (0..channels).flat_map(|channel| pixels.clone().map(move |pixel| pixel[channel])).collect()
    }

    /// Height, width and channels of the map before the network's last pooling (of its output, if it doesn't pool).
    pub(super) fn map_shape(&self) -> (usize, usize, usize) {
        let Shape { height, width, channels } = self.map().1.shape;
        (height, width, channels)
    }

    /// That map `[height * width, channels]` for an image `[3, height, width]`.
    pub(super) fn run_map(&self, memory: &mut Memory, image: &[f32]) -> Vec<f32> {
        let (steps, place) = self.map();
        self.run_steps(steps, memory, image);
        let pixels = place.of(&memory.buffers).chunks_exact(place.shape.stride());
        pixels.flat_map(|pixel| &pixel[..place.shape.channels]).copied().collect()
    }

    /// The steps that make the map, and where it then is. What follows may use its buffer again.
    fn map(&self) -> (usize, Place) {
        let pooling = self.steps.iter().rposition(|step| matches!(step.layer, Layer::Mean));
        pooling.map_or((self.steps.len(), self.output), |at| (at, self.steps[at].from))
    }

    /// The first `count` steps.
    fn run_steps(&self, count: usize, memory: &mut Memory, image: &[f32]) {
        self.fill(&mut memory.buffers[0], image);
        for step in &self.steps[..count] {
            let mut output = std::mem::take(&mut memory.buffers[step.to.buffer]);
            step.run(&mut output[..step.to.shape.len()], &memory.buffers);
            memory.buffers[step.to.buffer] = output;
        }
    }

    /// Writes the image into the middle of the first layer's input, whose margins stay zero.
    fn fill(&self, buffer: &mut [f32], image: &[f32]) {
        let Shape { height, width, .. } = self.input;
        let outer = Convolution::tight_shape(self.input, self.window);
        let (top, left) = self.window.before;
        for y in 0..height {
            let row = &mut buffer[((y + top) * outer.width + left) * CHANNELS..][..width * CHANNELS];
            let line = |channel: usize| &image[(channel * height + y) * width..][..width];
            let lines = line(0).iter().zip(line(1)).zip(line(2));
            for (pixel, ((&first, &second), &third)) in row.as_chunks_mut::<CHANNELS>().0.iter_mut().zip(lines) {
                *pixel = [first, second, third];
            }
        }
    }

    /// Gives every image a buffer: places are numbered by image so far. Buffer 0 keeps the input.
    fn assign(&mut self) {
        let outer = Convolution::tight_shape(self.input, self.window);
        self.buffers = vec![outer.height * outer.width * outer.channels];
        let images = self.steps.iter().map(|s| s.to.buffer + 1).max().unwrap_or(1);
        // The step after which an image isn't needed.
        let mut last = vec![0; images];
        for (at, step) in self.steps.iter().enumerate() {
            for place in step.reads() {
                last[place.buffer] = at;
            }
        }
        last[self.output.buffer] = self.steps.len();
        let (mut buffer_of, mut free) = (vec![0; images], Vec::new());
        for (at, step) in self.steps.iter_mut().enumerate() {
            let (image, len) = (step.to.buffer, step.to.shape.len());
            // The last one freed is the likeliest to be in the cache.
            let place = free.iter().rposition(|&b: &usize| self.buffers[b] >= len).or(free.len().checked_sub(1));
            let buffer = place.map(|place| free.remove(place)).unwrap_or_else(|| {
                self.buffers.push(0);
                self.buffers.len() - 1
            });
            self.buffers[buffer] = self.buffers[buffer].max(len);
            buffer_of[image] = buffer;
            let used: Vec<usize> = step.reads().map(|place| place.buffer).collect();
            for (i, &image) in used.iter().enumerate() {
                if last[image] == at && image > 0 && !used[..i].contains(&image) {
                    free.push(buffer_of[image]);
                }
            }
            for place in [&mut step.from, &mut step.to].into_iter().chain(&mut step.added) {
                place.buffer = buffer_of[place.buffer];
            }
        }
        self.output.buffer = buffer_of[self.output.buffer];
    }
}

/// Runs a convolution, a depthwise and a pointwise one together where that pays and nothing else reads what is between.
fn with_blocks(steps: Vec<Step>, output: Place) -> Vec<Step> {
    let mut reads = vec![0; steps.len() + 1];
    reads[output.buffer] += 1;
    for place in steps.iter().flat_map(Step::reads) {
        reads[place.buffer] += 1;
    }
    let mut rest = VecDeque::from(steps);
    let mut merged = Vec::new();
    while let Some(step) = rest.pop_front() {
        merged.push(match block(&step, rest.front(), rest.get(1), &reads) {
            Some(block) => {
                rest.pop_front();
                match rest.pop_front() {
                    Some(last) => Step { layer: Layer::Block(Box::new(block)), from: step.from, ..last },
                    None => step,
                }
            }
            None => step,
        });
    }
    merged
}

/// The three steps as one layer.
fn block(first: &Step, second: Option<&Step>, third: Option<&Step>, reads: &[usize]) -> Option<Block> {
    let (second, third) = (second?, third?);
    let follows = |a: &Step, b: &Step| a.to.buffer == b.from.buffer && reads[a.to.buffer] == 1 && a.added.is_none();
    match (&first.layer, &second.layer, &third.layer) {
        (Layer::Convolution(expand), Layer::Depthwise(depthwise), Layer::Convolution(project))
            if follows(first, second) && follows(second, third) && Block::pays(expand, depthwise, project) =>
        {
            let (expand, depthwise) = ((expand.clone(), first.clamp), (depthwise.clone(), second.clamp));
            Some(Block::new(expand, depthwise, project.clone()))
        }
        _ => None,
    }
}

impl Step {
    fn reads(&self) -> impl Iterator<Item = Place> {
        std::iter::once(self.from).chain(self.added)
    }

    fn run(&self, output: &mut [f32], buffers: &[Scratch]) {
        let added = self.added.map(|place| place.of(buffers));
        match &self.layer {
            // The first layer's input isn't padded, so its length is the layer's own.
            Layer::Convolution(layer) => {
                layer.run(output, &buffers[self.from.buffer][..layer.input_len()], added, self.clamp);
            }
            Layer::Depthwise(layer) => layer.run(output, self.from.of(buffers), self.clamp),
            Layer::Block(block) => {
                block.run(output, &buffers[self.from.buffer][..block.input_len()], added, self.clamp)
            }
            Layer::MaxPool(window) => conv::max_pool(output, self.from.of(buffers), self.from.shape, window),
            Layer::Mean => {
                conv::mean(&mut output[..self.from.shape.channels], self.from.of(buffers), self.from.shape);
            }
            Layer::Pass => conv::add(output, self.from.of(buffers), added, self.clamp),
        }
    }
}

#[cfg(test)]
mod tests;
