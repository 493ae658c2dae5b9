//! ONNX nodes -> the steps of a [`ConvNet`](super::convnet::ConvNet).

use std::collections::HashMap;

use quintet_kernels::conv::{Clamp, Convolution, Depthwise, Shape, Window};
use rten_onnx::onnx::NodeProto;

use super::convnet::{Layer, Place, Step};
use super::onnx::{Graph, attribute, float, input, integer};

/// A network before its images have buffers: every image is numbered, 0 the input.
pub(super) struct Plan {
    /// The first layer's window.
    pub(super) window: Window,
    pub(super) steps: Vec<Step>,
    pub(super) output: Place,
    /// Whether the output has two axes.
    pub(super) flat: bool,
}

/// Translates the nodes that `output` needs, for an image of shape `input`; `None` where a node is not ours.
pub(super) fn plan(graph: &Graph, input: Shape, output: &str) -> Option<Plan> {
    let [input_name] = graph.inputs.as_slice() else { return None };
    let nodes = needed(graph, output);
    let mut uses = HashMap::from([(output, 1)]);
    for name in nodes.iter().flat_map(|node| &node.input) {
        *uses.entry(name.as_str()).or_insert(0) += 1;
    }
    let image = Image { place: Place { buffer: 0, shape: input }, flat: false, shared: true };
    let mut planner = Planner {
        graph,
        nodes: &nodes,
        uses,
        images: HashMap::from([(input_name.as_str(), image)]),
        count: 1,
        steps: Vec::new(),
        window: None,
    };
    let mut merged = Vec::new();
    for (at, node) in nodes.iter().enumerate() {
        if !merged.contains(&at) {
            merged.extend(planner.add(at, node)?);
        }
    }
    let image = *planner.images.get(output)?;
    Some(Plan { window: planner.window?, steps: planner.steps, output: image.place, flat: image.flat })
}

/// The nodes on the way to `output`, in order.
fn needed<'a>(graph: &'a Graph, output: &str) -> Vec<&'a NodeProto> {
    let mut wanted = std::collections::HashSet::from([output]);
    let mut nodes = Vec::new();
    for node in graph.nodes.iter().rev() {
        if node.output.iter().any(|name| wanted.contains(name.as_str())) {
            wanted.extend(node.input.iter().map(String::as_str));
            nodes.push(node);
        }
    }
    nodes.reverse();
    nodes
}

/// What a name in the graph stands for.
#[derive(Clone, Copy)]
struct Image {
    place: Place,
    /// Has two axes, `[1, channels]`, rather than four.
    flat: bool,
    /// Is read under another name, too.
    shared: bool,
}

struct Planner<'a> {
    graph: &'a Graph,
    nodes: &'a [&'a NodeProto],
    /// How often a name is read.
    uses: HashMap<&'a str, usize>,
    images: HashMap<&'a str, Image>,
    /// Images so far.
    count: usize,
    steps: Vec<Step>,
    /// The first layer's window.
    window: Option<Window>,
}

impl<'a> Planner<'a> {
    /// Adds node `at`; returns a later node that was merged into it.
    fn add(&mut self, at: usize, node: &'a NodeProto) -> Option<Option<usize>> {
        if !matches!(node.domain.as_deref(), None | Some("" | "ai.onnx")) {
            return None;
        }
        let kind = node.op_type.as_deref()?;
        if kind == "Conv" {
            return self.convolution(at, node);
        }
        let name = input(node, 0)?;
        let image = *self.images.get(name)?;
        if image.place.buffer == 0 {
            return None; // only a convolution reads the input's layout
        }
        let shared = image.shared || self.uses.get(name) != Some(&1);
        let row = Image { flat: true, shared, ..image };
        let single = image.place.shape.height * image.place.shape.width == 1;
        let result = match kind {
            "Identity" | "Dropout" => Image { shared, ..image },
            "Relu" => self.clamp(node, image, Clamp { low: 0.0, high: f32::INFINITY })?,
            "Clip" => {
                let bound = |at, name, default| match input(node, at) {
                    Some(_) => self.graph.floats(node, at)?.1.first().copied(),
                    None => Some(float(node, name, default)),
                };
                let clamp = Clamp { low: bound(1, "min", f32::MIN)?, high: bound(2, "max", f32::MAX)? };
                self.clamp(node, image, clamp)?
            }
            "Add" => self.addition(node, image)?,
            "MaxPool" => self.max_pool(node, image)?,
            "GlobalAveragePool" if !image.flat => self.mean(image, false),
            "ReduceMean" if !image.flat && over_space(self.graph.integers(node, 1, "axes")?) => {
                self.mean(image, integer(node, "keepdims", 1) == 0)
            }
            "Squeeze" if single && !image.flat && over_space(self.graph.integers(node, 1, "axes")?) => row,
            "Flatten" if single && integer(node, "axis", 1) == 1 => row,
            "Reshape" if single && to_row(self.graph.integers(node, 1, "shape")?, image.place.shape.channels) => row,
            "Gemm" if image.flat => self.dense(node, image)?,
            _ => return None,
        };
        self.images.insert(node.output.first()?, result);
        Some(None)
    }

    /// Adds a step whose result has `shape`.
    fn step(&mut self, layer: Layer, from: Place, shape: Shape, flat: bool) -> Image {
        let to = Place { buffer: self.count, shape };
        self.count += 1;
        self.steps.push(Step { layer, from, added: None, to, clamp: Clamp::NONE });
        Image { place: to, flat, shared: false }
    }

    /// The step that made the image, if `name` is all that is read of it and nothing follows in the step yet.
    fn open_step(&self, name: &str, image: Image) -> Option<usize> {
        let at = self.steps.iter().position(|step| step.to.buffer == image.place.buffer)?;
        let step = &self.steps[at];
        let read_once = !image.shared && self.uses.get(name) == Some(&1);
        (read_once && step.clamp == Clamp::NONE).then_some(at)
    }

    fn convolution(&mut self, at: usize, node: &'a NodeProto) -> Option<Option<usize>> {
        let from = *self.images.get(input(node, 0)?)?;
        let (shape, weights) = self.graph.floats(node, 1)?;
        let &[outs, ins, height, width] = shape else { return None };
        let window = window(node, (height, width), from.place.shape)?;
        let mut weights = weights.to_vec();
        let mut bias = match input(node, 2) {
            Some(_) => self.graph.floats(node, 2)?.1.to_vec(),
            None => vec![0.0; outs],
        };
        let mut result = node.output.first()?;
        let following = self.normalisation(at, result);
        if let Some(at) = following {
            normalise(self.graph, self.nodes[at], &mut weights, &mut bias)?;
            result = self.nodes[at].output.first()?;
        }
        let shape = from.place.shape;
        let is_input = from.place.buffer == 0;
        let to = window.output(shape, outs)?;
        let whole = integer(node, "group", 1) == 1 && ins == shape.channels;
        let depthwise = integer(node, "group", 1) == outs as i64 && outs == shape.channels && ins == 1;
        if from.flat || outs == 0 || ins == 0 || bias.len() != outs {
            return None;
        }
        let layer = if whole && is_input {
            // Its buffer has this window's margins.
            if self.uses.get(input(node, 0)?) != Some(&1) {
                return None;
            }
            self.window = Some(window);
            Layer::Convolution(Convolution::tight(shape, window, &weights, &bias))
        } else if whole {
            Layer::Convolution(Convolution::new(shape, window, &weights, &bias))
        } else if depthwise && !is_input && Depthwise::supports(&window) {
            Layer::Depthwise(Depthwise::new(shape, window, &weights, &bias))
        } else {
            return None;
        };
        let image = self.step(layer, from.place, to, false);
        self.images.insert(result, image);
        Some(following)
    }

    /// The node that normalises `name`, if nothing else reads it.
    fn normalisation(&self, at: usize, name: &str) -> Option<usize> {
        let mut later = self.nodes.iter().enumerate().skip(at + 1);
        let (at, node) = later.find(|(_, node)| input(node, 0) == Some(name))?;
        let only = self.uses.get(name) == Some(&1) && node.op_type.as_deref() == Some("BatchNormalization");
        only.then_some(at)
    }

    fn clamp(&mut self, node: &NodeProto, image: Image, clamp: Clamp) -> Option<Image> {
        if let Some(at) = self.open_step(input(node, 0)?, image)
            && !matches!(self.steps[at].layer, Layer::MaxPool(_) | Layer::Mean)
        {
            self.steps[at].clamp = clamp;
            return Some(image);
        }
        let result = self.step(Layer::Pass, image.place, image.place.shape, image.flat);
        self.steps.last_mut()?.clamp = clamp;
        Some(result)
    }

    fn addition(&mut self, node: &NodeProto, a: Image) -> Option<Image> {
        let b = *self.images.get(input(node, 1)?)?;
        if b.place.buffer == 0 || a.place.shape != b.place.shape || a.flat != b.flat {
            return None;
        }
        // Merged into the convolution that made the later of the two: the other is there by then.
        let (name, later, other) = match a.place.buffer > b.place.buffer {
            true => (input(node, 0)?, a, b),
            false => (input(node, 1)?, b, a),
        };
        if let Some(at) = self.open_step(name, later)
            && matches!(self.steps[at].layer, Layer::Convolution(_))
            && self.steps[at].added.is_none()
            && later.place.buffer != other.place.buffer
        {
            self.steps[at].added = Some(other.place);
            return Some(later);
        }
        let result = self.step(Layer::Pass, a.place, a.place.shape, a.flat);
        self.steps.last_mut()?.added = Some(b.place);
        Some(result)
    }

    fn max_pool(&mut self, node: &NodeProto, image: Image) -> Option<Image> {
        let &[height, width] = attribute(node, "kernel_shape")?.ints.as_slice() else { return None };
        let size = (usize::try_from(height).ok()?, usize::try_from(width).ok()?);
        let window = window(node, size, image.place.shape)?;
        let shape = window.output(image.place.shape, image.place.shape.channels)?;
        let plain = integer(node, "ceil_mode", 0) == 0 && node.output.len() == 1 && !image.flat;
        plain.then(|| self.step(Layer::MaxPool(window), image.place, shape, false))
    }

    fn mean(&mut self, image: Image, flat: bool) -> Image {
        self.step(Layer::Mean, image.place, Shape { height: 1, width: 1, ..image.place.shape }, flat)
    }

    /// A linear layer: a convolution over an image of one pixel.
    fn dense(&mut self, node: &NodeProto, image: Image) -> Option<Image> {
        let (&[rows, columns], weights) = self.graph.floats(node, 1)? else { return None };
        let transposed = integer(node, "transB", 0) == 1;
        let (outs, ins) = if transposed { (rows, columns) } else { (columns, rows) };
        let bias = match input(node, 2) {
            Some(_) => self.graph.floats(node, 2)?.1.to_vec(),
            None => vec![0.0; outs],
        };
        let plain = float(node, "alpha", 1.0) == 1.0 && float(node, "beta", 1.0) == 1.0;
        if !plain || integer(node, "transA", 0) != 0 || ins != image.place.shape.channels || bias.len() != outs {
            return None;
        }
        let weights = if transposed {
            weights.to_vec()
        } else {
            (0..outs * ins).map(|i| weights[i % ins * outs + i / ins]).collect()
        };
        let window = Window { size: (1, 1), step: (1, 1), before: (0, 0), after: (0, 0) };
        let layer = Convolution::new(image.place.shape, window, &weights, &bias);
        let shape = layer.output();
        Some(self.step(Layer::Convolution(layer), image.place, shape, true))
    }
}

/// Merges a batch normalisation into the convolution before it.
fn normalise(graph: &Graph, node: &NodeProto, weights: &mut [f32], bias: &mut [f32]) -> Option<()> {
    let values = |at| graph.floats(node, at).map(|(_, values)| values).filter(|values| values.len() == bias.len());
    let (scale, shift, mean, variance) = (values(1)?, values(2)?, values(3)?, values(4)?);
    let epsilon = f64::from(float(node, "epsilon", 1e-5));
    if node.output.len() != 1 || integer(node, "training_mode", 0) != 0 || weights.is_empty() {
        return None;
    }
    for (out, weights) in weights.chunks_exact_mut(weights.len() / bias.len()).enumerate() {
        let factor = f64::from(scale[out]) / (f64::from(variance[out]) + epsilon).sqrt();
        weights.iter_mut().for_each(|w| *w = (f64::from(*w) * factor) as f32);
        bias[out] = (f64::from(shift[out]) + (f64::from(bias[out]) - f64::from(mean[out])) * factor) as f32;
    }
    Some(())
}

/// The window of a convolution or pooling of this size over an image.
fn window(node: &NodeProto, size: (usize, usize), shape: Shape) -> Option<Window> {
    let numbers = |name, default: &[usize]| match attribute(node, name) {
        Some(a) => a.ints.iter().map(|&i| usize::try_from(i).ok()).collect::<Option<Vec<_>>>(),
        None => Some(default.to_vec()),
    };
    let &[down, right] = numbers("strides", &[1, 1])?.as_slice() else { return None };
    if numbers("dilations", &[1, 1])? != [1, 1] || down == 0 || right == 0 || size.0 == 0 || size.1 == 0 {
        return None;
    }
    let same = |length: usize, size: usize, step: usize| ((length - 1) / step * step + size).saturating_sub(length);
    let (before, after) = match attribute(node, "auto_pad").and_then(|a| a.s.as_deref()) {
        Some("SAME_UPPER") if shape.height > 0 && shape.width > 0 => {
            let (y, x) = (same(shape.height, size.0, down), same(shape.width, size.1, right));
            ((y / 2, x / 2), (y - y / 2, x - x / 2))
        }
        Some("VALID") => ((0, 0), (0, 0)),
        None | Some("NOTSET") => match numbers("pads", &[0; 4])?.as_slice() {
            &[top, left, bottom, right] => ((top, left), (bottom, right)),
            _ => return None,
        },
        Some(_) => return None,
    };
    let margins = [(before.0, size.0), (after.0, size.0), (before.1, size.1), (after.1, size.1)];
    let small = margins.iter().all(|(margin, size)| margin < size);
    small.then_some(Window { size, step: (down, right), before, after })
}

/// Whether the axes are height and width of `[1, channels, height, width]`.
fn over_space(axes: &[i64]) -> bool {
    let mut axes: Vec<i64> = axes.iter().map(|&a| if a < 0 { a + 4 } else { a }).collect();
    axes.sort_unstable();
    axes == [2, 3]
}

/// Whether a pooled image becomes `[1, channels]` by this shape.
fn to_row(shape: &[i64], channels: usize) -> bool {
    let &[first, second] = shape else { return false };
    let known = |given: i64, real: usize| given == -1 || usize::try_from(given) == Ok(real);
    (first == 0 || known(first, 1)) && known(second, channels) && (first, second) != (-1, -1)
}
