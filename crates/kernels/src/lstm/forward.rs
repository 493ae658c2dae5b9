//! The LSTM forwards.

use super::{Plan, Saved, Weights};
use crate::math::{sigmoid, tanh};
use crate::matmul::{Mat, PackedB, matmul_as, matmul_packed};
use crate::scratch::Scratch;
use crate::simd;
use crate::threads::rows_per_job;
use rayon::prelude::*;

/// States `[rows of the plan, h]`, and what [`super::backward`] needs. `x` is `[distinct tokens, e]`, the rows of
/// [`Plan::distinct`].
///
/// # Panics
/// If a slice doesn't have the shape that [`Weights`] and the plan say.
pub fn forward(plan: &Plan, x: &[f32], weights: &Weights) -> (Vec<f32>, Saved) {
    let saved = states(plan, x, weights);
    (written(plan, &saved.states, weights.h), saved)
}

/// The states of [`forward`], same bits, without keeping anything for a backward pass.
///
/// # Panics
/// As [`forward`].
pub fn infer(plan: &Plan, x: &[f32], weights: &Weights) -> Vec<f32> {
    forward(plan, x, weights).0
}

/// Gates, cells and states of all nodes.
fn states(plan: &Plan, x: &[f32], weights: &Weights) -> Saved {
    weights.check(plan, x);
    let Weights { e, h, precision, .. } = *weights;
    let (tree, distinct, nodes) = (plan.tree(), plan.distinct().len(), plan.nodes());
    let mut inputs = Scratch::new(distinct * 4 * h);
    matmul_as(precision, &mut inputs, Mat::new(x, distinct, e), Mat::new(weights.w_ih, 4 * h, e).t(), false);
    let bias: Vec<f32> = weights.b_ih.iter().zip(weights.b_hh).map(|(i, h)| i + h).collect();
    let recurrent = PackedB::new(Mat::new(weights.w_hh, 4 * h, h).t(), precision);
    let widest = (0..tree.longest()).map(|depth| tree.at(depth).len()).max().unwrap_or(0);
    // W_hh h of the nodes one shorter: once for all children of a node.
    let mut products = Scratch::new(widest * 4 * h);
    let zeros = vec![0.0; 4 * h];
    let mut saved =
        Saved { gates: Scratch::new(nodes * 4 * h), cells: Scratch::new(nodes * h), states: Scratch::new(nodes * h) };
    for depth in 0..tree.longest() {
        let here = tree.at(depth);
        let before = if depth > 0 { tree.at(depth - 1) } else { 0..0 };
        let (old_states, states) = saved.states.split_at_mut(here.start * h);
        let (old_cells, cells) = saved.cells.split_at_mut(here.start * h);
        if depth > 0 {
            let old = Mat::new(&old_states[before.start * h..], before.len(), h);
            matmul_packed(&mut products[..before.len() * 4 * h], old, &recurrent, false);
        }
        let jobs = (
            saved.gates[here.start * 4 * h..here.end * 4 * h].par_chunks_mut(4 * h),
            cells[..here.len() * h].par_chunks_mut(h),
            states[..here.len() * h].par_chunks_mut(h),
        );
        jobs.into_par_iter().with_min_len(rows_per_job(h)).enumerate().for_each(|(i, (gates, cell, state))| {
            let node = here.start + i;
            let input = &inputs[tree.row(node) * 4 * h..][..4 * h];
            let (product, old) = if depth > 0 {
                let parent = plan.parent(node);
                (&products[(parent - before.start) * 4 * h..][..4 * h], &old_cells[parent * h..][..h])
            } else {
                (&zeros[..], &zeros[..h])
            };
            simd::run(Gates { input, product, bias: &bias, old, gates, cell, state });
        });
    }
    saved
}

/// `[rows of the plan, h]`: the states where they are wanted, zeros elsewhere.
fn written(plan: &Plan, states: &[f32], h: usize) -> Vec<f32> {
    let mut out = vec![0.0; plan.rows() * h];
    out.par_chunks_mut(h).with_min_len(rows_per_job(h)).enumerate().for_each(|(row, out)| {
        if let Some(node) = plan.node(row) {
            out.copy_from_slice(&states[node * h..][..h]);
        }
    });
    out
}

/// The gates of one node.
struct Gates<'a> {
    /// `[4 h]`: W_ih x.
    input: &'a [f32],
    /// `[4 h]`: W_hh h.
    product: &'a [f32],
    /// `[4 h]`: both biases.
    bias: &'a [f32],
    /// `[h]`: c before.
    old: &'a [f32],
    /// `[4 h]`: i, f, g, o.
    gates: &'a mut [f32],
    /// `[h]`: c after.
    cell: &'a mut [f32],
    /// `[h]`: h after.
    state: &'a mut [f32],
}

impl simd::Task for Gates<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let h = self.state.len();
        let (cell, state, old) = (&mut self.cell[..h], &mut self.state[..h], &self.old[..h]);
        let sums = self.input[..4 * h].iter().zip(&self.product[..4 * h]).zip(&self.bias[..4 * h]);
        for (gate, ((input, product), bias)) in self.gates.iter_mut().zip(sums) {
            *gate = input + product + bias;
        }
        let (i, rest) = self.gates.split_at_mut(h);
        let (f, rest) = rest.split_at_mut(h);
        let (g, o) = rest.split_at_mut(h);
        let (f, g, o) = (&mut f[..h], &mut g[..h], &mut o[..h]);
        for j in 0..h {
            (i[j], f[j], g[j], o[j]) = (sigmoid(i[j]), sigmoid(f[j]), tanh(g[j]), sigmoid(o[j]));
            cell[j] = f[j].mul_add(old[j], i[j] * g[j]);
            state[j] = o[j] * tanh(cell[j]);
        }
    }
}
