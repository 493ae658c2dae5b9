//! The network against PyTorch (`reference/text_cnn.py`), its gradient against differences.

use super::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Named {
    filters: Vec<Vec<f32>>,
    biases: Vec<Vec<f32>>,
    output: Vec<f32>,
    output_bias: Vec<f32>,
}

#[derive(Deserialize)]
struct Step {
    probabilities: Vec<f32>,
    loss: f64,
    gradients: Named,
    weights: Named,
}

#[derive(Deserialize)]
struct Reference {
    rows: usize,
    dim: usize,
    maps: usize,
    windows: Vec<usize>,
    max_norm: f32,
    x: Vec<Vec<f32>>,
    classes: Vec<u8>,
    mask: Vec<f32>,
    start: Named,
    steps: Vec<Step>,
}

impl From<Named> for Weights {
    fn from(n: Named) -> Weights {
        Weights { filters: n.filters, biases: n.biases, output: n.output, output_bias: n.output_bias }
    }
}

/// Largest difference, relative to the largest value of the list.
fn difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let largest = b.iter().fold(0.0f32, |m, v| m.max(v.abs()));
    a.iter().zip(b).fold(0.0f32, |m, (a, b)| m.max((a - b).abs())) / largest.max(f32::MIN_POSITIVE)
}

fn assert_close(what: &str, a: &Weights, b: &Weights) {
    for (i, (a, b)) in a.tensors().into_iter().zip(b.tensors()).enumerate() {
        assert!(difference(a, b) < 1e-5, "{what}, tensor {i}: {a:?} against {b:?}");
    }
}

#[test]
fn forward_gradients_and_two_steps_are_those_of_pytorch() {
    let r: Reference = serde_json::from_str(include_str!("reference/text_cnn.json")).unwrap();
    let shape = Shape { dim: r.dim, rows: r.rows, windows: r.windows, maps: r.maps };
    let x = Batch::of(&shape, r.x.iter().map(Vec::as_slice));
    let mut adadelta = Adadelta::new(&shape, 0.95, 1e-6, r.max_norm);
    let mut network = TextCnn { shape, weights: r.start.into() };
    for step in r.steps {
        let saved = network.forward(&x, Some(&r.mask));
        assert!(difference(&saved.probabilities, &step.probabilities) < 1e-5);
        assert!((loss(&saved.probabilities, &r.classes) - step.loss).abs() < 1e-5 * step.loss);
        let grads = network.backward(&x, Some(&r.mask), &saved, &r.classes);
        assert_close("gradients", &grads, &step.gradients.into());
        adadelta.step(&mut network.weights, &grads);
        assert_close("weights", &network.weights, &step.weights.into());
    }
}

#[test]
fn gradients_are_slopes() {
    let shape = Shape { dim: 3, rows: 4, windows: vec![1, 3], maps: 2 };
    let mut network = TextCnn::new(shape.clone(), 5);
    let mut rng = Rng::new(5, &[]);
    // Large weights: slopes of ReLU and maximum are then far from their corners.
    network.weights.tensors_mut().into_iter().flatten().for_each(|v| *v = rng.uniform(-1.0, 1.0));
    let items: Vec<Vec<f32>> = (0..5).map(|_| (0..12).map(|_| rng.uniform(-1.0, 1.0)).collect()).collect();
    let classes = [0, 1, 1, 0, 1];
    let x = Batch::of(&shape, items.iter().map(Vec::as_slice));
    let grads = network.backward(&x, None, &network.forward(&x, None), &classes);
    let step = 1e-2f32;
    for tensor in 0..grads.tensors().len() {
        for i in 0..grads.tensors()[tensor].len() {
            let at = |by: f32| {
                let mut moved = network.clone();
                moved.weights.tensors_mut()[tensor][i] += by;
                loss(&moved.forward(&x, None).probabilities, &classes)
            };
            let slope = (at(step) - at(-step)) / f64::from(2.0 * step);
            let got = f64::from(grads.tensors()[tensor][i]);
            assert!((slope - got).abs() < 2e-3, "tensor {tensor}, weight {i}: {slope} {got}");
        }
    }
}

#[test]
fn an_items_answer_does_not_depend_on_its_batch() {
    let shape = Shape { dim: 7, rows: 5, windows: vec![2, 3, 4], maps: 11 };
    let mut network = TextCnn::new(shape, 1);
    let mut rng = Rng::new(8, &[]);
    network.weights.output.iter_mut().for_each(|v| *v = rng.uniform(-30.0, 30.0));
    let items: Vec<Vec<f32>> = (0..300).map(|i| (0..7 * (i % 6)).map(|_| rng.uniform(-1.0, 1.0)).collect()).collect();
    let together = network.predict(items.iter().map(Vec::as_slice));
    let alone: Vec<f64> = items.iter().flat_map(|x| network.predict([x.as_slice()].into_iter())).collect();
    assert_eq!(together, alone);
}
