//! The layers against their definitions, bit for bit, at every level.

use super::*;
use crate::rng::Rng;
use crate::simd::{Level, run_at};
use proptest::prelude::*;

fn random(seed: u64, len: usize) -> Vec<f32> {
    let mut rng = Rng::new(seed, &[]);
    (0..len).map(|_| rng.uniform(-1.0, 1.0)).collect()
}

/// The true values of an image, without the padding of its pixels.
fn bits(values: &[f32], shape: Shape) -> Vec<u32> {
    values.chunks(shape.stride()).flat_map(|pixel| pixel[..shape.channels].iter().map(|v| v.to_bits())).collect()
}

/// Value (y, x, channel) of an image, zero outside.
fn at(image: &[f32], shape: Shape, (y, x): (Option<usize>, Option<usize>), channel: usize) -> Option<f32> {
    let (y, x) = (y.filter(|&y| y < shape.height)?, x.filter(|&x| x < shape.width)?);
    Some(image[(y * shape.width + x) * shape.stride() + channel])
}

/// The places (row and column of the image) under a window, outside ones included.
fn places(window: &Window, y: usize, x: usize) -> impl Iterator<Item = (Option<usize>, Option<usize>)> {
    let w = *window;
    (0..w.size.0).flat_map(move |row| {
        (0..w.size.1).map(move |column| {
            ((y * w.step.0 + row).checked_sub(w.before.0), (x * w.step.1 + column).checked_sub(w.before.1))
        })
    })
}

/// The definition: one chain per value. `depthwise` has one input channel for each output channel.
fn plain(
    (input, shape): (&[f32], Shape),
    window: &Window,
    (weights, bias): (&[f32], &[f32]),
    added: Option<&[f32]>,
    clamp: Clamp,
    depthwise: bool,
) -> Vec<f32> {
    let to = window.output(shape, bias.len()).unwrap();
    let area = window.size.0 * window.size.1;
    let mut output = vec![0.0; to.len()];
    for (y, x) in (0..to.height).flat_map(|y| (0..to.width).map(move |x| (y, x))) {
        for (out, bias) in bias.iter().enumerate() {
            let mut sum = *bias;
            for (place, source) in places(window, y, x).enumerate() {
                for channel in 0..if depthwise { 1 } else { shape.channels } {
                    let value = at(input, shape, source, if depthwise { out } else { channel }).unwrap_or(0.0);
                    let ins = if depthwise { 1 } else { shape.channels };
                    sum = value.mul_add(weights[(out * ins + channel) * area + place], sum);
                }
            }
            let i = (y * to.width + x) * to.stride() + out;
            output[i] = clamp.of(sum + added.map_or(0.0, |added| added[i]));
        }
    }
    output
}

fn windows(sizes: &'static [usize]) -> impl Strategy<Value = Window> {
    let size = || prop::sample::select(sizes);
    (size(), size(), 1usize..3, 1usize..3, (0usize..3, 0usize..3), (0usize..3, 0usize..3)).prop_map(
        |(height, width, down, right, before, after)| Window {
            size: (height, width),
            step: (down, right),
            before,
            after,
        },
    )
}

fn shapes(channels: usize) -> impl Strategy<Value = Shape> {
    (5usize..20, 5usize..20, 1..channels).prop_map(|(height, width, channels)| Shape { height, width, channels })
}

const RELU6: Clamp = Clamp { low: 0.0, high: 6.0 };

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_convolution_gives_the_bits_of_its_definition(
        shape in shapes(40),
        outs in 1usize..120,
        window in windows(&[1, 2, 3, 5]),
        with_added: bool,
        clamp in prop::sample::select(&[Clamp::NONE, RELU6]),
        seed: u64,
    ) {
        let to = window.output(shape, outs).unwrap();
        let (input, bias) = (random(seed, shape.len()), random(seed ^ 1, outs));
        let weights = random(seed ^ 2, outs * shape.channels * window.size.0 * window.size.1);
        let added = with_added.then(|| random(seed ^ 3, to.len()));
        let expected = plain((&input, shape), &window, (&weights, &bias), added.as_deref(), clamp, false);
        // The same image with its margins and without gaps.
        let outer = Convolution::tight_shape(shape, window);
        let mut tight = vec![0.0; outer.height * outer.width * outer.channels];
        for (i, pixel) in input.chunks(shape.stride()).enumerate() {
            let (y, x) = (i / shape.width + window.before.0, i % shape.width + window.before.1);
            tight[(y * outer.width + x) * shape.channels..][..shape.channels].copy_from_slice(&pixel[..shape.channels]);
        }
        let layers = [
            (Convolution::new(shape, window, &weights, &bias), &input),
            (Convolution::tight(shape, window, &weights, &bias), &tight),
        ];
        for (layer, input) in layers {
            prop_assert_eq!(layer.output(), to);
            for level in Level::available() {
                let mut output = vec![f32::NAN; to.len()];
                layer.run_at(level, 0..to.height * to.width, &mut output, input, added.as_deref(), clamp);
                prop_assert_eq!(bits(&output, to), bits(&expected, to), "{:?}", level);
            }
        }
    }

    #[test]
    fn a_depthwise_convolution_gives_the_bits_of_its_definition(
        shape in shapes(70),
        window in windows(&[3, 5]),
        clamp in prop::sample::select(&[Clamp::NONE, RELU6]),
        seed: u64,
    ) {
        let (input, bias) = (random(seed, shape.len()), random(seed ^ 1, shape.channels));
        let weights = random(seed ^ 2, shape.channels * window.size.0 * window.size.1);
        let expected = plain((&input, shape), &window, (&weights, &bias), None, clamp, true);
        let layer = Depthwise::new(shape, window, &weights, &bias);
        for level in Level::available() {
            let mut output = vec![f32::NAN; expected.len()];
            layer.run_at(level, 0..layer.output().height, &mut output, &input, clamp);
            prop_assert_eq!(bits(&output, layer.output()), bits(&expected, layer.output()), "{:?}", level);
        }
    }

    #[test]
    fn pooling_and_addition_give_the_bits_of_their_definitions(shape in shapes(40), down in 1usize..3, seed: u64) {
        let (a, b) = (random(seed, shape.len()), random(seed ^ 1, shape.len()));
        let window = Window { size: (3, 2), step: (down, 2), before: (1, 1), after: (0, 1) };
        let to = window.output(shape, shape.channels).unwrap();
        let mut largest = vec![0.0; to.len()];
        for (y, x) in (0..to.height).flat_map(|y| (0..to.width).map(move |x| (y, x))) {
            for channel in 0..shape.channels {
                let values = places(&window, y, x).filter_map(|source| at(&a, shape, source, channel));
                largest[(y * to.width + x) * to.stride() + channel] = values.fold(f32::NEG_INFINITY, f32::max);
            }
        }
        let pixels = (shape.height * shape.width) as f32;
        let means: Vec<f32> = (0..shape.channels)
            .map(|channel| a.chunks(shape.stride()).fold(0.0, |sum, pixel| sum + pixel[channel]) / pixels)
            .collect();
        let sums: Vec<f32> = a.iter().zip(&b).map(|(a, b)| RELU6.of(a + b)).collect();
        for level in Level::available() {
            let (mut pooled, mut mean, mut sum) = (vec![0.0; to.len()], vec![0.0; shape.channels], vec![0.0; a.len()]);
            run_at(level, pool::MaxPool { output: &mut pooled, input: &a, shape, to, window: &window });
            run_at(level, pool::Mean { output: &mut mean, input: &a, shape });
            run_at(level, pool::Add { output: &mut sum, a: &a, b: Some(&b), clamp: RELU6 });
            prop_assert_eq!(bits(&pooled, to), bits(&largest, to), "{:?}", level);
            prop_assert!(mean == means && sum == sums, "{:?}", level);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// With little enough memory between the layers that only a few rows fit.
    #[test]
    fn a_block_gives_the_bits_of_its_layers(
        (shape, wide, narrow) in (shapes(10), 1usize..40, 1usize..40),
        (window, first) in (windows(&[3, 5]), windows(&[1, 3])),
        (with_added, tight) in (any::<bool>(), any::<bool>()),
        between in 0usize..4000,
        seed: u64,
    ) {
        let still = Window { size: (1, 1), step: (1, 1), before: (0, 0), after: (0, 0) };
        let weights = random(seed, wide * shape.channels * first.size.0 * first.size.1);
        let new = if tight { Convolution::tight } else { Convolution::new };
        let expand = new(shape, first, &weights, &random(seed ^ 1, wide));
        let middle = expand.output();
        prop_assume!(window.output(middle, wide).is_some());
        let area = window.size.0 * window.size.1;
        let depthwise = Depthwise::new(middle, window, &random(seed ^ 2, wide * area), &random(seed ^ 3, wide));
        let late = depthwise.output();
        let project = Convolution::new(late, still, &random(seed ^ 4, wide * narrow), &random(seed ^ 5, narrow));
        let to = project.output();
        let (input, added) = (random(seed ^ 6, expand.input_len()), random(seed ^ 7, to.len()));
        let added = with_added.then_some(added.as_slice());
        let (mut a, mut b) = (vec![0.0; middle.len()], vec![0.0; late.len()]);
        let (mut expected, mut output) = (vec![0.0; to.len()], vec![f32::NAN; to.len()]);
        expand.run(&mut a, &input, None, RELU6);
        depthwise.run(&mut b, &a, RELU6);
        project.run(&mut expected, &b, added, Clamp::NONE);
        let block = Block::with_room((expand, RELU6), (depthwise, RELU6), project, between);
        block.run(&mut output, &input, added, Clamp::NONE);
        prop_assert_eq!(bits(&output, to), bits(&expected, to));
    }
}

#[test]
fn a_clamp_keeps_what_is_no_number() {
    assert!(RELU6.of(f32::NAN).is_nan());
    let shape = Shape { height: 1, width: 1, channels: 1 };
    let window = Window { size: (1, 1), step: (1, 1), before: (0, 0), after: (0, 0) };
    let layer = Convolution::new(shape, window, &[f32::NAN], &[0.0]);
    for level in Level::available() {
        let mut output = vec![0.0; shape.len()];
        layer.run_at(level, 0..1, &mut output, &vec![1.0; shape.len()], None, RELU6);
        assert!(output[0].is_nan(), "{level:?}");
    }
}

#[test]
#[should_panic(expected = "does not fit")]
fn a_window_larger_than_the_image_is_refused() {
    let shape = Shape { height: 2, width: 9, channels: 4 };
    let window = Window { size: (3, 3), step: (1, 1), before: (0, 0), after: (0, 0) };
    Depthwise::new(shape, window, &[0.0; 36], &[0.0; 4]);
}
