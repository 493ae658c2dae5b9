//! What runs an encoder: our own kernels where they know all its operators, `rten` otherwise.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rten::{Model, NodeId, RunOptions, ThreadPool, Value};
use rten_tensor::prelude::*;

use super::convnet::{ConvNet, Memory};
use super::onnx::Graph;
use super::preprocess::{Pooling, Preprocessing, TensorLayout};
use crate::error::{AtPath, Error, Result};

/// A network with its input and output. Which of the two it is depends on the file alone.
pub(super) enum Network {
    Ours(Box<ConvNet>),
    General { model: Box<Model>, input: NodeId, output: NodeId },
}

/// What one thread needs to run a [`Network`].
pub(super) enum Workspace {
    Ours(Memory),
    General(Arc<ThreadPool>),
}

impl Network {
    /// Opens the contents of an ONNX file.
    pub(super) fn of_bytes(network: Vec<u8>, preprocessing: &Preprocessing) -> Result<Network> {
        match ours(&network, None, preprocessing) {
            Some(net) => Ok(net),
            None => Self::general(Model::load(network).map_err(|e| unusable(&e))?, preprocessing),
        }
    }

    /// Opens an ONNX file; `data` is where its weights are if they are not in it.
    pub(super) fn of_file(file: &Path, data: &Path, preprocessing: &Preprocessing) -> Result<Network> {
        let network = fs::read(file).at(file)?;
        let weights = data.is_file().then(|| fs::read(data).at(data)).transpose()?;
        match ours(&network, weights.as_deref(), preprocessing) {
            Some(net) => Ok(net),
            None => Self::general(Model::load_file(file).map_err(|e| unusable(&e))?, preprocessing),
        }
    }

    /// Finds input and output of a network for `rten`.
    fn general(model: Model, preprocessing: &Preprocessing) -> Result<Network> {
        let &[input] = model.input_ids() else {
            let message = format!("an image encoder has one input, this network has {}", model.input_ids().len());
            let way_out = "the file may be empty or cut short: export it again (docs/encoders.md)";
            return Err(Error::input(message).help(way_out));
        };
        let output = match &preprocessing.output {
            Some(name) => model.find_node(name).ok_or_else(|| unknown_output(&model, name))?,
            None => *model.output_ids().first().ok_or_else(|| Error::input("the network has no output"))?,
        };
        Ok(Network::General { model: Box::new(model), input, output })
    }

    /// What a thread needs to call [`Network::run`].
    pub(super) fn workspace(&self) -> Workspace {
        match self {
            Network::Ours(net) => Workspace::Ours(net.memory()),
            Network::General { .. } => Workspace::General(Arc::new(ThreadPool::with_num_threads(1))),
        }
    }

    /// Shape and values of the output for one input of this shape.
    pub(super) fn run(
        &self,
        workspace: &mut Workspace,
        shape: [usize; 4],
        tensor: &[f32],
    ) -> Result<(Vec<usize>, Vec<f32>), String> {
        let failed = |what: &dyn std::fmt::Display| format!("the encoder failed ({what})");
        match (self, workspace) {
            (Network::Ours(net), Workspace::Ours(memory)) => Ok((net.shape(), net.run(memory, tensor))),
            (Network::General { model, input, output }, Workspace::General(pool)) => {
                let tensor = Value::from_shape(shape, tensor.to_vec()).map_err(|e| failed(&format!("{e:?}")))?;
                let options = RunOptions::default().with_thread_pool(Some(pool.clone()));
                let output = model
                    .run(vec![(*input, tensor.into())], &[*output], Some(options))
                    .map_err(|e| failed(&e))?
                    .pop()
                    .and_then(Value::into_tensor::<f32>)
                    .ok_or_else(|| failed(&"its output is not made of 32-bit floats"))?;
                Ok((output.shape().to_vec(), output.to_vec()))
            }
            _ => Err(failed(&"this worker was made by another one, which is a bug")),
        }
    }
}

impl Network {
    /// Regions and channels of the map before the pooling, for an output of shape `output`; `None` if there is no map.
    ///
    /// A network of ours is looked into; of any other the output is the map, where the preprocessing pools it.
    pub(super) fn map_shape(&self, pooling: Pooling, output: &[usize]) -> Option<[usize; 2]> {
        match (self, pooling, output) {
            (Network::Ours(net), ..) => {
                let (height, width, channels) = net.map_shape();
                Some([height * width, channels])
            }
            (Network::General { .. }, Pooling::Mean, &[1, channels, height, width]) => Some([height * width, channels]),
            _ => None,
        }
        .filter(|[regions, _]| *regions > 1)
    }

    /// The map `[regions, channels]` of [`Network::map_shape`] for one prepared image.
    pub(super) fn run_map(
        &self,
        workspace: &mut Workspace,
        shape: [usize; 4],
        tensor: &[f32],
    ) -> Result<Vec<f32>, String> {
        if let (Network::Ours(net), Workspace::Ours(memory)) = (self, &mut *workspace) {
            return Ok(net.run_map(memory, tensor));
        }
        let (shape, values) = self.run(workspace, shape, tensor)?;
        let &[_, channels, height, width] = shape.as_slice() else { return Err("the encoder has no map".to_owned()) };
        let regions = height * width;
        Ok((0..regions)
            .flat_map(|at| (0..channels).map(move |c| (at, c)))
            .map(|(at, c)| values[c * regions + at])
            .collect())
    }
}

fn ours(network: &[u8], data: Option<&[u8]>, preprocessing: &Preprocessing) -> Option<Network> {
    if preprocessing.layout != TensorLayout::Nchw {
        return None;
    }
    let [_, _, height, width] = preprocessing.shape();
    let graph = Graph::read(network, data)?;
    ConvNet::new(&graph, (height, width), preprocessing.output.as_deref()).map(|net| Network::Ours(Box::new(net)))
}

fn unusable(error: &dyn std::fmt::Display) -> Error {
    Error::input(format!("not a usable ONNX file: {error}"))
        .help("export with opset 13 to 20 and without custom operators")
}

fn unknown_output(model: &Model, name: &str) -> Error {
    let names: Vec<&str> =
        model.output_ids().iter().filter_map(|&id| model.node_info(id).and_then(|info| info.name())).collect();
    Error::input(format!("the network has no output `{name}`")).help(format!("its outputs are {}", names.join(", ")))
}
