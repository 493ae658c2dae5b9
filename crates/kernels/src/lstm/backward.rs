//! The LSTM backwards.

use super::{Grads, Plan, Saved, Weights};
use crate::math::tanh;
use crate::matmul::{Mat, PackedB, matmul_as, matmul_packed};
use crate::scratch::Scratch;
use crate::simd;
use crate::sums::{Add, column_sums};
use crate::threads::rows_per_job;
use rayon::prelude::*;

/// Gradients for `dout` `[rows of the plan, h]`, the gradient of the result. Rows without a token are not read.
///
/// # Panics
/// If a slice doesn't have the shape that [`Weights`] and the plan say, or `saved` is from another batch.
pub fn backward(plan: &Plan, saved: &Saved, x: &[f32], weights: &Weights, dout: &[f32]) -> Grads {
    weights.check(plan, x);
    let Weights { e, h, precision, .. } = *weights;
    let (nodes, first, distinct) = (plan.nodes(), plan.first().len(), plan.distinct().len());
    assert_eq!(saved.gates.len(), nodes * 4 * h, "the saved gates are from another batch");
    assert_eq!(dout.len(), plan.rows() * h, "dout must be [rows, h]");

    let dgates = through_time(plan, saved, weights, dout);

    // The state before a first token is zero and adds nothing to the recurrent weights.
    let mut before = Scratch::new((nodes - first) * h);
    before.par_chunks_mut(h).with_min_len(rows_per_job(h)).enumerate().for_each(|(i, row)| {
        row.copy_from_slice(&saved.states[plan.parent(first + i) * h..][..h]);
    });
    let mut dw_hh = vec![0.0; 4 * h * h];
    let after_first = Mat::new(&dgates[first * 4 * h..], nodes - first, 4 * h);
    matmul_as(precision, &mut dw_hh, after_first.t(), Mat::new(&before, nodes - first, h), false);
    drop(before);

    let dinputs = per_token(plan, &dgates, h);
    let dbias = column_sums(&dinputs, 4 * h);
    let mut dw_ih = vec![0.0; 4 * h * e];
    let dinputs = Mat::new(&dinputs, distinct, 4 * h);
    matmul_as(precision, &mut dw_ih, dinputs.t(), Mat::new(x, distinct, e), false);
    let mut dx = vec![0.0; distinct * e];
    matmul_as(precision, &mut dx, dinputs, Mat::new(weights.w_ih, 4 * h, e), false);
    Grads { dx, dw_ih, dw_hh, dbias }
}

/// `[nodes, 4 h]`: for each node the gradients of the sums inside i, f, g, o.
fn through_time(plan: &Plan, saved: &Saved, weights: &Weights, dout: &[f32]) -> Scratch {
    let (h, tree) = (weights.h, plan.tree());
    let mut dgates = Scratch::new(plan.nodes() * 4 * h);
    let recurrent = PackedB::new(Mat::new(weights.w_hh, 4 * h, h), weights.precision);
    let widest = (0..tree.longest()).map(|depth| tree.at(depth).len()).max().unwrap_or(0);
    // Of the nodes of a length: the gradient of h that comes from their children, and the children's dgates in sum.
    let (mut dstates, mut of_children) = (Scratch::zeros(widest * h), Scratch::new(widest * 4 * h));
    // Gradients of c: of the nodes of a length, and those that the nodes one longer pass to them.
    let (mut dcells, mut passed) = (Scratch::new(widest * h), Scratch::new(widest * h));
    let zeros = vec![0.0; h];
    for depth in (0..tree.longest()).rev() {
        let (nodes, children) = (tree.at(depth), tree.at(depth + 1));
        let jobs = (
            dgates[nodes.start * 4 * h..nodes.end * 4 * h].par_chunks_mut(4 * h),
            dstates[..nodes.len() * h].par_chunks_mut(h),
            dcells[..nodes.len() * h].par_chunks_mut(h),
        );
        jobs.into_par_iter().with_min_len(rows_per_job(h)).enumerate().for_each(|(i, (dgates, dstate, dcell))| {
            let node = nodes.start + i;
            for &row in plan.rows_of(node) {
                simd::run(Add { sum: dstate, values: &dout[row as usize * h..][..h] });
            }
            dcell.fill(0.0);
            for child in tree.children(node) {
                simd::run(Add { sum: dcell, values: &passed[(child - children.start) * h..][..h] });
            }
            let gates = &saved.gates[node * 4 * h..][..4 * h];
            let cell = &saved.cells[node * h..][..h];
            let old = if depth > 0 { &saved.cells[plan.parent(node) * h..][..h] } else { &zeros[..] };
            simd::run(GatesBack { gates, cell, old, dstate, dcell, dgates });
        });
        if depth > 0 {
            let parents = tree.at(depth - 1);
            let sums = of_children[..parents.len() * 4 * h].par_chunks_mut(4 * h);
            sums.with_min_len(rows_per_job(4 * h)).enumerate().for_each(|(i, sum)| {
                sum.fill(0.0);
                for child in tree.children(parents.start + i) {
                    simd::run(Add { sum, values: &dgates[child * 4 * h..][..4 * h] });
                }
            });
            let sums = Mat::new(&of_children, parents.len(), 4 * h);
            matmul_packed(&mut dstates[..parents.len() * h], sums, &recurrent, false);
        }
        std::mem::swap(&mut dcells, &mut passed);
    }
    dgates
}

/// The gates of one node, backwards.
struct GatesBack<'a> {
    /// `[4 h]`: i, f, g, o.
    gates: &'a [f32],
    /// `[h]`: c after.
    cell: &'a [f32],
    /// `[h]`: c before.
    old: &'a [f32],
    /// `[h]`: the gradient of h after.
    dstate: &'a [f32],
    /// `[h]`: in, the part of the gradient of c after that doesn't come through h; out, the gradient of c before.
    dcell: &'a mut [f32],
    /// `[4 h]`: gradients of the sums inside the gates.
    dgates: &'a mut [f32],
}

impl simd::Task for GatesBack<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let h = self.dstate.len();
        let (dstate, cell, old) = (&self.dstate[..h], &self.cell[..h], &self.old[..h]);
        let dcell = &mut self.dcell[..h];
        let (i, f) = (&self.gates[..h], &self.gates[h..][..h]);
        let (g, o) = (&self.gates[2 * h..][..h], &self.gates[3 * h..][..h]);
        let (di, rest) = self.dgates.split_at_mut(h);
        let (df, rest) = rest.split_at_mut(h);
        let (dg, d_o) = rest.split_at_mut(h);
        let (df, dg, d_o) = (&mut df[..h], &mut dg[..h], &mut d_o[..h]);
        for j in 0..h {
            let squashed = tanh(cell[j]);
            let dc = (dstate[j] * o[j]).mul_add(1.0 - squashed * squashed, dcell[j]);
            di[j] = dc * g[j] * i[j] * (1.0 - i[j]);
            df[j] = dc * old[j] * f[j] * (1.0 - f[j]);
            dg[j] = dc * i[j] * (1.0 - g[j] * g[j]);
            d_o[j] = dstate[j] * squashed * o[j] * (1.0 - o[j]);
            dcell[j] = dc * f[j];
        }
    }
}

/// `[distinct tokens, 4 h]`: the gradient of W_ih x for each distinct token, summed over its nodes in order.
fn per_token(plan: &Plan, dgates: &[f32], h: usize) -> Scratch {
    let mut dinputs = Scratch::new(plan.distinct().len() * 4 * h);
    dinputs.par_chunks_mut(4 * h).with_min_len(rows_per_job(4 * h)).enumerate().for_each(|(row, sum)| {
        sum.fill(0.0);
        for &node in plan.tree().places(row) {
            simd::run(Add { sum, values: &dgates[node as usize * 4 * h..][..4 * h] });
        }
    });
    dinputs
}
