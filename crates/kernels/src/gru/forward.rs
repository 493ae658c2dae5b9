//! The GRU forwards.

use super::{Plan, Saved, Weights};
use crate::math::{sigmoid, tanh};
use crate::matmul::{Mat, PackedB, matmul_as, matmul_packed};
use crate::scratch::Scratch;
use crate::simd;
use crate::threads::{Shared, rows_per_job};
use rayon::prelude::*;

/// Last states `[sequences, h]` in the caller's order, and what [`super::backward`] needs. `x` is
/// `[distinct tokens, e]`, the rows of [`Plan::distinct`].
///
/// # Panics
/// If a slice doesn't have the shape that [`Weights`] and the plan say.
pub fn forward(plan: &Plan, x: &[f32], weights: &Weights) -> (Vec<f32>, Saved) {
    let (h, first) = (weights.h, plan.at(0).len());
    let mut saved =
        Saved { gates: Scratch::new(plan.nodes() * 4 * h), before: Scratch::new((plan.nodes() - first) * h) };
    let Saved { gates, before } = &mut saved;
    let mut last = vec![0.0; plan.len() * h];
    let mut cell = Cell::new(plan, x, weights);
    let (mut before, mut after) = (&mut [][..], &mut before[..]);
    for depth in 0..plan.longest() {
        let next;
        (next, after) = after.split_at_mut(plan.at(depth + 1).len() * h);
        let nodes = plan.at(depth);
        let gates = &mut gates[nodes.start * 4 * h..nodes.end * 4 * h];
        cell.step(plan, depth, before, next, &mut last, gates.par_chunks_mut(4 * h).map(Some));
        before = next;
    }
    (last, saved)
}

/// The last states of [`forward`], same bits, without keeping anything for a backward pass.
///
/// # Panics
/// As [`forward`].
pub fn infer(plan: &Plan, x: &[f32], weights: &Weights) -> Vec<f32> {
    let h = weights.h;
    let widest = (1..plan.longest()).map(|depth| plan.at(depth).len()).max().unwrap_or(0);
    let (mut before, mut after) = (Scratch::new(widest * h), Scratch::new(widest * h));
    let mut last = vec![0.0; plan.len() * h];
    let mut cell = Cell::new(plan, x, weights);
    for depth in 0..plan.longest() {
        let nodes = plan.at(depth).len();
        let gates = (0..nodes).into_par_iter().map(|_| None);
        let next = &mut after[..plan.at(depth + 1).len() * h];
        cell.step(plan, depth, &before[..if depth > 0 { nodes * h } else { 0 }], next, &mut last, gates);
        std::mem::swap(&mut before, &mut after);
    }
    last
}

/// What doesn't change from step to step, and room for the products of one.
struct Cell {
    /// `[distinct tokens, 3 h]`: W_ih x.
    inputs: Scratch,
    /// W_hh, transposed and packed.
    recurrent: PackedB,
    /// `[4 h]`: b_ir + b_hr, b_iz + b_hz, b_in, b_hn.
    bias: Vec<f32>,
    /// `[nodes of a length, 3 h]`: W_hh h.
    products: Scratch,
    zeros: Vec<f32>,
    h: usize,
}

impl Cell {
    fn new(plan: &Plan, x: &[f32], weights: &Weights) -> Self {
        weights.check(plan, x);
        let Weights { e, h, precision, .. } = *weights;
        let distinct = plan.distinct().len();
        let mut inputs = Scratch::new(distinct * 3 * h);
        matmul_as(precision, &mut inputs, Mat::new(x, distinct, e), Mat::new(weights.w_ih, 3 * h, e).t(), false);
        let mut bias: Vec<f32> = weights.b_ih.iter().zip(weights.b_hh).map(|(i, h)| i + h).collect();
        bias[2 * h..].copy_from_slice(&weights.b_ih[2 * h..]);
        bias.extend_from_slice(&weights.b_hh[2 * h..]);
        // A product with the zero state is skipped, so the weights are needed from the second token on.
        let recurrent = if plan.longest() > 1 { Mat::new(weights.w_hh, 3 * h, h).t() } else { Mat::new(&[], 0, 0) };
        let widest = (1..plan.longest()).map(|depth| plan.at(depth).len()).max().unwrap_or(0);
        Self {
            inputs,
            recurrent: PackedB::new(recurrent, precision),
            bias,
            products: Scratch::new(widest * 3 * h),
            zeros: vec![0.0; 3 * h],
            h,
        }
    }

    /// The states of the nodes of length `depth + 1` from those `before` them `[nodes, h]` (none at depth 0), written
    /// where they are needed: before each child, `after` `[nodes one longer, h]`, and to the sequences that end, `last`.
    fn step<'a>(
        &mut self,
        plan: &Plan,
        depth: usize,
        before: &[f32],
        after: &mut [f32],
        last: &mut [f32],
        gates: impl IndexedParallelIterator<Item = Option<&'a mut [f32]>>,
    ) {
        let (h, nodes, children) = (self.h, plan.at(depth), plan.at(depth + 1));
        let products = &mut self.products[..if depth > 0 { nodes.len() * 3 * h } else { 0 }];
        if depth > 0 {
            matmul_packed(products, Mat::new(before, nodes.len(), h), &self.recurrent, false);
        }
        let (cell, products) = (&*self, &self.products[..]);
        let (after, last) = (Shared::new(after), Shared::new(last));
        gates.with_min_len(rows_per_job(h)).enumerate().for_each_init(
            || vec![0.0; h],
            |state, (i, gates)| {
                let node = nodes.start + i;
                let (old, product) = if depth > 0 {
                    (&before[i * h..][..h], &products[i * 3 * h..][..3 * h])
                } else {
                    (&cell.zeros[..h], &cell.zeros[..])
                };
                let input = &cell.inputs[plan.row(node) * 3 * h..][..3 * h];
                simd::run(Gates { input, product, bias: &cell.bias, old, state, gates });
                for child in plan.children(node) {
                    // SAFETY: a node has one parent, so nobody else writes its row; the rows are those of `children`.
                    unsafe { after.slice((child - children.start) * h, h) }.copy_from_slice(state);
                }
                for &sequence in plan.ended(node) {
                    // SAFETY: a sequence ends with one node; there are as many rows as sequences.
                    unsafe { last.slice(sequence as usize * h, h) }.copy_from_slice(state);
                }
            },
        );
    }
}

/// The gates of one node.
struct Gates<'a> {
    /// `[3 h]`: W_ih x.
    input: &'a [f32],
    /// `[3 h]`: W_hh h.
    product: &'a [f32],
    /// As [`Cell::bias`].
    bias: &'a [f32],
    /// `[h]`: the state before.
    old: &'a [f32],
    /// `[h]`: the state after.
    state: &'a mut [f32],
    /// `[4 h]`: see [`Saved`].
    gates: Option<&'a mut [f32]>,
}

impl simd::Task for Gates<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let h = self.state.len();
        let (state, old) = (&mut self.state[..h], &self.old[..h]);
        let [ir, iz, i_n] = thirds(self.input, h);
        let [hr, hz, hn] = thirds(self.product, h);
        let [br, bz, bi] = thirds(self.bias, h);
        let bh = &self.bias[3 * h..][..h];
        if let Some(gates) = self.gates {
            let (rs, rest) = gates.split_at_mut(h);
            let (zs, rest) = rest.split_at_mut(h);
            let (ns, hiddens) = rest.split_at_mut(h);
            let hiddens = &mut hiddens[..h];
            for j in 0..h {
                hiddens[j] = hn[j] + bh[j];
                (rs[j], zs[j]) = (sigmoid(ir[j] + hr[j] + br[j]), sigmoid(iz[j] + hz[j] + bz[j]));
                (ns[j], state[j]) = blend(rs[j], zs[j], i_n[j] + bi[j], hiddens[j], old[j]);
            }
        } else {
            for j in 0..h {
                let (r, z) = (sigmoid(ir[j] + hr[j] + br[j]), sigmoid(iz[j] + hz[j] + bz[j]));
                (_, state[j]) = blend(r, z, i_n[j] + bi[j], hn[j] + bh[j], old[j]);
            }
        }
    }
}

/// n and the new state from r, z, the two parts of the sum inside n, and the old state.
#[inline(always)]
fn blend(r: f32, z: f32, input: f32, hidden: f32, old: f32) -> (f32, f32) {
    let n = tanh(r.mul_add(hidden, input));
    (n, z.mul_add(old - n, n))
}

#[inline(always)]
fn thirds(values: &[f32], h: usize) -> [&[f32]; 3] {
    [&values[..h], &values[h..][..h], &values[2 * h..][..h]]
}
