//! What Adam remembers of one weight, and how it updates it; embedding tables row by row.

use quintet_kernels::adam::Adam;

/// State of one weight.
pub(crate) struct Moments {
    /// Means of the gradient; those of sleeping rows are behind ([`Moments::after`]).
    pub first: Vec<f32>,
    /// Means of the squared gradient; likewise.
    pub second: Vec<f32>,
    /// Embedding tables only.
    pub rows: Option<Vec<Row>>,
    /// Length of a row.
    dim: usize,
    /// Learning rate of the last step.
    learning_rate: f64,
}

/// What a row of an embedding table needs at a step in which it has no gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Row {
    /// Both moments are zero: nothing.
    Fresh,
    /// It moves by its momentum.
    Coasting,
    /// Its momentum has become too small to move it; only its moments decay, which waits until the row has a gradient
    /// again. The number of the last step that is in the moments.
    Asleep(u64),
}

/// Gradient of one weight, its values as `V`: numbers here, or a flat tensor on a device.
pub(crate) enum Gradient<V> {
    Zero,
    Dense(V),
    /// Rows of a table: their numbers, each once, and their gradients.
    Rows(Vec<u32>, V),
}

impl<V> Gradient<V> {
    pub fn values(&self) -> Option<&V> {
        match self {
            Gradient::Zero => None,
            Gradient::Dense(values) | Gradient::Rows(_, values) => Some(values),
        }
    }

    pub fn map<W>(self, f: impl FnOnce(V) -> W) -> Gradient<W> {
        match self {
            Gradient::Zero => Gradient::Zero,
            Gradient::Dense(values) => Gradient::Dense(f(values)),
            Gradient::Rows(rows, values) => Gradient::Rows(rows, f(values)),
        }
    }
}

impl Moments {
    /// Zero moments; `is_table`: an embedding table, whose gradients come by rows.
    pub fn new(shape: &[usize], is_table: bool) -> Moments {
        let length = shape.iter().product();
        let rows = is_table.then(|| vec![Row::Fresh; shape[0]]);
        let dim = shape.last().copied().unwrap_or(1);
        Moments { first: vec![0.0; length], second: vec![0.0; length], rows, dim, learning_rate: 0.0 }
    }

    /// Applies one step to the weight's `values`.
    pub fn update(&mut self, values: &mut [f32], gradient: &Gradient<Vec<f32>>, adam: &Adam) {
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
        let Moments { first, second, rows: Some(rows), dim, learning_rate } = self else { return };
        let dim = *dim;
        let mut wake = |row: &mut Row, at: usize| {
            if let Row::Asleep(since) = *row {
                let range = at * dim..(at + 1) * dim;
                adam.decay(&mut first[range.clone()], &mut second[range], adam.step - 1 - since);
                *row = Row::Coasting;
            }
        };
        // At a higher rate a small momentum may move a row again.
        if adam.learning_rate > *learning_rate {
            rows.iter_mut().enumerate().for_each(|(at, row)| wake(row, at));
        }
        *learning_rate = adam.learning_rate;
        for &row in read {
            wake(&mut rows[row as usize], row as usize);
            // Taken out of the coasting rows of this step.
            rows[row as usize] = Row::Fresh;
        }
        let coasting: Vec<u32> = (0..rows.len() as u32).filter(|&row| rows[row as usize] == Row::Coasting).collect();
        let moved = adam.coast(values, first, second, dim, &coasting);
        for (&row, _) in coasting.iter().zip(moved).filter(|(_, moved)| !moved) {
            rows[row as usize] = Row::Asleep(adam.step);
        }
        adam.rows(values, first, second, dim, read, gradient);
        read.iter().for_each(|&row| rows[row as usize] = Row::Coasting);
    }

    /// The first and second moments as they are after `steps` steps, those of sleeping rows included.
    pub fn after(&self, steps: u64) -> [Vec<f32>; 2] {
        let (dim, mut first, mut second) = (self.dim, self.first.clone(), self.second.clone());
        for (at, row) in self.rows.iter().flatten().enumerate() {
            if let Row::Asleep(since) = row {
                let range = at * dim..(at + 1) * dim;
                Adam::new(0.0, steps).decay(&mut first[range.clone()], &mut second[range], steps - since);
            }
        }
        [first, second]
    }

    /// Finds out what the rows need from the moments alone.
    pub fn find_rows(&mut self) {
        let dim = self.dim;
        let moments = self.first.chunks(dim).zip(self.second.chunks(dim));
        for (row, (m, v)) in self.rows.iter_mut().flatten().zip(moments) {
            *row = if m.iter().chain(v).any(|&x| x != 0.0) { Row::Coasting } else { Row::Fresh };
        }
    }
}
