//! Layers of EfficientNet-Lite0 at 224 x 224 and of ResNet-152, one thread.

use divan::Bencher;
use divan::counter::ItemsCount;
use quintet_kernels::conv::{Clamp, Convolution, Depthwise, Shape, Window};

fn main() {
    divan::main();
}

fn window(size: usize, step: usize) -> Window {
    let pad = size / 2;
    Window { size: (size, size), step: (step, step), before: (pad, pad), after: (pad, pad) }
}

/// Side, channels in, channels out, window, step; items are multiplications.
#[divan::bench(args = [
    (112, 32, 16, 1, 1), (112, 16, 96, 1, 1), (56, 96, 24, 1, 1), (56, 24, 144, 1, 1), (28, 40, 240, 1, 1),
    (28, 240, 40, 1, 1), (14, 80, 480, 1, 1), (14, 480, 80, 1, 1), (14, 672, 112, 1, 1), (7, 192, 1152, 1, 1),
    (7, 1152, 192, 1, 1), (7, 320, 1280, 1, 1), (56, 64, 64, 3, 1), (14, 256, 256, 3, 1), (7, 512, 512, 3, 1),
])]
fn convolution(bencher: Bencher, (side, ins, outs, size, step): (usize, usize, usize, usize, usize)) {
    let shape = Shape { height: side, width: side, channels: ins };
    let weights = vec![0.5; outs * ins * size * size];
    let layer = Convolution::new(shape, window(size, step), &weights, &vec![0.0; outs]);
    let (input, mut output) = (vec![1.0; shape.len()], vec![0.0; layer.output().len()]);
    bencher
        .counter(ItemsCount::new(layer.output().height * layer.output().width * weights.len()))
        .bench_local(|| layer.run(&mut output, &input, None, Clamp { low: 0.0, high: 6.0 }));
}

/// Side, channels, window, step; items are multiplications.
#[divan::bench(args = [
    (112, 32, 3, 1), (112, 96, 3, 2), (56, 144, 3, 1), (56, 144, 5, 2), (28, 240, 5, 1), (14, 480, 3, 1),
    (14, 672, 5, 1), (7, 1152, 5, 1), (7, 1152, 3, 1),
])]
fn depthwise(bencher: Bencher, (side, channels, size, step): (usize, usize, usize, usize)) {
    let shape = Shape { height: side, width: side, channels };
    let weights = vec![0.5; channels * size * size];
    let layer = Depthwise::new(shape, window(size, step), &weights, &vec![0.0; channels]);
    let (input, mut output) = (vec![1.0; shape.len()], vec![0.0; layer.output().len()]);
    bencher
        .counter(ItemsCount::new(layer.output().height * layer.output().width * weights.len()))
        .bench_local(|| layer.run(&mut output, &input, Clamp { low: 0.0, high: 6.0 }));
}
