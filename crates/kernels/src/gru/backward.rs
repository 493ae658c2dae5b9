//! The GRU backwards.

use super::{Grads, Plan, Saved, Weights};
use crate::matmul::{Mat, PackedB, matmul_as, matmul_packed};
use crate::scratch::Scratch;
use crate::simd;
use crate::sums::column_sums;
use crate::threads::rows_per_job;
use rayon::prelude::*;

/// Gradients for `dout` `[sequences, h]`, the gradient of the last states in the caller's order.
///
/// # Panics
/// If a slice doesn't have the shape that [`Weights`] and the plan say, or `saved` is from another batch.
pub fn backward(plan: &Plan, saved: &Saved, x: &[f32], weights: &Weights, dout: &[f32]) -> Grads {
    weights.check(plan, x);
    let Weights { e, h, precision, .. } = *weights;
    let (tokens, distinct) = (plan.tokens(), plan.distinct().len());
    assert_eq!(saved.states.len(), tokens * h, "the saved states are from another batch");
    assert_eq!(dout.len(), plan.len() * h, "dout must be [sequences, h]");

    let dgates = through_time(plan, saved, weights, dout);
    let dinputs = per_token(plan, &dgates, h);
    let sums = column_sums(&dgates, 4 * h);
    let mut db_ih = sums[..3 * h].to_vec();
    db_ih[2 * h..].copy_from_slice(&sums[3 * h..]);
    let db_hh = sums[..3 * h].to_vec();

    // The first step's state is zero and adds nothing to the recurrent weights.
    let first = plan.sizes.first().copied().unwrap_or(0);
    let mut dw_hh = vec![0.0; 3 * h * h];
    let states = states_before(plan, saved, h);
    let after_first = Mat::strided(&dgates[first * 4 * h..], tokens - first, 3 * h, 4 * h, 1);
    matmul_as(precision, &mut dw_hh, after_first.t(), Mat::new(&states, tokens - first, h), false);

    let mut dw_ih = vec![0.0; 3 * h * e];
    let dinputs = Mat::new(&dinputs, distinct, 3 * h);
    matmul_as(precision, &mut dw_ih, dinputs.t(), Mat::new(x, distinct, e), false);
    let mut dx = vec![0.0; distinct * e];
    matmul_as(precision, &mut dx, dinputs, Mat::new(weights.w_ih, 3 * h, e), false);
    Grads { dx, dw_ih, dw_hh, db_ih, db_hh }
}

/// `[tokens, 4 h]`: for each packed position the gradients of the sums inside r and z, of W_hn h + b_hn, and of the sum
/// inside n.
fn through_time(plan: &Plan, saved: &Saved, weights: &Weights, dout: &[f32]) -> Scratch {
    let h = weights.h;
    let mut dgates = Scratch::new(plan.tokens() * 4 * h);
    let mut dstates = vec![0.0; plan.len() * h];
    for (sorted, &place) in plan.order.iter().enumerate() {
        dstates[sorted * h..][..h].copy_from_slice(&dout[place * h..][..h]);
    }
    let recurrent = PackedB::new(Mat::new(weights.w_hh, 3 * h, h), weights.precision);
    let zeros = vec![0.0; h];
    for (step, &running) in plan.sizes.iter().enumerate().rev() {
        let from = plan.offsets[step];
        let before = step.checked_sub(1).map(|last| &saved.states[plan.offsets[last] * h..]);
        // Sequences that end here joined with their gradient of the output: longer ones come first.
        let jobs = (
            dgates[from * 4 * h..][..running * 4 * h].par_chunks_mut(4 * h),
            dstates[..running * h].par_chunks_mut(h),
            saved.gates[from * 4 * h..][..running * 4 * h].par_chunks(4 * h),
        );
        jobs.into_par_iter().with_min_len(rows_per_job(h)).enumerate().for_each(|(i, (dgates, dstate, gates))| {
            let old = before.map_or(&zeros[..], |before| &before[i * h..][..h]);
            simd::run(GatesBack { gates, old, dstate, dgates });
        });
        if step > 0 {
            let dgates = Mat::strided(&dgates[from * 4 * h..], running, 3 * h, 4 * h, 1);
            matmul_packed(&mut dstates[..running * h], dgates, &recurrent, true);
        }
    }
    dgates
}

/// The gates of one sequence at one step, backwards.
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

/// `[distinct tokens, 3 h]`: the gradient of W_ih x for each distinct token, summed over its positions in order.
fn per_token(plan: &Plan, dgates: &[f32], h: usize) -> Scratch {
    let mut dinputs = Scratch::new(plan.distinct().len() * 3 * h);
    dinputs.par_chunks_mut(3 * h).with_min_len(rows_per_job(3 * h)).enumerate().for_each(|(row, sum)| {
        sum.fill(0.0);
        for &position in &plan.positions[plan.position_offsets[row]..plan.position_offsets[row + 1]] {
            let dgates = &dgates[position as usize * 4 * h..][..4 * h];
            simd::run(Add { sum: &mut sum[..2 * h], values: &dgates[..2 * h] });
            simd::run(Add { sum: &mut sum[2 * h..], values: &dgates[3 * h..] });
        }
    });
    dinputs
}

struct Add<'a> {
    sum: &'a mut [f32],
    values: &'a [f32],
}

impl simd::Task for Add<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (sum, value) in self.sum.iter_mut().zip(self.values) {
            *sum += value;
        }
    }
}

/// `[tokens after the first step, h]`: the state before each packed position.
fn states_before(plan: &Plan, saved: &Saved, h: usize) -> Scratch {
    let first = plan.sizes.first().copied().unwrap_or(0);
    let mut states = Scratch::new((plan.tokens() - first) * h);
    states.par_chunks_mut(h.max(1)).with_min_len(rows_per_job(h)).enumerate().for_each(|(i, state)| {
        let position = first + i;
        let step = plan.offsets.partition_point(|&offset| offset <= position) - 1;
        let before = plan.offsets[step - 1] + position - plan.offsets[step];
        state.copy_from_slice(&saved.states[before * h..][..h]);
    });
    states
}
