//! The network behind a plain interface: numbers in, unit vectors out.

use burn::tensor::Tensor;

use super::batch::Batch;
use super::joint::Joint;
use super::params;
use crate::component::PerComponent;
use crate::config::Config;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::features::Dense;

/// Sizes that the features decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Shapes {
    /// Rows of the vocabulary.
    pub words: usize,
    /// Length of a word vector.
    pub word_dim: usize,
    /// Length of an image feature.
    pub image_dim: usize,
    /// Length of a user vector.
    pub user_dim: usize,
}

/// The joint model with its weights.
pub struct Network {
    joint: Joint,
    dim: usize,
    device: Device,
}

const SAME_MODEL: &str = "the weights must come from a model with the same configuration and features";

/// A named weight, as stored in safetensors: name, shape, row-major values.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedTensor {
    /// Dotted name, PyTorch's where the layer has a PyTorch counterpart.
    pub name: String,
    /// Shape.
    pub shape: Vec<usize>,
    /// Values.
    pub values: Vec<f32>,
}

impl Network {
    /// A freshly initialised network (`vsepp.md` section 1); word embedding rows start from `word_rows` `[words, word_dim]`.
    pub fn new(config: &Config, shapes: Shapes, word_rows: &Dense) -> Network {
        Self::new_on(config, shapes, word_rows, &Device::cpu())
    }

    /// [`Network::new`] on a device of choice, from the same initial weights.
    pub fn new_on(config: &Config, shapes: Shapes, word_rows: &Dense, device: &Device) -> Network {
        let joint = Joint::new(config, shapes, word_rows, device.handle());
        Network { joint, dim: config.model.dim, device: device.clone() }
    }

    /// Dimension of the joint space.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Components that the network has a branch for.
    pub fn components(&self) -> PerComponent<bool> {
        self.joint.components()
    }

    /// Unit vectors per component, `[rows of that component, dim]` in the order of the batch's rows.
    /// On the CPU a post's vector does not depend on the rest of the batch, bit for bit.
    pub fn embed(&self, batch: &Batch) -> PerComponent<Dense> {
        self.device.within(|| {
            let pass = self.joint.forward(batch, self.device.handle());
            pass.vectors.map(|vectors| Dense { dim: self.dim, values: vectors.map(params::values).unwrap_or_default() })
        })
    }

    /// All weights by name.
    pub fn tensors(&self) -> Vec<NamedTensor> {
        params::named(&self.joint)
    }

    /// Replaces all weights.
    ///
    /// # Errors
    /// If a name is missing, a shape differs, or the model has no place for a tensor: without it, it would be another model.
    pub fn load(&mut self, tensors: &[NamedTensor]) -> Result<()> {
        let wanted = params::shapes(&self.joint);
        let found = wanted.iter().map(|(name, shape)| find(tensors, name, shape)).collect::<Result<Vec<_>>>()?;
        if let Some(other) = tensors.iter().find(|t| wanted.iter().all(|(name, _)| *name != t.name)) {
            return Err(Error::input(format!("the model has no place for `{}`", other.name)).help(SAME_MODEL));
        }
        self.edit(|at, _, values| values.copy_from_slice(&found[at].values));
        Ok(())
    }

    /// The module, for training.
    pub(crate) fn joint(&self) -> &Joint {
        &self.joint
    }

    /// Where the weights live.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Edits every weight in place: position (in the order of [`Network::tensors`]), shape, values.
    pub(crate) fn edit(&mut self, edit: impl FnMut(usize, &[usize], &mut [f32])) {
        let joint = self.take();
        self.joint = params::edit(joint, edit);
    }

    /// Replaces every weight by a function of it, both as flat tensors on the device.
    pub(crate) fn replace(&mut self, replace: impl FnMut(Tensor<1>) -> Tensor<1>) {
        let joint = self.take();
        self.joint = params::replace(joint, replace);
    }

    /// The module must be moved, not cloned, through a change: a clone would share its memory.
    fn take(&mut self) -> Joint {
        std::mem::replace(&mut self.joint, Joint::hollow(self.device.handle()))
    }
}

/// The tensor called `name`, of the given shape.
///
/// # Errors
/// If there is none or its shape differs.
pub(crate) fn find<'a>(tensors: &'a [NamedTensor], name: &str, shape: &[usize]) -> Result<&'a NamedTensor> {
    let help = SAME_MODEL;
    let Some(tensor) = tensors.iter().find(|t| t.name == name) else {
        return Err(Error::input(format!("no tensor is called `{name}`")).help(help));
    };
    if tensor.shape != shape || tensor.values.len() != shape.iter().product::<usize>() {
        let what = format!("`{name}` has shape {:?} where the model has {shape:?}", tensor.shape);
        return Err(Error::input(what).help(help));
    }
    Ok(tensor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::Component;
    use crate::model::testing;

    #[test]
    fn a_vector_does_not_depend_on_its_batch() {
        let network = testing::network(1, 48);
        let batch = testing::batch(5, 70);
        let together = network.embed(&batch);
        for post in 0..batch.size as u32 {
            let alone = network.embed(&testing::only(&batch, post));
            for (component, rows) in testing::rows_of(&batch) {
                match rows.iter().position(|&row| row == post) {
                    Some(at) => {
                        assert_eq!(alone[component].values, together[component].row(at), "{component} of {post}")
                    }
                    None => assert!(alone[component].is_empty()),
                }
            }
        }
    }

    #[test]
    fn vectors_have_unit_length() {
        let network = testing::network(1, 48);
        for (component, vectors) in network.embed(&testing::batch(5, 70)).iter() {
            assert!(!vectors.is_empty());
            for i in 0..vectors.len() {
                let length: f32 = vectors.row(i).iter().map(|x| x * x).sum();
                assert!((length - 1.0).abs() < 1e-5, "{component}: {length}");
            }
        }
    }

    #[test]
    fn weights_travel_by_name() {
        let (mut a, b) = (testing::network(1, 16), testing::network(2, 16));
        assert_ne!(a.tensors(), b.tensors());
        a.load(&b.tensors()).expect("same shapes");
        assert_eq!(a.tensors(), b.tensors());
        let names: Vec<String> = a.tensors().into_iter().map(|t| t.name).collect();
        assert_eq!(names[..2], ["text.embedding.weight", "text.gru.weight_ih_l0"]);
        assert!(
            names.contains(&"location.texts.gru.bias_hh_l0".to_owned()) && names.contains(&"image.fc.bias".to_owned())
        );

        let mut fewer = b.tensors();
        fewer.remove(1);
        let error = a.load(&fewer).expect_err("a weight is missing").to_string();
        assert!(error.contains("text.gru.weight_ih_l0"), "{error}");
        let mut more = b.tensors();
        more.push(NamedTensor { name: "text.bag.bias".into(), shape: vec![1], values: vec![0.0] });
        let error = a.load(&more).expect_err("a weight too many").to_string();
        assert!(error.contains("no place for `text.bag.bias`"), "{error}");
        let error = a.load(&testing::network(1, 8).tensors()).expect_err("shapes differ").to_string();
        assert!(error.contains("[48, 12]") && error.contains("[24, 12]"), "{error}");
    }

    /// Leaving a branch out changes no other branch's initial weights.
    #[test]
    fn every_weight_has_its_own_stream() {
        let of = |components: &[Component]| {
            let config = Config { components: components.to_vec(), ..Config::default() };
            let shapes = Shapes { words: 3, word_dim: 2, image_dim: 4, user_dim: 2 };
            Network::new(&config, shapes, &Dense { dim: 2, values: vec![0.5; 6] }).tensors()
        };
        let all = of(&Component::ALL);
        for tensor in of(&[Component::Image, Component::Location]) {
            assert!(all.contains(&tensor), "{}", tensor.name);
        }
    }
}
