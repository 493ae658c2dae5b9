//! What Adam remembers of one weight, and how it updates it; embedding tables row by row.

use quintet_kernels::adam::Adam;

/// State of one weight.
pub(super) struct Moments {
    pub name: String,
    pub shape: Vec<usize>,
    /// Means of the gradient.
    pub first: Vec<f32>,
    /// Means of the squared gradient; those of sleeping rows are behind ([`Moments::second_after`]).
    pub second: Vec<f32>,
    /// Embedding tables only.
    pub rows: Option<Vec<Row>>,
}

/// What a row of an embedding table needs at a step in which it has no gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Row {
    /// Both moments are zero: nothing.
    Fresh,
    /// It moves by its momentum.
    Coasting,
    /// The first moment is zero, so the row stays where it is; only its second moment decays, which waits until the row
    /// has a gradient again. The number of the last step that is in the second moment.
    Asleep(u64),
}

/// Gradient of one weight.
pub(super) enum Gradient {
    Zero,
    Dense(Vec<f32>),
    /// Rows of a table: their numbers, each once, and their gradients.
    Rows(Vec<u32>, Vec<f32>),
}

impl Gradient {
    pub fn values(&self) -> &[f32] {
        match self {
            Gradient::Zero => &[],
            Gradient::Dense(values) | Gradient::Rows(_, values) => values,
        }
    }
}

/// Rows without gradient that are updated in one call; their zeros stay in the cache.
const TOGETHER: usize = 1024;
/// Steps between two looks for rows that can sleep.
const LOOK_EVERY: u64 = 64;

impl Moments {
    /// Zero moments; `is_table`: an embedding table, whose gradients come by rows.
    pub fn new(name: String, shape: Vec<usize>, is_table: bool) -> Moments {
        let length = shape.iter().product();
        let rows = is_table.then(|| vec![Row::Fresh; shape[0]]);
        Moments { name, shape, first: vec![0.0; length], second: vec![0.0; length], rows }
    }

    /// Applies one step to the weight's `values`.
    pub fn update(&mut self, values: &mut [f32], gradient: &Gradient, adam: &Adam) {
        if self.rows.is_some() {
            let (rows, gradient): (&[u32], &[f32]) = match gradient {
                Gradient::Rows(rows, gradient) => (rows, gradient),
                _ => (&[], &[]),
            };
            return self.update_table(values, rows, gradient, adam);
        }
        match gradient {
            Gradient::Dense(gradient) => adam.dense(values, &mut self.first, &mut self.second, gradient),
            _ => adam.dense(values, &mut self.first, &mut self.second, &vec![0.0; values.len()]),
        }
    }

    fn update_table(&mut self, values: &mut [f32], read: &[u32], gradient: &[f32], adam: &Adam) {
        let dim = self.dim();
        let Some(rows) = &mut self.rows else { return };
        for &row in read {
            let row = row as usize;
            if let Row::Asleep(since) = rows[row] {
                decay(&mut self.second[row * dim..(row + 1) * dim], adam.step - 1 - since, adam);
            }
            // Taken out of the coasting rows of this step.
            rows[row] = Row::Fresh;
        }
        let coasting: Vec<u32> = (0..rows.len() as u32).filter(|&row| rows[row as usize] == Row::Coasting).collect();
        let zeros = vec![0.0; TOGETHER.min(coasting.len()) * dim];
        for some in coasting.chunks(TOGETHER) {
            adam.rows(values, &mut self.first, &mut self.second, dim, some, &zeros[..some.len() * dim]);
        }
        adam.rows(values, &mut self.first, &mut self.second, dim, read, gradient);
        read.iter().for_each(|&row| rows[row as usize] = Row::Coasting);
        if adam.step.is_multiple_of(LOOK_EVERY) {
            for (row, first) in rows.iter_mut().zip(self.first.chunks(dim)) {
                if *row == Row::Coasting && first.iter().all(|&m| m == 0.0) {
                    *row = Row::Asleep(adam.step);
                }
            }
        }
    }

    /// The second moments as they are after `steps` steps, those of sleeping rows included.
    pub fn second_after(&self, steps: u64) -> Vec<f32> {
        let (dim, mut second) = (self.dim(), self.second.clone());
        for (row, second) in self.rows.iter().flatten().zip(second.chunks_mut(dim)) {
            if let Row::Asleep(since) = row {
                decay(second, steps - since, &Adam::new(0.0, steps));
            }
        }
        second
    }

    /// Finds out what the rows need from the moments alone.
    pub fn find_rows(&mut self) {
        let dim = self.dim();
        let moments = self.first.chunks(dim).zip(self.second.chunks(dim));
        for (row, (m, v)) in self.rows.iter_mut().flatten().zip(moments) {
            *row = if m.iter().chain(v).any(|&x| x != 0.0) { Row::Coasting } else { Row::Fresh };
        }
    }

    /// Length of a row.
    fn dim(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }
}

/// What `steps` steps without gradient do to second moments: the same multiplications as in Adam, so the same bits.
fn decay(second: &mut [f32], steps: u64, adam: &Adam) {
    let beta = adam.beta2 as f32;
    for v in second {
        *v = (0..steps).fold(*v, |v, _| v * beta);
    }
}
