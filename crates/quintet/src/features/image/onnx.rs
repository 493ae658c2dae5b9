//! ONNX files as a list of nodes with their constants: what [`super::convnet`] is made of.

use std::collections::HashMap;

use half::f16;
use rten_onnx::onnx::{AttributeProto, DataLocation, DataType, ModelProto, NodeProto, TensorProto};

/// A network without what only makes constants.
pub(super) struct Graph {
    /// In the order of computation.
    pub(super) nodes: Vec<NodeProto>,
    pub(super) constants: HashMap<String, Constant>,
    /// Names of the inputs that are no constants.
    pub(super) inputs: Vec<String>,
    pub(super) outputs: Vec<String>,
}

/// A tensor that doesn't depend on the input.
#[derive(Clone)]
pub(super) struct Constant {
    pub(super) shape: Vec<usize>,
    pub(super) values: Values,
}

/// The values of a [`Constant`], as many as its shape says.
#[derive(Clone)]
pub(super) enum Values {
    Floats(Vec<f32>),
    Integers(Vec<i64>),
}

impl Graph {
    /// Reads an ONNX file; `data` holds the weights that PyTorch put beside the network. `None` where something is not
    /// as expected: then another reader shall say what.
    pub(super) fn read(network: &[u8], data: Option<&[u8]>) -> Option<Graph> {
        let graph = ModelProto::parse_buf(network).ok()?.graph?;
        let mut constants = HashMap::new();
        for tensor in &graph.initializer {
            constants.insert(tensor.name.clone()?, Constant::read(tensor, data)?);
        }
        let mut nodes = Vec::new();
        for node in graph.node {
            match folded(&node, &constants, data) {
                Some(constant) => {
                    constants.insert(node.output.into_iter().next()?, constant);
                }
                None => nodes.push(node),
            }
        }
        let inputs = graph.input.into_iter().filter_map(|i| i.name).filter(|n| !constants.contains_key(n)).collect();
        let outputs = graph.output.into_iter().filter_map(|o| o.name).collect();
        Some(Graph { nodes, constants, inputs, outputs })
    }

    /// The constant of 32-bit floats that is input `at` of `node`, with its shape.
    pub(super) fn floats(&self, node: &NodeProto, at: usize) -> Option<(&[usize], &[f32])> {
        let constant = self.constants.get(input(node, at)?)?;
        match &constant.values {
            Values::Floats(values) => Some((&constant.shape, values)),
            Values::Integers(_) => None,
        }
    }

    /// The constant integers that are input `at` of `node` or, in older versions of the operator, its attribute.
    pub(super) fn integers<'a>(&'a self, node: &'a NodeProto, at: usize, attribute: &str) -> Option<&'a [i64]> {
        match input(node, at) {
            Some(name) => match &self.constants.get(name)?.values {
                Values::Integers(values) => Some(values),
                Values::Floats(_) => None,
            },
            None => self::attribute(node, attribute).map(|a| a.ints.as_slice()),
        }
    }
}

/// The name of input `at`, if it is given.
pub(super) fn input(node: &NodeProto, at: usize) -> Option<&str> {
    node.input.get(at).map(String::as_str).filter(|name| !name.is_empty())
}

/// The attribute of this name.
pub(super) fn attribute<'a>(node: &'a NodeProto, name: &str) -> Option<&'a AttributeProto> {
    node.attribute.iter().find(|a| a.name.as_deref() == Some(name))
}

/// The whole number of this name.
pub(super) fn integer(node: &NodeProto, name: &str, default: i64) -> i64 {
    attribute(node, name).and_then(|a| a.i).unwrap_or(default)
}

/// The float of this name.
pub(super) fn float(node: &NodeProto, name: &str, default: f32) -> f32 {
    attribute(node, name).and_then(|a| a.f).unwrap_or(default)
}

/// The result of a node that only depends on constants.
fn folded(node: &NodeProto, constants: &HashMap<String, Constant>, data: Option<&[u8]>) -> Option<Constant> {
    let constant = || constants.get(input(node, 0)?);
    match node.op_type.as_deref()? {
        "Constant" => Constant::read(attribute(node, "value")?.t.as_ref()?, data),
        "Identity" => constant().cloned(),
        // Half precision became single precision when it was read.
        "Cast" if integer(node, "to", 0) == i64::from(DataType::FLOAT.0) => {
            constant().filter(|c| matches!(c.values, Values::Floats(_))).cloned()
        }
        _ => None,
    }
}

impl Constant {
    fn read(tensor: &TensorProto, data: Option<&[u8]>) -> Option<Constant> {
        let shape = tensor.dims.iter().map(|&d| usize::try_from(d).ok()).collect::<Option<Vec<_>>>()?;
        let raw = tensor.raw_data.as_ref().map(|raw| raw.borrow());
        let raw = match tensor.data_location {
            Some(DataLocation::EXTERNAL) => Some(outside(tensor, data?)?),
            _ => raw.as_ref().map(|raw| raw.as_slice()),
        };
        let values = match (tensor.data_type?, raw) {
            (DataType::FLOAT, Some(raw)) => Values::Floats(numbers(raw, f32::from_le_bytes)),
            (DataType::FLOAT, None) => Values::Floats(tensor.float_data.clone()),
            (DataType::FLOAT16, Some(raw)) => Values::Floats(numbers(raw, |b| f16::from_le_bytes(b).to_f32())),
            (DataType::INT64, Some(raw)) => Values::Integers(numbers(raw, i64::from_le_bytes)),
            (DataType::INT64, None) => Values::Integers(tensor.int64_data.clone()),
            // Of no use to an image network, but no reason to refuse it either.
            _ => return Some(Constant { shape: vec![0], values: Values::Integers(Vec::new()) }),
        };
        let len = match &values {
            Values::Floats(values) => values.len(),
            Values::Integers(values) => values.len(),
        };
        let expected = shape.iter().try_fold(1usize, |len, &d| len.checked_mul(d))?;
        (len == expected).then_some(Constant { shape, values })
    }
}

/// The bytes of a tensor that lies in the file beside the network.
fn outside<'a>(tensor: &TensorProto, data: &'a [u8]) -> Option<&'a [u8]> {
    let entry = |key: &str| tensor.external_data.iter().find(|e| e.key.as_deref() == Some(key))?.value.as_deref();
    let offset = entry("offset").map_or(Some(0), |text| text.parse::<usize>().ok())?;
    let rest = data.get(offset..)?;
    match entry("length") {
        Some(length) => rest.get(..length.parse().ok()?),
        None => Some(rest),
    }
}

fn numbers<const N: usize, T>(raw: &[u8], number: impl Fn([u8; N]) -> T) -> Vec<T> {
    raw.as_chunks::<N>().0.iter().map(|&bytes| number(bytes)).collect()
}
