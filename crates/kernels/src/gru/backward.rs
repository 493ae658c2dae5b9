//! The GRU backwards.

use super::{Grads, Plan, Saved, Weights};
use crate::matmul::{Mat, PackedB, matmul_as, matmul_packed};
use crate::scratch::Scratch;
use crate::simd;
use crate::sums::{Add, column_sums, sums_of_columns};
use crate::threads::rows_per_job;
use rayon::prelude::*;

/// Gradients for `dout` `[sequences, h]`, the gradient of the last states in the caller's order.
///
/// # Panics
/// If a slice doesn't have the shape that [`Weights`] and the plan say, or `saved` is from another batch.
pub fn backward(plan: &Plan, saved: &Saved, x: &[f32], weights: &Weights, dout: &[f32]) -> Grads {
    weights.check(plan, x);
    let Weights { e, h, precision, .. } = *weights;
    let (nodes, first, distinct) = (plan.nodes(), plan.at(0).len(), plan.distinct().len());
    assert_eq!(saved.gates.len(), nodes * 4 * h, "the saved gates are from another batch");
    assert_eq!(dout.len(), plan.len() * h, "dout must be [sequences, h]");

    let dgates = through_time(plan, saved, weights, dout);
    let dinputs = per_token(plan, &dgates, h);
    let db_ih = column_sums(&dinputs, 3 * h);
    let mut db_hh = db_ih[..2 * h].to_vec();
    db_hh.extend(sums_of_columns(&dgates, 4 * h, 2 * h..3 * h));

    // The state before a first token is zero and adds nothing to the recurrent weights.
    let mut dw_hh = vec![0.0; 3 * h * h];
    let after_first = Mat::strided(&dgates[first * 4 * h..], nodes - first, 3 * h, 4 * h, 1);
    matmul_as(precision, &mut dw_hh, after_first.t(), Mat::new(&saved.before, nodes - first, h), false);

    let mut dw_ih = vec![0.0; 3 * h * e];
    let dinputs = Mat::new(&dinputs, distinct, 3 * h);
    matmul_as(precision, &mut dw_ih, dinputs.t(), Mat::new(x, distinct, e), false);
    let mut dx = vec![0.0; distinct * e];
    matmul_as(precision, &mut dx, dinputs, Mat::new(weights.w_ih, 3 * h, e), false);
    Grads { dx, dw_ih, dw_hh, db_ih, db_hh }
}

/// `[nodes, 4 h]`: for each node the gradients of the sums inside r and z, of W_hn h + b_hn, and of the sum inside n.
fn through_time(plan: &Plan, saved: &Saved, weights: &Weights, dout: &[f32]) -> Scratch {
    let (h, first) = (weights.h, plan.at(0).len());
    let mut dgates = Scratch::new(plan.nodes() * 4 * h);
    let recurrent = PackedB::new(Mat::new(weights.w_hh, 3 * h, h), weights.precision);
    let widest = (0..plan.longest()).map(|depth| plan.at(depth).len()).max().unwrap_or(0);
    // The gradients of the states after the nodes of a length, and of those after the nodes one longer before them.
    let (mut dstates, mut dbefore) = (Scratch::new(widest * h), Scratch::new(widest * h));
    let zeros = vec![0.0; h];
    for depth in (0..plan.longest()).rev() {
        let (nodes, children) = (plan.at(depth), plan.at(depth + 1));
        let jobs = (
            dgates[nodes.start * 4 * h..nodes.end * 4 * h].par_chunks_mut(4 * h),
            dstates[..nodes.len() * h].par_chunks_mut(h),
            saved.gates[nodes.start * 4 * h..nodes.end * 4 * h].par_chunks(4 * h),
        );
        jobs.into_par_iter().with_min_len(rows_per_job(h)).enumerate().for_each(|(i, (dgates, dstate, gates))| {
            let node = nodes.start + i;
            let of_children = plan.children(node).map(|child| &dbefore[(child - children.start) * h..][..h]);
            let of_ends = plan.ended(node).iter().map(|&sequence| &dout[sequence as usize * h..][..h]);
            let mut parts = of_children.chain(of_ends);
            dstate.copy_from_slice(parts.next().unwrap_or(&zeros));
            parts.for_each(|values| simd::run(Add { sum: dstate, values }));
            let old = if depth > 0 { &saved.before[(node - first) * h..][..h] } else { &zeros };
            simd::run(GatesBack { gates, old, dstate, dgates });
        });
        if depth > 0 {
            let dgates = Mat::strided(&dgates[nodes.start * 4 * h..], nodes.len(), 3 * h, 4 * h, 1);
            matmul_packed(&mut dstates[..nodes.len() * h], dgates, &recurrent, true);
        }
        std::mem::swap(&mut dstates, &mut dbefore);
    }
    dgates
}

/// The gates of one node, backwards.
struct GatesBack<'a> {
    /// `[4 h]`: see [`Saved`].
    gates: &'a [f32],
    /// `[h]`: the state before.
    old: &'a [f32],
    /// `[h]`: in, the gradient of the state after; out, its part that bypasses the gates to the state before.
    dstate: &'a mut [f32],
    /// `[4 h]`: see [`through_time`].
    dgates: &'a mut [f32],
}

impl simd::Task for GatesBack<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let h = self.dstate.len();
        let (dstate, old) = (&mut self.dstate[..h], &self.old[..h]);
        let (r, z) = (&self.gates[..h], &self.gates[h..][..h]);
        let (n, hidden) = (&self.gates[2 * h..][..h], &self.gates[3 * h..][..h]);
        let (dr, rest) = self.dgates.split_at_mut(h);
        let (dz, rest) = rest.split_at_mut(h);
        let (dhidden, dn) = rest.split_at_mut(h);
        let (dhidden, dn) = (&mut dhidden[..h], &mut dn[..h]);
        for j in 0..h {
            let d = dstate[j];
            let inside_n = d * (1.0 - z[j]) * (1.0 - n[j] * n[j]);
            dn[j] = inside_n;
            dhidden[j] = inside_n * r[j];
            dr[j] = inside_n * hidden[j] * r[j] * (1.0 - r[j]);
            dz[j] = d * (old[j] - n[j]) * z[j] * (1.0 - z[j]);
            dstate[j] = d * z[j];
        }
    }
}

/// `[distinct tokens, 3 h]`: the gradient of W_ih x for each distinct token, summed over its nodes in order.
fn per_token(plan: &Plan, dgates: &[f32], h: usize) -> Scratch {
    let mut dinputs = Scratch::new(plan.distinct().len() * 3 * h);
    dinputs.par_chunks_mut(3 * h).with_min_len(rows_per_job(3 * h)).enumerate().for_each(|(row, sum)| {
        sum.fill(0.0);
        for &node in plan.places(row) {
            let dgates = &dgates[node as usize * 4 * h..][..4 * h];
            simd::run(Add { sum: &mut sum[..2 * h], values: &dgates[..2 * h] });
            simd::run(Add { sum: &mut sum[2 * h..], values: &dgates[3 * h..] });
        }
    });
    dinputs
}
