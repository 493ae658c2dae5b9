//! Fully connected layer and matrix of dot products on the CPU.

use burn::tensor::Tensor;
use quintet_kernels::linear as layer;
use quintet_kernels::matmul::{Mat, matmul};

use super::custom::{CustomOp, Output, apply, input};

/// See [`super::linear`].
pub fn linear(x: Tensor<2>, weight: Tensor<2>, bias: Tensor<1>) -> Tensor<2> {
    let ([rows, inputs], [outputs, _]) = (x.dims(), weight.dims());
    apply(Linear { rows, inputs, outputs }, [input(x), input(weight), input(bias)])
}

/// See [`super::similarity`].
pub fn similarity(a: Tensor<2>, b: Tensor<2>) -> Tensor<2> {
    let ([n, dim], [m, _]) = (a.dims(), b.dims());
    apply(Similarity { n, m, dim }, [input(a), input(b)])
}

#[derive(Clone)]
struct Linear {
    rows: usize,
    inputs: usize,
    outputs: usize,
}

impl CustomOp<3> for Linear {
    type Saved = ();

    fn forward(&self, [x, weight, bias]: [&[f32]; 3]) -> (Output, ()) {
        let weights = layer::Weights { weight, bias, inputs: self.inputs };
        (Output::new(layer::forward(x, self.rows, &weights), [self.rows, self.outputs]), ())
    }

    fn backward(
        &self,
        [x, weight, bias]: [&[f32]; 3],
        (): &(),
        gradient: &[f32],
        [to_x, _, _]: [bool; 3],
    ) -> [Option<Output>; 3] {
        let weights = layer::Weights { weight, bias, inputs: self.inputs };
        let g = layer::backward(x, self.rows, &weights, gradient, to_x);
        [
            g.dx.map(|dx| Output::new(dx, [self.rows, self.inputs])),
            Some(Output::new(g.dweight, [self.outputs, self.inputs])),
            Some(Output::new(g.dbias, [self.outputs])),
        ]
    }
}

#[derive(Clone)]
struct Similarity {
    n: usize,
    m: usize,
    dim: usize,
}

impl CustomOp<2> for Similarity {
    type Saved = ();

    fn forward(&self, [a, b]: [&[f32]; 2]) -> (Output, ()) {
        (product([self.n, self.m], Mat::new(a, self.n, self.dim), Mat::new(b, self.m, self.dim).t()), ())
    }

    fn backward(&self, [a, b]: [&[f32]; 2], (): &(), gradient: &[f32], [to_a, to_b]: [bool; 2]) -> [Option<Output>; 2] {
        let dy = Mat::new(gradient, self.n, self.m);
        let da = to_a.then(|| product([self.n, self.dim], dy, Mat::new(b, self.m, self.dim)));
        let db = to_b.then(|| product([self.m, self.dim], dy.t(), Mat::new(a, self.n, self.dim)));
        [da, db]
    }
}

fn product(shape: [usize; 2], a: Mat<'_>, b: Mat<'_>) -> Output {
    let mut values = vec![0f32; shape[0] * shape[1]];
    matmul(&mut values, a, b, false);
    Output::new(values, shape)
}
