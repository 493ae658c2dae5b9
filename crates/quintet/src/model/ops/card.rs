//! The GRU for graphics cards: ordinary Burn operations with a backward pass of its own.
//!
//! A card spends its time on starting operations, and what Burn derives for the backward pass of
//! [`super::ordinary::gru_last`] starts several for each slice. Here a step takes about twenty, either way.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, DispatchKindConversion, DispatchTensor, Flex};
use burn::tensor::activation::sigmoid;
use burn::tensor::{IndexingUpdateOp, Tensor};

use super::{GruWeights, Texts, custom, ordinary};

/// See [`super::gru_last`].
pub fn gru_last(rows: Tensor<2>, texts: &Arc<Texts>, weights: GruWeights) -> Tensor<2> {
    let plan = Arc::new(Plan::new(texts));
    let hidden = weights.hidden.dims()[1];
    if plan.steps.is_empty() {
        return Tensor::zeros([plan.order.len(), hidden], &rows.device());
    }
    let from_input = ordinary::linear(rows, weights.input, weights.input_bias);
    let inputs = [from_input, weights.hidden, weights.hidden_bias.unsqueeze()];
    #[cfg(any(feature = "wgpu", feature = "cuda"))]
    if !custom::is_flex(&inputs[0].device()) {
        return apply::<burn::backend::Cube>(&plan, inputs);
    }
    assert!(custom::is_flex(&inputs[0].device()), "a device of this build");
    apply::<Flex>(&plan, inputs)
}

/// Which text reads what when.
#[derive(Debug)]
struct Plan {
    /// The texts, longest first: those that still run at a step are a prefix.
    order: Vec<u32>,
    /// Where each text stands in `order`.
    place: Vec<u32>,
    /// Input row of every token, step after step and in the order of the texts.
    reads: Vec<u32>,
    /// First of `reads` and number of texts that run, for each step.
    steps: Vec<(usize, usize)>,
}

impl Plan {
    fn new(texts: &Texts) -> Plan {
        let tokens = texts.positions();
        let length = |text: u32| tokens.get(text as usize).len();
        let mut order: Vec<u32> = (0..tokens.len() as u32).collect();
        order.sort_by_key(|&text| std::cmp::Reverse(length(text)));
        let (mut reads, mut steps) = (Vec::new(), Vec::new());
        for step in 0..order.first().map_or(0, |&text| length(text)) {
            let running = order.iter().take_while(|&&text| length(text) > step);
            let from = reads.len();
            reads.extend(running.map(|&text| tokens.get(text as usize)[step]));
            steps.push((from, reads.len() - from));
        }
        let mut place = vec![0; order.len()];
        order.iter().zip(0..).for_each(|(&text, at)| place[text as usize] = at);
        Plan { order, place, reads, steps }
    }
}

/// What the backward pass needs of a step: the state before it, the gates, and what the reset gate is multiplied to.
#[derive(Clone, Debug)]
struct Kept {
    before: Tensor<2>,
    reset: Tensor<2>,
    update: Tensor<2>,
    new: Tensor<2>,
    recurrent: Tensor<2>,
}

/// Input rows `[distinct, 3 h]`, weights `[3 h, h]` and bias `[1, 3 h]`, none tracked; the last states `[texts, h]`.
fn forward(plan: &Plan, [x, weight, bias]: [Tensor<2>; 3]) -> (Tensor<2>, Vec<Kept>) {
    let (device, h) = (x.device(), weight.dims()[1]);
    let read = x.select(0, ordinary::indices(plan.reads.iter().copied(), &device));
    let weight = weight.transpose();
    let mut state = Tensor::<2>::zeros([plan.order.len(), h], &device);
    let (mut kept, mut finished) = (Vec::with_capacity(plan.steps.len()), Vec::new());
    for &(from, running) in &plan.steps {
        let before = state.dims()[0];
        if running < before {
            finished.push(state.clone().slice([running..before, 0..h]));
            state = state.slice([0..running, 0..h]);
        }
        let of_input = |gates: std::ops::Range<usize>| read.clone().slice([from..from + running, gates]);
        let y = state.clone().matmul(weight.clone()) + bias.clone();
        let gates = sigmoid(of_input(0..2 * h) + y.clone().slice([0..running, 0..2 * h]));
        let reset = gates.clone().slice([0..running, 0..h]);
        let update = gates.slice([0..running, h..2 * h]);
        let recurrent = y.slice([0..running, 2 * h..3 * h]);
        let new = (of_input(2 * h..3 * h) + reset.clone() * recurrent.clone()).tanh();
        let before = state;
        state = new.clone() + update.clone() * (before.clone() - new.clone());
        kept.push(Kept { before, reset, update, new, recurrent });
    }
    finished.push(state);
    finished.reverse();
    let last = Tensor::cat(finished, 0).select(0, ordinary::indices(plan.place.iter().copied(), &device));
    (last, kept)
}

/// Gradients of the three inputs of [`forward`], of which x has `distinct` rows, from that of the last states.
fn backward(plan: &Plan, distinct: usize, weight: &Tensor<2>, kept: Vec<Kept>, gradient: Tensor<2>) -> [Tensor<2>; 3] {
    let (device, h) = (gradient.device(), weight.dims()[1]);
    let gradient = gradient.select(0, ordinary::indices(plan.order.iter().copied(), &device));
    let of_rows = |rows: std::ops::Range<usize>| gradient.clone().slice([rows, 0..h]);
    let mut after = of_rows(0..plan.steps.last().map_or(0, |step| step.1));
    let (mut of_x, mut of_y, mut states) = (Vec::new(), Vec::new(), Vec::new());
    for (step, kept) in kept.into_iter().enumerate().rev() {
        let Kept { before, reset, update, new, recurrent } = kept;
        let keeps = update.clone() * after.clone();
        // What is before the activations of the gates: a = da/d(tanh), and so on.
        let of_new = (after.clone() - keeps.clone()) * (new.clone().square().neg() + 1.0);
        let of_update = keeps.clone() * (before.clone() - new) * (update.neg() + 1.0);
        let of_recurrent = of_new.clone() * reset.clone();
        let of_reset = of_recurrent.clone() * recurrent * (reset.neg() + 1.0);
        of_x.push(Tensor::cat(vec![of_reset.clone(), of_update.clone(), of_new], 1));
        let y = Tensor::cat(vec![of_reset, of_update, of_recurrent], 1);
        if step > 0 {
            after = keeps + y.clone().matmul(weight.clone());
            let (now, earlier) = (plan.steps[step].1, plan.steps[step - 1].1);
            if now < earlier {
                after = Tensor::cat(vec![after, of_rows(now..earlier)], 0);
            }
        }
        of_y.push(y);
        states.push(before);
    }
    of_x.reverse();
    let (of_y, states) = (Tensor::cat(of_y, 0), Tensor::cat(states, 0));
    let reads = ordinary::indices(plan.reads.iter().copied(), &device);
    let none = Tensor::<2>::zeros([distinct, 3 * h], &device);
    let of_x = none.select_assign(0, reads, Tensor::cat(of_x, 0), IndexingUpdateOp::Add);
    [of_x, of_y.clone().transpose().matmul(states), of_y.sum_dim(0)]
}

/// What every tensor here is: [`gru_last`] looked at the device.
const MESSAGE: &str = "a float tensor on the device that was looked at";

/// Runs the GRU on backend `B`; records it for the backward pass if an input is tracked.
fn apply<B: Backend>(plan: &Arc<Plan>, inputs: [Tensor<2>; 3]) -> Tensor<2>
where
    DispatchTensor: DispatchKindConversion<B> + DispatchKindConversion<Autodiff<B>>,
{
    if !inputs.iter().any(Tensor::is_autodiff) {
        return forward(plan, inputs).0;
    }
    let tracked = inputs.map(|input| -> FloatTensor<Autodiff<B>> {
        if input.is_autodiff() {
            input.try_into_primitive::<Autodiff<B>>().expect(MESSAGE)
        } else {
            FloatTensor::<Autodiff<B>>::new(input.try_into_primitive::<B>().expect(MESSAGE))
        }
    });
    let parts = tracked.map(|tensor| {
        let (value, node) = tensor.into_parts();
        (Tensor::<2>::from_primitive::<B>(value), node)
    });
    let values = parts.each_ref().map(|(value, _)| value.clone());
    let (distinct, weight) = (values[0].dims()[0], values[1].clone());
    let (last, kept) = forward(plan, values);
    let last = last.try_into_primitive::<B>().expect(MESSAGE);
    let prepared =
        GruBackward::<B>(PhantomData).prepare::<NoCheckpointing>(parts.map(|(_, node)| node)).compute_bound();
    let output = match prepared.stateful() {
        OpsKind::Tracked(prepared) => prepared.finish(State { plan: Arc::clone(plan), distinct, weight, kept }, last),
        OpsKind::UnTracked(prepared) => prepared.finish(last),
    };
    Tensor::from_primitive::<Autodiff<B>>(output)
}

#[derive(Clone, Debug)]
struct State {
    plan: Arc<Plan>,
    distinct: usize,
    weight: Tensor<2>,
    kept: Vec<Kept>,
}

struct GruBackward<B>(PhantomData<B>);

impl<B> fmt::Debug for GruBackward<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("gru_last")
    }
}

impl<B: Backend> Backward<B, 3> for GruBackward<B>
where
    DispatchTensor: DispatchKindConversion<B>,
{
    type State = State;

    fn backward(self, ops: Ops<State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = Tensor::<2>::from_primitive::<B>(gradients.consume::<B>(&ops.node));
        let State { plan, distinct, weight, kept } = ops.state;
        let found = backward(&plan, distinct, &weight, kept, gradient);
        for (parent, found) in ops.parents.into_iter().zip(found) {
            if let Some(parent) = parent {
                gradients.register::<B>(parent.id, found.try_into_primitive::<B>().expect(MESSAGE));
            }
        }
    }
}
