//! Our executor against `rten` on the same networks.

use std::cell::RefCell;

use quintet_kernels::rng::Rng;
use rten::{Model, Value};
use rten_onnx::onnx::{
    AttributeProto, AttributeType, DataType, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    ValueInfoProto,
};
use rten_tensor::prelude::*;

use super::super::SHIPPED_NETWORK;
use super::*;

/// A network in the making; every node's output is named as it is asked for.
#[derive(Default)]
struct Builder {
    graph: GraphProto,
    seed: u64,
}

fn random(seed: u64, len: usize, low: f32, high: f32) -> Vec<f32> {
    let mut rng = Rng::new(seed, &[]);
    (0..len).map(|_| rng.uniform(low, high)).collect()
}

impl Builder {
    fn constant(&mut self, name: &str, shape: &[i64], values: &[f32]) {
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.graph.initializer.push(TensorProto {
            name: Some(name.to_owned()),
            dims: shape.to_vec(),
            data_type: Some(DataType::FLOAT),
            raw_data: Some(RefCell::new(bytes)),
            ..TensorProto::default()
        });
    }

    fn node(&mut self, kind: &str, inputs: &[&str], output: &str, attributes: &[(&str, &[i64])]) {
        let lists = ["kernel_shape", "strides", "pads", "axes"];
        let attribute = |&(name, ints): &(&str, &[i64])| AttributeProto {
            name: Some(name.to_owned()),
            i: (!lists.contains(&name)).then(|| ints[0]),
            ints: if lists.contains(&name) { ints.to_vec() } else { Vec::new() },
            r#type: Some(if lists.contains(&name) { AttributeType::INTS } else { AttributeType::INT }),
            ..AttributeProto::default()
        };
        self.graph.node.push(NodeProto {
            name: Some(output.to_owned()),
            op_type: Some(kind.to_owned()),
            input: inputs.iter().map(|&name| name.to_owned()).collect(),
            output: vec![output.to_owned()],
            attribute: attributes.iter().map(attribute).collect(),
            ..NodeProto::default()
        });
    }

    /// A convolution `[outs, ins, size, size]` and the normalisation of its result.
    fn normalised(&mut self, from: &str, to: &str, (outs, ins, size): (i64, i64, i64), step: i64) {
        self.seed += 10;
        let (conv, weights) = (format!("{to}.conv"), format!("{to}.weights"));
        let len = (outs * ins * size * size) as usize;
        let bound = (6.0 / (ins * size * size) as f32).sqrt();
        self.constant(&weights, &[outs, ins, size, size], &random(self.seed, len, -bound, bound));
        let pad = size / 2;
        let attributes: [(&str, &[i64]); 4] = [
            ("kernel_shape", &[size, size]),
            ("strides", &[step, step]),
            ("pads", &[pad, pad, pad, pad]),
            ("group", &[1]),
        ];
        self.node("Conv", &[from, &weights], &conv, &attributes);
        let names = ["scale", "shift", "mean", "variance"].map(|part| format!("{to}.{part}"));
        for (at, name) in names.iter().enumerate() {
            let low = if name.ends_with("scale") || name.ends_with("variance") { 0.5 } else { -0.5 };
            self.constant(name, &[outs], &random(self.seed + 1 + at as u64, outs as usize, low, 1.5));
        }
        let [scale, shift, mean, variance] = &names;
        self.node("BatchNormalization", &[&conv, scale, shift, mean, variance], to, &[]);
    }

    /// The ONNX file of the network from `image` to `output`.
    fn file(mut self, output: &str) -> Vec<u8> {
        let named = |name: &str| ValueInfoProto { name: Some(name.to_owned()), ..ValueInfoProto::default() };
        self.graph.input.push(named("image"));
        self.graph.output.push(named(output));
        let version = OperatorSetIdProto { version: Some(13), ..OperatorSetIdProto::default() };
        let model = ModelProto {
            ir_version: Some(8),
            graph: Some(self.graph),
            opset_import: vec![version],
            ..ModelProto::default()
        };
        model.write_buf().unwrap()
    }
}

/// Two blocks of a ResNet, one with a projection, and a linear layer: what torchvision exports.
fn resnet() -> Builder {
    let mut net = Builder::default();
    net.normalised("image", "stem", (20, 3, 7), 2);
    net.node("Relu", &["stem"], "stem.relu", &[]);
    let pool: [(&str, &[i64]); 3] = [("kernel_shape", &[3, 3]), ("strides", &[2, 2]), ("pads", &[1, 1, 1, 1])];
    net.node("MaxPool", &["stem.relu"], "pool", &pool);
    for (from, to, ins, step) in [("pool", "a", 20, 2), ("a", "b", 50, 1)] {
        let name = |part: &str| format!("{to}.{part}");
        net.normalised(from, &name("1"), (17, ins, 1), 1);
        net.node("Relu", &[&name("1")], &name("1r"), &[]);
        net.normalised(&name("1r"), &name("2"), (17, 17, 3), step);
        net.node("Relu", &[&name("2")], &name("2r"), &[]);
        net.normalised(&name("2r"), &name("3"), (50, 17, 1), 1);
        if ins == 50 {
            net.node("Identity", &[from], &name("past"), &[]);
        } else {
            net.normalised(from, &name("past"), (50, ins, 1), step);
        }
        net.node("Add", &[&name("3"), &name("past")], &name("sum"), &[]);
        net.node("Relu", &[&name("sum")], to, &[]);
    }
    net
}

/// The same output by `rten`.
fn by_rten(network: &[u8], image: &[f32], side: usize) -> (Vec<usize>, Vec<f32>) {
    let model = Model::load(network.to_vec()).unwrap();
    let input = Value::from_shape([1, 3, side, side], image.to_vec()).unwrap();
    let (from, to) = (model.input_ids()[0], model.output_ids()[0]);
    let output = model.run(vec![(from, input.into())], &[to], None).unwrap().pop().unwrap();
    let output = output.into_tensor::<f32>().unwrap();
    (output.shape().to_vec(), output.to_vec())
}

fn compare(network: &[u8], side: usize) {
    let net = ConvNet::new(&Graph::read(network, None).unwrap(), (side, side), None).expect("a network of ours");
    let mut memory = net.memory();
    for seed in 0..3 {
        let image = random(seed, 3 * side * side, -1.0, 1.0);
        let got = net.run(&mut memory, &image);
        let (shape, want) = by_rten(network, &image, side);
        assert_eq!((net.shape(), got.len()), (shape, want.len()));
        let length = |values: &[f32]| values.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt();
        let differences: Vec<f32> = got.iter().zip(&want).map(|(a, b)| a - b).collect();
        let (off, of) = (length(&differences), length(&want));
        assert!(off < 1e-5 * of && of > 0.0, "off by {off} of {of}");
        // What other images left in the buffers changes nothing.
        assert!(net.run(&mut net.memory(), &image) == got);
    }
}

#[test]
fn the_shipped_encoder_gives_the_features_of_rten() {
    compare(&zstd::decode_all(SHIPPED_NETWORK).unwrap(), 224);
}

#[test]
fn a_resnet_gives_the_features_of_rten() {
    let mut net = resnet();
    net.node("GlobalAveragePool", &["b"], "pooled", &[]);
    net.node("Flatten", &["pooled"], "row", &[("axis", &[1])]);
    net.constant("fc", &[9, 50], &random(5, 450, -1.0, 1.0));
    net.constant("fc.bias", &[9], &random(6, 9, -1.0, 1.0));
    net.node("Gemm", &["row", "fc", "fc.bias"], "scores", &[("transB", &[1])]);
    compare(&net.file("scores"), 61);
    // Not pooled: channels before rows again.
    compare(&resnet().file("b"), 40);
    let mut net = resnet();
    net.node("ReduceMean", &["b"], "mean", &[("axes", &[-2, -1]), ("keepdims", &[0])]);
    compare(&net.file("mean"), 40);
}

/// Each of these reads a value twice, so that nothing may be merged into the step that makes it.
#[test]
fn a_value_read_twice_stays() {
    let clamps: [&[(&str, &str)]; 3] =
        [&[("stem", "r"), ("r", "s")], &[("stem", "r"), ("stem", "s")], &[("same", "r"), ("stem", "s")]];
    for relus in clamps {
        let mut net = Builder::default();
        net.normalised("image", "stem", (20, 3, 3), 2);
        net.node("Identity", &["stem"], "same", &[]);
        for (from, to) in relus {
            net.node("Relu", &[from], to, &[]);
        }
        net.node("Add", &["s", "stem"], "sum", &[]);
        net.node("Add", &["sum", "r"], "end", &[]);
        compare(&net.file("end"), 17);
    }
}

#[test]
fn other_networks_are_left_to_rten() {
    for (kind, attributes) in [("Sigmoid", None), ("MaxPool", Some(("ceil_mode", 1)))] {
        let mut net = resnet();
        let ceil = attributes.map(|(name, value)| (name, vec![value]));
        let mut all: Vec<(&str, &[i64])> = ceil.iter().map(|(name, value)| (*name, value.as_slice())).collect();
        if kind == "MaxPool" {
            all.push(("kernel_shape", &[2, 2]));
        }
        net.node(kind, &["b"], "end", &all);
        assert!(ConvNet::new(&Graph::read(&net.file("end"), None).unwrap(), (40, 40), None).is_none(), "{kind}");
    }
    assert!(Graph::read(b"not a network", None).is_none_or(|graph| graph.nodes.is_empty()));
}
