//! The LSTM against its formulas in f64, its gradients against finite differences, and the promises bit for bit.

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
    direction: Direction,
}

impl Case {
    fn new(seed: u64, lengths: &[usize], e: usize, h: usize, direction: Direction) -> Self {
        let mut rng = Rng::new(seed, &[]);
        // Few words, so that sequences begin alike.
        let vocabulary = 3;
        let offsets: Vec<usize> = (0..=lengths.len()).map(|i| lengths[..i].iter().sum()).collect();
        let tokens = (0..offsets[lengths.len()]).map(|_| rng.index(vocabulary) as u32).collect();
        let mut values = |len: usize| -> Vec<f32> { (0..len).map(|_| rng.uniform(-0.7, 0.7)).collect() };
        let parts = [values(4 * h * e), values(4 * h * h), values(4 * h), values(4 * h)];
        Self { offsets, tokens, table: values(vocabulary * e), parts, e, h, direction }
    }

    fn weights(&self) -> Weights<'_> {
        let [w_ih, w_hh, b_ih, b_hh] = &self.parts;
        Weights { w_ih, w_hh, b_ih, b_hh, e: self.e, h: self.h, precision: Precision::F32 }
    }

    fn packed(&self) -> Plan {
        Plan::packed(&self.offsets, &self.tokens, self.direction)
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

    /// PyTorch's formulas, one sequence and one step at a time, in f64: the state at each token in the order of tokens.
    fn plain(&self) -> Vec<f64> {
        let (e, h) = (self.e, self.h);
        let [w_ih, w_hh, b_ih, b_hh] = &self.parts;
        let wide = |x: f32| f64::from(x);
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let mut out = Vec::new();
        for sequence in self.sequences() {
            let mut order: Vec<usize> = (0..sequence.len()).collect();
            if self.direction == Direction::Backward {
                order.reverse();
            }
            let (mut state, mut cell) = (vec![0f64; h], vec![0f64; h]);
            let mut states = vec![Vec::new(); sequence.len()];
            for at in order {
                let gate = |g: usize| -> f64 {
                    let x = self.row(sequence[at]);
                    wide(b_ih[g])
                        + wide(b_hh[g])
                        + (0..e).map(|i| wide(w_ih[g * e + i]) * wide(x[i])).sum::<f64>()
                        + (0..h).map(|i| wide(w_hh[g * h + i]) * state[i]).sum::<f64>()
                };
                for (j, cell) in cell.iter_mut().enumerate() {
                    let (i, f) = (sigmoid(gate(j)), sigmoid(gate(h + j)));
                    *cell = f * *cell + i * gate(2 * h + j).tanh();
                }
                state = (0..h).map(|j| sigmoid(gate(3 * h + j)) * cell[j].tanh()).collect();
                states[at] = state.clone();
            }
            out.extend(states.concat());
        }
        out
    }

    /// The weighted sum of all states.
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

fn direction() -> impl Strategy<Value = Direction> {
    prop_oneof![Just(Direction::Forward), Just(Direction::Backward)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn states_follow_the_formulas(
        lengths in lengths(), (e, h) in (1usize..20, 1usize..35), direction in direction(), seed: u64,
    ) {
        let case = Case::new(seed, &lengths, e, h, direction);
        let plan = case.packed();
        let (out, _) = forward(&plan, &case.x(&plan), &case.weights());
        let exact = case.plain();
        prop_assert_eq!(out.len(), exact.len());
        for (ours, exact) in out.iter().zip(exact) {
            prop_assert!((f64::from(*ours) - exact).abs() < 2e-6, "{} instead of {}", ours, exact);
        }
        prop_assert_eq!(bits(&infer(&plan, &case.x(&plan), &case.weights())), bits(&out));
    }

    #[test]
    fn states_do_not_depend_on_their_batch(
        lengths in lengths(), h in 1usize..35, direction in direction(), seed: u64,
    ) {
        let case = Case::new(seed, &lengths, 5, h, direction);
        let plan = case.packed();
        let (all, _) = forward(&plan, &case.x(&plan), &case.weights());
        for (i, sequence) in case.sequences().enumerate() {
            let alone = Plan::packed(&[0, sequence.len()], sequence, direction);
            let (states, _) = forward(&alone, &case.x(&alone), &case.weights());
            prop_assert_eq!(bits(&states), bits(&all[case.offsets[i] * h..case.offsets[i + 1] * h]));
        }
    }

    /// Padding moves rows and adds zeros; gradients of rows without a token count for nothing.
    #[test]
    fn padded_is_packed_with_zeros(lengths in lengths(), h in 1usize..20, direction in direction(), seed: u64) {
        let case = Case::new(seed, &lengths, 4, h, direction);
        let length = 7;
        let (packed, padded) = (case.packed(), Plan::padded(&case.offsets, &case.tokens, direction, length));
        let x = case.x(&packed);
        prop_assert_eq!(packed.distinct(), padded.distinct());
        let (few, saved) = forward(&packed, &x, &case.weights());
        let (many, saved_padded) = forward(&padded, &x, &case.weights());
        prop_assert_eq!(many.len(), lengths.len() * length * h);
        let dmany: Vec<f32> = (0..many.len()).map(|i| (i % 17) as f32 - 8.0).collect();
        let mut dfew = Vec::new();
        for (i, &tokens) in lengths.iter().enumerate() {
            let rows = &many[i * length * h..(i + 1) * length * h];
            prop_assert_eq!(bits(&rows[..tokens * h]), bits(&few[case.offsets[i] * h..][..tokens * h]));
            prop_assert!(rows[tokens * h..].iter().all(|&value| value == 0.0));
            dfew.extend_from_slice(&dmany[i * length * h..][..tokens * h]);
        }
        let of_few = backward(&packed, &saved, &x, &case.weights(), &dfew);
        let of_many = backward(&padded, &saved_padded, &x, &case.weights(), &dmany);
        prop_assert_eq!(of_few, of_many);
    }
}

#[test]
fn gradients_are_those_of_the_formulas() {
    for direction in [Direction::Forward, Direction::Backward] {
        let mut case = Case::new(5, &[3, 1, 4, 0, 2, 3], 3, 4, direction);
        let plan = case.packed();
        let x = case.x(&plan);
        let mut rng = Rng::new(6, &[]);
        let dout: Vec<f32> = (0..plan.rows() * case.h).map(|_| rng.uniform(-1.0, 1.0)).collect();
        let (_, saved) = forward(&plan, &x, &case.weights());
        let grads = backward(&plan, &saved, &x, &case.weights(), &dout);
        let close = |ours: f32, slope: f64, what: &str| {
            assert!((f64::from(ours) - slope).abs() < 3e-4, "{what}: {ours} instead of {slope}");
        };
        let ours = [&grads.dw_ih, &grads.dw_hh, &grads.dbias, &grads.dbias];
        for (part, ours) in ours.into_iter().enumerate() {
            for (i, &ours) in ours.iter().enumerate() {
                let slope = slope(&mut case, &dout, |case| &mut case.parts[part][i]);
                close(ours, slope, &format!("parameter {part}, value {i}"));
            }
        }
        for (row, &token) in plan.distinct().iter().enumerate() {
            for i in 0..case.e {
                let slope = slope(&mut case, &dout, |case| &mut case.table[token as usize * case.e + i]);
                close(grads.dx[row * case.e + i], slope, &format!("embedding of token {token}, value {i}"));
            }
        }
    }
}

fn slope(case: &mut Case, dout: &[f32], place: impl Fn(&mut Case) -> &mut f32) -> f64 {
    let step = 1e-2;
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
    for direction in [Direction::Forward, Direction::Backward] {
        let case = Case::new(8, &lengths, 40, 500, direction);
        let plan = case.packed();
        let x = case.x(&plan);
        let dout: Vec<f32> = (0..plan.rows() * case.h).map(|i| (i % 13) as f32 / 6.0 - 1.0).collect();
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
}

#[test]
fn no_sequences_and_empty_ones_have_gradients_of_zero() {
    for lengths in [&[][..], &[0, 0][..]] {
        let case = Case::new(1, lengths, 2, 3, Direction::Forward);
        let plan = case.packed();
        let (out, saved) = forward(&plan, &[], &case.weights());
        assert!(out.is_empty());
        let grads = backward(&plan, &saved, &[], &case.weights(), &out);
        assert!(grads.dx.is_empty() && grads.dw_hh.iter().chain(&grads.dbias).all(|&g| g == 0.0));
    }
}
