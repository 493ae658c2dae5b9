//! The GRU against its formulas in f64, its gradients against finite differences, and the promises bit for bit.

use super::*;
use crate::rng::Rng;
use proptest::prelude::*;

/// Weights and inputs of a small problem.
struct Case {
    offsets: Vec<usize>,
    tokens: Vec<u32>,
    table: Vec<f32>,
    parts: [Vec<f32>; 4],
    e: usize,
    h: usize,
}

impl Case {
    fn new(seed: u64, lengths: &[usize], e: usize, h: usize) -> Self {
        let mut rng = Rng::new(seed, &[]);
        // Few words, so that sequences begin alike.
        let vocabulary = 3;
        let offsets: Vec<usize> = (0..=lengths.len()).map(|i| lengths[..i].iter().sum()).collect();
        let tokens = (0..offsets[lengths.len()]).map(|_| rng.index(vocabulary) as u32).collect();
        let mut values = |len: usize| -> Vec<f32> { (0..len).map(|_| rng.uniform(-0.7, 0.7)).collect() };
        let parts = [values(3 * h * e), values(3 * h * h), values(3 * h), values(3 * h)];
        Self { offsets, tokens, table: values(vocabulary * e), parts, e, h }
    }

    fn weights(&self) -> Weights<'_> {
        let [w_ih, w_hh, b_ih, b_hh] = &self.parts;
        Weights { w_ih, w_hh, b_ih, b_hh, e: self.e, h: self.h, precision: Precision::F32 }
    }

    fn plan(&self) -> Plan {
        Plan::new(&self.offsets, &self.tokens)
    }

    fn x(&self, plan: &Plan) -> Vec<f32> {
        plan.distinct().iter().flat_map(|&token| self.row(token).to_vec()).collect()
    }

    fn row(&self, token: u32) -> &[f32] {
        &self.table[token as usize * self.e..][..self.e]
    }

    fn sequences(&self) -> impl Iterator<Item = &[u32]> {
        self.offsets.windows(2).map(|pair| &self.tokens[pair[0]..pair[1]])
    }

    /// PyTorch's formulas, one sequence and one step at a time, in f64.
    fn plain(&self) -> Vec<f64> {
        let (e, h) = (self.e, self.h);
        let [w_ih, w_hh, b_ih, b_hh] = &self.parts;
        let wide = |x: f32| f64::from(x);
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let mut out = Vec::new();
        for sequence in self.sequences() {
            let mut state = vec![0f64; h];
            for &token in sequence {
                let input = |g: usize| -> f64 {
                    wide(b_ih[g]) + (0..e).map(|i| wide(w_ih[g * e + i]) * wide(self.row(token)[i])).sum::<f64>()
                };
                let hidden =
                    |g: usize| -> f64 { wide(b_hh[g]) + (0..h).map(|i| wide(w_hh[g * h + i]) * state[i]).sum::<f64>() };
                let new = |j: usize| {
                    let (r, z) = (sigmoid(input(j) + hidden(j)), sigmoid(input(h + j) + hidden(h + j)));
                    let n = (input(2 * h + j) + r * hidden(2 * h + j)).tanh();
                    (1.0 - z) * n + z * state[j]
                };
                state = (0..h).map(new).collect();
            }
            out.extend(state);
        }
        out
    }

    /// The weighted sum of all last states.
    fn loss(&self, dout: &[f32]) -> f64 {
        self.plain().iter().zip(dout).map(|(y, d)| y * f64::from(*d)).sum()
    }
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|x| x.to_bits()).collect()
}

fn lengths() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0usize..6, 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn states_follow_the_formulas(lengths in lengths(), (e, h) in (1usize..20, 1usize..35), seed: u64) {
        let case = Case::new(seed, &lengths, e, h);
        let plan = case.plan();
        let (out, _) = forward(&plan, &case.x(&plan), &case.weights());
        for (ours, exact) in out.iter().zip(case.plain()) {
            prop_assert!((f64::from(*ours) - exact).abs() < 2e-6, "{} instead of {}", ours, exact);
        }
        prop_assert_eq!(bits(&infer(&plan, &case.x(&plan), &case.weights())), bits(&out));
    }

    #[test]
    fn a_state_does_not_depend_on_its_batch(lengths in lengths(), h in 1usize..35, seed: u64) {
        let case = Case::new(seed, &lengths, 5, h);
        let plan = case.plan();
        let (all, _) = forward(&plan, &case.x(&plan), &case.weights());
        for (i, sequence) in case.sequences().enumerate() {
            let alone = Plan::new(&[0, sequence.len()], sequence);
            let state = infer(&alone, &case.x(&alone), &case.weights());
            prop_assert_eq!(bits(&state), bits(&all[i * h..][..h]), "sequence {}", i);
        }
    }
}

/// Central differences of the f64 formulas in every value of every parameter, and of the embedding rows.
#[test]
fn gradients_are_the_slopes_of_the_formulas() {
    let mut case = Case::new(5, &[3, 1, 4, 0, 2], 3, 4);
    let plan = case.plan();
    let x = case.x(&plan);
    let mut rng = Rng::new(6, &[]);
    let dout: Vec<f32> = (0..plan.len() * case.h).map(|_| rng.uniform(-1.0, 1.0)).collect();
    let (_, saved) = forward(&plan, &x, &case.weights());
    let grads = backward(&plan, &saved, &x, &case.weights(), &dout);
    let ours = [&grads.dw_ih, &grads.dw_hh, &grads.db_ih, &grads.db_hh];
    let step = 1e-2;
    let close = |ours: f32, slope: f64, what: &str| {
        assert!((f64::from(ours) - slope).abs() < 2e-4, "{what}: {ours} instead of {slope}");
    };
    for (part, ours) in ours.into_iter().enumerate() {
        for (i, &ours) in ours.iter().enumerate() {
            let slope = slope(&mut case, &dout, step, |case| &mut case.parts[part][i]);
            close(ours, slope, &format!("parameter {part}, value {i}"));
        }
    }
    for (row, &token) in plan.distinct().iter().enumerate() {
        for i in 0..case.e {
            let slope = slope(&mut case, &dout, step, |case| &mut case.table[token as usize * case.e + i]);
            close(grads.dx[row * case.e + i], slope, &format!("embedding of token {token}, value {i}"));
        }
    }
}

fn slope(case: &mut Case, dout: &[f32], step: f32, place: impl Fn(&mut Case) -> &mut f32) -> f64 {
    let value = *place(case);
    *place(case) = value + step;
    let (up, above) = (case.loss(dout), *place(case));
    *place(case) = value - step;
    let (down, below) = (case.loss(dout), *place(case));
    *place(case) = value;
    (up - down) / f64::from(above - below)
}

#[test]
fn the_thread_count_changes_no_bit() {
    let lengths: Vec<usize> = (0..60).map(|i| 1 + i * 7 % 11).collect();
    let case = Case::new(8, &lengths, 40, 640);
    let plan = case.plan();
    let x = case.x(&plan);
    let dout = vec![0.5; plan.len() * case.h];
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a thread pool");
        pool.install(|| {
            let (out, saved) = forward(&plan, &x, &case.weights());
            (out, backward(&plan, &saved, &x, &case.weights(), &dout))
        })
    };
    let one = run(1);
    assert!(run(2) == one && run(7) == one);
}

/// Rounding to 8 bits costs about 2^-9 per factor, averaged over many.
#[test]
fn bfloat16_comes_close() {
    let lengths: Vec<usize> = (0..20).map(|i| 1 + i % 6).collect();
    let case = Case::new(9, &lengths, 20, 33);
    let plan = case.plan();
    let x = case.x(&plan);
    let dout = vec![1.0; plan.len() * case.h];
    let run = |precision: Precision| {
        let weights = Weights { precision, ..case.weights() };
        let (out, saved) = forward(&plan, &x, &weights);
        let grads = backward(&plan, &saved, &x, &weights, &dout);
        [out, grads.dx, grads.dw_ih, grads.dw_hh, grads.db_ih, grads.db_hh]
    };
    for (part, (exact, rounded)) in run(Precision::F32).iter().zip(&run(Precision::Bf16)).enumerate() {
        let length = |values: &mut dyn Iterator<Item = f32>| values.map(|x| x * x).sum::<f32>().sqrt();
        let error = length(&mut exact.iter().zip(rounded).map(|(a, b)| a - b)) / length(&mut exact.iter().copied());
        assert!(error > 1e-5 && error < 1e-2, "part {part} is off by {error}");
    }
}

#[test]
fn no_sequences_and_empty_ones_have_gradients_of_zero() {
    for lengths in [&[][..], &[0, 0][..]] {
        let case = Case::new(1, lengths, 2, 3);
        let plan = case.plan();
        let (out, saved) = forward(&plan, &[], &case.weights());
        assert_eq!(out, vec![0.0; lengths.len() * 3]);
        let grads = backward(&plan, &saved, &[], &case.weights(), &out);
        assert!(grads.dx.is_empty() && grads.dw_hh.iter().chain(&grads.db_hh).all(|&g| g == 0.0));
    }
}
