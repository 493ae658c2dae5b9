//! Plumbing: one of our CPU kernels as a Burn operation with its own backward pass, on the Flex backend.
//!
//! Burn's `#[backend_extension]` macro would generate the same calls for every operation; the downcast here does it
//! once for all of them. Kernels see plain slices and never a Burn type.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, DispatchDevice, Flex};
use burn::tensor::{Device, Tensor, TensorData};

type Tracked = FloatTensor<Autodiff<Flex>>;

/// A row-major result of a kernel.
pub(super) struct Output {
    pub values: Vec<f32>,
    pub shape: Vec<usize>,
}

impl Output {
    pub fn new(values: Vec<f32>, shape: impl Into<Vec<usize>>) -> Output {
        Output { values, shape: shape.into() }
    }

    fn into_flex(self) -> FlexTensor {
        FlexTensor::from_data(TensorData::new(self.values, self.shape))
    }
}

/// A differentiable function of `N` row-major inputs. The implementing type holds the shapes and the plan.
pub(super) trait CustomOp<const N: usize>: Clone + Send + Sync + 'static {
    /// What the backward pass needs besides the inputs.
    type Saved: Send + Sync + 'static;

    /// The value, with nothing kept.
    fn infer(&self, inputs: [&[f32]; N]) -> Output {
        self.forward(inputs).0
    }

    /// The value and what the backward pass needs.
    fn forward(&self, inputs: [&[f32]; N]) -> (Output, Self::Saved);

    /// Gradients of the inputs from the gradient of the value; `wanted` says which are used.
    fn backward(
        &self,
        inputs: [&[f32]; N],
        saved: &Self::Saved,
        gradient: &[f32],
        wanted: [bool; N],
    ) -> [Option<Output>; N];
}

/// An input of a custom operation, with or without a graph behind it.
pub(super) enum Input {
    Plain(FlexTensor),
    Tracked(Tracked),
}

/// Whether `device` is the CPU backend that our kernels run on.
pub(super) fn is_flex(device: &Device) -> bool {
    matches!(device.clone().inner().as_dispatch(), DispatchDevice::Flex(_))
}

/// A tensor on the Flex backend as an input.
///
/// # Panics
/// If it lives elsewhere; callers choose by [`is_flex`].
pub(super) fn input<const D: usize>(tensor: Tensor<D>) -> Input {
    const MESSAGE: &str = "a float tensor on the Flex device";
    if tensor.is_autodiff() {
        Input::Tracked(tensor.try_into_primitive::<Autodiff<Flex>>().expect(MESSAGE))
    } else {
        Input::Plain(tensor.try_into_primitive::<Flex>().expect(MESSAGE))
    }
}

/// Runs `op`; records it for the backward pass if an input is tracked.
pub(super) fn apply<O: CustomOp<N>, const N: usize, const D: usize>(op: O, inputs: [Input; N]) -> Tensor<D> {
    if inputs.iter().all(|input| matches!(input, Input::Plain(_))) {
        let inputs = inputs.map(|input| match input {
            Input::Plain(tensor) => contiguous(tensor),
            Input::Tracked(tensor) => contiguous(tensor.into_primitive()),
        });
        return Tensor::from_primitive::<Flex>(op.infer(slices(&inputs)).into_flex());
    }
    let (mut values, mut nodes) = (Vec::with_capacity(N), Vec::with_capacity(N));
    for input in inputs {
        let tracked = match input {
            Input::Plain(tensor) => Tracked::new(tensor),
            Input::Tracked(tensor) => tensor,
        };
        let (value, node) = tracked.into_parts();
        values.push(contiguous(value));
        nodes.push(node);
    }
    let inputs: [FlexTensor; N] = exactly(values);
    let prepared = CustomBackward::<O>(PhantomData).prepare::<NoCheckpointing>(exactly(nodes)).compute_bound();
    let output = match prepared.stateful() {
        OpsKind::Tracked(prepared) => {
            let (value, saved) = op.forward(slices(&inputs));
            prepared.finish(State { op, inputs, saved: Arc::new(saved) }, value.into_flex())
        }
        OpsKind::UnTracked(prepared) => prepared.finish(op.infer(slices(&inputs)).into_flex()),
    };
    Tensor::from_primitive::<Autodiff<Flex>>(output)
}

fn exactly<T, const N: usize>(values: Vec<T>) -> [T; N] {
    values.try_into().unwrap_or_else(|_| unreachable!("one value per input"))
}

fn contiguous(tensor: FlexTensor) -> FlexTensor {
    if tensor.as_slice::<f32>().is_some() { tensor } else { tensor.to_contiguous() }
}

fn slices<const N: usize>(tensors: &[FlexTensor; N]) -> [&[f32]; N] {
    tensors.each_ref().map(|tensor| tensor.as_slice::<f32>().expect("made contiguous on entry"))
}

struct State<O: CustomOp<N>, const N: usize> {
    op: O,
    inputs: [FlexTensor; N],
    saved: Arc<O::Saved>,
}

impl<O: CustomOp<N>, const N: usize> Clone for State<O, N> {
    fn clone(&self) -> Self {
        State { op: self.op.clone(), inputs: self.inputs.clone(), saved: Arc::clone(&self.saved) }
    }
}

impl<O: CustomOp<N>, const N: usize> fmt::Debug for State<O, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::any::type_name::<O>())
    }
}

struct CustomBackward<O>(PhantomData<O>);

impl<O> fmt::Debug for CustomBackward<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::any::type_name::<O>())
    }
}

impl<O: CustomOp<N>, const N: usize> Backward<Flex, N> for CustomBackward<O> {
    type State = State<O, N>;

    fn backward(self, ops: Ops<State<O, N>, N>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = contiguous(gradients.consume::<Flex>(&ops.node));
        let State { op, inputs, saved } = ops.state;
        let wanted = ops.parents.each_ref().map(Option::is_some);
        let gradient = slices(std::array::from_ref(&gradient))[0];
        let results = op.backward(slices(&inputs), &saved, gradient, wanted);
        for (parent, result) in ops.parents.into_iter().zip(results) {
            if let (Some(parent), Some(result)) = (parent, result) {
                gradients.register::<Flex>(parent.id, result.into_flex());
            }
        }
    }
}
