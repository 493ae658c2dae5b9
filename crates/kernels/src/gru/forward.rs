//! The GRU forwards.

use super::{Plan, Saved, Weights};
use crate::math::{sigmoid, tanh};
use crate::matmul::{Mat, PackedB, matmul_as, matmul_packed};
use crate::scratch::Scratch;
use crate::simd;
use crate::threads::rows_per_job;
use rayon::prelude::*;

/// Last states `[sequences, h]` in the caller's order, and what [`super::backward`] needs. `x` is
/// `[distinct tokens, e]`, the rows of [`Plan::distinct`].
///
/// # Panics
/// If a slice doesn't have the shape that [`Weights`] and the plan say.
pub fn forward(plan: &Plan, x: &[f32], weights: &Weights) -> (Vec<f32>, Saved) {
    let h = weights.h;
    let cell = Cell::new(plan, x, weights);
    let mut saved = Saved { gates: Scratch::new(plan.tokens() * 4 * h), states: Scratch::new(plan.tokens() * h) };
    let mut products = Scratch::zeros(plan.len() * 3 * h);
    let zeros = vec![0.0; h];
    for (step, &running) in plan.sizes.iter().enumerate() {
        let from = plan.offsets[step];
        let (before, states) = saved.states.split_at_mut(from * h);
        let before = &before[step.checked_sub(1).map_or(0, |last| plan.offsets[last]) * h..];
        let products = &mut products[..running * 3 * h];
        if step > 0 {
            matmul_packed(products, Mat::new(before, running, h), &cell.recurrent, false);
        }
        let jobs = (
            states[..running * h].par_chunks_mut(h),
            saved.gates[from * 4 * h..][..running * 4 * h].par_chunks_mut(4 * h),
            products.par_chunks(3 * h),
            &plan.rows[from..from + running],
        );
        jobs.into_par_iter().with_min_len(rows_per_job(h)).enumerate().for_each(
            |(i, (state, gates, product, &row))| {
                let old = if step > 0 { &before[i * h..][..h] } else { &zeros };
                simd::run(Gates { input: cell.input(row), product, bias: &cell.bias, old, state, gates: Some(gates) });
            },
        );
    }
    let mut last = vec![0.0; plan.len() * h];
    for (sorted, &place) in plan.order.iter().enumerate() {
        if let Some(position) = plan.last(sorted) {
            last[place * h..][..h].copy_from_slice(&saved.states[position * h..][..h]);
        }
    }
    (last, saved)
}

/// The last states of [`forward`], same bits, without keeping anything for a backward pass.
///
/// # Panics
/// As [`forward`].
pub fn infer(plan: &Plan, x: &[f32], weights: &Weights) -> Vec<f32> {
    let h = weights.h;
    let cell = Cell::new(plan, x, weights);
    let mut states = vec![0.0; plan.len() * h];
    let mut products = Scratch::zeros(plan.len() * 3 * h);
    for (step, &running) in plan.sizes.iter().enumerate() {
        let products = &mut products[..running * 3 * h];
        if step > 0 {
            matmul_packed(products, Mat::new(&states, running, h), &cell.recurrent, false);
        }
        let rows = &plan.rows[plan.offsets[step]..][..running];
        let jobs = (states[..running * h].par_chunks_mut(h), products.par_chunks(3 * h), rows);
        jobs.into_par_iter().with_min_len(rows_per_job(h)).for_each_init(
            || vec![0.0; h],
            |old, (state, product, &row)| {
                old.copy_from_slice(state);
                simd::run(Gates { input: cell.input(row), product, bias: &cell.bias, old, state, gates: None });
            },
        );
    }
    let mut last = vec![0.0; plan.len() * h];
    for (sorted, &place) in plan.order.iter().enumerate() {
        last[place * h..][..h].copy_from_slice(&states[sorted * h..][..h]);
    }
    last
}

/// What doesn't change from step to step.
struct Cell {
    /// `[distinct tokens, 3 h]`: W_ih x.
    inputs: Scratch,
    /// W_hh, transposed and packed.
    recurrent: PackedB,
    /// `[4 h]`: b_ir + b_hr, b_iz + b_hz, b_in, b_hn.
    bias: Vec<f32>,
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
        // A product with the zero state is skipped, so the weights are needed from the second step on.
        let recurrent = if plan.sizes.len() > 1 { Mat::new(weights.w_hh, 3 * h, h).t() } else { Mat::new(&[], 0, 0) };
        Self { inputs, recurrent: PackedB::new(recurrent, precision), bias, h }
    }

    fn input(&self, row: u32) -> &[f32] {
        &self.inputs[row as usize * 3 * self.h..][..3 * self.h]
    }
}

/// The gates of one sequence at one step.
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
