//! Building blocks of the branches, with PyTorch's names and layouts, and their initial values.

use std::sync::Arc;

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use quintet_kernels::rng::{Rng, label};

use super::ops::{self, GruWeights, LstmWeights, Readings, Texts};
use crate::config::Precision;
use crate::features::Dense;

/// Draws initial weights: every weight from its own stream of the seed, so that leaving a branch out changes no other.
pub struct Init<'a> {
    /// Seed of the run.
    pub seed: u64,
    /// Where the weights live.
    pub device: &'a Device,
}

impl Init<'_> {
    /// Uniform in [-bound, bound), by the name of the weight.
    pub(crate) fn uniform<const D: usize>(&self, name: &str, shape: [usize; D], bound: f64) -> Param<Tensor<D>> {
        let mut rng = Rng::new(self.seed, &[label("weights"), label(name)]);
        let values = (0..shape.iter().product()).map(|_| rng.uniform(-bound as f32, bound as f32)).collect();
        self.values(shape, values)
    }

    /// Xavier uniform for a matrix `[outputs, inputs]`.
    pub(crate) fn xavier(&self, name: &str, [outputs, inputs]: [usize; 2]) -> Param<Tensor<2>> {
        self.uniform(name, [outputs, inputs], (6.0 / (inputs + outputs) as f64).sqrt())
    }

    /// Given values.
    pub(crate) fn values<const D: usize>(&self, shape: [usize; D], values: Vec<f32>) -> Param<Tensor<D>> {
        Param::from_tensor(Tensor::from_data(TensorData::new(values, shape), self.device))
    }

    /// A single learned number.
    pub fn scalar(&self, value: f32) -> Param<Tensor<1>> {
        self.values([1], vec![value])
    }
}

/// Fully connected layer, `[n, inputs] -> [n, outputs]`.
#[derive(Module, Debug)]
pub struct FullyConnected {
    /// `[outputs, inputs]`.
    weight: Param<Tensor<2>>,
    /// `[outputs]`.
    bias: Param<Tensor<1>>,
}

impl FullyConnected {
    /// Xavier uniform weights, zero bias (`vsepp.md` section 1).
    pub fn new(name: &str, inputs: usize, outputs: usize, init: &Init<'_>) -> Self {
        FullyConnected {
            weight: init.xavier(&format!("{name}.weight"), [outputs, inputs]),
            bias: init.values([outputs], vec![0.0; outputs]),
        }
    }

    /// `[n, inputs] -> [n, outputs]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        ops::linear(x, self.weight.val(), self.bias.val())
    }

    /// `[outputs, inputs]`.
    pub fn weight(&self) -> Tensor<2> {
        self.weight.val()
    }

    /// `[outputs]`.
    pub fn bias(&self) -> Tensor<1> {
        self.bias.val()
    }

    /// Length of an input row.
    pub fn inputs(&self) -> usize {
        self.weight.dims()[1]
    }
}

/// Word embedding table.
#[derive(Module, Debug)]
pub struct WordTable {
    /// `[words, word_dim]`.
    weight: Param<Tensor<2>>,
}

impl WordTable {
    /// Rows start from the word vectors.
    pub fn new(rows: &Dense, init: &Init<'_>) -> Self {
        WordTable { weight: init.values([rows.len(), rows.dim], rows.values.clone()) }
    }

    /// Rows of the distinct tokens of `texts`, cut off from the table: a leaf of the graph where the table is trained.
    /// So the gradient is one row per distinct token, not a table of mostly zeros.
    pub fn gather(&self, texts: &Texts) -> Tensor<2> {
        self.rows(texts.distinct())
    }

    /// [`WordTable::gather`] of the rows named, each once.
    pub fn rows(&self, tokens: &[u32]) -> Tensor<2> {
        let table = self.weight.val();
        let trained = table.is_autodiff();
        let table = table.without_autodiff();
        let picked = ops::ordinary::indices(tokens.iter().copied(), &table.device());
        let rows = table.select(0, picked);
        if trained { rows.autodiff().require_grad() } else { rows }
    }
}

/// One-layer GRU, PyTorch's layout; its last state.
#[derive(Module, Debug)]
pub struct Gru {
    /// `[3 * hidden, input]`, gate order r, z, n.
    weight_ih_l0: Param<Tensor<2>>,
    /// `[3 * hidden, hidden]`.
    weight_hh_l0: Param<Tensor<2>>,
    /// `[3 * hidden]`.
    bias_ih_l0: Param<Tensor<1>>,
    /// `[3 * hidden]`.
    bias_hh_l0: Param<Tensor<1>>,
    /// Whether factors of its products are rounded to bfloat16.
    bf16: bool,
}

impl Gru {
    /// Everything uniform in +-1/sqrt(hidden), PyTorch's default.
    pub fn new(name: &str, input: usize, hidden: usize, precision: Precision, init: &Init<'_>) -> Self {
        let bound = 1.0 / (hidden as f64).sqrt();
        Gru {
            weight_ih_l0: init.uniform(&format!("{name}.weight_ih_l0"), [3 * hidden, input], bound),
            weight_hh_l0: init.uniform(&format!("{name}.weight_hh_l0"), [3 * hidden, hidden], bound),
            bias_ih_l0: init.uniform(&format!("{name}.bias_ih_l0"), [3 * hidden], bound),
            bias_hh_l0: init.uniform(&format!("{name}.bias_hh_l0"), [3 * hidden], bound),
            bf16: precision == Precision::Bf16,
        }
    }

    /// Rows of the distinct tokens `[distinct, input]` -> last states `[texts, hidden]`.
    pub fn forward(&self, rows: Tensor<2>, texts: &Arc<Texts>) -> Tensor<2> {
        let weights = GruWeights {
            input: self.weight_ih_l0.val(),
            hidden: self.weight_hh_l0.val(),
            input_bias: self.bias_ih_l0.val(),
            hidden_bias: self.bias_hh_l0.val(),
            precision: if self.bf16 { Precision::Bf16 } else { Precision::F32 },
        };
        ops::gru_last(rows, texts, weights)
    }
}

/// One-layer LSTM, PyTorch's layout; all its states.
#[derive(Module, Debug)]
pub struct Lstm {
    /// `[4 * hidden, input]`, gate order i, f, g, o.
    weight_ih_l0: Param<Tensor<2>>,
    /// `[4 * hidden, hidden]`.
    weight_hh_l0: Param<Tensor<2>>,
    /// `[4 * hidden]`.
    bias_ih_l0: Param<Tensor<1>>,
    /// `[4 * hidden]`.
    bias_hh_l0: Param<Tensor<1>>,
}

impl Lstm {
    /// Everything uniform in +-1/sqrt(hidden), PyTorch's default.
    pub fn new(name: &str, input: usize, hidden: usize, init: &Init<'_>) -> Self {
        let bound = 1.0 / (hidden as f64).sqrt();
        Lstm {
            weight_ih_l0: init.uniform(&format!("{name}.weight_ih_l0"), [4 * hidden, input], bound),
            weight_hh_l0: init.uniform(&format!("{name}.weight_hh_l0"), [4 * hidden, hidden], bound),
            bias_ih_l0: init.uniform(&format!("{name}.bias_ih_l0"), [4 * hidden], bound),
            bias_hh_l0: init.uniform(&format!("{name}.bias_hh_l0"), [4 * hidden], bound),
        }
    }

    /// Rows of the distinct tokens `[distinct, input]` -> the states after every token `[readings.rows(), hidden]`.
    pub fn forward(&self, rows: Tensor<2>, readings: &Arc<Readings>) -> Tensor<2> {
        let weights = LstmWeights {
            input: self.weight_ih_l0.val(),
            hidden: self.weight_hh_l0.val(),
            input_bias: self.bias_ih_l0.val(),
            hidden_bias: self.bias_hh_l0.val(),
        };
        ops::lstm_all(rows, readings, weights)
    }
}
