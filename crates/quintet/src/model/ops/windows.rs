//! Deepgeo's text layers on the CPU: the sliding maximum over a window of neighbours, and attention with one query.

use std::sync::Arc;

use burn::tensor::Tensor;
use quintet_kernels::{attention, sliding};

use super::custom::{CustomOp, Output, apply, input};

/// Texts of equal length, each token as a row of a table, and the width of the window that slides over them.
pub struct Windows {
    shape: sliding::Shape,
    tokens: Vec<u32>,
}

impl Windows {
    /// `tokens` `[texts * length]` are row numbers.
    ///
    /// # Panics
    /// If they are not whole texts, or no window fits.
    pub fn new(tokens: Vec<u32>, length: usize, window: usize) -> Windows {
        assert!(length > 0 && tokens.len().is_multiple_of(length), "{} tokens in texts of {length}", tokens.len());
        assert!((1..=length.min(255)).contains(&window), "no window of {window} in {length} tokens");
        // The number of channels is the tensors' to say.
        let shape = sliding::Shape { texts: tokens.len() / length, length, channels: 0, window };
        Windows { shape, tokens }
    }

    /// Number of texts.
    pub fn texts(&self) -> usize {
        self.shape.texts
    }

    /// Tokens of each text.
    pub fn length(&self) -> usize {
        self.shape.length
    }

    /// Width of a window.
    pub fn width(&self) -> usize {
        self.shape.window
    }

    /// Windows of each text.
    pub fn count(&self) -> usize {
        self.shape.windows()
    }

    /// Row numbers, text after text.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }
}

/// See [`super::sliding_max`].
pub fn sliding_max(left: Tensor<2>, own: Tensor<2>, right: Tensor<2>, windows: &Arc<Windows>) -> Tensor<2> {
    let [rows, channels] = own.dims();
    let shape = sliding::Shape { channels, ..windows.shape };
    apply(SlidingMax { shape, rows, windows: Arc::clone(windows) }, [input(left), input(own), input(right)])
}

#[derive(Clone)]
struct SlidingMax {
    shape: sliding::Shape,
    rows: usize,
    windows: Arc<Windows>,
}

impl CustomOp<3> for SlidingMax {
    /// The values and where they were found.
    type Saved = (Vec<f32>, Vec<u8>);

    fn infer(&self, [left, own, right]: [&[f32]; 3]) -> Output {
        let (best, _) = sliding::forward(&self.shape, left, own, right, &self.windows.tokens);
        Output::new(best, [self.shape.texts * self.shape.windows(), self.shape.channels])
    }

    fn forward(&self, [left, own, right]: [&[f32]; 3]) -> (Output, Self::Saved) {
        let (best, found) = sliding::forward(&self.shape, left, own, right, &self.windows.tokens);
        let shape = [self.shape.texts * self.shape.windows(), self.shape.channels];
        (Output::new(best.clone(), shape), (best, found))
    }

    fn backward(
        &self,
        _: [&[f32]; 3],
        (best, found): &Self::Saved,
        gradient: &[f32],
        _: [bool; 3],
    ) -> [Option<Output>; 3] {
        let g = sliding::backward(&self.shape, best, found, &self.windows.tokens, self.rows, gradient);
        let sides = [self.windows.tokens.len(), self.shape.channels];
        [
            Some(Output::new(g.left, sides)),
            Some(Output::new(g.own, [self.rows, self.shape.channels])),
            Some(Output::new(g.right, sides)),
        ]
    }
}

/// See [`super::attend_by_query`].
pub fn attend_by_query(rows: Tensor<2>, keys: Tensor<2>, query: Tensor<1>, length: usize) -> Tensor<2> {
    let ([n, c], [_, d]) = (rows.dims(), keys.dims());
    apply(Attend { n, c, d, length }, [input(rows), input(keys), input(query)])
}

#[derive(Clone)]
struct Attend {
    n: usize,
    c: usize,
    d: usize,
    length: usize,
}

impl CustomOp<3> for Attend {
    type Saved = attention::Saved;

    fn forward(&self, [rows, keys, query]: [&[f32]; 3]) -> (Output, Self::Saved) {
        let (out, saved) = attention::forward(self.length, rows, keys, query);
        (Output::new(out, [self.n / self.length, self.c]), saved)
    }

    fn backward(
        &self,
        [rows, _, query]: [&[f32]; 3],
        saved: &Self::Saved,
        gradient: &[f32],
        _: [bool; 3],
    ) -> [Option<Output>; 3] {
        let g = attention::backward(self.length, rows, query, saved, gradient);
        [
            Some(Output::new(g.rows, [self.n, self.c])),
            Some(Output::new(g.keys, [self.n, self.d])),
            Some(Output::new(g.query, [self.d])),
        ]
    }
}
