//! The weights of a module by name: reading them, editing them in place, taking their gradients.

use burn::backend::Flex;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor, TensorData};

use super::network::NamedTensor;
use super::ops::has_kernels;

/// All weights with dotted names (`text.gru.weight_ih_l0`), in the order of the module.
pub fn named<M: Module>(module: &M) -> Vec<NamedTensor> {
    let mut found = Vec::new();
    let see =
        |name: String, shape, values: &dyn Fn() -> Vec<f32>| found.push(NamedTensor { name, shape, values: values() });
    module.visit(&mut Read { path: Vec::new(), see });
    found
}

/// Names and shapes of all weights, in the order of [`named`].
pub fn shapes<M: Module>(module: &M) -> Vec<(String, Vec<usize>)> {
    let mut found = Vec::new();
    module
        .visit(&mut Read { path: Vec::new(), see: |name, shape, _: &dyn Fn() -> Vec<f32>| found.push((name, shape)) });
    found
}

/// Gradients of all weights in the order of [`named`], flat and on the device; `None` where a weight took no part.
pub fn gradients<M: Module>(module: &M, gradients: &mut Gradients) -> Vec<Option<Tensor<1>>> {
    let mut visitor = TakeGradients { gradients, found: Vec::new() };
    module.visit(&mut visitor);
    visitor.found
}

/// Calls `edit` with position (in the order of [`named`]), shape and values of every weight.
///
/// On the CPU the values are the weight's own memory: nothing else may hold a reference to it, or the edit would go to a
/// full copy (asserted). On other devices the values travel to the host and back.
pub fn edit<M: Module>(module: M, edit: impl FnMut(usize, &[usize], &mut [f32])) -> M {
    module.map(&mut Edit { at: 0, edit })
}

/// Replaces every weight, in the order of [`named`], by `replace` of it; both flat and on the device.
pub fn replace<M: Module>(module: M, replace: impl FnMut(Tensor<1>) -> Tensor<1>) -> M {
    module.map(&mut Replace { replace })
}

/// The values of a tensor.
pub fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec::<f32>().expect("weights and gradients are f32")
}

struct Read<F> {
    path: Vec<String>,
    see: F,
}

impl<F: FnMut(String, Vec<usize>, &dyn Fn() -> Vec<f32>)> ModuleVisitor for Read<F> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        (self.see)(self.path.join("."), tensor.dims().to_vec(), &|| values(tensor.clone()));
    }
}

struct TakeGradients<'a> {
    gradients: &'a mut Gradients,
    found: Vec<Option<Tensor<1>>>,
}

impl ModuleVisitor for TakeGradients<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.found.push(param.val().grad_remove(self.gradients).map(|gradient| gradient.flatten(0, D - 1)));
    }
}

struct Edit<F> {
    at: usize,
    edit: F,
}

impl<F: FnMut(usize, &[usize], &mut [f32])> ModuleMapper for Edit<F> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let at = self.at;
        self.at += 1;
        param.map(|tensor| {
            let (shape, device) = (tensor.dims(), tensor.device());
            if has_kernels(&device) {
                let mut primitive = tensor.try_into_primitive::<Flex>().expect("a weight without a graph");
                assert!(primitive.is_unique(), "a live clone of the weights turns every step into a copy");
                (self.edit)(at, &shape, primitive.storage_mut::<f32>());
                Tensor::from_primitive::<Flex>(primitive)
            } else {
                let mut data = values(tensor);
                (self.edit)(at, &shape, &mut data);
                Tensor::from_data(TensorData::new(data, shape), &device)
            }
        })
    }
}

struct Replace<F> {
    replace: F,
}

impl<F: FnMut(Tensor<1>) -> Tensor<1>> ModuleMapper for Replace<F> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|tensor| {
            let shape = tensor.dims();
            (self.replace)(tensor.flatten(0, D - 1)).reshape(shape)
        })
    }
}
